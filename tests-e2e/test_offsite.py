"""Events are copied to a bucket while they happen: a real S3 server that checks signatures, goes away, and comes back."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from harness.machine import Machine
from harness.media import follow, probe
from harness.server import BUSY, NVR, wait_for
from harness.times import seconds
from harness.tls import self_signed
from peers import footage
from peers.gst_camera import GstCamera
from peers.s3_server import SECRET_KEY, S3Server

SECRET = "e2e-webhook-secret"
BEFORE, AFTER = 4, 3
HEADERS = {"X-Webhook-Secret": SECRET}


@pytest.fixture(scope="module")
def store():
    with S3Server() as server:
        yield server


class Site(NVR):
    """A server with one camera that records around motion that the test reports."""

    camera = 0

    def add(self, url: str, **fields) -> int:
        self.camera = self.api.add_camera(
            "Front door", url, **{"recording_mode": "Motion Triggered", "max_movie_length": 300, "captured_before": BEFORE, "captured_after": AFTER, **fields})
        wait_for("a picture", lambda: self.api.get(f"/cameras/{self.camera}/frame").status_code == 200, 30)
        return self.camera

    def copy_to(self, store: S3Server, **fields) -> dict:
        answer = self.api.post("/storage/s3", json=store.profile(**fields))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def motion(self, is_on: bool) -> float:
        told = time.time()
        body = {"camera_id": self.camera, "type": "motion_on" if is_on else "motion_off"}
        answer = self.api.post("/events/webhook", token="", json=body, headers=HEADERS)
        assert answer.status_code == 200, answer.text
        return told

    def state(self) -> dict:
        (state,) = self.api.json("/storage/offsite")["profiles"]
        return state

    def copied(self, events: int = 1, patience: float = 90) -> dict:
        """Waits until nothing waits and so many events are copied."""

        def done() -> dict | None:
            state = self.state()
            count = sum(camera["events_copied"] for camera in state["cameras"])
            return state if count >= events and state["queued_events"] == 0 else None

        try:
            return wait_for(f"{events} events are copied", done, patience, 0.3)
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.state()}") from None


@contextmanager
def site(**options):
    film = footage.counter()
    with GstCamera({"/cam": (film, None)}, live=True) as camera, Site(WEBHOOK_SECRET=SECRET, **options) as nvr:
        nvr.start().with_admin()
        nvr.add(camera.url("/cam"))
        time.sleep(BEFORE + 2)  # The pre-roll fills.
        yield nvr


def play(store: S3Server, keys: list[str], folder: Path) -> list[str]:
    """Every object plays by itself; the fingerprints of all pictures."""
    pictures = []
    for number, key in enumerate(keys):
        path = folder / f"{number}.mp4"
        path.write_bytes(store.get(key))
        movie = probe(path)
        assert movie.video.packets and movie.video.packets[0].key, f"{key} does not begin with a key frame"
        pictures += movie.fingerprints()
    return pictures


def test_an_event_is_in_the_bucket_while_it_goes_on(store, tmp_path):
    with site(segment_seconds=None) as nvr, Machine(nvr, store) as machine:
        nvr.copy_to(store, prefix="live")
        told = nvr.motion(True)
        first = wait_for("footage is in the bucket", lambda: store.movies("live/"), 20, 0.2)
        took = time.time() - told
        assert took - machine.kept_waiting(told) <= 10, f"the first footage was there after {took:.1f} s"
        print(f"first footage {took:.1f} s after the event began")
        play(store, [first[0].key], tmp_path)
        document = wait_for("the document is in the bucket", lambda: store.events("live/"), 10)[0]
        assert document["end"] is None and document["kind"] == "motion" and document["camera_name"] == "Front door"
        assert abs(seconds(document["start"]) - told) < 5
        # Long enough for pieces of the segment that grows.
        wait_for("another piece is in the bucket", lambda: len(store.movies("live/")) > 1, 40)
        assert not nvr.rows(nvr.camera)[0].finished
        nvr.motion(False)
        state = nvr.copied()
        (document,) = store.events("live/")
        keys = [one["key"] for one in document["segments"]]
        assert document["complete"] and sorted(keys) == sorted(one.key for one in store.movies("live/"))
        assert keys[0].startswith(f"live/{nvr.camera}-Front-door/{time.strftime('%Y/%m/', time.gmtime(told))}")
        pictures = play(store, keys, tmp_path)
        assert follow(pictures, footage.counter().fingerprints) == ""
        begin, end = seconds(document["start"]), seconds(document["end"])
        # A GOP of two seconds: what is copied begins at a key frame before what is wanted.
        assert seconds(document["segments"][0]["start"]) <= begin - BEFORE + 0.1
        assert seconds(document["segments"][-1]["end"]) >= end + AFTER - 1.5
        # However late the camera was with its last pictures.
        length = seconds(document["segments"][-1]["end"]) - seconds(document["segments"][0]["start"])
        assert len(pictures) / 15 >= length - 1.5 - machine.kept_waiting(begin), (len(pictures), length)
        assert state["state"] in ("idle", "waiting", "uploading") and state["last_error"] is None
        assert state["bytes_uploaded"] == sum(one.size for one in store.movies("live/"))
        assert state["cameras"][0]["events_dropped"] == {"no_footage": 0, "footage_gone": 0, "event_gone": 0, "queue_full": 0}


def test_a_bucket_that_dies_and_a_server_that_is_killed_lose_nothing(tmp_path):
    with S3Server() as store, site() as nvr:
        # Slow enough for a break in the middle: the footage comes at some 75 KB/s.
        nvr.copy_to(store, max_bytes_per_second=30_000)
        nvr.motion(True)
        wait_for("the first piece is there", store.movies, 60)
        time.sleep(4)  # In the middle of another one.
        store.kill()
        wait_for("it says so", lambda: (state := nvr.state())["state"] == "failing" and "cannot be reached" in state["last_error"]["message"])
        nvr.motion(False)
        wait_for("the recording has ended", lambda: all(row.finished for row in nvr.rows(nvr.camera)), 60)
        nvr.kill()
        nvr.start()
        wait_for("what is left waits", lambda: (state := nvr.state())["queued_events"] == 1 and state["bytes_waiting"] > 0)
        store.start()
        nvr.api.put("/storage/s3/1", json={"max_bytes_per_second": 0})
        nvr.copied(patience=120)
        (document,) = store.events("home/")
        pictures = play(store, [one["key"] for one in document["segments"]], tmp_path)
        assert document["complete"] and follow(pictures, footage.counter().fingerprints) == ""


def test_an_endpoint_that_is_away_keeps_nothing_from_being_recorded(tmp_path):
    with S3Server() as store, site() as nvr:
        nvr.copy_to(store)
        store.kill()
        nvr.motion(True)
        failing = lambda: (state := nvr.state())["state"] == "failing" and state["queued_events"] == 1 and state["retry_at"] is not None  # noqa: E731
        wait_for("it says so, and when it tries again", failing)
        time.sleep(3)
        nvr.motion(False)
        wait_for("the recording has ended", lambda: nvr.rows(nvr.camera) and all(row.finished for row in nvr.rows(nvr.camera)), 60)
        (event,) = nvr.api.events(event_type="motion")
        answer = nvr.api.get(f"/events/{event['id']}/download")
        assert answer.status_code == 200
        store.start()
        state = nvr.copied(patience=120)
        assert state["last_error"] is not None and state["state"] != "failing", "what went wrong stays readable"
        (document,) = store.events("home/")
        play(store, [one["key"] for one in document["segments"]], tmp_path)


def test_a_wrong_secret_is_told_without_the_secret(store, tmp_path):
    wrong = "Nobody-Should-Read-This-41"
    with site() as nvr:
        nvr.copy_to(store, prefix="wrong", secret_key=wrong)
        tried = nvr.api.post("/storage/s3/1/test").json()
        assert tried["ok"] is False and "secret key is wrong" in tried["error"], tried
        nvr.motion(True)
        state = wait_for("it fails", lambda: (state := nvr.state())["state"] == "failing" and state, 60)
        assert "secret key is wrong" in state["last_error"]["message"] and state["cameras"][0]["last_error"] == state["last_error"]
        nvr.motion(False)
        unknown = nvr.api.put("/storage/s3/1", json={"access_key": "nobody"})
        assert "not known" in nvr.api.post("/storage/s3/1/test").json()["error"], unknown.text
        answers = [nvr.api.get(path).text for path in ("/storage/s3", "/storage/s3/1", "/storage/offsite", "/audit", "/logs/?service=backend")]
        for secret in (wrong, SECRET_KEY):
            assert secret not in nvr.log() and all(secret not in text for text in answers)
            assert secret.encode() not in (nvr.data / "vibenvr.db").read_bytes() + (nvr.data / "vibenvr.db-wal").read_bytes()
        right = store.profile(prefix="right")
        changed = nvr.api.put("/storage/s3/1", json={name: right[name] for name in ("access_key", "secret_key")})
        assert changed.status_code == 200 and SECRET_KEY not in changed.text
        assert nvr.api.post("/storage/s3/1/test").json()["ok"] is True
        nvr.copied()
        assert store.movies("wrong/") and not any("test-" in one.key for one in store.objects("wrong/"))


def test_a_limit_of_bytes_a_second_holds(store):
    rate = 40_000
    with site() as nvr:
        nvr.copy_to(store, prefix="slow", max_bytes_per_second=rate)
        begun = time.monotonic()
        nvr.motion(True)
        time.sleep(6)
        nvr.motion(False)
        samples = []

        def done() -> bool:
            size = sum(one.size for one in store.objects("slow/"))
            # Measured afterwards: a slow machine can only make it look slower.
            samples.append((time.monotonic() - begun, size))
            return nvr.state()["queued_events"] == 0 and size > 0

        wait_for("all is copied", done, 120, 0.5)
        for elapsed, size in samples:
            assert size <= rate * (elapsed + 1.1), f"{size} bytes after {elapsed:.1f} s"
        assert samples[-1][1] > 8 * rate, "too little for a limit to show"


def test_a_large_object_goes_in_parts(store, tmp_path):
    film = footage.full_hd()
    with GstCamera({"/cam": (film, None)}, live=True) as camera, Site(segment_seconds=40, WEBHOOK_SECRET=SECRET) as nvr:
        nvr.start().with_admin()
        key = nvr.add(camera.url("/cam"), recording_mode="Continuous")
        nvr.copy_to(store, prefix="large", offsite_all_cameras=False, offsite_camera_ids=[key])
        row = wait_for("a segment is finished", lambda: next((row for row in nvr.rows(key) if row.finished), None), 90)
        assert row.bytes > 7 << 20, "the footage is too small for parts"
        assert store.movies("large/") == [], "footage without an event was copied"
        path = next(event["file_path"] for event in nvr.api.events() if event["timestamp_end"])
        start, end = time.gmtime(row.start + BEFORE + 1), time.gmtime(row.end - AFTER - 1)
        body = {
            "camera_id": key, "timestamp_start": time.strftime("%Y-%m-%dT%H:%M:%SZ", start), "timestamp_end": time.strftime("%Y-%m-%dT%H:%M:%SZ", end),
            "type": "video", "event_type": "manual", "file_path": path,
        }
        answer = nvr.api.post("/events", json=body)
        assert answer.status_code == 200, answer.text
        nvr.copied()
        (document,) = store.events("large/")
        assert document["kind"] == "manual"
        keys = [one["key"] for one in document["segments"]]
        # An object of parts has an ETag that tells how many.
        tag = store.http.head(f"{store.endpoint}/{store.bucket}/{keys[0]}").headers["ETag"]
        assert tag.strip('"').endswith("-2"), tag
        pictures = play(store, keys, tmp_path)
        assert follow(pictures, film.fingerprints) == "" and len(pictures) > 20 * 15


def test_https_takes_a_certificate_that_nobody_vouches_for_only_when_allowed(nvr, tmp_path):
    with S3Server(tls=self_signed(tmp_path, "127.0.0.1")) as store:
        answer = nvr.api.post("/storage/s3", json=store.profile())
        assert answer.status_code == 200, answer.text
        refused = nvr.api.post("/storage/s3/1/test").json()
        assert refused["ok"] is False and "TLS" in refused["error"], refused
        nvr.api.put("/storage/s3/1", json={"allow_self_signed": True})
        assert nvr.api.post("/storage/s3/1/test").json()["ok"] is True


def test_footage_in_a_bucket_plays_and_is_exported(tmp_path):
    with S3Server() as store, GstCamera({"/cam": (footage.full_hd(), None)}, live=True) as camera, Site(segment_seconds=20) as nvr:
        nvr.start().with_admin()
        key = nvr.add(camera.url("/cam"), recording_mode="Continuous")
        profile = nvr.copy_to(store, offsite_all_cameras=False)
        assert nvr.api.post(f"/storage/s3/{profile['id']}/test").json()["ok"]
        rows = wait_for("two segments are finished", lambda: (rows := [row for row in nvr.rows(key) if row.finished])[1:] and rows, 90)
        row = rows[0]
        path = str(row.path.relative_to(nvr.recordings))
        exported = f"/cameras/{key}/export.mp4?start={row.start + 1}&end={rows[1].start + 5}"
        before = {name: nvr.api.get(name).content for name in (f"/media/{path}", exported)}
        nvr.terminate()
        # What a mover does: copy, switch the row, delete.
        store.put(f"home/archive/{path}", row.path.read_bytes())
        with closing(sqlite3.connect(nvr.data / "vibenvr.db", timeout=BUSY)) as database:
            database.execute("UPDATE segments SET volume = ? WHERE id = ?", (-profile["id"], row.id))
            database.commit()
        row.path.unlink()
        nvr.start()
        whole = nvr.api.get(f"/media/{path}")
        assert whole.status_code == 200 and whole.content == before[f"/media/{path}"]
        part = nvr.api.get(f"/media/{path}", headers={"Range": "bytes=1048500-1048700"})
        assert part.status_code == 206 and part.content == before[f"/media/{path}"][1048500:1048701]
        movie = nvr.api.get(exported)
        assert movie.status_code == 200 and len(movie.content) == len(before[exported])
        (tmp_path / "export.mp4").write_bytes(movie.content)
        assert follow(probe(tmp_path / "export.mp4").fingerprints(), footage.full_hd().fingerprints) == ""
        store.kill()
        away = nvr.api.get(f"/media/{path}?again", timeout=90)
        assert away.status_code == 503, f"{away.status_code} {away.text[:200]}"
        assert nvr.api.get(f"/media/{rows[1].path.relative_to(nvr.recordings)}").status_code == 200


def test_who_may_not_and_what_may_not(nvr):
    admin = nvr.api
    profile = {"name": "x", "endpoint": "http://169.254.169.254", "bucket": "footage", "access_key": "a", "secret_key": "b"}
    assert admin.post("/storage/s3", json=profile).status_code == 422
    assert admin.post("/storage/s3", json={**profile, "endpoint": "http://10.0.0.1/path"}).status_code == 400
    for path in ("/storage/s3", "/storage/offsite"):
        assert admin.get(path, token="").status_code == 401
    with NVR(VIBENVR_ALLOW_LOOPBACK_CAMERAS="false") as strict:
        strict.start().with_admin()
        for endpoint in ("http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "http://0x7f000001"):
            answer = strict.api.post("/storage/s3", json={**profile, "endpoint": endpoint})
            assert answer.status_code == 422, endpoint
