"""Replay in Chromium, read back from its pictures: the asked time, several cameras at once, and what is exported."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from selenium.webdriver.common.action_chains import ActionChains

from harness.browser import CORNER, browsing
from harness.counter import CounterReader
from harness.media import probe
from harness.server import NVR, wait_for
from peers import footage
from peers.gst_camera import GstCamera

FPS = 15


@pytest.fixture(scope="module")
def scene():
    """Two cameras that show the same moments of one film, some of them recorded."""
    film = footage.counter()
    with GstCamera({"/one": film, "/two": film}, live=True) as camera, NVR(segment_seconds=10) as nvr:
        nvr.start().with_admin()
        keys = [nvr.api.add_camera(name, camera.url(f"/{name}")) for name in ("one", "two")]

        def stored(key: int) -> list[dict]:
            index = nvr.api.json(f"/cameras/{key}/playback.json", params={"start": time.time() - 600})
            return [fragment for segment in index["segments"] for fragment in segment["fragments"]]

        wait_for("there is footage", lambda: all(sum(fragment["duration"] for fragment in stored(key)) > 26 for key in keys), 180, 0.5)
        yield nvr, keys, CounterReader(film), stored


def seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def state(browser) -> list[str]:
    return browser.execute_script("return [...document.querySelectorAll('.replay .tile')].map((tile) => tile.dataset.state)")


def shown(browser, reader: CounterReader, key: int) -> int | None:
    corner = browser.corner(f".replay .tile[data-camera='{key}'] video")
    return reader.number(corner) if corner else None


def settled(browser, count: int) -> None:
    wait_for("the pictures are there", lambda: state(browser) == ["ready"] * count, 40)


def led(browser) -> None:
    """Films are led to what the clock says by the next picture of the screen: until then they are still ready for what was asked before."""
    browser.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(true)));")


def test_a_seek_shows_the_frame_of_the_asked_time(scene, tmp_path):
    nvr, keys, reader, stored = scene
    fragments = stored(keys[0])
    start = seconds(fragments[0]["start"])
    with browsing(tmp_path, (1280, 900)) as browser:
        # The frame at the begin of the footage gives the number of every later one.
        browser.sign_in(nvr.api.base).open(f"/ui/replay?cameras={keys[0]}&t={start + 0.02:.3f}")
        settled(browser, 1)
        browser.press("#play")
        browser.until("it stands", "return document.querySelector('.replay video').paused")

        def at() -> tuple[float, int]:
            """The time that the page says, and the frame that is seen."""
            led(browser)
            wait_for("it stands still", lambda: state(browser) == ["ready"] and not browser.execute_script("return document.querySelector('.replay video').seeking"), 60)
            time_shown = float(browser.execute_script("return document.querySelector('#replay-time').dataset.time")) / 1000
            return time_shown, shown(browser, reader, keys[0])

        first_time, first_frame = at()
        for offset in (5.0, 14.5, 2.2, 20.1):
            browser.execute_script("""
                const input = document.querySelector('.go-to input');
                const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
                set.call(input, arguments[0]);
                input.dispatchEvent(new Event('input', { bubbles: true }));""", datetime.utcfromtimestamp(int(start + offset)).strftime("%Y-%m-%dT%H:%M:%S"))
            browser.press(".go-to button")
            wait_for("the time is shown", lambda: abs(at()[0] - int(start + offset)) < 0.15, 60)
            now, frame = at()
            # In whole frames from the first that was seen, on the loop that the film is.
            expected = (first_frame + round((now - first_time) * FPS)) % reader.count
            off = (frame - expected + reader.count // 2) % reader.count - reader.count // 2
            assert abs(off) <= 3, (offset, frame, expected)
        assert browser.complaints() == []


def test_cameras_play_together(scene, tmp_path):
    nvr, keys, reader, stored = scene
    start = max(seconds(stored(key)[0]["start"]) for key in keys)
    with browsing(tmp_path, (1280, 900)) as browser:
        browser.sign_in(nvr.api.base).open(f"/ui/replay?cameras={keys[0]},{keys[1]}&t={start + 1:.1f}")
        settled(browser, 2)
        browser.until("both run", "return [...document.querySelectorAll('.replay video')].every((video) => !video.paused && video.currentTime > 0)")
        # Both are read in one go: the cameras show the same moment, so the counters tell how far apart the pictures are.
        both = "const read = (selector) => (function () { " + CORNER + " }).call(null, selector); return [read(arguments[0]), read(arguments[1])];"
        selectors = [f".replay .tile[data-camera='{key}'] video" for key in keys]
        looks: list[tuple[int, int]] = []

        def together() -> bool:
            """Of the last 25 pictures nine in ten were at most one frame apart: a frame lasts 67 ms, and 100 ms are one and a half."""
            if state(browser) != ["ready", "ready"]:
                return False
            one, two = (reader.number(corner) for corner in browser.execute_script(both, *selectors))
            if not looks or looks[-1][0] != one:
                looks.append((one, abs((one - two + reader.count // 2) % reader.count - reader.count // 2)))
            skews = sorted(skew for _, skew in looks[-25:])
            return len(skews) == 25 and skews[22] <= 1

        wait_for("they are together", together, 240, 0.02)
        assert browser.complaints() == []


def test_the_timeline_is_clicked_zoomed_and_a_range_exported(scene, tmp_path):
    nvr, keys, reader, stored = scene
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    start = seconds(stored(keys[0])[0]["start"])
    with browsing(tmp_path / "profile", (1280, 900), downloads) as browser:
        browser.sign_in(nvr.api.base).open(f"/ui/replay?cameras={keys[0]}&t={start + 3:.1f}")
        settled(browser, 1)
        # The timeline goes along with what plays.
        browser.press("#play")
        stands(browser)
        canvas = browser.shown("#timeline")
        view = lambda: [int(canvas.get_attribute(f"data-{side}")) for side in ("start", "end")]  # noqa: E731
        length = view()[1] - view()[0]
        canvas.send_keys("\ue013" * 8)
        wait_for("it is closer", lambda: view()[1] - view()[0] < length / 15)
        # A click goes to the time that is under it, and plays on from there.
        left, right = view()
        target = left + (right - left) * 0.55
        width = canvas.size["width"]
        ActionChains(browser).move_to_element_with_offset(canvas, int(width * 0.05), 12).click().perform()
        asked = "return Number(new URLSearchParams(location.search).get('t')) * 1000"
        wait_for("it is there", lambda: abs(browser.execute_script(asked) - target) < 1000 and place(browser) * 1000 > target - 1000, 60)
        # The ruler is dragged: pictures of the time under the pointer.
        ActionChains(browser).move_to_element_with_offset(canvas, 0, int(-canvas.size["height"] / 2 + 10)).click_and_hold().move_by_offset(20, 0).move_by_offset(20, 0).perform()
        browser.shown(".scrubbed")
        ActionChains(browser).release().perform()
        browser.gone(".scrubbed")

        # A range, and its file.
        browser.open(f"/ui/replay?cameras={keys[0]}&t={start + 2:.1f}")
        settled(browser, 1)
        browser.press("#play")
        body = browser.shown("#main")
        body.send_keys("i")
        for _ in range(2):
            body.send_keys("\ue014")
        body.send_keys("o")
        browser.press("#export")
        browser.press(".export-link")
        wait_for("the file is here", lambda: [path for path in downloads.glob("*.mp4")], 120)
        movie = probe(next(downloads.glob("*.mp4")))
        assert movie.video.codec == "h264" and (movie.video.width, movie.video.height) == (640, 360)
        assert 8 <= movie.video.end - max(0, movie.video.begin) <= 16, (movie.video.begin, movie.video.end)
        assert browser.complaints() == []


def test_the_timeline_shows_tiles_of_an_hours_sheet(scene, tmp_path):
    nvr, keys, _, stored = scene
    start = seconds(stored(keys[0])[0]["start"])
    # What is pointed at lies in one hour, as far as the pointer goes.
    moment = start + 10
    if int(moment - 15) // 3600 != int(moment + 15) // 3600:
        moment += 40
    wait_for("it is recorded", lambda: time.time() > moment + 20, 90)
    asked = "return performance.getEntriesByType('resource').filter((entry) => entry.name.includes(arguments[0]) && entry.startTime >= arguments[1]).length"
    with browsing(tmp_path, (1280, 900)) as browser:
        browser.sign_in(nvr.api.base).open(f"/ui/replay?cameras={keys[0]}&t={start + 3:.1f}")
        settled(browser, 1)
        browser.press("#play")
        canvas = browser.shown("#timeline")
        left, right = (int(canvas.get_attribute(f"data-{side}")) / 1000 for side in ("start", "end"))
        place = lambda at: int((at - (left + right) / 2) / (right - left) * canvas.size["width"])  # noqa: E731
        ActionChains(browser).move_to_element_with_offset(canvas, place(moment), 12).perform()
        tile = browser.until("a tile", "const tile = document.querySelector('.timeline-tip .tip-tile'); return tile && tile.naturalWidth > 1000 && [tile.clientWidth, tile.clientHeight]")
        assert tile == [160, 90]
        # Beside it nothing more has to be asked for: a picture of its own, which was asked for while the sheet was made, may still be on its way.
        begun = browser.execute_script("return performance.now()")
        for offset in (1, 2, -1, 0):
            ActionChains(browser).move_to_element_with_offset(canvas, place(moment) + offset, 12).perform()
        browser.until("a tile", "return document.querySelector('.timeline-tip .tip-tile')")
        assert browser.execute_script(asked, "/preview.jpg", begun) == 0
        assert browser.execute_script(asked, "/sprite.jpg", 0) == 1
        # Where seconds can be told apart, a tile of half a minute would be the wrong picture: one of its own is shown.
        canvas.send_keys("\ue013" * 9)
        wait_for("it is closer", lambda: int(canvas.get_attribute("data-end")) - int(canvas.get_attribute("data-start")) < 120_000)
        left, right = (int(canvas.get_attribute(f"data-{side}")) / 1000 for side in ("start", "end"))
        ActionChains(browser).move_to_element_with_offset(canvas, place(start + 12), 12).perform()
        browser.until("a picture of its own", "const picture = document.querySelector('.timeline-tip img:not(.tip-tile)'); return picture && picture.naturalWidth > 0")
        assert browser.complaints() == []


def test_live_and_replay_are_one_control(scene, tmp_path):
    nvr, keys, reader, _ = scene
    with browsing(tmp_path, (1280, 900)) as browser:
        browser.sign_in(nvr.api.base).open(f"/ui/replay?cameras={keys[0]}")
        wait_for("it is live", lambda: browser.corner(".replay .tile .layer:not(.waiting) .picture"), 90)
        assert state(browser) == ["live"]
        browser.press("#play")
        settled(browser, 1)
        browser.press("#go-live")
        wait_for("it is live again", lambda: state(browser) == ["live"] and browser.corner(".replay .tile .layer:not(.waiting) .picture"), 90)
        # On a phone or a wall display whose clock is ten minutes late the present is the server's.
        late = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": "const right = Date.now; Date.now = () => right() - 600000;"})
        browser.open(f"/ui/replay?cameras={keys[0]}")
        wait_for("it is live", lambda: browser.corner(".replay .tile .layer:not(.waiting) .picture"), 90)
        before = time.time()
        browser.press("#play")
        after = time.time()
        settled(browser, 1)
        # The present of the press: the picture stands.
        assert before - 12 < place(browser) < after + 10, (before, place(browser), after)
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", late)
        assert browser.complaints() == []


BYTES = """return performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/media/')).reduce((sum, entry) => sum + entry.transferSize, 0)"""


