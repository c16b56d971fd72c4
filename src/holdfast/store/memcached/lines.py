"""Lines: the connections of one event loop, one to each server, shared by all its tasks.

Law: a request goes at once where none is under way; else those of one turn of the loop leave
together. Replies come in their order. A cancelled task's reply is read and dropped, so it disturbs
nobody. A reply that is overdue ends its line: all who wait on it are told, and the next request
makes a new one.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Sequence
from typing import cast

from holdfast.clock import monotonic
from holdfast.lifetimes import let_go
from holdfast.store.memcached.faults import Lost, Unreached
from holdfast.store.memcached.links import ear_for
from holdfast.store.memcached.nodes import Access, Node
from holdfast.store.memcached.wire import Garbled, Reader, Refusal, Reply, Request, Then

__all__ = ["Lines"]


_READ = 65_536  # bytes of a read


class Lines:
    """The lines of one event loop."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lines: dict[Node, _Line] = {}
        self._ending: set[_Line] = set()
        self._closed = False

    async def ask(
        self, node: Node, requests: Sequence[Request], until: float, then: Then | None = None
    ) -> list[Reply]:
        """Return the replies of `node` in the order of `requests`.

        What `then` makes of the first reply is asked on the same connection.

        Raises:
            Fault: There is none, or not until `until`.
        """
        line = self._lines.get(node)
        if line is None or line.is_over():
            if self._closed:  # while a task was between two requests
                raise Unreached from ConnectionAbortedError("the store was closed")
            line = self._lines[node] = _Line(node, self._access, self._ending)
        replies = await line.ask(requests, until)
        if then is not None and (more := then(replies[0])) is not None:
            if line.is_over():
                raise Unreached from ConnectionResetError("the server closed the connection")
            replies += await line.ask((more,), until)
        return replies

    async def ask_all(
        self, asked: Sequence[tuple[Node, Sequence[Request]]], until: float
    ) -> list[list[Reply] | BaseException]:
        """Ask several servers at once; return the replies or the fault of each."""
        return await asyncio.gather(
            *(self.ask(node, requests, until) for node, requests in asked), return_exceptions=True
        )

    async def close(self) -> None:
        """Close all; who still waits is told."""
        self._closed = True
        lines = {*self._lines.values(), *self._ending}
        await asyncio.gather(*(line.close() for line in lines))

    def drop(self) -> None:
        """Let go of the sockets from outside; the loop is over, or stands still."""
        self._closed = True
        for line in {*self._lines.values(), *self._ending}:
            line.drop()


class _Asked:
    """Requests whose replies have not all come."""

    __slots__ = ("answer", "replies", "requests", "until")

    def __init__(
        self, requests: Sequence[Request], until: float, answer: asyncio.Future[list[Reply]]
    ) -> None:
        self.requests, self.until, self.answer = requests, until, answer
        self.replies: list[Reply] = []


