"""Footage is encrypted at rest: what lies on the disk is read by nobody without the key, and what is played, exported, mended and copied is as
it would be without."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from harness import sealed
from harness.machine import Machine
from harness.media import decode_errors, follow, probe
from harness.server import BUSY, NVR, PROGRAM, wait_for
from harness.volumes import MARKER
from peers import footage
from peers.gst_camera import GstCamera
from peers.s3_server import S3Server
from test_buckets import Site
from test_offsite import site

WORDS = [b"ftyp", b"moov", b"mdat", b"moof", b"avc1", b"JFIF", b"camera="]


def make_key(path: Path, *options: str) -> bytes:
    run = subprocess.run([str(PROGRAM), "key", "create", "--out", str(path), *options], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    key = sealed.keys(path)[0]
    assert sealed.key_id(key) in run.stdout and path.read_text().split()[0] not in run.stdout
    return key


class Archive:
    """A camera with sound recorded for some 25 s into segments of 5 s, and a snapshot."""

    def __init__(self, nvr: NVR, camera: GstCamera, key_file: Path, key: bytes):
        self.nvr, self.api, self.key_file, self.key = nvr, nvr.api, key_file, key
        self.film = footage.counter()
        self.id = nvr.api.add_camera("Vault", camera.url("/cam"), record_audio=True)
        wait_for("three finished segments", lambda: len(self.rows()) >= 3, 80)
        answer = nvr.api.post(f"/cameras/{self.id}/snapshot")
        assert answer.status_code == 200, answer.text

    def rows(self) -> list:
        return [row for row in self.nvr.rows(self.id) if row.finished]

    def media(self, row, **options):
        return self.api.get(f"/media/{row.path.relative_to(self.nvr.recordings)}", **options)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    key = make_key(folder / "footage.key")
    with GstCamera({"/cam": (footage.counter(), footage.sound("aac"))}) as camera:
        with NVR(segment_seconds=5, FOOTAGE_KEY_FILE=str(folder / "footage.key")) as nvr:
            nvr.start().with_admin()
            yield Archive(nvr, camera, folder / "footage.key", key)


def copy_of(archive: Archive, folder: Path, **environment: str) -> NVR:
    """Another server on a copy of what the archive has now, without its key unless that is given."""
    folder.mkdir()
    nvr = NVR(folder, segment_seconds=5, **environment)
    nvr.data.mkdir()
    for name in ["secret.key", "secret-box.key", "signing.key"]:
        shutil.copy2(archive.nvr.data / name, nvr.data / name)
    # Rows first: files of rows are there.
    with closing(sqlite3.connect(archive.nvr.data / "vibenvr.db", timeout=BUSY)) as source, closing(sqlite3.connect(nvr.data / "vibenvr.db")) as target:
        source.backup(target)
    shutil.copytree(archive.nvr.recordings, nvr.recordings)
    nvr.api.token = archive.api.token
    return nvr


def test_a_key_is_a_file_of_its_owner_alone_and_is_never_overwritten(tmp_path):
    path = tmp_path / "footage.key"
    first = make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(first) == 32
    again = subprocess.run([str(PROGRAM), "key", "create", "--out", str(path)], capture_output=True, text=True)
    assert again.returncode != 0 and "is there already" in again.stderr and sealed.keys(path) == [first]
    second = make_key(path, "--add")
    assert sealed.keys(path) == [second, first] and second != first and stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = subprocess.run([str(PROGRAM), "key", "show", "--footage-key-file", str(path)], capture_output=True, text=True)
    assert shown.stdout.split() == [sealed.key_id(second), "for", "new", "footage", sealed.key_id(first)]


def test_nothing_on_the_disk_is_footage_for_others(archive):
    files = [path for path in archive.nvr.recordings.rglob("*") if path.is_file() and path.name != MARKER]
    assert {path.suffix for path in files} == {".mp4", ".jpg"}
    # A segment is made a moment before its first bytes.
    contents = {path: content for path in files if (content := path.read_bytes())}
    for path, content in contents.items():
        assert sealed.is_sealed(content), path
        assert not [word for word in WORDS if word in content], path
        # By the name of a picture alone ffprobe says that it is one.
        probed = subprocess.run(["ffprobe", "-v", "error", str(path)], capture_output=True)
        shown = subprocess.run(
            ["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", str(path), "-frames:v", "1", "-f", "null", "-"], capture_output=True)
        assert shown.returncode != 0 and (path.suffix == ".jpg" or probed.returncode != 0), path
    salts = [content[32:64] for content in contents.values()]
    assert len(set(salts)) == len(salts)


def test_files_are_as_they_are_documented_and_played_as_they_are(archive, tmp_path):
    pictures = []
    for number, row in enumerate(archive.rows()[:3]):
        content = row.path.read_bytes()
        assert len(content) == row.bytes
        plain, is_ended = sealed.decrypt(content, archive.key)
        assert is_ended
        answer = archive.media(row)
        assert answer.status_code == 200 and answer.content == plain
        assert int(answer.headers["content-length"]) == len(plain) and answer.headers["content-type"] == "video/mp4"
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(plain)
        movie = probe(path)
        assert decode_errors(path) == "" and movie.track("audio").packets
        pictures += movie.fingerprints()
    assert follow(pictures, archive.film.fingerprints) == ""


def test_ranges_are_those_of_the_plain_file(archive):
    row = archive.rows()[1]
    whole = archive.media(row)
    plain, size = whole.content, len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    for first, last in [(0, 0), (0, 1000), (700, 900), (size // 3, size // 3 + 70_000), (size - 5, size - 1), (size // 2, size - 1)]:
        answer = archive.media(row, headers={"Range": f"bytes={first}-{last}", "If-Range": whole.headers["etag"]})
        assert answer.status_code == 206 and answer.content == plain[first : last + 1]
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}"
    assert archive.media(row, headers={"Range": "bytes=-7"}).content == plain[-7:]
    assert archive.media(row, headers={"Range": f"bytes={size}-"}).status_code == 416
    assert archive.media(row, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304


def test_playlists_indexes_exports_and_pictures_are_right(archive, tmp_path):
    rows = archive.rows()
    start, end = rows[0].start + 1, rows[2].start + 2
    base = f"{archive.api.base}/cameras/{archive.id}"
    played = tmp_path / "played.mp4"
    run = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-headers", f"Authorization: Bearer {archive.api.token}\r\n", "-i",
         f"{base}/playback.m3u8?start={start}&end={end}", "-map", "0:v", "-c", "copy", "-f", "mp4", "-y", str(played)],
        capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stderr[:600]
    assert follow(probe(played).fingerprints(), archive.film.fingerprints) == ""
    index = archive.api.json(f"/cameras/{archive.id}/playback.json", params={"start": start, "end": end})
    segment = index["segments"][1]
    data = archive.api.get(segment["url"]).content
    fragment = segment["fragments"][1]
    part = tmp_path / "part.mp4"
    part.write_bytes(data[: segment["init_length"]] + data[fragment["offset"] : fragment["offset"] + fragment["size"]])
    assert decode_errors(part) == "" and probe(part).video.packets[0].key
    for exact in ["false", "true"]:
        export = archive.api.get(f"/cameras/{archive.id}/export.mp4", params={"start": start, "end": end, "exact": exact})
        assert export.status_code == 200 and int(export.headers["content-length"]) == len(export.content)
        path = tmp_path / "export.mp4"
        path.write_bytes(export.content)
        movie = probe(path)
        assert follow(movie.fingerprints(), archive.film.fingerprints) == "" and decode_errors(path) == "" and movie.track("audio").packets
    preview = archive.api.get(f"/cameras/{archive.id}/preview.jpg", params={"t": start})
    assert preview.status_code == 200 and preview.content.startswith(b"\xff\xd8\xff")
    (snapshot,) = archive.api.events(type="snapshot")
    picture = archive.api.get("/media/" + snapshot["file_path"].removeprefix("/media/"))
    assert picture.status_code == 200 and picture.content.startswith(b"\xff\xd8\xff") and picture.content.endswith(b"\xff\xd9")
    stored = archive.nvr.recordings / snapshot["file_path"].removeprefix("/media/")
    assert sealed.decrypt(stored.read_bytes(), archive.key) == (picture.content, True)


def test_sheets_of_previews_are_encrypted_as_well(archive):
    row = archive.rows()[0]
    query = {"t": row.start}
    sheet = archive.api.get(f"/cameras/{archive.id}/sprite.jpg", params=query)
    assert sheet.status_code == 200 and sheet.content.startswith(b"\xff\xd8\xff"), sheet.text[:200]
    cached = list((archive.nvr.data / "cache" / "previews").glob("*.jpg"))
    assert cached
    for path in cached:
        plain, is_ended = sealed.decrypt(path.read_bytes(), archive.key)
        assert is_ended and plain.startswith(b"\xff\xd8\xff")


def test_what_is_being_written_is_played(archive):
    def newest():
        index = archive.api.json(f"/cameras/{archive.id}/playback.json", params={"start": time.time() - 3})
        return index["segments"] and index["segments"][-1]["is_growing"] and index["segments"][-1]

    segment = wait_for("footage of the last seconds", newest, 30)
    last = segment["fragments"][-1]
    data = archive.api.get(segment["url"], headers={"Range": f"bytes={last['offset']}-{last['offset'] + last['size'] - 1}"})
    # The segment may have ended meanwhile; its beginning never changes.
    assert data.status_code == 206 and len(data.content) == last["size"] and b"moof" in data.content[:200]


def test_a_configured_key_that_cannot_be_had_keeps_the_server_from_starting(tmp_path):
    good = tmp_path / "good.key"
    make_key(good)
    (tmp_path / "bad.key").write_text("not a key at all\n")
    (tmp_path / "empty.key").write_text("")
    cases = {
        "cannot be read": {"FOOTAGE_KEY_FILE": str(tmp_path / "missing.key")},
        "is no key of 32 bytes": {"FOOTAGE_KEY_FILE": str(tmp_path / "bad.key")},
        "holds no key": {"FOOTAGE_KEY_FILE": str(tmp_path / "empty.key")},
        "FOOTAGE_KEY: line 1": {"FOOTAGE_KEY": "secretsecret"},
        "not both": {"FOOTAGE_KEY_FILE": str(good), "FOOTAGE_KEY": "secretsecret"},
    }
    for words, environment in cases.items():
        nvr = NVR(tmp_path / "nvr", **environment)
        for command in [["serve", "--port", "0"], ["check"]]:
            run = nvr.run(*command, "--data-dir", str(nvr.data))
            assert run.returncode == 1 and words in run.stderr, (words, run.stdout, run.stderr)
            assert "not a key at all" not in run.stderr and "secretsecret" not in run.stderr
        assert not nvr.data.exists()
    help_text = NVR(tmp_path / "nvr").run("serve", "--help").stdout
    assert "--footage-key-file" in help_text and "FOOTAGE_KEY_FILE" in help_text


def test_without_the_key_it_is_said_and_nothing_is_lost(archive, tmp_path):
    other = tmp_path / "other.key"
    make_key(other)
    rows = archive.rows()
    for name, environment in [("none", {}), ("other", {"FOOTAGE_KEY_FILE": str(other)})]:
        with copy_of(archive, tmp_path / name, **environment) as nvr:
            before = {path: path.read_bytes() for path in nvr.recordings.rglob("*") if path.is_file()}
            nvr.start()
            health = nvr.api.get("/health", token="").json()
            assert health["status"] == "degraded" and "footage_key_missing" in json.dumps(health)
            (event,) = [event for event in nvr.api.json("/health/events", params={"active": "true"}) if event["kind"] == "footage_key_missing"]
            assert sealed.key_id(archive.key) in event["detail"]
            row = rows[0]
            path = row.path.relative_to(archive.nvr.recordings)
            answer = nvr.api.get(f"/media/{path}")
            assert answer.status_code == 503 and sealed.key_id(archive.key) in answer.json()["detail"]
            export = nvr.api.get(f"/cameras/{archive.id}/export.mp4", params={"start": row.start, "end": row.end})
            assert export.status_code == 503 and "encrypted" in export.json()["detail"]
            (snapshot,) = nvr.api.events(type="snapshot")
            assert nvr.api.get("/media/" + snapshot["file_path"].removeprefix("/media/")).status_code == 503
            assert nvr.api.post("/settings/sync-orphans").status_code == 200
            wait_for("it is compared", lambda: nvr.api.json("/settings/sync-orphans/status")["status"] == "completed", 30)
            nvr.terminate()
            checked = nvr.run("check", "--data-dir", str(nvr.data), "--repair", "--checksums")
            assert "are encrypted with keys that are not here" in checked.stdout, checked.stdout
            assert {path: path.read_bytes() for path in before if path.exists()} == before
            # With the key again everything is there, and what was being written at the copy is finished.
            # The camera is there for this server, too, so some of it may have the other key by now.
            both = tmp_path / f"{name}.keys"
            both.write_text(archive.key_file.read_text() + other.read_text())
            nvr.environment["FOOTAGE_KEY_FILE"] = str(both)
            nvr.start()
            assert nvr.api.get(f"/media/{path}").content == archive.media(row).content
            assert "footage_key_missing" not in nvr.api.get("/health", token="").text
            nvr.terminate()
            checked = nvr.run("check", "--data-dir", str(nvr.data), "--checksums")
            assert checked.returncode == 0, checked.stdout
            assert len(nvr.rows()) == len(nvr.files()) and all(row.finished for row in nvr.rows())


def test_a_flipped_bit_is_found(archive, tmp_path):
    with copy_of(archive, tmp_path / "copy", FOOTAGE_KEY_FILE=str(archive.key_file)) as nvr:
        nvr.start()
        nvr.terminate()
        clean = nvr.run("check", "--data-dir", str(nvr.data), "--checksums")
        assert clean.returncode == 0 and ", 0 problems" in clean.stdout, clean.stdout
        row = nvr.rows()[1]
        content = bytearray(row.path.read_bytes())
        content[len(content) // 2] ^= 1
        row.path.write_bytes(content)
        found = nvr.run("check", "--data-dir", str(nvr.data), "--checksums")
        assert found.returncode == 1 and f"{row.path.name}: the checksum is another" in found.stdout, found.stdout
        # A checksum that was taken after the change does not hide it: the cipher tells.
        with closing(sqlite3.connect(nvr.data / "vibenvr.db")) as database:
            database.execute("UPDATE segments SET crc32 = NULL")
            database.commit()
        found = nvr.run("check", "--data-dir", str(nvr.data), "--checksums")
        assert found.returncode == 1 and f"{row.path.name}: the checksum is another" in found.stdout, found.stdout


def test_files_and_key_are_enough(archive, tmp_path):
    row, out = archive.rows()[0], tmp_path / "out"
    environment = {**os.environ, "FOOTAGE_KEY_FILE": str(archive.key_file)}

    def decrypt(*arguments: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(PROGRAM), "decrypt", *arguments], env=options.pop("env", environment), capture_output=True, text=True, timeout=300)

    run = decrypt(str(row.path), "--out", str(out))
    assert run.returncode == 0, run.stdout + run.stderr
    made = out / row.path.name
    assert made.read_bytes() == archive.media(row).content
    assert follow(probe(made).fingerprints(), archive.film.fingerprints) == ""
    again = decrypt(str(row.path), "--out", str(out))
    assert again.returncode == 1 and "exists" in again.stdout.lower(), again.stdout
    # A whole folder, with the segment that is being written in it.
    run = decrypt(str(archive.nvr.recordings), "--out", str(tmp_path / "all"), "--force")
    assert run.returncode == 0, run.stdout + run.stderr
    made = sorted((tmp_path / "all").rglob("*.mp4"))
    assert len(made) >= len(archive.rows()) and all(decode_errors(path) == "" for path in made)
    assert [path.read_bytes()[:3] for path in (tmp_path / "all").rglob("*.jpg")] == [b"\xff\xd8\xff"]
    clear = {name: value for name, value in os.environ.items() if not name.startswith("FOOTAGE_")}
    other = tmp_path / "other.key"
    make_key(other)
    refused = decrypt(str(row.path), "--out", str(tmp_path / "no"), "--footage-key-file", str(other), env=clear)
    assert refused.returncode == 1 and sealed.key_id(archive.key) in refused.stdout and not list((tmp_path / "no").rglob("*.mp4"))
    keyless = decrypt(str(row.path), "--out", str(tmp_path / "no"), env=clear)
    assert keyless.returncode == 1 and "give the key" in keyless.stderr


def test_copies_in_a_bucket_are_encrypted_and_opened_with_the_key(tmp_path):
    key_file = tmp_path / "footage.key"
    key = make_key(key_file)
    with S3Server() as store, site(segment_seconds=None, FOOTAGE_KEY_FILE=str(key_file)) as nvr:
        nvr.copy_to(store)
        nvr.motion(True)
        time.sleep(14)  # Longer than a piece of a segment that grows.
        nvr.motion(False)
        nvr.copied()
        (document,) = store.events()
        objects = [store.get(one["key"]) for one in document["segments"]]
        assert len(objects) > 1
        pieces = tmp_path / "pieces"
        pieces.mkdir()
        for number, content in enumerate(objects):
            assert sealed.is_sealed(content) and content[16:32].hex() == sealed.key_id(key)
            assert not [word for word in WORDS if word in content]
            (pieces / f"{number}.mp4").write_bytes(content)
        run = nvr.run("decrypt", str(pieces), "--out", str(tmp_path / "out"))
        assert run.returncode == 0, run.stdout + run.stderr
        pictures = []
        for number in range(len(objects)):
            movie = probe(tmp_path / "out" / f"{number}.mp4")
            assert movie.video.packets[0].key
            pictures += movie.fingerprints()
        assert follow(pictures, footage.counter().fingerprints) == ""


def test_a_killed_server_lists_everything_again_and_keys_change(tmp_path):
    key_file = tmp_path / "footage.key"
    first = make_key(key_file)
    with GstCamera({"/cam": (footage.counter(), None)}) as camera, NVR(segment_seconds=5, FOOTAGE_KEY_FILE=str(key_file)) as nvr, Machine(nvr, camera) as machine:
        nvr.start().with_admin()
        key = nvr.api.add_camera("Vault", camera.url("/cam"))
        keys = [first]
        for number in range(2):
            known = {row.id for row in nvr.rows()}
            wait_for("it records", lambda: len([row for row in nvr.rows() if row.id not in known and row.bytes]) >= 2, 60)
            time.sleep(2.5)
            killed = time.time()
            nvr.kill()
            waited = machine.kept_waiting(killed - 5, killed)
            if number == 0:
                # New footage takes another key; the older one opens what it encrypted.
                keys.insert(0, make_key(key_file, "--add"))
            nvr.start()
            last = max((row for row in nvr.rows(key) if row.start < killed), key=lambda row: row.start)
            assert last.finished and killed - last.end - waited <= 2.2, (killed, last, waited)
            assert "footage_key_missing" not in nvr.api.get("/health", token="").text
        # Then in the clear.
        nvr.kill()
        del nvr.environment["FOOTAGE_KEY_FILE"]
        nvr.start()
        assert "footage_key_missing" in nvr.api.get("/health", token="").text
        known = {row.id for row in nvr.rows()}
        wait_for("it records in the clear", lambda: [row for row in nvr.rows() if row.id not in known and row.finished], 60)
        nvr.environment["FOOTAGE_KEY_FILE"] = str(key_file)
        nvr.terminate()
        nvr.start()
        assert nvr.api.put(f"/cameras/{key}", json={"is_active": False}).status_code == 200
        wait_for("nothing is written any more", lambda: all(row.finished for row in nvr.rows()), 30)
        kinds = []
        for row in nvr.rows():
            content = row.path.read_bytes()
            kinds.append(content[16:32].hex() if sealed.is_sealed(content) else "clear")
            plain = nvr.api.get(f"/media/{row.path.relative_to(nvr.recordings)}").content
            if kinds[-1] == "clear":
                assert plain == content
            else:
                owner = next(one for one in keys if sealed.key_id(one) == kinds[-1])
                assert sealed.decrypt(content, owner) == (plain, True)
            path = tmp_path / "movie.mp4"
            path.write_bytes(plain)
            assert follow(probe(path).fingerprints(), footage.counter().fingerprints) == ""
        assert set(kinds) == {"clear", *(sealed.key_id(one) for one in keys)}
        export = nvr.api.get(f"/cameras/{key}/export.mp4", params={"start": nvr.rows()[0].start, "end": nvr.rows()[-1].end})
        assert export.status_code == 200
        path.write_bytes(export.content)
        assert len(probe(path).video.packets) > 15 * 15
        nvr.terminate()
        checked = nvr.run("check", "--data-dir", str(nvr.data), "--checksums")
        assert checked.returncode == 0, checked.stdout


def test_encrypted_footage_moves_into_a_bucket_as_it_lies_and_is_played_and_exported_in_the_clear(tmp_path):
    key_file = tmp_path / "footage.key"
    key = make_key(key_file)
    film = footage.counter()
    with S3Server() as store, GstCamera({"/cam": (film, footage.sound("aac"))}) as camera, Site(tmp_path, segment_seconds=8, FOOTAGE_KEY_FILE=str(key_file)) as nvr:
        nvr.start().with_admin()
        assert nvr.api.add_camera("Vault", camera.url("/cam"), record_audio=True) == nvr.camera
        wait_for("three segments", lambda: sum(row.finished for row in nvr.rows()) >= 3, 90)
        assert nvr.api.post(f"/cameras/{nvr.camera}/snapshot").status_code == 200
        assert nvr.api.put(f"/cameras/{nvr.camera}", json={"recording_mode": "Off", "is_active": False}).status_code == 200
        wait_for("all is finished", lambda: all(row.finished for row in nvr.rows()), 30)
        nvr.terminate()
        nvr.grow_old(3)
        nvr.start()
        sealed_files = nvr.files_of()
        plain = {path: nvr.api.get(f"/media/{path}").content for path in sealed_files}
        profile = nvr.archive_to(store, prefix="vault")
        nvr.moved(profile)

        # What is in the bucket are the bytes as they lay on the disk, and nobody reads them without the key.
        objects = {one.key.removeprefix("vault/archive/"): store.get(one.key) for one in store.objects("vault/archive/")}
        assert MARKER in objects and {path: content for path, content in objects.items() if path != MARKER} == sealed_files
        for path, content in sealed_files.items():
            assert sealed.is_sealed(content) and content[16:32].hex() == sealed.key_id(key), path
            assert not [word for word in WORDS if word in content], path
            stolen = tmp_path / ("stolen" + Path(path).suffix)
            stolen.write_bytes(content)
            shown = subprocess.run(
                ["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", str(stolen), "-frames:v", "1", "-f", "null", "-"], capture_output=True)
            assert shown.returncode != 0, path
            # A second opinion of what is in it.
            assert sealed.decrypt(content, key) == (plain[path], True), path

        # Played and exported from there it is in the clear, whole and by ranges.
        nvr.plays(plain)
        rows = nvr.rows(nvr.camera)
        movie = tmp_path / "movie.mp4"
        for row in rows:
            path = str(row.path.relative_to(nvr.recordings))
            movie.write_bytes(nvr.api.get(f"/media/{path}").content)
            assert decode_errors(movie) == "" and probe(movie).video.packets[0].key and probe(movie).track("audio").packets
            part = nvr.api.get(f"/media/{path}", headers={"Range": "bytes=1000-250999"})
            assert part.status_code == 206 and part.content == plain[path][1000:251000]
        index = nvr.api.json(f"/cameras/{nvr.camera}/playback.json", params={"start": rows[0].start, "end": rows[-1].end})
        assert len(index["segments"]) == len(rows) and all(segment["is_encrypted"] for segment in index["segments"])
        export = nvr.api.get(f"/cameras/{nvr.camera}/export.mp4", params={"start": rows[0].start, "end": rows[-1].end})
        assert export.status_code == 200, export.text[:300]
        movie.write_bytes(export.content)
        exported = probe(movie)
        assert decode_errors(movie) == "" and len(exported.video.packets) >= 15 * 20 and exported.track("audio").packets
        assert follow(exported.fingerprints(), film.fingerprints) == ""
        (event, *_) = nvr.api.events(event_type="continuous")
        assert nvr.api.get(f"/events/{event['id']}/download").content[4:8] == b"ftyp"
        (snapshot,) = nvr.api.events(type="snapshot")
        assert nvr.api.get("/media/" + snapshot["file_path"].removeprefix("/media/")).content[:3] == b"\xff\xd8\xff"
        assert nvr.api.get(f"/cameras/{nvr.camera}/preview.jpg", params={"t": rows[1].start + 1}).content[:3] == b"\xff\xd8\xff"

        # Everything in the bucket is compared, byte by byte.
        assert nvr.api.post("/settings/sync-orphans?dry_run=true&checksums=true").status_code == 200
        told = wait_for("it is compared", lambda: (now := nvr.api.json("/settings/sync-orphans/status"))["status"] == "completed" and now, 60)
        assert told["problems"] == 0 and told["segments_checked"] == len(rows), told
        state = nvr.api.json("/storage/encryption")
        (only,) = state["keys"]
        assert only["key"] == state["key"] == sealed.key_id(key) and only["recordings"] == len(rows) and state["clear"]["recordings"] == 0
        assert only["bytes"] == sum(row.bytes for row in rows) and state["missing_keys"] == []

        # Without the key it is said what is missing, and the bucket is left as it is.
        nvr.terminate()
        del nvr.environment["FOOTAGE_KEY_FILE"]
        nvr.start()
        refused = nvr.api.get(f"/media/{rows[0].path.relative_to(nvr.recordings)}")
        assert refused.status_code == 503 and refused.json()["detail_code"] == "footage_key_missing", refused.text
        state = nvr.api.json("/storage/encryption")
        assert state["enabled"] is False and state["key"] is None and state["missing_keys"] == [sealed.key_id(key)]
        assert [one["available"] for one in state["keys"]] == [False]
        nvr.api.post("/settings/sync-orphans")
        wait_for("it is compared", lambda: nvr.api.json("/settings/sync-orphans/status")["status"] == "completed", 60)
        assert set(nvr.places()) == set(sealed_files)
        assert {one.key.removeprefix("vault/archive/"): store.get(one.key) for one in store.objects("vault/archive/")} == objects
        nvr.environment["FOOTAGE_KEY_FILE"] = str(key_file)
        nvr.terminate()
        nvr.start()
        nvr.plays(plain)

        # The files of the bucket and the key are enough.
        lifted = tmp_path / "lifted.mp4"
        lifted.write_bytes(sealed_files[str(rows[0].path.relative_to(nvr.recordings))])
        run = nvr.run("decrypt", str(lifted), "--out", str(tmp_path / "out"))
        assert run.returncode == 0 and (tmp_path / "out" / "lifted.mp4").read_bytes() == plain[str(rows[0].path.relative_to(nvr.recordings))]
