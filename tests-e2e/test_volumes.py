"""Storage profiles: footage goes where its camera says, and a volume that is gone, swapped or back costs no file."""

from __future__ import annotations

import shutil
import threading
import time

import pytest

from conftest import LONG
from harness.machine import Machine
from harness.media import probe
from harness.server import BUSY, NVR, wait_for
from harness.volumes import MARKER, Volumes, can_mount
from peers import footage
from peers.gst_camera import GstCamera

pytestmark = pytest.mark.skipif(not can_mount(), reason="mounting a file system needs root")


@pytest.fixture(scope="module")
def camera():
    with GstCamera({"/main": footage.counter()}) as camera:
        yield camera


def every_row_has_its_file(nvr: Volumes, but: set[int] = frozenset()) -> None:
    for row in nvr.volume_rows("state = 2"):
        if row.volume not in but:
            file = nvr.root(row.volume) / row.path
            assert file.stat().st_size == row.bytes, row


def gaps(nvr: Volumes, camera: int) -> list[float]:
    """Seconds without footage between neighbouring segments."""
    rows = nvr.volume_rows(f"state IN (1, 2) AND camera_id = {camera}")
    return [b.start - a.end for a, b in zip(rows, rows[1:])]


def finished(nvr: Volumes, volume: int, count: int = 1, after: float = 0) -> list:
    return wait_for(
        f"{count} segments on volume {volume}",
        lambda: (rows := [row for row in nvr.volume_rows("state = 2") if row.volume == volume and row.start > after]) and len(rows) >= count and rows,
        60,
    )


def test_footage_goes_where_its_camera_says(camera):
    with Volumes("fast", "big", segment_seconds=3, WEBHOOK_SECRET="secret") as nvr:
        nvr.start().with_admin()
        fast, big = nvr.add_profile("fast"), nvr.add_profile("big")
        wait_for("both are marked", lambda: all(nvr.state(name) == "ok" for name in nvr.profiles))
        assert MARKER in nvr.below_mount("fast")
        everything = nvr.api.add_camera("everything", camera.url(), storage_profile_id=big, snapshot_storage_profile_id=fast)
        steady = nvr.api.add_camera("steady", camera.url(), continuous_storage_profile_id=fast, motion_storage_profile_id=big)
        moved = nvr.api.add_camera(
            "moved", camera.url(), recording_mode="Motion Triggered", motion_storage_profile_id=fast, continuous_storage_profile_id=big)
        plain = nvr.api.add_camera("plain", camera.url())
        wait_for("the camera that waits for motion is there", lambda: nvr.api.status(moved) == "CONNECTED", 30)
        wanted = {everything: big, steady: fast, plain: 0, moved: fast}
        told = nvr.api.post(
            "/events/webhook", token="", json={"type": "motion_on", "camera_id": moved}, headers={"X-Webhook-Secret": "secret"})
        assert told.json() == {"status": "motion_on_captured"}
        wait_for("all have whole segments", lambda: {row.camera for row in nvr.volume_rows("state = 2")} == set(wanted), 60)
        assert nvr.api.post(f"/cameras/{everything}/snapshot").status_code == 200
        for row in nvr.volume_rows():
            assert row.volume == wanted[row.camera], row
            assert (nvr.root(row.volume) / row.path).exists()
        [(volume, path, event)] = nvr.query("SELECT volume, picture_path, id FROM events WHERE medium = 1")
        assert volume == fast and (nvr.root(fast) / path).exists()
        # Everything plays, whatever volume it lies on, and nothing else is reachable.
        for row in nvr.volume_rows("state = 2"):
            answer = nvr.api.get(f"/media/{row.path}")
            assert answer.status_code == 200 and len(answer.content) == row.bytes
        assert nvr.api.get(f"/media/{path}").content[:2] == b"\xff\xd8"
        assert nvr.api.get(f"/events/{event}/thumbnail").status_code == 200
        for trick in (MARKER, f"../{MARKER}", f"{steady}/../{MARKER}", f"..%2f{MARKER}", "/etc/passwd", f"{nvr.place('fast')}/{MARKER}"):
            assert nvr.api.get(f"/media/{trick}").status_code in (400, 403, 404)
        # The API tells how much lies where.
        profile = nvr.api.json(f"/storage/profiles/{fast}")
        assert {name for name, value in profile["state"].items() if value is not None} == {"status"} and profile["state"]["status"] == "ok"
        assert profile["used_gb"] >= 0
        # A profile with footage stays, and so does its folder.
        assert nvr.api.delete(f"/storage/profiles/{fast}").status_code == 409
        assert nvr.api.put(f"/storage/profiles/{fast}", json={"path": str(nvr.folder / "elsewhere")}).status_code == 409
        # From one profile to the other: the next segment lies there.
        assert nvr.api.put(f"/cameras/{steady}", json={"continuous_storage_profile_id": big}).status_code == 200
        wait_for("the next segment lies on the other", lambda: [row for row in nvr.volume_rows() if row.camera == steady][-1].volume == big, 30)
        assert max(gaps(nvr, steady)) < 0.2
        nvr.terminate()
        every_row_has_its_file(nvr)
        checked = nvr.check()
        assert checked.returncode == 0, checked.stdout


