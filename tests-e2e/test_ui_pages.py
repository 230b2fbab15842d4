"""Every page of the interface in Chromium: no complaint of the console, nothing wider than a phone, no serious fault for axe, and what a
person does there: cameras, masks, events, users and their rights, a second factor, a session that ends."""

from __future__ import annotations

import importlib.util
import json
import re
import zipfile
from pathlib import Path

import pytest
import requests
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness.browser import DESKTOP, PHONE, browsing
from harness.media import probe
from harness.server import NVR, PASSWORD, USER, wait_for
from peers import footage
from peers.gst_camera import GstCamera
from test_accounts import totp

VIEWER_PASSWORD = "Watching-7-things"

PAGES = [
    "/ui/live", "/ui/live/1", "/ui/replay?cameras=1", "/ui/events", "/ui/events?from=00:00&to=23:59", "/ui/cameras", "/ui/cameras/new", "/ui/cameras/groups",
    "/ui/cameras/1/general", "/ui/cameras/1/stream", "/ui/cameras/1/recording", "/ui/cameras/1/motion", "/ui/cameras/1/masks", "/ui/cameras/1/snapshots",
    "/ui/cameras/1/schedule", "/ui/cameras/1/storage", "/ui/cameras/1/overlay", "/ui/cameras/1/objects", "/ui/cameras/1/alerts",
    "/ui/system", "/ui/system/users", "/ui/system/settings", "/ui/system/storage", "/ui/system/backups", "/ui/system/logs", "/ui/system/audit",
    "/ui/system/about", "/ui/profile", "/ui/nowhere",
]


@pytest.fixture(scope="module")
def scene():
    with GstCamera({"/main": footage.street(), "/sub": footage.small()}, live=True) as camera, NVR(segment_seconds=5) as nvr:
        nvr.start().with_admin()
        one = nvr.api.add_camera("Front door", camera.url("/main"), sub_rtsp_url=camera.url("/sub"), detect_motion_mode="Always", location="Street")
        nvr.api.add_camera("Car park", camera.url("/main"), recording_mode="Off")
        nvr.api.post("/groups", json={"name": "Outside"})
        nvr.api.post("/groups/1/cameras", json={"camera_ids": [one]})
        wait_for("recordings", lambda: sum(bool(event["timestamp_end"]) for event in nvr.api.events(event_type="continuous")) >= 3, 120)
        yield nvr, camera


def ready(browser) -> None:
    """The page has what it asks for."""
    browser.until("the page is there", "const main = document.querySelector('#main'); return main && main.textContent && !main.querySelector('.spinner')")


def too_wide(browser) -> int:
    """Pixels by which the page, or a table in its card, has to be scrolled sideways."""
    return browser.execute_script("""
        const main = document.querySelector('#main');
        const inside = [...main.querySelectorAll('table')].map((table) => {
          const card = table.closest('.card').getBoundingClientRect();
          return Math.ceil(Math.max(table.getBoundingClientRect().right - card.right, ...[...table.querySelectorAll('td, td *')].map((part) => part.getBoundingClientRect().right - card.right)));
        });
        return Math.max(document.documentElement.scrollWidth - innerWidth, main.scrollWidth - main.clientWidth, ...inside);""")


def axe() -> str:
    """axe-core, from a package of PyPI that carries it."""
    found = importlib.util.find_spec("axe_playwright_python")
    assert found and found.origin, "axe-playwright-python is missing: run scripts/install-test.sh"
    return (Path(found.origin).parent / "axe.min.js").read_text()


def faults(browser, source: str) -> list[str]:
    browser.execute_script(source)
    result = browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}).then(done, (problem) => done({violations: [{id: String(problem), impact: 'critical', nodes: []}]}))")
    return [
        f"{fault['id']} ({fault['impact']}): {node['target']} {node.get('failureSummary', '')[:300]}"
        for fault in result["violations"] if fault["impact"] in ("serious", "critical") for node in fault["nodes"][:4]
    ]


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
def test_every_page_is_quiet_and_usable_by_all(scene, tmp_path, light):
    nvr, _ = scene
    source = axe()
    problems: list[str] = []
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).emulate(DESKTOP, light=light)
        for page in PAGES:
            browser.open(page)
            ready(browser)
            problems += [f"{page}: {line}" for line in browser.complaints() + faults(browser, source)]
    assert problems == [], "\n".join(problems)


