"""What is done with a range in the replay, in Chromium: it is held, and made into a time-lapse; and the next event is found wherever it is."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from harness.browser import browsing
from harness.media import decode_errors, probe
from harness.server import NVR, wait_for
from peers import footage
from peers.gst_camera import GstCamera
from test_ui_replay import SET_SPEED, seconds, settled, stands, state

SIZE = (1280, 900)
RANGE = 64
HOUR = 3600


@pytest.fixture(scope="module")
def scene():
    """A camera with a little more than a minute of footage."""
    with GstCamera({"/one": footage.counter(gop_seconds=1)}, live=True) as camera, NVR(segment_seconds=10) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("Gate", camera.url("/one"))

        def stored() -> list[float]:
            index = nvr.api.json(f"/cameras/{key}/playback.json", params={"start": time.time() - 600})
            return [seconds(fragment["start"]) for segment in index["segments"] for fragment in segment["fragments"]]

        wait_for("there is footage", lambda: (found := stored()) and found[-1] - found[0] > RANGE + 4, 240, 1)
        # The film is looked at no more: what the tests do has the machine for itself.
        assert nvr.api.put(f"/cameras/{key}", json={"recording_mode": "Off"}).status_code == 200
        yield nvr, key, stored()[0]


def open_range(browser, nvr: NVR, key: int, start: float, end: float) -> None:
    browser.sign_in(nvr.api.base).open(f"/ui/replay?cameras={key}&range={start:.0f}-{end:.0f}")
    settled(browser, 1)
    browser.press("#play")
    browser.press("#export")
    browser.until("what there is", "return document.querySelector('#export-recorded li:not(.problem)')")


def test_a_range_is_held_with_a_reason(scene, tmp_path):
    nvr, key, first = scene
    start, end = int(first) + 10, int(first) + 25
    with browsing(tmp_path, SIZE) as browser:
        open_range(browser, nvr, key, start, end)
        # Nobody holds anything without saying why.
        browser.press("dialog .hold .button")
        assert browser.text("dialog .field-error") and nvr.api.json(f"/cameras/{key}/holds") == []
        browser.fill("dialog .hold", reason="Insurance, claim 4711 — “näher ansehen”")
        browser.press("dialog .hold .button")
        browser.gone("dialog")
        (hold,) = nvr.api.json(f"/cameras/{key}/holds")
        assert hold["reason"] == "Insurance, claim 4711 — “näher ansehen”" and hold["is_active"]
        assert abs(seconds(hold["start"]) - start) < 1.5 and abs(seconds(hold["end"]) - end) < 1.5, hold
        # It protects what it says: the server refuses to delete a recording of that time.
        inside = next(event for event in nvr.api.events(event_type="continuous") if event["timestamp_end"] and seconds(event["timestamp_start"]) < end and seconds(event["timestamp_end"]) > start)
        assert nvr.api.delete(f"/events/{inside['id']}").status_code == 409
        # And is released where it is listed.
        browser.open("/ui/system/storage")
        browser.until("it is listed", "return [...document.querySelectorAll('td')].some((cell) => cell.textContent.startsWith('Insurance, claim 4711'))")
        browser.press("td.actions .button")
        browser.press("dialog .button.danger")
        wait_for("it is released", lambda: not any(one["is_active"] for one in nvr.api.json(f"/cameras/{key}/holds")))
        assert browser.complaints() == []


def test_a_range_is_made_into_a_time_lapse(scene, tmp_path):
    nvr, key, first = scene
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    with browsing(tmp_path / "profile", SIZE, downloads) as browser:
        open_range(browser, nvr, key, first + 1, first + 31)
        # Half a minute is as soon looked at as it is.
        assert not browser.find_elements("css selector", "dialog a[href*='timelapse']")
        open_range(browser, nvr, key, first + 1, first + 1 + RANGE)
        browser.press("dialog a[href*='timelapse']")
        wait_for("the file is here", lambda: [path for path in downloads.glob("*.mp4")], 120)
        film = next(downloads.glob("*.mp4"))
        assert "Gate" in film.name and "time-lapse" in film.name, film.name
        movie = probe(film)
        assert [track.kind for track in movie.tracks] == ["video"]
        assert movie.video.codec == "h264" and (movie.video.width, movie.video.height) == (640, 360)
        # A key frame every second of a minute, shown ten times as fast as it happened.
        assert RANGE - 5 <= len(movie.video.packets) <= RANGE + 3 and all(packet.key for packet in movie.video.packets), len(movie.video.packets)
        assert movie.video.end < RANGE / 8, movie.video.end
        assert decode_errors(film) == ""
        assert browser.complaints() == []


def add_past(nvr: NVR, key: int, moments: list[float]) -> None:
    """Footage and an event of motion at each of these times, as if they had been recorded then: copies of a stored segment."""
    row = max((row for row in nvr.rows(key) if row.finished), key=lambda row: row.end - row.start)
    (nvr.recordings / str(key) / "past").mkdir(parents=True)
    length = int((row.end - row.start) * 1e6)
    with closing(sqlite3.connect(nvr.data / "vibenvr.db", timeout=20)) as database, database:
        for number, moment in enumerate(moments):
            path, start = f"{key}/past/{number}.mp4", int((moment - 3) * 1e6)
            shutil.copyfile(row.path, nvr.recordings / path)
            segment = database.execute(
                """INSERT INTO segments (camera_id, role, run, path, start_us, end_us, bytes, state, is_continuous, width, height, codecs, init_length,
                    timescale) SELECT ?, role, 7, ?, ?, ?, bytes, 2, 0, width, height, codecs, init_length, timescale FROM segments WHERE id = ?""",
                (key, path, start, start + length, row.id)).lastrowid
            database.execute("INSERT INTO segment_indexes SELECT ?, packed FROM segment_indexes WHERE segment_id = ?", (segment, row.id))
            database.execute("INSERT INTO events (camera_id, medium, kind, start_us, end_us, score) VALUES (?, 0, 0, ?, ?, 0.5)", (key, int(moment * 1e6), int((moment + 2) * 1e6)))


def test_the_next_event_is_found_across_time_that_was_never_loaded(scene, tmp_path):
    nvr, key, first = scene
    # Motion of a fortnight ago, of five hours ago, and of half an hour later.
    moments = [first - 14 * 24 * HOUR, first - 5 * HOUR, first - 4.5 * HOUR]
    nvr.terminate()
    add_past(nvr, key, moments)
    nvr.start()
    with browsing(tmp_path, SIZE) as browser:
        browser.sign_in(nvr.api.base)

        def arrives(key_pressed: str, moment: float) -> None:
            """The picture of the event is there, and the timeline shows its time."""
            ActionChains(browser).send_keys(key_pressed).perform()
            wait_for(f"the event at {moment:.0f}", lambda: abs(float(browser.execute_script("return new URLSearchParams(location.search).get('t')")) - moment) < 1, 60)
            wait_for("its picture", lambda: state(browser) == ["ready"], 60)
            ActionChains(browser).send_keys("k").perform()
            stands(browser)
            at = float(browser.execute_script("return document.querySelector('#replay-time').dataset.time")) / 1000
            assert moment - 0.5 <= at <= moment + 12, (moment, at)
            left, right = (int(canvas.get_attribute(f"data-{side}")) / 1000 for side in ("start", "end"))
            assert left <= at <= right, (left, at, right)

        browser.open(f"/ui/replay?cameras={key}&t={moments[0] - 2.5:.1f}")
        settled(browser, 1)
        # From some time before the first event, whose footage is half played before anybody has pressed a key; and slowly, so that what follows
        # an event is not over before it was looked at: of an event that somebody has just come to, the one before is wanted.
        ActionChains(browser).send_keys("k", *[Keys.ARROW_LEFT] * 3).perform()
        browser.execute_script(SET_SPEED, "0.25")
        canvas = browser.shown("#timeline")
        for moment in moments:
            arrives("n", moment)
        # Beyond the last one nothing comes, and it is said.
        browser.keep_messages()
        ActionChains(browser).send_keys("n").perform()
        browser.until("it is told", "return document.querySelector('.toast')")
        browser.keep_messages(False)
        for moment in reversed(moments[:-1]):
            arrives("p", moment)
        assert browser.complaints() == []
