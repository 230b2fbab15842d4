"""Segment rotation: every frame the camera sent is stored exactly once, whatever the codec, with and without sound."""

from __future__ import annotations

import time

import pytest

from conftest import LONG
from harness.machine import Machine
from harness.media import decode_errors, follow, probe, steps
from harness.server import NVR, wait_for
from peers import footage
from peers.gst_camera import GstCamera

SECONDS = 180 if LONG else 40
ROTATION = 10
CASES = {
    "h264": ("h264", None), "h264-pcma": ("h264", "pcma"), "h264-pcmu": ("h264", "pcmu"), "h264-aac": ("h264", "aac"),
    "h265": ("h265", None), "h265-pcma": ("h265", "pcma"), "h265-aac": ("h265", "aac"), "h264-opus": ("h264", "opus"),
}


class Recorded:
    """What one run of the matrix left: the files of each camera in order, and what the rows said."""

    def __init__(self):
        self.films = {codec: footage.counter(codec) for codec in ("h264", "h265")}
        mounts = {
            f"/{name}": (self.films[codec], footage.sound(audio) if audio else None) for name, (codec, audio) in CASES.items()
        }
        with GstCamera(mounts) as camera, NVR(segment_seconds=ROTATION) as nvr, Machine(nvr, camera) as self.machine:
            nvr.start().with_admin()
            self.cameras = {
                name: nvr.api.add_camera(name, camera.url(f"/{name}"), record_audio=audio is not None)
                for name, (_, audio) in CASES.items()
            }
            wait_for("every camera is recorded", lambda: all(nvr.rows(key) for key in self.cameras.values()), 30)
            time.sleep(SECONDS)
            # The camera may lag behind the clock, and the server behind the camera.
            wait_for("enough frames came", lambda: all(nvr.metric("vibenvr_stream_frames_total", camera=str(key)) >= SECONDS * 15 for key in self.cameras.values()))
            self.stop_seconds = nvr.terminate()
            self.rows = {name: nvr.rows(key) for name, key in self.cameras.items()}
            self.movies = {name: [probe(row.path) for row in rows] for name, rows in self.rows.items()}
            self.frames = {name: [movie.fingerprints() for movie in movies] for name, movies in self.movies.items()}
            self.sounds = {
                name: [movie.bytes_of(movie.track("audio")) for movie in self.movies[name]] for name, (_, audio) in CASES.items() if audio
            }
            self.broken = {name: decode_errors(movies[1].path) for name, movies in self.movies.items() if len(movies) > 1}
            self.sizes = {row.path: row.path.stat().st_size for rows in self.rows.values() for row in rows}
            self.checked = nvr.check()


    def stood_still(self, row, movie, at: float) -> bool:
        """Whether camera or server could not go on shortly before a time of a movie: times follow the arrival of frames where that is late."""
        wall = row.start + at - movie.video.begin
        return self.machine.kept_waiting(wall - 3, wall + 1) > 0.3


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture(params=CASES)
def name(request) -> str:
    return request.param


def test_the_server_ends_within_5_seconds(recorded):
    assert recorded.stop_seconds <= 5


def test_it_rotated(recorded, name):
    rows = recorded.rows[name]
    assert len(rows) >= SECONDS // ROTATION - 1
    for row, movie in zip(rows[:-1], recorded.movies[name]):
        # Cut at the first key frame (one every 2 s) after the length is reached, or the last before it.
        assert ROTATION - 2.1 <= movie.video.end - movie.video.begin <= ROTATION + 2.1, row.path.name
        assert row.finished


def test_every_frame_is_stored_exactly_once(recorded, name):
    codec, _ = CASES[name]
    stored = [frame for frames in recorded.frames[name] for frame in frames]
    assert len(stored) >= (SECONDS - 4) * 15
    assert follow(stored, recorded.films[codec].fingerprints) == ""


def test_files_begin_with_a_key_frame(recorded, name):
    for movie in recorded.movies[name]:
        assert movie.video.packets[0].key, movie.path.name
        assert movie.video.tag == {"h264": "avc1", "h265": "hvc1"}[CASES[name][0]]


def test_steps_between_frames_are_the_cameras(recorded, name):
    for row, movie in zip(recorded.rows[name], recorded.movies[name]):
        times = [packet.dts for packet in movie.video.packets]
        odd = [(at, step) for at, step in zip(times[1:], steps(times)) if abs(step - 1 / 15) > 0.010 and not recorded.stood_still(row, movie, at)]
        assert not odd, f"{movie.path.name}: at and steps of {odd[:5]} s"


def test_files_join_without_a_gap(recorded, name):
    rows = recorded.rows[name]
    for earlier, later in zip(rows, rows[1:]):
        assert abs(later.start - earlier.end) < 0.010, f"{earlier.path.name} ends {earlier.end}, {later.path.name} begins {later.start}"
    for row, movie in zip(rows, recorded.movies[name]):
        assert abs((row.end - row.start) - (movie.video.end - movie.video.begin)) < 0.1
        assert row.bytes == recorded.sizes[row.path]


@pytest.mark.parametrize("name", [name for name, (_, audio) in CASES.items() if audio])
def test_sound_goes_along_with_the_picture(recorded, name):
    for index, movie in enumerate(recorded.movies[name]):
        sound, video = movie.track("audio"), movie.video
        assert sound.codec == ("opus" if CASES[name][1] == "opus" else "aac")
        slack = 0.3 if index == 0 else 0.12
        assert abs(sound.begin - video.begin) < slack, f"{movie.path.name}: sound begins {sound.begin - video.begin:+.3f} s off"
        if index < len(recorded.movies[name]) - 1:
            assert abs(sound.end - video.end) < 0.15, f"{movie.path.name}: sound ends {sound.end - video.end:+.3f} s off"
        times, row = [packet.dts for packet in sound.packets], recorded.rows[name][index]
        gaps = [step for at, step in zip(times[1:], steps(times)) if step <= 0 or step > 0.150 and not recorded.stood_still(row, movie, at)]
        assert not gaps, f"{movie.path.name}: sound steps of {gaps[:5]} s"


@pytest.mark.parametrize("name", [name for name, (_, audio) in CASES.items() if audio == "aac"])
def test_aac_is_copied_packet_by_packet(recorded, name):
    stored = [packet for packets in recorded.sounds[name] for packet in packets]
    source = footage.sound("aac").packets
    assert len(stored) > (SECONDS - 4) / 0.064
    assert follow([hash(packet) for packet in stored], [hash(packet) for packet in source]) == ""


def test_they_decode_without_an_error(recorded, name):
    assert recorded.broken[name] == ""


def test_rows_and_files_agree(recorded):
    assert recorded.checked.returncode == 0, recorded.checked.stdout + recorded.checked.stderr