def test_every_page_fits_a_phone(scene, tmp_path):
    nvr, _ = scene
    problems: list[str] = []
    with browsing(tmp_path) as browser:
        browser.sign_in(nvr.api.base).emulate(PHONE, phone=True)
        for page in PAGES:
            browser.open(page)
            ready(browser)
            if (wide := too_wide(browser)) > 0:
                problems.append(f"{page}: {wide} pixels too wide")
            problems += [f"{page}: {line}" for line in browser.complaints()]
        # A finger finds every button of the main navigation.
        sizes = browser.execute_script("return [...document.querySelectorAll('.sidebar nav a')].map((link) => link.getBoundingClientRect()).map((box) => [box.width, box.height])")
        assert all(width >= 44 and height >= 44 for width, height in sizes), sizes
        # In the languages of long words, too, everything is inside of the window.
        for language in ("de", "fr", "it", "es"):
            browser.sign_in(nvr.api.base, preferences={"language": language})
            for page in ("/ui/live", "/ui/replay?cameras=1", "/ui/events?from=10:00", "/ui/cameras/new", "/ui/system", "/ui/system/storage", "/ui/profile"):
                browser.open(page)
                ready(browser)
                browser.until("its language", "return document.documentElement.lang === arguments[0]", language)
                beside = browser.execute_script("return Math.max(...[...document.querySelectorAll('.sidebar a')].map((link) => Math.ceil(link.getBoundingClientRect().right - innerWidth)))")
                if (wide := max(beside, too_wide(browser))) > 0:
                    problems.append(f"{language} {page}: {wide} pixels too wide")
    assert problems == [], "\n".join(problems)


def test_tables_are_cards_on_a_phone(scene, tmp_path):
    nvr, _ = scene
    # Long names wherever a table shows one.
    long = "the one at the far end of the long corridor behind the warehouse"
    assert nvr.api.post("/users", json={"username": "averylongusernamewithoutanyspacestobreakat", "password": VIEWER_PASSWORD, "role": "viewer",
                                        "email": "somebody.with.a.long.address@a-company-of-some-size.example.com"}).status_code == 200
    event = next(event for event in nvr.api.events(event_type="continuous") if event["timestamp_end"])
    hold = nvr.api.put("/cameras/1/holds", json={"start": event["timestamp_start"], "end": event["timestamp_end"], "reason": f"Police: {long}"})
    assert hold.status_code == 200, hold.text
    assert nvr.api.post("/settings/backup/run").status_code == 200
    bucket = nvr.api.post("/storage/s3", json={"name": long, "endpoint": "http://127.0.0.1:9", "bucket": "copies", "access_key": "AK", "secret_key": "sesame-street", "prefix": "a" * 60})
    assert bucket.status_code == 200, bucket.text
    assert nvr.api.post("/v1/api-tokens", json={"name": long}).status_code == 200
    problems: list[str] = []
    pages = {"users": 2, "storage": 2, "backups": 1, "audit": 5}
    with browsing(tmp_path) as browser:
        for language in ("en", "de", "fr", "it", "es"):
            browser.sign_in(nvr.api.base, preferences={"language": language}).emulate(PHONE, phone=True)
            for page, rows in pages.items():
                browser.open(f"/ui/system/{page}")
                ready(browser)
                browser.until("its rows", "return document.querySelectorAll('.stacking tbody tr').length >= arguments[0]", rows)
                # Each value has its label, one below the other.
                labels = browser.execute_script("""
                    const cells = [...document.querySelector('.stacking tbody tr').querySelectorAll('td')].filter((cell) => cell.textContent);
                    const tops = cells.map((cell) => cell.getBoundingClientRect().top);
                    return [tops.every((top, index) => index === 0 || top > tops[index - 1]), getComputedStyle(cells[1], '::before').content];""")
                if not labels[0] or len(labels[1]) < 4:
                    problems.append(f"{language} {page}: {labels}")
                if (wide := too_wide(browser)) > 0:
                    problems.append(f"{language} {page}: {wide} pixels too wide")
            browser.open("/ui/profile")
            ready(browser)
            browser.until("its key", "return document.querySelector('#main').textContent.includes(arguments[0])", long)
            if (wide := too_wide(browser)) > 0:
                problems.append(f"{language} profile: {wide} pixels too wide")
    for path in (f"/storage/s3/{bucket.json()['id']}", f"/cameras/1/holds/{hold.json()['id']}"):
        assert nvr.api.delete(path).status_code == 200, path
    assert problems == [], "\n".join(problems)


