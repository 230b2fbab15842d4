"""Sources that libav takes apart: pictures, files and playlists over HTTP, and RTMP; recorded as they are sent, and again after an outage."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from harness.machine import Machine
from harness.media import decode_errors, follow, probe, steps
from harness.server import NVR, wait_for
from harness.tls import self_signed
from peers import footage
from peers.program_camera import RTMPServer
from peers.web_camera import WebCamera

SECONDS = 10
AUTHS = ("none", "basic", "digest", "digest-sha256")
FILMS = {
    "mp4 with its index at the end": "/files/film.mp4", "transport stream": "/files/film.ts", "transport stream in chunks": "/chunked/film.ts",
    "H.265": "/files/film265.ts", "redirected": "/moved/away", "playlist": "/files/vod.m3u8", "encrypted playlist": "/files/secret.m3u8",
    "playlist of byte ranges": "/files/ranges.m3u8", "playlist of playlists": "/files/master.m3u8", "live playlist": "/files/live.m3u8",
}
# Servers that go down and come back. The live playlist shows what its writer made meanwhile.
LOST = ("pictures none", "live playlist", "rtmp")


def make_files(folder: Path, movie: Path, movie265: Path) -> None:
    def run(*arguments: str) -> None:
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], check=True, cwd=folder)

    source = ["-i", str(movie), "-c", "copy"]
    run(*source, "film.mp4")
    run(*source, "film.ts")
    run("-i", str(movie265), "-c", "copy", "film265.ts")
    vod = ["-f", "hls", "-hls_time", "4", "-hls_playlist_type", "vod"]
    run(*source, *vod, "-hls_segment_filename", "vod%d.ts", "vod.m3u8")
    (folder / "key").write_bytes(os.urandom(16))
    (folder / "key.txt").write_text("key\nkey\n")
    run(*source, *vod, "-hls_key_info_file", "key.txt", "-hls_segment_filename", "secret%d.ts", "secret.m3u8")
    run(*source, *vod, "-hls_flags", "single_file", "-hls_segment_type", "fmp4", "-hls_segment_filename", "ranges.mp4", "ranges.m3u8")
    (folder / "master.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=700000\nvod.m3u8\n")


class Run:
    """All sources at once, then an outage, then what was recorded."""

    def __init__(self, nvr: NVR, folder: Path, keep):
        self.film, self.film265, self.pictures = footage.counter(), footage.counter("h265"), footage.counter("mjpeg")
        self.sound = footage.sound("aac")
        movie = footage.muxed(self.film, self.sound, 6)
        make_files(folder, movie, footage.muxed(self.film265, None, 6))
        live = keep(subprocess.Popen(
            # It ends with the test whatever happens.
            ["setpriv", "--pdeathsig", "KILL", "ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(movie), "-c", "copy",
             "-f", "hls", "-hls_time", "2", "-hls_list_size", "6", "-hls_flags", "delete_segments+temp_file", "live.m3u8"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ))
        live.close = lambda: (live.kill(), live.wait())
        self.web = keep(WebCamera(self.pictures, folder, redirects={"/moved/away": "../files/film.ts"}))
        self.shown = {auth: self.web if auth == "none" else keep(WebCamera(self.pictures, auth=auth)) for auth in AUTHS}
        self.tls = keep(WebCamera(self.pictures, tls=self_signed(nvr.folder / "tls")))
        self.rtmp = keep(RTMPServer(self.film, self.sound))
        wait_for("the live playlist has a few segments", lambda: len(list(folder.glob("live*.ts"))) >= 4, 30)
        self.ids = {}
        self.machine = Machine(nvr, self.web)
        for auth, camera in self.shown.items():
            self.ids[f"pictures {auth}"] = nvr.api.add_camera(f"pictures {auth}", camera.url("/pictures", login="" if auth == "none" else "viewer:pass"))
        self.ids["pictures https"] = nvr.api.add_camera("pictures https", self.tls.url("/pictures", host="localhost"))
        for name, path in FILMS.items():
            self.ids[name] = nvr.api.add_camera(name, self.web.url(path), record_audio=name != "H.265")
        self.ids["rtmp"] = nvr.api.add_camera("rtmp", self.rtmp.url(), record_audio=True)
        try:
            wait_for("every source is recorded", lambda: all(nvr.rows(key) for key in self.ids.values()), 40)
        except AssertionError:
            pass  # Each case tells for itself.
        time.sleep(SECONDS)
        try:
            # Some of twenty sources begin late on a busy machine.
            wait_for("all have seconds of footage", lambda: all(sum(row.end - row.start for row in nvr.rows(key)) >= SECONDS for key in self.ids.values()))
        except AssertionError:
            pass
        self.facts = {name: nvr.api.camera(key) for name, key in self.ids.items()}
        self.before = {name: nvr.rows(key) for name, key in self.ids.items()}

        self.web.down()
        self.rtmp.down()
        self.reasons: dict[str, str] = {}

        def told() -> bool:
            for name in LOST:
                camera = nvr.api.camera(self.ids[name])
                if camera["status"] == "UNREACHABLE":
                    self.reasons[name] = camera["status_reason"]
            # First the stream breaks off, and then nobody is there.
            return len(self.reasons) == len(LOST) and all("refuses the connection" in reason for reason in self.reasons.values())

        try:
            wait_for("every outage is told", told, 40)
        except AssertionError:
            pass
        time.sleep(3)
        # What comes after these is from after the outage, each camera's from its own return on: it may be there before the answer that tells of it.
        self.known = {row.id for row in nvr.rows()}
        web = self.web.up()
        self.healed = {name: self.rtmp.up() if name == "rtmp" else web for name in LOST}

        def back() -> bool:
            return all(any(row.id not in self.known and row.end - row.start > 3 for row in nvr.rows(self.ids[name])) for name in LOST)

        try:
            wait_for("all are back", back, 40)
        except AssertionError:
            pass
        self.after = {name: nvr.api.camera(key) for name, key in self.ids.items()}
        self.stats = {"web": self.web.stats(), "tls": self.tls.stats(), **{auth: camera.stats() for auth, camera in self.shown.items()}}
        self.machine.close()
        nvr.terminate()
        self.rows = {name: nvr.rows(key) for name, key in self.ids.items()}

    def movie(self, name: str):
        rows, facts = self.before[name], self.facts[name]
        assert rows, f"nothing recorded: {facts['status']}, {facts.get('status_reason')}"
        assert facts["status"] == "CONNECTED", facts.get("status_reason")
        assert facts["source"] == "libav"
        assert len(rows) == 1, "the connection broke"
        movie = probe(rows[0].path)
        assert all(step > 0 for step in steps([packet.dts for packet in movie.video.packets]))
        assert decode_errors(movie.path) == ""
        return movie


@pytest.fixture(scope="module")
def run():
    kept = []
    with NVR(segment_seconds=None) as nvr, tempfile.TemporaryDirectory(prefix="web-") as folder:
        nvr.start().with_admin()
        try:
            yield Run(nvr, Path(folder), lambda peer: kept.append(peer) or peer)
        finally:
            for peer in kept:
                peer.close()


def of_its_own_pace(movie, fps, least=SECONDS / 2):
    length = movie.video.end - movie.video.begin
    assert length > least
    assert abs(len(movie.video.packets) / length - fps) < 0.1 * fps, f"{len(movie.video.packets)} frames in {length:.1f} s"


@pytest.mark.parametrize("name", [f"pictures {auth}" for auth in AUTHS] + ["pictures https"])
def test_pictures_one_after_the_other(run, name):
    movie = run.movie(name)
    assert movie.video.codec == "mjpeg" and (movie.video.width, movie.video.height) == (640, 360)
    source = [unit.nals[0] for unit in run.pictures.units]
    assert follow([hash(picture) for picture in movie.bytes_of(movie.video)], [hash(picture) for picture in source]) == ""
    of_its_own_pace(movie, 15)


@pytest.mark.parametrize("auth", AUTHS[1:])
def test_sign_in_over_http(run, auth):
    stats = run.stats[auth]
    assert stats["challenged"] == 1 and stats.get("refused", 0) == 0 and stats["GET /pictures"] == 1


def test_the_name_is_kept_for_https(run):
    assert run.stats["tls"]["hosts"] == [f"localhost:{run.tls.port}", "sni localhost"]


@pytest.mark.parametrize("name", [*FILMS, "rtmp"])
def test_recorded_packets_are_the_sources(run, name):
    movie = run.movie(name)
    film = run.film265 if name == "H.265" else run.film
    assert follow(movie.fingerprints(), film.fingerprints) == ""
    of_its_own_pace(movie, film.fps)
    if name != "H.265":
        sound = movie.track("audio")
        assert sound.codec == "aac" and abs(sound.end - movie.video.end) < 0.7
        packets = [hash(packet) for packet in run.sound.packets]
        assert follow([hash(packet) for packet in movie.bytes_of(sound)], packets) == ""


@pytest.mark.parametrize("name", LOST)
def test_recording_resumes_after_an_outage(run, name):
    assert name in run.reasons, f"never UNREACHABLE: {run.after[name]['status']}"
    assert "refuses the connection" in run.reasons[name], run.reasons[name]
    healed = run.healed[name]
    fresh = [row for row in run.rows[name] if row.id not in run.known]
    assert fresh, f"not recorded again: {run.after[name]['status']}, {run.after[name]['status_reason']}"
    late = fresh[0].start - healed
    assert late - run.machine.kept_waiting(healed, fresh[0].start) <= 6, f"recording is back {late:.1f} s after the server"
    assert run.after[name]["status"] == "CONNECTED" and run.after[name]["source"] == "libav"
    for row in fresh:
        probe(row.path)
