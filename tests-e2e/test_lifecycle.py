"""Start, stop and the commands beside the server: what the machine's owner relies on."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import stat
import time
from contextlib import closing

import pytest

from harness.api import API
from harness.machine import Machine
from harness.media import probe
from harness.server import NVR, PASSWORD, USER, wait_for
from peers import footage
from peers.fault_camera import FaultCamera
from peers.gst_camera import GstCamera
from peers.program_camera import free_port


def test_sigterm_finishes_every_file_within_5_seconds():
    films = {f"/{number}": footage.counter("h265" if number % 2 else "h264") for number in range(6)}
    with GstCamera(films) as camera, FaultCamera(footage.counter(), connect="silent") as dead, NVR(segment_seconds=None) as nvr, Machine(nvr, camera) as machine:
        nvr.start().with_admin()
        ids = [nvr.api.add_camera(path, camera.url(path)) for path in films]
        # One that hangs in its connect, one that refuses: neither may hold the end up.
        nvr.api.add_camera("hangs", dead.url())
        nvr.api.add_camera("refuses", f"rtsp://127.0.0.1:{free_port()}/x")
        wait_for("all record", lambda: all(any(row.end - row.start > 3 for row in nvr.rows(key)) for key in ids), 40)
        stopped = time.time()
        assert nvr.terminate() <= 5
        for key in ids:
            rows = nvr.rows(key)
            assert all(row.finished for row in rows)
            lost = stopped - rows[-1].end
            assert lost - machine.kept_waiting(stopped - 5, stopped + 1) < 1.5, f"{lost:.1f} s before the end are missing"
            for row in rows:
                movie = probe(row.path)
                assert abs((movie.video.end - movie.video.begin) - (row.end - row.start)) < 0.1
        assert nvr.check().returncode == 0


def test_sigterm_ends_motion_that_goes_on():
    film = footage.small()
    with GstCamera({"/main": film, "/sub": film}) as camera, NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        nvr.api.add_camera("cam", camera.url("/main"), sub_rtsp_url=camera.url("/sub"), detect_motion_mode="Always")
        wait_for("motion goes on", lambda: any(event["timestamp_end"] is None for event in nvr.api.events(event_type="motion")), 60)
        stopped = time.time()
        assert nvr.terminate() <= 5
        ended = time.time()
        with closing(sqlite3.connect(nvr.data / "vibenvr.db")) as database:
            ends = database.execute("SELECT end_us FROM events WHERE medium = 0 AND kind = 0 ORDER BY start_us").fetchall()
        assert ends and all(end is not None for (end,) in ends), "nothing is left for the next start to guess"
        assert stopped - 5 < ends[-1][0] / 1e6 < ended + 5
        assert "could not be stored" not in nvr.log()


def test_sigterm_while_somebody_downloads():
    with GstCamera({"/cam": footage.full_hd()}) as camera, NVR(segment_seconds=None) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("cam", camera.url("/cam"))
        wait_for("footage", lambda: any(row.bytes > 3_000_000 for row in nvr.rows(key)), 60)
        row = nvr.rows(key)[0]
        host, port = nvr.api.base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 120) as connection:
            # Asks for megabytes and then does not read them.
            path = f"/media/{row.path.relative_to(nvr.recordings)}"
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {nvr.api.token}\r\n\r\n".encode())
            assert b"200" in connection.recv(100)
            assert nvr.terminate() <= 5
        assert nvr.rows(key)[0].finished


def test_it_is_ready_at_once_and_on_the_port_asked_for():
    port = free_port()
    with NVR() as nvr, Machine(nvr) as machine:
        nvr._port = port
        begun = time.time()
        nvr.start()
        assert nvr.api.base.endswith(f":{port}")
        assert nvr.ready_seconds - machine.kept_waiting(begun) <= 2, f"{nvr.ready_seconds:.2f} s"
        assert nvr.api.get("/health").json()["status"] == "ok"


def test_a_taken_port_is_a_clear_error():
    with socket.socket() as taken, NVR() as nvr:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        nvr._port = taken.getsockname()[1]
        with pytest.raises(AssertionError):
            nvr.start()
        assert nvr.process.wait(120) != 0
        assert re.search(r"(?i)in use|address", nvr.log()), nvr.log()


def test_two_servers_do_not_share_a_data_folder(nvr):
    second = NVR(nvr.folder)
    second.log_path = nvr.folder / "second.log"
    with pytest.raises(AssertionError):
        second.start()
    assert nvr.api.get("/health").status_code == 200


def test_a_weak_key_is_refused():
    with NVR(SECRET_KEY="short") as nvr:
        with pytest.raises(AssertionError):
            nvr.start()
        assert "SECRET_KEY" in nvr.log()


def test_sign_ins_survive_a_restart_and_the_key_is_private():
    with NVR() as nvr:
        nvr.start().with_admin()
        token = nvr.api.token
        nvr.terminate()
        nvr.api.token = ""
        nvr.start()
        assert nvr.api.get("/auth/me", token=token).status_code == 200
        assert stat.S_IMODE((nvr.data / "secret.key").stat().st_mode) == 0o600
        for path in [nvr.data, *nvr.data.rglob("*")]:
            assert not stat.S_IMODE(path.stat().st_mode) & 0o007, f"{path.name} is open to everybody"


def test_setup_from_elsewhere_needs_the_code_of_the_log():
    with NVR(host="0.0.0.0") as nvr:
        nvr.start()
        body = {"username": USER, "password": PASSWORD}
        addresses = [line.split()[3].split("/")[0] for line in os.popen("ip -4 -o addr show scope global").read().splitlines()]
        if not addresses:
            pytest.skip("this machine has no address but loopback")
        port = nvr.api.base.rpartition(":")[2]
        outside = API(f"http://{addresses[0]}:{port}")
        assert outside.post("/auth/setup", json=body).status_code == 403
        wrong = outside.post("/auth/setup", json={**body, "code": "000000"})
        assert wrong.status_code == 403
        codes = wait_for("the code is in the log", lambda: re.findall(r"setup_code=([A-Z0-9-]+)", nvr.log()))
        assert outside.post("/auth/setup", json={**body, "code": codes[-1]}).status_code == 200


# Users from the shell.


def test_users_are_made_and_reset_from_the_shell():
    with NVR() as nvr:
        made = nvr.run("user", "create", "--data-dir", str(nvr.data), "ann", "--role", "admin", input="First-Passw0rd\n")
        assert made.returncode == 0, made.stdout + made.stderr
        assert "First-Passw0rd" not in made.stdout + made.stderr
        nvr.start()
        assert nvr.api.get("/auth/status").json()["setup_required"] is False
        nvr.api.login("ann", "First-Passw0rd")
        old = nvr.api.token
        twice = nvr.run("user", "create", "--data-dir", str(nvr.data), "ann", input="Other-Passw0rd\n")
        assert twice.returncode != 0
        weak = nvr.run("user", "create", "--data-dir", str(nvr.data), "bob", input="short\n")
        assert weak.returncode != 0
        # Also while the server runs; and every session of the user ends.
        reset = nvr.run("user", "reset-password", "--data-dir", str(nvr.data), "ann", input="Second-Passw0rd\n")
        assert reset.returncode == 0, reset.stdout + reset.stderr
        assert nvr.api.post("/auth/login", data={"username": "ann", "password": "First-Passw0rd"}, token="").status_code == 401
        wait_for("the old token is worth nothing", lambda: nvr.api.get("/auth/me", token=old).status_code == 401, 10)
        nvr.api.login("ann", "Second-Passw0rd")
        nobody = nvr.run("user", "reset-password", "--data-dir", str(nvr.data), "nobody", input="Second-Passw0rd\n")
        assert nobody.returncode != 0


def test_help_and_unknown_commands():
    with NVR() as nvr:
        for command in ("serve", "demo", "check", "user"):
            answer = nvr.run(command, "--help")
            assert answer.returncode == 0 and "--data-dir" in answer.stdout or command == "user", answer.stdout
        assert nvr.run("nonsense").returncode != 0
        assert nvr.run("serve", "--port", "99999", "--data-dir", str(nvr.data)).returncode != 0


# What must not be told.


def test_secrets_are_in_no_log_and_no_answer():
    secret, admin_secret = "S3cr3t-Camera-Word", "S3cr3t-Admin-Word!"
    with FaultCamera(footage.counter(gop_seconds=1), auth="digest", user="viewer", password=secret) as camera, NVR() as nvr:
        nvr.start()
        answers = [nvr.api.post("/auth/setup", json={"username": USER, "password": admin_secret})]
        nvr.api.login(USER, admin_secret)
        answers.append(nvr.api.post("/auth/login", data={"username": USER, "password": "S3cr3t-Wrong-Word!"}, token=""))
        key = nvr.api.add_camera("secret", camera.url(login=f"viewer:{secret}"))
        wait_for("footage", lambda: nvr.rows(key), 30)
        other = nvr.api.add_camera("wrong", camera.url(login="viewer:S3cr3t-Wrong-Word"))
        wait_for("refused", lambda: nvr.api.status(other) == "UNAUTHORIZED", 30)
        gone = nvr.api.add_camera("gone", f"rtsp://viewer:{secret}@127.0.0.1:{free_port()}/x")
        wait_for("unreachable", lambda: nvr.api.status(gone) == "UNREACHABLE", 30)
        camera.drop()
        answers += [
            nvr.api.post("/cameras/probe-stream", json={"rtsp_url": f"rtsp://viewer:{secret}@127.0.0.1:1/x", "rtsp_transport": "tcp"}),
            nvr.api.get("/metrics"), nvr.api.get("/stats"), nvr.api.get("/events"), nvr.api.get("/events/status"),
        ]
        for identifier in (key, other, gone):
            reason = nvr.api.camera(identifier)["status_reason"] or ""
            assert "S3cr3t" not in reason, reason
        token = nvr.api.token
        nvr.terminate()
        for answer in answers:
            assert "S3cr3t" not in answer.text, answer.url
        log = nvr.log()
        assert "S3cr3t" not in log, [line for line in log.splitlines() if "S3cr3t" in line][:3]
        assert token not in log and token.split(".")[2] not in log
        database = b"".join(path.read_bytes() for path in nvr.data.glob("vibenvr.db*"))
        assert admin_secret.encode() not in database
