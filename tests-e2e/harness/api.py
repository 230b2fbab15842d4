"""The REST API as a client of the reference uses it."""

from __future__ import annotations

from typing import Any

import requests
import urllib3

urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


class API:
    """Calls with the Bearer token of the last log-in. Answers are `requests` responses; nothing raises by itself."""

    def __init__(self, base: str):
        self.base = base
        self.token = ""
        self._session = requests.Session()
        # Neither a proxy of the machine nor a .netrc has a part in these tests.
        self._session.trust_env = False
        # Servers with a certificate of their own are trusted here; tests about certificates look for themselves.
        self._session.verify = False
        self._session.cookies.set_policy(_NoCookies())

    def call(self, method: str, path: str, *, token: str | None = None, **options) -> requests.Response:
        headers = dict(options.pop("headers", {}))
        bearer = self.token if token is None else token
        if bearer and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {bearer}"
        try:
            return self._session.request(method, self.base + path, headers=headers, timeout=options.pop("timeout", 120), **options)
        except requests.ConnectionError as problem:
            if "refused" in str(problem):
                raise AssertionError("the server is gone") from None
            raise

    def get(self, path: str, **options) -> requests.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, **options) -> requests.Response:
        return self.call("POST", path, **options)

    def put(self, path: str, **options) -> requests.Response:
        return self.call("PUT", path, **options)

    def delete(self, path: str, **options) -> requests.Response:
        return self.call("DELETE", path, **options)

    def json(self, path: str, **options) -> Any:
        answer = self.get(path, **options)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def login(self, username: str, password: str) -> None:
        self.token = ""
        answer = self.post("/auth/login", data={"username": username, "password": password})
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]

    # Cameras.

    def add_camera(self, name: str, url: str, **fields) -> int:
        """A camera that records continuously and looks for no motion, unless the fields say otherwise; its id."""
        body = {"name": name, "rtsp_url": url, "recording_mode": "Continuous", "max_movie_length": 60, "detect_motion_mode": "Off", **fields}
        answer = self.post("/cameras", json=body)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:1000]}"
        return answer.json()["id"]

    def camera(self, camera: int) -> dict:
        return self.json(f"/cameras/{camera}")

    def status(self, camera: int) -> str:
        return self.camera(camera)["status"]

    def events(self, **filters) -> list[dict]:
        return self.json("/events", params={"limit": 1000, **filters})


class _NoCookies(requests.cookies.cookielib.DefaultCookiePolicy):
    """Cookies are sent only by the tests that are about them."""

    def set_ok(self, cookie, request) -> bool:
        return False
