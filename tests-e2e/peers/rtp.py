"""Puts access units and sound into RTP packets (RFC 3550, 6184, 7798, 3640, 3551), written for the tests alone."""

from __future__ import annotations

import base64
import struct
import time

from .bitstream import AccessUnit, nal_type
from .footage import Audio, Film

MTU = 1400


def h264_payloads(nals: list[bytes], aggregate: bool) -> list[bytes]:
    """Single NAL units, FU-A for what is too long, and on demand STAP-A for the small ones before the first slice."""
    payloads, small = [], []
    for nal in nals:
        if aggregate and nal_type(nal, "h264") in (6, 7, 8, 9) and len(nal) < 400:
            small.append(nal)
            continue
        if small:
            payloads.append(_stap(small))
            small = []
        if len(nal) <= MTU:
            payloads.append(nal)
            continue
        head, body = nal[0], nal[1:]
        for at in range(0, len(body), MTU - 2):
            part = body[at : at + MTU - 2]
            flags = (0x80 if at == 0 else 0) | (0x40 if at + len(part) == len(body) else 0)
            payloads.append(bytes([(head & 0xE0) | 28, flags | (head & 0x1F)]) + part)
    if small:
        payloads.append(_stap(small))
    return payloads


def _stap(nals: list[bytes]) -> bytes:
    if len(nals) == 1:
        return nals[0]
    return bytes([(max(nal[0] & 0x60 for nal in nals)) | 24]) + b"".join(len(n).to_bytes(2, "big") + n for n in nals)


def h265_payloads(nals: list[bytes], aggregate: bool) -> list[bytes]:
    payloads, small = [], []
    for nal in nals:
        if aggregate and nal_type(nal, "h265") >= 32 and len(nal) < 400:
            small.append(nal)
            continue
        if small:
            payloads.append(_aggregation(small))
            small = []
        if len(nal) <= MTU:
            payloads.append(nal)
            continue
        kind, body = nal_type(nal, "h265"), nal[2:]
        header = bytes([(nal[0] & 0x81) | (49 << 1), nal[1]])
        for at in range(0, len(body), MTU - 3):
            part = body[at : at + MTU - 3]
            flags = (0x80 if at == 0 else 0) | (0x40 if at + len(part) == len(body) else 0)
            payloads.append(header + bytes([flags | kind]) + part)
    if small:
        payloads.append(_aggregation(small))
    return payloads


def _aggregation(nals: list[bytes]) -> bytes:
    if len(nals) == 1:
        return nals[0]
    return bytes([48 << 1, 1]) + b"".join(len(n).to_bytes(2, "big") + n for n in nals)


