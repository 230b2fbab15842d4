"""An installation of VibeNVR brought along: its database as SQLite file and as dumps, and its recordings."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from harness.media import decode_errors, follow, probe
from harness.reference import INSIDE, Reference, argon2
from harness.server import NVR, PROGRAM
from harness.volumes import can_mount
from peers import footage

PASSWORD = "Old-Passw0rd!"
# As Python's secrets.token_urlsafe(32) makes them.
KEY = "k3y" * 14 + "_"
FRAGMENTED = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof")
# Recently, so that no rule of retention takes it; whole minutes, for easy reading.
DAY = (datetime.now(timezone.utc) - timedelta(days=1)).replace(hour=10, minute=0, second=0, microsecond=0, tzinfo=None)
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def at(minute: int, second: int = 0) -> datetime:
    return DAY + timedelta(minutes=minute, seconds=second)


def seconds(time: datetime) -> float:
    return time.replace(tzinfo=timezone.utc).timestamp()


def wall(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Reference:
    """Two cameras with recordings of every kind the product makes, and rows of every kind that somebody may have put there."""
    old = Reference(tmp_path_factory.mktemp("old"))
    film, other = footage.counter("h264"), footage.counter("h265")
    h264 = footage.muxed(film, None)
    h265 = footage.muxed(other, footage.sound("aac"))
    settings = dict(
        is_active=False, rtsp_transport="tcp", resolution_width=640, framerate=15, text_scale=1.5, movie_file_name="%Y-%m-%d/%H-%M-%S",
        max_movie_length=120, preserve_movies="For One Month", captured_before=0, captured_after=0, ai_object_types='["person", "vehicle"]',
        detect_motion_mode="Always", created_at=DAY)
    old.add("cameras", id=3, name="Front Döor", rtsp_url="rtsp://cam:p%40ss@192.0.2.7/front", location="Porch \\ left", recording_mode="Continuous",
            motion_masks='[{"points": [[0.1, 0.1], [0.4, 0.1], [0.4, 0.5]]}]', **settings)
    old.add("cameras", id=7, name="Garage", rtsp_url="rtsp://192.0.2.8/garage", recording_mode="Motion Triggered", **settings)
    old.add("cameras", id=8, name="Nothing", rtsp_url="ftp://192.0.2.9/x", recording_mode="Off", **settings)
    old.add("camera_groups", id=5, name="Outside", description="All 'outside'")
    old.add("camera_group_association", camera_id=3, group_id=5)
    old.add("users", username="boss", email="boss@example.com", hashed_password=argon2(PASSWORD), role="admin", is_2fa_enabled=False, language="it",
            restrict_camera_access=False, created_at=DAY)
    old.add("users", username="guest", email="g@example.com", hashed_password=argon2("Guest-Passw0rd"), role="viewer", is_2fa_enabled=False,
            language="en", restrict_camera_access=True, created_at=DAY)
    old.add("users", username="ancient", hashed_password="$2b$12$abcdefghijklmnopqrstuuZ1Z1Z1Z1Z1Z1Z1Z1Z1Z1Z1Z1Z1Z1Z1", role="viewer", is_2fa_enabled=False,
            language="en", restrict_camera_access=False, created_at=DAY)
    old.add("user_camera_access", user_id=2, camera_id=7, can_view=True, can_replay=True, can_control=False)
    old.add("api_tokens", name="Home", token_hash=hashlib.sha256(KEY.encode()).hexdigest(), created_at=DAY, created_by_user_id=1, is_active=True)
    old.add("system_settings", key="max_global_storage_gb", value="123", description="tab\there\nand a line; with \\ and 'quotes'")
    old.add("system_settings", key="cleanup_interval_hours", value="12")
    old.add("storage_profiles", name="Attic", path="/sftp", storage_type="sftp", max_size_gb=1.0)

    # Continuous, in fragments: plays as it is. Each minute has 20 seconds, and the next begins where it ends.
    first = old.movie(3, at(0), h264, *FRAGMENTED)
    second = old.movie(3, at(0, 20), h264, *FRAGMENTED)
    # The same time once more, because something moved; and one that goes on after the continuous recording has ended.
    inside = old.movie(3, at(0, 5), h264, *FRAGMENTED)
    beyond = old.movie(3, at(0, 30), h264, *FRAGMENTED)
    old.event(3, first, at(0), 20, "continuous")
    old.event(3, first, at(0), 20, "motion", ai_metadata="person,car")
    old.event(3, second, at(0, 20), 20, "continuous")
    old.event(3, inside, at(0, 5), 20, "motion", ai_metadata='[{"label": "dog"}]')
    old.event(3, beyond, at(0, 30), 20, "motion")
    # Ordinary MP4 with its table at the end, and at the beginning; H.265 with sound; B-frames.
    old.event(7, old.movie(7, at(5), h265), at(5), 20, "motion")
    old.event(7, old.movie(7, at(6), h264, "-movflags", "+faststart"), at(6), 20, "manual")
    frames = old.movie(7, at(7), h264, codec=("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30"))
    old.event(7, frames, at(7), 20, "motion")
    old.event(7, old.movie(7, at(10), h265, *FRAGMENTED), at(10), 20, "motion")
    # What cannot be taken.
    old.event(7, old.movie(7, at(8), h264, "-t", "3", codec=("-c:v", "mpeg4",)), at(8), 3)
    torn = old.movie(7, at(9), h264)
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    old.event(7, torn, at(9), 20)
    picture = old.recordings / "3" / DAY.strftime("%Y-%m-%d") / "10-00-07-00.jpg"
    footage.ffmpeg("-i", film.path, "-vframes", "1", str(picture))
    old.add("events", camera_id=3, timestamp_start=at(0, 7), type="snapshot", event_type="manual", file_path=f"{INSIDE}/{picture.relative_to(old.recordings)}",
            thumbnail_path=f"{INSIDE}/{picture.relative_to(old.recordings)}", file_size=picture.stat().st_size, width=640, height=360)
    secret = old.folder / "secret.mp4"
    secret.write_bytes(first.read_bytes())
    (old.recordings / "3" / "link.mp4").symlink_to(secret)
    (old.recordings / "linked").symlink_to(old.folder)
    for path in (f"{INSIDE}/../secret.mp4", f"{INSIDE}/3/../../../secret.mp4", str(secret), f"{INSIDE}/3/link.mp4", f"{INSIDE}/linked/secret.mp4",
                 f"{INSIDE}/3/gone.mp4", "sftp://1/3/x.mp4"):
        old.event(3, path, at(20), 20)
    old.event(99, first, at(0), 20)
    return old


def bring(nvr: NVR, database: Path, old: Reference, *options: str) -> subprocess.CompletedProcess:
    return nvr.run("import", "vibenvr", "--database", str(database), "--recordings", str(old.recordings), "--data-dir", str(nvr.data), *options)


@pytest.fixture(scope="module")
def moved(old, tmp_path_factory):
    """The server that took it over from its SQLite file, with what the import said."""
    before = old.fingerprints()
    with NVR(tmp_path_factory.mktemp("new")) as nvr:
        nvr.said = bring(nvr, old.sqlite(), old)
        assert nvr.said.returncode == 0, nvr.said.stdout + nvr.said.stderr
        nvr.start()
        nvr.api.login("boss", PASSWORD)
        yield nvr
        nvr.terminate()
        # Whatever the server did with it since: the old files are as they were.
        assert old.fingerprints() == before


def events(nvr: NVR) -> list[tuple]:
    """What matters of each event, oldest first."""
    return sorted((event["camera_id"], event["type"], event["event_type"], event["timestamp_start"], event["timestamp_end"] or "", event["ai_metadata"] or "")
                  for event in nvr.api.events())


def test_cameras_groups_settings_and_people_are_there(moved):
    cameras = {camera["id"]: camera for camera in moved.api.json("/cameras")}
    # The server was empty: numbers stay, by which scripts know cameras.
    assert {number: camera["name"] for number, camera in cameras.items()} == {3: "Front Döor", 7: "Garage"}
    assert cameras[3]["location"] == "Porch \\ left" and "0.4" in cameras[3]["motion_masks"]
    groups = moved.api.json("/groups")
    assert [(group["name"], group["description"], [camera["id"] for camera in group["cameras"]]) for group in groups] == [("Outside", "All 'outside'", [3])]
    assert cameras[7]["recording_mode"] == "Motion Triggered" and cameras[7]["text_scale"] == 1.5 and cameras[7]["preserve_movies"] == "For One Month"
    assert moved.api.json("/settings/max_global_storage_gb")["value"] == "123"
    users = {user["username"]: user for user in moved.api.json("/users")}
    assert set(users) == {"boss", "guest", "ancient"} and users["boss"]["language"] == "it"
    assert [access["id"] for access in users["guest"]["camera_accesses"]] == [7] and users["guest"]["restrict_camera_access"]
    # Old passwords and keys work; one of a kind that is not known is told, and opens nothing.
    assert moved.api.post("/auth/login", token="", data={"username": "guest", "password": "Guest-Passw0rd"}).status_code == 200
    assert "ancient" in moved.said.stdout
    assert moved.api.call("GET", "/cameras", token="", headers={"X-API-Key": KEY}).status_code == 200
    assert "Nothing" in moved.said.stdout and "Attic" in moved.said.stdout


def test_events_have_their_times_labels_and_thumbnails(moved, old):
    found = {(event["camera_id"], event["event_type"], wall(event["timestamp_start"])): event for event in moved.api.events()}
    assert len(found) == 10, sorted(found)
    for camera, kind, time in [
        (3, "continuous", at(0)), (3, "continuous", at(0, 20)), (3, "motion", at(0)), (3, "motion", at(0, 5)), (3, "motion", at(0, 30)),
        (7, "motion", at(5)), (7, "manual", at(6)), (7, "motion", at(7)), (7, "motion", at(10)), (3, "manual", at(0, 7)),
    ]:
        event = found[camera, kind, seconds(time)]
        thumbnail = moved.api.get(f"/events/{event['id']}/thumbnail")
        assert thumbnail.status_code == 200 and thumbnail.headers["content-type"] == "image/jpeg"
        if kind != "continuous" and event["type"] == "video":
            original = old.recordings / str(camera) / time.strftime("%Y-%m-%d") / time.strftime("%H-%M-%S.jpg")
            assert thumbnail.content == original.read_bytes()
            assert abs(wall(event["timestamp_end"]) - wall(event["timestamp_start"]) - 20) < 1.5
    assert [wall(event["timestamp_start"]) for event in moved.api.events(label="person")] == [seconds(at(0))]
    assert [wall(event["timestamp_start"]) for event in moved.api.events(label="dog")] == [seconds(at(0, 5))]


def test_the_timeline_shows_the_footage_once(moved):
    rows = [row for row in moved.rows(3)]
    assert [round(row.start - seconds(at(0))) for row in rows] == [0, 20, 40]
    assert all(earlier.end <= later.start + 0.001 for earlier, later in zip(rows, rows[1:]))
    assert 49 < rows[-1].end - seconds(at(0)) < 51
    assert all(row.finished for row in rows)
    answer = moved.api.get("/timeline", params={"start": seconds(at(0)), "end": seconds(at(10))})
    assert answer.status_code == 200, answer.text[:300]
    # Those that play as they are share the bytes of the originals.
    linked = [row for row in rows if row.path.stat().st_nlink > 1]
    assert len(linked) == 2 and "3 recordings linked" in moved.said.stdout


@pytest.mark.parametrize("camera, kind, start, codec", [
    (3, "motion", at(0), "h264"), (3, "motion", at(0, 5), "h264"), (3, "motion", at(0, 30), "h264"), (7, "motion", at(5), "h265"),
    (7, "manual", at(6), "h264"), (7, "motion", at(10), "h265"),
])
def test_events_replay_frame_for_frame(moved, old, tmp_path, camera, kind, start, codec):
    event = next(event for event in moved.api.events(camera_id=camera, event_type=kind) if wall(event["timestamp_start"]) == seconds(start))
    path = tmp_path / "event.mp4"
    answer = moved.api.get(f"/events/{event['id']}/download")
    assert answer.status_code == 200, answer.text[:300]
    path.write_bytes(answer.content)
    movie = probe(path)
    whole = at(0) if camera == 3 else start
    stored, source = movie.fingerprints(), probe(old.recordings / str(camera) / whole.strftime("%Y-%m-%d") / whole.strftime("%H-%M-%S.mp4")).fingerprints()
    # Every picture has its number in it, so none is like another: nothing is missing and nothing is there twice within a recording.
    assert 19.5 * 15 <= len(stored) <= 25 * 15
    for piece in pieces(stored, source):
        assert follow(piece, source) == ""
    assert decode_errors(path) == ""
    assert abs(movie.video.end - movie.video.begin - len(stored) / 15) < 0.2
    if codec == "h265":
        assert movie.track("audio").codec == "aac" and movie.track("audio").end > 19


def pieces(stored: list[str], source: list[str]) -> list[list[str]]:
    """Cut where another recording of the looped film begins."""
    found: list[list[str]] = []
    for number, frame in enumerate(stored):
        goes_on = number and source.index(frame) == (source.index(stored[number - 1]) + 1) % len(source)
        if goes_on:
            found[-1].append(frame)
        else:
            found.append([frame])
    assert len(found) <= 2, [len(piece) for piece in found]
    return found


def test_b_frames_keep_their_order(moved, tmp_path):
    event = next(event for event in moved.api.events(camera_id=7, event_type="motion") if wall(event["timestamp_start"]) == seconds(at(7)))
    path = tmp_path / "event.mp4"
    path.write_bytes(moved.api.get(f"/events/{event['id']}/download").content)
    movie = probe(path)
    assert len(movie.video.packets) == 300 and decode_errors(path) == ""
    shown = sorted(packet.pts for packet in movie.video.packets)
    assert all(abs(later - earlier - 1 / 15) < 0.002 for earlier, later in zip(shown, shown[1:]))


def test_what_cannot_be_taken_is_told_and_nothing_is_read_outside(moved, old):
    said = moved.said.stdout
    # A codec that nothing here plays is told by itself, with how much of it there is.
    left = old.recordings / "7" / DAY.strftime("%Y-%m-%d") / "10-08-00.mp4"
    megabytes = round(left.stat().st_size / 1e6, 1)
    assert f"1 recordings ({megabytes} MB) were not brought: their video is mpeg4" in said, said
    for words in ("mpeg4", "leads out of the folders", "none of the folders", "symbolic link", "not there", "SFTP", "its camera is not there", "cannot be read"):
        assert words in said, (words, said)
    outside = [path for path in moved.recordings.rglob("*.mp4") if path.stat().st_ino == (old.folder / "secret.mp4").stat().st_ino]
    assert not outside


def test_files_and_rows_agree_and_a_second_import_adds_nothing(moved, old):
    before, files = events(moved), sorted(moved.recordings.rglob("*"))
    moved.terminate()
    check = moved.run("check", "--checksums", "--data-dir", str(moved.data))
    assert check.returncode == 0, check.stdout
    again = bring(moved, old.folder / "vibenvr.db", old)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "0 events brought, 10 were here already" in again.stdout and "0 cameras, 0 groups, 0 users" in again.stdout, again.stdout
    assert sorted(moved.recordings.rglob("*")) == files
    moved.api.token = ""
    moved.start()
    moved.api.login("boss", PASSWORD)
    assert events(moved) == before


@pytest.mark.parametrize("form", ["copy", "inserts", "written anew"])
def test_dumps_bring_the_same(moved, old, tmp_path, form):
    before = old.fingerprints()
    with NVR(tmp_path) as nvr:
        said = bring(nvr, old.dump(inserts=form == "inserts"), old, *(["--copy"] if form == "written anew" else []))
        assert said.returncode == 0, said.stdout + said.stderr
        assert old.fingerprints() == before
        nvr.start()
        nvr.api.login("boss", PASSWORD)
        assert events(nvr) == events(moved)
        assert [camera["name"] for camera in nvr.api.json("/cameras")] == [camera["name"] for camera in moved.api.json("/cameras")]
        if form == "written anew":
            assert all(row.path.stat().st_nlink == 1 for row in nvr.rows())
        nvr.terminate()


@pytest.mark.skipif(not POSTGRES, reason="the server of PostgreSQL is not installed")
def test_dumps_of_postgresql_itself_bring_the_same(moved, old, tmp_path):
    dumps = old.real_dumps(POSTGRES[-1])
    wanted = events(moved)
    for form in ("copy", "inserts", "columns"):
        with NVR(tmp_path / form) as nvr:
            nvr.folder.mkdir()
            said = bring(nvr, dumps[form], old)
            assert said.returncode == 0, said.stdout + said.stderr
            nvr.start()
            nvr.api.login("boss", PASSWORD)
            assert events(nvr) == wanted, (form, said.stdout)
            nvr.terminate()
    with NVR(tmp_path / "archive") as nvr:
        said = bring(nvr, dumps["archive"], old)
        assert said.returncode != 0 and "pg_restore" in said.stderr


def tree(folder: Path) -> dict[str, tuple]:
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.rglob("*"))} if folder.exists() else {}


def test_a_dry_run_changes_nothing(old, tmp_path):
    before, nvr = tree(old.recordings), NVR(tmp_path / "new")
    said = bring(nvr, old.dump(), old, "--dry-run")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "2 cameras, 1 groups, 3 users" in said.stdout and "would be" in said.stdout
    assert not nvr.data.exists() and tree(old.recordings) == before


@contextmanager
def other_file_system(place: Path, megabytes: int):
    """What runs a command where a file system of its own is mounted at a place, and that place as it is seen from here."""
    place.mkdir()
    keeper = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "unshare", "-m", "sh", "-c",
         f"mount --make-rprivate / && mount -t tmpfs -o size={megabytes}m tmpfs '{place}' && echo mounted && exec sleep infinity"], stdout=subprocess.PIPE)
    try:
        assert keeper.stdout.readline() == b"mounted\n"
        yield ["nsenter", f"--mount=/proc/{keeper.pid}/ns/mnt"], Path(f"/proc/{keeper.pid}/root{place}")
    finally:
        keeper.kill()
        keeper.wait()


def fill_up(volume: Path, left: int) -> None:
    """Leaves room for so many bytes beside what an import keeps free."""
    (volume / "ballast").unlink(missing_ok=True)
    space = os.statvfs(volume)
    free, kept = space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize // 20
    with open(volume / "ballast", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - kept - left)


@pytest.mark.skipif(not can_mount(), reason="file systems cannot be mounted here")
def test_recordings_on_another_file_system_are_copied_where_there_is_space(old, moved, tmp_path):
    """Nothing can be linked there: a dry run says so and what it takes, and without the space nothing is begun unless that is wanted."""
    before = old.fingerprints()
    size = sum(path.stat().st_size for path in old.recordings.rglob("*.mp4") if not path.is_symlink())
    with other_file_system(tmp_path / "other", 512) as (enter, volume):
        nvr = NVR(tmp_path / "other")

        def run(*options: str) -> subprocess.CompletedProcess:
            arguments = ["--database", str(old.dump()), "--recordings", str(old.recordings), "--data-dir", str(nvr.data), *options]
            return subprocess.run([*enter, str(PROGRAM), "import", "vibenvr", *arguments], env=nvr.environment, capture_output=True, text=True, timeout=300)

        fill_up(volume, size // 2)
        told = run("--dry-run")
        assert told.returncode == 0, told.stdout + told.stderr
        for words in ("since they lie on another file system", "\n0 recordings would be linked", " recordings would be copied as they are", "not enough without --partial"):
            assert words in told.stdout, (words, told.stdout)
        said = run()
        assert said.returncode == 1 and "have to be written here" in said.stderr and "nothing was changed" in said.stderr, said.stdout + said.stderr
        assert not list(volume.rglob("*.mp4"))
        # What fits is brought when that is wanted, and the run says where it ended; a later one goes on when there is more room.
        fill_up(volume, size // 2)
        said = run("--partial")
        assert said.returncode == 1 and "stopped: the disk of" in said.stdout, said.stdout + said.stderr
        assert list(volume.rglob("*.mp4"))
        (volume / "ballast").unlink()
        said = run()
        assert said.returncode == 0 and "can not be linked" in said.stdout and "copied as they are" in said.stdout, said.stdout + said.stderr
        assert "stopped" not in said.stdout and "\n0 recordings linked" in said.stdout, said.stdout
        shutil.copytree(volume / "data", tmp_path / "new" / "data")
    with NVR(tmp_path / "new") as nvr:
        nvr.start()
        nvr.api.login("boss", PASSWORD)
        assert events(nvr) == events(moved)
        nvr.terminate()
        assert nvr.check().returncode == 0
    assert old.fingerprints() == before


def test_other_files_are_refused_with_the_way_out(old, tmp_path):
    nvr = NVR(tmp_path / "new")
    for content, words in [
        (b"PGDMP\x01\x0e\x00", "pg_restore"), (b"\x1f\x8b\x08\x00", "unpack"), (b"hello\n" * 100, "neither"), (b"SQLite format 3\x00" + os.urandom(4096), "database"),
        (b"CREATE TABLE public.other (id integer);\n", "no database of VibeNVR"),
    ]:
        path = tmp_path / "file"
        path.write_bytes(content)
        said = bring(nvr, path, old)
        assert said.returncode != 0 and words in said.stderr, (content[:10], said.stdout, said.stderr)
    # Nothing of a dump with its passwords is left.
    assert not list(nvr.data.glob(".import-*"))


def test_what_was_set_up_here_is_kept_and_backed_up(old, tmp_path):
    """A server with a camera and an administrator of its own takes the old ones in beside them."""
    with NVR(tmp_path) as nvr:
        nvr.start().with_admin()
        mine = nvr.api.add_camera("Mine", "rtsp://192.0.2.50/mine", is_active=False)
        nvr.terminate()
        said = bring(nvr, old.dump(), old)
        assert said.returncode == 0 and "vibe_backup_safety_" in said.stdout, said.stdout + said.stderr
        assert len(list((nvr.data / "backups").glob("vibe_backup_safety_*.json"))) == 1
        nvr.start()
        cameras = {camera["name"]: camera["id"] for camera in nvr.api.json("/cameras")}
        assert set(cameras) == {"Mine", "Front Döor", "Garage"} and cameras["Mine"] == mine
        groups = nvr.api.json("/groups")
        assert [camera["id"] for camera in groups[0]["cameras"]] == [cameras["Front Döor"]]
        assert {event["camera_id"] for event in nvr.api.events()} == {cameras["Front Döor"], cameras["Garage"]}
        nvr.terminate()
        assert nvr.check().returncode == 0


def test_a_server_that_runs_keeps_its_data(fresh, old):
    said = bring(fresh, old.dump(), old)
    assert said.returncode != 0 and "stop it" in said.stderr


def test_an_import_that_was_killed_goes_on(old, moved, tmp_path):
    with NVR(tmp_path) as nvr:
        arguments = ["import", "vibenvr", "--database", str(old.dump()), "--recordings", str(old.recordings), "--data-dir", str(nvr.data), "--copy"]
        process = subprocess.Popen([str(PROGRAM), *arguments], env=nvr.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            # As soon as there is a file: in the middle of it, or of the next.
            while process.poll() is None and not list(nvr.recordings.rglob("*.mp4")):
                time.sleep(0.001)
        finally:
            process.kill()
            process.wait()
        said = bring(nvr, old.dump(), old, "--copy")
        assert said.returncode == 0, said.stdout + said.stderr
        nvr.start()
        nvr.api.login("boss", PASSWORD)
        found = events(nvr)
        assert [event[:3] for event in found] == [event[:3] for event in events(moved)]
        nvr.terminate()
        assert nvr.check().returncode == 0


def test_damaged_recordings_and_databases_break_nothing(tmp_path):
    """Bytes of recordings, thumbnails, dumps and databases changed at random: an import ends by itself, and what it brought is sound."""
    chance = random.Random(7)
    old = Reference(tmp_path / "old")
    film = footage.muxed(footage.counter("h264"), footage.sound("aac"))
    old.add("cameras", id=1, name="Cam", rtsp_url="rtsp://192.0.2.7/x", is_active=False, movie_file_name="%Y-%m-%d/%H-%M-%S", created_at=DAY)
    old.add("users", username="boss", hashed_password=argon2(PASSWORD), role="admin", created_at=DAY)

    def damaged(data: bytes, most: int = 8) -> bytes:
        data = bytearray(data)
        for _ in range(chance.randint(1, most)):
            # Mostly where the tables are.
            place = chance.randrange(len(data)) if chance.random() < 0.3 else chance.choice([0, max(0, len(data) - 4000)]) + chance.randrange(min(4000, len(data)))
            data[min(place, len(data) - 1)] = chance.choice([0, 255, 127, chance.randrange(256)])
        return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.15 else data)

    plain = old.movie(1, at(0), film, "-t", "4").read_bytes()
    fragments = old.movie(1, at(0), film, "-t", "4", *FRAGMENTED).read_bytes()
    thumbnail = next(old.recordings.rglob("*.jpg")).read_bytes()
    for number in range(60):
        start = at(1, 10 * number)
        path = old.recordings / "1" / start.strftime("%Y-%m-%d") / start.strftime("%H-%M-%S.mp4")
        path.write_bytes(damaged(fragments if number % 2 else plain))
        path.with_suffix(".jpg").write_bytes(damaged(thumbnail))
        old.event(1, path, start, 4, "continuous" if number % 3 else "motion")
    with NVR(tmp_path) as nvr:
        said = bring(nvr, old.sqlite(), old)
        assert said.returncode == 0, said.stdout + said.stderr
        check = nvr.run("check", "--checksums", "--data-dir", str(nvr.data))
        assert check.returncode == 0, said.stdout + check.stdout
        nvr.start()
        nvr.api.login("boss", PASSWORD)
        for event in nvr.api.events():
            assert nvr.api.get(f"/events/{event['id']}/download").status_code in (200, 404), event
            assert nvr.api.get(f"/events/{event['id']}/thumbnail").status_code in (200, 404), event
        nvr.terminate()
    for number, source in enumerate([old.folder / "vibenvr.db", old.dump(), old.dump(inserts=True)] * 8):
        path = tmp_path / "damaged"
        path.write_bytes(damaged(source.read_bytes(), 30))
        said = bring(NVR(tmp_path / f"dry-{number}"), path, old, "--dry-run")
        assert said.returncode in (0, 1), (number, said.returncode, said.stderr[-500:])
