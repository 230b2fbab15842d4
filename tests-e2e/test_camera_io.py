"""Cameras out of the server and into it, what saving one does to its recording, and what deletions leave on the disk."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import time

import pytest

from harness.machine import Machine
from harness.media import follow, probe
from harness.server import NVR, wait_for
from peers import footage
from peers.gst_camera import GstCamera

NOWHERE = "rtsp://user:geheim@10.255.255.1/cam"


def upload(api, content: bytes, name: str = "cameras.json", path: str = "/cameras/import", **query):
    return api.post(path, files={"file": (name, content, "application/octet-stream")}, params=query)


@pytest.fixture
def two(nvr):
    for number in range(2):
        body = {"name": f"Cam {number}", "rtsp_url": f"{NOWHERE}{number}", "is_active": False, "onvif_password": "geheim", "threshold": 7 + number}
        assert nvr.api.post("/cameras", json=body).status_code == 200
    nvr.api.post("/groups", json={"name": "Outside"})
    nvr.api.post("/groups/1/cameras", json=[1])
    return nvr


# Files.


def test_what_is_exported_is_imported_by_another_server(two):
    document = two.api.json("/cameras/export/all", params={"include_credentials": "true"})
    with NVR() as other:
        other.start().with_admin()
        analysed = upload(other.api, json.dumps(document).encode(), analyze_only="true").json()
        assert [camera["exists"] for camera in analysed["cameras"]] == [False, False] and other.api.json("/cameras") == []
        answer = upload(other.api, json.dumps(document).encode())
        assert answer.status_code == 200 and answer.json()["count"] == 2, answer.text
        for mine, theirs in zip(two.api.json("/cameras"), other.api.json("/cameras")):
            for field in mine.keys() - {"id", "created_at", "status_since", "groups"}:
                assert mine[field] == theirs[field], field
        assert other.api.json("/groups")[0]["name"] == "Outside"
        assert upload(other.api, json.dumps(document).encode()).json()["skipped"] == 2


def test_an_archive_is_a_tar_of_one_file_each_and_comes_back(two):
    answer = two.api.get("/cameras/export/all", params={"format": "tar"})
    assert answer.headers["Content-Type"] == "application/x-tar" and b"geheim" not in answer.content
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:") as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == ["camera-1-Cam_0.json", "camera-2-Cam_1.json"]
        assert all(member.isfile() and member.mode == 0o600 for member in members)
        cameras = [json.load(archive.extractfile(member))["camera"] for member in members]
    assert [camera["threshold"] for camera in cameras] == [7, 8] and cameras[0]["rtsp_url"] == "rtsp://10.255.255.1/cam0"
    two.api.post("/cameras/bulk-delete", json=[1, 2])
    assert upload(two.api, answer.content, "cameras.tar").json()["count"] == 2
    assert [camera["threshold"] for camera in two.api.json("/cameras")] == [7, 8]


def test_no_export_shows_a_secret_unasked(two):
    for path in ("/cameras/export/all", "/cameras/1/export", "/cameras/export/all?format=tar"):
        answer = two.api.get(path)
        assert answer.status_code == 200 and b"geheim" not in answer.content and b"user:" not in answer.content, path
        assert "attachment" in answer.headers["Content-Disposition"]
    assert b"geheim" in two.api.get("/cameras/1/export?include_credentials=1").content


def member(name: str, content: bytes = b"{}", **fields) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry, content


def packed(*members: tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=kind) as archive:
        for entry, content in members:
            archive.addfile(entry, io.BytesIO(content) if entry.isreg() else None)
    return whole.getvalue()


CAMERA = json.dumps({"camera": {"name": "new", "rtsp_url": "rtsp://10.255.255.9/x", "is_active": False}}).encode()


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_archives_of_other_programs_are_read(nvr, kind):
    long = "folder/" * 12 + "b.json"
    other = CAMERA.replace(b"10.255.255.9", b"10.255.255.8")
    content = packed(
        member("folder", b"", type=tarfile.DIRTYPE), member("./a.json", CAMERA, mtime=1.5 if kind == tarfile.PAX_FORMAT else 1),
        member(long, other), member("readme.txt", b"no camera"), kind=kind)
    answer = upload(nvr.api, content, "x.tar")
    assert answer.status_code == 200 and answer.json()["count"] == 2, answer.text


def hostile() -> dict[str, bytes]:
    good = member("good.json", CAMERA)
    lying = bytearray(packed(good))
    lying[124:136] = b"77777777777\0"
    lying[148:156] = b"        "
    lying[148:156] = b"%06o\0 " % sum(lying[:512])
    big = bytearray(packed(good))
    big[124:136] = b"\x80" + b"\xff" * 11
    big[148:156] = b"        "
    big[148:156] = b"%06o\0 " % sum(big[:512])
    sparse = member("s.json", b"x", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "99999999999"})
    return {
        "parent": packed(good, member("../evil.json", CAMERA)),
        "deep parent": packed(good, member("a/../../evil.json", CAMERA)),
        "absolute": packed(good, member("/etc/cron.d/evil.json", CAMERA)),
        "symbolic link": packed(good, member("l.json", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        "hard link": packed(good, member("l.json", b"", type=tarfile.LNKTYPE, linkname="good.json")),
        "device": packed(good, member("d.json", b"", type=tarfile.CHRTYPE)),
        "pipe": packed(good, member("p.json", b"", type=tarfile.FIFOTYPE)),
        "sparse": packed(good, sparse),
        "a size that lies": bytes(lying),
        "a size beyond all": bytes(big),
        "pax size": packed(good, member("s.json", b"x", pax_headers={"size": "99999999999"})),
        "cut": packed(good)[:700],
        "damaged": packed(good).replace(b"good.json", b"gooD.json"),
        "many": packed(*[member(f"{number}.txt", b"") for number in range(3000)], good),
        "one large": packed(good, member("big.json", b" " * (2 << 20))),
        "too large": packed(good, *[member(f"{number}.txt", b" " * (1 << 20)) for number in range(8)]),
        "much too large": b"x" * (12 << 20),
        "one bad camera": packed(good, member("bad.json", CAMERA.replace(b"rtsp://", b"file://"))),
        "broken JSON": packed(good, member("bad.json", b"{")),
        "deep JSON": b'{"cameras":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "compressed": b"\x1f\x8b\x08\0" + b"\0" * 100,
    }


@pytest.mark.parametrize("name", hostile().keys())
def test_hostile_files_are_refused_and_leave_nothing(hostile_server, name):
    api, folder = hostile_server.api, hostile_server.folder
    files = sorted(str(path) for path in folder.rglob("*") if path.name != "server.log" and "vibenvr.db" not in path.name)
    memory = hostile_server.resident()
    answer = upload(api, hostile()[name], "x.tar")
    assert answer.status_code in (400, 413, 422), f"{answer.status_code} {answer.text[:300]}"
    assert isinstance(answer.json()["detail"], (str, list)) and len(answer.content) < 100_000
    assert api.json("/cameras") == [] and api.json("/groups") == []
    assert files == sorted(str(path) for path in folder.rglob("*") if path.name != "server.log" and "vibenvr.db" not in path.name)
    assert hostile_server.resident() < memory + (128 << 20)


@pytest.fixture(scope="module")
def hostile_server():
    with NVR() as server:
        yield server.start().with_admin()


MOTIONEYE = b"""# @name Yard
# @enabled off
netcam_url rtsp://10.255.255.7:554/stream
netcam_userpass admin:geheim
width 640
height 480
framerate 10
threshold 3072
pre_capture 30
text_left Yard
"""


def test_a_backup_of_motioneye_becomes_cameras(nvr):
    local = b"# @name USB\nvideodevice /dev/video0\n"
    content = gzip.compress(packed(
        member(".", b"", type=tarfile.DIRTYPE), member("./motion.conf", b"daemon off"), member("./camera-1.conf", MOTIONEYE),
        member("./camera-2.conf", local), member("./mask.pgm", b"P5"), kind=tarfile.GNU_FORMAT))
    path = "/cameras/import/motioneye"
    analysed = upload(nvr.api, content, "motioneye-config.tar.gz", path, analyze_only="1").json()
    assert [camera["name"] for camera in analysed["cameras"]] == ["Yard", "USB"] and nvr.api.json("/cameras") == []
    assert [len(camera["problems"]) for camera in analysed["cameras"]] == [0, 1]
    assert upload(nvr.api, content, "motioneye-config.tar.gz", path).json()["count"] == 1
    camera = nvr.api.json("/cameras")[0]
    assert camera["rtsp_url"] == "rtsp://admin:geheim@10.255.255.7:554/stream" and camera["is_active"] is False
    assert (camera["threshold"], camera["captured_before"], camera["text_left"]) == (576, 3, "Yard")
    assert upload(nvr.api, MOTIONEYE, "camera-1.conf", path).json()["skipped"] == 1
    # A megabyte of zeros is a kilobyte of gzip.
    bomb = gzip.compress(bytes(100 << 20))
    assert len(bomb) < 200_000
    for hostile_file in (bomb, content[:-20], b"\x1f\x8b\x08" + b"x" * 1000, b"nothing", gzip.compress(packed(member("../camera-1.conf", MOTIONEYE)))):
        assert upload(nvr.api, hostile_file, "x.tar.gz", path).status_code == 400
    assert len(nvr.api.json("/cameras")) == 1


def test_clones_and_order(two):
    api = two.api
    clone = api.post("/cameras/1/clone").json()
    assert (clone["name"], clone["is_active"], clone["threshold"]) == ("Cam 0 (copy)", False, 7)
    assert api.post("/cameras/reorder", json={"camera_ids": [3, 2, 1]}).status_code == 200
    assert [camera["id"] for camera in api.json("/cameras")] == [3, 2, 1]


# A camera that records.


def test_saving_a_camera_never_interrupts_its_recording():
    film = footage.counter()
    mask = [{"points": [[0, 0], [0.1, 0], [0.1, 0.1]]}]
    edits = [
        {"name": "Another name"}, {"threshold": 3000}, {"motion_masks": mask}, {"location": "elsewhere"}, {"detect_motion_mode": "Working Schedule"},
        {"schedule_monday_start": "08:00"}, {"picture_quality": 40}, {"captured_before": 9, "captured_after": 1}, {"text_left": "x"},
        {"preserve_movies": "Forever"}, {"max_movie_length": 300}, {"movie_file_name": "%Y/renamed-%H-%M-%S"}, {"notify_start_email": True},
        {"min_motion_frames": 5, "motion_gap": 3}, {"max_storage_gb": 5},
    ]
    with GstCamera({"/cam": (film, None)}) as camera, NVR(segment_seconds=None) as nvr, Machine(nvr, camera) as machine:
        nvr.start().with_admin()
        key = nvr.api.add_camera("cam", camera.url("/cam"), detect_motion_mode="Always", max_movie_length=200)
        wait_for("it records", lambda: any(row.end - row.start > 2 for row in nvr.rows(key)), 30)
        begun = time.time()
        for edit in edits:
            answer = nvr.api.put(f"/cameras/{key}", json=edit)
            assert answer.status_code == 200 and answer.json()["name"] == "Another name", answer.text
            time.sleep(0.4)
        time.sleep(2)
        stats = camera.stats()
        assert stats["connections"] == 1 and stats["opened"]["/cam"] == 1 and stats["sessions"] == 1, stats
        event = nvr.api.events(event_type="continuous")[0]
        # The new name opens the media as well as the id does, which every answer carries.
        by_name = event["file_path"].replace(f"/media/{key}/", "/media/Another_name/")
        for path in (event["file_path"], by_name, by_name.replace("Another_name", "Another%20name")):
            assert nvr.api.get(path, headers={"Range": "bytes=0-99"}).status_code == 206, path
        nvr.terminate()
        rows = nvr.rows(key)
        assert len(rows) == 1, f"{len(rows)} segments instead of one"
        assert rows[0].start < begun and rows[0].end > begun + 0.4 * len(edits)
        movie = probe(rows[0].path)
        assert follow(movie.fingerprints(), film.fingerprints) == ""
        # Times follow the arrival of frames, which are late where the machine kept camera or server waiting.
        times = [packet.dts for packet in movie.video.packets]
        for earlier, later in zip(times, times[1:]):
            at = rows[0].start + later - times[0]
            assert later - earlier < 0.2 + machine.kept_waiting(at - 2, at + 1), (earlier, later)
        assert nvr.check().returncode == 0
        # What was changed counts from the next file on.
        nvr.start()
        wait_for("a file of the new name", lambda: any("renamed-" in row.path.name for row in nvr.rows(key)), 30)


def test_a_snapshot_is_a_picture_and_an_event():
    with GstCamera({"/cam": (footage.counter(), None)}) as camera, NVR() as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("cam", camera.url("/cam"))
        wait_for("a picture", lambda: nvr.api.get(f"/cameras/{key}/frame").status_code == 200, 30)
        assert nvr.api.post(f"/cameras/{key}/snapshot").json() == {"status": "success", "message": "Snapshot triggered"}
        event = nvr.api.events(type="snapshot")[0]
        assert (event["event_type"], event["width"], event["height"]) == ("manual", 640, 360)
        picture = nvr.api.get(event["file_path"])
        assert picture.content[:3] == b"\xff\xd8\xff" and len(picture.content) == event["file_size"]
        assert nvr.api.put(f"/cameras/{key}", json={"enable_manual_snapshots": False}).status_code == 200
        assert nvr.api.post(f"/cameras/{key}/snapshot").status_code == 403


class Recorded:
    """A camera with finished segments and a growing one, snapshots, and a motion event."""

    def __init__(self, nvr, camera, **fields):
        self.nvr, self.key = nvr, nvr.api.add_camera("cam", camera.url("/cam"), **fields)
        wait_for("three segments", lambda: len([row for row in nvr.rows(self.key) if row.finished]) >= 3, 60)
        for _ in range(3):
            assert nvr.api.post(f"/cameras/{self.key}/snapshot").status_code == 200

    def disk(self) -> int:
        return sum(path.stat().st_size for path in (self.nvr.recordings / str(self.key)).rglob("*") if path.is_file())

    def pictures(self) -> list:
        return sorted((self.nvr.recordings / str(self.key)).rglob("*.jpg"))


@pytest.fixture
def recorded():
    with GstCamera({"/cam": (footage.counter(), None)}) as camera, NVR(segment_seconds=3) as nvr:
        nvr.start().with_admin()
        yield Recorded(nvr, camera)


def test_deleting_with_media_leaves_nothing_of_a_camera_that_records(recorded):
    nvr, key = recorded.nvr, recorded.key
    assert nvr.api.delete(f"/cameras/{key}", params={"delete_media": "true"}).status_code == 200
    assert not (nvr.recordings / str(key)).exists(), list((nvr.recordings / str(key)).rglob("*"))
    assert nvr.rows(key) == [] and nvr.api.events() == []
    nvr.terminate()
    checked = nvr.check()
    assert checked.returncode == 0, checked.stdout
    assert not (nvr.recordings / str(key)).exists()


def test_deleting_without_media_keeps_it(recorded):
    nvr, key = recorded.nvr, recorded.key
    rows = len(nvr.rows(key))
    assert nvr.api.delete(f"/cameras/{key}").status_code == 200
    wait_for("its last segment is finished", lambda: all(row.finished for row in nvr.rows(key)), 20)
    assert len(nvr.rows(key)) >= rows and len(recorded.pictures()) == 3
    assert nvr.api.get(nvr.api.events(type="video")[-1]["file_path"]).status_code == 200


def test_pictures_and_recordings_are_deleted_apart_and_free_what_is_told(recorded):
    nvr, key = recorded.nvr, recorded.key
    pictures = sum(path.stat().st_size for path in recorded.pictures())
    answer = nvr.api.delete("/events/bulk/all", params={"event_type": "picture"}).json()
    assert (answer["deleted_count"], answer["deleted_size_bytes"], answer["type"]) == (3, pictures, "picture")
    assert recorded.pictures() == [] and nvr.api.events(type="snapshot") == []
    begun = time.monotonic()
    finished = {row.path: row.path.stat().st_size for row in nvr.rows(key) if row.finished}
    answer = nvr.api.delete("/events/bulk/all").json()
    took = time.monotonic() - begun
    gone = {path: size for path, size in finished.items() if not path.exists()}
    assert gone.keys() == finished.keys() and answer["deleted_size_bytes"] >= sum(gone.values())
    # More may have been finished meanwhile, each of a GOP of two seconds at least; what is being written goes on.
    more = answer["deleted_count"] - len(gone)
    assert 0 <= more <= 1 + took / 2, (answer, len(gone), took)
    assert answer["deleted_size_bytes"] <= sum(gone.values()) + more * 2 * max(gone.values()), answer
    wait_for("a new segment", lambda: [row for row in nvr.rows(key) if row.finished], 20)
    nvr.terminate()
    assert nvr.check().returncode == 0


def test_deleting_continuous_events_keeps_footage_of_motion():
    secret = "e2e-webhook-secret"
    with GstCamera({"/cam": (footage.counter(), None)}) as camera, NVR(segment_seconds=3, WEBHOOK_SECRET=secret) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("cam", camera.url("/cam"))
        wait_for("a segment", lambda: any(row.finished for row in nvr.rows(key)), 30)
        for word in ("motion_on", "motion_off"):
            assert nvr.api.post("/events/webhook", json={"type": word, "camera_id": key}, headers={"X-Webhook-Secret": secret}).status_code == 200
            time.sleep(2)
        wait_for("the segment of the motion is finished", lambda: len([row for row in nvr.rows(key) if row.finished]) >= 4, 40)
        motion = nvr.api.events(event_type="motion")[0]
        assert nvr.api.delete("/events/bulk/all", params={"event_type": "continuous"}).json()["deleted_count"] >= 3
        assert nvr.api.get(f"/events/{motion['id']}/download").status_code == 200
        answer = nvr.api.delete("/events/bulk/all", params={"event_type": "motion"}).json()
        assert answer["deleted_count"] == 1 and answer["deleted_size_bytes"] > 0
        assert nvr.api.get(f"/events/{motion['id']}/download").status_code == 404


def test_cleaning_up_applies_the_camera_s_own_limits(recorded):
    nvr, key = recorded.nvr, recorded.key
    assert nvr.api.post(f"/cameras/{key}/cleanup").json()["deleted_size_bytes"] == 0, "nothing is too old or too much"
    size = min(path.stat().st_size for path in recorded.pictures())
    nvr.api.put(f"/cameras/{key}", json={"max_pictures_storage_gb": 1.5 * size / 2**30})
    oldest = nvr.api.events(type="snapshot")[1:]
    answer = nvr.api.post(f"/cameras/{key}/cleanup", params={"type": "snapshot"}).json()
    assert answer["deleted_count"] == 2 and answer["deleted_size_bytes"] == sum(event["file_size"] for event in oldest)
    assert len(recorded.pictures()) == 1
    rows = [row for row in nvr.rows(key) if row.finished]
    nvr.api.put(f"/cameras/{key}", json={"max_storage_gb": rows[-1].bytes * 1.2 / 2**30})
    assert nvr.api.post(f"/cameras/{key}/cleanup", params={"type": "snapshot"}).json()["deleted_count"] == 0
    assert nvr.api.post(f"/cameras/{key}/cleanup", params={"type": "video"}).json()["deleted_size_bytes"] > 0
    # What was finished since then counts as well, so that of these rows no more can be left.
    known = {row.id: row.bytes for row in rows}
    assert not rows[0].path.exists() and sum(known.get(row.id, 0) for row in nvr.rows(key)) <= rows[-1].bytes * 1.2
    assert nvr.api.post(f"/cameras/{key}/cleanup", params={"type": "x"}).status_code == 400
    nvr.terminate()
    assert nvr.check().returncode == 0


def test_a_range_is_marked_by_hand(recorded):
    api, key = recorded.nvr.api, recorded.key
    recording = next(event for event in api.events(event_type="continuous") if event["timestamp_end"])
    made = api.post("/events", json={
        "camera_id": key, "timestamp_start": recording["timestamp_start"], "type": "video", "event_type": "manual",
        "file_path": recording["file_path"]})
    assert made.status_code == 200, made.text
    event = made.json()
    assert event["event_type"] == "manual" and event["file_size"] > 0 and event["width"] == 640
    assert api.get(f"/events/{event['id']}/download").status_code == 200
    # The footage now stands for both.
    api.delete(f"/events/{recording['id']}")
    assert api.get(f"/events/{event['id']}/download").status_code == 200
