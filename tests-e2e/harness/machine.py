"""How long the machine kept programs waiting, so that bounds of the product are judged by the product's own time."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

STEP = 0.1


class Machine:
    """Watches, until it is closed, the processes of whatever has a `pid`: servers, cameras.

    A bound like "within 5 s" is a promise for a program that may run. Tests run side by side on few cores, so every tenth of a second
    is looked at whether a thread was ready to run and did not get a processor (`schedstat`), or waited for the disk (state D), or all
    stood still and this clock came late. On a machine that has time for everybody it comes to nothing, and the bounds count as they are.
    """

    def __init__(self, *watched):
        self._watched = watched
        self._waited: dict[tuple[int, int], int] = {}
        self._steps: list[tuple[float, float, float]] = []  # begin and end of a step by the wall clock, seconds of it that were lost
        self._over = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def kept_waiting(self, begin: float, end: float | None = None) -> float:
        """Seconds between two wall times, at most all, in which those who are watched could not go on."""
        end = time.time() if end is None else end
        lost = sum(min(lost, min(end, last) - max(begin, first)) for first, last, lost in self._steps if last > begin and first < end)
        return max(0.0, min(lost, end - begin))

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _run(self) -> None:
        before = time.time()
        while not self._over.wait(STEP):
            lost = self._look()
            now = time.time()
            late = now - before - STEP
            # A little late is usual: others of this process run, too.
            self._steps.append((before, now, min(now - before, max(lost, late if late > STEP else 0))))
            before = now

    def _look(self) -> float:
        """Seconds that threads waited since the last look."""
        lost = 0.0
        for one in self._watched:
            try:
                tasks = Path(f"/proc/{one.pid}/task")
                threads = os.listdir(tasks)
            except (AttributeError, OSError):
                continue  # It does not run now.
            for thread in threads:
                try:
                    waited = int((tasks / thread / "schedstat").read_text().split()[1])
                    state = (tasks / thread / "stat").read_text().rpartition(")")[2].split()[0]
                except (OSError, IndexError, ValueError):
                    continue  # It has ended, or the kernel does not tell.
                key = (one.pid, int(thread))
                lost += max(0, waited - self._waited.get(key, 0)) / 1e9 if key in self._waited or self._steps else 0
                self._waited[key] = waited
                lost += STEP if state == "D" else 0
        return lost
