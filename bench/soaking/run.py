"""One soak: carries the plan out, and counts footage before clean-ups delete it."""

from __future__ import annotations

import errno
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from harness.disk import CALLS, FaultyDisk
from harness.server import wait_for

from .cameras import PERIOD, SoakCamera, cast
from .frames import Fault, Shelf
from .plan import Step
from .visits import Visits
from .watch import Watch

SEGMENT_SECONDS = 20
BYTES_A_SECOND = 80_000  # of the films
LIMITED = 3  # cameras with a small limit of their own
MOTION = 2  # cameras, the last ones, that look for motion
ERRORS = {"enospc": errno.ENOSPC, "eio": errno.EIO}


@dataclass(frozen=True)
class Restart:
    kind: str
    time: float  # wall
    ended: float  # seconds until the old process was gone
    ready: float  # seconds from the start of the new one until it listens
    first: float | None  # seconds from its start until there is new footage of any camera
    all: float | None  # of all cameras that were there all the time; None when it did not come
    away: tuple[int, ...] = ()  # numbers of cameras that went away, or stood still, before they had new footage: they do not count


@dataclass(frozen=True)
class Known:
    """A finished segment as it was counted."""

    camera: int
    path: Path
    start: float
    end: float
    bytes: int


@dataclass
class Soak:
    folder: Path
    steps: list[Step]
    seconds: float
    seed: int
    say: object
    faults: list[Fault] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    known: dict[int, Known] = field(default_factory=dict)
    uncounted: int = 0  # segments that were deleted before they were counted
    crashes: int = 0
    stalled: int = 0  # times the disk hung
    window: tuple[int, int] = (0, 0)

    def __post_init__(self):
        self.nvr = FaultyDisk(self.folder, segment_seconds=SEGMENT_SECONDS)
        self.cameras: list[SoakCamera] = []
        self.shelves: list[Shelf] = []
        self._ended = threading.Event()
        self._counting = threading.Lock()
        self.limit = max(120.0, self.seconds / 8) * BYTES_A_SECOND

    # The run.

    def run(self) -> None:
        self.cameras = [SoakCamera(number, self.folder) for number in range(len(cast()))]
        self.shelves = [Shelf(camera.film) for camera in self.cameras]
        self.nvr.start().with_admin()
        for camera in self.cameras:
            limit = {"max_storage_gb": self.limit / 2**30} if camera.number < LIMITED else {}
            camera.id = self.nvr.api.add_camera(
                f"Camera {camera.number + 1}", camera.url, record_audio=camera.audio is not None, **limit,
                detect_motion_mode="Always" if camera.number >= len(self.cameras) - MOTION else "Off")
        wait_for("all cameras record", lambda: len({row.camera for row in self.nvr.rows() if row.bytes}) == len(self.cameras), 120)
        time.sleep(5)
        self.begun = time.time()
        self.window = (int(self.begun / PERIOD), 0)
        self.watch = Watch(self.nvr)
        self.visits = Visits(
            self.nvr, [step for step in self.steps if step.lane not in ("camera", "server")], [camera.id for camera in self.cameras], self.begun, self.seed)
        lanes = [threading.Thread(target=run, daemon=True) for run in (self._camera_lane, self._counter)]
        self.watch.start()
        self.visits.start()
        for lane in lanes:
            lane.start()
        try:
            self._server_lane()
        finally:
            self._ended.set()
            for lane in lanes:
                lane.join(60)
            self.visits.stop()
            self.watch.stop()

    def finish(self) -> None:
        """The end: everything works again for a moment, then the server ends and is checked."""
        for camera in self.cameras:
            try:
                if camera.stalls and camera.stalls[-1].end is None:
                    camera.go_on()
                if not camera.is_on:
                    camera.switch_on()
            except Exception as problem:  # noqa: BLE001
                self.problems.append(f"camera {camera.number + 1}: {problem}")
        quiet = max((fault.end + fault.after for fault in self.faults), default=0) - time.time()
        time.sleep(max(3, min(quiet, 30)))
        self.window = (self.window[0], int((time.time() - 1) / PERIOD))
        try:
            self.nvr.terminate(deadline=60)
        except AssertionError as problem:
            self.problems.append(f"the last SIGTERM: {problem}")
        for camera in self.cameras:
            camera.close()
        self._count()
        self.rows = {row.id: row for row in self.nvr.rows()}
        begun = time.monotonic()
        self.checked = self.nvr.check()
        self.check_seconds = time.monotonic() - begun

    def _until(self, step: Step) -> bool:
        """Waits for its time; false when the soak ends."""
        return not self._ended.wait(max(0.0, self.begun + step.at - time.time()))

    # Cameras.

    def _camera_lane(self) -> None:
        actions: list[tuple[float, int, str, Step]] = []
        for order, step in enumerate(step for step in self.steps if step.lane == "camera"):
            actions.append((step.at, order, "begin", step))
            if step.seconds:
                actions.append((step.at + step.seconds, order, "end", step))
        started: dict[int, float] = {}
        for at, order, what, step in sorted(actions, key=lambda action: action[:2]):
            if self._ended.wait(max(0.0, self.begun + at - time.time())):
                return
            camera = self.cameras[step.camera]
            try:
                if what == "begin":
                    started[order] = time.time()
                    {"restart": camera.switch_off, "stall": camera.stop, "drop": camera.drop}[step.kind]()
                else:
                    {"restart": camera.switch_on, "stall": camera.go_on}[step.kind]()
                if what == "end" or not step.seconds:
                    self.faults.append(Fault(f"camera {step.kind}", started[order], time.time(), step.camera))
            except Exception as problem:  # noqa: BLE001
                self.problems.append(f"{step}: {type(problem).__name__}: {problem}")

    # The server and its disk. In the thread that starts the server, with which it would end.

    def _server_lane(self) -> None:
        for step in [step for step in self.steps if step.lane == "server"]:
            if not self._wait(self.begun + step.at):
                return
            self.say(f"  {time.strftime('%H:%M:%S')} {step}")
            try:
                getattr(self, "_" + step.kind.replace(" ", "_"))(step)
            except Exception as problem:  # noqa: BLE001
                self.problems.append(f"{step}: {type(problem).__name__}: {str(problem)[:2000]}")
        self._wait(self.begun + self.seconds)

    def _wait(self, wall: float) -> bool:
        """Waits, and sees to it that the server runs. False when the soak ends."""
        while (left := wall - time.time()) > 0:
            if self._ended.wait(min(left, 0.5)):
                return False
            if not self.nvr.running:
                self.crashes += 1
                self.problems.append(f"the server ended by itself with {self.nvr.process.poll()}: {self.nvr.last_words()}")
                self._start("crash", time.time(), 0, 5)
        return not self._ended.is_set()

    def stop(self) -> None:
        """Ends it before its time."""
        self._ended.set()

    def _stall(self, step: Step) -> None:
        self.stalled += 1
        with self.nvr.faulty(*step.calls, stall=step.seconds + 60):
            time.sleep(step.seconds)

    def _failing(self, step: Step) -> None:
        begun = time.time()
        with self.nvr.faulty(*step.calls, error=ERRORS[step.kind]):
            time.sleep(step.seconds)
        self.faults.append(Fault(f"disk {step.kind.upper()}", begun, time.time(), before=2.5))

    _enospc = _eio = _failing

    def _kill(self, step: Step, before: float = 2.5) -> None:
        begun = time.time()
        self.nvr.kill()
        self._start(f"server {step.kind}", begun, time.time() - begun, before)

    def _kill_in_stall(self, step: Step) -> None:
        self.nvr.fault(sum(CALLS[call] for call in step.calls) or sum(CALLS.values()), stall=step.seconds + 60)
        try:
            time.sleep(step.seconds)
            begun = time.time()
            self.nvr.kill()
        finally:
            self.nvr.fault(0)
        self._start(f"server {step.kind}", begun, time.time() - begun, step.seconds + 2.5)

    def _term(self, step: Step) -> None:
        begun = time.time()
        self.nvr.terminate(deadline=60)
        self._start("server term", begun, time.time() - begun, 0.5)

    def _start(self, kind: str, ended: float, took: float, before: float) -> None:
        known = set(self.nvr.files())
        on = {camera.id for camera in self.cameras if camera.is_on}
        self.watch.life += 1
        begun = time.time()
        try:
            self.nvr.start(deadline=60)
        finally:
            # Even when it does not come up, this is why nothing is recorded.
            self.faults.append(Fault(kind, ended, time.time(), before=before))
        ready, first, fresh, away = time.time() - begun, None, set(), set()
        while time.time() - begun < 20 and not on - away <= fresh:
            fresh |= {int(path.relative_to(self.nvr.recordings).parts[0]) for path in self.nvr.files() if path not in known and path.stat().st_size > 2000}
            # A camera that left meanwhile says nothing of the server, and when it is back, neither.
            away |= {camera.id for camera in self.cameras if camera.id in on - fresh and camera.left_since(begun)}
            if fresh and first is None:
                first = time.time() - begun
            time.sleep(0.05)
        everything = time.time() - begun if on - away <= fresh else None
        if everything is None:
            self.problems.append(f"{kind}: no new footage of cameras {sorted(on - away - fresh)} within 20 s of the start")
        numbers = tuple(camera.number for camera in self.cameras if camera.id in away)
        self.restarts.append(Restart(kind, ended, took, ready, first, everything, numbers))

    # Counting.

    def _counter(self) -> None:
        while not self._ended.wait(3):
            try:
                self._count()
            except Exception as problem:  # noqa: BLE001
                self.problems.append(f"counting: {type(problem).__name__}: {problem}")

    def _count(self) -> None:
        """Reads every finished segment once."""
        with self._counting, closing(sqlite3.connect(f"file:{self.nvr.data}/vibenvr.db?mode=ro", uri=True, timeout=30)) as database:
            rows = database.execute("SELECT id, camera_id, path, start_us, end_us, bytes FROM segments WHERE state = 2").fetchall()
            for key, owner, name, start, end, size in rows:
                if key in self.known:
                    continue
                path = self.nvr.recordings / name
                number = next(camera.number for camera in self.cameras if camera.id == owner)
                try:
                    found = self.shelves[number].read(path)
                except FileNotFoundError:
                    # Deleted between the two: or lost, which the comparison at the end tells.
                    self.uncounted += 1
                    found = None
                self.known[key] = Known(number, path, start / 1e6, end / 1e6, size)
                if found and abs(found[0] * PERIOD - start / 1e6) > 3:
                    self.problems.append(f"{name} begins at {start / 1e6:.2f} by its row and at {found[0] * PERIOD:.2f} by its first frame")

    @property
    def frames(self) -> int:
        return sum(len(shelf.stored) for shelf in self.shelves)
