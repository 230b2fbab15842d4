"""File calls that fail one after another, and a disk that hangs: what is lost is at most what was buffered, and it is told."""

from __future__ import annotations

import errno
import sqlite3
import time
from contextlib import closing

import pytest

from conftest import LONG, Outcomes
from harness.disk import CALLS, FaultyDisk
from harness.media import probe, steps
from harness.server import BUSY, wait_for
from peers import footage
from peers.fault_camera import FaultCamera

FAULT_SECONDS = 6 if LONG else 2.5
DISK_STALLED = 2
SCENARIOS: dict[str, object] = {}


def scenario(run):
    SCENARIOS[run.__name__] = run
    return run


def written(nvr: FaultyDisk) -> int:
    return sum(path.stat().st_size for path in nvr.files())


def ended(nvr: FaultyDisk, key: int) -> None:
    """Recording is switched off, and every row is final."""
    assert nvr.api.put(f"/cameras/{key}", json={"is_active": False}).status_code == 200
    wait_for("every segment is finished", lambda: nvr.rows(key) and all(row.finished for row in nvr.rows(key)), 30)


def frames(nvr: FaultyDisk, key: int) -> list[tuple[str, bool]]:
    """Every frame that is stored, in order, with whether it is a key frame; each file is probed, and begins with one."""
    stored = []
    for row in nvr.rows(key):
        movie = probe(row.path)
        assert movie.video.packets[0].key, row.path
        stored += [(frame, packet.key) for frame, packet in zip(movie.fingerprints(), movie.video.packets)]
    return stored


def holes(stored: list[tuple[str, bool]], source: list[str]) -> list[tuple[int, int]]:
    """Where frames are missing, and how many, up to whole rounds of the film."""
    numbers = [source.index(frame) for frame, _ in stored]
    return [(at, (step - 1) % len(source)) for at, step in enumerate(steps(numbers), 1) if step % len(source) != 1]


def outages(nvr: FaultyDisk, key: int) -> list[tuple[float, float | None, int, str]]:
    with closing(sqlite3.connect(f"file:{nvr.data}/vibenvr.db?mode=ro", uri=True, timeout=BUSY)) as database:
        rows = database.execute("SELECT start_us, end_us, cause, reason FROM outages WHERE camera_id = ? ORDER BY start_us", (key,)).fetchall()
    return [(start / 1e6, end and end / 1e6, cause, reason) for start, end, cause, reason in rows]


def gaps(nvr: FaultyDisk, key: int, shortest: float = 0.5) -> list[tuple[float, float]]:
    rows = nvr.rows(key)
    return [(earlier.end, later.start) for earlier, later in zip(rows, rows[1:]) if later.start - earlier.end > shortest]


def every_call_fails(code: int) -> None:
    """Each call fails for a while, then works again; what was in memory is written, whatever call it was."""
    film = footage.counter()
    with FaultCamera(film) as camera, FaultyDisk(segment_seconds=2) as nvr:
        nvr.start().with_admin()
        # A folder of its own for each file, so that every call is made all the time.
        key = nvr.api.add_camera("cam", camera.url(), movie_file_name="%Y-%m-%d/%H-%M-%S/clip", picture_file_name="%Y-%m-%d/p/%H-%M-%S-%q")
        wait_for("footage", lambda: written(nvr) > 100_000, 30)
        for call in CALLS:
            with nvr.faulty(call, error=code):
                if call == "rename":
                    answer = nvr.api.post(f"/cameras/{key}/snapshot")
                    assert answer.status_code in (500, 503, 507), answer.text
                elif call == "unlink":
                    event = min((event for event in nvr.api.events() if event["timestamp_end"]), key=lambda event: event["id"])
                    # The row says that it is to go; the file goes when it can.
                    assert nvr.api.delete(f"/events/{event['id']}").status_code in (200, 500, 503, 507)
                elif call == "ftruncate":
                    # It is called to take back what failed.
                    nvr.fault(CALLS["ftruncate"] | CALLS["write"], error=code)
                wait_for(f"{call} was called", lambda: nvr.met > 0, 20)
                time.sleep(FAULT_SECONDS)
            before = written(nvr)
            wait_for(f"recording goes on after {call} failed", lambda: written(nvr) > before + 50_000, 30)
            assert nvr.api.status(key) == "CONNECTED"
        assert nvr.api.post(f"/cameras/{key}/snapshot").status_code == 200
        stats = camera.stats()
        assert stats["plays"] == 1, stats
        time.sleep(1)
        ended(nvr, key)
        # What could not be unlinked is now.
        assert nvr.api.post("/settings/cleanup").status_code == 200
        assert {row.path for row in nvr.rows()} == set(nvr.files())
        stored = frames(nvr, key)
        found = holes(stored, film.fingerprints)
        # The first event was deleted on purpose: that is before the first frame. A file that refuses every write for seconds is
        # given up, and footage goes on at the next key frame.
        gop = 30
        lost = sum(count for _, count in found)
        print(f"errno {code}: {len(stored)} frames, {len(found)} holes, {lost} frames lost")
        assert all(stored[at][1] for at, _ in found), "a hole does not end with a key frame"
        assert len(found) <= 2 and all(count <= gop for _, count in found), found
        assert nvr.terminate() <= 10
        checked = nvr.check()
        assert checked.returncode == 0, checked.stdout + checked.stderr


