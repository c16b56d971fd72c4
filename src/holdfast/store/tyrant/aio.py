"""A client of one Tokyo Tyrant server, for the tasks of one event loop.

Law: one connection, on which requests leave in the order they were asked and replies come in that
order. What the tasks of one turn ask leaves in one write. A reply that nobody waits for any more is
read all the same, so a cancelled task spoils nothing. A reply that is late ends the connection:
nothing that comes on it later can answer another question.
"""

import asyncio
import contextlib
import math
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from holdfast.clock import monotonic
from holdfast.store.tyrant import wire
from holdfast.store.tyrant.client import PORT, Unreached, check_fit, reset
from holdfast.store.tyrant.wire import Command, Garbled, Reading

__all__ = ["AsyncTyrantClient"]

T = TypeVar("T")
_AT_ONCE = 1 << 16


class AsyncTyrantClient:
    """Speaks to one server, in the event loop of its first call; connects at that call.

    Its commands are those of `wire`: `await client.call(wire.get(b"k"))`.

    Args:
        host: Its name or address.
        port: Its port.
        timeout: Seconds a call may take, from connecting to the last byte of the reply.
    """

    def __init__(self, host: str, port: int = PORT, *, timeout: float = 1.0) -> None:
        self._host, self._port, self._timeout = host, port, timeout
        self._link: _Link | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def call(self, command: Command[T]) -> T:
        """Send one command of `wire` and return its answer.

        Raises:
            TimeoutError: No answer in time; whether it was done is unknown.
            OSError: The server is not to be reached, or broke off.
        """
        answer: T = (await self.call_all([command], monotonic() + self._timeout))[0]
        return answer

    async def call_all(
        self, commands: Sequence[Command[Any]], deadline: float, *, takes_back: bool = False
    ) -> list[Any]:
        """Send commands in one write and return their answers; see `call`.

        Args:
            commands: What to send; the server does it in this order.
            deadline: When to give up, as `clock.monotonic` counts.
            takes_back: Whether to end the connection then, so that they are not done later.
        """
        patience = 0.0 if takes_back else self._timeout
        link = self._link
        if link is None or link.is_dead():
            return await (await self._connected(deadline)).ask(commands, deadline, patience)
        try:
            return await link.ask(commands, deadline, patience)
        except TimeoutError:
            raise
        except ConnectionError:
            # The server may have closed it while it lay idle, before it saw our request.
            if self._closed or not all(command.twice for command in commands):
                raise
        return await (await self._connected(deadline)).ask(commands, deadline, patience)

    async def _connected(self, deadline: float) -> "_Link":
        where = f"{self._host}:{self._port} is not to be reached"
        try:
            async with asyncio.timeout(deadline - monotonic()), self._connecting:
                if self._closed:
                    raise Unreached("the client is closed")
                if self._link is None or self._link.is_dead():
                    self._link = await self._connect(deadline)
                return self._link
        except TimeoutError as error:
            raise TimeoutError(f"{where} in time") from error
        except ConnectionError:
            raise
        except OSError as error:
            raise Unreached(f"{where}: {error}") from error

    async def _connect(self, deadline: float) -> "_Link":
        link = _Link(await _open(self._host, self._port))
        try:
            check_fit((await link.ask([wire.stat()], deadline, 0.0))[0])
        except BaseException:
            link.drop()
            raise
        if self._closed:  # meanwhile
            link.drop()
            raise Unreached("the client is closed")
        return link

    def close(self) -> None:
        """Close the connection, from its loop; whoever waits is told."""
        self._closed = True
        if self._link is not None:
            self._link.end(ConnectionAbortedError("the client was closed"))

    def drop(self) -> None:
        """Close the connection from outside, when its loop is over."""
        self._closed = True
        if self._link is not None:
            self._link.drop()