def test_a_volume_that_is_unmounted_while_recording_costs_nothing_and_is_used_again_when_it_is_back(camera):
    with Volumes("disk", segment_seconds=5) as nvr, Machine(nvr, camera) as machine:
        nvr.start().with_admin()
        disk = nvr.add_profile("disk")
        wait_for("it is marked", lambda: nvr.state("disk") == "ok")
        key = nvr.api.add_camera("cam", camera.url(), storage_profile_id=disk)
        before = finished(nvr, disk)
        assert nvr.api.json("/health")["status"] == "ok"
        nvr.unmount("disk")
        gone = time.time()
        wait_for("it is told", lambda: nvr.state("disk") == "lost", 15)
        health = nvr.api.json("/health")
        assert health["status"] == "degraded" and health["problems"][0]["kind"] == "volume_lost" and health["problems"][0]["cause"] == "not_mounted"
        wait_for("recording goes on in the default folder", lambda: [row for row in nvr.volume_rows() if row.volume == 0], 15)
        took = time.time() - gone
        assert took - machine.kept_waiting(gone) < 12, took
        # What lies on it cannot be reached, is not gone, and nothing is made where it was.
        answer = nvr.api.get(f"/media/{before[0].path}")
        assert answer.status_code == 503, answer.text
        assert nvr.below_mount("disk") == []
        # A repair, a clean-up and the deletion of an event do not touch it.
        rows, files = {row.id for row in nvr.volume_rows()}, nvr.movies(disk)
        assert nvr.api.post("/settings/sync-orphans").status_code in (200, 202)
        wait_for("the comparison is done", lambda: nvr.api.json("/settings/sync-orphans/status")["status"] != "running", 60)
        assert nvr.api.post(f"/cameras/{key}/cleanup").status_code == 200
        assert rows <= {row.id for row in nvr.volume_rows()} and nvr.movies(disk) == files
        [event] = [event for event in nvr.api.events(camera_id=key) if event["file_path"].endswith(before[0].path)]
        assert nvr.api.delete(f"/events/{event['id']}").status_code == 200
        assert nvr.movies(disk) == files and nvr.query("SELECT count(*) FROM segments WHERE state = 3") == [(1,)]
        finished(nvr, 0)
        nvr.mount("disk")
        wait_for("it is back", lambda: nvr.state("disk") == "ok", 30)
        wait_for("health is well", lambda: nvr.api.json("/health")["status"] == "ok")
        back = time.time()
        finished(nvr, disk, after=back)
        # First the file, then its row.
        wait_for("what was deleted meanwhile goes now", lambda: nvr.query("SELECT count(*) FROM segments WHERE state = 3") == [(0,)])
        assert before[0].path not in nvr.movies(disk)
        assert max(gaps(nvr, key)) < 2
        nvr.terminate()
        every_row_has_its_file(nvr)
        assert nvr.below_mount("disk").count(MARKER) == 1
        checked = nvr.check()
        assert checked.returncode == 0, checked.stdout


