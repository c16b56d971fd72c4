"""Wrappers: stores around a store.

Law: a wrapper is an `OpenStore` and has exactly those abilities the store inside has.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

from holdfast.bridge import aio_face
from holdfast.errors import ConfigError
from holdfast.keys import check, prefix_of
from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep, Change
from holdfast.store.protocol import AsyncStore, OpenStore

__all__ = ["Prefixed"]

T = TypeVar("T")


class _Names:
    """Puts `prefix:` before keys and takes it off again."""

    def __init__(self, prefix: str) -> None:
        self._before = f"{prefix}:"

    def _full(self, key: str) -> str:
        return self._before + (key or check(key))  # an empty key must not become a good one

    def _bare(self, key: str) -> str:
        return key[len(self._before) :]

    def _all(self, keys: Sequence[str]) -> list[str]:
        return [self._full(key) for key in keys]


class Prefixed(_Names):
    """A store that puts `prefix:` before every key: several applications in one store.

    A key may be so much shorter than 250 characters as the prefix and its colon take. `sweep`
    works on the whole store inside, and `close` closes it.

    Args:
        store: The store inside.
        prefix: 1 to 40 letters, digits, `_`, `.` or `-`.

    Raises:
        ConfigError: The prefix is empty or has other characters.
    """

    def __init__(self, store: OpenStore, prefix: str) -> None:
        if not prefix_of(prefix):
            raise ConfigError("prefix='': give at least one character, or leave it out")
        super().__init__(prefix)
        self.store = store
        self.aio: AsyncStore = _AsyncPrefixed(aio_face(store), prefix)
        self.name = f"{store.name} ({prefix})"
        self.never_waits = bool(getattr(store, "never_waits", False))
        if isinstance(store, CanApply):
            inside_apply = store.apply

            def apply(key: str, change: Change[T]) -> T:
                return inside_apply(self._full(key), change)

            self.apply = apply
        if isinstance(store, CanIncrement):
            inside_increment = store.increment

            def increment(key: str, by: int = 1, ttl: float | None = None) -> int:
                return inside_increment(self._full(key), by, ttl)

            self.increment = increment
        if isinstance(store, CanScan):
            inside_scan = store.scan

            def scan(prefix: str = "") -> Iterator[str]:
                return (self._bare(key) for key in inside_scan(self._before + prefix))

            self.scan = scan
        if isinstance(store, CanSweep):
            self.sweep = store.sweep

    def get(self, key: str) -> bytes | None:
        return self.store.get(self._full(key))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = self.store.get_many(self._all(keys))
        return {self._bare(key): value for key, value in found.items()}

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        self.store.put(self._full(key), value, ttl)

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        self.store.put_many({self._full(key): value for key, value in items.items()}, ttl)

    def delete(self, key: str) -> bool:
        return self.store.delete(self._full(key))

    def delete_many(self, keys: Sequence[str]) -> int:
        return self.store.delete_many(self._all(keys))

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return self.store.swap(self._full(key), old, new, ttl)

    def ping(self) -> None:
        self.store.ping()

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Prefixed {self.name}>"


class _AsyncPrefixed(_Names):
    """The async face of `Prefixed`."""

    def __init__(self, store: AsyncStore, prefix: str) -> None:
        super().__init__(prefix)
        self._store = store

    async def get(self, key: str) -> bytes | None:
        return await self._store.get(self._full(key))

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await self._store.get_many(self._all(keys))
        return {self._bare(key): value for key, value in found.items()}

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._store.put(self._full(key), value, ttl)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        await self._store.put_many({self._full(key): value for key, value in items.items()}, ttl)

    async def delete(self, key: str) -> bool:
        return await self._store.delete(self._full(key))

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self._store.delete_many(self._all(keys))

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return await self._store.swap(self._full(key), old, new, ttl)

    async def ping(self) -> None:
        await self._store.ping()

    async def close(self) -> None:
        await self._store.close()
