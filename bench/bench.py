#!/usr/bin/env python3
"""The benchmarks: what a recorded camera costs, beside the programs people would use instead.

    .venv-test/bin/python bench/bench.py [--counts 1,4,8,16,32] [--seconds 60] [--only passthrough,detection,idle]

Everything that is compared runs at the same time on the same cameras (GStreamer's RTSP server, which serves prepared
footage and encodes nothing), so that ratios do not depend on how busy the machine is otherwise. CPU time is that of
/proc/PID/stat over a window that begins when everything has settled. The result is written to docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests-e2e"))

from harness.server import NVR, wait_for  # noqa: E402
from peers import footage  # noqa: E402
from peers.gst_camera import GstCamera  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
SETTLE = 12
MOUNTS = 4
PRE_ROLL_SECONDS = 5
GOP_SECONDS = 2
# ffmpeg's own complaints about joining in the middle of a GOP are of no interest here.
FFMPEG = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "fatal"]


def say(text: str) -> None:
    print(text, flush=True)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory(pid: int) -> dict[str, int]:
    """Bytes: resident, and of that what belongs to the process alone (RssAnon)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return {name: int(re.search(rf"{name}:\s+(\d+)", status)[1]) * 1024 for name in ("VmRSS", "RssAnon")}


class Group:
    """Processes of one kind, started together and measured as one."""

    def __init__(self, name: str, commands: list[list[str]], **options):
        self.name = name
        self.children = [
            subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True, **options)
            for command in commands
        ]

    def cpu(self) -> float:
        dead = [child.args for child in self.children if child.poll() is not None]
        if dead:
            raise RuntimeError(f"{len(dead)} of {self.name} ended early: {' '.join(dead[0])}")
        return sum(cpu_seconds(child.pid) for child in self.children)

    def close(self) -> None:
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


class Server(NVR):
    def cpu(self) -> float:
        return cpu_seconds(self.pid)

    @property
    def name(self) -> str:
        return "vibenvr"

    def losses(self) -> dict[str, int]:
        return {name: int(self.metric(name)) for name in ("vibenvr_stream_dropped_frames_total", "vibenvr_stream_network_lost_total")}


@dataclass
class Result:
    title: str
    head: list[str]
    rows: list[list[str]] = field(default_factory=list)
    verdicts: list[tuple[str, str, str, bool]] = field(default_factory=list)  # target, bound, measured, met
    notes: list[str] = field(default_factory=list)

    def judge(self, target: str, bound: str, measured: str, met: bool) -> None:
        self.verdicts.append((target, bound, measured, met))
        say(f"  {'met   ' if met else 'MISSED'}  {target}: {measured} (target {bound})")


def measured(meters: dict[str, "Group | Server"], seconds: float) -> dict[str, float]:
    """CPU seconds of each over the same window, per minute of it."""
    begin = {name: meter.cpu() for name, meter in meters.items()}
    begun = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    return {name: (meter.cpu() - begin[name]) * 60 / took for name, meter in meters.items()}


