"""Looking: what stands under a key now, in whichever tier is the last.

Law: an entry whose stamps moved, a marker, and bytes nobody can read are all absent; the bytes
themselves are kept as what a later write is compared with. A far tier that fails is a miss.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from holdfast.cache.coding import OtherForm
from holdfast.cache.core import Core
from holdfast.cache.counts import Counts
from holdfast.cache.creation import NOTHING
from holdfast.cache.far import Far
from holdfast.cache.near import NO_TRAITS, Hold, Times, Traits
from holdfast.cache.policy import RENEW_AFTER, REST, Policy, slid
from holdfast.cache.space import EVERYTHING, Item
from holdfast.entry import Age, Entry, age, lived, pack, unpack
from holdfast.errors import CodecError, StoreError

__all__ = ["Found", "Looks", "near_labels", "traits_of"]


@dataclass(slots=True)
class Found:
    """What a look at a key found.

    Attributes:
        raw: What the key holds, to be compared with later; None if nothing. Without a far tier: the
            cell.
        value: The value; `NOTHING` if it is absent, dead or invalidated.
        fresh_until: When it stops being fresh.
        stale_until: When it may no longer be served stale either.
        end: Until when reads may make it fresh again.
        asked: When a near cell wanted to be asked for again.
        labels: The stamps it depends on.
        stamps: The stamps that were read, by label.
        entry: What the far tier holds, decoded but for its value.
        failure: Why the far tier did not answer, if it did not.
        hidden: Whether it is absent because the far tier has not heard of an invalidation yet.
    """

    raw: Any = None
    value: Any = NOTHING
    fresh_until: float = 0.0
    stale_until: float = 0.0
    end: float = 0.0
    asked: float = 0.0
    labels: tuple[str, ...] = ()
    stamps: dict[str, bytes] = field(default_factory=dict)
    entry: Entry | None = None
    failure: StoreError | None = None
    hidden: bool = False

    def age(self, now: float) -> Age:
        """Return the age of the value; DEAD if there is none."""
        if self.value is NOTHING:
            return Age.DEAD
        return age(self.fresh_until, self.stale_until, now)


def near_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Return what the near tier keeps a value under: `clear` of a whole cache needs no label."""
    return tuple(label for label in labels if label != EVERYTHING)


