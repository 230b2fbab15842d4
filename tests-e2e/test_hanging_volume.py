"""A volume that hangs, as a network mount or a dying disk does: nobody waits for it but who wants something of it, and that not for long."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import requests

from harness.disk import FaultyDisk
from harness.machine import Machine
from harness.media import probe, steps
from harness.server import BUSY, wait_for
from peers import footage
from peers.fault_camera import FaultCamera

DISK_STALLED = 2
HANG_SECONDS = 20


@dataclass(frozen=True)
class Row:
    id: int
    camera: int
    volume: int
    path: Path
    start: float
    end: float
    state: int


class Shelves(FaultyDisk):
    """A server with two storage profiles, `well` and `ill`; the calls of the ill one hang on demand, or those of the default folder."""

    def __init__(self, faulty: str = "ill", **options):
        super().__init__(faulty=faulty, **options)
        self.profiles: dict[str, int] = {}
        self.machine = Machine(self)

    def close(self) -> None:
        self.machine.close()
        super().close()

    def set_up(self) -> "Shelves":
        self.start().with_admin()
        for name in ("well", "ill"):
            (self.folder / name).mkdir()
            answer = self.api.post("/storage/profiles", json={"name": name, "path": str(self.folder / name)})
            assert answer.status_code == 200, answer.text
            self.profiles[name] = answer.json()["id"]
        wait_for("both are used", lambda: {self.state(name) for name in self.profiles} == {"ok"})
        return self

    def state(self, name: str) -> str:
        return self.api.json(f"/storage/profiles/{self.profiles[name]}")["state"]["status"]

    def root(self, volume: int) -> Path:
        return next((self.folder / name for name, key in self.profiles.items() if key == volume), self.recordings)

    def query(self, sql: str, *values) -> list[tuple]:
        with closing(sqlite3.connect(f"file:{self.data}/vibenvr.db?mode=ro", uri=True, timeout=BUSY)) as database:
            return database.execute(sql, values).fetchall()

    def shelved(self, camera: int, states: str = "1, 2") -> list[Row]:
        found = self.query(
            f"SELECT id, camera_id, volume, path, start_us, end_us, state FROM segments WHERE state IN ({states}) AND camera_id = ? ORDER BY start_us, id",
            camera)
        return [Row(key, owner, volume, self.root(volume) / path, start / 1e6, end / 1e6, state) for key, owner, volume, path, start, end, state in found]

    def size(self, volume: int, camera: int) -> int:
        """Bytes of a camera's files on a volume, whether they are listed or not."""
        return sum(path.stat().st_size for path in (self.root(volume) / str(camera)).rglob("*.mp4"))

    def compared(self) -> dict:
        """What came of the last comparison of rows and files."""
        return wait_for("rows and files are compared", lambda: (
            now := self.api.json("/settings/sync-orphans/status"))["status"] not in ("running", "idle") and now, 60)

    def ended(self, *cameras: int) -> None:
        for key in cameras:
            assert self.api.put(f"/cameras/{key}", json={"is_active": False}).status_code == 200
        wait_for("every segment is finished", lambda: all(
            self.shelved(key) and {row.state for row in self.shelved(key, "0, 1, 2")} == {2} for key in cameras), 30)

    def frames(self, camera: int) -> list[str]:
        """What is stored of a camera, frame by frame; each file begins with a key frame."""
        stored = []
        for row in self.shelved(camera):
            movie = probe(row.path)
            assert movie.video.packets[0].key, row.path
            stored += movie.fingerprints()
        return stored

    def answers(self, path: str, seconds: float = 2) -> requests.Response:
        """The answer to a question that must not take long."""
        begun = time.time()
        answer = requests.get(self.api.base + path, headers={"Authorization": f"Bearer {self.api.token}"}, timeout=120)
        took = time.time() - begun
        assert took < seconds or took - self.machine.kept_waiting(begun - 1, begun + took) < seconds, f"{path} took {took:.1f} s"
        return answer


def lost(stored: list[str], source: list[str]) -> int:
    """Frames that are missing in between, up to whole rounds of the film."""
    return sum((step - 1) % len(source) for step in steps([source.index(frame) for frame in stored]))


@contextmanager
def two_cameras(nvr: Shelves, film, *volumes: str) -> Iterator[tuple[int, int]]:
    with ExitStack() as stack:
        cameras = [stack.enter_context(FaultCamera(film)) for _ in volumes]
        keys = []
        for name, camera in zip(volumes, cameras):
            placed = {"storage_profile_id": nvr.profiles[name]} if name else {}
            keys.append(nvr.api.add_camera(f"cam {name or 'default'}", camera.url(), **placed))
        for name, key in zip(volumes, keys):
            wait_for(f"footage of {name}", lambda: nvr.size(nvr.profiles.get(name, 0), key) > 300_000, 60)
        yield tuple(keys)


