"""Users, their rights, second factors, keys and sessions, as clients meet them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import sqlite3
import struct
import subprocess
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import cv2
import numpy
import pytest

from harness.server import BUSY, NVR, PASSWORD, PROGRAM, USER

VIEWER, VIEWER_PASSWORD = "viewer1", "Viewer-Passw0rd!"


def login(nvr: NVR, username: str = USER, password: str = PASSWORD, forwarded: str | None = None, **more):
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return nvr.api.post("/auth/login", token="", data={"username": username, "password": password, **more}, headers=headers)


def token_of(answer) -> str:
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def make_viewer(nvr: NVR, **fields) -> tuple[int, str]:
    """A viewer; id and token."""
    answer = nvr.api.post("/users", json={"username": VIEWER, "password": VIEWER_PASSWORD, "role": "viewer", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"], token_of(login(nvr, VIEWER, VIEWER_PASSWORD))


def add_camera(nvr: NVR, name: str) -> int:
    answer = nvr.api.post("/cameras", json={"name": name, "rtsp_url": "rtsp://10.255.255.1/x", "is_active": False})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def add_event(nvr: NVR, camera: int) -> int:
    """A snapshot's row, as a camera that is not here would have left it."""
    with closing(sqlite3.connect(nvr.data / "vibenvr.db", timeout=BUSY)) as db, db:
        row = db.execute(
            "INSERT INTO events (camera_id, medium, kind, start_us, picture_path) VALUES (?, 1, 2, ?, ?)",
            (camera, int(time.time() * 1e6), f"{camera}/none.jpg"))
        return row.lastrowid


