"""Which frames lie on the disk, by the numbers that are in them, and what became of the others."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

from peers.bitstream import fingerprint, length_prefixed_nals
from peers.footage import Film
from peers.numbered import number_of

CONTAINERS = {b"moov", b"trak", b"mdia", b"moof", b"traf"}


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Kind, start, start of the content and end of each box, those within containers too."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        if size < head or at + size > end:
            raise ValueError(f"box {kind!r} at {at} has {size} bytes, {end - at} are there")
        yield kind, at, at + head, at + size
        if kind in CONTAINERS:
            yield from _boxes(data, at + head, at + size)
        at += size


def video_samples(data: bytes) -> Iterator[bytes]:
    """The pictures of a fragmented MP4 file in the order they are stored (ISO/IEC 14496-12, 8.8)."""
    video = track = default_size = moof = 0
    last_track = 0
    for kind, start, content, end in _boxes(data, 0, len(data)):
        if kind == b"tkhd":
            last_track = struct.unpack_from(">I", data, content + (20 if data[content] == 1 else 12))[0]
        elif kind == b"hdlr" and data[content + 8 : content + 12] == b"vide":
            video = last_track
        elif kind == b"moof":
            moof = start
        elif kind == b"tfhd":
            flags, track = struct.unpack_from(">II", data, content)
            at = content + 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0) + (4 if flags & 8 else 0)
            default_size = struct.unpack_from(">I", data, at)[0] if flags & 0x10 else 0
        elif kind == b"trun" and track == video:
            flags, count = struct.unpack_from(">II", data, content)
            at = content + 8
            if not flags & 1:
                raise ValueError("a run without an offset")
            offset = moof + struct.unpack_from(">i", data, at)[0]
            at += 4 + (4 if flags & 4 else 0)
            step = 4 * sum(bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
            lead = 4 if flags & 0x100 else 0
            for index in range(count):
                size = struct.unpack_from(">I", data, at + index * step + lead)[0] if flags & 0x200 else default_size
                yield data[offset : offset + size]
                offset += size


@dataclass
class Shelf:
    """What was found of one camera."""

    film: Film
    stored: set[int] = field(default_factory=set)
    doubles: int = 0
    altered: int = 0
    files: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)

    def read(self, path: Path) -> tuple[int, int] | None:
        """Counts a finished file; the first and the last number in it."""
        data = path.read_bytes()
        self.files += 1
        self.bytes += len(data)
        fingerprints = self.film.fingerprints
        numbers = []
        try:
            for sample in video_samples(data):
                nals = length_prefixed_nals(sample)
                number = number_of(nals)
                if number is None or fingerprint(nals, self.film.codec) != fingerprints[number % len(fingerprints)]:
                    self.altered += 1
                    continue
                if number in self.stored:
                    self.doubles += 1
                self.stored.add(number)
                numbers.append(number)
        except (ValueError, struct.error, IndexError) as problem:
            self.problems.append(f"{path.name}: {problem}")
        return (min(numbers), max(numbers)) if numbers else None


@dataclass(frozen=True)
class Fault:
    """Something that may cost frames: of one camera, or of all."""

    kind: str
    start: float  # wall time, seconds
    end: float
    camera: int = -1
    before: float = 1.5  # seconds on their way when it began
    after: float = 12  # in which the camera is back (5 s), and its next key frame has come

    def explains(self, camera: int, time: float) -> bool:
        return self.camera in (-1, camera) and self.start - self.before <= time <= self.end + self.after


@dataclass
class Account:
    """One camera's frames at the end."""

    produced: int
    stored: int
    lost: Counter  # frames by the kind of fault
    worst: Counter  # longest piece in frames, by kind
    unexplained: list[tuple[int, int]]  # first number, count
    strange: int  # stored, but never sent
    gaps: list[tuple[float, float]]  # seconds without footage, 3 s and more


def ranges(numbers: list[int]) -> list[tuple[int, int]]:
    """Sorted numbers as first and count."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][0] + found[-1][1] == number:
            found[-1][1] += 1
        else:
            found.append([number, 1])
    return [(first, count) for first, count in found]


def settle(camera: int, shelf: Shelf, produced: set[int], sent: set[int], faults: list[Fault], period: float, window: tuple[int, int]) -> Account:
    lost, worst, unexplained = Counter(), Counter(), []
    mine = [fault for fault in faults if fault.camera in (-1, camera)]

    def cause(time: float) -> str | None:
        # Where several were at work: a camera that sends nothing, then a server that is not there, then the disk; the newest of them.
        found = [fault for fault in mine if fault.explains(camera, time)]
        return max(found, key=lambda fault: (fault.camera >= 0, not fault.kind.startswith("disk"), fault.start)).kind if found else None

    pieces: dict[str | None, list[int]] = {}
    for number in sorted(produced - shelf.stored):
        pieces.setdefault(cause(number * period), []).append(number)
    for kind, numbers in pieces.items():
        if kind is None:
            unexplained = ranges(numbers)
        else:
            lost[kind] = len(numbers)
            worst[kind] = max(count for _, count in ranges(numbers))
    present = sorted(number for number in shelf.stored if window[0] <= number < window[1])
    gaps = [(earlier * period, later * period) for earlier, later in zip(present, present[1:]) if (later - earlier) * period >= 3]
    return Account(len(produced), len(present), lost, worst, unexplained, len(shelf.stored - sent), gaps)
