"""The interface in Chromium, as a person meets it: set-up, a camera with a probe, its live picture, a recording that plays."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from harness.browser import PATIENCE, SCREENSHOTS, browsing
from harness.server import NVR, PASSWORD, USER
from peers import footage
from peers.gst_camera import GstCamera


@pytest.fixture
def browser(tmp_path):
    with browsing(tmp_path) as driver:
        yield driver


def shown(browser, selector: str):
    return browser.shown(selector)


def wait(browser, what: str, script: str, *arguments):
    return browser.until(what, script, *arguments)


def complaints(browser) -> list[str]:
    return browser.complaints()


# Whether the picture differs from the one that was there before: the sum of a few of its points.
PICTURE = """
const source = [...document.querySelectorAll(arguments[0] + ' .layer:not(.waiting) .picture')].pop();
const width = source && (source.videoWidth || source.naturalWidth || source.width);
if (!width || width < 100) return null;
const canvas = document.createElement('canvas');
canvas.width = canvas.height = 64;
const context = canvas.getContext('2d');
context.drawImage(source, 0, 0, 64, 64);
return [...context.getImageData(0, 0, 64, 64).data].reduce((sum, value, index) => (sum * 31 + value * (index % 7)) % 1e9, 7);
"""


def test_a_person_sets_it_up_and_watches(browser):
    with GstCamera({"/main": (footage.street(), footage.sound("aac")), "/sub": footage.small()}) as camera, NVR(segment_seconds=5) as nvr:
        nvr.start()
        browser.get(nvr.api.base + "/")
        shown(browser, "#setup-form")
        # What is wrong is said beside the field, before the server is asked.
        browser.fill("#setup-form", username=USER, password=PASSWORD, again="something else")
        browser.press("#auth-submit")
        assert "differ" in shown(browser, "#setup-form .field-error").text
        browser.fill("#setup-form", again=PASSWORD)
        browser.press("#auth-submit")

        browser.press("#add-first")
        browser.fill("#camera-form", name="Path", rtsp_url=camera.url("/main"), sub_rtsp_url=camera.url("/sub"), recording_mode="All the time")
        browser.press("#probe")
        wait(browser, "the probe's answer", "return /good|bad/.test(document.querySelector('#probe-result').className)")
        assert "768" in shown(browser, "#probe-result").text
        browser.press("#save-camera")

        # The new camera is shown large, from its main stream, and moves.
        wait(browser, "a live picture", "return document.querySelector('.enlarged')?.dataset.condition === 'playing'")
        first = wait(browser, "its content", PICTURE, ".enlarged")
        wait(browser, "the next picture", f"const now = (() => {{ {PICTURE} }})(); return now !== null && now !== arguments[1]".replace("arguments[0]", "'.enlarged'"), "", first)
        wait(browser, "its main stream", "return document.querySelector('.enlarged').dataset.stream === 'main'")
        browser.press(".enlarged-head button")
        wait(browser, "a live tile", "return document.querySelector('.tile')?.dataset.condition === 'playing'")
        first = wait(browser, "its content", PICTURE, ".tile")
        wait(browser, "the next picture", f"const now = (() => {{ {PICTURE} }})(); return now !== null && now !== arguments[1]".replace("arguments[0]", "'.tile'"), "", first)
        wait(browser, "the badge", "return document.querySelector('.tile .way')?.textContent === 'WebCodecs'")
        browser.picture(SCREENSHOTS / "cameras.png")

        WebDriverWait(browser, PATIENCE).until(lambda _: any(event["timestamp_end"] and event["thumbnail_path"] for event in wait_signed(nvr)))
        browser.press("#nav-events")
        wait(browser, "a recording", "return document.querySelectorAll('#event-list .event-open').length > 1")
        wait(browser, "its picture", "return [...document.querySelectorAll('#event-list img')].some(i => i.naturalWidth > 50)")
        browser.picture(SCREENSHOTS / "events.png")
        # The last in the list is the oldest, which is finished; the first still grows: both play.
        for place in ("last", "first"):
            browser.press(f"#event-list .event:{place}-child .event-open")
            wait(browser, "the film runs", "const v = document.querySelector('.viewer video'); return v && v.readyState >= 2 && v.currentTime > 0.5")
            facts = browser.execute_script(
                "const v = document.querySelector('.viewer video'); return [v.videoWidth, v.videoHeight, v.error && v.error.message, v.getVideoPlaybackQuality().totalVideoFrames]")
            assert facts[:3] == [768, 576, None] and facts[3] > 3, facts
            if place == "last":
                browser.picture(SCREENSHOTS / "player.png")
            browser.press(".viewer .dialog-head button")
            browser.gone(".viewer")
        assert complaints(browser) == []

        # Signed in by cookie: a reload keeps the session and the place; a sign-out ends it.
        browser.refresh()
        shown(browser, "#event-list")
        browser.press("#sign-out")
        shown(browser, "#auth-form")
        assert not browser.find_elements(By.CSS_SELECTOR, "#event-list, .tile")
        browser.fill("#auth-form", username=USER, password="wrong-Passw0rd")
        browser.press("#auth-submit")
        assert shown(browser, "#auth-problem").text
        # Who types goes on typing.
        assert browser.execute_script("return document.activeElement.name") == "password"
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
        shown(browser, "#auth-form")
        browser.fill("#auth-form", username=USER, password=PASSWORD)
        browser.press("#auth-submit")
        browser.press("#add-first")
        shown(browser, "#camera-form")
        browser.fill("#camera-form", name="<img src=x onerror=alert(1)>", rtsp_url="rtsp://127.0.0.1:1/x")
        browser.press("#probe")
        wait(browser, "the probe's answer", "return document.querySelector('#probe-result').className.includes('bad')")
        browser.press("#save-camera")
        wait(browser, "the reason", "return document.querySelector('.enlarged .tile-note strong')?.textContent === 'Unreachable'")
        browser.press(".enlarged-head button")
        wait(browser, "the reason", "return document.querySelector('.tile .tile-note strong')?.textContent === 'Unreachable'")
        assert browser.find_elements(By.CSS_SELECTOR, ".tile .tile-note span")[0].text
        assert browser.execute_script("return document.querySelector('.tile h2').textContent").startswith("<img")
        assert complaints(browser) == []


def test_the_documentation_shows_everything_and_tries_calls(browser):
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
        browser.picture(SCREENSHOTS / "docs-open.png")

        # The search leaves what fits.
        browser.get(nvr.api.base + "/docs")
        field = shown(browser, "#search")
        wait(browser, "the page is complete", "return document.querySelectorAll('details.schema').length > 0")
        browser.picture(SCREENSHOTS / "docs.png")
        field.send_keys("bulk-delete events")
        left = browser.execute_script("return [...document.querySelectorAll('details.operation')].filter(element => !element.hidden).map(element => element.id)")
        assert left == ["operation-deleteEvents"]

        # A call that needs nobody, and its answer.
        browser.get(nvr.api.base + "/docs#operation-getHealth")
        browser.refresh()
        browser.press("#operation-getHealth form button")
        wait(browser, "the answer", "return document.querySelector('#operation-getHealth pre').textContent.includes('\"database\": \"ok\"')")
        assert complaints(browser) == []
