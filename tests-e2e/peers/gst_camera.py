"""A camera made of GStreamer's RTSP server: shows films in an endless loop, without ever encoding anything.

Run as a program it reads one JSON object from standard input, prints `READY {"port": n}` and then answers one JSON line
per command; it ends when its standard input does, so that it never outlives the test that started it.

    {"port": 0, "auth": "none|basic|digest", "user": "u", "password": "p",
     "mounts": {"/main": {"video": Film.describe(), "audio": {...}, "films": {"name": Film.describe()}}},
     "live": false, "tls": ["certificate.pem", "key.pem"], "ledger": "path"}

A mount with `"mux": "ts"` sends its film as an MPEG transport stream in RTP (RFC 2250). A `live` camera goes on while nobody watches: all its mounts show the same moment to whoever comes, from the middle of a GOP.
Else a film begins with its first frame when its first client comes. With a `ledger` a live camera numbers its frames (`peers/numbered.py`), by the
clock of the machine, and notes in that file what it sent, so that the notes outlive it.

Commands: {"do": "drop"} ends the connections of all clients; {"do": "play", "films": {"/main": "name"}} shows another film once, from the next key frame of the loop on;
{"do": "stats"} tells what was sent to whom.
"""

from __future__ import annotations

import heapq
import json
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Callable, TextIO

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers.bitstream import AccessUnit, is_picture
from peers.footage import Audio, Film
from peers.numbered import Ledger, numbered_at, stamp
from peers.process import Peer


class GstCamera(Peer):
    """The server as its tests see it."""

    def __init__(
        self, mounts: dict[str, Film | tuple[Film, Audio | None]], *, films: dict[str, dict[str, Film]] | None = None,
        auth: str = "none", user: str = "viewer", password: str = "pass", port: int = 0, live: bool = False,
        tls: tuple[str, str] | None = None, muxed: tuple[str, ...] = (), ledger: Path | None = None,
    ):
        described = {}
        for path, content in mounts.items():
            film, audio = content if isinstance(content, tuple) else (content, None)
            described[path] = {"video": film.describe(), "audio": asdict(audio) if audio else None}
            described[path]["mux"] = "ts" if path in muxed else ""
            described[path]["films"] = {key: other.describe() for key, other in (films or {}).get(path, {}).items()}
        self.auth, self.user, self.password = auth, user, password
        self._setup = {"port": port, "auth": auth, "user": user, "password": password, "mounts": described, "live": live, "tls": tls,
                       "ledger": str(ledger) if ledger else None}
        self._scheme = "rtsps" if tls else "rtsp"
        super().__init__([sys.executable, __file__], self._setup)
        self.port = self.ready["port"]

    def url(self, path: str = "/main", credentials: bool = True) -> str:
        login = f"{self.user}:{self.password}@" if credentials and self.auth != "none" else ""
        return f"{self._scheme}://{login}127.0.0.1:{self.port}{path}"

    def play(self, **films: str) -> dict:
        """Shows the named films once, all beginning together: `play(main="crossing", sub="crossing")`.

        The answer gives the wall time (seconds) at which frame 0 of each is sent.
        """
        return self.ask({"do": "play", "films": {f"/{path}": name for path, name in films.items()}})

    def stats(self) -> dict:
        return self.ask({"do": "stats"})

    def drop(self) -> int:
        """Ends the connections of all clients; how many there were."""
        return self.ask({"do": "drop"})["dropped"]


