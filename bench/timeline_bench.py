#!/usr/bin/env python3
"""What a timeline costs at every zoom on a year of footage.

    .venv-test/bin/python bench/timeline_bench.py [--cameras 32] [--days 365] [--requests 200] [--connections 1,8]

The rows are made by SQL on the schema of a server that was started and ended: a segment a minute for each camera, outages, motion. The sums
of the timeline are made by the server itself, which takes the database for one of an earlier version. Requests go to random places over
connections that stay open, each from a process of its own. The result becomes the section "Timeline" of docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import random
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

from harness.server import NVR  # noqa: E402

MINUTE, HOUR, DAY = 60, 3600, 86400
ZOOMS = {
    "5 years": 5 * 366 * DAY, "1 year": 365 * DAY, "90 days": 90 * DAY, "30 days": 30 * DAY, "7 days": 7 * DAY, "3 days": 3 * DAY, "1 day": DAY,
    "6 hours": 6 * HOUR, "1 hour": HOUR, "10 minutes": 600, "1 minute": 60, "5 seconds": 5,
}
P95 = 20.0


def fill(path: Path, cameras: list[int], days: int) -> int:
    """A year of minutes; gives its end in seconds."""
    chance = random.Random(1)
    end = int(time.time()) // DAY * DAY
    begin = end - days * DAY
    begun = time.monotonic()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; PRAGMA cache_size = -400000; PRAGMA wal_autocheckpoint = 20000")
        triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND sql IS NOT NULL").fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        run = 0
        for day in range(days):
            database.execute("BEGIN")
            for camera in cameras:
                run += 1
                # Some minutes of a day are missing, in one piece.
                lost = chance.randrange(1440)
                length = chance.randrange(30) if chance.random() < 0.5 else 0
                shift = (camera * 1_733_000) % 60_000_000
                database.execute(
                    "INSERT INTO segments (camera_id, role, run, path, start_us, end_us, bytes, state, is_continuous, width, height, codecs, init_length, timescale)"
                    " WITH RECURSIVE minute(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM minute WHERE n < 1439)"
                    " SELECT ?1, 0, ?2, ?1 || '/' || (?3 + n), (?3 + n) * 60000000 + ?4, (?3 + n + 1) * 60000000 + ?4, 19000000, 2, 0, 1920, 1080, 'avc1.640028', 900, 90000"
                    " FROM minute WHERE n < ?5 OR n >= ?6", (camera, run, begin // 60 + day * 1440, shift, lost, lost + length))
                starts = sorted(chance.randrange(DAY) for _ in range(20))
                database.executemany(
                    "INSERT INTO events (camera_id, medium, kind, start_us, end_us, score) VALUES (?, 0, 0, ?, ?, 0.5)",
                    [(camera, (begin + day * DAY + start) * 10**6, (begin + day * DAY + start + chance.randrange(5, 90)) * 10**6) for start in starts])
            database.execute("COMMIT")
            if day % 30 == 29:
                say(f"  {day + 1} of {days} days, {time.monotonic() - begun:.0f} s")
        database.executescript(
            "BEGIN;"
            "INSERT INTO segment_totals SELECT camera_id, role, count(*), sum(bytes) FROM segments GROUP BY 1, 2;"
            "INSERT INTO event_totals SELECT camera_id, medium, kind, count(*), 0 FROM events GROUP BY 1, 2, 3;"
            "INSERT INTO segment_hours SELECT camera_id, start_us / 3600000000, count(*), sum(bytes) FROM segments GROUP BY 1, 2;"
            "DROP VIEW timeline_additions; DROP TABLE timeline_chunks; DROP TABLE timeline_levels; DROP TABLE outages;"
            "DELETE FROM grdb_migrations WHERE identifier IN ('M0007_Timeline', 'M0020_FootageIndex'); COMMIT")
        for name, sql in triggers:
            if not name.startswith(("timeline_", "outages_")):
                database.execute(sql)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        rows = database.execute("SELECT sum(count) FROM segment_totals").fetchone()[0]
    say(f"{rows:,} segments made in {time.monotonic() - begun:.0f} s, {path.stat().st_size / 2**30:.1f} GB")
    return end


def note_outages(path: Path, cameras: list[int], end: int, days: int) -> None:
    chance = random.Random(2)
    with closing(sqlite3.connect(path)) as database:
        for camera in cameras:
            for day in range(days):
                start = (end - days * DAY + day * DAY + chance.randrange(DAY)) * 10**6
                database.execute(
                    "INSERT OR IGNORE INTO outages VALUES (?, ?, ?, ?, 'unreachable: no video for 10 s')",
                    # Most are short; a long one comes every other month.
                    (camera, start, start + chance.choice([60, 600, 1800] * 20 + [30_000]) * 10**6, chance.choice([0, 1, 5])))
        database.commit()


def client(host: str, port: int, token: str, paths: list[str], results) -> None:
    """Asks one after another; puts milliseconds and bytes."""
    connection = http.client.HTTPConnection(host, port, timeout=60)
    headers = {"Authorization": f"Bearer {token}"}
    took, size = [], []
    for path in paths:
        begun = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        took.append((time.perf_counter() - begun) * 1000)
        size.append(len(body))
        if answer.status != 200:
            results.put((answer.status, body[:500]))
            return
    results.put((took, size))


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def paths(span: float, end: int, days: int, count: int, chance: random.Random) -> list[str]:
    """Ranges of a length at random places of the footage; longer ones hold all of it."""
    found = []
    for _ in range(count):
        earliest = min(end - span, end - days * DAY)
        start = chance.uniform(end - days * DAY, end - span) if span < days * DAY else earliest + chance.uniform(0, HOUR)
        found.append(f"/timeline?start={start:.3f}&end={start + span:.3f}")
    return found


def measure(nvr: NVR, end: int, options) -> tuple[list[str], list[tuple[str, str, str, bool]]]:
    connections = [int(part) for part in options.connections.split(",")]
    host, port = re.match(r"http://([^:]+):(\d+)", nvr.api.base).groups()
    lines = [
        "| zoom | bucket | buckets | KB | " + " | ".join(f"{count} conn.: p50 ms | p95 ms | p99 ms" for count in connections) + " |",
        "|---|---|---|---|" + "---|---|---|" * len(connections),
    ]
    verdicts = []
    chance = random.Random(3)
    for name, span in ZOOMS.items():
        example = nvr.api.json(paths(span, end, options.days, 1, chance)[0])
        assert len(example["cameras"]) == options.cameras
        cells, kilobytes = [], 0.0
        for count in connections:
            each = max(10, options.requests // count)
            results = multiprocessing.Queue()
            clients = [
                multiprocessing.Process(target=client, args=(host, int(port), nvr.api.token, paths(span, end, options.days, each, chance), results))
                for _ in range(count)
            ]
            for one in clients:
                one.start()
            answers = [results.get(timeout=600) for _ in clients]
            for one in clients:
                one.join()
            for took, size in answers:
                assert isinstance(took, list), (took, size)
            took = [value for values, _ in answers for value in values]
            kilobytes = max(kilobytes, max(value for _, sizes in answers for value in sizes) / 1000)
            p50, p95, p99 = (percentile(took, share) for share in (0.5, 0.95, 0.99))
            cells.append(f"{p50:.1f} | {p95:.1f} | {p99:.1f}")
            if count == 1:
                verdicts.append((f"{name}, p95", f"≤ {P95:g} ms", f"{p95:.1f} ms", p95 <= P95))
        lines.append(f"| {name} | {example['resolution']} s | {example['bucket_count']} | {kilobytes:.0f} | " + " | ".join(cells) + " |")
        say(lines[-1])
    return lines, verdicts


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures the timeline on a year of footage.")
    parser.add_argument("--cameras", type=int, default=32)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--requests", type=int, default=200, help="of each zoom and number of connections")
    parser.add_argument("--connections", default="1,8")
    parser.add_argument("--zone", default="Europe/Berlin", help="time zone of the server")
    parser.add_argument("--folder", type=Path, help="keep the rows here, before they are summed up, and use them again")
    parser.add_argument("--fill-only", action="store_true", help="make the rows in --folder and end")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "BENCHMARKS.md")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="vibenvr-bench-"))
    kept = options.folder and options.folder / f"{options.cameras}-{options.days}"
    try:
        with NVR(work, TZ=options.zone) as nvr:
            if kept and (kept / "end").exists():
                shutil.copytree(kept / "data", nvr.data)
                nvr.api.token = "of another run"
            else:
                nvr.start().with_admin()
                for number in range(options.cameras):
                    nvr.api.add_camera(f"Camera {number + 1}", f"rtsp://10.255.0.{number + 1}/main", is_active=False)
                nvr.terminate()
                end = fill(nvr.data / "vibenvr.db", list(range(1, options.cameras + 1)), options.days)
                if kept:
                    shutil.copytree(nvr.data, kept / "data")
                    (kept / "end").write_text(str(end))
            if options.fill_only:
                return 0
            end = int((kept / "end").read_text()) if kept else end
            ids = list(range(1, options.cameras + 1))
            database = nvr.data / "vibenvr.db"
            begun = time.monotonic()
            nvr.start(deadline=1200)
            upgrade = time.monotonic() - begun
            nvr.terminate(deadline=60)
            note_outages(database, ids, end, options.days)
            nvr.start()
            say(f"summed up in {upgrade:.0f} s; a start takes {nvr.ready_seconds:.2f} s")
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as rows:
                segments = rows.execute("SELECT sum(count) FROM segment_totals").fetchone()[0]
                events = rows.execute("SELECT sum(count) FROM event_totals").fetchone()[0]
                sums = rows.execute("SELECT count(*) FROM timeline_chunks").fetchone()[0]
            lines, verdicts = measure(nvr, end, options)
            resident = nvr.resident() / 2**20
    finally:
        shutil.rmtree(work, ignore_errors=True)
    command = " ".join(["bench/timeline_bench.py", *sys.argv[1:]])
    section = "\n".join([
        "<!-- timeline -->", "# Timeline", "",
        f"Made by `make bench-timeline` ({command}) on {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC at commit {commit()}, on {machine()}.", "",
        f"{options.cameras} cameras in one request, {options.days} days: {segments:,} segments of a minute, {events:,} motion events, an outage a day; "
        f"{sums:,} rows of sums. Clocks of {options.zone}. Random places, {options.requests} requests a cell; the client is on the same machine.", "",
        *lines, "",
        f"An upgrade from a version without sums took {upgrade:.0f} s, a start takes {nvr.ready_seconds:.2f} s. Resident memory after it all: {resident:.0f} MB.",
        "", "| target | bound | measured | |", "|---|---|---|---|",
        *(f"| {target} | {bound} | {value} | {'met' if met else '**missed**'} |" for target, bound, value, met in verdicts), "<!-- /timeline -->", "",
    ])
    text = options.output.read_text() if options.output.exists() else "# Benchmarks\n"
    known = re.compile(r"<!-- timeline -->\n.*?<!-- /timeline -->\n", re.DOTALL)
    text = known.sub(lambda _: section, text) if known.search(text) else text.rstrip("\n") + "\n\n" + section
    options.output.write_text(text)
    say(f"{sum(met for *_, met in verdicts)} of {len(verdicts)} targets met; written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
