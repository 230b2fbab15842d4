#!/usr/bin/env python3
"""What retention costs on a million segments.

    .venv-test/bin/python bench/storage_bench.py [--cameras 32] [--days 22] [--repeat 5]

The rows are made by SQL as in timeline_bench.py: a segment a minute for each camera, motion. Plans are dry runs over the API, from the
request to the answer. The result becomes the section "Storage" of docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import REPOSITORY, commit, machine, say  # noqa: E402
from timeline_bench import fill  # noqa: E402

from harness.server import NVR, PROGRAM  # noqa: E402

PLAN, START = 1.0, 2.0
GIB = 2**30


def sum_up(path: Path) -> None:
    """What triggers would have kept of the rows."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "DELETE FROM volume_totals; INSERT INTO volume_totals SELECT volume, 0, count(*), sum(bytes) FROM segments GROUP BY volume;"
            "DELETE FROM shelf_totals; INSERT INTO shelf_totals SELECT camera_id, volume, 0, count(*), sum(bytes) FROM segments GROUP BY 1, 2;")


def settings(nvr: NVR, **values) -> None:
    answer = nvr.api.post("/settings/bulk", json={name: str(value) for name, value in values.items()})
    assert answer.status_code == 200, answer.text


def cameras(nvr: NVR, count: int, **fields) -> None:
    for key in range(1, count + 1):
        answer = nvr.api.put(f"/cameras/{key}", json=fields)
        assert answer.status_code == 200, answer.text


def measure(nvr: NVR, options, size: int) -> tuple[list[str], list[tuple[str, str, str, bool]]]:
    plain = {"max_global_storage_gb": 0, "retention_event_days": 0, "retention_labelled_days": 0}
    oldest = "For Two Weeks"
    cases = [
        ("nothing to do", {}, {"preserve_movies": "Forever"}),
        ("a limit of everything is passed by 5 %", {"max_global_storage_gb": size * 0.95 / GIB}, {"preserve_movies": "Forever"}),
        ("ages: two weeks", {}, {"preserve_movies": oldest}),
        ("ages, recordings with events longer", {"retention_event_days": 20, "retention_labelled_days": 30}, {"preserve_movies": oldest}),
        ("everything has to go", {"max_global_storage_gb": 1e-6}, {"preserve_movies": "For One Day"}),
    ]
    lines = ["| rules | segments to delete | plan, median | slowest |", "|---|---|---|---|"]
    verdicts = []
    for name, values, fields in cases:
        settings(nvr, **(plain | values))
        cameras(nvr, options.cameras, **fields)
        took = []
        for _ in range(options.repeat):
            begun = time.perf_counter()
            answer = nvr.api.post("/settings/cleanup", json={"dry_run": True, "confirm": True}, timeout=300)
            took.append(time.perf_counter() - begun)
            assert answer.status_code == 200, answer.text
        planned = answer.json()["planned"]["count"]
        middle = sorted(took)[len(took) // 2]
        lines.append(f"| {name} | {planned:,} | {middle * 1000:.0f} ms | {max(took) * 1000:.0f} ms |")
        verdicts.append((f"plan: {name}", f"≤ {PLAN:g} s", f"{middle:.2f} s", middle <= PLAN))
        say(lines[-1])
    return lines, verdicts


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures retention on a million segments.")
    parser.add_argument("--cameras", type=int, default=32)
    parser.add_argument("--days", type=int, default=22)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "BENCHMARKS.md")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="vibenvr-bench-"))
    try:
        with NVR(work) as nvr:
            nvr.start().with_admin()
            for number in range(options.cameras):
                nvr.api.add_camera(f"Camera {number + 1}", f"rtsp://10.255.0.{number + 1}/main", is_active=False)
            settings(nvr, cleanup_enabled="false")
            nvr.terminate()
            database = nvr.data / "vibenvr.db"
            fill(database, list(range(1, options.cameras + 1)), options.days)
            sum_up(database)
            # Sums up the timeline, once.
            nvr.start(deadline=1200)
            nvr.terminate(deadline=60)
            starts = []
            for _ in range(3):
                nvr.start()
                starts.append(nvr.ready_seconds)
                if len(starts) < 3:
                    nvr.terminate()
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as rows:
                count, size = rows.execute("SELECT sum(count), sum(bytes) FROM segment_totals").fetchone()
            lines, verdicts = measure(nvr, options, size)
            resident = nvr.resident() / 2**20
            verdicts.append(("start, slowest of three", f"≤ {START:g} s", f"{max(starts):.2f} s", max(starts) <= START))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    build = "release build" if "/release/" in str(PROGRAM) else "not a release build"
    command = " ".join(["bench/storage_bench.py", *sys.argv[1:]])
    section = "\n".join([
        "<!-- storage -->", "## Storage", "",
        f"Made by `make bench-storage` ({command}) on {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC at commit {commit()}, {build}, on {machine()}.", "",
        f"{count:,} segments of {options.cameras} cameras, {size / 1e12:.1f} TB by their rows. A plan is a dry run of `POST /settings/cleanup`.", "",
        *lines, "", f"Resident memory after it all: {resident:.0f} MB.", "",
        "| target | bound | measured | |", "|---|---|---|---|",
        *(f"| {target} | {bound} | {value} | {'met' if met else '**missed**'} |" for target, bound, value, met in verdicts), "<!-- /storage -->", "",
    ])
    text = options.output.read_text() if options.output.exists() else "# Benchmarks\n"
    known = re.compile(r"<!-- storage -->\n.*?<!-- /storage -->\n", re.DOTALL)
    text = known.sub(lambda _: section, text) if known.search(text) else text.rstrip("\n") + "\n\n" + section
    options.output.write_text(text)
    say(f"{sum(met for *_, met in verdicts)} of {len(verdicts)} targets met; written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
