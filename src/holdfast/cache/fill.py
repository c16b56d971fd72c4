"""One creation: what it is based on, what it runs, and whether its value may be kept.

Law: absent is never a base. What the key holds (or a marker put where nothing was) is read after
winning the flight, the stamps before `create` starts; the value is published only by swapping
exactly that base. What is refused, unknown or depends on a stamp that moved is handed to the caller
and kept nowhere.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from holdfast.cache.core import Core
from holdfast.cache.creation import NOTHING, Creation, lasting, running
from holdfast.cache.found import Far, Found, Looks, near_labels
from holdfast.cache.near import Hold, Traits
from holdfast.cache.policy import Policy
from holdfast.cache.space import ANY, Item, tag_label
from holdfast.entry import Age, Entry, lived, make_marker, pack
from holdfast.errors import CodecError, StoreError, StoreTimeout
from holdfast.locks import Flight

__all__ = ["Create", "Fill"]

Create = Callable[[], Awaitable[Any]]
_MARKER_TTL = 3600.0  # longer than any creation that is still of use to somebody
_TRIES = 16


@dataclass(frozen=True, slots=True)
class Fill:
    """A creation for one caller.

    Attributes:
        core: The cache.
        far: Its far tier.
        looks: Its reads.
        item: What is created.
        create: Awaited for the value.
        policy: How long it lives.
        hold: The near placeholder, set before the first far operation.
        anew: Create even if there is a fresh value.
    """

    core: Core
    far: Far | None
    looks: Looks
    item: Item
    create: Create
    policy: Policy
    hold: Hold
    anew: bool = False

    async def run(self, found: Found, flight: Flight | None) -> Any:
        """Return the value: somebody else's if it came meanwhile, else a new one.

        Args:
            found: What the caller found before he won.
            flight: The flight he won; None if he runs inside it already.
        """
        base = await self._base(found)
        if not self.anew and base.age(self.core.clock()) is Age.FRESH:
            self.looks.keep(self.hold, base, self.policy)
            return base.value
        started = self.core.clock()
        stale = base.value if base.age(started) is not Age.DEAD else NOTHING
        now = Creation(self.item.name, stale)
        self.core.counts.misses += 1
        try:
            with running(now, flight):
                value = lasting(await self.create(), self.item.name)
        except Exception as error:
            stale = await self._stale_after(base, error)
            if stale is NOTHING:
                raise
            return stale
        self.core.counts.creates += 1
        await self._publish(base, now, value, started)
        return value

    async def _base(self, found: Found) -> Found:
        """Return what a publish will be compared with, and all stamps before the creation."""
        if self.far is None:
            return await self.looks.look(self.item)
        labels = (*self.item.labels, ANY)
        try:
            for _ in range(_TRIES):
                if found.failure is not None:
                    return found
                if found.raw is None:
                    marker = make_marker()
                    if await self.far.store.swap(self.item.far, None, marker, _MARKER_TTL):
                        found.raw, found.marked = marker, True
                        break
                found = await self.looks.look(self.item, ANY)
                if found.raw is not None:
                    break
            else:
                raise StoreTimeout("cache", f"no base for {self.item.name!r}")
            found.stamps |= await self.far.stamps.make(labels, found.stamps)
        except StoreError as error:
            self.looks.trouble("mark", error)
            return Found(failure=error)
        return found

    async def _stale_after(self, base: Found, error: Exception) -> Any:
        """Return the stale value if it still stands after a failure, else `NOTHING`.

        Who asked to create anew is told of the failure instead.
        """
        if self.anew or base.age(self.core.clock()) is Age.DEAD:
            await self._lift(base)
            return NOTHING
        again = await self.looks.look(self.item)
        if again.raw != base.raw or again.age(self.core.clock()) is Age.DEAD:
            return NOTHING
        self.core.counts.stale += 1
        self.core.observer("cache.stale_after_failure", {"key": self.item.name, "error": error})
        return again.value

    async def _lift(self, base: Found) -> None:
        """Take our own marker away: nothing will come."""
        if self.far is None or not base.marked:
            return
        try:
            await self.far.store.swap(self.item.far, base.raw, None)
        except StoreError as error:
            self.looks.trouble("lift", error)

    async def _publish(self, base: Found, now: Creation, value: Any, started: float) -> None:
        """Keep the value in both tiers, if it may be kept."""
        ready = self.core.clock()
        times = self.policy.times(value, ready, self.core.draw(), now.ttl)
        if now.skipped or times[1] <= ready:
            await self._lift(base)
            return
        late = [label for label in map(tag_label, now.tags) if label not in self.item.labels]
        labels = (*self.item.labels, *dict.fromkeys(late))
        if self.far is None:
            self._keep_near(value, times, labels)
            return
        if base.failure is not None:
            self._keep_near(value, self._near_times(times, self.hold.since), labels)
            return
        data = await self._encode(base, value)
        entry = Entry(data, started, *times, dict.fromkeys(labels, b""))
        written = await self._publish_far(self.far, base, entry)
        if written is None:
            return
        kept = await self._unmoved(self.far, written)
        kept = kept and self._keep_near(value, self._near_times(times, ready), labels)
        if not kept:
            self.core.near.drop([self.item.near])  # what stands there may be older

    def _near_times(self, times: tuple[float, float], since: float) -> tuple[float, float]:
        until = min(times[0], since + self.policy.near_ttl)
        return until, until

    def _keep_near(self, value: Any, times: tuple[float, float], labels: tuple[str, ...]) -> bool:
        traits = Traits(near_labels(labels))
        four = (times[0], *times, times[0])
        return self.core.near.fill(self.hold, value, times=four, traits=traits)

    async def _encode(self, base: Found, value: Any) -> bytes:
        try:
            return self.core.codec.encode(value)
        except CodecError as error:
            await self._lift(base)
            raise error.under(self.item.name) from error

    async def _publish_far(self, far: Far, base: Found, entry: Entry) -> Mapping[str, bytes] | None:
        """Swap the base for the entry; return its stamps if that was done for certain."""
        late = [label for label in entry.labels if label not in base.stamps]
        try:
            stamps = await far.stamps.late(late, base.stamps) if late else {}
            if stamps is None:
                return None
            known = base.stamps | stamps
            labels = {label: known.get(label, b"") for label in entry.labels}
            raw = pack(replace(entry, labels=labels))
            ttl = lived(entry.stale_until, self.core.clock())
            done = await far.store.swap(self.item.far, base.raw, raw, ttl)
        except StoreError as error:
            self.looks.trouble("publish", error)
            return None
        return labels if done else None

    async def _unmoved(self, far: Far, stamps: Mapping[str, bytes]) -> bool:
        """Return whether a value that was published may be kept near, too.

        A stamp that moved during the creation makes a miss of what stands in the store; the near
        tier compares no stamps, so it must not get the value at all.
        """
        if not self.core.near.max_entries:
            return False
        try:
            return await far.stamps.read(list(stamps)) == stamps
        except StoreError as error:
            self.looks.trouble("read", error)
            return False