def test_what_the_server_says_is_said_in_the_language_of_the_viewer(scene, tmp_path):
    nvr, _ = scene
    key = nvr.api.add_camera("Nowhere", "rtsp://127.0.0.1:1/none")
    wait_for("it is known why", lambda: nvr.api.camera(key)["status_reason_code"] == "camera_refused", 60)
    why = {
        "en": "The camera refuses the connection: is the port right?", "de": "Die Kamera weist die Verbindung ab: Stimmt der Port?",
        "fr": "La caméra refuse la connexion : le port est-il correct ?", "it": "La telecamera rifiuta la connessione: la porta è giusta?",
        "es": "La cámara rechaza la conexión: ¿es correcto el puerto?",
    }
    with browsing(tmp_path, DESKTOP) as browser:
        for language, text in why.items():
            browser.sign_in(nvr.api.base, preferences={"language": language}).open("/ui/cameras")
            browser.until(language, "return document.querySelector(`[data-camera='${arguments[0]}'] .why`)?.textContent.startsWith(arguments[1])", str(key), text)
            browser.open("/ui/live")
            browser.until(language, "return document.querySelector(`.tile[data-camera='${arguments[0]}']`)?.textContent.includes(arguments[1])", str(key), text)
        assert browser.complaints() == []
        # Refusals, of a whole request and of a field.
        browser.sign_in(nvr.api.base, preferences={"language": "de"}).open("/ui/cameras/groups")
        browser.press("#add-group")
        browser.fill("dialog", name="Outside")
        browser.press("dialog [type=submit]")
        browser.until("refused", "return document.querySelector('dialog .field-error')?.textContent === arguments[0]", "Eine Gruppe dieses Namens gibt es schon.")
        browser.open(f"/ui/cameras/{key}/stream")
        browser.fill(".editor", rtsp_url="ftp://nowhere/x")
        browser.press("#save-camera")
        browser.until("refused", "return document.querySelector('.field.wrong .field-error')?.textContent.startsWith('Die Adresse muss mit rtsp://')")
        browser.execute_script("window.onbeforeunload = null")
    nvr.api.delete(f"/cameras/{key}")