def passthrough(counts: list[int], seconds: float, work: Path) -> Result:
    film = footage.full_hd()
    bitrate = Path(film.path).stat().st_size * 8 / (len(film.units) / film.fps)
    result = Result(
        f"Recording without detection: 1080p15 at {bitrate / 1e6:.2f} Mbit/s over TCP",
        ["cameras", "vibenvr", "vibenvr, libav source", "ffmpeg, one each", "ratio to ffmpeg", "ratio to libav source", "dropped", "lost",
         "RSS MB", "RssAnon MB", "written of sent"],
    )
    resident: dict[int, dict[str, int]] = {}
    for count in counts:
        folder = work / f"passthrough-{count}"
        folder.mkdir()
        with GstCamera({f"/c{number}": film for number in range(MOUNTS)}) as camera, \
                Server(folder / "own", segment_seconds=None) as nvr, Server(folder / "libav", segment_seconds=None, VIBENVR_SOURCE="libav") as libav:
            (folder / "own").mkdir()
            (folder / "libav").mkdir()
            ffmpeg = None
            try:
                for server in (nvr, libav):
                    server.start().with_admin()
                    for number in range(count):
                        server.api.add_camera(
                            f"camera {number}", camera.url(f"/c{number % MOUNTS}"), detect_motion_mode="Off", captured_before=PRE_ROLL_SECONDS)
                ffmpeg = Group("ffmpeg", [
                    [*FFMPEG, "-rtsp_transport", "tcp", "-i", camera.url(f"/c{number % MOUNTS}"), "-c", "copy", "-f", "segment",
                     "-segment_time", "60", "-reset_timestamps", "1", str(folder / f"f{number}-%d.mp4")] for number in range(count)
                ])
                for server in (nvr, libav):
                    wait_for(f"{count} cameras record", lambda server=server: len({row.camera for row in server.rows() if row.bytes}) == count, 120)
                time.sleep(SETTLE)
                bytes_before = sum(path.stat().st_size for path in nvr.files())
                begun = time.monotonic()
                usage = measured({"own": nvr, "libav": libav, "ffmpeg": ffmpeg}, seconds)
                written = (sum(path.stat().st_size for path in nvr.files()) - bytes_before) / (bitrate / 8 * (time.monotonic() - begun) * count)
                resident[count] = memory(nvr.pid)
                losses = nvr.losses()
            finally:
                if ffmpeg:
                    ffmpeg.close()
        shutil.rmtree(folder, ignore_errors=True)
        own, by_libav, by_ffmpeg = (usage[name] / count for name in ("own", "libav", "ffmpeg"))
        dropped, lost = losses["vibenvr_stream_dropped_frames_total"], losses["vibenvr_stream_network_lost_total"]
        result.rows.append([
            str(count), f"{own:.3f}", f"{by_libav:.3f}", f"{by_ffmpeg:.3f}", f"{own / by_ffmpeg:.2f}", f"{own / by_libav:.2f}", str(dropped), str(lost),
            f"{resident[count]['VmRSS'] / 1e6:.1f}", f"{resident[count]['RssAnon'] / 1e6:.1f}", f"{written:.3f}",
        ])
        result.judge(f"{count} cameras, CPU beside ffmpeg", "≤ 0.5 (aim 0.3)", f"{own / by_ffmpeg:.2f}", own / by_ffmpeg <= 0.5)
        result.judge(f"{count} cameras, losses", "0", f"{dropped} dropped, {lost} lost", dropped == 0 and lost == 0)
    if len(counts) > 1:
        few, many = min(counts), max(counts)
        pre_roll = (PRE_ROLL_SECONDS + GOP_SECONDS) * bitrate / 8
        each = (resident[many]["VmRSS"] - resident[few]["VmRSS"]) / (many - few)
        result.judge(
            f"memory of each camera added from {few} to {many}", f"≤ 4 MB + {pre_roll / 1e6:.1f} MB of pre-roll", f"{each / 1e6:.2f} MB",
            each <= 4e6 + pre_roll)
    result.notes.append("CPU-seconds per camera-minute. `written of sent`: bytes on disk in the window beside what the cameras sent in it.")
    result.notes.append(
        "ffmpeg: `ffmpeg -rtsp_transport tcp -i URL -c copy -f segment -segment_time 60 …`, one process per camera; "
        "libav source: the same server with `VIBENVR_SOURCE=libav`. All three at the same time, on the same mounts.")
    return result


def motion_configuration(folder: Path, number: int, main: str, sub: str) -> None:
    (folder / f"camera{number}.conf").write_text(
        f"camera_id {number}\nnetcam_url {sub}\nnetcam_params capture_rate=15,rtsp_transport=tcp\nnetcam_high_url {main}\n"
        f"netcam_high_params rtsp_transport=tcp\nwidth 640\nheight 360\nframerate 15\ntarget_dir {folder}/out{number}\nmovie_filename %v\n")


