"""Clients that mean no good: paths that climb, bodies and heads that explode, clients that dawdle or only sit there.

What is attacked is read from /openapi.json, so that a new route is attacked as well.
"""

from __future__ import annotations

import gzip
import http.client
import io
import json
import re
import socket
import struct
import tarfile
import threading
import time
import zlib
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.machine import Machine
from harness.server import NVR, wait_for

METHODS = ("get", "post", "put", "patch", "delete")
# Ten thousand requests.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def nvr():
    with NVR(host="127.0.0.1") as server, Machine(server) as server.machine:
        yield server.start().with_admin()


def took(nvr, begun: float) -> float:
    """Seconds since a wall time, without those in which the machine kept the server waiting where that makes a difference."""
    seconds = time.time() - begun
    return seconds if seconds < 1 else seconds - nvr.machine.kept_waiting(begun)


@pytest.fixture(scope="module")
def operations(nvr) -> list[tuple[str, str, dict]]:
    """Method, path and description of every operation. Those that end the sign-in are left out."""
    document = nvr.api.json("/openapi.json")
    return [
        (method.upper(), path, item[method]) for path, item in document["paths"].items() for method in METHODS
        if method in item and item[method]["operationId"] != "logOut"
    ]


def address(nvr) -> tuple[str, int]:
    parts = urlsplit(nvr.api.base)
    return parts.hostname, parts.port


def ask(nvr, method: str, path: str, body: bytes | None = None, headers: dict | None = None, timeout: float = 120) -> tuple[int, bytes]:
    """One request whose path and body are sent as they are."""
    connection = http.client.HTTPConnection(*address(nvr), timeout=timeout)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        fields = {"Authorization": f"Bearer {nvr.api.token}", **(headers or {})}
        if body is not None:
            fields.setdefault("Content-Length", str(len(body)))
            fields.setdefault("Content-Type", "application/json")
        for name, value in fields.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def raw(nvr, data: bytes, timeout: float = 10) -> bytes:
    """Everything that comes back for these bytes until the server closes or falls silent."""
    with socket.create_connection(address(nvr), timeout=timeout) as connection:
        received = b""
        try:
            connection.sendall(data)
            while chunk := connection.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionError):
            pass
        return received


def well(nvr) -> None:
    assert nvr.running, nvr.last_words()
    begun = time.time()
    assert nvr.api.get("/health", token="").json()["status"] == "ok"
    assert took(nvr, begun) < 5, "the server answers, but slowly"


# Paths.

TARGETS = ["etc/passwd", "vibenvr.db", "proc/self/environ"]
STEPS = [
    "../", "..%2f", "..%2F", "%2e%2e/", "%2e%2e%2f", "%2E%2E%2F", ".%2e/", "%252e%252e%252f", "%25252e%25252e%25252f", "..%5c", "..\\", "%2e%2e%5c",
    "..%c0%af", "%c0%ae%c0%ae/", "%c0%ae%c0%ae%c0%af", "%e0%80%ae%e0%80%ae%e0%80%af", "..%u2215", "%uff0e%uff0e/", "..%00/", "....//", "....%2f%2f",
    "..;/", "..%09/", ".%0d./", "..%ef%bc%8f", "./../", "%2e/%2e%2e/", "1/../../", "1/..%2f..%2f",
]
ABSOLUTE = ["/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd", "%2Fetc%2Fpasswd", "%252fetc%252fpasswd", "file:///etc/passwd", "file:%2f%2f%2fetc%2fpasswd",
            "C:%5cWindows%5cwin.ini", "%00", "..", "%2e%2e", "../", "..%2f", ".", "%2e", "", "~root", "%ff%fe", "%", "%zz", "a%00.json", "a%0a.json"]
PATHS = [step * depth + target for step in STEPS for depth in (1, 3, 8) for target in TARGETS] + ABSOLUTE


