"""Visitors that come and go leave no memory behind: whatever is asked for many times costs no more than the first times."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Callable
from urllib.parse import urljoin

import pytest

from conftest import LONG
from harness.disk import FaultyDisk
from harness.server import NVR, wait_for
from harness.websocket import WebSocket
from peers import footage
from peers.fault_camera import FaultCamera
from peers.gst_camera import GstCamera

TIMES = 3 if LONG else 1
WARM = 60  # visits of each kind in which the allocator takes what it needs at once
MEMORY = 6_000_000  # bytes of a kind's visits, mostly free pieces in pages that are kept
EACH = {"live": 300, "fragments": 300, "export": 120, "archive": 60, "snapshot": 100, "replay": 80, "timeline": 200}


def private(nvr: NVR) -> int:
    """Bytes of memory that no file holds."""
    return int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{nvr.pid}/status").read_text())[1]) * 1024


@pytest.mark.timeout(1800)
def test_many_visits_leave_no_memory_behind():
    with ExitStack() as stack:
        cameras = [
            stack.enter_context(FaultCamera(footage.counter(gop_seconds=1), footage.sound("aac"))),
            stack.enter_context(FaultCamera(footage.counter("h265", gop_seconds=1)))]
        nvr = stack.enter_context(NVR(segment_seconds=20))
        nvr.start().with_admin()
        api = nvr.api
        ids = [api.add_camera(f"camera {number}", camera.url(), record_audio=number == 0) for number, camera in enumerate(cameras)]
        wait_for("half a minute of both", lambda: all((rows := nvr.rows(key)) and rows[-1].end - rows[0].start > 30 for key in ids), 90)

        def recent(seconds: float) -> dict:
            end = time.time() - 4
            return {"start": f"{end - seconds:.3f}", "end": f"{end:.3f}"}

        def live(number: int) -> None:
            with WebSocket(api.base, f"/cameras/{ids[number % 2]}/ws", token=api.token) as viewer:
                for _ in range(4):
                    viewer.message()

        def fragments(number: int) -> None:
            with WebSocket(api.base, f"/cameras/{ids[number % 2]}/mse", token=api.token) as viewer:
                for _ in range(3):
                    viewer.data()

        def export(number: int) -> None:
            answer = api.get(f"/cameras/{ids[number % 2]}/export.mp4", params=recent(12))
            assert answer.status_code == 200 and answer.content[4:8] == b"ftyp", answer.text[:200]

        def archive(number: int) -> None:
            end = time.time() - 5
            answer = api.post("/exports", json={"camera_ids": ids, "start": end - 10, "end": end, "manifest": True})
            assert answer.status_code == 200, answer.text[:200]

        def snapshot(number: int) -> None:
            assert api.post(f"/cameras/{ids[number % 2]}/snapshot").status_code in (200, 201)

        def replay(number: int) -> None:
            place = f"/cameras/{ids[number % 2]}/playback.m3u8"
            answer = api.get(place, params=recent(15))
            assert answer.status_code == 200, answer.text
            for line in [line for line in answer.text.splitlines() if line and not line.startswith("#")][:3]:
                assert api.get(urljoin(place, line)).status_code in (200, 206)

        def timeline(number: int) -> None:
            now = time.time()
            api.json("/timeline", params={"start": now - 3600, "end": now})
            api.json("/events", params={"limit": 50})

        kinds: dict[str, Callable[[int], None]] = {
            "live": live, "fragments": fragments, "export": export, "archive": archive, "snapshot": snapshot, "replay": replay, "timeline": timeline}
        grown = {}
        for name, visit in kinds.items():
            for number in range(WARM):
                visit(number)
            before, descriptors = private(nvr), nvr.descriptors()
            for number in range(EACH[name] * TIMES):
                visit(number)
            grown[name] = private(nvr) - before
            # Connections that have just ended may still be there for a moment.
            wait_for(f"the connections of {name} are closed", lambda: nvr.descriptors() <= descriptors + 3, 20)
        print({name: f"{value / 1e6:+.2f} MB" for name, value in grown.items()})
        assert all(value <= MEMORY for value in grown.values()), grown


@pytest.mark.slow
def test_memory_of_what_waited_for_a_disk_that_hung_is_given_back():
    with ExitStack() as stack:
        camera = stack.enter_context(GstCamera({f"/{number}": footage.full_hd() for number in range(6)}, live=True))
        nvr = stack.enter_context(FaultyDisk(segment_seconds=20))
        nvr.start().with_admin()
        ids = [nvr.api.add_camera(f"camera {number}", camera.url(f"/{number}")) for number in range(6)]
        wait_for("all record", lambda: {row.camera for row in nvr.rows() if row.bytes} == set(ids), 60)
        time.sleep(20)
        before, most = private(nvr), 0
        for _ in range(2):
            with nvr.faulty("write", stall=90):
                for _ in range(20):
                    time.sleep(1)
                    most = max(most, private(nvr))
            time.sleep(3)
        print(f"{before / 1e6:.1f} MB before, {most / 1e6:.1f} at most")
        assert most > before + 20_000_000, "the disk did not hang"
        wait_for("what waited is given back", lambda: private(nvr) < before + (most - before) / 3, 150, 2)
        print(f"{private(nvr) / 1e6:.1f} MB after")