def test_the_first_load_is_small_and_kept(scene):
    nvr, _ = scene
    page = requests.get(nvr.api.base + "/", headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
    assert page.headers["Cache-Control"] == "no-cache" and "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assets = re.findall(r'(?:src|href)="(/ui/assets/[^"]+\.(?:js|css))"', page.text)
    assert len(assets) >= 2
    total = 0
    for asset in assets:
        with requests.get(nvr.api.base + asset, headers={"Accept-Encoding": "br"}, stream=True) as answer:
            assert answer.status_code == 200 and answer.headers["Content-Encoding"] == "br" and "immutable" in answer.headers["Cache-Control"], asset
            total += int(answer.headers["Content-Length"])
            again = requests.get(nvr.api.base + asset, headers={"Accept-Encoding": "br", "If-None-Match": answer.headers["ETag"]})
            assert again.status_code == 304
    assert total <= 250_000, total
    manifest = requests.get(nvr.api.base + "/ui/manifest.webmanifest")
    assert manifest.headers["Content-Type"] == "application/manifest+json"
    for icon in manifest.json()["icons"]:
        assert requests.get(nvr.api.base + icon["src"]).status_code == 200
    assert "MIT License" in requests.get(nvr.api.base + "/ui/licences.txt").text
    assert requests.get(nvr.api.base + "/ui/live/3", headers={"Accept": "text/html"}).text == page.text
    assert requests.get(nvr.api.base + "/cameras", headers={"Accept": "text/html"}).headers["Content-Type"] == "application/json"


def test_a_camera_is_changed_masked_cloned_and_deleted(scene, tmp_path):
    nvr, camera = scene
    key = nvr.api.add_camera("Yard", camera.url("/main"), recording_mode="Off")
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open(f"/ui/cameras/{key}/recording")
        # Limits are told beside the field; nothing is sent.
        browser.fill(".editor", max_movie_length="5", recording_mode="On motion")
        browser.press("#save-camera")
        assert "60" in browser.text(".field.wrong .field-error")
        assert nvr.api.camera(key)["recording_mode"] == "Off"
        browser.fill(".editor", max_movie_length="90")
        browser.press("#save-camera")
        browser.gone("#save-camera")
        stored = nvr.api.camera(key)
        assert (stored["max_movie_length"], stored["recording_mode"]) == (90, "Motion Triggered")
        # What the server refuses is shown where it belongs.
        browser.open(f"/ui/cameras/{key}/stream")
        browser.fill(".editor", sub_rtsp_url="ftp://nowhere/x")
        browser.press("#save-camera")
        assert browser.text(".field.wrong .field-error")

        # A mask is drawn corner by corner on the picture.
        browser.open(f"/ui/cameras/{key}/masks")
        browser.until("the picture", "const image = document.querySelector('.mask-stage img'); return image && image.naturalWidth > 100")
        browser.press("#add-mask")
        stage = browser.shown(".mask-stage")
        # Offsets count from the middle of what is seen: all of it has to be.
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage)
        width, height = stage.size["width"], stage.size["height"]
        for x, y in ((0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.2)):
            ActionChains(browser).move_to_element_with_offset(stage, int((x - 0.5) * width), int((y - 0.5) * height)).click().perform()
        browser.press("#save-camera")
        browser.gone("#save-camera")
        (mask,) = json.loads(nvr.api.camera(key)["motion_masks"])
        assert [[round(value, 1) for value in point] for point in mask["points"]] == [[0.2, 0.2], [0.6, 0.2], [0.6, 0.6]]
        assert [line for line in browser.complaints() if "422" not in line] == []

        # Deleted, taken back, deleted.
        browser.open("/ui/cameras")
        row = f".camera-list li[data-camera='{key}']"
        for takes_back in (True, False):
            browser.press(f"{row} .camera-actions button:last-child")
            browser.keep_messages(takes_back)
            browser.press("dialog .button.danger")
            browser.gone(row)
            if takes_back:
                browser.press(".toast .button")
                browser.shown(row)
                assert nvr.api.get(f"/cameras/{key}").status_code == 200
        wait_for("it is deleted", lambda: nvr.api.get(f"/cameras/{key}").status_code == 404, 60)
        assert browser.complaints() == []


def test_events_are_sorted_out_by_keyboard(scene, tmp_path):
    nvr, _ = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/events?kind=continuous")
        browser.until("events", "return document.querySelectorAll('#event-list .event[data-event]').length >= 3")
        nvr.api.put("/cameras/1", json={"recording_mode": "Off"})
        wait_for("nothing is recorded any more", lambda: all(event["timestamp_end"] for event in nvr.api.events(event_type="continuous")), 60)
        browser.open("/ui/events?kind=continuous")
        browser.until("events", "return document.querySelectorAll('#event-list .event[data-event]').length >= 3")
        listed = browser.execute_script("return [...document.querySelectorAll('#event-list .event')].map((event) => Number(event.dataset.event))")
        # The list draws what is seen of it.
        assert listed == [event["id"] for event in nvr.api.events(event_type="continuous")][: len(listed)]
        # An opened event has an address of its own, under which it is found again.
        browser.press("#event-list .event:nth-child(2) .event-open")
        browser.until("its address", "return new URLSearchParams(location.search).get('event') === arguments[0]", str(listed[1]))
        browser.refresh()
        browser.shown(".viewer")
        browser.press(".viewer .dialog-head button")
        browser.until("without it", "return !location.search.includes('event=')")
        browser.until("events", "return document.querySelectorAll('#event-list .event[data-event]').length >= 3")
        body = browser.shown(".event-open")
        browser.execute_script("arguments[0].focus()", body)
        ActionChains(browser).send_keys("x", "\ue014", "x").perform()
        browser.until("two are chosen", "return document.querySelectorAll('.event.chosen').length === 2")
        browser.keep_messages()
        ActionChains(browser).send_keys("\ue017").perform()
        browser.until("they fade", "return document.querySelectorAll('.event.gone').length === 2")
        browser.keep_messages(False)
        wait_for("they are deleted", lambda: not {event["id"] for event in nvr.api.events(event_type="continuous")} & set(listed[:2]), 60)
        browser.gone(".event.gone")
        assert browser.complaints() == []
    nvr.api.put("/cameras/1", json={"recording_mode": "Continuous"})


def listed(browser) -> list[int]:
    return browser.execute_script("return [...document.querySelectorAll('#event-list .event[data-event]')].map((event) => Number(event.dataset.event))")


def test_events_are_filtered_by_group_time_of_day_label_and_zone(scene, tmp_path):
    nvr, _ = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/events")
        browser.until("events", "return document.querySelectorAll('#event-list .event[data-event]').length >= 3")
        assert not browser.find_elements(By.CSS_SELECTOR, "[name=group], [name=label], [name=from]")
        browser.press("#more-filters")
        browser.shown("[name=group]")
        # Nothing has been recognised yet: there is nothing to choose from.
        assert not browser.find_elements(By.CSS_SELECTOR, "[name=label], [name=zone]")
        browser.fill(".events-bar.more", group="Outside")
        browser.until("it is in the address", "return location.search.includes('group=')")
        browser.until("all of its camera", "return document.querySelectorAll('#event-list .event[data-event]').length >= 3")
        # An hour of the day in which nothing was recorded, over midnight or not.
        hour = int(nvr.api.json("/events")[0]["timestamp_start"][11:13])
        browser.open(f"/ui/events?from={(hour + 3) % 24:02}:00&to={(hour + 22) % 24:02}:00")
        browser.until("nothing is found", "return document.querySelector('#main .empty')")
        assert browser.shown("[name=from]").get_attribute("value") == f"{(hour + 3) % 24:02}:00"
        browser.press("#main .empty .button")
        browser.until("everything again", "return !location.search && document.querySelectorAll('#event-list .event[data-event]').length >= 3")
        browser.open(f"/ui/events?from={(hour + 22) % 24:02}:00&to={(hour + 3) % 24:02}:00")
        browser.until("events", "return document.querySelectorAll('#event-list .event[data-event]').length >= 3")
        assert not browser.find_elements(By.ID, "server-days")
        # Who looks from elsewhere is told whose hours these are.
        browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kolkata"})
        browser.open(f"/ui/events?date={nvr.api.json('/events')[0]['timestamp_start'][:10]}")
        assert "those of the server" in browser.text("#server-days")
        browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})

        # What a detector tells of its events is offered, and found.
        of = nvr.api.events(event_type="continuous")[1]
        metadata = json.dumps({"objects": [{"label": "person", "zone": "drive", "score": 0.9}]})
        told = nvr.api.post("/events", json={
            "camera_id": 1, "type": "video", "event_type": "manual", "timestamp_start": of["timestamp_start"], "timestamp_end": of["timestamp_end"],
            "file_path": of["file_path"], "ai_metadata": metadata})
        assert told.status_code == 200, told.text
        browser.open("/ui/events?zone=drive")
        browser.shown("[name=zone]")
        browser.fill(".events-bar.more", label="person")
        browser.until("that event alone", "return [...document.querySelectorAll('#event-list .event')].map((event) => event.dataset.event).join() === arguments[0]", str(told.json()["id"]))
        browser.press("#clear-filters")
        browser.until("everything again", "return !location.search && document.querySelectorAll('#event-list .event[data-event]').length >= 3")
        nvr.api.delete(f"/events/{told.json()['id']}")
        assert browser.complaints() == []


