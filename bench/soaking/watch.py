"""What the server weighs, and how fast it answers, all the time."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy

from harness.api import API
from harness.server import NVR

WARM_SECONDS = 120  # of a life that do not count for slopes: caches fill
SHORTEST_LIFE = 300


@dataclass(frozen=True)
class Weight:
    time: float  # wall, seconds
    life: int
    resident: float  # MB
    private: float  # MB
    descriptors: int
    threads: int
    database: float  # MB, with its log


@dataclass(frozen=True)
class Answer:
    time: float
    path: str
    milliseconds: float
    status: int  # 0: none


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def slope(points: list[tuple[float, float]]) -> float:
    """Per hour, by least squares; points are seconds and values."""
    times, values = numpy.array(points).T
    return float(numpy.polyfit((times - times[0]) / 3600, values, 1)[0])


class Watch:
    """Two threads: one reads /proc, one asks. They begin with `start` and end with `stop`."""

    def __init__(self, nvr: NVR):
        self.nvr = nvr
        self.life = 0
        self.weights: list[Weight] = []
        self.answers: list[Answer] = []
        self.counters: dict[int, dict[str, float]] = {}  # of each life, as last seen
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._weigh, self._ask)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(40)

    def _weigh(self) -> None:
        while not self._ended.wait(5):
            process, life = self.nvr.process, self.life
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
                found = {name: int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "RssAnon", "Threads")}
                descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))
            except (OSError, TypeError):
                continue  # It is being restarted.
            size = sum(path.stat().st_size for path in self.nvr.data.glob("vibenvr.db*") if path.suffix in (".db", ".db-wal"))
            if life == self.life:
                self.weights.append(Weight(
                    time.time(), life, found["VmRSS"] / 1024, found["RssAnon"] / 1024, descriptors, found["Threads"], size / 2**20))

    def _ask(self) -> None:
        api, rounds = API(""), 0
        while not self._ended.wait(1):
            api.base, api.token, life = self.nvr.api.base, self.nvr.api.token, self.life
            now = time.time()
            for path in ("/health", "/events?limit=50", f"/timeline?start={now - 3600:.0f}&end={now:.0f}"):
                begun, wall, status = time.perf_counter(), time.time(), 0
                try:
                    status = api.get(path, timeout=60).status_code
                except Exception:  # noqa: BLE001  whatever it was, there was no answer
                    pass
                self.answers.append(Answer(wall, path.partition("?")[0], (time.perf_counter() - begun) * 1000, status))
            rounds += 1
            if rounds % 10 == 0:
                self._read_counters(api, life)

    def _read_counters(self, api: API, life: int) -> None:
        try:
            text = api.get("/metrics").text
        except Exception:  # noqa: BLE001
            return
        names = ("vibenvr_stream_dropped_frames_total", "vibenvr_stream_network_lost_total", "vibenvr_stream_damaged_frames_total", "vibenvr_live_lost_frames_total")
        self.counters[life] = {name: sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)) for name in names}

    def total(self, name: str) -> int:
        return int(sum(counters.get(name, 0) for counters in self.counters.values()))

    # What came of it.

    def lives(self) -> list[list[Weight]]:
        found = defaultdict(list)
        for weight in self.weights:
            found[weight.life].append(weight)
        return [found[life] for life in sorted(found)]

    def settled(self) -> list[list[Weight]]:
        """Lives that are long enough, without their beginnings."""
        long = [life for life in self.lives() if life[-1].time - life[0].time >= SHORTEST_LIFE]
        return [[weight for weight in life if weight.time >= life[0].time + WARM_SECONDS] for life in long]

    @staticmethod
    def later(life: list[Weight]) -> list[Weight]:
        """Its second half: by then the allocator has what it will ever need at once."""
        middle = (life[0].time + life[-1].time) / 2
        return [weight for weight in life if weight.time >= middle]

    def overall(self, name: str) -> float | None:
        """The slope that fits all long lives, each from its own beginning."""
        points = []
        for life in self.settled():
            values = [getattr(weight, name) for weight in life]
            begin, middle = sum(weight.time for weight in life) / len(life), sum(values) / len(values)
            points += [(weight.time - begin, value - middle) for weight, value in zip(life, values)]
        return slope(points) if points else None
