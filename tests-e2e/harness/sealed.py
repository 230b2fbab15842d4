"""Encrypted footage as docs/STORAGE.md describes it, read without the product."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC, END_MAGIC = b"\x89VNVRSE\n", b"\x89VNVREND"
HEAD, RECORD_HEAD, TAG, TRAILER = 64, 32, 16, 16


def derive(key: bytes, salt: bytes | None, info: bytes, count: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=count, salt=salt, info=info).derive(key)


def keys(path: Path) -> list[bytes]:
    return [base64.b64decode(line) for line in path.read_text().split()]


def key_id(key: bytes) -> str:
    return derive(key, None, b"vibenvr footage key id", 16).hex()


@dataclass(frozen=True)
class Record:
    at: int  # in the file
    length: int
    kind: int
    index: int
    offset: int
    nonce: bytes


def records(content: bytes) -> list[Record]:
    """Every record that is there as a whole, by its head."""
    found, at = [], HEAD
    while at + RECORD_HEAD + TAG <= len(content):
        head = content[at : at + RECORD_HEAD]
        record = Record(
            at, int.from_bytes(head[:4], "big"), head[4], int.from_bytes(head[8:12], "big"), int.from_bytes(head[12:20], "big"), head[20:32])
        end = at + RECORD_HEAD + record.length + TAG
        if end > len(content) or record.length > 1 << 20 or record.kind > 1 or head[5:8] != bytes(3):
            break
        found.append(record)
        if record.kind == 1:
            break
        at = end
    return found


def is_sealed(content: bytes) -> bool:
    return len(content) >= HEAD and content.startswith(MAGIC)


def decrypt(content: bytes, key: bytes) -> tuple[bytes, bool]:
    """What is in a file up to the first record that is not what was written, and whether the file has its end."""
    assert is_sealed(content) and content[8:10] == b"\0\1"
    assert content[16:32].hex() == key_id(key), "another key"
    cipher = AESGCM(derive(key, content[32:64], b"vibenvr footage file" + content[:32], 32))
    plain, lengths = bytearray(), []
    for number, record in enumerate(records(content)):
        if record.index != number or record.offset != len(plain):
            return bytes(plain), False
        begin, end = record.at + RECORD_HEAD, record.at + RECORD_HEAD + record.length + TAG
        try:
            piece = cipher.decrypt(record.nonce, content[begin:end], content[:HEAD] + content[record.at : begin])
        except InvalidTag:
            return bytes(plain), False
        if record.kind == 1:
            told = [int.from_bytes(piece[at : at + 4], "big") for at in range(0, len(piece), 4)]
            trailer = content[end : end + TRAILER]
            return bytes(plain), told == lengths and trailer == (end - record.at).to_bytes(4, "big") + bytes(4) + END_MAGIC and end + TRAILER == len(content)
        plain += piece
        lengths.append(record.length)
    return bytes(plain), False