def test_no_path_climbs_out(nvr, operations):
    """Every route with a name in its path, every way to write `..`."""
    (nvr.data / "canary.json").write_text('{"canary": "root:x:0:0"}')
    named = [
        (method, path) for method, path, operation in operations
        if any(parameter["in"] == "path" and parameter["schema"].get("type") == "string" for parameter in operation.get("parameters", []))
    ]
    assert any(path.startswith("/media/") for _, path in named)
    before = sorted(str(file.relative_to(nvr.data)) for file in nvr.data.rglob("*"))
    problems = []
    for method, path in named:
        # The last parameter is the one that is bent; a template of several elements is also bent as a whole.
        prefix = path[: path.rindex("{")]
        tail = path[path.rindex("}") + 1 :]
        prefixes = {re.sub(r"\{[^}]*\}", "1", prefix)} | ({"/media/"} if path.startswith("/media/") else set())
        for start in prefixes:
            for bent in [*PATHS, "../canary.json", "..%2fcanary.json"]:
                status, body = ask(nvr, method, start + bent + tail)
                # A bare prefix may be another route: what counts is what comes back.
                if status >= 500 and status != 501 or b"root:" in body or b"SQLite format" in body or b"PATH=" in body:
                    problems.append(f"{method} {start}{bent}{tail}: {status} {body[:80]!r}")
                if status == 200 and not tail and bent not in ABSOLUTE and "ui/" not in start and "settings/" not in start:
                    problems.append(f"{method} {start}{bent}: 200 {body[:80]!r}")
    assert not problems, "\n".join(problems[:20])
    after = sorted(str(file.relative_to(nvr.data)) for file in nvr.data.rglob("*"))
    assert [file for file in before if file not in after] == [], "a file is gone"
    assert (nvr.data / "canary.json").exists()
    well(nvr)


# Bodies.

DEEP = 100_000
BOMBS = {
    "nested lists": b"[" * DEEP, "closed nested lists": b"[" * DEEP + b"]" * DEEP, "nested objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a number of many digits": b'{"id": ' + b"9" * 200_000 + b"}", "a number out of range": b'{"id": 1e999999, "value": -1e999999}',
    "a list of one number": b"[1e400]", "duplicate keys": b'{"name": "a", "name": 5, "name": null}', "not UTF-8": b'{"name": "\xff\xfe\xc0\xaf"}',
    "a byte order mark": b'\xef\xbb\xbf{"name": "a"}', "UTF-16": '{"name": "a"}'.encode("utf-16"), "NaN": b'{"max_size_gb": NaN, "a": Infinity}',
    "half a surrogate": b'{"name": "\\ud800", "username": "\\udfff\\ud800"}', "NUL": b'{"name": "a\\u0000b", "\\u0000": 1}', "a raw NUL": b'{"name": "a\x00b"}',
    "a long key": b'{"' + b"k" * 500_000 + b'": 1}', "many keys": b"{" + b",".join(b'"k%d": 1' % number for number in range(50_000)) + b"}",
    "a long text": b'{"name": "' + b"x" * 900_000 + b'"}', "combining marks": ('{"name": "a' + "\u0301" * 100_000 + '"}').encode(),
    "many ids": b"[" + b",".join(b"%d" % number for number in range(100_000)) + b"]", "null": b"null", "a text": b'"text"', "a number": b"5", "true": b"true",
    "white space": b" " * 100_000, "a comment": b'{"a": 1} // x', "two values": b"{}{}", "an open text": b'"' + b"a" * 1000, "an open escape": b'"\\u12',
    "an object in each place": b'{"name": {}, "rtsp_url": [], "username": {"a": 1}, "password": [1], "camera_ids": {"a": 1}, "value": [[]]}',
    "prototype keys": b'{"__proto__": {"isAdmin": true}, "constructor": {"prototype": {}}}',
}


def filled(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "1", path)


