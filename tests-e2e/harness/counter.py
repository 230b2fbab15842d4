"""Reads the frame numbers that the counter films have in their upper left corner, from what a browser showed."""

from __future__ import annotations

import base64
import subprocess

import numpy

from peers.footage import Film

# As in pages/live.js: this corner of a film of 640×360, in half its size.
LEFT, TOP, WIDTH, HEIGHT = 16, 16, 176, 72


class CounterReader:
    """Knows every frame's corner, and finds the one that is most like what was seen."""

    def __init__(self, film: Film):
        scale = film.width / 640
        crop = f"crop={WIDTH * scale:.0f}:{HEIGHT * scale:.0f}:{LEFT * scale:.0f}:{TOP * scale:.0f}"
        size = (WIDTH // 2, HEIGHT // 2)
        raw = subprocess.run(
            ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", film.path, "-vf", f"{crop},scale={size[0]}:{size[1]}:flags=area",
             "-pix_fmt", "rgb24", "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
        frames = numpy.frombuffer(raw, numpy.uint8).reshape(-1, size[1], size[0], 3)[..., 1]
        self.count = len(frames)
        self._corners = self._marked(frames)

    @staticmethod
    def _marked(frames: numpy.ndarray) -> numpy.ndarray:
        """White digits on black: what is bright, whatever the decoder made of the colours."""
        return (frames.reshape(len(frames), -1).astype(numpy.float32) > 140).astype(numpy.float32)

    def number(self, corner: str) -> int:
        seen = self._marked(numpy.frombuffer(base64.b64decode(corner), numpy.uint8)[None])[0]
        distances = numpy.abs(self._corners - seen).sum(axis=1)
        return int(distances.argmin())

    def numbers(self, corners: list[str]) -> list[int]:
        return [self.number(corner) for corner in corners]

    def steps(self, numbers: list[int]) -> list[int]:
        """From each frame to the next, on the loop that the film is: 1 where nothing is missing, 0 for a repeat."""
        return [(later - earlier + self.count // 2) % self.count - self.count // 2 for earlier, later in zip(numbers, numbers[1:])]
