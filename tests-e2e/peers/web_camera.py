"""Cameras of the web: pictures one after the other, films as files, and playlists, from Python's own HTTP server.

Run as a program it reads one JSON object from standard input,

    {"pictures": Film.describe() or null, "folder": "path or empty", "port": 0, "auth": "none|basic|digest|digest-sha256",
     "user": "u", "password": "p", "tls": ["certificate.pem", "key.pem"] or null, "redirects": {"/from": "to"}}

prints `READY {"port": n}` and answers {"do": "down"} (refuses and hangs up), {"do": "up"}, {"do": "stats"}.

Paths: `/pictures` is an endless multipart of JPEG pictures at their own pace; `/files/…` is a file of the folder, in ranges when
asked for, in chunks when its path begins with `/chunked/`; redirects as set up.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers import ports
from peers.footage import Film
from peers.process import Peer

TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t", ".mp4": "video/mp4", ".m4s": "video/iso.segment"}


class WebCamera(Peer):
    """The server as its tests see it."""

    def __init__(
        self, pictures: Film | None = None, folder: Path | None = None, *, auth: str = "none", user: str = "viewer",
        password: str = "pass", tls: tuple[str, str] | None = None, redirects: dict[str, str] | None = None, port: int = 0,
    ):
        super().__init__([sys.executable, __file__], {
            "pictures": pictures.describe() if pictures else None, "folder": str(folder or ""), "port": port, "auth": auth,
            "user": user, "password": password, "tls": tls, "redirects": redirects or {},
        })
        self.port = self.ready["port"]
        self._scheme = "https" if tls else "http"

    def url(self, path: str, login: str = "", host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{login + '@' if login else ''}{host}:{self.port}{path}"

    def down(self) -> None:
        self.ask({"do": "down"})

    def up(self) -> float:
        """The answer is the wall time (seconds) from which it answers again."""
        return self.ask({"do": "up"})["now"]

    def stats(self) -> dict:
        return self.ask({"do": "stats"})


class _State:
    def __init__(self, setup: dict):
        self.setup = setup
        self.frames = [unit.nals[0] for unit in Film(**setup["pictures"]).units] if setup["pictures"] else []
        self.fps = setup["pictures"]["fps"] if setup["pictures"] else 1
        self.folder = Path(setup["folder"]).resolve()
        self.nonce = secrets.token_hex(8)
        self.counts: Counter = Counter()
        self.hosts: set[str] = set()
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        self.server: ThreadingHTTPServer | None = None

    def note(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def listen(self, port: int) -> int:
        state = self

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def get_request(self):
                connection, address = super().get_request()
                if state.setup["tls"]:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(*state.setup["tls"])
                    context.sni_callback = lambda _, name, __: state.hosts.add(f"sni {name}") if name else None
                    # The handshake is the handler's business: it must not hold up others.
                    connection = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                with state.lock:
                    state.open.add(connection)
                return connection, address

            def shutdown_request(self, request):
                with state.lock:
                    state.open.discard(request)
                super().shutdown_request(request)

            def handle_error(self, *_):
                pass  # The visitor is gone.

        class Handler(_Handler):
            pass

        Handler.state = state
        self.server = Server(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self.server.server_address[1]

    def command(self, request: dict) -> dict:
        match request["do"]:
            case "down":
                port = self.server.server_address[1]
                self.server.shutdown()
                self.server.server_close()
                # Nobody else listens there meanwhile.
                ports.keep(port)
                self.setup["port"] = port
                with self.lock:
                    for connection in self.open:
                        try:
                            connection.shutdown(socket.SHUT_RDWR)
                        except OSError:
                            pass  # It has gone by itself.
            case "up":
                self.listen(self.setup["port"])
            case "stats":
                with self.lock:
                    return {**self.counts, "hosts": sorted(self.hosts)}
            case other:
                raise ValueError(f"unknown command {other}")
        return {"now": time.time()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: _State

    def log_message(self, *_):
        pass

    def setup(self):
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def do_GET(self):
        state = self.state
        state.note("requests")
        with state.lock:
            state.hosts.add(self.headers.get("Host", ""))
        path = self.path.partition("?")[0]
        if path in state.setup["redirects"]:
            state.note("redirected")
            return self._head(302, {"Location": state.setup["redirects"][path], "Content-Length": "0"})
        if not self._allowed():
            state.note("refused" if "Authorization" in self.headers else "challenged")
            return self._head(401, {"WWW-Authenticate": self._challenge(), "Content-Length": "0"})
        state.note(f"GET {path.rsplit('/', 1)[0] or path}")
        if path == "/pictures" and state.frames:
            return self._pictures()
        for prefix in ("/files/", "/chunked/"):
            if path.startswith(prefix):
                file = (state.folder / path[len(prefix):]).resolve()
                if file.is_file() and state.folder in file.parents:
                    return self._chunks(file) if prefix == "/chunked/" else self._file(file)
        self._head(404, {"Content-Length": "0"})

    def _head(self, status: int, fields: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()

    def _challenge(self) -> str:
        if self.state.setup["auth"] == "basic":
            return 'Basic realm="camera"'
        extra = ", algorithm=SHA-256" if self.state.setup["auth"].endswith("sha256") else ""
        return f'Digest realm="camera", nonce="{self.state.nonce}", qop="auth"{extra}'

    def _allowed(self) -> bool:
        setup, given = self.state.setup, self.headers.get("Authorization", "")
        if setup["auth"] == "none":
            return True
        if setup["auth"] == "basic":
            return given == "Basic " + base64.b64encode(f"{setup['user']}:{setup['password']}".encode()).decode()
        parts = {k.lower(): (a or b) for k, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', given.partition(" ")[2])}
        function = "sha256" if setup["auth"].endswith("sha256") else "md5"

        def digest(text: str) -> str:
            return hashlib.new(function, text.encode()).hexdigest()

        if parts.get("username") != setup["user"] or parts.get("nonce") != self.state.nonce or parts.get("uri") != self.path:
            return False
        first, second = digest(f"{setup['user']}:camera:{setup['password']}"), digest(f"GET:{self.path}")
        return parts.get("response") == digest(f"{first}:{self.state.nonce}:{parts.get('nc')}:{parts.get('cnonce')}:auth:{second}")

    def _pictures(self) -> None:
        self.close_connection = True
        self._head(200, {"Content-Type": "multipart/x-mixed-replace; boundary=picture", "Connection": "close"})
        begun, number = time.monotonic(), 0
        while True:
            frame = self.state.frames[number % len(self.state.frames)]
            self.wfile.write(b"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(frame) + frame + b"\r\n")
            number += 1
            time.sleep(max(0, begun + number / self.state.fps - time.monotonic()))

    def _file(self, file: Path) -> None:
        data = file.read_bytes()
        fields = {"Content-Type": TYPES.get(file.suffix, "application/octet-stream"), "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and int(asked[1]) < len(data):
            last = min(int(asked[2] or len(data) - 1), len(data) - 1)
            fields["Content-Range"] = f"bytes {asked[1]}-{last}/{len(data)}"
            data = data[int(asked[1]) : last + 1]
            self.state.note("ranges")
        self._head(206 if asked else 200, {**fields, "Content-Length": str(len(data))})
        self.wfile.write(data)

    def _chunks(self, file: Path) -> None:
        self._head(200, {"Content-Type": TYPES.get(file.suffix, "application/octet-stream"), "Transfer-Encoding": "chunked"})
        data, at, size = file.read_bytes(), 0, 1
        while at < len(data):
            part = data[at : at + size]
            self.wfile.write(b"%x;name=value\r\n" % len(part) + part + b"\r\n")
            at, size = at + size, size % 5000 + 977
        self.wfile.write(b"0\r\nTrailer: yes\r\n\r\n")


if __name__ == "__main__":
    state = _State(json.loads(sys.stdin.readline()))
    print("READY " + json.dumps({"port": state.listen(state.setup["port"])}), flush=True)
    for line in sys.stdin:
        try:
            answer = state.command(json.loads(line))
        except Exception as problem:  # noqa: BLE001  the test that asked is told
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        print(json.dumps(answer), flush=True)
