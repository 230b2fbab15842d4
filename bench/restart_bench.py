#!/usr/bin/env python3
"""How long after a restart every camera is recorded again.

    .venv-test/bin/python bench/restart_bench.py [--counts 8,32] [--rounds 3]

Cameras (GStreamer's RTSP server, key frames once a second) go on while the server is ended by SIGTERM, or killed, and started at once. Told are
the seconds from the start of the new process until it listens, until the first frame of each camera that was stored, and until its bytes are in a
file. The result becomes the section "Restart" of docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import REPOSITORY, commit, machine, say  # noqa: E402
from sections import Verdict, table, verdict_table, write_section  # noqa: E402

from harness.server import NVR, PROGRAM, wait_for  # noqa: E402
from peers import footage  # noqa: E402
from peers.gst_camera import GstCamera  # noqa: E402

STORED = 2.0  # seconds
MOUNTS = 8  # cameras of one peer


def restarted(nvr: NVR, count: int, way: str) -> tuple[float, float, list[float], list[float]]:
    """Seconds until the old process had ended; from the start of the new one until it listens, stores and has written, by camera."""
    known, ended = set(nvr.files()), time.time()
    nvr.terminate() if way == "SIGTERM" else nvr.kill()
    begun = time.time()
    nvr.start(deadline=60)
    ready, written = time.time() - begun, {}

    def look() -> bool:
        for path in nvr.files():
            if path not in known and path.stat().st_size > 2000:
                written.setdefault(path.relative_to(nvr.recordings).parts[0], time.time() - begun)
        return len(written) == count

    wait_for("all cameras are recorded again", look, 60, 0.02)
    # The rows follow their files.
    time.sleep(1.5)
    with closing(sqlite3.connect(f"file:{nvr.data}/vibenvr.db?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT min(start_us) FROM segments WHERE start_us > ? GROUP BY camera_id", (begun * 1e6,)).fetchall()
    return begun - ended, ready, sorted(start / 1e6 - begun for (start,) in rows), sorted(written.values())


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures how soon all cameras are recorded after a restart.")
    parser.add_argument("--counts", default="8,32", help="numbers of cameras")
    parser.add_argument("--rounds", type=int, default=3, help="restarts of each way")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "BENCHMARKS.md")
    options = parser.parse_args()
    rows: list[list[str]] = []
    verdicts: list[Verdict] = []
    film, loads = footage.counter(gop_seconds=1), []
    for count in (int(part) for part in options.counts.split(",")):
        folder = Path(tempfile.mkdtemp(prefix="vibenvr-restart-"))
        peers = [GstCamera({f"/{number}": film for number in range(MOUNTS)}, live=True) for _ in range(-(-count // MOUNTS))]
        try:
            with NVR(folder, segment_seconds=60) as nvr:
                nvr.start().with_admin()
                for number in range(count):
                    nvr.api.add_camera(f"camera {number}", peers[number // MOUNTS].url(f"/{number % MOUNTS}"))
                wait_for("all record", lambda: len({row.camera for row in nvr.rows() if row.bytes}) == count, 120)
                for way in ("SIGTERM", "SIGKILL"):
                    found = []
                    for _ in range(options.rounds):
                        time.sleep(4)
                        found.append(restarted(nvr, count, way))
                        loads.append(os.getloadavg()[0])
                    last = [stored[-1] for _, _, stored, _ in found]
                    rows.append([
                        f"{count}", way, f"{max(ended for ended, *_ in found):.2f}", f"{statistics.median(ready for _, ready, *_ in found):.2f}",
                        f"{statistics.median(time for _, _, stored, _ in found for time in stored):.2f}", f"{max(last):.2f}",
                        f"{statistics.median(time for *_, written in found for time in written):.2f}", f"{max(written[-1] for *_, written in found):.2f}"])
                    say("  " + " | ".join(rows[-1]))
                    verdicts.append((
                        f"{count} cameras after {way}: the last of them stored, slowest of {options.rounds}", f"≤ {STORED:g} s", f"{max(last):.2f} s",
                        max(last) <= STORED and all(len(stored) == count for _, _, stored, _ in found)))
        finally:
            for peer in peers:
                peer.close()
            shutil.rmtree(folder, ignore_errors=True)
    build = "release build" if "/release/" in str(PROGRAM) or "vibenvr-" in PROGRAM.name else "not a release build"
    write_section(options.output, "restart", [
        "## Restart", "",
        f"Made by `{' '.join(['bench/restart_bench.py', *sys.argv[1:]])}` on {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC at commit {commit()}, {build}, on "
        f"{machine()}. The load of the machine was {sum(loads) / max(1, len(loads)):.1f} on average.", "",
        "Cameras of 640×360 with a key frame a second. All in seconds; but for the first column from the start of the new process on. The first frame that is "
        "stored is a key frame, for which each camera lets wait up to a second; what is written is its first fragment.", "",
        *table(["cameras", "ended by", "until it had ended, most", "until it listens, median", "first frame stored, median", "of the last camera, most",
                "first bytes written, median", "of the last camera, most"], rows), "",
        *verdict_table(verdicts)])
    say(f"{sum(met for *_, met in verdicts)} of {len(verdicts)} targets met; written to {options.output}")
    return 0 if all(met for *_, met in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
