#!/usr/bin/env python3
"""What recording writes to the disk, what its syncs cost, and whether deleting and checking get in its way.

    .venv-test/bin/python bench/writing_bench.py [--counts 8,32] [--seconds 60] [--files 100000] [--only writing,deleting,checking]

Needs root: the data folder of the first and the last part is a file system of its own (ext4 in a file, behind a loop device), so that the counters
of its device count nothing else. It is mounted in a mount namespace that ends with this program. The result becomes the section "Writing" of
docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import REPOSITORY, commit, cpu_seconds, machine, say  # noqa: E402
from sections import Verdict, table, verdict_table, write_section  # noqa: E402

from harness.disk import FaultyDisk  # noqa: E402
from harness.server import NVR, PROGRAM, wait_for  # noqa: E402
from peers import footage  # noqa: E402
from peers.gst_camera import GstCamera  # noqa: E402
from peers.numbered import Ledger  # noqa: E402
from soaking.frames import Shelf, ranges  # noqa: E402

AMPLIFICATION, CHECK_RATE = 1.03, 5000
SETTLE = 15
PEERS = 4
DAY = 86_400_000_000
OWN_NAMESPACE = "VIBENVR_BENCH_NAMESPACE"


class Image:
    """An ext4 file system of its own; mounted at a folder."""

    def __init__(self, folder: Path, megabytes: int):
        self.file, self.place = folder / "image", folder / "disk"
        self.place.mkdir()
        with open(self.file, "wb") as file:
            file.truncate(megabytes << 20)
        # Tables are made now, not by the kernel while it is measured.
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", str(self.file)], check=True)
        self.mount()

    def mount(self) -> None:
        # Past the page cache of the file below, so that a second mount finds nothing in memory.
        run = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", str(self.file)], capture_output=True, text=True)
        if run.returncode:
            run = subprocess.run(["losetup", "--find", "--show", str(self.file)], capture_output=True, text=True, check=True)
        self.device = run.stdout.strip()
        subprocess.run(["mount", self.device, str(self.place)], check=True)

    def written(self) -> int:
        """Bytes that reached the device (Documentation/block/stat.rst: field 7, sectors of 512 bytes)."""
        subprocess.run(["sync", "-f", str(self.place)], check=True)
        return int(Path(f"/sys/block/{Path(self.device).name}/stat").read_text().split()[6]) * 512

    def unmount(self) -> None:
        for _ in range(50):
            if subprocess.run(["umount", str(self.place)], capture_output=True).returncode == 0:
                break
            time.sleep(0.2)
        subprocess.run(["losetup", "--detach", self.device], check=True)


def process_written(pid: int) -> int:
    """Bytes of pages that the process made dirty (proc_pid_io(5), write_bytes)."""
    return int(re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)[1])


class Scene:
    """So many cameras, shown by a few peers, whose frames are numbered."""

    def __init__(self, folder: Path, nvr: NVR, count: int):
        self.nvr, self.count, self.film = nvr, count, footage.full_hd()
        self.ledgers = [Ledger(folder / f"ledger-{number}") for number in range(PEERS)]
        self.peers = [GstCamera({"/main": self.film}, live=True, ledger=folder / f"ledger-{number}") for number in range(PEERS)]
        self.ids: list[int] = []

    def begin(self) -> None:
        for number in range(self.count):
            self.ids.append(self.nvr.api.add_camera(f"Camera {number + 1}", self.peers[number % PEERS].url(), detect_motion_mode="Off"))
        wait_for("all record", lambda: len({row.camera for row in self.nvr.rows() if row.bytes > 0 and row.camera in self.ids}) == self.count, 180)

    @property
    def rate(self) -> float:
        """Bytes of video a second of one camera."""
        return Path(self.film.path).stat().st_size / (len(self.film.units) / self.film.fps)

    def received(self) -> float:
        return self.nvr.metric("vibenvr_stream_bytes_total")

    def losses(self) -> dict[str, int]:
        names = ("dropped_frames", "damaged_frames", "network_lost")
        return {name: int(self.nvr.metric(f"vibenvr_stream_{name}_total")) for name in names}

    def missing(self, begin: float, end: float) -> tuple[int, int, list[str]]:
        """Frames that were sent between two moments, those of them that are in no file, and where; the server has ended."""
        period, sent, lost, places = 1 / self.film.fps, 0, 0, []
        for number, key in enumerate(self.ids):
            shelf = Shelf(self.film)
            for row in self.nvr.rows(key):
                if row.end > begin - 70:
                    shelf.read(row.path)
            made = {frame for first, stop, _ in self.ledgers[number % PEERS].runs() for frame in range(first, stop)}
            made = {frame for frame in made if begin <= frame * period <= end}
            absent = sorted(made - shelf.stored)
            sent, lost = sent + len(made), lost + len(absent) + shelf.altered + len(shelf.problems)
            places += [f"camera {number + 1}: {count} from {first * period - begin:.1f} s on" for first, count in ranges(absent)]
            places += [f"camera {number + 1}: {shelf.altered} altered, {text}" for text in shelf.problems]
        return sent, lost, places

    def close(self) -> None:
        for peer in self.peers:
            peer.close()


def writing(options, work: Path) -> tuple[list[str], list[Verdict]]:
    rows, costs, verdicts = [], [], []
    for count in (int(part) for part in options.counts.split(",")):
        folder = work / f"writing-{count}"
        folder.mkdir()
        image = Image(folder, 2048 + int(count * 0.4 * (options.seconds + 90)))
        scene = None
        try:
            with FaultyDisk(image.place, segment_seconds=None) as nvr:
                nvr.start().with_admin()
                scene = Scene(folder, nvr, count)
                scene.begin()
                time.sleep(SETTLE)
                begun, device, pages, received = time.monotonic(), image.written(), process_written(nvr.pid), scene.received()
                used, own, others = cpu_seconds(nvr.pid), nvr.done(), nvr.done(footage=False)
                files = sum(path.stat().st_size for path in nvr.files())
                wall = time.time()
                time.sleep(options.seconds)
                took = time.monotonic() - begun
                received = scene.received() - received
                pages = process_written(nvr.pid) - pages
                own, others = nvr.done().since(own), nvr.done(footage=False).since(others)
                used = cpu_seconds(nvr.pid) - used
                files = sum(path.stat().st_size for path in nvr.files()) - files
                device = image.written() - device
                until, losses = time.time() - 1, scene.losses()
                nvr.terminate()
                sent, lost, places = scene.missing(wall, until)
        finally:
            if scene:
                scene.close()
            image.unmount()
            image.file.unlink()
        minutes = count * took / 60
        rows.append([
            str(count), f"{received / 1e6:.0f}", f"{files / received:.3f}", f"{own.bytes / received:.3f}",
            f"{others.bytes / received:.3f}", f"{pages / received:.3f}", f"{device / received:.3f}",
            f"{sent:,}", str(lost), str(sum(losses.values()))])
        for text in places[:10]:
            say(f"  missing: {text}")
        costs.append([
            str(count), f"{own.data_syncs / minutes:.1f}", f"{own.data_sync_seconds / minutes * 1000:.0f}",
            f"{own.data_sync_seconds / max(1, own.data_syncs) * 1000:.2f}", f"{own.syncs / minutes:.2f}", f"{own.sync_seconds / minutes * 1000:.1f}",
            f"{(others.syncs + others.data_syncs) / minutes:.2f}", f"{(others.sync_seconds + others.data_sync_seconds) / minutes * 1000:.1f}",
            f"{(own.data_sync_seconds + own.sync_seconds + others.data_sync_seconds + others.sync_seconds) / took * 100:.0f} %", f"{used / minutes:.3f}"])
        say("  " + " | ".join(rows[-1]) + "   syncs: " + " | ".join(costs[-1]))
        ratio = device / received
        verdicts += [
            (f"{count} cameras, bytes to the device beside bytes of video", f"≤ {AMPLIFICATION}", f"{ratio:.3f}", ratio <= AMPLIFICATION),
            (f"{count} cameras, frames missing and packets dropped", "0", f"{lost} and {sum(losses.values())}", lost + sum(losses.values()) == 0)]
    lines = [
        "### Bytes to the disk", "",
        f"1080p15 at {scene.rate * 8 / 1e6:.2f} Mbit/s, windows of {options.seconds:.0f} s. All beside the bytes of video that the server received: what the files grew, "
        "what it wrote to files, what it wrote elsewhere (the database, the log, answers), pages it made dirty (`write_bytes` of /proc/PID/io, database and log "
        "included), and what reached the device (ext4's journal, and pages that are written again when more of them is filled, included).", "",
        *table(["cameras", "MB received", "files", "written", "elsewhere", "write_bytes", "device", "frames sent", "missing", "dropped, damaged, lost packets"], rows), "",
        "### What syncs cost", "",
        *table(["cameras", "fdatasync a camera-minute", "ms", "ms each", "fsync a camera-minute", "ms", "syncs of the database", "ms", "of the time in syncs",
                "CPU-s a camera-minute"], costs), "",
        "Times are those in which the disk's thread (or the database) waited for the call; a loop device over this machine's virtual disk.", ""]
    return lines, verdicts


def stock(nvr: NVR, cameras: list[int], count: int, content: bytes, age: int, sparse: bool = False, step: int = 60_000_000) -> None:
    """Finished segments that end so many microseconds ago and before, with files and events, made by SQL; the server does not run."""
    end = int(time.time() * 1e6) - age
    with closing(sqlite3.connect(nvr.data / "vibenvr.db", isolation_level=None)) as database:
        database.execute("BEGIN")
        for number in range(count):
            camera, turn = cameras[number % len(cameras)], number // len(cameras)
            start = end - (turn + 1) * step
            name = time.strftime("%Y-%m-%d/%H-%M-%S", time.gmtime(start / 1e6))
            path = nvr.recordings / str(camera) / f"{name}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as file:
                if sparse:
                    file.write(content[:4096])
                    file.truncate(len(content))
                else:
                    file.write(content)
            key = database.execute(
                "INSERT INTO segments (camera_id, role, run, path, start_us, end_us, bytes, state, is_continuous, width, height, codecs, init_length, timescale)"
                " VALUES (?, 0, 1, ?, ?, ?, ?, 2, 1, 320, 192, 'avc1.640028', 900, 90000)",
                (camera, f"{camera}/{name}.mp4", start, start + step - 1_000_000, len(content))).lastrowid
            database.execute(
                "INSERT INTO events (camera_id, medium, kind, start_us, end_us, segment_id, bytes) VALUES (?, 0, 1, ?, ?, ?, ?)",
                (camera, start, start + step - 1_000_000, key, len(content)))
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def sample(work: Path, film: footage.Film, seconds: int) -> bytes:
    """A finished segment as the server writes it."""
    folder = work / "sample"
    folder.mkdir(exist_ok=True)
    with GstCamera({"/main": film}) as camera, NVR(folder, segment_seconds=seconds) as nvr:
        nvr.start().with_admin()
        nvr.api.add_camera("camera", camera.url())
        row = wait_for("a segment", lambda: next((row for row in nvr.rows() if row.finished), None), 120)
        content = row.path.read_bytes()
    shutil.rmtree(folder)
    return content


def deleting(options, work: Path) -> tuple[list[str], list[Verdict]]:
    count, each, cameras = 32, options.deleted, 8
    folder = work / "deleting"
    folder.mkdir()
    content = sample(work, footage.full_hd(), 8)
    rows, verdicts, scene = [], [], None
    try:
        with FaultyDisk(folder, segment_seconds=None) as nvr:
            nvr.start().with_admin()
            old = [nvr.api.add_camera(f"Old {number}", "rtsp://10.255.0.1/main", is_active=False, preserve_movies="Forever") for number in range(cameras)]
            nvr.api.post("/settings/bulk", json={"cleanup_enabled": "false", "retention_max_share_percent": "100"})
            nvr.terminate()
            stock(nvr, old[:4], each, content, 40 * DAY)
            stock(nvr, old[4:], each, content, 2 * DAY)
            nvr.start()
            scene = Scene(folder, nvr, count)
            scene.begin()
            time.sleep(SETTLE)
            begun = time.time()
            time.sleep(5)

            def retention() -> int:
                for key in old[:4]:
                    assert nvr.api.put(f"/cameras/{key}", json={"preserve_movies": "For One Month"}).status_code == 200
                answer = nvr.api.post("/settings/cleanup", json={"confirm": True}, timeout=600)
                assert answer.status_code == 200, answer.text
                return answer.json()["deleted_count"]

            def bulk() -> int:
                ids = []
                for key in old[4:]:
                    ids += [event["id"] for event in nvr.api.events(camera_id=key)]
                answer = nvr.api.post("/events/bulk-delete", json={"event_ids": ids}, timeout=600)
                assert answer.status_code == 200, answer.text
                return answer.json()["deleted_count"]

            for name, delete in (("retention", retention), ("`POST /events/bulk-delete`", bulk)):
                before, done = scene.losses(), nvr.done()
                here = len([path for key in old for path in nvr.files(key)])
                started = time.monotonic()
                told = delete()
                wait_for("the files are gone", lambda: len([path for key in old for path in nvr.files(key)]) <= here - each, 300)
                took, done = time.monotonic() - started, nvr.done().since(done)
                time.sleep(10)
                lost = {key: value - before[key] for key, value in scene.losses().items()}
                rows.append([name, f"{told:,}", f"{took:.1f}", f"{done.data_sync_seconds / max(1, done.data_syncs) * 1000:.2f}", *map(str, lost.values())])
                say("  " + " | ".join(rows[-1]))
                verdicts.append((f"{told:,} files deleted by {name} while 32 cameras write: packets and frames dropped", "0", str(sum(lost.values())),
                                 sum(lost.values()) == 0 and told == each))
            until = time.time() - 1
            nvr.terminate()
            sent, missing, places = scene.missing(begun, until)
            for text in places[:10]:
                say(f"  missing: {text}")
            verdicts.append(("frames of 32 cameras missing in files, all that time", "0", f"{missing} of {sent:,}", missing == 0))
            checked = subprocess.run([str(PROGRAM), "check", "--data-dir", str(nvr.data)], capture_output=True, text=True, env=nvr.environment)
            verdicts.append(("`vibenvr check` afterwards", "clean", (checked.stdout.strip().splitlines() or [checked.stderr[-200:]])[-1], checked.returncode == 0))
    finally:
        if scene:
            scene.close()
        shutil.rmtree(folder, ignore_errors=True)
    lines = [
        "### Deleting while 32 cameras write", "",
        f"Files of {len(content) / 1e6:.1f} MB; from the request until all of them are gone.", "",
        *table(["by", "files", "s", "ms of a sync of footage meanwhile", "frames dropped", "frames damaged", "packets lost"], rows), ""]
    return lines, verdicts


def check(nvr: NVR, *options: str) -> tuple[float, float, subprocess.CompletedProcess]:
    """Seconds, CPU seconds, and what it says."""
    before = os.times()
    begun = time.monotonic()
    run = subprocess.run([str(PROGRAM), "check", "--data-dir", str(nvr.data), *options], capture_output=True, text=True, env=nvr.environment)
    took, after = time.monotonic() - begun, os.times()
    return took, after.children_user + after.children_system - before.children_user - before.children_system, run


def checking(options, work: Path) -> tuple[list[str], list[Verdict]]:
    folder = work / "checking"
    folder.mkdir()
    content = sample(work, footage.counter(width=320, height=192, gop_seconds=1, bitrate="300k"), 1)
    image = Image(folder, 2048 + options.files * (12 + (len(content) >> 10 if options.whole else 0)) // 1024)
    rows, verdicts = [], []
    try:
        with NVR(image.place) as nvr:
            nvr.start().with_admin()
            ids = [nvr.api.add_camera(f"Camera {number + 1}", "rtsp://10.255.0.1/main", is_active=False) for number in range(32)]
            nvr.terminate()
            begun = time.monotonic()
            stock(nvr, ids, options.files, content, DAY, sparse=not options.whole)
            say(f"  {options.files:,} files made in {time.monotonic() - begun:.0f} s")
            size = (nvr.data / "vibenvr.db").stat().st_size
            image.unmount()
            image.mount()
            for name, arguments in [("nothing in memory", []), ("in memory", []), ("in memory, again", []), *([("all bytes", ["--checksums"])] if options.whole else [])]:
                took, used, run = check(nvr, *arguments)
                rate = options.files / took
                rows.append([name, f"{options.files:,}", f"{took:.2f}", f"{rate:,.0f}", f"{used:.2f}", run.stdout.strip().splitlines()[-1]])
                say("  " + " | ".join(rows[-1]))
                if run.returncode:
                    say(run.stdout[:2000] + run.stderr[:1000])
                if not arguments:
                    verdicts.append((f"`vibenvr check`, {name}", f"≥ {CHECK_RATE:,} files/s", f"{rate:,.0f}", rate >= CHECK_RATE and run.returncode == 0))
            if options.profile:
                profile(nvr)
    finally:
        image.unmount()
        image.file.unlink()
    lines = [
        "### Comparing rows with files", "",
        f"`vibenvr check` of {options.files:,} segments of 32 cameras ({len(content) / 1000:.0f} kB each by their rows"
        f"{'' if options.whole else '; files are sparse, sizes are compared and not contents'}), a database of {size / 2**20:.0f} MB, which is read as a whole, too.", "",
        *table(["", "files", "s", "files/s", "CPU-s", "it said"], rows), ""]
    return lines, verdicts


def profile(nvr: NVR) -> None:
    """Where a check spends its time, for who wants to know."""
    command = [str(PROGRAM), "check", "--data-dir", str(nvr.data)]
    run = subprocess.run(["strace", "-f", "-c", "-w", *command], capture_output=True, text=True, env=nvr.environment)
    say("\n".join(run.stderr.splitlines()[:25]))
    data = Path(tempfile.mkdtemp()) / "perf.data"
    run = subprocess.run(["perf", "record", "-q", "-g", "-F", "500", "-o", str(data), *command], capture_output=True, text=True, env=nvr.environment)
    run = subprocess.run(["perf", "report", "-i", str(data), "--no-children", "--stdio", "-g", "none", "--percent-limit", "1"], capture_output=True, text=True)
    say("\n".join(line[:160] for line in run.stdout.splitlines() if line.strip())[:6000] or run.stderr[:500])
    run = subprocess.run(["perf", "report", "-i", str(data), "--children", "--stdio", "-g", "none", "--percent-limit", "3"], capture_output=True, text=True)
    say("\n".join(line[:200] for line in run.stdout.splitlines() if line.strip())[:9000])


def busy(ended: threading.Event, loads: list[float]) -> None:
    while not ended.wait(5):
        loads.append(os.getloadavg()[0])


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures what recording writes, and what deleting and checking do to it.")
    parser.add_argument("--counts", default="8,32", help="numbers of cameras")
    parser.add_argument("--seconds", type=float, default=60, help="length of each window")
    parser.add_argument("--deleted", type=int, default=1000, help="files that are deleted, each way")
    parser.add_argument("--files", type=int, default=100_000, help="of the archive that is checked")
    parser.add_argument("--whole", action="store_true", help="its files have all their bytes, and checksums are compared, too")
    parser.add_argument("--profile", action="store_true", help="say where a check spends its time (strace, perf)")
    parser.add_argument("--only", default="writing,deleting,checking")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "BENCHMARKS.md")
    options = parser.parse_args()
    if not os.environ.get(OWN_NAMESPACE):
        # What is mounted here nobody else sees, and it is gone when this ends, however it does.
        os.execvpe("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv], os.environ | {OWN_NAMESPACE: "1"})
    parts = {"writing": writing, "deleting": deleting, "checking": checking}
    lines, verdicts, loads, ended = [], [], [], threading.Event()
    threading.Thread(target=busy, args=(ended, loads), daemon=True).start()
    work = Path(tempfile.mkdtemp(prefix="vibenvr-bench-"))
    try:
        for name in options.only.split(","):
            if name not in parts:
                parser.error(f"there is no part called {name}")
            say(f"{name}:")
            more, judged = parts[name](options, work)
            lines += more
            verdicts += judged
    finally:
        ended.set()
        shutil.rmtree(work, ignore_errors=True)
    command = " ".join(["bench/writing_bench.py", *sys.argv[1:]])
    build = "release build" if "/release/" in str(PROGRAM) or "vibenvr-" in PROGRAM.name else "not a release build"
    write_section(options.output, "writing", [
        "## Writing", "",
        f"Made by `make bench-storage` ({command}) on {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC at commit {commit()}, {build}, on {machine()}. "
        f"The load of the machine was {sum(loads) / max(1, len(loads)):.1f} on average.", "", *lines, *verdict_table(verdicts)])
    say(f"{sum(met for *_, met in verdicts)} of {len(verdicts)} targets met; written to {options.output}")
    return 0 if all(met for *_, met in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
