"""Byte ranges as RFC 9110 section 14 has them, on a finished and on a still growing segment."""

from __future__ import annotations

import re
import subprocess
import time
from email.message import Message
from email.parser import BytesParser

import pytest

from harness.media import decode_errors, probe
from harness.server import NVR, wait_for
from peers import footage
from peers.gst_camera import GstCamera


class Shelf:
    """One finished segment with its bytes, and a camera that goes on recording."""

    def __init__(self, nvr: NVR, camera: int):
        self.nvr, self.api, self.camera = nvr, nvr.api, camera
        row = wait_for("a finished segment", lambda: next((row for row in nvr.rows(camera) if row.finished), None), 90)
        self.file = row.path.read_bytes()
        begin = row.path.relative_to(nvr.recordings)
        event = wait_for("its event", lambda: next((e for e in self.api.events() if e["file_path"] == f"/media/{begin}" and e["timestamp_end"]), None), 60)
        self.places = {"media": event["file_path"], "download": f"/events/{event['id']}/download"}
        # A download is cut from the footage of the event's range: the same pictures, a file of its own.
        self.whole = {path: self.api.get(path).content for path in self.places.values()}

    def growing(self) -> tuple[str, object]:
        row = wait_for("a growing segment", lambda: next((row for row in self.nvr.rows(self.camera) if not row.finished and row.bytes > 100_000), None), 90)
        return f"/media/{row.path.relative_to(self.nvr.recordings)}", row.path


@pytest.fixture(scope="module")
def shelf():
    with GstCamera({"/cam": footage.counter()}) as camera, NVR(segment_seconds=12) as nvr:
        nvr.start().with_admin()
        yield Shelf(nvr, nvr.api.add_camera("ranges", camera.url("/cam")))


@pytest.fixture(params=["media", "download"])
def place(request, shelf) -> str:
    return shelf.places[request.param]


@pytest.fixture
def whole(shelf, place) -> bytes:
    return shelf.whole[place]


def test_the_path_gives_the_file_and_the_download_its_pictures(shelf, tmp_path):
    assert shelf.whole[shelf.places["media"]] == shelf.file
    copies = [tmp_path / "file.mp4", tmp_path / "download.mp4"]
    copies[0].write_bytes(shelf.file)
    copies[1].write_bytes(shelf.whole[shelf.places["download"]])
    stored, fetched = (probe(copy) for copy in copies)
    assert fetched.fingerprints() == stored.fingerprints()
    assert decode_errors(copies[1]) == ""


def test_no_range(shelf, place, whole):
    answer = shelf.api.get(place)
    assert answer.status_code == 200 and answer.content == whole
    assert answer.headers["Accept-Ranges"] == "bytes" and answer.headers["ETag"] and answer.headers["Content-Type"] == "video/mp4"


SINGLE = {
    "first": ("0-99", lambda n: (0, 99)),
    "one byte": ("0-0", lambda n: (0, 0)),
    "middle": ("1000-1999", lambda n: (1000, 1999)),
    "open-ended": ("5000-", lambda n: (5000, n - 1)),
    "everything": ("0-", lambda n: (0, n - 1)),
    "suffix": ("-500", lambda n: (n - 500, n - 1)),
    "suffix longer than the file": ("-999999999999", lambda n: (0, n - 1)),
    "end beyond the file": ("100-999999999999", lambda n: (100, n - 1)),
    "with blanks": (" 0-99 ", lambda n: (0, 99)),
}


@pytest.mark.parametrize("case", SINGLE)
def test_single_range(shelf, place, whole, case):
    text, expected = SINGLE[case]
    begin, end = expected(len(whole))
    answer = shelf.api.get(place, headers={"Range": f"bytes={text}"})
    assert answer.status_code == 206, answer.text[:200]
    assert answer.headers["Content-Range"] == f"bytes {begin}-{end}/{len(whole)}"
    assert int(answer.headers["Content-Length"]) == end - begin + 1
    assert answer.content == whole[begin : end + 1]


