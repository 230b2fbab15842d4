"""Numbers about the server, work on what is stored, and paths that are not there yet."""

from __future__ import annotations

import os
import shutil
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from harness.server import NVR, wait_for
from harness.times import seconds
from peers import footage
from peers.gst_camera import GstCamera

@pytest.fixture(scope="module")
def shelf():
    """A server that has recorded a few segments of one camera and looks for no more."""
    with GstCamera({"/cam": (footage.counter(gop_seconds=1), None)}) as camera, NVR(segment_seconds=3) as nvr:
        nvr.start().with_admin()
        nvr.camera = nvr.api.add_camera("Porch", camera.url("/cam"))
        nvr.silent = nvr.api.add_camera("Silent", "rtsp://127.0.0.1:1/x")
        wait_for("four finished segments", lambda: sum(row.finished for row in nvr.rows()) >= 4, 60)
        yield nvr


def test_numbers_are_those_of_the_disk(shelf):
    shelf.api.post(f"/cameras/{shelf.camera}/snapshot")
    time.sleep(1.1)  # Two readings make a rate.
    stats = shelf.api.json("/stats")
    held = sum(row.bytes for row in shelf.rows())
    assert stats["storage"]["used_gb"] == pytest.approx(held / 2**30, abs=0.011)
    assert stats["storage"]["total_gb"] == pytest.approx(shutil.disk_usage(shelf.recordings).total / 2**30, abs=0.2)
    assert stats["storage"]["free_gb"] == pytest.approx(shutil.disk_usage(shelf.recordings).free / 2**30, abs=1)
    assert stats["active_cameras"] == 2 and stats["total_errors"] == 1 and stats["system_status"] == "Degraded"
    mine = stats["details"]["cameras"][str(shelf.camera)]
    assert mine["movies"]["count"] in range(4, 1000) and mine["images"]["count"] == 1
    # What is held was recorded within the hour that is measured at least.
    assert mine["daily_rate_gb"] == pytest.approx(held * 24 / 2**30, rel=0.5, abs=0.02)
    assert mine["estimated_retention_days"] > 0
    assert stats["details"]["cameras"][str(shelf.silent)]["estimated_retention_days"] is None
    assert stats["storage"]["estimated_retention_days"] > 0
    profile = stats["details"]["profiles"]["default"]
    assert profile["path"] == str(shelf.recordings) and profile["free_gb"] > 0
    resources = stats["resources"]
    assert resources["memory_mb"] == pytest.approx(shelf.resident() / 2**20, rel=0.3)
    assert 0 <= resources["host_cpu_percent"] <= 100 and 0 < resources["host_memory_mb"] < resources["host_memory_total_mb"]
    assert resources["cpu_percent"] >= 0 and resources["engine_cpu"] is None
    assert stats["network"]["recv_mbps"] >= 0 and stats["database"]["size_mb"] > 0


