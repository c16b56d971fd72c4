"""Orders of an invalidation that the far tier did not hear of, of what repeats it, and of others.

Who invalidated never sees the old value again; when the invalidation was repeated, nobody does.
"""

from collections.abc import Callable

import pytest
from cache_scene import KEY, STORE_KEY, TAG, World, lose_once, play

from holdfast.testing.interleave import Caller, End, Stage

pytestmark = pytest.mark.slow

LOST = ["request", "reply"]
LOSSES = [
    ("delete", "delete", STORE_KEY),
    ("put", "put", STORE_KEY),
    ("tag", "put", "t:~any"),
    ("tag", "put", f"t:{TAG}"),
    ("clear", "put", "t:~any"),
    ("clear", "put", "n:~all"),
]
OTHERS: dict[str, Callable[[World], list[Caller]]] = {
    "nobody": lambda _: [],
    "a read here": lambda w: [w.get(0)],
    "a read elsewhere": lambda w: [w.get(1)],
    "a delete here": lambda w: [w.change("delete", 0, then_read=False)],
}
CROWDS: dict[str, Callable[[World], list[Caller]]] = {
    "a fill here": lambda w: [w.fill(0)],
    "a fill elsewhere": lambda w: [w.fill(1)],
    "fills": lambda w: [w.fill(0), w.fill(1), w.fill(0)],
    "a late tag": lambda w: [w.fill(0, late=[TAG]), w.fill(1, late=[TAG])],
    "a refresh": lambda w: [w.fill(0, anew=True), w.fill(1)],
    "a tag here": lambda w: [w.change("tag", 0), w.fill(0)],
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(("how", "operation", "key"), LOSSES)
def test_a_lost_invalidation(how: str, operation: str, key: str, lost: str, other: str) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, tags=[TAG])
        world.store(fresh=500.0, tags=[TAG])
        lose_once(stage, lost, operation, key)
        return world, [world.change(how, 0, then_read=False), *OTHERS[other](world)]

    assert play(build, more=caught_up) >= 1


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(("how", "operation", "key"), LOSSES)
def test_a_lost_invalidation_in_a_crowd(
    how: str, operation: str, key: str, lost: str, crowd: str, *, near: bool
) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        tags = [] if crowd == "a late tag" else [TAG]
        world = World(stage, processes=2, tags=tags, near=near, lease=0.05, replies=True)
        world.lenient = near
        if crowd != "a late tag":
            world.store(fresh=500.0, tags=tags)
        lose_once(stage, lost, operation, key)
        return world, [world.change(how, 0), *CROWDS[crowd](world)]

    assert play(build, more=caught_up, some=25, settle=5.0 * near) == 25


@pytest.mark.parametrize("then", ["delete", "put", "tag"])
@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(("how", "operation", "key"), LOSSES)
def test_what_follows_a_lost_invalidation_stands(
    how: str, operation: str, key: str, lost: str, then: str
) -> None:
    """What is repeated late may cost a value that was put meanwhile, but brings back no older."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, tags=[TAG], near=True)
        world.lenient = True
        world.store(fresh=500.0, tags=[TAG])
        lose_once(stage, lost, operation, key)
        first, second = world.change(how, 0, then_read=False), world.change(then, 0)
        return world, [world.one_by_one(0, first, second)]

    assert play(build, more=caught_up, some=60, settle=5.0) == 60


@pytest.mark.parametrize("how", ["delete", "put"])
def test_a_fill_that_began_before_a_lost_invalidation(how: str) -> None:
    """What it publishes is none of what was written after the invalidation."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, tags=[TAG], grace=100.0)
        world.store(fresh=0.0, stale=100.0, tags=[TAG])
        lose_once(stage, "request", "delete" if how == "delete" else "put", STORE_KEY)
        return world, [world.change(how, 0), world.fill(0)]

    assert play(build, more=caught_up, some=500) == 500


def test_what_was_made_meanwhile_is_kept() -> None:
    """A creation after a failed delete takes its place: nothing is left to be repeated."""
    kept: list[bool] = []

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, tags=[TAG])
        world.store(fresh=500.0, tags=[TAG])
        lose_once(stage, "request", "delete", STORE_KEY)
        return world, [world.change("delete", 0)]

    def in_place(world: World, _ends: list[End]) -> None:
        operations = [getattr(what, "operation", what) for _, what in world.stage.log]
        if operations.count("delete") == 1:  # the lost one
            assert world.processes[0].read() == (1, "creation 1")
            kept.append(True)

    assert play(build, more=in_place) > 1
    assert kept


def caught_up(world: World, _ends: list[End]) -> None:
    """Check that nothing waits, and that a value is kept again."""
    assert not any(process.core.pending.waiting for process in world.processes)
    assert all(process.core.pending.mark(KEY) is None for process in world.processes)
