"""What a wall of cameras does in Chromium: the sound of one tile at a time, the tour, and as many tiles as there may be."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from harness.browser import DESKTOP, browsing
from harness.server import NVR, wait_for
from peers import footage
from peers.gst_camera import GstCamera

# What the page decodes of sound is looked at on its way to the loudspeaker, and which contexts for sound are open.
EARS = """
window.sounds = [];
window.contexts = [];
const Decoder = window.AudioDecoder;
window.AudioDecoder = class extends Decoder {
  constructor({ output, error }) {
    const heard = { pieces: 0, loudest: 0, isOpen: true };
    super({ error, output: (piece) => {
      const samples = new Float32Array(piece.numberOfFrames);
      piece.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
      heard.pieces += 1;
      heard.loudest = Math.max(heard.loudest, ...samples.map(Math.abs));
      output(piece);
    } });
    this.heard = heard;
    window.sounds.push(heard);
  }
  close() { this.heard.isOpen = false; super.close(); }
};
const Context = window.AudioContext;
window.AudioContext = class extends Context { constructor(...all) { super(...all); window.contexts.push(this); } };
window.started = 0;
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (...all) { window.started += 1; return start.apply(this, all); };
"""
OPEN = "return [window.sounds.filter((one) => one.isOpen).length, window.contexts.filter((one) => one.state !== 'closed').length]"

# Every place that the page goes to, with the time of it.
PLACES = """
window.places = [];
for (const name of ['pushState', 'replaceState']) {
  const change = history[name];
  history[name] = function (...all) {
    const answer = change.apply(this, all);
    const place = location.pathname + location.search;
    if (window.places[window.places.length - 1]?.[1] !== place) window.places.push([performance.now(), place]);
    return answer;
  };
}
"""


@pytest.fixture(scope="module")
def scene():
    film = footage.counter()
    with GstCamera({f"/{codec}": (film, footage.sound(codec)) for codec in ("aac", "pcma")}, live=True) as camera, NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        keys = [nvr.api.add_camera(codec, camera.url(f"/{codec}"), record_audio=True, audio_enabled=True, recording_mode="Off") for codec in ("aac", "pcma", "aac")]
        wait_for("the cameras run", lambda: all(nvr.api.status(key) == "CONNECTED" for key in keys), 120)
        yield nvr, keys


def press_sound(browser, key: int) -> None:
    """The buttons of a tile are seen by whoever points at it."""
    tile = browser.shown(f".tile[data-camera='{key}']")
    ActionChains(browser).move_to_element(tile).perform()
    browser.press(f".tile[data-camera='{key}'] .tile-actions [aria-label^='Sound']")


def sounding(browser) -> list[int]:
    """The cameras whose tile says that it is heard."""
    return browser.execute_script("return [...document.querySelectorAll('.tile')].filter((tile) => tile.querySelector(\".tile-actions [aria-label^='Sound'][aria-pressed=true]\")).map((tile) => Number(tile.dataset.camera))")


def test_one_tile_is_heard_at_a_time(scene, tmp_path):
    nvr, keys = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base)
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": EARS})
        browser.open(f"/ui/live?cameras={keys[0]},{keys[1]}")
        browser.until("two tiles play", "return document.querySelectorAll('.tile[data-condition=playing]').length === 2")
        # Nobody asked for sound: none is decoded.
        assert browser.execute_script("return window.sounds.length + window.contexts.length") == 0 and sounding(browser) == []
        press_sound(browser, keys[0])
        browser.until("it is heard", "return window.sounds.some((one) => one.isOpen && one.pieces > 20 && one.loudest > 0.05) && window.started > 20")
        browser.until("the clock of the loudspeaker runs", "return window.contexts.some((one) => one.state === 'running' && one.currentTime > 0.5)")
        assert sounding(browser) == [keys[0]] and browser.execute_script(OPEN) == [1, 1]
        # The picture goes on beside it.
        assert browser.execute_script("return document.querySelectorAll('.tile[data-condition=playing]').length") == 2
        # The other one instead: telephone sound, which a camera of another kind has.
        press_sound(browser, keys[1])
        browser.until("the other is heard", "const last = window.sounds[window.sounds.length - 1]; return window.sounds.length >= 2 && last.isOpen && last.pieces > 20 && last.loudest > 0.05")
        assert sounding(browser) == [keys[1]]
        browser.until("the first is silent", "const [sounds, contexts] = (() => {" + OPEN + "})(); return sounds === 1 && contexts === 1")
        # And none.
        press_sound(browser, keys[1])
        browser.until("all is silent", "const [sounds, contexts] = (() => {" + OPEN + "})(); return sounds === 0 && contexts === 0")
        assert sounding(browser) == []
        assert [line for line in browser.complaints() if "closed before the connection" not in line] == []


def test_a_tile_is_heard_by_media_source_as_well(scene, tmp_path):
    nvr, keys = scene
    heard = "return Object.fromEntries([...document.querySelectorAll('.tile')].map((tile) => { const video = tile.querySelector('video'); return [tile.dataset.camera, [video?.muted ?? true, video?.webkitAudioDecodedByteCount ?? 0]]; }))"
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base, preferences={"player": "mse"}).open(f"/ui/live?cameras={keys[0]},{keys[2]}")
        browser.until("two tiles play", "return document.querySelectorAll('.tile[data-condition=playing]').length === 2")
        for key, other in ((keys[0], keys[2]), (keys[2], keys[0])):
            press_sound(browser, key)

            def only() -> bool:
                found = browser.execute_script(heard)
                return not found[str(key)][0] and found[str(key)][1] > 0 and found[str(other)][0]
            wait_for("this one is heard, and the other is not", only, 90)
            before = browser.execute_script(heard)[str(key)][1]
            wait_for("it goes on", lambda key=key, before=before: browser.execute_script(heard)[str(key)][1] > before, 60)
            assert sounding(browser) == [key]
        assert [line for line in browser.complaints() if "closed before the connection" not in line] == []


def test_a_tour_shows_one_after_the_other_until_somebody_does_something(scene, tmp_path):
    nvr, keys = scene
    pace = 1.5
    at = lambda: browser.execute_script("return location.pathname + location.search")  # noqa: E731
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base, preferences={"tourSeconds": pace})
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": PLACES})
        browser.open("/ui/live")
        browser.until("tiles", "return document.querySelectorAll('.tile').length === 3")
        browser.press("[aria-label^='Tour']")
        browser.until("once around", "return window.places.length >= 6")
        places = browser.execute_script("return window.places")
        shown = [int(place.split("?")[0].rsplit("/", 1)[1]) for _, place in places if "tour=1" in place]
        assert len(shown) >= 4 and shown == [keys[number % 3] for number in range(len(shown))], places
        times = [moment for moment, place in places if "tour=1" in place]
        # Never before its time, whatever the machine does.
        assert all(later - earlier > pace * 1000 - 50 for earlier, later in zip(times, times[1:])), times
        browser.until("it is seen", "const large = document.querySelector('.enlarged'); return large && location.pathname.endsWith('/' + large.dataset.camera) && large.querySelector('.layer:not(.waiting) .picture')")

        def stays() -> None:
            """Nothing moves for longer than three turns of the tour."""
            before = at()
            assert "tour" not in before, before
            count, now = browser.execute_script("return [window.places.length, performance.now()]")
            browser.until("time passes", "return performance.now() > arguments[0]", now + 3.2 * pace * 1000)
            assert at() == before and browser.execute_script("return window.places.length") == count

        # An arrow goes to the neighbour, and there it stays.
        ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
        browser.until("it has ended", "return !location.search.includes('tour')")
        stays()
        ActionChains(browser).send_keys(Keys.ESCAPE).perform()
        browser.gone(".enlarged")
        # Closed while it goes on, it does not come back by itself.
        browser.press("[aria-label^='Tour']")
        browser.until("it goes on", "return location.search.includes('tour=1')")
        ActionChains(browser).send_keys(Keys.ESCAPE).perform()
        browser.gone(".enlarged")
        stays()
        assert at() == "/ui/live"
        # By its button.
        browser.press("[aria-label^='Tour']")
        browser.press(".enlarged-head .button:not(.icon-only):not([aria-label])")
        browser.until("it has ended", "return !location.search.includes('tour')")
        assert browser.shown(".enlarged")
        assert [line for line in browser.complaints() if "closed before the connection" not in line] == []


def test_sixty_four_tiles_fill_a_wall_and_only_what_is_seen_is_sent(tmp_path):
    film = footage.counter(width=320, height=180, fps=3, bitrate="60k")
    playing = "return [...document.querySelectorAll('.tile')].filter((tile) => tile.dataset.condition === 'playing').map((tile) => Number(tile.dataset.camera))"
    with GstCamera({"/main": film}, live=True) as camera, NVR(segment_seconds=None) as nvr, browsing(tmp_path, DESKTOP) as browser:
        nvr.start().with_admin()
        keys = [nvr.api.add_camera(f"Camera {number}", camera.url("/main"), recording_mode="Off") for number in range(66)]
        wait_for("the cameras run", lambda: all(one["status"] == "CONNECTED" for one in nvr.api.json("/cameras?limit=1000")), 180, 0.5)
        # Two beside each other: a few are seen, and those alone are sent.
        browser.sign_in(nvr.api.base, preferences={"columns": 2}).open("/ui/live")
        browser.until("tiles", "return document.querySelectorAll('.tile').length >= 64")
        assert browser.execute_script("return document.querySelectorAll('.tile').length") == 64
        beside = """
            const area = document.querySelector('.live-area').getBoundingClientRect();
            return [...document.querySelectorAll('.tile')].filter((tile) => {
              const box = tile.getBoundingClientRect();
              return box.bottom > area.top - arguments[0] && box.top < area.bottom + arguments[0];
            }).map((tile) => Number(tile.dataset.camera));"""
        # What is a little below begins before it is scrolled to.
        within = lambda margin: browser.execute_script(beside, margin)  # noqa: E731
        for place in (0, 100_000):
            browser.execute_script("document.querySelector('.live-area').scrollTo(0, arguments[0])", place)
            wait_for("what is seen plays", lambda: set(browser.execute_script(playing)) >= set(within(-2)), 90)
            wait_for("and nothing else is sent", lambda: len(within(-2)) <= nvr.metric("vibenvr_live_viewers") <= len(within(122)), 90, 0.5)
            assert len(within(122)) <= 10 and within(-2)[-1 if place else 0] == keys[63 if place else 0]
        # All of them on a wall.
        browser.emulate((3840, 2160)).open(f"/ui/live?kiosk=1&columns=8&cameras={','.join(map(str, keys))}")
        browser.until("tiles", "return document.querySelectorAll('.tile').length === 64")
        wait_for("all play", lambda: len(browser.execute_script(playing)) == 64, 240, 0.5)
        inside = browser.execute_script("return [...document.querySelectorAll('.tile')].every((tile) => { const box = tile.getBoundingClientRect(); return box.left >= 0 && box.right <= innerWidth + 1 && box.bottom <= innerHeight + 1; })")
        assert inside and browser.overflow() <= 0
        assert [line for line in browser.complaints() if "closed before the connection" not in line] == []
