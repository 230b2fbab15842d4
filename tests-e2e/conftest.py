"""Shared set-up: the footage is made before the first test, and every test that hangs is ended."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness.server import NVR, PROGRAM  # noqa: E402

LONG = os.environ.get("VIBENVR_LONG") == "1"


def pytest_configure(config) -> None:
    config.addinivalue_line("markers", "slow: runs only with VIBENVR_LONG=1")


def pytest_collection_modifyitems(items) -> None:
    if not PROGRAM.exists():
        pytest.exit(f"{PROGRAM} is missing: run `make build`", returncode=2)
    for item in items:
        if "slow" in item.keywords and not LONG:
            item.add_marker(pytest.mark.skip(reason="long form: make test-long"))


@pytest.fixture
def nvr():
    """A fresh server with its first user."""
    with NVR() as server:
        yield server.start().with_admin()


@pytest.fixture
def fresh():
    """A server that nobody has set up yet."""
    with NVR() as server:
        yield server.start()


class Outcomes:
    """Runs named scenarios at once, so that waiting is shared, and lets one test each tell how its own went."""

    def __init__(self, scenarios: dict[str, Callable[[], None]], workers: int):
        self._pool = ThreadPoolExecutor(max_workers=workers)
        self._futures = {name: self._pool.submit(scenario) for name, scenario in scenarios.items()}

    def of(self, name: str) -> None:
        self._futures[name].result()

    def close(self) -> None:
        self._pool.shutdown(wait=True)
