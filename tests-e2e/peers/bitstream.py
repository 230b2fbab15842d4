"""Takes elementary streams apart: NAL units, access units, ADTS frames, and the fingerprint two copies of a frame share."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_START = re.compile(b"\x00\x00\x01")


def annexb_nals(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B stream (H.264 B.1, H.265 B.1), without start codes and trailing zero bytes."""
    starts = [match.end() for match in _START.finditer(data)]
    nals = []
    for index, start in enumerate(starts):
        end = starts[index + 1] - 3 if index + 1 < len(starts) else len(data)
        nal = data[start:end].rstrip(b"\x00")
        if nal:
            nals.append(nal)
    return nals


def length_prefixed_nals(sample: bytes) -> list[bytes]:
    """The NAL units of an MP4 sample (ISO/IEC 14496-15, four-byte lengths)."""
    nals, at = [], 0
    while at + 4 <= len(sample):
        size = int.from_bytes(sample[at : at + 4], "big")
        if size == 0 or at + 4 + size > len(sample):
            raise ValueError(f"NAL length {size} at {at} of a sample of {len(sample)} bytes")
        nals.append(sample[at + 4 : at + 4 + size])
        at += 4 + size
    if at != len(sample):
        raise ValueError("trailing bytes in a sample")
    return nals


def nal_type(nal: bytes, codec: str) -> int:
    return nal[0] & 0x1F if codec == "h264" else (nal[0] >> 1) & 0x3F


def is_picture(nal: bytes, codec: str) -> bool:
    """A coded slice: what a frame cannot lose."""
    kind = nal_type(nal, codec)
    return 1 <= kind <= 5 if codec == "h264" else kind <= 31


def is_key(nal: bytes, codec: str) -> bool:
    kind = nal_type(nal, codec)
    return kind == 5 if codec == "h264" else 16 <= kind <= 23


def _begins_picture(nal: bytes, codec: str) -> bool:
    # first_mb_in_slice is ue(v): zero is a leading 1 bit. H.265 has first_slice_segment_in_pic_flag there.
    header = 1 if codec == "h264" else 2
    return len(nal) > header and bool(nal[header] & 0x80)


def fingerprint(nals: list[bytes], codec: str) -> str:
    """Of the slices alone: parameter sets, delimiters and SEI may move or be added on the way, slices may not."""
    digest = hashlib.sha1(usedforsecurity=False)
    for nal in nals:
        if is_picture(nal, codec):
            digest.update(len(nal).to_bytes(4, "big"))
            digest.update(nal)
    return digest.hexdigest()


@dataclass(frozen=True)
class AccessUnit:
    nals: tuple[bytes, ...]
    key: bool
    fingerprint: str

    @property
    def annexb(self) -> bytes:
        return b"".join(b"\x00\x00\x00\x01" + nal for nal in self.nals)


def access_units(data: bytes, codec: str) -> list[AccessUnit]:
    """An Annex B stream as pictures: a new one begins with a first slice, and what stands before it belongs to it."""
    units: list[list[bytes]] = []
    pending: list[bytes] = []
    for nal in annexb_nals(data):
        if is_picture(nal, codec):
            if _begins_picture(nal, codec) or not units:
                units.append(pending + [nal])
            else:
                units[-1] += pending + [nal]
            pending = []
        elif units and codec == "h265" and nal_type(nal, codec) in (37, 40):
            units[-1].append(nal)
        else:
            pending.append(nal)
    return [
        AccessUnit(tuple(nals), any(is_key(n, codec) for n in nals), fingerprint(nals, codec)) for nals in units
    ]


def adts_frames(data: bytes) -> list[bytes]:
    """Raw AAC frames of an ADTS stream (ISO/IEC 13818-7, 6.2)."""
    frames, at = [], 0
    while at + 7 <= len(data):
        if data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
            raise ValueError(f"no ADTS sync word at {at}")
        header = 7 if data[at + 1] & 1 else 9
        size = ((data[at + 3] & 3) << 11) | (data[at + 4] << 3) | (data[at + 5] >> 5)
        frames.append(data[at + header : at + size])
        at += size
    return frames


def jpeg_frames(data: bytes) -> list[bytes]:
    """The pictures of a Motion JPEG file; inside a scan FF is always followed by 00 or a restart marker."""
    frames, at = [], 0
    while True:
        start = data.find(b"\xff\xd8\xff", at)
        if start < 0:
            return frames
        end = data.find(b"\xff\xd9", start)
        if end < 0:
            return frames
        frames.append(data[start : end + 2])
        at = end + 2
