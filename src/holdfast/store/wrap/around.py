"""Around: what the wrappers share.

Law: a wrapper is written once, as steps over an `AsyncStore`. The async face awaits them over the
async face inside; the sync face drives them over the store inside. An ability is there as a method
exactly where the store inside has it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, TypeVar, cast

from holdfast.bridge import Blocking, BlockingStore, aio_face, drive
from holdfast.store.abilities import (
    AsyncCanIncrement,
    CanApply,
    CanIncrement,
    CanPublish,
    CanScan,
    CanSweep,
    CanTellTtl,
    Change,
)
from holdfast.store.bus import Bus
from holdfast.store.protocol import AsyncStore, OpenStore

__all__ = ["Around", "Driven", "Steps"]

T = TypeVar("T")


class Around(BlockingStore):
    """The object around a store: its name and its abilities.

    An ability is a method of the same name with `_` before it, which gets its name where the store
    inside has the ability.

    Args:
        store: The store inside.
        name: What the wrapper is called; default: as the store inside.
    """

    lends: ClassVar[dict[str, type]] = {
        "apply": CanApply,
        "bus": CanPublish,
        "increment": CanIncrement,
        "remaining": CanTellTtl,
        "scan": CanScan,
        "sweep": CanSweep,
    }

    def __init__(self, store: OpenStore, name: str = "") -> None:
        super().__init__(name or store.name)
        self.store = store
        self.never_waits = bool(getattr(store, "never_waits", False))
        self.may_evict = bool(getattr(store, "may_evict", False))
        for ability, kind in self.lends.items():
            if isinstance(store, kind):
                setattr(self, ability, getattr(self, f"_{ability}"))

    def _apply(self, key: str, change: Change[T]) -> T:
        return cast("CanApply", self.store).apply(key, change)

    def _bus(self, kind: str = "auto") -> Bus:
        return cast("CanPublish", self.store).bus(kind)

    def _increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        return cast("CanIncrement", self.store).increment(key, by, ttl)

    def _remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        return cast("CanTellTtl", self.store).remaining(keys)

    def _scan(self, prefix: str = "") -> Iterator[str]:
        return cast("CanScan", self.store).scan(prefix)

    def _sweep(self) -> int:
        return cast("CanSweep", self.store).sweep()


class Steps:
    """The operations, passed on as they are; a wrapper overrides those it changes.

    Args:
        inside: The face of the store inside.
    """

    lends_increment = True

    def __init__(self, inside: AsyncStore) -> None:
        self._inside = inside
        if self.lends_increment and isinstance(inside, AsyncCanIncrement):
            self.increment = self._increment

    async def get(self, key: str) -> bytes | None:
        return await self._inside.get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await self._inside.get_many(keys)

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._inside.put(key, value, ttl)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        await self._inside.put_many(items, ttl)

    async def delete(self, key: str) -> bool:
        return await self._inside.delete(key)

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self._inside.delete_many(keys)

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return await self._inside.swap(key, old, new, ttl)

    async def ping(self) -> None:
        await self._inside.ping()

    async def close(self) -> None:
        await self._inside.close()

    async def _increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        return await cast("AsyncCanIncrement", self._inside).increment(key, by, ttl)


class Driven(Around):
    """The sync face of a wrapper that is written as steps.

    Args:
        store: The store inside.
    """

    def __init__(self, store: OpenStore) -> None:
        super().__init__(store)
        self._steps = self._over(Blocking(store))

    def _over(self, inside: AsyncStore) -> Steps:
        """Return the wrapper's steps over that face."""
        raise NotImplementedError

    def _async_face(self) -> AsyncStore:
        return self._over(aio_face(self.store))

    def get(self, key: str) -> bytes | None:
        return drive(self._steps.get(key))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return drive(self._steps.get_many(keys))

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        drive(self._steps.put(key, value, ttl))

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        drive(self._steps.put_many(items, ttl))

    def delete(self, key: str) -> bool:
        return drive(self._steps.delete(key))

    def delete_many(self, keys: Sequence[str]) -> int:
        return drive(self._steps.delete_many(keys))

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return drive(self._steps.swap(key, old, new, ttl))

    def ping(self) -> None:
        drive(self._steps.ping())

    def close(self) -> None:
        drive(self._steps.close())
