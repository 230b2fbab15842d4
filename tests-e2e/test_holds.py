"""Holds: footage that nothing deletes, whatever asks for it, as long as the hold lasts."""

from __future__ import annotations

import json
import time

import pytest

from harness.server import NVR, PASSWORD, SegmentRow, wait_for
from peers import footage
from peers.gst_camera import GstCamera


class Held:
    """A camera recorded into segments of 4 s, of which the second and third are held."""

    def __init__(self, nvr: NVR, camera: GstCamera):
        self.nvr, self.api = nvr, nvr.api
        self.id = nvr.api.add_camera("door", camera.url("/main"))
        wait_for("five finished segments", lambda: len(self.finished()) >= 5, 60)
        assert nvr.api.put(f"/cameras/{self.id}", json={"is_active": False}).status_code == 200
        wait_for("the recording has ended", lambda: all(row.finished for row in nvr.rows(self.id)), 30)
        rows = self.finished()
        self.kept = rows[1:3]
        self.contents = {row.path: row.path.read_bytes() for row in self.kept}
        self.hold = self.put(self.kept[0].start + 0.5, self.kept[1].end - 0.5).json()

    def finished(self) -> list[SegmentRow]:
        return [row for row in self.nvr.rows(self.id) if row.finished]

    def put(self, start: float, end: float, **fields):
        answer = self.api.put(f"/cameras/{self.id}/holds", json={"start": start, "end": end, "reason": "police, case 7", **fields})
        assert answer.status_code == 200, answer.text
        return answer

    def event_of(self, row: SegmentRow) -> int:
        events = self.api.events(camera_id=self.id, event_type="continuous")
        return next(event["id"] for event in events if event["file_path"].endswith(row.path.name))

    def is_whole(self, only: bool = True) -> None:
        """What is held is there, byte for byte; with `only`, nothing else is."""
        for path, content in self.contents.items():
            assert path.read_bytes() == content, path
        listed = [row.path for row in self.nvr.rows(self.id)]
        assert set(self.contents) <= set(listed)
        if only:
            assert set(listed) == set(self.contents) == set(self.nvr.files(self.id))
        answer = self.api.get(f"/cameras/{self.id}/export.mp4", params={"start": self.hold["start"], "end": self.hold["end"]})
        assert answer.status_code in (200, 404 if self.api.get(f"/cameras/{self.id}").status_code == 404 else 200)


@pytest.fixture
def held():
    with GstCamera({"/main": (footage.counter("h264"), None)}) as camera, NVR(segment_seconds=4) as nvr:
        nvr.start().with_admin()
        yield Held(nvr, camera)


def test_requests_leave_what_is_held_and_say_so(held):
    event, free = held.event_of(held.kept[0]), held.event_of(held.finished()[0])
    answer = held.api.delete(f"/events/{event}")
    assert answer.status_code == 409 and "held" in answer.json()["detail"]
    answer = held.api.post("/events/bulk-delete", json=[event, free, 999999]).json()
    assert answer == {"deleted_count": 1, "errors": [f"Event {event} is held", "Event 999999 not found"]}
    held.is_whole(only=False)
    answer = held.api.delete("/events/bulk/all").json()
    assert answer["deleted_count"] > 0 and answer["errors"] == ["2 events are held"]
    held.is_whole()
    answer = held.api.delete(f"/cameras/{held.id}?delete_media=true")
    assert answer.status_code == 409 and "held" in answer.json()["detail"]
    answer = held.api.post("/cameras/bulk-delete?delete_media=true", json=[held.id]).json()
    assert answer["deleted_count"] == 0 and "held" in answer["errors"][0]
    held.is_whole()
    # Without its media the camera may go; its holds protect on, and a restart changes nothing.
    backup = held.api.get("/settings/backup/export").text
    assert held.api.delete(f"/cameras/{held.id}").status_code == 200
    held.nvr.terminate()
    held.nvr.start()
    assert held.api.delete("/events/bulk/all").json()["errors"] == ["2 events are held"]
    held.is_whole()
    # A restore of the configuration brings the camera back and touches no hold.
    assert held.api.post("/settings/backup/import", files={"file": ("backup.json", backup, "application/json")}).status_code == 200
    held.api.login("admin", PASSWORD)
    assert [hold["id"] for hold in held.api.json(f"/cameras/{held.id}/holds")] == [held.hold["id"]]
    held.is_whole()
    assert held.api.delete(f"/cameras/{held.id}/holds/{held.hold['id']}").status_code == 200
    assert held.api.delete("/events/bulk/all").json() | {"deleted_size_mb": 0, "deleted_size_bytes": 0} == {
        "deleted_count": 2, "type": "all", "deleted_size_mb": 0, "deleted_size_bytes": 0}
    assert held.nvr.files(held.id) == []
    audited = held.api.json("/audit?limit=1000")
    routes = {entry["route"] for entry in (audited if isinstance(audited, list) else audited["entries"])}
    assert {"/cameras/{camera_id}/holds", "/cameras/{camera_id}/holds/{hold_id}"} <= routes