QUIET = """
const now = performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/media/')).length;
if (window.fetched?.count !== now) window.fetched = { count: now, since: performance.now() };
return now > 1 && performance.now() - window.fetched.since > 1500;"""
SET_SPEED = """
const speed = document.querySelector('.speed');
speed.value = arguments[0];
speed.dispatchEvent(new Event('change', { bubbles: true }));"""


def at_eight_times(browser, nvr, key: int, start: float, reader: CounterReader, footage_seconds: float) -> tuple[int, float, list[int]]:
    """Bytes of footage fetched while so many seconds or more were played at 8×, the time that was reached, and the numbers that were seen."""
    browser.sign_in(nvr.api.base).open(f"/ui/replay?cameras={key}&t={start + 0.5:.2f}")
    settled(browser, 1)
    browser.press("#play")
    browser.until("it stands", "return document.querySelector('.replay video').paused")
    # What is fetched ahead of a picture that stands is all here.
    browser.until("nothing more is fetched", QUIET)
    browser.execute_script("performance.setResourceTimingBufferSize(5000); performance.clearResourceTimings()")
    browser.execute_script(SET_SPEED, "8")
    browser.press("#play")
    seen: list[int] = []

    def place() -> float:
        return float(browser.execute_script("return document.querySelector('#replay-time').dataset.time")) / 1000

    def is_over() -> bool:
        # While it seeks, it may give nothing to a canvas.
        corner = browser.execute_script("if (document.querySelector(arguments[0]).seeking) return '';" + CORNER, f".replay .tile[data-camera='{key}'] video")
        number = reader.number(corner) if corner else None
        if number is not None and number not in seen[-1:]:
            seen.append(number)
        return place() >= start + footage_seconds

    wait_for("the end", is_over, 60, 0.02)
    # On a busy machine it is looked at late.
    return browser.execute_script(BYTES), place(), seen


