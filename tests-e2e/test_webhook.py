"""Motion that another program reports: an event and footage exactly as the detector makes them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from harness.machine import Machine
from harness.media import probe
from harness.server import NVR, wait_for
from harness.times import seconds
from peers import footage
from peers.gst_camera import GstCamera

SECRET = "e2e-webhook-secret"
BEFORE, AFTER = 4, 3


class Reported:
    """One reported motion of a camera whose own detector is off."""

    def __init__(self, folder):
        with GstCamera({"/cam": (footage.counter(), None)}) as camera, NVR(segment_seconds=None, WEBHOOK_SECRET=SECRET) as nvr, Machine(nvr) as machine:
            self.nvr = nvr.start().with_admin()
            self.key = key = nvr.api.add_camera(
                "cam", camera.url("/cam"), recording_mode="Motion Triggered", captured_before=BEFORE, captured_after=AFTER)
            wait_for("a picture", lambda: nvr.api.get(f"/cameras/{key}/frame").status_code == 200, 30)
            time.sleep(BEFORE + 3)
            self.rows_before = nvr.rows(key)
            self.told = time.time()
            self.on = self.report({"type": "motion_on", "camera_id": key})
            self.on_answered = time.time()
            self.event = wait_for("the event is listed", lambda: next(iter(nvr.api.events(event_type="motion")), None), 10, 0.02)
            self.listed = time.time()
            self.waited = machine.kept_waiting(self.told, self.listed)
            self.status = wait_for("it is told", lambda: (status := nvr.api.json("/events/status"))["active_ids"] and status)
            wait_for("it records", lambda: nvr.api.camera(key)["is_recording"], 10)
            self.again = self.report({"event": "motion_on", "camera_id": key}, prefix="/api")
            time.sleep(3)
            self.off_told = time.time()
            self.off = self.report({"event": "motion_off", "camera_id": key})
            self.off_answered = time.time()
            self.ended = wait_for(
                "the event has ended", lambda: next((e for e in nvr.api.events(event_type="motion") if e["timestamp_end"]), None), 10)
            self.status_after = wait_for("it is told", lambda: (status := nvr.api.json("/events/status"))["active_ids"] == [] and status)
            wait_for("the recording has ended", lambda: nvr.rows(key) and all(row.finished for row in nvr.rows(key)), AFTER + 20)
            self.rows = nvr.rows(key)
            self.count = len(nvr.api.events(event_type="motion"))
            answer = nvr.api.get(f"/events/{self.ended['id']}/download")
            assert answer.status_code == 200, answer.text[:300]
            (folder / "event.mp4").write_bytes(answer.content)
            self.movie = probe(folder / "event.mp4")
            self.thumbnail = nvr.api.get(f"/events/{self.ended['id']}/thumbnail")
            self.off_again = self.report({"type": "motion_off", "camera_id": key})
            nvr.api.put(f"/cameras/{key}", json={"is_active": False})
            wait_for("it is switched off", lambda: nvr.api.status(key) == "DISABLED", 10)
            self.disabled = self.report({"type": "motion_on", "camera_id": key})
            self.final = nvr.api.events()

    def report(self, body, prefix: str = "", secret: str | None = SECRET):
        headers = {} if secret is None else {"X-Webhook-Secret": secret}
        return self.nvr.api.post(prefix + "/events/webhook", token="", json=body, headers=headers)


@pytest.fixture(scope="module")
def reported(tmp_path_factory) -> Reported:
    return Reported(tmp_path_factory.mktemp("webhook"))


def test_the_answers_are_the_reference_s(reported):
    assert (reported.on.status_code, reported.on.json()) == (200, {"status": "motion_on_captured"})
    assert (reported.off.status_code, reported.off.json()) == (200, {"status": "motion_off_captured"})
    assert reported.again.status_code == 200 and reported.off_again.status_code == 200


def test_the_event_is_listed_at_once_and_once(reported):
    assert reported.listed - reported.told - reported.waited <= 1.1, f"{reported.listed - reported.told:.2f} s"
    assert reported.event["timestamp_end"] is None and reported.event["type"] == "video"
    assert reported.told - 1 < seconds(reported.event["timestamp_start"]) < reported.on_answered + 1
    assert reported.count == 1


def test_live_motion_names_its_source(reported):
    assert reported.status["active_ids"] == [reported.key]
    assert reported.status["live_motion"][str(reported.key)]["source"] == "webhook"
    assert reported.status_after["active_ids"] == [] and reported.status_after["live_motion"] == {}


def test_it_ends_when_told(reported):
    assert reported.off_told - 1 < seconds(reported.ended["timestamp_end"]) < reported.off_answered + 1
    assert reported.ended["file_size"] > 0 and reported.ended["motion_score"] is None


def test_the_recording_has_its_pre_roll_and_its_end(reported):
    assert reported.rows_before == [] and len(reported.rows) == 1
    row = reported.rows[0]
    begin, end = seconds(reported.ended["timestamp_start"]), seconds(reported.ended["timestamp_end"])
    assert row.start <= begin - BEFORE + 0.1, f"only {begin - row.start:.1f} s before motion are kept"
    assert row.end >= end + AFTER - 1, f"only {row.end - end:.1f} s after motion are kept"
    assert reported.movie.video.end - reported.movie.video.begin >= end - begin


def test_it_has_a_picture(reported):
    assert reported.thumbnail.status_code == 200 and reported.thumbnail.content[:3] == b"\xff\xd8\xff"


def test_a_camera_that_is_switched_off_sees_no_motion(reported):
    assert reported.disabled.status_code == 409
    assert len(reported.final) == 1


def test_only_the_secret_opens_it():
    with NVR(WEBHOOK_SECRET=SECRET) as nvr:
        nvr.start().with_admin()
        nvr.api.post("/cameras", json={"name": "x", "rtsp_url": "rtsp://10.255.255.1/x", "is_active": False})
        body = {"type": "motion_on", "camera_id": 1}
        for secret in (None, "", "x", SECRET[:-1], SECRET + "x"):
            headers = {} if secret is None else {"X-Webhook-Secret": secret}
            answer = nvr.api.post("/events/webhook", token="", json=body, headers=headers)
            assert (answer.status_code, answer.json()) == (401, {"detail": "Unauthorized"}), secret
        assert nvr.api.post("/events/webhook", json=body).status_code == 401, "an administrator is no program"
        assert nvr.api.post("/events/webhook", json={**body, "camera_id": 9}, headers={"X-Webhook-Secret": SECRET}).status_code == 404
        assert SECRET not in nvr.log()


def test_without_a_secret_it_is_closed():
    with NVR(WEBHOOK_SECRET="") as nvr:
        nvr.start().with_admin()
        for headers in ({}, {"X-Webhook-Secret": ""}, {"X-Webhook-Secret": "guess"}):
            assert nvr.api.post("/events/webhook", json={"type": "motion_on", "camera_id": 1}, headers=headers).status_code == 401
        assert "--webhook-secret" in nvr.run("serve", "--help").stdout


def test_it_began_when_the_report_says_and_the_detector_s_event_is_the_same():
    with GstCamera({"/cam": (footage.counter(), None)}) as camera, NVR(WEBHOOK_SECRET=SECRET) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("cam", camera.url("/cam"), recording_mode="Continuous", captured_before=5)
        motion = nvr.api.add_camera("motion", camera.url("/cam"), recording_mode="Motion Triggered", captured_before=30)
        wait_for("both connected", lambda: all(nvr.api.status(each) == "CONNECTED" for each in (key, motion)), 30)
        reports = {}
        for offset, each in ((3, motion), (600, key)):
            now = datetime.now(timezone.utc)
            body = {"type": "motion_on", "camera_id": each, "timestamp": (now - timedelta(seconds=offset)).isoformat()}
            assert nvr.api.post("/events/webhook", json=body, headers={"X-Webhook-Secret": SECRET}).status_code == 200
            reports[each] = now.timestamp(), time.time()
        events = wait_for("two events", lambda: (found := nvr.api.events(event_type="motion")) and len(found) == 2 and found, 10)
        starts = {event["camera_id"]: seconds(event["timestamp_start"]) for event in events}
        assert abs(starts[motion] - (reports[motion][0] - 3)) < 0.01
        # What is older than any footage that is still kept counts from now.
        assert reports[key][0] - 2 < starts[key] < reports[key][1] + 2
        # A sensor with a loose contact fills no list: what is too much goes on with the last event.
        for word in ("motion_off", "motion_on") * 60:
            told = nvr.api.post("/events/webhook", json={"type": word, "camera_id": key}, headers={"X-Webhook-Secret": SECRET})
            assert told.status_code == 200, told.text
        wait_for("forty events", lambda: len(nvr.api.events(event_type="motion", camera_id=key)) >= 40, 20)
        # The end of the server ends them, too.
        nvr.terminate()
        nvr.start()
        assert all(event["timestamp_end"] for event in nvr.api.events(event_type="motion"))
        assert len(nvr.api.events(event_type="motion", camera_id=key)) == 40


@pytest.mark.slow
def test_a_lost_end_ends_by_itself():
    with GstCamera({"/cam": (footage.counter(), None)}) as camera, NVR(WEBHOOK_SECRET=SECRET) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("cam", camera.url("/cam"))
        wait_for("connected", lambda: nvr.api.status(key) == "CONNECTED", 30)
        nvr.api.post("/events/webhook", json={"type": "motion_on", "camera_id": key}, headers={"X-Webhook-Secret": SECRET})
        begun = time.time()
        event = wait_for("it has ended", lambda: next((e for e in nvr.api.events(event_type="motion") if e["timestamp_end"]), None), 90)
        assert 58 < seconds(event["timestamp_end"]) - begun < 65
