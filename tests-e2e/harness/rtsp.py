"""An RTSP client that does exactly what a test says, and shows every byte: over TCP, with or without TLS."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str:
        found = self.all(name)
        return found[0] if found else ""


@dataclass
class Packet:
    channel: int
    data: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def sequence(self) -> int:
        return struct.unpack_from(">H", self.data, 2)[0]

    @property
    def timestamp(self) -> int:
        return struct.unpack_from(">I", self.data, 4)[0]

    @property
    def ssrc(self) -> int:
        return struct.unpack_from(">I", self.data, 8)[0]

    @property
    def marker(self) -> bool:
        return bool(self.data[1] & 0x80)


class Ended(Exception):
    """The server closed the connection."""


class RTSPClient:
    def __init__(self, port: int, path: str, login: str = "", *, secure: bool = False, timeout: float = 60):
        self.url = f"{'rtsps' if secure else 'rtsp'}://127.0.0.1:{port}/{path}"
        self.user, _, self.password = login.partition(":")
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.buffer = b""
        self.cseq = 0
        self.session = ""
        self.packets: list[Packet] = []
        self.digest: tuple[str, dict[str, str]] | None = None

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    # Sign-in.

    def authorization(self, method: str, url: str) -> str | None:
        if self.digest:
            algorithm, fields = self.digest
            spell = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]

            def digest(text: str) -> str:
                return spell(text.encode()).hexdigest()

            cnonce, count = os.urandom(8).hex(), "00000001"
            first, second = digest(f"{self.user}:{fields['realm']}:{self.password}"), digest(f"{method}:{url}")
            response = digest(f"{first}:{fields['nonce']}:{count}:{cnonce}:auth:{second}")
            return (f'Digest username="{self.user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", uri="{url}", response="{response}", '
                    f'algorithm={algorithm}, qop=auth, nc={count}, cnonce="{cnonce}"')
        if self.user or self.password:
            return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return None

    def challenge(self, algorithm: str) -> None:
        """Asks for the challenges of digest authentication and will meet the one of that algorithm."""
        answer = self.request("DESCRIBE", self.url + "?auth=digest", authorize=False)
        assert answer.status == 401, answer
        for value in answer.all("WWW-Authenticate"):
            fields = dict(re.findall(r'(\w+)="([^"]*)"', value)) | dict(re.findall(r"(algorithm)=([\w-]+)", value))
            if value.startswith("Digest ") and fields["algorithm"] == algorithm:
                self.digest = (algorithm, fields)
                return
        raise AssertionError(f"no {algorithm} among {answer.all('WWW-Authenticate')}")

    # Requests.

    def request(self, method: str, url: str | None = None, *, authorize: bool = True, **headers: str) -> Answer:
        url = url or self.url
        self.cseq += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self.cseq}"]
        if authorize and (value := self.authorization(method, url)):
            lines.append(f"Authorization: {value}")
        if self.session:
            lines.append(f"Session: {self.session}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return self.answer()

    def answer(self) -> Answer:
        while True:
            found = self._element()
            if isinstance(found, Answer):
                return found
            self.packets.append(found)

    def _fill(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise Ended
        self.buffer += data

    def _element(self) -> Answer | Packet:
        while True:
            if self.buffer[:1] == b"$" and len(self.buffer) >= 4:
                size = int.from_bytes(self.buffer[2:4], "big")
                if len(self.buffer) >= 4 + size:
                    packet = Packet(self.buffer[1], self.buffer[4 : 4 + size])
                    self.buffer = self.buffer[4 + size :]
                    return packet
            elif self.buffer[:1] not in (b"$", b"") and b"\r\n\r\n" in self.buffer:
                head, _, rest = self.buffer.partition(b"\r\n\r\n")
                first, *lines = head.decode().split("\r\n")
                headers = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
                answer = Answer(int(first.split()[1]), headers)
                size = int(answer.get("Content-Length") or 0)
                if len(rest) >= size:
                    answer.body, self.buffer = rest[:size], rest[size:]
                    return answer
            self._fill()

    # Playing.

    def play(self, tracks: int | None = None) -> str:
        """Goes through everything up to PLAY, over this connection; gives the description."""
        answer = self.request("DESCRIBE", Accept="application/sdp")
        assert answer.status == 200, answer
        description = answer.body.decode()
        for track in range(description.count("\r\nm=") if tracks is None else tracks):
            set_up = self.request("SETUP", f"{self.url}/trackID={track}", Transport=f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}")
            assert set_up.status == 200, set_up
            self.session = set_up.get("Session").partition(";")[0]
        started = self.request("PLAY", Range="npt=now-")
        assert started.status == 200, started
        self.info = started.get("RTP-Info")
        return description

    def packet(self) -> Packet:
        """The next one that comes."""
        if self.packets:
            return self.packets.pop(0)
        found = self._element()
        assert isinstance(found, Packet), found
        return found

    def media(self, count: int, channel: int = 0) -> list[Packet]:
        """So many packets of a track."""
        found: list[Packet] = []
        while len(found) < count:
            packet = self.packet()
            if packet.channel == channel:
                found.append(packet)
        return found

    def wait_for_end(self, seconds: float) -> float:
        """Reads until the server closes; the seconds it took."""
        begun = time.monotonic()
        self.socket.settimeout(seconds)
        try:
            while True:
                self.packet()
        except Ended:
            return time.monotonic() - begun
        except ConnectionResetError:
            return time.monotonic() - begun