def test_fast_playback_fetches_key_frames_alone(scene, tmp_path):
    nvr, keys, reader, stored = scene
    fragments = stored(keys[0])
    start = seconds(fragments[0]["start"])
    with browsing(tmp_path, (1280, 900)) as browser:
        fetched, reached, seen = at_eight_times(browser, nvr, keys[0], start, reader, 20)
        # Key frames are fetched five seconds of the clock ahead of the picture, as far as footage goes by then.
        within = [fragment for fragment in stored(keys[0]) if seconds(fragment["start"]) < reached + 5 * 8]
        whole, lasts = sum(fragment["size"] for fragment in within), sum(fragment["duration"] for fragment in within)
        print(f"8x: {fetched} bytes fetched of {whole} that {lasts:.0f} s of footage are; {len(seen)} pictures seen")
        assert 0 < fetched < whole * 0.6, (fetched, whole)
        # Key frames, in their order on the loop that the film is; what stood before goes first.
        while seen and seen[0] % 30:
            seen.pop(0)
        steps = [(after - before) % reader.count for before, after in zip(seen, seen[1:])]
        assert len(seen) >= 4 and all(step % 30 == 0 and 0 < step < reader.count / 2 for step in steps), str(seen)
        # At normal speed everything is shown again, however often that is changed: the counter goes on by single pictures.
        for rate in ("1", "8", "1", "16", "1"):
            browser.execute_script(SET_SPEED, rate)
            time.sleep(0.15)  # As fast as somebody can.
        numbers: set[int] = set()

        def is_smooth() -> bool:
            number = shown(browser, reader, keys[0])
            if number is not None:
                numbers.add(number)
            return any({number, number + 1, number + 2, number + 3} <= numbers for number in numbers)

        wait_for("pictures follow each other", is_smooth, 30, 0.01)
        assert browser.complaints() == []


