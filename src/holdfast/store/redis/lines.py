"""Lines: connections for threads, each kept for the next who asks.

Law: a line is used by one thread at a time, and is kept only after a whole reply: what failed in
the middle is closed, so that no late reply is ever taken for another's. Before anything is sent on
a kept line it is looked at; one that the server closed is left, and a new one made.
"""

import select
import socket
from collections.abc import Coroutine, Sequence
from typing import Any

from redis import exceptions as driver
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

from holdfast.clock import monotonic
from holdfast.errors import StoreUnavailable
from holdfast.store.redis import words
from holdfast.store.redis.errors import Unknown, breaks, said
from holdfast.store.redis.operations import Operations
from holdfast.store.redis.routes import route_to
from holdfast.store.redis.settings import Host, Kind, Settings
from holdfast.store.redis.words import Reply, Words

__all__ = ["Line", "LinePool", "Lines"]

_HAS_POLL = hasattr(select, "poll")  # not on Windows


class _Punctual:
    """A socket whose every wait ends at `until`, also where the bytes of a reply drip."""

    def __init__(self, connected: socket.socket, until: float) -> None:
        self._socket = connected
        self.until = until

    def _prepare(self) -> socket.socket:
        left = self.until - monotonic()
        if left <= 0:
            raise TimeoutError("no time is left")
        self._socket.settimeout(left)
        return self._socket

    def recv(self, size: int, flags: int = 0) -> bytes:
        return self._prepare().recv(size, flags)

    def recv_into(self, buffer: bytearray) -> int:
        return self._prepare().recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        self._prepare().sendall(data)

    def settimeout(self, timeout: float) -> None:
        """Do nothing: the driver counts its time from each read anew."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class _Connecting:
    """Mixed into the driver's connections: they get punctual sockets, and connect in time."""

    until = 0.0  # which the driver wants to know before it is told
    punctual: _Punctual

    def _left(self) -> float:
        return max(0.001, self.until - monotonic())

    def _keep(self, timeout: object) -> None:
        """Do nothing: the driver would give each address of a host, and TLS, all the time anew."""

    socket_connect_timeout = socket_timeout = property(_left, _keep)

    def _connect(self) -> _Punctual:
        self.punctual = _Punctual(super()._connect(), self.until)  # type: ignore[misc]  # of the driver
        return self.punctual


class _Tcp(_Connecting, Connection):
    """To a host."""


class _Tls(_Connecting, SSLConnection):
    """To a host, over TLS."""


class _Unix(_Connecting, UnixDomainSocketConnection):
    """To a unix socket."""


class Line:
    """One open connection.

    Attributes:
        punctual: Its socket.
        hello: What the server said of itself where it was greeted in RESP3, else None.
    """

    __slots__ = ("_connection", "_poll", "hello", "punctual")

    def __init__(self, arguments: dict[str, Any], until: float) -> None:
        kind: Any = _Unix if "path" in arguments else _Tcp
        kind = _Tls if arguments.pop("ssl", False) else kind
        self._connection = kind(**arguments)
        self._connection.until = until
        self._connection.connect()
        self.punctual: _Punctual = self._connection.punctual
        self.hello: Reply = self._connection.handshake_metadata
        if _HAS_POLL:
            self._poll = select.poll()
            self._poll.register(self.punctual.fileno(), select.POLLIN)

    def is_quiet(self) -> bool:
        """Return whether nothing came that nobody asked for, such as the server's goodbye."""
        if _HAS_POLL:
            return not self._poll.poll(0)
        return not self._connection.can_read(0)

    def exchange(self, commands: Sequence[Words], until: float) -> list[Reply]:
        self.punctual.until = until
        self._connection.send_packed_command([words.packed(commands)], check_health=False)
        replies: list[Reply] = []
        for _ in commands:
            try:
                replies.append(self._connection.read_response())
            except driver.ResponseError as error:
                replies.append(error)
        return replies

    def close(self) -> None:
        self._connection.disconnect()


class LinePool:
    """The lines to one server."""

    def __init__(self, settings: Settings, arguments: dict[str, object], *, sentinel: bool) -> None:
        self._name = settings.name
        self._arguments = arguments
        self._must_be_master = settings.kind is Kind.SENTINEL and not sentinel
        self._idle: list[Line] = []
        self._closed = False

    async def exchange(self, commands: Sequence[Words], until: float) -> list[Reply]:
        """See `Pool.exchange`; never suspends."""
        line = self._take() or self._connect(until)
        try:
            replies = line.exchange(commands, until)
        except BaseException as error:
            line.close()
            if breaks(error) and not words.only_ask(commands):
                raise Unknown(said(error)) from error
            raise
        self._idle.append(line)
        if self._closed:  # meanwhile
            self.clear()
        return replies

    def _take(self) -> Line | None:
        while self._idle:
            try:
                line = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if line.is_quiet():
                return line
            line.close()
        return None

    def _connect(self, until: float) -> Line:
        if self._closed:
            raise StoreUnavailable(self._name, "the store is closed")
        line = Line(dict(self._arguments), until)
        if self._must_be_master:
            try:
                words.need_master(line.exchange([words.HELLO], until)[0])
            except BaseException:
                line.close()
                raise
        return line

    def clear(self) -> None:
        """Close what is not in use."""
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread was quicker
                break

    def close(self) -> None:
        """Close for good; lines in use are closed by who uses them."""
        self._closed = True
        self.clear()


class Lines:
    """All lines of a process.

    Attributes:
        operations: What can be done over them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pools: list[LinePool] = []
        self._closed = False
        self.operations = Operations(route_to(settings, self._dial, _one_by_one), settings.timeout)

    def _dial(self, host: Host | None, *, sentinel: bool = False) -> LinePool:
        arguments = self._settings.arguments(host, sentinel=sentinel)
        pool = LinePool(self._settings, arguments, sentinel=sentinel)
        self._pools.append(pool)
        if self._closed:  # while somebody was on the way to it
            pool.close()
        return pool

    def close(self) -> None:
        self._closed = True
        for pool in self._pools:
            pool.close()


async def _one_by_one(steps: Sequence[Coroutine[object, None, list[Reply]]]) -> list[list[Reply]]:
    return [await step for step in steps]
