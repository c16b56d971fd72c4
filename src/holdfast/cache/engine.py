"""The sequences of a cache: read, fill, write, invalidate. Each is written once, for both faces.

Law: after an invalidation has returned, no read returns a value whose creation started before the
invalidation was called; `near_ttl` bounds what *another* process may still serve from its own near
tier. To that end every near write goes through a hold that is set before the first far operation;
the far tier is invalidated before the near tier; and whoever waited for a creation gets no value
from it, but reads again. How one creation obeys stands in `fill.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.bridge import Waits
from holdfast.cache.chain import begin_waiting, end_waiting
from holdfast.cache.core import Core
from holdfast.cache.creation import NOTHING, Creation, lasting, running
from holdfast.cache.fill import Create, Fill
from holdfast.cache.found import Far, Found, Looks, near_labels
from holdfast.cache.near import Traits
from holdfast.cache.policy import Policy
from holdfast.cache.space import ANY, Item, Space, tag_label
from holdfast.cache.stamps import Stamps
from holdfast.entry import Age, Entry, lived, pack
from holdfast.errors import CodecError, StoreTimeout
from holdfast.locks import Flight
from holdfast.store.protocol import AsyncStore

__all__ = ["Engine"]

_COUNT_TRIES = 200
_COUNT_PAUSE = 0.002


class Engine:
    """The sequences over one kind of waiting: store and `waits` both block, or both are awaited."""

    def __init__(
        self, core: Core, store: AsyncStore | None, waits: Waits, *, blocks: bool = False
    ) -> None:
        self._blocks = blocks
        self._core = core
        self._near = core.near
        self._far = Far(store, Stamps(store, core.prefix)) if store is not None else None
        self._looks = Looks(core, self._far)
        self._waits = waits

    async def get(self, item: Item, policy: Policy) -> Any:
        """Return the fresh value of `item`, or `NOTHING`."""
        if self._far is None:  # nobody else to ask
            value = self._looks.serve(item)
            self._core.counts.misses += value is NOTHING and self._core.enabled
            return value
        return (await self.get_many([item], policy)).get(item.name, NOTHING)

    async def get_many(self, items: Sequence[Item], policy: Policy) -> dict[str, Any]:
        """Return the fresh values there are, by name: one round trip, or two if some have tags."""
        if not self._core.enabled:
            return {}
        values = {item.name: self._looks.serve(item) for item in items}
        missing = [item for item in items if values[item.name] is NOTHING]
        holds = [self._near.hold(item.near) for item in missing]
        try:
            found = await self._looks.look_many(missing) if missing else {}
            for item, hold in zip(missing, holds, strict=True):
                here = found[item.near]
                if here.age(self._core.clock()) is Age.FRESH:
                    self._looks.keep(hold, here, policy)
                    values[item.name] = here.value
                else:
                    self._core.counts.misses += 1
        finally:
            for hold in holds:
                self._near.release(hold)
        return {name: value for name, value in values.items() if value is not NOTHING}

    async def get_or_create(
        self, item: Item, create: Create, policy: Policy, *, anew: bool = False
    ) -> Any:
        """Return the fresh value of `item`; if there is none, one caller creates it.

        Args:
            item: What is wanted.
            create: Awaited for the value.
            policy: How long it lives.
            anew: Create even if there is a fresh value.
        """
        if not self._core.enabled:
            with running(Creation(item.name), None):
                return lasting(await create(), item.name)
        while True:
            if not anew and (value := self._looks.serve(item)) is not NOTHING:
                return value
            hold = self._near.hold(item.near)
            try:
                found = await self._looks.look(item, ANY)
                if not anew and found.age(self._core.clock()) is Age.FRESH:
                    self._looks.keep(hold, found, policy)
                    return found.value
                fill = Fill(self._core, self._far, self._looks, item, create, policy, hold, anew)
                flight, mine = self._core.flights.board(item.near)
                if mine:
                    return await self._fly(fill, found, flight)
                if not begin_waiting(flight, blocks=self._blocks):
                    return await fill.run(found, None)
            finally:
                self._near.release(hold)
            try:
                if not anew and found.age(self._core.clock()) is Age.STALE:
                    self._core.counts.stale += 1
                    return found.value
                await self._waits.join(flight)
            finally:
                end_waiting(flight)
            if flight.error is not None and not anew:
                raise flight.error.with_traceback(flight.trace)

    async def _fly(self, fill: Fill, found: Found, flight: Flight) -> Any:
        """Create for all who wait; a caller that is cancelled hands the creation on to them."""
        failure = None
        try:
            return await fill.run(found, flight)
        except Exception as error:
            failure = error
            raise
        finally:
            self._core.flights.land(fill.item.near, flight, failure)

    async def put(self, item: Item, value: Any, policy: Policy) -> None:
        """Keep `value`, whatever was there, and whatever is being created."""
        await self.put_many({item: value}, policy)

    async def put_many(self, values: Mapping[Item, Any], policy: Policy) -> None:
        """Keep `values`, all with the same times."""
        if not self._core.enabled or not values:
            return
        now = self._core.clock()
        times = policy.times(NOTHING, now, self._core.draw())
        if times[1] <= now:
            await self.delete_many(list(values))
            return
        if self._far is None:
            for item, value in values.items():
                traits = Traits(near_labels(item.labels))
                four = (times[0], *times, times[0])
                self._near.put(item.near, value, times=four, traits=traits)
            return
        holds = {item: self._near.hold(item.near) for item in values}
        older = {item.near for item in values}
        try:
            await self._put_far(self._far, values, times)
            until = min(times[0], now + policy.near_ttl)
            for item, value in values.items():
                traits = Traits(near_labels(item.labels))
                if self._near.fill(holds[item], value, times=(until,) * 4, traits=traits):
                    older.discard(item.near)
        finally:
            self._near.drop(older)  # failed, unknown, or somebody wrote meanwhile
            for hold in holds.values():
                self._near.release(hold)

    async def _put_far(
        self, far: Far, values: Mapping[Item, Any], times: tuple[float, float]
    ) -> None:
        now = self._core.clock()
        data = {item: self._encode(item, value) for item, value in values.items()}
        labels = list(dict.fromkeys(label for item in values for label in item.labels))
        stamps = await far.stamps.make(labels, await far.stamps.read(labels))
        rows = {
            item.far: pack(
                Entry(
                    data[item],
                    now,
                    *times,
                    {label: stamps.get(label, b"") for label in item.labels},
                )
            )
            for item in values
        }
        await far.store.put_many(rows, lived(times[1], now))

    def _encode(self, item: Item, value: Any) -> bytes:
        try:
            return self._core.codec.encode(value)
        except CodecError as error:
            raise error.under(item.name) from error

    async def delete_many(self, items: Sequence[Item]) -> int:
        """Remove `items`; a creation that is under way will not bring them back."""
        clock = self._core.clock
        cells = [self._near.cells.get(item.near) for item in items]
        there = sum(cell is not None and cell.stale_until > clock() for cell in cells)
        try:
            if self._far is not None:
                there = await self._far.store.delete_many([item.far for item in items])
        finally:
            self._near.drop([item.near for item in items])
            for item in items:  # what is being created is doomed: nobody need wait for it
                self._core.flights.forget(item.near)
        return there

    async def invalidate_tags(self, tags: Sequence[str]) -> None:
        """Make a miss of every value that has one of `tags`."""
        labels = [tag_label(tag) for tag in tags]
        try:
            if self._far is not None:
                await self._far.stamps.move(labels)
        finally:
            self._near.drop_labels(labels)

    async def clear(self, space: Space) -> None:
        """Make a miss of every value in `space` and the namespaces below it."""
        try:
            if self._far is not None:
                await self._far.stamps.move([space.label])
        finally:
            if space.path:
                self._near.drop_labels([space.label])
            else:
                self._near.clear()

    async def increment(self, item: Item, by: int, policy: Policy) -> int:
        """Count up by `by`; what is not there counts as 0.

        Raises:
            TypeError: What is there is no integer, or `by` is none.
        """
        if type(by) is not int:
            raise TypeError(f"by={by!r}: a count is an integer")
        if not self._core.enabled:
            return by
        now = self._core.clock()
        times = policy.times(NOTHING, now, self._core.draw())
        if self._far is None:
            return self._near.add(item.near, by, times[0], Traits(near_labels(item.labels)))
        try:
            for tries in range(_COUNT_TRIES):
                found = await self._looks.look(item)
                if found.failure is not None:
                    raise found.failure
                total = await self._add(self._far, item, found, by, times)
                if total is not None:
                    return total
                await self._waits.sleep(_COUNT_PAUSE * self._core.draw() * min(tries, 10))
        finally:
            self._near.drop([item.near])
        raise StoreTimeout("cache", f"{item.name!r} could not be counted")

    async def _add(
        self, far: Far, item: Item, found: Found, by: int, times: tuple[float, float]
    ) -> int | None:
        """Swap what was found for the sum; return it, or None if somebody else was quicker."""
        now = self._core.clock()
        value, labels = 0, item.labels
        if found.age(now) is Age.FRESH:
            value, labels = found.value, tuple(found.labels)
            times = (found.fresh_until, found.fresh_until)
        if type(value) is not int:
            raise TypeError(f"{item.name!r} holds no integer")
        stamps = await far.stamps.make(labels, found.stamps)
        at = {label: stamps.get(label, b"") for label in labels}
        entry = Entry(self._encode(item, value + by), now, *times, at, counter=True)
        done = await far.store.swap(item.far, found.raw, pack(entry), lived(times[1], now))
        return value + by if done else None
