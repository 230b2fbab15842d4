"""Bad input: every refusal is a 4xx that says what is wrong, and nothing is written."""

from __future__ import annotations

import json
import socket
import sqlite3
from contextlib import closing

import pytest

from harness.server import BUSY, NVR, PASSWORD, USER

GOOD = {"name": "good", "rtsp_url": "rtsp://192.0.2.7/stream", "is_active": False}


@pytest.fixture(scope="module")
def nvr():
    with NVR() as server:
        yield server.start().with_admin()
        assert server.running, "the server died"
        assert "Fatal error" not in server.log()


def stored(nvr: NVR) -> tuple:
    with closing(sqlite3.connect(f"file:{nvr.data}/vibenvr.db?mode=ro", uri=True, timeout=BUSY)) as database:
        rows = database.execute("SELECT id, * FROM cameras ORDER BY id").fetchall()
    files = sorted(path.relative_to(nvr.data).as_posix() for path in nvr.data.rglob("*") if path.is_file() and not path.name.startswith("vibenvr.db"))
    return rows, files


def refused(nvr: NVR, answer, status=(422,)) -> None:
    assert answer.status_code in status, f"{answer.status_code}: {answer.text[:300]}"
    assert answer.headers["Content-Type"].startswith("application/json")
    detail = answer.json()["detail"]
    assert detail
    if answer.status_code == 422:
        for problem in detail:
            assert {"type", "loc", "msg"} <= set(problem), problem


BAD_CAMERAS = {
    "no body at all": None,
    "a list": [],
    "a number": 7,
    "null": None,
    "empty name": {**GOOD, "name": ""},
    "name of blanks": {**GOOD, "name": "   "},
    "name with 10,000 characters": {**GOOD, "name": "x" * 10_000},
    "name with a line feed": {**GOOD, "name": "a\nb"},
    "name with a NUL": {**GOOD, "name": "a\0b"},
    "no URL": {"name": "x"},
    "empty URL": {**GOOD, "rtsp_url": ""},
    "file URL": {**GOOD, "rtsp_url": "file:///etc/passwd"},
    "javascript URL": {**GOOD, "rtsp_url": "javascript:alert(1)"},
    "ftp URL": {**GOOD, "rtsp_url": "ftp://192.0.2.7/x"},
    "relative URL": {**GOOD, "rtsp_url": "//192.0.2.7/x"},
    "no host": {**GOOD, "rtsp_url": "rtsp:///x"},
    "no host, a port": {**GOOD, "rtsp_url": "rtsp://:554/x"},
    "port 0": {**GOOD, "rtsp_url": "rtsp://192.0.2.7:0/x"},
    "port 99999": {**GOOD, "rtsp_url": "rtsp://192.0.2.7:99999/x"},
    "port of letters": {**GOOD, "rtsp_url": "rtsp://192.0.2.7:abc/x"},
    "negative port": {**GOOD, "rtsp_url": "rtsp://192.0.2.7:-1/x"},
    "URL with a line feed": {**GOOD, "rtsp_url": "rtsp://192.0.2.7/x\r\nX: y"},
    "URL with 10,000 characters": {**GOOD, "rtsp_url": "rtsp://192.0.2.7/" + "x" * 10_000},
    "URL that is a number": {**GOOD, "rtsp_url": 5},
    "host with a blank": {**GOOD, "rtsp_url": "rtsp://192.0 .2.7/x"},
    "sub URL": {**GOOD, "sub_rtsp_url": "gopher://192.0.2.7/x"},
    "transport": {**GOOD, "rtsp_transport": "carrier pigeon"},
    "transport number": {**GOOD, "rtsp_transport": 3},
    "sub transport": {**GOOD, "sub_rtsp_transport": "smoke"},
    "recording mode": {**GOOD, "recording_mode": "Sometimes"},
    "framerate text": {**GOOD, "framerate": "abc"},
    "max_movie_length too short": {**GOOD, "max_movie_length": 5},
    "max_movie_length too long": {**GOOD, "max_movie_length": 301},
    "max_movie_length fraction": {**GOOD, "max_movie_length": 60.5},
    "captured_before negative": {**GOOD, "captured_before": -1},
    "captured_before huge": {**GOOD, "captured_before": 10**12},
    "number beyond 64 bits": {**GOOD, "captured_after": 10**30},
    "threshold negative": {**GOOD, "threshold": -5},
    "min_motion_frames text": {**GOOD, "min_motion_frames": "two"},
    "is_active text": {**GOOD, "is_active": "perhaps"},
    "pattern that climbs": {**GOOD, "movie_file_name": "../../%H"},
    "pattern that climbs inside": {**GOOD, "movie_file_name": "%Y/../../../x"},
    "absolute pattern": {**GOOD, "movie_file_name": "/etc/%H"},
    "empty pattern": {**GOOD, "movie_file_name": ""},
    "pattern with a NUL": {**GOOD, "movie_file_name": "a\0b"},
    "pattern with 10,000 characters": {**GOOD, "movie_file_name": "%H" * 5000},
    "picture pattern that climbs": {**GOOD, "picture_file_name": "../%q"},
    "mask no JSON": {**GOOD, "motion_masks": "[[["},
    "mask an object": {**GOOD, "motion_masks": "{}"},
    "mask of two points": {**GOOD, "motion_masks": '[{"points": [[0,0],[1,1]]}]'},
    "mask outside": {**GOOD, "motion_masks": '[{"points": [[0,0],[2,0],[0,1]]}]'},
    "mask of text": {**GOOD, "motion_masks": '[{"points": "abc"}]'},
    "mask of three numbers a point": {**GOOD, "motion_masks": '[{"points": [[0,0,0],[1,0,0],[0,1,0]]}]'},
    "mask with NaN": {**GOOD, "motion_masks": '[{"points": [[NaN,0],[1,0],[0,1]]}]'},
    "mask without points": {**GOOD, "motion_masks": '[{"x": 1}]'},
    "privacy mask that is not burned in yet": {**GOOD, "privacy_masks": '[{"points": [[0,0],[1,0],[0,1]]}]'},
    "privacy mask no JSON": {**GOOD, "privacy_masks": "zzz"},
    "nested beyond reason": {**GOOD, "motion_masks": "[" * 5000 + "]" * 5000},
}


