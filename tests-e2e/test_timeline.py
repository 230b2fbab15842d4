"""The timeline: what was recorded, what was not and why, at any zoom and up to now."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from harness.api import API
from harness.server import NVR, PASSWORD, wait_for
from peers import footage
from peers.fault_camera import FaultCamera
from peers.gst_camera import GstCamera
from test_storage import SmallDisk, can_mount, keep_all


def timeline(nvr: NVR, start: float, **query) -> dict:
    return nvr.api.json("/timeline", params={"start": start, **query})


def only(nvr: NVR, camera: int, start: float, **query) -> dict:
    [part] = timeline(nvr, start, cameras=str(camera), **query)["cameras"]
    assert part["camera_id"] == camera
    return part


def recorded(part: dict) -> float:
    return sum(end - start for start, end in part["spans"])


def causes(part: dict, shortest: float = 2) -> list[str]:
    return [gap["cause"] for gap in part["gaps"] if gap["end"] - gap["start"] >= shortest]


def lasting(nvr: NVR, camera: int, start: float, cause: str, seconds: float = 120) -> dict:
    """Waits until the camera's newest gap has the cause; gives the gap."""

    def newest():
        answer = timeline(nvr, start, cameras=str(camera))
        gaps = answer["cameras"][0]["gaps"]
        return gaps[-1] if gaps and gaps[-1]["cause"] == cause and gaps[-1]["end"] > answer["now"] - 1.5 else None

    return wait_for(f"the camera's state is {cause}", newest, seconds)


def records(nvr: NVR, camera: int, start: float, seconds: float = 120) -> None:
    """Waits until footage reaches beyond now."""
    now = time.time()
    wait_for("the live edge is there", lambda: (last := only(nvr, camera, start)["last"]) and last > now + 1, seconds)


def with_causes(nvr: NVR, camera: int, start: float, wanted: list[str], shortest: float = 2) -> dict:
    """What the timeline shows once its gaps have these causes. Footage that is longer than some seconds on its way to the disk is missing until then."""
    found: list[dict] = []

    def agrees() -> bool:
        found.append(only(nvr, camera, start))
        return causes(found[-1], shortest) == wanted

    try:
        wait_for(f"gaps because of {wanted}", agrees, 30, 0.5)
    except AssertionError:
        raise AssertionError(found[-1]["gaps"]) from None
    return found[-1]


def whole(spans: list, gaps: list) -> None:
    """Spans and gaps are in order, and nothing is both."""
    pieces = sorted([*map(tuple, spans), *((gap["start"], gap["end"]) for gap in gaps)])
    for (_, end), (start, _) in zip(pieces, pieces[1:]):
        assert start >= end - 0.002, pieces