def place(browser) -> float:
    """The time that the page says, seconds."""
    return float(browser.execute_script("return document.querySelector('#replay-time').dataset.time")) / 1000


def stands(browser) -> None:
    led(browser)
    browser.until("it stands", "const video = document.querySelector('.replay video'); return video && video.paused && !video.seeking && video.readyState >= 2")
    wait_for("its picture is there", lambda: state(browser) == ["ready"], 60)


# When the picture begins that is on the screen, in seconds of the element.
PRESENTED = """
const video = document.querySelector('.replay video');
const note = (_, facts) => {
  window.presented = facts.mediaTime;
  video.requestVideoFrameCallback(note);
};
video.requestVideoFrameCallback(note);"""


def test_keys_lead_the_replay(scene, tmp_path):
    nvr, keys, reader, stored = scene
    start = seconds(stored(keys[0])[0]["start"])
    # Room before and behind: what plays faster or backwards until it is looked at again reaches neither the present nor the begin.
    wait_for("there is more footage", lambda: time.time() > start + 75, 120, 0.5)
    with browsing(tmp_path, (1280, 900)) as browser:
        browser.sign_in(nvr.api.base).open(f"/ui/replay?cameras={keys[0]}&t={start + 20:.1f}")
        settled(browser, 1)
        browser.execute_script(PRESENTED)
        browser.until("pictures are seen", "return window.presented")
        press = lambda *pressed: ActionChains(browser).send_keys(*pressed).perform()  # noqa: E731
        rate = lambda: float(browser.execute_script("return document.querySelector('.speed').value"))  # noqa: E731
        press("k")
        stands(browser)
        # Frame by frame, forward and back, without having been played at its own pace.
        before = shown(browser, reader, keys[0])
        for key, step in ((".", 1), (".", 1), (".", 1), (",", -1), (",", -1)):
            # Who steps has seen the picture before: it is on the screen, and not only decoded.
            browser.until("it is on the screen", f"const ahead = document.querySelector('.replay video').currentTime - window.presented; return ahead > -0.01 && ahead < {1 / FPS + 0.004:.4f}")
            press(key)
            stands(browser)
            wait_for(f"{key} goes by one from {before}", lambda: shown(browser, reader, keys[0]) == (before + step) % reader.count, 60)
            before = (before + step) % reader.count
        # Faster with every L, backwards with J, at rest with K; capitals are the same keys.
        press("l")
        wait_for("it runs", lambda: rate() == 1 and not browser.execute_script("return document.querySelector('.replay video').paused"), 60)
        press("L")
        wait_for("twice as fast", lambda: rate() == 2)
        press("l")
        wait_for("four times", lambda: rate() == 4)
        press("k")
        stands(browser)
        at = place(browser)
        press("j")
        wait_for("backwards", lambda: rate() == -1 and place(browser) < at - 0.5, 60)
        press("k")
        stands(browser)
        at = place(browser)
        press("\ue012")
        wait_for("five seconds back", lambda: abs(place(browser) - (at - 5)) < 0.6, 60)
        press("\ue014")
        wait_for("and forth", lambda: abs(place(browser) - at) < 0.6, 60)
        press(" ")
        browser.until("it runs", "return !document.querySelector('.replay video').paused")
        # A quarter of the pace: two pictures in half a second would be too many.
        press("k")
        stands(browser)
        browser.execute_script(SET_SPEED, "0.25")
        press(" ")
        browser.until("slowly", "const video = document.querySelector('.replay video'); return !video.paused && video.playbackRate < 0.4")
        assert browser.complaints() == []


