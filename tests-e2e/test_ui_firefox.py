"""The interface in Firefox: it loads, signs in, and shows a camera by Media Source Extensions and by its own WebCodecs."""

from __future__ import annotations

import pytest

from harness.browser import CORNER
from harness.counter import CounterReader
from harness.firefox import firefox
from harness.server import NVR, PASSWORD, USER, wait_for
from peers import footage
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