def test_chosen_events_are_exported_as_one_file(scene, tmp_path):
    nvr, _ = scene
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    with browsing(tmp_path / "profile", DESKTOP, downloads) as browser:
        browser.sign_in(nvr.api.base).open("/ui/events?kind=continuous")
        browser.until("events", "return document.querySelectorAll('#event-list .event[data-event]').length >= 3")
        # Of those that the page lists: newer ones may have come meanwhile.
        finished = {event["id"] for event in nvr.api.events(event_type="continuous") if event["timestamp_end"]}
        done = [event for event in listed(browser) if event in finished][:2]
        for event in done:
            browser.execute_script("document.querySelector(`.event[data-event='${arguments[0]}'] .event-choose input`).click()", event)
        browser.press("#export-chosen")
        browser.press("dialog .export-link")
        browser.gone("dialog")
        (path,) = wait_for("the file is here", lambda: list(downloads.glob("*.zip")), 120)
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".mp4")]
            assert len(names) == 2 and archive.testzip() is None, archive.namelist()
            movie = tmp_path / "one.mp4"
            movie.write_bytes(archive.read(names[0]))
        assert probe(movie).video.codec == "h264"
        assert not browser.find_elements(By.CSS_SELECTOR, ".event.chosen")
        assert browser.complaints() == []


def test_a_stream_is_seen_before_it_is_saved(scene, tmp_path):
    nvr, camera = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/cameras/new")
        browser.fill("#camera-form", rtsp_url=camera.url("/main"))
        browser.press("#probe")
        size = browser.until("its picture", "const picture = document.querySelector('#probe-picture'); return picture && picture.naturalWidth > 0 && [picture.naturalWidth, picture.naturalHeight]")
        assert 100 < size[0] <= 640, size
        # Another attempt that fails shows no old picture.
        browser.fill("#camera-form", rtsp_url="rtsp://127.0.0.1:1/none")
        browser.press("#probe")
        browser.gone("#probe-picture")
        browser.until("why not", "return document.querySelector('#probe-result.bad')")
        assert browser.complaints() == []


def test_tiles_tell_what_was_recorded_in_the_last_minute(scene, tmp_path):
    nvr, _ = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/live")
        browser.until("it is told", "return /\\d.*[kM]B.min/.test(document.querySelector(`.tile[data-camera='1'] .tile-stored`)?.textContent ?? '')")
        assert not browser.find_elements(By.CSS_SELECTOR, ".tile[data-camera='2'] .tile-stored")
        assert browser.complaints() == []


def test_footage_of_an_event_is_held_and_released(scene, tmp_path):
    nvr, _ = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/events?kind=continuous")
        browser.until("events", "return document.querySelectorAll('#event-list .event[data-event]').length >= 1")
        browser.execute_script("document.querySelector('#event-list .event-choose input').click()")
        browser.press("#hold-chosen")
        browser.fill("dialog", reason="Police, case 17")
        browser.press("dialog [type=submit]")
        browser.gone("dialog")
        (hold,) = nvr.api.json("/cameras/1/holds")
        assert hold["reason"] == "Police, case 17" and hold["is_active"]
        browser.open("/ui/system/storage")
        browser.until("it is listed", "return [...document.querySelectorAll('td')].some((cell) => cell.textContent === 'Police, case 17')")
        browser.press("td.actions .button")
        browser.press("dialog .button.danger")
        wait_for("it is released", lambda: not [one for one in nvr.api.json("/cameras/1/holds") if one["is_active"]])
        assert browser.complaints() == []


