"""The interface in Firefox: it loads, signs in, and shows a camera by Media Source Extensions and by its own WebCodecs."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from harness.browser import CORNER
from harness.counter import CounterReader
from harness.firefox import firefox
from harness.server import NVR, PASSWORD, USER, wait_for
from peers import footage
from test_ui_replay import QUIET
from peers.gst_camera import GstCamera


# The ranges of footage that the page asks for from now on.
NOTED = """
const page = window.wrappedJSObject || window;
const ask = page.fetch;
page.asked = [];
page.fetch = (target, options) => {
  const range = /bytes=(\\d+)-(\\d+)/.exec(options?.headers?.Range ?? '');
  if (range && String(target).includes('/media/')) page.asked.push([String(target), Number(range[1]), Number(range[2])]);
  return ask.call(window, target, options);
};"""


@pytest.mark.parametrize("way, badge", [("mse", "MSE"), ("auto", "WebCodecs")])
def test_firefox_signs_in_and_shows_a_live_camera(tmp_path, way, badge):
    film = footage.counter()
    reader = CounterReader(film)
    with GstCamera({"/main": film}, live=True) as camera, NVR(segment_seconds=None) as nvr, firefox(tmp_path / "profile") as browser:
        nvr.start().with_admin()
        nvr.api.add_camera("Door", camera.url("/main"), recording_mode="Off")
        browser.open(nvr.api.base + "/ui/live")
        browser.until("the sign-in", "return Boolean(document.querySelector('#auth-form'))")
        browser.run("localStorage.setItem('vibenvr.preferences', JSON.stringify({player: arguments[0]}))", way)
        browser.open(nvr.api.base + "/ui/live")
        browser.type("#auth-form [name=username]", USER)
        browser.type("#auth-form [name=password]", PASSWORD)
        browser.press("#auth-submit")
        browser.until("it plays", "return document.querySelector('.tile')?.dataset.condition === 'playing'")
        assert browser.run("return document.querySelector('.tile .way').textContent") == badge

        def number() -> int | None:
            corner = browser.run(CORNER, ".tile .layer:not(.waiting) .picture")
            return reader.number(corner) if corner else None

        (first,) = wait_for("a picture", lambda: (found := number()) is not None and (found,), 90)
        wait_for("it goes on", lambda: number() not in (None, first), 90)


def test_firefox_plays_stored_footage_and_its_key_frames_fast(tmp_path):
    film = footage.counter()
    reader = CounterReader(film)
    with GstCamera({"/main": film}, live=True) as camera, NVR(segment_seconds=10) as nvr, firefox(tmp_path / "profile") as browser:
        nvr.start().with_admin()
        key = nvr.api.add_camera("Door", camera.url("/main"))

        def segments() -> list[dict]:
            return nvr.api.json(f"/cameras/{key}/playback.json", params={"start": time.time() - 600})["segments"]

        def stored() -> list[dict]:
            return [fragment for segment in segments() for fragment in segment["fragments"]]

        wait_for("there is footage", lambda: sum(fragment["duration"] for fragment in stored()) > 26, 180, 0.5)
        fragments = stored()
        start = datetime.fromisoformat(fragments[0]["start"].replace("Z", "+00:00")).timestamp()
        browser.open(nvr.api.base + "/ui/live")
        browser.until("the sign-in", "return Boolean(document.querySelector('#auth-form'))")
        browser.type("#auth-form [name=username]", USER)
        browser.type("#auth-form [name=password]", PASSWORD)
        browser.press("#auth-submit")
        browser.until("the page", "return Boolean(document.querySelector('.sidebar'))")

        def play_fast() -> list[tuple[float, int]]:
            """Twenty seconds or more at 8×: the pictures that were seen, each with its time in the element."""
            browser.open(nvr.api.base + f"/ui/replay?cameras={key}&t={start + 0.5:.2f}")
            browser.until("it is there", "return document.querySelector('.replay .tile')?.dataset.state === 'ready'")
            browser.press("#play")
            browser.until("it stands", "return document.querySelector('.replay video').paused")
            browser.until("nothing more is fetched", QUIET)
            browser.run(NOTED)
            browser.run("""
                const speed = document.querySelector('.speed');
                speed.value = '8';
                speed.dispatchEvent(new Event('change', { bubbles: true }));""")
            browser.press("#play")
            seen: list[tuple[float, int]] = []

            def is_over() -> bool:
                # While it seeks, it gives nothing to a canvas; and at the present it is live.
                at, corner = browser.run(
                    "const video = document.querySelector(arguments[0]); return !video || video.seeking || video.closest('.tile').dataset.state === 'live' ? [0, ''] : [video.currentTime, (() => {"
                    + CORNER + "})()];", ".replay .tile video")
                number = reader.number(corner) if corner else None
                if number is not None and (at, number) not in seen[-1:]:
                    seen.append((at, number))
                return browser.run("return Number(document.querySelector('#replay-time').dataset.time)") / 1000 >= start + 20

            wait_for("the end", is_over, 120, 0.02)
            # What stood before goes first.
            while seen and seen[0][1] % 30:
                seen.pop(0)
            return seen

        # How many pictures are caught is up to the machine: it is played again when it did not get around to look.
        for _ in range(6):
            seen = play_fast()
            asked = browser.run("return window.asked")
            if len(seen) >= 4:
                break
        # Key frames, in the order of their times, on the loop that the film is.
        steps = [(after - before, (there - here) % reader.count) for (before, here), (after, there) in zip(seen, seen[1:])]
        assert len(steps) >= 3 and all(seconds > 0 and frames == round(seconds / 2) * 30 % reader.count for seconds, frames in steps), str(seen)
        # Of every fragment that was asked for, little more than its key frame.
        by_place = {(segment["url"], fragment["offset"]): fragment["size"] for segment in segments() for fragment in segment["fragments"]}
        touched: dict[tuple[str, int], int] = {}
        for url, begin, end in asked:
            for (of, offset), size in by_place.items():
                if url.endswith(of) and begin < offset + size and end >= offset:
                    touched[of, offset] = touched.get((of, offset), 0) + min(end, offset + size - 1) - max(begin, offset) + 1
        fetched, whole = sum(touched.values()), sum(by_place[one] for one in touched)
        assert len(touched) >= 4 and fetched < whole * 0.6, (fetched, whole, len(touched))
