#!/usr/bin/env python3
"""What it costs to take footage away and to look for a moment in it.

    .venv-test/bin/python bench/replay_bench.py [--only export,seek,previews]

One minute is recorded from a simulated camera; an hour of copies of it, and a day of links to it, are listed beside it. Everything is
measured from the page cache, so that it tells of the program and not of the disk. The result becomes the section "Replay" of
docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import socket
import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import REPOSITORY, Result, Server, commit, machine, say  # noqa: E402

from harness.server import wait_for  # noqa: E402
from peers import footage  # noqa: E402
from peers.fault_camera import FaultCamera  # noqa: E402

HOUR, DAY = 60, 1440


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Footage:
    """A server with two cameras that recorded once: an hour of real files of the first, a day of links to one file of the second."""

    def __init__(self, work: Path):
        self.nvr = Server(work / "replay", segment_seconds=None)
        (work / "replay").mkdir(parents=True)
        with FaultCamera(footage.full_hd()) as peer:
            self.nvr.start().with_admin()
            self.hour = self.nvr.api.add_camera("hour", peer.url())
            say("recording a minute …")
            row = wait_for("a finished segment", lambda: next((row for row in self.nvr.rows(self.hour) if row.finished), None), 120)
            self.day = self.nvr.api.add_camera("day", peer.url(), is_active=False)
            self.nvr.api.put(f"/cameras/{self.hour}", json={"is_active": False})
            self.nvr.terminate()
        self.seconds = row.end - row.start
        self.file = row.path
        self.bitrate = row.bytes * 8 / self.seconds
        self.begin = int(row.start) - 3 * 86400
        with closing(sqlite3.connect(self.nvr.data / "vibenvr.db")) as database:
            for camera, count, place in ((self.hour, HOUR, self._copy), (self.day, DAY, os.link)):
                self._list(database, row, camera, count, place)
            database.commit()
        self.nvr.start()

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        shutil.copyfile(source, target)

    def _list(self, database: sqlite3.Connection, row, camera: int, count: int, place) -> None:
        folder = self.nvr.recordings / str(camera) / "bench"
        folder.mkdir(parents=True)
        length = int(self.seconds * 1e6)
        for number in range(count):
            path = f"{camera}/bench/{number}.mp4"
            place(row.path, self.nvr.recordings / path)
            start = self.begin * 1_000_000 + number * length
            cursor = database.execute(
                """INSERT INTO segments (camera_id, role, run, path, start_us, end_us, bytes, state, is_continuous, width, height, codecs, init_length,
                    timescale) SELECT ?, role, 7, ?, ?, ?, bytes, 2, 0, width, height, codecs, init_length, timescale FROM segments WHERE id = ?""",
                (camera, path, start, start + length, row.id))
            database.execute("INSERT INTO segment_indexes SELECT ?, packed FROM segment_indexes WHERE segment_id = ?", (cursor.lastrowid, row.id))

    def span(self, camera: int) -> tuple[float, float]:
        return self.begin, self.begin + (HOUR if camera == self.hour else DAY) * self.seconds


class Transfer:
    """One GET over a socket of its own, read as fast as Python can."""

    def __init__(self, footage: Footage, path: str, headers: str = ""):
        host, port = footage.nvr.api.base.removeprefix("http://").split(":")
        self.began = time.monotonic()
        self.socket = socket.create_connection((host, int(port)))
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {footage.nvr.api.token}\r\n{headers}\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.socket.recv(65536)
        self.head, _, rest = data.partition(b"\r\n\r\n")
        assert self.head.split()[1] in (b"200", b"206"), data[:300]
        self.length = int(re.search(rb"(?i)content-length: (\d+)", self.head)[1])
        if not rest:
            rest = self.socket.recv(65536)
        self.first = time.monotonic() - self.began
        self.received, self._rest = len(rest), rest

    def read(self) -> bytes:
        parts = [self._rest]
        while data := self.socket.recv(1 << 20):
            parts.append(data)
        self.socket.close()
        return b"".join(parts)

    def drain(self) -> float:
        """Seconds from the first byte to the last."""
        begun = time.monotonic()
        buffer = memoryview(bytearray(4 << 20))
        while count := self.socket.recv_into(buffer):
            self.received += count
        assert self.received == self.length, (self.received, self.length)
        self.socket.close()
        return time.monotonic() - begun

    def close(self) -> None:
        self.socket.close()


class Memory:
    """The largest resident memory of the server while something goes on."""

    def __init__(self, nvr: Server):
        self.nvr, self.most = nvr, nvr.resident()
        self._stop = threading.Event()

    def __enter__(self) -> "Memory":
        self.before = self.most
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, self.nvr.resident())

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()


def export(footage: Footage) -> Result:
    result = Result(
        f"Replay: exports of 1080p at {footage.bitrate / 1e6:.2f} Mbit/s",
        ["what", "MB", "first byte ms", "MB/s", "memory before, most MB"])
    start, end = footage.span(footage.hour)
    day, night = footage.span(footage.day)
    plain = 0.0
    for copy in range(HOUR):
        (footage.nvr.recordings / str(footage.hour) / "bench" / f"{copy}.mp4").read_bytes()
    begun = time.monotonic()
    for copy in range(HOUR):
        plain += len((footage.nvr.recordings / str(footage.hour) / "bench" / f"{copy}.mp4").read_bytes())
    plain /= time.monotonic() - begun
    hour = f"/cameras/{footage.hour}/export.mp4?start={start}&end={end}"
    cases = [
        ("an hour", hour, True), ("an hour again, laid out already", hour, True), ("an hour, exact", hour + "&exact=true", True),
        ("an hour, signed", hour + "&manifest=true", True), ("a day", f"/cameras/{footage.day}/export.mp4?start={day}&end={night}", False),
        ("a day, signed", f"/cameras/{footage.day}/export.mp4?start={day}&end={night}&manifest=true", False),
        ("a time-lapse of a day", f"/cameras/{footage.day}/timelapse.mp4?start={day}&end={night}", True),
    ]
    measured = {}
    for name, path, isWhole in cases:
        with Memory(footage.nvr) as memory:
            transfer = Transfer(footage, path)
            seconds = transfer.drain() if isWhole else transfer.close()
        rate = transfer.length / seconds / 1e6 if seconds else 0
        measured[name] = (transfer.first * 1000, rate)
        result.rows.append(
            [name, f"{transfer.length / 1e6:.0f}", f"{transfer.first * 1000:.0f}", f"{rate:.0f}" if seconds else "",
             f"{memory.before / 1e6:.0f}, {memory.most / 1e6:.0f}"])
    first, rate = measured["an hour"]
    result.judge("an hour: first byte", "≤ 200 ms", f"{first:.0f} ms", first <= 200)
    result.judge("an hour: from the page cache", "≥ 300 MB/s", f"{rate:.0f} MB/s", rate >= 300)
    result.judge("a day: first byte", "< 1 s", f"{measured['a day'][0]:.0f} ms", measured["a day"][0] < 1000)
    result.notes.append(
        f"One client in Python on the same machine, `recv_into` 4 MB; reading the same files from the page cache with Python gives {plain / 1e6:.0f} MB/s. "
        "The day's files are links to one of a minute.")
    return result


def seek(footage: Footage, rounds: int = 100) -> Result:
    result = Result("Replay: seek to the first picture", ["rounds", "p50 ms", "p95 ms", "slowest ms", "KB until the first picture"])
    start, end = footage.span(footage.day)
    generator = random.Random(1)
    waits, sizes = [], []
    for _ in range(rounds):
        moment = generator.uniform(start, end - 61)
        begun = time.monotonic()
        index = Transfer(footage, f"/cameras/{footage.day}/playback.json?start={moment}&end={moment + 60}")
        segment = json.loads(index.read())["segments"][0]
        fragment = segment["fragments"][0]
        path = segment["url"]
        received = 0
        for begin, size in ((0, segment["init_length"]), (fragment["offset"], fragment["size"])):
            part = Transfer(footage, path, f"Range: bytes={begin}-{begin + size - 1}\r\n")
            part.drain()
            received += part.received
        waits.append((time.monotonic() - begun) * 1000)
        sizes.append(received / 1000)
    result.rows.append(
        [str(rounds), f"{percentile(waits, 0.5):.1f}", f"{percentile(waits, 0.95):.1f}", f"{max(waits):.1f}", f"{sum(sizes) / rounds:.0f}"])
    result.judge("seek to the first picture, p95", "≤ 300 ms", f"{percentile(waits, 0.95):.1f} ms", percentile(waits, 0.95) <= 300)
    result.notes.append("The index of a minute, the head of its file and the GOP that holds the moment, three connections one after another, in a day of footage. Decoding is the player's.")
    return result


def previews(footage: Footage) -> Result:
    result = Result("Replay: previews of 1080p", ["what", "a second", "p50 ms", "p95 ms"])
    api, generator = footage.nvr.api, random.Random(2)
    start, end = footage.span(footage.day)
    rates = {}

    def one(moment: float) -> float:
        begun = time.monotonic()
        answer = api.get(f"/cameras/{footage.day}/preview.jpg", params={"t": moment})
        assert answer.status_code == 200 and len(answer.content) > 1000
        return (time.monotonic() - begun) * 1000

    def run(name: str, moments: list[float], workers: int) -> None:
        begun = time.monotonic()
        with ThreadPoolExecutor(workers) as pool:
            waits = list(pool.map(one, moments))
        rates[name] = len(moments) / (time.monotonic() - begun)
        result.rows.append([name, f"{rates[name]:.0f}", f"{percentile(waits, 0.5):.0f}", f"{percentile(waits, 0.95):.0f}"])

    anywhere = [generator.uniform(start, end) for _ in range(150)]
    run("one after another, all different", anywhere, 1)
    run("six at a time, as a browser asks", [generator.uniform(start, end) for _ in range(150)], 6)
    run("the same again", anywhere[-60:], 1)
    sheet = api.json(f"/cameras/{footage.day}/sprite.json?t={start + 3700}")
    for name in ("a sheet of an hour, made", "a sheet of an hour, kept"):
        begun = time.monotonic()
        answer = api.get(sheet["url"], timeout=120)
        assert answer.status_code == 200, answer.text
        result.rows.append([f"{name} ({len(sheet['tiles'])} tiles, {len(answer.content) / 1000:.0f} KB)", "", f"{(time.monotonic() - begun) * 1000:.0f}", ""])
    # Somebody drags while a sheet is made.
    making = threading.Thread(target=lambda: api.get(f"/cameras/{footage.day}/sprite.jpg?t={start + 7300}", timeout=120))
    making.start()
    run("one after another while a sheet is made", [generator.uniform(start, end) for _ in range(40)], 1)
    making.join()
    slowest = min(rate for name, rate in rates.items())
    result.judge("previews while dragging", "≥ 10 a second", f"{slowest:.0f} a second (slowest)", slowest >= 10)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures replay.")
    parser.add_argument("--only", default="export,seek,previews", help="which parts to run")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "BENCHMARKS.md")
    options = parser.parse_args()
    import tempfile

    parts = {"export": export, "seek": seek, "previews": previews}
    names = options.only.split(",")
    for name in names:
        if name not in parts:
            parser.error(f"there is no part called {name}")
    work = Path(tempfile.mkdtemp(prefix="vibenvr-bench-"))
    results = []
    try:
        material = Footage(work)
        try:
            for name in names:
                say(f"{name}:")
                results.append(parts[name](material))
                for row in [results[-1].head, *results[-1].rows]:
                    say("    " + " | ".join(row))
        finally:
            material.nvr.close()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    command = " ".join(["bench/replay_bench.py", *sys.argv[1:]])
    lines = [
        "<!-- replay -->", "# Replay", "",
        f"Made by `make bench-replay` ({command}) on {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC at commit {commit()}, on {machine()}.", "",
    ]
    for result in results:
        lines += [f"## {result.title}", "", "| " + " | ".join(result.head) + " |", "|" + "---|" * len(result.head)]
        lines += ["| " + " | ".join(row) + " |" for row in result.rows]
        lines += ["", *result.notes, "", "| target | bound | measured | |", "|---|---|---|---|"]
        lines += [f"| {target} | {bound} | {value} | {'met' if met else '**missed**'} |" for target, bound, value, met in result.verdicts]
        lines.append("")
    section = "\n".join(lines) + "<!-- /replay -->\n"
    text = options.output.read_text() if options.output.exists() else "# Benchmarks\n"
    known = re.compile(r"<!-- replay -->\n.*?<!-- /replay -->\n", re.DOTALL)
    text = known.sub(lambda _: section, text) if known.search(text) else text.rstrip("\n") + "\n\n" + section
    options.output.write_text(text)
    missed = [verdict for result in results for verdict in result.verdicts if not verdict[3]]
    say(f"{sum(len(result.verdicts) for result in results) - len(missed)} targets met, {len(missed)} missed; written to {options.output}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
