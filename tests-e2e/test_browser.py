"""The first page in Chromium, as a person meets it: set-up, a camera with a probe, its live picture, a recording that plays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from harness.server import NVR, PASSWORD, REPOSITORY, USER
from peers import footage
from peers.gst_camera import GstCamera

PATIENCE = 40
SCREENSHOTS = Path(os.environ.get("VIBENVR_SCREENSHOTS", REPOSITORY / ".work" / "screenshots"))


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required",
        "--window-size=1280,860", f"--user-data-dir={tmp_path}", "--no-proxy-server", "--disable-background-networking",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    try:
        yield driver
    finally:
        driver.quit()


def shown(browser, selector: str):
    """The element once it is there to be seen."""
    return WebDriverWait(browser, PATIENCE).until(
        lambda _: next((element for element in browser.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()), None), selector
    )


def fill(form, **values: str) -> None:
    for name, value in values.items():
        field = form.find_element(By.NAME, name)
        if field.tag_name == "select":
            Select(field).select_by_visible_text(value)
        else:
            field.clear()
            field.send_keys(value)


def wait(browser, what: str, script: str, *arguments):
    return WebDriverWait(browser, PATIENCE).until(lambda _: browser.execute_script(script, *arguments), what)


def complaints(browser) -> list[str]:
    return [f"{entry['level']}: {entry['message']}" for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def test_a_person_sets_it_up_and_watches(browser):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with GstCamera({"/main": (footage.street(), footage.sound("aac")), "/sub": footage.small()}) as camera, NVR(segment_seconds=5) as nvr:
        nvr.start()
        browser.get(nvr.api.base + "/")
        form = shown(browser, "#auth-form")
        fill(form, username=USER, password=PASSWORD)
        shown(browser, "#auth-submit").click()

        shown(browser, "#add-camera").click()
        dialog = shown(browser, "#camera-form")
        fill(dialog, name="Path", rtsp_url=camera.url("/main"), sub_rtsp_url=camera.url("/sub"), recording_mode="Continuous")
        shown(browser, "#probe").click()
        wait(browser, "the probe's answer", "return /good|bad/.test(document.querySelector('#probe-result').className)")
        assert "768" in shown(browser, "#probe-result").text
        dialog.find_element(By.CSS_SELECTOR, "[type=submit]").click()

        wait(browser, "a live picture", "const i = document.querySelector('.tile img'); return i && !i.hidden && i.naturalWidth > 100")
        first = browser.execute_script("return document.querySelector('.tile img').src")
        wait(browser, "the next picture", "const i = document.querySelector('.tile img'); return i.src !== arguments[0] && i.naturalWidth > 100", first)
        wait(browser, "the state", "return document.querySelector('.tile .state').textContent === 'connected'")
        browser.save_screenshot(str(SCREENSHOTS / "cameras.png"))

        WebDriverWait(browser, PATIENCE).until(lambda _: any(event["timestamp_end"] and event["thumbnail_path"] for event in wait_signed(nvr)))
        shown(browser, "#nav-events").click()
        wait(browser, "a recording", "return document.querySelectorAll('#event-list button.event').length > 1")
        wait(browser, "its picture", "return [...document.querySelectorAll('#event-list img')].some(i => i.naturalWidth > 50)")
        browser.save_screenshot(str(SCREENSHOTS / "events.png"))
        # The last in the list is the oldest, which is finished; the first still grows: both play.
        for index in (-1, 0):
            browser.find_elements(By.CSS_SELECTOR, "#event-list button.event")[index].click()
            wait(browser, "the film runs", "const v = document.querySelector('#stage video'); return v && v.readyState >= 2 && v.currentTime > 0.5")
            facts = browser.execute_script(
                "const v = document.querySelector('#stage video'); return [v.videoWidth, v.videoHeight, v.error && v.error.message, v.getVideoPlaybackQuality().totalVideoFrames]")
            assert facts[:3] == [768, 576, None] and facts[3] > 3, facts
            if index == -1:
                browser.save_screenshot(str(SCREENSHOTS / "player.png"))
            shown(browser, "#close-player").click()
            wait(browser, "the player is closed", "return !document.querySelector('#player').open")
        assert complaints(browser) == []

        # Signed in by cookie: a reload keeps the session; a sign-out ends it.
        browser.refresh()
        shown(browser, "#event-list, #camera-grid")
        shown(browser, "#sign-out").click()
        form = shown(browser, "#auth-form")
        assert not browser.find_elements(By.CSS_SELECTOR, ".tile img")
        fill(form, username=USER, password="wrong-Passw0rd")
        shown(browser, "#auth-submit").click()
        assert shown(browser, "#auth-problem").text
        # The refused sign-in is a 401 the browser itself notes; nothing else may be there.
        assert [line for line in complaints(browser) if "401" not in line] == []


def wait_signed(nvr: NVR) -> list[dict]:
    if not nvr.api.token:
        nvr.api.login(USER, PASSWORD)
    return nvr.api.events(event_type="continuous")


def test_a_camera_that_cannot_be_reached_says_why(browser):
    with NVR() as nvr:
        nvr.start().with_admin()
        browser.get(nvr.api.base + "/")
        fill(shown(browser, "#auth-form"), username=USER, password=PASSWORD)
        shown(browser, "#auth-submit").click()
        shown(browser, "#add-camera").click()
        dialog = shown(browser, "#camera-form")
        fill(dialog, name="<img src=x onerror=alert(1)>", rtsp_url="rtsp://127.0.0.1:1/x")
        shown(browser, "#probe").click()
        wait(browser, "the probe's answer", "return document.querySelector('#probe-result').className.includes('bad')")
        dialog.find_element(By.CSS_SELECTOR, "[type=submit]").click()
        wait(browser, "the reason", "const s = document.querySelector('.tile .state'); return s && s.textContent === 'unreachable'")
        assert shown(browser, ".tile .why").text
        assert browser.execute_script("return document.querySelector('.tile h2').textContent").startswith("<img")
        assert complaints(browser) == []


def test_the_documentation_shows_everything_and_tries_calls(browser):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with NVR() as nvr:
        nvr.start().with_admin()
        document = nvr.api.json("/openapi.json")
        browser.get(nvr.api.base + "/docs")
        wait(browser, "the schemas are listed", "return document.querySelectorAll('details.schema').length > 0")
        operations = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
        listed = browser.execute_script("return [...document.querySelectorAll('details.operation')].map(element => element.id)")
        assert sorted(listed) == sorted(f"operation-{name}" for name in operations)
        assert browser.execute_script("return document.querySelectorAll('details.schema').length") == len(document["components"]["schemas"])

        # Every operation and every schema can be opened.
        browser.execute_script("for (const element of document.querySelectorAll('details')) element.open = true")
        wait(browser, "all are open", "return [...document.querySelectorAll('details')].every(element => element.querySelector('.content'))")
        for name in ("createCamera", "listEvents"):
            assert len(browser.find_elements(By.CSS_SELECTOR, f"#operation-{name} table")) >= 2
        assert "max_movie_length" in browser.find_element(By.ID, "schema-NewCamera").get_attribute("textContent")
        assert "60…300" in browser.find_element(By.ID, "schema-NewCamera").get_attribute("textContent")
        browser.save_screenshot(str(SCREENSHOTS / "docs-open.png"))

        # The search leaves what fits.
        browser.get(nvr.api.base + "/docs")
        field = shown(browser, "#search")
        wait(browser, "the page is complete", "return document.querySelectorAll('details.schema').length > 0")
        browser.save_screenshot(str(SCREENSHOTS / "docs.png"))
        field.send_keys("bulk-delete events")
        left = browser.execute_script("return [...document.querySelectorAll('details.operation')].filter(element => !element.hidden).map(element => element.id)")
        assert left == ["operation-deleteEvents"]

        # A call that needs nobody, and its answer.
        browser.get(nvr.api.base + "/docs#operation-getHealth")
        browser.refresh()
        shown(browser, "#operation-getHealth form button").click()
        wait(browser, "the answer", "return document.querySelector('#operation-getHealth pre').textContent.includes('\"database\": \"ok\"')")
        assert complaints(browser) == []
