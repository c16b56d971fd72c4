"""The sequence that creates many values at once, over those for one.

Law: what is won is created, published and given back before anything is waited for; nobody waits
while he holds a lease or a flight. A caller that is cancelled hands what he began on to others.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from holdfast.cache.chain import inside
from holdfast.cache.creation import NOTHING, Creation, creation, lasting, running
from holdfast.cache.fill import Fill
from holdfast.cache.found import Found
from holdfast.cache.policy import Policy
from holdfast.cache.reads import Call, Reads
from holdfast.cache.space import ANY, Item
from holdfast.entry import Age
from holdfast.locks import Flight

__all__ = ["CreateMany", "Engine"]

CreateMany = Callable[[list[str]], Awaitable[Mapping[str, Any]]]
_ABSENT: Any = object()


class Engine(Reads):
    """All sequences of a cache; see `Changes` and `Reads`."""

    async def get_or_create_many(
        self, items: Sequence[Item], create: CreateMany, policy: Policy
    ) -> dict[str, Any]:
        """Return the fresh values of `items` by name, and create those there are none of.

        Args:
            items: What is wanted.
            create: Awaited with the names that are missing; what it does not return does not exist.
            policy: How long what it returns lives.
        """
        if not self._core.enabled:
            with running(Creation(""), None):
                made = await create([item.name for item in items]) if items else {}
            return _in_order(items, made)
        values: dict[str, Any] = {}
        rest = list(items)
        while rest:
            values |= await self._round(rest, create, policy)
            rest = [item for item in rest if item.name not in values]
            if rest:  # somebody else is at it
                first = rest.pop(0)
                values[first.name] = await self.get_or_create(first, _one(create, first), policy)
        return _in_order(items, values)

    async def _round(
        self, items: Sequence[Item], create: CreateMany, policy: Policy
    ) -> dict[str, Any]:
        """Return what is there, and what can be created without waiting."""
        values = {item.name: self._looks.serve(item) for item in items}
        missing = [item for item in items if values[item.name] is NOTHING]
        async with AsyncExitStack() as ends:
            parts = [self._board(item, policy, ends) for item in missing]
            found = await self._looks.look_many(missing, ANY) if missing else {}
            won: list[tuple[Fill, Found, Flight]] = []
            for fill, flight in parts:
                here = found[fill.item.near]
                age = here.age(self._core.clock())
                if age is Age.FRESH:
                    await self._looks.kept(fill.hold, fill.item, here, policy)
                    values[fill.item.name] = here.value
                elif flight is not None:
                    flight.look_over(standing=age is Age.STALE)
                    ends.push_async_callback(fill.end)
                    base, answer = await fill.begin(here, leased=True, patient=False)
                    values[fill.item.name] = answer
                    if base is not None:
                        won.append((fill, base, flight))
                        continue
                elif age is Age.STALE:
                    self._core.counts_of(fill.item).stale += 1
                    values[fill.item.name] = here.value
                if flight is not None:  # nobody is to wait for what is not made here
                    self._land_with(fill, flight)
            if won:
                values |= await self._make_many(won, create)
        return {name: value for name, value in values.items() if value is not NOTHING}

    def _board(
        self, item: Item, policy: Policy, ends: AsyncExitStack
    ) -> tuple[Fill, Flight | None]:
        """Return a fill for `item`, and its flight if the caller flies it."""
        fill = self._fill(Call(item, _never, policy, anew=False, began=0.0))
        flight, mine = self._core.flights.board(item.near)
        if mine:
            ends.callback(self._land_with, fill, flight)
            return fill, flight
        ends.callback(self._near.release, fill.hold)
        return fill, None

    async def _make_many(
        self, won: Sequence[tuple[Fill, Found, Flight]], create: CreateMany
    ) -> dict[str, Any]:
        names = [fill.item.name for fill, _, _ in won]
        started, began = self._core.clock(), self._waits.now()
        now = Creation(", ".join(names))
        for fill, _, _ in won:
            self._core.counts_of(fill.item).misses += 1
        try:
            with ExitStack() as flights, running(now, None):
                for _, _, flight in won:
                    flights.enter_context(inside(flight))
                made = await create(names)
        except Exception as error:  # noqa: BLE001 - it is raised again where nothing stands instead
            return await self._after_failure(won, error)
        took = self._waits.now() - began
        values: dict[str, Any] = dict.fromkeys(names, _ABSENT)
        for fill, base, flight in won:
            name = fill.item.name
            one = Creation(name)
            one.tags, one.seconds = now.tags, now.seconds
            one.skipped = now.skipped or name not in made
            if name in made:
                values[name] = lasting(made[name], name)
            flight.vain = not await fill.made(base, one, values[name], (started, took))
        return values

    async def _after_failure(
        self, won: Sequence[tuple[Fill, Found, Flight]], error: Exception
    ) -> dict[str, Any]:
        """Return the stale values that still stand; if one is missing, all fail."""
        values = {}
        for fill, base, _ in won:
            fill.error = error
            values[fill.item.name] = await fill.failed(base, error)
        if any(value is NOTHING for value in values.values()):
            raise error
        return values


async def _never() -> Any:
    raise AssertionError("many values are not created one by one")


def _one(create: CreateMany, item: Item) -> Callable[[], Awaitable[Any]]:
    async def run() -> Any:
        made = await create([item.name])
        if item.name in made:
            return made[item.name]
        creation().skip()
        return _ABSENT

    return run


def _in_order(items: Sequence[Item], values: Mapping[str, Any]) -> dict[str, Any]:
    names = [item.name for item in items]
    return {name: values[name] for name in names if name in values and values[name] is not _ABSENT}