def test_swapped_volumes_are_neither_written_nor_cleaned(camera):
    with Volumes("one", "two", segment_seconds=3) as nvr:
        nvr.start().with_admin()
        one, two = nvr.add_profile("one"), nvr.add_profile("two")
        wait_for("both are marked", lambda: all(nvr.state(name) == "ok" for name in nvr.profiles))
        keys = [nvr.api.add_camera(name, camera.url(), storage_profile_id=profile) for name, profile in (("a", one), ("b", two))]
        finished(nvr, one, 2)
        finished(nvr, two, 2)
        nvr.unmount("one")
        nvr.unmount("two")
        nvr.mount("one", at="two")
        nvr.mount("two", at="one")
        wait_for("both are told", lambda: nvr.state("one") == nvr.state("two") == "lost", 20)
        assert {problem["cause"] for problem in nvr.api.json("/health")["problems"]} == {"wrong_volume"}
        finished(nvr, 0, 2)
        files = {volume: nvr.movies(volume) for volume in (one, two)}
        # Everything that could delete is asked to.
        for key in keys:
            assert nvr.api.put(f"/cameras/{key}", json={"max_storage_gb": 0.0001}).status_code == 200
            assert nvr.api.post(f"/cameras/{key}/cleanup").status_code == 200
        nvr.api.post("/settings/sync-orphans")
        wait_for("the comparison is done", lambda: nvr.api.json("/settings/sync-orphans/status")["status"] != "running", 60)
        assert {volume: nvr.movies(volume) for volume in (one, two)} == files
        for row in nvr.volume_rows("state = 2"):
            if row.volume:
                assert nvr.api.get(f"/media/{row.path}").status_code == 503
        for key in keys:
            nvr.api.put(f"/cameras/{key}", json={"max_storage_gb": 0})
        nvr.terminate()
        # A start does not touch them either, nor does a repair by hand.
        nvr.again()
        assert nvr.state("one") == nvr.state("two") == "lost"
        nvr.terminate()
        nvr.check("--repair")
        assert {volume: nvr.movies(volume) for volume in (one, two)} == files
        nvr.run_inside("umount", "-l", str(nvr.place("one")))
        nvr.run_inside("umount", "-l", str(nvr.place("two")))
        nvr.mount("one")
        nvr.mount("two")
        nvr.again()
        wait_for("both are used", lambda: nvr.state("one") == nvr.state("two") == "ok")
        finished(nvr, one, 1, after=time.time() - 1)
        nvr.terminate()
        every_row_has_its_file(nvr)
        checked = nvr.check()
        assert checked.returncode == 0, checked.stdout


def test_segments_that_a_crash_left_on_a_volume_are_finished_when_it_is_back(camera):
    with Volumes("disk", segment_seconds=60) as nvr:
        nvr.start().with_admin()
        disk = nvr.add_profile("disk")
        wait_for("it is marked", lambda: nvr.state("disk") == "ok")
        nvr.api.add_camera("cam", camera.url(), storage_profile_id=disk)
        [row] = wait_for("a segment grows", lambda: nvr.volume_rows("state = 1"), 30)
        file = nvr.root(disk) / row.path
        wait_for("it has some seconds", lambda: file.stat().st_size > 60_000, 30)
        nvr.kill()
        size = file.stat().st_size
        nvr.run_inside("umount", "-l", str(nvr.place("disk")))
        nvr.again()
        assert nvr.state("disk") == "lost" and file.stat().st_size == size
        assert [old.state for old in nvr.volume_rows(f"id = {row.id}")] == [1]
        finished_elsewhere = wait_for("recording goes on", lambda: nvr.volume_rows("state = 1 AND volume = 0"), 30)
        assert finished_elsewhere and nvr.below_mount("disk") == []
        nvr.mount("disk")
        wait_for("it is finished", lambda: nvr.volume_rows(f"id = {row.id} AND state = 2"), 30)
        assert file.stat().st_size == nvr.volume_rows(f"id = {row.id}")[0].bytes
        probe(file)
        nvr.terminate()
        every_row_has_its_file(nvr)


