"""Chromium as a person uses it: what is to be seen, what can be clicked, and what the browser complains about."""

from __future__ import annotations

import base64
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

from selenium import webdriver
from selenium.common.exceptions import JavascriptException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import alert_is_present
from selenium.webdriver.support.ui import Select, WebDriverWait

from .server import PASSWORD, REPOSITORY, USER

# A promise of the product to nobody: a slow machine with a debug build gets this long, and what a script in a page does, twice as long.
PATIENCE = 60
SCREENSHOTS = Path(os.environ.get("VIBENVR_SCREENSHOTS", REPOSITORY / ".work" / "screenshots"))
DESKTOP, PHONE = (1440, 900), (360, 780)


class Browser(webdriver.Chrome):
    """A browser with a profile of its own."""

    def __init__(self, profile: Path, size: tuple[int, int] = (1280, 860), downloads: Path | None = None):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required",
            f"--window-size={size[0]},{size[1]}", f"--user-data-dir={profile}", "--no-proxy-server", "--disable-background-networking", "--lang=en-US",
        ):
            options.add_argument(argument)
        if downloads:
            options.add_experimental_option("prefs", {"download.default_directory": str(downloads), "download.prompt_for_download": False})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        super().__init__(service=Service("/usr/bin/chromedriver"), options=options)
        self.set_script_timeout(2 * PATIENCE)
        self.base = ""

    # Where it is.

    def sign_in(self, base: str, user: str = USER, password: str = PASSWORD, preferences: dict[str, Any] | None = None) -> "Browser":
        """Signed in by the API, in a page of the server's origin."""
        self.base = base
        self.get(base + "/ui/licences.txt")
        status = self.execute_async_script(
            "const [name, word, done] = arguments; fetch('/auth/login', {method: 'POST', body: new URLSearchParams({username: name, password: word})})"
            ".then((answer) => done(answer.status), (problem) => done(String(problem)))", user, password)
        assert status == 200, status
        if preferences:
            self.execute_script("localStorage.setItem('vibenvr.preferences', arguments[0])", json.dumps(preferences))
        self.complaints()
        return self

    def open(self, path: str) -> "Browser":
        self.get(self.base + path)
        return self

    def emulate(self, size: tuple[int, int], *, phone: bool = False, light: bool = False) -> "Browser":
        self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": phone})
        self.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light" if light else "dark"}]})
        return self

    # What is there.

    def shown(self, selector: str) -> WebElement:
        """The first element that can be seen, once there is one."""
        def look(_):
            return next((element for element in self.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()), None)
        return WebDriverWait(self, PATIENCE, ignored_exceptions=_STALE).until(look, selector)

    def press(self, selector: str) -> None:
        """Clicks what can be seen; a page that is drawn anew meanwhile is asked again."""
        WebDriverWait(self, PATIENCE, ignored_exceptions=_STALE).until(lambda _: self.shown(selector).click() or True, selector)

    def gone(self, selector: str) -> None:
        WebDriverWait(self, PATIENCE, ignored_exceptions=_STALE).until(
            lambda _: not any(element.is_displayed() for element in self.find_elements(By.CSS_SELECTOR, selector)), f"no {selector}")

    def until(self, what: str, script: str, *arguments: Any) -> Any:
        """What the script returns, once it is true. What it looks into may not be there yet."""
        problems: list[str] = []

        def look(_):
            try:
                return self.execute_script(script, *arguments)
            except JavascriptException as problem:
                problems.append(str(problem.msg))
                return None
        try:
            return WebDriverWait(self, PATIENCE).until(look, what)
        except TimeoutException as problem:
            problem.msg += f" ({problems[-1]})" if problems else ""
            raise

    def fill(self, form: str, **values: str) -> None:
        """Fields of a form by their names; choices by what they are called. A form that is drawn anew meanwhile is filled again."""
        def put(name: str, value: str) -> bool:
            field = self.shown(f"{form} [name={name}]")
            if field.tag_name == "select":
                Select(field).select_by_visible_text(value)
            else:
                field.clear()
                field.send_keys(value)
            return True

        for name, value in values.items():
            WebDriverWait(self, PATIENCE, ignored_exceptions=_STALE).until(lambda _, name=name, value=value: put(name, value), f"{form} {name}")

    def text(self, selector: str) -> str:
        return WebDriverWait(self, PATIENCE, ignored_exceptions=_STALE).until(lambda _: [self.shown(selector).text], selector)[0]

    def answer(self, yes: bool) -> None:
        """The question that the browser asks, once it does: who goes back in the history is asked a moment later."""
        question = WebDriverWait(self, PATIENCE).until(alert_is_present(), "a question")
        question.accept() if yes else question.dismiss()

    def keep_messages(self, kept: bool = True) -> None:
        """What a page tells, and offers to take back, is there for some seconds, and for as long as a pointer rests on it: with one there, it is
        seen however late it is looked at. Over when a message goes, and on another page."""
        self.until("the messages", """
            const list = document.querySelector('.toasts');
            list?.dispatchEvent(new PointerEvent(arguments[0], { bubbles: true, pointerType: 'mouse' }));
            return Boolean(list);""", "pointerover" if kept else "pointerout")

    def complaints(self) -> list[str]:
        """What the console has heard since the last call."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def picture(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]))
        return path

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.execute_script("return document.documentElement.scrollWidth - innerWidth")

    def corner(self, selector: str) -> str:
        """The corner of a shown picture in which the test films have their frame number, as `CounterReader` reads it; empty while there is none."""
        return self.execute_script(CORNER, selector)


def _stale() -> tuple[type[Exception], ...]:
    from selenium.common import exceptions

    return (
        exceptions.StaleElementReferenceException, exceptions.ElementClickInterceptedException, exceptions.ElementNotInteractableException,
        exceptions.NoSuchElementException,
    )


_STALE = _stale()

# As in pages/live.js.
CORNER = """
const source = [...document.querySelectorAll(arguments[0])].pop();
if (!source) return "";
const width = source.videoWidth || source.naturalWidth || source.width;
if (!width) return "";
const canvas = document.createElement("canvas");
canvas.width = 88;
canvas.height = 36;
const scale = width / 640;
const context = canvas.getContext("2d", { willReadFrequently: true });
context.drawImage(source, 16 * scale, 16 * scale, 176 * scale, 72 * scale, 0, 0, 88, 36);
const pixels = context.getImageData(0, 0, 88, 36).data;
let text = "";
for (let at = 0; at < pixels.length; at += 4) text += String.fromCharCode(pixels[at + 1]);
return btoa(text);
"""


@contextmanager
def browsing(profile: Path, size: tuple[int, int] = (1280, 860), downloads: Path | None = None) -> Iterator[Browser]:
    browser = Browser(profile, size, downloads)
    try:
        yield browser
    finally:
        browser.quit()
