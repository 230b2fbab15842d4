"""HTTPS in the box: certificates given or made, renewed while it runs, the way from plain HTTP, WebSockets and cookies."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import stat
import subprocess
from pathlib import Path

import pytest
import requests

from harness.server import NVR, PASSWORD, USER, wait_for
from harness.websocket import Refused, WebSocket


def certificate(folder: Path, name: str, *options: str) -> tuple[str, str]:
    """A certificate for localhost and its key, made by openssl."""
    files = str(folder / f"{name}.crt"), str(folder / f"{name}.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", files[0], "-keyout", files[1], *options],
        check=True, capture_output=True)
    return files


def shown(base: str) -> bytes:
    """The certificate that the server shows, DER."""
    host, port = base.removeprefix("https://").split(":")
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))


def der(path: str | Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(Path(path).read_text())


def test_a_certificate_of_its_own(tmp_path):
    with NVR(tmp_path, VIBENVR_TLS_SELF_SIGNED="true", VIBENVR_HTTP_REDIRECT_PORT="0") as nvr:
        nvr.start().with_admin()
        base = nvr.api.base
        assert base.startswith("https://")
        key, chain = nvr.data / "tls" / "self-signed.key", nvr.data / "tls" / "self-signed.crt"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert shown(base) == der(chain)

        # It is good for whoever trusts it, by name and by address.
        facts = subprocess.run(["openssl", "x509", "-in", str(chain), "-noout", "-text"], check=True, capture_output=True, text=True).stdout
        assert "DNS:localhost" in facts and "IP Address:127.0.0.1" in facts and "TLS Web Server Authentication" in facts
        assert "CA:FALSE" in facts
        trusting = requests.Session()
        trusting.trust_env = False
        port = base.rsplit(":", 1)[1]
        for host in ("127.0.0.1", "localhost"):
            assert trusting.get(f"https://{host}:{port}/health", verify=str(chain)).status_code == 200

        # Cookies follow the scheme, and browsers are told to stay with it.
        answer = nvr.api.post("/auth/login", data={"username": USER, "password": PASSWORD})
        cookies = answer.raw.headers.getlist("set-cookie")
        assert len(cookies) == 2 and all("; Secure" in cookie and "HttpOnly" in cookie for cookie in cookies)
        assert "max-age" in answer.headers["Strict-Transport-Security"]

        # WebSockets go over TLS, too, and are refused over it.
        with pytest.raises(Refused) as refused:
            WebSocket(base, "/cameras/1/ws", token=nvr.api.token)
        assert refused.value.status == 404 and b"Camera not found" in refused.value.body
        camera = nvr.api.add_camera("nothing", "rtsp://127.0.0.1:1/x")
        with WebSocket(base, f"/cameras/{camera}/ws", token=nvr.api.token) as viewer:
            assert viewer.message().json["type"] == "state"

        # Plain HTTP is sent to HTTPS, whatever it asks for.
        match = wait_for("the redirect port is told", lambda: re.search(r"https_port=\d+ port=(\d+)", nvr.log()))
        plain = f"http://127.0.0.1:{match[1]}"
        for method, path in (("GET", "/cameras?limit=1&x=%2F"), ("POST", "/auth/login"), ("HEAD", "/")):
            answer = requests.request(method, plain + path, allow_redirects=False, data=b"x" if method == "POST" else None, timeout=120)
            assert answer.status_code == 308 and answer.headers["Location"] == f"https://127.0.0.1:{port}{path}"
            assert "Strict-Transport-Security" not in answer.headers
        with socket.create_connection(("127.0.0.1", int(match[1])), 120) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: a b\r\nX: y\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 400 ")
        # Neither port speaks the other's language.
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/health", timeout=120)
        first = der(chain)
        nvr.terminate()

        # The next start shows the same one, and one that is about to end is replaced.
        nvr.start()
        assert shown(nvr.api.base) == first
        nvr.terminate()
        subprocess.run(
            ["openssl", "req", "-x509", "-key", str(key), "-days", "10", "-subj", "/CN=old", "-out", str(chain)], check=True, capture_output=True)
        nvr.start()
        assert b"old" not in shown(nvr.api.base) and shown(nvr.api.base) == der(chain)


def test_old_protocols_are_refused(tmp_path):
    with NVR(tmp_path, VIBENVR_TLS_SELF_SIGNED="true") as nvr:
        nvr.start()
        address = tuple(nvr.api.base.removeprefix("https://").split(":"))

        def connect(version: ssl.TLSVersion) -> str:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            with socket.create_connection(address, 120) as raw, context.wrap_socket(raw) as secure:
                return secure.version()

        assert connect(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        assert connect(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
        for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                connect(old)


def test_certificates_are_renewed_while_it_runs(tmp_path):
    first, second, third = (certificate(tmp_path, name) for name in ("first", "second", "third"))
    live = tmp_path / "live.crt", tmp_path / "live.key"

    def install(files: tuple[str, str]) -> None:
        # As renewal programs do: each file is replaced whole, one after the other.
        for source, target in zip(files, live):
            part = target.with_suffix(".part")
            part.write_bytes(Path(source).read_bytes())
            os.replace(part, target)

    install(first)
    with NVR(tmp_path / "nvr", VIBENVR_TLS_CERT=str(live[0]), VIBENVR_TLS_KEY=str(live[1])) as nvr:
        (tmp_path / "nvr").mkdir()
        nvr.start().with_admin()
        base = nvr.api.base
        assert shown(base) == der(first[0])
        camera = nvr.api.add_camera("nothing", "rtsp://127.0.0.1:1/x")
        with WebSocket(base, f"/cameras/{camera}/ws", token=nvr.api.token) as viewer:
            viewer.message()
            install(second)
            wait_for("the new certificate is shown", lambda: shown(base) == der(second[0]))
            # Connections that are open stay.
            viewer.send(9, b"still there")
            while viewer.receive().opcode != 10:
                pass  # What the server told of the camera meanwhile.
        install(third)
        os.kill(nvr.pid, signal.SIGHUP)
        wait_for("the third certificate is shown", lambda: shown(base) == der(third[0]))

        # What is no good changes nothing, and the log says why.
        live[0].write_text("no certificate")
        os.kill(nvr.pid, signal.SIGHUP)
        wait_for("the log names the file", lambda: f"the TLS certificate {live[0]} is no PEM certificate" in nvr.log())
        assert shown(base) == der(third[0])
        live[0].write_bytes(Path(first[0]).read_bytes())
        os.kill(nvr.pid, signal.SIGHUP)
        wait_for("the log tells of the mismatch", lambda: "does not belong to the certificate" in nvr.log())
        assert shown(base) == der(third[0])
        nvr.terminate()


def test_what_cannot_work_is_told_at_the_start(tmp_path):
    good, other = certificate(tmp_path, "good"), certificate(tmp_path, "other")
    encrypted = tmp_path / "encrypted.key"
    subprocess.run(["openssl", "ec", "-in", good[1], "-aes256", "-passout", "pass:x", "-out", str(encrypted)], check=True, capture_output=True)
    (tmp_path / "junk").write_text("junk")
    missing, folder = str(tmp_path / "missing"), str(tmp_path)
    cases = {
        ("--tls-cert", missing, "--tls-key", good[1]): [missing, "No such file"],
        ("--tls-cert", good[0], "--tls-key", missing): [missing, "No such file"],
        ("--tls-cert", folder, "--tls-key", good[1]): [folder, "cannot be read"],
        ("--tls-cert", str(tmp_path / "junk"), "--tls-key", good[1]): ["junk", "no PEM certificate"],
        ("--tls-cert", good[0], "--tls-key", str(tmp_path / "junk")): ["junk", "no PEM key"],
        ("--tls-cert", good[0], "--tls-key", str(encrypted)): ["encrypted.key", "passphrase"],
        ("--tls-cert", good[0], "--tls-key", other[1]): [other[1], "does not belong"],
        ("--tls-cert", good[0]): ["--tls-key"],
        ("--tls-key", good[1]): ["--tls-cert"],
        ("--tls-cert", good[0], "--tls-key", good[1], "--tls-self-signed"): ["--tls-self-signed"],
        ("--http-redirect-port", "8081"): ["HTTPS"],
        ("--tls-self-signed", "--port", "8443", "--http-redirect-port", "8443"): ["8443"],
        ("--tls-self-signed", "--http-redirect-port", "70000"): ["70000"],
    }
    nvr = NVR(tmp_path / "nvr")
    for options, words in cases.items():
        port = [] if "--port" in options else ["--port", "0"]
        run = nvr.run("serve", "--data-dir", str(tmp_path / "data"), "--host", "127.0.0.1", *port, *options)
        said = run.stdout + run.stderr
        assert run.returncode != 0, options
        assert all(word in said for word in words), f"{options}: {said}"
        assert "PRIVATE KEY" not in said


def test_a_redirect_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        nvr = NVR(tmp_path)
        run = nvr.run(
            "serve", "--data-dir", str(tmp_path / "data"), "--host", "127.0.0.1", "--port", "0", "--tls-self-signed", "--http-redirect-port", str(port))
        assert run.returncode != 0 and f"port {port}" in run.stdout + run.stderr and "in use" in run.stdout + run.stderr
