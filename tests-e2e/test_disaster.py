"""What happened to the database or the clock costs no footage, and the server says what happened and comes up by itself."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import re
import shutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests

from conftest import LONG
from harness.machine import Machine
from harness.server import NVR, wait_for
from peers import footage, ports
from peers.fault_camera import FaultCamera

SEED = 6
FLIPS = 60 if LONG else 12
SECRET = "a webhook's secret"


class Receiver:
    """Takes what is sent to a webhook."""

    def __init__(self):
        self.requests: list[tuple[dict, bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/told?key=1"

    def told(self, kind: str, state: str) -> list[dict]:
        messages = [json.loads(body) for _, body in list(self.requests)]
        return [message for message in messages if message["kind"] == kind and message["state"] == state]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def footage_of(nvr: NVR) -> dict[str, bytes]:
    """Every file of footage with its digest."""
    return {str(path.relative_to(nvr.recordings)): hashlib.sha256(path.read_bytes()).digest() for path in nvr.files()}


def unchanged(nvr: NVR, before: dict[str, bytes]) -> None:
    after = footage_of(nvr)
    lost = {path for path in before if after.get(path) != before[path]}
    assert not lost, f"footage is gone or changed: {sorted(lost)}"


def listed(nvr: NVR) -> set[str]:
    return {str(row.path.relative_to(nvr.recordings)) for row in nvr.rows()}


def kinds(nvr: NVR, **query) -> list[str]:
    return [event["kind"] for event in nvr.api.json("/health/events", params=query)]


def knows_footage(backup: Path | None) -> bool:
    """Whether a backup is younger than the cameras and some of what they recorded."""
    if backup is None:
        return False
    with closing(sqlite3.connect(f"file:{backup}?mode=ro&immutable=1", uri=True)) as database:
        (cameras,), (segments,) = (database.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("cameras", "segments"))
    return cameras == 2 and segments >= 6


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A data folder with some footage of two cameras and a backup of the database, and footage made after that backup. Not running."""
    folder = tmp_path_factory.mktemp("archive")
    with FaultCamera(footage.counter(gop_seconds=1)) as one, FaultCamera(footage.counter(gop_seconds=1)) as two:
        with NVR(folder, segment_seconds=2, VIBENVR_DATABASE_BACKUP_SECONDS="5") as nvr:
            nvr.start().with_admin()
            for name, peer in [("one", one), ("two", two)]:
                nvr.api.add_camera(name, peer.url())
            backups = nvr.data / "backups" / "db"
            wait_for("there is footage", lambda: len([row for row in nvr.rows() if row.finished]) >= 6, 60)
            wait_for("there is a backup with it", lambda: knows_footage(max(backups.glob("vibenvr-*.db"), default=None)))
            nvr.terminate()
        with NVR(folder, segment_seconds=2) as nvr:
            nvr.start()
            known = len(nvr.rows())
            wait_for("there is more footage", lambda: len(nvr.rows()) >= known + 4, 60)
            nvr.terminate()
            nvr.api.token = None
    # Servers on copies ask for these cameras: nobody else's may answer.
    for peer in (one, two):
        ports.keep(peer.port)
    yield folder