@pytest.mark.parametrize("case", BAD_CAMERAS)
def test_camera_is_refused_and_nothing_written(nvr, case):
    before = stored(nvr)
    body = BAD_CAMERAS[case]
    if case == "no body at all":
        answer = nvr.api.post("/cameras")
    else:
        answer = nvr.api.post("/cameras", data=json.dumps(body), headers={"Content-Type": "application/json"})
    refused(nvr, answer)
    assert stored(nvr) == before


@pytest.mark.parametrize("case", [case for case, body in BAD_CAMERAS.items() if isinstance(body, dict) and "rtsp_url" in body])
def test_change_is_refused_and_nothing_written(nvr, case):
    kept = getattr(nvr, "kept_camera", None)
    if kept is None:
        answer = nvr.api.post("/cameras", json={**GOOD, "name": "kept"})
        assert answer.status_code == 200, answer.text
        kept = nvr.kept_camera = answer.json()["id"]
    before = stored(nvr)
    change = {key: value for key, value in BAD_CAMERAS[case].items() if GOOD.get(key) != value}
    refused(nvr, nvr.api.put(f"/cameras/{kept}", data=json.dumps(change), headers={"Content-Type": "application/json"}))
    assert stored(nvr) == before


@pytest.mark.parametrize("body", ["", "{", '{"name":', "nonsense", "[1,", '{"a":1}}', "\ufeff{}"])
@pytest.mark.parametrize("call", [("POST", "/cameras"), ("PUT", "/cameras/1"), ("POST", "/auth/setup"), ("POST", "/cameras/probe-stream"),
                                  ("POST", "/cameras/reorder"), ("POST", "/events/bulk-delete"), ("POST", "/cameras/bulk-delete")])