def test_a_wall_display_has_nothing_but_pictures(scene, tmp_path):
    nvr, _ = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/live?kiosk=1&cameras=2,1&columns=2")
        browser.until("both play", "return document.querySelectorAll('.tile[data-condition=playing]').length === 2")
        assert browser.execute_script("return [...document.querySelectorAll('.tile')].map((tile) => tile.dataset.camera)") == ["2", "1"]
        assert not browser.find_elements(By.CSS_SELECTOR, ".sidebar, .live-bar")
        assert browser.complaints() == []


def test_tiles_are_arranged(scene, tmp_path):
    nvr, _ = scene
    order = lambda: [camera["id"] for camera in nvr.api.json("/cameras")]  # noqa: E731
    before = order()
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/live")
        browser.until("tiles", "return document.querySelectorAll('.tile').length >= 2")
        browser.press("[aria-label=Arrange]")
        # By the arrows, and by dragging the last tile back to the first place.
        browser.press(".tile:first-child .tile-arrange button:last-child")
        wait_for("the first two have changed places", lambda: order() == [before[1], before[0], *before[2:]])
        browser.until("on the page, too", "return document.querySelector('.tile').dataset.camera === arguments[0]", str(before[1]))
        tiles = browser.find_elements(By.CSS_SELECTOR, ".tile")
        ActionChains(browser).move_to_element_with_offset(tiles[1], 0, -30).click_and_hold().move_to_element_with_offset(tiles[0], 0, -20).move_by_offset(2, 2).release().perform()
        wait_for("they are where they were", lambda: order() == before)
        assert browser.complaints() == []


def test_a_viewer_finds_only_what_is_his(scene, tmp_path):
    nvr, _ = scene
    answer = nvr.api.post("/users", json={
        "username": "guest", "password": VIEWER_PASSWORD, "role": "viewer", "restrict_camera_access": True, "camera_accesses": [{"id": 1, "can_view": True, "can_replay": False}]})
    assert answer.status_code == 200, answer.text
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base, "guest", VIEWER_PASSWORD).open("/ui/live")
        browser.until("one tile plays", "return document.querySelectorAll('.tile').length === 1 && document.querySelector('.tile').dataset.condition === 'playing'")
        entries = browser.execute_script("return [...document.querySelectorAll('.sidebar nav a')].map((link) => link.getAttribute('href'))")
        assert entries == ["/ui/live", "/ui/replay", "/ui/events", "/ui/system"]
        assert not browser.find_elements(By.CSS_SELECTOR, ".tile-actions .button")
        browser.press(".tile-link")
        browser.until("it plays", "return document.querySelector('.enlarged')?.dataset.condition === 'playing'")
        assert not browser.find_elements(By.CSS_SELECTOR, ".enlarged-foot a")
        for page, what in (("/ui/cameras", ".empty"), ("/ui/replay", ".empty"), ("/ui/system/users", ".empty"), ("/ui/system", ".facts-row")):
            browser.open(page)
            browser.shown(what)
        assert browser.execute_script("return [...document.querySelectorAll('.tabs a')].map((link) => link.getAttribute('href'))") == ["/ui/system", "/ui/system/about"]
        assert browser.complaints() == []


def test_a_second_factor_is_set_up_and_asked_for(scene, tmp_path):
    nvr, _ = scene
    assert nvr.api.post("/users", json={"username": "careful", "password": VIEWER_PASSWORD, "role": "viewer"}).status_code == 200
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base, "careful", VIEWER_PASSWORD).open("/ui/profile")
        browser.press("#begin-2fa")
        secret = browser.text("#secret")
        browser.until("the QR code", "return document.querySelector('img.qr').naturalWidth > 20")
        browser.fill("dialog", code=totp(secret))
        browser.press("dialog [type=submit]")
        codes = browser.until("recovery codes", "const list = [...document.querySelectorAll('.codes li')].map((item) => item.textContent); return list.length === 10 && list")
        browser.press("#done-2fa")
        browser.press("#sign-out")
        browser.shown("#auth-form")
        browser.fill("#auth-form", username="careful", password=VIEWER_PASSWORD)
        browser.press("#auth-submit")
        browser.shown("#auth-form [name=code]")
        browser.fill("#auth-form", code="000000")
        browser.press("#auth-submit")
        browser.shown("#auth-problem")
        browser.press("#auth-form .row .button:last-child")
        browser.fill("#auth-form", code=codes[0])
        browser.press("#auth-submit")
        browser.shown(".sidebar")
        assert [line for line in browser.complaints() if "401" not in line] == []


