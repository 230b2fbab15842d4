"""Storage, backups and the system in Chromium: whether footage is encrypted and what is missing, and that what the server says of its work is
said in the language of the viewer."""

from __future__ import annotations

import json
import re

import pytest
from selenium.webdriver.common.keys import Keys

from harness import sealed
from harness.browser import DESKTOP, PHONE, SCREENSHOTS, browsing
from harness.server import NVR, REPOSITORY, wait_for
from peers import footage
from peers.gst_camera import GstCamera
from test_encryption import make_key
from test_ui_pages import axe, faults, ready, too_wide

LANGUAGES = ("en", "de", "fr", "it", "es")


def recorded(nvr: NVR, count: int = 1) -> None:
    """So many segments more are finished."""
    before = sum(row.finished for row in nvr.rows())
    wait_for("it records", lambda: sum(row.finished for row in nvr.rows()) >= before + count, 180)


def numbers(browser) -> dict[str, str]:
    """What the table of keys says of each, by its name."""
    return dict(browser.execute_script(
        "return [...document.querySelectorAll('#footage-keys tbody tr')].map((row) => [row.dataset.key, row.textContent])"))


def test_whether_footage_is_encrypted_and_which_keys_are_missing_is_shown(tmp_path):
    source = axe()
    first, second = tmp_path / "first.key", tmp_path / "second.key"
    one, two = make_key(first), make_key(second)
    names = sealed.key_id(one), sealed.key_id(two)
    with GstCamera({"/cam": footage.small()}, live=True) as camera, NVR(segment_seconds=3) as nvr, browsing(tmp_path / "profile", DESKTOP) as browser:
        nvr.start().with_admin()
        nvr.api.add_camera("Front door", camera.url("/cam"))
        recorded(nvr)
        # Off: said with what it means, and how it is turned on.
        browser.sign_in(nvr.api.base).open("/ui/system/storage")
        browser.until("off", "return document.querySelector('.encryption .badge')?.textContent === 'Off'")
        assert "whoever has the disk can watch it" in browser.text(".encryption")
        assert not browser.find_elements("css selector", "#footage-keys, .encryption [role=alert]")
        browser.press(".encryption summary")
        assert "vibenvr key create --out" in browser.text(".encryption") and "without the key, the footage is lost" in browser.text(".encryption")
        assert browser.complaints() == []

        # On, after a start with a key.
        nvr.terminate()
        nvr.environment["FOOTAGE_KEY_FILE"] = str(first)
        nvr.start()
        recorded(nvr)
        browser.sign_in(nvr.api.base).open("/ui/system/storage")
        browser.until("on", "return document.querySelector('.encryption .badge')?.textContent === 'On'")
        browser.until("what has the key", "return /[1-9]\\d* recordings?/.test(document.querySelector(`#footage-keys tr[data-key='${arguments[0]}']`)?.textContent)", names[0])
        told = numbers(browser)
        assert set(told) == {names[0], "clear"} and "for new footage" in told[names[0]] and "recording" in told["clear"], told
        assert not browser.find_elements("css selector", ".encryption.lost, #health-banner")
        browser.picture(SCREENSHOTS / "encryption.png")

        # With another key alone, what is missing is told in every language, with how much it is.
        nvr.terminate()
        nvr.environment["FOOTAGE_KEY_FILE"] = str(second)
        nvr.start()
        recorded(nvr)
        missing = {
            "en": "Footage cannot be shown because the server does not have its key", "de": "Aufnahmen sind nicht zu sehen, weil dem Server ihr Schlüssel fehlt",
            "fr": "Des enregistrements ne peuvent être montrés", "it": "Alcune registrazioni non si possono mostrare", "es": "Hay grabaciones que no se pueden mostrar",
        }
        for language in LANGUAGES:
            browser.sign_in(nvr.api.base, preferences={"language": language}).emulate(PHONE, phone=True).open("/ui/system/storage")
            ready(browser)
            browser.until(language, "return document.querySelector('.encryption.lost [role=alert]')?.textContent.includes(arguments[0])", missing[language])
            browser.shown("#health-banner")
            assert too_wide(browser) <= 0 and faults(browser, source) == [], language
        browser.execute_script("document.querySelector('.encryption').scrollIntoView()")
        browser.picture(SCREENSHOTS / "encryption-missing-phone.png")
        browser.sign_in(nvr.api.base, preferences={"language": "en"}).emulate(DESKTOP).open("/ui/system/storage")
        browser.until("three rows", "return document.querySelectorAll('#footage-keys tbody tr').length === 3")
        told = numbers(browser)
        assert "Missing" in told[names[0]] and "for new footage" in told[names[1]], told
        assert not any(secret in browser.page_source for secret in (first.read_text().split()[0], second.read_text().split()[0]))
        browser.execute_script("document.querySelector('.encryption').scrollIntoView()")
        browser.picture(SCREENSHOTS / "encryption-missing.png")
        assert browser.complaints() == []

        # With both, all is well, and the older one is for reading.
        nvr.terminate()
        second.write_text(second.read_text() + first.read_text())
        nvr.start()
        browser.sign_in(nvr.api.base).open("/ui/system/storage")
        browser.until("the older key", "return document.querySelector(`#footage-keys tr[data-key='${arguments[0]}']`)?.textContent.includes('for older footage')", names[0])
        assert not browser.find_elements("css selector", ".encryption.lost, #health-banner")


