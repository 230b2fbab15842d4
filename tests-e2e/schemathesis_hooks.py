"""Loaded by schemathesis (test_openapi.py): what is asked about is there, and what was made at random does not stay."""

from urllib.parse import urlsplit

import requests
import schemathesis

# Things of every kind that the test makes before.
THINGS = 40
# They make a camera, which would be connected to, recorded and listed for the rest of the run: after a thousand of them the run is
# about nothing else.
MAKES_A_CAMERA = {("POST", "/cameras"), ("POST", "/cameras/{camera_id}/clone")}


@schemathesis.hook
def before_call(context, case, kwargs):
    parameters = case.path_parameters or {}
    for name, value in parameters.items():
        # What is no number, or too large to be one, is tried as it is.
        if name.endswith("_id") and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
            parameters[name] = abs(value) % THINGS + 1
    # No text at random is the address of a camera; without one all else that a new camera may have would never be looked at.
    if case.operation.label == "POST /cameras" and isinstance(case.body, dict) and isinstance(case.body.get("rtsp_url"), str):
        case.body["rtsp_url"] = "rtsp://127.0.0.1:1/made"


@schemathesis.hook
def after_call(context, case, response):
    if (case.operation.method.upper(), case.operation.path) not in MAKES_A_CAMERA or response.status_code not in (200, 201):
        return
    made, asked = response.json()["id"], response.request
    if made <= THINGS or "Authorization" not in asked.headers:
        return
    url = urlsplit(str(asked.url))
    requests.delete(
        f"{url.scheme}://{url.netloc}/cameras/{made}", headers={"Authorization": asked.headers["Authorization"]}, timeout=30)