def serve(setup: dict, commands: TextIO | None, ready: Callable[[int], None]) -> None:
    """Runs the server until the commands end, if there are any, else until the process is ended."""
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)

    live, switched_on = setup.get("live", False), time.monotonic()
    ledger = Ledger(Path(setup["ledger"])) if setup.get("ledger") else None

    def buffers(parts: list[bytes]) -> list:
        return [Gst.Buffer.new_wrapped(part) for part in parts]

    class Track:
        """One elementary stream on its way into one running pipeline, frame by frame at its own pace."""

        def __init__(self, source, frames: list, keys: list[bool], seconds: float, sets: bytes = b"", beside: "Track | None" = None):
            self.beside = beside  # what begins at the same moment, however late this one's turn comes
            self.source, self.loop, self.keys, self.seconds = source, frames, keys, seconds
            self.frames, self.at, self.sent = frames, 0, 0
            self.opening = None
            if live:
                self.at = int((time.monotonic() - switched_on) / seconds) % len(frames)
                if not keys[self.at % len(keys)]:
                    # The payloader tells the parameter sets in its SDP only when it has seen them.
                    self.opening = buffers([sets + frames[self.at].extract_dup(0, frames[self.at].get_size())])[0]
            self.start = None
            self.next_film = None
            self.begun = 0.0
            self.codec, self.number, self.sets, self.run = "", -1, sets, 0

        def numbers(self, codec: str) -> "Track":
            """Its frames carry numbers from now on."""
            self.codec = codec
            return self

        def push_numbered(self) -> bool:
            """A frame of the present: one that lags by more than a second is left out, as an encoder that stood still would."""
            now = numbered_at(time.time(), self.seconds)
            if self.number < 0 or now - self.number > 1 / self.seconds:
                if self.number >= 0:
                    self.sent += now - self.number
                self.run = ledger.begin(now, self.number)
                self.number = now
                at = now % len(self.loop)
                # The payloader tells the parameter sets in its SDP only when it has seen them.
                sets = b"" if self.keys[at] else self.sets
            else:
                sets = b""
            frame = self.loop[self.number % len(self.loop)]
            buffer = Gst.Buffer.new_wrapped(stamp(self.number, self.codec) + sets)
            buffer = buffer.append(frame.copy_region(Gst.BufferCopyFlags.MEMORY, 0, frame.get_size()))
            self.time(buffer)
            # Noted before: what is stored was noted, whenever this ends.
            ledger.sent(self.run, self.number)
            self.number += 1
            self.sent += 1
            return self.source.emit("push-buffer", buffer) == Gst.FlowReturn.OK

        def time(self, buffer) -> None:
            buffer.pts = buffer.dts = int((self.start + self.due()) * Gst.SECOND)
            buffer.duration = int(self.seconds * Gst.SECOND)

        def due(self) -> float:
            return self.sent * self.seconds

        def push(self) -> bool:
            if self.codec:
                return self.push_numbered()
            if ledger and (lag := time.monotonic() - self.begun - self.due()) > 1:
                self.sent += int(lag / self.seconds)
            if self.at >= len(self.frames):
                self.frames, self.at = self.loop, 0
            if self.next_film and self.frames is self.loop and self.keys[self.at]:
                frames, told = self.next_film
                self.next_film, self.frames, self.at = None, frames, 0
                told(time.time())
            # The payload is shared, the timestamps are this copy's own.
            frame, self.opening = self.opening or self.frames[self.at], None
            buffer = frame.copy_region(Gst.BufferCopyFlags.MEMORY, 0, frame.get_size())
            self.time(buffer)
            self.at += 1
            self.sent += 1
            return self.source.emit("push-buffer", buffer) == Gst.FlowReturn.OK

    class Pacer(threading.Thread):
        """Pushes every track of every pipeline when its frame is due. One thread for all of them."""

        def __init__(self):
            super().__init__(daemon=True)
            self.queue, self.count = [], 0
            self.wake = threading.Condition()

        def add(self, track: Track) -> None:
            with self.wake:
                self.count += 1
                heapq.heappush(self.queue, (time.monotonic(), self.count, track, time.monotonic()))
                self.wake.notify()

        def run(self) -> None:
            while True:
                with self.wake:
                    while not self.queue:
                        self.wake.wait()
                    due, order, track, begun = self.queue[0]
                    ahead = due - time.monotonic()
                    if ahead > 0:
                        self.wake.wait(ahead)
                        continue
                    heapq.heappop(self.queue)
                if track.start is None:
                    # Running time of the pipeline now: the first frame's timestamp. Before it plays it has no base time, and a
                    # timestamp without one lies years ahead: the frame would never be shown.
                    clock = track.source.get_clock()
                    if track.source.current_state != Gst.State.PLAYING or clock is None or not track.source.get_base_time():
                        self._again(time.monotonic() + 0.002, order, track, begun)
                        continue
                    if track.beside and track.beside.start is None:
                        self._again(time.monotonic() + 0.002, order, track, begun)
                        continue
                    if track.beside:
                        track.start, begun = track.beside.start, track.beside.begun
                    else:
                        track.start, begun = (clock.get_time() - track.source.get_base_time()) / Gst.SECOND, time.monotonic()
                    track.begun = begun
                if track.push():
                    self._again(begun + track.due(), order, track, begun)

        def _again(self, due, order, track, begun) -> None:
            with self.wake:
                heapq.heappush(self.queue, (due, order, track, begun))

    pacer = Pacer()
    pacer.start()

    class Mount:
        def __init__(self, path: str, setup: dict):
            self.path, self.mux = path, setup.get("mux", "")
            self.film = Film(**setup["video"])
            self.audio = Audio(**setup["audio"]) if setup.get("audio") else None
            units = self.film.units
            self.frames = buffers([u.nals[0] if self.film.codec == "mjpeg" else u.annexb for u in units])
            self.keys = [unit.key for unit in units]
            first = [nal for nal in units[0].nals if self.film.codec != "mjpeg" and not is_picture(nal, self.film.codec)]
            self.sets = AccessUnit(tuple(first), False, "").annexb
            self.sound = buffers(self.audio.packets) if self.audio else []
            self.films = {
                name: buffers([unit.annexb for unit in Film(**other).units]) for name, other in setup["films"].items()
            }
            self.video_track = None
            self.opened = 0

        def launch(self) -> str:
            caps, pay = {
                "h264": ("video/x-h264,stream-format=byte-stream,alignment=au", "rtph264pay config-interval=-1"),
                "h265": ("video/x-h265,stream-format=byte-stream,alignment=au", "rtph265pay config-interval=-1"),
                "mjpeg": ("image/jpeg", "rtpjpegpay"),
            }[self.film.codec]
            caps += f",width={self.film.width},height={self.film.height},framerate={self.film.fps}/1"
            common = "is-live=true format=time min-latency=0 max-bytes=4000000 leaky-type=downstream"
            if self.mux == "ts":
                pay = "mpegtsmux alignment=7 ! rtpmp2tpay"
            text = f'( appsrc name=video {common} caps="{caps}" ! {pay} name=pay0 pt={33 if self.mux else 96}'
            if self.audio:
                rate, channels = self.audio.rate, self.audio.channels
                caps, pay = {
                    "pcma": (f"audio/x-alaw,rate={rate},channels={channels}", "rtppcmapay pt=8"),
                    "pcmu": (f"audio/x-mulaw,rate={rate},channels={channels}", "rtppcmupay pt=0"),
                    "aac": (
                        f"audio/mpeg,mpegversion=4,stream-format=raw,rate={rate},channels={channels},"
                        f"codec_data=(buffer){self.audio.config.hex()}", "rtpmp4gpay pt=97",
                    ),
                    "opus": (f"audio/x-opus,rate={rate},channels={channels},channel-mapping-family=0", "rtpopuspay pt=97"),
                }[self.audio.codec]
                text += f' appsrc name=audio {common} caps="{caps}" ! {pay} name=pay1'
            return text + " )"

        def configure(self, factory, media) -> None:
            self.opened += 1
            pipeline = media.get_element()
            self.video_track = Track(pipeline.get_by_name("video"), self.frames, self.keys, 1 / self.film.fps, self.sets)
            if ledger:
                self.video_track.numbers(self.film.codec)
            pacer.add(self.video_track)
            if self.audio:
                sound = Track(pipeline.get_by_name("audio"), self.sound, [True], self.audio.packet_seconds, beside=self.video_track)
                pacer.add(sound)

    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(setup["port"]))
    server.set_backlog(128)
    counts = {"connections": 0, "requests": {}}

    def connected(_, client):
        counts["connections"] += 1
        for name in ("describe", "setup", "play", "teardown"):
            client.connect(f"{name}-request", lambda *_, name=name: counts["requests"].__setitem__(
                name, counts["requests"].get(name, 0) + 1))

    server.connect("client-connected", connected)
    secured = setup["auth"] != "none" or setup.get("tls")
    if secured:
        auth = GstRtspServer.RTSPAuth.new()
        token = GstRtspServer.RTSPToken.new()
        token.set_string("media.factory.role", "viewer")
        if setup.get("tls"):
            from gi.repository import Gio

            auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(*setup["tls"]))
        if setup["auth"] == "none":
            auth.set_default_token(token)
        elif setup["auth"] == "basic":
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(setup["user"], setup["password"]), token)
        else:
            from gi.repository import GstRtsp  # noqa: F401  the enumeration below lives there

            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(setup["user"], setup["password"], token)
        server.set_auth(auth)

    mounts = {}
    for path, content in setup["mounts"].items():
        mount = mounts[path] = Mount(path, content)
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_launch(mount.launch())
        factory.set_shared(True)
        factory.set_latency(0)
        factory.connect("media-configure", mount.configure)
        if secured:
            allowed = GstRtspServer.RTSPPermissions.new()
            allowed.add_permission_for_role("viewer", "media.factory.access", True)
            allowed.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(allowed)
        server.get_mount_points().add_factory(path, factory)

    loop = GLib.MainLoop()
    server.attach(None)
    GLib.timeout_add_seconds(2, lambda: server.get_session_pool().cleanup() >= 0)

    def command(request: dict) -> dict:
        if request["do"] == "play":
            told, gate = {}, threading.Event()
            for path, name in request["films"].items():
                track = mounts[path].video_track
                if track is None:
                    raise ValueError(f"nobody watches {path}")

                def shown(now: float, path=path):
                    told[path] = now
                    if len(told) == len(request["films"]):
                        gate.set()

                track.next_film = (mounts[path].films[name], shown)
            if not gate.wait(120):
                raise ValueError("the films did not begin")
            return {"shown": told}
        if request["do"] == "stats":
            clients = server.client_filter(None) or []
            sent = {path: mount.video_track.sent if mount.video_track else 0 for path, mount in mounts.items()}
            return {"clients": len(clients), "sessions": server.get_session_pool().get_n_sessions(), "sent": sent,
                    "opened": {path: mount.opened for path, mount in mounts.items()}, **counts}
        if request["do"] == "drop":
            dropped = server.client_filter(lambda *_: GstRtspServer.RTSPFilterResult.REF) or []
            for client in dropped:
                client.close()
            return {"dropped": len(dropped)}
        raise ValueError(f"unknown command {request['do']}")

    def obey() -> None:
        for line in commands:
            try:
                answer = command(json.loads(line))
            except Exception as problem:  # noqa: BLE001  the test that asked is told
                answer = {"error": f"{type(problem).__name__}: {problem}"}
            print(json.dumps(answer), flush=True)
        loop.quit()

    if commands:
        threading.Thread(target=obey, daemon=True).start()
    ready(server.get_bound_port())
    loop.run()


if __name__ == "__main__":
    serve(json.loads(sys.stdin.readline()), sys.stdin, lambda port: print("READY " + json.dumps({"port": port}), flush=True))
