"""A bucket as an archive, by the interface alone: made there, given to a camera, played from in Chromium, lost, and given up. A real S3 server."""

from __future__ import annotations

import pytest

from harness.browser import DESKTOP, PHONE, SCREENSHOTS, browsing
from harness.counter import CounterReader
from harness.server import wait_for
from peers import footage
from peers.gst_camera import GstCamera
from peers.s3_server import ACCESS_KEY, SECRET_KEY, S3Server
from test_buckets import Site
from test_ui_pages import axe, faults, ready, too_wide

CARD = ".card.bucket"


@pytest.fixture()
def scene(tmp_path):
    """Footage of three hours ago, in the default folder."""
    film = footage.counter()
    with S3Server() as store, GstCamera({"/cam": film}, live=True) as camera, Site(tmp_path, segment_seconds=8) as nvr:
        nvr.start().with_admin()
        assert nvr.api.add_camera("Front door", camera.url("/cam")) == nvr.camera
        wait_for("three segments", lambda: sum(row.finished for row in nvr.rows()) >= 3, 180)
        assert nvr.api.post(f"/cameras/{nvr.camera}/snapshot").status_code == 200
        assert nvr.api.put(f"/cameras/{nvr.camera}", json={"recording_mode": "Off", "is_active": False}).status_code == 200
        wait_for("all is finished", lambda: all(row.finished for row in nvr.rows()), 60)
        nvr.terminate()
        nvr.grow_old(3)
        nvr.start()
        yield nvr, store, CounterReader(film)


def toast(browser, button: str, text: str) -> None:
    """The button is pressed, and that is told."""
    browser.keep_messages()
    browser.press(button)
    browser.until(f"told: {text}", "return [...document.querySelectorAll('.toast')].some((toast) => toast.textContent.includes(arguments[0]))", text)
    browser.keep_messages(False)


