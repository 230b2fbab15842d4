"""Exports to take away: archives of several cameras, signed ones, and what `vibenvr verify` says of them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from harness.media import follow, probe
from harness.server import NVR, PASSWORD, PROGRAM, wait_for
from peers import footage
from peers.gst_camera import GstCamera

CASES = ("h264", "h265")


class Archive:
    def __init__(self, nvr: NVR, camera: GstCamera):
        self.nvr, self.api = nvr, nvr.api
        self.films = {codec: footage.counter(codec) for codec in CASES}
        self.ids = {codec: nvr.api.add_camera(codec, camera.url(f"/{codec}")) for codec in CASES}
        self.empty = nvr.api.add_camera("never seen", camera.url("/h264"), is_active=False)
        for key in self.ids.values():
            wait_for("three finished segments", lambda key=key: len([row for row in nvr.rows(key) if row.finished]) >= 3, 80)
        self.rows = {codec: [row for row in nvr.rows(key) if row.finished] for codec, key in self.ids.items()}
        self.start = max(rows[0].start for rows in self.rows.values()) + 1
        self.end = self.start + 12

    def signed(self, codec: str = "h264", **query) -> "requests.Response":  # noqa: F821
        answer = self.api.get(
            f"/cameras/{self.ids[codec]}/export.mp4", params={"start": self.start, "end": self.end, "manifest": "true", **query})
        assert answer.status_code == 200, answer.text[:300]
        return answer


@pytest.fixture(scope="module")
def archive():
    with GstCamera({f"/{codec}": (footage.counter(codec), None) for codec in CASES}) as camera, NVR(segment_seconds=5) as nvr:
        nvr.start().with_admin()
        yield Archive(nvr, camera)


def verify(path: Path, *arguments: str) -> subprocess.CompletedProcess:
    """From an empty folder: the check needs nothing but the file."""
    return subprocess.run(
        [str(PROGRAM), "verify", str(path), *arguments], capture_output=True, text=True, timeout=300, cwd="/", env={"PATH": os.environ["PATH"]})


@pytest.mark.parametrize("codec", CASES)
@pytest.mark.parametrize("exact", ["false", "true"])
def test_a_signed_export_is_sound_in_every_eye(archive, codec, exact, tmp_path):
    answer = archive.signed(codec, exact=exact)
    assert answer.headers["content-type"] == "application/zip" and answer.headers["accept-ranges"] == "none"
    assert int(answer.headers["content-length"]) == len(answer.content) and ".zip" in answer.headers["content-disposition"]
    path = tmp_path / "export.zip"
    path.write_bytes(answer.content)
    assert subprocess.run(["unzip", "-tq", str(path)], capture_output=True).returncode == 0
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        movie, *rest = package.namelist()
        assert rest == ["manifest.json", "manifest.sig", "public-key.pem"]
        package.extractall(tmp_path)
        raw = package.read("manifest.json")
    manifest = json.loads(raw)
    # Canonical: sorted, without spaces.
    assert json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == raw
    file = manifest["files"][0]
    assert file["name"] == movie and file["sha256"] == hashlib.sha256((tmp_path / movie).read_bytes()).hexdigest()
    assert file["camera"] == {"id": archive.ids[codec], "name": codec} and manifest["exported_by"]["username"] == "admin"
    assert manifest["requested"]["exact"] is (exact == "true") and len(file["segments"]) >= 3
    assert follow(probe(tmp_path / movie).fingerprints(), archive.films[codec].fingerprints) == ""
    key = archive.api.json("/exports/public-key")
    assert key["pem"] == (tmp_path / "public-key.pem").read_text() and key["fingerprint_sha256"] == manifest["key"]["fingerprint_sha256"]
    run = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(tmp_path / "public-key.pem"), "-rawin", "-in", str(tmp_path / "manifest.json"),
         "-sigfile", str(tmp_path / "manifest.sig")], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    checked = verify(path, "--key", str(tmp_path / "public-key.pem"))
    assert checked.returncode == 0 and key["fingerprint_sha256"] in checked.stdout and file["sha256"] in checked.stdout
    assert verify(path).returncode == 0


def test_changes_are_noticed(archive, tmp_path):
    content = archive.signed().content
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        places = {name: package.getinfo(name).header_offset for name in package.namelist()}
    movie = next(iter(places))
    spots = {
        "video": places[movie] + 5000, "header": places[movie] + 10, "manifest": places["manifest.json"] + 100,
        "signature": places["manifest.sig"] + 30 + len("manifest.sig") + 10, "key": places["public-key.pem"] + 30 + len("public-key.pem") + 60,
        "directory": len(content) - 40, "end": len(content) - 1,
    }
    path = tmp_path / "changed.zip"
    for name, spot in spots.items():
        changed = bytearray(content)
        changed[spot] ^= 1
        path.write_bytes(changed)
        run = verify(path)
        assert run.returncode == 1 and "CHANGED" in run.stdout, f"{name}: {run.stdout}{run.stderr}"
    for changed in (content[:-1], content + b"x", content[: len(content) // 2], b"", b"PK"):
        path.write_bytes(changed)
        assert verify(path).returncode == 1
    # Signed anew by somebody else: sound by itself, but not by the server's key.
    with NVR() as other:
        other.start().with_admin()
        stranger = tmp_path / "stranger.pem"
        stranger.write_text(other.api.json("/exports/public-key")["pem"])
    path.write_bytes(content)
    assert verify(path).returncode == 0 and verify(path, "--key", str(stranger)).returncode == 1
    assert verify(tmp_path / "missing.zip").returncode != 0


def test_several_cameras_are_one_archive(archive, tmp_path):
    ids = [*archive.ids.values(), archive.empty]
    body = {"camera_ids": ids, "start": archive.start, "end": archive.end}
    answer = archive.api.post("/exports", json=body)
    assert answer.status_code == 200 and int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as package:
        assert package.testzip() is None
        names = package.namelist()
        assert len(names) == 3 and names[-1] == "missing.txt" and "never seen" in package.read("missing.txt").decode()
        package.extractall(tmp_path)
    for codec, name in zip(CASES, names):
        assert name.startswith(codec) and follow(probe(tmp_path / name).fingerprints(), archive.films[codec].fingerprints) == ""
    # The same for a link, and signed.
    link = archive.api.get("/exports", params={**body, "camera_ids": ",".join(map(str, ids)), "manifest": "true", "exact": "true"})
    path = tmp_path / "all.zip"
    path.write_bytes(link.content)
    assert verify(path).stdout.count("SHA-256") == 2
    with zipfile.ZipFile(path) as package:
        manifest = json.loads(package.read("manifest.json"))
    assert [camera["id"] for camera in manifest["cameras_without_footage"]] == [archive.empty]
    assert archive.api.post("/exports", json={**body, "camera_ids": [archive.empty]}).status_code == 404
    assert archive.api.post("/exports", json={**body, "camera_ids": [999]}).status_code == 404
    for bad in ({}, {**body, "camera_ids": []}, {**body, "camera_ids": "1"}, {**body, "end": archive.start - 1}, {**body, "end": archive.start + 60000}):
        assert archive.api.post("/exports", json=bad).status_code == 422, bad


def test_every_camera_needs_the_right_to_replay(archive):
    one, two = archive.ids.values()
    made = archive.api.post("/users", json={
        "username": "viewer", "password": PASSWORD, "role": "viewer", "restrict_camera_access": True,
        "camera_accesses": [{"id": one, "can_view": True, "can_replay": True, "can_control": False},
                            {"id": two, "can_view": True, "can_replay": False, "can_control": True}]})
    assert made.status_code == 200, made.text
    token = archive.api.token
    archive.api.login("viewer", PASSWORD)
    try:
        for ids, status in ([one], 200), ([one, two], 403), ([two], 403), ([one, archive.empty], 404):
            answer = archive.api.post("/exports", json={"camera_ids": ids, "start": archive.start, "end": archive.end, "manifest": True})
            assert answer.status_code == status, answer.text[:200]
            if status == 200:
                with zipfile.ZipFile(io.BytesIO(answer.content)) as package:
                    assert json.loads(package.read("manifest.json"))["exported_by"]["username"] == "viewer"
        assert archive.api.get("/exports/public-key").status_code == 200
    finally:
        archive.api.token = token
    assert archive.api.get("/exports/public-key", token="").status_code == 401


def test_the_key_is_kept_and_private(archive):
    path = archive.nvr.data / "signing.key"
    assert path.stat().st_mode & 0o777 == 0o600 and path.stat().st_size == 32


def test_footage_that_is_cut_off_underneath_ends_the_transfer(archive, tmp_path):
    """The answer ends before the promised length: nobody takes what is there for the whole."""
    key, rows = archive.ids["h265"], archive.rows["h265"]
    address = archive.api.base.removeprefix("http://").split(":")
    copies = {row.path: row.path.read_bytes() for row in rows}
    try:
        with socket.create_connection((address[0], int(address[1]))) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            request = (
                f"GET /exports?camera_ids={archive.ids['h264']},{key}&start={archive.start}&end={archive.end}&manifest=true HTTP/1.1\r\n"
                f"Host: x\r\nAuthorization: Bearer {archive.api.token}\r\n\r\n")
            slow.sendall(request.encode())
            head = slow.recv(2000)
            assert b" 200 " in head and b"content-length" in head.lower()
            for path in copies:
                os.truncate(path, 1000)
            received = len(head)
            slow.settimeout(120)
            try:
                while data := slow.recv(1 << 20):
                    received += len(data)
            except ConnectionError:
                pass
        promised = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        # Small exports may lie in the sockets' buffers as a whole already.
        assert received < promised or promised < 4 << 20
    finally:
        for path, content in copies.items():
            path.write_bytes(content)
    assert archive.signed("h265").status_code == 200
    assert archive.nvr.running and time.time() > 0
