"""A camera that misbehaves on demand: an RTSP 1.0 server written for the tests, with its faults switched while it runs.

Run as a program it speaks JSON lines like `gst_camera.py`: a set-up object, then commands
{"do": "set", "behaviour": {...}}, {"do": "drop"} (resets every connection), {"do": "reboot", "seconds": n} (resets
everything and refuses connections meanwhile), {"do": "leave"} and {"do": "return"} (the same for as long as a test likes), {"do": "stats"}.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import random
import re
import socket
import ssl
import struct
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers import ports, rtp
from peers.footage import Audio, Film
from peers.process import Peer


@dataclass(frozen=True)
class Behaviour:
    """What the camera does. The defaults are a camera without faults."""

    connect: str = "ok"  # ok; silent: never answers; close: hangs up at once; garbage: answers with noise
    status: dict[str, int] = field(default_factory=dict)  # method -> status it is answered with
    play: str = "ok"  # ok; silent: no packet after PLAY; audio: no video; garbage: noise instead of frames
    auth: str = "none"  # none, basic, digest, digest-sha256; never: 401 whatever is sent
    user: str = "viewer"
    password: str = "pass"
    refuse: int = 0  # right log-ins to the main stream that are refused before others are accepted
    die_after: int = 0  # frames after which the connection is reset; 0: never
    silent_after: int = 0  # frames after which nothing more is sent, the connection stays
    video_stops_after: int = 0  # frames after which only the sound goes on
    garbage_after: int = 0  # frames after which noise is sent between two packets, once
    film: str = ""  # name of another film, from the next session on
    switch_film: str = ""  # name of another film…
    switch_after: int = 0  # …that follows in the same session after so many frames
    announce: bool = True  # the SDP describes the film that is shown (else the mount's own)
    first_timestamp: int | None = None  # RTP timestamp of the first frame; none: random
    first_sequence: int | None = None
    jump_at: int = 0  # frame at which the timestamps jump…
    jump_by: int = 0  # …by so many ticks of 90 kHz
    skew_ppm: int = 0  # how much faster the camera's clock runs
    stamp_fps: float = 0  # timestamps of another frame rate than the real one
    marker: bool = True
    aggregate: bool = False
    sets: str = "both"  # parameter sets: sdp, band, both, wrong (nonsense in the SDP)
    content_base: str = "ok"  # ok, none, wrong
    control: str = "relative"  # relative, absolute, query
    loss: float = 0  # of UDP packets of video
    reorder: float = 0
    seed: int = 1
    late_start: int = 0  # frame of the film a session begins with: in the middle of a GOP, when not 0
    session_timeout: int = 60
    enforce_timeout: bool = False  # a session without keep-alive ends
    keepalive: tuple[str, ...] = ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER")
    max_sessions: int = 0  # further ones get 453; 0: any number
    redirect: str = ""
    reports: bool = True  # RTCP sender reports
    burst: float = 0  # seconds of frames held back and sent at once
    udp: bool = True  # false: 461 to UDP
    times: bool = False  # note when each frame is sent; stats()["times"] gives [monotonic seconds, frame of the film]
    answer_late: float = 0  # seconds by which the answer to PLAY comes after the first frames


class FaultCamera(Peer):
    """The server as its tests see it."""

    def __init__(
        self, film: Film, audio: Audio | None = None, *, sub: Film | None = None, films: dict[str, Film] | None = None,
        tls: tuple[str, str] | None = None, port: int = 0, **behaviour,
    ):
        mounts = {"/main": {"video": film.describe(), "audio": asdict(audio) if audio else None}}
        if sub:
            mounts["/sub"] = {"video": sub.describe(), "audio": None}
        setup = {
            "port": port, "mounts": mounts, "behaviour": behaviour, "tls": tls,
            "films": {name: other.describe() for name, other in (films or {}).items()},
        }
        super().__init__([sys.executable, __file__], setup)
        self.port = self.ready["port"]
        self._scheme = "rtsps" if tls else "rtsp"

    def url(self, path: str = "/main", login: str = "") -> str:
        return f"{self._scheme}://{login + '@' if login else ''}127.0.0.1:{self.port}{path}"

    def set(self, **behaviour) -> float:
        """Changes part of the behaviour; the answer is the wall time (seconds) from which it holds."""
        return self.ask({"do": "set", "behaviour": behaviour})["now"]

    def heal(self) -> float:
        """A camera without faults from now on; what hangs is reset, as by the camera's own restart."""
        return self.ask({"do": "heal"})["now"]

    def drop(self) -> float:
        return self.ask({"do": "drop"})["now"]

    def reboot(self, seconds: float) -> None:
        """Refuses everything for so long; `stats()["back_at"]` is then the wall time of the return."""
        self.ask({"do": "reboot", "seconds": seconds})

    def leave(self) -> float:
        """Refuses everything until it comes back."""
        return self.ask({"do": "leave"})["now"]

    def come_back(self) -> float:
        return self.ask({"do": "return"})["now"]

    def stats(self) -> dict:
        return self.ask({"do": "stats"})


