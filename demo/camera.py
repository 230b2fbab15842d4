#!/usr/bin/python3
"""The simulated camera of `make demo`: GStreamer's RTSP server showing people walking, in a loop, main and sub-stream.

    demo/camera.py --cache FOLDER [--port 0]

prints `READY rtsp://127.0.0.1:PORT/main rtsp://127.0.0.1:PORT/sub` once it serves, and ends on SIGTERM, on Ctrl-C, and
when the process that started it does. The footage is opencv-doc's vtest.avi, encoded once into the cache folder.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests-e2e"))


def end_with_parent() -> None:
    """Asks the kernel for SIGTERM when the parent ends (prctl(2), PR_SET_PDEATHSIG = 1)."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        # It ended before it was asked for.
        raise SystemExit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description="A simulated camera: RTSP, H.264, /main and /sub.")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the encoded footage")
    parser.add_argument("--port", type=int, default=0, help="port of the RTSP server; 0 takes a free one")
    options = parser.parse_args()
    end_with_parent()
    # SIGTERM ends it at once; GLib's main loop must not hold it back.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    options.cache.mkdir(parents=True, exist_ok=True)
    os.environ["VIBENVR_FOOTAGE"] = str(options.cache.resolve())
    from peers import footage, gst_camera

    if not footage.VTEST.exists():
        raise SystemExit(f"{footage.VTEST} is missing: run scripts/install-demo.sh")
    main_film, sub_film = footage.walkers()
    mounts = {path: {"video": film.describe(), "audio": None, "films": {}} for path, film in (("/main", main_film), ("/sub", sub_film))}

    def ready(port: int) -> None:
        base = f"rtsp://127.0.0.1:{port}"
        print(f"READY {base}/main {base}/sub", flush=True)

    gst_camera.serve({"port": options.port, "auth": "none", "mounts": mounts, "live": True}, None, ready)


if __name__ == "__main__":
    main()
