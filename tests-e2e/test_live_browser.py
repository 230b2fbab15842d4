"""Live pictures in Chromium, with small players of the test's own: WebCodecs, Media Source Extensions, motion JPEG.

The film has its frame number in every picture; what was shown is read back and must be in order, with nothing shown twice.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from conftest import LONG
from harness.counter import CounterReader
from harness.server import NVR, PASSWORD, USER, wait_for
from peers import footage
from peers.gst_camera import GstCamera
from test_browser import browser  # noqa: F401

PLAYERS = (Path(__file__).parent / "pages" / "live.js").read_text()


@pytest.fixture(scope="module")
def scene():
    film = footage.counter()
    with GstCamera({"/main": (film, footage.sound("aac")), "/silent": film, "/h265": footage.counter("h265")}, live=True) as camera, NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        keys = {name: nvr.api.add_camera(name, camera.url(f"/{name}"), record_audio=True, recording_mode="Off") for name in ("main", "silent", "h265")}
        wait_for("the cameras run", lambda: all(nvr.api.status(key) == "CONNECTED" for key in keys.values()), 90)
        yield nvr, keys, CounterReader(film)


def sign_in(browser, base: str) -> None:  # noqa: F811
    """In a page of the server's origin, so that cookies, policies and origins are those of its own pages."""
    browser.get(base + "/ui/docs.js")
    signed = browser.execute_async_script(
        "const [name, word, done] = arguments; fetch('/auth/login', {method: 'POST', body: new URLSearchParams({username: name, password: word})})"
        ".then((answer) => done(answer.status), (problem) => done(String(problem)))", USER, PASSWORD)
    assert signed == 200
    browser.execute_script(PLAYERS)


# Pictures that are looked at: a minute of them in the long form.
PICTURES = 900 if LONG else 150


def watch(browser, start: str, path: str, pictures: int, *more) -> dict:  # noqa: F811
    """Starts a player and waits until it has shown so many pictures; what it noted."""
    browser.execute_script(f"window.{start}(...arguments)", path, *more)
    return watched(browser, pictures)


def watched(browser, pictures: int) -> dict:  # noqa: F811
    def shown(_):
        state = browser.execute_script("return {count: player.corners.length, errors: player.errors, closed: player.closed}")
        assert not state["errors"] and state["closed"] is None, state
        return state["count"] >= pictures

    WebDriverWait(browser, 240).until(shown, f"{pictures} pictures")
    return browser.execute_script(
        "return {corners: player.corners, infos: player.infos, messages: player.messages, first: player.first, errors: player.errors,"
        " times: player.times}")


def lost(state: dict) -> list[dict]:
    """What the viewer was told that it missed: a browser that stands still for some seconds does not keep up."""
    return [message for message in state["messages"] if message["type"] == "lost"]


def test_webcodecs_shows_every_frame_once(browser, scene):  # noqa: F811
    nvr, keys, reader = scene
    sign_in(browser, nvr.api.base)
    for _ in range(3):
        state = watch(browser, "watchFrames", f"/cameras/{keys['main']}/ws", PICTURES)
        browser.execute_script("player.socket.close()")
        if not lost(state):
            break
    numbers = reader.numbers(state["corners"])
    assert set(reader.steps(numbers)) == {1}, numbers
    assert state["infos"][0]["codec"].startswith("avc1.") and len(state["infos"]) == 1
    assert not lost(state)


def test_media_source_shows_frames_in_order(browser, scene):  # noqa: F811
    nvr, keys, reader = scene
    sign_in(browser, nvr.api.base)
    for name in ("silent", "main"):
        state = watch(browser, "watchFragments", f"/cameras/{keys[name]}/mse", PICTURES)
        # The compositor of a busy machine may leave pictures out; it shows none twice and none too late.
        steps = reader.steps(reader.numbers(state["corners"]))
        assert min(steps) >= 1, steps
        quality = browser.execute_script("const q = player.video.getVideoPlaybackQuality(); return [q.totalVideoFrames, q.corruptedVideoFrames || 0]")
        assert quality[0] >= PICTURES and quality[1] == 0
        assert state["infos"][0]["mime_type"].startswith('video/mp4; codecs="avc1.')
        browser.execute_script("player.socket.close(); player.video.remove()")