def test_last_byte(shelf, place, whole):
    size = len(whole)
    answer = shelf.api.get(place, headers={"Range": f"bytes={size - 1}-"})
    assert answer.status_code == 206 and answer.content == whole[-1:]


@pytest.mark.parametrize("text", ["{n}-", "{n}-{m}", "-0", "999999999999999999999-", "18446744073709551616-18446744073709551617"])
def test_unsatisfiable(shelf, place, whole, text):
    size = len(whole)
    answer = shelf.api.get(place, headers={"Range": f"bytes={text.format(n=size, m=size + 10)}"})
    assert answer.status_code == 416, f"{answer.status_code}"
    assert answer.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize("text", ["bytes=5-2", "bytes=abc", "bytes=", "bytes=-", "bytes=1-2-3", "bytes 0-5", "items=0-5", "bytes=0x10-0x20", "bytes=--5", "bytes=0-5,a-b"])
def test_nonsense_is_ignored(shelf, place, whole, text):
    # RFC 9110 section 14.2: an invalid Range may be ignored; it may also be refused as a bad request, but never served as a part.
    answer = shelf.api.get(place, headers={"Range": text})
    assert answer.status_code in (200, 400, 416), answer.status_code
    if answer.status_code == 200:
        assert answer.content == whole


def parts(answer) -> list[tuple[str, bytes]]:
    message: Message = BytesParser().parsebytes(b"Content-Type: " + answer.headers["Content-Type"].encode() + b"\r\n\r\n" + answer.content)
    # The e-mail parser would touch line ends inside binary parts: only its headers are used, the bytes are cut by hand.
    boundary = re.search(r'boundary="?([^";]+)', answer.headers["Content-Type"])[1].encode()
    found = []
    for piece in answer.content.split(b"--" + boundary)[1:]:
        if piece.startswith(b"--"):
            break
        head, _, body = piece.partition(b"\r\n\r\n")
        content_range = re.search(rb"(?i)content-range: *(bytes [^\r\n]+)", head)[1].decode()
        begin, end = (int(text) for text in re.search(r"(\d+)-(\d+)/", content_range).groups())
        found.append((content_range, body[: end - begin + 1]))
    assert message.is_multipart()
    return found


def test_multiple_ranges(shelf, place, whole):
    size = len(whole)
    answer = shelf.api.get(place, headers={"Range": "bytes=0-9, 1000-1099, -10"})
    assert answer.status_code == 206
    assert answer.headers["Content-Type"].startswith("multipart/byteranges")
    assert "Content-Range" not in answer.headers
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    expected = [(0, 9), (1000, 1099), (size - 10, size - 1)]
    assert parts(answer) == [(f"bytes {begin}-{end}/{size}", whole[begin : end + 1]) for begin, end in expected]


def test_multiple_with_one_beyond_the_end(shelf, place, whole):
    size = len(whole)
    answer = shelf.api.get(place, headers={"Range": f"bytes=0-9,{size + 5}-"})
    assert answer.status_code == 206
    if answer.headers["Content-Type"].startswith("multipart/"):
        assert [content for _, content in parts(answer)] == [whole[:10]]
    else:
        assert answer.content == whole[:10] and answer.headers["Content-Range"] == f"bytes 0-9/{size}"


def test_many_overlapping_ranges_are_no_lever(shelf, place, whole):
    answer = shelf.api.get(place, headers={"Range": "bytes=" + ",".join(["0-"] * 500)})
    assert answer.status_code in (200, 206, 400, 416)
    assert len(answer.content) <= 2 * len(whole)


def test_if_range(shelf, place, whole):
    plain = shelf.api.get(place)
    tag = plain.headers["ETag"]
    assert not tag.startswith("W/"), "ranges need a strong validator"
    same = shelf.api.get(place, headers={"Range": "bytes=0-9", "If-Range": tag})
    assert same.status_code == 206 and same.content == whole[:10]
    for other in ('"other"', f"W/{tag}", "Thu, 01 Jan 1970 00:00:00 GMT"):
        answer = shelf.api.get(place, headers={"Range": "bytes=0-9", "If-Range": other})
        assert answer.status_code == 200 and answer.content == whole, other
    if modified := plain.headers.get("Last-Modified"):
        answer = shelf.api.get(place, headers={"Range": "bytes=0-9", "If-Range": modified})
        assert answer.status_code in (200, 206)


