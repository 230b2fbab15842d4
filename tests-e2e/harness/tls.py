"""Certificates as cameras have them: signed by nobody but themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(folder: Path, name: str = "camera") -> tuple[str, str]:
    """Paths of a new certificate and its key."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", f"/CN={name}"],
        check=True, capture_output=True,
    )
    return str(certificate), str(key)
