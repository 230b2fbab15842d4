"""What people do between pages of the interface, in Chromium: going back, working in two tabs, a session that ends while they type, deleting
and taking back, sorting out long lists, drawing without a mouse, a slow machine."""

from __future__ import annotations

import json
import time

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from harness.browser import DESKTOP, PHONE, browsing
from harness.server import NVR, PASSWORD, wait_for
from peers import footage
from peers.gst_camera import GstCamera
from test_ui_pages import axe, faults, ready, too_wide


@pytest.fixture(scope="module")
def scene():
    large, small = footage.street(), footage.small()
    with GstCamera({"/main": large, "/sub": small}, live=True) as camera, NVR(segment_seconds=5) as nvr:
        nvr.start().with_admin()
        for name, mode in (("Front door", "Continuous"), ("Car park", "Off"), ("Yard", "Off")):
            nvr.api.add_camera(name, camera.url("/main"), sub_rtsp_url=camera.url("/sub"), recording_mode=mode)
        wait_for("recordings", lambda: sum(bool(event["timestamp_end"]) for event in nvr.api.events(event_type="continuous")) >= 6, 180)
        yield nvr


def events_of(browser, least: int = 3) -> list[int]:
    return browser.until("events", """
        const found = [...document.querySelectorAll('#event-list .event[data-event]')].map((event) => Number(event.dataset.event));
        return found.length >= arguments[0] && found;""", least)


def near(points: list[list[float]], wanted: list[list[float]], off: float) -> bool:
    return len(points) == len(wanted) and all(abs(a - b) <= off for one, other in zip(points, wanted) for a, b in zip(one, other))


def focused(browser) -> str:
    return browser.execute_script("const here = document.activeElement; return here.id || here.getAttribute('aria-label') || here.className || here.tagName")


