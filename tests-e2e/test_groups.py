"""Groups, copied settings and storage profiles, as a client of the reference uses them."""

from __future__ import annotations

import os
import shutil

import pytest

from harness.server import NVR, wait_for
from peers import footage
from peers.gst_camera import GstCamera

NOWHERE = "rtsp://10.255.255.1/cam"


@pytest.fixture
def three(nvr):
    """A server with three cameras that are switched off."""
    for number in range(3):
        answer = nvr.api.post("/cameras", json={"name": f"cam{number}", "rtsp_url": f"{NOWHERE}{number}", "is_active": False})
        assert answer.status_code == 200, answer.text
    return nvr


def test_groups_outlive_the_server_and_follow_their_cameras(three):
    api = three.api
    group = api.post("/groups", json={"name": "Outside"}).json()
    assert [camera["id"] for camera in api.post(f"/groups/{group['id']}/cameras", json=[1, 2]).json()["cameras"]] == [1, 2]
    assert api.post("/groups", json={"name": "OUTSIDE"}).status_code == 409
    assert api.delete("/cameras/1").status_code == 200
    three.terminate()
    three.start()
    assert [camera["name"] for camera in api.json(f"/groups/{group['id']}")["cameras"]] == ["cam1"]
    assert api.camera(2)["groups"] == [{"name": "Outside", "description": None}]
    assert api.delete(f"/groups/{group['id']}").json() == {"message": "Group deleted"}
    assert api.camera(2)["groups"] == [] and len(api.json("/cameras")) == 2


def test_settings_are_copied_by_category_and_never_who_a_camera_is(three):
    api = three.api
    mask = [{"points": [[0, 0], [0.5, 0], [0.5, 0.5]]}]
    changed = {"threshold": 99, "max_movie_length": 77, "motion_masks": mask, "text_left": "left", "picture_quality": 11,
               "notify_email_address": "a@example.com", "schedule_monday": False, "archive_after_hours": 5, "location": "there",
               "resolution_width": 1234, "onvif_host": "10.0.0.1", "framerate": 3}
    assert api.put("/cameras/1", json=changed).status_code == 200
    api.post("/groups", json={"name": "all"})
    api.post("/groups/1/cameras", json=[1, 2, 3])
    before = api.camera(3)
    copied = api.post("/groups/1/action", json={
        "action": "copy_settings", "source_camera_id": 1, "target_camera_ids": [2], "categories": ["motion", "masks"]})
    assert copied.json() == {"status": "success", "modified_count": 1}
    second = api.camera(2)
    assert second["threshold"] == 99 and second["motion_masks"] != "[]"
    assert second["max_movie_length"] == 120 and second["text_left"] == "Camera Name" and api.camera(3) == before
    assert api.post("/groups/1/action", json={"action": "copy_settings", "source_camera_id": 1}).json()["modified_count"] == 2
    source = api.camera(1)
    for camera in (api.camera(2), api.camera(3)):
        for field in ("threshold", "max_movie_length", "motion_masks", "text_left", "picture_quality", "notify_email_address",
                      "schedule_monday", "archive_after_hours"):
            assert camera[field] == source[field], field
        for field in ("name", "rtsp_url", "location", "resolution_width", "onvif_host", "framerate", "is_active"):
            assert camera[field] != source[field] or field == "is_active", field
    refused = api.post("/groups/1/action", json={"action": "copy_settings", "source_camera_id": 1, "categories": ["identity"]})
    assert refused.status_code == 422 and api.post("/groups/1/action", json={"action": "copy_settings"}).status_code == 400


def test_motion_off_and_on_for_a_group_ends_and_begins_recordings():
    with GstCamera({"/cam": (footage.counter(), None)}) as camera, NVR() as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("cam", camera.url("/cam"))
        nvr.api.post("/groups", json={"name": "g"})
        nvr.api.post("/groups/1/cameras", json=[key])
        wait_for("it records", lambda: nvr.api.camera(key)["is_recording"] and nvr.rows(key), 30)
        assert nvr.api.post("/groups/1/action", json={"action": "disable_motion"}).json()["modified_count"] == 1
        wait_for("the recording has ended", lambda: all(row.finished for row in nvr.rows(key)), 20)
        assert nvr.api.camera(key)["recording_mode"] == "Off" and not nvr.api.camera(key)["is_recording"]
        count = len(nvr.rows(key))
        assert nvr.api.post("/groups/1/action", json={"action": "enable_motion"}).json()["modified_count"] == 1
        assert nvr.api.camera(key)["recording_mode"] == "Continuous"
        wait_for("it records again", lambda: len(nvr.rows(key)) > count, 20)
        assert camera.stats()["connections"] == 1, "the camera was connected again"


def test_storage_profiles_take_writable_folders_of_their_own_only(nvr):
    api, folder = nvr.api, nvr.folder
    outside = folder / "link"
    outside.symlink_to("/etc")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "file").write_text("x")
    for path in ("/", "/etc", "/etc/vibe", "/usr/share", "/proc", "/sys/x", "/dev/shm/x", "/boot", "/bin", "/sbin", "/lib", "/lib64/x",
                 "relative", "", f"{folder}/../etc", str(outside), f"{outside}/x", str(folder / "loop"), str(folder / "file"),
                 str(folder / "file" / "x"), str(nvr.data), str(nvr.recordings), str(nvr.recordings / "1"), str(folder), str(folder.parent)):
        answer = api.post("/storage/profiles", json={"name": "x", "path": path})
        assert answer.status_code in (400, 422), f"{path}: {answer.status_code} {answer.text}"
    assert api.json("/storage/profiles") == [] and not os.path.exists("/etc/vibe")
    made = api.post("/storage/profiles", json={"name": "SSD", "path": f"{folder}/a/ssd", "description": "fast", "max_size_gb": 50})
    assert made.status_code == 200, made.text
    profile = made.json()
    assert profile["path"] == f"{folder}/a/ssd" and (folder / "a" / "ssd").is_dir()
    # The mark by which the folder is known again, and nothing else.
    assert {path.name for path in (folder / "a" / "ssd").iterdir()} <= {".vibenvr-volume", ".vibenvr-volume.part"}
    usage = shutil.disk_usage(folder)
    assert abs(profile["disk"]["total_gb"] - usage.total / 2**30) < 0.1
    assert abs(profile["disk"]["free_gb"] - usage.free / 2**30) < 1
    for path in (f"{folder}/a/ssd", f"{folder}/a/ssd/x", f"{folder}/a"):
        assert api.post("/storage/profiles", json={"name": "other", "path": path}).status_code == 409, path
    assert api.put(f"/storage/profiles/{profile['id']}", json={"path": "/etc"}).status_code == 400
    assert api.json(f"/storage/profiles/{profile['id']}")["path"] == profile["path"]


def test_cameras_of_a_deleted_profile_go_back_to_the_default(three):
    api = three.api
    profile = api.post("/storage/profiles", json={"name": "SSD", "path": f"{three.folder}/ssd"}).json()
    named = api.put("/cameras/1", json={"storage_profile_id": profile["id"]}).json()
    assert named["storage_profile"] == {key: profile[key] for key in ("name", "path", "description", "max_size_gb", "id")}
    assert api.put("/cameras/2", json={"storage_profile_id": 99}).status_code == 400
    assert api.delete(f"/storage/profiles/{profile['id']}").json() == {"message": "Storage profile deleted successfully"}
    camera = api.camera(1)
    assert camera["storage_profile_id"] is None and camera["storage_profile"] is None
