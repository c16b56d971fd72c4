"""Prefixed: several applications in one store.

Law: a key outside is the key inside without its prefix; nothing else is changed. It is written out
for both faces, because a prefix is wrapped around far more stores than anything else.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar
from weakref import WeakKeyDictionary, ref

from holdfast.bridge import aio_face
from holdfast.errors import ConfigError
from holdfast.keys import check, prefix_of
from holdfast.store.abilities import Change
from holdfast.store.bus import Bus, Listener
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.store.wrap.around import Around, Steps

__all__ = ["Prefixed"]

T = TypeVar("T")


class _Names:
    """Puts `prefix:` before keys and takes it off again."""

    def __init__(self, prefix: str) -> None:
        self.before = f"{prefix}:"

    def full(self, key: str) -> str:
        return self.before + (key or check(key))  # an empty key must not become a good one

    def bare(self, key: str) -> str:
        return key[len(self.before) :]

    def all(self, keys: Sequence[str]) -> list[str]:
        return [self.full(key) for key in keys]


class Prefixed(Around):
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
        self._names = _Names(prefix)
        super().__init__(store, f"{store.name} ({prefix})")

    def _async_face(self) -> AsyncStore:
        return _AsyncPrefixed(aio_face(self.store), self._names)

    def get(self, key: str) -> bytes | None:
        return self.store.get(self._names.full(key))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = self.store.get_many(self._names.all(keys))
        return {self._names.bare(key): value for key, value in found.items()}

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        self.store.put(self._names.full(key), value, ttl)

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        self.store.put_many({self._names.full(key): value for key, value in items.items()}, ttl)

    def delete(self, key: str) -> bool:
        return self.store.delete(self._names.full(key))

    def delete_many(self, keys: Sequence[str]) -> int:
        return self.store.delete_many(self._names.all(keys))

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return self.store.swap(self._names.full(key), old, new, ttl)

    def ping(self) -> None:
        self.store.ping()

    def close(self) -> None:
        self.store.close()

    def _apply(self, key: str, change: Change[T]) -> T:
        return super()._apply(self._names.full(key), change)

    def _bus(self, kind: str = "auto") -> Bus:
        return _PrefixedBus(super()._bus(kind), self._names)

    def _increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        return super()._increment(self._names.full(key), by, ttl)

    def _remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        found = super()._remaining(self._names.all(keys))
        return {self._names.bare(key): seconds for key, seconds in found.items()}

    def _scan(self, prefix: str = "") -> Iterator[str]:
        return (self._names.bare(key) for key in super()._scan(self._names.before + prefix))


class _AsyncPrefixed(Steps):
    """The async face of `Prefixed`."""

    def __init__(self, inside: AsyncStore, names: _Names) -> None:
        super().__init__(inside)
        self._names = names

    async def get(self, key: str) -> bytes | None:
        return await self._inside.get(self._names.full(key))

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await self._inside.get_many(self._names.all(keys))
        return {self._names.bare(key): value for key, value in found.items()}

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._inside.put(self._names.full(key), value, ttl)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        full = {self._names.full(key): value for key, value in items.items()}
        await self._inside.put_many(full, ttl)

    async def delete(self, key: str) -> bool:
        return await self._inside.delete(self._names.full(key))

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self._inside.delete_many(self._names.all(keys))

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return await self._inside.swap(self._names.full(key), old, new, ttl)

    async def _increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        return await super()._increment(self._names.full(key), by, ttl)


class _PrefixedBus:
    """The bus of `Prefixed`."""

    def __init__(self, inside: Bus, names: _Names) -> None:
        self._inside = inside
        self._names = names
        # The bus inside keeps nobody alive: what stands between lasts as long as the listener.
        self._between: WeakKeyDictionary[Listener, _Bare] = WeakKeyDictionary()
        self.close = inside.close

    @property
    def name(self) -> str:
        return self._inside.name

    @property
    def speaks(self) -> bool:
        return self._inside.speaks

    def listen(self, prefixes: Sequence[str], listener: Listener) -> None:
        between = _Bare(listener, self._names)
        self._inside.listen([self._names.before + prefix for prefix in prefixes], between)
        self._between[listener] = between

    def wrote(self, key: str, value: bytes) -> None:
        self._inside.wrote(self._names.before + key, value)

    def publish(self, keys: Sequence[str]) -> None:
        self._inside.publish([self._names.before + key for key in keys])


class _Bare:
    """Tells the listener outside of keys without their prefix."""

    def __init__(self, listener: Listener, names: _Names) -> None:
        self._listener = ref(listener)
        self._names = names

    def changed(self, keys: Sequence[str]) -> None:
        if (listener := self._listener()) is not None:
            listener.changed([self._names.bare(key) for key in keys])

    def lost(self) -> None:
        if (listener := self._listener()) is not None:
            listener.lost()

    def ready(self) -> None:
        if (listener := self._listener()) is not None:
            listener.ready()