def detection(counts: list[int], seconds: float, work: Path) -> Result:
    film, sub = footage.full_hd(), footage.small()
    result = Result(
        "Recording with motion detection: 1080p15 main recorded, 640×360 at 15 a second watched",
        ["cameras", "vibenvr", "ffmpeg decodes the sub-stream", "Debian's motion", "ratio to decoding", "ratio to motion", "dropped", "lost", "RSS MB"],
    )
    for count in counts:
        folder = work / f"detection-{count}"
        folder.mkdir()
        mounts = {f"/c{number}": film for number in range(MOUNTS)} | {f"/s{number}": sub for number in range(MOUNTS)}
        with GstCamera(mounts) as camera, Server(folder / "own", segment_seconds=None) as nvr:
            (folder / "own").mkdir()
            groups: list[Group] = []
            try:
                nvr.start().with_admin()
                for number in range(count):
                    nvr.api.add_camera(
                        f"camera {number}", camera.url(f"/c{number % MOUNTS}"), sub_rtsp_url=camera.url(f"/s{number % MOUNTS}"),
                        detect_motion_mode="Always")
                decode = Group("ffmpeg", [
                    [*FFMPEG, "-threads", "1", "-rtsp_transport", "tcp", "-i", camera.url(f"/s{number % MOUNTS}"), "-f", "null", "-"] for number in range(count)
                ])
                groups.append(decode)
                meters: dict[str, Group | Server] = {"own": nvr, "decode": decode}
                if shutil.which("motion"):
                    names = []
                    for number in range(count):
                        motion_configuration(folder, number + 1, camera.url(f"/c{number % MOUNTS}"), camera.url(f"/s{number % MOUNTS}"))
                        (folder / f"out{number + 1}").mkdir()
                        names.append(f"camera {folder}/camera{number + 1}.conf")
                    main = folder / "motion.conf"
                    main.write_text(
                        "daemon off\nsetup_mode off\nlog_level 3\nwebcontrol_port 0\nstream_port 0\nmovie_output on\nmovie_passthrough on\n"
                        "movie_max_time 60\nemulate_motion on\npicture_output off\n" + "\n".join(names) + "\n")
                    program = Group("motion", [["motion", "-n", "-c", str(main)]], cwd=folder)
                    groups.append(program)
                    meters["motion"] = program
                wait_for(f"{count} cameras record", lambda: len({row.camera for row in nvr.rows() if row.bytes}) == count, 120)
                time.sleep(SETTLE)
                usage = {name: value / count for name, value in measured(meters, seconds).items()}
                losses, resident = nvr.losses(), memory(nvr.pid)
                watched = {event["camera_id"] for event in nvr.api.events(event_type="motion")}
                if len(watched) < count:
                    raise RuntimeError(f"vibenvr saw motion on {len(watched)} of {count} cameras")
                if "motion" in usage and not list(folder.glob("out*/*")):
                    raise RuntimeError("motion recorded nothing")
            finally:
                for group in groups:
                    group.close()
        shutil.rmtree(folder, ignore_errors=True)
        dropped, lost = losses["vibenvr_stream_dropped_frames_total"], losses["vibenvr_stream_network_lost_total"]
        own, decoded, other = usage["own"], usage["decode"], usage.get("motion")
        result.rows.append([
            str(count), f"{own:.3f}", f"{decoded:.3f}", f"{other:.3f}" if other else "–", f"{own / decoded:.2f}",
            f"{own / other:.2f}" if other else "–", str(dropped), str(lost), f"{resident['VmRSS'] / 1e6:.1f}",
        ])
        result.judge(f"{count} cameras, CPU beside decoding alone", "≤ 1.5", f"{own / decoded:.2f}", own / decoded <= 1.5)
        if other:
            result.judge(f"{count} cameras, CPU beside motion", "≤ 0.5", f"{own / other:.2f}", own / other <= 0.5)
        result.judge(f"{count} cameras, losses", "0", f"{dropped} dropped, {lost} lost", dropped == 0 and lost == 0)
    result.notes.append(
        "CPU-seconds per camera-minute. vibenvr records the main stream continuously and watches the sub-stream for motion with default settings; "
        "the sub-stream shows people walking all the time, so events go on throughout.")
    result.notes.append(
        "Decoding: `ffmpeg -threads 1 -rtsp_transport tcp -i SUB -f null -`. motion: Debian's, `netcam_url` the sub-stream, `netcam_high_url` the main "
        "stream, `movie_passthrough on`, `emulate_motion on` (so that it records all the time), pictures off. All at the same time.")
    return result


