"""Many reconnects leave nothing behind: neither descriptors nor memory."""

from __future__ import annotations

import time

from conftest import LONG
from harness.server import NVR, wait_for
from peers import footage
from peers.fault_camera import FaultCamera

RECONNECTS = 200 if LONG else 40
CAMERAS = 4
MEMORY = 8_000_000  # what an allocator may keep of a few busy seconds


def test_no_growth_over_reconnects():
    film = footage.counter(gop_seconds=1)
    peers = [FaultCamera(film, footage.sound("pcma")) for _ in range(CAMERAS)]
    try:
        with NVR(segment_seconds=30) as nvr:
            nvr.start().with_admin()
            for number, peer in enumerate(peers):
                nvr.api.add_camera(f"camera {number}", peer.url(), record_audio=True)

            def plays() -> int:
                return sum(peer.stats().get("plays", 0) for peer in peers)

            def drop_all(round_number: int) -> None:
                before = [peer.stats()["sent"].get("/main", 0) for peer in peers]
                for peer in peers:
                    peer.drop()
                # Every camera shows a few frames again before it is dropped the next time.
                wait_for(
                    f"all are back after drop {round_number}",
                    lambda: all(peer.stats()["sent"].get("/main", 0) > sent + 5 for peer, sent in zip(peers, before)), 60,
                )

            wait_for("all cameras play", lambda: plays() >= CAMERAS, 30)
            for number in range(3):
                drop_all(number)
            time.sleep(2)
            descriptors, memory = nvr.descriptors(), nvr.resident()
            rounds = RECONNECTS // CAMERAS
            for number in range(rounds):
                drop_all(number)
            time.sleep(2)
            assert plays() >= RECONNECTS
            # What has just ended may still be there for a moment.
            wait_for(f"no more than {descriptors} descriptors", lambda: nvr.descriptors() <= descriptors + 2)
            grown = nvr.resident() - memory
            assert grown <= MEMORY, f"{grown / 1e6:.1f} MB more after {rounds * CAMERAS} reconnects"
            assert all(peer.stats()["most_sessions"]["/main"] == 1 for peer in peers)
    finally:
        for peer in peers:
            peer.close()
