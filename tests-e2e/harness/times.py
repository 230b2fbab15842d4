"""The API's times as seconds since 1970."""

from __future__ import annotations

from datetime import datetime, timezone


def seconds(text: str) -> float:
    """An ISO 8601 time with Z or an offset; a time without one is an error of the server."""
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None, f"{text} has no zone"
    return moment.astimezone(timezone.utc).timestamp()