def test_conditional_requests(shelf, place, whole):
    tag = shelf.api.get(place).headers["ETag"]
    answer = shelf.api.get(place, headers={"If-None-Match": tag})
    assert answer.status_code == 304 and not answer.content
    assert shelf.api.get(place, headers={"If-None-Match": '"other"'}).status_code == 200
    assert shelf.api.get(place, headers={"If-Match": '"other"'}).status_code == 412


def test_head(shelf, place, whole):
    answer = shelf.api.call("HEAD", place)
    assert answer.status_code == 200 and not answer.content
    assert int(answer.headers["Content-Length"]) == len(whole)


def test_file_name_and_disposition(shelf):
    answer = shelf.api.get(shelf.places["download"])
    assert re.match(r'attachment; *filename="?[^"/\\]+\.mp4"?', answer.headers["Content-Disposition"])
    inline = shelf.api.get(shelf.places["download"], params={"inline": "true"})
    assert inline.headers.get("Content-Disposition", "inline").startswith("inline")


# A segment that grows while it is read.


def test_growing_whole(shelf, tmp_path):
    place, path = shelf.growing()
    answer = shelf.api.get(place)
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert path.read_bytes().startswith(answer.content)
    copy = tmp_path / "growing.mp4"
    copy.write_bytes(answer.content)
    assert len(probe(copy).video.packets) > 20


def test_growing_ranges(shelf):
    place, path = shelf.growing()
    for text, begin, count in (("0-99", 0, 100), ("1000-1999", 1000, 1000), ("50000-50999", 50000, 1000)):
        answer = shelf.api.get(place, headers={"Range": f"bytes={text}"})
        assert answer.status_code == 206
        assert answer.content == path.read_bytes()[begin : begin + count]
        assert re.fullmatch(rf"bytes {begin}-{begin + count - 1}/(\d+|\*)", answer.headers["Content-Range"])
    tail = shelf.api.get(place, headers={"Range": "bytes=-100"})
    assert tail.status_code == 206 and len(tail.content) == 100
    begin = int(re.match(r"bytes (\d+)-", tail.headers["Content-Range"])[1])
    assert path.read_bytes()[begin : begin + 100] == tail.content
    assert shelf.api.get(place, headers={"Range": "bytes=999999999-"}).status_code == 416


def test_growing_validator_changes_with_the_bytes(shelf):
    # One that was just finished when it was asked for grows no more: the next is taken.
    for _ in range(5):
        place, path = shelf.growing()
        first = shelf.api.get(place)
        deadline = time.monotonic() + 20
        while len((second := shelf.api.get(place)).content) <= len(first.content) and time.monotonic() < deadline:
            time.sleep(0.5)
        if len(second.content) > len(first.content):
            break
    assert len(second.content) > len(first.content)
    assert second.content.startswith(first.content)
    assert first.headers["ETag"] != second.headers["ETag"] or first.headers["ETag"].startswith("W/")
    answer = shelf.api.get(place, headers={"Range": "bytes=0-9", "If-Range": first.headers["ETag"]})
    assert answer.status_code == 200, "a part of one version must not be joined to another"


def test_a_player_reads_it_over_http(shelf):
    url = shelf.api.base + shelf.places["media"]
    run = subprocess.run(
        ["ffprobe", "-v", "error", "-headers", f"Cookie: media_token={shelf.api.token}\r\n", "-count_packets", "-show_entries",
         "stream=codec_name,nb_read_packets", "-of", "csv=p=0", url], capture_output=True, text=True, timeout=60,
    )
    assert run.returncode == 0 and not run.stderr.strip(), run.stderr
    assert int(run.stdout.strip().split(",")[1]) > 100
