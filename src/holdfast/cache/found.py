"""Looking: what stands under a key now, in whichever tier is the last.

Law: an entry whose stamps moved, a marker, and bytes nobody can read are all absent; the bytes
themselves are kept as what a later write is compared with. A far tier that fails is a miss.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast.cache.core import Core
from holdfast.cache.creation import NOTHING
from holdfast.cache.near import Hold, Traits
from holdfast.cache.policy import Policy
from holdfast.cache.space import EVERYTHING, Item
from holdfast.cache.stamps import Stamps
from holdfast.entry import Age, Entry, age, unpack
from holdfast.errors import CodecError, StoreError
from holdfast.store.protocol import AsyncStore

__all__ = ["Far", "Found", "Looks", "near_labels"]


@dataclass(frozen=True, slots=True)
class Far:
    """The far tier: a store, and the stamps in it."""

    store: AsyncStore
    stamps: Stamps


@dataclass(slots=True)
class Found:
    """What a look at a key found.

    Attributes:
        raw: What the key holds, to be compared with later; None if nothing.
        value: The value; `NOTHING` if it is absent, dead or invalidated.
        stamps: The stamps that were read, by label.
        failure: Why the far tier did not answer, if it did not.
        marked: Whether `raw` is a marker of our own.
    """

    raw: Any = None
    value: Any = NOTHING
    fresh_until: float = 0.0
    stale_until: float = 0.0
    labels: Iterable[str] = ()
    stamps: dict[str, bytes] = field(default_factory=dict)
    counter: bool = False
    failure: StoreError | None = None
    marked: bool = False

    def age(self, now: float) -> Age:
        """Return the age of the value; DEAD if there is none."""
        if self.value is NOTHING:
            return Age.DEAD
        return age(self.fresh_until, self.stale_until, now)


def near_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Return what the near tier keeps a value under: `clear` of a whole cache needs no label."""
    return tuple(label for label in labels if label != EVERYTHING)


class Looks:
    """Reads of the last tier, and the near writes they lead to."""

    def __init__(self, core: Core, far: Far | None) -> None:
        self._core = core
        self._far = far

    def serve(self, item: Item) -> Any:
        """Return the near value that is fresh, or `NOTHING`."""
        cell = self._core.near.cells.get(item.near)
        if cell is not None:
            value = cell.value
            if cell.until > self._core.clock():
                cell.hits += 1.0
                return value
        return NOTHING

    async def look(self, item: Item, *more: str) -> Found:
        """Return what stands under `item`; `more` are labels whose stamps are wanted too."""
        return (await self.look_many([item], *more))[item.near]

    async def look_many(self, items: Sequence[Item], *more: str) -> dict[str, Found]:
        """Return what stands under each, by near key."""
        if self._far is None:
            return {item.near: self._near_found(item) for item in items}
        labels = [*dict.fromkeys(label for item in items for label in item.labels), *more]
        keys = [*dict.fromkeys(item.far for item in items), *self._far.stamps.keys(labels)]
        try:
            rows = await self._far.store.get_many(keys)
            entries = {item.near: self._entry(item, rows.get(item.far)) for item in items}
            stamps = self._far.stamps.among(labels, rows)
            needed = {label for entry in entries.values() if entry for label in entry.labels}
            if unread := needed.difference(labels):
                stamps |= await self._far.stamps.read(sorted(unread))
        except StoreError as error:
            self.trouble("read", error)
            return {item.near: Found(failure=error) for item in items}
        return {
            item.near: self._far_found(item, rows.get(item.far), entries[item.near], stamps)
            for item in items
        }

    def keep(self, hold: Hold, found: Found, policy: Policy) -> None:
        """Count a fresh value that was read, and keep it near."""
        if self._far is None:
            found.raw.hits += 1.0
            return
        self._core.counts.far_hits += 1
        if not found.counter:
            until = min(found.fresh_until, hold.since + policy.near_ttl)
            traits = Traits(near_labels(found.labels))
            self._core.near.fill(hold, found.value, times=(until,) * 4, traits=traits)

    def trouble(self, operation: str, error: StoreError) -> None:
        """Count a failure of the far tier and tell it."""
        self._core.counts.errors += 1
        self._core.observer("cache.trouble", {"operation": operation, "error": error})

    def _near_found(self, item: Item) -> Found:
        cell = self._core.near.cells.get(item.near)
        if cell is None:
            return Found()
        value, traits, (_, fresh_until, stale_until, _) = cell.value, cell.traits, cell.times
        if stale_until <= self._core.clock():
            return Found()
        return Found(cell, value, fresh_until, stale_until, traits.labels)

    def _entry(self, item: Item, raw: bytes | None) -> Entry | None:
        if raw is None:
            return None
        try:
            return unpack(raw)
        except ValueError:
            self._core.observer("cache.corrupt", {"key": item.name})
            return None

    def _far_found(
        self, item: Item, raw: bytes | None, entry: Entry | None, stamps: Mapping[str, bytes]
    ) -> Found:
        known = dict(stamps)
        if entry is None or any(known.get(label) != at for label, at in entry.labels.items()):
            return Found(raw, stamps=known)
        if age(entry.fresh_until, entry.stale_until, self._core.clock()) is Age.DEAD:
            return Found(raw, stamps=known)
        try:
            value = self._core.codec.decode(entry.value)
        except CodecError:
            self._core.observer("cache.corrupt", {"key": item.name})
            return Found(raw, stamps=known)
        return Found(
            raw,
            value,
            entry.fresh_until,
            entry.stale_until,
            tuple(entry.labels),
            known,
            counter=entry.counter,
        )