@pytest.fixture(scope="module")
def scene():
    """A camera, switched off when some of it was recorded."""
    with GstCamera({"/cam": footage.small()}, live=True) as camera, NVR(segment_seconds=3) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("Front door", camera.url("/cam"))
        recorded(nvr, 8)
        assert nvr.api.put(f"/cameras/{key}", json={"recording_mode": "Off", "is_active": False}).status_code == 200
        wait_for("all is finished", lambda: all(row.finished for row in nvr.rows()), 60)
        yield nvr


def test_what_a_comparison_found_is_said_in_the_language_of_the_viewer(scene, tmp_path):
    nvr = scene
    rows = nvr.rows()
    gone, short, long = (row.path for row in rows[:3])
    kept = {path: path.read_bytes() for path in (gone, short, long)}
    gone.unlink()
    short.write_bytes(kept[short][: len(kept[short]) // 2])
    long.write_bytes(kept[long] + b"behind")
    told = {
        "de": (f"{gone.name}: Die Datei fehlt", "Bytes sind übrig", "Bytes, verzeichnet sind aber"), "en": (f"{gone.name}: the file is missing", "bytes are left", "are listed"),
        "fr": (f"{gone.name} : le fichier manque", "il reste", "sont notés"),
    }
    try:
        with browsing(tmp_path, DESKTOP) as browser:
            for language, words in told.items():
                browser.sign_in(nvr.api.base, preferences={"language": language}).open("/ui/system/storage")
                browser.press("[name=dry_run] + .track")
                browser.press("#start-sync")
                browser.until(language, "const text = document.querySelector('#sync-notes')?.textContent ?? ''; return arguments[0].every((part) => text.includes(part))", words)
            assert "the row has no file" not in browser.page_source and browser.complaints() == []
            # Its codes are for programs as well.
            status = wait_for("it is over", lambda: (now := nvr.api.json("/settings/sync-orphans/status"))["status"] == "completed" and now, 60)
            assert {one["code"] for one in status["notes_said"]} == {"sync_file_missing", "sync_file_short", "sync_file_long"}
            assert [one["text"] for one in status["notes_said"]] == status["notes"] and status["dry_run"]
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_what_a_restore_left_out_is_said_in_the_language_of_the_viewer(scene, tmp_path):
    nvr = scene
    document = nvr.api.get("/settings/backup/export").json()
    document["settings"] += [{"key": "roof_colour", "value": "red"}, {"key": "max_global_storage_gb", "value": "much"}]
    document["storage_profiles"] = [{"id": 7, "name": "Attic", "path": "relative/folder", "max_size_gb": 0}]
    document["cameras"][0]["storage_profile_id"] = 7
    plain = tmp_path / "backup.json"
    plain.write_text(json.dumps(document))
    closed = tmp_path / "sealed.json"
    closed.write_bytes(nvr.api.post("/settings/backup/export", json={"passphrase": "correct horse"}).content)
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with browsing(tmp_path / "profile", DESKTOP) as browser:
        browser.sign_in(nvr.api.base, preferences={"language": "de"}).open("/ui/system/backups")
        browser.press(".card-head .button:first-child")
        # What is wrong is told beside the field that it is about.
        browser.press("#import-backup")
        browser.until("a file is needed", "return document.querySelector('dialog #backup-file-about')?.textContent.length > 5")
        pick = browser.find_element("css selector", "dialog [name=file]")
        pick.send_keys(str(broken))
        browser.press("#import-backup")
        browser.until("no backup", "return document.querySelector('dialog #backup-file-about')?.textContent.length > 5")
        pick.send_keys(str(closed))
        browser.press("#import-backup")
        browser.until("a passphrase is needed", "return document.querySelector('dialog .field.wrong .field-error')?.textContent.includes('Passphrase')")
        browser.fill("dialog", passphrase="wrong horse")
        browser.press("#import-backup")
        browser.until("another is needed", "return document.querySelector('dialog .field.wrong .field-error')?.textContent.includes('falsch')")
        browser.fill("dialog", passphrase="")
        pick.send_keys(str(plain))
        browser.press("#import-backup")
        browser.until("what was left out", "return document.querySelectorAll('#restore-warnings li').length >= 4")
        text = browser.text("#restore-warnings")
        for part in ("Hier unbekannte Einstellungen wurden ausgelassen: 1", "Die Einstellung max_global_storage_gb blieb, wie sie ist", "Das Speicherprofil Attic wurde ausgelassen",
                     "Kamera Front door: Ihr Speicherprofil ist nicht verfügbar"):
            assert part in text, text
        assert "was left" not in text and "is not available" not in text, text
        browser.picture(SCREENSHOTS / "restore-warnings.png")
        assert faults(browser, axe()) == []


def test_why_there_are_only_single_pictures_is_said_in_the_language_of_the_viewer(tmp_path):
    with GstCamera({"/cam": footage.counter("h265")}, live=True) as camera, NVR(segment_seconds=None, VIBENVR_MAX_TRANSCODES="0") as nvr, \
            browsing(tmp_path, DESKTOP) as browser:
        nvr.start().with_admin()
        key = nvr.api.add_camera("Front door", camera.url("/cam"), recording_mode="Off")
        wait_for("the camera runs", lambda: nvr.api.status(key) == "CONNECTED", 90)
        for language, told in {"de": "Das Umwandeln ist auf diesem Server ausgeschaltet.", "en": "Converting is switched off on this server."}.items():
            browser.sign_in(nvr.api.base, preferences={"language": language}).open(f"/ui/live/{key}")
            browser.until("why", "return document.querySelector('.enlarged .why')?.textContent.includes(arguments[0])", told)
            browser.until("single pictures", "return document.querySelector('.enlarged .picture')?.dataset.way === 'jpeg'")
            browser.open("/ui/live")
            browser.until("why, on the tile", "return document.querySelector('.tile .chip.way')?.title.includes(arguments[0])", told)


def test_the_audit_trail_tells_in_words_what_was_done_and_what_was_refused(scene, tmp_path):
    nvr = scene
    # Whatever has words is a route of the server.
    routes = re.findall(r"'((?:GET|POST|PUT|PATCH|DELETE) [^']+)'", (REPOSITORY / "WebUI" / "src" / "system" / "deeds.ts").read_text())
    known = {f"{method.upper()} {path}" for path, methods in nvr.api.json("/openapi.json")["paths"].items() for method in methods}
    assert len(routes) > 60 and not set(routes) - known, set(routes) - known
    assert nvr.api.put("/cameras/1", json={"location": "Street"}).status_code == 200
    assert nvr.api.delete("/cameras/999").status_code == 404
    with browsing(tmp_path, DESKTOP) as browser:
        for language, words in {"de": ("Kamera geändert · Front door", "Abgelehnt: Kamera gelöscht", "Anmeldung"), "en": ("Camera changed · Front door", "Refused: Camera deleted", "Sign-in")}.items():
            browser.sign_in(nvr.api.base, preferences={"language": language}).open("/ui/system/audit")
            browser.until(language, "const rows = document.querySelector('tbody')?.textContent ?? ''; return arguments[0].every((text) => rows.includes(text))", words)
        assert "PUT /cameras/{camera_id}" in browser.text("tbody") and browser.complaints() == []


def test_a_setting_that_is_refused_is_marked_and_what_was_typed_is_not_lost(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base, preferences={"language": "de"}).open("/ui/system/settings")
        ready(browser)
        # A limit, by the page; an address, by the server: each is told beside its field, which gets the focus.
        for name, wrong in (("backup_auto_retention", "100000"), ("notify_webhook_url", "ftp://nowhere")):
            browser.fill("#main", **{name: wrong})
            browser.press("#save-settings")
            browser.until(name, "const field = document.querySelector(`[name=${arguments[0]}]`); return field === document.activeElement && field.closest('.field').querySelector('.field-error')?.textContent.length > 5", name)
            browser.shown(f"#main [name={name}]").send_keys(Keys.CONTROL, "a")
            browser.shown(f"#main [name={name}]").send_keys(Keys.DELETE, "7" if name.startswith("backup") else "")
        browser.fill("#main", backup_auto_retention="9")
        # Leaving asks first.
        browser.press(".tabs a[href='/ui/system/logs']")
        browser.answer(False)
        assert browser.execute_script("return location.pathname") == "/ui/system/settings"
        browser.press("#save-settings")
        browser.gone("#save-settings")
        assert nvr.api.json("/settings/backup_auto_retention")["value"] == "9"
        # What does nothing yet says so.
        idle = browser.execute_script("return [...document.querySelectorAll('#main .card')].filter((card) => card.querySelector('.note')).map((card) => card.querySelector('h2').textContent)")
        assert {"E-Mail", "MQTT", "Telegram"} <= set(idle) and "Webhook" not in idle, idle
