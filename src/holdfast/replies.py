"""Replies over HTTP: for drivers on urllib3, whose timeout is that of each single read.

Law: a reply has come within the time its socket gives one read, or it is a `TimeoutError`. What is
closed is closed now.
"""

import contextlib
import io
import socket
from http.client import HTTPResponse
from typing import Any

from holdfast.clock import monotonic

__all__ = ["Timely", "close_pools"]


def close_pools(manager: Any) -> None:
    """Close a `PoolManager` of urllib3, whose `clear` leaves its pools to the garbage collector.

    A connection that is in use is closed after it.
    """
    pools = [manager.pools.get(key) for key in manager.pools.keys()]  # noqa: SIM118 - no mapping
    manager.clear()
    for pool in pools:
        if pool is not None:  # another closed it
            pool.close()


class Timely(HTTPResponse):
    """A reply that may drip, but not for longer than its socket's timeout in all.

    It is for the `response_class` of a connection.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Until(self.fp.detach(), sock))


class _Until(io.RawIOBase):
    """Reads from a socket until its time is over, and leaves it its timeout."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock
        self._timeout = sock.gettimeout()
        self._until = None if self._timeout is None else monotonic() + self._timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._until is not None:
            left = self._until - monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it is closed already
            self._sock.settimeout(self._timeout)
        self._raw.close()
        super().close()
