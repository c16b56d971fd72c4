"""Metered: what a store is asked, how often, how long it takes and what goes wrong.

Law: both faces count into one table of this process. Counting changes no answer and no error.
"""

import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from holdfast.clock import Clock, monotonic
from holdfast.events import Observer, silent
from holdfast.store.abilities import Change
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.store.wrap.around import Driven, Steps

__all__ = ["Metered", "Operation"]

T = TypeVar("T")


class Operation(NamedTuple):
    """What one operation did until now.

    Attributes:
        calls: How often it was called; those that raised and those that were cancelled count.
        errors: How many of them raised.
        seconds: How long they took together.
        bytes: How many bytes of values they read or wrote; what `swap` compares does not count.
    """

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0
    bytes: int = 0


class Metered(Driven):
    """A store that counts the calls, errors, seconds and bytes of each operation.

    Args:
        store: The store inside.
        observer: Told `"store.called"` after each call, with `store`, `operation`, `seconds`,
            `bytes` and `error` (None, or the exception). It must be quick.
        clock: Seconds; only differences count.
    """

    def __init__(
        self, store: OpenStore, observer: Observer = silent, *, clock: Clock = monotonic
    ) -> None:
        self._table = _Table(store.name, observer, clock)
        super().__init__(store)

    def _over(self, inside: AsyncStore) -> Steps:
        return _Counted(inside, self._table)

    def stats(self) -> dict[str, Operation]:
        """Return what each operation that was called did in this process."""
        return dict(self._table.rows)

    def _apply(self, key: str, change: Change[T]) -> T:
        with _Call(self._table, "apply"):
            return super()._apply(key, change)

    def _increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        with _Call(self._table, "increment"):
            return super()._increment(key, by, ttl)

    def _remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        with _Call(self._table, "remaining"):
            return super()._remaining(keys)

    def _scan(self, prefix: str = "") -> Iterator[str]:
        with _Call(self._table, "scan"):  # until the last key, the caller's own time included
            yield from super()._scan(prefix)

    def _sweep(self) -> int:
        with _Call(self._table, "sweep"):
            return super()._sweep()


class _Table:
    """The counts of one store, for all threads and loops of a process."""

    def __init__(self, name: str, observer: Observer, clock: Clock) -> None:
        self.name = name
        self.observer = observer
        self.clock = clock
        self.rows: dict[str, Operation] = {}
        self.guard = threading.RLock()  # a scan that is collected inside it is counted, too
        _tables.add(self)


class _Call:
    """One call: a `with` block around it counts it."""

    __slots__ = ("_operation", "_start", "_table", "bytes")

    def __init__(self, table: _Table, operation: str) -> None:
        self._table = table
        self._operation = operation
        self.bytes = 0

    def __enter__(self) -> Self:
        self._start = self._table.clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        table, operation = self._table, self._operation
        seconds = table.clock() - self._start
        failed = isinstance(error, Exception)  # a cancelled task, a scan left early: no error
        with table.guard:
            calls, errors, total, size = table.rows.get(operation, _NOTHING)
            table.rows[operation] = Operation(
                calls + 1, errors + failed, total + seconds, size + self.bytes
            )
        if table.observer is not silent:
            told = error if failed else None
            fields = {"store": table.name, "operation": operation, "error": told}
            table.observer("store.called", {**fields, "seconds": seconds, "bytes": self.bytes})


_NOTHING = Operation()


class _Counted(Steps):
    """The steps of `Metered`."""

    def __init__(self, inside: AsyncStore, table: _Table) -> None:
        super().__init__(inside)
        self._table = table

    async def get(self, key: str) -> bytes | None:
        with _Call(self._table, "get") as call:
            value = await self._inside.get(key)
            call.bytes = len(value or b"")
        return value

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        with _Call(self._table, "get_many") as call:
            found = await self._inside.get_many(keys)
            call.bytes = sum(map(len, found.values()))
        return found

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        with _Call(self._table, "put") as call:
            await self._inside.put(key, value, ttl)
            call.bytes = len(value)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        with _Call(self._table, "put_many") as call:
            await self._inside.put_many(items, ttl)
            call.bytes = sum(map(len, items.values()))

    async def delete(self, key: str) -> bool:
        with _Call(self._table, "delete"):
            return await self._inside.delete(key)

    async def delete_many(self, keys: Sequence[str]) -> int:
        with _Call(self._table, "delete_many"):
            return await self._inside.delete_many(keys)

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        with _Call(self._table, "swap") as call:
            done = await self._inside.swap(key, old, new, ttl)
            call.bytes = len(new or b"") if done else 0
        return done

    async def ping(self) -> None:
        with _Call(self._table, "ping"):
            await self._inside.ping()

    async def _increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        with _Call(self._table, "increment"):
            return await super()._increment(key, by, ttl)


_tables: weakref.WeakSet[_Table] = weakref.WeakSet()


def _after_fork() -> None:
    for table in list(_tables):
        table.guard = threading.RLock()  # a thread that is not here may have held it


os.register_at_fork(after_in_child=_after_fork)
