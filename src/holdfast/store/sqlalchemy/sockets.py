"""Sockets: how a connection is looked at and let go, past its driver's good manners.

Law: nothing here waits or speaks to the server. Each driver's own ways stand here and in
`deadlines`, and nowhere else.
"""

import contextlib
import select
from typing import Any

from holdfast.lifetimes import let_go
from holdfast.store.sqlalchemy.deadlines import driver_of

__all__ = ["cut", "went_dead"]


def _socket_of(connection: Any) -> int:
    """Return the file number of a driver's connection, or -1 where it is not to be had."""
    with contextlib.suppress(Exception):  # a closed connection says so in many ways
        kind = driver_of(connection)
        if kind == "psycopg":
            return int(connection.pgconn.socket)
        if kind == "pymysql":
            return int(connection._sock.fileno())  # noqa: SLF001 - it has no other way
        transport = _transport_of(connection)
        if transport is not None:
            return int(transport.get_extra_info("socket").fileno())
    return -1


def went_dead(connection: Any) -> bool:
    """Return whether a connection that rests has ended, or says what nobody asked for."""
    transport = _transport_of(connection)
    if transport is not None and transport.is_closing():
        return True
    number = _socket_of(connection)
    if number < 0:
        return False
    watch = select.poll()
    watch.register(number, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(watch.poll(0))


def _transport_of(connection: Any) -> Any:
    """Return the transport of a driver that uses one."""
    return getattr(connection, "_transport", None)


def cut(connection: Any) -> None:
    """Let go of a driver's connection at once, without a word to the server."""
    kind = driver_of(connection)
    if kind == "psycopg":
        connection.pgconn.finish()
    elif kind == "pymysql":
        connection._force_close()  # noqa: SLF001 - its `close` would speak, and may wait
    elif kind == "aiosqlite":
        _end_thread(connection)
    elif (transport := _transport_of(connection)) is not None:
        let_go(transport)
        with contextlib.suppress(Exception):  # what remains to be told has nobody to hear it
            (connection.terminate if kind == "asyncpg" else connection.close)()


def _end_thread(connection: Any) -> None:
    """End the thread of aiosqlite's connection when its statement is over.

    What SQLAlchemy closes afterwards has no thread any more and would wait for ever: for it the
    connection is closed already.
    """
    inner = vars(connection)["_connection"]
    if inner is not None:
        vars(connection)["_connection"] = None
        vars(connection)["_tx"].put_nowait((None, inner.close))
        connection.stop()