def test_gaps_have_their_causes_and_all_zooms_agree():
    with FaultCamera(footage.counter(gop_seconds=1)) as camera, NVR(segment_seconds=10) as nvr:
        nvr.start().with_admin()
        begin = time.time()
        key = nvr.api.add_camera("cam", camera.url())
        records(nvr, key, begin)
        time.sleep(3)
        # Taken away.
        leaves = time.time()
        left = camera.leave()
        gap = lasting(nvr, key, begin, "camera_offline")
        assert leaves - 3 < gap["start"] < left + 3 and "unreachable" in gap["reason"], gap
        time.sleep(8)
        camera.come_back()
        records(nvr, key, begin)
        # Recording is switched off for a while.
        nvr.api.put(f"/cameras/{key}", json={"recording_mode": "Off"})
        lasting(nvr, key, begin, "not_recording")
        time.sleep(4)
        nvr.api.put(f"/cameras/{key}", json={"recording_mode": "Continuous"})
        records(nvr, key, begin)
        time.sleep(3)
        # The plug is pulled.
        told = only(nvr, key, begin)["last"]
        nvr.kill()
        killed = time.time()
        time.sleep(5)
        nvr.start()
        records(nvr, key, begin)
        back = time.time()
        time.sleep(3)
        part = with_causes(nvr, key, begin, ["camera_offline", "not_recording", "server_down"])
        down = part["gaps"][-1]
        # From the end of what had been told to be recorded, or later, until there was footage again.
        assert told - 0.1 <= down["start"] <= killed and killed + 4.5 < down["end"] < back, (told, killed, down, back)
        whole(part["spans"], part["gaps"])
        # The camera is switched off as a whole; the rest does not change any more.
        nvr.api.put(f"/cameras/{key}", json={"is_active": False})
        gap = lasting(nvr, key, begin, "not_recording")
        assert "switched off" in gap["reason"]
        wait_for("the last segment is closed", lambda: all(row.finished for row in nvr.rows()), 60)
        end = time.time()
        close = only(nvr, key, begin, end=end)
        assert close["first"] == pytest.approx(nvr.rows()[0].start, abs=0.002)
        assert close["last"] == pytest.approx(nvr.rows()[-1].end, abs=0.002)
        true = sum(row.end - row.start for row in nvr.rows())
        assert recorded(close) == pytest.approx(true, abs=0.1)
        # Every zoom has the same amount of footage.
        for resolution in (1, 10, 60, 300, 900, 3600, 86400, 604800):
            answer = timeline(nvr, begin, cameras=str(key), end=end, resolution=resolution)
            assert answer["resolution"] == resolution
            borders = answer["bucket_borders"] or [answer["bucket_start"] + number * resolution for number in range(answer["bucket_count"] + 1)]
            shares = answer["cameras"][0]["buckets"]["footage"]
            found = sum(share / 1000 * (until - since) for share, since, until in zip(shares, borders, borders[1:]))
            assert found == pytest.approx(true, abs=0.1 + 0.001 * resolution * sum(0 < share < 1000 for share in shares)), resolution
            assert borders[0] <= begin and borders[-1] >= end
        far = timeline(nvr, begin - 5 * 366 * 86400)
        assert far["resolution"] >= 86400 and far["detail"] == "buckets" and sum(far["cameras"][0]["buckets"]["footage"]) >= 1
        # Footage that is deleted is gone at every zoom.
        for event in nvr.api.events():
            assert nvr.api.delete(f"/events/{event['id']}").status_code == 200
        for resolution in (1, 300, 86400):
            assert not any(only(nvr, key, begin, end=end, resolution=resolution)["buckets"]["footage"])
        assert only(nvr, key, begin)["first"] is None


def test_a_server_that_was_stopped_says_so_and_motion_cameras_wait_for_motion():
    with FaultCamera(footage.counter(gop_seconds=1)) as camera, NVR() as nvr:
        nvr.start().with_admin()
        begin = time.time()
        still = nvr.api.add_camera("still", camera.url(), recording_mode="Motion Triggered")
        off = nvr.api.add_camera("off", camera.url(), is_active=False)
        lasting(nvr, still, begin, "no_motion")
        lasting(nvr, off, begin, "not_recording")
        time.sleep(4)
        asked = time.time()
        nvr.terminate()
        stopped = time.time()
        time.sleep(5)
        started = time.time()
        nvr.start()
        lasting(nvr, still, begin, "no_motion")
        part = only(nvr, still, begin)
        assert causes(part, shortest=0) == ["no_motion", "server_down", "no_motion"], part["gaps"]
        down = part["gaps"][1]
        assert asked - 3 < down["start"] < stopped + 1 and down["end"] > started, (asked, stopped, started, down)
        # What is off was not missed.
        assert set(causes(only(nvr, off, begin))) == {"not_recording"}