def test_a_volume_that_cannot_be_written_is_left_for_the_default_one(camera):
    """Read-only, as file systems become when their disk fails; the marker is still there."""
    with Volumes("disk", segment_seconds=30, WEBHOOK_SECRET="secret") as nvr:
        nvr.start().with_admin()
        disk = nvr.add_profile("disk")
        wait_for("it is marked", lambda: nvr.state("disk") == "ok")
        key = nvr.api.add_camera(
            "cam", camera.url(), recording_mode="Motion Triggered", motion_storage_profile_id=disk, captured_before=1, captured_after=1)
        wait_for("the camera is there", lambda: nvr.api.status(key) == "CONNECTED", 30)

        def motion(kind: str) -> None:
            told = nvr.api.post("/events/webhook", token="", json={"type": kind, "camera_id": key}, headers={"X-Webhook-Secret": "secret"})
            assert told.status_code == 200, told.text

        def recorded(volume: int, count: int) -> None:
            motion("motion_on")
            wait_for("it records", lambda: nvr.volume_rows(f"volume = {volume} AND state IN (1, 2)"), 20)
            motion("motion_off")
            finished(nvr, volume, count)

        recorded(disk, 1)
        # A file that is written keeps a file system from becoming read-only: now there is none, or it is closed in a moment.
        wait_for("it is read-only", lambda: nvr.tried_inside("mount", "-o", "remount,ro,bind", str(nvr.place("disk"))))
        recorded(0, 1)
        wait_for("it is told", lambda: nvr.state("disk") == "lost")
        assert nvr.api.json("/health")["problems"][0]["cause"] == "failing"
        # The marker is there, and yet it is not used before it can be written.
        time.sleep(8)
        assert nvr.state("disk") == "lost"
        nvr.run_inside("mount", "-o", "remount,rw,bind", str(nvr.place("disk")))
        wait_for("it is used again", lambda: nvr.state("disk") == "ok", 60)
        recorded(disk, 2)
        nvr.terminate()
        every_row_has_its_file(nvr)


def aged(nvr: Volumes, hours: float) -> None:
    """Makes all footage of a server that does not run look older."""
    import sqlite3

    with sqlite3.connect(nvr.data / "vibenvr.db", timeout=BUSY) as database:
        shift = int(hours * 3600e6)
        database.execute("UPDATE segments SET start_us = start_us - ?1, end_us = end_us - ?1", [shift])
        database.execute("UPDATE events SET start_us = start_us - ?1, end_us = end_us - ?1", [shift])
    database.close()


def with_old_footage(nvr: Volumes, camera: GstCamera, segments: int, rate: int) -> tuple[int, dict[str, bytes]]:
    """A camera that archives, with footage from hours ago, and what every file of it holds; the server is not running."""
    nvr.start().with_admin()
    archive = nvr.add_profile("archive")
    wait_for("it is marked", lambda: nvr.state("archive") == "ok")
    assert nvr.api.put("/settings/archival_max_mb_per_second", json={"value": str(rate)}).status_code == 200
    key = nvr.api.add_camera("cam", camera.url())
    finished(nvr, 0, segments)
    answer = nvr.api.put(
        f"/cameras/{key}", json={"recording_mode": "Off", "archive_storage_profile_id": archive, "archive_after_hours": 1})
    assert answer.status_code == 200, answer.text
    wait_for("all is finished", lambda: not nvr.volume_rows("state IN (0, 1)"), 20)
    nvr.terminate()
    aged(nvr, 3)
    return archive, {row.path: (nvr.root(0) / row.path).read_bytes() for row in nvr.volume_rows("state = 2")}


def every_file_is_as_it_was(nvr: Volumes, contents: dict[str, bytes]) -> None:
    """Whatever volume it lies on, and by the API."""
    rows = nvr.volume_rows("state = 2")
    assert {row.path for row in rows} == set(contents)
    for row in rows:
        assert (nvr.root(row.volume) / row.path).read_bytes() == contents[row.path], row
        assert nvr.api.get(f"/media/{row.path}").content == contents[row.path], row


class Player(threading.Thread):
    """Reads every file again and again, in ranges, until it is told to stop; whatever differs is a problem."""

    def __init__(self, nvr: Volumes, contents: dict[str, bytes]):
        super().__init__(daemon=True)
        self.nvr, self.contents, self.rounds = nvr, contents, 0
        self.problems: list[str] = []
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        import requests

        headers = {"Authorization": f"Bearer {self.nvr.api.token}"}
        with requests.Session() as session:
            while not self._over.is_set():
                for path, content in self.contents.items():
                    half = len(content) // 2
                    for first, last in ((0, half - 1), (half, len(content) - 1)):
                        answer = session.get(
                            f"{self.nvr.api.base}/media/{path}", headers={**headers, "Range": f"bytes={first}-{last}"}, timeout=120)
                        if answer.status_code != 206 or answer.content != content[first : last + 1]:
                            self.problems.append(f"{path} {first}-{last}: {answer.status_code} {answer.text[:100] if answer.status_code > 206 else ''}")
                self.rounds += 1

    def stop(self) -> None:
        self._over.set()
        self.join(300)


