"""Servers that are not ours × transports × codecs × sound × sign-in: what is recorded is what the camera sent."""

from __future__ import annotations

import itertools
import time

import pytest

from harness.media import decode_errors, follow, holes, probe
from harness.server import NVR, wait_for
from peers import footage
from peers.gst_camera import GstCamera
from peers.program_camera import IpycamCamera, VLCCamera

SECONDS = 8
GST = [
    ("gst", transport, codec, audio, auth)
    for transport, codec, audio, auth in itertools.product(
        ("tcp", "udp"), ("h264", "h265"), (None, "pcma", "aac"), ("none", "basic", "digest")
    )
]
# VLC's RTSP output refuses interleaved TCP (461) and knows no Digest.
VLC = [("vlc", "udp", codec, audio, auth) for codec, audio, auth in itertools.product(("h264", "h265"), (None, "aac"), ("none", "basic"))]
# ipycam has neither H.265 nor sound nor sign-in; over UDP it sends nothing that ffmpeg could read either.
IPYCAM = [("ipycam", "tcp", "h264", None, "none")]
OTHER = [("gst", transport, "mjpeg", None, "none") for transport in ("tcp", "udp")]


def name_of(case: tuple) -> str:
    return "-".join(part or "silent" for part in case)


@pytest.fixture(scope="module")
def recorded():
    """One run of all cameras at once: the rows and the server's own words about each."""
    films = {codec: footage.counter(codec) for codec in ("h264", "h265", "mjpeg")}
    cameras, urls = [], {}
    with NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        try:
            for auth in ("none", "basic", "digest"):
                mounts = {
                    f"/{codec}-{audio}": (films[codec], footage.sound(audio) if audio else None)
                    for codec in ("h264", "h265") for audio in (None, "pcma", "aac")
                }
                if auth == "none":
                    mounts["/mjpeg-None"] = films["mjpeg"]
                camera = GstCamera(mounts, auth=auth, user="view er", password="p@ss/w:ord?")
                camera.user, camera.password = "view%20er", "p%40ss%2Fw%3Aord%3F"
                cameras.append(camera)
                for case in GST + OTHER:
                    if case[4] == auth:
                        urls[case] = camera.url(f"/{case[2]}-{case[3]}")
            for case in VLC:
                camera = VLCCamera(films[case[2]], footage.sound(case[3]) if case[3] else None, auth=case[4])
                cameras.append(camera)
                urls[case] = camera.url()
            ipycam = IpycamCamera(footage.bikes())
            cameras.append(ipycam)
            urls[IPYCAM[0]] = ipycam.url()
            ids = {
                case: nvr.api.add_camera(name_of(case), url, rtsp_transport=case[1], record_audio=case[3] is not None)
                for case, url in urls.items()
            }
            try:
                wait_for("every camera is recorded", lambda: all(nvr.rows(key) for key in ids.values()), 30)
            except AssertionError:
                pass  # Each case tells for itself.
            time.sleep(SECONDS)
            try:
                # Some of sixty cameras begin late on a busy machine.
                wait_for("all have seconds of footage", lambda: all(sum(row.end - row.start for row in nvr.rows(key)) >= SECONDS for key in ids.values()))
            except AssertionError:
                pass
            facts = {case: nvr.api.camera(key) for case, key in ids.items()}
            dropped = nvr.datagrams_dropped()
            received = nvr.metric("vibenvr_stream_frames_total", camera=str(ids[IPYCAM[0]]))
            nvr.terminate()
            yield {"dropped": dropped, "received": received, "rows": {case: nvr.rows(key) for case, key in ids.items()}, "facts": facts, "films": films}
        finally:
            for camera in cameras:
                camera.close()


def movie_of(recorded, case):
    rows, facts = recorded["rows"][case], recorded["facts"][case]
    assert rows, f"nothing recorded: {facts['status']}, {facts.get('status_reason')}"
    return probe(rows[0].path)


@pytest.mark.parametrize("case", GST + VLC, ids=name_of)
def test_recorded_packets_are_the_sources(recorded, case):
    movie = movie_of(recorded, case)
    assert recorded["facts"][case]["source"] == "rtsp", "our own client must make sense of it"
    stored = movie.fingerprints()
    assert len(stored) >= SECONDS * 15 / 2
    source = recorded["films"][case[2]].fingerprints
    # What this machine's own network drops, since the server stood still for too long, cannot be stored.
    if case[1] == "udp" and recorded["dropped"]:
        assert holes(stored, source) <= recorded["dropped"]
    else:
        assert follow(stored, source) == ""
    assert (movie.video.width, movie.video.height) == (640, 360)
    if case[3]:
        sound = movie.track("audio")
        assert sound.codec == "aac" and abs(sound.end - movie.video.end) < 0.5
    if case[3] == "aac" and not (case[1] == "udp" and recorded["dropped"]):
        packets = footage.sound("aac").packets
        assert follow([hash(packet) for packet in movie.bytes_of(movie.track("audio"))], [hash(packet) for packet in packets]) == ""


@pytest.mark.parametrize("case", IPYCAM, ids=name_of)
def test_a_camera_that_encodes_for_each_client(recorded, case):
    # Nobody else sees the packets it made for us: they must be whole, as many as came, and no more than its pictures a second, of which it
    # makes fewer on a busy machine.
    movie = movie_of(recorded, case)
    assert decode_errors(movie.path) == ""
    length = movie.video.end - movie.video.begin
    assert length > SECONDS / 2 and len(movie.video.packets) / length < 11.5
    assert len(movie.video.packets) >= recorded["received"] - 5


@pytest.mark.parametrize("case", OTHER, ids=name_of)
def test_motion_jpeg(recorded, case):
    movie = movie_of(recorded, case)
    assert movie.video.codec == "mjpeg" and (movie.video.width, movie.video.height) == (640, 360)
    assert decode_errors(movie.path) == ""
    length = movie.video.end - movie.video.begin
    assert length > SECONDS / 2 and abs(len(movie.video.packets) / length - 15) < 1.5
