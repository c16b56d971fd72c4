"""memcached as its old clients used it: their keys, their choice of a server, their flags.

Law: the contract of `store/plain.py`. What lies on the servers is what the client of the name given
would have put there, so that it finds ours and we find its. A value has a number beside it,
`Flagged.flags`; `plain_flags` says what it means.

A group of keys is cleared without being listed, and without emptying the server: `clear` leaves a
mark on each server, and what is older there than the mark is no longer there. The servers number
their writes (`cas`), so no clock is asked, and what other clients wrote is judged as well.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from holdfast.clock import Clock, monotonic, wall
from holdfast.errors import ConfigError, StoreError, StoreTimeout, StoreUnavailable
from holdfast.store.memcached import wire
from holdfast.store.memcached.nodes import Node
from holdfast.store.memcached.plain_flags import Flagged, form_of
from holdfast.store.memcached.plain_links import Servers
from holdfast.store.memcached.plain_rows import GONE, fetch, found, mark_of, same
from holdfast.store.memcached.plain_servers import Server, checked, places
from holdfast.store.memcached.wire import Reply, Request, Row, Then

__all__ = ["Flagged", "PlainMemcached"]

_NO_CAS = b"0"  # what a server says that keeps none


class PlainMemcached:
    """Bytes where an old client keeps them.

    Args:
        servers: As that client takes them, in the same order: `host:port`, `("host:port", weight)`,
            `unix:/path`.
        module: The client's name, of `plain_flags.FORMS`, or `auto`: the one that is installed.
        timeout: Seconds an operation may take.
        clock: UTC seconds.
        behaviors: pylibmc's; those that say where a key lies.

    Attributes:
        name: What the store is called in errors.
        form: How the client writes Python's objects.

    Raises:
        ConfigError: There is no such client, or one of the servers is no address.
    """

    def __init__(
        self,
        servers: Iterable[Server],
        *,
        module: str = "auto",
        timeout: float = 3.0,
        clock: Clock = wall,
        behaviors: Mapping[str, object] | None = None,
    ) -> None:
        self.form = form_of(module)
        self._places = places(self.form.name, servers, behaviors)
        self.name = "memcached://" + ",".join(map(str, self._places.all))
        self._timeout = timeout
        self._clock = clock
        self._servers = Servers(self.name, timeout)

    def get(self, key: str, *, within: str = "") -> Flagged | None:
        """Return the value under `key`, or None if it is missing.

        Args:
            key: 1 to 250 bytes of UTF-8, without spaces and control characters.
            within: The mark of the group that it belongs to; see `clear`.
        """
        _, row = self._look(key, within)
        return None if row is None else Flagged(row.value, row.flags, row.cas)

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep `value` under `key`; its flags are those of a `Flagged`, else 0."""
        if ttl is not None and ttl <= 0:
            self.delete(key)
            return
        nodes = self._nodes(key)
        self._tell(nodes, wire.store(b"set", key, value, mark_of(value, ttl, self._clock())))

    def delete(self, key: str) -> bool:
        """Remove `key`; return whether it was there."""
        return wire.DELETED in self._tell(self._nodes(key), wire.delete(key))

    def swap(
        self,
        key: str,
        old: bytes | None,
        new: bytes | None,
        ttl: float | None = None,
        *,
        within: str = "",
    ) -> bool:
        """Write `new` only if `key` holds exactly `old`, of the same flags if it is `Flagged`.

        What `get` returned is written over without another look, unless others wrote meanwhile.
        """
        nodes = self._nodes(key)
        where = self._look(key, within)[0] if self._places.copies else nodes
        removes = new is None or (ttl is not None and ttl <= 0)
        value = b"" if new is None or removes else new
        mark = GONE if removes else mark_of(value, ttl, self._clock())
        if self._wrote_over(key, old, Flagged(value, mark[0]), mark, within):
            return True
        holds = False

        def over(reply: Reply) -> Request | None:
            """Return what writes over the row that was read, if that is `old`."""
            nonlocal holds
            row, there = found(reply, key, within)
            holds = same(row, old)
            if not holds or (row is None and removes):
                return None
            if there is None:
                return wire.store(b"add", key, value, mark)
            if there.cas == _NO_CAS:
                raise StoreUnavailable(self.name, "a server was started with -C: swap needs cas")
            return wire.cas(key, value, mark, there.cas)

        until = monotonic() + self._timeout
        while monotonic() <= until:
            node, reply = self._servers.ask(where, fetch(key, within), then=over)
            if isinstance(reply, dict) or reply == wire.STORED:
                break
            # The server did nothing: another was quicker. But what he wrote may be `old` again.
        else:
            raise StoreTimeout(self.name, "others wrote between every look and every write")
        if holds and self._places.copies:
            more = wire.delete(key) if removes else wire.store(b"set", key, value, mark)
            others = [other for other in nodes if other != node]
            with suppress(StoreError):  # as in `_tell`: one that was reached is enough
                self._tell(others, more)
        return holds

    def _wrote_over(
        self, key: str, old: bytes | None, new: Flagged, mark: tuple[int, int], within: str
    ) -> bool:
        """Write over the very row that `old` was read from; return whether it is still that one."""
        seen = int(old.cas or _NO_CAS) if isinstance(old, Flagged) else 0
        if not seen or self._places.copies:
            return False
        replies: list[Reply] = []

        def note(reply: Reply) -> None:
            replies.append(reply)

        over, look = wire.cas(key, new, mark, b"%d" % seen), fetch(within, "") if within else None
        _, last = self._servers.ask(self._nodes(key), over, once=True, also=look, then=note)
        if replies != [wire.STORED]:
            return False
        _, cleared = found(last, within, "")
        if cleared is None or int(cleared.cas) < seen:
            return True
        self.swap(key, new, None)  # the group was cleared before we wrote
        return False

    def count(self, key: str, by: int = 1) -> int | None:
        """Add `by` to the number under `key`, never below 0; return it, or None where none is."""
        said = self._tell(self._nodes(key), wire.count(key, by), once=True)
        numbers = [int(reply) for reply in said if isinstance(reply, bytes) and reply.isdigit()]
        return numbers[0] if numbers else None

    def clear(self, within: str) -> None:
        """Make all values read or swapped `within` this mark absent; what comes later is there.

        The mark is asked for with each value, so a server short of memory evicts it last; if it
        does, what is older comes back. It needs servers, not a proxy that spreads keys over them.

        Args:
            within: A key of its own, which no value has.

        Raises:
            StoreError: A server was not told; what it keeps may still be there.
        """
        asked = wire.store(b"set", checked(within), b"1", (0, 0))

        def look(_: Reply) -> Request:
            return wire.fetch((within,))

        for node, reply in self._everywhere(asked, look):
            row, _ = found(reply, within, "")
            if row is not None and row.cas == _NO_CAS:
                raise StoreUnavailable(self.name, f"{node} was started with -C: clear needs cas")

    def flush(self) -> None:
        """Empty all servers, of everybody's values."""
        self._everywhere(wire.FLUSH)

    def scan(self, prefix: str = "") -> Iterator[str]:
        """Raise `ConfigError`: memcached does not list its keys."""
        raise ConfigError(f"{self.name} cannot list its keys (asked for {prefix!r})")

    def close(self) -> None:
        """Let go of the connections; twice is fine."""
        self._servers.close()

    def _nodes(self, key: str) -> Sequence[Node]:
        return self._places.of(checked(key))

    def _look(self, key: str, within: str) -> tuple[Sequence[Node], Row | None]:
        """Return the servers that keep the value under `key`, or would, and the value."""
        nodes = self._nodes(key)
        if not self._places.copies:
            return nodes, found(self._servers.ask(nodes, fetch(key, within))[1], key, within)[0]
        reached: list[Node] = []
        fault: StoreError | None = None
        for node in nodes:
            try:
                _, reply = self._servers.ask((node,), fetch(key, within))
            except StoreError as error:
                fault = error
                continue
            row, _ = found(reply, key, within)
            if row is not None:
                return (node,), row
            reached.append(node)
        if not reached and fault is not None:
            raise fault
        return reached[:1], None

    def _everywhere(self, request: Request, then: Then | None = None) -> list[tuple[Node, Reply]]:
        """Return the replies of all servers; raise for one only after all were asked."""
        replies: list[tuple[Node, Reply]] = []
        fault: StoreError | None = None
        for node in self._places.all:
            try:
                replies.append(self._servers.ask((node,), request, then=then))
            except StoreError as error:
                fault = error
        if fault is not None:
            raise fault
        return replies

    def _tell(self, nodes: Sequence[Node], request: Request, *, once: bool = False) -> list[Reply]:
        """Return the reply of the server that keeps a key, or of all of them that can be reached.

        Raises:
            StoreError: There is none.
        """
        if not self._places.copies:
            return [self._servers.ask(nodes, request, once=once)[1]]
        replies: list[Reply] = []
        fault: StoreError | None = None
        for node in nodes:
            try:
                replies.append(self._servers.ask((node,), request, once=once)[1])
            except StoreError as error:
                fault = error
        if not replies and fault is not None:
            raise fault
        return replies