def test_limits_leave_what_is_held(held):
    # A kilobyte is less than any segment has; what is held counts for nothing.
    assert held.api.put(f"/cameras/{held.id}", json={"max_storage_gb": 0.000001}).status_code == 200
    answer = held.api.post(f"/cameras/{held.id}/cleanup").json()
    assert answer["status"] == "success" and answer["deleted_size_bytes"] > 0
    held.is_whole()
    assert held.api.post(f"/cameras/{held.id}/cleanup?type=video").json()["deleted_size_bytes"] == 0


def test_repairs_leave_what_is_held(held):
    lost, damaged = held.kept
    away = held.nvr.folder / "away.mp4"
    lost.path.rename(away)
    status = held.api.post("/settings/sync-orphans").json()["status"]
    assert status in ("running", "completed")
    done = wait_for("the comparison is over", lambda: (found := held.api.json("/settings/sync-orphans/status"))["status"] == "completed" and found, 60)
    assert done["problems"] == 1 and done["repaired"] == 0
    held.nvr.terminate()
    damaged.path.write_bytes(b"not an MP4")
    run = held.nvr.run("check", "--repair", "--data-dir", str(held.nvr.data))
    assert run.returncode == 1 and "2 problems, 0 mended" in run.stdout, run.stdout
    # Put back, everything is as it was.
    away.rename(lost.path)
    damaged.path.write_bytes(held.contents[damaged.path])
    assert held.nvr.check().returncode == 0
    held.nvr.start()
    held.is_whole(only=False)


def test_a_hold_ends_when_it_was_said_to(held):
    other = held.finished()[0]
    event = held.event_of(other)
    # Long enough to ask twice.
    held.put(other.start + 1, other.start + 2, expires_at=time.time() + 15)
    assert held.api.delete(f"/events/{event}").status_code == 409
    wait_for("the hold has expired", lambda: held.api.delete(f"/events/{event}").status_code == 200, 30, every=0.5)
    assert not other.path.exists()
    listed = {hold["reason"]: hold["is_active"] for hold in held.api.json(f"/cameras/{held.id}/holds")}
    assert listed == {"police, case 7": True} or not all(listed.values())


def test_who_may(held):
    made = held.api.post("/users", json={
        "username": "viewer", "password": PASSWORD, "role": "viewer", "restrict_camera_access": True,
        "camera_accesses": [{"id": held.id, "can_view": True, "can_replay": False, "can_control": True}]})
    assert made.status_code == 200, made.text
    path = f"/cameras/{held.id}/holds"
    token = held.api.token
    held.api.login("viewer", PASSWORD)
    assert held.api.get(path).status_code == 403
    body = {"start": 1000, "end": 2000, "reason": "mine"}
    assert held.api.put(path, json=body).status_code == 403
    assert held.api.delete(f"{path}/{held.hold['id']}").status_code == 403
    grants = [{"id": held.id, "can_view": True, "can_replay": True, "can_control": False}]
    assert held.api.put(f"/users/{made.json()['id']}", token=token, json={"camera_accesses": grants}).status_code == 200
    held.api.login("viewer", PASSWORD)
    listed = held.api.json(path)
    assert listed[0]["reason"] == "police, case 7" and listed[0]["created_by"] == "admin"
    assert held.api.put(path, json=body).status_code == 403
    assert held.api.get(path, token="").status_code == 401
    for bad in ({}, {"start": 5, "end": 5, "reason": "x"}, {"start": 0, "end": 367 * 86400, "reason": "x"}, {"start": 1, "end": 2, "reason": "x" * 1001}):
        assert held.api.put(path, token=token, json=bad).status_code == 422, json.dumps(bad)[:80]
