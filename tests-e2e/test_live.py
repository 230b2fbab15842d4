"""Live pictures as scripts get them: what arrives is what the camera sent, whoever else watches, and only for who may see it."""

from __future__ import annotations

import itertools
import struct
import threading
import time
from typing import Callable, Iterator

import pytest
import requests

from harness.media import follow
from harness.server import NVR, PASSWORD, USER, wait_for
from harness.websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Closed, Refused, WebSocket
from peers import footage
from peers.bitstream import annexb_nals, fingerprint, nal_type
from peers.fault_camera import FaultCamera
from peers.gst_camera import GstCamera

SETS = {"h264": {7, 8}, "h265": {32, 33, 34}}


@pytest.fixture(scope="module")
def scene():
    """A server with cameras of every kind that these tests watch."""
    films = {codec: footage.counter(codec) for codec in ("h264", "h265", "mjpeg")}
    mounts = {
        "/h264-aac": (films["h264"], footage.sound("aac")), "/h265-pcma": (films["h265"], footage.sound("pcma")),
        "/h264-pcmu": (films["h264"], footage.sound("pcmu")), "/h264-opus": (films["h264"], footage.sound("opus")),
        "/h265": films["h265"], "/mjpeg": films["mjpeg"], "/long": footage.counter(gop_seconds=10), "/sub": footage.small(),
        "/hd": footage.full_hd(),
    }
    with GstCamera(mounts, live=True) as camera, NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        ids = {path[1:]: nvr.api.add_camera(path, camera.url(path), record_audio=True, recording_mode="Off") for path in mounts}
        ids["both"] = nvr.api.add_camera("both", camera.url("/h264-aac"), sub_rtsp_url=camera.url("/sub"), recording_mode="Off")
        wait_for("all cameras run", lambda: all(nvr.api.status(key) == "CONNECTED" for key in ids.values()), 120)
        yield nvr, ids, films


def frames(viewer: WebSocket, seconds: float) -> tuple[list, list, list[dict]]:
    """Video, sound and JSON that come within so much time of the stream, by the stream's own clock."""
    video, sound, news = [], [], []
    while not video or video[-1].pts - video[0].pts < seconds:
        message = viewer.message()
        if message.kind == 2:
            news.append(message.json)
        else:
            (video if message.kind == 0 else sound).append(message)
    return video, sound, news


# What arrives.


@pytest.mark.parametrize("name", ["h264-aac", "h265-pcma", "h264-pcmu", "h264-opus", "h265"])
def test_what_arrives_is_what_the_camera_sent(scene, name):
    nvr, ids, films = scene
    codec, _, audio = name.partition("-")
    # Who comes with the first picture after a key frame is told no rate: of one alone there is none.
    for _ in range(5):
        with WebSocket(nvr.api.base, f"/cameras/{ids[name]}/ws", token=nvr.api.token) as viewer:
            video, sound, news = frames(viewer, 5)
        info = next(item for item in news if item["type"] == "info")
        if info["fps"] is not None:
            break
    assert info["codec"].startswith({"h264": "avc1.", "h265": "hvc1."}[codec]) and (info["width"], info["height"]) == (640, 360)
    assert abs(info["fps"] - 15) < 0.5 and info["stream"] == "main"
    assert video[0].key, "the first picture needs no other"
    seen = [annexb_nals(message.payload) for message in video]
    for message, nals in zip(video, seen):
        assert message.payload.startswith(b"\0\0\0\1")
        kinds = {nal_type(nal, codec) for nal in nals}
        assert (SETS[codec] <= kinds) == message.key, "parameter sets stand in front of every key frame"
    assert follow([fingerprint(nals, codec) for nals in seen], films[codec].fingerprints) == ""
    assert all(abs(later.pts - earlier.pts - 1 / 15) < 0.02 for earlier, later in zip(video, video[1:]))
    if not audio:
        assert not sound and info["audio"] is None
        return
    # What a camera of G.711 sends comes in pieces of its own size: the bytes count.
    packets = footage.sound(audio).packets
    heard = b"".join(message.payload for message in sound)
    whole = b"".join(packets) * 2
    assert len(heard) > 1000 and heard in whole
    assert abs(sound[-1].pts - video[-1].pts) < 1
    assert info["audio"]["codec"] == {"aac": "mp4a.40.2", "pcma": "alaw", "pcmu": "ulaw", "opus": "opus"}[audio]
    if audio == "aac":
        assert bytes.fromhex(info["audio"]["description"]) == footage.sound("aac").config
        assert follow([hash(message.payload) for message in sound], [hash(packet) for packet in packets]) == ""


