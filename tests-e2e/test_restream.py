"""Cameras played on by RTSP: what players and recorders of others get is what the camera sent, and only for who may see it."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Callable

import pytest

from harness.media import follow
from harness.rtsp import Ended, RTSPClient
from harness.server import NVR, PASSWORD, USER, wait_for
from peers import footage
from peers.bitstream import access_units, adts_frames
from peers.fault_camera import FaultCamera
from peers.gst_camera import GstCamera
from test_live import soonest

SECONDS = 5
NAMES = ["h264-aac", "h265-pcma", "h264-pcmu", "h265-opus"]


@pytest.fixture(scope="module")
def scene():
    """A server with one camera of each kind, and a user of each kind."""
    films = {codec: footage.counter(codec) for codec in ("h264", "h265", "mjpeg")}
    mounts = {f"/{name}": (films[name[:4]], footage.sound(name[5:])) for name in NAMES}
    mounts |= {"/mjpeg": films["mjpeg"], "/sub": footage.small(), "/hd": footage.full_hd()}
    with GstCamera(mounts, live=True) as camera, NVR(segment_seconds=None, VIBENVR_TLS_SELF_SIGNED="true") as nvr:
        nvr.start().with_admin()
        ids = {path[1:]: nvr.api.add_camera(path[1:], camera.url(path), record_audio=True, recording_mode="Off") for path in mounts}
        ids["front door"] = nvr.api.add_camera("front door", camera.url("/h264-aac"), sub_rtsp_url=camera.url("/sub"), recording_mode="Off")
        for name, granted in (("may", [ids["h264-aac"]]), ("may-not", [])):
            body = {"username": name, "password": PASSWORD, "restrict_camera_access": True, "allowed_camera_ids": granted}
            assert nvr.api.post("/users", json=body).status_code == 200
        wait_for("all cameras run", lambda: all(nvr.api.status(key) == "CONNECTED" for key in ids.values()), 120)
        yield nvr, ids, films


@pytest.fixture(scope="module")
def key(scene):
    nvr, _, _ = scene
    return nvr.api.post("/v1/api-tokens", json={"name": "recorder"}).json()["token"]


@pytest.fixture
def secret(scene):
    nvr, _, _ = scene
    made = nvr.api.post("/auth/streaming-secret").json()
    assert made["username"] == USER and len(made["secret"]) == 24
    return made["secret"]


# Programs of others.


def ffmpeg(url: str, *options: str, output: list[str], seconds: float = SECONDS) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", *options, "-t", str(seconds), "-i", url, *output], capture_output=True, text=True, timeout=120)


def ffprobe(url: str, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["ffprobe", "-v", "error", "-rtsp_transport", "tcp", *options, "-show_entries", "stream=codec_name", "-of", "csv=p=0", url],
        capture_output=True, text=True, timeout=120)


def gstreamer(pipeline: str, is_enough: Callable[[], bool]) -> str:
    """Runs until that is so, and ends in good order; what it had to say."""
    child = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "gst-launch-1.0", "-e", *pipeline.split()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True)
    deadline = time.monotonic() + 90
    while child.poll() is None and not is_enough() and time.monotonic() < deadline:
        time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    try:
        child.wait(60)
    except subprocess.TimeoutExpired:
        child.kill()
    return child.stdout.read()


def same(units: list, film, fewest: int) -> None:
    """The pictures are the film without a gap; the last may have been cut by the end of the program."""
    stored = [unit.fingerprint for unit in units][:-1]
    assert len(stored) >= fewest
    assert follow(stored, film.fingerprints) == ""


def by_each(transport: str, attempt: Callable[[], None]) -> None:
    """What goes over UDP is lost when the client stands still for longer than the kernel keeps it: that does not happen each time."""
    for again in range(2 if transport == "udp" else 0):
        try:
            return attempt()
        except AssertionError as problem:
            print(f"attempt {again + 1}: {problem}")
    return attempt()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("name", NAMES)
def test_ffmpeg_gets_what_the_camera_sent(scene, tmp_path, name, transport):
    nvr, ids, films = scene
    codec, kind = name.split("-")
    form = {"aac": "adts", "pcma": "alaw", "pcmu": "mulaw", "opus": "opus"}[kind]
    video, sound = tmp_path / "video", tmp_path / "sound"

    def attempt() -> None:
        run = ffmpeg(
            nvr.stream_url(ids[name]), "-y", "-rtsp_transport", transport,
            output=["-map", "0:v", "-c", "copy", "-f", {"h264": "h264", "h265": "hevc"}[codec], str(video),
                    "-map", "0:a", "-c", "copy", "-f", form, str(sound)])
        assert run.returncode == 0, run.stderr
        assert not [line for line in run.stderr.splitlines() if re.search("missed|corrupt|error|invalid", line, re.I)], run.stderr
        same(access_units(video.read_bytes(), codec), films[codec], SECONDS * films[codec].fps * 0.8)
        source = footage.sound(kind)
        heard = sound.read_bytes()
        if kind == "aac":
            packets = adts_frames(heard)
        elif kind in ("pcma", "pcmu"):
            packets = [heard[at : at + 160] for at in range(0, len(heard) // 160 * 160, 160)]
        else:
            return
        assert follow([hash(packet) for packet in packets], [hash(packet) for packet in source.packets]) == ""
        assert len(packets) * source.packet_seconds > SECONDS * 0.7

    by_each(transport, attempt)


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_gstreamer_gets_what_the_camera_sent(scene, tmp_path, codec, transport):
    nvr, ids, films = scene
    name = next(name for name in NAMES if name.startswith(codec))
    out = tmp_path / "video"
    parser = {"h264": "rtph264depay ! h264parse ! video/x-h264", "h265": "rtph265depay ! h265parse ! video/x-h265"}[codec]
    fewest = int(SECONDS * films[codec].fps * 0.7)

    def is_enough() -> bool:
        return out.exists() and len(access_units(out.read_bytes(), codec)) > fewest + 2

    def attempt() -> None:
        # gst-launch links what comes by itself, and says when it could not since it came at a wrong moment: then nothing flows.
        for _ in range(3):
            out.unlink(missing_ok=True)
            said = gstreamer(
                f"rtspsrc location={nvr.stream_url(ids[name], '')} user-id={USER} user-pw={PASSWORD} protocols={transport} name=source "
                f"source. ! application/x-rtp,media=video ! {parser},stream-format=byte-stream,alignment=au ! filesink location={out} sync=false "
                f"source. ! application/x-rtp,media=audio ! fakesink sync=false", is_enough)
            if "Delayed linking failed" not in said:
                break
        assert out.exists() and out.stat().st_size, said[-2000:]
        same(access_units(out.read_bytes(), codec), films[codec], fewest)

    by_each(transport, attempt)


def test_motion_jpeg(scene, tmp_path):
    nvr, ids, films = scene
    out = tmp_path / "pictures"
    run = ffmpeg(nvr.stream_url(ids["mjpeg"]), "-rtsp_transport", "tcp", output=["-map", "0:v", "-c", "copy", "-f", "mjpeg", str(out)])
    assert run.returncode == 0, run.stderr
    assert out.read_bytes().count(b"\xff\xd8\xff") >= SECONDS * films["mjpeg"].fps * 0.7


# Debian builds VLC without it at times.
VLC_READS_RTSP = bool(list(Path("/usr/lib").glob("*/vlc/plugins/access/liblive555_plugin.so")))


@pytest.mark.skipif(not VLC_READS_RTSP, reason="this build of VLC has no RTSP client (live555)")
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_vlc_gets_what_the_camera_sent(scene, codec):
    nvr, ids, films = scene
    name = next(name for name in NAMES if name.startswith(codec))
    folder = Path(tempfile.mkdtemp(prefix="vlc-client-"))
    folder.chmod(0o777)
    try:
        rights = ["--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        movie = folder / "movie.ts"
        child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *rights, "/usr/bin/cvlc", "-I", "dummy", "--no-color", "--no-interact", "--rtsp-tcp",
             f"--rtsp-user={USER}", f"--rtsp-pwd={PASSWORD}", "--no-sout-audio", f"--run-time={SECONDS + 3}",
             f"--sout=#standard{{access=file,mux=ts,dst={movie}}}", nvr.stream_url(ids[name], ""), "vlc://quit"],
            cwd=folder, env={**os.environ, "HOME": str(folder)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True)
        try:
            child.wait(SECONDS + 25)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
            child.wait(20)
        said = child.stdout.read()
        assert movie.exists() and movie.stat().st_size, said[-3000:]
        raw = folder / "raw"
        run = ffmpeg(str(movie), output=["-map", "0:v", "-c", "copy", "-f", {"h264": "h264", "h265": "hevc"}[codec], str(raw)], seconds=60)
        assert run.returncode == 0, run.stderr
        same(access_units(raw.read_bytes(), codec), films[codec], SECONDS * films[codec].fps * 0.6)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("digest", [False, True])
def test_requests_as_vlc_makes_them(scene, secret, digest):
    """The requests of live555, which VLC uses, and its way of reading challenges: by a pattern, the last digest that it finds."""
    nvr, ids, _ = scene
    path = str(ids["h264-aac"]) + ("?auth=digest" if digest else "")
    with RTSPClient(nvr.stream_port(), path, f"{USER}:{secret if digest else PASSWORD}") as client:
        assert client.request("OPTIONS", authorize=False).status == 200
        refused = client.request("DESCRIBE", authorize=False, Accept="application/sdp")
        assert refused.status == 401
        found = refused.all("WWW-Authenticate")[-1]
        if digest:
            realm, nonce = re.match(r'Digest realm="([^"]*)", nonce="([^"]*)"', found).groups()

            def answer(method: str, url: str) -> str:
                # Without qop, and with the URL of the whole for every request (RFC 2069).
                import hashlib

                def spell(text: str) -> str:
                    return hashlib.md5(text.encode()).hexdigest()

                response = spell(f"{spell(f'{USER}:{realm}:{secret}')}:{nonce}:{spell(f'{method}:{client.url}')}")
                return f'Digest username="{USER}", realm="{realm}", nonce="{nonce}", uri="{client.url}", response="{response}"'

            client.authorization = answer
        else:
            assert re.match(r'Basic realm="([^"]*)"', found)
        described = client.request("DESCRIBE", Accept="application/sdp")
        assert described.status == 200
        base = described.get("Content-Base")
        assert base == f"rtsp://127.0.0.1:{nvr.stream_port()}/{ids['h264-aac']}/"
        for track in range(2):
            answer_ = client.request("SETUP", f"{base}trackID={track}", Transport=f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}")
            assert answer_.status == 200
            client.session = answer_.get("Session").partition(";")[0]
        assert client.request("PLAY", base, Range="npt=0.000-").status == 200
        assert len(client.media(30)) == 30 and client.media(1, 2)
        assert client.request("GET_PARAMETER", base).status == 200
        assert client.request("TEARDOWN", base).status == 200


def test_rtsps(scene, tmp_path):
    nvr, ids, films = scene
    out = tmp_path / "video"
    run = ffmpeg(nvr.stream_url(ids["h264-aac"], scheme="rtsps"), output=["-map", "0:v", "-c", "copy", "-f", "h264", str(out)])
    assert run.returncode == 0, run.stderr
    same(access_units(out.read_bytes(), "h264"), films["h264"], SECONDS * films["h264"].fps * 0.7)
    # What is encrypted does not send its pictures in the open.
    with RTSPClient(nvr.stream_port("rtsps"), str(ids["h264-aac"]), f"{USER}:{PASSWORD}", secure=True) as client:
        assert client.request("SETUP", client.url + "/trackID=0", Transport="RTP/AVP;unicast;client_port=6000-6001").status == 461
        client.play()
        assert len(client.media(20)) == 20


def test_names_and_sub_streams(scene):
    nvr, ids, _ = scene
    for path in (str(ids["front door"]), "front%20door", "front_door", "front_door/main"):
        assert ffprobe(nvr.stream_url(path)).stdout.split() == ["h264"], path
    assert ffprobe(nvr.stream_url("front_door/sub")).stdout.split() == ["h264"]
    with RTSPClient(nvr.stream_port(), "front_door/sub", f"{USER}:{PASSWORD}") as client:
        client.play()
        client.media(30)
        assert nvr.metric("vibenvr_restream_clients") >= 1
    for path in ("front_door/other", f"{ids['h264-aac']}/sub", "front_door/sub/sub", "nobody", "", "99999"):
        with RTSPClient(nvr.stream_port(), path, f"{USER}:{PASSWORD}") as client:
            assert client.request("DESCRIBE").status == 404, path


# Who may.


def test_sign_ins(scene, key, secret):
    nvr, ids, _ = scene
    camera = ids["h264-aac"]
    for login in (f"{USER}:{PASSWORD}", f"{USER}:{key}", f"anybody:{key}", f"{USER}:{secret}"):
        run = ffprobe(nvr.stream_url(camera, login))
        assert run.stdout.split()[:2] == ["h264", "aac"], (login, run.stderr)
    for login in ("", f"{USER}:wrong", "nobody:" + PASSWORD, f"{USER}:{key[:-1]}x"):
        run = ffprobe(nvr.stream_url(camera, login))
        assert run.returncode != 0 and "401" in run.stderr, (login, run.stderr)
    run = ffprobe(nvr.stream_url(camera, f"may-not:{PASSWORD}"))
    assert run.returncode != 0 and "403" in run.stderr, run.stderr
    run = ffprobe(nvr.stream_url(camera, f"may:{PASSWORD}"))
    assert run.returncode == 0, run.stderr
    # Whether there is a camera of some name is nobody's business who sees no more than some.
    for path in (str(ids["hd"]), "nobody"):
        with RTSPClient(nvr.stream_port(), path, f"may:{PASSWORD}") as client:
            assert client.request("DESCRIBE").status == 403
    assert secret not in nvr.log() and key not in nvr.log() and PASSWORD not in nvr.log()

    def noted() -> set[int]:
        trail = nvr.api.json("/audit", params={"camera_id": camera})
        return {entry["status"] for entry in (trail["items"] if isinstance(trail, dict) else trail) if entry["route"] == "rtsp://{camera}"}

    # They are written a moment later.
    wait_for("both are in the trail", lambda: noted() >= {200, 403})


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_digests(scene, secret, algorithm):
    nvr, ids, _ = scene
    path = str(ids["h264-aac"])
    with RTSPClient(nvr.stream_port(), path, f"{USER}:{secret}") as client:
        client.challenge(algorithm)
        client.play()
        assert len(client.media(20)) == 20
    for login in (f"{USER}:{PASSWORD}", f"{USER}:wrong", f"may:{secret}"):
        with RTSPClient(nvr.stream_port(), path, login) as client:
            client.challenge(algorithm)
            assert client.request("DESCRIBE").status == 401
    if algorithm == "MD5":
        run = ffprobe(nvr.stream_url(path + "?auth=digest", f"{USER}:{secret}"))
        assert run.stdout.split()[:2] == ["h264", "aac"], run.stderr


def test_the_secret_is_shown_once(scene):
    nvr, ids, _ = scene
    first = nvr.api.post("/auth/streaming-secret").json()
    shown = nvr.api.json("/auth/streaming-secret")
    assert shown == {"exists": True, "created_at": first["created_at"]}
    second = nvr.api.post("/auth/streaming-secret").json()["secret"]
    assert second != first["secret"]
    for secret, status in ((first["secret"], 401), (second, 200)):
        with RTSPClient(nvr.stream_port(), str(ids["hd"]), f"{USER}:{secret}") as client:
            assert client.request("DESCRIBE").status == status
    # It opens streams and nothing else.
    assert nvr.api.post("/auth/login", data={"username": USER, "password": second}).status_code == 401
    assert nvr.api.get("/cameras", token="", headers={"X-API-Key": second}).status_code == 401
    assert nvr.api.delete("/auth/streaming-secret").status_code == 200
    assert nvr.api.delete("/auth/streaming-secret").status_code == 404
    assert nvr.api.json("/auth/streaming-secret") == {"exists": False, "created_at": None}
    with RTSPClient(nvr.stream_port(), str(ids["hd"]), f"{USER}:{second}") as client:
        assert client.request("DESCRIBE").status == 401
    for path in ("/auth/streaming-secret",):
        token = nvr.api.post("/v1/api-tokens", json={"name": "x"}).json()["token"]
        assert nvr.api.post(path, token="", headers={"X-API-Key": token}).status_code == 401


def test_access_that_ends_ends_the_stream(scene):
    nvr, ids, _ = scene
    camera = str(ids["h264-aac"])
    body = {"username": "short", "password": PASSWORD, "restrict_camera_access": True, "allowed_camera_ids": [ids["h264-aac"]]}
    user = nvr.api.post("/users", json=body).json()["id"]

    def watching(login: str) -> RTSPClient:
        client = RTSPClient(nvr.stream_port(), camera, login, timeout=60)
        client.play()
        client.media(5)
        return client

    def change(path: str, **fields) -> None:
        assert nvr.api.put(f"/users/{user}{path}", json=fields).status_code == 200

    passwords = (f"Another-Passw0rd-{number}!" for number in itertools.count())
    password = PASSWORD

    # Each takes away what a client watches with, and gives what the next needs.
    def right() -> float:
        change("", allowed_camera_ids=[ids["h264-aac"]])
        with watching(f"short:{password}") as client:
            change("", allowed_camera_ids=[])
            took = client.wait_for_end(60)
        change("", allowed_camera_ids=[ids["h264-aac"]])
        return took

    def the_password() -> float:
        nonlocal password
        with watching(f"short:{password}") as client:
            password = next(passwords)
            change("/password", new_password=password)
            return client.wait_for_end(60)

    def activity() -> float:
        change("", is_active=True)
        with watching(f"short:{password}") as client:
            change("", is_active=False)
            return client.wait_for_end(60)

    def key() -> float:
        token = nvr.api.post("/v1/api-tokens", json={"name": "short"}).json()
        with watching(f"x:{token['token']}") as client:
            assert nvr.api.delete(f"/v1/api-tokens/{token['id']}").status_code == 200
            return client.wait_for_end(60)

    def secret() -> float:
        made = nvr.api.post("/auth/streaming-secret").json()["secret"]
        with watching(f"{USER}:{made}") as client:
            assert nvr.api.delete("/auth/streaming-secret").status_code == 200
            return client.wait_for_end(60)

    for take in (right, the_password, activity, key, secret):
        assert soonest(take, 2) < 2, take.__name__
    assert nvr.api.delete(f"/users/{user}").status_code == 200


def test_guessing_is_limited_together_with_signing_in(nvr):
    statuses = []
    for number in range(12):
        with RTSPClient(nvr.stream_port(), "1", f"{USER}:wrong{number}") as client:
            statuses.append(client.request("DESCRIBE").status)
    assert statuses[0] == 401 and statuses[-1] == 503
    assert nvr.api.post("/auth/login", data={"username": USER, "password": PASSWORD}, token="").status_code == 429


# Many clients, slow ones, lost cameras.


def test_twenty_clients_share_one_connection_to_the_camera(scene):
    nvr, ids, _ = scene
    camera = ids["hd"]
    connections = nvr.metric("vibenvr_stream_connections_total", camera=str(camera), stream="main")
    problems: list[str] = []
    together = threading.Barrier(20)

    def watch() -> None:
        try:
            with RTSPClient(nvr.stream_port(), str(camera), f"{USER}:{PASSWORD}", timeout=60) as client:
                together.wait(120)
                client.play()
                packets = client.media(1500)
                numbers = [packet.sequence for packet in packets]
                if numbers != [(numbers[0] + at) % 65536 for at in range(len(numbers))]:
                    problems.append("packets are missing")
                info = re.search(r"seq=(\d+);rtptime=(\d+)", client.info)
                if (packets[0].sequence, packets[0].timestamp) != (int(info[1]), int(info[2])):
                    problems.append("RTP-Info does not name the first packet")
        except BaseException as problem:  # noqa: BLE001
            problems.append(repr(problem))

    threads = [threading.Thread(target=watch) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert not problems and not any(thread.is_alive() for thread in threads), problems
    assert nvr.metric("vibenvr_stream_connections_total", camera=str(camera), stream="main") == connections
    wait_for("all have left", lambda: nvr.metric("vibenvr_restream_clients") == 0)
    assert nvr.metric("vibenvr_restream_sent_bytes_total") > 20 * 1_000_000


def test_a_frozen_client_holds_nobody_up(scene):
    nvr, ids, _ = scene
    camera = str(ids["hd"])
    lost = nvr.metric("vibenvr_restream_lost_frames_total")
    with RTSPClient(nvr.stream_port(), camera, f"{USER}:{PASSWORD}") as frozen, RTSPClient(nvr.stream_port(), camera, f"{USER}:{PASSWORD}") as good:
        frozen.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        frozen.play()
        good.play()
        begun, numbers = time.monotonic(), []
        while time.monotonic() - begun < 15 or nvr.metric("vibenvr_restream_lost_frames_total") == lost:
            numbers += [packet.sequence for packet in good.media(100)]
            assert time.monotonic() - begun < 60, "the frozen client is fed without end"
        assert numbers == [(numbers[0] + at) % 65536 for at in range(len(numbers))]


def test_a_lost_camera_comes_back_on_the_same_connection():
    film = footage.counter()
    with FaultCamera(film, films={"small": footage.small()}) as camera, NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("lost", camera.url(), recording_mode="Off")

        def goes_and_comes() -> None:
            """It is away until that is noticed, which is far less than the half minute for which clients wait."""
            camera.leave()
            wait_for("it is lost", lambda: nvr.api.status(key) != "CONNECTED", 60)
            camera.come_back()

        with RTSPClient(nvr.stream_port(), str(key), f"{USER}:{PASSWORD}", timeout=60) as client:
            client.play()
            before = client.media(60)
            goes_and_comes()
            after = client.media(120)
            assert client.request("OPTIONS").status == 200
        numbers = [packet.sequence for packet in before + after]
        assert numbers == [(numbers[0] + at) % 65536 for at in range(len(numbers))]
        times = [packet.timestamp for packet in before + after]
        assert all((later - earlier) % 2**32 < 2**31 for earlier, later in zip(times, times[1:]))
        assert len({packet.ssrc for packet in before + after}) == 1
        # Another film has other parameters: the client has to ask again.
        with RTSPClient(nvr.stream_port(), str(key), f"{USER}:{PASSWORD}", timeout=60) as client:
            client.play()
            client.media(20)
            camera.set(film="small")
            goes_and_comes()
            client.wait_for_end(90)

        def is_deleted() -> float:
            nonlocal key
            wait_for("it is there", lambda: nvr.api.status(key) == "CONNECTED", 90)
            with RTSPClient(nvr.stream_port(), str(key), f"{USER}:{PASSWORD}", timeout=60) as client:
                client.play()
                client.media(20)
                assert nvr.api.delete(f"/cameras/{key}").status_code == 200
                took = client.wait_for_end(60)
            key = nvr.api.add_camera("lost", camera.url(), recording_mode="Off")
            return took

        assert soonest(is_deleted, 3) < 3


def test_a_changed_camera_and_a_server_that_ends(tmp_path):
    with GstCamera({"/main": footage.counter()}, live=True) as camera, NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("changed", camera.url(), recording_mode="Off")
        wait_for("it runs", lambda: nvr.api.status(key) == "CONNECTED", 90)
        with RTSPClient(nvr.stream_port(), str(key), f"{USER}:{PASSWORD}", timeout=60) as client:
            client.play()
            before = client.media(30)
            # It is started anew, with another transport.
            assert nvr.api.put(f"/cameras/{key}", json={"rtsp_transport": "udp"}).status_code == 200
            wait_for("it was connected to again", lambda: camera.stats()["opened"]["/main"] >= 1 and nvr.api.status(key) == "CONNECTED", 90)
            after = client.media(120)
            numbers = [packet.sequence for packet in before + after]
            assert numbers == [(numbers[0] + at) % 65536 for at in range(len(numbers))]
            took = nvr.terminate()
            # RTCP says goodbye on the way of the media.
            farewell = b""
            try:
                while True:
                    packet = client.packet()
                    farewell = packet.data if packet.channel == 1 else farewell
            except (Ended, ConnectionResetError):
                pass
            assert farewell[-8:-4] == b"\x81\xcb\x00\x01"

        def ends() -> float:
            nvr.start()
            wait_for("it runs", lambda: nvr.api.status(key) == "CONNECTED", 90)
            with RTSPClient(nvr.stream_port(), str(key), f"{USER}:{PASSWORD}") as client:
                client.play()
                client.media(30)
                return nvr.terminate()

        assert took < 6 or soonest(ends, 6) < 6, took


def test_a_camera_without_pictures(nvr):
    key = nvr.api.add_camera("nothing", "rtsp://127.0.0.1:1/x")
    with RTSPClient(nvr.stream_port(), str(key), f"{USER}:{PASSWORD}", timeout=40) as client:
        answer = client.request("DESCRIBE")
        assert answer.status == 503 and answer.get("Retry-After")


# Hostile bytes, and ports.

HOSTILE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "tls": b"\x16\x03\x01\x02\x00\x01\x00", "nothing": b"\x00" * 5000, "letters": b"A" * 100_000,
    "a head without end": b"DESCRIBE rtsp://x/1 RTSP/1.0\r\n" + b"X: y\r\n" * 20_000,
    "a body without end": b"DESCRIBE rtsp://x/1 RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 9999999999999999999999\r\n\r\n",
    "a long body": b"DESCRIBE rtsp://x/1 RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000,
    "another version": b"DESCRIBE rtsp://x/1 RTSP/9.0\r\nCSeq: 1\r\n\r\n", "an answer": b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n",
    "frames": b"$\x00\xff\xff" + b"\x80" * 70_000 + b"\r\n\r\n?",
}
ANSWERED = {
    "no url": b"DESCRIBE * RTSP/1.0\r\nCSeq: 1\r\n\r\n", "a path that climbs": b"DESCRIBE rtsp://x/../../etc/passwd RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    "escapes": b"DESCRIBE rtsp://x/%00%ff%2e%2e%2f RTSP/1.0\r\nCSeq: 1\r\n\r\n", "no number": b"OPTIONS * RTSP/1.0\r\n\r\n",
    "a long number": b"OPTIONS * RTSP/1.0\r\nCSeq: 99999999999999999999\r\n\r\n",
    "a strange sign-in": b"DESCRIBE rtsp://x/1 RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Digest ,,,=\"\",\r\n\r\n",
    "a broken sign-in": b"DESCRIBE rtsp://x/1 RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Basic !!!!\r\n\r\n",
    "many elements": b"DESCRIBE rtsp://x/" + b"a/" * 2000 + b" RTSP/1.0\r\nCSeq: 1\r\n\r\n",
}


@pytest.mark.parametrize("name", [*HOSTILE, *ANSWERED])
def test_hostile_bytes(scene, name):
    nvr, ids, _ = scene
    with socket.create_connection(("127.0.0.1", nvr.stream_port()), 60) as stranger:
        try:
            stranger.sendall(HOSTILE.get(name) or ANSWERED[name])
            answer = stranger.recv(4096)
            if name in ANSWERED:
                assert re.match(rb"RTSP/1.0 (400|401|404) ", answer), answer
            while name in HOSTILE and stranger.recv(4096):
                pass
        except ConnectionError:
            assert name in HOSTILE
    with RTSPClient(nvr.stream_port(), str(ids["h264-aac"]), f"{USER}:{PASSWORD}") as client:
        assert client.request("DESCRIBE").status == 200


def test_ports(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with NVR(tmp_path / "a", VIBENVR_RTSP_PORT=port) as nvr:
            run = nvr.run("serve", "--data-dir", str(nvr.data), "--host", "127.0.0.1", "--port", "0")
            assert run.returncode == 1 and port in run.stderr + run.stdout and "--rtsp-port" in run.stderr + run.stdout
            wrong = nvr.run("serve", "--data-dir", str(nvr.data), "--port", "0", "--rtsp-port", "many")
            assert wrong.returncode != 0 and "--rtsp-port" in wrong.stderr
    with NVR(tmp_path / "b", VIBENVR_RTSP_PORT="off") as nvr:
        nvr.start().with_admin()
        assert "re-streaming" not in nvr.log()
        assert not [name for name in nvr.metrics() if name.startswith("vibenvr_restream")]


def test_the_usual_port_may_be_taken(tmp_path):
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", 8554))
            taken.listen()
        except OSError:
            pass  # Somebody has it already.
        with NVR(tmp_path, VIBENVR_RTSP_PORT="", VIBENVR_RTSPS_PORT="") as nvr:
            nvr.start().with_admin()
            wait_for("the log tells", lambda: "cameras are not re-streamed by RTSP" in nvr.log())
            assert nvr.api.json("/auth/me")["username"] == USER
            assert nvr.terminate() < 6 or soonest(lambda: nvr.start().terminate(), 6) < 6
