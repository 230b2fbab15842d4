"""Secrets at rest: the files of the database alone give no password away, and no key is ever lost silently."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness.server import BUSY, NVR

KEY_A, KEY_B = "8f0c5e1b7a9d4c3e2f6b8a0d1c9e7f5b", "1a2b3c4d5e6f708192a3b4c5d6e7f809"
# Words that occur nowhere else.
PLANTED = [f"Plantedqz{number}Pw" for number in range(12)]
CAMERA = {
    "name": "Visible name", "is_active": False,
    "rtsp_url": f"rtsp://user:{PLANTED[0]}@192.0.2.7/main", "sub_rtsp_url": f"rtsp://192.0.2.7/sub?password={PLANTED[1]}",
    "onvif_password": PLANTED[2], "notify_telegram_token": PLANTED[3], "notify_health_telegram_token": PLANTED[4],
    "notify_webhook_url": f"https://hooks.example.com/{PLANTED[5]}", "notify_health_webhook_url": f"https://hooks.example.com/{PLANTED[6]}",
}
SETTINGS = {
    "smtp_password": PLANTED[7], "telegram_bot_token": PLANTED[8], "mqtt_password": PLANTED[9],
    "telegram_proxy_url": f"socks5://user:{PLANTED[10]}@192.0.2.9:1080", "oauth_client_secret": PLANTED[11], "smtp_server": "mail.example.com",
}


def forms(word: str) -> list[bytes]:
    """A word as it may lie in a file: plain, as hex, as UTF-16, in base 64 at each of the three places it can begin."""
    raw = word.encode()
    encoded = []
    for lead in range(3):
        text = base64.b64encode(b"\0" * lead + raw + b"\0" * 2)
        # Without the digits that hold bits of the neighbours.
        encoded.append(text[(lead * 8 + 5) // 6 : (lead + len(raw)) * 8 // 6])
    return [raw, raw.hex().encode(), raw.hex().upper().encode(), word.encode("utf-16-le"), word.encode("utf-16-be"), raw[::-1], *encoded]


def database_files(folder: Path) -> bytes:
    """What a thief has who copies the database and not the key."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("vibenvr.db*")))


def found(data: bytes) -> list[str]:
    return [word for word in PLANTED if any(form in data for form in forms(word))]


def plant(nvr: NVR) -> int:
    answer = nvr.api.post("/cameras", json=CAMERA)
    assert answer.status_code == 200, answer.text
    assert nvr.api.post("/settings/bulk", json=SETTINGS).status_code == 200
    return answer.json()["id"]


def whole(nvr: NVR, camera: int) -> None:
    """Everything that was planted is still there for the server."""
    answer = nvr.api.camera(camera)
    assert {key: answer[key] for key in CAMERA} == CAMERA
    backup = nvr.api.json("/settings/backup/export")
    stored = {item["key"]: item["value"] for item in backup["settings"]}
    assert {key: stored[key] for key in SETTINGS} == SETTINGS


def test_the_search_finds_what_is_there():
    for form in forms(PLANTED[0]):
        assert found(b"\x01\x02" + form + b"\x03") == [PLANTED[0]]
    for lead in range(6):
        assert found(base64.b64encode(b"x" * lead + PLANTED[3].encode() + b"yz")) == [PLANTED[3]]


def test_a_copy_of_the_database_gives_no_secret_away(nvr, tmp_path):
    camera = plant(nvr)
    nvr.api.put(f"/cameras/{camera}", json={"name": "Renamed"})
    nvr.api.put(f"/cameras/{camera}", json={"name": CAMERA["name"]})
    gone = nvr.api.post("/cameras", json=CAMERA).json()["id"]
    assert nvr.api.delete(f"/cameras/{gone}").status_code == 200
    running = database_files(nvr.data)
    assert b"Visible name" in running and b"mail.example.com" in running
    assert found(running) == []
    nvr.kill()
    assert found(database_files(nvr.data)) == []
    nvr.start()
    whole(nvr, camera)
    nvr.terminate()
    assert found(database_files(nvr.data)) == []
    assert (nvr.data / "secret-box.key").stat().st_mode & 0o777 == 0o600
    # Nor does anything else but the database hold them, the log least of all.
    others = b"".join(path.read_bytes() for path in nvr.data.rglob("*") if path.is_file() and not path.name.startswith("vibenvr.db"))
    assert found(others) == [] and found(nvr.log().encode()) == []


