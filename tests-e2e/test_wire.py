"""The wire: every captured call of the reference, made again on our server: same status, same keys, same types.

`wire/expectations.json` is derived from the captures by `wire/derive.py`. Where we differ on purpose, DIFFERENCES says how and why.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from harness.document import Document
from harness.server import NVR, PASSWORD, USER, wait_for
from peers import footage
from peers.gst_camera import GstCamera
from peers.program_camera import free_port

EXPECTED = json.loads((Path(__file__).parent / "wire" / "expectations.json").read_text())
# Keys of our own, beside the reference's.
OWN_KEYS = {
    "cameras": {"status_reason", "status_reason_code", "status_reason_parameters", "status_since", "source", "is_recording"},
    "cameras_probe_stream": {"codec", "audio_codec", "framerate", "source"},
    "cameras_probe_stream_fail": {"error_code", "error_parameters"},
    # How full the volume is, what of it is ours, and whether it is there.
    "storage_profiles": {"disk", "used_gb", "state"},
    "health": {"problems"},
    # The machine beside the process, space for each storage profile, and settings of ours.
    "stats": (machine := {"host_cpu_percent", "host_memory_mb", "host_memory_total_mb", "total_gb", "free_gb"}) | {"retention_limited_by"},
    "stats_api_key": machine | {"retention_limited_by"},
    "stats_resources_history": machine,
    "settings_all": {
        "audit_retention_days", "archival_max_mb_per_second", "retention_event_days", "retention_labelled_days", "retention_minimum_days",
        "retention_max_share_percent", "storage_floor_gb", "notify_webhook_secret",
    },
    "events_status": {"recorded_bytes_last_minute"},
}


@dataclass(frozen=True)
class Difference:
    """What is expected instead, and why. `nulls`: places that may be null with us."""

    why: str
    change: dict = field(default_factory=dict)
    nulls: bool = False
    # Types of members, wherever they are.
    types: dict = field(default_factory=dict)


DIFFERENCES = {
    "auth_me_after_logout": Difference("a logged-out token is worth nothing at once", {"status": 401, "body": {"detail": "string"}}),
    "auth_login_429": Difference(
        "429 has the `detail` every error has, and says when to come back", {"body": {"detail": "string"}, "headers": ["retry-after"]}),
    "cameras_put_partial_422": Difference("PUT takes any subset of fields", {"status": 200, "body": {"like": "cameras_post"}, "problems": None}),
    "cameras_post_422_ssrf_loopback_name": Difference("the tests allow loopback cameras; refused in test_loopback_is_refused_by_default", {}),
    "camera_frame_503": Difference("the JSON body is called JSON", {"type": "application/json"}),
    "events_date_500_bad": Difference(
        "never a 5xx for bad input", {"status": 422, "type": "application/json", "problems": [["date_parsing", ["query", "date"]]]}),
    "event_download_bearer_only_401": Difference("a Bearer token works for media too", {"status": 200, "type": "video/mp4", "body": None, "detail": None}),
    "event_download_token_query": Difference(
        "?token= is off by default", {"status": 401, "type": "application/json", "headers": [], "body": {"detail": "string"}}),
    "camera_snapshot_offline": Difference(
        "503 when a camera has no picture, instead of a snapshot that never comes", {"status": 503, "body": {"detail": "string"}}),
    "cameras_list_api_key_locally_patched": (summary := Difference(
        "ai_object_types is the list that the schema wants, as the note of the capture says; last_seen of a camera never seen is null", nulls=True,
        types={"ai_object_types": ["string"]})),
    "cameras_get_api_key_locally_patched": summary,
    "cameras_list_api_key": Difference("never a 5xx: API keys get the summary form", {
        "status": 200, "type": "application/json", "body": [{"like": "cameras_list_api_key_locally_patched[]"}]}, nulls=True, types=summary.types),
    "cameras_get_api_key": Difference("never a 5xx: API keys get the summary form", {
        "status": 200, "type": "application/json", "body": {"like": "cameras_list_api_key_locally_patched[]"}}, nulls=True, types=summary.types),
    "camera_frame_api_key": Difference("an API key works for media too", {"status": 200, "type": "image/jpeg", "body": None, "detail": None}),
    "storage_profiles_post_etc": Difference("system folders are refused", {"status": 400, "body": {"detail": "string"}}),
    "settings_put_query": Difference("never a 5xx for good input", {
        "status": 200, "type": "application/json", "body": {"key": "string", "value": "string", "description": "string"}}),
    "settings_put_body_422": Difference("the value may also be in the body", {
        "status": 200, "body": {"key": "string", "value": "string", "description": "string"}, "problems": None}),
    "event_download_head": Difference("HEAD answers where GET does", {"status": 200, "type": "video/mp4"}),
    "event_download_range_416": Difference("errors are JSON everywhere", {"type": "application/json"}),
    "events": Difference("file_size, width, height and motion_score are null while not known", nulls=True),
    "stats": Difference("real values, or null where a thing does not exist here", nulls=True),
    "stats_api_key": Difference("real values, or null where a thing does not exist here; paths of the server are for administrators", nulls=True),
    "settings_engine_debug": Difference("no picture is made unless somebody asks for one: last_frame_bytes is null", nulls=True),
    "stats_resources_history": Difference("real values, or null where a thing does not exist here", nulls=True),
}

WEBHOOK_SECRET = "wire-webhook-secret-0123456789"


def resolve(shape):
    """Follows `like` to the call that has the object written out."""
    if isinstance(shape, dict) and set(shape) == {"like"}:
        call, *path = shape["like"].replace("[]", ".[]").split(".")
        found = EXPECTED[call]["body"]
        for step in path:
            found = found[0] if step == "[]" else found[step]
        return found
    return shape


def retyped(shape, types: dict):
    """The shape with other types for some members."""
    shape = resolve(shape)
    if isinstance(shape, list):
        return [retyped(item, types) for item in shape]
    if isinstance(shape, dict) and types:
        return {key: types.get(key, retyped(item, types)) for key, item in shape.items()}
    return shape


def compare(value, shape, place: str, extra: set[str], nulls: bool) -> list[str]:
    shape = resolve(shape)
    if isinstance(shape, str):
        names = set(shape.split("|"))
        if "null" in names or (nulls and value is None):
            # A null in the capture leaves the type open; a value that is there must be a plain one.
            return [] if not isinstance(value, dict) else [f"{place} is an object"]
        kind = (
            "boolean" if isinstance(value, bool) else "integer" if isinstance(value, int) else "number" if isinstance(value, float)
            else "string" if isinstance(value, str) else type(value).__name__
        )
        # JSON does not tell 5 from 5.0.
        good = kind in names or (kind == "integer" and "number" in names)
        return [] if good else [f"{place} is {kind}, not {shape}"]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{place} is no list"]
        return [problem for item in value if shape for problem in compare(item, shape[0], place + "[]", extra, nulls)]
    if not isinstance(value, dict):
        return [f"{place} is no object"] if not (nulls and value is None) else []
    if "<id>" in shape:
        return [problem for key, item in value.items() for problem in compare(item, shape["<id>"], f"{place}.{key}", extra, nulls)]
    problems = [f"{place}.{key} is missing" for key in shape if key not in value]
    problems += [f"{place}.{key} is not the reference's" for key in value if key not in shape and key not in extra]
    for key in shape:
        if key in value:
            problems += compare(value[key], shape[key], f"{place}.{key}", extra, nulls)
    return problems


def judge(call: str, answer: requests.Response) -> list[str]:
    expected = dict(EXPECTED[call])
    difference = DIFFERENCES.get(call, Difference(""))
    if set(difference.change) & {"status", "body"}:
        expected.pop("detail", None)
    expected.update(difference.change)
    problems = []
    if answer.status_code != expected["status"]:
        return [f"status {answer.status_code}, not {expected['status']}: {answer.text[:300]}"]
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if expected.get("type") and kind != expected["type"]:
        problems.append(f"Content-Type {kind}, not {expected['type']}")
    for name in expected.get("headers", []):
        if name not in answer.headers:
            problems.append(f"header {name} is missing")
    if "cookies" in expected:
        # `requests` folds repeated headers; the raw ones say it all.
        raw = [value for name, value in answer.raw.headers.items() if name.lower() == "set-cookie"]
        names = sorted(value.partition("=")[0] for value in raw)
        if names != expected["cookies"]:
            problems.append(f"cookies {names}, not {expected['cookies']}")
        for value in raw:
            wanted = {"httponly", "path=/", "samesite=lax"}
            if lacking := wanted - {part.strip().lower() for part in value.split(";")}:
                problems.append(f"cookie without {lacking}")
    if "body" in expected and expected["body"] is not None and answer.content:
        # Refusals have a code beside their text.
        extra = {"detail_code", "detail_parameters", "msg_code", "msg_parameters"} if answer.status_code >= 400 else set()
        if call.startswith(("cameras", "camera_recording", "groups")):
            extra |= OWN_KEYS["cameras"] | OWN_KEYS.get(call, set())
        elif call.startswith("storage_profiles"):
            extra |= OWN_KEYS["storage_profiles"]
        extra |= OWN_KEYS.get(call, set())
        nulls = difference.nulls or (call.startswith("events") and DIFFERENCES["events"].nulls)
        problems += compare(answer.json(), retyped(expected["body"], difference.types), "", extra, nulls)
    if "detail" in expected and expected["detail"] is not None and answer.json().get("detail") != expected["detail"]:
        problems.append(f"detail {answer.json().get('detail')!r}, not {expected['detail']!r}")
    if expected.get("problems"):
        found = [[item["type"], item["loc"]] for item in answer.json()["detail"]]
        if found != expected["problems"]:
            problems.append(f"problems {found}, not {expected['problems']}")
    for name, value in {"x-content-type-options": "nosniff", "x-frame-options": "DENY"}.items():
        if answer.headers.get(name) != value:
            problems.append(f"{name}: {answer.headers.get(name)}")
    if "strict-transport-security" in answer.headers:
        problems.append("HSTS without TLS")
    return problems


class Replay:
    """All calls in the order a client makes them; each answer is kept for its test."""

    def __init__(self):
        self.answers: dict[str, requests.Response] = {}
        with GstCamera({"/cam": (footage.counter(), footage.sound("pcma"))}) as camera, NVR(WEBHOOK_SECRET=WEBHOOK_SECRET) as nvr:
            self.nvr, self.api = nvr, nvr.start().api
            self.document = Document(self.api.json("/openapi.json", token=""))
            self._run(camera)
            self.log = nvr.log()

    def keep(self, call: str, answer: requests.Response) -> requests.Response:
        self.answers[call] = answer
        return answer

    def _run(self, camera: GstCamera) -> None:
        api, keep = self.api, self.keep
        admin = {"username": USER, "password": PASSWORD}
        keep("health", api.get("/health"))
        keep("root", api.get("/", headers={"Accept": "application/json"}))
        keep("auth_status_before_setup", api.get("/auth/status"))
        keep("auth_setup_422_missing", api.post("/auth/setup", json={"username": USER}))
        keep("auth_setup", api.post("/auth/setup", json={**admin, "email": "admin@example.com"}))
        keep("auth_setup_403_again", api.post("/auth/setup", json={**admin, "username": "admin2"}))
        keep("auth_status", api.get("/auth/status"))
        keep("auth_login_401", api.post("/auth/login", data={"username": USER, "password": "wrong"}))
        keep("auth_login_422_missing", api.post("/auth/login", data={"username": USER}))
        keep("auth_login_422_json", api.post("/auth/login", json={"username": USER, "password": "x"}))
        login = keep("auth_login", api.post("/auth/login", data=admin))
        api.token = login.json()["access_token"]
        cookies = {"Cookie": f"media_token={api.token}; auth_token={api.token}"}
        media = {"Cookie": f"media_token={api.token}"}
        keep("auth_me", api.get("/auth/me"))
        keep("auth_me_401_none", api.get("/auth/me", token=""))
        keep("auth_me_401_bad", api.get("/auth/me", token="bad.token.here"))
        keep("auth_me_from_cookie", api.get("/auth/me-from-cookie", token="", headers=cookies))
        keep("auth_me_from_cookie_204_none", api.get("/auth/me-from-cookie", token=""))
        keep("auth_me_language_patch", api.call("PATCH", "/auth/me/language", json={"language": "en"}))
        keep("auth_devices", api.get("/auth/devices"))
        keep("cors_preflight", api.call(
            "OPTIONS", "/cameras", token="", headers={"Origin": "http://example.com", "Access-Control-Request-Method": "GET"}))

        keep("cameras_401", api.get("/cameras", token=""))
        keep("cameras_list_api_key_bad", api.get("/cameras", token="", headers={"X-API-Key": "wrong"}))
        first = keep("cameras_post", api.post("/cameras", json={
            "name": "Front Door", "rtsp_url": camera.url("/cam"), "sub_rtsp_url": None, "location": "Porch", "movie_passthrough": True,
            "recording_mode": "Continuous", "resolution_width": 1920, "resolution_height": 1080, "max_movie_length": 60,
            "captured_before": 5, "captured_after": 5, "detect_engine": "OpenCV"})).json()["id"]
        keep("cameras_get", api.get(f"/cameras/{first}"))
        second = keep("cameras_post_minimal_with_credentials", api.post("/cameras", json={
            "name": "Garage", "rtsp_url": f"rtsp://user:p@ss@127.0.0.1:{free_port()}/nothing", "is_active": False, "auto_resolution": False,
        })).json()["id"]
        keep("cameras_post_422_bad_json", api.post("/cameras", data='{"name":', headers={"Content-Type": "application/json"}))
        keep("cameras_post_422_missing", api.post("/cameras", json={"location": "x"}))
        keep("cameras_post_422_scheme", api.post("/cameras", json={"name": "x", "rtsp_url": "file:///etc/passwd"}))
        keep("cameras_post_422_types", api.post("/cameras", json={"name": 5, "rtsp_url": "rtsp://10.0.0.9/cam0", "framerate": "abc"}))
        keep("cameras_list", api.get("/cameras"))
        keep("cameras_get_404", api.get("/cameras/9999"))
        keep("cameras_get_422_path", api.get("/cameras/abc"))
        whole = api.camera(second)
        keep("cameras_put", api.put(f"/cameras/{second}", json={**whole, "name": "Garage 2"}))
        keep("cameras_put_404", api.put("/cameras/9999", json={**whole, "name": "Garage 2"}))
        keep("cameras_put_partial_422", api.put(f"/cameras/{second}", json={"name": "only name"}))
        keep("cameras_probe_stream", api.post("/cameras/probe-stream", json={"rtsp_url": camera.url("/cam"), "rtsp_transport": "tcp"}))
        keep("cameras_probe_stream_fail", api.post("/cameras/probe-stream", json={"rtsp_url": "rtsp://127.0.0.1:1/x", "rtsp_transport": "tcp"}))
        keep("cameras_reorder", api.post("/cameras/reorder", json={"camera_ids": [second, first]}))
        keep("camera_recording_toggle", api.post(f"/cameras/{second}/recording"))

        wait_for("the camera is connected", lambda: api.status(first) == "CONNECTED", 30)
        wait_for("a picture", lambda: api.get(f"/cameras/{first}/frame").status_code == 200, 20)
        keep("camera_frame", api.get(f"/cameras/{first}/frame"))
        keep("camera_frame_cookie", api.get(f"/cameras/{first}/frame", token="", headers=media))
        keep("camera_frame_401", api.get(f"/cameras/{first}/frame", token=""))
        keep("camera_frame_404", api.get("/cameras/9999/frame"))
        keep("camera_frame_503", api.get(f"/cameras/{second}/frame"))
        keep("camera_snapshot", api.post(f"/cameras/{first}/snapshot"))
        keep("camera_snapshot_404", api.post("/cameras/9999/snapshot"))
        snapshot = wait_for("the snapshot is listed", lambda: api.events(type="snapshot"), 20)[0]
        finished = wait_for(
            "a finished recording", lambda: next((e for e in api.events(event_type="continuous") if e["timestamp_end"] and e["thumbnail_path"]), None), 60)

        keep("events", api.get("/events"))
        today = finished["timestamp_start"][:10]
        keep("events_date", api.get("/events", params={"date": today, "limit": 1}))
        keep("events_date_other", api.get("/events", params={"date": "2020-01-01"}))
        keep("events_date_500_bad", api.get("/events", params={"date": "notadate"}))
        keep("events_camera_none", api.get("/events", params={"camera_id": 999}))
        keep("events_event_type_motion", api.get("/events", params={"event_type": "motion", "limit": 1}))
        keep("events_limit_422", api.get("/events", params={"limit": "x"}))
        keep("events_limit_camera", api.get("/events", params={"limit": 1, "camera_id": first}))
        keep("events_skip", api.get("/events", params={"skip": 1, "limit": 1}))
        keep("events_type_snapshot", api.get("/events", params={"type": "snapshot"}))
        keep("events_status", api.get("/events/status"))

        download = f"/events/{finished['id']}/download"
        keep("event_download_401", api.get(download, token=""))
        keep("event_download_404", api.get("/events/99999/download"))
        keep("event_download_bearer_only_401", api.get(download))
        keep("event_download_cookie_range", api.get(download, token="", headers={**media, "Range": "bytes=0-1023"}))
        keep("event_download_head", api.call("HEAD", download))
        keep("event_download_range_416", api.get(download, headers={"Range": "bytes=999999999-"}))
        keep("event_download_token_query", api.get(download, token="", params={"token": api.token}))
        keep("media_401", api.get(finished["file_path"], token=""))
        keep("media_404", api.get(f"/media/{first}/none.mp4", token="", headers=media))
        keep("media_range_cookie", api.get(finished["file_path"], token="", headers={**media, "Range": "bytes=0-99"}))
        keep("media_thumbnail", api.get(finished["thumbnail_path"], token="", headers=media))
        keep("media_traversal_403", self._raw("/media/..%2f..%2fetc/passwd", media))

        self._keys(first)
        self._groups(first, second)
        self._storage()
        self._settings()
        self._viewer(first, finished["id"])
        keep("camera_snapshot_offline", api.post(f"/cameras/{second}/snapshot"))
        keep("cameras_export", api.get(f"/cameras/{second}/export"))
        keep("events_webhook_401", api.post("/events/webhook", token="", json={"type": "motion_on", "camera_id": first}))
        keep("events_webhook_motion_on", api.post(
            "/events/webhook", token="", headers={"X-Webhook-Secret": WEBHOOK_SECRET},
            json={"type": "motion_on", "camera_id": first, "timestamp": "2026-11-22T20:00:00+00:00"}))
        keep("camera_stream_mjpeg", api.get(f"/cameras/{first}/stream", stream=True))
        self.answers["camera_stream_mjpeg"].close()
        keep("camera_ws", self._handshake(f"/cameras/{first}/ws"))
        keep("logs", api.get("/logs/", params={"service": "backend", "lines": 5}))
        keep("logs_422", api.get("/logs/"))
        keep("stats", api.get("/stats"))
        keep("stats_401", api.get("/stats", token=""))
        keep("stats_history", api.get("/stats/history"))
        keep("stats_resources_history", api.get("/stats/resources-history"))
        keep("method_405", api.call("PATCH", "/cameras"))
        keep("not_found_404", api.get("/nosuch"))

        keep("events_delete", api.delete(f"/events/{snapshot['id']}"))
        keep("events_delete_404", api.delete("/events/99999"))
        keep("events_bulk_delete", api.post("/events/bulk-delete", json={"event_ids": [finished["id"], 99999]}))
        keep("cameras_delete", api.delete(f"/cameras/{second}"))
        keep("cameras_delete_404", api.delete("/cameras/9999"))
        bulk = api.post("/cameras/bulk-delete", json={"camera_ids": [first, 9999]})
        self.answers["bulk"] = bulk

        keep("auth_logout", api.post("/auth/logout", headers=cookies))
        keep("auth_me_after_logout", api.get("/auth/me"))
        for _ in range(40):
            answer = api.post("/auth/login", token="", data={"username": USER, "password": "x"})
            if answer.status_code == 429:
                break
        keep("auth_login_429", answer)

    def _keys(self, camera: int) -> None:
        """API keys, and what they open."""
        api, keep = self.api, self.keep
        first = keep("v1_api_tokens_post", api.post("/v1/api-tokens", json={"name": "homeassistant", "expires_in_days": 30}))
        key = {"X-API-Key": _member(first, "token", "none")}
        second = keep("v1_api_tokens_post_no_expiry", api.post("/v1/api-tokens", json={"name": "second"}))
        keep("v1_api_tokens_post_422", api.post("/v1/api-tokens", json={}))
        keep("v1_api_tokens_list", api.get("/v1/api-tokens"))
        keep("v1_api_tokens_delete", api.delete(f"/v1/api-tokens/{_member(second, 'id', 9999)}"))
        keep("v1_api_tokens_delete_404", api.delete("/v1/api-tokens/9999"))
        for call, path in {
            "cameras_list_api_key": "/cameras", "cameras_get_api_key": f"/cameras/{camera}",
            "cameras_list_api_key_locally_patched": "/cameras?limit=1", "cameras_get_api_key_locally_patched": f"/cameras/{camera}",
            "camera_frame_api_key": f"/cameras/{camera}/frame", "events_api_key": "/events?limit=2", "groups_api_key": "/groups",
            "stats_api_key": "/stats", "v1_homepage_stats": "/v1/homepage/stats",
        }.items():
            keep(call, api.get(path, token="", headers=key))
        keep("cameras_post_api_key_401", api.post("/cameras", token="", headers=key, json={"name": "a", "rtsp_url": "rtsp://h/x"}))
        keep("v1_homepage_stats_401", api.get("/v1/homepage/stats", token=""))

    def _groups(self, first: int, second: int) -> None:
        api, keep = self.api, self.keep
        group = f"/groups/{_member(keep('groups_post', api.post('/groups', json={'name': 'Outside', 'description': 'All outside cameras'})), 'id', 1)}"
        keep("groups_cameras", api.post(f"{group}/cameras", json=[first, second]))
        keep("groups_list", api.get("/groups"))
        keep("groups_get", api.get(group))
        keep("groups_action", api.post(f"{group}/action", json={"action": "enable_motion"}))
        keep("groups_action_400", api.post(f"{group}/action", json={"action": "nosuch"}))
        keep("groups_delete", api.delete(group))
        keep("groups_get_404", api.get(group))

    def _storage(self) -> None:
        api, keep = self.api, self.keep
        (folder := self.nvr.folder / "ssd").mkdir()
        profile = {"name": "SSD", "path": str(folder), "description": "fast", "max_size_gb": 50}
        keep("storage_profiles_post_422", api.post("/storage/profiles", json={"name": "SSD"}))
        number = _member(keep("storage_profiles_post", api.post("/storage/profiles", json=profile)), "id", 1)
        keep("storage_profiles_post_etc", api.post("/storage/profiles", json={"name": "Etc", "path": "/etc", "max_size_gb": 1}))
        keep("storage_profiles_list", api.get("/storage/profiles"))
        keep("storage_profiles_get", api.get(f"/storage/profiles/{number}"))
        keep("storage_profiles_get_404", api.get("/storage/profiles/9999"))
        keep("storage_profiles_put", api.put(f"/storage/profiles/{number}", json={**profile, "name": "SSD2", "max_size_gb": 60}))
        keep("storage_profiles_put_404", api.put("/storage/profiles/9999", json=profile))
        keep("storage_profiles_delete", api.delete(f"/storage/profiles/{number}"))
        keep("storage_profiles_delete_missing", api.delete("/storage/profiles/9999"))

    def _settings(self) -> None:
        api, keep = self.api, self.keep
        keep("settings_all", api.get("/settings"))
        keep("settings_get", api.get("/settings/opt_live_view_fps_throttle"))
        keep("settings_get_missing", api.get("/settings/nosuch"))
        keep("settings_bulk", api.post("/settings/bulk", json={"opt_live_view_quality": "60"}))
        keep("settings_put_query", api.put("/settings/opt_live_view_quality", params={"value": "61"}))
        keep("settings_get_after_put", api.get("/settings/opt_live_view_quality"))
        keep("settings_put_body_422", api.put("/settings/opt_live_view_quality", json={"value": "60"}))
        keep("settings_put_400_range", api.put("/settings/opt_live_view_quality", params={"value": "500"}))
        keep("settings_backup_list", api.get("/settings/backup/list"))
        keep("settings_engine_debug", api.get("/settings/engine/debug-status"))

    def _viewer(self, camera: int, event: int) -> None:
        """A second user, and what she may."""
        api, keep = self.api, self.keep
        viewer = {"username": "viewer1", "password": "Viewer-Passw0rd!", "role": "viewer"}
        number = _member(keep("users_post", api.post("/users", json={**viewer, "email": "viewer@example.com"})), "id", 2)
        keep("users_post_400_dup", api.post("/users", json=viewer))
        keep("users_list", api.get("/users"))
        keep("users_put", api.put(f"/users/{number}", json={"username": "viewer1", "email": "v2@example.com", "role": "viewer"}))
        keep("users_put_password", api.put(f"/users/{number}/password", json={"new_password": "Viewer-Passw0rd2!"}))
        login = keep("auth_login_viewer", api.post("/auth/login", token="", data={"username": "viewer1", "password": "Viewer-Passw0rd2!"}))
        token = _member(login, "access_token", "none")
        keep("cameras_list_viewer", api.get("/cameras", token=token))
        keep("cameras_post_403_viewer", api.post("/cameras", token=token, json={"name": "Front Door", "rtsp_url": "rtsp://10.0.0.9/cam0"}))
        keep("events_viewer", api.get("/events", token=token, params={"limit": 1}))
        keep("events_delete_403_viewer", api.delete(f"/events/{event}", token=token))
        keep("settings_403_viewer", api.get("/settings", token=token))
        keep("users_403_viewer", api.get("/users", token=token))

    def _handshake(self, path: str) -> requests.Response:
        """The answer to a WebSocket's first request."""
        answer = self.api.get(path, stream=True, headers={
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        answer.close()
        return answer

    def _raw(self, path: str, headers: dict) -> requests.Response:
        """`requests` would tidy the path up."""
        request = requests.Request("GET", self.api.base + "/", headers=headers).prepare()
        request.url = self.api.base + path
        session = requests.Session()
        session.trust_env = False
        return session.send(request, timeout=120)


def _member(answer: requests.Response, name: str, fallback):
    """A member of an answer, or something that exists nowhere: the call's own test tells what is wrong with it."""
    try:
        return answer.json()[name]
    except (ValueError, KeyError, TypeError):
        return fallback


@pytest.fixture(scope="module")
def replay() -> Replay:
    return Replay()


@pytest.mark.parametrize("call", [call for call in EXPECTED if call != "cameras_post_422_ssrf_loopback_name"])
def test_call(replay, call):
    assert call in replay.answers, "the replay does not make this call"
    problems = judge(call, replay.answers[call])
    assert not problems, "\n".join(problems)


def test_every_answer_is_documented(replay):
    """Status, media type and members of all answers above are those of /openapi.json, and no others."""
    streams = {"camera_stream_mjpeg", "camera_ws"}
    problems = {
        call: found for call, answer in replay.answers.items()
        if call not in streams and answer.request.method != "OPTIONS" and (found := replay.document.problems(answer))
    }
    assert not problems, "\n".join(f"{call}: {problem}" for call, found in problems.items() for problem in found[:4])


def test_bulk_delete_of_cameras(replay):
    answer = replay.answers["bulk"]
    assert answer.status_code == 200, answer.text
    assert "9999" in answer.text


def test_values_the_reference_shows(replay):
    camera = replay.answers["cameras_post"].json()
    assert camera["status"] == "STARTING" and camera["privacy_masks"] == "[]" and camera["ai_object_types"] == ["person", "vehicle"]
    minimal = replay.answers["cameras_post_minimal_with_credentials"].json()
    assert "user:p%40ss@" in minimal["rtsp_url"], "the password is percent-encoded, as the reference does"
    # Ours on purpose.
    assert (minimal["movie_passthrough"], minimal["captured_before"], minimal["captured_after"]) == (True, 5, 10)
    assert minimal["recording_mode"] == "Motion Triggered" and minimal["movie_file_name"] == "%Y-%m-%d/%H-%M-%S"
    toggled = replay.answers["camera_recording_toggle"].json()
    assert (toggled["recording_mode"], toggled["previous_recording_mode"]) == ("Continuous", "Motion Triggered")
    probed = replay.answers["cameras_probe_stream"].json()
    assert (probed["success"], probed["width"], probed["height"]) == (True, 640, 360)
    assert replay.answers["cameras_probe_stream_fail"].json()["success"] is False
    assert replay.answers["events_bulk_delete"].json() == {"deleted_count": 1, "errors": ["Event 99999 not found"]}


def test_events_are_newest_first_and_point_to_media(replay):
    events = replay.answers["events"].json()
    begins = [event["timestamp_start"] for event in events]
    assert begins == sorted(begins, reverse=True)
    assert all(event["file_path"].startswith("/media/") for event in events)
    assert all(event["timestamp_start"].endswith("Z") or "+" in event["timestamp_start"] for event in events)


def test_stats_are_true(replay):
    stats = replay.answers["stats"].json()
    assert stats["active_cameras"] == 1 and stats["video_count"] >= 1 and stats["picture_count"] == 1
    assert stats["storage"]["total_gb"] > 0 and stats["resources"]["memory_mb"] > 0


def test_both_prefixes():
    with NVR() as nvr:
        nvr.start()
        for path in ("/health", "/auth/status"):
            assert nvr.api.get(path).json() == nvr.api.get("/api" + path).json()
        page = nvr.api.get("/", headers={"Accept": "text/html"})
        assert page.headers["Content-Type"].startswith("text/html")
        policy = page.headers["Content-Security-Policy"]
        assert "unsafe-inline" not in policy and "unsafe-eval" not in policy
        assert "Referrer-Policy" in page.headers


def test_loopback_is_refused_by_default():
    with NVR(VIBENVR_ALLOW_LOOPBACK_CAMERAS="false") as nvr:
        nvr.start().with_admin()
        for host in ("localhost", "127.0.0.1", "[::1]", "127.1", "0.0.0.0"):
            answer = nvr.api.post("/cameras", json={"name": "x", "rtsp_url": f"rtsp://{host}:554/a"})
            assert answer.status_code == 422, f"{host}: {answer.status_code}"
            assert answer.json()["detail"][0]["loc"] == ["body", "rtsp_url"]
        problems = judge("cameras_post_422_ssrf_loopback_name", nvr.api.post("/cameras", json={"name": "x", "rtsp_url": "rtsp://localhost:554/a"}))
        assert not problems, problems
        probed = nvr.api.post("/cameras/probe-stream", json={"rtsp_url": "rtsp://127.0.0.1:22/a", "rtsp_transport": "tcp"})
        assert probed.status_code in (200, 422) and not (probed.status_code == 200 and probed.json()["success"])
