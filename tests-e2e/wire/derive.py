"""Makes `expectations.json` from the captures of the reference: per call the status, the kind of body, and its keys and types.

Run it when captures change: `python3 tests-e2e/wire/derive.py [folder of captures]`. The result is committed, the captures
are not needed to test.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

CALLS = """
auth_status auth_status_before_setup auth_setup auth_setup_403_again auth_setup_422_missing auth_login auth_login_401
auth_login_422_json auth_login_422_missing auth_login_429 auth_logout auth_me auth_me_401_bad auth_me_401_none auth_me_after_logout
auth_me_from_cookie auth_me_from_cookie_204_none
cameras_401 cameras_post cameras_post_422_bad_json cameras_post_422_missing cameras_post_422_scheme
cameras_post_422_ssrf_loopback_name cameras_post_422_types cameras_post_minimal_with_credentials cameras_list cameras_list_api_key_bad
cameras_get cameras_get_404 cameras_get_422_path cameras_put cameras_put_404 cameras_put_partial_422 cameras_probe_stream
cameras_probe_stream_fail cameras_reorder cameras_delete cameras_delete_404
camera_frame camera_frame_401 camera_frame_404 camera_frame_503 camera_frame_cookie camera_snapshot camera_snapshot_404
camera_recording_toggle
events events_camera_none events_date events_date_500_bad events_date_other events_event_type_motion events_limit_422
events_limit_camera events_skip events_type_snapshot events_status events_bulk_delete events_delete events_delete_404
event_download_401 event_download_404 event_download_bearer_only_401 event_download_cookie_range event_download_head
event_download_range_416 event_download_token_query
media_401 media_404 media_range_cookie media_thumbnail media_traversal_403
stats stats_401 stats_history stats_resources_history health root method_405 not_found_404
cors_preflight auth_me_language_patch auth_login_viewer auth_devices
cameras_list_viewer cameras_post_403_viewer cameras_post_api_key_401 cameras_list_api_key cameras_get_api_key
cameras_list_api_key_locally_patched cameras_get_api_key_locally_patched cameras_export
camera_frame_api_key camera_snapshot_offline camera_stream_mjpeg camera_ws
events_viewer events_delete_403_viewer events_api_key events_webhook_401 events_webhook_motion_on
groups_post groups_list groups_get groups_get_404 groups_cameras groups_action groups_action_400 groups_delete groups_api_key
users_list users_post users_post_400_dup users_put users_put_password users_403_viewer
v1_api_tokens_post v1_api_tokens_post_no_expiry v1_api_tokens_post_422 v1_api_tokens_list v1_api_tokens_delete
v1_api_tokens_delete_404 v1_homepage_stats v1_homepage_stats_401
storage_profiles_post storage_profiles_post_422 storage_profiles_post_etc storage_profiles_list storage_profiles_get
storage_profiles_get_404 storage_profiles_put storage_profiles_put_404 storage_profiles_delete storage_profiles_delete_missing
settings_all settings_403_viewer settings_get settings_get_missing settings_get_after_put settings_put_query
settings_put_body_422 settings_put_400_range settings_bulk settings_backup_list settings_engine_debug
stats_api_key logs logs_422
""".split()


def shape(value):
    """Keys and types. Lists are the shape of all their elements, objects keyed by ids that of all their values."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    if isinstance(value, list):
        return [merged([shape(item) for item in value])] if value else []
    if value and all(key.isdigit() for key in value):
        return {"<id>": merged([shape(item) for item in value.values()])}
    return {key: shape(item) for key, item in value.items()}


def merged(shapes: list):
    first = shapes[0]
    if all(isinstance(item, dict) for item in shapes):
        keys = list(dict.fromkeys(key for item in shapes for key in item))
        return {key: merged([item[key] for item in shapes if key in item]) for key in keys}
    if all(isinstance(item, str) for item in shapes):
        return "|".join(sorted({name for item in shapes for name in item.split("|")}))
    return first


def parsed(text: str) -> dict:
    if "> WebSocket" in text:
        return {"status": 101}
    # Streams are captured raw: without the marks in front of their lines.
    if (raw := text.find("\nHTTP/1.1 ")) >= 0:
        text = text[:raw] + "".join(f"\n< {line}" for line in text[raw + 1 :].split("\n\n")[0].split("\n"))
    answer = text[text.index("\n< ") :]
    lines = answer.strip().split("\n")
    status = int(lines[0].split(" ")[2])
    headers, body_at = {}, len(lines)
    for number, line in enumerate(lines[1:], 1):
        if not line.startswith("< "):
            body_at = number
            break
        name, _, value = line[2:].partition(": ")
        headers.setdefault(name, []).append(value)
    body = "\n".join(lines[body_at:]).strip()
    result = {"status": status}
    kind = headers.get("content-type", [""])[0].partition(";")[0]
    if kind:
        result["type"] = kind
    if "set-cookie" in headers:
        result["cookies"] = sorted(value.partition("=")[0] for value in headers["set-cookie"])
    for name in ("www-authenticate", "content-range", "accept-ranges"):
        if name in headers:
            result.setdefault("headers", []).append(name)
    if body and kind == "application/json" and body[0] in "[{":
        result["body"] = shape(json.loads(body))
        detail = json.loads(body)
        if isinstance(detail, dict) and isinstance(detail.get("detail"), str):
            result["detail"] = detail["detail"]
        if isinstance(detail, dict) and isinstance(detail.get("detail"), list):
            result["problems"] = [[item["type"], item["loc"]] for item in detail["detail"]]
    return result


def compacted(calls: dict[str, dict]) -> None:
    """An object of many keys is written out once, with the types of all its captures; the other calls name the one that has it."""
    known: dict[frozenset, tuple[str, dict]] = {}

    def short(call: str, value, place: str):
        if isinstance(value, list) and value:
            return [short(call, value[0], place + "[]")]
        if isinstance(value, dict) and len(value) > 8:
            keys = frozenset(value)
            if keys in known:
                name, first = known[keys]
                for key in first:
                    first[key] = merged([first[key], value[key]])
                return {"like": name}
            known[keys] = (call + place, value)
            for key in value:
                value[key] = short(call, value[key], f"{place}.{key}")
            return value
        if isinstance(value, dict):
            return {key: short(call, item, f"{place}.{key}") for key, item in value.items()}
        return value

    for call, expectation in calls.items():
        if "body" in expectation:
            expectation["body"] = short(call, expectation["body"], "")


def main() -> None:
    here = Path(__file__).resolve().parent
    captures = Path(sys.argv[1]) if len(sys.argv) > 1 else here.parents[2] / "shared" / "api" / "wire"
    # The lists of the reference's paths and schemas are no calls.
    left_out = {path.stem for path in captures.glob("*.txt")} - set(CALLS) - {"openapi_paths", "openapi_schemas"}
    assert not left_out, f"captures that CALLS does not name: {sorted(left_out)}"
    calls = {call: parsed((captures / f"{call}.txt").read_text(errors="replace")) for call in CALLS}
    compacted(calls)
    lines = [f" {json.dumps(call)}: {json.dumps(expectation)}" for call, expectation in calls.items()]
    (here / "expectations.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
