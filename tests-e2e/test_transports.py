"""GStreamer's RTSP server over TLS, behind other sign-ins, over a network that loses and swaps, and in a form only libav reads."""

from __future__ import annotations

import subprocess
import time

import pytest

from harness.media import follow, probe, steps
from harness.server import NVR, wait_for
from harness.tls import self_signed
from peers import footage
from peers.gst_camera import GstCamera
from peers.rtsp_proxy import Door, RTSPProxy

SECONDS = 12
TLS = ["none", "basic", "digest"]
SIGN_INS = {
    "SHA-256": Door(algorithms=("SHA-256",)),
    "SHA-256 without qop": Door(algorithms=("SHA-256",), qop=""),
    "SHA-256 of a choice of qop": Door(algorithms=("SHA-256",), qop="auth,auth-int"),
    "SHA-256-sess": Door(algorithms=("SHA-256-sess",)),
    "MD5": Door(algorithms=("MD5",)),
    "MD5-sess": Door(algorithms=("MD5-sess",)),
    "weakest first": Door(algorithms=("Basic", "MD5", "SHA-256")),
    "an unknown one first": Door(algorithms=("SHA-512-256", "MD5")),
    "short-lived nonce": Door(algorithms=("SHA-256",), nonce_uses=2),
    "odd characters": Door(algorithms=("SHA-256",), user="j\u00f6rg", password='a"b\\c d'),
}
# What must have been used where there was a choice.
USED = {"weakest first": "SHA-256", "an unknown one first": "MD5", "short-lived nonce": "SHA-256", "odd characters": "SHA-256"}
LOSSY = {"h264": Door(loss=0.02, swap=0.03, seed=5), "h265": Door(loss=0.02, swap=0.03, seed=6)}


@pytest.fixture(scope="module")
def recorded():
    """One run of all cameras at once."""
    film = footage.counter()
    lossy = {"h264": footage.counter(gop_seconds=1, slices=4), "h265": footage.counter("h265", gop_seconds=1, bitrate="1200k")}
    sound = footage.sound("aac")
    peers, ids = [], {}

    def keep(peer):
        peers.append(peer)
        return peer

    with NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        try:
            certificate = self_signed(nvr.folder / "tls")
            plain = keep(GstCamera({
                "/main": film, "/ts": film, "/ts-h265": footage.counter("h265"),
                **{f"/lossy-{codec}": lossy[codec] for codec in lossy},
            }, muxed=("/ts", "/ts-h265")))
            for auth in TLS:
                camera = keep(GstCamera({"/main": (film, sound)}, auth=auth, tls=certificate))
                ids["tls", auth] = nvr.api.add_camera(f"rtsps {auth}", camera.url(), record_audio=True)
            doors = {**SIGN_INS, **{f"lossy {codec}": door for codec, door in LOSSY.items()}}
            proxy = keep(RTSPProxy(plain.port, doors))
            logins = {"odd characters": "j%C3%B6rg:a%22b%5Cc%20d"}
            for name in SIGN_INS:
                ids["sign-in", name] = nvr.api.add_camera(name, proxy.url(name, login=logins.get(name, "viewer:pass")))
            for codec in LOSSY:
                url = proxy.url(f"lossy {codec}", f"/lossy-{codec}")
                ids["lossy", codec] = nvr.api.add_camera(f"lossy {codec}", url, rtsp_transport="udp")
            for path in ("/ts", "/ts-h265"):
                ids["libav", path] = nvr.api.add_camera(f"transport stream {path}", plain.url(path))
            try:
                wait_for("every camera is recorded", lambda: all(nvr.rows(key) for key in ids.values()), 40)
            except AssertionError:
                pass  # Each case tells for itself.
            time.sleep(SECONDS)
            try:
                # Cameras may lag behind the clock, and the server behind them.
                frames = lambda key: nvr.metric("vibenvr_stream_frames_total", camera=str(key))  # noqa: E731
                wait_for("enough frames came", lambda: all(frames(key) >= SECONDS * film.fps for key in ids.values()))
            except AssertionError:
                pass
            told = {
                "facts": {case: nvr.api.camera(key) for case, key in ids.items()},
                "metrics": {
                    name: {codec: nvr.metric(f"vibenvr_stream_{name}_total", camera=str(ids["lossy", codec])) for codec in LOSSY}
                    for name in ("network_lost", "network_reordered", "damaged_frames")
                },
                # Read after the counters of the product: what was lost in between is on this side alone.
                "doors": {name: proxy.stats(name) for name in doors},
                "plain": plain.stats(),
                # What this machine's own network dropped, since the server stood still for too long.
                "dropped": nvr.datagrams_dropped(),
            }
            nvr.terminate()
            yield {**told, "rows": {case: nvr.rows(key) for case, key in ids.items()}, "film": film, "lossy": lossy, "sound": sound}
        finally:
            for peer in peers:
                peer.close()