def test_a_session_that_ends_leads_to_the_sign_in_and_back(scene, tmp_path):
    nvr, _ = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/cameras/1/motion")
        browser.shown(".editor")
        browser.execute_async_script("fetch('/auth/logout', {method: 'POST'}).then(arguments[0])")
        browser.shown("#auth-form")
        browser.fill("#auth-form", username=USER, password=PASSWORD)
        browser.press("#auth-submit")
        browser.shown(".editor")
        assert browser.execute_script("return location.pathname") == "/ui/cameras/1/motion"


def test_languages_and_colours_are_chosen(scene, tmp_path):
    nvr, _ = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/profile")
        for name, live in (("Deutsch", "Aufnahmen"), ("Français", "Relecture"), ("Italiano", "Registrazioni"), ("Español", "Grabaciones"), ("English", "Replay")):
            browser.fill("#main", language=name)
            browser.until(name, "return document.querySelector('#nav-replay').textContent === arguments[0]", live)
        browser.fill("#main", theme="Light")
        assert browser.until("light", "return document.documentElement.dataset.theme === 'light' && getComputedStyle(document.body).backgroundColor") == "rgb(243, 245, 248)"
        # A number is typed digit by digit, also through one that is too small.
        browser.shown("[name=tour]").send_keys(Keys.CONTROL, "a")
        browser.shown("[name=tour]").send_keys("20")
        browser.until("it is kept", "return document.querySelector('[name=tour]').value === '20' && JSON.parse(localStorage.getItem('vibenvr.preferences')).tourSeconds === 20")
        assert browser.complaints() == []


def test_what_is_wrong_is_told_on_every_page(tmp_path):
    with GstCamera({"/main": footage.street()}, live=True) as camera, NVR(segment_seconds=5) as nvr, browsing(tmp_path, DESKTOP) as browser:
        nvr.start().with_admin()
        key = nvr.api.add_camera("Front door", camera.url("/main"), recording_mode="Continuous")
        wait_for("it records", lambda: nvr.rows(key), 90)
        browser.sign_in(nvr.api.base).open("/ui/events")
        browser.shown(".sidebar")
        assert not browser.find_elements(By.CSS_SELECTOR, "#health-banner")
        camera.close()
        wait_for("the server knows", lambda: nvr.api.json("/health").get("problems"), 120, 0.5)
        assert "Recording" in browser.text("#health-banner")
        shares = lambda: [one["percent"] for day in nvr.api.json("/health/recorded")["days"] for one in day["cameras"]]  # noqa: E731
        wait_for("it is known how much was recorded", lambda: any(share is not None for share in shares()), 90, 0.5)
        browser.press("#health-banner a")
        browser.until("the dashboard", "return location.pathname === '/ui/system'")
        browser.shown("#health-problems")
        browser.until("what happened", "return document.querySelector('#health-events li')?.textContent.includes('Front door')")
        browser.until("how much was recorded", "return /recorded [\\d.]+ %/.test(document.querySelector(`.health [data-camera='${arguments[0]}']`)?.textContent ?? '')", str(key))
        # Hidden until something else is wrong.
        browser.press("#health-banner button")
        browser.gone("#health-banner")
        browser.open("/ui/live")
        browser.shown("#health-banner")


def test_storage_tells_how_long_footage_stays_and_cleans_up(scene, tmp_path):
    nvr, _ = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/system/storage")
        browser.until("the forecast", "return document.querySelectorAll('#forecast tbody tr').length >= 2")
        assert "Front door" in browser.text("#forecast tbody")
        browser.press("#cleanup")
        browser.shown("dialog")
        # Nothing of this footage is too old.
        assert not browser.find_elements(By.CSS_SELECTOR, "#run-cleanup")
        browser.press("dialog .dialog-actions .button")
        browser.gone("dialog")
        # A look at the files that mends nothing.
        browser.press("[name=dry_run] ~ .track")
        browser.press("#start-sync")
        wait_for("it is done", lambda: nvr.api.json("/settings/sync-orphans/status")["status"] == "completed", 120)
        assert nvr.api.json("/settings/sync-orphans/status")["dry_run"] is True
        assert browser.complaints() == []


def test_a_bucket_for_copies_is_set_up_tested_and_deleted(scene, tmp_path):
    nvr, _ = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/system/storage")
        browser.press("#add-bucket")
        browser.press("#save-bucket")
        browser.until("what is missing is told", "return document.querySelectorAll('dialog .field.wrong').length >= 4")
        browser.fill("dialog", name="Away", endpoint="http://127.0.0.1:9", bucket="copies", access_key="AK", secret_key="sesame-street")
        browser.execute_script("document.querySelector('dialog .picks input').click()")
        browser.press("#save-bucket")
        browser.gone("dialog")
        (bucket,) = nvr.api.json("/storage/s3")
        assert (bucket["name"], bucket["bucket"], bucket["offsite_camera_ids"]) == ("Away", "copies", [1])
        assert "sesame" not in json.dumps(bucket)
        # Nobody listens there: the test says so.
        browser.keep_messages()
        browser.press(".bucket .card-head .button:first-child")
        browser.shown(".toast.bad")
        browser.keep_messages(False)
        # Changed without the secret being typed again.
        browser.press(".bucket [aria-label='Edit profile Away']")
        browser.fill("dialog", prefix="house")
        browser.press("#save-bucket")
        browser.gone("dialog")
        assert nvr.api.json("/storage/s3")[0]["prefix"] == "house"
        browser.press(".bucket [aria-label='Delete profile Away']")
        browser.press("dialog .button.danger")
        wait_for("it is gone", lambda: nvr.api.json("/storage/s3") == [])
        browser.gone(".bucket")
        assert [line for line in browser.complaints() if "status of 4" not in line] == []