@scenario
def no_space_in_every_call():
    every_call_fails(errno.ENOSPC)


@scenario
def input_output_errors_in_every_call():
    every_call_fails(errno.EIO)


def stall(seconds: float, call: str, megabytes: int, film, **options) -> None:
    """The disk hangs, then works again: with room in memory nothing is missing, without it whole GOPs, and the gap has its cause."""
    with FaultCamera(film) as camera, FaultyDisk(VIBENVR_BUFFER_MB=str(megabytes), **options) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("cam", camera.url())
        wait_for("footage", lambda: written(nvr) > 300_000, 30)
        begun = time.time()
        with nvr.faulty(call, stall=seconds + 600):
            wait_for("the disk hangs", lambda: nvr.met > 0, 20)
            time.sleep(seconds)
            # Nothing else hangs.
            assert nvr.api.status(key) == "CONNECTED"
        hung = time.time() - begun
        before = written(nvr)
        wait_for("what waited is written", lambda: written(nvr) > before + 300_000, 40)
        time.sleep(3)
        dropped = nvr.metric("vibenvr_stream_dropped_frames_total", camera=str(key))
        assert camera.stats()["plays"] == 1
        ended(nvr, key)
        stored = frames(nvr, key)
        found = holes(stored, film.fingerprints)
        told = [row for row in outages(nvr, key) if row[2] == DISK_STALLED]
        # A folder that hangs is not gone: there is no other, and what comes meanwhile waits for it.
        assert "the folder for recordings is not there" not in nvr.log()
        empty = gaps(nvr, key)
        print(f"{call} hangs {seconds} s, {megabytes} MB: {len(stored)} frames, holes {found}, dropped {dropped}, gaps {empty}, outages {told}")
        if seconds * 2_500_000 / 8 < megabytes * 1e6 * 0.7:
            assert not found and not dropped and not empty and not told
            return
        assert len(empty) == 1 and len(found) <= 1 and dropped > 0
        assert all(stored[at][1] for at, _ in found)
        begin, end = empty[0]
        # No more than does not fit: a second or two and a GOP beyond.
        assert end - begin <= hung - megabytes * 8e6 / 3_000_000 * 0.8 + 5
        assert any(start <= begin + 1 and stop and stop >= end - 1 for start, stop, *_ in told), f"the gap {empty} is not in {told}"


@scenario
def a_disk_that_hangs_for_a_second():
    stall(1, "fdatasync", 32, footage.full_hd())


@scenario
def a_disk_that_hangs_for_five_seconds():
    stall(5, "write", 32, footage.full_hd())


@scenario
def a_disk_that_hangs_for_longer_than_the_buffer_lasts():
    stall(15, "write", 1, footage.full_hd())


@scenario
def a_disk_that_does_not_even_open_files():
    stall(13, "open", 32, footage.full_hd())


if LONG:

    @scenario
    def a_disk_that_hangs_for_half_a_minute():
        stall(30, "fdatasync", 32, footage.full_hd())

    @scenario
    def a_disk_that_hangs_for_two_minutes():
        stall(120, "write", 64, footage.full_hd())

    @scenario
    def a_disk_that_hangs_for_two_minutes_with_little_memory():
        stall(120, "fdatasync", 8, footage.full_hd())


@pytest.fixture(scope="module")
def outcomes():
    running = Outcomes(SCENARIOS, workers=len(SCENARIOS))
    yield running
    running.close()


@pytest.mark.parametrize("name", SCENARIOS)
def test_disk(outcomes, name):
    outcomes.of(name)


def test_the_size_of_the_buffer_is_an_option(tmp_path):
    with FaultyDisk(tmp_path) as nvr:
        text = nvr.run("serve", "--help").stdout
        assert "--buffer-mb" in text and "VIBENVR_BUFFER_MB" in text
        refused = nvr.run("serve", "--data-dir", str(nvr.data), "--buffer-mb", "0")
        assert refused.returncode != 0 and "megabytes" in refused.stderr
