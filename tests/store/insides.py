"""Stores to put inside a wrapper: without abilities, failing on order, with a face of their own.

Law: they keep their rows in a `MemoryStore` and show what they were asked.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

import pytest

from holdfast.bridge import Blocking, BlockingStore
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.memory import MemoryStore
from holdfast.store.protocol import AsyncStore
from holdfast.testing.conformance import StoreSuite, Trial
from holdfast.testing.store_contract import OPERATIONS
from holdfast.testing.trial import both_faces

__all__ = ["Asked", "Counting", "Fate", "Plain", "PrefixedSuite"]

T = TypeVar("T")
Fate = Literal["fine", "down", "lost"]
"""What becomes of a call: done; not done, `StoreUnavailable`; done, `StoreTimeout`."""


class Plain(BlockingStore):
    """A store with the nine methods and nothing else.

    Attributes:
        rows: Where its rows are.
        fates: What becomes of the next calls, in order; afterwards all is fine.
        asked: The operations it was asked.
    """

    never_waits = True

    def __init__(self, *fates: Fate) -> None:
        super().__init__("plain")
        self.rows = MemoryStore()
        self.fates = list(fates)
        self.asked: list[str] = []

    def _do(self, operation: str, work: Callable[[], T]) -> T:
        self.asked.append(operation)
        fate = self.fates.pop(0) if self.fates else "fine"
        if fate == "down":
            raise StoreUnavailable(self.name, "it is down")
        answer = work()
        if fate == "lost":
            raise StoreTimeout(self.name, "the answer was lost")
        return answer

    def get(self, key: str) -> bytes | None:
        return self._do("get", lambda: self.rows.get(key))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self._do("get_many", lambda: self.rows.get_many(keys))

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        self._do("put", lambda: self.rows.put(key, value, ttl))

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        self._do("put_many", lambda: self.rows.put_many(items, ttl))

    def delete(self, key: str) -> bool:
        return self._do("delete", lambda: self.rows.delete(key))

    def delete_many(self, keys: Sequence[str]) -> int:
        return self._do("delete_many", lambda: self.rows.delete_many(keys))

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return self._do("swap", lambda: self.rows.swap(key, old, new, ttl))

    def ping(self) -> None:
        self._do("ping", self.rows.ping)

    def close(self) -> None:
        self._do("close", self.rows.close)


class Counting(Plain):
    """A `Plain` that increments on both faces, and can fail there too."""

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        return self._do("increment", lambda: self.rows.increment(key, by, ttl))

    def _async_face(self) -> AsyncStore:
        return Asked(self)


class Asked(Blocking):
    """The async face of `Counting`."""

    def __init__(self, store: Counting) -> None:
        super().__init__(store)
        self._counting = store

    async def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        return self._counting.increment(key, by, ttl)


class PrefixedSuite(StoreSuite):
    """The suite, but for the length of keys and the name in errors, which is that of the inside."""

    longest_key = 245

    @both_faces
    async def test_after_close_every_call_raises(self, trial: Trial) -> None:
        await trial.store.close()
        await trial.store.close()
        for operation in OPERATIONS.values():
            with pytest.raises(StoreUnavailable) as caught:
                await operation(trial.store, "k")
            assert trial.opened.name == f"{caught.value.store} (shop)"
