"""Volumes of a server that come and go: small file systems in a mount namespace of its own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .server import BUSY, NVR, PATIENCE, wait_for

MARKER = ".vibenvr-volume"


def can_mount() -> bool:
    run = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True)
    return run.returncode == 0


@dataclass(frozen=True)
class Row:
    id: int
    camera: int
    volume: int
    path: str
    state: int
    bytes: int
    start: float
    end: float


class Volumes(NVR):
    """A server in whose namespace a file system is mounted at each of some places before it starts; `recordings`: at the default folder.

    The devices are tmpfs folders that stay mounted at a second place, so that a volume which is taken away and comes back is the same.
    """

    def __init__(self, *names: str, megabytes: int = 64, **options):
        super().__init__(**options)
        self.data.mkdir(exist_ok=True)
        self.names = names
        for folder in [*(self.device(name) for name in names), *(self.place(name) for name in names)]:
            folder.mkdir(parents=True)
        script = ["mount --make-rprivate /"]
        for name in names:
            script += [f"mount -t tmpfs -o size={megabytes}m,mode=755 tmpfs '{self.device(name)}'"]
            script += [f"mount --bind '{self.device(name)}' '{self.place(name)}'"]
        self._mounts = " && ".join(script)
        self._first()
        self.profiles: dict[str, int] = {}

    def _first(self) -> None:
        self.wrapper = ["unshare", "-m", "sh", "-c", self._mounts + ' && exec "$@"', ""]

    def again(self) -> "Volumes":
        """Starts the server anew, in the namespace that a helper keeps."""
        self.wrapper = ["nsenter", f"--mount=/proc/{self._keeper.pid}/ns/mnt"]
        self.start()
        return self

    def start(self, deadline: float = PATIENCE) -> "Volumes":
        super().start(deadline)
        if getattr(self, "_keeper", None) is None:
            # The namespace outlives the server, as the mounts of a machine do.
            self._keeper = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "nsenter", "-t", str(self.pid), "-m", "sleep", "3600"], stdin=subprocess.DEVNULL)
            # Until it has entered, its root is that of everybody.
            inside = os.readlink(f"/proc/{self.pid}/ns/mnt")
            wait_for("the keeper is in the namespace", lambda: os.readlink(f"/proc/{self._keeper.pid}/ns/mnt") == inside, every=0.01)
        return self

    def close(self) -> None:
        if (keeper := getattr(self, "_keeper", None)) is not None:
            keeper.kill()
            keeper.wait()
        super().close()

    def device(self, name: str) -> Path:
        return self.folder / "devices" / name

    def place(self, name: str) -> Path:
        return self.recordings if name == "recordings" else self.folder / "mnt" / name

    def tried_inside(self, *command: str) -> bool:
        return subprocess.run(["nsenter", "-t", str(self._keeper.pid), "-m", *command], capture_output=True).returncode == 0

    def run_inside(self, *command: str) -> str:
        done = subprocess.run(["nsenter", "-t", str(self.pid if self.running else self._keeper.pid), "-m", *command], capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def unmount(self, name: str) -> None:
        self.run_inside("umount", "-l", str(self.place(name)))

    def mount(self, name: str, at: str | None = None) -> None:
        self.run_inside("mount", "--bind", str(self.device(name)), str(self.place(at or name)))

    def check(self, *options: str) -> subprocess.CompletedProcess:
        return self.command("check", *options)

    def command(self, name: str, *options: str) -> subprocess.CompletedProcess:
        from .server import PROGRAM

        return subprocess.run(
            ["nsenter", f"--mount=/proc/{self._keeper.pid}/ns/mnt", str(PROGRAM), name, "--data-dir", str(self.data), *options],
            env=self.environment, capture_output=True, text=True, timeout=300)

    # What it stored.

    def add_profile(self, name: str) -> int:
        answer = self.api.post("/storage/profiles", json={"name": name, "path": str(self.place(name))})
        assert answer.status_code == 200, answer.text
        self.profiles[name] = answer.json()["id"]
        return self.profiles[name]

    def state(self, name: str) -> str:
        return self.api.json(f"/storage/profiles/{self.profiles[name]}")["state"]["status"]

    def volume_rows(self, where: str = "state IN (1, 2)") -> list[Row]:
        with closing(sqlite3.connect(f"file:{self.data}/vibenvr.db?mode=ro", uri=True, timeout=BUSY)) as database:
            found = database.execute(
                f"SELECT id, camera_id, volume, path, state, bytes, start_us, end_us FROM segments WHERE {where} ORDER BY start_us, id").fetchall()
        return [Row(*row[:6], row[6] / 1e6, row[7] / 1e6) for row in found]

    def query(self, sql: str) -> list[tuple]:
        with closing(sqlite3.connect(f"file:{self.data}/vibenvr.db?mode=ro", uri=True, timeout=BUSY)) as database:
            return database.execute(sql).fetchall()

    def root(self, volume: int) -> Path:
        """Where a volume's files are as the server's namespace sees them, whether it is mounted or not."""
        inside = Path(f"/proc/{self._keeper.pid}/root")
        if volume == 0:
            return inside / str(self.recordings).lstrip("/")
        name = next(name for name, key in self.profiles.items() if key == volume)
        return inside / str(self.device(name)).lstrip("/")

    def movies(self, volume: int) -> list[str]:
        root = self.root(volume)
        return sorted(str(path.relative_to(root)) for path in root.rglob("*.mp4"))

    def device_files(self, name: str) -> list[Path]:
        """Films on a device, mounted or not."""
        return list((Path(f"/proc/{self._keeper.pid}/root") / str(self.device(name)).lstrip("/")).rglob("*.mp4"))

    def below_mount(self, name: str) -> list[str]:
        """What lies at a mount point now."""
        root = Path(f"/proc/{self._keeper.pid}/root") / str(self.place(name)).lstrip("/")
        return sorted(path.name for path in root.iterdir())
