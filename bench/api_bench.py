#!/usr/bin/env python3
"""The benchmark of the API: what answers cost on a database of millions of rows.

    .venv-test/bin/python bench/api_bench.py [--events 1000000] [--cameras 64] [--seconds 3] [--connections 1,16,64] [--only events]

The database is made by SQL on the schema of a server that was started and ended, its triggers included. The load comes from wrk, a
compiled program on the same machine. The result is the section "API" of docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests-e2e"))

from harness.server import NVR  # noqa: E402

DAYS = 30
HEADING = "## API"
# Bounds of the project: p99 at 16 connections, p50 of the first page at one, milliseconds.
P99, FIRST_PAGE = 10.0, 2.0


def say(text: str) -> None:
    print(text, flush=True)


def newest_recording(events: int, cameras: int) -> int:
    """The number of the newest segment of the first camera."""
    return max(number for number in range(events) if number % cameras == 0 and number % 10 < 7)


def minute() -> bytes:
    """The index of a segment of a minute: fragments of a second (ISOBMFF/FragmentIndex.swift)."""

    def number(value: int) -> bytes:
        head = bytes()
        while value > 127:
            head += bytes([value & 127 | 128])
            value >>= 7
        return head + bytes([value])

    return bytes([1]) + number(60) + (number(0) + number(316_000) + number(0) + number(90_000 << 1 | 1)) * 60


def fill(nvr: NVR, events: int, cameras: int) -> int:
    """Events of the last month: continuous ones with their segments, motion, snapshots; the newest is now. Gives the newest start."""
    random.seed(1)
    now = int(time.time() * 1e6)
    step = DAYS * 86_400_000_000 // events
    begun = time.monotonic()
    with closing(sqlite3.connect(nvr.data / "vibenvr.db", isolation_level=None)) as database:
        database.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; PRAGMA cache_size = -200000; BEGIN")

        def segments():
            for number in range(events):
                if number % 10 < 7:
                    start = now - (events - number) * step
                    yield (number + 1, number % cameras + 1, f"{number % cameras + 1}/{number}.mp4", start, start + 60_000_000)

        database.executemany(
            "INSERT INTO segments (id, camera_id, role, run, path, start_us, end_us, bytes, state, is_continuous, width, height, codecs, init_length, timescale)"
            " VALUES (?, ?, 0, 1, ?, ?, ?, 19000000, 2, 1, 1920, 1080, 'avc1.640028', 900, 90000)", segments())

        def rows():
            for number in range(events):
                camera, start = number % cameras + 1, now - (events - number) * step
                if number % 10 < 7:
                    yield (camera, 0, 1, start, start + 60_000_000, number + 1, None, f"{camera}/{number}.jpg", 19_000_000, None)
                elif number % 10 < 9:
                    yield (camera, 0, 0, start, start + random.randrange(5_000_000, 60_000_000), None, None, f"{camera}/{number}.jpg", 4_000_000, random.random())
                else:
                    yield (camera, 1, 2, start, None, None, f"{camera}/{number}.jpg", f"{camera}/{number}.jpg", 150_000, None)

        database.executemany(
            "INSERT INTO events (camera_id, medium, kind, start_us, end_us, segment_id, picture_path, thumbnail_path, bytes, width, height, score)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1920, 1080, ?)", rows())
        database.execute("INSERT INTO segment_indexes (segment_id, packed) VALUES (?, ?)", (newest_recording(events, cameras) + 1, minute()))
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    say(f"{events} events of {cameras} cameras made in {time.monotonic() - begun:.0f} s")
    return now


class Load:
    """What wrk says of one run."""

    UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}

    def __init__(self, url: str, header: str, connections: int, seconds: float, script: Path | None = None):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "-H", header, url]
        if script:
            command[1:1] = ["-s", str(script)]
        self.text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        self.p50, self.p99 = self._percentile(50), self._percentile(99)
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", self.text)[1])
        self.bad = int(match[1]) if (match := re.search(r"Non-2xx or 3xx responses: (\d+)", self.text)) else 0
        self.broken = sum(int(number) for number in re.findall(r"(?:connect|read|write|timeout) (\d+)", self.text))

    def _percentile(self, number: int) -> float:
        value, unit = re.search(rf"{number}%\s+([\d.]+)(us|ms|s|m)\b", self.text).groups()
        return float(value) * self.UNITS[unit]


def requests_of(now: int) -> dict[str, str]:
    day = datetime.fromtimestamp(now / 1e6 - 86400 * 10, timezone.utc).strftime("%Y-%m-%d")
    return {
        "first page": "/events",
        "camera": "/events?camera_id=7",
        "type video": "/events?type=video",
        "type snapshot": "/events?type=snapshot",
        "event_type motion": "/events?event_type=motion",
        "camera, motion, video": "/events?camera_id=7&event_type=motion&type=video",
        "date": f"/events?date={day}",
        "date, 10,000 deep": f"/events?date={day}&skip=10000",
        "page 9,999 of all": "/events?skip=999800",
        "GET /cameras": "/cameras",
        "GET /cameras, API key": "/cameras",
        "GET /stats": "/stats",
        "GET /stats/history": "/stats/history",
        "GET /v1/homepage/stats": "/v1/homepage/stats",
    }


def resident(nvr: NVR) -> float:
    return nvr.resident() / 2**20


def measure(options) -> str:
    lines: list[str] = []
    verdicts: list[tuple[str, str, str, bool]] = []
    connections = [int(part) for part in options.connections.split(",")]
    with NVR(Path(tempfile.mkdtemp(prefix="vibenvr-bench-"))) as nvr:
        nvr._own = True
        api = nvr.start().with_admin().api
        for number in range(options.cameras):
            answer = api.post("/cameras", json={"name": f"Camera {number + 1}", "rtsp_url": f"rtsp://user:word@10.0.0.{number + 1}/main", "is_active": False})
            assert answer.status_code == 200, answer.text
        nvr.terminate()
        now = fill(nvr, options.events, options.cameras)
        nvr.start()
        key = api.post("/v1/api-tokens", json={"name": "bench"})
        say(f"started on it in {nvr.ready_seconds:.2f} s, {resident(nvr):.0f} MB")
        before = resident(nvr)
        lines += [
            f"Database: {options.events:,} events ({options.events * 7 // 10:,} of them with a segment) of {DAYS} days, {options.cameras} cameras, "
            f"{(nvr.data / 'vibenvr.db').stat().st_size / 2**20:.0f} MB. wrk with one thread on the same machine, {options.seconds:g} s each; milliseconds.",
            "", "| request | bytes | " + " | ".join(f"{count} conn. p50 | p99 | per s" for count in connections) + " |",
            "|---|---|" + "---|---|---|" * len(connections),
        ]
        results: dict[str, dict[int, Load]] = {}
        for name, path in requests_of(now).items():
            if options.only and not re.search(options.only, name):
                continue
            header = f"Authorization: Bearer {api.token}"
            if name.endswith("API key"):
                if key.status_code != 200:
                    continue
                header = f"X-API-Key: {key.json()['token']}"
            answer = api.get(path, token="", headers=dict([header.split(": ", 1)]))
            assert answer.status_code == 200, answer.text
            assert not path.startswith("/events") or options.events < 1_000_000 or len(answer.json()) == 100, f"{path}: {len(answer.json())} events"
            results[name] = {count: Load(api.base + path, header, count, options.seconds) for count in connections}
            cells = " | ".join(f"{load.p50:.2f} | {load.p99:.2f} | {load.rate:,.0f}" for load in results[name].values())
            lines.append(f"| {name} | {len(answer.content):,} | {cells} |")
            say(lines[-1])
            for count, load in results[name].items():
                assert not load.bad and not load.broken, load.text
            if 16 in results[name]:
                load = results[name][16]
                verdicts.append((f"{name}, p99 at 16 connections", f"≤ {P99:g} ms", f"{load.p99:.2f} ms", load.p99 <= P99))
        if "first page" in results:
            p50 = results["first page"][connections[0]].p50
            verdicts.append(("first page, p50", f"≤ {FIRST_PAGE:g} ms", f"{p50:.2f} ms", p50 <= FIRST_PAGE))
        after = resident(nvr)
        lines += ["", f"Resident memory: {before:.1f} MB before the load, {after:.1f} MB after it."]
        verdicts.append(("memory does not grow with the table", "≤ 120 MB", f"{after:.1f} MB", after <= 120))
        if not options.only or "writing" in options.only:
            written(nvr, now, options, lines, verdicts)
    lines += ["", "| target | bound | measured | |", "|---|---|---|---|"]
    lines += [f"| {name} | {bound} | {value} | {'met' if isMet else '**missed**'} |" for name, bound, value, isMet in verdicts]
    return "\n".join(lines)


def written(nvr: NVR, now: int, options, lines: list[str], verdicts: list) -> None:
    """A thousand new events a second while 16 readers read."""
    # The newest recording of the first camera, marked again and again.
    number = newest_recording(options.events, options.cameras)
    start = now - (options.events - number) * (DAYS * 86_400_000_000 // options.events)
    body = {
        "camera_id": 1, "timestamp_start": datetime.fromtimestamp(start / 1e6, timezone.utc).isoformat(), "type": "video", "event_type": "motion",
        "file_path": f"1/{number}.mp4",
    }
    api = nvr.api
    answer = api.post("/events", json=body)
    assert answer.status_code == 200, answer.text
    script = nvr.folder / "post.lua"
    script.write_text(f"wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = [[{json.dumps(body)}]]\n")
    header = f"Authorization: Bearer {api.token}"
    reading: list[Load] = []
    reader = threading.Thread(target=lambda: reading.append(Load(api.base + "/events", header, 16, options.seconds * 2)))
    reader.start()
    posting = Load(api.base + "/events", header, 32, options.seconds * 2, script)
    reader.join()
    lines += [
        "", f"Writing while 16 readers read the first page: {posting.rate:,.0f} POST /events a second (p50 {posting.p50:.1f} ms, p99 {posting.p99:.1f} ms), "
        f"{reading[0].rate:,.0f} reads a second (p50 {reading[0].p50:.1f} ms, p99 {reading[0].p99:.1f} ms), {posting.bad + reading[0].bad} refused.",
    ]
    say(lines[-1])
    verdicts.append(("new events a second while 16 read", "≥ 1,000", f"{posting.rate:,.0f}", posting.rate >= 1000))
    verdicts.append(("errors meanwhile", "0", str(posting.bad + posting.broken + reading[0].bad + reading[0].broken),
                     not (posting.bad or posting.broken or reading[0].bad or reading[0].broken)))


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures the API on a large database.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--cameras", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3, help="length of each run")
    parser.add_argument("--connections", default="1,16,64")
    parser.add_argument("--only", default="", help="requests whose names match")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "BENCHMARKS.md")
    options = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()
    section = measure(options)
    if options.only:
        say(section)
        return 0
    head = f"{HEADING}\n\nMade by `make bench-api` on {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC at commit {commit}.\n\n"
    text = options.output.read_text() if options.output.exists() else "# Benchmarks\n"
    before, _, rest = text.partition(f"\n{HEADING}\n")
    after = re.search(r"^## ", rest, re.MULTILINE)
    options.output.write_text(before.rstrip() + "\n\n" + head + section + "\n" + ("\n" + rest[after.start():] if after else ""))
    say(f"written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
