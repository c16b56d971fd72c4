"""The swap loop in every order of two callers, with lost answers and crashes."""

import pytest

from holdfast.clock import Clock
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.limit.decision import Decision
from holdfast.limit.engine import Engine
from holdfast.limit.target import Targets
from holdfast.locks import Turns
from holdfast.testing.clock import ManualClock
from holdfast.testing.interleave import End, Scene, Stage, play_every_order, play_some_orders

RATES = "2/day"


def engine_of(stage: Stage, turns: Turns, clock: Clock) -> Engine:
    return Engine(stage.store, stage.waits, turns=turns, clock=clock, name="stage")


async def hit(stage: Stage, turns: Turns, deadline: Clock | None = None) -> Decision:
    where, change, _ = Targets("gcra", "", stage.clock)["k", RATES]
    return await engine_of(stage, turns, deadline or ManualClock()).apply(where, change)


def used(stage: Stage) -> int:
    where, _, bucket = Targets("gcra", "", stage.clock)["k", RATES]
    return 2 - bucket.look(stage.rows.get(where), stage.clock()).remaining


def passed(ends: list[End]) -> int:
    return sum(isinstance(end.value, Decision) and end.value.allowed for end in ends)


@pytest.mark.parametrize("together", [True, False], ids=["one process", "two processes"])
@pytest.mark.parametrize("crash", [[], [0]], ids=["no crash", "crash"])
def test_hit_and_hit_are_both_charged(crash: list[int], *, together: bool) -> None:
    def scene(stage: Stage) -> Scene:
        mine, yours = Turns(), Turns()
        stage.waits.patient = True  # nobody waits as long as until the deadline

        def check(ends: list[End]) -> None:
            assert not [end.error for end in ends if end.error]
            crashed = sum(end.crashed for end in ends)
            assert used(stage) == passed(ends) if not crashed else used(stage) >= passed(ends)
            assert crashed or passed(ends) == 2
            remaining = {end.value.remaining for end in ends if isinstance(end.value, Decision)}
            assert crashed or remaining == {0, 1}

        callers = [hit(stage, mine), hit(stage, mine if together else yours)]
        return Scene(callers, check)

    played = play_every_order(scene, crash=crash)
    assert (played == 1) == (together and not crash), "in one process, one after the other"


def test_of_three_hits_two_pass() -> None:
    def scene(stage: Stage) -> Scene:
        shared = Turns()

        def check(ends: list[End]) -> None:
            assert passed(ends) == used(stage) == 2

        return Scene([hit(stage, shared), hit(stage, shared), hit(stage, Turns())], check)

    play_some_orders(scene, 500, seed=7)


@pytest.mark.parametrize("lost", ["request", "reply"])
def test_a_swap_of_unknown_outcome_is_not_sent_again(lost: str) -> None:
    def scene(stage: Stage) -> Scene:
        swaps: list[str] = []

        def lose(operation: str, _key: str) -> str:
            swaps.append(operation)
            return lost if swaps.count("swap") == 1 and operation == "swap" else ""

        stage.store.lose = lose

        def check(ends: list[End]) -> None:
            errors = [end.error for end in ends if end.error]
            assert [type(error) for error in errors] == [StoreTimeout]
            # the other one passed; he whose answer was lost was charged once or not at all
            assert used(stage) == (2 if lost == "reply" else 1)

        return Scene([hit(stage, Turns()), hit(stage, Turns())], check)

    assert play_every_order(scene) > 1


def test_the_loop_gives_up_and_has_charged_nothing() -> None:
    def scene(stage: Stage) -> Scene:
        deadline = ManualClock()

        async def refuse(*_: object) -> bool:
            deadline.advance(0.3)
            return False

        stage.store.swap = refuse  # type: ignore[method-assign, assignment]

        def check(ends: list[End]) -> None:
            assert isinstance(ends[0].error, StoreUnavailable)
            assert used(stage) == 0
            assert sum(1 for _, what in stage.log if getattr(what, "operation", "") == "get") <= 5

        return Scene([hit(stage, Turns(), deadline)], check)

    play_every_order(scene)


def test_each_round_reads_the_clock_anew() -> None:
    """A caller who stands still before his swap must not write the time at which he began."""

    def scene(stage: Stage) -> Scene:
        async def late() -> Decision:
            await hit(stage, Turns())
            await stage.pause()
            stage.clock.advance(43_200)  # half a day: one of two hits is back
            return await hit(stage, Turns())

        def check(ends: list[End]) -> None:
            first, second = (end.value for end in ends)
            assert isinstance(first, Decision)
            assert isinstance(second, Decision)
            assert first.allowed
            assert second.allowed

        return Scene([hit(stage, Turns()), late()], check)

    assert play_every_order(scene) > 1
