"""Frames that carry a number: the camera writes it into each as an SEI message, and whoever has the frame reads it there.

Numbers count frame times since 1970, so they tell when a frame was made, and all cameras of one pace count alike. The message is
"user data unregistered" (H.264 D.1.7, H.265 D.2.7): an identifier of ours, then the number as 16 hexadecimal digits, which need no
emulation prevention.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

IDENTIFIER = bytes.fromhex("a1b2c3d4e5f647589abcdef123456789")
_HEADER = {"h264": b"\x06", "h265": b"\x4e\x01"}
_MARK = b"\x05\x20" + IDENTIFIER


def numbered_at(seconds: float, period: float) -> int:
    """The number of the frame that is due at a wall time."""
    return int(seconds / period + 1e-6)


def stamp(number: int, codec: str) -> bytes:
    """The NAL unit that says the number, with its start code."""
    return b"\x00\x00\x00\x01" + _HEADER[codec] + _MARK + b"%016x" % number + b"\x80"


def number_of(nals: list[bytes]) -> int | None:
    """What an access unit says."""
    for nal in nals:
        for header in _HEADER.values():
            if nal.startswith(header + _MARK):
                at = len(header) + len(_MARK)
                return int(nal[at : at + 16], 16)
    return None


class Ledger:
    """What one camera sent, in a file that both sides map: runs of numbers without a hole, from the first to before the end."""

    MOST = 8192
    _RUN = struct.Struct("<qqq")

    def __init__(self, path: Path):
        size = (self.MOST + 1) * self._RUN.size
        if not path.exists() or path.stat().st_size != size:
            path.write_bytes(bytes(size))
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)

    @property
    def _count(self) -> int:
        return self._RUN.unpack_from(self._map, 0)[0]

    def begin(self, number: int, skipped_from: int = -1) -> int:
        """A run begins here, after numbers that were never made when the camera came too late; its place."""
        place = self._count + 1
        if place > self.MOST:
            raise OverflowError("the ledger is full")
        self._RUN.pack_into(self._map, place * self._RUN.size, number, number, skipped_from)
        self._RUN.pack_into(self._map, 0, place, 0, 0)
        return place

    def sent(self, place: int, number: int) -> None:
        struct.pack_into("<q", self._map, place * self._RUN.size + 8, number + 1)

    def runs(self) -> list[tuple[int, int, int]]:
        """First, end, and from where on numbers before the first were left out by the camera itself (-1: none)."""
        return [self._RUN.unpack_from(self._map, (index + 1) * self._RUN.size) for index in range(self._count)]
