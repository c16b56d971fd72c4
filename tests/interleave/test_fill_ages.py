"""Orders of what renews a value, and of creations that go on beside who asked, against changes."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cache_scene import KEY, TAG, World, play

from holdfast.cache.policy import Policy
from holdfast.errors import CreateTimeout
from holdfast.testing.interleave import Caller, End, Stage

pytestmark = pytest.mark.slow

HOWS = ["delete", "put", "tag", "clear"]
PLAIN = Policy(ttl=1000.0, tags=(TAG,), near_ttl=5.0)
POLICIES = {
    "retry after": replace(PLAIN, grace=100.0, retry_after=10.0),
    "sliding": replace(PLAIN, sliding=100.0),
    "refreshed": replace(PLAIN, refresh_at=0.5),
    "soft timeout": replace(PLAIN, grace=100.0, soft_timeout=0.1),
    "hard timeout": replace(PLAIN, hard_timeout=0.1),
    "hard timeout over a stale value": replace(PLAIN, grace=100.0, hard_timeout=0.1),
}
LEFT = {"sliding": 40.0, "refreshed": 400.0}  # seconds the stored value is fresh; else it is stale


def stage_of(stage: Stage, name: str, **more: object) -> World:
    world = World(stage, processes=2, tags=[TAG], policy=POLICIES[name], **more)  # type: ignore[arg-type]
    fresh = LEFT.get(name, 0.0)
    if name != "hard timeout":
        idle = POLICIES[name].sliding or 0.0
        world.store(fresh=fresh, stale=POLICIES[name].grace, tags=[TAG], idle=idle)
    if name == "refreshed":
        stage.clock.advance(300.0)
    return world


def timely(_world: World, ends: list[End]) -> None:
    """Check that nobody failed but by waiting too long."""
    errors = [end.error for end in ends if end.error is not None]
    assert all(isinstance(error, CreateTimeout | LookupError) for error in errors), errors


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", POLICIES)
def test_fill_and_change(name: str, how: str, *, elsewhere: bool, near: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = stage_of(stage, name, near=near, replies=near, lease=0.05)
        world.lenient = near
        stage.waits.detaches = elsewhere
        fail = name == "retry after"
        return world, [world.fill(0, fail=fail), world.change(how, elsewhere, then_read=not fail)]

    assert play(build, more=timely, some=60, settle=5.0 * near) == 60


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", ["retry after", "sliding"])
def test_renew_and_change(name: str, how: str) -> None:
    """A write that only renews loses against an invalidation, in every order."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = stage_of(stage, name)
        reader = world.fill(0, fail=True) if name == "retry after" else world.get(0)
        return world, [reader, world.change(how, 1, then_read=False)]

    assert play(build, crash=(0, 1)) > 1


CREATED: dict[str, Callable[[World], list[Caller]]] = {
    "soft timeout": lambda w: [w.fill(0), w.fill(0), w.fill(1)],
    "hard timeout over a stale value": lambda w: [w.fill(0), w.fill(0), w.fill(1)],
    "refreshed": lambda w: [w.fill(0), w.fill(0), w.fill(0)],
}


@pytest.mark.parametrize("name", CREATED)
def test_one_creation(name: str) -> None:
    """However many are served meanwhile, one creates, and what it made is kept."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = stage_of(stage, name, lease=100.0)
        return world, CREATED[name](world)

    def once(world: World, ends: list[End]) -> None:
        assert world.created == 1, f"{world.created} creations"
        assert world.processes[0].read() == (0, "creation 1")
        assert all(end.error is None for end in ends)

    assert play(build, more=once, some=200) == 200


def test_after_a_refresh_the_new_value_is_kept() -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = stage_of(stage, "refreshed", near=True)
        return world, [world.fill(0)]

    def kept(world: World, ends: list[End]) -> None:
        assert ends[0].value == (0, "old")
        assert world.created == 1
        assert world.processes[0].core.near.cells[KEY].value == (0, "creation 1")

    assert play(build, more=kept) == 1


def test_two_processes_refresh_once() -> None:
    """Who wins the lease after another one has refreshed the value takes that."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = stage_of(stage, "refreshed", lease=100.0)
        return world, [world.fill(0), world.fill(1)]

    def once(world: World, _ends: list[End]) -> None:
        assert world.created == 1, f"{world.created} creations"

    assert play(build, more=once, some=400) == 400
