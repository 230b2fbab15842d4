"""Backups of the configuration: made, kept, moved to another server, restored whole or not at all."""

from __future__ import annotations

import json
import os
import socket
import threading
import time

import pytest
import requests

from harness.server import NVR, PASSWORD, USER, wait_for
from peers import footage
from peers.gst_camera import GstCamera

CAMERA = {"name": "Door", "rtsp_url": "rtsp://user:Planted-Pw@192.0.2.7/main", "is_active": False, "onvif_password": "Planted-Onvif"}
# "Old-Passw0rd!" as VibeNVR's libraries hash it.
ARGON = "$argon2id$v=19$m=65536,t=3,p=4$yN9fFhHWe9kEMz7lpNf1OA$ZtmmdnL2uwEgHGp9aPgVf8Pnwlq6UWmv/FiybMcWF3Q"


@pytest.fixture
def other():
    with NVR() as server:
        yield server.start().with_admin()


def furnish(nvr: NVR) -> dict:
    """One of everything; what GET answers of it."""
    camera = nvr.api.post("/cameras", json=CAMERA).json()["id"]
    group = nvr.api.post("/groups", json={"name": "Outside"})
    assert group.status_code == 200, group.text
    nvr.api.post(f"/groups/{group.json()['id']}/cameras", json=[camera])
    user = nvr.api.post("/users", json={
        "username": "viewer", "password": PASSWORD, "role": "viewer", "restrict_camera_access": True,
        "camera_accesses": [{"id": camera, "can_view": True, "can_replay": False, "can_control": False}],
    })
    assert user.status_code == 200, user.text
    nvr.api.post("/settings/bulk", json={"opt_live_view_quality": "61", "smtp_password": "Planted-Smtp"})
    return state(nvr)


def state(nvr: NVR) -> dict:
    """Everything that somebody set up, hashes and rights with it; not what cameras do at the moment."""
    backup = nvr.api.json("/settings/backup/export")
    return {**{key: value for key, value in backup.items() if key != "timestamp"}, "user list": nvr.api.json("/users")}


def restore(nvr: NVR, text: str, **fields: str) -> requests.Response:
    return nvr.api.post("/settings/backup/import", files={"file": ("backup.json", text, "application/json")}, data=fields)


def test_a_backup_moves_a_configuration_to_another_server(nvr, other):
    furnish(nvr)
    text = nvr.api.get("/settings/backup/export").text
    answer = restore(other, text)
    assert answer.status_code == 200, answer.text
    assert answer.json()["warnings"] == [] and answer.json()["users_without_password"] == []
    camera = next(camera for camera in other.api.json("/cameras") if camera["name"] == "Door")
    assert camera["rtsp_url"] == CAMERA["rtsp_url"] and camera["onvif_password"] == "Planted-Onvif"
    other.api.login("viewer", PASSWORD)
    assert [camera["id"] for camera in other.api.json("/cameras")] == [camera["id"]]
    assert "Planted" not in other.api.get("/cameras").text
    other.api.login(USER, PASSWORD)
    assert other.api.json("/settings/opt_live_view_quality")["value"] == "61"
    assert "Planted" not in other.log()


def test_a_restore_brings_back_what_was_changed_and_the_engine_follows(nvr):
    with GstCamera({"/cam": (footage.counter(), None)}) as source:
        camera = nvr.api.add_camera("Live", source.url("/cam"))
        wait_for("the camera to record", lambda: nvr.rows(camera) and nvr.api.status(camera) == "CONNECTED")
        file = nvr.api.post("/settings/backup/run").json()["filename"]
        before = state(nvr)
        assert nvr.api.delete(f"/cameras/{camera}").status_code == 200
        nvr.api.put("/settings/mqtt_port?value=1")
        answer = nvr.api.post(f"/settings/backup/restore-file/{file}")
        assert answer.status_code == 200, answer.text
        assert state(nvr) == before, "the camera has its old id, and with it its footage"
        wait_for("the restored camera to be read", lambda: nvr.api.status(camera) == "CONNECTED")
        assert nvr.rows(camera)
    listed = nvr.api.json("/settings/backup/list")
    assert {item["filename"] for item in listed} == {file, answer.json()["safety_backup"]}
    assert all((nvr.data / "backups" / item["filename"]).stat().st_size == item["size"] for item in listed)
    assert nvr.api.delete(f"/settings/backup/{file}").status_code == 200
    assert len(nvr.api.json("/settings/backup/list")) == 1


