"""Pictures of the interface for docs/screenshots, from the real server with simulated cameras: `make screenshots`.

Each page as a desktop and as a phone shows it, dark and light. They are made smaller and of few colours, so that the repository stays small.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from harness.browser import DESKTOP, PHONE, browsing  # noqa: E402
from harness.server import NVR, REPOSITORY, wait_for  # noqa: E402
from peers import footage  # noqa: E402
from peers.gst_camera import GstCamera  # noqa: E402

TARGET = REPOSITORY / "docs" / "screenshots"
# Bytes of all of them together.
BUDGET = 3_000_000
# Where the server's data lies: a page shows it, and it should look like any machine's.
PLACE = Path("/tmp/vibenvr")

PAGES = {
    "live": ("/ui/live", "return document.querySelectorAll('.tile[data-condition=playing]').length >= Math.min(document.querySelectorAll('.tile').length - 1, innerWidth > 600 ? 9 : 2)"),
    "camera": ("/ui/live/1", "return document.querySelector('.enlarged')?.dataset.condition === 'playing'"),
    "replay": ("/ui/replay?cameras=1,2,3,4&t={moment}", "return [...document.querySelectorAll('.replay .tile')].every((tile) => tile.dataset.state === 'ready')"),
    "events": ("/ui/events", "return [...document.querySelectorAll('#event-list img')].filter((image) => image.naturalWidth > 50).length > 3"),
    "cameras": ("/ui/cameras", "return [...document.querySelectorAll('img.thumb')].filter((image) => image.naturalWidth > 50).length > 2"),
    "editor": ("/ui/cameras/1/recording", "return document.querySelectorAll('.editor .field').length > 4"),
    "masks": ("/ui/cameras/1/masks", "return document.querySelector('.mask-stage img')?.naturalWidth > 100"),
    "groups": ("/ui/cameras/groups", "return document.querySelectorAll('#main .card').length >= 2"),
    "dashboard": ("/ui/system", "return document.querySelectorAll('.card').length >= 4"),
    "storage": ("/ui/system/storage", "return document.querySelectorAll('#main .card').length >= 3"),
    "users": ("/ui/system/users", "return document.querySelector('tbody tr')"),
    "settings": ("/ui/system/settings", "return document.querySelectorAll('#main .card').length >= 6"),
    "backups": ("/ui/system/backups", "return document.querySelectorAll('tbody tr').length >= 2"),
    "logs": ("/ui/system/logs", "return document.querySelectorAll('.log div').length > 5"),
    "audit": ("/ui/system/audit", "return document.querySelectorAll('tbody tr').length > 5"),
    "about": ("/ui/system/about", "return document.querySelectorAll('#main .card').length >= 3"),
    "profile": ("/ui/profile", "return document.querySelectorAll('.card').length >= 4"),
}


def shrink(raw: Path, width: int, target: Path) -> None:
    picture = f"scale={width}:-1:flags=area,split[a][b];[a]palettegen=max_colors=80:stats_mode=full[p];[b][p]paletteuse=dither=none"
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", raw, "-vf", picture, "-update", "1", "-compression_level", "100", target], check=True)


def prepare(nvr: NVR, camera: GstCamera) -> float:
    """Cameras, people and some footage; the moment that the replay shows."""
    names = [("Front door", "street", "Continuous", "Street"), ("Car park", "walkers", "Continuous", "Outside"), ("Loading bay", "street", "Motion Triggered", "Outside"),
             ("Reception", "walkers", "Continuous", "Ground floor"), ("Corridor", "street", "Off", "First floor")]
    for name, mount, mode, place in names:
        nvr.api.add_camera(name, camera.url(f"/{mount}"), sub_rtsp_url=camera.url(f"/{mount}-small"), recording_mode=mode, location=place, detect_motion_mode="Always", audio_enabled=mount == "street")
    nvr.api.add_camera("Garage", "rtsp://127.0.0.1:1/stream1", location="Outside")
    nvr.api.post("/groups", json={"name": "Outside", "description": "Everything that it rains on"})
    nvr.api.post("/groups/1/cameras", json={"camera_ids": [2, 3, 6]})
    nvr.api.post("/groups", json={"name": "Ground floor", "description": "What visitors see"})
    nvr.api.post("/groups/2/cameras", json={"camera_ids": [1, 4]})
    nvr.api.post("/storage/profiles", json={"name": "Archive", "path": str(nvr.folder / "archive"), "description": "The large disk", "max_size_gb": 4000})
    nvr.api.put("/cameras/1", json={"mask": True, "motion_masks": [{"points": [[0.02, 0.05], [0.48, 0.04], [0.46, 0.28], [0.03, 0.36]]}]})
    nvr.api.post("/users", json={"username": "anna", "password": "Watching-7-things", "email": "anna@example.com", "role": "viewer", "restrict_camera_access": True,
                                 "camera_accesses": [{"id": 1, "can_view": True, "can_replay": True}], "group_accesses": [{"id": 1, "can_view": True}]})
    nvr.api.post("/settings/backup/run")
    begun = time.time()
    wait_for("recordings", lambda: sum(bool(event["timestamp_end"]) and bool(event["thumbnail_path"]) for event in nvr.api.events()) >= 12, 240, 1)
    wait_for("a minute of footage", lambda: time.time() - begun > 75, 120, 1)
    held = {"start": begun + 20, "end": begun + 50, "reason": "Police, case 17"}
    assert nvr.api.put("/cameras/1/holds", json=held).status_code == 200
    nvr.api.post("/settings/backup/run")
    return begun + 45


def main() -> None:
    PLACE.mkdir()
    try:
        take()
    finally:
        shutil.rmtree(PLACE)


def take() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    large, small = footage.walkers()
    mounts = {"/street": (footage.street(), footage.sound("aac")), "/street-small": footage.small(), "/walkers": large, "/walkers-small": small}
    with GstCamera(mounts, live=True) as camera, NVR(PLACE, segment_seconds=20) as nvr, tempfile.TemporaryDirectory() as folder, browsing(Path(folder) / "profile") as browser:
        raw = Path(folder) / "raw.png"
        nvr.start()
        for phone in (False, True):
            for light in (False, True):
                browser.emulate(PHONE if phone else DESKTOP, phone=phone, light=light).get(nvr.api.base + "/ui")
                browser.shown("#setup-form")
                shrink(browser.picture(raw), 300 if phone else 800, TARGET / f"set-up-{'phone' if phone else 'desktop'}-{'light' if light else 'dark'}.png")
        nvr.with_admin()
        moment = prepare(nvr, camera)
        for phone in (False, True):
            for light in (False, True):
                browser.sign_in(nvr.api.base, preferences={"theme": "light" if light else "dark"}).emulate(PHONE if phone else DESKTOP, phone=phone, light=light)
                for name, (path, ready) in PAGES.items():
                    browser.open(path.format(moment=f"{moment:.0f}"))
                    browser.until(name, ready)
                    time.sleep(1)  # What fades in has done so.
                    shrink(browser.picture(raw), 300 if phone else 800, TARGET / f"{name}-{'phone' if phone else 'desktop'}-{'light' if light else 'dark'}.png")
                browser.execute_async_script("fetch('/auth/logout', {method: 'POST'}).then(arguments[0])")
                browser.open("/ui/live")
                browser.shown("#auth-form")
                shrink(browser.picture(raw), 300 if phone else 800, TARGET / f"sign-in-{'phone' if phone else 'desktop'}-{'light' if light else 'dark'}.png")
    total = sum(path.stat().st_size for path in TARGET.glob("*.png"))
    print(f"{len(list(TARGET.glob('*.png')))} pictures, {total / 1e6:.2f} MB")
    assert total <= BUDGET, f"{total} bytes"


if __name__ == "__main__":
    main()