def test_a_session_that_ends_while_somebody_types_keeps_what_was_typed(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/cameras/3/general")
        browser.fill(".editor", name="Back yard")
        browser.shown("#save-camera")
        browser.execute_script("const ask = window.fetch; window.asked = []; window.fetch = (target, options) => { window.asked.push(String(target)); return ask(target, options); };")
        browser.execute_async_script("fetch('/auth/logout', {method: 'POST'}).then(arguments[0])")
        browser.shown(".auth-again #auth-form")
        browser.execute_script("window.asked = []")
        # Nothing of the page shows through, and nothing of it can be reached.
        assert browser.execute_script("return document.elementFromPoint(innerWidth / 2, 20).closest('.auth-again') !== null")
        assert browser.execute_script("return document.querySelector('#auth-form [name=username]').value") == "admin"
        browser.shown(".auth-again").send_keys(Keys.ESCAPE)
        browser.shown(".auth-again #auth-form")
        browser.fill("#auth-form", password=PASSWORD)
        # Whoever heard of the end asks for nothing more that would be refused.
        assert [path for path in browser.execute_script("return window.asked") if "/auth/" not in path] == []
        browser.press("#auth-submit")
        browser.gone(".auth-again")
        assert browser.execute_script("return document.querySelector('.editor [name=name]').value") == "Back yard"
        browser.press("#save-camera")
        browser.gone("#save-camera")
        assert nvr.api.camera(3)["name"] == "Back yard"
        # An open dialog, and what is in it, stay as well.
        browser.open("/ui/cameras/groups")
        browser.press("#add-group")
        browser.fill("dialog.dialog", name="Half typed")
        browser.execute_async_script("fetch('/auth/logout', {method: 'POST'}).then(arguments[0])")
        browser.shown(".auth-again #auth-form")
        assert browser.execute_script("return document.elementFromPoint(innerWidth / 2, innerHeight / 2).closest('.auth-again') !== null")
        browser.fill("#auth-form", password=PASSWORD)
        browser.press("#auth-submit")
        browser.gone(".auth-again")
        assert browser.shown("dialog.dialog [name=name]").get_attribute("value") == "Half typed"


def test_who_signs_in_in_one_tab_is_signed_in_in_the_other(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/events")
        first = browser.current_window_handle
        events_of(browser)
        browser.switch_to.new_window("tab")
        browser.open("/ui/events")
        browser.press("#sign-out")
        browser.shown("#auth-form")
        second = browser.current_window_handle
        browser.switch_to.window(first)
        browser.shown(".auth-again #auth-form")
        browser.switch_to.window(second)
        browser.fill("#auth-form", username="admin", password=PASSWORD)
        browser.press("#auth-submit")
        browser.shown(".sidebar")
        browser.switch_to.window(first)
        browser.gone(".auth-again")
        events_of(browser)


def test_going_back_asks_before_what_was_typed_is_given_up(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/cameras")
        browser.press(".camera-list li[data-camera='2'] .camera-main")
        browser.shown(".editor")
        browser.fill(".editor", location="By the gate")
        browser.execute_script("history.back()")
        browser.answer(False)
        browser.until("it is still there", "return location.pathname === '/ui/cameras/2' && document.querySelector('.editor [name=location]').value === 'By the gate'")
        # Another section of the same camera keeps it without a question.
        browser.press(".tabs a[href$='/recording']")
        browser.until("the section", "return location.pathname === '/ui/cameras/2/recording'")
        browser.shown("#save-camera")
        browser.execute_script("history.back()")
        browser.answer(True)
        browser.until("the list", "return location.pathname === '/ui/cameras' && document.querySelector('.camera-list')")
        assert nvr.api.camera(2)["location"] != "By the gate"
        # So it is with a camera that is being added.
        browser.press("#add-camera")
        browser.fill("#camera-form", name="New one")
        browser.press("#nav-live")
        browser.answer(False)
        assert browser.shown("#camera-form [name=name]").get_attribute("value") == "New one"
        browser.press("#nav-live")
        browser.answer(True)
        browser.until("live", "return location.pathname === '/ui/live'")
        # An address that is no text at all names no page, and breaks none; the server itself refuses it.
        assert nvr.api.get("/ui/%E0%A4%A/x").status_code == 404
        browser.execute_script("const state = {index: 99}; history.pushState(state, '', '/ui/%E0%A4%A/x'); dispatchEvent(new PopStateEvent('popstate', {state}))")
        browser.shown("#main .empty")
        # Signing out gives it up as well.
        browser.open("/ui/cameras/2/general")
        browser.fill(".editor", location="By the gate")
        browser.press("#sign-out")
        browser.answer(False)
        assert browser.shown(".editor [name=location]").get_attribute("value") == "By the gate"
        browser.press("#sign-out")
        browser.answer(True)
        browser.shown("#auth-form")


def test_pages_have_names_and_places_of_their_own(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, (1280, 420)) as browser:
        browser.sign_in(nvr.api.base)
        for page, name in (("/ui/live", "Live"), ("/ui/live/1", "Front door"), ("/ui/replay", "Replay"), ("/ui/events", "Events"), ("/ui/cameras", "Cameras"), ("/ui/cameras/1/motion", "Front door"), ("/ui/system", "System"), ("/ui/profile", "Profile")):
            browser.open(page)
            browser.until(name, "return document.title === arguments[0] + ' · VibeNVR'", name)
        # Who goes back finds the page as far down as it was, when it is long enough for that within some moments: a machine with other work may
        # not be as quick each time.
        down = "return Math.abs(document.querySelector('#main').scrollTop - 500) < 60"
        for _ in range(5):
            browser.open("/ui/profile")
            ready(browser)
            browser.execute_script("document.querySelector('#main').scrollTop = 500")
            browser.press("#nav-events")
            events_of(browser, 1)
            browser.execute_script("history.back()")
            browser.until("back", "return location.pathname === '/ui/profile'")
            deadline = time.monotonic() + 5
            while not (is_down := browser.execute_script(down)) and time.monotonic() < deadline:
                time.sleep(0.1)
            if is_down:
                break
        assert is_down
        assert browser.complaints() == []


def test_a_delete_is_taken_back_from_the_viewer_and_sorting_out_goes_on(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        nvr.api.put("/cameras/1", json={"recording_mode": "Off"})
        wait_for("nothing is recorded any more", lambda: all(event["timestamp_end"] for event in nvr.api.events(event_type="continuous")), 60)
        browser.sign_in(nvr.api.base).open("/ui/events?kind=continuous")
        ids = events_of(browser, 4)
        shown = "return new URLSearchParams(location.search).get('event') === arguments[0]"
        browser.press(f"#event-list .event[data-event='{ids[1]}'] .event-open")
        browser.until("it is open", shown, str(ids[1]))
        browser.keep_messages()
        browser.press("#delete-event")
        # The next one is shown, and the message can be pressed although a dialog is open.
        browser.until("the next", shown, str(ids[2]))
        browser.press(".toast .button")
        browser.gone(".event.gone")
        browser.keep_messages()
        browser.press("#delete-event")
        browser.until("the next", shown, str(ids[3]))
        ActionChains(browser).send_keys("k").perform()
        # What is about to go is stepped over.
        browser.until("the one before the deleted ones", shown, str(ids[1]))
        ActionChains(browser).send_keys("j").perform()
        browser.until("and after them", shown, str(ids[3]))
        browser.keep_messages(False)
        wait_for("one is deleted", lambda: ids[2] not in {event["id"] for event in nvr.api.events(event_type="continuous")}, 30)
        browser.until("the list knows", "return !document.querySelector(`#event-list [data-event='${arguments[0]}']`)", ids[2])
        # The list has moved on below it: still the same event is shown, with its new neighbours.
        assert browser.execute_script(shown, str(ids[3]))
        assert {event["id"] for event in nvr.api.events(event_type="continuous")} >= {ids[1], ids[3]}
        ActionChains(browser).send_keys("k").perform()
        browser.until("its neighbour", shown, str(ids[1]))
        # By way of the replay and back it is among its neighbours again.
        browser.press(".viewer .dialog-actions a[href*='/replay']")
        browser.shown("#timeline")
        browser.execute_script("history.back()")
        browser.shown(".viewer")
        browser.until("its neighbours", "return !document.querySelector('.viewer .dialog-actions button:nth-of-type(2)').disabled")
        ActionChains(browser).send_keys("j").perform()
        browser.until("the next", shown, str(ids[3]))
        assert browser.complaints() == []


def test_a_delete_happens_even_when_the_page_is_closed_at_once(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/events?kind=continuous")
        ids = events_of(browser, 2)
        browser.execute_script("document.querySelector('#event-list .event-choose input').click()")
        # It would not be deleted by itself as long as somebody may take it back.
        browser.keep_messages()
        browser.press("#delete-chosen")
        browser.shown(".toast .button")
        browser.get("about:blank")
        wait_for("it is deleted", lambda: ids[0] not in {event["id"] for event in nvr.api.events(event_type="continuous")}, 60)
        # So it does when somebody signs out at once.
        browser.sign_in(nvr.api.base).open("/ui/events?kind=continuous")
        ids = events_of(browser, 2)
        browser.execute_script("document.querySelector('#event-list .event-choose input').click()")
        # It would not be deleted by itself as long as somebody may take it back.
        browser.keep_messages()
        browser.press("#delete-chosen")
        browser.shown(".toast .button")
        browser.press("#sign-out")
        browser.shown("#auth-form")
        assert ids[0] not in {event["id"] for event in nvr.api.events(event_type="continuous")}


LONG_LIST = """
const ask = window.fetch;
window.asked = window.running = window.atOnce = 0;
window.fetch = async (target, options) => {
  const url = new URL(target, location.href);
  if (url.pathname !== '/api/events') return ask(target, options);
  window.asked += 1;
  window.running += 1;
  window.atOnce = Math.max(window.atOnce, window.running);
  const skip = Number(url.searchParams.get('skip')), limit = Number(url.searchParams.get('limit'));
  await new Promise((done) => setTimeout(done, 60));
  window.running -= 1;
  const items = Array.from({ length: Math.max(0, Math.min(limit, 1000000 - skip)) }, (_, place) => ({
    id: 1000000 - skip - place, camera_id: 1, timestamp_start: new Date(1790000000000 - (skip + place) * 60000).toISOString(), timestamp_end: new Date(1790000030000 - (skip + place) * 60000).toISOString(),
    type: 'video', event_type: 'motion', file_path: 'x', file_size: 1000, thumbnail_path: null, width: 640, height: 360, motion_score: 0.1, ai_metadata: null }));
  return new Response(JSON.stringify(items), { headers: { 'Content-Type': 'application/json', 'X-Total-Count': '1000000' } });
};
"""


def test_a_million_events_are_scrolled_without_slowing(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base)
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LONG_LIST})
        browser.open("/ui/events")
        first = events_of(browser, 8)
        assert first[0] == 1_000_000
        # The scroll bar is dragged from the top to the bottom, a place every picture; the list draws only what is seen, and asks for little.
        most = browser.execute_async_script("""
            const done = arguments[arguments.length - 1];
            const list = document.querySelector('.events-scroll');
            let place = 0, most = 0;
            const look = () => {
              place += 1;
              list.scrollTop = (list.scrollHeight - list.clientHeight) * place / 120;
              most = Math.max(most, document.querySelectorAll('#event-list > *').length);
              if (place < 120) requestAnimationFrame(look); else done(most);
            };
            look();""")
        assert most < 120, most
        browser.until("the last", "return [...document.querySelectorAll('#event-list .event')].some((event) => event.dataset.event === '1')")
        # Two pages at once, and the look whether something is new.
        assert browser.execute_script("return window.atOnce") <= 3
        assert browser.execute_script("return document.querySelectorAll('*').length") < 3000
        # By keyboard, from the last to the first, and over the border of a page.
        browser.execute_script("document.querySelector('#event-list .event:last-child .event-open').focus()")
        ActionChains(browser).send_keys(Keys.HOME).perform()
        browser.until("the first has the focus", "return document.activeElement.closest('.event')?.dataset.event === '1000000'")
        columns = browser.execute_script("return getComputedStyle(document.querySelector('#event-list')).gridTemplateColumns.split(' ').length")
        ActionChains(browser).send_keys(*([Keys.ARROW_DOWN] * (100 // columns + 2))).perform()
        browser.until("it is beyond the first page", "return Number(document.activeElement.closest('.event')?.dataset.event) < 999900")
        assert browser.complaints() == []


def test_what_lies_below_the_large_picture_is_out_of_reach_and_the_focus_comes_back(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/live")
        browser.until("tiles", "return document.querySelectorAll('.tile[data-condition=playing]').length >= 2")
        browser.execute_script("document.querySelector(\".tile[data-camera='2'] .tile-link\").focus()")
        ActionChains(browser).send_keys(Keys.ENTER).perform()
        browser.shown(".enlarged")
        for _ in range(25):
            ActionChains(browser).send_keys(Keys.TAB).perform()
            assert not browser.execute_script("return document.activeElement.closest('.live-area, .live-bar') !== null"), focused(browser)
        browser.shown(".enlarged").send_keys(Keys.ESCAPE)
        browser.gone(".enlarged")
        browser.until("the tile has the focus", "return document.activeElement.closest('.tile')?.dataset.camera === '2'")
        # What is told in full screen is seen there.
        browser.execute_script("document.querySelector('.live').requestFullscreen()")
        browser.until("full screen", "return document.fullscreenElement !== null")
        browser.keep_messages()
        browser.execute_script("document.querySelector(\".tile[data-camera='1'] .tile-actions [aria-label='Store a snapshot']\").click()")
        browser.until("it is told", "return document.fullscreenElement.querySelector('.toast') !== null")
        browser.execute_script("document.exitFullscreen()")
        assert browser.complaints() == []


def test_cameras_are_put_into_another_order(scene, tmp_path):
    nvr = scene
    order = lambda: [camera["id"] for camera in nvr.api.json("/cameras")]  # noqa: E731
    listed = "return [...document.querySelectorAll('.camera-list > li')].map((row) => Number(row.dataset.camera))"
    before = order()
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/cameras")
        browser.press("#arrange")
        browser.press(f".camera-list li[data-camera='{before[0]}'] .camera-actions button:last-child")
        wait_for("it is one further", lambda: order() == [before[1], before[0], before[2]])
        browser.until("on the page, too", listed + ".join() === arguments[0]", ",".join(map(str, order())))
        # Dragged back, onto the first place.
        rows = {row: browser.shown(f".camera-list li[data-camera='{row}'] .camera-text") for row in before}
        ActionChains(browser).move_to_element(rows[before[0]]).click_and_hold().move_to_element(rows[before[1]]).move_by_offset(2, 2).release().perform()
        wait_for("it is where it was", lambda: order() == before)
        assert browser.execute_script("return location.pathname") == "/ui/cameras"
        assert browser.complaints() == []


def test_a_refused_order_is_taken_back(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base)
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": """
            const ask = window.fetch;
            window.fetch = async (target, options) => String(target).includes('/reorder')
              ? (await new Promise((done) => { window.answer = done; }), new Response('{"detail": "the disk is full"}', { status: 507 })) : ask(target, options);"""})
        browser.open("/ui/cameras")
        listed = "return [...document.querySelectorAll('.camera-list > li')].map((row) => row.dataset.camera).join()"
        browser.press("#arrange")
        before = browser.execute_script(listed)
        browser.keep_messages()
        browser.press(".camera-list li:first-child .camera-actions button:last-child")
        browser.until("it is seen at once", listed + " !== arguments[0]", before)
        # The server answers.
        browser.until("the server is asked", "window.answer?.(); return Boolean(window.answer)")
        browser.until("it is told", "return [...document.querySelectorAll('.toast.bad')].some((toast) => toast.textContent.includes('the disk is full'))")
        browser.until("and taken back", listed + " === arguments[0]", before)


def test_areas_are_drawn_by_keyboard_and_by_finger(scene, tmp_path):
    nvr = scene
    masks = lambda: [mask["points"] for mask in json.loads(nvr.api.camera(2)["motion_masks"])]  # noqa: E731
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/cameras/2/masks")
        browser.execute_script("arguments[0].focus()", browser.shown("#add-mask"))
        ActionChains(browser).send_keys(Keys.ENTER).perform()
        browser.until("a corner has the focus", "return document.activeElement.dataset?.kind === 'corner'")
        ActionChains(browser).send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_UP).perform()
        # A side gets a corner, which is moved as well; another corner goes.
        browser.execute_script("document.querySelector('.handle.edge').focus()")
        ActionChains(browser).send_keys(Keys.ENTER).perform()
        browser.until("its corner has the focus", "return document.querySelectorAll('.handle.corner').length === 5 && document.activeElement.dataset?.kind === 'corner' && document.activeElement.dataset.index === '1'")
        ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_UP).key_up(Keys.SHIFT).perform()
        browser.execute_script("document.querySelector('.handle.corner[data-index=\"4\"]').focus()")
        ActionChains(browser).send_keys(Keys.DELETE).perform()
        browser.until("it is gone", "return document.querySelectorAll('.handle.corner').length === 4")
        browser.press("#save-camera")
        browser.gone("#save-camera")
        (mask,) = masks()
        # The side from (0.33, 0.34) to (0.65, 0.35) got its corner in the middle, which went up by 0.05; the corner at (0.35, 0.65) is gone.
        assert near(mask, [[0.33, 0.34], [0.49, 0.295], [0.65, 0.35], [0.65, 0.65]], 0.002), mask
        # The area as a whole: moved, and deleted.
        browser.execute_script("document.querySelector('polygon.mask').focus()")
        ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
        browser.until("it has moved", "return Math.abs(Number(document.querySelector('polygon.mask').getAttribute('points').split(/[ ,]/)[0]) - 0.34) < 0.001")
        ActionChains(browser).send_keys(Keys.DELETE).perform()
        browser.until("it is gone", "return !document.querySelector('polygon.mask')")
        browser.press("#save-camera")
        browser.gone("#save-camera")
        assert masks() == []

        # By finger, on a phone: three taps, and the first corner again; then a corner is dragged.
        browser.emulate(PHONE, phone=True).open("/ui/cameras/2/masks")
        browser.until("the picture", "return document.querySelector('.mask-stage img')?.naturalWidth > 100")
        browser.press("#add-mask")
        browser.execute_script("document.querySelector('.mask-stage').scrollIntoView({ block: 'center' })")

        def place(x: float, y: float) -> dict:
            left, top, width, height = browser.execute_script("const box = document.querySelector('.mask-stage').getBoundingClientRect(); return [box.left, box.top, box.width, box.height]")
            return {"x": left + x * width, "y": top + y * height}

        touch = lambda kind, points: browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})  # noqa: E731
        for x, y in ((0.2, 0.2), (0.7, 0.2), (0.7, 0.7), (0.2, 0.2)):
            touch("touchStart", [place(x, y)])
            touch("touchEnd", [])
        browser.until("the area", "return document.querySelectorAll('.handle.corner').length === 3")
        # The bar that saves lies over the end of the page by now.
        browser.execute_script("document.querySelector('.mask-stage').scrollIntoView({ block: 'start' })")
        touch("touchStart", [place(0.7, 0.7)])
        for step in range(1, 6):
            touch("touchMove", [place(0.7 - 0.03 * step, 0.7 + 0.03 * step)])
        touch("touchEnd", [])
        browser.press("#save-camera")
        browser.gone("#save-camera")
        (mask,) = masks()
        assert near(mask, [[0.2, 0.2], [0.7, 0.2], [0.55, 0.85]], 0.03), mask
        nvr.api.put("/cameras/2", json={"motion_masks": []})
        assert browser.complaints() == []


def test_what_does_nothing_here_says_so(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base)
        for tab in ("overlay", "objects", "alerts"):
            browser.open(f"/ui/cameras/1/{tab}")
            assert "does not act on them yet" in browser.text(".editor .note")
        browser.open("/ui/cameras/1/stream")
        hint = "return document.querySelector(`.editor [name=${arguments[0]}]`).closest('.field').querySelector('.field-hint')?.textContent ?? ''"
        browser.shown(".editor [name=rotation]")
        assert "without effect" in browser.execute_script(hint, "rotation") and "without effect" not in browser.execute_script(hint, "rtsp_transport")
        browser.open("/ui/cameras/1/snapshots")
        assert [option.text for option in Select(browser.shown("[name=picture_recording_mode]")).options] == ["By hand", "On motion"]
        # Settings that go together so that nothing is ever recorded are told before they are saved, and in the list when they are.
        browser.open("/ui/cameras/2/recording")
        browser.shown(".editor [name=recording_mode]")
        assert not browser.find_elements(By.ID, "records-nothing")
        browser.fill(".editor", recording_mode="On motion")
        assert "nothing looks for motion" in browser.text("#records-nothing")
        browser.press(".tabs a[href$='/motion']")
        browser.shown("#records-nothing")
        browser.fill(".editor", detect_motion_mode="Always")
        browser.gone("#records-nothing")
        assert nvr.api.put("/cameras/2", json={"recording_mode": "Motion Triggered"}).status_code == 200
        browser.press("#nav-cameras")
        browser.answer(True)
        browser.until("the list tells", "return document.querySelector(\"[data-camera='2'] .why\")?.textContent.includes('nothing looks for motion')")
        assert nvr.api.put("/cameras/2", json={"recording_mode": "Off"}).status_code == 200


def test_keys_of_single_letters_can_be_switched_off(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base, preferences={"shortcuts": False}).open("/ui/events?kind=continuous")
        events_of(browser, 2)
        browser.execute_script("document.querySelector('.event-open').focus()")
        ActionChains(browser).send_keys("x", Keys.ARROW_RIGHT).perform()
        browser.until("the arrow works", "return document.activeElement.dataset.index === '1'")
        assert not browser.find_elements(By.CSS_SELECTOR, ".event.chosen")
        browser.open("/ui/profile")
        browser.press("[name=shortcuts] ~ .track")
        browser.open("/ui/events?kind=continuous")
        events_of(browser, 2)
        # Without anything having the focus, too.
        ActionChains(browser).send_keys("x").perform()
        browser.until("the letter works", "return document.querySelectorAll('.event.chosen').length === 1")


OPENED = [
    ("/ui/live", "[aria-label='New layout']", "dialog.dialog"), ("/ui/cameras/groups", "#add-group", "dialog.dialog"),
    ("/ui/cameras", "#export-cameras", "dialog.dialog"),
    ("/ui/cameras", ".page-actions .button:first-child", "dialog.dialog"), ("/ui/cameras", ".camera-list li .camera-actions button:nth-child(2)", "dialog.dialog"),
    ("/ui/cameras", ".camera-list li .camera-actions button:nth-child(3)", "dialog.dialog"), ("/ui/cameras", "#arrange", ".camera-list.arranging"),
    ("/ui/cameras/new", ".brand-help summary", ".brand-help[open]"), ("/ui/cameras/new", "#save-camera", ".field.wrong"), ("/ui/events", "#event-list .event-open", ".viewer"),
    ("/ui/events", "#event-list .event:nth-child(2) .event-open", ".viewer"), ("/ui/replay?cameras=1", "#replay-cameras summary", ".picker[open]"), ("/ui/profile", "#begin-2fa", "img.qr"),
    ("/ui/profile", "#make-secret", "dialog.dialog"), ("/ui/live", "[aria-label=Arrange]", ".tile.arranging"),
]


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
def test_what_is_opened_is_usable_by_all_and_fits_a_phone(scene, tmp_path, light):
    nvr = scene
    source = axe()
    problems: list[str] = []
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base)
        for size, phone in ((DESKTOP, False), (PHONE, True)):
            browser.emulate(size, phone=phone, light=light)
            for page, button, what in OPENED:
                browser.open(page)
                ready(browser)
                browser.shown(button)
                browser.execute_script("document.querySelector(arguments[0]).click()", button)
                try:
                    browser.shown(what)
                except Exception as problem:
                    problems.append(f"{page} {button}: {what} does not come ({type(problem).__name__})")
                    continue
                found = faults(browser, source)
                wide = browser.execute_script("return Math.max(document.documentElement.scrollWidth - innerWidth, ...[...document.querySelectorAll('dialog[open] .dialog-body')].map((body) => body.scrollWidth - body.clientWidth))")
                problems += [f"{page} {button} {size}: {line}" for line in found] + ([f"{page} {button} {size}: {wide} pixels too wide"] if wide > 0 else [])
            # Chosen events, and the dialogs for them.
            for dialog in ("#hold-chosen", "#export-chosen"):
                browser.open("/ui/events?kind=continuous")
                events_of(browser, 1)
                browser.execute_script("document.querySelector('#event-list .event-choose input').click()")
                browser.press(dialog)
                browser.shown("dialog.dialog")
                problems += [f"{dialog} {size}: {line}" for line in faults(browser, source)]
            # A range, and what can be done with it.
            moment = time.time() - 120
            browser.open(f"/ui/replay?cameras=1&range={moment:.0f}-{moment + 70:.0f}")
            ready(browser)
            browser.press("#export")
            browser.shown("dialog.dialog")
            browser.until("what there is", "return document.querySelector('#export-recorded li')")
            problems += [f"range {size}: {line}" for line in faults(browser, source)]
    assert problems == [], "\n".join(problems)


def test_a_slow_machine_can_be_used_within_a_second(scene, tmp_path):
    nvr = scene
    took: list[float] = []
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base)
        browser.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": 4})
        # From the beginning of the navigation until the page shows its tiles and answers to a press. The best of many counts, since the machine
        # does other things as well; a page that is too slow is so in each.
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": """
            const look = () => {
              if (document.querySelector('.tile .tile-link, #event-list .event-open')) {
                setTimeout(() => { window.usableAfter = performance.now(); });
              } else requestAnimationFrame(look);
            };
            look();"""})
        begun = time.monotonic()
        while len(took) < 5 or (min(took) >= 1000 and time.monotonic() - begun < 240):
            browser.open("/ui/live")
            took.append(browser.until("it can be used", "return window.usableAfter"))
        # What the page needs first is asked once, and who is here while the program is still read.
        asked = browser.execute_script("return performance.getEntriesByType('resource').filter((entry) => entry.startTime < window.usableAfter).map((entry) => new URL(entry.name).pathname)")
        for path in ("/api/auth/status", "/api/auth/me-from-cookie", "/api/cameras", "/api/groups", "/api/auth/me/layouts", "/api/events/status"):
            assert asked.count(path) == 1, (path, asked)
        assert browser.complaints() == []
    print(f"usable after {', '.join(f'{one:.0f}' for one in took)} ms")
    assert min(took) < 1000, took


def test_a_4k_wall_is_filled(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).emulate((3840, 2160)).open("/ui/live?kiosk=1")
        browser.until("all play", "return document.querySelectorAll('.tile').length === 3 && [...document.querySelectorAll('.tile')].every((tile) => tile.dataset.condition === 'playing')")
        # Three tiles of 16:9 in two rows fill all of the height that they can.
        sizes = browser.execute_script("return [...document.querySelectorAll('.tile')].map((tile) => tile.getBoundingClientRect()).map((box) => [box.width, box.height, box.right <= innerWidth + 1 && box.bottom <= innerHeight + 1])")
        assert all(width > 1900 and inside for width, _, inside in sizes), sizes
        # From afar it is read as well: what is written grows with the picture.
        assert browser.execute_script("return [...document.querySelectorAll('.tile h2')].every((name) => parseFloat(getComputedStyle(name).fontSize) > 28)")
        assert not any(button.is_displayed() for button in browser.find_elements(By.CSS_SELECTOR, ".tile-actions")) or browser.execute_script("return matchMedia('(hover: hover)').matches")
        assert too_wide(browser) <= 0


def test_an_event_that_is_pointed_at_shows_what_happens_in_it(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/events?kind=continuous")
        events_of(browser, 2)
        ActionChains(browser).move_to_element(browser.shown("#event-list .event:nth-child(2) .event-open")).perform()
        seen: set[str] = set()

        def several() -> bool:
            picture = browser.execute_script("const picture = document.querySelector('#event-list .event:nth-child(2) .event-preview'); return picture && picture.complete && picture.naturalWidth > 50 && picture.src")
            if picture:
                seen.add(picture)
            return len(seen) >= 3

        wait_for("pictures from several moments", several, 60)
        ActionChains(browser).move_to_element(browser.shown("h1")).perform()
        browser.until("the thumbnail again", "return !document.querySelector('.event-preview')")
        assert browser.complaints() == []


def test_without_a_line_it_is_told_and_nothing_that_was_typed_is_lost(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open("/ui/cameras/2/general")
        browser.fill(".editor", location="Under the stairs")
        browser.execute_cdp_cmd("Network.enable", {})
        line = lambda isOff: browser.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": isOff, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})  # noqa: E731
        line(True)
        browser.keep_messages()
        browser.press("#save-camera")
        assert "cannot be reached" in browser.text(".banner.bad")
        browser.until("it is told", "return document.querySelector('.toast.bad')")
        browser.keep_messages(False)
        assert browser.shown(".editor [name=location]").get_attribute("value") == "Under the stairs"
        # A page that was not fetched yet is waited for.
        browser.execute_script("window.stayed = true")
        line(False)
        browser.gone(".banner.bad")
        browser.press("#save-camera")
        browser.gone("#save-camera")
        assert nvr.api.camera(2)["location"] == "Under the stairs"
        line(True)
        browser.press("#nav-events")
        browser.shown(".banner.bad")
        line(False)
        events_of(browser, 1)


@pytest.mark.parametrize("tab", ["general", "stream", "recording", "motion", "snapshots", "storage", "overlay", "objects"])
def test_what_is_wrong_is_told_beside_every_number(scene, tmp_path, tab):
    nvr = scene
    before = nvr.api.camera(3)
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base).open(f"/ui/cameras/3/{tab}")
        browser.shown(".editor .card")
        names = browser.execute_script("""
            const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
            const fields = [...document.querySelectorAll('.editor input[type=number][max]')];
            for (const field of fields) {
              set.call(field, String(Number(field.max) + 1));
              field.dispatchEvent(new Event('input', { bubbles: true }));
            }
            return fields.map((field) => field.name);""")
        if not names:
            pytest.skip("no numbers there")
        browser.press("#save-camera")
        wrong = browser.until("it is told", "const found = [...document.querySelectorAll('.editor .field.wrong')].map((field) => [field.querySelector('input').name, field.querySelector('.field-error').textContent, field.querySelector('input').getAttribute('aria-invalid'), document.getElementById(field.querySelector('input').getAttribute('aria-describedby')) !== null]); return found.length > 0 && found")
        assert [name for name, *_ in wrong] == names and all(text and invalid == "true" and described for _, text, invalid, described in wrong), wrong
    after = nvr.api.camera(3)
    assert {name: after[name] for name in names} == {name: before[name] for name in names}


def test_who_wants_no_motion_sees_none(scene, tmp_path):
    nvr = scene
    with browsing(tmp_path, DESKTOP) as browser:
        browser.sign_in(nvr.api.base)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]})
        browser.open("/ui/live")
        browser.until("tiles", "return document.querySelectorAll('.tile').length >= 2")
        moving = browser.execute_script("""
            const wheel = document.createElement('span');
            wheel.className = 'wheel';
            document.body.append(wheel);
            return [...document.querySelectorAll('*')].filter((element) => {
              const style = getComputedStyle(element);
              return parseFloat(style.transitionDuration) > 0.01 || (style.animationName !== 'none' && parseFloat(style.animationDuration) > 0.01);
            }).map((element) => element.className);""")
        assert moving == []
