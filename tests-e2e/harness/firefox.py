"""Firefox by its own remote protocol (Marionette), since Debian has no driver for it: just enough to open pages and run scripts.

https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html: over TCP, `length:[type, id, name or error, parameters or result]`.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

PREFERENCES = {
    "marionette.port": 0, "media.autoplay.default": 0, "media.autoplay.blocking_policy": 0, "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False, "app.update.enabled": False, "network.proxy.type": 0, "browser.startup.homepage_override.mstone": "ignore",
}


# As for Chromium, a promise of nobody.
PATIENCE = 120


class Firefox:
    def __init__(self, port: int):
        # Longer than whatever it waits for itself.
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=2 * PATIENCE)
        self._rest = b""
        self._id = 0
        assert self._message()["marionetteProtocol"] == 3
        self.call("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"timeouts": {"script": PATIENCE * 1000, "pageLoad": PATIENCE * 1000}}}})

    def _message(self) -> Any:
        while b":" not in self._rest:
            self._receive()
        length, _, self._rest = self._rest.partition(b":")
        while len(self._rest) < int(length):
            self._receive()
        text, self._rest = self._rest[: int(length)], self._rest[int(length):]
        return json.loads(text)

    def _receive(self) -> None:
        data = self._socket.recv(1 << 16)
        assert data, "Firefox is gone"
        self._rest += data

    def call(self, name: str, parameters: dict) -> Any:
        self._id += 1
        text = json.dumps([0, self._id, name, parameters]).encode()
        self._socket.sendall(str(len(text)).encode() + b":" + text)
        _, number, error, result = self._message()
        assert number == self._id and error is None, error
        return result

    def open(self, url: str) -> None:
        self.call("WebDriver:Navigate", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        return self.call("WebDriver:ExecuteScript", {"script": script, "args": list(arguments)})["value"]

    def until(self, what: str, script: str, *arguments: Any, seconds: float = PATIENCE) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := self.run(script, *arguments)):
            assert time.monotonic() < deadline, what
            time.sleep(0.2)
        return value

    def press(self, selector: str) -> None:
        self.until(selector, "const found = document.querySelector(arguments[0]); if (found) found.click(); return Boolean(found)", selector)

    def type(self, selector: str, text: str) -> None:
        """As a person does, key by key."""
        self.until(selector, "return Boolean(document.querySelector(arguments[0]))", selector)
        element = self.call("WebDriver:FindElement", {"using": "css selector", "value": selector})["value"]
        self.call("WebDriver:ElementClear", {"id": next(iter(element.values()))})
        self.call("WebDriver:ElementSendKeys", {"id": next(iter(element.values())), "text": text})


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "user.js").write_text("".join(f'user_pref("{name}", {json.dumps(value)});\n' for name, value in PREFERENCES.items()))
    process = subprocess.Popen(
        ["firefox-esr", "--headless", "--no-remote", "--marionette", "--profile", str(profile)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env={"HOME": str(profile), "PATH": "/usr/bin:/bin", "MOZ_HEADLESS_WIDTH": "1280", "MOZ_HEADLESS_HEIGHT": "860"}, start_new_session=True)
    try:
        # With port 0 it takes a free one, and writes which into its profile.
        active = profile / "MarionetteActivePort"
        deadline = time.monotonic() + PATIENCE
        while not (active.exists() and active.read_text().strip()):
            assert process.poll() is None and time.monotonic() < deadline, "Firefox does not start"
            time.sleep(0.2)
        yield Firefox(int(active.read_text()))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
