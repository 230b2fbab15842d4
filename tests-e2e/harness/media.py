"""What ffprobe and ffmpeg say about a stored file, and its frames as fingerprints."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from peers.bitstream import fingerprint, length_prefixed_nals


@dataclass(frozen=True)
class Packet:
    pts: float  # seconds
    dts: float
    duration: float
    pos: int
    size: int
    key: bool


@dataclass(frozen=True)
class Track:
    kind: str  # video, audio
    codec: str
    tag: str
    width: int
    height: int
    packets: list[Packet]

    @property
    def begin(self) -> float:
        return self.packets[0].pts

    @property
    def end(self) -> float:
        return self.packets[-1].pts + self.packets[-1].duration


@dataclass(frozen=True)
class Movie:
    path: Path
    tracks: list[Track]

    def track(self, kind: str) -> Track:
        found = [track for track in self.tracks if track.kind == kind]
        assert len(found) == 1, f"{self.path.name} has {len(found)} {kind} tracks"
        return found[0]

    @property
    def video(self) -> Track:
        return self.track("video")

    def bytes_of(self, track: Track) -> list[bytes]:
        data = self.path.read_bytes()
        return [data[packet.pos : packet.pos + packet.size] for packet in track.packets]

    def fingerprints(self) -> list[str]:
        """Of every picture, in the order it is stored."""
        codec = {"hevc": "h265"}.get(self.video.codec, self.video.codec)
        return [fingerprint(length_prefixed_nals(sample), codec) for sample in self.bytes_of(self.video)]


def probe(path: Path, level: str = "warning") -> Movie:
    """The file's tracks and packets; fails when ffprobe has the least to complain of this level."""
    entries = "stream=index,codec_type,codec_name,codec_tag_string,width,height,time_base:packet=stream_index,pts,dts,duration,pos,size,flags"
    run = subprocess.run(
        ["ffprobe", "-v", level, "-show_entries", entries, "-of", "json", str(path)], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0 and not run.stderr.strip(), f"ffprobe on {path} ended with {run.returncode}: {run.stderr.strip()[:600]}"
    found = json.loads(run.stdout)
    tracks = []
    for stream in found["streams"]:
        base = Fraction(stream["time_base"])
        packets = [
            Packet(
                float(packet["pts"] * base), float(packet["dts"] * base), float(int(packet.get("duration", 0)) * base),
                int(packet["pos"]), int(packet["size"]), "K" in packet["flags"],
            )
            for packet in found["packets"] if packet["stream_index"] == stream["index"]
        ]
        tracks.append(Track(
            stream["codec_type"], stream["codec_name"], stream["codec_tag_string"], stream.get("width", 0), stream.get("height", 0), packets
        ))
    return Movie(path, tracks)


def decode_errors(path: Path) -> str:
    """What ffmpeg says while it decodes the whole file to nothing; empty when all is well."""
    run = subprocess.run(
        # Times go on in the file's own ticks: rounded to a nominal frame rate, frames of a burst would fall on one.
        ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-i", str(path), "-vsync", "passthrough", "-enc_time_base", "-1",
         "-f", "null", "-"], capture_output=True, text=True, timeout=300
    )
    return run.stderr.strip()


def steps(values: list[float]) -> list[float]:
    return [later - earlier for earlier, later in zip(values, values[1:])]


def holes(stored: list[str], source: list[str]) -> int:
    """How many frames of the looped source are missing, or not as they were, between the first and the last that are stored; in order they
    have to be, and none twice."""
    places = [source.index(frame) for frame in stored if frame in source]
    assert places, "nothing is stored"
    ahead = [(later - earlier) % len(source) or len(source) for earlier, later in zip(places, places[1:])]
    # What comes late or twice would be most of a turn ahead.
    assert all(step < len(source) / 2 for step in ahead), "out of order, or twice"
    return sum(step - 1 for step in ahead)


def follow(stored: list[str], source: list[str]) -> str:
    """Empty when the stored frames are the looped source without a gap or a repeat; else what is wrong first."""
    if not stored:
        return "nothing is stored"
    if stored[0] not in source:
        return "the first stored frame is not one of the source's"
    at = source.index(stored[0])
    for number, frame in enumerate(stored):
        wanted = source[(at + number) % len(source)]
        if frame != wanted:
            if frame not in source:
                return f"frame {number} of {len(stored)} is not one of the source's"
            found = source.index(frame)
            skipped = (found - (at + number)) % len(source)
            return f"frame {number} of {len(stored)}: frame {found} of the source instead of {(at + number) % len(source)} ({skipped} skipped)"
    return ""
