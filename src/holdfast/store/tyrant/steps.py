"""What the Tyrant store does, step by step, for both faces.

Law: written once, as coroutines over a `Way`. Expired is missing, judged here by our clock: the
server knows no time. `swap` is alone with its key, and is never sent twice.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from holdfast.clock import monotonic
from holdfast.errors import StoreUnavailable
from holdfast.keys import check
from holdfast.store.abilities import left
from holdfast.store.protocol import as_bytes
from holdfast.store.tyrant import wire
from holdfast.store.tyrant.changes import Change, Changes, Decide, chunks
from holdfast.store.tyrant.leases import Leases, is_lock
from holdfast.store.tyrant.ring import Ring
from holdfast.store.tyrant.rows import HEAD, NEVER, Row, pack, unpack
from holdfast.store.tyrant.way import Settings, Way, faults
from holdfast.store.tyrant.wire import Command

__all__ = ["Steps"]

T = TypeVar("T")
_READS_AT_ONCE = 1000
_HEADS_AT_ONCE = 100
_LISTING = 60.0  # seconds the list of all keys may take: the server looks at every record


class Steps:
    """The operations of one face.

    Args:
        settings: Those of the store.
        ring: Which server has a key.
        leases: What this process knows of each server's locks.
        way: How this face reaches them.
    """

    def __init__(self, settings: Settings, ring: Ring, leases: Sequence[Leases], way: Way) -> None:
        self._settings = settings
        self._name, self._clock = settings.name, settings.clock
        self._check = str if settings.any_key else check
        self._ring = ring
        self._way = way
        self._changes = [
            Changes(settings, server, way, known) for server, known in enumerate(leases)
        ]

    async def get(self, key: str) -> bytes | None:
        self._check(key)
        (record,) = await self._read(self._ring.server_of(key), [wire.get(key.encode())])
        return self._live(record)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        jobs = [
            self._read(server, [wire.mget([key.encode() for key in chunk])])
            for server, mine in self._by_server(keys).items()
            for chunk in chunks(mine, _READS_AT_ONCE)
        ]
        found: dict[str, bytes] = {}
        for (records,) in await self._way.all(jobs):
            for key, record in records.items():
                value = self._live(record)
                if value is not None:
                    found[key.decode()] = value
        return found

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None) -> None:
        if ttl is not None and ttl <= 0:
            await self.delete_many(list(items))
            return
        servers = self._by_server(list(items))  # which checks the keys
        expires = self._until(ttl)
        records = {key: self._packed(as_bytes(value), expires) for key, value in items.items()}
        await self._change(servers, lambda key, _: Change(records[key], None), reads=False)

    async def delete_many(self, keys: Sequence[str]) -> int:
        def decide(_: str, present: bytes | None) -> Change[bool]:
            return Change(None, self._live(present) is not None)

        return sum((await self._change(self._by_server(keys), decide)).values())

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float | None) -> bool:
        self._check(key)
        until = monotonic() + self._settings.timeout
        removes = new is None or (ttl is not None and ttl <= 0)
        if old is None and removes:
            return await self.get(key) is None
        record = None
        if new is not None and not removes:
            record = self._packed(as_bytes(new), self._until(ttl))
            if old is None and (added := await self._added(key, record, until)) is not None:
                return added

        def decide(_: str, present: bytes | None) -> Change[bool]:
            holds = self._live(present) == old
            return Change(record, holds, keeps=not holds)

        answers = await self._change(self._by_server([key]), decide, until)
        return answers.get(key, False)  # it is not there if nobody wants it any more

    async def _added(self, key: str, record: bytes, until: float) -> bool | None:
        """Add `record` in one step, without lock; None where an expired one is in its way."""
        if not self._way.is_wanted():
            return False
        name = key.encode()
        server = self._ring.server_of(key)
        with faults(self._name, writes=True):
            added, present = await self._way.send(
                server, [wire.putkeep(name, record), wire.get(name)], until
            )
        if added:
            return True
        return False if self._live(present) is not None else None

    async def increment(self, key: str, by: int, ttl: float | None) -> int:
        born = Row(b"0", self._until(ttl))

        def decide(_: str, present: bytes | None) -> Change[int | ValueError]:
            row = born if self._live(present) is None else self._row(present or b"")
            try:
                total = int(row.value) + by
            except ValueError as error:
                return Change(None, error, keeps=True)
            return Change(self._packed(b"%d" % total, row.expires), total)

        total = (await self._change(self._by_server([key]), decide)).get(key, 0)
        if isinstance(total, ValueError):
            raise StoreUnavailable(self._name, f"{key!r} holds no integer") from total
        return total

    async def ping(self) -> None:
        servers = range(len(self._settings.servers))
        await self._way.all([self._read(server, [wire.rnum()]) for server in servers])

    # For stores that list their keys

    async def keys(self, server: int, prefix: str) -> list[str]:
        """Return the keys of one server, dead ones too, without locks and others' keys."""
        with faults(self._name):
            (found,) = await self._way.send(
                server, [wire.fwmkeys(prefix.encode("utf-8"))], monotonic() + _LISTING
            )
        if self._settings.any_key:
            return [key.decode() for key in found if _is_text(key) and not is_lock(key)]
        return [key.decode("ascii") for key in found if _is_key(key)]

    async def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """Return how many seconds each key has left, those that are there."""
        ends: dict[str, float] = {}
        for server, mine in self._by_server(keys).items():
            for page in self.pages(mine):
                heads = await self._heads(server, page)
                ends.update((key, self._row(head).expires) for key, head in heads.items())
        return left(ends.items(), self._clock())

    async def expired(self, server: int, keys: Sequence[str]) -> dict[str, bool]:
        """Return for those of a few keys that are there whether they have expired."""
        heads = await self._heads(server, keys)
        return {key: self._live(head) is None for key, head in heads.items()}

    async def _heads(self, server: int, keys: Sequence[str]) -> dict[str, bytes]:
        """Return how the records of a few keys begin, of those that are there."""
        parts = [(key.encode(), b"0", b"%d" % HEAD) for key in keys]
        heads = await self._read(server, [wire.misc(b"getpart", p, logged=False) for p in parts])
        found = {key: head[0] for key, head in zip(keys, heads, strict=True) if head}
        # It fails for what is empty, as for what is not there.
        rest = [key for key in keys if key not in found]
        (records,) = await self._read(server, [wire.mget([key.encode() for key in rest])])
        found.update({key.decode(): record for key, record in records.items()})
        return found

    async def removed(self, server: int, keys: Sequence[str]) -> int:
        """Remove those of a few keys that are expired still; return how many."""

        def decide(_: str, present: bytes | None) -> Change[bool]:
            dead = present is not None and self._live(present) is None
            return Change(None, dead, keeps=not dead)

        return sum((await self._change({server: list(keys)}, decide)).values())

    @staticmethod
    def pages(keys: Sequence[str]) -> "list[Sequence[str]]":
        """Return `keys` in parts for `expired` and `removed`."""
        return list(chunks(keys, _HEADS_AT_ONCE))

    # What they share

    async def _read(self, server: int, commands: Sequence[Command[Any]]) -> list[Any]:
        with faults(self._name):
            return await self._way.send(server, commands, monotonic() + self._settings.timeout)

    async def _change(
        self,
        servers: dict[int, list[str]],
        decide: Decide[T],
        until: float = 0.0,
        *,
        reads: bool = True,
    ) -> dict[str, T]:
        until = until or monotonic() + self._settings.timeout
        jobs = [
            self._changes[server].make(keys, decide, until, reads=reads)
            for server, keys in servers.items()
        ]
        answers: dict[str, T] = {}
        for part in await self._way.all(jobs):
            answers.update(part)
        return answers

    def _by_server(self, keys: Sequence[str]) -> dict[int, list[str]]:
        servers: dict[int, list[str]] = {}
        for key in dict.fromkeys(keys):
            servers.setdefault(self._ring.server_of(self._check(key)), []).append(key)
        return servers

    def _until(self, ttl: float | None) -> float:
        return NEVER if ttl is None else self._clock() + ttl

    def _packed(self, value: bytes, expires: float) -> bytes:
        record = value if self._settings.plain else pack(value, expires)
        if len(record) > wire.LARGEST:
            raise StoreUnavailable(self._name, f"a value has {wire.LARGEST} bytes at most")
        return record

    def _row(self, record: bytes) -> Row:
        return Row(record, NEVER) if self._settings.plain else unpack(record)

    def _live(self, record: bytes | None) -> bytes | None:
        """Return the value of a record, or None if it has expired."""
        if record is None:
            return None
        row = self._row(record)
        return row.value if row.expires > self._clock() else None


def _is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_key(key: bytes) -> bool:
    return 1 <= len(key) <= 250 and all(0x21 <= byte <= 0x7E for byte in key)
