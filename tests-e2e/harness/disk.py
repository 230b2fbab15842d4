"""A server whose disk misbehaves on demand: file calls below its recordings fail or hang (disk_shim.c, built here)."""

from __future__ import annotations

import fcntl
import mmap
import struct
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from .server import NVR

SOURCE = Path(__file__).with_name("disk_shim.c")
CALLS = {"open": 1, "write": 2, "fsync": 4, "fdatasync": 8, "rename": 16, "mkdir": 32, "ftruncate": 64, "unlink": 128}
ALL = sum(CALLS.values())
# Looking at files and reading them; a disk that hangs keeps these waiting as well.
LOOK = 256
SIZE, DONE = 4096, struct.Struct("<5Q")


@dataclass(frozen=True)
class Done:
    """What the server did to its files so far, over all its lives; seconds are those in which calls waited."""

    syncs: int
    sync_seconds: float
    data_syncs: int
    data_sync_seconds: float
    bytes: int

    def since(self, earlier: "Done") -> "Done":
        return Done(*(getattr(self, name) - getattr(earlier, name) for name in self.__dataclass_fields__))


def shim() -> Path:
    """The library, built once for each version of its source."""
    folder = Path(tempfile.gettempdir()) / f"vibenvr-shim-{SOURCE.stat().st_mtime_ns}"
    folder.mkdir(exist_ok=True)
    library = folder / "disk_shim.so"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not library.exists():
            part = folder / "part.so"
            subprocess.run(["gcc", "-O1", "-Wall", "-shared", "-fPIC", "-o", str(part), str(SOURCE), "-ldl"], check=True)
            part.rename(library)
    return library


class FaultyDisk(NVR):
    """A server over a disk with faults; `meet` injects them."""

    def __init__(self, folder: Path | None = None, *, faulty: str | None = None, **options):
        """`faulty`: the folder, below that of the server, whose calls are met instead of those of the recordings."""
        super().__init__(folder, **options)
        self._control_path = self.folder / "disk-shim"
        self._control_path.write_bytes(struct.pack("5i", 0, 0, 0, -1, 0).ljust(SIZE, b"\0"))
        self._control_file = open(self._control_path, "r+b")
        self._control = mmap.mmap(self._control_file.fileno(), SIZE)
        self.environment |= {
            "LD_PRELOAD": str(shim()), "DISK_SHIM_FOLDER": str(self.recordings.resolve()), "DISK_SHIM_CONTROL": str(self._control_path),
        }
        if faulty:
            self.environment["DISK_SHIM_FAULTY"] = str(self.folder.resolve() / faulty)

    @property
    def met(self) -> int:
        """Calls that met the fault since it began."""
        return struct.unpack_from("i", self._control, 16)[0]

    def done(self, footage: bool = True) -> Done:
        """To files below the recordings, or to all others: the database, its copies, the log."""
        syncs, nanoseconds, data_syncs, data_nanoseconds, size = DONE.unpack_from(self._control, 64 if footage else 64 + DONE.size)
        return Done(syncs, nanoseconds / 1e9, data_syncs, data_nanoseconds / 1e9, size)

    def fault(self, calls: int, error: int = 0, stall: float = 0) -> None:
        struct.pack_into("i", self._control, 0, 0)
        struct.pack_into("4i", self._control, 4, error, int(stall * 1000), -1, 0)
        struct.pack_into("i", self._control, 0, calls)

    @contextmanager
    def hanging(self, seconds: float = 600) -> Iterator[None]:
        """While this lasts, no call below the faulty folder comes back."""
        self.fault(ALL | LOOK, stall=seconds)
        try:
            yield
        finally:
            struct.pack_into("i", self._control, 0, 0)

    @contextmanager
    def faulty(self, *calls: str, error: int = 0, stall: float = 0) -> Iterator[None]:
        """While this lasts, the named calls, or all, fail or hang."""
        self.fault(sum(CALLS[call] for call in calls) or ALL, error, stall)
        try:
            yield
        finally:
            struct.pack_into("i", self._control, 0, 0)
