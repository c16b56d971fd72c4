"""The sequences that change a cache, and that catch up on what the far tier did not hear of.

Law: after an invalidation has returned, no read returns a value whose creation started before the
invalidation was called; `near_ttl` bounds what *another* process may still serve from its own near
tier. To that end every near write goes through a hold that is set before the first far operation,
and the far tier is invalidated before the near tier. An invalidation that fails waits in `pending`:
this process passes by what it hits, and repeats it, newest first, as soon as the store answers.
"""

import contextlib
import functools
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from holdfast.bridge import Waits
from holdfast.cache.core import Core
from holdfast.cache.creation import NOTHING
from holdfast.cache.far import Far
from holdfast.cache.found import Found, Looks, traits_of
from holdfast.cache.guard import Guard
from holdfast.cache.policy import RENEW_AFTER, Ages, Policy
from holdfast.cache.space import Item, Space, tag_label
from holdfast.entry import Age, Entry, lived, pack
from holdfast.errors import StoreError, StoreTimeout, StoreUnavailable
from holdfast.store.protocol import AsyncStore

__all__ = ["Changes"]

_COUNT_TRIES = 200
_COUNT_PAUSE = 0.002
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_AT_ONCE = 100


class Changes:
    """The sequences over one kind of waiting: store and `waits` both block, or both are awaited."""

    def __init__(
        self, core: Core, store: AsyncStore | None, waits: Waits, *, blocks: bool = False
    ) -> None:
        self._blocks = blocks
        self._core = core
        self._near = core.near
        self._waits = waits
        self._far: Far | None = None
        if store is not None:
            guard = Guard(store, core.breaker, core.pending, self._recover_soon)
            self._far = Far(guard, core.prefix, core.coherence)
            core.coherence.begin()
        self._looks = Looks(core, self._far)

    async def put(self, item: Item, value: Any, policy: Policy) -> None:
        """Keep `value`, whatever was there, and whatever is being created."""
        await self.put_many({item: value}, policy)

    async def put_many(self, values: Mapping[Item, Any], policy: Policy) -> None:
        """Keep `values`, all with the same times."""
        if not self._core.enabled or not values:
            return
        now = self._core.clock()
        ages = policy.ages(NOTHING, now, self._core.draw())
        if ages.stale_until <= now:
            await self.delete_many(list(values))
            return
        if self._far is None:
            asked = policy.asked_from(now, ages, now, took=0.0, draw=1.0)
            for item, value in values.items():
                traits = traits_of(item.labels, item.counts)
                self._near.put(item.near, value, times=(asked, *ages), traits=traits)
            return
        holds = {item: self._near.hold(item.near) for item in values}
        marks = {item.far: self._core.pending.mark(item.far) for item in values}
        older, done = {item.near for item in values}, False
        try:
            with self._or_wait([item.far for item in values], labels=False):
                await self._put_far(self._far, values, ages, policy)
                for key, mark in marks.items():
                    self._core.pending.superseded(key, mark)
                done = True
            until = min(ages.fresh_until, self._core.near_until(policy, now, is_far=done))
            if policy.sliding is not None:
                until = min(until, now + policy.sliding * RENEW_AFTER)
            until = min(until, policy.refresh_from(now, ages.fresh_until, 0.0, 1.0))
            for item, value in values.items():
                if self._looks.fill(holds[item], item, value, (until,) * 4, item.labels):
                    older.discard(item.near)
        finally:
            self._near.drop(older)  # failed, unknown, or somebody wrote meanwhile
            for hold in holds.values():
                self._near.release(hold)

    async def _put_far(
        self, far: Far, values: Mapping[Item, Any], ages: Ages, policy: Policy
    ) -> None:
        now = self._core.clock()
        data = {item: self._core.coding.encode(item, value) for item, value in values.items()}
        labels = list(dict.fromkeys(label for item in values for label in item.labels))
        self._core.coherence.meet(values)
        stamps = await far.stamps.make(labels, await far.stamps.read(labels))
        rows = {}
        for item, (value, form) in data.items():
            at = {label: stamps.get(label, b"") for label in item.labels}
            idle = policy.sliding or 0.0
            times = ages.fresh_until, ages.stale_until
            entry = Entry(value, now, *times, at, form=form, idle=idle, end=ages.end)
            rows[item.far] = pack(entry)
        await far.store.put_many(rows, lived(ages.stale_until, now))

    async def delete_many(self, items: Sequence[Item]) -> int:
        """Remove `items`; a creation that is under way will not bring them back."""
        clock = self._core.clock
        cells = [self._near.cells.get(item.near) for item in items]
        there = sum(cell is not None and cell.stale_until > clock() for cell in cells)
        keys = [item.far for item in items]
        marks = {key: self._core.pending.mark(key) for key in keys}
        try:
            if self._far is not None:
                with self._or_wait(keys, labels=False):
                    there = await self._far.store.delete_many(keys)
                    for key, mark in marks.items():
                        self._core.pending.superseded(key, mark)
                    if there and self._core.lease:
                        await self._doom(self._far, items)
        finally:
            self._near.drop([item.near for item in items])
            for item in items:  # what is being created is doomed: nobody need wait for it
                self._core.flights.forget(item.near)
        return there

    async def _doom(self, far: Far, items: Sequence[Item]) -> None:
        """Remove the leases of creations whose markers are gone; they end by themselves, too."""
        try:
            await far.quiet.delete_many([item.lease for item in items])
        except StoreError as error:
            self._core.trouble("unlease", error)

    async def invalidate_tags(self, tags: Sequence[str]) -> None:
        """Make a miss of every value that has one of `tags`."""
        labels = [tag_label(tag) for tag in tags]
        try:
            await self._move(labels)
        finally:
            self._near.drop_labels(labels)

    async def clear(self, space: Space) -> None:
        """Make a miss of every value in `space` and the namespaces below it."""
        try:
            await self._move([space.label])
        finally:
            if space.path:
                self._near.drop_labels([space.label])
            else:
                self._near.clear()

    async def _move(self, labels: Sequence[str]) -> None:
        if self._far is not None:
            marks = {label: self._core.pending.mark(label) for label in labels}
            with self._or_wait(labels, labels=True):
                await self._far.stamps.move(labels)
                for label, mark in marks.items():
                    self._core.pending.superseded(label, mark)

    @contextlib.contextmanager
    def _or_wait(self, names: Sequence[str], *, labels: bool) -> Iterator[None]:
        """Let an invalidation wait if it fails; it is an error all the same unless told."""
        try:
            yield
        except StoreError as error:
            self._core.trouble("invalidate", error)
            self._core.pending.add(names, labels=labels)
            self._core.observer("cache.invalidation_queued", {"names": tuple(names)})
            self._recover_soon()
            if not self._core.queues:
                raise

    def _recover_soon(self) -> None:
        """See to it that somebody asks the store until it answers."""
        core = self._core
        if not core.closed and core.recovery.take():
            steps = functools.partial(_recover, weakref.ref(self), self._waits)
            with contextlib.suppress(RuntimeError):  # no thread for it: the next who fails sees
                self._waits.apart(steps, core.recovery.give_back)

    async def is_recovered(self) -> bool:
        """Return whether the store answers and has heard of everything, or is wanted no more."""
        core = self._core
        if core.closed or self._far is None:
            return True
        try:
            await self._far.plain.ping()
            await self._catch_up(self._far)
        except Exception:  # noqa: BLE001 - an observer's, too, must not end the recovery
            return False
        return not core.pending.waiting and not core.pending.leases

    async def _catch_up(self, far: Far) -> None:
        """Repeat what the far tier did not hear of, whatever the breaker says."""
        pending = self._core.pending
        self._core.breaker.close()
        while waiting := pending.newest_first(_AT_ONCE):
            keys = [name for name, (_, is_label) in waiting if not is_label]
            labels = [name for name, (_, is_label) in waiting if is_label]
            if labels:
                await far.stamps.move(labels)
            if keys:
                await far.store.delete_many(keys)
            for name, mark in waiting:
                pending.superseded(name, mark)
            names = tuple(name for name, _ in waiting)
            self._core.observer("cache.invalidation_replayed", {"names": names})
        for key, token in list(pending.leases.items()):
            await far.quiet.swap(key, token, None)
            pending.gave_back(key, token)

    async def increment(self, item: Item, by: int, policy: Policy) -> int:
        """Count up by `by`; what is not there counts as 0.

        Raises:
            TypeError: What is there is no integer, or `by` is none.
        """
        if type(by) is not int:
            raise TypeError(f"by={by!r}: a count is an integer")
        if not self._core.enabled:
            return by
        ages = policy.ages(NOTHING, self._core.clock(), self._core.draw())
        if self._far is None:
            return self._near.add(
                item.near, by, ages.fresh_until, traits_of(item.labels, item.counts)
            )
        try:
            for tries in range(_COUNT_TRIES):
                found = await self._looks.look(item)
                if found.failure is not None:
                    raise found.failure
                if found.hidden:  # counted now, it would begin anew each time, and be removed later
                    raise StoreUnavailable("cache", f"an invalidation of {item.name!r} waits")
                total = await self._add(self._far, item, found, by, ages)
                if total is not None:
                    return total
                await self._waits.sleep(_COUNT_PAUSE * self._core.draw() * min(tries, 10))
        finally:
            self._near.drop([item.near])
        raise StoreTimeout("cache", f"{item.name!r} could not be counted")

    async def _add(self, far: Far, item: Item, found: Found, by: int, ages: Ages) -> int | None:
        """Swap what was found for the sum; return it, or None if somebody else was quicker."""
        now = self._core.clock()
        value, labels, until = 0, item.labels, ages.fresh_until
        if found.age(now) is Age.FRESH:
            value, labels, until = found.value, found.labels, found.fresh_until
        if type(value) is not int:
            raise TypeError(f"{item.name!r} holds no integer")
        stamps = await far.stamps.make(labels, found.stamps)
        at = {label: stamps.get(label, b"") for label in labels}
        data, _ = self._core.coding.encode(item, value + by)
        entry = Entry(data, now, until, until, at, counter=True)
        done = await far.store.swap(item.far, found.raw, pack(entry), lived(until, now))
        return value + by if done else None


async def _recover(whose: weakref.ref[Changes], waits: Waits) -> None:
    """Ask the store until it answers, for as long as its cache is there."""
    pause = _FIRST_PAUSE
    while True:
        await waits.sleep(pause)
        changes = whose()
        if changes is None or await changes.is_recovered():
            return
        del changes
        pause = min(pause * 2, _LONGEST_PAUSE)