class RTPTrack:
    """Sequence numbers, timestamps and the source of one RTP stream."""

    def __init__(self, payload_type: int, clock: int, ssrc: int, first_timestamp: int, first_sequence: int):
        self.payload_type, self.clock, self.ssrc = payload_type, clock, ssrc
        self.base, self.sequence = first_timestamp, first_sequence
        self.packets = self.octets = 0
        self.timestamp = first_timestamp & 0xFFFFFFFF

    def packet(self, payload: bytes, timestamp: int, marker: bool) -> bytes:
        self.timestamp = timestamp & 0xFFFFFFFF
        header = struct.pack(
            ">BBHII", 0x80, (0x80 if marker else 0) | self.payload_type, self.sequence & 0xFFFF, self.timestamp, self.ssrc
        )
        self.sequence += 1
        self.packets += 1
        self.octets += len(payload)
        return header + payload

    def sender_report(self, now: float | None = None) -> bytes:
        """RFC 3550, 6.4.1, for the timestamp of the newest packet, with the CNAME every report must carry."""
        now = time.time() if now is None else now
        seconds, fraction = int(now) + 2208988800, int((now % 1) * 2**32)
        report = struct.pack(
            ">BBHIIIIII", 0x80, 200, 6, self.ssrc, seconds & 0xFFFFFFFF, fraction, self.timestamp,
            self.packets & 0xFFFFFFFF, self.octets & 0xFFFFFFFF,
        )
        name = b"camera"
        chunk = struct.pack(">IBB", self.ssrc, 1, len(name)) + name + b"\x00"
        chunk += b"\x00" * (-len(chunk) % 4)
        return report + struct.pack(">BBH", 0x81, 202, len(chunk) // 4) + chunk


def video_payloads(unit: AccessUnit, codec: str, *, aggregate: bool, parameter_sets: bool) -> list[bytes]:
    nals = list(unit.nals)
    if not parameter_sets:
        kinds = (7, 8) if codec == "h264" else (32, 33, 34)
        nals = [nal for nal in nals if nal_type(nal, codec) not in kinds]
    return h264_payloads(nals, aggregate) if codec == "h264" else h265_payloads(nals, aggregate)


def audio_payload(packet: bytes, codec: str) -> bytes:
    if codec == "aac":
        # mpeg4-generic, AAC-hbr: one header of 13 bits size and 3 bits index (RFC 3640, 3.3.6).
        return struct.pack(">HH", 16, len(packet) << 3) + packet
    return packet


def sdp(film: Film | None, audio: Audio | None, *, origin: str, base: str, style: str, sets: str, sprop_film: Film | None = None) -> str:
    """The session description. `style`: relative, absolute or query track names; `sets`: sdp, band, both, or wrong."""
    control = {"relative": "trackID={}", "absolute": base + "/trackID={}", "query": "?track={}&x=1"}[style]
    lines = ["v=0", f"o=- 1 1 IN IP4 {origin}", "s=Camera", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*", "a=range:npt=now-"]
    if film:
        first = (sprop_film or film).units[0].nals
        codec = film.codec
        encode = lambda nal: base64.b64encode(nal).decode()
        lines += ["m=video 0 RTP/AVP 96", "b=AS:3000"]
        if codec == "h264":
            sps = next(n for n in first if nal_type(n, codec) == 7)
            pps = next(n for n in first if nal_type(n, codec) == 8)
            fmtp = f"a=fmtp:96 packetization-mode=1;profile-level-id={sps[1:4].hex().upper()}"
            if sets in ("sdp", "both"):
                fmtp += f";sprop-parameter-sets={encode(sps)},{encode(pps)}"
            elif sets == "wrong":
                fmtp += ";sprop-parameter-sets=Z0IA,!!notbase64"
            lines += ["a=rtpmap:96 H264/90000", fmtp]
        else:
            lines.append("a=rtpmap:96 H265/90000")
            if sets in ("sdp", "both"):
                names = ((32, "vps"), (33, "sps"), (34, "pps"))
                parts = [f"sprop-{name}={encode(next(n for n in first if nal_type(n, codec) == kind))}" for kind, name in names]
                lines.append("a=fmtp:96 " + ";".join(parts))
            elif sets == "wrong":
                lines.append("a=fmtp:96 sprop-vps=;sprop-sps=AAAA;sprop-pps=%%%")
        if sets == "wrong":
            lines.append("a=framerate:90000.000000")
        lines.append("a=control:" + control.format(1))
    if audio:
        if audio.codec in ("pcma", "pcmu"):
            number = 8 if audio.codec == "pcma" else 0
            lines += [f"m=audio 0 RTP/AVP {number}", f"a=rtpmap:{number} {audio.codec.upper()}/{audio.rate}"]
        elif audio.codec == "aac":
            lines += [
                "m=audio 0 RTP/AVP 97", f"a=rtpmap:97 MPEG4-GENERIC/{audio.rate}/{audio.channels}",
                "a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;"
                f"config={audio.config.hex()}",
            ]
        else:
            lines += ["m=audio 0 RTP/AVP 97", "a=rtpmap:97 opus/48000/2"]
        lines.append("a=control:" + control.format(2))
    return "\r\n".join(lines) + "\r\n"