@functools.lru_cache(maxsize=1024)
def traits_of(labels: tuple[str, ...], counts: Counts | None) -> Traits:
    """Return the traits of near cells; those of one function are mostly one object."""
    kept = near_labels(labels)
    return Traits(kept, counts) if kept or counts is not None else NO_TRAITS


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
        self._core.coherence.meet(items)
        labels = [*dict.fromkeys(label for item in items for label in item.labels), *more]
        keys = [*dict.fromkeys(item.far for item in items), *self._far.stamps.keys(labels)]
        settled = self._core.pending.settled
        try:
            rows = await self._far.store.get_many(keys)
            entries = {item.near: self._entry(item, rows.get(item.far)) for item in items}
            stamps = self._far.stamps.among(labels, rows)
            needed = {label for entry in entries.values() if entry for label in entry.labels}
            if unread := needed.difference(labels):
                self._core.coherence.meet_labels(unread)
                stamps |= await self._far.stamps.read(sorted(unread))
        except StoreError as error:
            self._core.trouble("read", error, items[0] if len(items) == 1 else None)
            return {item.near: Found(failure=error) for item in items}
        found = {
            item.near: self._far_found(item, rows.get(item.far), entries[item.near], stamps)
            for item in items
        }
        if self._core.pending.settled != settled:  # repeated meanwhile: what was read may be older
            return await self.look_many(items, *more)
        return found

    async def kept(self, hold: Hold, item: Item, found: Found, policy: Policy) -> bool:
        """Count a fresh value that was read, keep it near, and renew it if it slides.

        Returns:
            Whether it is time to make it anew.
        """
        now = self._core.clock()
        if self._far is None:
            found.raw.hits += 1.0
            if found.asked > now:
                return False
            slides = self._asked_again(hold, item, found, now)
            return policy.refresh_at is not None and not slides
        self._core.counts_of(item).far_hits += 1
        entry = found.entry
        if entry is None or entry.counter:
            return False
        if entry.idle:
            await self._renew(self._far, item, found, now)
        due = policy.refresh_from(entry.stamp, found.fresh_until, entry.took, self._core.draw())
        if entry.form and item.form is None:
            return False  # the plain form is not what its function returns
        until = min(found.fresh_until, self._core.near_until(policy, hold.since))
        if entry.idle:
            until = min(until, hold.since + entry.idle * RENEW_AFTER)
        # due, but this reader may be one who cannot create it: the next who asks may
        until = min(until, due if now < due else now + REST)
        self.fill(hold, item, found.value, (until, until, until, until), found.labels)
        return due <= now

    def _asked_again(self, hold: Hold, item: Item, found: Found, now: float) -> bool:
        """Let a near cell be served unasked again; return whether it slides."""
        fresh_until, stale_until, end = found.fresh_until, found.stale_until, found.end
        slides = fresh_until < end
        until = min(fresh_until, now + REST)
        if slides:
            idle = (fresh_until - found.asked) / (1 - RENEW_AFTER)
            ages = slid(end, now, idle, stale_until - fresh_until)
            until, fresh_until, stale_until = min(now + idle * RENEW_AFTER, ages[0]), *ages
        self.fill(hold, item, found.value, (until, fresh_until, stale_until, end), found.labels)
        return slides

    async def _renew(self, far: Far, item: Item, found: Found, now: float) -> None:
        """Make a value that slides fresh for its whole idle time again; refused: never mind."""
        entry = found.entry
        if entry is None or found.fresh_until - now > entry.idle * (1 - RENEW_AFTER):
            return
        grace = entry.stale_until - entry.fresh_until
        fresh_until, stale_until = slid(entry.end, now, entry.idle, grace)
        if fresh_until <= found.fresh_until:
            return  # it has come to its end
        raw = pack(replace(entry, fresh_until=fresh_until, stale_until=stale_until))
        try:
            if await far.store.swap(item.far, found.raw, raw, lived(stale_until, now)):
                found.raw, found.fresh_until, found.stale_until = raw, fresh_until, stale_until
        except StoreError as error:
            self._core.trouble("renew", error, item)

    def fill(
        self, hold: Hold, item: Item, value: Any, times: Times, labels: tuple[str, ...]
    ) -> bool:
        """Keep a value near, if nothing was dropped since; return whether that was so."""
        traits = traits_of(labels, item.counts)
        return self._core.near.fill(hold, value, times=times, traits=traits)

    def _near_found(self, item: Item) -> Found:
        cell = self._core.near.cells.get(item.near)
        if cell is None:
            return Found()
        value, traits, times = cell.value, cell.traits, cell.times
        asked, fresh_until, stale_until, end = times
        if stale_until <= self._core.clock():
            return Found()
        return Found(
            cell, value, fresh_until, stale_until, end=end, asked=asked, labels=traits.labels
        )

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
        labels = item.labels if entry is None else entry.labels
        hidden = self._core.pending.hides(item, labels)
        absent = Found(raw, stamps=dict(stamps), hidden=hidden)
        if hidden or entry is None:
            return absent
        if any(stamps.get(label) != at for label, at in entry.labels.items()):
            return absent
        if age(entry.fresh_until, entry.stale_until, self._core.clock()) is Age.DEAD:
            return absent
        try:
            value = self._core.coding.decode(item, entry.value, entry.form)
        except OtherForm:
            self._core.observer("cache.other_form", {"key": item.name})
            return absent
        except CodecError:
            self._core.observer("cache.corrupt", {"key": item.name})
            return absent
        return Found(
            raw,
            value,
            entry.fresh_until,
            entry.stale_until,
            end=entry.end,
            labels=tuple(entry.labels),
            stamps=absent.stamps,
            entry=entry,
        )
