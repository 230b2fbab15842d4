"""The API's document is true: a validator reads it, schemathesis tries it out, and a client that was generated from it works."""

from __future__ import annotations

import importlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from harness.server import NVR, PASSWORD, USER, wait_for
from peers import footage
from peers.gst_camera import GstCamera

HERE = Path(__file__).parent
TOOLS = Path(sys.executable).parent
# They end the sign-in with which all others are tried, or lock its address out; tests of their own try them.
LEFT_OUT = ["logOut", "logIn", "setUp"]
LEAST_CASES = 2000
# Of calls that take up what others answered.
LEAST_CHAINED = 1000
LONG_SECONDS = 1200
CHAIN_SECONDS = 600
THINGS = 40
# As in schemathesis_hooks.py, which only the tool can load.
ROBOT = 987654321


def test_the_document_is_valid(fresh):
    from openapi_spec_validator import validate

    document = fresh.api.json("/openapi.json", token="")
    validate(document)
    assert document["openapi"].startswith("3.1")
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"] and operation["tags"], f"{method} {path}"


def robot(nvr: NVR, role: str = "admin") -> None:
    """Signs in a user whose number is not stumbled upon, so that nothing tried at random ends her sessions."""
    made = nvr.run("user", "create", "--data-dir", str(nvr.data), "--role", role, "robot", input=PASSWORD + "\n")
    assert made.returncode == 0, made.stderr
    nvr.terminate()
    with closing(sqlite3.connect(nvr.data / "vibenvr.db")) as database:
        database.execute("UPDATE users SET id = ? WHERE username = 'robot'", [ROBOT])
        database.commit()
    nvr.api.token = ""
    nvr.start()
    nvr.api.login("robot", PASSWORD)


@contextmanager
def populated(role: str = "admin"):
    """A server with a camera that records, things of every kind beside it, and somebody signed in who may try what she likes."""
    with GstCamera({"/cam": footage.counter()}) as camera, NVR(segment_seconds=3) as nvr:
        api = nvr.start().with_admin().api
        api.add_camera("Recording", camera.url("/cam"))
        for number in range(2, THINGS + 1):
            api.add_camera(f"Camera {number}", f"rtsp://127.0.0.1:1/{number}", is_active=False)
        for number in range(1, THINGS + 1):
            # Each of these answers 404 where it does not exist yet.
            api.post("/groups", json={"name": f"Group {number}"})
            api.post("/v1/api-tokens", json={"name": f"Key {number}"})
        for number in range(1, 6):
            api.post("/users", json={"username": f"User {number}", "password": PASSWORD, "role": "viewer"})
        wait_for("events", lambda: sum(event["timestamp_end"] is not None for event in api.events()) >= 2, 40)
        robot(nvr, role)
        yield nvr


def tried(nvr: NVR, folder: Path, *options: str, limit: int, is_chained: bool = False) -> dict:
    """Runs schemathesis as whoever is signed in; its report. `is_chained`: ids come from answers."""
    report, output = folder / "report.json", folder / "output.txt"
    command = [
        str(TOOLS / "schemathesis"), "--config-file", str(HERE / "schemathesis.toml"), "run", nvr.api.base + "/openapi.json",
        "-H", f"Authorization: Bearer {nvr.api.token}", "--report", "json", "--report-json-path", str(report), "--no-color",
        "--continue-on-failure", "--request-timeout", "120", "--warnings", "off",
        *[word for name in LEFT_OUT for word in ("--exclude-operation-id", name)], *options,
    ]
    environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(folder), "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE), "VIBENVR_CHAINED": str(int(is_chained))}
    with output.open("wb") as file:
        run = subprocess.Popen(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, env=environment)
        try:
            run.wait(limit)
        except subprocess.TimeoutExpired:
            pytest.fail(f"not done after {limit} s:\n{output.read_text()[-4000:]}")
        finally:
            run.kill()
            run.wait()
    text = output.read_text()
    # Long texts at random hide what is wrong with them.
    said = re.sub(r"([^\n]{600})[^\n]+", r"\1 …", text[text.find("FAILURES") :])
    assert nvr.running, nvr.last_words()
    assert run.returncode == 0 and "FAILURES" not in text and "ERRORS" not in text, said[-12000:]
    print(text[-1500:])
    result = json.loads(report.read_text())
    assert not result["failures"] and not result["errors"], said[-12000:]
    return result


@pytest.mark.timeout(1800)
def test_the_server_does_as_its_document_says(tmp_path):
    """Data within and outside of every schema: no 5xx, no undocumented answer, no hang. The seed is fixed, so that a failure comes again."""
    with populated() as nvr:
        result = tried(nvr, tmp_path, "--phases", "examples,coverage,fuzzing", "--seed", "1", "-n", "10", "--no-shrink", limit=1700)
        operations = sum(len(item) for item in nvr.api.json("/openapi.json")["paths"].values())
        # The document itself is not tried.
        assert result["operations"]["tested"] == operations - len(LEFT_OUT) - 1
        assert result["test_cases"]["generated"] >= LEAST_CASES, result["test_cases"]
        # The administrator is still who she was, and nothing was written to the log that is no answer.
        assert nvr.api.json("/auth/me")["role"] == "admin"
        assert "a request failed" not in nvr.log()