def test_a_range_has_a_link_that_shows_it_to_others(scene, tmp_path):
    nvr, keys, _, stored = scene
    start = seconds(stored(keys[0])[0]["start"])
    with browsing(tmp_path, (1280, 900)) as browser:
        browser.sign_in(nvr.api.base).open(f"/ui/replay?cameras={keys[0]}&t={start + 3:.1f}")
        settled(browser, 1)
        browser.press("#play")
        stands(browser)
        ActionChains(browser).send_keys("i", "\ue014", "o").perform()
        browser.until("the range is in the address", "return /range=[0-9.]+-[0-9.]+/.test(location.search)")
        browser.execute_script("Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => { window.copied = text; } }, configurable: true })")
        browser.press("#export")
        assert "recorded" in browser.text("#export-recorded li")
        browser.press("#share-range")
        link = browser.until("the link", "return window.copied")
        browser.get(link)
        settled(browser, 1)
        browser.until("the range is there again", "return !document.querySelector('#export').disabled")
        canvas = browser.shown("#timeline")
        length = (int(canvas.get_attribute("data-end")) - int(canvas.get_attribute("data-start"))) / 1000
        assert 5 < length < 30, length
        # A range of nothing offers no empty file.
        browser.open(f"/ui/replay?cameras={keys[0]}&range={start - 4000:.0f}-{start - 3900:.0f}")
        browser.press("#export")
        browser.until("it is told", "return document.querySelector('#export-recorded li.problem')")
        assert not browser.find_elements("css selector", ".export-link")
        # What is none is left out.
        for wrong in ("5-3", "a-b", "1e999-2"):
            browser.open(f"/ui/replay?cameras={keys[0]}&range={wrong}&t={start + 3:.1f}")
            settled(browser, 1)
            assert browser.execute_script("return document.querySelector('#export').disabled")
        assert browser.complaints() == []