def test_a_bucket_is_made_filled_played_lost_and_given_up_in_the_interface(scene, tmp_path):
    nvr, store, reader = scene
    source = axe()
    rows = nvr.rows()
    begin, length = rows[0].start, sum(row.bytes for row in rows)

    def frame() -> int | None:
        corner = browser.corner(".replay .tile video")
        return reader.number(corner) if corner else None

    with browsing(tmp_path / "profile", DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/system/storage")
        browser.press("#add-bucket")
        # What is wrong is told beside the field, by the page and by the server.
        browser.press("#save-bucket")
        assert len(browser.find_elements("css selector", "dialog .field.wrong .field-error")) >= 4
        fields = {"name": "Vault", "endpoint": store.endpoint, "bucket": store.bucket, "prefix": "../up", "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
        browser.fill("dialog", **fields)
        browser.press("#save-bucket")
        browser.until("refused", "return document.querySelector('dialog [name=prefix]')?.closest('.field').classList.contains('wrong')")
        browser.fill("dialog", prefix="house")
        browser.press("#save-bucket")
        browser.gone("dialog")
        browser.until("its card", "return document.querySelector('.card.bucket')?.textContent.includes('Vault')")
        toast(browser, f"{CARD} .card-head .button:first-child", "Vault works.")

        assert [line for line in browser.complaints() if "422" not in line] == []

        # The camera gets it as its archive.
        browser.open(f"/ui/cameras/{nvr.camera}/storage")
        browser.fill(".editor", archive_storage_profile_id="Vault (bucket)", archive_after_hours="1")
        browser.press("#save-camera")
        browser.gone("#save-camera")
        nvr.moved(-nvr.api.camera(nvr.camera)["archive_storage_profile_id"])
        assert len(store.movies("house/archive/")) == len(rows) and sum(one.size for one in store.movies("house/archive/")) == length
        browser.open("/ui/system/storage")
        browser.until("what lies there", "return document.querySelector('.card.bucket .archive')?.textContent.includes('archive: ')")
        assert not browser.find_elements("css selector", f"{CARD} .forget")
        browser.picture(SCREENSHOTS / "bucket.png")

        # It plays from there: the asked moment, and on.
        browser.open(f"/ui/replay?cameras={nvr.camera}&t={begin + 4:.3f}")
        browser.until("the picture", "return document.querySelector('.replay .tile')?.dataset.state === 'ready'")
        first = wait_for("a frame", lambda: (now := frame()) is not None and (now,), 60)[0]
        wait_for("it goes on", lambda: frame() not in (None, first), 60)
        # Across the end of a segment.
        wait_for("another segment", lambda: float(browser.execute_script("return document.querySelector('#replay-time').dataset.time")) / 1000 > rows[1].start + 1, 120)
        wait_for("it still goes on", lambda: (now := frame()) is not None and wait_for("another frame", lambda: frame() not in (None, now), 60), 60)
        browser.until("its picture", "return document.querySelector('.replay .tile').dataset.state === 'ready'")
        assert browser.complaints() == []

        # A bucket that holds footage, or is the archive of a camera, is not deleted by mistake.
        browser.open("/ui/system/storage")
        browser.press(f"{CARD} button[aria-label='Delete profile Vault']")
        toast(browser, "dialog .button.danger.solid", "Front door")
        browser.gone("dialog")
        assert [one["name"] for one in nvr.api.json("/storage/s3")] == ["Vault"]
        browser.complaints()

        # The server of the bucket goes. It is told everywhere, and then there is a way out.
        store.kill()
        wait_for("the server knows", lambda: nvr.api.json("/storage/s3")[0]["state"]["status"] == "lost", 180, 1)
        browser.until("the bucket is marked", "return document.querySelector('.card.bucket.lost')?.textContent.includes('Nothing moves there until the bucket is back.')")
        browser.shown("#health-banner")
        browser.picture(SCREENSHOTS / "bucket-lost.png")
        browser.complaints()
        browser.open(f"/ui/replay?cameras={nvr.camera}&t={begin + 4:.3f}")
        # Nothing is shown of it, and nothing that is not there is made up.
        wait_for("the server says that it is not there", lambda: any("503" in line for line in browser.complaints()), 90)
        browser.until("the tile says so", "return document.querySelector('.replay .tile').dataset.state === 'failed'")
        browser.picture(SCREENSHOTS / "bucket-lost-replay.png")
        for language, told in {"de": "Bis der Bucket wieder da ist", "en": "Nothing moves there"}.items():
            browser.sign_in(nvr.api.base, preferences={"language": language}).emulate(PHONE, phone=True).open("/ui/system/storage")
            ready(browser)
            browser.until("the bucket is marked", "return document.querySelector('.card.bucket.lost')?.textContent.includes(arguments[0])", told)
            assert too_wide(browser) <= 0 and faults(browser, source) == []
            browser.picture(SCREENSHOTS / f"bucket-lost-phone-{language}.png")
        browser.emulate(DESKTOP)
        browser.open("/ui/system/storage")

        # Given up: asked twice, with the numbers; a no leaves everything as it is.
        browser.press(f"{CARD} .forget")
        text = browser.text("dialog .dialog-body")
        assert f"{len(rows)} recordings" in text and "1 pictures" in text and "Vault" in text, text
        browser.press("dialog .button.danger.solid")
        browser.until("asked again", "return document.querySelector('dialog')?.textContent.includes('does not come back by itself')")
        browser.press("dialog .dialog-actions .button:first-child")
        browser.gone("dialog")
        assert set(nvr.places().values()) != set()
        browser.press(f"{CARD} .forget")
        browser.press("dialog .button.danger.solid")
        browser.until("asked again", "return document.querySelector('dialog')?.textContent.includes('does not come back by itself')")
        toast(browser, "dialog .button.danger.solid", "Vault is given up.")
        wait_for("nothing is listed", lambda: nvr.places() == {}, 60)
        browser.gone(f"{CARD} .archive")
        # From every list: the timeline, the replay, the events, and the check has nothing to find.
        (part,) = nvr.api.json("/timeline", params={"cameras": str(nvr.camera), "start": begin - 60, "end": begin + 120})["cameras"]
        assert part["spans"] == [], part
        browser.open(f"/ui/replay?cameras={nvr.camera}&t={begin + 4:.3f}")
        browser.until("nothing is there", "return document.querySelector('.replay .tile')?.dataset.state === 'gap'")
        assert nvr.api.events() == []
        # Nothing is left of it: the camera gets another archive, and the bucket can be deleted.
        browser.open(f"/ui/cameras/{nvr.camera}/storage")
        browser.fill(".editor", archive_storage_profile_id="None")
        browser.press("#save-camera")
        browser.gone("#save-camera")
        browser.open("/ui/system/storage")
        browser.press(f"{CARD} button[aria-label='Delete profile Vault']")
        browser.press("dialog .button.danger.solid")
        browser.gone(CARD)
        assert nvr.api.json("/storage/s3") == []
        wait_for("all is well", lambda: nvr.api.json("/health")["status"] == "ok", 90)
        browser.gone("#health-banner")
