"""Every order of a fill and of whatever may meet it."""

from collections.abc import Callable, Coroutine
from typing import Any

import cache_scene
import pytest
from cache_scene import KEY, STORE_KEY, TAG, World

from holdfast.testing.interleave import Caller, End, Scene, Stage, play_every_order

CRASH = [False, pytest.param(True, marks=pytest.mark.slow)]
HOWS = ["delete", "put", "tag", "clear"]
SETTINGS = [
    pytest.param({"processes": 1, "near": True}, id="one process, near and far"),
    pytest.param({"processes": 1, "near": True, "far": False}, id="near only"),
    pytest.param({"processes": 1, "near": False}, id="one process, far only"),
    pytest.param({"processes": 2, "near": False}, id="two processes"),
]
SLOW_ANSWERS = [
    pytest.param({"near": True, "replies": True}, id="near and far"),
    pytest.param({"near": False, "replies": True}, id="far only"),
]
Setting = dict[str, bool | int]


def play(
    build: Callable[[Stage], tuple[World, list[Caller]]],
    *,
    crash: bool = False,
    more: Callable[[World, list[End]], None] | None = None,
) -> int:
    """Play the callers in every order; with `crash`, each of them may also stop anywhere."""

    def unless_crashed(here: World, ends: list[End]) -> None:
        if more is not None and not any(end.crashed for end in ends):
            more(here, ends)

    return cache_scene.play(build, crash=(0, 1) if crash else (), more=unless_crashed)


