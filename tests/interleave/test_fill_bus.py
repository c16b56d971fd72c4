"""Orders of processes that hear of each other's changes at any later moment.

Until a message has come, a process may serve what another one changed; from then on never again,
however long its near values would have lived.
"""

from collections.abc import Callable

import pytest
from cache_scene import TAG, World, play

from holdfast.testing.interleave import Caller, Stage

pytestmark = pytest.mark.slow

HOWS = ["delete", "put", "tag", "clear"]
CROWDS: dict[str, Callable[[World, str], list[Caller]]] = {
    "a fill": lambda w, how: [w.fill(0), w.change(how, 1, then_read=False)],
    "a read": lambda w, how: [w.get(0), w.change(how, 1, then_read=False)],
}
BIGGER: dict[str, Callable[[World, str], list[Caller]]] = {
    "a fill and a read": lambda w, how: [w.fill(0), w.get(0), w.change(how, 1)],
    "fills on both sides": lambda w, how: [w.fill(0), w.fill(1), w.change(how, 1), w.fill(0)],
    "a late tag": lambda w, how: [
        w.fill(0, late=["late", TAG]),
        w.change(how, 1, late=[TAG]),
        w.get(0),
    ],
    "a refresh": lambda w, how: [w.fill(0, anew=True), w.change(how, 1), w.get(0)],
    "a bus that breaks": lambda w, how: [w.fill(0), w.miss(0), w.get(0), w.change(how, 1)],
    "changes on both sides": lambda w, how: [
        w.change("tag", 0),
        w.change("delete" if how == "put" else how, 1),  # which of two is later, is theirs
        w.fill(0),
    ],
}


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("crowd", CROWDS)
def test_after_a_message_nobody_is_behind(crowd: str, how: str, *, stored: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, near=True, tags=[TAG], bus=True, replies=True)
        world.lenient = True
        if stored:
            world.store(fresh=500.0, tags=[TAG])
        return world, CROWDS[crowd](world, how)

    assert play(build, some=150) > 1


@pytest.mark.parametrize("lease", [0.0, 1.0])
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("crowd", BIGGER)
def test_crowds_on_a_bus(crowd: str, how: str, lease: float) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(
            stage, processes=2, near=True, tags=[TAG], bus=True, lease=lease, replies=True
        )
        world.lenient = True
        world.store(fresh=500.0, tags=[TAG])
        return world, BIGGER[crowd](world, how)

    assert play(build, some=100) > 1


@pytest.mark.parametrize("how", ["delete", "put", "tag"])
@pytest.mark.parametrize("crowd", ["a fill", "a read", "late tags"])
def test_names_that_are_hashes_are_heard(crowd: str, how: str) -> None:
    """A hash does not tell what it is of: whoever may be told has learnt it before he reads."""
    tag = TAG * 40

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        tags = [] if crowd == "late tags" else [tag]
        name = "é" * 40
        world = World(
            stage, processes=2, near=True, bus=True, replies=True, tags=tags, name=name, tag=tag
        )
        world.lenient = True
        if crowd != "late tags":
            world.store(fresh=500.0, tags=[tag])
        asks = {"a read": world.get, "a fill": world.fill}.get(crowd)
        caller = world.fill(0, late=[tag]) if asks is None else asks(0)
        return world, [caller, world.change(how, 1, then_read=False)]

    assert play(build, some=150) == 150


def test_a_tag_that_only_the_entry_knows_is_heard() -> None:
    """Who reads without tags learns those of the entry, before he reads their stamps."""
    tag = TAG * 40

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, near=True, bus=True, replies=True, tag=tag)
        world.lenient = True
        world.store(fresh=500.0, tags=[tag])
        return world, [world.get(0), world.change("tag", 1, then_read=False)]

    assert play(build, some=150) == 150