def test_the_timeline_is_pinched_and_dragged_by_fingers(scene, tmp_path):
    nvr, keys, _, stored = scene
    start = seconds(stored(keys[0])[0]["start"])
    with browsing(tmp_path) as browser:
        browser.sign_in(nvr.api.base).emulate((360, 780), phone=True).open(f"/ui/replay?cameras={keys[0]},{keys[1]}&t={start + 3:.1f}")
        settled(browser, 2)
        browser.press("#play")
        canvas = browser.shown("#timeline")
        view = lambda: [int(canvas.get_attribute(f"data-{side}")) for side in ("start", "end")]  # noqa: E731
        touch = lambda kind, *points: browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]})  # noqa: E731
        top = browser.execute_script("return document.querySelector('#timeline').getBoundingClientRect().top") + 45
        before = view()
        touch("touchStart", (150, top), (210, top))
        for by in range(10, 101, 10):
            touch("touchMove", (150 - by, top), (210 + by, top))
        touch("touchEnd")
        # From 60 pixels apart to 260: all that the fingers did is done.
        wait_for("it is closer", lambda: abs((before[1] - before[0]) / (view()[1] - view()[0]) - 260 / 60) < 0.1, 60)
        closer = view()
        touch("touchStart", (180, top))
        for by in range(10, 81, 10):
            touch("touchMove", (180 + by, top))
        touch("touchEnd")
        # To the right is back in time, by as much as the finger went.
        wait_for("it has moved", lambda: view()[0] < closer[0] and abs((closer[0] - view()[0]) / (closer[1] - closer[0]) - 80 / 360) < 0.08, 60)
        assert browser.overflow() <= 0 and browser.complaints() == []


def test_the_wheel_zooms_from_years_to_a_second_and_moves_sideways(scene, tmp_path):
    nvr, keys, _, stored = scene
    start = seconds(stored(keys[0])[0]["start"])
    with browsing(tmp_path, (1280, 900)) as browser:
        browser.sign_in(nvr.api.base).open(f"/ui/replay?cameras={keys[0]}&t={start + 3:.1f}")
        settled(browser, 1)
        browser.press("#play")
        canvas = browser.shown("#timeline")
        view = lambda: [int(canvas.get_attribute(f"data-{side}")) for side in ("start", "end")]  # noqa: E731
        middle = browser.execute_script("const box = document.querySelector('#timeline').getBoundingClientRect(); return [box.left + box.width / 2, box.top + box.height / 2]")
        wheel = lambda x, y: browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseWheel", "x": middle[0], "y": middle[1], "deltaX": x, "deltaY": y})  # noqa: E731
        for _ in range(40):
            wheel(0, -600)
        wait_for("a second", lambda: view()[1] - view()[0] == 1000, 60)
        # At every zoom it is told what there is, and nothing is refused.
        for _ in range(60):
            wheel(0, 600)
        # Five leap years are the most, behind which nothing changes any more.
        wait_for("years", lambda: abs(view()[1] - view()[0] - 5 * 366 * 86_400_000) <= 1, 60)
        before = view()
        wheel(-300, 0)
        wait_for("it has moved", lambda: view()[0] < before[0] and abs(view()[1] - view()[0] - (before[1] - before[0])) <= 1, 60)
        assert browser.complaints() == []