async def _open(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    failed: OSError = ConnectionRefusedError("it has no address")
    for family, kind, protocol, _, place in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        with contextlib.ExitStack() as stack:
            try:
                link = stack.enter_context(socket.socket(family, kind, protocol))
                link.setblocking(False)  # noqa: FBT003 - a name of the standard library
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_connect(link, place)
            except OSError as error:
                failed = error
            else:
                stack.pop_all()
                return link
    raise Unreached(f"{host}:{port} is not to be reached: {failed}") from failed


class _Call:
    """What one `ask` waits for."""

    __slots__ = ("answer", "late", "left", "readings")

    def __init__(self, commands: Sequence[Command[Any]], answer: "asyncio.Future[Any]") -> None:
        self.readings = [Reading(command) for command in commands]
        self.left = 0  # the index of the reply that comes next
        self.answer = answer
        self.late: asyncio.TimerHandle | None = None

    def take(self, inbox: bytearray) -> bool:
        """Take its replies from `inbox`; return whether all are whole."""
        while self.left < len(self.readings):
            if not self.readings[self.left].take(inbox):
                return False
            self.left += 1
        return True

    def settle(self, settle: Callable[[], None]) -> None:
        """Tell who waits, if he still does."""
        if self.late is not None:
            self.late.cancel()
        if not self.answer.done():
            settle()


class _Link:
    """One connection of one loop.

    Attributes:
        over: Whether it is closed.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.over = False
        self._socket = connected
        self._loop = asyncio.get_running_loop()
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._leaving = False  # whether the outbox will be sent by itself
        self._stays = math.inf  # when something in the outbox must not leave any more
        self._calls: deque[_Call] = deque()
        self._loop.add_reader(connected, self._readable)

    def is_dead(self) -> bool:
        """Return whether it is closed; looks for what the loop has not told us yet."""
        if not self.over and not self._calls:
            self._readable()
        return self.over

    def ask(
        self, commands: Sequence[Command[Any]], deadline: float, patience: float
    ) -> "asyncio.Future[list[Any]]":
        """Send the commands with all that is asked in this turn; return the future answers.

        After its deadline a call is over, and after `patience` seconds the connection is, too.
        """
        answer: asyncio.Future[list[Any]] = self._loop.create_future()
        call = _Call(commands, answer)
        left = deadline - monotonic()
        if left <= 0:
            answer.set_exception(TimeoutError("no answer in time"))
            return answer
        call.late = self._loop.call_later(left, self._too_late, call, patience - left)
        self._calls.append(call)
        if patience <= 0:
            self._stays = min(self._stays, deadline)
        for command in commands:
            self._outbox += command.request
        if not self._leaving:
            self._leaving = True
            self._loop.call_soon(self._leave)
        return answer

    def _leave(self) -> None:
        if self.over:
            return
        if monotonic() >= self._stays:  # the loop stood still since it was asked
            self.end(ConnectionAbortedError("what had to leave in time is too late"))
            return
        try:
            while self._outbox:
                sent = self._socket.send(self._outbox)
                del self._outbox[:sent]
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._writable)
        except OSError as error:
            self.end(error)
        else:
            self._leaving, self._stays = False, math.inf
            self._hand_out()  # a command without reply is over now

    def _writable(self) -> None:
        self._loop.remove_writer(self._socket)
        self._leave()

    def _readable(self) -> None:
        try:
            piece = self._socket.recv(_AT_ONCE)
            if not piece:
                raise ConnectionResetError("the server closed the connection")
            self._inbox += piece
            self._hand_out()
        except BlockingIOError:
            return
        except OSError as error:
            self.end(error)

    def _hand_out(self) -> None:
        while self._calls and self._calls[0].take(self._inbox):
            call = self._calls.popleft()
            values = [reading.value for reading in call.readings]
            call.settle(lambda call=call, values=values: call.answer.set_result(values))  # type: ignore[misc] # bound now
        if self._inbox and not self._calls:
            raise Garbled("the server sent more than was asked for")

    def _too_late(self, call: _Call, patience: float) -> None:
        call.settle(lambda: call.answer.set_exception(TimeoutError("no answer in time")))
        if patience > 0:  # it was asked late; those who asked after it shall not suffer for that
            call.late = self._loop.call_later(patience, self._too_late, call, 0.0)
        else:
            self.end(ConnectionAbortedError("a reply before ours did not come in time"))

    def end(self, error: OSError) -> None:
        """Close it, from its loop; whoever waits is told why."""
        if self.over:
            return
        self.drop()
        calls, self._calls = self._calls, deque()
        for call in calls:
            call.settle(lambda call=call: call.answer.set_exception(_again(error)))  # type: ignore[misc] # bound now

    def drop(self) -> None:
        """Close it, from its loop or when that does not run any more; nobody is told.

        What somebody waits for must not be done late: then nothing more gets to the server.
        """
        if self.over:
            return
        self.over = True
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        if self._calls:
            reset(self._socket)
        else:
            self._socket.close()

    def __del__(self) -> None:
        self._socket.close()  # its loop was closed, and the store forgotten


def _again(error: OSError) -> OSError:
    """Return an error for each who waits: a shared one would collect all their traces."""
    if isinstance(error, Garbled):
        return Garbled(*error.args)
    return ConnectionResetError(str(error))