def idle(seconds: float, work: Path) -> Result:
    result = Result("A server without cameras", ["API ready after s", "RSS MB", "RssAnon MB", "CPU %"])
    ready = []
    for number in range(5):
        with Server(work / f"ready-{number}") as nvr:
            (work / f"ready-{number}").mkdir()
            nvr.start()
            ready.append(nvr.ready_seconds)
            # The second start is the usual one: the database is there.
            nvr.terminate()
            nvr.start()
            ready.append(nvr.ready_seconds)
    (work / "idle").mkdir()
    with Server(work / "idle") as nvr:
        nvr.start().with_admin()
        time.sleep(SETTLE)
        used = measured({"own": nvr}, max(seconds, 30))["own"] / 60
        resident = memory(nvr.pid)
    slowest = max(ready)
    result.rows.append([
        f"{sorted(ready)[len(ready) // 2]:.3f} (slowest {slowest:.3f})", f"{resident['VmRSS'] / 1e6:.1f}", f"{resident['RssAnon'] / 1e6:.1f}", f"{used * 100:.3f}"])
    result.judge("resident", "≤ 60 MB", f"{resident['VmRSS'] / 1e6:.1f} MB", resident["VmRSS"] <= 60e6)
    result.judge("private (RssAnon)", "≤ 20 MB", f"{resident['RssAnon'] / 1e6:.1f} MB", resident["RssAnon"] <= 20e6)
    result.judge("CPU", "≤ 0.1 %", f"{used * 100:.3f} %", used <= 0.001)
    result.judge("API ready", "≤ 0.5 s", f"{slowest:.3f} s", slowest <= 0.5)
    result.notes.append("Ready: from the start of the process to the line that says it listens, slowest of ten starts, fresh and used data folders.")
    return result


def machine() -> str:
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    memory_size = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 1e6
    system = re.search(r'PRETTY_NAME="(.+)"', Path("/etc/os-release").read_text())
    return f"{model[1] if model else 'unknown CPU'}, {os.cpu_count()} cores, {memory_size:.0f} GB, {system[1] if system else 'Linux'}, kernel {os.uname().release}"


def commit() -> str:
    run = subprocess.run(["git", "-C", str(REPOSITORY), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return run.stdout.strip() or "unknown"


def report(results: list[Result], command: str, seconds: float) -> str:
    lines = [
        "# Benchmarks", "",
        f"Made by `make bench` ({command}) on {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC at commit {commit()}.", "",
        f"Machine: {machine()}. Windows of {seconds:.0f} s after {SETTLE} s to settle.", "",
        "Programs beside ours: " + ", ".join(versions()) + ".", "",
    ]
    for result in results:
        lines += [f"## {result.title}", "", "| " + " | ".join(result.head) + " |", "|" + "---|" * len(result.head)]
        lines += ["| " + " | ".join(row) + " |" for row in result.rows]
        lines += ["", *result.notes, "", "| target | bound | measured | |", "|---|---|---|---|"]
        lines += [f"| {target} | {bound} | {value} | {'met' if met else '**missed**'} |" for target, bound, value, met in result.verdicts]
        lines.append("")
    return "\n".join(lines)


def versions() -> list[str]:
    found = []
    for package in ("ffmpeg", "motion", "gir1.2-gst-rtsp-server-1.0"):
        run = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True)
        if run.returncode == 0:
            found.append(f"{package} {run.stdout}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures the product beside ffmpeg and motion.")
    parser.add_argument("--counts", default="1,4,8,16,32", help="numbers of cameras, for instance 1,4,8,16,32,64")
    parser.add_argument("--detection-counts", default="1,4,8", help="numbers of cameras with detection")
    parser.add_argument("--seconds", type=float, default=60, help="length of each window")
    parser.add_argument("--only", default="idle,passthrough,detection", help="which parts to run")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "BENCHMARKS.md")
    options = parser.parse_args()
    numbers = lambda text: [int(part) for part in text.split(",") if part]
    parts = {
        "idle": lambda work: idle(options.seconds, work),
        "passthrough": lambda work: passthrough(numbers(options.counts), options.seconds, work),
        "detection": lambda work: detection(numbers(options.detection_counts), options.seconds, work),
    }
    results = []
    work = Path(tempfile.mkdtemp(prefix="vibenvr-bench-"))
    try:
        for name in options.only.split(","):
            if name not in parts:
                parser.error(f"there is no part called {name}")
            say(f"{name}:")
            results.append(parts[name](work))
            for row in [results[-1].head, *results[-1].rows]:
                say("    " + " | ".join(row))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    options.output.parent.mkdir(exist_ok=True)
    # Other benchmarks write sections of their own, which stay.
    old = options.output.read_text() if options.output.exists() else ""
    others = [match[0] for match in re.finditer(r"<!-- (\w+) -->\n.*?<!-- /\1 -->\n", old, re.DOTALL)]
    text = report(results, " ".join(["bench/bench.py", *sys.argv[1:]]), options.seconds)
    options.output.write_text("\n".join([text, *others]))
    missed = [verdict for result in results for verdict in result.verdicts if not verdict[3]]
    total = sum(len(result.verdicts) for result in results)
    say(f"{total - len(missed)} of {total} targets met; written to {options.output}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