def test_h265_is_seen_in_a_browser_that_does_not_play_it(browser, scene):  # noqa: F811
    nvr, keys, reader = scene
    sign_in(browser, nvr.api.base)
    assert not browser.execute_script("return MediaSource.isTypeSupported('video/mp4; codecs=\"hvc1.1.6.L93.B0\"')")
    for start, kind in (("watchFrames", "ws"), ("watchFragments", "mse")):
        # Pictures for which a machine with other work had no time are counted.
        before = nvr.metric("vibenvr_transcode_dropped_frames_total")
        for _ in range(3):
            state = watch(browser, start, f"/cameras/{keys['h265']}/{kind}?codecs=h264", 90)
            browser.execute_script("player.socket.close()")
            if not lost(state):
                break
        dropped = nvr.metric("vibenvr_transcode_dropped_frames_total") - before
        steps = reader.steps(reader.numbers(state["corners"]))
        assert min(steps) >= 1 and (kind == "mse" or sum(step - 1 for step in steps) <= dropped), (steps, dropped)
        assert state["infos"][0]["transcoded"] and state["infos"][0]["codec"].startswith("avc1.")


def test_a_playlist_plays_by_itself_over_segments_and_seeks(browser):  # noqa: F811
    film = footage.counter()
    with GstCamera({"/main": (film, footage.sound("aac"))}, live=True) as camera, NVR(segment_seconds=10) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("recorded", camera.url("/main"), record_audio=True)
        rows = wait_for("three segments", lambda: (rows := [row for row in nvr.rows(key) if row.finished])[2:] and rows, 180)
        start, end = rows[0].start + 1, rows[2].end - 1
        path = f"/cameras/{key}/playback.m3u8?start={start}&end={end}"
        reader = CounterReader(film)
        sign_in(browser, nvr.api.base)
        assert browser.execute_script("return document.createElement('video').canPlayType('application/vnd.apple.mpegurl')")
        # Over two borders of segments; a busy compositor may leave pictures out, and none comes twice or too late.
        state = watch(browser, "watchPlaylist", path, 260)
        steps = reader.steps(reader.numbers(state["corners"]))
        assert min(steps) >= 1, steps
        first = reader.number(state["corners"][0])
        began = state["times"][0]
        for seconds in (3.4, 17.2):
            # A busy compositor may leave out the first ones after a seek as well.
            for _ in range(5):
                browser.execute_script("player.video.remove()")
                sought = watch(browser, "watchPlaylist", path, 6, seconds)
                at = next(number for number, time in enumerate(sought["times"]) if time >= seconds - 0.1)
                if sought["times"][at] - seconds < 0.5:
                    break
            expected = (first + round((sought["times"][at] - began) * film.fps)) % reader.count
            shown = reader.number(sought["corners"][at])
            assert abs((shown - expected + reader.count // 2) % reader.count - reader.count // 2) <= 1, (seconds, shown, expected)
            assert sought["times"][at] - seconds < 0.5


def test_motion_jpeg_plays_in_an_image(browser, scene):  # noqa: F811
    nvr, keys, reader = scene
    sign_in(browser, nvr.api.base)
    state = watch(browser, "watchPictures", f"/cameras/{keys['main']}/stream?fps=10", 200)
    # It is looked at twenty times a second; how many pictures a second come is up to the machine.
    while len(set(numbers := reader.numbers(state["corners"]))) <= 20:
        assert len(numbers) < 2000, numbers
        state = watched(browser, len(numbers) + 100)
    steps = reader.steps(numbers)
    assert min(steps) >= 0, numbers


def test_a_page_of_another_origin_gets_nothing(browser, scene):  # noqa: F811
    nvr, keys, _ = scene
    sign_in(browser, nvr.api.base)
    ask = (
        "const [path, done] = arguments; const socket = new WebSocket(path); socket.onopen = () => done('open');"
        " socket.onerror = () => done('refused');")
    path = f"{nvr.api.base.replace('http', 'ws')}/cameras/{keys['main']}/ws"
    assert browser.execute_async_script(ask, path) == "open"

    class Blank(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<!doctype html>")

        def log_message(self, *_) -> None:
            pass

    # Another port of the same machine is another origin, to which browsers send the same cookies.
    with ThreadingHTTPServer(("127.0.0.1", 0), Blank) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        try:
            browser.get(f"http://127.0.0.1:{stranger.server_port}/")
            assert browser.execute_async_script(ask, path) == "refused"
        finally:
            stranger.shutdown()
