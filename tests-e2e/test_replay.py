"""Footage of any time: playlists, indexes, exports, previews and time-lapses, judged by ffprobe, ffmpeg and GStreamer."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from harness.media import decode_errors, follow, probe, steps
from harness.server import NVR, wait_for
from peers import footage
from peers.gst_camera import GstCamera

CASES = {"h264": None, "h265": "aac"}


class Archive:
    """Two cameras recorded for some 35 s into segments of 10 s, one of them with sound."""

    def __init__(self, nvr: NVR, camera: GstCamera):
        self.nvr, self.api = nvr, nvr.api
        self.films = {codec: footage.counter(codec) for codec in CASES}
        self.ids = {codec: nvr.api.add_camera(codec, camera.url(f"/{codec}"), record_audio=CASES[codec] is not None) for codec in CASES}
        for key in self.ids.values():
            wait_for("three finished segments", lambda key=key: len([row for row in nvr.rows(key) if row.finished]) >= 3, 80)

    def rows(self, codec: str) -> list:
        return sorted((row for row in self.nvr.rows(self.ids[codec]) if row.finished), key=lambda row: row.start)

    def get(self, codec: str, what: str, **query):
        return self.api.get(f"/cameras/{self.ids[codec]}/{what}", params=query)


@pytest.fixture(scope="module")
def archive():
    mounts = {f"/{codec}": (footage.counter(codec), footage.sound(audio) if audio else None) for codec, audio in CASES.items()}
    with GstCamera(mounts) as camera, NVR(segment_seconds=10) as nvr:
        nvr.start().with_admin()
        yield Archive(nvr, camera)


@pytest.fixture(params=list(CASES))
def codec(request) -> str:
    return request.param


def saved(answer, path: Path) -> Path:
    assert answer.status_code == 200, answer.text[:300]
    assert int(answer.headers["content-length"]) == len(answer.content)
    path.write_bytes(answer.content)
    return path


def test_an_export_over_segments_equals_the_source_packet_for_packet(archive, codec, tmp_path):
    rows = archive.rows(codec)
    start, end = rows[0].start + 4, rows[2].start + 5
    path = saved(archive.get(codec, "export.mp4", start=start, end=end), tmp_path / "export.mp4")
    movie = probe(path)
    stored = movie.fingerprints()
    assert follow(stored, archive.films[codec].fingerprints) == ""
    # Cut at key frames: two seconds more at most at the front, a fragment at the end.
    assert end - start - 0.1 <= len(stored) / 15 <= end - start + 3.2
    assert movie.video.packets[0].key
    assert all(abs(step - 1 / 15) < 0.02 for step in steps([packet.dts for packet in movie.video.packets]))
    assert decode_errors(path) == ""
    if CASES[codec]:
        sound = movie.track("audio")
        assert abs((sound.end - sound.begin) - (movie.video.end - movie.video.begin)) < 0.3


def test_an_exact_export_begins_on_the_frame(archive, codec, tmp_path):
    row = archive.rows(codec)[0]
    start = row.start + 3.4
    path = saved(archive.get(codec, "export.mp4", start=start, end=start + 4, exact="true"), tmp_path / "exact.mp4")
    run = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time:format=duration", "-of", "json", str(path)],
        capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    # What an edit list hides is not shown; ffmpeg cuts to the frame.
    shown = [float(frame["pts_time"]) for frame in found["frames"] if float(frame["pts_time"]) >= -0.001]
    assert abs(len(shown) - 60) <= 1, len(shown)
    assert abs(float(found["format"]["duration"]) - 4) < 0.15
    # The first frame that is shown is the one of that moment: the counter of the film tells which it is.
    plain = saved(archive.get(codec, "export.mp4", start=row.start, end=row.end), tmp_path / "plain.mp4")
    first, frames = tmp_path / "first.gray", tmp_path / "plain.gray"
    small = ["-vf", "scale=160:90,format=gray", "-f", "rawvideo", "-vsync", "passthrough"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", path, *small, "-frames:v", "1", first], check=True)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", plain, *small, frames], check=True)
    import numpy
    picture = numpy.frombuffer(first.read_bytes(), numpy.uint8).astype(int)
    film = numpy.frombuffer(frames.read_bytes(), numpy.uint8).reshape(-1, 160 * 90).astype(int)
    nearest = int(numpy.abs(film - picture).sum(axis=1).argmin())
    assert abs(nearest - round(3.4 * 15)) <= 1, nearest


def test_an_export_is_resumed_in_the_middle(archive, codec):
    row = archive.rows(codec)[1]
    query = {"start": row.start, "end": row.end}
    whole = archive.get(codec, "export.mp4", **query)
    etag, size = whole.headers["etag"], len(whole.content)
    rest = archive.api.get(
        f"/cameras/{archive.ids[codec]}/export.mp4", params=query, headers={"Range": f"bytes={size // 2}-", "If-Range": etag})
    assert rest.status_code == 206
    assert whole.content[: size // 2] + rest.content == whole.content
    assert "attachment" in whole.headers["content-disposition"] and codec in whole.headers["content-disposition"]


def test_gstreamer_and_pymp4_read_an_export(archive, codec, tmp_path):
    row = archive.rows(codec)[1]
    path = saved(archive.get(codec, "export.mp4", start=row.start, end=row.end), tmp_path / "export.mp4")
    parser = {"h264": "h264parse", "h265": "h265parse"}[codec]
    run = subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", f"location={path}", "!", "qtdemux", "!", parser, "!", "fakesink"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and "ERROR" not in run.stderr, run.stderr[:500]
    from pymp4.parser import Box
    kinds = []
    with path.open("rb") as file:
        while file.tell() < path.stat().st_size:
            kinds.append(Box.parse_stream(file).type)
    assert kinds[0] == b"ftyp" and b"moov" in kinds and b"mdat" in kinds


def test_a_playlist_plays_over_segments(archive, codec, tmp_path):
    rows = archive.rows(codec)
    answer = archive.get(codec, "playback.m3u8", start=rows[0].start + 1, end=rows[2].start + 4)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert answer.text.count("#EXT-X-DISCONTINUITY") == 2 and answer.text.rstrip().endswith("#EXT-X-ENDLIST")
    path = tmp_path / "played.mp4"
    run = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-headers", f"Authorization: Bearer {archive.api.token}\r\n", "-i",
         f"{archive.api.base}/cameras/{archive.ids[codec]}/playback.m3u8?start={rows[0].start + 1}&end={rows[2].start + 4}",
         "-map", "0:v", "-c", "copy", "-f", "mp4", "-y", str(path)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[:600]
    assert follow(probe(path).fingerprints(), archive.films[codec].fingerprints) == ""


def test_the_index_gives_stretches_that_decode_by_themselves(archive, codec, tmp_path):
    rows = archive.rows(codec)
    index = archive.get(codec, "playback.json", start=rows[0].start + 5, end=rows[1].start + 5).json()
    assert len(index["segments"]) == 2
    for segment in index["segments"]:
        data = archive.api.get(segment["url"]).content
        for fragment in segment["fragments"][:3]:
            part = tmp_path / "part.mp4"
            part.write_bytes(data[: segment["init_length"]] + data[fragment["offset"] : fragment["offset"] + fragment["size"]])
            movie = probe(part)
            assert movie.video.packets[0].key
            assert abs(len(movie.video.packets) / 15 - fragment["duration"]) < 0.1
            assert decode_errors(part) == ""
        begins = [datetime.fromisoformat(fragment["start"].replace("Z", "+00:00")).timestamp() for fragment in segment["fragments"]]
        assert all(abs(step - fragment["duration"]) < 0.01 for step, fragment in zip(steps(begins), segment["fragments"]))


def test_the_index_reaches_into_the_segment_that_is_being_written(archive, codec):
    def newest():
        index = archive.get(codec, "playback.json", start=time.time() - 5).json()
        return index["segments"] and index["segments"][-1]["is_growing"] and index["segments"][-1]
    segment = wait_for("footage of the last seconds", newest, 20)
    last = segment["fragments"][-1]
    data = archive.api.get(segment["url"], headers={"Range": f"bytes={last['offset']}-{last['offset'] + last['size'] - 1}"})
    assert data.status_code == 206 and len(data.content) == last["size"]
    assert "#EXT-X-ENDLIST" not in archive.get(codec, "playback.m3u8", start=time.time() - 5).text


def test_previews_are_key_frames_of_their_time(archive, codec):
    row = archive.rows(codec)[1]
    first = archive.get(codec, "preview.jpg", t=row.start + 0.5)
    assert first.status_code == 200 and first.content[:2] == b"\xff\xd8"
    same = archive.get(codec, "preview.jpg", t=row.start + 0.9)
    other = archive.get(codec, "preview.jpg", t=row.start + 6)
    assert same.content == first.content and other.content != first.content
    when = datetime.fromtimestamp(row.start + 0.5, timezone.utc).isoformat()
    assert archive.get(codec, "preview.jpg", t=when).content == first.content
    assert len(archive.get(codec, "preview.jpg", t=row.start + 0.5, width=640).content) > len(first.content)


def test_a_time_lapse_is_the_key_frames_alone(archive, codec, tmp_path):
    rows = archive.rows(codec)
    answer = archive.get(codec, "timelapse.mp4", start=rows[0].start, end=rows[2].end, seconds=5)
    movie = probe(saved(answer, tmp_path / "lapse.mp4"))
    keys = sum(1 for row in rows[:3] for packet in probe(row.path).video.packets if packet.key)
    assert all(packet.key for packet in movie.video.packets)
    assert abs(len(movie.video.packets) - keys) <= 1
    assert movie.video.end <= 5.2
    assert decode_errors(tmp_path / "lapse.mp4") == ""


@pytest.mark.parametrize("what", ["export.mp4", "playback.m3u8", "timelapse.mp4"])
@pytest.mark.parametrize("query, status", [
    ({}, 422), ({"start": "yesterday"}, 422), ({"start": "1e400"}, 422), ({"start": 5000, "end": 4000}, 422), ({"start": 0, "end": 864000}, 422),
    ({"start": 1000, "end": 2000}, 404), ({"start": "2001-01-01T00:00:00Z", "end": "2001-01-01T01:00:00+01:00"}, 422),
])
def test_bad_ranges(archive, what, query, status):
    answer = archive.get("h264", what, **query)
    assert answer.status_code == status, answer.text


def test_strangers_and_unknown_cameras(archive):
    for what in ("export.mp4", "playback.m3u8", "playback.json", "preview.jpg", "timelapse.mp4"):
        assert archive.api.get(f"/cameras/999/{what}?start=1&end=2&t=1").status_code == 404
        assert archive.api.get(f"/cameras/{archive.ids['h264']}/{what}?start=1&end=2&t=1", token="").status_code == 401