def world(stage: Stage, setting: Setting, **more: object) -> World:
    return World(stage, **setting, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("crash", CRASH)
@pytest.mark.parametrize("setting", SETTINGS)
def test_fill_and_fill(setting: Setting, *, crash: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = world(stage, setting)
        return here, [here.fill(0), here.fill(len(here.processes) - 1)]

    def once(here: World, ends: list[End]) -> None:
        kept = here.processes[0].read()
        assert kept in [end.value for end in ends], "nothing was kept"
        if len(here.processes) == 1:
            assert here.created == 1
            assert ends[0].value == ends[1].value == kept

    assert play(build, crash=crash, more=once) > 1


@pytest.mark.parametrize("crash", CRASH)
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_fill_and_change(setting: Setting, how: str, *, crash: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = world(stage, setting, tags=[TAG])
        return here, [here.fill(0), here.change(how, len(here.processes) - 1)]

    assert play(build, crash=crash) > 1


@pytest.mark.parametrize("crash", CRASH)
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_fill_over_a_stale_entry_and_change(setting: Setting, how: str, *, crash: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = world(stage, setting, tags=[TAG], grace=100.0)
        here.store(fresh=0.0, stale=100.0, tags=[TAG])
        return here, [here.fill(0), here.change(how, len(here.processes) - 1, then_read=False)]

    assert play(build, crash=crash) > 1


@pytest.mark.parametrize("crash", CRASH)
@pytest.mark.parametrize("setting", SETTINGS)
def test_fill_with_late_tags_and_tag(setting: Setting, *, crash: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = world(stage, setting)
        last = len(here.processes) - 1
        then_read = last == 0  # all of it is too many orders
        change = here.change("tag", last, late=[TAG], then_read=then_read)
        return here, [here.fill(0, late=[TAG]), change]

    assert play(build, crash=crash) > 1


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_late_tag_invalidates_like_any_other(setting: Setting) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = world(stage, setting)
        return here, [here.fill(0, late=[TAG])]

    def kept_and_dropped(here: World, _ends: list[End]) -> None:
        assert here.processes[0].read() == (0, "creation 1")
        play_alone(here.change("tag", then_read=False))
        assert here.processes[0].read() is None

    play(build, more=kept_and_dropped)


def play_alone(caller: Caller) -> object:
    """Play one caller to its end."""
    while True:
        try:
            caller.send(None)
        except StopIteration as done:
            return done.value


@pytest.mark.parametrize("setting", SLOW_ANSWERS)
def test_fill_and_fill_with_slow_answers(setting: Setting) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = world(stage, setting)
        return here, [here.fill(), here.fill()]

    def once(here: World, _ends: list[End]) -> None:
        assert here.created == 1

    assert play(build, more=once) > 1


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("setting", SLOW_ANSWERS)
def test_fill_and_change_with_slow_answers(setting: Setting, how: str) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = world(stage, setting, tags=[TAG])
        return here, [here.fill(), here.change(how, then_read=False)]

    assert play(build) > 1


def test_who_lost_a_publish_keeps_nothing_of_his_own() -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage, processes=2, near=True)
        return here, [here.fill(0), here.fill(1)]

    def same(here: World, _ends: list[End]) -> None:
        assert here.processes[0].read() == here.processes[1].read()

    assert play(build, more=same) > 1


@pytest.mark.parametrize("how", HOWS)
def test_read_and_change_in_one_process(how: str) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage, near=True, replies=True, tags=[TAG])
        here.store(fresh=500.0, tags=[TAG])
        return here, [here.get(), here.change(how, then_read=False)]

    assert play(build) > 1


@pytest.mark.parametrize("how", ["delete", "put"])
def test_put_and_change_in_one_process(how: str) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage, near=True, replies=True, tags=[TAG])
        return here, [
            here.change("put", then_read=False),
            here.change(how, then_read=False),
        ]

    def near_is_far(here: World, _ends: list[End]) -> None:
        value = here.processes[0].read()
        here.processes[0].core.near.clear()
        assert value == here.processes[0].read(), "near and far differ"

    assert play_without_law(build, near_is_far) > 1


@pytest.mark.parametrize("how", ["tag", "clear"])
def test_put_and_stamps_in_one_process(how: str) -> None:
    """A put that began before an invalidation was called is gone after it."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage, near=True, replies=True, tags=[TAG])
        return here, [
            here.change("put", then_read=False),
            here.change(how, then_read=False),
        ]

    def gone(here: World, _ends: list[End]) -> None:
        value = here.processes[0].read()
        here.processes[0].core.near.clear()
        assert value == here.processes[0].read(), "near has what far has not"

    assert play_without_law(build, gone) > 1


def play_without_law(
    build: Callable[[Stage], tuple[World, list[Caller]]], more: Callable[[World, list[End]], None]
) -> int:
    """Play two writers: which of them is the later one is theirs to decide."""

    def scene(stage: Stage) -> Scene:
        here, callers = build(stage)

        def check(ends: list[End]) -> None:
            assert all(end.error is None for end in ends)
            more(here, ends)

        return Scene(callers, check)

    return play_every_order(scene)


@pytest.mark.parametrize("how", HOWS)
def test_refresh_and_change(how: str) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage, near=True, replies=True, tags=[TAG])
        here.store(fresh=500.0, tags=[TAG])
        return here, [here.fill(anew=True), here.change(how, then_read=False)]

    assert play(build) > 1


def test_refresh_and_read() -> None:
    """After a refresh, the process that did it has the new value."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage, near=True, replies=True, tags=[TAG])
        here.store(fresh=500.0, tags=[TAG])
        return here, [here.fill(anew=True), here.get()]

    def new(here: World, _ends: list[End]) -> None:
        assert here.processes[0].read() == (0, "creation 1")

    assert play(build, more=new) > 1


def test_first_publish_wins() -> None:
    orders = {"first": 0}

    def scene(stage: Stage) -> Scene:
        here = World(stage, processes=2)
        callers = [here.fill(0), here.fill(1)]

        def check(ends: list[End]) -> None:
            here.check(ends)
            swaps: dict[int, int] = {}
            for at, (number, what) in enumerate(stage.log):
                if not isinstance(what, str) and (what.operation, what.key) == ("swap", STORE_KEY):
                    swaps[number] = at  # the last swap of a caller is his publish
            if here.created == 2:
                first = min(swaps, key=lambda number: swaps[number])
                assert here.processes[0].read() == ends[first].value
                orders["first"] += 1

        return Scene(callers, check)

    assert play_every_order(scene) > 1
    assert orders["first"] > 2


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_failed_creation_serves_no_stale_value_that_was_invalidated(
    setting: Setting, how: str
) -> None:
    """Whoever falls back on a stale value after a failure has read it again."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = world(stage, setting, tags=[TAG], grace=100.0)
        here.store(fresh=0.0, stale=100.0, tags=[TAG])

        async def fail() -> object:
            return await here.processes[0].engine.get_or_create(here.item, broken, here.policy)

        async def broken() -> object:
            await stage.pause("create")
            failed_at.append(len(here.order))
            raise LookupError("the source is down")

        failed_at: list[int] = []
        here.created = 0

        async def judged() -> object:
            try:
                value = await fail()
            except LookupError:
                return "failed"
            assert not failed_at or failed_at[0] == 0 or value[0] > 0, (  # type: ignore[index]
                "served stale what was invalidated before the failure"
            )
            return value

        last = len(here.processes) - 1
        return here, [judged(), here.change(how, last, then_read=False)]

    assert play(build) > 1


def test_a_failed_creation_serves_the_stale_value_that_stands() -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage, grace=100.0)
        here.store(fresh=0.0, stale=100.0)
        return here, [here.fill(fail=True), here.fill(fail=True)]

    def old(_here: World, ends: list[End]) -> None:
        assert [end.value for end in ends] == [(0, "old"), (0, "old")]

    assert play(build, more=old) > 1


def test_a_failure_is_shared_with_those_who_waited() -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage)
        return here, [here.fill(fail=True), here.fill(fail=True)]

    waited = {"orders": 0}

    def check(here: World, ends: list[End]) -> None:
        assert all(isinstance(end.error, LookupError) for end in ends)
        joins = [w for _, w in here.stage.log if not isinstance(w, str) and w.operation == "join"]
        if joins:
            assert here.started == 1
            assert ends[0].error is ends[1].error
            waited["orders"] += 1

    assert play(build, more=check) > 1
    assert waited["orders"] > 0


def test_who_asks_anew_is_not_told_of_an_older_failure() -> None:
    waited: list[str] = []

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage)
        return here, [here.fill(fail=True), here.fill(anew=True)]

    def check(here: World, ends: list[End]) -> None:
        waited.extend(str(what) for who, what in here.stage.log if who == 1 and "join" in str(what))
        assert ends[1].value == (0, f"creation {here.started}")

    assert play(build, more=check) > 1
    assert waited


def test_a_stale_value_is_served_while_one_creates() -> None:
    waits: list[object] = []

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage, grace=100.0)
        here.store(fresh=0.0, stale=100.0)
        return here, [here.fill(), here.fill()]

    def check(here: World, _ends: list[End]) -> None:
        waits.extend(w for _, w in here.stage.log if "join" in str(w))
        assert here.started <= 1 or here.created == here.started

    assert play(build, more=check) > 1
    assert not waits


def test_a_creation_may_ask_for_its_own_key() -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage)
        engine = here.processes[0].engine

        async def inner() -> object:
            await stage.pause("inner")
            return (0, "inner")

        async def outer() -> object:
            return await engine.get_or_create(here.item, inner, here.policy)

        async def nested() -> object:
            return await engine.get_or_create(here.item, outer, here.policy)

        return here, [nested()]

    def kept(here: World, ends: list[End]) -> None:
        assert ends[0].value == (0, "inner")
        assert here.processes[0].read() == (0, "inner")

    assert play(build, more=kept) == 1


def test_two_creations_that_need_each_other_end() -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage)
        engine, space = here.processes[0].engine, here.processes[0].space

        def creating(name: str, other: str) -> Callable[[], Coroutine[Any, Any, object]]:
            async def innermost() -> object:
                return (0, name)

            async def middle() -> object:
                return await engine.get_or_create(space.item(name), innermost, here.policy)

            async def outer() -> object:
                await stage.pause("create")
                return await engine.get_or_create(space.item(other), middle, here.policy)

            return outer

        def asking(name: str, other: str) -> Caller:
            create = creating(name, other)
            return engine.get_or_create(space.item(name), create, here.policy)

        return here, [asking("a", "b"), asking("b", "a")]

    def ended(_here: World, ends: list[End]) -> None:
        assert all(end.error is None for end in ends)

    assert play(build, more=ended) > 1


@pytest.mark.parametrize("lost", ["request", "reply"])
@pytest.mark.parametrize("how", HOWS)
def test_a_publish_of_unknown_outcome_keeps_nothing_near(how: str, lost: str) -> None:
    """`near_ttl` after a change was acknowledged, no process may serve the old value."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage, processes=2, near=True, tags=[TAG])
        publishes: list[str] = []

        def lose(operation: str, key: str) -> str:
            if (operation, key) == ("swap", STORE_KEY):
                publishes.append(key)
                return lost if len(publishes) == 2 else ""
            return ""

        stage.store.lose = lose
        return here, [here.fill(0), here.change(how, 1, then_read=False, then_wait=5.0)]

    assert play(build) > 1


@pytest.mark.parametrize("how", HOWS)
def test_near_ttl_bounds_what_another_process_serves(how: str) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage, processes=2, near=True, tags=[TAG])
        return here, [here.fill(0), here.change(how, 1, then_read=False, then_wait=5.0)]

    assert play(build) > 1


@pytest.mark.parametrize("how", HOWS)
def test_near_ttl_counts_from_before_the_far_read(how: str) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        here = World(stage, processes=2, near=True)
        here.store(fresh=500.0, tags=[TAG])  # the reader learns of the tag from the entry
        return here, [here.get(0), here.change(how, 1, then_read=False, then_wait=5.0)]

    assert play(build) > 1


def test_what_a_crashed_creation_left_reads_as_absent() -> None:
    seen: list[object] = []

    def scene(stage: Stage) -> Scene:
        here = World(stage)

        def check(_ends: list[End]) -> None:
            if stage.rows.get(STORE_KEY) is not None and here.created == 0:
                seen.append(here.processes[0].read())
                assert play_alone(World(stage).fill()) == (0, "creation 1")

        return Scene([here.fill()], check)

    play_every_order(scene, crash=(0,))
    assert seen
    assert set(seen) == {None}


def test_the_name_of_the_scene_is_the_key_in_the_store() -> None:
    assert World(Stage()).processes[0].space.item(KEY).far == STORE_KEY
