"""The log: on disk, rotated, readable through the API, and never with a credential in it."""

from __future__ import annotations

import re
import time
from pathlib import Path

from harness.machine import Machine
from harness.server import NVR, PASSWORD, USER, wait_for
from peers import footage
from peers.fault_camera import FaultCamera
from peers.program_camera import free_port

SECRET = "Pl4nted-S3cret-Value"
LINE = re.compile(r'time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(\w+) source=(\w+) msg="')


def files(nvr) -> list[Path]:
    return sorted((nvr.data / "logs").glob("vibenvr.log*"))


def whole_lines(text: str) -> str:
    """Without one that is being written."""
    return text[: text.rfind("\n") + 1]


def test_the_file_holds_what_is_said(nvr):
    said = wait_for("something is said", lambda: [line for line in whole_lines(nvr.log()).splitlines() if line.startswith("time=")])
    # The file is written behind what is said.
    text = wait_for(
        "the file holds it", lambda: files(nvr) and (text := whole_lines(files(nvr)[0].read_text())) and all(line in text for line in said) and text)
    assert all(LINE.match(line) for line in text.splitlines()), text
    assert files(nvr)[0].stat().st_mode & 0o777 == 0o600
    lines = nvr.api.json("/logs/", params={"service": "all"})
    assert lines[: len(text.splitlines())] == text.splitlines()
    assert nvr.api.get("/logs/download").text.startswith(text)

    def newest() -> bool:
        """The newest line is that of the whole, unless another came in between."""
        before = nvr.api.json("/logs/", params={"service": "all"})
        return nvr.api.json("/logs/", params={"service": "backend", "lines": 1}) == before[-1:]

    wait_for("the newest line is told", newest)
    assert nvr.api.json("/logs/", params={"service": "all", "level": "critical"}) == []
    nvr.terminate()
    assert nvr.data.joinpath("logs/vibenvr.log").read_text().splitlines()[-1] in nvr.log()


def test_it_is_rotated_by_its_settings(nvr):
    api = nvr.api
    assert api.put("/settings/log_max_size_mb", json={"value": "1"}).status_code == 200
    assert api.put("/settings/log_backup_count", json={"value": "2"}).status_code == 200
    # Two megabytes of old lines; the next line finds the file full.
    first = nvr.data / "logs" / "vibenvr.log"
    machine = Machine(nvr)
    for round in range(4):
        with first.open("a") as log:
            log.write(f'time=2026-01-01T00:00:00.000Z level=info source=Test msg="round {round}" pad={"x" * 1000}\n' * 2100)
        # Reopened, since its length is known by heart otherwise.
        nvr.terminate()
        nvr.start()
        api.post("/auth/login", token="", data={"username": USER, "password": "wrong"})
        wait_for("a rotation", lambda: first.exists() and first.stat().st_size < 1 << 20, 20)
    assert [path.name for path in files(nvr)] == ["vibenvr.log", "vibenvr.log.1", "vibenvr.log.2"]
    begun = time.time()
    found = api.json("/logs/", params={"service": "all", "search": "round 3", "lines": 10000})
    assert len(found) == 2100
    assert not api.json("/logs/", params={"service": "all", "search": "round 0"})
    took = time.time() - begun
    assert took < 20 or took - machine.kept_waiting(begun) < 20
    machine.close()
    whole = api.get("/logs/download")
    assert len(whole.content) == sum(path.stat().st_size for path in files(nvr)) or len(whole.content) > 4 << 20
    part = api.get("/logs/download", headers={"Range": "bytes=0-99"})
    assert part.status_code == 206 and part.content == whole.content[:100]


def test_no_credential_is_ever_in_it():
    """A whole life: cameras that answer, refuse and are not there, probes, wrong sign-ins, bad bodies, settings, restarts."""
    with FaultCamera(footage.counter(gop_seconds=1), auth="digest", user="viewer", password=SECRET) as camera, NVR(LOG_LEVEL="trace") as nvr:
        api = nvr.start().with_admin().api
        tokens = [api.token]
        cameras = [
            api.add_camera("good", camera.url(login=f"viewer:{SECRET}")), api.add_camera("wrong", camera.url(login=f"viewer:{SECRET}x")),
            api.add_camera("gone", f"rtsp://viewer:{SECRET}@127.0.0.1:{free_port()}/x"),
            api.add_camera("query", f"rtsp://127.0.0.1:{free_port()}/x?user=viewer&password={SECRET}"),
        ]
        api.put(f"/cameras/{cameras[0]}", json={"onvif_password": SECRET, "notify_telegram_token": SECRET})
        wait_for("connected", lambda: api.status(cameras[0]) == "CONNECTED", 30)
        wait_for("unreachable", lambda: api.status(cameras[2]) == "UNREACHABLE", 30)
        answers = [
            api.post("/cameras/probe-stream", json={"rtsp_url": f"rtsp://viewer:{SECRET}@127.0.0.1:1/x", "rtsp_transport": "tcp"}),
            api.post("/auth/login", token="", data={"username": USER, "password": SECRET}),
            api.post("/auth/login", token="", data={"username": SECRET, "password": SECRET}),
            api.post("/auth/login", token="", json={"username": USER, "password": SECRET}),
            api.post("/cameras", data="{" + SECRET, headers={"Content-Type": "application/json"}),
            api.post("/cameras", json={"rtsp_url": f"rtsp://a:{SECRET}@10.0.0.9/x"}),
            api.get("/cameras", token="", headers={"X-API-Key": SECRET}), api.get("/cameras", token=SECRET),
            api.get(f"/events?token={SECRET}"), api.get(f"/nosuch/{SECRET}?password={SECRET}"),
            api.put("/settings/smtp_password", json={"value": SECRET}), api.put("/settings/mqtt_password", params={"value": SECRET}),
            api.get("/settings/engine/debug-status"), api.get("/stats"), api.get("/events/status"), api.get("/audit"), api.get("/metrics"),
        ]
        camera.drop()
        time.sleep(1)
        nvr.terminate()
        nvr.start()
        tokens.append(api.token)
        answers.append(api.get("/logs/", params={"service": "all", "lines": 10000}))
        answers.append(api.get("/logs/download"))
        nvr.terminate()
        text = nvr.log() + "".join(path.read_text() for path in files(nvr))
    assert len(text.splitlines()) > 20
    for planted in (SECRET, PASSWORD, *tokens, *(token.split(".")[2] for token in tokens)):
        lines = [line[:300] for line in text.splitlines() if planted in line]
        assert not lines, lines[:3]
    for answer in answers[10:]:
        assert SECRET not in answer.text, (answer.url.replace(SECRET, "…"), answer.text[:300])


def test_only_administrators_read_it(nvr):
    for path in ("/logs/?service=all", "/logs/download"):
        assert nvr.api.get(path, token="").status_code == 401
    for path in ("/logs/../vibenvr.db", "/logs/..%2fvibenvr.db", "/logs/download/../../vibenvr.db", "/logs/vibenvr.log"):
        assert nvr.api.get(path).status_code in (404, 405)