def copy_of(archive: Path, folder: Path) -> NVR:
    """A server on a copy of the archive, whose cameras are gone."""
    shutil.copytree(archive / "data", folder / "data")
    # Everything in one file, where it can be damaged.
    with closing(sqlite3.connect(folder / "data" / "vibenvr.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for name in ["vibenvr.db-wal", "vibenvr.db-shm"]:
        (folder / "data" / name).unlink(missing_ok=True)
    nvr = NVR(folder, segment_seconds=2)
    return nvr


def signed_in(nvr: NVR) -> NVR:
    nvr.start()
    nvr.api.login("admin", "Bench-Passw0rd!")
    return nvr


def all_listed(nvr: NVR, files: dict[str, bytes]) -> None:
    wait_for("all footage is listed", lambda: set(files) <= listed(nvr), 60)


def test_a_missing_database_is_replaced_by_its_backup_and_newer_footage_listed_again(archive, tmp_path):
    with copy_of(archive, tmp_path) as nvr:
        files = footage_of(nvr)
        for path in nvr.data.glob("vibenvr.db*"):
            path.unlink()
        signed_in(nvr)
        all_listed(nvr, files)
        unchanged(nvr, files)
        assert {camera["name"] for camera in nvr.api.json("/cameras")} == {"one", "two"}
        wait_for("it is told", lambda: {"database_restored", "footage_reindexed"} <= set(kinds(nvr)))
        nvr.terminate()
        assert nvr.check().returncode == 0, nvr.check().stdout


def test_an_empty_database_beside_an_archive_lists_it_again_under_the_ids_of_its_cameras(archive, tmp_path):
    with copy_of(archive, tmp_path) as nvr:
        files = footage_of(nvr)
        ids = {int(path.split("/")[0]) for path in files}
        for path in nvr.data.glob("vibenvr.db*"):
            path.unlink()
        shutil.rmtree(nvr.data / "backups")
        nvr.start().with_admin()
        all_listed(nvr, files)
        unchanged(nvr, files)
        cameras = {camera["id"]: camera for camera in nvr.api.json("/cameras")}
        assert set(cameras) == ids
        assert not any(camera["is_active"] for camera in cameras.values())
        wait_for("it is told", lambda: "database_lost" in kinds(nvr))
        assert {event["camera_id"] for event in nvr.api.events(limit=1000)} == ids
        new = nvr.api.add_camera("new", "rtsp://10.255.255.1/x", is_active=False)
        assert new > max(ids)
        nvr.terminate()
        assert nvr.check().returncode == 0, nvr.check().stdout


def test_a_database_of_another_folder_beside_an_archive_lists_it_too(archive, tmp_path):
    (tmp_path / "fresh").mkdir()
    with NVR(tmp_path / "fresh") as fresh:
        fresh.start().with_admin()
        fresh.terminate()
        with copy_of(archive, tmp_path) as nvr:
            files = footage_of(nvr)
            for path in nvr.data.glob("vibenvr.db*"):
                path.unlink()
            for path in list(fresh.data.glob("vibenvr.db*")) + list(fresh.data.glob("secret*.key")):
                shutil.copy(path, nvr.data / path.name)
            signed_in(nvr)
            all_listed(nvr, files)
            unchanged(nvr, files)


@pytest.mark.parametrize("length", ["half", "page", "few"])
def test_a_truncated_database_is_replaced(archive, tmp_path, length):
    with copy_of(archive, tmp_path) as nvr:
        files = footage_of(nvr)
        database = nvr.data / "vibenvr.db"
        size = database.stat().st_size
        with open(database, "r+b") as file:
            file.truncate({"half": size // 2, "page": 4096, "few": 100}[length])
        signed_in(nvr)
        all_listed(nvr, files)
        unchanged(nvr, files)
        aside = list(nvr.data.glob("vibenvr.db.damaged-*"))
        assert aside, "the damaged file is not kept"
        wait_for("it is told", lambda: "database_restored" in kinds(nvr))


def flipped(archive: Path, folder: Path, number: int) -> str:
    """One server on a database with flipped bits; what went wrong, empty when nothing did."""
    chance = random.Random(SEED * 1000 + number)
    with copy_of(archive, folder) as nvr:
        files = footage_of(nvr)
        database = nvr.data / "vibenvr.db"
        content = bytearray(database.read_bytes())
        count = chance.choice([1, 1, 8, 64, 512])
        reach = len(content) if number % 3 else min(len(content), 40 * 4096)
        for _ in range(count):
            content[chance.randrange(reach)] ^= 1 << chance.randrange(8)
        database.write_bytes(content)
        try:
            nvr.start()
        except AssertionError as problem:
            return f"{number}: {count} flips: does not start: {problem}"

        def health() -> int:
            try:
                return nvr.api.get("/health").status_code
            except (AssertionError, requests.RequestException):
                # It begins anew in its own process, and on a port of its own.
                nvr.api.base = re.findall(r"listening on (http://[^\s\"]+)", nvr.log())[-1]
                return 0

        status = wait_for("health is told", lambda: not nvr.running or health())
        if status is not True and status != 200:
            return f"{number}: {count} flips: health is {status}"
        # Long enough for what goes on in the background; what is damaged may show only then, and costs a restart.
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            time.sleep(0.5)
        if not nvr.running:
            return f"{number}: {count} flips: it ended:\n{nvr.last_words()}"
        nvr.kill()
        after = footage_of(nvr)
        lost = [path for path in files if after.get(path) != files[path]]
        return f"{number}: {count} flips: footage is lost: {lost}" if lost else ""


def test_bits_that_flip_in_the_database_cost_no_footage_and_no_start(archive, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        folders = [tmp_path / str(number) for number in range(FLIPS)]
        for folder in folders:
            folder.mkdir()
        problems = [text for text in pool.map(lambda number: flipped(archive, folders[number], number), range(FLIPS)) if text]
    assert not problems, "\n".join(problems)


def test_damage_that_shows_while_it_runs_ends_in_a_good_database(archive, tmp_path):
    with copy_of(archive, tmp_path) as nvr:
        files = footage_of(nvr)
        # An index of events that no start looks at.
        with closing(sqlite3.connect(f"file:{nvr.data}/vibenvr.db?mode=ro&immutable=1", uri=True)) as database:
            (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events_by_picture'").fetchone()
            (size,) = database.execute("PRAGMA page_size").fetchone()
        with open(nvr.data / "vibenvr.db", "r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
        nvr.environment["VIBENVR_DATABASE_BACKUP_SECONDS"] = "1"
        signed_in(nvr)
        pid = nvr.pid
        wait_for("a backup is put in its place", lambda: list(nvr.data.glob("vibenvr.db.damaged-*")), 60)
        wait_for("it listens again", lambda: nvr.log().count("\nlistening on") >= 2, 30)
        assert nvr.pid == pid and nvr.running
        nvr.kill()
        nvr.environment.pop("VIBENVR_DATABASE_BACKUP_SECONDS")
        signed_in(nvr)
        wait_for("it is told", lambda: "database_restored" in kinds(nvr))
        all_listed(nvr, files)
        unchanged(nvr, files)


def test_repair_has_a_dry_run_and_refuses_to_remove_more_than_half(archive, tmp_path):
    with copy_of(archive, tmp_path) as nvr:
        signed_in(nvr)
        nvr.terminate()
        rows = nvr.rows()
        for row in rows[: len(rows) // 2 + 1]:
            row.path.unlink()
        dry = nvr.run("check", "--data-dir", str(nvr.data), "--repair", "--dry-run")
        assert dry.returncode == 1 and "no file" in dry.stdout
        refused = nvr.run("check", "--data-dir", str(nvr.data), "--repair")
        assert refused.returncode == 1 and "more than half" in refused.stdout, refused.stdout
        assert len(nvr.rows()) == len(rows)
        nvr.start()
        answer = nvr.api.post("/settings/sync-orphans")
        assert answer.status_code == 200, answer.text
        status = wait_for("it is compared", lambda: (found := nvr.api.json("/settings/sync-orphans/status"))["status"] == "completed" and found, 30)
        assert status["refused"] and len(nvr.rows()) == len(rows)
        nvr.terminate()
        forced = nvr.run("check", "--data-dir", str(nvr.data), "--repair", "--force")
        assert forced.returncode == 0, forced.stdout
        assert len(nvr.rows()) == len(rows) - (len(rows) // 2 + 1)


def test_an_altered_file_is_found_by_its_checksum(archive, tmp_path):
    with copy_of(archive, tmp_path) as nvr:
        path = nvr.files()[0]
        with open(path, "r+b") as file:
            file.seek(path.stat().st_size // 2)
            byte = file.read(1)
            file.seek(path.stat().st_size // 2)
            file.write(bytes([byte[0] ^ 4]))
        assert nvr.check().returncode == 0
        deep = nvr.run("check", "--data-dir", str(nvr.data), "--checksums")
        assert deep.returncode == 1 and "checksum" in deep.stdout, deep.stdout


def test_the_round_in_the_background_finds_what_differs_and_removes_nothing(archive, tmp_path):
    with copy_of(archive, tmp_path) as nvr:
        gone, altered, short, unlisted = nvr.files()[:4]
        gone.unlink()
        byte = altered.read_bytes()[-1]
        with open(altered, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(bytes([byte ^ 4]))
        os.truncate(short, short.stat().st_size - 1000)
        with closing(sqlite3.connect(nvr.data / "vibenvr.db")) as database:
            removed = database.execute("DELETE FROM segments WHERE path = ?", [str(unlisted.relative_to(nvr.recordings))])
            assert removed.rowcount == 1
            database.commit()
        files, rows = footage_of(nvr), listed(nvr)
        # As old as most footage is: what was written a moment ago may be about to get its row.
        for path in nvr.files():
            os.utime(path, (time.time() - 7200, time.time() - 7200))
        nvr.environment["VIBENVR_CHECK_AFTER_SECONDS"] = "1"
        signed_in(nvr)
        drift = wait_for(
            "the round tells what it found",
            lambda: next((event for event in nvr.api.json("/health/events", params={"active": "true"}) if event["kind"] == "footage_drift"), None), 90)
        for words in ("1 files are missing", "1 files were altered", "1 files have another size"):
            assert words in drift["detail"], drift
        assert nvr.api.get("/health", token="").json()["status"] == "degraded"
        # What has no row gets one; what differs stays as it is, rows and files.
        assert listed(nvr) == rows | {str(unlisted.relative_to(nvr.recordings))}
        unchanged(nvr, files)


@pytest.mark.parametrize("clock", ["1970-01-02 00:00:00", "-3h", "+3650d"])
def test_a_clock_that_is_wrong_deletes_nothing(archive, tmp_path, clock):
    """Rules that would take everything if the clock were believed are applied while it is wrong, and again when it is right."""

    def clean_up(nvr: NVR) -> dict:
        nvr.api.login("admin", "Bench-Passw0rd!")
        # The one that the server makes by itself at the start may still be going on.
        answer = wait_for("it is cleaned up", lambda: (tried := nvr.api.post("/settings/cleanup", json={})).status_code != 409 and [tried])[0]
        assert answer.status_code == 200, answer.text
        assert answer.json()["deleted_count"] == 0 and answer.json()["planned"]["count"] == 0, answer.json()
        unchanged(nvr, files)
        return answer.json()

    with copy_of(archive, tmp_path) as nvr:
        files = footage_of(nvr)
        signed_in(nvr)
        for camera in nvr.api.json("/cameras"):
            assert nvr.api.put(f"/cameras/{camera['id']}", json={"preserve_movies": "For One Day"}).status_code == 200
        assert nvr.api.post("/settings/bulk", json={"retention_max_share_percent": "100"}).status_code == 200
        clean_up(nvr)
        nvr.terminate()
        # Preloaded and not by the program `faketime`, which would stand between us and the server.
        preload = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        faked = {"LD_PRELOAD": str(preload), "FAKETIME": clock if clock[0] in "+-" else f"@{clock}", "DONT_FAKE_MONOTONIC": "1"}
        nvr.environment |= faked
        nvr.api.token = ""
        nvr.start()
        report = clean_up(nvr)
        # Ten years in which nobody saw the server.
        assert (report["unseen_hours"] > 80_000) == (clock == "+3650d"), report
        nvr.kill()
        unchanged(nvr, files)
        for name in faked:
            del nvr.environment[name]
        nvr.api.token = ""
        nvr.start()
        clean_up(nvr)
        all_listed(nvr, files)
        unchanged(nvr, files)


@pytest.fixture(scope="module")
def stalled():
    """A camera that goes silent and comes back, with everything that tells of it."""
    story: dict = {}
    receiver = Receiver()
    with FaultCamera(footage.counter(gop_seconds=1)) as peer, NVR() as nvr, Machine(nvr, peer) as machine:
        nvr.start().with_admin()
        for key, value in {"notify_webhook_url": receiver.url, "notify_webhook_secret": SECRET}.items():
            answer = nvr.api.put(f"/settings/{key}", json={"value": value})
            assert answer.status_code == 200, answer.text
        story["camera"] = nvr.api.add_camera("Yard", peer.url())
        wait_for("it records", lambda: nvr.rows(), 40)
        story["well"] = nvr.api.get("/health", token="").json()
        peer.set(connect="silent")
        silent = peer.drop()
        story["degraded"] = wait_for("it is degraded", lambda: (now := nvr.api.get("/health", token="").json())["status"] == "degraded" and now, 60)
        story["after"] = time.time() - silent
        story["kept waiting"] = machine.kept_waiting(silent)
        story["open"] = nvr.api.json("/health/events", params={"active": "true"})
        story["metric"] = nvr.metric("vibenvr_camera_recording_stalled", camera=str(story["camera"]))
        wait_for("the webhook hears of it", lambda: receiver.told("recording_stalled", "raised"), 30)
        # What lasts outlives the program.
        nvr.terminate()
        nvr.start()
        story["restarted"] = wait_for("it is degraded still", lambda: (now := nvr.api.get("/health", token="").json())["status"] == "degraded" and now, 10)
        peer.heal()
        wait_for("it is well again", lambda: nvr.api.get("/health", token="").json()["status"] == "ok", 90)
        wait_for("the webhook hears the all-clear", lambda: receiver.told("recording_stalled", "cleared"), 30)
        story["history"] = nvr.api.json("/health/events")
        story["recorded"] = nvr.api.json("/health/recorded?days=2")
        story["requests"] = list(receiver.requests)
        story["url"] = peer.url()
        story["log"] = nvr.log()
    receiver.close()
    yield story


def test_a_camera_of_which_nothing_reaches_the_disk_is_told_after_half_a_minute(stalled):
    assert stalled["well"]["status"] == "ok"
    assert 25 <= stalled["after"] <= 50 + stalled["kept waiting"], (stalled["after"], stalled["kept waiting"])
    assert [(event["kind"], event["camera_id"], event["cause"]) for event in stalled["open"]] == [("recording_stalled", stalled["camera"], "camera_offline")]
    assert stalled["metric"] == 1


def test_strangers_hear_why_and_nothing_else(stalled):
    problem = stalled["degraded"]["problems"][0]
    assert problem["kind"] == "recording_stalled" and problem["cause"] == "camera_offline" and problem["count"] == 1
    text = json.dumps(stalled["degraded"])
    assert "rtsp" not in text and "Yard" not in text


def test_it_is_told_once_and_its_end_once_also_over_a_restart(stalled):
    assert stalled["restarted"]["problems"][0]["kind"] == "recording_stalled"
    found = [event for event in stalled["history"] if event["kind"] == "recording_stalled"]
    assert len(found) == 1 and found[0]["end"] is not None


def test_the_webhook_is_signed(stalled):
    for headers, body in stalled["requests"]:
        timestamp = headers["x-vibenvr-timestamp"]
        wanted = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert headers["x-vibenvr-signature"] == f"sha256={wanted}"
        assert abs(int(timestamp) - time.time()) < 600
    states = [json.loads(body)["state"] for _, body in stalled["requests"] if json.loads(body)["kind"] == "recording_stalled"]
    assert states == ["raised", "cleared"]
    assert SECRET not in stalled["log"] and "told?key" not in stalled["log"]


def test_the_share_of_the_day_tells_of_the_gap(stalled):
    # A run over midnight has its share in both days.
    days = [camera for day in stalled["recorded"]["days"] for camera in day["cameras"] if camera["recorded_seconds"] + camera["missed_seconds"] > 0]
    assert sum(camera["missed_seconds"] for camera in days) >= 25 and sum(camera["recorded_seconds"] for camera in days) >= 5
    for camera in (camera for camera in days if camera["recorded_seconds"] + camera["missed_seconds"] >= 25):
        assert camera["percent"] == pytest.approx(100 * camera["recorded_seconds"] / (camera["recorded_seconds"] + camera["missed_seconds"]), abs=0.5)
