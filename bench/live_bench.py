#!/usr/bin/env python3
"""What live pictures cost and how late they are.

    .venv-test/bin/python bench/live_bench.py [--cameras 8] [--viewers 16] [--seconds 30] [--only latency,first,cpu,ending]

Latency is measured from the moment a simulated camera begins to send a frame to the moment a viewer's process has read the whole
WebSocket message, on one clock of one machine. The result becomes the section "Live" of docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import re
import selectors
import socket
import struct
import sys
import threading
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import REPOSITORY, Result, Server, commit, machine, measured, say  # noqa: E402

from harness.rtsp import RTSPClient  # noqa: E402
from harness.server import PASSWORD, USER, wait_for  # noqa: E402
from harness.websocket import Closed, WebSocket  # noqa: E402
from peers import footage  # noqa: E402
from peers.bitstream import annexb_nals  # noqa: E402
from peers.fault_camera import FaultCamera  # noqa: E402

TAIL = 48


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Viewers:
    """Many WebSockets read by one thread, as fast as it can: for each message the time at which it was whole."""

    def __init__(self, sockets: list[tuple[int, socket.socket, bytes]], note: bool):
        self.arrivals: list[tuple[int, float, bytes]] = []
        self.bytes = 0
        self._note = note
        self._stop = threading.Event()
        self._selector = selectors.DefaultSelector()
        for camera, sock, rest in sockets:
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ, [camera, bytearray(rest)])
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            for key, _ in self._selector.select(0.2):
                try:
                    data = key.fileobj.recv(1 << 20)
                except BlockingIOError:
                    continue
                if not data:
                    self._selector.unregister(key.fileobj)
                    continue
                now = time.monotonic()
                self.bytes += len(data)
                if self._note:
                    camera, buffer = key.data
                    buffer += data
                    self._messages(camera, buffer, now)

    def _messages(self, camera: int, buffer: bytearray, now: float) -> None:
        while len(buffer) >= 4:
            size, head = buffer[1], 2
            if size == 126:
                size, head = struct.unpack(">H", buffer[2:4])[0], 4
            elif size == 127:
                if len(buffer) < 10:
                    return
                size, head = struct.unpack(">Q", buffer[2:10])[0], 10
            if len(buffer) < head + size:
                return
            if size > 10 and buffer[head] == 0:
                self.arrivals.append((camera, now, bytes(buffer[head + size - TAIL:head + size])))
            del buffer[:head + size]

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def opened(nvr: Server, camera: int, kind: str = "ws") -> tuple[socket.socket, bytes]:
    """A viewer's bare socket and what has been read of it beyond the handshake."""
    if kind == "rtsp":
        client = RTSPClient(nvr.stream_port(), str(camera), f"{USER}:{PASSWORD}")
        client.play()
        return client.socket, b""
    viewer = WebSocket(nvr.api.base, f"/cameras/{camera}/{kind}", token=nvr.api.token)
    return viewer._socket, bytes(viewer._buffer)


def latency(cameras: int, viewers: int, seconds: float, work: Path) -> Result:
    film = footage.full_hd()
    tails = {}
    for number, unit in enumerate(film.units):
        tails[annexb_nals(unit.annexb)[-1][-TAIL:]] = number
    result = Result(
        f"Live: latency with {cameras} cameras and {viewers} viewers",
        ["cameras", "viewers", "frames", "p50 ms", "p90 ms", "p99 ms", "slowest ms", "lost"])
    with ExitStack() as stack:
        peers = [stack.enter_context(FaultCamera(film, times=True)) for _ in range(cameras)]
        nvr = stack.enter_context(Server(work / "latency", segment_seconds=None))
        (work / "latency").mkdir(parents=True)
        nvr.start().with_admin()
        ids = [nvr.api.add_camera(f"camera {number}", peer.url()) for number, peer in enumerate(peers)]
        wait_for("all cameras run", lambda: all(nvr.api.status(key) == "CONNECTED" for key in ids), 60)
        sockets = [(number % cameras, *opened(nvr, ids[number % cameras])) for number in range(viewers)]
        time.sleep(3)
        reading = Viewers(sockets, note=True)
        begun = time.monotonic()
        time.sleep(seconds)
        ended = time.monotonic()
        reading.stop()
        sent = [peer.stats()["times"] for peer in peers]
        lost = int(nvr.metric("vibenvr_live_lost_frames_total"))
    by_frame: list[dict[int, list[float]]] = []
    for times in sent:
        of_camera: dict[int, list[float]] = {}
        for moment, number in times:
            of_camera.setdefault(number, []).append(moment)
        by_frame.append(of_camera)
    delays = []
    for camera, arrival, tail in reading.arrivals:
        # The first second holds what waited before the reading began.
        if not begun + 1 < arrival < ended or tail not in tails:
            continue
        moments = [moment for moment in by_frame[camera].get(tails[tail], []) if moment <= arrival]
        if moments:
            delays.append((arrival - max(moments)) * 1000)
    p50, p90, p99 = (percentile(delays, share) for share in (0.5, 0.9, 0.99))
    result.rows.append([str(cameras), str(viewers), str(len(delays)), f"{p50:.1f}", f"{p90:.1f}", f"{p99:.1f}", f"{max(delays):.1f}", str(lost)])
    expected = viewers * film.fps * (ended - begun - 1)
    result.judge("camera packet to WebSocket frame, p99", "≤ 25 ms", f"{p99:.1f} ms", p99 <= 25)
    result.judge("frames that arrived", "all", f"{len(delays)} of {expected:.0f}", abs(len(delays) - expected) <= 2 * viewers and lost == 0)
    result.notes.append(
        "1080p15 at 2.5 Mbit/s over TCP, recorded at the same time. From the moment the camera begins to send a frame to the moment "
        "one process that reads all WebSockets has the whole message: kernel, our server, and that process are in it.")
    return result


