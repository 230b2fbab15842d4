"""Doors before a real RTSP server: each asks for another sign-in, or loses and swaps datagrams, and passes everything else on.

Sign-in follows RFC 7616 (Digest) and RFC 7617 (Basic), with Python's hashlib; UDP is relayed by rewriting the ports of SETUP
(RFC 2326, 12.39). Run as a program it reads one JSON object from standard input:

    {"target": port of the server, "doors": {"name": Door}}

prints `READY {"ports": {"name": n}}` and answers {"do": "stats"} with what each door saw.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import random
import re
import secrets
import socket
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers.process import Peer

REALM = "door keeper"
SO_RCVBUFFORCE = 33  # Python has no name for it.


@dataclass(frozen=True)
class Door:
    """How one door treats its visitors. The defaults let everything through."""

    algorithms: tuple[str, ...] = ()  # of Digest, in the order they are offered: MD5, MD5-sess, SHA-256, SHA-256-sess; or Basic
    qop: str = "auth"  # what the challenge offers; empty: nothing, as in RFC 2069
    nonce_uses: int = 0  # requests a nonce is good for, then `stale=true`; 0: any number
    user: str = "viewer"
    password: str = "pass"
    loss: float = 0  # part of the video's datagrams that is lost
    swap: float = 0  # part that comes after the one behind it
    seed: int = 1


class RTSPProxy(Peer):
    """The doors as their tests see them."""

    def __init__(self, target: int, doors: dict[str, Door]):
        described = {name: asdict(door) for name, door in doors.items()}
        super().__init__([sys.executable, __file__], {"target": target, "doors": described})
        self.ports: dict[str, int] = self.ready["ports"]

    def url(self, door: str, path: str = "/main", login: str = "") -> str:
        return f"rtsp://{login + '@' if login else ''}127.0.0.1:{self.ports[door]}{path}"

    def stats(self, door: str) -> dict:
        return self.ask({"do": "stats"})[door]


class _Keeper:
    """Checks the sign-in of one connection."""

    def __init__(self, door: Door, counts: Counter):
        self.door, self.counts = door, counts
        self.nonce, self.uses, self.seen = secrets.token_urlsafe(18), 0, set()

    def challenges(self, stale: bool) -> list[str]:
        if stale:
            self.nonce, self.uses, self.seen = secrets.token_urlsafe(18), 0, set()
        lines = []
        for algorithm in self.door.algorithms:
            if algorithm == "Basic":
                lines.append(f'Basic realm="{REALM}"')
                continue
            line = f'Digest realm="{REALM}", nonce="{self.nonce}", opaque="{secrets.token_hex(8)}", algorithm={algorithm}'
            line += f', qop="{self.door.qop}"' if self.door.qop else ""
            lines.append(line + (", stale=true" if stale else ""))
        return lines

    def refuses(self, method: str, given: str) -> list[str] | None:
        """The challenges when the request is not let through."""
        if not self.door.algorithms:
            return None
        if not given:
            self.counts["unsigned"] += 1
            return self.challenges(False)
        scheme, _, rest = given.partition(" ")
        if scheme.lower() == "basic" and "Basic" in self.door.algorithms:
            if base64.b64decode(rest).decode() == f"{self.door.user}:{self.door.password}":
                self.counts["signed with Basic"] += 1
                return None
        elif scheme.lower() == "digest":
            fields = {k.lower(): (a or b) for k, a, b in re.findall(r'([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))', rest)}
            if fields.get("nonce") == self.nonce and self.door.nonce_uses and self.uses >= self.door.nonce_uses:
                self.counts["stale"] += 1
                return self.challenges(True)
            if (algorithm := self._signed(method, fields)) is not None:
                self.uses += 1
                self.counts[f"signed with {algorithm}"] += 1
                return None
        self.counts["wrong"] += 1
        return self.challenges(False)

    def _signed(self, method: str, fields: dict[str, str]) -> str | None:
        algorithm = fields.get("algorithm", "MD5")
        if algorithm not in self.door.algorithms or fields.get("nonce") != self.nonce or fields.get("username") != self.door.user:
            return None
        if fields.get("realm") != REALM or "opaque" not in fields:
            return None
        function = "sha256" if algorithm.startswith("SHA-256") else "md5"

        def digest(*parts: str) -> str:
            return hashlib.new(function, ":".join(parts).encode()).hexdigest()

        first = digest(self.door.user, REALM, self.door.password)
        if algorithm.endswith("-sess"):
            first = digest(first, self.nonce, fields.get("cnonce", ""))
        second = digest(method, fields.get("uri", ""))
        if self.door.qop:
            # A count may not come twice (RFC 7616, 3.4), and eight digits it must have.
            count = fields.get("nc", "")
            if not re.fullmatch(r"[0-9a-f]{8}", count) or count in self.seen or fields.get("qop") != "auth":
                return None
            expected = digest(first, self.nonce, count, fields.get("cnonce", ""), "auth", second)
            if fields.get("response") == expected:
                self.seen.add(count)
        else:
            if "qop" in fields:
                return None
            expected = digest(first, self.nonce, second)
        return algorithm if fields.get("response") == expected else None


class _Relay(asyncio.DatagramProtocol):
    """One of the four datagram sockets of a track; what it receives leaves by another one."""

    def __init__(self, pass_on):
        self.pass_on = pass_on

    def connection_made(self, transport) -> None:
        self.transport = transport
        # Nothing is lost but what is to be, also when this process stands still for a while. Only root may have so much.
        try:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        except PermissionError:
            pass

    def datagram_received(self, data: bytes, _) -> None:
        self.pass_on(data)

    def error_received(self, problem) -> None:
        pass  # The visitor closed its port a moment ago.


class _Visit:
    """One connection through one door."""

    def __init__(self, name: str, door: Door, target: int, book: dict):
        self.door, self.target, self.book = door, target, book
        self.keeper = _Keeper(door, book["counts"])
        self.chance = random.Random(door.seed)
        self.relays: list[asyncio.DatagramTransport] = []
        self.pending: list[dict] = []  # SETUP requests over UDP whose answers are still to come
        self.held: bytes | None = None
        self.tracks = 0

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, server = await asyncio.open_connection("127.0.0.1", self.target)
        self.book["counts"]["connections"] += 1
        try:
            ways = [asyncio.create_task(self._requests(reader, writer, server)), asyncio.create_task(self._answers(there, writer))]
            _, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in rest:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for relay in self.relays:
                relay.close()
            server.close()
            writer.close()

    @staticmethod
    async def _message(reader: asyncio.StreamReader) -> tuple[bytes | None, list[str], bytes]:
        """An interleaved frame as bytes, or the lines and the body of a message."""
        first = await reader.readexactly(1)
        while first in b"\r\n":
            first = await reader.readexactly(1)
        if first == b"$":
            head = await reader.readexactly(3)
            return first + head + await reader.readexactly(int.from_bytes(head[1:], "big")), [], b""
        lines = (first + await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        size = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")), 0)
        return None, lines, await reader.readexactly(size)

    async def _requests(self, reader, writer, server) -> None:
        while True:
            frame, lines, body = await self._message(reader)
            if frame:
                server.write(frame)
                continue
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            method = lines[0].split(" ")[0]
            refusal = None if method == "OPTIONS" else self.keeper.refuses(method, fields.get("authorization", ""))
            if refusal is not None:
                told = "".join(f"WWW-Authenticate: {line}\r\n" for line in refusal)
                writer.write(f"RTSP/1.0 401 Unauthorized\r\nCSeq: {fields.get('cseq', '0')}\r\n{told}\r\n".encode())
                continue
            lines = [line for line in lines if not line.lower().startswith("authorization:")]
            if method == "SETUP" and (ports := re.search(r"client_port=(\d+)-(\d+)", fields.get("transport", ""))):
                own = await self._bind(writer.get_extra_info("peername")[0], int(ports[1]))
                self.pending.append(own)
                lines = [
                    re.sub(r"client_port=\d+-\d+", f"client_port={own['inner']}-{own['inner'] + 1}", line)
                    if line.lower().startswith("transport:") else line for line in lines
                ]
            server.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def _answers(self, there, writer) -> None:
        while True:
            frame, lines, body = await self._message(there)
            if frame:
                writer.write(frame)
                await writer.drain()
                continue
            for number, line in enumerate(lines):
                ports = re.search(r"server_port=(\d+)-(\d+)", line)
                if ports and self.pending:
                    own = self.pending.pop(0)
                    own["server"] = int(ports[1])
                    line = re.sub(r"server_port=\d+-\d+", f"server_port={own['outer']}-{own['outer'] + 1}", line)
                    lines[number] = re.sub(r"client_port=\d+-\d+", f"client_port={own['client']}-{own['client'] + 1}", line)
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def _bind(self, host: str, client: int) -> dict:
        """Two pairs of sockets for a track: the inner one faces the server, the outer one the visitor."""
        own: dict = {"client": client, "server": None}
        is_video = self.tracks == 0
        self.tracks += 1

        async def pair(rtp, rtcp) -> tuple[list, int]:
            while True:
                first, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Relay(rtp), local_addr=("127.0.0.1", 0))
                port = first.get_extra_info("sockname")[1]
                if port % 2 == 0:
                    try:
                        second, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                            lambda: _Relay(rtcp), local_addr=("127.0.0.1", port + 1))
                        self.relays += [first, second]
                        return [first, second], port
                    except OSError:
                        pass  # Taken by somebody else: another pair.
                first.close()

        def to_visitor(index: int):
            def send(data: bytes) -> None:
                outer[index].sendto(data, (host, client + index))
            return send

        def to_server(index: int):
            def send(data: bytes) -> None:
                if own["server"]:
                    inner[index].sendto(data, ("127.0.0.1", own["server"] + index))
            return send

        deliver = to_visitor(0)
        outer, own["outer"] = await pair(to_server(0), to_server(1))
        inner, own["inner"] = await pair((lambda data: self._video(data, deliver)) if is_video else deliver, to_visitor(1))
        return own

    def _video(self, packet: bytes, deliver) -> None:
        """Frames are told apart by their timestamps: what was lost is noted by the number of the frame."""
        stamp = int.from_bytes(packet[4:8], "big")
        stamps = self.book["stamps"]
        if stamp not in stamps:
            stamps[stamp] = len(stamps)
        if self.chance.random() < self.door.loss:
            self.book["counts"]["lost"] += 1
            if not self.book["damaged"] or self.book["damaged"][-1] != stamps[stamp]:
                self.book["damaged"].append(stamps[stamp])
            return
        if self.held is None and self.chance.random() < self.door.swap:
            self.held = packet
            return
        deliver(packet)
        if self.held is not None:
            self.book["counts"]["swapped"] += 1
            deliver(self.held)
            self.held = None


async def _run(setup: dict) -> None:
    ports, books = {}, {}
    for name, described in setup["doors"].items():
        door = Door(**{**described, "algorithms": tuple(described["algorithms"])})
        books[name] = {"counts": Counter(), "stamps": {}, "damaged": []}

        async def accept(reader, writer, name=name, door=door) -> None:
            try:
                await _Visit(name, door, setup["target"], books[name]).run(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass  # One of the two is gone.

        server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=1 << 20)
        ports[name] = server.sockets[0].getsockname()[1]
    print("READY " + json.dumps({"ports": ports}), flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while await commands.readline():
        told = {name: {**book["counts"], "frames": len(book["stamps"]), "damaged": book["damaged"]} for name, book in books.items()}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    # Read byte by byte: nothing of the commands that follow may be swallowed by a buffer.
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1) or b"\n"
    asyncio.run(_run(json.loads(line)))
