"""Unknown outcomes: a request or a reply is lost at each operation, and nothing counts twice."""

from collections.abc import Callable

import pytest
from session_scene import Act, Data, Play, ended, key_of, mail, message, put, sent, values

from holdfast.errors import StoreTimeout
from holdfast.session import Outcome, Session
from holdfast.session.data import Note, Record
from holdfast.testing.interleave import End, Scene, Stage, play_every_order

BASE: Data = {"old": 1, "count": 5, "list": ["a"]}
LOSSES = ["request", "reply"]


def lose(stage: Stage, what: str, operation: str, *numbers: int) -> None:
    """Lose the operations of that kind with these numbers, counted over all callers."""
    count = 0

    def losing(present: str, _key: str) -> str:
        nonlocal count
        if present != operation:
            return ""
        count += 1
        return what if count in numbers else ""

    stage.store.lose = losing


def alone(
    act: Act,
    check: Callable[[Play, End], None],
    losses: tuple[str, str, tuple[int, ...]],
    **record: object,
) -> None:
    """Play one visit with these losses."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, None, **record)
        lose(stage, losses[0], losses[1], *losses[2])
        return Scene([play.visit(act)], lambda ends: check(play, ends[0]))

    play_every_order(scene)


@pytest.mark.parametrize("lost", LOSSES)
def test_a_commit_without_an_answer_counts_once(lost: str) -> None:
    def check(play: Play, end: End) -> None:
        assert end.error is None
        assert play.data() == {**BASE, "count": 6}

    alone(lambda s: s.increment("count"), check, (lost, "swap", (1,)))


def test_the_very_same_bytes_are_sent_again() -> None:
    """A request that was only late may still arrive: the second must be the same write."""
    sent_bytes: list[bytes | None] = []

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        lose(stage, "request", "swap", 1)
        swap = stage.store.swap

        async def watched(
            key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
        ) -> bool:
            sent_bytes.append(new)
            return await swap(key, old, new, ttl)

        stage.store.swap = watched  # type: ignore[method-assign]

        def check(ends: list[End]) -> None:
            ended(ends)
            assert len(sent_bytes) == 2
            assert sent_bytes[0] == sent_bytes[1]

        return Scene([play.visit(lambda s: s.increment("count"))], check)

    play_every_order(scene)


def test_a_request_that_arrives_late_counts_once() -> None:
    """The first swap hangs in the network; it lands between our look and our second try."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        held: list[tuple[str, bytes | None, bytes | None]] = []
        swap = stage.store.swap

        async def delayed(
            key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
        ) -> bool:
            if not held:
                held.append((key, old, new))
                raise StoreTimeout("stage", "still under way")
            return await swap(key, old, new, ttl)

        stage.store.swap = delayed  # type: ignore[method-assign]

        async def network() -> None:
            await stage.pause("delivers")
            for key, old, new in held:
                stage.rows.swap(key, old, new, 1000)

        def check(ends: list[End]) -> None:
            ended(ends)
            assert play.data()["count"] == 6

        return Scene([play.visit(lambda s: s.increment("count")), network()], check)

    assert play_every_order(scene) > 2


@pytest.mark.parametrize("lost", LOSSES)
def test_without_an_answer_beside_another_write_it_counts_once_or_says_it_does_not_know(
    lost: str,
) -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        lose(stage, lost, "swap", 1)

        def check(ends: list[End]) -> None:
            done = [end for end in ends if end.error is None]
            unknown = [end for end in ends if end.error is not None]
            assert all(isinstance(end.error, StoreTimeout) for end in unknown)
            assert len(unknown) <= 1
            count = play.data()["count"]
            assert isinstance(count, int)
            assert 5 + len(done) <= count <= 7

        visits = [play.visit(lambda s: s.increment("count")) for _ in range(2)]
        return Scene(visits, check)

    assert play_every_order(scene) > 5