def test_no_body_explodes(nvr, operations):
    problems = []
    for method, path, operation in operations:
        if "requestBody" not in operation:
            continue
        for name, bomb in BOMBS.items():
            begun = time.time()
            status, body = ask(nvr, method, filled(path), bomb)
            seconds = took(nvr, begun)
            if status >= 500 and status not in (501, 503) or seconds > 5:
                problems.append(f"{method} {path}, {name}: {status} after {seconds:.1f} s {body[:100]!r}")
    assert not problems, "\n".join(problems[:20])
    well(nvr)


def test_forms_that_are_none(nvr, operations):
    forms = [
        b"", b"--x", b"--x\r\n", b"--x--", b"--x\r\n\r\n--x--\r\n", b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../a\"\r\n\r\nhello\r\n--x--\r\n",
        b"--x\r\n" + b"A: b\r\n" * 20_000 + b"\r\n--x--", b"--x\r\n\r\n" * 20_000, b"&" * 200_000, b"a=" * 200_000, b"%" * 100_000, b"\x00" * 1000,
    ]
    kinds = ["multipart/form-data; boundary=x", "multipart/form-data", "multipart/form-data; boundary=", "application/x-www-form-urlencoded",
             "multipart/form-data; boundary=" + "y" * 5000, "application/json; charset=utf-16", "text/plain", "image/png", ";;;"]
    for method, path, operation in operations:
        if "requestBody" not in operation or operation["operationId"] == "logIn":
            continue
        for kind in kinds:
            for form in forms:
                status, body = ask(nvr, method, filled(path), form, {"Content-Type": kind})
                assert status < 500 or status in (501, 503), f"{method} {path} as {kind}: {status} {body[:200]!r}"
    well(nvr)


def test_a_huge_body_is_refused_by_its_announcement(nvr, operations):
    """413 while nothing of the body was sent: the server does not wait for it."""
    for method, path, operation in operations:
        if "requestBody" not in operation:
            continue
        with socket.create_connection(address(nvr), timeout=120) as connection:
            connection.sendall(
                f"{method} {filled(path)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {nvr.api.token}\r\nContent-Type: application/json\r\n"
                f"Content-Length: 10000000000\r\n\r\n".encode())
            head = connection.recv(4096)
        # Who does not know the webhook's secret is not even told that.
        refusals = (b"HTTP/1.1 401",) if operation["x-access"] == "webhook" else (b"HTTP/1.1 413", b"HTTP/1.1 501")
        assert head.startswith(refusals), f"{method} {path}: {head[:200]!r}"
    well(nvr)


def test_a_body_without_an_announcement_is_cut_off(nvr):
    """A chunked body that does not end: refused long before it is whole, without keeping it."""
    before = nvr.resident()
    sent = 0
    with socket.create_connection(address(nvr), timeout=10) as connection:
        connection.sendall(
            f"POST /cameras HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {nvr.api.token}\r\nContent-Type: application/json\r\n"
            f"Transfer-Encoding: chunked\r\n\r\n".encode())
        connection.setblocking(False)
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        pending, received, deadline = chunk, b"", time.monotonic() + 120
        while time.monotonic() < deadline and sent < 300 << 20 and not received:
            try:
                count = connection.send(pending)
                sent += count
                pending = pending[count:] or chunk
            except BlockingIOError:
                time.sleep(0.01)
            except ConnectionError:
                break
            try:
                received += connection.recv(4096)
            except (BlockingIOError, ConnectionError):
                pass
    assert received.startswith(b"HTTP/1.1 413"), received[:200]
    assert sent < 32 << 20, f"{sent} bytes were taken"
    assert nvr.resident() - before < 64 << 20
    well(nvr)


# Files.