def watch(nvr: Shelves, key: int, volume: int, seconds: float) -> None:
    """For so long, the files of a camera grow and the server answers."""
    end, size, grown = time.monotonic() + seconds, nvr.size(volume, key), time.time()
    while time.monotonic() < end:
        for path in ("/health", "/storage/profiles", "/stats", "/metrics"):
            assert nvr.answers(path).status_code == 200
        if (now := nvr.size(volume, key)) > size:
            size, grown = now, time.time()
        still = time.time() - grown
        assert still < 6 or still - nvr.machine.kept_waiting(grown) < 6, "the files on the healthy volume do not grow"
        time.sleep(0.3)


def test_a_volume_that_hangs_costs_a_camera_of_another_no_frame():
    film = footage.full_hd()
    with Shelves(segment_seconds=8, VIBENVR_BUFFER_MB="1") as nvr:
        nvr.set_up()
        ill = nvr.profiles["ill"]
        with two_cameras(nvr, film, "well", "ill") as (sound, sick):
            wait_for("a whole segment on both", lambda: all(any(row.state == 2 for row in nvr.shelved(key)) for key in (sound, sick)), 60)
            threads = len(list(Path(f"/proc/{nvr.pid}/task").iterdir()))
            hung = time.time()
            with nvr.hanging():
                wait_for("it hangs", lambda: nvr.met > 0, 20)
                # Somebody plays what lies there, and is not the only one who does.
                [old, *_] = [row for row in nvr.shelved(sick) if row.volume == ill]
                [good, *_] = [row for row in nvr.shelved(sound) if row.state == 2]
                for _ in range(8):
                    try:
                        requests.get(
                            f"{nvr.api.base}/media/{old.path.relative_to(nvr.folder / 'ill')}", timeout=0.2,
                            headers={"Authorization": f"Bearer {nvr.api.token}"})
                    except requests.Timeout:
                        pass
                played = nvr.answers(f"/media/{good.path.relative_to(nvr.folder / 'well')}", 5)
                assert played.status_code == 200 and len(played.content) == good.path.stat().st_size
                # Rows and files are compared, on request and by the shell.
                assert nvr.api.post("/settings/sync-orphans?dry_run=true&checksums=true").status_code == 200
                with ThreadPoolExecutor() as pool:
                    shell = pool.submit(nvr.check)
                    watch(nvr, sound, nvr.profiles["well"], HANG_SECONDS)
                    checked = shell.result(300)
                told = nvr.compared()
                assert "ill cannot be used now: it does not answer" in " ".join(told["notes"])
                assert told["status"] == "completed" and told["problems"] == 0 and 0 < told["segments_checked"] < len(nvr.query("SELECT 1 FROM segments"))
                # What was being written while the shell looked is growing, and no difference.
                assert "storage profile ill is left alone: it does not answer" in checked.stdout, checked.stdout + checked.stderr
                assert "segments, " in checked.stdout and "has no file" not in checked.stdout
                assert nvr.api.status(sick) == "CONNECTED"
                wait_for("it is told", lambda: nvr.state("ill") == "lost")
                wait_for("health tells", lambda: "volume_lost" in {problem["kind"] for problem in nvr.api.json("/health")["problems"]})
                assert nvr.answers(f"/media/{old.path.relative_to(nvr.folder / 'ill')}").status_code == 503
                # The default folder stands in.
                wait_for("footage in the default folder", lambda: nvr.size(0, sick) > 100_000, 20)
                well = time.time()
            wait_for("it is used again", lambda: nvr.state("ill") == "ok", 60)
            nvr.api.post("/settings/sync-orphans?dry_run=true&checksums=true")
            again = nvr.compared()
            assert again["notes"] == [] and again["problems"] == 0 and again["segments_checked"] > told["segments_checked"]
            back = time.time()
            wait_for("new footage lies there", lambda: [row for row in nvr.shelved(sick) if row.volume == ill and row.start > back - 1], 60)
            nvr.ended(sound, sick)
            stored = nvr.frames(sound)
            assert lost(stored, film.fingerprints) == 0
            assert {row.volume for row in nvr.shelved(sound)} == {nvr.profiles["well"]}
            # The other lost what its megabyte did not hold, and says why; no frame is there twice.
            rows = nvr.shelved(sick)
            assert {row.volume for row in rows} == {ill, 0}
            empty = [(a.end, b.start) for a, b in zip(rows, rows[1:]) if b.start - a.end > 0.5]
            told = nvr.query("SELECT start_us, end_us FROM outages WHERE camera_id = ? AND cause = ?", sick, DISK_STALLED)
            print(f"{len(stored)} frames; the other: gaps {empty}, outages {told}")
            # It ended while the volume hung.
            assert len(empty) == 1 and 2 < empty[0][1] - empty[0][0] and hung - 5 < empty[0][0] and empty[0][1] < well
            assert any(start / 1e6 <= empty[0][0] + 1 and end and end / 1e6 >= empty[0][1] - 1 for start, end in told)
            assert all(b.start >= a.end - 0.1 for a, b in zip(rows, rows[1:]))
            nvr.frames(sick)
            # No thread is left of it.
            wait_for("no more threads than before", lambda: len(list(Path(f"/proc/{nvr.pid}/task").iterdir())) <= threads + 16, 30)
        assert nvr.terminate() <= 10
        checked = nvr.check()
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_default_folder_that_hangs_costs_a_camera_of_a_profile_no_frame_and_the_end_of_the_server_no_time():
    film = footage.full_hd()
    # The round of all footage comes upon it in the midst of the hang, unless this machine is slow.
    with Shelves("data/recordings", segment_seconds=8, VIBENVR_BUFFER_MB="2", VIBENVR_CHECK_AFTER_SECONDS="15") as nvr:
        nvr.set_up()
        with two_cameras(nvr, film, "well", "") as (sound, sick):
            with nvr.hanging():
                wait_for("it hangs", lambda: nvr.met > 0, 20)
                watch(nvr, sound, nvr.profiles["well"], HANG_SECONDS)
                assert nvr.api.status(sick) == "CONNECTED"
                assert nvr.metric("vibenvr_writing_thread_stuck", volume="0") == 1
                assert nvr.metric("vibenvr_writing_thread_stuck", volume=str(nvr.profiles["well"])) == 0
                assert nvr.api.post("/settings/sync-orphans").status_code == 200
                assert nvr.terminate() <= 12
        # What the healthy volume has is whole, the last frame included.
        rows = nvr.shelved(sound, "0, 1, 2")
        assert {row.state for row in rows} == {2}
        assert lost(nvr.frames(sound), film.fingerprints) == 0
        # The next start puts in order what was being written to the other.
        nvr.start()
        wait_for("all is finished", lambda: all(row.state == 2 or row.start > time.time() - 30 for row in nvr.shelved(sick)), 30)
        nvr.ended(sound, sick)
        nvr.frames(sick)
        nvr.terminate()
        checked = nvr.check()
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_moving_and_deleting_on_a_volume_that_hangs_keeps_nobody_from_recording_and_deleting_elsewhere():
    film = footage.counter()
    with Shelves(segment_seconds=3) as nvr:
        nvr.set_up()
        ill, well = nvr.profiles["ill"], nvr.profiles["well"]
        assert nvr.api.put("/settings/archival_max_mb_per_second", json={"value": "1"}).status_code == 200
        with two_cameras(nvr, film, "well", "ill") as (sound, sick):
            for key in (sound, sick):
                wait_for("segments", lambda: len([row for row in nvr.shelved(key) if row.state == 2]) >= 4, 60)
            # What the other camera recorded hours ago moves there.
            archive = {"archive_storage_profile_id": ill, "archive_after_hours": 1}
            assert nvr.api.put(f"/cameras/{sound}", json=archive).status_code == 200
            nvr.terminate()
            with sqlite3.connect(nvr.data / "vibenvr.db", timeout=BUSY) as database:
                for table in ("segments", "events"):
                    database.execute(f"UPDATE {table} SET start_us = start_us - ?1, end_us = end_us - ?1", [3 * 3_600_000_000])
            database.close()
            nvr.start()
            wait_for("footage moves", lambda: any(row.volume == ill for row in nvr.shelved(sound)), 60)
            with nvr.hanging():
                wait_for("it hangs", lambda: nvr.met > 0, 20)
                events = [event for event in nvr.api.events(camera_id=sick) if event["timestamp_end"]]
                # What lies on the sick volume is given up at once, its files go later.
                begun = time.time()
                answer = nvr.api.delete(f"/events/{events[0]['id']}")
                took = time.time() - begun
                assert answer.status_code == 200, answer.text
                assert took < 25 or took - nvr.machine.kept_waiting(begun, begun + took) < 25
                young = time.time() - 3600
                [row, *_] = wait_for("a new segment on the healthy volume", lambda: [
                    row for row in nvr.shelved(sound) if row.volume == well and row.state == 2 and row.start > young], 30)
                file = row.path
                name = str(file.relative_to(nvr.folder / "well"))
                [gone] = [event for event in nvr.api.events(camera_id=sound) if event["file_path"].endswith(name)]
                assert file.exists() and nvr.api.delete(f"/events/{gone['id']}").status_code == 200
                wait_for("a file on the healthy volume is deleted", lambda: not file.exists(), 30)
                # A cleanup is not held up for ever, either.
                cleaned = nvr.api.post("/settings/cleanup")
                assert cleaned.status_code in (200, 202, 409, 503), cleaned.text
                watch(nvr, sound, well, 8)
            wait_for("it is used again", lambda: nvr.state("ill") == "ok", 60)
            wait_for("what was given up there is deleted", lambda: nvr.query("SELECT count(*) FROM segments WHERE state = 3") == [(0,)], 60)
            nvr.ended(sound, sick)
            recorded = [row for row in nvr.shelved(sound) if row.start > time.time() - 3600]
            assert all(b.start - a.end < 0.2 for a, b in zip(recorded, recorded[1:]))
        assert nvr.terminate() <= 10
        checked = nvr.check()
        assert checked.returncode == 0, checked.stdout + checked.stderr
