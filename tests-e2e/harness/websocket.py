"""A WebSocket client on a bare socket, so that tests can send what no library would, and read as slowly as they like."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import ssl
import struct
from dataclasses import dataclass
from urllib.parse import urlsplit

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Refused(Exception):
    """The server answered the handshake with something else than 101."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes):
        super().__init__(f"{status} {body[:200]!r}")
        self.status, self.headers, self.body = status, headers, body


class Gone(Exception):
    """The connection ended without a close frame."""


@dataclass(frozen=True)
class Frame:
    opcode: int
    payload: bytes

    @property
    def code(self) -> int | None:
        """Of a close frame."""
        return struct.unpack(">H", self.payload[:2])[0] if len(self.payload) >= 2 else None


@dataclass(frozen=True)
class Message:
    """A message of `/cameras/{id}/ws`: ten bytes of header and what they announce."""

    kind: int
    key: bool
    pts: float
    payload: bytes

    @classmethod
    def of(cls, data: bytes) -> "Message":
        kind, key, pts = struct.unpack("<BBd", data[:10])
        assert kind in (0, 1, 2) and key in (0, 1), data[:10].hex()
        return cls(kind, bool(key), pts, data[10:])

    @property
    def json(self) -> dict:
        assert self.kind == 2
        return json.loads(self.payload)


class WebSocket:
    """One connection. `headers` are sent with the handshake; without `handshake` the socket is left bare."""

    def __init__(
        self, base: str, path: str, *, token: str = "", headers: dict[str, str] | None = None, timeout: float = 120,
        receive_buffer: int = 0, context: ssl.SSLContext | None = None, handshake: bool = True,
    ):
        address = urlsplit(base)
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(timeout)
        self._socket.connect((address.hostname, address.port))
        if address.scheme == "https":
            self._socket = (context or _trusting()).wrap_socket(self._socket, server_hostname=address.hostname)
        self._buffer = bytearray()
        self.headers: dict[str, str] = {}
        if handshake:
            self.shake(address.netloc, path, token, headers or {})

    def shake(self, host: str, path: str, token: str, headers: dict[str, str], body: bytes = b"") -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {
            "Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13",
            **({"Authorization": f"Bearer {token}"} if token else {}), **headers,
        }
        request = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value) + "\r\n"
        self._socket.sendall(request.encode() + body)
        status, self.headers, body = self.answer()
        if status != 101:
            self.close()
            raise Refused(status, self.headers, body)
        wanted = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
        assert self.headers["sec-websocket-accept"] == wanted

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """An HTTP answer with a Content-Length, or none."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        size = int(headers.get("content-length", 0))
        self._buffer = bytearray(rest)
        body = self._take(size)
        return int(lines[0].split()[1]), headers, body

    # Bytes.

    def _more(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise Gone
        self._buffer += data

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def send_raw(self, data: bytes) -> None:
        self._socket.sendall(data)

    def timeout(self, seconds: float) -> None:
        self._socket.settimeout(seconds)

    # Frames.

    @staticmethod
    def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, reserved: int = 0, length: int | None = None) -> bytes:
        """A frame as bytes; `length` announces another length than the payload has."""
        size = len(payload) if length is None else length
        first = (0x80 if fin else 0) | reserved << 4 | opcode
        flag = 0x80 if masked else 0
        if size < 126:
            head = struct.pack(">BB", first, flag | size)
        elif size < 1 << 16:
            head = struct.pack(">BBH", first, flag | 126, size)
        else:
            head = struct.pack(">BBQ", first, flag | 127, size)
        if not masked:
            return head + payload
        mask = os.urandom(4)
        return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))

    def send(self, opcode: int, payload: bytes = b"", **how) -> None:
        self.send_raw(self.frame(opcode, payload, **how))

    def receive(self) -> Frame:
        """The next frame. The server's are never masked and never in pieces."""
        first, second = self._take(2)
        assert first & 0x80 and not first & 0x70 and not second & 0x80, (first, second)
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", self._take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._take(8))[0]
        return Frame(first & 15, self._take(size))

    def data(self) -> Frame:
        """The next text or binary message; pings are answered on the way. A close frame raises Closed."""
        while True:
            frame = self.receive()
            if frame.opcode == PING:
                self.send(PONG, frame.payload)
            elif frame.opcode == CLOSE:
                raise Closed(frame.code or 1005, frame.payload[2:].decode())
            elif frame.opcode != PONG:
                return frame

    def message(self) -> Message:
        return Message.of(self.data().payload)

    def ended(self) -> int:
        """Reads up to the close frame, behind which nothing comes any more; its code."""
        while (frame := self.receive()).opcode != CLOSE:
            pass
        return frame.code

    def closed(self) -> int | None:
        """Reads to the end of the connection; the code of the close frame, if there was one."""
        code = None
        try:
            while True:
                frame = self.receive()
                if frame.opcode == CLOSE:
                    code = frame.code
        except (Gone, ConnectionError):
            return code

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "WebSocket":
        return self

    def __exit__(self, *_) -> None:
        self.close()


class Closed(Exception):
    def __init__(self, code: int, reason: str):
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
