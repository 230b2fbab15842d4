#!/usr/bin/env python3
"""Hours of a server with eight cameras, while everything around it fails.

    .venv-test/bin/python bench/soak.py [--hours 1 | --minutes 3] [--seed 6] [--output docs/BENCHMARKS.md]

The plan is made of the seed and printed: cameras that restart, stand still and lose their connections, a server that is killed and restarted,
a disk that hangs and fails, viewers, exports, clean-ups. Every frame carries a number (`peers/numbered.py`); at the end each that a camera made is
either found in a file or missing, and what is missing has to be explained by a fault. The clock is left alone. What is measured becomes the
section "Soak"; the exit code is 1 when a target was missed, 2 when the soak itself failed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench import REPOSITORY, say  # noqa: E402
from sections import write_section  # noqa: E402

from soaking import plan, report  # noqa: E402
from soaking.cameras import cast  # noqa: E402
from soaking.run import Soak  # noqa: E402
from soaking.watch import percentile  # noqa: E402


def progress(soak: Soak, ended: threading.Event) -> None:
    """A line a minute."""
    while not ended.wait(60):
        begun = getattr(soak, "begun", None)
        if begun is None:
            continue
        minute = [answer for answer in soak.watch.answers if answer.time > time.time() - 60]
        slow = " ".join(
            f"{path} {percentile([answer.milliseconds for answer in minute if answer.path == path and answer.status == 200], 0.95):.0f}"
            for path in ("/health", "/events", "/timeline"))
        now = soak.watch.weights[-1] if soak.watch.weights else None
        weight = f"RSS {now.resident:.0f} MB, {now.descriptors} descriptors, {now.threads} threads, database {now.database:.1f} MB, " if now else ""
        say(f"{(time.time() - begun) / 60:5.1f} min: {soak.frames:,} frames in {len(soak.known)} files, {len(soak.faults)} faults, {len(soak.restarts)} restarts, "
            f"{weight}p95 ms {slow}, load {os.getloadavg()[0]:.1f}, {len(soak.problems)} problems")


def main() -> int:
    parser = argparse.ArgumentParser(description="Lets eight cameras be recorded for hours while everything around fails.")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--hours", type=float, default=1)
    length.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "BENCHMARKS.md")
    parser.add_argument("--keep", action="store_true", help="leave the folder with all footage and the log")
    parser.add_argument("--plan-only", action="store_true", help="print the plan and end")
    options = parser.parse_args()
    seconds = options.minutes * 60 if options.minutes else options.hours * 3600
    steps = plan.make(options.seed, seconds, len(cast()))
    say(f"The plan of seed {options.seed}, {seconds / 60:g} minutes:")
    for step in steps:
        say(f"  {step}")
    if options.plan_only:
        return 0
    folder = Path(tempfile.mkdtemp(prefix="vibenvr-soak-"))
    say(f"in {folder}")
    soak = Soak(folder, steps, seconds, options.seed, say)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: soak.stop())
    ended = threading.Event()
    threading.Thread(target=progress, args=(soak, ended), daemon=True).start()
    keep = options.keep
    try:
        soak.run()
        say("counting")
        soak.finish()
        ended.set()
        lines, verdicts, details = report.make(soak, " ".join(["bench/soak.py", *sys.argv[1:]]))
        for line in details:
            say(line)
        keep = keep or not all(met for *_, met in verdicts)
        write_section(options.output, "soak", lines)
    finally:
        for camera in soak.cameras:
            camera.close()
        soak.nvr.close()
        if keep or sys.exc_info()[0]:
            say(f"footage and log stay in {folder}")
        else:
            import shutil

            shutil.rmtree(folder, ignore_errors=True)
    say(f"{sum(met for *_, met in verdicts)} of {len(verdicts)} targets met; written to {options.output}")
    return 0 if all(met for *_, met in verdicts) else 1


if __name__ == "__main__":
    try:
        code = main()
    except Exception:  # noqa: BLE001
        import traceback

        traceback.print_exc()
        code = 2
    sys.exit(code)