def test_motion_jpeg_cameras_are_seen_too(scene):
    nvr, ids, _ = scene
    with WebSocket(nvr.api.base, f"/cameras/{ids['mjpeg']}/ws", token=nvr.api.token) as viewer:
        video, _, news = frames(viewer, 1)
    assert all(message.key and message.payload.startswith(b"\xff\xd8") for message in video)
    assert [item["codec_name"] for item in news if item["type"] == "info"] == ["mjpeg"]
    with WebSocket(nvr.api.base, f"/cameras/{ids['mjpeg']}/mse", token=nvr.api.token) as viewer, pytest.raises(Closed) as closed:
        while True:
            viewer.data()
    assert closed.value.code == 1003 and "mjpeg" in closed.value.reason


def test_sound_is_left_out_on_request(scene):
    nvr, ids, _ = scene
    with WebSocket(nvr.api.base, f"/cameras/{ids['h264-aac']}/ws?audio=false", token=nvr.api.token) as viewer:
        _, sound, news = frames(viewer, 2)
    assert not sound and next(item for item in news if item["type"] == "info")["audio"] is None


def test_the_first_picture_waits_for_no_key_frame(scene):
    nvr, ids, _ = scene
    # Key frames come every ten seconds. Who comes when somebody else has got one, and is shown the same, has not waited for the next.
    shown: list[float] = []
    for _ in range(10):
        with WebSocket(nvr.api.base, f"/cameras/{ids['long']}/ws", token=nvr.api.token) as viewer:
            while (message := viewer.message()).kind != 0:
                pass
            assert message.key
            shown.append(message.pts)
        if shown[-1] in shown[:-1]:
            break
    assert len(set(shown)) < len(shown), shown


def test_fragments_are_an_mp4_file(scene, tmp_path):
    from harness.media import decode_errors, probe

    nvr, ids, films = scene
    for name, codec in (("h264-aac", "h264"), ("h265", "h265"), ("h264-opus", "h264")):
        with WebSocket(nvr.api.base, f"/cameras/{ids[name]}/mse", token=nvr.api.token) as viewer:
            texts, binary = [], []
            while len(binary) < 150:
                frame = viewer.data()
                (texts if frame.opcode == TEXT else binary).append(frame.payload)
        assert binary[0][4:8] == b"ftyp" and all(piece[4:8] == b"moof" for piece in binary[1:]), "one frame a message"
        assert b'"mime_type":"video/mp4; codecs=' in b"".join(texts)
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(b"".join(binary))
        movie = probe(path)
        assert follow(movie.fingerprints(), films[codec].fingerprints) == ""
        assert decode_errors(path) == ""


# Which stream.


def test_the_sub_stream_is_read_while_somebody_wants_it(scene):
    nvr, ids, _ = scene
    camera = ids["both"]

    def reads_sub() -> bool:
        return any(f'camera="{camera}",stream="sub"' in name for name in nvr.metrics())

    with WebSocket(nvr.api.base, f"/cameras/{camera}/ws?stream=sub", token=nvr.api.token) as viewer:
        infos = []
        while not infos or infos[-1]["stream"] != "sub":
            message = viewer.message()
            if message.kind == 2 and message.json["type"] == "info":
                infos.append(message.json)
                assert message.json["requested"] == "sub"
        # Until it runs, the main stream is shown: nobody looks at black.
        assert [info["stream"] for info in infos] in (["main", "sub"], ["sub"])
        while (message := viewer.message()).kind != 0:
            pass
        assert message.key
        assert reads_sub()


def test_a_camera_without_sub_stream_shows_the_main_one(scene):
    nvr, ids, _ = scene
    with WebSocket(nvr.api.base, f"/cameras/{ids['h265']}/ws?stream=sub", token=nvr.api.token) as viewer:
        video, _, news = frames(viewer, 1)
    info = next(item for item in news if item["type"] == "info")
    assert video and (info["stream"], info["requested"]) == ("main", "sub")


# What the player takes.