def totp(secret: str, offset: int = 0) -> str:
    """RFC 6238 from its text, not from our code."""
    counter = struct.pack(">Q", int(time.time()) // 30 + offset)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start:start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def stored_bytes(nvr: NVR) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(nvr.data.glob("vibenvr.db*")))


# Rights.


def test_rights_to_cameras_count_at_once_for_sessions_and_keys(nvr):
    first, second = add_camera(nvr, "First"), add_camera(nvr, "Second")
    events = {camera: add_event(nvr, camera) for camera in (first, second)}
    user, token = make_viewer(nvr, restrict_camera_access=True)
    key = nvr.api.post("/v1/api-tokens", token=token, json={"name": "k"}).json()["token"]
    ways = [{"Authorization": f"Bearer {token}"}, {"X-API-Key": key}]

    def expect(view: set[int], replay: set[int]) -> None:
        for headers in ways:
            get = lambda path, **more: nvr.api.get(path, token="", headers=headers, **more)  # noqa: E731
            assert {camera["id"] for camera in get("/cameras").json()} == view
            assert {event["camera_id"] for event in get("/events").json()} == replay
            assert set(get("/events/status").json()["camera_health"]) == {str(camera) for camera in view}
            for camera in (first, second):
                assert get(f"/cameras/{camera}").status_code == (200 if camera in view else 404)
                # Seen, yet without a picture; or not there at all.
                assert get(f"/cameras/{camera}/frame").status_code == (503 if camera in view else 404)
                assert get(f"/events/{events[camera]}").status_code == (200 if camera in replay else 404)
                answer = get("/events", params={"camera_id": camera})
                assert answer.status_code == 200 and bool(answer.json()) == (camera in replay)
            assert {int(camera) for camera in get("/stats").json()["details"]["cameras"]} == view

    def give(**fields) -> None:
        answer = nvr.api.put(f"/users/{user}", json=fields)
        assert answer.status_code == 200, answer.text

    expect(set(), set())
    give(camera_accesses=[{"id": first}])
    expect({first}, {first})
    give(camera_accesses=[{"id": first, "can_replay": False}, {"id": second, "can_view": False}])
    expect({first}, {second})
    give(camera_accesses=[], restrict_camera_access=True)
    expect(set(), set())
    give(restrict_camera_access=False)
    expect({first, second}, {first, second})
    assert nvr.api.put(f"/users/{user}", json={"is_active": False}).status_code == 200
    for headers in ways:
        assert nvr.api.get("/cameras", token="", headers=headers).status_code == 401


def test_a_group_gives_its_rights_to_cameras_that_join_it(nvr):
    camera = add_camera(nvr, "Late")
    with closing(sqlite3.connect(nvr.data / "vibenvr.db", timeout=BUSY)) as db, db:
        group = db.execute("INSERT INTO groups (name, created_us) VALUES ('Yard', 1)").lastrowid
    _, token = make_viewer(nvr, restrict_camera_access=True, group_accesses=[{"id": group, "can_replay": False}])
    assert nvr.api.json("/auth/me", token=token)["group_accesses"] == [
        {"id": group, "name": "Yard", "can_view": True, "can_replay": False, "can_control": False}]
    assert nvr.api.json("/cameras", token=token) == []
    answer = nvr.api.post(f"/groups/{group}/cameras", json=[camera])
    assert answer.status_code == 200, answer.text
    assert [found["id"] for found in nvr.api.json("/cameras", token=token)] == [camera]
    assert nvr.api.delete(f"/groups/{group}").status_code == 200
    assert nvr.api.json("/cameras", token=token) == []


# Sessions.


def test_sessions_end_at_once(nvr):
    user, _ = make_viewer(nvr)

    def ends(act, username=VIEWER, password=VIEWER_PASSWORD) -> None:
        answer = login(nvr, username, password)
        token = token_of(answer)
        media = next(value for value in answer.raw.headers.getlist("Set-Cookie") if value.startswith("media_token=")).partition(";")[0]
        assert nvr.api.get("/auth/me", token=token).status_code == 200
        assert nvr.api.get("/cameras/1/frame", token="", headers={"Cookie": media}).status_code == 404
        answer = act(token)
        assert answer.status_code == 200, answer.text
        assert nvr.api.get("/auth/me", token=token).status_code == 401
        assert nvr.api.get("/cameras/1/frame", token="", headers={"Cookie": media}).status_code == 401

    ends(lambda token: nvr.api.post("/auth/logout", token=token))
    ends(lambda token: nvr.api.put(f"/users/{user}", json={"role": "admin"}))
    ends(lambda token: nvr.api.put(f"/users/{user}", json={"role": "viewer"}))
    ends(lambda token: nvr.api.put(f"/users/{user}/password", json={"new_password": VIEWER_PASSWORD + "2"}))
    ends(lambda token: nvr.api.put(
        f"/users/{user}/password", token=token, json={"old_password": VIEWER_PASSWORD + "2", "new_password": VIEWER_PASSWORD}),
        password=VIEWER_PASSWORD + "2")
    ends(lambda token: nvr.api.put(f"/users/{user}", json={"is_active": False}))
    assert login(nvr, VIEWER, VIEWER_PASSWORD).status_code == 401
    assert nvr.api.put(f"/users/{user}", json={"is_active": True}).status_code == 200
    ends(lambda token: nvr.api.delete(f"/users/{user}"))


def test_the_last_administrator_stays(nvr):
    me = nvr.api.json("/auth/me")["id"]
    for answer in (
        nvr.api.delete(f"/users/{me}"), nvr.api.put(f"/users/{me}", json={"role": "viewer"}), nvr.api.put(f"/users/{me}", json={"is_active": False}),
    ):
        assert answer.status_code == 409 and "administrator" in answer.json()["detail"]
    assert nvr.api.json("/auth/me")["role"] == "admin"


# Second factors.


def read_qr(svg: str, folder: Path) -> str:
    """What a reader of bar codes makes of the picture, which the test draws itself."""
    side = int(re.search(r'viewBox="0 0 (\d+) \1"', svg)[1])
    picture = numpy.full((side, side), 255, numpy.uint8)
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", svg):
        picture[int(y), int(x) : int(x) + int(width)] = 0
    cv2.imwrite(str(folder / "code.png"), cv2.resize(picture, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST))
    run = subprocess.run(["zbarimg", "--quiet", "--raw", str(folder / "code.png")], capture_output=True, text=True, timeout=300)
    return run.stdout.removesuffix("\n")


def enable_two_factor(nvr: NVR) -> dict:
    made = nvr.api.post("/auth/2fa/setup")
    assert made.status_code == 200, made.text
    code = totp(made.json()["secret"])
    answer = nvr.api.post("/auth/2fa/enable", json={"code": code})
    assert answer.status_code == 200, answer.text
    return {**made.json(), "used": code}


def test_the_set_up_picture_is_the_url(nvr, tmp_path):
    made = nvr.api.post("/auth/2fa/setup").json()
    assert made["otpauth_url"].startswith("otpauth://totp/VibeNVR:admin?secret=" + made["secret"])
    assert read_qr(made["qr_svg"], tmp_path) == made["otpauth_url"]


@pytest.mark.parametrize("name", ["x", "a.rather.long.name@of-an-organisation.example", "käse & brot", "😀" * 60])
def test_the_picture_can_be_read_whatever_the_name(nvr, name, tmp_path):
    nvr.api.post("/users", json={"username": name, "password": VIEWER_PASSWORD})
    made = nvr.api.post("/auth/2fa/setup", token=token_of(login(nvr, name, VIEWER_PASSWORD))).json()
    assert read_qr(made["qr_svg"], tmp_path) == made["otpauth_url"]


def test_signing_in_with_a_second_factor(nvr):
    made = enable_two_factor(nvr)
    refused = lambda **more: (lambda answer: (answer.status_code, answer.json()["detail"]))(login(nvr, **more))  # noqa: E731
    assert refused() == (401, "2FA_REQUIRED")
    assert refused(totp_code="000000") == (401, "Invalid 2FA Code")
    # The code that enabled it was its first use.
    assert refused(totp_code=made["used"]) == (401, "Invalid 2FA Code")
    assert login(nvr, password="wrong").json()["detail"] == "Incorrect username or password"
    # Each code is good once, also for many at the same moment; the next one is taken early.
    code = totp(made["secret"], 1)
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(lambda _: login(nvr, totp_code=code), range(3)))
    assert statuses == [200, 401, 401]
    recovery = made["recovery_codes"]
    assert len(set(recovery)) == 10
    trusted = login(nvr, recovery_code=recovery[0].lower(), trust_device="true", device_name="Kitchen")
    device = trusted.json()["device_token"]
    assert trusted.status_code == 200 and device
    assert refused(recovery_code=recovery[0]) == (401, "Invalid Recovery Code")
    assert login(nvr, device_token=device).status_code == 200
    listed = nvr.api.json("/auth/devices")
    assert [entry["name"] for entry in listed] == ["Kitchen"] and device not in str(listed)
    assert nvr.api.delete(f"/auth/devices/{listed[0]['id']}").status_code == 200
    assert refused(device_token=device) == (401, "2FA_REQUIRED")

    renewed = nvr.api.post("/auth/2fa/recovery-codes").json()["recovery_codes"]
    assert refused(recovery_code=recovery[1]) == (401, "Invalid Recovery Code")
    # Nothing of it can be read in the files.
    stored = stored_bytes(nvr)
    assert b"admin@example.com" in stored
    for secret in [made["secret"], device, *recovery, *renewed]:
        assert secret.encode() not in stored and secret.replace("-", "").encode() not in stored

    assert nvr.api.post("/auth/2fa/disable", json={"password": "wrong"}).status_code == 400
    assert nvr.api.post("/auth/2fa/disable", json={"password": PASSWORD}).status_code == 200
    assert login(nvr).status_code == 200