def test_bodies_that_are_not_json(nvr, call, body):
    method, path = call
    answer = nvr.api.call(method, path, data=body.encode("utf-8", "surrogatepass"), headers={"Content-Type": "application/json"})
    refused(nvr, answer, (400, 403, 404, 422))


def test_a_body_of_many_megabytes(nvr):
    try:
        answer = nvr.api.post("/cameras", data=b'{"name": "' + b"x" * 30_000_000 + b'"}', headers={"Content-Type": "application/json"})
        refused(nvr, answer, (413,))
    except Exception as problem:  # noqa: BLE001  hanging up in the middle of it is as good an answer
        assert "Connection" in type(problem).__name__ or "reset" in str(problem).lower() or "Broken pipe" in str(problem), problem
    assert nvr.api.get("/health").status_code == 200


@pytest.mark.parametrize("credentials", ["p@ss:wörd", "a%2Fb", "sla/sh", "que?ry", "ha#sh", "per%cent", "quote\"s'", "sp ace", "ключ", "a" * 200])
def test_odd_credentials_are_kept_or_refused_but_never_bent(nvr, credentials):
    from urllib.parse import quote, unquote, urlsplit

    encoded = quote(credentials, safe="")
    answer = nvr.api.post("/cameras", json={**GOOD, "rtsp_url": f"rtsp://us%40er:{encoded}@192.0.2.7:8554/stream?x=1"})
    assert answer.status_code == 200, answer.text
    url = answer.json()["rtsp_url"]
    parts = urlsplit(url)
    assert (unquote(parts.username), unquote(parts.password)) == ("us@er", credentials), url
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("192.0.2.7", 8554, "/stream", "x=1")
    assert nvr.api.delete(f"/cameras/{answer.json()['id']}").status_code == 200


@pytest.mark.parametrize("name", ["a/b", "..", "../../etc", "a.b", ".hidden", "con", "ünïcödé 監視", "<script>alert(1)</script>", "%2e%2e%2f", "x'; DROP TABLE cameras;--"])
def test_odd_names_are_names(nvr, name):
    """A name is text for people: it is stored as it is (or refused), and never becomes a path."""
    before = stored(nvr)
    answer = nvr.api.post("/cameras", json={**GOOD, "name": name})
    assert answer.status_code in (200, 422), answer.status_code
    if answer.status_code == 200:
        assert answer.json()["name"] == name
        assert stored(nvr)[1] == before[1], "a file was made"
        assert nvr.api.delete(f"/cameras/{answer.json()['id']}").status_code == 200
    assert not (nvr.folder / "etc").exists()


@pytest.mark.parametrize("identifier", ["abc", "1.5", "1e3", "", "%00", "０", "--1", "9" * 40, "1;drop"])
@pytest.mark.parametrize("path", ["/cameras/{}", "/cameras/{}/frame", "/events/{}", "/events/{}/download", "/events/{}/thumbnail"])
def test_ids_that_are_not_numbers(nvr, path, identifier):
    answer = nvr.api.get(path.format(identifier))
    assert answer.status_code in (404, 405, 422) or (identifier == "" and answer.status_code == 200), answer.status_code
    assert answer.status_code == 200 or answer.json()["detail"]


@pytest.mark.parametrize("identifier", ["0", "-1", "424242", "9223372036854775807"])
def test_ids_that_do_not_exist(nvr, identifier):
    for method, path in (
        ("GET", "/cameras/{}"), ("PUT", "/cameras/{}"), ("DELETE", "/cameras/{}"), ("GET", "/cameras/{}/frame"), ("POST", "/cameras/{}/snapshot"),
        ("POST", "/cameras/{}/recording"), ("GET", "/events/{}"), ("DELETE", "/events/{}"), ("GET", "/events/{}/download"), ("GET", "/events/{}/thumbnail"),
    ):
        options = {"json": {"name": "x"}} if method == "PUT" else {}
        answer = nvr.api.call(method, path.format(identifier), **options)
        assert answer.status_code in (404, 422), f"{method} {path}: {answer.status_code}"
        assert answer.json()["detail"]


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "limit=0", "limit=1001", "skip=-1", "skip=x", "camera_id=x", "type=movie", "event_type=party",
                                   "date=notadate", "date=2026-13-01", "date=2026-02-30", "date=99999-01-01", "limit=" + "9" * 40])
