"""A simulated camera as a child process: started, asked, ended, and gone with the test that started it."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

_DEADLINE = 180


class Peer:
    """Speaks JSON lines with a child over its standard streams. The child ends when its standard input closes."""

    def __init__(self, command: list[str], setup: dict, environment: dict[str, str] | None = None):
        # Errors go to a file of their own: an unread pipe would stop the child.
        import tempfile

        self._errors = tempfile.TemporaryFile()
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment,
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._send(setup)
        line = self._line()
        if not line.startswith("READY "):
            self.close()
            raise RuntimeError(f"{Path(command[-1]).name} did not start: {line}\n{self.errors()}")
        self.ready = json.loads(line[6:])

    @property
    def pid(self) -> int:
        return self._child.pid

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def ask(self, request: dict) -> dict:
        with self._lock:
            self._send(request)
            answer = json.loads(self._line())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def _send(self, value: dict) -> None:
        try:
            self._child.stdin.write(json.dumps(value) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(f"the camera ended early\n{self.errors()}") from None

    def _line(self) -> str:
        # A camera that neither answers nor ends is ended, so that the test fails instead of hanging.
        watchdog = threading.Timer(_DEADLINE, self._child.kill)
        watchdog.start()
        try:
            line = self._child.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise RuntimeError(f"the camera ended with {self._child.wait()}\n{self.errors()}")
        return line

    def close(self) -> None:
        if self._child.stdin and not self._child.stdin.closed:
            try:
                self._child.stdin.close()
            except BrokenPipeError:
                pass  # It has ended already.
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()
        self._errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()
