"""The disk of a machine whose plug is pulled: a program's changes below a folder are logged (`powercut.c`), and the folder is built as it
would lie there after a cut at any point of the log.

What is kept follows POSIX and no particular file system: bytes are safe after fsync or fdatasync of their file returned, names after fsync
of their folder. Everything else is lost (`keep=None`), or a random part of it survives (`keep=` a generator): any subset of the writes,
and of each folder's changes of names the first few.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

RECORD = struct.Struct("<IIIIQqq")
CREATE, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, MKDIR, RMDIR, SYNC_FOLDER, LINK = range(1, 12)
MAPPED = "-shm"  # written through a mapping, which nobody sees; SQLite makes it anew


def library(folder: Path) -> Path:
    """The shim, compiled into a folder."""
    target = folder / "powercut.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(target), str(source)], check=True)
    return target


@dataclass
class Change:
    op: int
    seconds: float
    inode: int
    offset: int
    path: str
    other: str
    data: bytes


def read_log(path: Path) -> list[Change]:
    """Every change in order. A record that is cut off at the end was not made."""
    content = path.read_bytes()
    changes, at = [], 0
    while at + RECORD.size <= len(content):
        op, path_bytes, other_bytes, data_bytes, inode, offset, nanoseconds = RECORD.unpack_from(content, at)
        at += RECORD.size
        end = at + path_bytes + other_bytes + data_bytes
        if end > len(content):
            break
        name = content[at : at + path_bytes].decode()
        other = content[at + path_bytes : at + path_bytes + other_bytes].decode()
        changes.append(Change(op, nanoseconds / 1e9, inode, offset, name, other, content[at + path_bytes + other_bytes : end]))
        at = end
    return changes


@dataclass
class File:
    """One file: bytes that are safe, and what was done since."""

    safe: bytearray = field(default_factory=bytearray)
    recent: list[tuple[int, int, bytes]] = field(default_factory=list)  # op, offset, bytes
    settled: int = 0  # changes that are safe

    @property
    def changes(self) -> int:
        return self.settled + len(self.recent)

    def sync(self, changes: int) -> None:
        """Makes the first of all changes safe. Another sync may have done so meanwhile."""
        count = max(0, changes - self.settled)
        for change in self.recent[:count]:
            apply(self.safe, change)
        del self.recent[:count]
        self.settled += count

    def content(self, keep: random.Random | None) -> bytes:
        if not self.recent or keep is None:
            return bytes(self.safe)
        content = bytearray(self.safe)
        share = keep.random()
        for change in self.recent:
            if keep.random() < share:
                apply(content, change)
        return bytes(content)


def apply(content: bytearray, change: tuple[int, int, bytes]) -> None:
    op, offset, data = change
    if op == TRUNCATE:
        if offset < len(content):
            del content[offset:]
        else:
            content.extend(bytes(offset - len(content)))
    else:
        if offset > len(content):
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data


class Disk:
    """A folder on the way through the log."""

    def __init__(self):
        self.files: dict[int, File] = {}  # by a number of our own: inodes are used again
        self.by_inode: dict[int, int] = {}
        self.names: dict[str, int | None] = {"": None}  # as the program sees them; None is a folder
        self.safe_names: dict[str, int | None] = {"": None}
        self.recent_names: dict[str, list[tuple[str, int | None, bool]]] = {}  # by folder: name, what, whether it is there from then on
        self.settled_names: dict[str, int] = {}
        self.syncs: dict[int, int] = {}
        self.next = 1

    def _name(self, path: str, what: int | None, there: bool) -> None:
        if there:
            self.names[path] = what
        else:
            self.names.pop(path, None)
        self.recent_names.setdefault(os.path.dirname(path), []).append((path, what, there))

    def play(self, change: Change) -> None:
        match change.op:
            case 1:  # CREATE
                self.by_inode[change.inode] = self.next
                self.files[self.next] = File()
                self._name(change.path, self.next, True)
                self.next += 1
            case 2 | 3:  # WRITE, TRUNCATE
                number = self.by_inode.get(change.inode)
                if number is not None:
                    self.files[number].recent.append((change.op, change.offset, change.data))
            case 4:  # SYNC_BEGIN
                number = self.by_inode.get(change.inode)
                if number is not None and not change.path:
                    self.syncs[change.offset] = self.files[number].changes
                else:
                    self.syncs[change.offset] = self.settled_names.get(change.path, 0) + len(self.recent_names.get(change.path, []))
            case 5:  # SYNC_END
                number = self.by_inode.get(change.inode)
                changes = self.syncs.pop(change.offset, 0)
                if number is not None:
                    self.files[number].sync(changes)
            case 10:  # SYNC_FOLDER
                settled = self.settled_names.get(change.path, 0)
                recent = self.recent_names.get(change.path, [])
                count = max(0, self.syncs.pop(change.offset, 0) - settled)
                for name, what, there in recent[:count]:
                    self._settle(self.safe_names, name, what, there)
                del recent[:count]
                self.settled_names[change.path] = settled + count
            case 6:  # RENAME
                what = self.names.get(change.path)
                self._name(change.other, what, True)
                self._name(change.path, what, False)
            case 11:  # LINK
                self._name(change.other, self.names.get(change.path), True)
            case 7 | 9:  # UNLINK, RMDIR
                self._name(change.path, self.names.get(change.path), False)
            case 8:  # MKDIR
                self._name(change.path, None, True)

    @staticmethod
    def _settle(names: dict[str, int | None], name: str, what: int | None, there: bool) -> None:
        if there:
            names[name] = what
        else:
            names.pop(name, None)

    def build(self, target: Path, keep: random.Random | None) -> None:
        """Makes the folder as a cut now would have left it."""
        shutil.rmtree(target, ignore_errors=True)
        names = dict(self.safe_names)
        if keep is not None:
            for recent in self.recent_names.values():
                for name, what, there in recent[: keep.randint(0, len(recent))]:
                    self._settle(names, name, what, there)
        for name in sorted(names, key=lambda name: name.count("/") + bool(name)):
            parent = os.path.dirname(name)
            path = target / name
            # What lies in a folder that is not there is not there either.
            if name and (parent and not (target / parent).is_dir() or name.endswith(MAPPED)):
                continue
            if names[name] is None:
                path.mkdir(exist_ok=True, parents=not name)
            else:
                path.write_bytes(self.files[names[name]].content(keep))
                path.chmod(0o600)