def test_queries(nvr, query):
    refused(nvr, nvr.api.get(f"/events?{query}"))


@pytest.mark.parametrize("path", [
    "/media/../../etc/passwd", "/media/..%2f..%2fetc%2fpasswd", "/media/%2e%2e/%2e%2e/etc/passwd", "/media/1/..%5c..%5cx", "/media//etc/passwd",
    "/media/1/%00", "/media/1/../vibenvr.db", "/media/1/..%2fvibenvr.db", "/media/1/%252e%252e/%252e%252e/vibenvr.db", "/media/./1/./x.mp4",
    "/media/1/2026-01-01/../../../vibenvr.db", "/ui/../../../etc/passwd", "/ui/%2e%2e/%2e%2e/etc/passwd", "/media/1/%c0%ae%c0%ae/x", "/media/1/%ff",
])
def test_paths_that_climb(nvr, path):
    host, port = nvr.api.base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 120) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {nvr.api.token}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    status = int(answer.split(b" ")[1])
    assert status in (400, 403, 404), answer[:200]
    assert b"root:" not in answer and b"SQLite format" not in answer


def spoken(nvr: NVR, *pieces: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Sends bytes as they are and gives every answer, until the server ends the connection: status, headers (names in lower case), body."""
    host, port = nvr.api.base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 120) as connection:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        stream, answers = connection.makefile("rb"), []
        while line := stream.readline():
            version, status, _ = line.decode("ascii").split(" ", 2)
            assert version == "HTTP/1.1", line
            headers = {}
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode("ascii").partition(":")
                assert name.lower() not in headers, line
                headers[name.lower()] = value.strip()
            answers.append((int(status), headers, stream.read(int(headers["content-length"]))))
        return answers


NOISE = {
    "null bytes": (b"\0" * 100, 400),
    "binary": (bytes(range(256)) * 4, 400),
    "a TLS client": (bytes.fromhex("16030100c8010000c40303") + b"\x5a" * 196, 400),
    "no path": (b"GET\r\n\r\n", 400),
    "no such method": (b"FETCH! / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "method in lower case": (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "null byte in the path": (b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no such version": (b"GET / HTTP/9.9\r\n\r\n", 400),
    "no version but text": (b"GET / and now\r\n\r\n", 400),
    "header without a colon": (b"GET / HTTP/1.1\r\nHost: x\r\nNo colon here\r\n\r\n", 400),
    "header with a blank in its name": (b"GET / HTTP/1.1\r\nHost: x\r\nX y: z\r\n\r\n", 400),
    "null byte in a header": (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", 400),
    "too many headers": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n", 431),
    "a header too large": (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", 431),
    "a path too long": (b"GET " + b"/a" * 100_000 + b" HTTP/1.1\r\n\r\n", 431),
    "negative length": (b"POST /cameras HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
    "two lengths": (b"POST /cameras HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400),
    "a length and chunks": (b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks that are none": (b"POST /auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n", 400),
    "a body that breaks off": (b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nusername=", 400),
}


@pytest.mark.parametrize("noise", NOISE)
def test_noise_instead_of_http(nvr, noise):
    """What is no HTTP is refused like everything else, and the connection ends."""
    raw, expected = NOISE[noise]
    usual = nvr.api.get("/no-such-path").headers
    [(status, headers, body)] = spoken(nvr, raw)
    assert status == expected
    assert headers["connection"] == "close" and headers["content-type"] == "application/json"
    assert json.loads(body)["detail"]
    for name in ("X-Content-Type-Options", "X-Frame-Options", "Content-Security-Policy", "Referrer-Policy", "Cache-Control"):
        assert headers[name.lower()] == usual[name], name
    assert nvr.api.get("/health").status_code == 200


def test_noise_after_a_request_is_answered_after_it(nvr):
    good = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    answers = spoken(nvr, good + good + b"\0\0\0\r\n\r\n" + good)
    assert [status for status, _, _ in answers] == [200, 200, 400], answers
    assert answers[1][2] and "connection" not in answers[1][1]
    assert json.loads(answers[2][2])["detail"]


@pytest.mark.parametrize("body", [{"rtsp_url": "file:///etc/passwd"}, {"rtsp_url": 5}, {}, {"rtsp_url": "rtsp://192.0.2.7:0/"}, {"rtsp_url": "rtsp://192.0.2.7/", "rtsp_transport": "x"}])
def test_probe(nvr, body):
    refused(nvr, nvr.api.post("/cameras/probe-stream", json=body))


@pytest.mark.parametrize("body", [{}, {"camera_ids": 5}, {"camera_ids": ["x"]}, {"camera_ids": [1.5]}, {"camera_ids": [[1]]}, {"camera_ids": None}])
@pytest.mark.parametrize("path", ["/cameras/reorder", "/cameras/bulk-delete"])
def test_lists_of_ids(nvr, path, body):
    refused(nvr, nvr.api.post(path, json=body))


def test_secrets_are_not_echoed():
    with NVR() as nvr:
        nvr.start()
        answer = nvr.api.post("/auth/setup", json={"username": 5, "password": "Sup3r-Secret-Passw0rd"})
        assert answer.status_code == 422 and "Sup3r-Secret" not in answer.text
        nvr.with_admin()
        answer = nvr.api.post("/cameras", json={**GOOD, "rtsp_url": "gopher://user:Sup3r-Secret@192.0.2.7/x"})
        assert answer.status_code == 422 and "Sup3r-Secret" not in answer.text
        answer = nvr.api.post("/cameras", json={"rtsp_url": "rtsp://user:Sup3r-Secret@192.0.2.7/x"})
        assert answer.status_code == 422 and "Sup3r-Secret" not in answer.text


@pytest.mark.parametrize("body", [{"username": "", "password": PASSWORD}, {"username": "a", "password": ""}, {"username": "a", "password": "short"},
                                  {"username": "a" * 10_000, "password": PASSWORD}, {"username": "a", "password": "x" * 100_000},
                                  {"username": "a\nb", "password": PASSWORD}, {"username": None, "password": None}, {"username": ["a"], "password": PASSWORD},
                                  {"username": "a", "password": PASSWORD, "email": "not an address"}])
def test_setup(body):
    with NVR() as nvr:
        nvr.start()
        refused(nvr, nvr.api.post("/auth/setup", json=body), (400, 413, 422))
        assert nvr.api.get("/auth/status").json()["setup_required"] is True


def test_unsafe_calls_by_cookie_need_the_same_origin(nvr):
    cookie = {"Cookie": f"auth_token={nvr.api.token}"}
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = nvr.api.post("/cameras", token="", json=GOOD, headers={**cookie, **headers})
        assert answer.status_code == 403, f"{headers}: {answer.status_code}"
    answer = nvr.api.post("/cameras", token="", json=GOOD, headers={**cookie, "Origin": nvr.api.base})
    assert answer.status_code == 200, answer.text
    nvr.api.delete(f"/cameras/{answer.json()['id']}")


def test_no_token_no_answer(nvr):
    for method, path in (
        ("GET", "/cameras"), ("POST", "/cameras"), ("GET", "/events"), ("GET", "/stats"), ("GET", "/cameras/1/frame"), ("GET", "/events/1/download"),
        ("DELETE", "/cameras/1"), ("POST", "/cameras/probe-stream"), ("GET", "/media/1/x.mp4"), ("POST", "/events/bulk-delete"), ("GET", "/auth/me"),
    ):
        answer = nvr.api.call(method, path, token="")
        assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
    forged = ".".join(["eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJzdWIiOiJhZG1pbiJ9", ""])
    assert nvr.api.get("/cameras", token=forged).status_code == 401


def test_user_names_do_not_change_the_account(nvr):
    for name in (USER.upper() + " ", USER + "\0", f"{USER}'--", ""):
        answer = nvr.api.post("/auth/login", token="", data={"username": name, "password": "wrong-Passw0rd"})
        assert answer.status_code in (401, 422, 429), answer.status_code
