"""Sealed: values are encrypted before they reach the store.

Law: what is stored is sealed by the newest key and bound to its key in the store: under another key
it cannot be read. What cannot be unsealed (changed, foreign, of a revoked key, moved) is missing,
and is replaced where something missing may be. Sealing twice gives two messages, so `swap` compares
what it unseals and swaps the very bytes it read: nobody's write in between is lost. A bus is told
of the sealed bytes by the steps that write them: nobody outside can know them.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeVar
from weakref import WeakSet

from holdfast.codec.seal import Seal
from holdfast.errors import CodecError, StoreUnavailable
from holdfast.signing import KeyRing, Secrets
from holdfast.store.abilities import Change
from holdfast.store.bus import Bus, Listener
from holdfast.store.protocol import AsyncStore, OpenStore, as_bytes
from holdfast.store.wrap.around import Driven, Steps

__all__ = ["Sealed"]

T = TypeVar("T")
_PURPOSE = "store"
_ROUNDS = 1000  # each lost one is another writer's success: only a broken store gets there


class Sealed(Driven):
    """A store whose values only this application can read or make; keys stay readable.

    `increment` is missing, whatever the store inside has: it would count on sealed bytes. `delete`
    and `scan` go by what is stored, also where it cannot be read.

    Args:
        store: The store inside.
        secrets: One secret or several, newest first, or a `KeyRing`.

    Raises:
        ConfigError: A secret is weak, or the package `cryptography` is missing.
    """

    lends: ClassVar[dict[str, type]] = {
        ability: kind for ability, kind in Driven.lends.items() if ability != "increment"
    }

    def __init__(self, store: OpenStore, secrets: Secrets | KeyRing) -> None:
        self._box = _Box(KeyRing(secrets))
        super().__init__(store)

    def _over(self, inside: AsyncStore) -> Steps:
        return _Hidden(inside, self._box, self.name)

    def _bus(self, kind: str = "auto") -> Bus:
        inside = super()._bus(kind)
        self._box.buses.add(inside)
        return _SealedBus(inside)

    def _apply(self, key: str, change: Change[T]) -> T:
        def sealed_change(raw: bytes | None) -> tuple[bytes | None, float | None, T]:
            present = self._box.open(key, raw)
            new, ttl, answer = change(present)
            if new is present:
                return raw, None, answer
            return self._box.shut(key, new), ttl, answer

        return super()._apply(key, sealed_change)


class _Box:
    """Seals and unseals the value of a key; what is sealed is about to be written."""

    def __init__(self, ring: KeyRing) -> None:
        self._seal = Seal(ring, _PURPOSE)
        self.buses: WeakSet[Bus] = WeakSet()

    def shut(self, key: str, value: bytes | None) -> bytes | None:
        """Return what to store for `value`; None stays None."""
        return None if value is None else self.seal(key, value)

    def seal(self, key: str, value: bytes) -> bytes:
        """Return what to store for `value`."""
        sealed = self._seal.seal(as_bytes(value), key)
        if self.buses:
            for bus in list(self.buses):
                bus.wrote(key, sealed)
        return sealed

    def open(self, key: str, raw: bytes | None) -> bytes | None:
        """Return the value, or None where there is none that this application sealed for `key`."""
        if raw is None:
            return None
        try:
            return self._seal.unseal(raw, key)
        except CodecError:
            return None


class _Hidden(Steps):
    """The steps of `Sealed`."""

    lends_increment = False

    def __init__(self, inside: AsyncStore, box: _Box, name: str) -> None:
        super().__init__(inside)
        self._box = box
        self._name = name

    async def get(self, key: str) -> bytes | None:
        return self._box.open(key, await self._inside.get(key))

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await self._inside.get_many(keys)
        opened = ((key, self._box.open(key, raw)) for key, raw in found.items())
        return {key: value for key, value in opened if value is not None}

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._inside.put(key, self._box.seal(key, value), ttl)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        sealed = {key: self._box.seal(key, value) for key, value in items.items()}
        await self._inside.put_many(sealed, ttl)

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        sealed = self._box.shut(key, new)
        raw = None if old is None else await self._inside.get(key)  # absent: tried without a look
        for _ in range(_ROUNDS):
            if self._box.open(key, raw) != old:
                return False
            if await self._inside.swap(key, raw, sealed, ttl):
                return True
            raw = await self._inside.get(key)  # it was surely not done: somebody wrote in between
        raise StoreUnavailable(self._name, f"{key!r} changes too fast to swap it; nothing was done")


class _SealedBus:
    """The bus of `Sealed`, which hears of writes from the steps that seal."""

    def __init__(self, inside: Bus) -> None:
        self._inside = inside
        self.close = inside.close
        self.publish = inside.publish

    @property
    def name(self) -> str:
        return self._inside.name

    @property
    def speaks(self) -> bool:
        return self._inside.speaks

    def listen(self, prefixes: Sequence[str], listener: Listener) -> None:
        self._inside.listen(prefixes, listener)

    def wrote(self, key: str, value: bytes) -> None:
        """Do nothing: `value` is not what is written."""
