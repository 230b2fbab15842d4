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

# Files that take longest are begun first, so that all workers end at the same time; browsers stand between what only waits.
LONGEST = [
    "test_ui_pages", "test_offsite", "test_volumes", "test_storage", "test_ui_habits", "test_buckets", "test_encryption",
    "test_hanging_volume", "test_ui_replay", "test_restream", "test_openapi", "test_holds", "test_live", "test_disaster",
    "test_ui_buckets", "test_timeline", "test_camera_io", "test_live_browser", "test_retention", "test_ui_system", "test_ui_ranges",
    "test_ui_live",
]

LONG = os.environ.get("VIBENVR_LONG") == "1"


def pytest_configure(config) -> None:
    config.addinivalue_line("markers", "slow: runs only with VIBENVR_LONG=1")


def pytest_collection_modifyitems(items) -> None:
    if not PROGRAM.exists():
        pytest.exit(f"{PROGRAM} is missing: run `make build`", returncode=2)
    for item in items:
        if "slow" in item.keywords and not LONG:
            item.add_marker(pytest.mark.skip(reason="long form: make test-long"))
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))


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