def first_picture(work: Path, rounds: int = 60) -> Result:
    film = footage.full_hd()
    result = Result("Live: time to the first picture", ["kind", "viewers one after the other", "p50 ms", "p95 ms", "slowest ms"])
    with FaultCamera(film) as peer, Server(work / "first", segment_seconds=None) as nvr:
        (work / "first").mkdir(parents=True)
        nvr.start().with_admin()
        key = nvr.api.add_camera("camera", peer.url())
        wait_for("the camera runs", lambda: nvr.api.status(key) == "CONNECTED", 60)
        time.sleep(3)
        for kind in ("ws", "mse"):
            waits = []
            for number in range(rounds):
                begun = time.monotonic()
                with WebSocket(nvr.api.base, f"/cameras/{key}/{kind}", token=nvr.api.token) as viewer:
                    if kind == "ws":
                        while (message := viewer.message()).kind != 0:
                            pass
                        assert message.key
                    else:
                        while (payload := viewer.data().payload)[4:8] != b"moof":
                            pass
                    waits.append((time.monotonic() - begun) * 1000)
                # All phases of a GOP are met.
                time.sleep(0.037 * (number % 5 + 1))
            worst = max(waits)
            result.rows.append([f"/{kind}", str(rounds), f"{percentile(waits, 0.5):.1f}", f"{percentile(waits, 0.95):.1f}", f"{worst:.1f}"])
            result.judge(f"first picture over /{kind}", "≤ 150 ms", f"{worst:.1f} ms (slowest)", worst <= 150)
    result.notes.append("From connecting (TCP, handshake, rights) to the whole key frame, 1080p15 with a key frame every two seconds.")
    return result


def cost(viewers: int, seconds: float, work: Path) -> Result:
    film = footage.full_hd()
    names = {"ws": "/ws", "mse": "/mse", "rtsp": "RTSP"}
    bitrate = Path(film.path).stat().st_size * 8 / (len(film.units) / film.fps)
    result = Result(
        f"Live: CPU of viewers at {bitrate / 1e6:.2f} Mbit/s", ["kind", "viewers", "CPU-s per minute", "of each more viewer", "Mbit/s to each"])
    with FaultCamera(film) as peer, Server(work / "cost", segment_seconds=None) as nvr:
        (work / "cost").mkdir(parents=True)
        nvr.start().with_admin()
        key = nvr.api.add_camera("camera", peer.url())
        wait_for("the camera runs", lambda: nvr.api.status(key) == "CONNECTED", 60)
        time.sleep(3)
        none = measured({"own": nvr}, seconds)["own"]
        result.rows.append(["nobody", "0", f"{none:.3f}", "", ""])
        for kind in ("ws", "mse", "rtsp"):
            usage = {}
            for count in (1, viewers):
                reading = Viewers([(0, *opened(nvr, key, kind)) for _ in range(count)], note=False)
                time.sleep(3)
                before = reading.bytes
                begun = time.monotonic()
                usage[count] = measured({"own": nvr}, seconds)["own"]
                rate = (reading.bytes - before) * 8 / (time.monotonic() - begun) / count
                reading.stop()
                for entry in list(reading._selector.get_map().values()):
                    entry.fileobj.close()
                wait_for("all viewers are gone", lambda: nvr.metric("vibenvr_live_viewers") + nvr.metric("vibenvr_restream_clients") == 0)
                more = (usage[count] - usage[1]) / (count - 1) if count > 1 else usage[1] - none
                result.rows.append([names[kind], str(count), f"{usage[count]:.3f}", f"{more:.3f}", f"{rate / 1e6:.2f}"])
            more = (usage[viewers] - usage[1]) / (viewers - 1)
            result.judge(f"CPU of each more viewer over {names[kind]}", "≤ 0.3 CPU-s a minute", f"{more:.3f}", more <= 0.3)
    result.notes.append(
        "CPU time of the server's process. The first viewer costs more: the camera's socket is read at once instead of 20 times a second.")
    return result


