"""What is kept for how long: ages, limits, the floor of free space, and what is never deleted without somebody's word."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing

import pytest

from harness.server import BUSY, NVR, wait_for
from harness.volumes import MARKER
from peers import footage
from peers.fault_camera import FaultCamera
from test_storage import SmallDisk, can_mount

DAY = 86_400_000_000


def cleanup(nvr: NVR, **body) -> dict:
    # The one that the server makes by itself at its start may still be going on.
    answer = wait_for("nothing else is cleaned up", lambda: (tried := nvr.api.post("/settings/cleanup", json=body)).status_code != 409 and [tried])[0]
    assert answer.status_code == 200, answer.text
    return answer.json()


def put(nvr: NVR, **settings) -> None:
    answer = nvr.api.post("/settings/bulk", json={name: str(value) for name, value in settings.items()})
    assert answer.status_code == 200, answer.text


def age(nvr: NVR, days: float) -> None:
    """Everything that is stored, and the last cleanup, becomes older; the server must not run."""
    assert not nvr.running
    with closing(sqlite3.connect(nvr.data / "vibenvr.db", timeout=BUSY)) as database:
        shift = int(days * DAY)
        database.execute("UPDATE segments SET start_us = start_us - ?1, end_us = end_us - ?1", (shift,))
        database.execute("UPDATE events SET start_us = start_us - ?1, end_us = end_us - ?1", (shift,))
        database.execute("UPDATE retention SET run_us = run_us - ?1, spent_us = spent_us - ?1", (shift,))
        database.commit()


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """A stopped server with some ten finished segments of two cameras, and snapshots."""
    folder = tmp_path_factory.mktemp("stock")
    with FaultCamera(footage.small()) as camera, NVR(folder, segment_seconds=2) as nvr:
        nvr.start().with_admin()
        keys = [nvr.api.add_camera(name, camera.url()) for name in ("one", "two")]
        wait_for("pictures", lambda: nvr.api.get(f"/cameras/{keys[0]}/frame").status_code == 200, 30)
        for _ in range(3):
            assert nvr.api.post(f"/cameras/{keys[0]}/snapshot").status_code == 200
            time.sleep(1.1)
        wait_for("enough segments", lambda: all(sum(row.finished for row in nvr.rows(key)) >= 5 for key in keys), 60)
        for key in keys:
            nvr.api.put(f"/cameras/{key}", json={"is_active": False})
        wait_for("all is finished", lambda: all(row.finished for row in nvr.rows()), 20)
        nvr.terminate()
    return folder, keys


@pytest.fixture
def shelf(stock, tmp_path):
    """A copy of it that may be changed, not started."""
    import shutil

    folder, keys = stock
    shutil.copytree(folder / "data", tmp_path / "data")
    with NVR(tmp_path, segment_seconds=2) as nvr:
        nvr.api.token = "of another run"
        nvr.keys = keys
        yield nvr


def total(nvr: NVR, key: int | None = None) -> int:
    return sum(row.bytes for row in nvr.rows(key))


def agree(nvr: NVR) -> None:
    assert {row.path for row in nvr.rows()} == set(nvr.files())


def test_a_camera_keeps_what_it_is_set_to(shelf):
    one, two = shelf.keys
    shelf.start()
    assert shelf.api.put(f"/cameras/{one}", json={"preserve_movies": "For One Day", "preserve_pictures": "Forever"}).status_code == 200
    assert shelf.api.put(f"/cameras/{two}", json={"preserve_movies": "For One Week"}).status_code == 200
    put(shelf, cleanup_enabled="false", retention_max_share_percent=100)
    shelf.terminate()
    age(shelf, 2)
    shelf.start()
    planned = cleanup(shelf, dry_run=True)
    assert planned["status"] == "planned" and planned["planned"]["count"] == len(shelf.rows(one)) and planned["deleted_count"] == 0
    done = cleanup(shelf)
    assert done["status"] == "success" and done["planned_by_reason"] == {"age": planned["planned"]}, done
    assert not shelf.rows(one) and len(shelf.rows(two)) >= 5
    assert len(shelf.api.events(type="snapshot")) == 3
    agree(shelf)
    assert cleanup(shelf)["deleted_count"] == 0


def test_it_happens_by_itself_unless_it_is_switched_off(shelf):
    one, _ = shelf.keys
    shelf.start()
    shelf.api.put(f"/cameras/{one}", json={"preserve_movies": "For One Day"})
    put(shelf, cleanup_enabled="false", retention_max_share_percent=100)
    shelf.terminate()
    age(shelf, 2)
    shelf.start()
    count = len(shelf.rows(one))
    status = shelf.api.json("/settings/cleanup/status")
    assert status["last_cleanup"] is None and status["alarm"] is None and count >= 5
    put(shelf, cleanup_enabled="true")
    wait_for("what is too old is deleted", lambda: not shelf.rows(one), 20)
    wait_for("it is told", lambda: shelf.api.json("/settings/cleanup/status")["last_cleanup"], 10)
    agree(shelf)


def test_limits_of_size_take_the_oldest(shelf):
    one, two = shelf.keys
    shelf.start()
    put(shelf, retention_max_share_percent=100)
    before = shelf.rows(one)
    most = sum(row.bytes for row in before[-2:]) + 100
    shelf.api.put(f"/cameras/{one}", json={"max_storage_gb": most / 2**30})
    done = cleanup(shelf)
    assert done["status"] == "success" and list(done["planned_by_reason"]) == ["camera_limit"]
    assert [row.id for row in shelf.rows(one)] == [row.id for row in before[-2:]]
    pictures = shelf.api.events(type="snapshot")
    shelf.api.put(f"/cameras/{one}", json={"max_pictures_storage_gb": pictures[0]["file_size"] * 1.5 / 2**30})
    assert list(cleanup(shelf)["planned_by_reason"]) == ["picture_limit"]
    assert [event["id"] for event in shelf.api.events(type="snapshot")] == [pictures[0]["id"]]
    everything = sorted(shelf.rows(), key=lambda row: row.start)
    put(shelf, max_global_storage_gb=(total(shelf) * 0.6) / 2**30)
    done = cleanup(shelf)
    assert list(done["planned_by_reason"]) == ["total_limit"]
    assert total(shelf) <= sum(row.bytes for row in everything) * 0.6
    left = shelf.rows()
    assert [row.id for row in left] == [row.id for row in everything[-len(left):]]
    agree(shelf)


def test_more_than_a_share_needs_somebodys_word(shelf):
    shelf.start()
    before = shelf.rows()
    # What was recorded since the last cleanup might go.
    put(shelf, cleanup_enabled="false")
    assert cleanup(shelf)["deleted_count"] == 0
    put(shelf, max_global_storage_gb=1e-6)
    asked = cleanup(shelf, dry_run=True)
    assert asked["needs_confirmation"] and asked["withheld"]["count"] > 0
    done = cleanup(shelf)
    assert done["status"] == "stopped" and done["stopped_by"] == "share" and done["needs_confirmation"], done
    gone = sum(row.bytes for row in before) - total(shelf)
    assert 0 < gone <= 0.2 * (sum(row.bytes for row in before) + 1_000_000)
    alarm = shelf.api.json("/settings/cleanup/status")["alarm"]
    assert alarm["cause"] == "share" and "administrator" in alarm["reason"]
    again = cleanup(shelf)
    assert again["deleted_count"] == 0 and again["stopped_by"] == "share"
    done = cleanup(shelf, confirm=True)
    assert done["status"] == "success" and total(shelf) <= 1e-6 * 2**30
    assert shelf.api.json("/settings/cleanup/status")["alarm"] is None
    agree(shelf)


def test_holds_and_minimum_days_win(shelf):
    one, _ = shelf.keys
    shelf.start()
    rows = shelf.rows(one)
    held = rows[1]
    answer = shelf.api.put(f"/cameras/{one}/holds", json={"start": held.start + 0.1, "end": held.end - 0.1, "reason": "test"})
    assert answer.status_code == 200, answer.text
    put(shelf, max_global_storage_gb=1e-9, retention_minimum_days=1)
    done = cleanup(shelf, confirm=True)
    assert done["deleted_count"] == 0 and done["stopped_by"] == "nothing_left" and done["unmet_bytes"]["total_limit"] > 0
    put(shelf, retention_minimum_days=0)
    assert cleanup(shelf, confirm=True)["status"] == "success"
    assert [row.id for row in shelf.rows()] == [held.id]
    agree(shelf)


def test_bad_wishes_are_refused_and_change_nothing(shelf):
    shelf.start()
    put(shelf, max_global_storage_gb=1e-6)
    count = len(shelf.rows())
    for body in ({"confirm": "perhaps"}, {"dry_run": 7}, {"camera_id": "x"}, {"media_type": "sound", "camera_id": 1}, {"media_type": "video"}, []):
        answer = shelf.api.post("/settings/cleanup", json=body)
        assert answer.status_code == 422, (body, answer.text)
    assert shelf.api.post("/settings/cleanup", json={"camera_id": 999}).status_code == 404
    assert len(shelf.rows()) == count


def test_an_unmounted_archive_is_not_cleaned(shelf):
    shelf.start()
    put(shelf, max_global_storage_gb=1e-6, cleanup_enabled="false")
    count = len(shelf.rows())
    away = shelf.recordings.with_name("away")
    shelf.recordings.rename(away)
    shelf.recordings.mkdir()

    def lost() -> bool:
        return any(problem["kind"] == "default_folder_lost" for problem in shelf.api.json("/health")["problems"])

    wait_for("it is told", lost, 15)
    assert cleanup(shelf, confirm=True)["deleted_count"] == 0 and len(shelf.rows()) == count
    # A folder with the right marker and without the files is no better.
    shutil.copy(away / MARKER, shelf.recordings)
    wait_for("it is taken for the right one", lambda: not lost(), 30)
    done = cleanup(shelf, confirm=True)
    assert done["stopped_by"] == "files_missing" and done["deleted_count"] == 0
    assert len(shelf.rows()) == count
    assert "is the volume mounted" in shelf.api.json("/settings/cleanup/status")["alarm"]["reason"]
    shutil.rmtree(shelf.recordings)
    away.rename(shelf.recordings)
    wait_for("it is back", lambda: not lost(), 30)
    assert cleanup(shelf, confirm=True)["status"] == "success"
    agree(shelf)


def test_the_forecast_follows_the_rules(shelf):
    one, two = shelf.keys
    shelf.start()
    shelf.api.put(f"/cameras/{one}", json={"preserve_movies": "For One Week"})
    told = shelf.api.json("/storage/forecast")
    first = {camera["camera_id"]: camera for camera in told["cameras"]}[one]
    assert first["bytes_per_day"] > 0 and first["configured_days"] == 7 and first["stored_bytes"] == total(shelf, one)
    assert first["days"] == 7 and first["limited_by"] == "age", first
    shelf.api.put(f"/cameras/{one}", json={"max_storage_gb": 2 * first["bytes_per_day"] / 2**30})
    second = {camera["camera_id"]: camera for camera in shelf.api.json("/storage/forecast")["cameras"]}[one]
    assert abs(second["days"] - 2) < 0.1 and second["limited_by"] == "camera_limit", second
    wait_for(
        "the statistics tell the same",
        lambda: abs(shelf.api.json("/stats")["details"]["cameras"][str(one)]["estimated_retention_days"] - 2) < 0.15, 10)


@pytest.mark.skipif(not can_mount(), reason="mounting a small file system needs root")
def test_a_small_disk_is_recorded_on_for_ever():
    """The oldest goes before the disk is full, and what is newer stays."""
    with FaultCamera(footage.full_hd()) as camera, SmallDisk(40, segment_seconds=4) as nvr:
        nvr.start().with_admin()
        keys = [nvr.api.add_camera(f"cam {number}", camera.url()) for number in range(4)]

        def oldest() -> float:
            return min((event["id"] for event in nvr.api.events()), default=0)

        wait_for("footage", lambda: nvr.movies(), 30)
        first = oldest()
        wait_for("the oldest goes", lambda: oldest() > first, 120)
        begun = time.monotonic()
        least = []
        while time.monotonic() - begun < 15:
            space = os.statvfs(nvr.disk)
            least.append(space.f_bavail * space.f_frsize)
            time.sleep(0.2)
        assert min(least) > 600_000, least
        assert all(nvr.api.status(key) == "CONNECTED" for key in keys)
        assert nvr.metric("vibenvr_stream_dropped_frames_total") == 0
        assert sum(path.stat().st_size for path in nvr.movies()) > 12e6


@pytest.mark.skipif(not can_mount(), reason="mounting a small file system needs root")
def test_a_disk_that_somebody_else_fills_does_not_cost_the_archive():
    with FaultCamera(footage.full_hd()) as camera, SmallDisk(64, segment_seconds=2) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("cam", camera.url())
        wait_for("an archive", lambda: len(nvr.movies()) >= 10, 60)
        wanted = [path for path in nvr.movies()[:-1]]
        size = sum(path.stat().st_size for path in wanted)
        nvr.fill()
        wait_for("the alarm", lambda: nvr.api.json("/settings/cleanup/status")["alarm"], 40)
        for _ in range(3):
            nvr.fill()
            time.sleep(3)
        left = sum(path.stat().st_size for path in wanted if path.exists())
        status = nvr.api.json("/settings/cleanup/status")
        assert status["alarm"]["cause"] in ("share", "no_space_gained"), status
        assert left >= 0.6 * size, f"{left} of {size} bytes are left: {status}"
        nvr.free()
        wait_for("recording goes on", lambda: nvr.api.status(key) == "CONNECTED" and any(path not in wanted for path in nvr.movies()), 30)
        wait_for("the alarm ends", lambda: nvr.api.json("/settings/cleanup/status")["alarm"] is None, 60)
