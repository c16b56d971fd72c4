"""The player of orders: it finds the lost update, and it plays each order once."""

import secrets
from collections.abc import Callable

import pytest

from holdfast.store.protocol import AsyncStore
from holdfast.testing.interleave import End, Scene, Stage, play_every_order, play_some_orders


async def add_badly(store: AsyncStore) -> None:
    count = int(await store.get("n") or b"0")
    await store.put("n", b"%d" % (count + 1))


async def add_well(store: AsyncStore) -> None:
    while True:
        old = await store.get("n")
        if await store.swap("n", old, b"%d" % (int(old or b"0") + 1)):
            return


def test_every_order_finds_a_lost_update() -> None:
    def scene(stage: Stage) -> Scene:
        def check(_ends: list[End]) -> None:
            assert stage.rows.get("n") == b"2"

        return Scene([add_badly(stage.store), add_badly(stage.store)], check)

    with pytest.raises(AssertionError, match="in this order"):
        play_every_order(scene)


def test_each_order_is_played_once() -> None:
    seen: list[tuple[int, ...]] = []

    def scene(stage: Stage) -> Scene:
        def check(_ends: list[End]) -> None:
            seen.append(tuple(number for number, _ in stage.log))

        return Scene([add_badly(stage.store), add_badly(stage.store)], check)

    assert play_every_order(scene) == 6  # 4 over 2
    assert len(set(seen)) == 6


def test_a_crash_is_played_before_each_operation() -> None:
    crashes: list[int] = []

    def scene(stage: Stage) -> Scene:
        def check(ends: list[End]) -> None:
            done = sum(not end.crashed for end in ends)
            assert int(stage.rows.get("n") or b"0") >= done
            crashes.append(2 - done)

        return Scene([add_well(stage.store), add_well(stage.store)], check)

    play_every_order(scene, crash=[0, 1])
    assert set(crashes) == {0, 1}


def test_what_cannot_meet_is_played_once() -> None:
    seen: list[tuple[int, ...]] = []

    async def add(store: AsyncStore, key: str) -> None:
        await store.put(key, await store.get(key) or b"0")

    def scene(stage: Stage) -> Scene:
        def check(_ends: list[End]) -> None:
            seen.append(tuple(number for number, _ in stage.log))

        return Scene([add(stage.store, "n"), add(stage.store, "m")], check, homes=[0, 1])

    assert play_every_order(scene) == len(seen) == 1


def test_each_way_to_meet_is_played_once() -> None:
    """Of two processes that read and write, six orders; two gets of one key cannot meet."""
    outcomes: list[bytes | None] = []

    def scene(stage: Stage) -> Scene:
        def check(_ends: list[End]) -> None:
            outcomes.append(stage.rows.get("n"))

        return Scene([add_badly(stage.store), add_badly(stage.store)], check, homes=[0, 1])

    assert play_every_order(scene) == 4
    assert set(outcomes) == {b"1", b"2"}


def test_keys_may_be_other_ones_in_each_order() -> None:
    """Two keys that meet, and a third that meets nothing: as many orders as with fixed names."""

    def orders(names: Callable[[], list[str]]) -> list[tuple[int, ...]]:
        seen: list[tuple[int, ...]] = []

        def scene(stage: Stage) -> Scene:
            shared, own, other = names()

            async def work(mine: str) -> None:
                await stage.store.get(shared)
                await stage.store.put(mine, b"")
                await stage.store.put(shared, mine.encode())

            def check(_ends: list[End]) -> None:
                seen.append(tuple(number for number, _ in stage.log))

            return Scene([work(own), work(other)], check, homes=[0, 1])

        assert play_every_order(scene) == len(seen)
        return seen

    fixed = orders(lambda: ["shared", "own", "other"])
    assert len(fixed) > 3
    assert orders(lambda: [secrets.token_hex(8) for _ in range(3)]) == fixed


def test_what_is_started_comes_onto_the_stage() -> None:
    ends_of_work: list[str] = []

    def scene(stage: Stage) -> Scene:
        async def start() -> None:
            stage.waits.start(
                lambda: add_well(stage.store), lambda: ends_of_work.append("over"), hurried=True
            )

        def check(ends: list[End]) -> None:
            assert [end.over for end in ends] == [True, True]
            assert stage.rows.get("n") == b"1"

        return Scene([start()], check)

    assert play_every_order(scene) == 1
    assert ends_of_work == ["over"]


def test_some_orders_are_the_same_each_time() -> None:
    seen: list[tuple[int, ...]] = []

    def scene(stage: Stage) -> Scene:
        def check(_ends: list[End]) -> None:
            seen.append(tuple(number for number, _ in stage.log))

        return Scene([add_well(stage.store), add_well(stage.store)], check)

    play_some_orders(scene, 5, seed=1)
    play_some_orders(scene, 5, seed=1)
    assert seen[:5] == seen[5:]