# What a server answers that moves footage into buckets and can give up what lies on a volume that is gone.
ARCHIVES = """
const ask = window.fetch;
window.sent = [];
const answer = (body) => new Response(JSON.stringify(body), { headers: { 'Content-Type': 'application/json' } });
window.fetch = async (target, options) => {
  const path = new URL(target, location.href).pathname.replace('/api/', '/');
  if (options?.method === 'PUT' && path.startsWith('/cameras/')) {
    window.sent.push(JSON.parse(options.body).archive_storage_profile_id);
    return ask(target, { ...options, body: '{}' });
  }
  if (path.endsWith('/forget')) {
    const isTold = target.includes('dry_run=true');
    window.sent.push(isTold ? 'dry' : JSON.parse(options.body));
    return answer({ recordings: 12, snapshots: 3, bytes: 4000000, forgotten: !isTold });
  }
  const response = await ask(target, options);
  if (path === '/openapi.json') {
    const document = await response.json();
    document.paths['/storage/s3/{profile_id}/forget'] = {};
    document.components.schemas.S3Profile.properties.max_size_gb = { type: 'number' };
    for (const { properties } of Object.values(document.components.schemas)) if (properties?.archive_storage_profile_id) properties.archive_storage_profile_id.minimum = -1000;
    return answer(document);
  }
  if (path === '/storage/s3' && (options?.method ?? 'GET') === 'GET') {
    const state = { status: 'lost', cause: 'unreachable', reason: 'the server does not answer (connecting)', reason_code: 'bucket_timeout',
      reason_parameters: { phase: { text: 'connecting', code: 'phase_connecting', parameters: null } }, since: new Date().toISOString() };
    return answer((await response.json()).map((bucket) => ({ ...bucket, max_size_gb: 100, archive: { recordings: 12, snapshots: 3, bytes: 4000000 }, state })));
  }
  return response;
};
"""


def test_old_footage_may_move_into_a_bucket_where_the_server_can(scene, tmp_path):
    nvr, _ = scene
    bucket = nvr.api.post("/storage/s3", json={"name": "Far away", "endpoint": "http://127.0.0.1:9", "bucket": "archive", "access_key": "AK", "secret_key": "sesame-street"})
    assert bucket.status_code == 200, bucket.text
    key = bucket.json()["id"]
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base)
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": ARCHIVES})
        browser.open("/ui/cameras/1/storage")
        browser.until("it is offered", "return [...document.querySelectorAll('[name=archive_storage_profile_id] option')].some((option) => option.textContent === 'Far away (bucket)')")
        # As an archive only: what is recorded now needs a folder.
        assert not browser.execute_script("return [...document.querySelectorAll('[name=storage_profile_id] option')].some((option) => Number(option.value) < 0)")
        browser.fill(".editor", archive_storage_profile_id="Far away (bucket)")
        browser.press("#save-camera")
        browser.until("it is sent", "return window.sent.length === 1")
        assert browser.execute_script("return window.sent[0]") == -key
        browser.open("/ui/system/storage")
        text = browser.until("it is lost", "return document.querySelector('.bucket.lost')?.textContent")
        assert "The server does not answer (when connecting)" in text and "archive: 4" in text and "At most" in text, text
        # Given up after two questions, by the numbers of the first.
        browser.press(".bucket .forget")
        assert "12 recordings and 3 pictures" in browser.text("dialog p")
        browser.press("dialog .button.danger")
        browser.until("asked again", "return document.querySelector('dialog p')?.textContent.includes('does not come back')")
        browser.keep_messages()
        browser.press("dialog .button.danger")
        browser.until("it is done", "return [...document.querySelectorAll('.toast')].some((toast) => toast.textContent.includes('is given up'))")
        browser.keep_messages(False)
        assert browser.execute_script("return window.sent") == ["dry", {"recordings": 12, "snapshots": 3, "bytes": 4000000}]
        browser.press(".bucket [aria-label='Edit profile Far away']")
        browser.shown("dialog [name=max_size_gb]")
        assert browser.complaints() == []
    assert nvr.api.delete(f"/storage/s3/{key}").status_code == 200
