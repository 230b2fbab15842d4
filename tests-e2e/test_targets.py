"""What the server connects to: cameras may be private addresses, but neither the server itself nor link-local metadata, by no way of typing."""

from __future__ import annotations

import json
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.server import NVR, wait_for

# Each is this machine or the metadata service of a cloud, as some C library or other reads it.
FORBIDDEN = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0.0.0.0", "0", "0x0", "localhost", "LOCALHOST.",
    "camera.localhost", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "169.254.169.254", "169.254.1", "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "0251.254.0xa9fe", "[fe80::1]", "[febf::1]",
    "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "user:pw@169.254.169.254", "192.0.2.7@127.0.0.1",
]
GOOD = {"name": "good", "rtsp_url": "rtsp://192.0.2.7/stream", "is_active": False}


@pytest.fixture(scope="module")
def nvr():
    with NVR(VIBENVR_ALLOW_LOOPBACK_CAMERAS="false") as server:
        server.start().with_admin()
        server.camera = server.api.post("/cameras", json=GOOD).json()["id"]
        yield server
        assert server.running, "the server died"


@pytest.mark.parametrize("host", FORBIDDEN)
def test_no_route_takes_it(nvr, host):
    api, url = nvr.api, f"rtsp://{host}/x"
    before = api.json("/cameras")
    backup = api.json("/settings/backup/export")
    backup["cameras"][0]["rtsp_url"] = url
    upload = {"file": ("b.json", json.dumps(backup), "application/json")}
    answers = {
        "create": api.post("/cameras", json={**GOOD, "rtsp_url": url}), "create sub": api.post("/cameras", json={**GOOD, "sub_rtsp_url": url}),
        "create webhook": api.post("/cameras", json={**GOOD, "notify_webhook_url": f"http://{host}/x"}),
        "update": api.put(f"/cameras/{nvr.camera}", json={"rtsp_url": url}), "update sub": api.put(f"/cameras/{nvr.camera}", json={"sub_rtsp_url": url}),
        "update webhook": api.put(f"/cameras/{nvr.camera}", json={"notify_health_webhook_url": f"http://{host}/x"}),
        "probe": api.post("/cameras/probe-stream", json={"rtsp_url": url}), "probe http": api.post("/cameras/probe-stream", json={"rtsp_url": f"http://{host}/x"}),
        "import": api.post("/cameras/import", files={"file": ("c.json", json.dumps({"version": "1.1", "cameras": [{**GOOD, "rtsp_url": url}]}), "application/json")}),
        "restore": api.post("/settings/backup/import", files=upload),
        "setting": api.put("/settings/notify_webhook_url", params={"value": f"http://{host}/x"}),
        "notification": api.post("/settings/test-notify", json={"channel": "webhook", "settings": {"notify_webhook_url": f"http://{host}/x"}}),
    }
    for way, answer in answers.items():
        assert answer.status_code in (400, 422), f"{way}: {answer.status_code} {answer.text[:300]}"
        assert "pw@" not in answer.text
    assert api.json("/cameras") == before


def can_mount() -> bool:
    return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0


@contextmanager
def rebinding(tmp_path: Path, address: str):
    """A server for which the name rebinding.test leads to this machine, and a listener there that nobody may connect to."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
        try:
            listener.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        listener.listen()
        listener.setblocking(False)
        hosts = tmp_path / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{address} rebinding.test\n")
        bound = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]
        with NVR(wrapper=bound, VIBENVR_ALLOW_LOOPBACK_CAMERAS="false") as server:
            server.start().with_admin()
            yield server, f"rebinding.test:{listener.getsockname()[1]}"
            with pytest.raises(BlockingIOError):
                listener.accept()


@pytest.mark.skipif(not can_mount(), reason="no mount namespaces here")
@pytest.mark.parametrize("scheme", ["rtsp", "http"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_name_that_resolves_to_this_machine_is_not_connected_to(tmp_path: Path, scheme, address):
    """The name is fine when it is typed; what counts is the address that is connected to."""
    with rebinding(tmp_path, address) as (server, host):
        api = server.api
        url = f"{scheme}://{host}/x"
        look = api.post("/cameras/probe-stream", json={"rtsp_url": url})
        assert look.status_code == 200 and look.json()["success"] is False, look.text
        camera = api.add_camera("rebinding", url)
        wait_for("the camera to be given up for now", lambda: api.camera(camera)["status"] not in ("STARTING", "CONNECTED"))


@pytest.mark.skipif(not can_mount(), reason="no mount namespaces here")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_nor_are_webhooks_and_buckets_led_to_this_machine(tmp_path: Path, address):
    with rebinding(tmp_path, address) as (server, host):
        api = server.api
        answer = api.put("/settings/notify_webhook_url", json={"value": f"http://{host}/told"})
        assert answer.status_code == 200, answer.text
        profile = api.post("/storage/s3", json={"name": "x", "endpoint": f"http://{host}", "bucket": "footage", "access_key": "a", "secret_key": "b"})
        assert profile.status_code in (200, 201), profile.text
        tested = api.post(f"/storage/s3/{profile.json()['id']}/test")
        assert tested.status_code == 200 and tested.json()["ok"] is False, tested.text
        # A camera that is not there: after half a minute the server tells of it, and tries to.
        api.add_camera("away", "rtsp://192.0.2.1/x")
        wait_for("the webhook to be given up", lambda: server.metric("vibenvr_health_webhooks_lost_total") >= 1, 120)
        assert server.metric("vibenvr_health_webhooks_sent_total") == 0
