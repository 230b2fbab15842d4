"""What is done with several cameras at once, in Chromium: taken out as a file and brought back, settings copied, groups, deleted together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from harness.browser import DESKTOP, browsing
from harness.server import NVR, wait_for

MASK = [{"points": [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5]]}]
NAMES = ["Front door", "Yard", "Car park", "Roof"]
# What a camera says about itself, and not what somebody has set.
STATE = {"id", "created_at", "status_since", "last_seen", "sort_order"}


@pytest.fixture
def four(nvr: NVR):
    """Cameras that nobody has to reach."""
    for number, name in enumerate(NAMES):
        answer = nvr.api.post("/cameras", json={"name": name, "rtsp_url": f"rtsp://viewer:geheim-{number}@10.255.255.1/cam{number}", "is_active": False})
        assert answer.status_code == 200, answer.text
    return nvr


def set_up(nvr: NVR) -> None:
    """The first camera is unlike the others in something of each kind."""
    assert nvr.api.put("/cameras/1", json={
        "threshold": 99, "max_movie_length": 77, "motion_masks": MASK, "text_left": "North side", "picture_quality": 11, "schedule_monday": False,
        "location": "Street", "framerate": 3}).status_code == 200
    nvr.api.post("/groups", json={"name": "Outside"})
    nvr.api.post("/groups/1/cameras", json={"camera_ids": [1, 2]})


def listed(browser) -> list[str]:
    return browser.execute_script("return [...document.querySelectorAll('.camera-list > li .camera-text strong')].map((name) => name.textContent)")


def choose(browser, *names: str) -> None:
    """Marks cameras of the list."""
    for name in names:
        browser.press(f".camera-list input[aria-label*='{name}']")


def exported(browser, downloads: Path, button: str, *, secrets: bool) -> dict:
    """The file that a button of the page and its dialog bring."""
    before = set(downloads.glob("*.json"))
    browser.press(button)
    if secrets:
        browser.press("dialog .check input")
    browser.press("dialog [type=submit]")
    (file,) = wait_for("the file is here", lambda: set(downloads.glob("*.json")) - before, 60)
    return json.loads(file.read_text()) | {"file": file}


def test_cameras_are_taken_out_as_a_file_and_come_back(four, tmp_path):
    nvr = four
    set_up(nvr)
    before = nvr.api.json("/cameras")
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    with browsing(tmp_path / "profile", DESKTOP, downloads) as browser:
        browser.sign_in(nvr.api.base).open("/ui/cameras")
        browser.until("the list", "return document.querySelectorAll('.camera-list > li').length === 4")
        # Two of them, and no secret unasked.
        choose(browser, "Yard", "Roof")
        few = exported(browser, downloads, "#export-chosen", secrets=False)
        assert [camera["name"] for camera in few["cameras"]] == ["Yard", "Roof"] and "geheim" not in few["file"].read_text()
        # All of them, with what is needed to watch them.
        everything = exported(browser, downloads, "#export-cameras", secrets=True)
        assert [camera["name"] for camera in everything["cameras"]] == NAMES and all(f"geheim-{number}" in everything["file"].read_text() for number in range(4))

        # Deleted together: taken back once, then meant.
        browser.press(".camera-list input[aria-label*='Yard']")
        choose(browser, "Front door")
        browser.press("#delete-chosen")
        # It would not happen by itself as long as somebody may take it back.
        browser.keep_messages()
        browser.press("dialog .button.danger")
        browser.until("they are gone", "return document.querySelectorAll('.camera-list > li').length === 2")
        browser.press(".toast .button")
        browser.until("they are back", "return document.querySelectorAll('.camera-list > li').length === 4")
        assert [camera["name"] for camera in nvr.api.json("/cameras")] == NAMES
        choose(browser, "Front door", "Roof")
        browser.press("#delete-chosen")
        browser.press("dialog .button.danger")
        wait_for("they are deleted", lambda: [camera["name"] for camera in nvr.api.json("/cameras")] == ["Yard", "Car park"], 60)
        browser.until("the page knows", "return document.querySelectorAll('.camera-list > li').length === 2")

        # The file is looked into before anything is stored.
        browser.press("#import-cameras")
        browser.shown("dialog input[type=file]").send_keys(str(everything["file"]))
        found = browser.until("what is in it", "const lines = [...document.querySelectorAll('dialog .plain-list li')].map((line) => line.textContent); return lines.length === 4 && lines")
        assert ["already" in line for line in found] == [False, True, True, False], found
        assert len(nvr.api.json("/cameras")) == 2
        browser.press("dialog [type=submit]")
        browser.gone("dialog")
        browser.until("they are back", "return document.querySelectorAll('.camera-list > li').length === 4")
        assert sorted(listed(browser)) == sorted(NAMES)
        # As they were, with their passwords and groups.
        after = {camera["name"]: camera for camera in nvr.api.json("/cameras")}
        for camera in before:
            assert {field: value for field, value in camera.items() if field not in STATE} == {field: value for field, value in after[camera["name"]].items() if field not in STATE}
        assert nvr.api.json("/groups")[0]["name"] == "Outside"
        stored = nvr.api.get("/cameras/export/all", params={"include_credentials": "true"}).text
        assert all(f"geheim-{number}" in stored for number in range(4))

        # A file that is none is refused in words, and nothing comes of it.
        nothing = tmp_path / "nothing.json"
        nothing.write_text('{"cameras": [{"name": "x", "rtsp_url": "file:///etc/passwd"}]}')
        browser.press("#import-cameras")
        browser.shown("dialog input[type=file]").send_keys(str(nothing))
        browser.until("it is refused", "return document.querySelector('dialog .problem, dialog .badge.bad')")
        assert browser.execute_script("return document.querySelector('dialog [type=submit]').disabled") and len(nvr.api.json("/cameras")) == 4
        assert [line for line in browser.complaints() if "/cameras/import" not in line] == []


def test_settings_of_chosen_kinds_are_copied_to_chosen_cameras(four, tmp_path):
    nvr = four
    set_up(nvr)
    before = {camera["id"]: camera for camera in nvr.api.json("/cameras")}
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/cameras")
        browser.press("[aria-label='Copy settings of Front door']")
        dialog = browser.shown("dialog.dialog")

        def tick(label: str) -> None:
            (box,) = [one for one in dialog.find_elements(By.CSS_SELECTOR, "label.check") if one.text.strip() == label]
            box.click()

        submit = "return document.querySelector('dialog [type=submit]').disabled"
        assert browser.execute_script(submit)
        for label in ("Recording", "Motion"):
            tick(label)
        tick("Car park")
        # Nothing chosen is nothing to copy.
        assert browser.execute_script(submit)
        for label in ("Zones and masks", "Overlay"):
            tick(label)
        browser.press("dialog [type=submit]")
        browser.gone("dialog")
        after = {camera["id"]: camera for camera in nvr.api.json("/cameras")}
        changed = {field for field in after[3] if after[3][field] != before[3][field]}
        assert changed == {"motion_masks", "text_left"}, changed
        assert json.loads(after[3]["motion_masks"]) == json.loads(before[1]["motion_masks"]) and after[3]["text_left"] == "North side"
        assert all(after[key] == before[key] for key in (1, 2, 4))
        assert browser.complaints() == []


def test_a_group_is_made_filled_used_and_deleted(four, tmp_path):
    nvr = four
    members = lambda: {group["name"]: [camera["name"] for camera in group["cameras"]] for group in nvr.api.json("/groups")}  # noqa: E731
    pick = lambda *names: [browser.execute_script("[...document.querySelectorAll('dialog label.check')].find((one) => one.textContent.trim() === arguments[0]).querySelector('input').click()", name) for name in names]  # noqa: E731
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/cameras/groups")
        browser.press("#add-group")
        # Without a name it is none.
        browser.press("dialog [type=submit]")
        assert browser.text("dialog .field-error") and members() == {}
        browser.fill("dialog", name="Ground floor", description="Doors and windows")
        browser.until("the cameras", "return document.querySelectorAll('dialog label.check').length === 4")
        pick("Front door", "Yard")
        browser.press("dialog [type=submit]")
        browser.gone("dialog")
        assert members() == {"Ground floor": ["Front door", "Yard"]} and nvr.api.json("/groups")[0]["description"] == "Doors and windows"
        # Others instead.
        browser.press("[aria-label='Edit group Ground floor']")
        browser.until("the cameras", "return document.querySelectorAll('dialog label.check input:checked').length === 2")
        pick("Yard", "Roof")
        browser.press("dialog [type=submit]")
        browser.gone("dialog")
        assert members() == {"Ground floor": ["Front door", "Roof"]}
        browser.until("it is shown", "return [...document.querySelectorAll('.card .badge')].map((badge) => badge.textContent).join() === 'Front door,Roof'")

        # What is done for all in it is done for nobody else.
        modes = lambda: [camera["recording_mode"] for camera in nvr.api.json("/cameras")]  # noqa: E731
        before = modes()
        assert "Off" not in before
        on, off = browser.shown(".cards .card").find_elements(By.CSS_SELECTOR, "button.small:not(.icon-only)")
        assert (on.text, off.text) == ("Record again", "Stop recording")
        off.click()
        wait_for("the group records no more", lambda: modes() == ["Off", *before[1:3], "Off"])
        on.click()
        wait_for("and again as it did", lambda: modes() == before)
        # It is a view of its own.
        browser.open("/ui/live?view=g1")
        browser.until("its tiles", "return [...document.querySelectorAll('.tile h2')].map((name) => name.textContent).join() === 'Front door,Roof'")

        # Deleted, and taken back; then meant. Cameras stay.
        browser.open("/ui/cameras/groups")
        browser.shown(".cards .card")
        browser.keep_messages()
        browser.press("[aria-label='Delete group Ground floor']")
        browser.gone(".cards .card")
        browser.press(".toast .button")
        browser.shown(".cards .card")
        browser.press("[aria-label='Delete group Ground floor']")
        wait_for("it is deleted", lambda: members() == {}, 60)
        assert len(nvr.api.json("/cameras")) == 4
        assert browser.complaints() == []