class _Line(asyncio.BufferedProtocol):
    """One connection, from its first request to its end; it is not used again after that."""

    def __init__(self, node: Node, access: Access, ending: "set[_Line]") -> None:
        self._ending = ending  # those whose sockets are not closed yet
        self._loop = asyncio.get_running_loop()
        self._reader = Reader()
        self._asked: deque[_Asked] = deque()
        self._out: list[bytes] = []
        self._room = memoryview(bytearray(_READ))
        self._transport: asyncio.Transport | None = None
        self._ready = False  # connected and logged in: requests may leave
        self._over = False
        self._alarm: asyncio.TimerHandle | None = None
        self._rings = 0.0
        self._gone = asyncio.Event()
        self._node, self._access = node, access
        self._opening: asyncio.Task[None] | None = None

    def ask(self, requests: Sequence[Request], until: float) -> asyncio.Future[list[Reply]]:
        """Return the future replies."""
        idle = not self._asked
        answer: asyncio.Future[list[Reply]] = self._loop.create_future()
        self._asked.append(_Asked(requests, until, answer))
        if self._alarm is None or until < self._rings:
            self._watch(until)
        leaves = bool(self._out)
        self._out.extend([request.data for request in requests])
        if self._opening is None:
            self._opening = self._loop.create_task(self._open(self._node, self._access))
        if self._ready and idle:
            self._leave()
        elif self._ready and not leaves:
            self._loop.call_soon(self._leave)
        return answer

    def is_over(self) -> bool:
        """Return whether it is of no more use; looks for a goodbye the loop has not read yet."""
        if not self._ready and self._opening is not None and self._opening.cancelling():
            self._end(_loop_ends())  # whoever asks now clears up behind himself
        if self._ready and not self._over and not self._asked and self._hears():
            self._end(ConnectionResetError("the server closed the connection"))
        return self._over

    async def _open(self, node: Node, access: Access) -> None:
        """Connect, log in, and let leave what was asked since."""
        try:
            tls = access.context
            name = None if tls is None else node.host
            if node.is_path:
                await self._loop.create_unix_connection(
                    lambda: self, node.host, ssl=tls, server_hostname=name
                )
            else:
                await self._loop.create_connection(
                    lambda: self, node.host, node.port, ssl=tls, server_hostname=name
                )
            if access.login is not None:
                await self._log_in(access.login)
        except asyncio.CancelledError:
            self._end(_loop_ends())
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            self._end(error)
            return
        finally:
            if self._transport is None:
                self._ending.discard(self)
        self._ready = True
        self._leave()

    async def _log_in(self, login: Request) -> None:
        answer: asyncio.Future[list[Reply]] = self._loop.create_future()
        self._asked.appendleft(_Asked([login], self._asked[0].until, answer))
        if self._transport is not None:
            self._transport.write(login.data)
        (reply,) = await answer
        if isinstance(reply, Refusal):
            raise reply

    def _leave(self) -> None:
        out, self._out = self._out, []
        if out and self._transport is not None and not self._over:
            self._transport.write(b"".join(out))

    def _watch(self, until: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._rings = until
        self._alarm = self._loop.call_later(max(until - monotonic(), 0), self._ring)

    def _ring(self) -> None:
        """End the line if a reply is overdue, else wait for the next that could be."""
        self._alarm = None
        if self._asked:
            first = min(asked.until for asked in self._asked)
            if first <= monotonic():
                self._end(TimeoutError())
            else:
                self._watch(first)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        self._hears = ear_for(sock.fileno())
        if sock.family != getattr(socket, "AF_UNIX", None):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._over:
            self._ending.add(self)
            self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - always the same
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        self._reader.feed(bytes(self._room[:nbytes]))
        try:
            while self._asked and self._answered(self._asked[0]):
                self._asked.popleft()
            if not self._asked and not self._reader.empty:
                raise Garbled("more than was asked for")  # noqa: TRY301 - one way out for all
        except (Garbled, Refusal) as error:
            self._end(error)

    def _answered(self, asked: _Asked) -> bool:
        """Take what replies there are; return whether they are all.

        Raises:
            Refusal: After it the server may have taken a part of the request for another one.
        """
        while len(asked.replies) < len(asked.requests):
            reply = self._reader.take(asked.requests[len(asked.replies)])
            if reply is None:
                return False
            if isinstance(reply, Refusal) and not reply.in_step:
                if not asked.answer.done():
                    asked.answer.set_exception(reply)
                raise reply
            asked.replies.append(reply)
        if not asked.answer.done():
            asked.answer.set_result(asked.replies)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionResetError("the server closed the connection"))
        self._gone.set()
        self._ending.discard(self)

    def _end(self, error: Exception) -> None:
        """Tell whoever waits, and let go of the connection; once."""
        if self._over:
            return
        self._over = True
        self._tell(error)
        self._ending.add(self)
        if self._transport is not None:
            self._transport.abort()

    def _tell(self, error: Exception) -> None:
        """Tell whoever waits, and wait for nothing more."""
        waiting, self._asked = self._asked, deque()
        for asked in waiting:
            if not asked.answer.done():
                fault = Lost() if self._ready else Unreached()  # each his own, for its traceback
                fault.__cause__ = error
                asked.answer.set_exception(fault)
        if self._alarm is not None:
            self._alarm.cancel()
        if self._opening is not None and self._opening is not asyncio.current_task():
            self._opening.cancel()

    async def close(self) -> None:
        """End it and wait until its socket is closed."""
        self._end(ConnectionAbortedError("the store was closed"))
        if self._opening is not None:
            await asyncio.wait([self._opening])
        if self._transport is not None:
            await self._gone.wait()

    def drop(self) -> None:
        """Close the socket from outside; the loop is over, or stands still."""
        transport, self._transport = self._transport, None
        self._over = True
        with contextlib.suppress(RuntimeError):  # it is over: nobody waits
            error = ConnectionAbortedError("the store was closed")
            self._loop.call_soon_threadsafe(self._tell, error)  # when it goes on
        if transport is not None:
            let_go(transport)


def _loop_ends() -> ConnectionAbortedError:
    return ConnectionAbortedError("its event loop ends")
