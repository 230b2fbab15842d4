"""What happens in a soak and when: made of a seed alone, so that the same faults come again."""

from __future__ import annotations

import random
from dataclasses import dataclass

# Without restarts of the server: long enough to see what its memory does.
CALM_SHARE = (0.25, 0.85)
DISK_CALLS = (("write",), ("fdatasync",), ("fsync",), ("open",), ())  # (): all
VISITORS = 3


@dataclass(frozen=True)
class Step:
    at: float  # seconds from the beginning
    lane: str
    kind: str
    seconds: float = 0
    camera: int = -1
    calls: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = [f"{self.at:7.1f} s  {self.lane:9} {self.kind}"]
        if self.camera >= 0:
            words.append(f"camera {self.camera + 1}")
        if self.seconds:
            words.append(f"for {self.seconds:.1f} s")
        if self.lane == "server" and self.kind in ("stall", "enospc", "eio", "kill in stall"):
            words.append(f"in {', '.join(self.calls) or 'every call'}")
        return " ".join(words)


def make(seed: int, length: float, cameras: int) -> list[Step]:
    """`length`: seconds. The last fault has ended 30 s before the end."""
    steps = _of_cameras(random.Random(seed * 10 + 1), length - 30, cameras)
    steps += _of_server(random.Random(seed * 10 + 2), length - 30)
    for visitor in range(VISITORS):
        steps += _visits(random.Random(seed * 10 + 3 + visitor), length - 30, cameras, f"visitor {visitor + 1}")
    steps += _cleanups(random.Random(seed * 10 + 9), length - 30)
    steps.append(Step(min(90.0, length * 0.4), "cleanups", "hold", 20, 0))
    return sorted(steps, key=lambda step: step.at)


def _of_cameras(chance: random.Random, end: float, cameras: int) -> list[Step]:
    steps: list[Step] = []
    free = [10.0] * cameras
    at = 10.0
    while True:
        at += chance.uniform(4, 28)
        kind = chance.choices(["restart", "stall", "drop", "blackout"], [34, 34, 28, 4])[0]
        seconds = {
            "restart": chance.uniform(2, 25), "stall": chance.choice([chance.uniform(0.5, 8), chance.uniform(12, 30)]), "drop": 0,
            "blackout": chance.uniform(3, 15),
        }[kind]
        chosen = list(range(cameras)) if kind == "blackout" else [chance.randrange(cameras)]
        if at + seconds > end:
            return steps
        for camera in chosen:
            if free[camera] <= at:
                steps.append(Step(at, "camera", "restart" if kind == "blackout" else kind, seconds, camera))
                # It has its time to come back, so that what is missing has one cause.
                free[camera] = at + seconds + 20


def _of_server(chance: random.Random, end: float) -> list[Step]:
    steps: list[Step] = []
    at = 15.0
    while True:
        at += chance.uniform(18, 50)
        calm = CALM_SHARE[0] * end < at < CALM_SHARE[1] * end
        kind = chance.choices(["stall", "enospc", "eio", "kill", "term", "kill in stall"], [25, 20, 15, 0, 0, 0] if calm else [12, 10, 8, 25, 25, 20])[0]
        seconds = {
            "stall": chance.choice([chance.uniform(0.5, 5), chance.uniform(5, 30)]), "enospc": chance.uniform(2, 15), "eio": chance.uniform(1, 6),
            "kill in stall": chance.uniform(1, 10),
        }.get(kind, 0)
        if at + seconds > end:
            return steps
        steps.append(Step(at, "server", kind, seconds, calls=chance.choice(DISK_CALLS) if seconds else ()))
        at += seconds


def _visits(chance: random.Random, end: float, cameras: int, lane: str) -> list[Step]:
    steps: list[Step] = []
    at = 5.0
    while True:
        at += chance.uniform(1, 12)
        kind = chance.choices(["live", "fragments", "file", "playlist", "export", "archive", "snapshot"], [25, 15, 20, 15, 15, 5, 5])[0]
        seconds = {"live": chance.uniform(2, 20), "fragments": chance.uniform(2, 20), "export": chance.uniform(10, 40), "archive": 20.0}.get(kind, 0)
        if at + seconds > end:
            return steps
        steps.append(Step(at, lane, kind, seconds, chance.randrange(cameras)))
        at += seconds if kind in ("live", "fragments") else 0


def _cleanups(chance: random.Random, end: float) -> list[Step]:
    steps: list[Step] = []
    at = 30.0
    while at < end:
        steps.append(Step(at, "cleanups", "cleanup"))
        at += chance.uniform(20, 60)
    return steps
