"""An installation of VibeNVR as its containers leave it: a folder of recordings, and a database as SQLite file or as dumps of PostgreSQL."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from peers import footage

INSIDE = "/var/lib/vibe/recordings"

# Columns with their types in PostgreSQL, as the product's models have them; those that matter to nobody here are left out.
SCHEMA: dict[str, dict[str, str]] = {
    "api_tokens": {
        "id": "integer", "name": "character varying", "token_hash": "character varying", "created_at": "timestamp with time zone",
        "last_used_at": "timestamp with time zone", "created_by_user_id": "integer", "expires_at": "timestamp with time zone", "is_active": "boolean",
    },
    "camera_group_association": {"camera_id": "integer", "group_id": "integer"},
    "camera_groups": {"id": "integer", "name": "character varying", "description": "character varying"},
    "cameras": {
        "id": "integer", "name": "character varying", "rtsp_url": "character varying", "sub_rtsp_url": "character varying", "location": "character varying",
        "is_active": "boolean", "rtsp_transport": "character varying", "resolution_width": "integer", "framerate": "integer",
        "text_scale": "double precision", "movie_file_name": "character varying", "recording_mode": "character varying", "max_movie_length": "integer",
        "preserve_movies": "character varying", "captured_before": "integer", "captured_after": "integer", "motion_masks": "character varying",
        "detect_motion_mode": "character varying", "ai_object_types": "character varying", "storage_profile_id": "integer",
        "created_at": "timestamp with time zone",
    },
    "events": {
        "id": "integer", "camera_id": "integer", "timestamp_start": "timestamp with time zone", "timestamp_end": "timestamp with time zone",
        "type": "character varying", "event_type": "character varying", "file_path": "character varying", "thumbnail_path": "character varying",
        "file_size": "integer", "width": "integer", "height": "integer", "motion_score": "double precision", "ai_metadata": "character varying",
    },
    "storage_profiles": {
        "id": "integer", "name": "character varying", "path": "character varying", "description": "character varying", "max_size_gb": "double precision",
        "storage_type": "character varying",
    },
    "system_settings": {"id": "integer", "key": "character varying", "value": "character varying", "description": "character varying"},
    "user_camera_access": {
        "user_id": "integer", "camera_id": "integer", "can_view": "boolean", "can_replay": "boolean", "can_control": "boolean",
    },
    "users": {
        "id": "integer", "username": "character varying", "email": "character varying", "hashed_password": "character varying",
        "role": "character varying", "is_2fa_enabled": "boolean", "restrict_camera_access": "boolean", "language": "character varying",
        "created_at": "timestamp with time zone",
    },
}


def argon2(password: str) -> str:
    """A hash with the costs that passlib takes by itself."""
    library = ctypes.CDLL("libargon2.so.1")
    out, salt, text = ctypes.create_string_buffer(200), os.urandom(16), password.encode()
    sizes = [ctypes.c_size_t(number) for number in (len(text), 16, 32, 200)]
    code = library.argon2id_hash_encoded(3, 65536, 4, text, sizes[0], salt, sizes[1], sizes[2], out, sizes[3])
    assert code == 0, code
    return out.value.decode()


class Reference:
    """Rows by table, and the files they speak of."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.recordings = folder / "vibenvr_data"
        self.recordings.mkdir(parents=True)
        self.rows: dict[str, list[dict[str, Any]]] = {table: [] for table in SCHEMA}

    def add(self, table: str, **values: Any) -> dict:
        unknown = set(values) - set(SCHEMA[table])
        assert not unknown, unknown
        row = {column: values.get(column) for column in SCHEMA[table]}
        if "id" in row and row["id"] is None:
            row["id"] = len(self.rows[table]) + 1
        self.rows[table].append(row)
        return row

    # Recordings.

    def movie(self, camera: int, start: datetime, source: Path, *options: str, name: str | None = None, codec: tuple[str, ...] = ("-c", "copy")) -> Path:
        """A recording whose name tells when it began, as the engine's ffmpeg writes it with these options, and its thumbnail."""
        path = self.recordings / str(camera) / start.strftime("%Y-%m-%d") / (name or start.strftime("%H-%M-%S.mp4"))
        path.parent.mkdir(parents=True, exist_ok=True)
        footage.ffmpeg("-i", str(source), *codec, "-video_track_timescale", "90000", *options, str(path))
        footage.ffmpeg("-i", str(path), "-ss", "00:00:01", "-vframes", "1", "-vf", "scale=320:-1", str(path.with_suffix(".jpg")))
        return path

    def event(self, camera: int, path: Path | str, start: datetime, seconds: float, kind: str = "motion", **values: Any) -> dict:
        """A row as the product makes it when a recording has ended: its start is the end of the clip, and its end lies in the future."""
        inside = path if isinstance(path, str) else f"{INSIDE}/{path.relative_to(self.recordings)}"
        ended = start + timedelta(seconds=seconds + 1.4)
        if isinstance(path, Path):
            values.setdefault("file_size", path.stat().st_size if path.exists() else 0)
            values.setdefault("thumbnail_path", inside.rsplit(".", 1)[0] + ".jpg")
        values = {"type": "video", "width": 640, "height": 360, "motion_score": 0.0, **values}
        return self.add(
            "events", camera_id=camera, timestamp_start=ended, timestamp_end=ended + timedelta(seconds=seconds), event_type=kind, file_path=inside,
            **values)

    def fingerprints(self) -> dict[str, str]:
        """Every file and link below the folder of recordings, and what is in it."""
        return {
            str(path.relative_to(self.recordings)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.recordings.rglob("*")) if path.is_file() and not path.is_symlink()
        }

    # The database.

    def sqlite(self) -> Path:
        path = self.folder / "vibenvr.db"
        kinds = {"integer": "INTEGER", "boolean": "BOOLEAN", "double precision": "FLOAT", "timestamp with time zone": "DATETIME"}
        with closing(sqlite3.connect(path)) as database, database:
            for table, columns in SCHEMA.items():
                declared = ", ".join(name + " " + kinds.get(kind, "VARCHAR") for name, kind in columns.items())
                database.execute(f"CREATE TABLE {table} ({declared})")
                for row in self.rows[table]:
                    values = [value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value for value in row.values()]
                    database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
        return path

    def dump(self, inserts: bool = False) -> Path:
        """What `pg_dump` (or `pg_dump --inserts`) writes of it."""
        lines = [
            "--", "-- PostgreSQL database dump", "--", "", "\\restrict Jm7QpZ", "", "SET statement_timeout = 0;", "SET client_encoding = 'UTF8';",
            "SET standard_conforming_strings = on;", "SELECT pg_catalog.set_config('search_path', '', false);", "SET default_table_access_method = heap;",
            "",
        ]
        for table, columns in SCHEMA.items():
            declared = [f'    "{name}" {kind}' if name == "name" else f"    {name} {kind}" for name, kind in columns.items()]
            lines += [f"CREATE TABLE public.{table} (", ",\n".join(declared), ");", ""]
        for table, columns in SCHEMA.items():
            lines += ["--", f"-- Data for Name: {table}; Type: TABLE DATA; Schema: public; Owner: vibenvr", "--", ""]
            if inserts:
                lines += [f"INSERT INTO public.{table} VALUES ({', '.join(map(self._literal, row.values()))});" for row in self.rows[table]]
            else:
                lines.append(f"COPY public.{table} ({', '.join(columns)}) FROM stdin;")
                lines += ["\t".join(map(self._copied, row.values())) for row in self.rows[table]] + ["\\."]
            lines += ["", ""]
        lines += ["ALTER TABLE ONLY public.cameras\n    ADD CONSTRAINT cameras_pkey PRIMARY KEY (id);", "", "\\unrestrict Jm7QpZ", ""]
        path = self.folder / f"dump-{'inserts' if inserts else 'copy'}.sql"
        path.write_text("\n".join(lines))
        return path

    @staticmethod
    def _text(value: Any) -> str:
        if isinstance(value, bool):
            return "t" if value else "f"
        return value.strftime("%Y-%m-%d %H:%M:%S.%f") + "+00" if isinstance(value, datetime) else str(value)

    @classmethod
    def _copied(cls, value: Any) -> str:
        if value is None:
            return "\\N"
        return cls._text(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")

    @classmethod
    def _literal(cls, value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return str(value).lower()
        return str(value) if isinstance(value, (int, float)) else "'" + cls._text(value).replace("'", "''") + "'"

    def real_dumps(self, binaries: Path) -> dict[str, Path]:
        """What PostgreSQL itself makes of it: plain text of both kinds, and an archive."""
        # PostgreSQL does not run as root, and root's folders are closed to others.
        work = Path(tempfile.mkdtemp(prefix="vibenvr-pg-", dir="/tmp"))
        os.chmod(work, 0o777)
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": work}
        subprocess.run([*user, binaries / "initdb", "-D", work / "data", "-A", "trust", "-U", "vibenvr", "-E", "UTF8", "--no-sync"], **quiet)
        options = f"-c listen_addresses= -c unix_socket_directories={work} -c fsync=off"
        subprocess.run([*user, binaries / "pg_ctl", "-D", work / "data", "-w", "-l", work / "log", "-o", options, "start"], **quiet)
        try:
            connect = ["-h", str(work), "-U", "vibenvr"]
            subprocess.run([*user, binaries / "psql", *connect, "-v", "ON_ERROR_STOP=1", "-q", "-d", "postgres", "-f", "-"], input=re.sub(rb"(?m)^\\\\(un)?restrict.*", b"", self.dump().read_bytes()), **quiet)
            forms = {"copy": [], "inserts": ["--inserts", "--rows-per-insert=3"], "columns": ["--column-inserts"], "archive": ["-Fc"]}
            found = {}
            for name, extra in forms.items():
                found[name] = self.folder / f"real-{name}.sql"
                with open(found[name], "wb") as out:
                    subprocess.run([*user, binaries / "pg_dump", *connect, *extra, "postgres"], check=True, stdout=out, cwd=work)
            return found
        finally:
            subprocess.run([*user, binaries / "pg_ctl", "-D", work / "data", "-w", "-m", "immediate", "stop"], **quiet)
            shutil.rmtree(work)
