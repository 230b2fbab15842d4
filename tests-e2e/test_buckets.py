"""Footage moves into a bucket, plays from there, expires there and is compared there; a real S3 server that goes away and comes back."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from harness.media import follow, probe
from harness.server import BUSY, NVR, PASSWORD, USER, wait_for
from peers import footage
from peers.gst_camera import GstCamera
from peers.s3_server import S3Server
from test_volumes import Player

MARKER = ".vibenvr-volume"


class Site(NVR):
    """A server with two segments and a snapshot of three hours ago, the segments so large that they go in parts."""

    camera = 1

    def query(self, sql: str, *values) -> list[tuple]:
        with closing(sqlite3.connect(f"file:{self.data}/vibenvr.db?mode=ro", uri=True, timeout=BUSY)) as database:
            return database.execute(sql, values).fetchall()

    def grow_old(self, hours: int) -> None:
        """All that was stored is that much older. The server does not run."""
        with closing(sqlite3.connect(self.data / "vibenvr.db", timeout=BUSY)) as database:
            shift = hours * 3600 * 1_000_000
            database.execute("UPDATE segments SET start_us = start_us - ?1, end_us = end_us - ?1", (shift,))
            database.execute("UPDATE events SET start_us = start_us - ?1, end_us = end_us - ?1", (shift,))
            database.commit()

    def places(self) -> dict[str, int]:
        """The volume of every segment and snapshot, by its path."""
        return dict(
            self.query("SELECT path, volume FROM segments WHERE state = 2 UNION ALL SELECT picture_path, volume FROM events WHERE medium = 1"))

    def archive_to(self, store: S3Server, rate: int = 0, **fields) -> int:
        assert self.api.put("/settings/archival_max_mb_per_second", json={"value": str(rate)}).status_code == 200
        answer = self.api.post("/storage/s3", json=store.profile(offsite_all_cameras=False, **fields))
        assert answer.status_code == 200, answer.text
        profile = answer.json()["id"]
        assert self.api.post(f"/storage/s3/{profile}/test").json()["ok"] is True
        answer = self.api.put(f"/cameras/{self.camera}", json={"archive_storage_profile_id": -profile, "archive_after_hours": 1})
        assert answer.status_code == 200 and answer.json()["archive_storage_profile_id"] == -profile, answer.text
        return profile

    def moved(self, profile: int, patience: float = 120) -> None:
        wait_for("all has moved", lambda: set(self.places().values()) == {-profile}, patience)
        wait_for("the originals are gone", lambda: not list(self.recordings.rglob("*.mp4")), 20)
        assert self.query("SELECT count(*) FROM moves") == [(0,)]

    def upload(self) -> tuple[str, str] | None:
        """Path and id of an upload in parts that goes on."""
        found = self.query("SELECT path, upload FROM moves WHERE upload IS NOT NULL AND upload <> 'whole'")
        return found[0] if found else None

    def files_of(self) -> dict[str, bytes]:
        return {path: (self.recordings / path).read_bytes() for path in self.places()}

    def plays(self, contents: dict[str, bytes]) -> None:
        for path, content in contents.items():
            answer = self.api.get(f"/media/{path}")
            assert answer.status_code == 200 and answer.content == content, f"{path}: {answer.status_code}"


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stock")
    with GstCamera({"/cam": (footage.full_hd(), None)}, live=True) as camera, Site(folder, segment_seconds=26) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("Front door", camera.url("/cam"))
        assert key == Site.camera
        wait_for("a picture", lambda: nvr.api.get(f"/cameras/{key}/frame").status_code == 200, 30)
        assert nvr.api.post(f"/cameras/{key}/snapshot").status_code == 200
        wait_for("two segments", lambda: sum(row.finished for row in nvr.rows(key)) >= 2, 120)
        assert nvr.api.put(f"/cameras/{key}", json={"recording_mode": "Off", "is_active": False}).status_code == 200
        wait_for("all is finished", lambda: all(row.finished for row in nvr.rows(key)), 20)
        nvr.terminate()
        nvr.grow_old(3)
        assert max(row.bytes for row in nvr.rows(key)) > 7 << 20, "the footage is too small for parts"
    return folder


@contextmanager
def site(stock: Path, tmp_path: Path):
    shutil.copytree(stock / "data", tmp_path / "data")
    with Site(tmp_path) as nvr:
        nvr.start()
        nvr.api.login(USER, PASSWORD)
        yield nvr


@pytest.fixture(scope="module")
def store():
    with S3Server() as server:
        yield server


def test_footage_moves_into_a_bucket_while_somebody_plays_it(stock, store, tmp_path):
    with site(stock, tmp_path) as nvr:
        contents = nvr.files_of()
        rows = nvr.rows(nvr.camera)
        exported = f"/cameras/{nvr.camera}/export.mp4?start={rows[0].start + 1}&end={rows[1].end - 1}"
        before = nvr.api.get(exported).content
        player = Player(nvr, contents)
        begun = time.monotonic()
        profile = nvr.archive_to(store, rate=2, prefix="play")
        nvr.moved(profile)
        took = time.monotonic() - begun
        rounds = player.rounds
        wait_for("it was played once more", lambda: player.rounds > rounds + 1, 60)
        player.stop()
        assert not player.problems and player.rounds > 2, player.problems[:3]
        # There and back count for the limit.
        size = sum(len(content) for content in contents.values())
        assert took > 0.95 * 2 * size / (2 << 20), f"{size} bytes in {took:.1f} s"
        print(f"{size} bytes there and back in {took:.1f} s at 2 MB/s")
        objects = {one.key.removeprefix("play/archive/"): one.size for one in store.objects("play/")}
        assert objects.pop(MARKER) > 0 and objects == {path: len(content) for path, content in contents.items()}
        assert all(store.get(f"play/archive/{path}") == content for path, content in contents.items())
        movie = nvr.api.get(exported)
        assert movie.status_code == 200 and len(movie.content) == len(before)
        (tmp_path / "export.mp4").write_bytes(movie.content)
        assert follow(probe(tmp_path / "export.mp4").fingerprints(), footage.full_hd().fingerprints) == ""
        for event in nvr.api.events():
            assert nvr.api.get(f"/events/{event['id']}/download").status_code == 200
        shown = nvr.api.json(f"/storage/s3/{profile}")
        videos = [path for path in contents if path.endswith(".mp4")]
        assert shown["archive"] == {"recordings": len(videos), "snapshots": 1, "bytes": size} and shown["state"]["status"] == "ok"
        assert nvr.metric("vibenvr_bucket_archive_bytes", profile=str(profile)) == size
        assert nvr.metric("vibenvr_bucket_archive_objects", profile=str(profile)) == len(contents)
        assert nvr.metric("vibenvr_bucket_up", profile=str(profile)) == 1
        refused = nvr.api.delete(f"/storage/s3/{profile}")
        assert refused.status_code == 409 and "Front door" in refused.json()["detail"]
        nvr.terminate()
        checked = nvr.check()
        assert checked.returncode == 0, checked.stdout
        assert f"{len(videos)} segments" in checked.stdout


def test_a_bucket_that_vanishes_in_the_middle_of_a_copy_costs_nothing(stock, tmp_path):
    with S3Server() as store, site(stock, tmp_path) as nvr:
        contents = nvr.files_of()
        profile = nvr.archive_to(store, rate=1)
        wait_for("a copy is being made", nvr.upload, 30, 0.05)
        store.kill()
        wait_for("it is told", lambda: nvr.api.json(f"/storage/s3/{profile}")["state"]["status"] == "lost", 180)
        health = nvr.api.json("/health")
        assert health["status"] == "degraded" and {"volume_lost"} == {problem["kind"] for problem in health["problems"]}
        here = {path: content for path, content in contents.items() if nvr.places()[path] == 0}
        assert here
        nvr.plays(here)
        # Nothing that could delete or repair takes it for gone.
        places = nvr.places()
        nvr.api.post("/settings/sync-orphans")
        wait_for("the comparison is done", lambda: nvr.api.json("/settings/sync-orphans/status")["status"] == "completed", 60)
        assert nvr.places() == places
        store.start()
        time.sleep(11)  # A failure is believed for ten seconds.
        assert nvr.api.put(f"/storage/s3/{profile}", json={"max_bytes_per_second": 0}).status_code == 200
        assert nvr.api.put("/settings/archival_max_mb_per_second", json={"value": "0"}).status_code == 200
        nvr.moved(profile, 180)
        nvr.plays(contents)
        assert store.uploads() == []
        wait_for("all is well again", lambda: nvr.api.json("/health")["status"] == "ok", 90)


def test_a_move_goes_on_after_the_plug_was_pulled_in_the_middle_of_an_upload(stock, store, tmp_path):
    with site(stock, tmp_path) as nvr:
        contents = nvr.files_of()
        profile = nvr.archive_to(store, rate=1, prefix="plug")
        upload = wait_for("an upload was begun", nvr.upload, 30, 0.05)
        wait_for("a part is there", lambda: store.parts(f"plug/archive/{upload[0]}", upload[1]), 30, 0.1)
        nvr.kill()
        # Whatever the moment was: no file is lost, and a repair finds nothing to do.
        assert all((nvr.recordings / path).read_bytes() == content for path, content in contents.items() if nvr.places()[path] == 0)
        checked = nvr.run("check", "--data-dir", str(nvr.data), "--repair")
        assert checked.returncode == 0, checked.stdout
        nvr.start()
        nvr.plays(contents)
        # It goes on with what is there.
        assert nvr.upload() in (upload, None) or nvr.places()[upload[0]] == -profile
        wait_for("the first has moved", lambda: nvr.places()[upload[0]] == -profile, 60)
        wait_for("another upload was begun", nvr.upload, 60, 0.05)
        nvr.kill()
        # What nobody knows of any more is given up.
        with closing(sqlite3.connect(nvr.data / "vibenvr.db")) as database:
            database.execute("DELETE FROM moves")
            database.execute("UPDATE settings SET value = '0' WHERE key = 'archival_max_mb_per_second'")
            database.commit()
        nvr.start()
        nvr.moved(profile)
        assert store.uploads() == []
        nvr.plays(contents)
        assert all(store.get(f"plug/archive/{path}") == content for path, content in contents.items())


def test_retention_deletes_in_the_bucket(stock, tmp_path):
    with S3Server() as store, site(stock, tmp_path) as nvr:
        contents = nvr.files_of()
        profile = nvr.archive_to(store)
        nvr.moved(profile)
        videos = sorted(path for path in contents if path.endswith(".mp4"))
        assert len(videos) >= 2
        # All but the newest, by a limit of the bucket itself.
        newest = nvr.query("SELECT path, bytes FROM segments ORDER BY start_us DESC LIMIT 1")[0]
        room = newest[1] + sum(len(contents[path]) for path in contents if path not in videos) + 1000
        assert nvr.api.put(f"/storage/s3/{profile}", json={"max_size_gb": room / 2**30}).status_code == 200
        plan = nvr.api.post("/settings/cleanup", json={"dry_run": True, "confirm": True}).json()
        # The snapshot is from the time of the first.
        assert len(videos) - 1 <= plan["planned"]["count"] <= len(videos), plan
        store.kill()
        away = nvr.api.post("/settings/cleanup", json={"confirm": True}).json()
        assert away["status"] == "success" and away["deleted_count"] == 0, away
        assert set(nvr.places()) == set(contents)
        store.start()
        # A failure is believed for ten seconds.
        done = wait_for(
            "the bucket is cleaned", lambda: (tried := nvr.api.post("/settings/cleanup", json={"confirm": True}).json())["deleted_count"] and tried, every=1)
        assert done["status"] == "success" and done["deleted_count"] == plan["planned"]["count"], done
        left = {one.key.removeprefix("home/archive/") for one in store.movies("home/archive/")}
        assert left == {newest[0]} and {path for path in nvr.places() if path.endswith(".mp4")} == left
        # Deleting an event deletes its footage there, in the background.
        [event] = [event for event in nvr.api.events() if event["file_path"].endswith(newest[0])]
        assert nvr.api.delete(f"/events/{event['id']}").status_code == 200
        wait_for("it is gone there, too", lambda: not store.movies("home/archive/"), 30)
        wait_for("nothing is left to do", lambda: nvr.query("SELECT count(*) FROM segments") == [(0,)], 20)


def test_a_check_finds_what_differs_in_the_bucket(stock, store, tmp_path):
    with site(stock, tmp_path) as nvr:
        contents = nvr.files_of()
        profile = nvr.archive_to(store, prefix="check")
        nvr.moved(profile)
        videos = sorted(path for path in contents if path.endswith(".mp4"))
        nvr.terminate()
        store.put("check/archive/1/orphan.mp4", contents[videos[-1]])
        store.put("check/archive/1/junk.mp4", b"no movie")
        store.delete(f"check/archive/{videos[0]}")
        told = nvr.check()
        assert told.returncode == 1
        for text in ("1/orphan.mp4: footage that is not listed", "1/junk.mp4: footage that is not listed", f"{videos[0]}: the row has no file"):
            assert text in told.stdout, told.stdout
        assert set(nvr.places()) == set(contents)
        repaired = nvr.run("check", "--data-dir", str(nvr.data), "--repair")
        places = nvr.places()
        assert places.get("1/orphan.mp4") == -profile and videos[0] not in places and "1/junk.mp4" not in places, repaired.stdout
        assert {one.key for one in store.movies("check/archive/")} >= {"check/archive/1/orphan.mp4", "check/archive/1/junk.mp4"}
        nvr.start()
        answer = nvr.api.get("/media/1/orphan.mp4")
        assert answer.status_code == 200 and answer.content == contents[videos[-1]]
        # Another bucket under the same name: nothing is missing, nothing goes.
        store.delete(f"check/archive/{MARKER}")
        for path in videos[1:]:
            store.delete(f"check/archive/{path}")
        nvr.api.post("/settings/sync-orphans?force=true")
        wait_for("the comparison is done", lambda: nvr.api.json("/settings/sync-orphans/status")["status"] == "completed", 60)
        assert any("was left alone" in note for note in nvr.api.json("/settings/sync-orphans/status")["notes"])
        assert nvr.places() == places
        assert {"volume_lost": "not_mounted"} == {
            problem["kind"]: problem["cause"] for problem in nvr.api.json("/health")["problems"] if problem["kind"] == "volume_lost"}


def test_a_bucket_that_is_gone_for_good_is_forgotten(stock, tmp_path):
    with S3Server() as store, site(stock, tmp_path) as nvr:
        profile = nvr.archive_to(store)
        nvr.moved(profile)
        path = f"/storage/s3/{profile}"
        numbers = nvr.api.post(f"{path}/forget?dry_run=true").json()
        assert numbers.pop("forgotten") is False and numbers["recordings"] >= 2 and numbers["snapshots"] == 1
        there = nvr.api.post(f"{path}/forget", json=numbers)
        assert there.status_code == 409 and "is there" in there.json()["detail"]
        store.kill()
        assert nvr.api.post(f"{path}/forget", json={**numbers, "bytes": numbers["bytes"] + 1}).status_code == 409
        done = nvr.api.post(f"{path}/forget", json=numbers)
        assert done.status_code == 200 and done.json() == {**numbers, "forgotten": True}, done.text
        assert nvr.places() == {}
        assert nvr.api.put(f"/cameras/{nvr.camera}", json={"archive_storage_profile_id": None}).status_code == 200
        assert nvr.api.delete(path).status_code == 200
        assert "/storage/s3/{profile_id}/forget" in nvr.api.get("/audit").text


def test_an_archive_goes_with_a_backup_of_the_configuration(stock, store, tmp_path):
    with site(stock, tmp_path) as nvr, NVR() as other:
        nvr.archive_to(store, prefix="backup", max_size_gb=5)
        document = nvr.api.get("/settings/backup/export").json()
        other.start().with_admin()
        answer = other.api.post("/settings/backup/import", json=document)
        assert answer.status_code == 200 and answer.json()["restored"]["s3_profiles"] == 1, answer.text
        [profile] = other.api.json("/storage/s3")
        assert profile["prefix"] == "backup" and profile["max_size_gb"] == 5
        assert other.api.post(f"/storage/s3/{profile['id']}/test").json()["ok"] is True
        [camera] = other.api.json("/cameras")
        assert camera["archive_storage_profile_id"] == -profile["id"]
