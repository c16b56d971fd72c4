"""Streams: connections for one event loop, each kept for the next who asks.

Law: as in `lines.py`; and a task that is cancelled in the middle closes its stream. Streams end
before their loop does.
"""

import asyncio
import select
from collections.abc import Coroutine, Sequence
from typing import Any

from redis import exceptions as driver
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.connection import DefaultParser

from holdfast.clock import monotonic
from holdfast.errors import StoreUnavailable
from holdfast.gather import Gather
from holdfast.keys import check
from holdfast.lifetimes import let_go
from holdfast.store.redis import words
from holdfast.store.redis.errors import Unknown, breaks, said
from holdfast.store.redis.operations import Operations
from holdfast.store.redis.resp import NOTHING, new_parser
from holdfast.store.redis.routes import Route, route_to
from holdfast.store.redis.settings import Host, Kind, Settings
from holdfast.store.redis.words import Reply, Words

__all__ = ["StreamPool", "Streams"]

_AT_ONCE = 10  # connections to one server; what comes then waits, and leaves together
_HAS_POLL = hasattr(select, "poll")  # not on Windows


class _Abrupt:
    """Mixed into the driver's connections: one that ends, for whatever reason, is closed at once.

    The driver would say goodbye, wait for its time to come, and know of the transport no more.
    """

    _reader: asyncio.StreamReader | None
    _writer: asyncio.StreamWriter | None

    def drop(self) -> None:
        """Close; also when the loop is over."""
        writer = self._writer
        self._writer = self._reader = None
        if writer is not None:
            let_go(writer.transport)

    async def disconnect(self, *_: object, **__: object) -> None:
        self.drop()


class _Tcp(_Abrupt, Connection):
    """To a host."""


class _Tls(_Abrupt, SSLConnection):
    """To a host, over TLS."""


class _Unix(_Abrupt, UnixDomainSocketConnection):
    """To a unix socket."""


class _Replies(asyncio.Protocol):
    """What comes over one connection, as the replies to what was asked.

    Attributes:
        is_quiet: The connection stands, and nothing came that nobody asked for.
    """

    def __init__(self) -> None:
        self._parser = new_parser(DefaultParser.parse_error)
        self._replies: list[Reply] = []
        self._count = 0
        self._answer: asyncio.Future[list[Reply]] | None = None
        self.is_quiet = True

    def expect(self, count: int) -> asyncio.Future[list[Reply]]:
        """Return the next `count` replies, once they are there."""
        self._replies, self._count = [], count
        self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed(data)
            while (reply := self._parser.gets()) is not NOTHING:
                self._replies.append(reply)
        except driver.InvalidResponse as error:
            self._end(error)
            return
        if self._answer is None or len(self._replies) > self._count:
            self._end(driver.InvalidResponse("nobody asked"))
        elif len(self._replies) == self._count:
            answer, self._answer = self._answer, None
            if not answer.done():
                answer.set_result(self._replies)

    def connection_lost(self, exc: Exception | None) -> None:
        error = driver.ConnectionError("the server closed the connection")
        error.__cause__ = exc
        self._end(error)

    def _end(self, error: Exception) -> None:
        self.is_quiet = False
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)


class _Stream:
    """One connection, open after `open`: the driver connects and logs in, and reads no more.

    Its readers wait in tasks and take turns of the loop that cost more than the server's answer.
    """

    __slots__ = ("_connection", "_poll", "_replies", "_transport", "drop")

    def __init__(self, arguments: dict[str, Any], timeout: float) -> None:
        kind: Any = _Unix if "path" in arguments else _Tcp
        kind = _Tls if arguments.pop("ssl", False) else kind
        # The pool keeps the time: without a timeout of its own the driver makes no task per write.
        self._connection = kind(**arguments, socket_timeout=None, socket_connect_timeout=timeout)
        self.drop = self._connection.drop

    async def open(self) -> None:
        await self._connection.connect()
        self._transport = self._connection._writer.transport  # noqa: SLF001 - the driver shows it to nobody
        self._replies = _Replies()
        self._transport.set_protocol(self._replies)
        if _HAS_POLL:
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)

    def is_quiet(self) -> bool:
        """Return whether nothing came that nobody asked for, such as the server's goodbye."""
        if self._transport.is_closing():  # after a reset; its number may be another socket's now
            return False
        if _HAS_POLL and self._poll.poll(0):  # what the loop has not looked at yet
            return False
        return self._replies.is_quiet

    def exchange(self, commands: Sequence[Words]) -> asyncio.Future[list[Reply]]:
        answer = self._replies.expect(len(commands))
        self._transport.write(words.packed(commands))
        return answer