def test_a_touch_over_our_write_does_not_hide_it() -> None:
    """Known by its `rev`: another request only moved `seen` before we looked."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        lose(stage, "reply", "swap", 1)

        async def writer() -> Outcome:
            return await play.visit(lambda s: s.increment("count"))

        async def reader() -> Outcome:
            await stage.pause("waits")
            stage.clock.advance(100)
            lose(stage, "", "swap")
            return await play.visit(lambda s: s.get("old"))

        def check(ends: list[End]) -> None:
            swaps = play.swaps()
            if swaps[:1] == [0]:
                ended(ends)
                assert play.data()["count"] == 6

        return Scene([writer(), reader()], check)

    play_every_order(scene)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("lost", LOSSES)
@pytest.mark.parametrize("user", [None, "ann"], ids=["rotate", "login"])
def test_a_rotation_without_an_answer_is_found_out(
    user: str | None, lost: str, number: int
) -> None:
    def turn(session: Session) -> None:
        session.increment("count")
        session.rotate() if user is None else session.login(user)

    def check(play: Play, end: End) -> None:
        assert end.error is None
        (token,) = sent([end])
        record = play.at(token)
        assert isinstance(record, Record)
        assert values(record) == {**BASE, "count": 6}
        assert isinstance(play.at(play.token), Note)
        assert len(play.records()) == 1

    alone(turn, check, (lost, "swap", (number,)))


@pytest.mark.parametrize("lost", LOSSES)
def test_a_logout_without_an_answer_is_a_logout(lost: str) -> None:
    def check(play: Play, end: End) -> None:
        assert end.value == Outcome(None, None, expire=True)
        assert play.records() == []

    alone(Session.logout, check, (lost, "swap", (1,)))


def test_a_logout_that_nobody_answered_goes_on_over_another_write() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        handle = key_of(play.token)[2:]
        lose(stage, "request", "swap", 1)

        def check(ends: list[End]) -> None:
            assert ends[1].error is None
            assert play.at(play.token) is None

        return Scene([play.visit(put("x", 1)), play.home.adestroy(handle)], check)

    play_every_order(scene)


@pytest.mark.parametrize("lost", LOSSES)
def test_a_first_commit_without_an_answer_stores_one_session(lost: str) -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        stage.rows.delete(key_of(play.token))
        lose(stage, lost, "swap", 1)

        def check(ends: list[End]) -> None:
            ended(ends)
            (token,) = sent(ends)
            assert isinstance(play.at(token), Record)
            assert play.data() == {"x": 1}

        return Scene([play.visit(put("x", 1))], check)

    play_every_order(scene)


@pytest.mark.parametrize("lost", LOSSES)
def test_a_claim_without_an_answer_hands_out_once(lost: str) -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, messages=[message("m", "n:n")])
        lose(stage, lost, "swap", 1)
        got: list[object] = []

        async def visitor() -> None:
            session = await play.load()
            got.append(await session.aio.take("n"))

        def check(ends: list[End]) -> None:
            for end in ends:
                assert end.error is None or isinstance(end.error, StoreTimeout)
            assert got.count("m") <= 1
            if all(end.error is None for end in ends):
                assert sorted(map(str, got)) == ["None", "m"]
                assert mail(play.record()) == []
            got.clear()

        return Scene([visitor(), visitor()], check)

    play_every_order(scene)


@pytest.mark.parametrize("lost", LOSSES)
def test_a_touch_that_fails_fails_nobody(lost: str) -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        stage.clock.advance(100)
        lose(stage, lost, "swap", 1)

        def check(ends: list[End]) -> None:
            ended(ends)
            assert play.told("touch_failed") == 1
            assert play.swaps() == [0]

        return Scene([play.visit(lambda s: s.get("old"))], check)

    play_every_order(scene)


def test_removing_an_over_session_fails_nobody() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, seen=stage.clock() - 700)
        lose(stage, "request", "swap", 1)

        def check(ends: list[End]) -> None:
            ended(ends)
            assert ends[0].value == Outcome(None, None, expire=False)

        return Scene([play.visit(lambda s: s.get("old"))], check)

    play_every_order(scene)


def test_a_store_that_never_answers_is_an_error_and_not_a_loop() -> None:
    def check(play: Play, end: End) -> None:
        assert isinstance(end.error, StoreTimeout)
        assert play.data() == BASE
        assert len(play.swaps()) < 10

    alone(put("x", 1), check, ("request", "swap", tuple(range(1, 100))))
