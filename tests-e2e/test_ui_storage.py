"""A storage folder that is lost while a camera records into it, and comes back: what the people who watch are told, in Chromium."""

from __future__ import annotations

import pytest

from harness.browser import DESKTOP, PHONE, SCREENSHOTS, browsing
from harness.server import wait_for
from harness.volumes import Volumes, can_mount
from peers import footage
from peers.gst_camera import GstCamera
from test_ui_pages import axe, faults, ready, too_wide

pytestmark = pytest.mark.skipif(not can_mount(), reason="mounting a file system needs root")

LOST = {"en": "The storage folder disk is lost", "de": "Der Speicherordner disk ist weg"}


def test_a_lost_folder_is_told_everywhere_until_it_is_back(tmp_path):
    source = axe()
    with GstCamera({"/main": footage.street()}, live=True) as camera, Volumes("disk", segment_seconds=3) as nvr, browsing(tmp_path, DESKTOP) as browser:
        nvr.start().with_admin()
        disk = nvr.add_profile("disk")
        wait_for("it is marked", lambda: nvr.state("disk") == "ok")
        key = nvr.api.add_camera("Front door", camera.url("/main"), storage_profile_id=disk)
        other = nvr.api.add_camera("Car park", camera.url("/main"))
        wait_for("footage on it", lambda: [row for row in nvr.volume_rows("state = 2") if row.volume == disk], 120)
        browser.sign_in(nvr.api.base).open("/ui/system/storage")
        browser.shown(".cards .card")
        assert not browser.find_elements("css selector", "#health-banner, .card.lost")

        nvr.unmount("disk")
        wait_for("the server knows", lambda: nvr.state("disk") == "lost", 60)
        # Without being loaded anew: the profile, and the banner, with the cause.
        browser.until("the folder is marked", "return document.querySelector('.card.lost')?.textContent.includes('The disk is not mounted.')")
        text = browser.text(".card.lost")
        # What the disk below has free is of no interest.
        assert "Recordings go to the default folder." in text and "marker is missing" in text and "free" not in text, text
        browser.until("the banner", "return document.querySelector('#health-banner')?.textContent.includes('A storage folder or bucket is lost: The disk is not mounted')")
        wait_for("recording goes on in the default folder", lambda: [row for row in nvr.volume_rows() if row.volume == 0 and row.camera == key], 90)
        browser.picture(SCREENSHOTS / "lost-storage.png")
        # The camera that it concerns, and no other, in the list and on the dashboard.
        for page, row in (("/ui/cameras", ".camera-list li"), ("/ui/system", ".health li")):
            browser.open(page)
            browser.until(page, "return document.querySelector(`${arguments[0]}[data-camera='${arguments[1]}'] .problem`)?.textContent.startsWith(arguments[2])", row, str(key), LOST["en"])
            assert not browser.find_elements("css selector", f"{row}[data-camera='{other}'] .problem")
            browser.picture(SCREENSHOTS / f"lost-{page.rsplit('/', 1)[1]}.png")
        assert "A storage folder or bucket is lost" in browser.text("#health-problems")
        # Other languages, phones, and people who cannot see.
        for language, told in LOST.items():
            browser.sign_in(nvr.api.base, preferences={"language": language}).emulate(PHONE, phone=True)
            for page in ("/ui/system/storage", "/ui/cameras", "/ui/system"):
                browser.open(page)
                ready(browser)
                browser.shown("#health-banner")
                browser.until("the folder", "return document.querySelector('.card.lost, #main .problem')")
                assert too_wide(browser) <= 0, (language, page)
                assert faults(browser, source) == [], (language, page)
                browser.picture(SCREENSHOTS / f"lost-{page.rsplit('/', 1)[1]}-phone-{language}.png")
            browser.open("/ui/cameras")
            browser.until(told, "return document.querySelector('.camera-list .problem')?.textContent.startsWith(arguments[0])", told)

        browser.sign_in(nvr.api.base, preferences={"language": "en"}).emulate(DESKTOP).open("/ui/cameras")
        browser.until("still lost", "return document.querySelector('.camera-list .problem')")
        browser.keep_messages()
        nvr.mount("disk")
        wait_for("it is back", lambda: nvr.state("disk") == "ok", 120)
        # Said once, and then nothing is left of it, on the page that stayed open as on others.
        browser.until("the all-clear", "return [...document.querySelectorAll('.toast')].some((toast) => toast.textContent.includes('Everything is well again.'))")
        browser.gone("#health-banner")
        browser.gone(".camera-list .problem")
        browser.open("/ui/system/storage")
        browser.shown(".cards .card")
        assert not browser.find_elements("css selector", "#health-banner, .card.lost")
        wait_for("it is recorded there again", lambda: max(nvr.volume_rows(f"camera_id = {key}"), key=lambda row: row.start).volume == disk, 120)
        browser.open("/ui/system")
        browser.until("all is well", "return document.querySelector('#main .badge.good') && !document.querySelector('#health-problems')")
        assert browser.complaints() == []