@pytest.mark.slow
@pytest.mark.timeout(2700)
def test_the_server_does_as_its_document_says_for_long(tmp_path):
    """Another seed each time, and as many cases as fit into twenty minutes: the tool goes on until its time is over and then reports."""
    with populated() as nvr:
        before = nvr.resident()
        tried(nvr, tmp_path, "--phases", "examples,coverage,fuzzing", "-n", "200", "--no-shrink", "--max-time", str(LONG_SECONDS), limit=LONG_SECONDS + 600)
        assert nvr.resident() - before < 300 << 20
        assert "a request failed" not in nvr.log()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_what_one_call_answers_may_be_sent_in_the_next(tmp_path):
    """Calls one after another that take ids and values from answers, for ten minutes: the tool makes new chains until its time is over."""
    with populated() as nvr:
        result = tried(nvr, tmp_path, "--phases", "stateful", "-n", "20", "--no-shrink", "--max-time", str(CHAIN_SECONDS), limit=CHAIN_SECONDS + 300, is_chained=True)
        assert result["test_cases"]["generated"] >= LEAST_CHAINED, result["test_cases"]
        assert nvr.api.json("/auth/me")["role"] == "admin"
        assert "a request failed" not in nvr.log()


@pytest.mark.timeout(1800)
def test_viewers_and_keys_meet_no_surprise(tmp_path):
    """The same as somebody who may little: mostly refusals, all of them documented."""
    with populated("viewer") as nvr:
        tried(nvr, tmp_path, "--phases", "coverage", "--seed", "1", "--no-shrink", "--exclude-checks", "positive_data_acceptance", limit=1700)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """The package that a public generator makes of the document."""
    folder = tmp_path_factory.mktemp("generated")
    with NVR() as nvr:
        nvr.start()
        (folder / "openapi.json").write_text(nvr.api.get("/openapi.json").text)
    # It knows files only as this type.
    files = ["multipart/x-mixed-replace", "application/vnd.apple.mpegurl", "video/mp4", "image/jpeg", "image/png", "image/webp", "multipart/byteranges", "application/x-tar", "application/zip", "text/css", "text/javascript", "image/svg+xml"]
    (folder / "config.json").write_text(json.dumps({"content_type_overrides": {name: "application/octet-stream" for name in files}, "post_hooks": [], "literal_enums": True}))
    made = subprocess.run(
        [str(TOOLS / "openapi-python-client"), "generate", "--path", "openapi.json", "--meta", "none", "--output-path", "vibenvr_client", "--config", "config.json"],
        cwd=folder, capture_output=True, text=True, timeout=500)
    assert made.returncode == 0, made.stdout + made.stderr
    left_out = re.findall(r"parsing (\w+ \S+) within", made.stdout + made.stderr)
    assert not left_out, made.stdout
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("vibenvr_client")
    finally:
        sys.path.remove(str(folder))


def test_a_generated_client_works(client):
    """Sign in, add a camera, list events, download one: in the words of the document alone."""

    def call(tag: str, name: str):
        return importlib.import_module(f"vibenvr_client.api.{tag}.{name}")

    models = importlib.import_module("vibenvr_client.models")
    with GstCamera({"/cam": footage.counter()}) as camera, NVR() as nvr:
        nvr.start()
        anonymous = client.Client(base_url=nvr.api.base)
        administrator = call("sessions", "set_up").sync(client=anonymous, body=models.SetUp(username=USER, password=PASSWORD))
        assert isinstance(administrator, models.User) and administrator.role == "admin"
        token = call("sessions", "log_in").sync(client=anonymous, body=models.LogIn(username=USER, password=PASSWORD))
        assert isinstance(token, models.Token)
        signed_in = client.AuthenticatedClient(base_url=nvr.api.base, token=token.access_token)
        assert call("sessions", "get_me").sync(client=signed_in).username == USER

        new = models.NewCamera(name="Generated", rtsp_url=camera.url("/cam"), recording_mode="Continuous", max_movie_length=60)
        added = call("cameras", "create_camera").sync(client=signed_in, body=new)
        assert isinstance(added, models.Camera) and added.name == "Generated" and added.id > 0
        changed = call("cameras", "update_camera").sync(added.id, client=signed_in, body=models.CameraChanges(location="Porch"))
        assert changed.location == "Porch" and changed.name == "Generated"
        assert [one.id for one in call("cameras", "list_cameras").sync(client=signed_in)] == [added.id]

        wait_for("an event", lambda: call("events", "list_events").sync(client=signed_in, camera_id=added.id), 40)
        event = wait_for(
            "a finished event",
            lambda: next((one for one in call("events", "list_events").sync(client=signed_in, event_type="continuous") if one.timestamp_end), None), 40)
        assert isinstance(event, models.Event) and event.camera_id == added.id
        movie = call("events", "download_event").sync_detailed(event.id, client=signed_in)
        assert movie.status_code == 200 and movie.content[4:8] == b"ftyp"

        missing = call("cameras", "get_camera").sync_detailed(9999, client=signed_in)
        assert missing.status_code == 404 and isinstance(missing.parsed, models.Refusal) and missing.parsed.detail == "Camera not found"
        stranger = call("cameras", "list_cameras").sync(client=client.AuthenticatedClient(base_url=nvr.api.base, token="no.such.token"))
        assert isinstance(stranger, models.Refusal)
        problem = call("cameras", "update_camera").sync(added.id, client=signed_in, body=models.CameraChanges(max_movie_length=1))
        assert isinstance(problem, models.Problems) and problem.detail[0].loc == ["body", "max_movie_length"]
        assert call("cameras", "delete_camera").sync(added.id, client=signed_in).id == added.id