@pytest.fixture(scope="module")
def rich_camera():
    with GstCamera({"/main": footage.full_hd()}) as camera:
        yield camera


def test_footage_moves_to_its_archive_while_somebody_plays_it(rich_camera):
    with Volumes("archive", segment_seconds=4) as nvr:
        archive, contents = with_old_footage(nvr, rich_camera, 5, rate=1)
        nvr.again()
        player = Player(nvr, contents)
        wait_for("all has moved", lambda: {row.volume for row in nvr.volume_rows("state = 2")} == {archive}, 120)
        wait_for("the originals are gone", lambda: not nvr.movies(0), 20)
        rounds = player.rounds
        wait_for("it was played once more", lambda: player.rounds > rounds + 1, 30)
        player.stop()
        assert not player.problems and player.rounds > 2
        every_file_is_as_it_was(nvr, contents)
        events = nvr.api.events()
        assert len(events) == len(contents)
        for event in events:
            assert nvr.api.get(f"/events/{event['id']}/download").status_code == 200
        # Kept to the rate: a second for each megabyte, however fast the disk is.
        assert nvr.query("SELECT count(*) FROM moves") == [(0,)] and nvr.query("SELECT count(*) FROM garbage_files") == [(0,)]
        nvr.terminate()
        checked = nvr.check()
        assert checked.returncode == 0, checked.stdout


def test_an_archive_that_vanishes_in_the_middle_of_a_copy_costs_nothing(rich_camera):
    with Volumes("archive", segment_seconds=10) as nvr:
        archive, contents = with_old_footage(nvr, rich_camera, 2, rate=1)
        nvr.again()
        wait_for("a copy is being made", lambda: list(nvr.root(archive).rglob("*.part")), 30, every=0.02)
        nvr.unmount("archive")
        wait_for("it is told", lambda: nvr.state("archive") == "lost", 15)
        # Everything that is not there yet plays from where it was; what had moved waits.
        left = {row.path: row.volume for row in nvr.volume_rows("state = 2")}
        assert set(left) == set(contents) and 0 in left.values()
        for path, volume in left.items():
            answer = nvr.api.get(f"/media/{path}")
            assert answer.status_code == (503 if volume else 200)
            assert volume or answer.content == contents[path]
        assert nvr.below_mount("archive") == []
        nvr.mount("archive")
        wait_for("it is back", lambda: nvr.state("archive") == "ok", 30)
        wait_for("all has moved", lambda: {row.volume for row in nvr.volume_rows("state = 2")} == {archive}, 150)
        every_file_is_as_it_was(nvr, contents)
        wait_for("nothing is left of the copies", lambda: not list(nvr.root(archive).rglob("*.part")) and not nvr.movies(0), 20)
        nvr.terminate()
        assert nvr.check().returncode == 0


def test_a_move_goes_on_after_the_plug_was_pulled_in_the_middle(rich_camera):
    with Volumes("archive", segment_seconds=8) as nvr:
        archive, contents = with_old_footage(nvr, rich_camera, 3, rate=1)
        for kill in range(12 if LONG else 4):
            nvr.again()
            wait_for(
                "a copy is being made, or all has moved",
                lambda: list(nvr.root(archive).rglob("*.part")) or {row.volume for row in nvr.volume_rows("state = 2")} == {archive}, 60, every=0.02)
            time.sleep(0.3 * (kill + 1))
            nvr.kill()
            # Whatever the moment was: no file is lost, and a repair finds nothing to do.
            for row in nvr.volume_rows("state = 2"):
                assert (nvr.root(row.volume) / row.path).read_bytes() == contents[row.path], row
            checked = nvr.check("--repair")
            assert checked.returncode == 0, checked.stdout
        nvr.again()
        wait_for("all has moved", lambda: {row.volume for row in nvr.volume_rows("state = 2")} == {archive}, 120)
        every_file_is_as_it_was(nvr, contents)
        wait_for("nothing is left of the copies", lambda: not list(nvr.root(archive).rglob("*.part")) and not nvr.movies(0), 20)
        nvr.terminate()
        assert nvr.check().returncode == 0


def default_folder(nvr: Volumes) -> list[dict]:
    return [problem for problem in nvr.api.json("/health")["problems"] if problem["kind"] == "default_folder_lost"]


