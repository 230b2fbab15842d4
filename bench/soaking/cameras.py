"""The cameras of a soak: switched off and on, stopped in mid-frame, and their connections dropped."""

from __future__ import annotations

import math
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from peers import footage
from peers.gst_camera import GstCamera
from peers.numbered import Ledger

FPS = 15
PERIOD = 1 / FPS


def fixed_port(number: int) -> int:
    """A free port that nobody is given while the camera is off: below those that the system gives out."""
    for port in range(21000 + number * 50 + os.getpid() % 7 * 500, 32000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue  # Somebody listens there.
    raise RuntimeError("no port is free")


def cast() -> list[tuple[footage.Film, footage.Audio | None]]:
    """Eight cameras: both codecs, short and long groups of pictures, one and many slices, with sound and without."""
    return [
        (footage.counter(), None), (footage.counter("h265"), None), (footage.counter(), footage.sound("aac")), (footage.counter(gop_seconds=4), None),
        (footage.counter("h265"), footage.sound("aac")), (footage.counter(), footage.sound("pcma")), (footage.counter(gop_seconds=1), None),
        (footage.counter(slices=4), None),
    ]


@dataclass
class Span:
    """Wall time, seconds; the end is open while it lasts."""

    start: float
    end: float | None = None


class SoakCamera:
    def __init__(self, number: int, folder: Path):
        self.number = number
        self.film, self.audio = cast()[number]
        self.port = fixed_port(number)
        self.ledger_path = folder / f"ledger-{number + 1}"
        self.ledger = Ledger(self.ledger_path)
        self.ups: list[Span] = []
        self.stalls: list[Span] = []
        self.left: list[float] = []  # when it went, stood still or lost its connections: wall, seconds
        self.id = 0
        self._lock = threading.Lock()
        self._peer: GstCamera | None = None
        self.switch_on()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/main"

    @property
    def is_on(self) -> bool:
        """Whether it sends, or would."""
        return self._peer is not None and not (self.stalls and self.stalls[-1].end is None)

    def switch_on(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                peer = GstCamera({"/main": (self.film, self.audio)}, port=self.port, live=True, ledger=self.ledger_path)
                break
            except RuntimeError:
                # Its port may still be in the hands of connections that end.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        with self._lock:
            self._peer = peer
            self.ups.append(Span(time.time()))

    def switch_off(self) -> None:
        with self._lock:
            if self._peer is None:
                return
            self.ups[-1].end = time.time()
            self.left.append(self.ups[-1].end)
            os.kill(self._peer.pid, signal.SIGKILL)
            self._peer.close()
            self._peer = None

    def stop(self) -> None:
        self.stalls.append(Span(time.time()))
        self.left.append(self.stalls[-1].start)
        os.kill(self._peer.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._peer.pid, signal.SIGCONT)
        self.stalls[-1].end = time.time()

    def drop(self) -> None:
        self.left.append(time.time())
        self._peer.drop()

    def left_since(self, moment: float) -> bool:
        """Whether it was away at any time since."""
        return not self.is_on or any(time >= moment for time in self.left)

    def close(self) -> None:
        if self.stalls and self.stalls[-1].end is None and self._peer:
            self.go_on()
        self.switch_off()

    # What it made.

    def produced(self, begin: int, end: int) -> set[int]:
        """Frames that came into being: all while it was on, but for those in which it stood still or came too late."""
        numbers: set[int] = set()
        for span in self.ups:
            numbers.update(range(max(begin, math.ceil(span.start / PERIOD)), min(end, math.floor((span.end or math.inf) / PERIOD) if span.end else end)))
        for span in self.stalls:
            numbers.difference_update(range(math.floor(span.start / PERIOD) - 1, math.ceil((span.end or time.time()) / PERIOD) + 1))
        for first, _, skipped_from in self.ledger.runs():
            if skipped_from >= 0:
                numbers.difference_update(range(skipped_from, first))
        # What was sent was made.
        return numbers | {number for number in self.sent() if begin <= number < end}

    def sent(self) -> set[int]:
        return {number for first, end, _ in self.ledger.runs() for number in range(first, end)}

    def skipped(self) -> int:
        return sum(first - skipped_from for first, _, skipped_from in self.ledger.runs() if skipped_from >= 0)
