"""Settings of the server: what the reference has, checked, kept, and read by what they name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.server import NVR, PASSWORD

SECRETS = ["smtp_password", "telegram_bot_token", "telegram_proxy_url", "notify_webhook_url", "mqtt_password", "oauth_client_secret"]


@pytest.fixture(scope="module")
def nvr():
    with NVR() as server:
        yield server.start().with_admin()
        assert server.running, "the server died"


def test_values_are_kept_across_a_restart(nvr):
    assert nvr.api.put("/settings/opt_live_view_quality?value=61").json()["value"] == "61"
    assert nvr.api.put("/settings/mqtt_topic_prefix", json={"value": "house ü"}).json()["value"] == "house ü"
    assert nvr.api.put("/settings/smtp_port", data='"465"').json()["value"] == "465"
    assert nvr.api.post("/settings/bulk", json={"backup_auto_retention": 3, "smtp_password": "Planted-Pw"}).json()["count"] == 2
    before = nvr.api.json("/settings")
    nvr.terminate()
    nvr.start()
    assert nvr.api.json("/settings") == before
    assert before["opt_live_view_quality"]["value"] == "61" and before["backup_auto_retention"]["value"] == "3"
    assert "Planted-Pw" not in json.dumps(before) and before["smtp_password"]["value"] != ""


def test_what_a_form_was_shown_can_be_sent_back_whole(nvr):
    shown = nvr.api.json("/settings")
    answer = nvr.api.post("/settings/bulk", json={key: item["value"] for key, item in shown.items()})
    assert answer.status_code == 200, answer.text
    assert nvr.api.json("/settings") == shown
    stored = {item["key"]: item["value"] for item in nvr.api.json("/settings/backup/export")["settings"]}
    assert stored["smtp_password"] == "Planted-Pw"


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:1/", "http://169.254.169.254/latest/", "http://0xa9.0xfe.0xa9.0xfe/", "http://2852039166/", "http://0251.0376.0251.0376/",
    "http://[::ffff:169.254.169.254]/", "http://[fe80::1]/", "http://0.0.0.0/", "http://[::]/", "http://localhost./", "http://127.1/",
])
def test_webhooks_do_not_lead_to_the_server_or_its_cloud(url):
    with NVR(VIBENVR_ALLOW_LOOPBACK_CAMERAS="false") as server:
        api = server.start().with_admin().api
        before = api.json("/settings")
        for answer in (
            api.put("/settings/notify_webhook_url", params={"value": url}), api.post("/settings/bulk", json={"notify_webhook_url": url}),
            api.post("/settings/test-notify", json={"channel": "webhook", "settings": {"notify_webhook_url": url}}),
        ):
            assert answer.status_code == 400, answer.text
        assert api.json("/settings") == before


def test_new_cameras_take_the_default_live_view_mode(nvr):
    camera = {"name": "a", "rtsp_url": "rtsp://192.0.2.7/x", "is_active": False}
    assert nvr.api.post("/cameras", json=camera).json()["live_view_mode"] == "auto"
    assert nvr.api.put("/settings/default_live_view_mode?value=mjpeg").status_code == 200
    assert nvr.api.post("/cameras", json=camera).json()["live_view_mode"] == "mjpeg"
    assert nvr.api.post("/cameras", json={**camera, "live_view_mode": "webcodecs"}).json()["live_view_mode"] == "webcodecs"
