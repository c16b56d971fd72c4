"""One creation: what it is based on, what it runs, and whether its value may be kept.

Law: absent is never a base. What the key holds (or a marker put where nothing was) is read after
winning the flight and the lease, the stamps before `create` starts; the value is published only by
swapping exactly that base. What is refused, unknown or depends on a stamp that moved is handed to
the caller and kept nowhere. Nobody waits while he holds a lease.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from holdfast.bridge import Waits
from holdfast.cache.core import Core
from holdfast.cache.creation import NOTHING, Creation, lasting, running
from holdfast.cache.far import Far
from holdfast.cache.found import Found, Looks
from holdfast.cache.lease import Lease
from holdfast.cache.near import Hold
from holdfast.cache.policy import RENEW_AFTER, Ages, Policy
from holdfast.cache.space import ANY, Item, tag_label
from holdfast.entry import Age, Entry, lived, make_marker, pack
from holdfast.errors import StoreError, StoreTimeout
from holdfast.locks import Flight

__all__ = ["Create", "Fill"]

Create = Callable[[], Awaitable[Any]]
_MARKER_TTL = 3600.0  # longer than any creation that is still of use to somebody
_TRIES = 16


@dataclass(slots=True)
class Fill:
    """A creation for one caller.

    Attributes:
        core: The cache.
        far: Its far tier.
        looks: Its reads.
        waits: How it waits for other processes.
        item: What is created.
        policy: How long it lives.
        hold: The near placeholder, set before the first far operation.
        anew: Create even if there is a fresh value.
        renews: The far bytes of the fresh value it is to take the place of: others are as good.
        value: What came of it, once it has landed; `NOTHING` if it was cancelled.
        error: What it failed with.
        replaced: Whether its value took the place of what the last tier had before.
    """

    core: Core
    far: Far | None
    looks: Looks
    waits: Waits
    item: Item
    policy: Policy
    hold: Hold
    anew: bool = False
    renews: bytes | None = None
    value: Any = NOTHING
    error: BaseException | None = None
    replaced: bool = False
    _lease: Lease | None = None
    _hidden: tuple[int, bool] | None = None
    _marker: bytes | None = None

    async def run(
        self, create: Create, found: Found, flight: Flight | None, *, patient: bool = True
    ) -> Any:
        """Return the value: somebody else's if it came meanwhile, else a new one.

        Args:
            create: Awaited for the value.
            found: What the caller found before he won.
            flight: The flight he won; None if he runs inside it already.
            patient: Whether to wait for another process that creates it now; if not, and there is
                one, it is `NOTHING`.
        """
        try:
            base, answer = await self.begin(found, leased=flight is not None, patient=patient)
            return answer if base is None else await self._make(create, base, flight)
        except GeneratorExit:  # its event loop was closed, and with it the way to the store
            self._lease = self._marker = None
            raise
        finally:
            await self.end()

    async def begin(self, found: Found, *, leased: bool, patient: bool) -> tuple[Found | None, Any]:
        """Return what a publish will be compared with; or None, and the answer that came meanwhile.

        `end` must follow.
        """
        if leased and self.far is not None and self.core.lease and found.failure is None:
            self._lease = Lease(self.core, self.far, self.item, self.waits)
            waited = False
            while not await self._lease.won():
                if not patient:
                    return None, NOTHING
                if not self.anew and found.age(self.core.clock()) is Age.STALE:
                    self.core.counts_of(self.item).stale += 1
                    return None, found.value
                await self._lease.wait()
                waited = True
                self.hold_again()
                found = await self.looks.look(self.item, ANY)
                if found.failure is not None:
                    break
                if not self.anew and found.age(self.core.clock()) is Age.FRESH:
                    break
            if waited and not self.anew and found.age(self.core.clock()) is Age.FRESH:
                return None, await self._kept(found)
        self._hidden = self.core.pending.mark(self.item.far)
        base = await self._base(found)
        is_another = self.renews is not None and base.raw != self.renews
        if (is_another or not self.anew) and base.age(self.core.clock()) is Age.FRESH:
            return None, await self._kept(base)
        return base, NOTHING

    async def end(self) -> None:
        """Take our own marker away if nothing came of it, and give the lease back."""
        try:
            await self._let_go()
        except GeneratorExit:
            raise
        except BaseException:  # cancelled in the midst of it: others would wait for us
            await self._let_go()
            raise

    async def _let_go(self) -> None:
        await self._lift()
        if self._lease is not None:
            await self._lease.release()

    def _forget_near(self) -> None:
        """Drop what is near, since the far tier has nothing: our marker may drown the news of it.

        What is invalidated before the new placeholder stands, was before the creation starts.
        """
        self.core.near.drop([self.item.near])
        self.hold_again()

    def hold_again(self) -> None:
        """Set the placeholder anew: what was dropped before the next look does not count."""
        self.core.near.release(self.hold)
        self.hold = self.core.near.hold(self.item.near)

    async def _kept(self, found: Found) -> Any:
        await self.looks.kept(self.hold, self.item, found, self.policy)
        return found.value

    async def _make(self, create: Create, base: Found, flight: Flight | None) -> Any:
        started, began = self.core.clock(), self.waits.now()
        now = Creation(self.item.name, base.value)
        self.core.counts_of(self.item).misses += 1
        self.core.observer("cache.creating", {"key": self.item.name})
        try:
            with running(now, flight):
                value = lasting(await create(), self.item.name)
        except BaseException as error:
            self.core.observer("cache.create_failed", {"key": self.item.name, "error": error})
            stale = await self.failed(base, error) if isinstance(error, Exception) else NOTHING
            if stale is NOTHING:
                raise
            return stale
        took = self.waits.now() - began
        kept = await self.made(base, now, value, (started, took))
        if flight is not None:
            flight.vain = not kept
        return value

    async def made(
        self, base: Found, now: Creation, value: Any, times: tuple[float, float]
    ) -> bool:
        """Keep the value in both tiers, if it may be kept.

        Args:
            base: What `begin` returned.
            now: What was said inside the creation.
            value: What it made.
            times: When it started, and how many seconds it took.

        Returns:
            False if it can be kept nowhere, whoever makes it.
        """
        started, took = times
        self.core.counts_of(self.item).creates += 1
        self.core.observer("cache.created", {"key": self.item.name, "seconds": took})
        ready = self.core.clock()
        ages = self.policy.ages(value, ready, self.core.draw(), now.ttl)
        if now.skipped or ages.stale_until <= ready:
            return False
        late = [label for label in map(tag_label, now.tags) if label not in self.item.labels]
        labels = (*self.item.labels, *dict.fromkeys(late))
        if self.far is None:
            draw = self.core.draw()
            asked = self.policy.asked_from(started, ages, ready, took=took, draw=draw)
            self._keep_near(value, labels, (asked, *ages))
            self.replaced = True
            return True
        if base.failure is not None:
            since = self.hold.since
            self._keep_near(value, labels, self._near_times(ages, since, times, is_far=False))
            return self.core.near.max_entries > 0
        entry = self._entry(value, ages, started)
        if self.policy.refresh_at == "xfetch":
            entry = replace(entry, took=took)
        written = await self._publish(self.far, base, entry, labels)
        self.replaced = kept = written is not None
        kept = kept and await self._unmoved(self.far, written or {})
        kept = kept and self._keep_near(value, labels, self._near_times(ages, ready, times))
        if not kept:
            self.core.near.drop([self.item.near])  # what stands there may be older
        return True

    async def _base(self, found: Found) -> Found:
        """Return what a publish will be compared with, and all stamps before the creation."""
        if self.far is None:
            return found
        labels = (*self.item.labels, ANY)
        try:
            for _ in range(_TRIES):
                if found.failure is not None:
                    return found
                if found.raw is None:
                    self._marker = marker = make_marker()
                    if await self.far.store.swap(self.item.far, None, marker, _MARKER_TTL):
                        found.raw = marker
                        self._forget_near()
                        break
                    self._marker = None
                found = await self.looks.look(self.item, ANY)
                if found.raw is not None:
                    break
            else:
                raise StoreTimeout("cache", f"no base for {self.item.name!r}")
            found.stamps |= await self.far.stamps.make(labels, found.stamps)
        except StoreError as error:
            self.core.trouble("mark", error, self.item)
            self._marker = None  # it harms nobody, and to ask again would be another long wait
            return Found(failure=error)
        return found

    async def failed(self, base: Found, error: Exception) -> Any:
        """Return the stale value if it still stands after a failure, else `NOTHING`.

        Who asked to create anew is told of the failure instead.
        """
        if self.anew or base.age(self.core.clock()) is Age.DEAD:
            return NOTHING
        again = await self.looks.look(self.item)
        now = self.core.clock()
        if again.raw != base.raw or again.age(now) is Age.DEAD:
            return NOTHING
        self.core.counts_of(self.item).stale += 1
        self.core.observer("cache.stale_after_failure", {"key": self.item.name, "error": error})
        if self.policy.retry_after:
            await self._rest(again, min(now + self.policy.retry_after, again.stale_until))
        return again.value

    async def _rest(self, stale: Found, until: float) -> None:
        """Let a stale value be fresh for a while, so that the source is left in peace."""
        ages = Ages(until, stale.stale_until, until)
        if self.far is None:
            self._keep_near(stale.value, stale.labels, (until, *ages))
            return
        if stale.entry is None:
            return
        # as if it were made at its end: it rests, so no share of its age is over before
        entry = replace(stale.entry, stamp=until, fresh_until=until, took=0.0, idle=0.0)
        ttl = lived(entry.stale_until, self.core.clock())
        try:
            await self.far.store.swap(self.item.far, stale.raw, pack(entry), ttl)
        except StoreError as error:
            self.core.trouble("rest", error, self.item)
        self.core.near.drop([self.item.near])  # as who writes must; hardly ever is anything there

    async def _lift(self) -> None:
        if self.far is None or self._marker is None:
            return
        try:
            await self.far.store.swap(self.item.far, self._marker, None)
        except StoreError as error:
            self.core.trouble("lift", error, self.item)
        self._marker = None

    def _near_times(
        self, ages: Ages, since: float, creation: tuple[float, float], *, is_far: bool = True
    ) -> tuple[float, float, float, float]:
        started, took = creation
        until = min(ages.fresh_until, self.core.near_until(self.policy, since, is_far=is_far))
        if self.policy.sliding is not None:
            until = min(until, since + self.policy.sliding * RENEW_AFTER)
        due = self.policy.refresh_from(started, ages.fresh_until, took, self.core.draw())
        until = min(until, due)
        return until, until, until, until

    def _keep_near(
        self, value: Any, labels: tuple[str, ...], times: tuple[float, float, float, float]
    ) -> bool:
        return self.looks.fill(self.hold, self.item, value, times, labels)

    def _entry(self, value: Any, ages: Ages, started: float) -> Entry:
        data, form = self.core.coding.encode(self.item, value)
        idle, end = self.policy.sliding or 0.0, ages.end
        return Entry(
            data, started, ages.fresh_until, ages.stale_until, {}, form=form, idle=idle, end=end
        )

    async def _publish(
        self, far: Far, base: Found, entry: Entry, labels: tuple[str, ...]
    ) -> Mapping[str, bytes] | None:
        """Swap the base for the entry; return its stamps if that was done for certain."""
        late = [label for label in labels if label not in base.stamps]
        try:
            stamps = {}
            if late:
                self.core.coherence.meet_labels(late)
                learnt = await far.stamps.late(late, base.stamps)
                if learnt is None:
                    return None
                stamps = learnt
            known = base.stamps | stamps
            at = {label: known.get(label, b"") for label in labels}
            raw = pack(replace(entry, labels=at))
            ttl = lived(entry.stale_until, self.core.clock())
            done = await far.store.swap(self.item.far, base.raw, raw, ttl)
            self._marker = None
        except StoreError as error:
            self.core.trouble("publish", error, self.item)
            self._marker = None
            return None
        if done:
            self.core.pending.superseded(self.item.far, self._hidden)
        return at if done else None

    async def _unmoved(self, far: Far, stamps: Mapping[str, bytes]) -> bool:
        """Return whether a value that was published may be kept near, too.

        A stamp that moved during the creation makes a miss of what stands in the store; the near
        tier compares no stamps, so it must not get the value at all.
        """
        if not self.core.near.max_entries:
            return False
        if self.core.coherence.is_whole:
            return True  # what moved was or will be heard, and drops it
        try:
            return await far.stamps.read(list(stamps)) == stamps
        except StoreError as error:
            self.core.trouble("read", error, self.item)
            return False
