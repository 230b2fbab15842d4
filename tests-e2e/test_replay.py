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
            wait_for("three finished segments", lambda key=key: len([row for row in nvr.rows(key) if row.finished]) >= 3, 180)

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


CONTAINERS = {b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl"}


def pymp4_boxes(data: bytes) -> list:
    """Every box as pymp4 reads it, by itself: it loses its place behind an `avcC` of the High profile, whose last fields it does not
    know (ISO/IEC 14496-15, 5.3.3.1), whoever wrote it."""
    from pymp4.parser import Box

    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kind, head = data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        assert head <= size <= len(data) - at, (kind, size)
        if kind in CONTAINERS:
            found += [(kind, None), *pymp4_boxes(data[at + head : at + size])]
        else:
            found.append((kind, Box.parse(data[at : at + size])))
            assert found[-1][1].type.strip() == kind.strip()
        at += size
    return found


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
    boxes = pymp4_boxes(path.read_bytes())
    kinds = [kind for kind, _ in boxes]
    assert kinds[0] == b"ftyp" and {b"moov", b"mvhd", b"stsd", b"mdat"} <= set(kinds)
    sizes = next(box for kind, box in boxes if kind == b"stsz")
    assert sizes.sample_count == len(probe(path).video.packets)

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
    segment = wait_for("footage of the last seconds", newest, 60)
    last = segment["fragments"][-1]
    data = archive.api.get(segment["url"], headers={"Range": f"bytes={last['offset']}-{last['offset'] + last['size'] - 1}"})
    assert data.status_code == 206 and len(data.content) == last["size"]

    # Over the border between two segments too, where for a moment there is none that grows, it goes on.
    before, over = archive.rows(codec)[-1].id, 0
    while over < 50:
        answer = archive.get(codec, "playback.m3u8", start=time.time() - 120)
        assert answer.status_code == 200 and "#EXT-X-ENDLIST" not in answer.text, answer.text[-300:]
        over += archive.rows(codec)[-1].id != before
        time.sleep(0.02)


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


def test_an_export_over_a_gap_and_a_change_of_codec(tmp_path):
    """The camera is away for some seconds and comes back as another one: one ordinary file, both parts packet for packet."""
    films = {codec: footage.counter(codec) for codec in ("h264", "h265")}
    with GstCamera({f"/{codec}": (film, None) for codec, film in films.items()}) as camera, NVR(segment_seconds=5) as nvr:
        nvr.start().with_admin()
        key = nvr.api.add_camera("changing", camera.url("/h264"))
        begun = time.time()
        wait_for("two finished segments", lambda: len([row for row in nvr.rows(key) if row.finished]) >= 2, 120)
        nvr.api.put(f"/cameras/{key}", json={"is_active": False})
        wait_for("the recording has ended", lambda: all(row.finished for row in nvr.rows(key)), 60)
        count = len(nvr.rows(key))
        time.sleep(3)
        assert nvr.api.put(f"/cameras/{key}", json={"is_active": True, "rtsp_url": camera.url("/h265")}).status_code == 200
        wait_for("two finished segments more", lambda: len([row for row in nvr.rows(key) if row.finished]) >= count + 2, 120)
        rows = [row for row in nvr.rows(key) if row.finished]
        query = {"start": begun - 60, "end": rows[-1].end}
        answer = nvr.api.get(f"/cameras/{key}/export.mp4", params=query)
        path = saved(answer, tmp_path / "changing.mp4")
        # A resume in the middle gives the same bytes.
        half = len(answer.content) // 2
        rest = nvr.api.get(
            f"/cameras/{key}/export.mp4", params=query, headers={"Range": f"bytes={half}-", "If-Range": answer.headers["etag"]})
        assert rest.status_code == 206 and answer.content[:half] + rest.content == answer.content
        movie = probe(path)
        # A track of each codec on one time line: no player shows a track that changes it.
        tracks = [track for track in movie.tracks if track.kind == "video"]
        assert [track.codec for track in tracks] == ["h264", "hevc"]
        packets = sorted((packet for track in tracks for packet in track.packets), key=lambda packet: packet.dts)
        expected = [(len(probe(row.path).video.packets), row) for row in rows]
        assert len(packets) == sum(number for number, _ in expected)
        gaps = [step for step in steps([packet.dts for packet in packets]) if step > 1]
        wanted = rows[count].start - rows[count - 1].end
        assert len(gaps) == 1 and abs(gaps[0] - wanted) < 0.2, (gaps, wanted)
        stored = [sample for track in tracks for sample in movie.bytes_of(track)]
        parts = [probe(row.path) for row in rows]
        assert stored == [sample for part in parts for sample in part.bytes_of(part.video)]
        assert decode_errors(path) == ""
        from pymp4.parser import Box
        with path.open("rb") as file:
            kinds = [Box.parse_stream(file).type for _ in range(2)]
        assert kinds == [b"ftyp", b"moov"]
        moov = answer.content[: answer.content.index(b"mdat")]
        assert b"avc1" in moov and b"hvc1" in moov


def test_sheets_of_previews(archive, codec, tmp_path):
    row = archive.rows(codec)[1]
    sheet = archive.get(codec, "sprite.json", t=row.start).json()
    picture = archive.api.get(sheet["url"])
    assert picture.status_code == 200 and picture.headers["content-type"] == "image/jpeg"
    path = tmp_path / "sheet.jpg"
    path.write_bytes(picture.content)
    size = probe_size(path)
    assert size == (sheet["columns"] * sheet["tile_width"], sheet["rows"] * sheet["tile_height"]) and sheet["tile_height"] == 90
    times = [datetime.fromisoformat(tile["time"].replace("Z", "+00:00")).timestamp() for tile in sheet["tiles"]]
    assert times == sorted(times) and times[0] >= archive.rows(codec)[0].start - 0.001
    # A tile shows what the preview of its time shows.
    import numpy
    tile = sheet["tiles"][-1]
    crop = f"crop={sheet['tile_width']}:{sheet['tile_height']}:{tile['x']}:{tile['y']}"
    part = gray(path, crop)
    preview = tmp_path / "preview.jpg"
    preview.write_bytes(archive.get(codec, "preview.jpg", t=times[-1] + 0.01, width=160).content)
    difference = numpy.abs(part.astype(int) - gray(preview, f"scale={sheet['tile_width']}:{sheet['tile_height']}").astype(int)).mean()
    assert difference < 12, difference
    cached = list((archive.nvr.data / "cache" / "previews").glob("*.jpg"))
    assert 1 <= len(cached) and sum(file.stat().st_size for file in cached) < 256 << 20
    assert archive.get(codec, "sprite.jpg", t=1000).status_code == 404 and archive.get(codec, "sprite.json").status_code == 422


def gray(path: Path, chain: str):
    import numpy
    run = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-vf", f"{chain},format=gray", "-frames:v", "1", "-f", "rawvideo", "-"], capture_output=True, check=True)
    return numpy.frombuffer(run.stdout, numpy.uint8)


def probe_size(path: Path) -> tuple[int, int]:
    run = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", str(path)], capture_output=True, text=True, check=True)
    width, height = run.stdout.strip().split(",")[:2]
    return int(width), int(height)


def test_previews_that_nobody_waits_for_hold_nobody_up(archive):
    """Somebody drags along the timeline and gives up one picture after the other: the last one comes at once all the same."""
    import socket

    key = archive.ids["h264"]
    rows = archive.rows("h264")
    host, port = archive.api.base.removeprefix("http://").split(":")
    for number in range(60):
        when = rows[0].start + number * 0.4
        with socket.create_connection((host, int(port))) as given_up:
            given_up.sendall(
                f"GET /cameras/{key}/preview.jpg?t={when}&width=1920 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {archive.api.token}\r\n\r\n".encode())
    answer = archive.get("h264", "preview.jpg", t=rows[0].start + 2, width=304)
    assert answer.status_code == 200


def test_a_time_lapse_of_an_hour_with_little_in_it_decodes(archive, tmp_path):
    """All of the archive at once, the growing segment too."""
    for codec in CASES:
        answer = archive.get(codec, "timelapse.mp4", start=time.time() - 3600, end=time.time(), seconds=60)
        path = saved(answer, tmp_path / f"{codec}.mp4")
        assert decode_errors(path) == "" and probe(path).video.end <= 60.2