def test_a_lost_second_factor_is_reset_from_the_shell(nvr):
    enable_two_factor(nvr)
    assert login(nvr).json()["detail"] == "2FA_REQUIRED"
    run = subprocess.run(
        [str(PROGRAM), "user", "reset-2fa", USER, "--data-dir", str(nvr.data)], env=nvr.environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert login(nvr).status_code == 200


# API keys.


def test_api_keys(nvr):
    camera = add_camera(nvr, "A")
    assert nvr.api.post("/v1/api-tokens", json={"name": "x", "expires_in_days": 0}).status_code == 422
    made = nvr.api.post("/v1/api-tokens", json={"name": "ha", "expires_in_days": 1}).json()
    key = made["token"]
    use = lambda method, path, **more: nvr.api.call(method, path, token="", headers={"X-API-Key": key}, **more)  # noqa: E731
    listed = nvr.api.json("/v1/api-tokens")[0]
    assert listed["token"] is None and listed["last_used_at"] is None and listed["expires_at"] is not None
    assert key.encode() not in stored_bytes(nvr)
    assert use("GET", "/cameras").json()[0]["id"] == camera and "rtsp_url" not in use("GET", "/cameras").json()[0]
    assert nvr.api.json("/v1/api-tokens")[0]["last_used_at"] is not None
    for method, path in [
        ("POST", "/cameras"), ("DELETE", f"/cameras/{camera}"), ("GET", "/users"), ("POST", "/v1/api-tokens"), ("POST", "/auth/2fa/setup"),
        ("PUT", "/users/1/password"), ("PATCH", "/auth/me/language"),
    ]:
        assert use(method, path, json={}).status_code == 401, path
    with closing(sqlite3.connect(nvr.data / "vibenvr.db", timeout=BUSY)) as db, db:
        db.execute("UPDATE api_tokens SET expires_us = 1")
    nvr.terminate()
    nvr.start()
    assert use("GET", "/cameras").status_code == 401


# Avatars.


def jpeg(width: int = 400, height: int = 300) -> bytes:
    picture = numpy.zeros((height, width, 3), numpy.uint8)
    picture[:, : width // 2] = (0, 0, 255)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def upload(nvr: NVR, file: bytes, user: int = 1, kind: str = "image/png"):
    return nvr.api.post(f"/users/{user}/avatar", files={"file": ("../../etc/passwd.png", file, kind)})


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp"])
def test_an_avatar_is_made_anew(nvr, kind):
    picture = cv2.imdecode(numpy.frombuffer(jpeg(), numpy.uint8), cv2.IMREAD_COLOR)
    answer = upload(nvr, cv2.imencode(kind, picture)[1].tobytes())
    assert answer.status_code == 200, answer.text
    path = answer.json()["avatar_path"]
    served = nvr.api.get(path)
    assert served.status_code == 200 and served.headers["Content-Type"] == "image/jpeg"
    seen = cv2.imdecode(numpy.frombuffer(served.content, numpy.uint8), cv2.IMREAD_COLOR)
    assert seen.shape[:2] == (192, 256)
    assert seen[96, 64, 2] > 200 and seen[96, 64, 0] < 60 and seen[96, 192].max() < 60
    assert nvr.api.json("/auth/me")["avatar_path"] == path
    assert nvr.api.get(path, token="").status_code == 401


def test_no_byte_of_an_upload_is_served(nvr):
    mark = b"GPS 48.858 <script>alert(1)</script>"
    plain = jpeg()
    commented = plain[:2] + b"\xff\xfe" + struct.pack(">H", len(mark) + 2) + mark + plain[2:] + mark
    assert mark not in nvr.api.get(upload(nvr, commented).json()["avatar_path"]).content
    png = cv2.imencode(".png", numpy.zeros((8, 8, 3), numpy.uint8))[1].tobytes()
    with_text = png[:33] + png_chunk(b"tEXt", b"Comment\0" + mark) + png[33:]
    assert mark not in nvr.api.get(upload(nvr, with_text).json()["avatar_path"]).content


def test_uploads_that_are_no_picture_or_a_bomb_cost_nothing(nvr):
    assert upload(nvr, jpeg()).status_code == 200
    path = nvr.api.json("/auth/me")["avatar_path"]
    before = nvr.resident()
    head = b"\x89PNG\r\n\x1a\n"

    def png(width: int, height: int, data: bytes, *more: bytes) -> bytes:
        return head + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + b"".join(more) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")

    zeros = zlib.compress(bytes(1 << 20), 9)
    # A million zero bytes, a thousand times over, in a compressed comment.
    inflating = zlib.compressobj(9)
    comment = b"c\0\0" + b"".join(inflating.compress(bytes(1 << 20)) for _ in range(1000)) + inflating.flush()
    assert len(comment) < 2 << 20
    harmless = png(1, 1, zlib.compress(b"\0\0\0\0"), png_chunk(b"zTXt", comment))
    for file, wanted in [
        (b"", {400, 422}), (b"GIF89a", {400}), (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {400}), (b"\xff\xd8\xff", {400}), (jpeg()[:200], {400}),
        (head + b"\xff" * 100, {400}), (b"RIFF\0\0\0\0WEBPVP8 ", {400}), (png(60_000, 60_000, zeros), {400}), (png(16_000, 16_000, zeros), {400}),
        (b"\xff\xd8\xff\xe0\0\2" + b"\xff\xda\0\2" * 100_000, {400}), (bytes((2 << 20) + 1), {413}), (bytes(20 << 20), {413}), (harmless, {200}),
    ]:
        try:
            answer = upload(nvr, file)
        except Exception as broken:  # The refusal came before the whole body was sent.
            assert wanted == {413}, broken
            continue
        assert answer.status_code in wanted, (file[:20], answer.status_code, answer.text)
        assert answer.status_code == 200 or nvr.api.json("/auth/me")["avatar_path"] == path
    assert nvr.running and nvr.resident() - before < 100 << 20


# Throttles.


def test_guessing_is_slowed_down_and_keeps_nobody_else_out(nvr):
    make_viewer(nvr)
    for _ in range(10):
        assert login(nvr, password="guess").status_code == 401
    late = login(nvr)
    assert late.status_code == 429 and 1 <= int(late.headers["Retry-After"]) <= 60 and late.json()["detail"]
    # Nobody writes his own address.
    assert login(nvr, forwarded="192.0.2.77").status_code == 429
    # Somebody else behind the same address, also when every account there is guessed at.
    assert login(nvr, VIEWER, VIEWER_PASSWORD).status_code == 200
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        guesses = [answer.status_code for answer in pool.map(lambda number: login(nvr, f"guess{number}", "x"), range(60))]
    # Thirty in any minute, of which hashing that many may take more than one.
    minutes = int((time.monotonic() - begun) // 60) + 1
    assert set(guesses) <= {401, 429, 503} and 30 <= 60 - guesses.count(429) <= 30 * minutes, guesses
    assert login(nvr, VIEWER, VIEWER_PASSWORD).status_code == 200


def test_addresses_are_those_that_trusted_proxies_saw():
    with NVR(TRUSTED_PROXIES="127.0.0.0/8, 10.0.0.0/8") as nvr:
        nvr.start().with_admin()
        for number in range(10):
            # What stands on the left, the client wrote itself.
            assert login(nvr, password="guess", forwarded=f"203.0.113.{number}, 192.0.2.1, 10.0.0.9").status_code == 401
        assert login(nvr, forwarded="192.0.2.1").status_code == 429
        assert login(nvr, forwarded="192.0.2.1:4711, 10.1.1.1").status_code == 429
        assert login(nvr, forwarded="192.0.2.2").status_code == 200
    with NVR(TRUSTED_PROXIES="proxy.example") as nvr:
        with pytest.raises(AssertionError, match="proxy.example"):
            nvr.start()


def test_codes_are_throttled(nvr):
    made = enable_two_factor(nvr)
    for _ in range(5):
        assert login(nvr, totp_code="000000").status_code == 401
    late = login(nvr, recovery_code=made["recovery_codes"][0])
    assert late.status_code == 429 and int(late.headers["Retry-After"]) > 0


def test_password_hashes_block_nothing_and_a_flood_is_refused():
    with NVR(TRUSTED_PROXIES="127.0.0.1") as nvr:
        nvr.start().with_admin()
        statuses: list[int] = []
        done = threading.Event()

        def flood() -> None:
            with ThreadPoolExecutor(80) as pool:
                answers = pool.map(lambda number: login(nvr, f"user{number}", "x", forwarded=f"10.1.{number // 250}.{number % 250}"), range(160))
                for answer in answers:
                    statuses.append(answer.status_code)
                    assert answer.status_code != 503 or int(answer.headers["Retry-After"]) > 0
            done.set()

        thread = threading.Thread(target=flood)
        thread.start()
        answered = 0
        while not done.is_set() and thread.is_alive():
            assert nvr.api.get("/auth/me").status_code == 200
            answered += 1
        thread.join()
        assert done.is_set() and set(statuses) == {401, 503}
        # Were hashes computed where requests are answered, each of these would have waited for all of those in the queue.
        assert answered > statuses.count(401)
        assert login(nvr).status_code == 200


def test_a_password_hash_has_its_price(nvr):
    with closing(sqlite3.connect(nvr.data / "vibenvr.db", timeout=BUSY)) as db:
        stored = db.execute("SELECT password_hash FROM users").fetchone()[0]
    kind, version, cost = stored.split("$")[1:4]
    memory, passes, lanes = (int(part.partition("=")[2]) for part in cost.split(","))
    assert (kind, version, lanes) == ("argon2id", "v=19", 1)
    # More than what OWASP asks for (19 MiB and two passes).
    assert memory >= 65_536 and passes >= 2