def test_h265_is_transcoded_once_for_all_who_need_it(scene):
    nvr, ids, _ = scene
    path = f"/cameras/{ids['h265-pcma']}/ws?codecs=h264"
    before = nvr.metric("vibenvr_transcode_dropped_frames_total")
    viewers = [WebSocket(nvr.api.base, path, token=nvr.api.token) for _ in range(4)]
    try:
        seen = [frames(viewer, 3) for viewer in viewers[:2]]
        assert nvr.metric("vibenvr_transcodes") == 1
        dropped = nvr.metric("vibenvr_transcode_dropped_frames_total") - before
    finally:
        for viewer in viewers:
            viewer.close()
    for video, sound, news in seen:
        info = next(item for item in news if item["type"] == "info")
        assert info["codec"].startswith("avc1.") and info["transcoded"] is True and info["stream"] == "main"
        assert (info["width"], info["height"]) == (640, 360)
        assert video[0].key and sound, "sound goes through"
        # No picture is missing but those that a machine with other work had no time for: these are counted.
        steps = [(later.pts - earlier.pts) * 15 for earlier, later in zip(video, video[1:])]
        assert all(step > 0.7 and abs(step - round(step)) < 0.3 for step in steps) and sum(round(step) - 1 for step in steps) <= dropped, (steps, dropped)
        assert {7, 8} <= {nal_type(nal, "h264") for nal in annexb_nals(video[0].payload)}
    wait_for("nobody needs it any more", lambda: nvr.metric("vibenvr_transcodes") == 0)
    # Who takes H.265 gets it as it is.
    with WebSocket(nvr.api.base, f"/cameras/{ids['h265-pcma']}/ws?codecs=h264,h265", token=nvr.api.token) as viewer:
        _, _, news = frames(viewer, 0.5)
    info = next(item for item in news if item["type"] == "info")
    assert info["codec"].startswith("hvc1.") and info["transcoded"] is False


def test_motion_jpeg_plays_as_mp4_for_players_of_h264(scene, tmp_path):
    from harness.media import decode_errors, probe

    nvr, ids, _ = scene
    with WebSocket(nvr.api.base, f"/cameras/{ids['mjpeg']}/mse?codecs=h264", token=nvr.api.token) as viewer:
        binary = []
        while len(binary) < 40:
            frame = viewer.data()
            if frame.opcode != TEXT:
                binary.append(frame.payload)
    path = tmp_path / "mjpeg.mp4"
    path.write_bytes(b"".join(binary))
    assert probe(path).video.codec == "h264" and decode_errors(path) == ""


def test_a_sub_stream_that_can_be_played_is_better_than_transcoding():
    with GstCamera({"/main": footage.counter("h265"), "/sub": footage.small()}, live=True) as camera, NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("both", camera.url("/main"), sub_rtsp_url=camera.url("/sub"), recording_mode="Off")
        wait_for("the camera runs", lambda: nvr.api.status(key) == "CONNECTED", 90)
        is_late = False
        for kind in ("main", "sub"):
            # It is looked at three times, a second apart, whether the sub-stream runs by now: one that takes longer to come is not waited for.
            for _ in range(5):
                came = time.monotonic()
                with WebSocket(nvr.api.base, f"/cameras/{key}/ws?codecs=h264&stream={kind}", token=nvr.api.token) as viewer:
                    infos = []
                    while not infos:
                        message = viewer.message()
                        if message.kind == 2 and message.json["type"] == "info":
                            infos.append(message.json)
                waited = time.monotonic() - came
                is_late |= waited >= 2
                if not infos[0]["transcoded"] or waited < 2:
                    break
            assert (infos[0]["stream"], infos[0]["codec_name"], infos[0]["transcoded"]) == ("sub", "h264", False), (infos, waited)
        assert is_late or nvr.metric("vibenvr_transcodes_begun_total") == 0


@pytest.mark.parametrize("most", [0, 1])
def test_transcoding_is_bounded_and_can_be_switched_off(most):
    with GstCamera({"/a": footage.counter("h265"), "/b": footage.counter("h265")}, live=True) as camera, \
            NVR(segment_seconds=None, VIBENVR_MAX_TRANSCODES=str(most)) as nvr:
        nvr.start().with_admin()
        ids = [nvr.api.add_camera(name, camera.url(f"/{name}"), recording_mode="Off") for name in ("a", "b")]
        wait_for("the cameras run", lambda: all(nvr.api.status(key) == "CONNECTED" for key in ids), 90)

        def news(viewer: WebSocket, kind: str) -> dict:
            while not ((message := viewer.message()).kind == 2 and message.json["type"] == kind):
                pass
            return message.json

        with WebSocket(nvr.api.base, f"/cameras/{ids[1]}/ws?codecs=h264", token=nvr.api.token) as second:
            if most == 0:
                told = news(second, "unplayable")
                assert told["codec_name"] == "hevc" and "switched off" in told["reason"]
                return
            news(second, "info")
            with WebSocket(nvr.api.base, f"/cameras/{ids[0]}/ws?codecs=h264", token=nvr.api.token) as first:
                assert "room" in news(first, "unplayable")["reason"]
                second.close()
                # There is room now, and it is taken without anybody's help.
                assert news(first, "info")["transcoded"] is True
                while (message := first.message()).kind != 0:
                    pass
                assert message.key