def upload(nvr, path: str, content: bytes, name: str = "file", filename: str = "a.tar", kind: str = "application/octet-stream") -> tuple[int, bytes]:
    form = (
        f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {kind}\r\n\r\n'.encode() + content + b"\r\n--b--\r\n")
    return ask(nvr, "POST", path, form, {"Content-Type": "multipart/form-data; boundary=b"})


def archive(*entries: tuple[str, dict], content: bytes = b'{"camera": {"name": "x", "rtsp_url": "rtsp://127.0.0.1:1/x"}}') -> bytes:
    """A tar of entries: name, and what is odd about them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, odd in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for key, value in odd.items():
                setattr(entry, key, value)
            tar.addfile(entry, io.BytesIO(content) if entry.isreg() else None)
    return out.getvalue()


def test_archives_that_climb_or_explode(nvr):
    before = sorted(str(file) for file in nvr.folder.rglob("*") if "-wal" not in file.name and "-shm" not in file.name)
    whole = archive(("a.json", {}))
    assert upload(nvr, "/cameras/import?analyze_only=true", whole)[0] == 200, "a plain archive is read"
    huge = bytearray(whole)
    # A size of eight gigabytes, and one that is no number; the sum of the head is made right again.
    def with_size(field: bytes) -> bytes:
        head = bytearray(huge[:512])
        head[124:136] = field
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\x00 " % sum(head)
        return bytes(head) + bytes(huge[512:])

    files = {
        "climbing": archive(("../../climbed.json", {})), "absolute": archive(("/tmp/vibenvr-climbed.json", {})),
        "a link": archive(("a.json", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0})),
        "a hard link": archive(("a.json", {"type": tarfile.LNKTYPE, "linkname": "../../etc/passwd", "size": 0})),
        "a device": archive(("a.json", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5, "size": 0})), "a pipe": archive(("a.json", {"type": tarfile.FIFOTYPE, "size": 0})),
        "a folder": archive(("a.json", {"type": tarfile.DIRTYPE, "size": 0})), "many entries": archive(*[(f"{number}.json", {}) for number in range(3000)]),
        "a long name": archive(("a" * 5000 + ".json", {})), "a NUL in a name": archive(("a\x00../../b.json", {})), "eight gigabytes": with_size(b"77777777777\x00"),
        "a size in base 256": with_size(b"\x80" + b"\xff" * 11), "a size that is none": with_size(b"zzzzzzzzzzz\x00"), "cut off": whole[:700], "only a head": whole[:512],
        "noise": bytes(range(256)) * 64, "gzip": gzip.compress(b"\x00" * 50_000_000), "zeros": b"\x00" * 1_000_000, "nothing": b"", "no JSON": archive(("a.json", {}), content=b"{" * 100_000),
        "the same twice": archive(("a.json", {}), ("a.json", {})),
    }
    problems = []
    for name, content in files.items():
        for path in ("/cameras/import?analyze_only=true", "/settings/backup/import"):
            begun = time.time()
            status, body = upload(nvr, path, content)
            seconds = took(nvr, begun)
            if status >= 500 or b"root:" in body or seconds > 5:
                problems.append(f"{name} to {path}: {status} after {seconds:.1f} s {body[:100]!r}")
            if status == 200 and name not in ("the same twice", "climbing", "absolute", "a long name", "a NUL in a name", "many entries", "a folder"):
                problems.append(f"{name} to {path} is taken: {body[:100]!r}")
    assert not problems, "\n".join(problems)
    after = sorted(str(file) for file in nvr.folder.rglob("*") if "-wal" not in file.name and "-shm" not in file.name)
    assert after == before and not Path("/tmp/vibenvr-climbed.json").exists(), "an archive left something on the disk"
    well(nvr)


def png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_pictures_that_explode(nvr):
    me = nvr.api.json("/auth/me")["id"]
    before = nvr.resident()
    pictures = {
        "a bomb": png(30_000, 30_000, zlib.compress(b"\x00" * 90_001 * 100)), "no size": png(0, 0, b""), "an endless size": png(0x7FFFFFFF, 0x7FFFFFFF, b"\x00"),
        "cut off": png(10, 10, zlib.compress(b"\x00" * 310))[:50], "a script": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "a page": b"<html><script>alert(1)</script></html>", "a GIF with a script": b"GIF89a/*" + b"\x00" * 20 + b"*/=1;alert(1)", "a JPEG head": b"\xff\xd8\xff\xe0" + b"\x00" * 100,
        "a movie": b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 100, "a playlist": b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\nfile:///etc/passwd\n", "a concat list": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "nothing": b"", "a RIFF": b"RIFF\xff\xff\xff\x7fWEBPVP8X" + b"\xff" * 50,
    }
    for name, content in pictures.items():
        for filename, kind in (("a.png", "image/png"), ("../../a.png", "image/svg+xml")):
            begun = time.time()
            status, body = upload(nvr, f"/users/{me}/avatar", content, filename=filename, kind=kind)
            assert 400 <= status < 500, f"{name}: {status} {body[:200]!r}"
            assert took(nvr, begun) < 5, name
    assert nvr.resident() - before < 150 << 20
    assert nvr.api.get(f"/users/{me}/avatar").status_code == 404
    assert upload(nvr, f"/users/{me}/avatar", png(10, 10, zlib.compress(b"\x00" * 310)), filename="a.png", kind="image/png")[0] == 200, "a plain picture is taken"
    well(nvr)


# Heads.

def test_heads_that_are_none(nvr):
    token = f"Authorization: Bearer {nvr.api.token}\r\n".encode()
    many = b"".join(b"X-%d: y\r\n" % number for number in range(5000))
    heads = {
        "many fields": b"GET /health HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n", "a long field": b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 1_000_000 + b"\r\n\r\n",
        "a long name": b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"A" * 1_000_000 + b": b\r\n\r\n", "a long path": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "a long query": b"GET /events?" + b"a=b&" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n" + token + b"\r\n", "a long method": b"G" * 100_000 + b" / HTTP/1.1\r\n\r\n",
        "no version": b"GET /health\r\n\r\n", "a strange version": b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n", "a negative length": b"POST /cameras HTTP/1.1\r\nHost: x\r\n" + token + b"Content-Length: -5\r\n\r\n",
        "a length that is none": b"POST /cameras HTTP/1.1\r\nHost: x\r\n" + token + b"Content-Length: 5x\r\n\r\nhello", "an endless length": b"POST /cameras HTTP/1.1\r\nHost: x\r\n" + token + b"Content-Length: 99999999999999999999999\r\n\r\n",
        "a chunk of negative size": b"POST /cameras HTTP/1.1\r\nHost: x\r\n" + token + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        "a chunk of endless size": b"POST /cameras HTTP/1.1\r\nHost: x\r\n" + token + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n", "a folded field": b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        "a field without a name": b"GET /health HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", "a NUL": b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n", "bytes that are no text": b"GET /\xff\xfe HTTP/1.1\r\nHost: \xff\r\n\r\n",
        "lines ended by LF": b"GET /health HTTP/1.1\nHost: x\n\n", "many cookies": b"GET /auth/me HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b; " * 5000 + b"\r\n\r\n",
        "many ranges": b"GET /events/1/download HTTP/1.1\r\nHost: x\r\n" + token + b"Range: bytes=" + b"0-1," * 3000 + b"0-1\r\n\r\n", "TLS": bytes.fromhex("1603010200010001fc0303") + b"\x00" * 500,
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "CONNECT": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n", "a whole URL": b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: x\r\n\r\n",
        "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "TRACE": b"TRACE /health HTTP/1.1\r\nHost: x\r\nX-Secret: echo-me\r\n\r\n",
    }
    problems = []
    for name, head in heads.items():
        received = raw(nvr, head, timeout=1.5)
        if re.match(rb"HTTP/1\.\d 5\d\d", received) or b"echo-me" in received:
            problems.append(f"{name}: {received[:200]!r}")
        # What is refused as no HTTP at all leaves nothing open behind it.
    assert not problems, "\n".join(problems)
    well(nvr)


@pytest.mark.parametrize("head", [
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"Content-Length: 4\r\nContent-Length: 50\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\nContent-Length: 4\r\n",
])
def test_no_request_hides_in_another(nvr, head):
    """Two lengths for one body: a proxy in front might see another border between two requests than we do."""
    hidden = b"GET /auth/status HTTP/1.1\r\nHost: hidden\r\n\r\n"
    received = raw(nvr, b"POST /auth/logout HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n" + b"0\r\n\r\n" + hidden, timeout=2)
    assert received.count(b"HTTP/1.1 200") < 2 and b"setup_required" not in received, received[-300:]
    well(nvr)


# Time.

def drip(nvr, head: bytes, drop: bytes, seconds: float) -> float:
    """Sends `head`, then a byte a second; the seconds until the server ends it."""
    begun = time.time()
    with socket.create_connection(address(nvr), timeout=120) as connection:
        connection.settimeout(1)
        connection.sendall(head)
        while time.time() - begun < seconds:
            try:
                connection.sendall(drop)
                if not connection.recv(4096):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
    return took(nvr, begun)


def test_slow_clients_are_cut_off(nvr):
    """A head, or a body, sent a byte a second does not hold a place for long; nobody else notices."""
    token = f"Authorization: Bearer {nvr.api.token}\r\n".encode()
    cases = {
        "head": (b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a"),
        "later head": (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nX-Slow: ", b"a"),
        "body": (b"POST /cameras HTTP/1.1\r\nHost: x\r\n" + token + b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n", b" "),
        "chunks": (b"POST /cameras HTTP/1.1\r\nHost: x\r\n" + token + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        "nothing": (b"", b""),
    }
    ended: dict[str, float] = {}

    def run(name: str) -> None:
        ended[name] = max(drip(nvr, *cases[name], seconds=300), ended.get(name, 0))

    threads = [threading.Thread(target=run, args=(name,)) for name in cases for _ in range(4)]
    for thread in threads:
        thread.start()
    answers = 0
    while any(thread.is_alive() for thread in threads):
        well(nvr)
        answers += 1
        time.sleep(0.5)
    for thread in threads:
        thread.join()
    assert answers > 5
    slow = {name: round(seconds) for name, seconds in ended.items() if seconds > 75}
    assert not slow, f"still served after so many seconds: {slow}"


@pytest.mark.parametrize("count", [200, 700])
def test_idle_connections_keep_nobody_out(nvr, count):
    """More connections than the server takes, silent, resting after one answer or in the midst of a body: a newcomer is answered at once."""
    with ExitStack() as stack:
        for number in range(count):
            connection = stack.enter_context(socket.create_connection(address(nvr), timeout=120))
            if number % 3 == 1:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            elif number % 3 == 2 or number > count * 0.3:
                connection.sendall(b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
        for _ in range(20):
            begun = time.time()
            status, _ = ask(nvr, "GET", "/auth/me")
            assert status == 200 and took(nvr, begun) < 2
    well(nvr)


def test_half_closed_and_reset_connections(nvr):
    before = nvr.descriptors()
    for number in range(300):
        connection = socket.create_connection(address(nvr), timeout=120)
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n" if number % 3 else b"GET /he")
        if number % 2:
            # Closed with a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        else:
            connection.shutdown(socket.SHUT_WR)
        connection.close()
    wait_for("connections are closed", lambda: nvr.descriptors() <= before + 20)
    well(nvr)


def test_the_log_tells_nothing_secret(nvr):
    """After all of this: no token, no password."""
    log = nvr.log()
    assert nvr.api.token not in log and "Bench-Passw0rd!" not in log
    assert json.dumps(nvr.api.token) not in log
