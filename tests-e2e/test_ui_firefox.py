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

        first = wait_for("a picture", lambda: (number() or 0) + 1)
        wait_for("it goes on", lambda: (number() or 0) + 1 != first)


def test_firefox_plays_stored_footage_and_its_key_frames_fast(tmp_path):
    film = footage.counter()
    reader = CounterReader(film)
    with GstCamera({"/main": film}, live=True) as camera, NVR(segment_seconds=10) as nvr, firefox(tmp_path / "profile") as browser:
        nvr.start().with_admin()
        key = nvr.api.add_camera("Door", camera.url("/main"))

        def stored() -> list[dict]:
            index = nvr.api.json(f"/cameras/{key}/playback.json", params={"start": time.time() - 600})
            return [fragment for segment in index["segments"] for fragment in segment["fragments"]]

        wait_for("there is footage", lambda: sum(fragment["duration"] for fragment in stored()) > 26, 90, 0.5)
        fragments = stored()
        start = datetime.fromisoformat(fragments[0]["start"].replace("Z", "+00:00")).timestamp()
        browser.open(nvr.api.base + "/ui/live")
        browser.until("the sign-in", "return Boolean(document.querySelector('#auth-form'))")
        browser.type("#auth-form [name=username]", USER)
        browser.type("#auth-form [name=password]", PASSWORD)
        browser.press("#auth-submit")
        browser.until("the page", "return Boolean(document.querySelector('.sidebar'))")
        browser.open(nvr.api.base + f"/ui/replay?cameras={key}&t={start + 0.5:.2f}")
        browser.until("it is there", "return document.querySelector('.replay .tile')?.dataset.state === 'ready'")
        browser.press("#play")
        browser.until("it stands", "return document.querySelector('.replay video').paused")
        browser.until("nothing more is fetched", QUIET)
        browser.run("""
            performance.clearResourceTimings();
            const speed = document.querySelector('.speed');
            speed.value = '8';
            speed.dispatchEvent(new Event('change', { bubbles: true }));""")
        browser.press("#play")
        seen: list[int] = []

        def is_over() -> bool:
            # While it seeks, it gives nothing to a canvas.
            corner = browser.run("if (document.querySelector(arguments[0]).seeking) return '';" + CORNER, ".replay .tile video")
            number = reader.number(corner) if corner else None
            if number is not None and number not in seen[-1:]:
                seen.append(number)
            return browser.run("return Number(document.querySelector('#replay-time').dataset.time)") / 1000 >= start + 20

        wait_for("the end", is_over, 60, 0.02)
        fetched = browser.run("return performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/media/')).reduce((sum, entry) => sum + entry.transferSize, 0)")
        whole = sum(fragment["size"] for fragment in fragments[:10])
        # What stood before goes first.
        while seen and seen[0] % 30:
            seen.pop(0)
        steps = [(after - before) % reader.count for before, after in zip(seen, seen[1:])]
        assert 0 < fetched < whole * 0.6, (fetched, whole)
        assert len(steps) >= 3 and all(step % 30 == 0 and 0 < step < reader.count / 2 for step in steps), str(seen)
