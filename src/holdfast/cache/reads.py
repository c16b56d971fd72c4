"""The sequences that read a cache and create what is missing, each written once for both faces.

Law: whoever waited for a creation gets no value from it, but reads again: a value that was
invalidated while he waited must not reach him. Who may be served something meanwhile does not wait.
A creation that others wait for outlives the caller who began it. How it obeys the rest stands in
`fill.py`; what changes a cache, in `changes.py`.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.cache.chain import begin_waiting, end_waiting
from holdfast.cache.changes import Changes
from holdfast.cache.creation import NOTHING, Creation, lasting, running
from holdfast.cache.fill import Create, Fill
from holdfast.cache.found import Found
from holdfast.cache.policy import REST, Policy
from holdfast.cache.space import ANY, Item
from holdfast.entry import Age
from holdfast.errors import CreateTimeout
from holdfast.locks import Flight

__all__ = ["Call", "Reads"]


@dataclass(frozen=True, slots=True)
class Call:
    """What one caller wants.

    Attributes:
        item: What.
        create: Awaited for the value if there is none.
        policy: How long it lives, and how long he waits.
        anew: Create even if there is a fresh value.
        began: When he began to wait.
    """

    item: Item
    create: Create
    policy: Policy
    anew: bool
    began: float


class Reads(Changes):
    """Reading, and creating one value at a time."""

    async def get(self, item: Item, policy: Policy) -> Any:
        """Return the fresh value of `item`, or `NOTHING`."""
        if self._far is None and item.near not in self._near.cells:  # nobody else to ask
            self._core.counts_of(item).misses += self._core.enabled
            return NOTHING
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
                    await self._looks.kept(hold, item, here, policy)
                    values[item.name] = here.value
                else:
                    self._core.counts_of(item).misses += 1
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

        Raises:
            CreateTimeout: It took longer than `policy.hard_timeout`.
        """
        if not self._core.enabled:
            with running(Creation(item.name), None):
                return lasting(await create(), item.name)
        call = Call(item, create, policy, anew, self._waits.now() if policy.is_timed else 0.0)
        while True:
            if not anew and (value := self._looks.serve(item)) is not NOTHING:
                return value
            flight, mine = self._core.flights.board(item.near)
            if mine:
                value = await self._lead(call, flight)
            elif begin_waiting(flight, blocks=self._blocks):
                try:
                    value = await self._follow(call, flight)
                finally:
                    end_waiting(flight, blocks=self._blocks)
                if value is NOTHING and flight.landed and not anew:
                    value = await self._after(call, flight)
            else:
                value = await self._alone(call)
            if value is not NOTHING:
                return value

    async def _lead(self, call: Call, flight: Flight) -> Any:
        """Look, and create what is missing, for all who wait."""
        fill = self._fill(call)
        failure, mine = None, True
        try:
            found = await self._looks.look(call.item, ANY)
            age = found.age(self._core.clock())
            if not call.anew and age is Age.FRESH:
                due = await self._looks.kept(fill.hold, call.item, found, call.policy)
                if due and not self._rests(call):
                    mine, fill.anew = False, True
                    fill.renews = found.raw if self._far is not None else None
                    fill.hold_again()  # the old one served to keep what is there
                    self._start(call, fill, found, flight, hurried=False)
                return found.value
            stands = age is Age.STALE and not call.anew
            if not self._waits.detaches and not call.policy.is_timed:
                flight.look_over(standing=stands)
                return await self._run(call, fill, found, flight)
            mine = False
            flight.enter()
            self._start(call, fill, found, flight, hurried=True)
        except Exception as error:
            failure = error
            raise
        finally:
            if mine:
                self._land(fill, flight, failure)
        begin_waiting(flight, blocks=self._blocks)  # nobody is in it yet who could wait for us
        try:
            landed = await self._landed(call, flight, standing=stands)
        finally:
            end_waiting(flight, blocks=self._blocks)
        if not landed:
            return await self._instead(call)
        if fill.error is not None:
            raise fill.error
        return fill.value

    async def _follow(self, call: Call, flight: Flight) -> Any:
        """Wait for who creates it; `NOTHING` is to read again."""
        flight.enter()
        try:
            await self._waits.join(flight, self._left(call), or_looked=True)
        except BaseException:
            flight.leave(give_up=True)
            raise
        if flight.standing and not flight.landed and not call.anew:
            value = await self._standing(call)
            if value is not NOTHING:
                flight.leave()
                return value
        if not await self._landed(call, flight):
            return await self._instead(call)
        if flight.error is not None and not call.anew:
            raise flight.error.with_traceback(flight.trace)
        return NOTHING

    async def _after(self, call: Call, flight: Flight) -> Any:
        """Return what there is after a flight; `NOTHING` is to begin anew.

        Where nothing is kept near, all who waited read at once, and not one after another.
        """
        value = self._looks.serve(call.item)
        if value is not NOTHING:
            return value
        return await self._alone(call) if flight.vain else await self._standing(call)

    async def _alone(self, call: Call) -> Any:
        """Create without waiting for anybody, and with nobody waiting."""
        fill = self._fill(call)
        try:
            found = await self._looks.look(call.item, ANY)
            if not call.anew and found.age(self._core.clock()) is Age.FRESH:
                await self._looks.kept(fill.hold, call.item, found, call.policy)
                return found.value
            return await self._run(call, fill, found, None)
        finally:
            self._near.release(fill.hold)

    async def _run(
        self, call: Call, fill: Fill, found: Found, flight: Flight | None, *, patient: bool = True
    ) -> Any:
        """Create; what was to be made anew is gone in any case, though the new be kept nowhere."""
        value = await fill.run(call.create, found, flight, patient=patient)
        if call.anew and not fill.replaced:
            await self.delete_many([call.item])
        return value

    def _fill(self, call: Call) -> Fill:
        hold = self._near.hold(call.item.near)
        parts = self._core, self._far, self._looks, self._waits
        return Fill(*parts, call.item, call.policy, hold, call.anew)

    def _rests(self, call: Call) -> bool:
        seconds = max(REST, call.policy.retry_after)
        return self._core.rests(call.item, self._core.clock(), seconds)

    def _start(
        self, call: Call, fill: Fill, found: Found, flight: Flight, *, hurried: bool
    ) -> None:
        """Create beside the caller; it lands by itself, whatever becomes of it."""
        if self._blocks:
            flight.thread = 0  # another one flies it

        async def steps() -> None:
            try:
                fill.value = await self._run(call, fill, found, flight, patient=hurried)
            except Exception as error:  # noqa: BLE001 - whoever waits raises it
                fill.error = error
                if not hurried:
                    fields = {"key": call.item.name, "error": error}
                    self._core.observer("cache.refresh_failed", fields)
            except BaseException as error:
                if not self._waits.is_cancelled():
                    fill.error = error
                raise

        over = functools.partial(self._land_with, fill, flight)
        cancel = self._waits.start(steps, over, hurried=hurried)
        flight.cancel = cancel if hurried else None
        flight.look_over(standing=found.value is not NOTHING and not call.anew)

    def _land_with(self, fill: Fill, flight: Flight) -> None:
        error = fill.error  # who exits does so alone: the others begin anew
        self._land(fill, flight, error if isinstance(error, Exception) else None)

    def _land(self, fill: Fill, flight: Flight, error: BaseException | None) -> None:
        self._near.release(fill.hold)
        self._core.flights.land(fill.item.near, flight, error)

    async def _landed(self, call: Call, flight: Flight, *, standing: bool = False) -> bool:
        """Wait for a flight that was entered, and leave it; return False if it took too long."""
        try:
            landed = await self._waits.join(flight, self._left(call, standing=standing))
        except BaseException:
            flight.leave(give_up=True)
            raise
        flight.leave()
        return landed

    def _left(self, call: Call, *, standing: bool = False) -> float | None:
        """Return how many seconds the caller still waits; None: as long as it takes."""
        soft = call.policy.soft_timeout if standing else None
        limits = [limit for limit in (soft, call.policy.hard_timeout) if limit is not None]
        return max(0.0, call.began + min(limits) - self._waits.now()) if limits else None

    async def _instead(self, call: Call) -> Any:
        """Return what may be served to who has waited too long; `NOTHING` is to wait on."""
        value = NOTHING if call.anew else await self._standing(call)
        hard = call.policy.hard_timeout
        if value is NOTHING and hard is not None and not self._left(call):
            self._core.observer("cache.timeout", {"key": call.item.name, "seconds": hard})
            raise CreateTimeout(call.item.name, hard)
        return value

    async def _standing(self, call: Call) -> Any:
        """Return what stands there now, fresh or stale, or `NOTHING`."""
        hold = self._near.hold(call.item.near)
        try:
            found = await self._looks.look(call.item)
            age = found.age(self._core.clock())
            if age is Age.FRESH:
                await self._looks.kept(hold, call.item, found, call.policy)
            elif age is Age.STALE:
                self._core.counts_of(call.item).stale += 1
            return found.value if age is not Age.DEAD else NOTHING
        finally:
            self._near.release(hold)
