"""A real S3 server, SeaweedFS: it checks every signature. Anybody may read and list, so that tests look with plain HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import requests
import urllib3

from . import ports

urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

PLACES = [Path(sys.executable).parent, Path(__file__).resolve().parents[2] / ".venv-test" / "bin"]
ACCESS_KEY, SECRET_KEY = "footage-writer", "Only-The-Server-Knows-17"
_NAMESPACE = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Stored:
    key: str
    size: int


class S3Server:
    """One server on a folder of its own; may be killed and started again on the same port and folder."""

    def __init__(self, bucket: str = "footage", tls: tuple[str, str] | None = None):
        """`tls`: certificate and key, for HTTPS."""
        self.bucket = bucket
        self._tls = tls
        self.folder = Path(tempfile.mkdtemp(prefix="weed-"))
        # They stay its own while it is down.
        self._ports = [ports.keep() for _ in range(8)]
        self._process: subprocess.Popen | None = None
        self._log = open(self.folder / "weed.log", "ab")
        rights = ["Admin", "Read", "Write", "List", "Tagging"]
        identities = [
            {"name": "writer", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}], "actions": rights},
            {"name": "anonymous", "actions": ["Read", "List"]},
        ]
        (self.folder / "s3.json").write_text(json.dumps({"identities": identities}))
        (self.folder / "data").mkdir()
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def endpoint(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._ports[0]}"

    def start(self) -> "S3Server":
        program = next((place / "weed" for place in PLACES if (place / "weed").is_file()), None)
        assert program, "weed is missing: run scripts/install-test.sh"
        s3, master, volume, filer, s3_rpc, master_rpc, volume_rpc, filer_rpc = self._ports
        self._process = subprocess.Popen(
            [
                "setpriv", "--pdeathsig", "KILL", str(program), "server", "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1",
                "-dir", str(self.folder / "data"), "-master.telemetry=false", f"-master.port={master}", f"-master.port.grpc={master_rpc}",
                f"-volume.port={volume}", f"-volume.port.grpc={volume_rpc}", "-volume.max=8", "-master.volumeSizeLimitMB=128",
                f"-filer.port={filer}", f"-filer.port.grpc={filer_rpc}", "-s3", "-s3.ip.bind=127.0.0.1", f"-s3.port={s3}",
                f"-s3.port.grpc={s3_rpc}", f"-s3.config={self.folder / 's3.json'}", "-s3.autoCreateBucket",
                # Of fixed numbers unless told otherwise, and servers run side by side.
                "-s3.port.iceberg=0", "-s3.port.lance=0",
                *([f"-s3.cert.file={self._tls[0]}", f"-s3.key.file={self._tls[1]}"] if self._tls else []),
            ],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT, cwd=self.folder, start_new_session=True,
        )
        deadline = time.monotonic() + 180
        while not self._is_ready():
            assert self._process.poll() is None and time.monotonic() < deadline, f"weed did not start:\n{self.log()[-2000:]}"
            time.sleep(0.2)
        return self

    def _is_ready(self) -> bool:
        try:
            return self.http.get(f"{self.endpoint}/", timeout=10).status_code < 500 and self._has_volumes()
        except requests.RequestException:
            return False

    def _has_volumes(self) -> bool:
        """The master takes a moment to hear of its volume server, and until then nothing can be stored."""
        answer = self.http.get(f"http://127.0.0.1:{self._ports[1]}/dir/assign", timeout=10)
        return answer.status_code == 200 and "fid" in answer.json()

    def log(self) -> str:
        return (self.folder / "weed.log").read_text(errors="replace")

    def kill(self) -> None:
        """At once; it does not always heed anything else."""
        if self._process is not None:
            if self._process.poll() is None:
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def objects(self, prefix: str = "") -> list[Stored]:
        """What the bucket holds, by key."""
        found, token = [], ""
        while True:
            url = f"{self.endpoint}/{self.bucket}?list-type=2&prefix={quote(prefix, safe='')}"
            answer = self.http.get(url + (f"&continuation-token={quote(token, safe='')}" if token else ""), timeout=120)
            if answer.status_code == 404:
                return []
            assert answer.status_code == 200, answer.text[:500]
            root = ElementTree.fromstring(answer.content)
            token = ""
            for child in root:
                name = _NAMESPACE.sub("", child.tag)
                if name == "Contents":
                    values = {_NAMESPACE.sub("", entry.tag): entry.text for entry in child}
                    found.append(Stored(values["Key"], int(values["Size"])))
                elif name == "NextContinuationToken":
                    token = child.text or ""
            if not token:
                return [one for one in found if not one.key.endswith("/")]

    def movies(self, prefix: str = "") -> list[Stored]:
        return [one for one in self.objects(prefix) if one.key.endswith(".mp4")]

    def events(self, prefix: str = "") -> list[dict]:
        return [json.loads(self.get(one.key)) for one in self.objects(prefix) if one.key.endswith(".json")]

    def get(self, key: str) -> bytes:
        answer = self.http.get(f"{self.endpoint}/{self.bucket}/{quote(key)}", timeout=120)
        assert answer.status_code == 200, answer.text[:500]
        return answer.content

    def put(self, key: str, content: bytes) -> None:
        """Past the S3 interface, by the server's own one for files."""
        answer = self.http.put(f"http://127.0.0.1:{self._ports[3]}/buckets/{self.bucket}/{quote(key)}", data=content, timeout=120)
        assert answer.status_code in (200, 201), answer.text[:500]

    def delete(self, key: str) -> None:
        """Past the S3 interface as well."""
        answer = self.http.delete(f"http://127.0.0.1:{self._ports[3]}/buckets/{self.bucket}/{quote(key)}", timeout=120)
        assert answer.status_code in (200, 204), answer.text[:500]

    def uploads(self) -> list[str]:
        """Keys of uploads in parts that are not over."""
        answer = self.http.get(f"{self.endpoint}/{self.bucket}?uploads", timeout=120)
        assert answer.status_code == 200, answer.text[:500]
        root = ElementTree.fromstring(answer.content)
        return [entry.text or "" for upload in root if _NAMESPACE.sub("", upload.tag) == "Upload" for entry in upload if _NAMESPACE.sub("", entry.tag) == "Key"]

    def parts(self, key: str, upload: str) -> int:
        """How many parts of an upload are there."""
        answer = self.http.get(f"{self.endpoint}/{self.bucket}/{quote(key)}?uploadId={quote(upload)}", timeout=120)
        if answer.status_code != 200:
            return 0
        return sum(_NAMESPACE.sub("", entry.tag) == "Part" for entry in ElementTree.fromstring(answer.content))

    def profile(self, **fields) -> dict:
        """What the product is told of it."""
        return {
            "name": "Off-site", "endpoint": self.endpoint, "bucket": self.bucket, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
            "prefix": "home", "offsite_all_cameras": True, **fields,
        }

    def close(self) -> None:
        self.kill()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "S3Server":
        return self.start()

    def __exit__(self, *_) -> None:
        self.close()
