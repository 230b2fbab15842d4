"""What a soak comes to: every frame accounted for, slopes, latencies, and whether the targets are met."""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter, defaultdict
from contextlib import closing
from datetime import datetime, timezone

from bench import commit, machine
from sections import Verdict, table, verdict_table

from harness.server import PROGRAM

from .cameras import PERIOD
from .frames import Account, settle
from .run import LIMITED, MOTION, SEGMENT_SECONDS, Soak
from .watch import percentile, slope

CAUSES = ["camera_offline", "disk_full", "disk_stalled", "not_recording", "no_motion", "server_down"]
READY, FIRST, BACK = 2.0, 5.0, 12.0  # seconds
RESIDENT, DESCRIPTORS = 20.0, 10.0  # an hour


def outages(soak: Soak) -> list[tuple[int, float, float, str]]:
    numbers = {camera.id: camera.number for camera in soak.cameras}
    with closing(sqlite3.connect(f"file:{soak.nvr.data}/vibenvr.db?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT camera_id, start_us, end_us, cause FROM outages ORDER BY start_us").fetchall()
    return [(numbers[owner], start / 1e6, end / 1e6 if end else time.time(), CAUSES[cause]) for owner, start, end, cause in rows]


def clock(wall: float) -> str:
    return datetime.fromtimestamp(wall, timezone.utc).strftime("%H:%M:%S")


def frames_section(soak: Soak, accounts: list[Account]) -> list[str]:
    rows = []
    for camera, shelf, account in zip(soak.cameras, soak.shelves, accounts):
        film = f"{camera.film.codec}, {camera.audio.codec if camera.audio else 'no sound'}"
        share = account.stored / max(1, account.produced) * 100
        rows.append([
            f"{camera.number + 1}: {film}", f"{account.produced:,}", f"{account.stored:,}", f"{share:.2f} %", f"{sum(account.lost.values()):,}",
            str(sum(count for _, count in account.unexplained)), str(shelf.altered), str(shelf.doubles), str(len(account.gaps))])
    lines = table(
        ["camera", "frames made", "found in files", "", "lost in a fault", "lost without", "altered", "twice", "gaps ≥ 3 s"], rows)
    lost, worst = Counter(), Counter()
    for account in accounts:
        lost.update(account.lost)
        for kind, count in account.worst.items():
            worst[kind] = max(worst[kind], count)
    times = Counter(fault.kind for fault in soak.faults)
    times["disk stall"] = soak.stalled
    rows = [
        [kind, str(count), str(lost[kind]), f"{lost[kind] / max(1, count) * PERIOD:.1f} s", f"{worst[kind] * PERIOD:.1f} s"]
        for kind, count in sorted(times.items())]
    return [*lines, "", *table(["fault", "times", "frames lost, all cameras", "seconds each", "longest piece of a camera"], rows)]


def gaps_section(soak: Soak, accounts: list[Account]) -> tuple[list[str], int]:
    known = outages(soak)
    causes, silent, still = Counter(), [], 0
    for number, account in enumerate(accounts):
        for begin, end in account.gaps:
            # No gap by the server's words: the camera was connected and showed one picture for so long, and so does the footage.
            if any(row.camera == number and row.start <= begin + 0.5 and row.end >= end - 0.5 for row in soak.known.values()):
                still += 1
                continue
            found = [row for row in known if row[0] == number and row[1] < end and row[2] > begin]
            if found:
                causes[max(found, key=lambda row: min(row[2], end) - max(row[1], begin))[3]] += 1
            else:
                silent.append((number, begin, end))
    words = ", ".join(f"{count} × {cause}" for cause, count in causes.most_common()) or "none"
    lines = [f"Gaps of 3 s and more by the cause that the server noted for them: {words}; without any: {len(silent)}. "
             f"{still} more lie within a segment: a camera that stayed connected stood still."]
    for number, begin, end in silent[:10]:
        near = [fault.kind for fault in soak.faults if fault.explains(number, begin + 0.5) or fault.explains(number, end - 0.5)]
        lines.append(f"Not noted: camera {number + 1}, {clock(begin)}, {end - begin:.1f} s ({', '.join(near) or 'no fault'}).")
    return lines, len(silent)


def weight_section(soak: Soak) -> tuple[list[str], list[Verdict]]:
    watch, rows = soak.watch, []
    for life in watch.lives():
        minutes = (life[-1].time - life[0].time) / 60
        settled = next((one for one in watch.settled() if one[0].life == life[0].life), None)
        slopes = [f"{slope([(w.time, getattr(w, name)) for w in settled]):+.1f}" if settled else "–" for name in ("resident", "private", "descriptors")]
        half = f"{slope([(w.time, w.private) for w in watch.later(settled)]):+.1f}" if settled else "–"
        rows.append([
            f"{life[0].life + 1}", f"{minutes:.1f}", f"{life[0].resident:.0f} → {life[-1].resident:.0f}", f"{max(w.resident for w in life):.0f}", slopes[0],
            slopes[1], half, f"{life[0].descriptors} → {life[-1].descriptors}", slopes[2], f"{life[0].threads} → {life[-1].threads}"])
    lines = table(
        ["life", "minutes", "RSS MB", "most", "MB an hour", "RssAnon MB an hour", "of its second half", "descriptors", "an hour", "threads"],
        rows)
    verdicts: list[Verdict] = []
    if watch.settled():
        overall = {name: watch.overall(name) for name in ("resident", "private", "descriptors")}
        lines += ["", f"All lives of 5 minutes and more, each without its first 2 minutes: RSS {overall['resident']:+.1f} MB an hour, RssAnon "
                  f"{overall['private']:+.1f} MB, descriptors {overall['descriptors']:+.1f}."]
        longest = max(watch.settled(), key=lambda life: life[-1].time - life[0].time)
        minutes = (longest[-1].time - longest[0].time) / 60
        grown = slope([(weight.time, weight.resident) for weight in longest])
        verdicts.append((f"RSS of the longest life ({minutes:.0f} min)", f"≤ {RESIDENT:g} MB an hour", f"{grown:+.1f} MB", grown <= RESIDENT))
        opened = slope([(weight.time, weight.descriptors) for weight in longest])
        verdicts.append((f"descriptors of the longest life ({minutes:.0f} min)", f"≤ {DESCRIPTORS:g} an hour", f"{opened:+.1f}", opened <= DESCRIPTORS))
    sizes = [weight.database for weight in watch.weights]
    if sizes:
        lines += ["", f"Database with its log: {sizes[0]:.1f} MB at the beginning, {sizes[-1]:.1f} MB at the end, {max(sizes):.1f} MB at most; "
                  f"{len(soak.rows)} segments are left."]
    return lines, verdicts


def down(soak: Soak, begin: float, end: float) -> bool:
    """Whether the server was being restarted in this time."""
    return any(begin <= fault.end + 1 and end >= fault.start - 0.5 for fault in soak.faults if fault.kind.startswith(("server", "crash")))


def disk(soak: Soak, begin: float, end: float) -> bool:
    return any(begin <= fault.end + 3 and end >= fault.start for fault in soak.faults if fault.kind.startswith("disk"))


def answers_section(soak: Soak) -> tuple[list[str], int]:
    by_path = defaultdict(list)
    failed = 0
    for answer in soak.watch.answers:
        if answer.status == 200:
            by_path[answer.path].append(answer.milliseconds)
        elif not down(soak, answer.time, answer.time + answer.milliseconds / 1000):
            failed += 1
    rows = [
        [path, str(len(values)), *(f"{percentile(values, share):.1f}" for share in (0.5, 0.95, 0.99)), f"{max(values):.0f}"]
        for path, values in sorted(by_path.items())]
    return table(["request", "answers", "p50 ms", "p95 ms", "p99 ms", "slowest ms"], rows), failed


def visits_section(soak: Soak) -> tuple[list[str], list[str]]:
    outcomes = sorted({outcome for _, outcome in soak.visits.counts})
    kinds = sorted({kind for kind, _ in soak.visits.counts})
    failures = [
        f"{clock(begin)} {text}" for begin, end, text in soak.visits.failures if not down(soak, begin, end) and not disk(soak, begin, end)]
    lines = table(["visit", *outcomes], [[kind, *(str(soak.visits.counts[kind, outcome]) for outcome in outcomes)] for kind in kinds])
    lines += ["", f"`failed` is what met a restart of the server or a failing disk, but for {len(failures)}; `nothing`: the camera was off, or that footage "
              f"was not there. Live viewers saw {soak.visits.frames:,} frames, with {soak.visits.jumps} places where numbers did not follow each other "
              f"(cameras that stood still or came back, viewers that did not keep up). Clean-ups deleted {soak.visits.deleted} files."]
    return lines, failures


def restarts_section(soak: Soak) -> list[str]:
    rows = []
    for kind in sorted({restart.kind for restart in soak.restarts}):
        mine = [restart for restart in soak.restarts if restart.kind == kind]

        def cell(values: list[float]) -> str:
            return f"{percentile(values, 0.5):.2f}, {max(values):.2f}" if values else "–"

        rows.append([
            kind, str(len(mine)), cell([r.ended for r in mine]), cell([r.ready for r in mine]), cell([r.first for r in mine if r.first is not None]),
            cell([r.all for r in mine if r.all is not None])])
    lines = table(
        ["restart", "times", "s until it had ended: median, most", "s until it listens", "s until the first new bytes", "s until all cameras' new bytes"], rows)
    for restart in soak.restarts:
        if restart.away:
            lines += ["", f"{clock(restart.time)}, {restart.kind}: camera {', '.join(str(number + 1) for number in restart.away)} went away or stood "
                      "still before it had new bytes, and is not waited for."]
    return lines


def deletions(soak: Soak) -> tuple[list[str], int]:
    """Segments that went although nothing allowed it, or in another order than oldest first."""
    gone = {key: known for key, known in soak.known.items() if key not in soak.rows}
    wrong = []
    for key, known in gone.items():
        if known.camera >= LIMITED:
            wrong.append(f"{known.path.name} of camera {known.camera + 1}, which has no limit")
        elif soak.visits.held and known.camera == soak.visits.held[0] and known.start < soak.visits.held[2] and known.end > soak.visits.held[1]:
            wrong.append(f"{known.path.name} of camera {known.camera + 1}, which was held")
    for number in range(LIMITED):
        newest = max((known.start for known in gone.values() if known.camera == number), default=0)
        for key, known in soak.known.items():
            held = soak.visits.held and number == soak.visits.held[0] and known.start < soak.visits.held[2] and known.end > soak.visits.held[1]
            if key in soak.rows and known.camera == number and known.start < newest and not held:
                wrong.append(f"{known.path.name} of camera {number + 1} stayed, while newer ones went")
    lost = [row.path.name for row in soak.rows.values() if not row.path.exists()]
    wrong += [f"{name} has a row and no file" for name in lost]
    return wrong, len(gone)


def said(soak: Soak, camera: int, begin: float, end: float) -> list[str]:
    """What the log says of a camera in a stretch of time."""
    key, found = soak.cameras[camera].id, []
    for line in soak.nvr.log().splitlines():
        moment = re.match(r"time=(\S+?)Z ", line)
        if moment and begin <= datetime.fromisoformat(moment[1]).replace(tzinfo=timezone.utc).timestamp() <= end and (
                f" camera={key} " in line or "put in order" in line):
            found.append("    " + line[:240])
    return found


def make(soak: Soak, command: str) -> tuple[list[str], list[Verdict], list[str]]:
    accounts = [
        settle(camera.number, shelf, camera.produced(*soak.window), camera.sent(), soak.faults, PERIOD, soak.window)
        for camera, shelf in zip(soak.cameras, soak.shelves)]
    seconds = (soak.window[1] - soak.window[0]) * PERIOD
    unexplained = sum(count for account in accounts for _, count in account.unexplained)
    altered = sum(shelf.altered + len(shelf.problems) for shelf in soak.shelves) + sum(account.strange for account in accounts)
    doubles = sum(shelf.doubles for shelf in soak.shelves)
    wrong, gone = deletions(soak)
    gap_lines, silent = gaps_section(soak, accounts)
    weight_lines, verdicts = weight_section(soak)
    answer_lines, unanswered = answers_section(soak)
    visit_lines, failures = visits_section(soak)
    ready = max((restart.ready for restart in soak.restarts), default=0)
    firsts = [restart.first if restart.first is not None else 99.0 for restart in soak.restarts]
    everything = [restart.all for restart in soak.restarts if restart.all is not None]
    checked = soak.checked.stdout.strip().splitlines()[-1:] or [soak.checked.stderr.strip()[-200:]]
    verdicts = [
        ("frames lost without a fault that explains it", "0", str(unexplained), unexplained == 0),
        ("frames altered, unreadable or never sent", "0", str(altered), altered == 0),
        ("frames stored twice", "0", str(doubles), doubles == 0),
        ("segments deleted that no rule allowed, or in the wrong order", "0", str(len(wrong)), not wrong),
        ("gaps of 3 s and more that the server noted no cause for", "0", str(silent), silent == 0),
        ("the server ended by itself", "0", str(soak.crashes), soak.crashes == 0),
        ("requests that failed while the server ran", "0", str(unanswered + len(failures)), unanswered + len(failures) == 0),
        ("a restart until it listens, slowest", f"≤ {READY:g} s", f"{ready:.2f} s", ready <= READY),
        ("a restart until the first new bytes, median", f"≤ {FIRST:g} s", f"{percentile(firsts, 0.5):.2f} s" if firsts else "no restart",
         not firsts or percentile(firsts, 0.5) <= FIRST),
        ("a restart until new bytes of all cameras that were there, slowest", f"≤ {BACK:g} s", f"{max(everything):.2f} s" if everything else "no restart",
         not everything or max(everything) <= BACK),
        *verdicts,
        ("`vibenvr check` at the end", "clean", checked[0] if checked else "", soak.checked.returncode == 0),
        ("the soak itself", "no problem", f"{len(soak.problems)} problems", not soak.problems and not soak.uncounted),
    ]
    build = "release build" if "/release/" in str(PROGRAM) or "vibenvr-" in PROGRAM.name else "not a release build"
    skipped = sum(camera.skipped() for camera in soak.cameras)
    lines = [
        "## Soak", "",
        f"Made by `make soak` ({command}) on {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC at commit {commit()}, {build}, on {machine()}.", "",
        f"{seconds / 60:.1f} minutes of {len(soak.cameras)} cameras (GStreamer's RTSP server, 640×360 at 15 a second, some 0.6 Mbit/s each), seed {soak.seed}. "
        f"The last {MOTION} look for motion, the first {LIMITED} may have {soak.limit / 1e6:.0f} MB each; segments of {SEGMENT_SECONDS} s. Every frame carries "
        f"its number; cameras left out {skipped} themselves, since they stood still or came too late.", "",
        *frames_section(soak, accounts), "",
        "A frame counts as lost in a fault from 1.5 s before it (2.5 s before a kill; a frame in memory) to 12 s after its end: a camera is back within 5 s, and "
        "begins at a key frame, which may be 4 s away. A disk that hangs explains nothing: it has to cost nothing.", "",
        *gap_lines, "", *restarts_section(soak), "", *weight_lines, "", *answer_lines, "",
        f"{unanswered} requests failed while the server should have answered. Frames dropped for want of memory: "
        f"{soak.watch.total('vibenvr_stream_dropped_frames_total')}; RTP packets that never came: {soak.watch.total('vibenvr_stream_network_lost_total')} "
        "(each life as last seen before its end).", "",
        *visit_lines, "", f"{gone} segments were deleted by clean-ups, {soak.uncounted} of them before they were counted. "
        f"The check at the end took {soak.check_seconds:.1f} s.", "",
        *verdict_table(verdicts),
    ]
    details = [*lines, ""]
    for account, camera in zip(accounts, soak.cameras):
        for first, count in account.unexplained[:20]:
            details.append(f"camera {camera.number + 1}: {count} frames from {first} ({clock(first * PERIOD)}) are missing without a fault")
            details += said(soak, camera.number, first * PERIOD - 20, (first + count) * PERIOD + 5)[:25]
    details += [f"wrongly deleted: {text}" for text in wrong[:20]] + [f"visit: {text}" for text in failures[:40]]
    details += [f"problem: {text}" for text in soak.problems[:40]]
    details += [f"camera {number + 1}: {text}" for number, shelf in enumerate(soak.shelves) for text in shelf.problems[:10]]
    details += [f"request: {clock(answer.time)} {answer.path} {answer.status} after {answer.milliseconds:.0f} ms" for answer in soak.watch.answers
                if answer.status != 200 and not down(soak, answer.time, answer.time + answer.milliseconds / 1000)][:20]
    if soak.checked.returncode:
        details.append(soak.checked.stdout[-3000:] + soak.checked.stderr[-1000:])
    return lines, verdicts, details
