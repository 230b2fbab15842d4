"""Cameras that are whole programs of somebody else: VLC's RTSP output and PyPI's ipycam."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from . import ports
from .footage import Audio, Film, muxed

_READY = 120


def free_port() -> int:
    """One on which nobody listens unless it is told to."""
    return ports.keep()


class _Program:
    """A child that ends with its parent, and is ready when its RTSP server describes the stream."""

    path = "/"
    credentials = ""

    def _start(self, command: list[str], environment: dict[str, str], lower_rights: bool) -> None:
        self._log = open(self.folder / "log.txt", "wb")
        rights = []
        if lower_rights and os.geteuid() == 0:
            # VLC refuses to run as root.
            rights = ["--reuid=65534", "--regid=65534", "--clear-groups"]
            shutil.chown(self.folder, 65534, 65534)
        self._child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *rights, *command], cwd=self.folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
        )
        deadline = time.monotonic() + _READY
        while not self._described():
            if time.monotonic() > deadline or self._child.poll() is not None:
                log = self.log()
                self.close()
                raise RuntimeError(f"{command[0]} did not start:\n{log}")
            time.sleep(0.1)

    def _described(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(2)
                request = f"DESCRIBE rtsp://127.0.0.1:{self.port}{self.path} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
                connection.sendall(request.encode())
                answer = connection.recv(200)
                return b" 200 " in answer or b" 401 " in answer
        except OSError:
            return False

    def log(self) -> str:
        return (self.folder / "log.txt").read_text(errors="replace")[-4000:]

    def url(self, credentials: bool = True) -> str:
        login = self.credentials + "@" if credentials and self.credentials else ""
        return f"rtsp://{login}127.0.0.1:{self.port}{self.path}"

    def close(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        try:
            # Its own children, an encoder for each of ipycam's clients, share its session.
            os.killpg(self._child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()


class VLCCamera(_Program):
    """VLC playing a file once (two minutes) to whoever asks. Its only sign-in is Basic."""

    path = "/main"

    def __init__(self, film: Film, audio: Audio | None = None, *, auth: str = "none", user: str = "viewer", password: str = "pass"):
        self.folder = Path(tempfile.mkdtemp(prefix="vlc-"))
        self.folder.chmod(0o755)
        movie = self.folder / "film.mkv"
        shutil.copy(muxed(film, audio, 6), movie)
        movie.chmod(0o644)
        self.port = free_port()
        extra = []
        if auth == "basic":
            self.credentials = f"{user}:{password}"
            extra = ["--sout-rtsp-user", user, "--sout-rtsp-pwd", password]
        command = ["/usr/bin/vlc", "-I", "dummy", "--no-color", "--no-interact", *extra, str(movie),
                   "--rtsp-host=127.0.0.1", f"--sout=#rtp{{sdp=rtsp://:{self.port}/main}}"]
        self._start(command, {**os.environ, "HOME": str(self.folder)}, lower_rights=True)


class IpycamCamera(_Program):
    """ipycam: encodes its source live, so what it sends is known only by reading it a second time."""

    path = "/video_main"

    def __init__(self, source: Path):
        self.folder = Path(tempfile.mkdtemp(prefix="ipycam-"))
        self.port = free_port()
        # Its native server takes any free UDP ports by itself; the other listeners get ports of their own.
        config = {"rtsp_port": self.port, "onvif_port": free_port(), "web_port": free_port(), "local_ip": "127.0.0.1"}
        (self.folder / "camera.json").write_text(json.dumps(config))
        program = Path(sys.executable).with_name("ipycam")
        command = [str(program), "--config", "camera.json", "--source", str(source), "--width", "640", "--height", "360", "--fps", "10"]
        self._start(command, dict(os.environ), lower_rights=False)


class RTMPServer:
    """ffmpeg as an RTMP server: plays a film in a loop to one client, and begins anew for the next."""

    def __init__(self, film: Film, audio: Audio | None = None, *, port: int = 0):
        self.port = port or free_port()
        self._source = muxed(film, audio, 6)
        self._wanted = threading.Event()
        self._child: subprocess.Popen | None = None
        self._errors = tempfile.TemporaryFile()
        self._ended = False
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        self.up()

    def url(self, path: str = "/live/camera", host: str = "127.0.0.1") -> str:
        return f"rtmp://{host}:{self.port}{path}"

    def _keep(self) -> None:
        while not self._ended:
            if not self._wanted.wait(0.1):
                continue
            # The name of the application and the stream stand in its own URL, but whatever the client names is served.
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(self._source),
                 "-c", "copy", "-f", "flv", "-listen", "1", self.url()],
                stdin=subprocess.DEVNULL, stdout=self._errors, stderr=self._errors, start_new_session=True,
            )
            self._child.wait()

    def up(self) -> float:
        """The wall time (seconds) from which it is found."""
        self._wanted.set()
        deadline = time.monotonic() + _READY
        while not self._listens():
            if time.monotonic() > deadline:
                raise RuntimeError("ffmpeg does not listen")
            time.sleep(0.02)
        return time.time()

    def _listens(self) -> bool:
        """Looked up, since a connection would be taken for the client."""
        rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        return any(row[3] == "0A" and row[1].endswith(f":{self.port:04X}") for row in rows)

    def down(self) -> None:
        self._wanted.clear()
        if self._child:
            self._child.kill()

    def close(self) -> None:
        self._ended = True
        self.down()
        self._keeper.join(5)
        self._errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()