def vibenvr_backup() -> dict:
    """A backup as VibeNVR writes it."""
    camera = json.loads(json.dumps({
        "name": "Front Door", "rtsp_url": "rtsp://admin:pw@192.168.1.20:554/ch1", "sub_rtsp_url": None, "location": None, "is_active": False,
        "rtsp_transport": "tcp", "sub_rtsp_transport": "tcp", "live_view_mode": "auto", "storage_profile_id": None, "status": "UNREACHABLE",
        "last_seen": None, "sort_order": 0, "audio_enabled": False, "onvif_port": 80, "resolution_width": 1920, "resolution_height": 1080,
        "framerate": 15, "rotation": 0, "movie_file_name": "%Y-%m-%d/%H-%M-%S", "movie_quality": 75, "movie_passthrough": False,
        "recording_mode": "Motion Triggered", "max_movie_length": 120, "privacy_masks": "[]", "motion_masks": "[]",
        "ai_object_types": ["person", "vehicle"], "id": 7, "created_at": "2026-11-22T21:16:49.380965", "groups": [], "storage_profile": None,
    }))
    user = {"email": None, "hashed_password": ARGON, "is_2fa_enabled": False, "totp_secret": None, "avatar_path": None, "restrict_camera_access": False,
            "allowed_camera_ids": [], "allowed_group_ids": [], "auth_source": "local", "oauth_subject_id": None, "oauth_enabled": True}
    return {
        "timestamp": "2026-11-22T21:17:00.123456", "version": "1.0",
        "settings": [{"id": 1, "key": "opt_live_view_quality", "value": "70", "description": "x"}, {"id": 2, "key": "from_the_future", "value": "1", "description": None}],
        "cameras": [camera], "groups": [{"name": "Outside", "description": None, "id": 3, "cameras": [camera]}], "storage_profiles": [],
        "associations": [{"camera_id": 7, "group_id": 3}],
        "users": [{**user, "username": "grandpa", "role": "viewer"}, {**user, "username": "bcrypt", "role": "viewer", "hashed_password": "$2b$12$abcdefghijklmnopqrstuv"},
                  {**user, "username": USER, "role": "admin"}],
        "api_tokens": [], "recovery_codes": [], "trusted_devices": [], "federated_nodes": [],
    }


def test_a_backup_of_vibenvr_imports(nvr):
    answer = restore(nvr, json.dumps(vibenvr_backup()))
    assert answer.status_code == 200, answer.text
    assert answer.json()["users_without_password"] == ["bcrypt"]
    (camera,) = nvr.api.json("/cameras")
    assert camera["name"] == "Front Door" and camera["rtsp_url"] == "rtsp://admin:pw@192.168.1.20:554/ch1"
    assert nvr.api.json("/settings/opt_live_view_quality")["value"] == "70"
    assert [camera["id"] for camera in nvr.api.json("/groups")[0]["cameras"]] == [camera["id"]]
    nvr.api.login("grandpa", "Old-Passw0rd!")
    assert nvr.api.json("/auth/me")["role"] == "viewer"
    assert nvr.api.post("/auth/login", data={"username": "bcrypt", "password": "anything"}, token="").status_code == 401
    # The administrator who was there signs in as before.
    nvr.api.login(USER, PASSWORD)


def test_an_encrypted_export_needs_its_passphrase(nvr):
    furnish(nvr)
    export = nvr.api.post("/settings/backup/export", json={"passphrase": "correct hörse battery"})
    assert export.status_code == 200 and "Planted" not in export.text and "Door" not in export.text
    before = state(nvr)
    assert restore(nvr, export.text).status_code == 400
    assert restore(nvr, export.text, passphrase="wrong").status_code == 400
    assert state(nvr) == before
    assert restore(nvr, export.text, passphrase="correct hörse battery").status_code == 200
    assert state(nvr) == before


def test_the_schedule_makes_backups_that_are_private_and_encrypted(tmp_path):
    with NVR(VIBENVR_BACKUP_PASSPHRASE="of this server") as nvr:
        nvr.start().with_admin()
        furnish(nvr)
        assert nvr.api.json("/settings/backup/list") == []
        nvr.api.put("/settings/backup_auto_enabled?value=true")
        (item,) = wait_for("the scheduled backup", lambda: nvr.api.json("/settings/backup/list"))
        assert item["filename"].startswith("vibe_backup_auto_")
        file = nvr.data / "backups" / item["filename"]
        assert file.stat().st_mode & 0o777 == 0o600 and b"Planted" not in file.read_bytes()
        assert nvr.api.post(f"/settings/backup/restore-file/{item['filename']}").status_code == 200


