"""Orders of callers of an event loop, one of whom is cancelled: the others get what they wait for.

A creation that others wait for goes on; one that nobody waits for any more is cancelled with him.
"""

from collections.abc import Callable

import pytest
from cache_scene import LEASE_KEY, TAG, World, play

from holdfast.testing.interleave import Caller, End, Stage

pytestmark = pytest.mark.slow

HOWS = ["delete", "put", "tag", "clear"]
FILLS: dict[str, Callable[[World], list[Caller]]] = {
    "one": lambda w: [w.fill(0)],
    "two": lambda w: [w.fill(0), w.fill(0)],
    "a refresh and a fill": lambda w: [w.fill(0, anew=True), w.fill(0)],
    "two processes": lambda w: [w.fill(0), w.fill(1)],
    "three": lambda w: [w.fill(0), w.fill(0), w.fill(1)],
    "a failure": lambda w: [w.fill(0, fail=True), w.fill(0, fail=True)],
}


def detached(stage: Stage, **more: object) -> World:
    stage.waits.detaches = True
    return World(stage, processes=2, tags=[TAG], lease=1.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("stale", [False, True])
@pytest.mark.parametrize("fills", FILLS)
def test_a_cancelled_caller_takes_nobody_along(fills: str, *, stale: bool, near: bool) -> None:
    created: list[int] = []
    crowd: list[Caller] = []

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = detached(stage, near=near, grace=100.0 * stale)
        if stale:
            world.store(fresh=0.0, stale=100.0, tags=[TAG])
        callers = FILLS[fills](world)
        crowd[:] = callers
        return world, callers

    def served(world: World, ends: list[End]) -> None:
        for end in ends[: len(crowd)]:
            assert end.cancelled or end.value is not None or isinstance(end.error, LookupError)
        assert sum(end.cancelled for end in ends[: len(crowd)]) <= 1
        assert world.stage.rows.get(LEASE_KEY) is None, "a lease was kept"
        assert not any(world.processes[0].core.flights.flies(key) for key in ("report",))
        created.append(world.created)

    play(build, cancel=(0, 1), more=served, some=250)
    assert max(created) <= 2


@pytest.mark.parametrize("how", HOWS)
def test_a_cancelled_fill_and_a_change(how: str) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = detached(stage)
        return world, [world.fill(0), world.fill(0), world.change(how, 1)]

    assert play(build, cancel=(0, 1), some=200) == 200


def test_nobody_creates_for_nobody() -> None:
    """The last who waits takes the creation along: its lease is free for others at once."""
    cancelled: list[int] = []

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = detached(stage)
        return world, [world.fill(0)]

    def ended(world: World, ends: list[End]) -> None:
        if ends[0].cancelled and world.started:
            cancelled.append(world.created)
            assert world.stage.rows.get(LEASE_KEY) is None

    assert play(build, cancel=(0,), more=ended) > 1
    assert 0 in cancelled


def test_a_creation_outlives_who_began_it() -> None:
    outlived: list[int] = []

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = detached(stage)
        return world, [world.fill(0), world.fill(0)]

    def once(world: World, ends: list[End]) -> None:
        who = [number for number, what in world.stage.log]
        at = [what for _, what in world.stage.log].index("cancel") if ends[0].cancelled else 0
        if 1 in who[:at] and 0 in who[: who.index(1)]:  # he waits for what the other one began
            assert world.started == 1
            assert ends[1].value == (0, "creation 1")
            outlived.append(1)

    play(build, cancel=(0,), more=once, some=400)
    assert outlived
