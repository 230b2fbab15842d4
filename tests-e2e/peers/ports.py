"""Ports that stay with whoever was told them."""

from __future__ import annotations

import socket

_kept: list[socket.socket] = []


def keep(port: int = 0, host: str = "127.0.0.1") -> int:
    """A TCP port that nobody gets by chance as long as this process lives: a free one, or the one that was given up a moment ago.

    It is bound and nobody listens there, so connections are refused. A program that knows its number may listen on it, since servers
    set SO_REUSEADDR; the kernel, which chooses ports for everything else that runs on this machine, passes it over.
    """
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((host, port))
    _kept.append(one)
    return one.getsockname()[1]