def test_a_default_folder_that_is_unmounted_is_neither_written_nor_cleaned(camera):
    """What comes meanwhile waits in memory, so that nothing is missing when the disk is back soon."""
    with Volumes("recordings", segment_seconds=4) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("cam", camera.url())
        before = finished(nvr, 0)
        assert MARKER in nvr.below_mount("recordings") and not default_folder(nvr)
        nvr.unmount("recordings")
        [problem] = wait_for("it is told", lambda: default_folder(nvr), 15)
        assert problem["cause"] == "not_mounted" and nvr.api.json("/health")["status"] == "degraded"
        wait_for("footage waits", lambda: "not mounted" in nvr.log(), 20)
        # Neither a clean-up nor a comparison takes the empty folder for the archive.
        rows, files = {row.id for row in nvr.volume_rows()}, sorted(path.name for path in nvr.device_files("recordings"))
        assert nvr.api.post(f"/cameras/{key}/cleanup").status_code == 200
        assert nvr.api.post("/settings/sync-orphans").status_code in (200, 202)
        wait_for("the comparison is done", lambda: nvr.api.json("/settings/sync-orphans/status")["status"] != "running", 60)
        assert rows <= {row.id for row in nvr.volume_rows()}
        assert sorted(path.name for path in nvr.device_files("recordings")) == files
        assert nvr.api.get(f"/media/{before[0].path}").status_code == 503
        assert nvr.below_mount("recordings") == []
        nvr.mount("recordings")
        wait_for("it is back", lambda: not default_folder(nvr), 30)
        finished(nvr, 0, after=time.time())
        assert max(gaps(nvr, key)) < 2
        nvr.terminate()
        every_row_has_its_file(nvr)
        checked = nvr.check()
        assert checked.returncode == 0, checked.stdout


def test_a_server_that_starts_without_its_default_folder_waits_for_it_or_for_a_word(camera):
    with Volumes("recordings", segment_seconds=3) as nvr:
        nvr.start().with_admin()
        nvr.api.add_camera("cam", camera.url())
        finished(nvr, 0, 2)
        # The power goes, and the disk is not mounted when it comes back.
        nvr.kill()
        nvr.unmount("recordings")
        rows = {row.id for row in nvr.volume_rows()}
        checked = nvr.check("--repair")
        assert "default folder is left alone" in checked.stdout and checked.returncode == 0, checked.stdout
        nvr.again()
        wait_for("it is told", lambda: default_folder(nvr), 15)
        assert nvr.below_mount("recordings") == [] and rows <= {row.id for row in nvr.volume_rows()}
        nvr.mount("recordings")
        wait_for("it is back", lambda: not default_folder(nvr), 30)
        # What the last run left open is finished, and recording goes on.
        wait_for("nothing is left open but what is written", lambda: len(nvr.volume_rows("state < 2")) <= 1, 30)
        finished(nvr, 0, after=time.time())
        nvr.terminate()
        every_row_has_its_file(nvr)
        # Another disk takes its place: not without a word.
        nvr.unmount("recordings")
        nvr.run_inside("mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", str(nvr.recordings))
        nvr.again()
        wait_for("it is told", lambda: default_folder(nvr), 15)
        adopted = nvr.command("adopt")
        assert adopted.returncode == 0 and "used from now on" in adopted.stdout, adopted.stderr
        wait_for("it is used", lambda: not default_folder(nvr), 30)
        begun = time.time()
        wait_for("recording goes on", lambda: [row for row in nvr.volume_rows("state = 2") if row.start > begun], 30)
        nvr.terminate()
        # The rows of the old disk are many; they go when somebody insists.
        assert nvr.check("--repair", "--force").returncode == 0
        every_row_has_its_file(nvr)


def test_a_default_folder_that_somebody_removed_is_made_again(camera):
    with NVR(segment_seconds=3) as nvr:
        nvr.start().with_admin()
        nvr.api.add_camera("cam", camera.url())
        wait_for("footage", lambda: list(nvr.recordings.rglob("*.mp4")), 30)
        shutil.rmtree(nvr.recordings)
        wait_for("footage again", lambda: list(nvr.recordings.rglob("*.mp4")), 40)
        nvr.terminate()
        shutil.rmtree(nvr.recordings)
        nvr.start()
        assert not default_folder(nvr)
        wait_for("footage once more", lambda: list(nvr.recordings.rglob("*.mp4")), 40)
        assert (nvr.recordings / MARKER).exists()