@pytest.mark.parametrize("url", ["rtsp://127.0.0.1/x", "rtsp://169.254.169.254/", "http://2852039166/", "rtsp://[fe80::1]/", "rtsp://[::ffff:169.254.169.254]/"])
def test_urls_of_a_backup_go_through_the_rules(url):
    with NVR(VIBENVR_ALLOW_LOOPBACK_CAMERAS="false") as nvr:
        nvr.start().with_admin()
        furnish(nvr)
        before = state(nvr)
        for field in ("rtsp_url", "sub_rtsp_url", "notify_webhook_url"):
            backup = nvr.api.json("/settings/backup/export")
            backup["cameras"][0][field] = url
            answer = restore(nvr, json.dumps(backup))
            assert answer.status_code == 400 and f"cameras[0].{field}" in answer.json()["detail"], answer.text
            (nvr.data / "backups").mkdir(exist_ok=True)
            (nvr.data / "backups" / "mine.json").write_text(json.dumps(backup))
            assert nvr.api.post("/settings/backup/restore-file/mine.json").status_code == 400
        assert state(nvr) == before


HOSTILE = ["../vibenvr.db", "..%2fvibenvr.db", "%2e%2e%2fvibenvr.db", "..%252fvibenvr.db", "..%5cvibenvr.db", "%2fetc%2fpasswd", "....//vibenvr.db", "a%00.json",
           "secret-box.key", ".lock.json", "%c0%ae%c0%ae%2fx.json", "link.json", "folder.json", "pipe.json"]


def test_names_of_backups_lead_nowhere_else(nvr):
    folder = nvr.data / "backups"
    folder.mkdir()
    (nvr.data / "outside.json").write_text('{"cameras": []}')
    (folder / "link.json").symlink_to(nvr.data / "outside.json")
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    assert nvr.api.json("/settings/backup/list") == []
    for name in HOSTILE:
        for method, path in (("DELETE", f"/settings/backup/{name}"), ("POST", f"/settings/backup/restore-file/{name}")):
            request = requests.Request(method, "http://x").prepare()
            request.url = nvr.api.base + path
            request.headers["Authorization"] = f"Bearer {nvr.api.token}"
            answer = requests.Session().send(request, timeout=120)
            assert answer.status_code in (400, 403, 404, 405), f"{method} {name}: {answer.status_code} {answer.text}"
    assert (nvr.data / "outside.json").exists() and (nvr.data / "vibenvr.db").exists() and (nvr.data / "secret-box.key").exists()
    (folder / "link.json").unlink()


def test_bad_backups_change_nothing(nvr):
    furnish(nvr)
    before = state(nvr)
    good = nvr.api.json("/settings/backup/export")
    bad = ["", "{", "[]", "null", '{"cameras": 5}', "[" * 100_000, '{"cameras": [' + "[" * 5000, json.dumps({**good, "users": [{"username": "x" * 10_000}]}),
           json.dumps({**good, "cameras": good["cameras"] * 2}), json.dumps({**good, "users": [{**good["users"][0], "role": "viewer"}]}), "\0" * 1000]
    for text in bad:
        answer = restore(nvr, text)
        assert answer.status_code in (400, 409, 422), f"{text[:60]}: {answer.status_code} {answer.text[:200]}"
    assert state(nvr) == before


def test_a_body_that_is_too_large_is_refused_without_being_read(nvr):
    address = nvr.api.base.removeprefix("http://").partition(":")
    with socket.create_connection((address[0], int(address[2])), timeout=120) as connection:
        connection.sendall((
            f"POST /settings/backup/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {nvr.api.token}\r\n"
            f"Content-Type: multipart/form-data; boundary=X\r\nContent-Length: {1 << 40}\r\n\r\n").encode())
        assert b" 413 " in connection.recv(4096)


def test_a_kill_in_the_middle_of_a_restore_leaves_the_old_or_the_new(nvr):
    """Killed at many moments of a large restore: all of it is there afterwards, or nothing."""
    good = nvr.api.json("/settings/backup/export")
    template = {"name": "x", "rtsp_url": "rtsp://192.0.2.7/x", "is_active": False}
    large = {**good, "instance": "", "cameras": [{**template, "id": number + 1, "name": f"c{number}", "rtsp_url": f"rtsp://192.0.2.7/{number}"} for number in range(1500)]}
    text = json.dumps(large)
    outcomes = set()
    for delay in (0.05, 0.15, 0.3, 0.6, 1.0, 3.0):
        if nvr.api.get("/cameras", params={"limit": 1}).headers["X-Total-Count"] != "0":
            break

        def send() -> None:
            try:
                restore(nvr, text)
            except (requests.RequestException, AssertionError):
                pass  # The server is killed meanwhile.

        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(delay)
        nvr.kill()
        sender.join()
        nvr.start()
        count = int(nvr.api.get("/cameras", params={"limit": 1}).headers["X-Total-Count"])
        assert count in (0, 1500), count
        outcomes.add(count)
        assert nvr.check().returncode == 0
    assert 0 in outcomes
