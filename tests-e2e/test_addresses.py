"""Names that lead to this machine: no camera is fetched from there, whichever way it is read."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from harness.server import NVR, wait_for

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps")


class Listener:
    """Takes every connection and counts them."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.count = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.count += 1

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def named():
    """A server for which `camera.test` is this machine and `cloud.test` the place where clouds keep their secrets."""
    with tempfile.TemporaryDirectory(prefix="hosts-") as folder:
        hosts = Path(folder) / "hosts"
        hosts.write_text("127.0.0.1 localhost\n127.0.0.1 camera.test\n::1 six.test\n169.254.169.254 cloud.test\n")
        rights = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        script = f"mount --bind {hosts} /etc/hosts && exec \"$@\""
        wrapper = [*rights, "sh", "-c", script, "sh"]
        if subprocess.run([*wrapper, "true"], capture_output=True).returncode:
            pytest.skip("no mount namespace can be made here")
        yield wrapper


@pytest.mark.parametrize("source", ["rtsp", "libav"])
def test_names_that_lead_to_this_machine_are_refused(named, source):
    peer = Listener()
    try:
        with NVR(wrapper=named, VIBENVR_ALLOW_LOOPBACK_CAMERAS="false", VIBENVR_SOURCE=source) as nvr:
            nvr.start().with_admin()
            hosts = ("camera.test", "six.test", "cloud.test")
            ids = {
                (scheme, host): nvr.api.add_camera(f"{scheme} {host}", f"{scheme}://{host}:{peer.port}/live/camera")
                for scheme in SCHEMES for host in hosts
            }
            reasons: dict = {}

            def told() -> bool:
                for case, key in ids.items():
                    camera = nvr.api.camera(key)
                    if camera["status"] == "UNREACHABLE":
                        reasons[case] = camera["status_reason"]
                return len(reasons) == len(ids)

            wait_for("every camera is UNREACHABLE", told, 30)
            assert all("not allowed" in reason for reason in reasons.values()), reasons
            for scheme in SCHEMES:
                answer = nvr.api.post("/cameras/probe-stream", json={"rtsp_url": f"{scheme}://camera.test:{peer.port}/live/camera"})
                assert answer.status_code == 200 and not answer.json()["success"] and "not allowed" in answer.json()["error"], answer.text
            assert peer.count == 0, "something was connected to"
            assert nvr.running
    finally:
        peer.close()
