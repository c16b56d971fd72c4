"""Sampled orders of three callers and more, over two processes that keep values near."""

from collections.abc import Callable

import pytest
from cache_scene import TAG, World

from holdfast.testing.interleave import Caller, End, Scene, Stage, play_some_orders

pytestmark = pytest.mark.slow

Build = Callable[[World], list[Caller]]

CROWDS: dict[str, Build] = {
    "three fills and a delete": lambda w: [w.fill(0), w.fill(1), w.fill(0), w.change("delete", 1)],
    "fills, a put and a tag": lambda w: (
        [w.fill(0), w.fill(1), w.change("put", 0, then_read=False), w.get(1)]
    ),
    "late tags": lambda w: [
        w.fill(0, late=["late"]),
        w.fill(1, late=["late"]),
        w.change("tag", 1, late=["late"]),
    ],
    "clear and refresh": lambda w: [w.fill(0, anew=True), w.fill(1), w.change("clear", 0)],
    "two changes": lambda w: [w.fill(0), w.change("delete", 0), w.change("tag", 1)],
    "failures": lambda w: [w.fill(0, fail=True), w.fill(1), w.change("tag", 0)],
}


@pytest.mark.parametrize("crash", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("stale", [False, True])
@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("crowd", CROWDS)
def test_crowds(crowd: str, *, near: bool, stale: bool, crash: bool) -> None:
    """With a near tier, what another process changed is seen `near_ttl` later."""

    def scene(stage: Stage) -> Scene:
        world = World(
            stage, processes=2, near=near, replies=True, tags=[TAG], grace=100.0 if stale else 0.0
        )
        world.lenient = near
        if stale:
            world.store(fresh=0.0, stale=100.0, tags=[TAG])
        callers = CROWDS[crowd](world)

        def check(ends: list[End]) -> None:
            if near:
                stage.clock.advance(5.0)
            world.check(ends)

        return world.scene(callers, check)

    play_some_orders(scene, 300, seed=len(crowd), crash=(0, 1) if crash else ())
