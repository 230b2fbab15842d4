"""The plug is pulled in the middle of writing: at most 2 s of each stream are lost, and nothing needs mending by hand."""

from __future__ import annotations

import random
import time

import pytest

from conftest import LONG
from harness.machine import Machine
from harness.media import probe
from harness.server import NVR, wait_for
from peers import footage
from peers.gst_camera import GstCamera

KILLS = 30 if LONG else 4
FRAMES_LOST = 30  # 2 s at 15 frames a second
SEED = 20


@pytest.fixture(scope="module")
def story():
    """Every kill with what was found after it, and the state at the end."""
    chance = random.Random(SEED)
    films = {"a": footage.counter(), "b": footage.counter("h265"), "c": footage.counter(), "d": footage.counter(gop_seconds=4)}
    sounds = {"b": footage.sound("aac"), "c": footage.sound("pcma")}
    kills = []
    with GstCamera({f"/{name}": (film, sounds.get(name)) for name, film in films.items()}) as camera, NVR() as nvr, Machine(nvr, camera) as machine:
        nvr.start().with_admin()
        ids = {name: nvr.api.add_camera(name, camera.url(f"/{name}"), record_audio=name in sounds) for name in films}
        for number in range(KILLS):
            known = {row.id for row in nvr.rows()}
            wait_for("all cameras record", lambda: {row.camera for row in nvr.rows() if row.id not in known and row.bytes} == set(ids.values()), 40)
            time.sleep(chance.uniform(1, 8))
            before = time.time()
            sent = camera.stats()["sent"]
            nvr.kill()
            killed = time.time()
            begun, restarted = time.monotonic(), time.time()
            nvr.start()
            on_disk = {path for path in nvr.files()}

            def listed():
                events = nvr.api.events(event_type="continuous")
                paths = {nvr.recordings / event["file_path"].removeprefix("/media/") for event in events}
                return on_disk <= paths | {row.path for row in nvr.rows() if row.start > killed}

            wait_for(f"after kill {number} every file is listed", listed, 20, every=0.05)
            kills.append({
                "between": killed - before, "sent": sent, "listed": time.monotonic() - begun - machine.kept_waiting(restarted),
                "kept waiting": machine.kept_waiting(killed - 5, killed),
                "last": {name: max((row for row in nvr.rows(key) if row.start < killed), key=lambda row: row.start) for name, key in ids.items()},
                "killed": killed, "restarted": restarted,
            })
        nvr.terminate()
        checked = nvr.check()
        problems = {}
        for path in nvr.files():
            try:
                probe(path)
            except AssertionError as problem:
                problems[path.name] = str(problem)
        missing = {}
        for number, kill in enumerate(kills):
            for name, row in kill["last"].items():
                source = films[name].fingerprints
                newest = source.index(probe(row.path).fingerprints()[-1])
                sent_at = (kill["sent"][f"/{name}"] - 1) % len(source)
                missing[number, name] = (sent_at - newest) % len(source)
                # Frames may pass between the camera's count and the kill.
                if missing[number, name] >= len(source) - 1 - 15 * kill["between"]:
                    missing[number, name] = 0
                missing[number, name] -= 15 * kill["kept waiting"]
        rows, files = nvr.rows(), nvr.files()
        # From each start of the program to the first frame of each camera; the last life was too short for some of them.
        waited = [
            min(begins) - kill["restarted"] - machine.kept_waiting(kill["restarted"], min(begins))
            for kill, after in zip(kills, kills[1:]) for key in ids.values()
            if (begins := [row.start for row in rows if row.camera == key and kill["killed"] < row.start < after["killed"]])
        ]
        yield {"kills": kills, "checked": checked, "problems": problems, "missing": missing, "rows": rows, "files": files, "waited": waited}


def test_every_file_opens(story):
    assert story["problems"] == {}


def test_at_most_two_seconds_are_missing(story):
    assert len(story["missing"]) == KILLS * 4
    # Of a time in which the server, the camera and the disk could go on.
    too_many = {key: frames for key, frames in story["missing"].items() if frames > FRAMES_LOST + 1}
    assert not too_many, f"frames missing (seed {SEED}): {too_many}"


def test_every_file_is_listed_within_two_seconds_of_the_start(story):
    """Half of the starts at least, since others may have the machine at any one of them; `make bench-restart` measures."""
    took = sorted(round(kill["listed"], 2) for kill in story["kills"])
    assert took[len(took) // 2] <= 2 and took[-1] <= 10, f"seconds until everything was listed: {took}"


def test_it_records_again_within_two_seconds_of_the_start(story):
    """Half of the cameras' starts at least: a stream can be recorded from its next key frame on, which is up to 4 s away here."""
    waited = sorted(round(seconds, 2) for seconds in story["waited"])
    assert len(waited) >= 4 * (KILLS - 1) and waited[len(waited) // 2] <= 2, waited
    assert waited[-1] < 10, waited


def test_no_row_lacks_its_file_and_no_file_its_row(story):
    assert {row.path for row in story["rows"]} == set(story["files"])
    assert all(row.finished for row in story["rows"])
    assert all(row.bytes == row.path.stat().st_size for row in story["rows"])


def test_check_finds_nothing(story):
    assert story["checked"].returncode == 0, story["checked"].stdout + story["checked"].stderr