def test_codecs_that_nobody_knows_are_refused(scene):
    nvr, ids, _ = scene
    for codecs in ("av1", "", "h264,", "h264;h265", "h264," * 200):
        with pytest.raises(Refused) as refused:
            WebSocket(nvr.api.base, f"/cameras/{ids['h265']}/ws?codecs={codecs}", token=nvr.api.token)
        assert refused.value.status == 422, codecs


def test_viewers_are_told_when_the_camera_is_gone_and_see_it_come_back():
    with FaultCamera(footage.counter()) as camera, NVR() as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("comes and goes", camera.url(), recording_mode="Off")
        with WebSocket(nvr.api.base, f"/cameras/{key}/ws", token=nvr.api.token, timeout=60) as viewer:
            frames(viewer, 1)

            def told(wanted: dict[str, str]) -> None:
                while not ((message := viewer.message()).kind == 2 and wanted.items() <= message.json.items()):
                    pass

            camera.leave()
            told({"type": "state", "status": "UNREACHABLE"})
            camera.come_back()
            told({"type": "info"})
            while (message := viewer.message()).kind != 0:
                pass
            assert message.key, "after a break it begins with a key frame"


# Who keeps up and who does not.


def test_slow_viewers_harm_nobody_and_are_told_what_they_missed(scene):
    nvr, ids, _ = scene
    path = f"/cameras/{ids['hd']}/ws"
    film = footage.full_hd().fingerprints
    frozen = [WebSocket(nvr.api.base, path, token=nvr.api.token, receive_buffer=4096) for _ in range(5)]
    try:
        with WebSocket(nvr.api.base, path, token=nvr.api.token) as fast:
            video, _, news = frames(fast, 14)
        assert follow([fingerprint(annexb_nals(message.payload), "h264") for message in video], film) == ""
        assert not [item for item in news if item["type"] == "lost"]
        for viewer in frozen:
            # What waited for it comes first; then it is told, and goes on at a key frame.
            while not ((message := viewer.message()).kind == 2 and message.json["type"] == "lost"):
                pass
            assert message.json["frames"] > 0 and message.json["total"] >= message.json["frames"]
            while (message := viewer.message()).kind != 0:
                pass
            assert message.key
        assert nvr.metric("vibenvr_live_lost_frames_total") > 0
    finally:
        for viewer in frozen:
            viewer.close()