def ending(work: Path, rounds: int = 20) -> Result:
    """From the request that takes a right away to the end of the stream."""
    result = Result("Live: from the loss of a right to the end of the stream", ["what ends it", "times", "p50 ms", "p95 ms", "slowest ms"])
    with FaultCamera(footage.full_hd()) as peer, Server(work / "ending", segment_seconds=None) as nvr:
        (work / "ending").mkdir(parents=True)
        api = nvr.start().with_admin().api
        key = api.add_camera("camera", peer.url())
        wait_for("the camera runs", lambda: api.status(key) == "CONNECTED", 60)
        rights = {"restrict_camera_access": True, "camera_accesses": [{"id": key, "can_view": True}]}
        word = "Viewer-Passw0rd!"
        user = api.post("/users", json={"username": "viewer", "password": word, "role": "viewer", **rights}).json()["id"]
        login = {"username": "viewer", "password": word}
        token = api.post("/auth/login", token="", data=login).json()["access_token"]
        ways = {
            "the right to the camera": lambda: api.put(f"/users/{user}", json={"camera_accesses": [{"id": key, "can_view": False}]}),
            "the user is switched off": lambda: api.put(f"/users/{user}", json={"is_active": False}),
        }
        for name, take in ways.items():
            waits = []
            for _ in range(rounds):
                answer = api.put(f"/users/{user}", json={"is_active": True, **rights})
                assert answer.status_code == 200, answer.text
                if api.get("/auth/me", token=token).status_code == 401:
                    # Switching a user off ended the session; of sign-ins there may be ten a minute.
                    if len(waits) >= 7:
                        break
                    token = api.post("/auth/login", token="", data=login).json()["access_token"]
                with WebSocket(nvr.api.base, f"/cameras/{key}/ws", token=token) as viewer:
                    viewer.data()
                    begun = time.monotonic()
                    assert take().status_code == 200
                    try:
                        while True:
                            viewer.data()
                    except Closed as end:
                        waits.append((time.monotonic() - begun) * 1000)
                        assert end.code == 1008
            worst = max(waits)
            result.rows.append([name, str(len(waits)), f"{percentile(waits, 0.5):.1f}", f"{percentile(waits, 0.95):.1f}", f"{worst:.1f}"])
            result.judge(f"end of the stream after {name}", "≤ 1 s", f"{worst / 1000:.3f} s (slowest)", worst <= 1000)
    result.notes.append("From sending the administrator's request to having read the WebSocket's close.")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures live pictures.")
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--viewers", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30, help="length of each window")
    parser.add_argument("--only", default="latency,first,cpu,ending", help="which parts to run")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "BENCHMARKS.md")
    options = parser.parse_args()
    import shutil
    import tempfile

    work = Path(tempfile.mkdtemp(prefix="vibenvr-bench-"))
    parts = {
        "latency": lambda: latency(options.cameras, options.viewers, options.seconds, work),
        "first": lambda: first_picture(work),
        "cpu": lambda: cost(options.viewers, options.seconds, work),
        "ending": lambda: ending(work),
    }
    results = []
    try:
        for name in options.only.split(","):
            if name not in parts:
                parser.error(f"there is no part called {name}")
            say(f"{name}:")
            results.append(parts[name]())
            for row in [results[-1].head, *results[-1].rows]:
                say("    " + " | ".join(row))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    command = " ".join(["bench/live_bench.py", *sys.argv[1:]])
    lines = [
        "<!-- live -->", "# Live", "",
        f"Made by `make bench-live` ({command}) on {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC at commit {commit()}, on {machine()}.", "",
    ]
    for result in results:
        lines += [f"## {result.title}", "", "| " + " | ".join(result.head) + " |", "|" + "---|" * len(result.head)]
        lines += ["| " + " | ".join(row) + " |" for row in result.rows]
        lines += ["", *result.notes, "", "| target | bound | measured | |", "|---|---|---|---|"]
        lines += [f"| {target} | {bound} | {value} | {'met' if met else '**missed**'} |" for target, bound, value, met in result.verdicts]
        lines.append("")
    section = "\n".join(lines) + "<!-- /live -->\n"
    text = options.output.read_text() if options.output.exists() else "# Benchmarks\n"
    known = re.compile(r"<!-- live -->\n.*?<!-- /live -->\n", re.DOTALL)
    text = known.sub(lambda _: section, text) if known.search(text) else text.rstrip("\n") + "\n\n" + section
    options.output.write_text(text)
    missed = [verdict for result in results for verdict in result.verdicts if not verdict[3]]
    say(f"{sum(len(result.verdicts) for result in results) - len(missed)} targets met, {len(missed)} missed; written to {options.output}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
