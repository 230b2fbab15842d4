"""Loaded by schemathesis (test_openapi.py): what is asked about is there, and what was made at random does not stay."""

import os
from urllib.parse import urlsplit

import requests
import schemathesis

# Things of every kind that the test makes before, and the camera among them that can be reached.
THINGS = 40
RECORDING = 1
# Who tries: nothing is done to her, or all that follows would be refused.
ROBOT = 987654321
# Whether ids go from one call's answer to the next call: then they are what they are, and what was made stays, switched off.
CHAINED = os.environ.get("VIBENVR_CHAINED") == "1"
# They make a camera, which would be connected to, recorded and listed for the rest of the run: after a thousand of them the run is
# about nothing else.
MAKES_A_CAMERA = {("POST", "/cameras"), ("POST", "/cameras/{camera_id}/clone")}


@schemathesis.hook
def before_call(context, case, kwargs):
    parameters = case.path_parameters or {}
    for name, value in parameters.items():
        # The tool takes the id of an answer that has none (an entry of the audit trail about nothing in particular), or a list of ids, for
        # one and would write "None" or "[]" into the path. That is no id of anybody's: what is there is asked about instead.
        if name.endswith("_id") and (value is None or isinstance(value, (list, dict))):
            parameters[name] = RECORDING
        # What is no number, or too large to be one, is tried as it is.
        elif not CHAINED and name.endswith("_id") and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
            parameters[name] = abs(value) % THINGS + 1
    if str(parameters.get("user_id")) == str(ROBOT):
        parameters["user_id"] = ROBOT + 1
    # Moving pictures of a camera that is there never end, and no time-out of the tool ends them: one that is not reached has none.
    if case.operation.label == "GET /cameras/{camera_id}/stream" and str(parameters.get("camera_id")) == str(RECORDING):
        parameters["camera_id"] = RECORDING + 1
    # No text at random is the address of a camera; without one all else that a new camera may have would never be looked at.
    if case.operation.label == "POST /cameras" and isinstance(case.body, dict) and isinstance(case.body.get("rtsp_url"), str):
        case.body["rtsp_url"] = "rtsp://127.0.0.1:1/made"
        if CHAINED:
            case.body["is_active"] = False


@schemathesis.hook
def after_call(context, case, response):
    if CHAINED or (case.operation.method.upper(), case.operation.path) not in MAKES_A_CAMERA or response.status_code not in (200, 201):
        return
    made, asked = response.json()["id"], response.request
    if made <= THINGS or "Authorization" not in asked.headers:
        return
    url = urlsplit(str(asked.url))
    requests.delete(
        f"{url.scheme}://{url.netloc}/cameras/{made}", headers={"Authorization": asked.headers["Authorization"]}, timeout=30)