class _Camera:
    def __init__(self, setup: dict):
        self.port = setup["port"]
        self.mounts = {
            path: (Film(**content["video"]), Audio(**content["audio"]) if content["audio"] else None)
            for path, content in setup["mounts"].items()
        }
        self.films = {name: Film(**film) for name, film in setup["films"].items()}
        for film in [film for film, _ in self.mounts.values()] + list(self.films.values()):
            film.units  # taken apart now, not at the first PLAY
        self.behaviour = Behaviour()
        self.change(setup["behaviour"])
        self.tls = None
        if setup["tls"]:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*setup["tls"])
        self.server: asyncio.base_events.Server | None = None
        self.connections: set[_Connection] = set()
        self.counts: Counter = Counter()
        self.most: Counter = Counter()
        self.playing: Counter = Counter()
        self.sent: dict[str, int] = Counter()
        self.first_frames: dict[str, list[float]] = {path: [] for path in self.mounts}
        self.last_frames: dict[str, list[float]] = {path: [] for path in self.mounts}  # of the same sessions
        self.damaged: list[int] = []
        self.times: list[tuple[float, int]] = []
        self.requests: list[tuple[float, str, int]] = []
        self.back_at = 0.0
        self.refused_at = 0.0

    def change(self, values: dict) -> None:
        known = {entry.name for entry in fields(Behaviour)}
        if unknown := set(values) - known:
            raise ValueError(f"unknown behaviour {unknown}")
        self.behaviour = replace(self.behaviour, **values)

    async def listen(self) -> None:
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self.tls, backlog=128)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _accept(self, reader, writer) -> None:
        connection = _Connection(self, reader, writer)
        self.connections.add(connection)
        self.counts["connections"] += 1
        self.most["connections"] = max(self.most["connections"], len(self.connections))
        try:
            await connection.serve()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, TimeoutError, asyncio.LimitOverrunError):
            pass  # The client is gone.
        finally:
            connection.end()
            self.connections.discard(connection)

    def reset_all(self) -> None:
        for connection in list(self.connections):
            connection.reset()

    async def command(self, request: dict) -> dict:
        match request["do"]:
            case "set":
                self.change(request["behaviour"])
            case "heal":
                kept = {name: getattr(self.behaviour, name) for name in ("user", "password")}
                hanging = self.behaviour.connect != "ok" or self.behaviour.play != "ok" or self.behaviour.silent_after
                hanging = hanging or self.behaviour.video_stops_after
                self.behaviour = Behaviour(**kept)
                if hanging:
                    self.reset_all()
            case "drop":
                self.reset_all()
            case "reboot":
                self.server.close()
                # Nobody else listens there meanwhile.
                ports.keep(self.port)
                self.reset_all()
                asyncio.get_running_loop().create_task(self._return(request["seconds"]))
            case "leave":
                self.server.close()
                self.reset_all()
            case "return":
                await self._return(0)
            case "stats":
                return {
                    **self.counts, "open": len(self.connections), "most_open": self.most["connections"],
                    "sessions": dict(self.playing),
                    "most_sessions": {path: self.most[path] for path in self.mounts},
                    "sent": dict(self.sent), "first_frames": self.first_frames, "last_frames": self.last_frames,
                    "damaged": self.damaged, "back_at": self.back_at, "refused_at": self.refused_at, "requests": self.requests[-400:],
                    "times": self.times,
                }
            case other:
                raise ValueError(f"unknown command {other}")
        return {"now": time.time()}

    async def _return(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.listen()
        self.back_at = time.time()


class _Connection:
    def __init__(self, camera: _Camera, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.camera, self.reader, self.writer = camera, reader, writer
        self.nonce = os.urandom(12).hex()
        self.session = ""
        self.tracks: dict[str, dict] = {}
        self.path = ""
        self.player: asyncio.Task | None = None
        self.alive_at = time.monotonic()
        self.sockets: list[socket.socket] = []
        self.finished = False

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        if sock is not None:
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass  # Closed already.
        self.end()
        self.writer.transport.abort()

    def end(self) -> None:
        self._stop()
        if not self.finished:
            self.finished = True
            self.writer.close()

    def _stop(self) -> None:
        if self.player:
            self.player.cancel()
            self.player = None
            self.camera.playing[self.path] -= 1
        for sock in self.sockets:
            sock.close()
        self.sockets = []

    async def serve(self) -> None:
        mode = self.camera.behaviour.connect
        if mode == "close":
            return
        if mode == "garbage":
            self.writer.write(os.urandom(3000))
            await self.writer.drain()
        while True:
            first = await self.reader.readexactly(1)
            if first == b"$":
                head = await self.reader.readexactly(3)
                await self.reader.readexactly(int.from_bytes(head[1:], "big"))
                self.camera.counts["client_rtcp"] += 1
                self.alive_at = time.monotonic()
                continue
            head = first + await self.reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").strip().split("\r\n")
            match lines[0].split(" "):
                case [method, url, "RTSP/1.0"]:
                    pass
                case _:
                    self.camera.counts["bad_requests"] += 1
                    return
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
            if length := int(headers.get("content-length", 0)):
                await self.reader.readexactly(length)
            self.alive_at = time.monotonic()
            if self.camera.behaviour.connect == "silent":
                continue
            status = await self._answer(method, url, headers)
            self.camera.requests.append((time.time(), method, status))
            if method == "TEARDOWN":
                return

    def _reply(self, headers: dict, status: int, extra: dict[str, str] | None = None, body: str = "") -> int:
        reasons = {200: "OK", 302: "Found", 401: "Unauthorized", 404: "Not Found", 453: "Not Enough Bandwidth",
                   454: "Session Not Found", 461: "Unsupported Transport", 503: "Service Unavailable"}
        lines = [f"RTSP/1.0 {status} {reasons.get(status, 'Error')}", f"CSeq: {headers.get('cseq', '0')}"]
        lines += [f"{name}: {value}" for name, value in (extra or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body.encode())}")
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        return status

    def _allowed(self, method: str, url: str, headers: dict) -> bool:
        behaviour = self.camera.behaviour
        given = headers.get("authorization", "")
        if behaviour.auth == "none":
            return True
        if behaviour.auth != "never":
            is_right = False
            if behaviour.auth == "basic" and given.lower().startswith("basic "):
                wanted = f"{behaviour.user}:{behaviour.password}".encode()
                is_right = base64.b64decode(given[6:]) == wanted
            elif behaviour.auth.startswith("digest") and given.lower().startswith("digest "):
                is_right = self._digest(method, given, "sha256" if behaviour.auth.endswith("sha256") else "md5")
            if is_right and not (behaviour.refuse and "/main" in url):
                return True
            if is_right:
                self.camera.change({"refuse": behaviour.refuse - 1})
                self.camera.refused_at = time.time()
        if given:
            # A request without credentials asks for the challenge; only a wrong answer to it is a failed log-in.
            self.camera.counts["failed_logins"] += 1
        return False

    def _digest(self, method: str, given: str, algorithm: str) -> bool:
        parts = {k.lower(): (a or b) for k, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', given[7:])}
        digest = lambda text: hashlib.new(algorithm, text.encode()).hexdigest()
        behaviour = self.camera.behaviour
        if parts.get("nonce") != self.nonce or parts.get("username") != behaviour.user:
            return False
        first = digest(f"{behaviour.user}:camera:{behaviour.password}")
        second = digest(f"{method}:{parts.get('uri', '')}")
        if "qop" in parts:
            expected = digest(f"{first}:{self.nonce}:{parts.get('nc')}:{parts.get('cnonce')}:{parts['qop']}:{second}")
        else:
            expected = digest(f"{first}:{self.nonce}:{second}")
        return parts.get("response") == expected

    def _challenge(self) -> dict[str, str]:
        match self.camera.behaviour.auth:
            case "digest":
                return {"WWW-Authenticate": f'Digest realm="camera", nonce="{self.nonce}"'}
            case "digest-sha256":
                return {"WWW-Authenticate": f'Digest realm="camera", nonce="{self.nonce}", algorithm=SHA-256, qop="auth"'}
            case _:
                return {"WWW-Authenticate": 'Basic realm="camera"'}

    async def _answer(self, method: str, url: str, headers: dict) -> int:
        camera, behaviour = self.camera, self.camera.behaviour
        if method != "OPTIONS" and not self._allowed(method, url, headers):
            return self._reply(headers, 401, self._challenge())
        if forced := behaviour.status.get(method):
            return self._reply(headers, forced)
        session = {"Session": f"{self.session};timeout={behaviour.session_timeout}"} if self.session else {}
        path = "/" + url.split("://", 1)[-1].partition("/")[2]
        match method:
            case "OPTIONS":
                methods = ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
                methods += [name for name in behaviour.keepalive if name not in methods]
                return self._reply(headers, 200, {"Public": ", ".join(methods), **session})
            case "DESCRIBE":
                if behaviour.redirect:
                    return self._reply(headers, 302, {"Location": behaviour.redirect})
                mount = path.rstrip("/")
                if mount not in camera.mounts:
                    return self._reply(headers, 404)
                film, audio = camera.mounts[mount]
                shown = camera.films[behaviour.film] if behaviour.film else film
                base = url.rstrip("/")
                text = rtp.sdp(
                    None if behaviour.play == "audio" and audio else (shown if behaviour.announce else film), audio,
                    origin="127.0.0.1", base=base, style=behaviour.control, sets=behaviour.sets,
                )
                extra = {"Content-Type": "application/sdp"}
                if behaviour.content_base == "ok":
                    extra["Content-Base"] = base + "/"
                elif behaviour.content_base == "wrong":
                    extra["Content-Base"] = "rtsp://10.255.255.1:8554/elsewhere/"
                return self._reply(headers, 200, extra, text)
            case "SETUP":
                return self._setup(path, headers, behaviour)
            case "PLAY":
                if not self.tracks or (self.session and headers.get("session", "").split(";")[0] != self.session):
                    return self._reply(headers, 454)
                if behaviour.max_sessions and camera.playing[self.path] >= behaviour.max_sessions:
                    return self._reply(headers, 453)
                if not behaviour.answer_late:
                    self._reply(headers, 200, {**session, "Range": "npt=0.000-"})
                if not self.player:
                    camera.playing[self.path] += 1
                    camera.counts["plays"] += 1
                    camera.most[self.path] = max(camera.most[self.path], camera.playing[self.path])
                    self.player = asyncio.get_running_loop().create_task(self._play())
                if behaviour.answer_late:
                    await asyncio.sleep(behaviour.answer_late)
                    self._reply(headers, 200, {**session, "Range": "npt=0.000-"})
                return 200
            case "TEARDOWN":
                self._stop()
                return self._reply(headers, 200, session)
            case "GET_PARAMETER" | "SET_PARAMETER" if method in behaviour.keepalive:
                camera.counts["keepalives"] += 1
                return self._reply(headers, 200, session)
            case _:
                return self._reply(headers, 501)

    def _setup(self, path: str, headers: dict, behaviour: Behaviour) -> int:
        kind = re.search(r"(?:trackID|track)=(\d)", path)
        mount = next((name for name in self.camera.mounts if path.startswith(name)), None)
        if not kind or not mount:
            return self._reply(headers, 404)
        self.path = mount
        track = "video" if kind[1] == "1" else "audio"
        transport = headers.get("transport", "")
        if "TCP" in transport.upper():
            channels = re.search(r"interleaved=(\d+)-(\d+)", transport)
            pair = (int(channels[1]), int(channels[2])) if channels else (2 * len(self.tracks), 2 * len(self.tracks) + 1)
            self.tracks[track] = {"channels": pair}
            answer = f"RTP/AVP/TCP;unicast;interleaved={pair[0]}-{pair[1]}"
        else:
            ports = re.search(r"client_port=(\d+)-(\d+)", transport)
            if not behaviour.udp or not ports:
                return self._reply(headers, 461)
            pair = self._udp_pair()
            host = self.writer.get_extra_info("peername")[0]
            self.tracks[track] = {"sockets": pair, "to": ((host, int(ports[1])), (host, int(ports[2])))}
            server = "-".join(str(sock.getsockname()[1]) for sock in pair)
            answer = f"RTP/AVP;unicast;client_port={ports[1]}-{ports[2]};server_port={server}"
        self.session = self.session or os.urandom(4).hex()
        timeout = f"{self.session};timeout={behaviour.session_timeout}"
        return self._reply(headers, 200, {"Transport": answer, "Session": timeout})

    def _udp_pair(self) -> tuple[socket.socket, socket.socket]:
        while True:
            first, second = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                if port % 2 == 0:
                    second.bind(("127.0.0.1", port + 1))
                    self.sockets += [first, second]
                    return first, second
            except OSError:
                pass  # Taken by somebody else: another pair.
            first.close()
            second.close()

    # The stream itself.

    async def _play(self) -> None:
        try:
            await self._stream()
        except (ConnectionError, OSError):
            self.reset()

    async def _stream(self) -> None:
        camera, behaviour = self.camera, self.camera.behaviour
        own, audio = camera.mounts[self.path]
        film = camera.films[behaviour.film] if behaviour.film else own
        chance = random.Random(behaviour.seed)
        first = behaviour.first_timestamp if behaviour.first_timestamp is not None else chance.getrandbits(32)
        sequence = behaviour.first_sequence if behaviour.first_sequence is not None else chance.getrandbits(16)
        video = rtp.RTPTrack(96, 90000, chance.getrandbits(32), first, sequence) if "video" in self.tracks else None
        sound = None
        if audio and "audio" in self.tracks:
            number = {"pcma": 8, "pcmu": 0}.get(audio.codec, 97)
            sound = rtp.RTPTrack(number, audio.rate, chance.getrandbits(32), chance.getrandbits(32), chance.getrandbits(16))
        held: list[bytes] = []
        begun, frame, beep, reported = time.monotonic(), 0, 0, 0.0
        units, at = film.units, behaviour.late_start
        switched, session = False, -1
        while True:
            now = self.camera.behaviour  # may have been changed under way
            if now.enforce_timeout and time.monotonic() - self.alive_at > now.session_timeout + 2:
                camera.counts["timed_out"] += 1
                self.reset()
                return
            due_video = begun + frame / film.fps if video else float("inf")
            due_sound = begun + beep * audio.packet_seconds if sound else float("inf")
            due = min(due_video, due_sound)
            if due == float("inf"):
                return
            if now.burst:
                due = begun + (int((due - begun) / now.burst) + 1) * now.burst
            await asyncio.sleep(max(0, due - time.monotonic()))
            quiet = now.play == "silent" or (now.silent_after and frame >= now.silent_after)
            if due_sound <= due_video:
                packet = audio.packets[beep % len(audio.packets)]
                ticks = int(round(beep * audio.packet_seconds * audio.rate))
                if not quiet and now.play != "garbage":
                    self._send("audio", sound.packet(rtp.audio_payload(packet, audio.codec), sound.base + ticks, beep == 0))
                beep += 1
                continue
            if now.switch_film and not switched and frame >= now.switch_after:
                units, at, switched = camera.films[now.switch_film].units, 0, True
            unit = units[at % len(units)]
            rate = now.stamp_fps or film.fps
            # Stamps are those of the pictures as they are seen, in the order of the stream.
            place = at % len(units)
            ahead = film.order[place] - place if film.order and not switched else 0
            ticks = int((frame + ahead) * 90000 * (1 + now.skew_ppm / 1e6) / rate) + (now.jump_by if now.jump_at and frame >= now.jump_at else 0)
            stopped = now.video_stops_after and frame >= now.video_stops_after
            if now.play == "garbage":
                if "channels" in self.tracks["video"]:
                    self.writer.write(os.urandom(1500))
                else:
                    self._send("video", os.urandom(1200))
            elif not quiet and not stopped and now.play != "audio":
                payloads = rtp.video_payloads(
                    unit, film.codec, aggregate=now.aggregate, parameter_sets=behaviour.sets != "sdp" or switched
                )
                packets = [
                    video.packet(payload, video.base + ticks, now.marker and index == len(payloads) - 1)
                    for index, payload in enumerate(payloads)
                ]
                if now.loss or now.reorder:
                    packets, lost = self._mistreat(packets, held, chance, now)
                    if lost:
                        camera.damaged.append(at)
                        camera.counts["lost"] += lost
                if now.times:
                    camera.times.append((time.monotonic(), at % len(units)))
                for packet in packets:
                    self._send("video", packet)
                camera.sent[self.path] = camera.sent.get(self.path, 0) + 1
                if frame == 0:
                    session = len(camera.first_frames[self.path])
                    camera.first_frames[self.path].append(time.time())
                    camera.last_frames[self.path].append(0)
                if session >= 0:
                    camera.last_frames[self.path][session] = time.time()
            frame += 1
            at += 1
            if now.garbage_after and frame == now.garbage_after:
                self.writer.write(os.urandom(997))
            if now.die_after and frame >= now.die_after:
                camera.counts["died"] += 1
                self.reset()
                return
            if now.reports and not quiet and frame / film.fps - reported >= (1 if frame < 100 else 5):
                reported = frame / film.fps
                self._send("video", video.sender_report(), control=True)
                if sound:
                    self._send("audio", sound.sender_report(), control=True)
            if "channels" in self.tracks["video"]:
                if self.writer.transport.get_write_buffer_size() > 8_000_000:
                    camera.counts["stuck"] += 1
                    self.reset()
                    return

    @staticmethod
    def _mistreat(packets: list[bytes], held: list[bytes], chance: random.Random, now: Behaviour) -> tuple[list[bytes], int]:
        result, lost = [], 0
        for packet in packets:
            if chance.random() < now.loss:
                lost += 1
                continue
            if chance.random() < now.reorder and not held:
                held.append(packet)
                continue
            result.append(packet)
            if held and chance.random() < 0.5:
                result.append(held.pop())
        return result, lost

    def _send(self, track: str, packet: bytes, control: bool = False) -> None:
        way = self.tracks[track]
        index = 1 if control else 0
        if "channels" in way:
            self.writer.write(struct.pack(">cBH", b"$", way["channels"][index], len(packet)) + packet)
        else:
            try:
                way["sockets"][index].sendto(packet, way["to"][index])
            except ConnectionRefusedError:
                pass  # The client closed its port a moment ago.


async def _run(setup: dict) -> None:
    camera = _Camera(setup)
    await camera.listen()
    print("READY " + json.dumps({"port": camera.port}), flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        try:
            answer = await camera.command(json.loads(line))
        except Exception as problem:  # noqa: BLE001  the test that asked is told
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    # Read byte by byte: nothing of the commands that follow may be swallowed by a buffer.
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1) or b"\n"
    asyncio.run(_run(json.loads(line)))
