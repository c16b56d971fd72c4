"""Links: blocking connections, one for each thread that asks at the same time.

Law: a link is used by one caller at a time and goes back to the idle ones only after it was
answered in full; what failed or was interrupted is closed. Before its use an idle link is looked
at: one that can be read from was closed by its server, or says what nobody asked for.
"""

import contextlib
import functools
import select
import socket
from collections.abc import Callable, Iterator, Sequence

from holdfast.dial import connected, dial, left
from holdfast.store.memcached.faults import Lost, Unreached
from holdfast.store.memcached.nodes import Access, Node
from holdfast.store.memcached.wire import Garbled, Reader, Refusal, Reply, Request, Then

__all__ = ["Links", "ear_for"]

_READ = 65_536  # bytes of a usual read
_MOST_READ = 1 << 20
_BATCH = 1 << 20  # bytes that leave before their replies are read
_REQUESTS = 1000  # requests whose short replies fit into any socket's buffer
_FETCH = 64  # a byte of a fetch counts as so many: its replies may be long


def ear_for(number: int) -> Callable[[], object]:
    """Return a function that tells whether there is something to read on this file number.

    On an idle connection that is a goodbye, or what nobody asked for.
    """
    if not hasattr(select, "poll"):  # Windows
        return lambda: select.select([number], [], [], 0)[0]
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return functools.partial(poll.poll, 0)


class Links:
    """The links of one process."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._idle: dict[Node, list[_Link]] = {}
        self._closed = False

    async def ask(
        self, node: Node, requests: Sequence[Request], until: float, then: Then | None = None
    ) -> list[Reply]:
        """Return the replies of `node` in the order of `requests`; never suspends.

        What `then` makes of the first reply is asked on the same connection.

        Raises:
            Fault: There is none, or not until `until`.
        """
        idle = self._idle.setdefault(node, [])
        try:
            link = idle.pop()
        except IndexError:
            link = _connect(node, self._access, until)
        else:
            if link.hears():
                link.close()
                link = _connect(node, self._access, until)
        try:
            replies = [reply for batch in _batches(requests) for reply in link.ask(batch, until)]
            if then is not None and (more := then(replies[0])) is not None:
                replies += link.go_on(more, until)
        except BaseException:
            link.close()
            raise
        if all(_in_step(reply) for reply in replies):
            idle.append(link)
        else:
            link.close()
        if self._closed:  # in the meantime
            self.close()
        return replies

    async def ask_all(
        self, asked: Sequence[tuple[Node, Sequence[Request]]], until: float
    ) -> list[list[Reply] | BaseException]:
        """Ask several servers, one after the other; return the replies or the fault of each."""
        answers: list[list[Reply] | BaseException] = []
        for node, requests in asked:
            try:
                answers.append(await self.ask(node, requests, until))
            except Exception as error:  # noqa: BLE001 - the other servers are asked all the same
                answers.append(error)
        return answers

    def close(self) -> None:
        """Close what is idle now, and the others when they come back."""
        self._closed = True
        for links in list(self._idle.values()):
            with contextlib.suppress(IndexError):  # other threads take from it, too
                while True:
                    links.pop().close()


class _Link:
    """One connection."""

    __slots__ = ("_reader", "_socket", "hears")

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._reader = Reader()
        self.hears = ear_for(sock.fileno())

    def ask(self, requests: Sequence[Request], until: float) -> list[Reply]:
        """Send `requests` and return their replies.

        Raises:
            Lost: There is none, or not until `until`.
        """
        try:
            self._have_until(until)
            self._socket.sendall(b"".join([request.data for request in requests]))
            replies = [self._reply(request, until) for request in requests]
            if not self._reader.empty and all(_in_step(reply) for reply in replies):
                raise Garbled("more than was asked for")  # noqa: TRY301 - one way out for all
        except (OSError, Garbled) as error:
            raise Lost from error
        return replies

    def go_on(self, request: Request, until: float) -> list[Reply]:
        """Return the reply to a request that means nothing to the server after a restart.

        Raises:
            Unreached: This connection is over; nothing was sent.
            Lost: As `ask`.
        """
        if self.hears():
            raise Unreached from ConnectionResetError("the server closed the connection")
        return self.ask((request,), until)

    def _reply(self, request: Request, until: float) -> Reply:
        reader = self._reader
        while True:
            reply = reader.take(request)
            if reply is not None:
                return reply
            self._have_until(until)
            data = self._socket.recv(min(max(reader.missing, _READ), _MOST_READ))
            if not data:
                raise ConnectionResetError("the server closed the connection")
            reader.feed(data)

    def _have_until(self, until: float) -> None:
        self._socket.settimeout(left(until))

    def close(self) -> None:
        self._socket.close()

    __del__ = close  # nobody holds the store any more


def _connect(node: Node, access: Access, until: float) -> _Link:
    try:
        sock = _entered(node, access, until)
    except OSError as error:
        raise Unreached from error
    link = _Link(sock)
    if access.login is not None:
        try:
            (reply,) = link.ask([access.login], until)
        except Lost as error:
            link.close()
            raise Unreached from error.__cause__
        if isinstance(reply, Refusal):
            link.close()
            raise Unreached from reply
    return link


def _entered(node: Node, access: Access, until: float) -> socket.socket:
    """Return a socket that is connected, over TLS where that is asked for."""
    if node.is_path:
        sock = connected(socket.socket(socket.AF_UNIX), node.host, until)
    else:
        sock = dial(node.host, node.port, until)
    if access.context is None:
        return sock
    try:
        sock.settimeout(left(until))
        return access.context.wrap_socket(sock, server_hostname=node.host)
    except BaseException:
        sock.close()
        raise


def _in_step(reply: Reply) -> bool:
    return not isinstance(reply, Refusal) or reply.in_step


def _batches(requests: Sequence[Request]) -> Iterator[Sequence[Request]]:
    """Cut `requests` so that neither side can wait for the other to read first."""
    if len(requests) == 1:
        yield requests
        return
    start = weight = 0
    for number, request in enumerate(requests):
        its = len(request.data) * (1 if request.keys is None else _FETCH)
        if number > start and (weight + its > _BATCH or number - start >= _REQUESTS):
            yield requests[start:number]
            start, weight = number, 0
        weight += its
    yield requests[start:]
