"""The tools of the soak tell the truth: the plan comes again, numbers of frames survive being stored, and what is missing has its cause."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from harness.disk import FaultyDisk
from harness.server import wait_for
from peers import footage
from peers.gst_camera import GstCamera
from peers.numbered import Ledger, number_of, stamp
from soaking import plan
from soaking.cameras import SoakCamera, Span
from soaking.frames import Fault, Shelf, ranges, settle

PERIOD = 1 / 15


def test_a_seed_is_a_plan():
    steps = plan.make(6, 3600, 8)
    assert steps == plan.make(6, 3600, 8) and steps != plan.make(7, 3600, 8)
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert max(step.at + step.seconds for step in steps) <= 3570
    kinds = {step.kind for step in steps}
    assert {"restart", "stall", "drop", "kill", "term", "kill in stall", "enospc", "eio", "live", "export", "cleanup", "hold"} <= kinds
    calm = [step for step in steps if step.lane == "server" and 1000 < step.at < 3000]
    assert calm and not {step.kind for step in calm} & {"kill", "term", "kill in stall"}
    # A camera that is off is not stopped, too.
    for camera in range(8):
        mine = [step for step in steps if step.lane == "camera" and step.camera == camera]
        assert all(later.at >= earlier.at + earlier.seconds + 20 - 1e-6 for earlier, later in zip(mine, mine[1:]))


def test_a_camera_that_went_away_after_a_restart_is_not_waited_for():
    camera = object.__new__(SoakCamera)
    camera._peer, camera.stalls, camera.left = object(), [], [100.0]
    assert not camera.left_since(100.5) and camera.left_since(99.5)
    camera.stalls.append(Span(90.0))
    assert camera.left_since(100.5)
    camera.stalls[-1].end = 101.0
    assert not camera.left_since(100.5)
    camera._peer = None
    assert camera.left_since(100.5)


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_number_is_read_as_it_was_written(codec):
    nal = stamp(26938444369, codec)[4:]
    assert number_of([b"\x67abc", nal, b"\x65"]) == 26938444369
    assert number_of([b"\x06\x05\x10" + bytes(16)]) is None and number_of([]) is None
    # Nothing in it looks like a start code.
    assert b"\0\0\0" not in nal and b"\0\0\1" not in nal


def account(stored: set[int], faults: list[Fault], camera: int = 0):
    return settle(camera, Shelf(None, stored=stored), set(range(1000, 4000)), set(range(1000, 4000)), faults, PERIOD, (1000, 4000))


def test_what_is_missing_has_a_cause_or_none():
    everything = set(range(1000, 4000))
    assert not account(everything, []).unexplained
    hole = everything - set(range(2000, 2030))
    assert account(hole, []).unexplained == [(2000, 30)]
    at = 2000 * PERIOD
    drop = Fault("camera drop", at, at, 0)
    told = account(hole, [drop])
    assert told.lost == {"camera drop": 30} and told.worst == {"camera drop": 30} and not told.unexplained
    # Another camera's, or one long over, explains nothing.
    assert account(hole, [Fault("camera drop", at, at, 1)]).unexplained == [(2000, 30)]
    assert account(hole, [Fault("camera drop", at - 20, at - 20, 0)]).unexplained == [(2000, 30)]
    # Only the part that it covers is explained.
    late = account(everything - set(range(2000, 2300)), [drop])
    assert late.lost == {"camera drop": 181} and late.unexplained == [(2181, 119)] and len(late.gaps) == 1
    assert account(everything | {5000}, []).strange == 1
    assert ranges([1, 2, 3, 7, 9, 10]) == [(1, 3), (7, 1), (9, 2)]


def test_every_frame_of_a_numbered_camera_is_found(tmp_path):
    films = {"a": (footage.counter(), footage.sound("aac")), "b": (footage.counter("h265"), None)}
    cameras, ledgers = {}, {}
    try:
        for name, content in films.items():
            cameras[name] = GstCamera({"/main": content}, live=True, ledger=tmp_path / name)
            ledgers[name] = Ledger(tmp_path / name)
        with FaultyDisk(tmp_path, segment_seconds=3) as nvr:
            nvr.start().with_admin()
            ids = {name: nvr.api.add_camera(name, camera.url(), record_audio=True) for name, camera in cameras.items()}
            wait_for("segments", lambda: all(sum(row.finished for row in nvr.rows(key)) >= 2 for key in ids.values()), 60)
            assert cameras["b"].drop() == 1
            wait_for("more of them", lambda: all(sum(row.finished for row in nvr.rows(key)) >= 5 for key in ids.values()), 60)
            # Up to now, once segments that begin later say that it is all written.
            end = int(time.time() / PERIOD)
            wait_for("what was sent is written", lambda: all(any(row.start > (end + 1) * PERIOD for row in nvr.rows(key)) for key in ids.values()))
            done = nvr.done()
            assert done.data_syncs > 0 and done.bytes > 100_000
            nvr.terminate()
            for name, key in ids.items():
                shelf = Shelf(films[name][0])
                for row in nvr.rows(key):
                    assert shelf.read(row.path) is not None
                assert not shelf.altered and not shelf.doubles and not shelf.problems
                sent = {number for first, stop, _ in ledgers[name].runs() for number in range(first, stop)}
                assert shelf.stored <= sent
                # What the camera left out because it came too late was never sent: a gap of that alone is none.
                gaps = ranges(sorted(set(range(min(shelf.stored), end)) - shelf.stored))
                missing = [(first, count) for first, count in gaps if not sent.isdisjoint(range(first, first + count))]
                # A connection that is made anew begins in the middle of a group of pictures.
                assert len(missing) <= (1 if name == "b" else 0) and all(count < 150 for _, count in missing), missing
    finally:
        for camera in cameras.values():
            camera.close()