def test_footage_that_cannot_be_had_says_why_and_is_not_hammered_at(scene, tmp_path):
    nvr, keys, _, stored = scene
    start = seconds(stored(keys[0])[0]["start"])
    with browsing(tmp_path, (1280, 900)) as browser:
        browser.sign_in(nvr.api.base)
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": """
            const ask = window.fetch;
            window.refused = [];
            window.isRefusing = true;
            window.fetch = async (target, options) => {
              if (!window.isRefusing || !String(target).includes('/media/')) return ask(target, options);
              window.refused.push(performance.now());
              return new Response('{"detail": "the disk of this footage is away"}', { status: 503, headers: { 'Content-Type': 'application/json' } });
            };"""})
        browser.open(f"/ui/replay?cameras={keys[0]}&t={start + 3:.1f}")
        browser.until("it is told", "return document.querySelector('.replay .tile-note')?.textContent.includes('the disk of this footage is away')")
        # Half a second until the second attempt, and each time twice as long, instead of one for every picture of the screen.
        browser.until("some attempts", "return window.refused.length >= 4")
        attempts = browser.execute_script("return window.refused")
        pauses = [after - before for before, after in zip(attempts, attempts[1:])]
        assert all(pause >= min(500 * 2 ** number, 10_000) - 10 for number, pause in enumerate(pauses)), pauses
        # When it can be had again, it is.
        browser.execute_script("window.isRefusing = false")
        settled(browser, 1)
        assert [line for line in browser.complaints() if "503" not in line] == []


def test_nine_cameras_play_together(tmp_path):
    film = footage.counter()
    with GstCamera({f"/{number}": film for number in range(9)}, live=True) as camera, NVR(segment_seconds=10) as nvr, browsing(tmp_path, (1280, 900)) as browser:
        nvr.start().with_admin()
        reader = CounterReader(film)
        keys = [nvr.api.add_camera(f"Camera {number}", camera.url(f"/{number}")) for number in range(9)]

        def footage_of(key: int) -> list[dict]:
            return [fragment for segment in nvr.api.json(f"/cameras/{key}/playback.json", params={"start": time.time() - 600})["segments"] for fragment in segment["fragments"]]

        wait_for("there is footage", lambda: all(sum(fragment["duration"] for fragment in footage_of(key)) > 40 for key in keys), 180, 1)
        for key in keys:
            nvr.api.put(f"/cameras/{key}", json={"recording_mode": "Off"})
        start = max(seconds(footage_of(key)[0]["start"]) for key in keys)
        browser.sign_in(nvr.api.base).open(f"/ui/replay?cameras={','.join(map(str, keys))}&t={start + 1:.1f}")
        browser.until("nine tiles", "return document.querySelectorAll('.replay .tile').length === 9")
        all_of_them = "const read = (selector) => (function () { " + CORNER + " }).call(null, selector); return [...arguments].map(read);"
        selectors = [f".replay .tile[data-camera='{key}'] video" for key in keys]
        spreads: list[int] = []

        def together() -> bool:
            """Of the last 20 looks nine in ten had all pictures at most one frame, 67 ms, apart."""
            if state(browser) != ["ready"] * 9:
                return False
            corners = browser.execute_script(all_of_them, *selectors)
            if not all(corners):
                return False
            numbers = [reader.number(corner) for corner in corners]
            off = [(number - numbers[0] + reader.count // 2) % reader.count - reader.count // 2 for number in numbers]
            spreads.append(max(off) - min(off))
            return len(spreads) >= 20 and sorted(spreads[-20:])[17] <= 1

        # Played again when it comes to the end of what was recorded: a machine with other work takes its time to get going.
        def again() -> bool:
            if place(browser) > start + 30 or browser.execute_script("return document.querySelector('.replay video')?.paused ?? false") and state(browser) == ["ready"] * 9:
                browser.open(f"/ui/replay?cameras={','.join(map(str, keys))}&t={start + 1:.1f}")
                browser.until("nine tiles", "return document.querySelectorAll('.replay .tile').length === 9")
            return together()

        wait_for("they are together", again, 300, 0.02)
        print(f"spread of nine, frames of 67 ms: {spreads[-20:]}")
        assert browser.complaints() == []
