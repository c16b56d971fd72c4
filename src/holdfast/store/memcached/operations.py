"""The operations of the store, each written once for both faces.

Law: a row past its exact end is absent, though its server still has it. What a request may have
done twice or half is decided here: `swap` is never repeated but where the server said that it did
nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from holdfast.clock import Clock, monotonic
from holdfast.errors import StoreError, StoreUnavailable
from holdfast.keys import check
from holdfast.store.memcached import expiry, wire
from holdfast.store.memcached.faults import Fault, translated
from holdfast.store.memcached.nodes import Node, Nodes
from holdfast.store.memcached.wire import Refusal, Reply, Request, Row, Then
from holdfast.store.protocol import as_bytes

__all__ = ["Carrier", "Operations"]

_KEYS = 100  # of one fetch
_NO_CAS = b"0"  # what a server says that keeps none
_Asked = list[tuple[Node, list[Request]]]


class Carrier(Protocol):
    """Brings requests to servers and replies back: `Links` for threads, `Lines` for loops."""

    async def ask(
        self, node: Node, requests: Sequence[Request], until: float, then: Then | None = None
    ) -> list[Reply]:
        """Return the replies of one server; `then` may go on, on the same connection."""

    async def ask_all(
        self, asked: Sequence[tuple[Node, Sequence[Request]]], until: float
    ) -> list[list[Reply] | BaseException]:
        """Return the replies of several servers, or their faults."""


class Operations:
    """What the store's methods do, over the carrier they are given.

    Args:
        name: The store's name, for errors.
        nodes: The servers.
        timeout: Seconds an operation may take.
        clock: UTC seconds.
    """

    def __init__(self, name: str, nodes: Nodes, timeout: float, clock: Clock) -> None:
        self._name = name
        self._nodes = nodes
        self._timeout = timeout
        self._clock = clock

    async def get(self, carrier: Carrier, key: str) -> bytes | None:
        """See `Store.get`."""
        node, until = self._nodes.of(check(key)), monotonic() + self._timeout
        row = await self._row(carrier, node, key, until)
        return None if row is None or self._is_over(row) else row.value

    async def get_many(self, carrier: Carrier, keys: Sequence[str]) -> dict[str, bytes]:
        """See `Store.get_many`."""
        asked: _Asked = []
        for node, its in self._split(keys):
            cut = range(0, len(its), _KEYS)
            asked.append((node, [wire.fetch(its[start : start + _KEYS]) for start in cut]))
        found: dict[str, bytes] = {}
        for reply in await self._ask_all(carrier, asked):
            if isinstance(reply, dict):
                found.update((k, row.value) for k, row in reply.items() if not self._is_over(row))
        return found

    async def put(self, carrier: Carrier, key: str, value: bytes, ttl: float | None) -> None:
        """See `Store.put`."""
        if ttl is not None and ttl <= 0:
            await self.delete_many(carrier, (key,))
            return
        node, until = self._nodes.of(check(key)), monotonic() + self._timeout
        mark = expiry.mark(ttl, self._clock())
        await self._ask(carrier, node, wire.store(b"set", key, as_bytes(value), mark), until)

    async def put_many(
        self, carrier: Carrier, items: Mapping[str, bytes], ttl: float | None
    ) -> None:
        """See `Store.put_many`."""
        if ttl is not None and ttl <= 0:
            await self.delete_many(carrier, list(items))
            return
        mark = expiry.mark(ttl, self._clock())
        await self._ask_all(
            carrier,
            [
                (node, [wire.store(b"set", key, as_bytes(items[key]), mark) for key in keys])
                for node, keys in self._split(items)
            ],
        )

    async def delete_many(self, carrier: Carrier, keys: Sequence[str]) -> int:
        """See `Store.delete_many`."""
        asked: _Asked = []
        for node, its in self._split(keys):
            pairs = ((wire.fetch((key,)), wire.delete(key)) for key in its)
            asked.append((node, [request for pair in pairs for request in pair]))
        replies = await self._ask_all(carrier, asked)
        done = zip(replies[::2], replies[1::2], strict=True)
        return sum(gone == wire.DELETED and not self._was_over(seen) for seen, gone in done)

    async def swap(
        self, carrier: Carrier, key: str, old: bytes | None, new: bytes | None, ttl: float | None
    ) -> bool:
        """See `Store.swap`."""
        node, until = self._nodes.of(check(key)), monotonic() + self._timeout
        removes = new is None or (ttl is not None and ttl <= 0)
        mark = expiry.REMOVED if removes else expiry.mark(ttl, self._clock())
        value = b"" if new is None or removes else as_bytes(new)
        add = wire.store(b"add", key, value, mark)
        if old is None and not removes and await self._adds(carrier, node, add, until):
            return True
        holds = False

        def over(reply: Reply) -> Request | None:
            """Return what writes over the row that was read, if that is `old`.

            It must reach the server that was read: another counts its rows' `cas` anew.
            """
            nonlocal holds
            row = reply.get(key) if isinstance(reply, dict) else None
            there = None if row is None or self._is_over(row) else row.value
            holds = there == old
            if not holds or (there is None and removes):
                return None
            if row is not None and row.cas == _NO_CAS:
                raise StoreUnavailable(self._name, f"{node} was started with -C: swap needs cas")
            return add if row is None else wire.cas(key, value, mark, row.cas)

        while True:
            reply = await self._ask(carrier, node, wire.fetch((key,)), until, then=over)
            if isinstance(reply, dict) or reply == wire.STORED:
                return holds
            # The server did nothing: another was quicker. But what he wrote may be `old` again.

    async def ping(self, carrier: Carrier) -> None:
        """See `Store.ping`; every server must answer."""
        await self._ask_all(carrier, [(node, [wire.PING]) for node in self._nodes.all])

    async def _row(self, carrier: Carrier, node: Node, key: str, until: float) -> Row | None:
        reply = await self._ask(carrier, node, wire.fetch((key,)), until)
        return reply.get(key) if isinstance(reply, dict) else None

    async def _adds(self, carrier: Carrier, node: Node, add: Request, until: float) -> bool:
        return await self._ask(carrier, node, add, until, once=True) == wire.STORED

    async def _ask(
        self,
        carrier: Carrier,
        node: Node,
        request: Request,
        until: float,
        *,
        once: bool = False,
        then: Then | None = None,
    ) -> Reply:
        """Return the last reply; what is asked `once` or by `then` must not be done twice."""
        asked = [request]

        def go_on(reply: Reply) -> Request | None:
            more = then(reply) if then is not None and isinstance(reply, dict) else None
            if more is not None:
                asked.append(more)
            return more

        try:
            replies = await carrier.ask(node, asked[:], until, None if then is None else go_on)
        except (Fault, Refusal) as fault:
            error = self._error(node, fault, once=once or len(asked) > 1)
            raise error from error.__cause__
        if isinstance(replies[-1], Refusal):
            raise self._error(node, replies[-1], size=len(asked[-1].data))
        return replies[-1]

    async def _ask_all(self, carrier: Carrier, asked: _Asked) -> list[Reply]:
        """Return all replies in order; raise the first error after every server was asked."""
        until = monotonic() + self._timeout
        if len(asked) == 1:
            ((node, requests),) = asked
            try:
                answers: list[list[Reply] | BaseException] = [
                    await carrier.ask(node, requests, until)
                ]
            except (Fault, Refusal) as fault:
                answers = [fault]
        else:
            answers = await carrier.ask_all(asked, until)
        replies: list[Reply] = []
        for (node, requests), answer in zip(asked, answers, strict=True):
            if isinstance(answer, Fault | Refusal):
                raise self._error(node, answer)
            if isinstance(answer, BaseException):
                raise answer
            for request, reply in zip(requests, answer, strict=True):
                if isinstance(reply, Refusal):
                    raise self._error(node, reply, size=len(request.data))
            replies += answer
        return replies

    def _error(
        self, node: Node, fault: Fault | Refusal, *, once: bool = False, size: int = 0
    ) -> StoreError:
        return translated(self._name, node, fault, self._timeout, once=once, size=size)

    def _split(self, keys: Iterable[str]) -> Iterable[tuple[Node, list[str]]]:
        return self._nodes.split([check(key) for key in keys]).items()

    def _is_over(self, row: Row) -> bool:
        return row.flags != 0 and expiry.is_over(row.flags, self._clock())

    def _was_over(self, seen: Reply) -> bool:
        """Return whether a row was expired when it was fetched, just before it was removed."""
        return isinstance(seen, dict) and any(self._is_over(row) for row in seen.values())
