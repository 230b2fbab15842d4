"""The product's process: started on a free port with a data folder of its own, asked, killed, and never left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, TypeVar

from .api import API
from .machine import Machine

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("VIBENVR_BIN", REPOSITORY / ".build" / "release" / "vibenvr"))
USER, PASSWORD = "admin", "Bench-Passw0rd!"

T = TypeVar("T")
# The least that anything is waited for, seconds: five tests at a time on two cores make everything ten times slower.
PATIENCE = 120
# For another program's database: the server may stand still in the midst of a commit.
BUSY = 60


def wait_for(what: str, condition: Callable[[], T], seconds: float = PATIENCE, every: float = 0.1) -> T:
    """The first true answer of the condition. The deadline, of `PATIENCE` at least, is for a hanging machine, not a promise of the product."""
    seconds = max(seconds, PATIENCE)
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(every)


@dataclass(frozen=True)
class SegmentRow:
    id: int
    camera: int
    stream: str
    path: Path
    start: float  # wall time, seconds
    end: float
    bytes: int
    state: int

    @property
    def finished(self) -> bool:
        return self.state == 2


class NVR:
    """One data folder and, while it runs, the server on it."""

    def __init__(
        self, folder: Path | None = None, *, segment_seconds: int | None = 10, wrapper: list[str] | None = None, host: str = "127.0.0.1",
        **environment: str,
    ):
        self._own = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="vibenvr-"))
        self.data = self.folder / "data"
        self.log_path = self.folder / "server.log"
        self.wrapper = wrapper or []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VIBENVR_")},
            "TZ": "UTC", "VIBENVR_ALLOW_LOOPBACK_CAMERAS": "true", "VIBENVR_METRICS": "true",
            # Servers run side by side.
            "VIBENVR_RTSP_PORT": "0", "VIBENVR_RTSPS_PORT": "0", **environment,
        }
        if segment_seconds:
            self.environment["VIBENVR_MAX_SEGMENT_SECONDS"] = str(segment_seconds)
        self.process: subprocess.Popen | None = None
        self.api = API("")
        self.ready_seconds = 0.0
        self._host, self._port = host, 0

    # Life.

    def start(self, deadline: float = PATIENCE) -> "NVR":
        """Starts the server and waits until it says that it listens; signs in when the first user exists."""
        assert PROGRAM.exists(), f"{PROGRAM} is missing: run `make build`"
        begun = time.monotonic()
        self.process = subprocess.Popen(
            # It dies with the thread that started it: with pytest's own, since servers are started nowhere else.
            ["setpriv", "--pdeathsig", "KILL", *self.wrapper, str(PROGRAM), "serve", "--data-dir", str(self.data), "--host", self._host, "--port", str(self._port)],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        listening = threading.Event()
        address: list[str] = []
        # Where the log of this life begins.
        self._life = self.log_path.stat().st_size if self.log_path.exists() else 0

        def read(stream=self.process.stdout) -> None:
            with open(self.log_path, "ab") as log:
                for line in stream:
                    log.write(line)
                    log.flush()
                    if not address and (match := re.search(rb"listening on (https?://[^\s\"]+)", line)):
                        address.append(match[1].decode())
                        listening.set()
            listening.set()

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()
        if not listening.wait(deadline) or not address:
            self.kill()
            raise AssertionError(f"the server did not start:\n{self.last_words()}")
        self.ready_seconds = time.monotonic() - begun
        self.api.base = address[0].replace("//0.0.0.0:", "//127.0.0.1:").rstrip("/")
        if self.api.token:
            self.api.login(USER, PASSWORD)
        return self

    def with_admin(self) -> "NVR":
        """Sets up the first user of a fresh data folder and signs in."""
        answer = self.api.post("/auth/setup", json={"username": USER, "password": PASSWORD, "email": "admin@example.com"})
        assert answer.status_code == 200, answer.text
        self.api.login(USER, PASSWORD)
        return self

    @property
    def pid(self) -> int:
        """Of the server itself: what starts it replaces itself by it."""
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def terminate(self, deadline: float = PATIENCE) -> float:
        """Asks the server to end as a service manager does; the seconds it took, without those that the machine kept it waiting. Its exit
        status must be 0."""
        with Machine(self) as machine:
            begun, asked = time.monotonic(), time.time()
            os.kill(self.pid, signal.SIGTERM)
            try:
                status = self.process.wait(deadline)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"the server did not end within {deadline} s of SIGTERM:\n{self.last_words()}") from None
            took = time.monotonic() - begun
        took -= machine.kept_waiting(asked, asked + took)
        self._reader.join(PATIENCE)
        assert status == 0, f"the server ended with {status}:\n{self.last_words()}"
        return took

    def kill(self) -> None:
        """Pulls the plug."""
        if self.process is not None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # It has ended by itself.
            self.process.wait()
            # What it said last is in its pipe still.
            self._reader.join(PATIENCE)

    def close(self) -> None:
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._own and not os.environ.get("VIBENVR_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "NVR":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # What it says and weighs.

    def last_words(self) -> str:
        """What the log says of an unexpected end: the first fatal line with what follows, else the tail."""
        lines = self.log().splitlines()
        first = next((number for number, line in enumerate(lines) if re.search(r"(?i)fatal|crashed|simultaneous access", line)), None)
        return "\n".join(line[:200] for line in (lines[first : first + 12] if first is not None else lines[-12:]))

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stream_port(self, scheme: str = "rtsp") -> int:
        """Where it plays cameras on; of the last start."""
        found = wait_for(
            f"it re-streams by {scheme}", lambda: re.findall(rf"re-streaming on {scheme}://\S+:(\d+)", self.log_path.read_bytes()[self._life :].decode(errors="replace")))
        return int(found[-1])

    def stream_url(self, path: str | int, login: str = f"{USER}:{PASSWORD}", scheme: str = "rtsp") -> str:
        """Of a camera for RTSP clients."""
        return f"{scheme}://{login + '@' if login else ''}127.0.0.1:{self.stream_port(scheme)}/{path}"

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def datagrams_dropped(self) -> int:
        """Datagrams that came for its sockets of now and found no room, since it stood still for too long."""
        own = set()
        for entry in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                own.add(os.readlink(f"/proc/{self.pid}/fd/{entry}"))
            except FileNotFoundError:
                pass  # Closed meanwhile.
        rows = [line.split() for table in ("udp", "udp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
        return sum(int(row[12]) for row in rows if f"socket:[{row[9]}]" in own)

    def resident(self) -> int:
        """Bytes of memory resident."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics by its full name with labels."""
        answer = self.api.get("/metrics")
        assert answer.status_code == 200, answer.text
        samples = {}
        for line in answer.text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return samples

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry these labels. A name that is not there is an error, not a 0."""
        samples = {key: value for key, value in self.metrics().items() if key.partition("{")[0] == name}
        assert samples, f"there is no metric {name}"
        return sum(value for key, value in samples.items() if all(f'{label}="{wanted}"' in key for label, wanted in labels.items()))

    def run(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        """Another command of the program, for instance `run("check", "--data-dir", …)`."""
        return subprocess.run([str(PROGRAM), *arguments], env=self.environment, capture_output=True, text=True, timeout=300, **options)

    def check(self) -> subprocess.CompletedProcess:
        return self.run("check", "--data-dir", str(self.data))

    # What it stored.

    @property
    def recordings(self) -> Path:
        return self.data / "recordings"

    def rows(self, camera: int | None = None) -> list[SegmentRow]:
        """The segment rows a person can see (growing and finished), oldest first.

        The row of a growing segment is as old as its first fragment: what its file has says how far it is.
        """
        with closing(sqlite3.connect(f"file:{self.data}/vibenvr.db?mode=ro", uri=True, timeout=BUSY)) as database:
            found = database.execute(
                "SELECT id, camera_id, CASE role WHEN 0 THEN 'main' ELSE 'sub' END, path, start_us, end_us, bytes, state FROM segments WHERE state IN (1, 2) ORDER BY start_us, id"
            ).fetchall()
        rows = []
        for identifier, owner, stream, path, start, end, size, state in found:
            file = self.recordings / path
            if state == 1:
                try:
                    facts = file.stat()
                    end, size = max(end, int(facts.st_mtime * 1e6)), max(size, facts.st_size)
                except FileNotFoundError:
                    pass  # Not made yet, or deleted since the row was read.
            rows.append(SegmentRow(identifier, owner, stream, file, start / 1e6, end / 1e6, size, state))
        return [row for row in rows if camera is None or row.camera == camera]

    def files(self, camera: int | None = None) -> list[Path]:
        root = self.recordings if camera is None else self.recordings / str(camera)
        return sorted(root.rglob("*.mp4"))