def test_fifty_viewers_share_one_connection_to_the_camera(scene):
    nvr, ids, films = scene
    camera = ids["h265"]
    wait_for("nobody else watches any more", lambda: nvr.metric("vibenvr_live_viewers") == 0)
    connections = nvr.metric("vibenvr_stream_connections_total", camera=str(camera), stream="main")
    viewers = [WebSocket(nvr.api.base, f"/cameras/{camera}/ws", token=nvr.api.token) for _ in range(50)]
    outcomes: list[str] = []

    def watch(viewer: WebSocket) -> None:
        video, _, news = frames(viewer, 4)
        lost = [item for item in news if item["type"] == "lost"]
        outcomes.append(follow([fingerprint(annexb_nals(message.payload), "h265") for message in video], films["h265"].fingerprints) or str(lost or ""))

    try:
        assert nvr.metric("vibenvr_live_viewers") == 50
        threads = [threading.Thread(target=watch, args=(viewer,)) for viewer in viewers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for viewer in viewers:
            viewer.close()
    assert outcomes == [""] * 50
    assert nvr.metric("vibenvr_stream_connections_total", camera=str(camera), stream="main") == connections
    wait_for("the server has noticed that all are gone", lambda: nvr.metric("vibenvr_live_viewers") == 0)


# Who may.


def test_strangers_and_pages_of_other_sites_are_refused(scene):
    nvr, ids, _ = scene
    path, host = f"/cameras/{ids['h265']}/ws", nvr.api.base.removeprefix("http://")
    signed = requests.post(nvr.api.base + "/auth/login", data={"username": USER, "password": PASSWORD}, timeout=60)
    cookie = "; ".join(f"{name}={value}" for name, value in signed.cookies.items())

    def status(token: str = "", path: str = path, **headers: str) -> int:
        try:
            with WebSocket(nvr.api.base, path, token=token, headers=headers):
                return 101
        except Refused as refused:
            assert refused.headers["content-type"] == "application/json" and b"detail" in refused.body
            assert refused.headers["connection"] == "close"
            return refused.status

    assert status() == 401
    assert status(token="bad.token.here") == 401
    assert status(Cookie=cookie, Origin=f"http://{host}") == 101
    assert status(Cookie=f"media_token={signed.cookies['media_token']}") == 101
    for origin in ("http://evil.example", "null", f"http://{host}.evil.example", f"http://evil.example/{host}", "http://127.0.0.1"):
        assert status(Cookie=cookie, Origin=origin) == 403, origin
    assert status(nvr.api.token, "/cameras/9999/ws") == 404
    assert status(nvr.api.token, "/cameras/1/ws/../ws") == 404
    assert status(nvr.api.token, "/health") == 400
    key = nvr.api.post("/v1/api-tokens", json={"name": "wall"})
    if key.status_code == 200:
        assert status(**{"X-API-Key": key.json()["token"]}) == 101


def test_a_handshake_that_is_none_is_answered_as_http(scene):
    nvr, ids, _ = scene
    path = f"/cameras/{ids['h265']}/ws"
    answer = nvr.api.get(path)
    assert answer.status_code == 426 and answer.headers["Upgrade"] == "websocket"
    for headers in ({"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Key": "short"}, {"Connection": "keep-alive"}):
        with pytest.raises(Refused) as refused:
            WebSocket(nvr.api.base, path, token=nvr.api.token, headers=headers)
        assert refused.value.status == 426, headers
    with WebSocket(nvr.api.base, "", handshake=False) as bare, pytest.raises(Refused) as refused:
        bare.shake("x", path, nvr.api.token, {"Content-Length": "5"}, b"hello")
    assert refused.value.status == 426
    # Other protocols are not spoken, and the request is served all the same.
    with WebSocket(nvr.api.base, "", handshake=False) as bare:
        bare.send_raw(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
        assert bare.answer()[0] == 200
    # A proxy that reuses a connection is told to take a fresh one.
    with WebSocket(nvr.api.base, "", handshake=False) as bare:
        bare.send_raw(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert bare.answer()[0] == 200
        with pytest.raises(Refused) as refused:
            bare.shake("x", path, nvr.api.token, {})
        assert refused.value.status == 426


def soonest(attempt: Callable[[], float], promise: float, tries: int = 5) -> float:
    """The least seconds of several attempts, until one keeps the promise: the machine does other things as well, and what waits for something is
    late each time."""
    took: list[float] = []
    while not took or (min(took) >= promise and len(took) < tries):
        took.append(attempt())
    return min(took)


def test_access_that_ends_ends_the_stream():
    with GstCamera({"/main": (footage.counter(), None)}) as camera, NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("watched", camera.url(), recording_mode="Off")
        wait_for("the camera runs", lambda: nvr.api.status(key) == "CONNECTED", 90)

        def session() -> str:
            answer = nvr.api.post("/auth/login", token="", data={"username": USER, "password": PASSWORD})
            return answer.json()["access_token"]

        admin = session()

        def signs_out(kind: str) -> float:
            token = session()
            with WebSocket(nvr.api.base, f"/cameras/{key}/{kind}", token=token) as viewer, \
                    WebSocket(nvr.api.base, f"/cameras/{key}/{kind}", token=admin) as other:
                viewer.data()
                assert nvr.api.post("/auth/logout", token=token).status_code == 200
                begun = time.monotonic()
                assert viewer.closed() == 1008
                took = time.monotonic() - begun
                for _ in range(30):
                    other.data()
            return took

        def pictures_end() -> float:
            """Moving pictures, also for a client that does not read."""
            token = session()
            pictures = requests.get(f"{nvr.api.base}/cameras/{key}/stream", headers={"Authorization": f"Bearer {token}"}, stream=True, timeout=60)
            assert pictures.status_code == 200
            pieces = pictures.iter_content(1 << 16)
            next(pieces)
            assert nvr.api.post("/auth/logout", token=token).status_code == 200
            begun = time.monotonic()
            with pytest.raises(requests.RequestException):
                for _ in pieces:
                    pass
                raise requests.RequestException
            return time.monotonic() - begun

        # The promise is a second; what is looked at here is that it does not wait for a look every half minute.
        for kind in ("ws", "mse"):
            assert soonest(lambda kind=kind: signs_out(kind), 5) < 5
        assert soonest(pictures_end, 5) < 5
        # A camera that is deleted ends its viewers.
        with WebSocket(nvr.api.base, f"/cameras/{key}/ws", token=admin) as viewer:
            viewer.data()
            assert nvr.api.delete(f"/cameras/{key}", token=admin).status_code == 200
            assert viewer.closed() == 1001


def test_rights_that_are_taken_away_end_the_stream(scene):
    nvr, ids, _ = scene
    camera, word = ids["h265"], "Viewer-Passw0rd!"

    def change(user: int, **fields) -> None:
        answer = nvr.api.put(f"/users/{user}", json=fields)
        assert answer.status_code == 200, answer.text

    group = nvr.api.post("/groups", json={"name": "watched"}).json()["id"]
    seen = {"restrict_camera_access": True, "camera_accesses": [{"id": camera, "can_view": True}], "group_accesses": []}
    by_group = {"restrict_camera_access": True, "camera_accesses": [], "group_accesses": [{"id": group, "can_view": True}]}
    cases = {
        "the right to the camera": (seen, lambda user: change(user, camera_accesses=[{"id": camera, "can_view": False}])),
        "every right": (seen, lambda user: change(user, camera_accesses=[])),
        "restriction": ({"restrict_camera_access": False}, lambda user: change(user, restrict_camera_access=True, camera_accesses=[])),
        "the group's right": (by_group, lambda user: change(user, group_accesses=[])),
        "the camera leaves the group": (by_group, lambda user: nvr.api.post(f"/groups/{group}/cameras", json=[])),
        "the user": (seen, lambda user: nvr.api.delete(f"/users/{user}")),
    }
    numbers = itertools.count()

    def is_taken(name: str, rights: dict, take: Callable[[int], requests.Response | None]) -> float:
        """Seconds from the request to the end of both streams."""
        number = next(numbers)
        assert nvr.api.post(f"/groups/{group}/cameras", json=[camera]).status_code == 200
        answer = nvr.api.post("/users", json={"username": f"watcher{number}", "password": word, "role": "viewer", **rights})
        assert answer.status_code == 200, answer.text
        user = answer.json()["id"]
        token = nvr.api.post("/auth/login", token="", data={"username": f"watcher{number}", "password": word}).json()["access_token"]
        key = nvr.api.post("/v1/api-tokens", token=token, json={"name": "k"}).json()["token"]
        with WebSocket(nvr.api.base, f"/cameras/{camera}/ws", token=token) as viewer, \
                WebSocket(nvr.api.base, f"/cameras/{camera}/mse", headers={"X-API-Key": key}) as by_key:
            viewer.data()
            by_key.data()
            begun = time.monotonic()
            assert (answer := take(user)) is None or answer.status_code == 200, answer.text
            assert viewer.ended() == 1008, name
            assert by_key.ended() == 1008, name
            took = time.monotonic() - begun
            assert viewer.closed() is None and by_key.closed() is None
            return took

    # The promise is a second: nothing waits for a look every half minute.
    took = {name: soonest(lambda name=name, rights=rights, take=take: is_taken(name, rights, take), 1) for name, (rights, take) in cases.items()}
    print(took)
    assert all(one < 1 for one in took.values()), took


# Hostile and absent clients.


def test_hostile_frames_end_their_own_connection_and_no_other(scene):
    nvr, ids, films = scene
    path = f"/cameras/{ids['h265']}/ws"
    mask = b"\x01\x02\x03\x04"
    cases: dict[str, tuple[bytes, int]] = {
        "not masked": (WebSocket.frame(TEXT, b"x", masked=False), 1002),
        "reserved bit": (WebSocket.frame(TEXT, b"x", reserved=4), 1002),
        "all reserved bits": (WebSocket.frame(BINARY, b"x", reserved=7), 1002),
        "unknown kind": (WebSocket.frame(3, b"x"), 1002),
        "unknown control": (WebSocket.frame(11), 1002),
        "control in pieces": (WebSocket.frame(PING, b"x", fin=False), 1002),
        "long control": (WebSocket.frame(PING, b"x" * 126), 1002),
        "nothing to continue": (WebSocket.frame(CONTINUATION, b"x"), 1002),
        "message inside a message": (WebSocket.frame(TEXT, b"x", fin=False) + WebSocket.frame(TEXT, b"y"), 1002),
        "no UTF-8": (WebSocket.frame(TEXT, b"\xff\xfe"), 1007),
        "no UTF-8 in pieces": (WebSocket.frame(TEXT, b"\xc3", fin=False) + WebSocket.frame(CONTINUATION, b"x"), 1007),
        "large frame": (WebSocket.frame(BINARY, b"x" * 70_000), 1009),
        "huge frame announced": (b"\x82\xff" + struct.pack(">Q", 1 << 40) + mask, 1009),
        "impossible length": (b"\x82\xff" + b"\xff" * 8 + mask, 1009),
        "many pieces": (WebSocket.frame(TEXT, b"x", fin=False) + WebSocket.frame(CONTINUATION, b"", fin=False) * 80, 1009),
        "large in pieces": (WebSocket.frame(BINARY, b"x" * 9000, fin=False) + WebSocket.frame(CONTINUATION, b"x" * 9000), 1009),
        "half a close code": (WebSocket.frame(CLOSE, b"\x03"), 1002),
        "a code that never travels": (WebSocket.frame(CLOSE, struct.pack(">H", 1005)), 1002),
        "a code that nobody knows": (WebSocket.frame(CLOSE, struct.pack(">H", 999)), 1002),
        "a reason that is no text": (WebSocket.frame(CLOSE, struct.pack(">H", 1000) + b"\xff"), 1007),
        "a flood of pings": (WebSocket.frame(PING, b"x") * 2000, 1008),
        "a flood of messages": (WebSocket.frame(TEXT, b"x") * 2000, 1008),
    }

    def refused_on_the_way() -> int | None:
        """The rest of what is refused is read for a second: who takes longer to send it is sent away."""
        while True:
            with WebSocket(nvr.api.base, path, token=nvr.api.token) as viewer:
                viewer.data()
                whole = WebSocket.frame(BINARY, b"x" * 400_000)
                begun, code = time.monotonic(), None
                try:
                    for at in range(0, 400_000, 40_000):
                        viewer.send_raw(whole[at : at + 40_000])
                        time.sleep(0.005)
                    code = viewer.closed()
                except ConnectionError:
                    pass
                if code is not None or time.monotonic() - begun < 0.9:
                    return code

    with WebSocket(nvr.api.base, path, token=nvr.api.token) as neighbour:
        # It keeps up: who is not read for so long as all this takes would rightly miss pictures.
        kept: list = []
        is_over = threading.Event()

        def keep_up() -> None:
            while not is_over.is_set():
                kept.append(neighbour.message())

        reading = threading.Thread(target=keep_up)
        reading.start()
        try:
            for name, (data, code) in cases.items():
                with WebSocket(nvr.api.base, path, token=nvr.api.token) as viewer:
                    viewer.data()
                    viewer.send_raw(data)
                    assert viewer.closed() == code, name
            # What is refused while most of it is still on its way.
            for _ in range(5):
                assert refused_on_the_way() == 1009
            # What is allowed: an answer to a ping, a close with its code, a connection that just ends.
            with WebSocket(nvr.api.base, path, token=nvr.api.token) as viewer:
                viewer.send(PING, b"hello")
                while (frame := viewer.receive()).opcode != PONG:
                    pass
                assert frame.payload == b"hello"
                viewer.send(TEXT, b"nobody minds")
                viewer.send(CLOSE, struct.pack(">H", 3000))
                assert viewer.closed() == 3000
            for _ in range(20):
                WebSocket(nvr.api.base, path, token=nvr.api.token).close()
        finally:
            is_over.set()
            reading.join()
        video, _, news = frames(neighbour, 2)
        assert not [item for item in news + [message.json for message in kept if message.kind == 2] if item["type"] == "lost"]
        video = [message for message in kept if message.kind == 0] + video
        assert follow([fingerprint(annexb_nals(message.payload), "h265") for message in video], films["h265"].fingerprints) == ""
    wait_for("all are gone", lambda: nvr.metric("vibenvr_live_viewers") == 0)
    assert nvr.running


@pytest.mark.slow
def test_a_client_that_is_gone_without_a_word_is_collected(scene):
    nvr, ids, _ = scene
    path = f"/cameras/{ids['h265']}/ws"
    with WebSocket(nvr.api.base, path, token=nvr.api.token, timeout=90) as silent, \
            WebSocket(nvr.api.base, path, token=nvr.api.token) as alive:
        stop = threading.Event()

        def answer() -> None:
            while not stop.is_set():
                alive.data()

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            # It reads, but never answers a ping: as a client behind a router that forgot it.
            assert silent.closed() is None
            assert nvr.metric("vibenvr_live_viewers") == 1
        finally:
            stop.set()
            thread.join()


def test_a_shutdown_says_good_bye():
    with GstCamera({"/main": (footage.counter(), None)}) as camera, NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("watched", camera.url(), recording_mode="Off")
        wait_for("the camera runs", lambda: nvr.api.status(key) == "CONNECTED", 90)
        viewers = [WebSocket(nvr.api.base, f"/cameras/{key}/{kind}", token=nvr.api.token) for kind in ("ws", "mse", "ws")]
        frozen = WebSocket(nvr.api.base, f"/cameras/{key}/ws", token=nvr.api.token, receive_buffer=4096)
        pictures = requests.get(
            f"{nvr.api.base}/cameras/{key}/stream", headers={"Authorization": f"Bearer {nvr.api.token}"}, stream=True, timeout=60)
        assert pictures.status_code == 200
        for viewer in viewers:
            viewer.data()
        codes: list[int | None] = []
        threads = [threading.Thread(target=lambda viewer=viewer: codes.append(viewer.closed())) for viewer in viewers]
        for thread in threads:
            thread.start()
        took = nvr.terminate()
        for thread in threads:
            thread.join()
        frozen.close()
        assert codes == [1001] * 3 and took < 10


# Motion JPEG.


def pictures_of(answer: requests.Response) -> Iterator[bytes]:
    """The pictures of a `multipart/x-mixed-replace` answer."""
    data = b""
    for piece in answer.iter_content(1 << 14):
        data += piece
        while b"\r\n\r\n" in data:
            head, _, rest = data.partition(b"\r\n\r\n")
            assert head.strip().startswith(b"--frame\r\nContent-Type: image/jpeg"), head
            size = int(head.rpartition(b"Content-Length: ")[2])
            if len(rest) < size:
                break
            data = rest[size:]
            yield rest[:size]


def test_motion_jpeg_follows_the_settings(scene):
    """Its quality and its largest height are settings of the server."""
    import cv2
    import numpy

    nvr, ids, _ = scene

    def picture(**settings: int) -> tuple[int, int]:
        """Bytes and height of one."""
        stored = nvr.api.post("/settings/bulk", json={name: str(value) for name, value in settings.items()})
        assert stored.status_code == 200, stored.text
        answer = requests.get(
            nvr.api.base + f"/cameras/{ids['h264-aac']}/stream", headers={"Authorization": f"Bearer {nvr.api.token}"}, stream=True, timeout=30)
        try:
            jpeg = next(pictures_of(answer))
        finally:
            answer.close()
        return len(jpeg), cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR).shape[0]

    try:
        fine, whole = picture(opt_live_view_quality=95, opt_live_view_height_limit=720)
        coarse, _ = picture(opt_live_view_quality=10)
        _, low = picture(opt_live_view_height_limit=200)
        assert whole == 360 and 150 < low <= 200
        assert coarse < fine / 2
    finally:
        picture(opt_live_view_quality=60, opt_live_view_height_limit=720)


def test_motion_jpeg_is_made_once_for_all(scene):
    import cv2
    import numpy

    nvr, ids, _ = scene
    path = f"/cameras/{ids['h264-aac']}/stream"
    assert nvr.api.get(path, token="x.y.z").status_code == 401
    answers = [
        requests.get(nvr.api.base + path + "?fps=10&width=320", headers={"Authorization": f"Bearer {nvr.api.token}"}, stream=True, timeout=30)
        for _ in range(8)
    ]
    came: list[list[bytes]] = [[] for _ in answers]
    is_over = threading.Event()

    def watch(answer: requests.Response, own: list[bytes]) -> None:
        for picture in pictures_of(answer):
            own.append(picture)
            if is_over.is_set():
                return

    threads = [threading.Thread(target=watch, args=pair) for pair in zip(answers, came)]
    try:
        assert {answer.headers["Content-Type"] for answer in answers} == {"multipart/x-mixed-replace; boundary=frame"}
        for thread in threads:
            thread.start()
        # The first ones came before the others watched, and have waited: those are compared that come to all at once.
        wait_for("all see something", lambda: all(came), 60)
        time.sleep(2)
        before = [len(own) for own in came]
        wait_for("twenty more for each", lambda: all(len(own) >= count + 20 for own, count in zip(came, before)), 60)
    finally:
        is_over.set()
        for thread in threads:
            if thread.ident:
                thread.join()
        for answer in answers:
            answer.close()
    seen = [own[-20:] for own in came]
    for pictures in seen:
        assert len(set(pictures)) == 20, "no picture comes twice"
        assert cv2.imdecode(numpy.frombuffer(pictures[0], numpy.uint8), cv2.IMREAD_COLOR).shape == (180, 320, 3)
    distinct = len({picture for pictures in seen for picture in pictures})
    assert distinct < 8 * 20 / 2, f"{distinct} pictures were made for 8 viewers of 20 each"