def make_old(nvr: NVR, camera: int) -> None:
    """Turns the database into one of a version that stored everything in plain text, with leftovers of deleted rows."""
    with closing(sqlite3.connect(nvr.data / "vibenvr.db")) as database:
        (text,) = database.execute("SELECT settings FROM cameras WHERE id = ?", (camera,)).fetchone()
        plain = json.dumps({**json.loads(text), **CAMERA})
        database.execute("UPDATE cameras SET settings = ? WHERE id = ?", (plain, camera))
        database.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", SETTINGS.items())
        database.execute("DROP TABLE installation")
        database.execute("DELETE FROM grdb_migrations WHERE identifier = 'M0005_Secrets'")
        for number in range(200):
            database.execute("INSERT INTO cameras (name, sort_order, created_us, settings) VALUES (?, 0, 0, ?)", (f"old {number}", plain))
        database.commit()
        database.execute("DELETE FROM cameras WHERE name LIKE 'old %'")
        database.commit()


def test_a_plain_database_is_encrypted_at_the_next_start_and_nothing_lingers(nvr):
    camera = plant(nvr)
    nvr.terminate()
    make_old(nvr, camera)
    assert found(database_files(nvr.data)) == sorted(PLANTED, key=PLANTED.index)
    nvr.start()
    assert found(database_files(nvr.data)) == []
    whole(nvr, camera)
    nvr.terminate()
    assert found(database_files(nvr.data)) == []
    assert nvr.check().returncode == 0


def serve(nvr: NVR, **environment: str):
    """A start that is expected to fail."""
    nvr.environment.update(environment)
    try:
        return nvr.run("serve", "--data-dir", str(nvr.data), "--port", "0", "--host", "127.0.0.1")
    finally:
        for name in environment:
            del nvr.environment[name]


def rows(nvr: NVR) -> list[str]:
    """Everything the database holds. Its bytes may move from the log into the file when it is only opened."""
    with closing(sqlite3.connect(f"file:{nvr.data}/vibenvr.db?mode=ro", uri=True, timeout=BUSY)) as database:
        return list(database.iterdump())


@pytest.mark.parametrize("key", ["missing", "other", "damaged"])
def test_without_its_key_the_server_says_so_and_changes_nothing(nvr, key, tmp_path):
    camera = plant(nvr)
    nvr.terminate()
    file = nvr.data / "secret-box.key"
    shutil.copy(file, tmp_path / "copy")
    before = rows(nvr)
    file.unlink()
    if key != "missing":
        file.write_bytes(b"\7" * (32 if key == "other" else 5))
    run = serve(nvr)
    assert run.returncode != 0
    assert "secret-box.key" in run.stderr and str(nvr.data) in run.stderr, run.stderr
    assert file.exists() == (key != "missing"), "no key is made in the place of a lost one"
    assert rows(nvr) == before
    shutil.copy(tmp_path / "copy", file)
    nvr.start()
    whole(nvr, camera)


def test_the_key_moves_from_the_file_to_secret_key_and_on(nvr):
    camera = plant(nvr)
    nvr.terminate()
    nvr.environment["SECRET_KEY"] = KEY_A
    nvr.start()
    whole(nvr, camera)
    nvr.terminate()
    (nvr.data / "secret-box.key").unlink()
    nvr.start()
    whole(nvr, camera)
    nvr.terminate()
    run = serve(nvr, SECRET_KEY_OLD="", SECRET_KEY=KEY_B)
    nvr.environment["SECRET_KEY"] = KEY_B
    assert run.returncode != 0 and "SECRET_KEY_OLD" in run.stderr and KEY_B not in run.stderr
    nvr.environment["SECRET_KEY_OLD"] = KEY_A
    nvr.start()
    whole(nvr, camera)
    nvr.terminate()
    del nvr.environment["SECRET_KEY_OLD"]
    nvr.start()
    whole(nvr, camera)
    assert found(database_files(nvr.data)) == []