def test_homepage(shelf):
    def told() -> tuple[dict, list[dict]] | None:
        """What is told between two looks at the events that found the same ones, on one day."""
        events, day = shelf.api.events(), datetime.now(timezone.utc).date()
        found = shelf.api.json("/v1/homepage/stats")
        unchanged = [event["id"] for event in shelf.api.events()] == [event["id"] for event in events] and datetime.now(timezone.utc).date() == day
        return (found, events) if unchanged else None

    answer, events = wait_for("a moment without news", told)
    assert (answer["cameras_total"], answer["cameras_online"], answer["cameras_recording"]) == (2, 1, 1)
    midnight = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    today = sum(seconds(event["timestamp_start"]) >= midnight for event in events)
    assert answer["events_today"] == today and answer["events_this_week"] >= answer["events_today"] and answer["events_this_month"] >= answer["events_today"]
    assert answer["last_event_camera"] == "Porch"
    # The server's zone is UTC.
    last = datetime.strptime(answer["last_event_time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    assert last == int(max(seconds(event["timestamp_start"]) for event in events))
    assert answer["uptime"].endswith("m")


def test_history_is_in_the_zone_of_the_server(shelf):
    def told() -> list[dict] | None:
        """The hours, told between two looks that found as many events, in one hour."""
        count, hour = shelf.api.json("/stats")["events_24h"], datetime.now(timezone.utc).strftime("%H:00")
        hours = shelf.api.json("/stats/history")
        unchanged = shelf.api.json("/stats")["events_24h"] == count and datetime.now(timezone.utc).strftime("%H:00") == hour
        return hours and (hours, count, hour) if unchanged else None

    hours, count, hour = wait_for("a moment without news", told)
    assert len(hours) == 25 and sum(each["events"] for each in hours) == count
    assert hours[-1]["time"] == hour
    with NVR(TZ="Asia/Kathmandu") as nvr:
        nvr.start().with_admin()
        now = datetime.now(ZoneInfo("Asia/Kathmandu"))
        labels = [hour["time"] for hour in nvr.api.json("/stats/history")]
        expected = [(now - timedelta(hours=back)).strftime("%H:00") for back in range(24, -1, -1)]
        assert labels in (expected, expected[1:] + [(now + timedelta(hours=1)).strftime("%H:00")])


def test_load_of_the_last_minutes(shelf):
    samples = wait_for("a reading", lambda: shelf.api.json("/stats/resources-history"))
    assert samples[0]["memory_mb"] > 0 and samples[0]["host_memory_mb"] > 0


def test_engine_status(shelf):
    first = shelf.api.json("/settings/engine/debug-status")
    mine = first[str(shelf.camera)]
    assert (mine["running"], mine["connected"], mine["recording"], mine["health"]) == (True, True, True, "CONNECTED")
    assert mine["config"]["id"] == shelf.camera and mine["config"]["max_movie_length"] == 60
    assert first[str(shelf.silent)]["connected"] is False
    time.sleep(2)
    wait_for("frames are counted", lambda: 1 <= shelf.api.json("/settings/engine/debug-status")[str(shelf.camera)]["fps"] <= 60)


def test_rows_and_files_are_made_to_agree_while_recording_goes_on(shelf):
    status = lambda: shelf.api.json("/settings/sync-orphans/status")
    rows = [row for row in shelf.rows(shelf.camera) if row.finished]
    gone, short = rows[0], rows[1]
    gone.path.unlink()
    os.truncate(short.path, short.bytes // 2)
    # A file without a row: one of ours, with another time in it, and old enough that nobody writes it.
    stray = shelf.recordings / str(shelf.camera) / "2020-01-01" / "stray.mp4"
    stray.parent.mkdir(parents=True)
    shutil.copy(rows[2].path, stray)
    os.utime(stray, (time.time() - 3600,) * 2)
    fresh = stray.with_name("fresh.mp4")
    shutil.copy(rows[2].path, fresh)
    foreign = stray.with_name("holiday.mp4")
    foreign.write_bytes(b"not ours")
    os.utime(foreign, (time.time() - 3600,) * 2)
    answer = shelf.api.post("/settings/sync-orphans")
    assert answer.status_code == 200 and answer.json()["status"] in ("running", "completed")
    done = wait_for("the pass", lambda: (found := status())["status"] != "running" and found, 60)
    assert done["status"] == "completed" and done["progress"] == 100, done
    paths = {row.path for row in shelf.rows(shelf.camera)}
    assert gone.path not in paths and stray in paths and fresh not in paths and foreign not in paths
    assert foreign.read_bytes() == b"not ours"
    assert next(row for row in shelf.rows(shelf.camera) if row.path == short.path).bytes < short.bytes
    # What was being written meanwhile is whole.
    before = len(shelf.rows(shelf.camera))
    wait_for("recording goes on", lambda: len(shelf.rows(shelf.camera)) > before, 30)
    again = shelf.api.post("/settings/sync-orphans")
    done = wait_for("the second pass", lambda: (found := status())["status"] != "running" and found, 60)
    assert again.status_code == 200 and done["repaired"] == 0, done


LATER = [
    ("GET", "/onvif/scan/stream?ip_range=10.0.0.0/24"), ("POST", "/onvif/probe"), ("POST", "/onvif/deep-scan"), ("POST", "/onvif/ptz/move/1"),
    ("POST", "/onvif/ptz/stop/1"), ("POST", "/onvif/ptz/set-home/1"), ("POST", "/onvif/ptz/goto-home/1"), ("POST", "/onvif/ptz/goto-preset/1"),
    ("GET", "/onvif/ptz/presets/1"), ("POST", "/onvif/ptz/probe-features/1"), ("GET", "/oauth/login"), ("GET", "/oauth/callback"),
    ("POST", "/oauth/unlink"), ("GET", "/oauth/logout"),
]


def test_paths_of_later_steps_say_so(nvr):
    for method, path in LATER:
        answer = nvr.api.call(method, path, json={} if method == "POST" else None)
        assert answer.status_code == 501 and "not available" in answer.json()["detail"], (method, path)
        assert nvr.api.call(method, path, token="").status_code == (401 if path.startswith("/onvif") else 501)
