"""Deadlines: how a call to a driver is brought to an end.

Law: an operation of a blocking driver ends when `limit.until` of its thread is over: psycopg and
PyMySQL obey it; what other blocking drivers do is up to their own timeouts. In an event loop a
cancelled call ends at once.
"""

import asyncio
import math
import socket
import threading
from collections.abc import Callable, Generator
from types import MethodType
from typing import Any

import sqlalchemy as sa

from holdfast.clock import monotonic

__all__ = [
    "Late",
    "Pool",
    "bind",
    "connect_in_loop",
    "connect_in_thread",
    "connect_to_mysql",
    "driver_of",
    "free",
    "limit",
]

_TIMEOUTS = ("_read_timeout", "_write_timeout")  # of PyMySQL
_LONG = 3600.0  # seconds, where there is no limit
_INTERVAL = 0.1  # seconds between two looks at the time; psycopg's own, for the sake of Ctrl-C

Steps = Generator[Any, Any, Any]


class Late(Exception):  # noqa: N818 - never leaves the store
    """The deadline came before the answer."""


class _Limit(threading.local):
    """When the operation of this thread must end, in seconds of the monotonic clock."""

    until = math.inf


limit = _Limit()


def _left() -> float:
    """Return the seconds this thread has left: a socket takes neither none nor infinity."""
    return min(max(limit.until - monotonic(), 0.001), _LONG)


class Pool(sa.QueuePool):
    """A pool whose wait for a connection ends at the limit of its thread, too."""

    @property
    def _timeout(self) -> float:
        return min(self._longest, _left())

    @_timeout.setter
    def _timeout(self, longest: float) -> None:
        self._longest = longest


def driver_of(connection: Any) -> str:
    """Return the name of a connection's driver."""
    return type(connection).__module__.partition(".")[0]


def bind(connection: Any) -> Any:
    """Let what is asked of a driver's connection end at the limit of this thread.

    Returns:
        What `free` needs to undo it.
    """
    driver = driver_of(connection)
    if driver == "psycopg":
        looping = asyncio.iscoroutinefunction(type(connection).wait)
        vars(connection)["wait"] = MethodType(_wait_in_loop if looping else _wait, connection)
    elif driver == "pymysql":
        own = vars(connection)  # its timeouts have no public name
        before = {name: own[name] for name in _TIMEOUTS}
        own.update(dict.fromkeys(_TIMEOUTS, _left()))
        _bind_reads(connection)
        return before
    return None


def _bind_reads(connection: Any) -> None:
    """Let what PyMySQL reads end at the limit of this thread."""
    file = vars(connection)["_rfile"]
    if file is not None and "readinto" not in vars(file.raw):
        vars(file.raw)["readinto"] = MethodType(_read_some, file.raw)


def free(connection: Any, before: Any) -> None:
    """Undo `bind`, on a connection that others use as well."""
    driver = driver_of(connection)
    if driver == "psycopg":
        vars(connection).pop("wait", None)
    elif driver == "pymysql":
        own = vars(connection)
        own.update(before)
        if own["_rfile"] is not None:
            vars(own["_rfile"].raw).pop("readinto", None)


def connect_in_thread(timeout: float) -> Callable[..., Any]:
    """Return what makes a connection of psycopg that knows deadlines from its first byte on."""
    import psycopg  # noqa: PLC0415 - only where this driver is used

    class Bound(psycopg.Connection[Any]):
        __module__ = "psycopg"  # as its parent says of itself
        _pool = None  # it is in a pool: no warning if the program ends before it is closed
        wait = _wait  # type: ignore[assignment] # it takes whatever its parent takes

        @classmethod
        def _connect_gen(cls, *args: Any, **kwargs: Any) -> Any:
            until = min(limit.until, monotonic() + timeout)
            return _until(super()._connect_gen(*args, **kwargs), until)

    return Bound.connect


def connect_in_loop() -> Callable[..., Any]:
    """Return what makes a connection of psycopg that a cancelled call leaves at once."""
    import psycopg  # noqa: PLC0415 - only where this driver is used

    class Bound(psycopg.AsyncConnection[Any]):
        __module__ = "psycopg"  # as its parent says of itself
        _pool = None  # it is in a pool: no warning if the program ends before it is closed
        wait = _wait_in_loop  # type: ignore[assignment] # it takes whatever its parent takes

    return Bound.connect


def connect_to_mysql() -> Callable[..., Any]:
    """Return what makes a connection of PyMySQL, without reading all certificates each time."""
    import pymysql.connections  # noqa: PLC0415 - only where this driver is used

    contexts: list[Any] = []  # none or one: what it is made of is the same for a whole engine

    class Bound(pymysql.connections.Connection):
        __module__ = "pymysql"  # as its parent says of itself

        def connect(self, sock: Any = None) -> None:
            self.connect_timeout: float = min(self.connect_timeout, _left())
            vars(self).update(dict.fromkeys(_TIMEOUTS, self.connect_timeout))
            super().connect(sock)  # type: ignore[no-untyped-call] # it has no types

        def _read_bytes(self, count: int) -> Any:
            _bind_reads(self)  # anew, for TLS changes what it reads from
            return super()._read_bytes(count)  # type: ignore[no-untyped-call] # it has no types

        def _create_ssl_ctx(self, given: Any) -> Any:
            if not contexts:
                contexts.append(super()._create_ssl_ctx(given))  # type: ignore[no-untyped-call] # it has no types
            return contexts[0]

    return Bound


def _wait(self: Any, steps: Steps, *_: object, **__: object) -> Any:
    """Stand in for `psycopg.Connection.wait`: the same, with an end."""
    import psycopg  # noqa: PLC0415 - it is there: this is its method

    until = limit.until
    if until == math.inf:
        return psycopg.Connection.wait(self, steps)
    left = _left()
    interval = left / math.ceil(left / _INTERVAL)
    return psycopg.Connection.wait(self, _until(steps, until), interval)


async def _wait_in_loop(self: Any, steps: Steps, *_: object, **__: object) -> Any:
    """Stand in for `psycopg.AsyncConnection.wait`, which asks the server to cancel and waits."""
    import psycopg.waiting  # noqa: PLC0415 - it is there: this is its method

    try:
        return await psycopg.waiting.wait_async(steps, self.pgconn.socket, _INTERVAL)
    except asyncio.CancelledError:
        self.pgconn.finish()
        raise


def _read_some(raw: Any, buffer: Any) -> int | None:
    """Stand in for `readinto` of PyMySQL's socket, whose timeout begins anew with every byte."""
    raw._sock.settimeout(_left())  # noqa: SLF001 - a file has no timeout
    return socket.SocketIO.readinto(raw, buffer)


def _until(steps: Steps, until: float) -> Steps:
    """Pass `steps` of psycopg on, and raise `Late` when time is up."""
    try:
        state = next(steps)
        while True:
            ready = yield state
            if monotonic() >= until:
                raise Late
            state = steps.send(ready)
    except StopIteration as done:
        return done.value
    finally:
        steps.close()
