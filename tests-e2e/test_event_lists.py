"""What the interface asks beside the reference's API: events by group, label, zone and time of day, events to take away together, layouts,
and what a camera shows before it is saved."""

from __future__ import annotations

import base64
import io
import subprocess
import zipfile
from datetime import datetime, timezone

import pytest

from harness.server import NVR, wait_for
from peers import footage
from peers.gst_camera import GstCamera


class World:
    def __init__(self, nvr: NVR, camera: GstCamera):
        self.nvr, self.api, self.camera = nvr, nvr.api, camera
        self.ids = [nvr.api.add_camera(name, camera.url("/cam")) for name in ("yard", "door")]
        for key in self.ids:
            wait_for("two finished segments", lambda key=key: len([row for row in nvr.rows(key) if row.finished]) >= 2, 60)
        answer = nvr.api.post("/groups", json={"name": "outside"})
        assert answer.status_code in (200, 201), answer.text
        self.group = answer.json()["id"]
        assert nvr.api.post(f"/groups/{self.group}/cameras", json=[self.ids[0]]).status_code == 200
        self.rows = {key: next(row for row in nvr.rows(key) if row.finished) for key in self.ids}
        self.events = {key: self.mark(key, '{"detections": [{"label": "Person", "zone": "drive"}]}' if key == self.ids[0] else '{"labels": ["dog"]}')
                       for key in self.ids}

    def mark(self, key: int, metadata: str) -> int:
        row = self.rows[key]
        iso = lambda seconds: datetime.fromtimestamp(seconds, timezone.utc).isoformat()  # noqa: E731
        listed = next(e for e in self.api.events(camera_id=key, event_type="continuous") if e["file_path"].endswith(row.path.name))
        answer = self.api.post("/events", json={
            "camera_id": key, "timestamp_start": iso(row.start + 1), "timestamp_end": iso(row.start + 3), "type": "video", "event_type": "manual",
            "file_path": listed["file_path"], "ai_metadata": metadata})
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]


@pytest.fixture(scope="module")
def world():
    with GstCamera({"/cam": (footage.counter(), None)}) as camera, NVR(segment_seconds=5, TZ="Asia/Kolkata") as nvr:
        nvr.start().with_admin()
        yield World(nvr, camera)


def test_events_are_found_by_group_label_and_zone(world):
    yard, door = world.ids
    listed = lambda **query: [event["id"] for event in world.api.events(**query)]  # noqa: E731
    assert {event["camera_id"] for event in world.api.events(group_id=world.group)} == {yard}
    assert listed(label="person") == [world.events[yard]] == listed(zone="Drive") == listed(label="PERSON", zone="drive")
    assert listed(label="dog") == [world.events[door]] and listed(label="dog", group_id=world.group) == []
    assert world.api.json("/events/filters") == {"labels": ["dog", "person"], "zones": ["drive"]}


def test_times_of_day_are_the_server_s(world):
    row = world.rows[world.ids[0]]
    # India is five and a half hours from UTC, all year.
    minute = int(row.start + 1 + 5.5 * 3600) // 60 % 1440
    text = lambda minutes: f"{minutes % 1440 // 60:02}:{minutes % 60:02}"  # noqa: E731
    wanted = world.events[world.ids[0]]
    found = lambda **query: wanted in [event["id"] for event in world.api.events(event_type="manual", **query)]  # noqa: E731
    assert found(time_from=text(minute - 1), time_to=text(minute + 2))
    assert not found(time_from=text(minute + 2), time_to=text(minute - 1))
    assert not found(time_from=text(minute + 60), time_to=text(minute + 120))
    answer = world.api.get("/events", params={"time_from": "25:00"})
    assert answer.status_code == 422 and "HH:MM" in answer.text


def test_events_are_taken_away_together(world, tmp_path):
    snapshot = world.api.post(f"/cameras/{world.ids[0]}/snapshot")
    assert snapshot.status_code == 200, snapshot.text
    picture = wait_for("the snapshot is listed", lambda: next(iter(world.api.events(type="snapshot")), None), 20)
    ids = [*world.events.values(), picture["id"]]
    answer = world.api.post("/exports", json={"event_ids": ids})
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/zip", answer.text[:300]
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as package:
        assert package.testzip() is None
        package.extractall(tmp_path)
        names = package.namelist()
    assert len(names) == 3 and sorted(name[-4:] for name in names) == [".jpg", ".mp4", ".mp4"]
    for name in names:
        assert subprocess.run(["ffprobe", "-v", "error", str(tmp_path / name)], capture_output=True, text=True).stderr == ""
    # The same as a plain link, signed.
    link = world.api.get("/exports", params={"event_ids": ",".join(map(str, ids)), "manifest": "true"})
    assert link.status_code == 200
    with zipfile.ZipFile(io.BytesIO(link.content)) as package:
        assert "manifest.json" in package.namelist() and len(package.namelist()) == 6
    assert world.api.post("/exports", json={"event_ids": [*ids, 999999]}).status_code == 404
    for wrong in ([], [ids[0], ids[0]], "x", list(range(1, 300))):
        assert world.api.post("/exports", json={"event_ids": wrong}).status_code == 422


def test_bytes_of_the_last_minute_are_told_by_camera(world):
    told = wait_for("bytes", lambda: (lambda now: now if all(now.values()) else None)(
        world.api.json("/events/status")["recorded_bytes_last_minute"]), 30)
    assert set(told) == {str(key) for key in world.ids}
    assert all(1000 < count < 100_000_000 for count in told.values())


def test_layouts_are_kept_on_the_server(world):
    layout = {"columns": 3, "cameras": world.ids, "note": "ü"}
    answer = world.api.put("/auth/me/layouts/My%20wall", json={"layout": layout})
    assert answer.status_code == 200 and answer.json()["layout"] == layout
    assert [kept["name"] for kept in world.api.json("/auth/me/layouts")] == ["My wall"]
    assert world.api.delete("/auth/me/layouts/My%20wall").status_code == 200
    assert world.api.json("/auth/me/layouts") == []


def test_a_probe_shows_what_the_camera_sees(world, tmp_path):
    film = footage.counter("h265")
    with GstCamera({"/new": (film, None)}) as camera:
        answer = world.api.post("/cameras/probe-stream", json={"rtsp_url": camera.url("/new"), "picture": True})
        told = answer.json()
        assert told["success"] and told["codec"] == "hevc", told
        assert told["picture"].startswith("data:image/jpeg;base64,")
        path = tmp_path / "probe.jpg"
        path.write_bytes(base64.b64decode(told["picture"].split(",")[1]))
        size = subprocess.run(
            ["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", str(path)], capture_output=True, text=True)
        width, height = map(int, size.stdout.strip().split(","))
        assert width <= 640 and abs(width / height - told["width"] / told["height"]) < 0.1
        assert "picture" not in world.api.post("/cameras/probe-stream", json={"rtsp_url": camera.url("/new")}).json()
    # One that is being read already is not opened a second time.
    known = world.api.post("/cameras/probe-stream", json={"rtsp_url": world.camera.url("/cam"), "picture": True}).json()
    assert known["success"] and known["picture"].startswith("data:image/jpeg")
    gone = world.api.post("/cameras/probe-stream", json={"rtsp_url": "rtsp://127.0.0.1:1/none", "picture": True}).json()
    assert gone["success"] is False and gone["picture"] is None