def test_restarts_and_lost_connections_are_gaps_with_a_cause_however_short_they_are():
    """The server is back within a second or two: less than most outages take, but the next key frame is up to two seconds away."""
    with GstCamera({"/main": footage.counter(gop_seconds=2)}, live=True) as camera, NVR(segment_seconds=60) as nvr:
        nvr.start().with_admin()
        begin = time.time()
        key = nvr.api.add_camera("cam", camera.url())
        records(nvr, key, begin)
        for number in range(5):
            time.sleep(2 + 0.37 * number)
            nvr.kill() if number == 3 else nvr.terminate()
            nvr.start()
            records(nvr, key, begin)
        for _ in range(3):
            time.sleep(3)
            before = nvr.rows()[-1].id
            camera.drop()
            wait_for("another segment", lambda: nvr.rows()[-1].id != before, 90)
            records(nvr, key, begin)
        part = wait_for("causes alone that there were", lambda: set(causes(part := only(nvr, key, begin), shortest=1)) <= {"server_down", "camera_offline"} and part)
        # What the server was down for is told even where nothing much is missing.
        with closing(sqlite3.connect(f"file:{nvr.data}/vibenvr.db?mode=ro", uri=True)) as database:
            [(stops,)] = database.execute("SELECT count(*) FROM outages WHERE cause = 5").fetchall()
        # Those less than half a minute apart are one row.
        assert stops >= 1 and "server_down" in causes(part, shortest=1), part["gaps"]
        whole(part["spans"], part["gaps"])


@pytest.mark.skipif(not can_mount(), reason="mounting a small file system needs root")
def test_a_full_disk_is_a_gap_with_its_cause():
    with FaultCamera(footage.full_hd()) as camera, SmallDisk(96, segment_seconds=10) as nvr:
        nvr.start().with_admin()
        keep_all(nvr)
        begin = time.time()
        key = nvr.api.add_camera("cam", camera.url())
        records(nvr, key, begin)
        nvr.fill()
        gap = lasting(nvr, key, begin, "disk_full")
        assert "/" not in gap["reason"], "paths of the server are nobody's business"
        nvr.free()
        records(nvr, key, begin)
        wait_for("no other cause", lambda: set(causes(only(nvr, key, begin), shortest=1)) <= {"disk_full"})


def test_bad_queries_and_rights(nvr):
    ids = [nvr.api.add_camera(name, "rtsp://10.255.255.1/x", is_active=False) for name in ("a", "b")]
    now = time.time()
    for query in ("", "start=x", "start=5&end=5", "start=9&end=5", "start=0&end=99999999999", "start=0&resolution=x", "start=0&cameras=x",
                  "start=0&cameras=" + ",".join(map(str, range(1, 66)))):
        answer = nvr.api.get(f"/timeline?{query}")
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"][0] == "query", query
    assert nvr.api.get(f"/timeline?start=0&end=9&cameras={ids[0]},999").status_code == 404
    assert nvr.api.post("/timeline").status_code == 405
    answer = nvr.api.json("/api/timeline", params={"start": "2021-11-28T00:00", "end": "2026-11-28T10:00:00Z"})
    assert [part["camera_id"] for part in answer["cameras"]] == ids and abs(answer["now"] - now) < 60
    assert all(part["first"] is None and part["buckets"]["footage"] == [] for part in answer["cameras"])
    made = nvr.api.post("/users", json={"username": "viewer", "password": PASSWORD, "role": "viewer", "email": "v@example.com"})
    assert made.status_code == 200, made.text
    changed = nvr.api.put(f"/users/{made.json()['id']}", json={
        "restrict_camera_access": True, "camera_accesses": [{"id": ids[1], "can_view": True, "can_replay": False, "can_control": False}],
    })
    assert changed.status_code == 200, changed.text
    viewer = API(nvr.api.base)
    viewer.login("viewer", PASSWORD)
    assert viewer.get(f"/timeline?start=0&end=9&cameras={ids[0]}").status_code == 404
    assert viewer.get(f"/timeline?start=0&end=9&cameras={ids[1]}").status_code == 403
    assert viewer.json("/timeline", params={"start": 0, "end": 9})["cameras"] == []
    assert nvr.api.get("/timeline?start=0&end=9", token="").status_code == 401