class StreamPool:
    """The streams to one server."""

    def __init__(self, settings: Settings, arguments: dict[str, object], *, sentinel: bool) -> None:
        self._name = settings.name
        self._timeout = settings.timeout
        self._arguments = arguments
        self._must_be_master = settings.kind is Kind.SENTINEL and not sentinel
        self._idle: list[_Stream] = []
        self._all: set[_Stream] = set()  # those in use, too: a loop may end without a word to them
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._closed = False

    async def exchange(self, commands: Sequence[Words], until: float) -> list[Reply]:
        """See `Pool.exchange`."""
        async with asyncio.timeout(until - monotonic()), self._room:
            stream = self._take() or await self._connect()
            try:
                replies = await stream.exchange(commands)
            except BaseException as error:
                self._drop(stream)
                if breaks(error) and not words.only_ask(commands):
                    raise Unknown(said(error)) from error
                raise
        self._idle.append(stream)
        if self._closed:  # meanwhile
            self.clear()
        return replies

    def _take(self) -> _Stream | None:
        while self._idle:
            stream = self._idle.pop()
            if stream.is_quiet():
                return stream
            self._drop(stream)
        return None

    async def _connect(self) -> _Stream:
        if self._closed:
            raise StoreUnavailable(self._name, "the store is closed")
        stream = _Stream(dict(self._arguments), self._timeout)
        self._all.add(stream)
        try:
            await stream.open()
            if self._must_be_master:
                words.need_master((await stream.exchange([words.HELLO]))[0])
        except BaseException:
            self._drop(stream)
            raise
        return stream

    def _drop(self, stream: _Stream) -> None:
        """Close at once, whatever still had to be sent."""
        self._all.discard(stream)
        stream.drop()

    def clear(self) -> None:
        """Close what is not in use."""
        while self._idle:
            self._drop(self._idle.pop())

    def close(self) -> None:
        """Close for good; streams in use are closed by who uses them."""
        self._closed = True
        self.clear()

    def drop_outside(self) -> None:
        """Close when the loop is over: nobody goes on with those in use."""
        self.close()
        while self._all:
            self._all.pop().drop()


class Streams:
    """All streams of an event loop.

    Attributes:
        operations: What can be done over them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pools: list[StreamPool] = []
        self._closed = False
        route = route_to(settings, self._dial, _at_once)
        self.operations = _Gathered(route, settings.timeout)

    def _dial(self, host: Host | None, *, sentinel: bool = False) -> StreamPool:
        arguments = self._settings.arguments(host, sentinel=sentinel)
        pool = StreamPool(self._settings, arguments, sentinel=sentinel)
        self._pools.append(pool)
        if self._closed:  # while somebody was on the way to it
            pool.drop_outside()
        return pool

    async def close(self) -> None:
        self._closed = True
        for pool in self._pools:
            pool.close()

    def drop_outside(self) -> None:
        self._closed = True
        for pool in self._pools:
            pool.drop_outside()


async def _at_once(steps: list[Coroutine[object, None, list[Reply]]]) -> list[list[Reply]]:
    return await asyncio.gather(*steps)


class _Gathered(Operations):
    """Operations of one turn of the loop leave together: all GETs as one, all others as one.

    In a Cluster they do so for each node, for nobody shall wait for a node that is not his.
    """

    def __init__(self, route: Route, timeout: float) -> None:
        super().__init__(route, timeout)
        self._gets: Gather[str, Reply] = Gather(self._get_all)
        self._others: dict[object, Gather[Words, Reply]] = {}

    def get(self, key: str) -> asyncio.Future[Reply]:
        if self.route.joins:
            return self._gets.ask(check(key))
        return self.ask(("GET", check(key)))

    def ask(self, command: Words, until: float | None = None) -> asyncio.Future[Reply]:  # noqa: ARG002 - see below
        """See `Operations.ask`; a batch has its own deadline, the face keeps that of its caller."""
        group = command[0] == "GET", self.route.group_of(command)
        gather = self._others.get(group)
        if gather is None:
            gather = self._others[group] = Gather(self._ask_each)
        return gather.ask(command)

    async def _get_all(self, keys: list[str]) -> Sequence[Reply]:
        if len(keys) > 1:
            (found,) = await self._ask_each([("MGET", *keys)])
            return [found] * len(keys) if isinstance(found, Exception) else list(found)
        return await self._ask_each([("GET", key) for key in keys])

    async def _ask_each(self, commands: list[Words]) -> Sequence[Reply]:
        return await self.route.ask(commands, self.until())