def movies_of(recorded, *case):
    rows, facts = recorded["rows"][case], recorded["facts"][case]
    assert rows, f"nothing recorded: {facts['status']}, {facts.get('status_reason')}"
    assert facts["status"] == "CONNECTED", facts.get("status_reason")
    return [probe(row.path) for row in rows]


def whole(movies, film, seconds=SECONDS / 2):
    assert len(movies) == 1, "the connection broke"
    stored = movies[0].fingerprints()
    assert len(stored) >= seconds * film.fps
    assert follow(stored, film.fingerprints) == ""


@pytest.mark.parametrize("auth", TLS)
def test_rtsps(recorded, auth):
    movies = movies_of(recorded, "tls", auth)
    assert recorded["facts"]["tls", auth]["source"] == "rtsp"
    whole(movies, recorded["film"])
    packets = recorded["sound"].packets
    stored = [hash(packet) for packet in movies[0].bytes_of(movies[0].track("audio"))]
    assert follow(stored, [hash(packet) for packet in packets]) == ""


@pytest.mark.parametrize("name", SIGN_INS)
def test_sign_in(recorded, name):
    door = recorded["doors"][name]
    movies = movies_of(recorded, "sign-in", name)
    whole(movies, recorded["film"])
    assert recorded["facts"]["sign-in", name]["source"] == "rtsp"
    algorithm = USED.get(name, SIGN_INS[name].algorithms[0])
    assert {key for key in door if key.startswith("signed")} == {f"signed with {algorithm}"}
    assert door.get("wrong", 0) == 0 and door["connections"] == 1
    # The first request asks for the challenge, and what follows is signed at once.
    assert door["unsigned"] == 1
    assert (door.get("stale", 0) > 0) == bool(SIGN_INS[name].nonce_uses)


@pytest.mark.parametrize("codec", LOSSY)
def test_udp_that_loses_and_swaps(recorded, codec):
    film, door = recorded["lossy"][codec], recorded["doors"][f"lossy {codec}"]
    movies = movies_of(recorded, "lossy", codec)
    assert recorded["facts"]["lossy", codec]["source"] == "rtsp"
    assert door["connections"] == 1, "loss is no reason to connect anew"
    assert door["lost"] > 10 and door["swapped"] > 10
    # The film begins with its first frame when its only client comes: the numbers of the frames are positions in the film.
    source = {frame: number for number, frame in enumerate(film.fingerprints)}
    for movie in movies:
        assert all(step > 0 for step in steps([packet.dts for packet in movie.video.packets]))
    stored = [frame for movie in movies for frame in movie.fingerprints()]
    places = [source[frame] for frame in stored if frame in source]
    unrolled = [places[0]]
    for place in places[1:]:
        unrolled.append(unrolled[-1] + (place - unrolled[-1]) % len(film.units))
    assert all(step > 0 for step in steps(unrolled)), "out of order, or twice"
    untouched = set(range(unrolled[0], unrolled[-1] + 1)) - set(door["damaged"])
    assert len(untouched - set(unrolled)) <= recorded["dropped"], f"whole frames are missing: {sorted(untouched - set(unrolled))[:10]}"
    assert len(unrolled) > SECONDS * film.fps / 2
    metrics = {name: values[codec] for name, values in recorded["metrics"].items()}
    # The product's counters were read first, and its newest losses may still wait for packets out of order.
    assert door["lost"] * 0.8 - 3 <= metrics["network_lost"] <= door["lost"] + recorded["dropped"], (metrics, door["lost"], recorded["dropped"])
    assert metrics["network_reordered"] >= door["swapped"] * 0.5, (metrics, door["swapped"])
    # Frames that lost a part are kept for what they still show, but never silently.
    damaged = len(stored) - len(places)
    assert damaged <= metrics["damaged_frames"] + 3, f"{damaged} stored, {metrics['damaged_frames']} counted"
    for movie in movies:
        run = subprocess.run(
            ["ffmpeg", "-nostdin", "-v", "quiet", "-threads", "1", "-i", movie.path, "-vsync", "passthrough", "-f", "null", "-",
             "-progress", "pipe:1"], capture_output=True, text=True, timeout=300,
        )
        frames = int(run.stdout.rpartition("frame=")[2].split()[0])
        assert run.returncode == 0 and frames >= 0.95 * len(movie.video.packets), f"{frames} of {len(movie.video.packets)} decoded"


@pytest.mark.parametrize("path", ["/ts", "/ts-h265"])
def test_a_camera_only_libav_understands(recorded, path):
    """A transport stream in RTP: our own client says that it makes no sense of it, and libav reads it, as the status tells."""
    facts = recorded["facts"]["libav", path]
    movies = movies_of(recorded, "libav", path)
    assert facts["source"] == "libav"
    assert "libav" in facts["status_reason"] and "our own client" in facts["status_reason"]
    film = recorded["film"] if path == "/ts" else footage.counter("h265")
    whole(movies, film)
