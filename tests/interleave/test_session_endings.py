"""Endings: a session that was destroyed or is over never comes back, whoever is still at work."""

from collections.abc import Callable

import pytest
from session_scene import Act, Data, Play, ended, key_of, message, note_to, play, put, sent

from holdfast.session import Outcome, Session
from holdfast.session.data import Record, encode
from holdfast.session.token import id_of, new_token
from holdfast.testing.interleave import End, Scene, Stage, play_every_order, play_some_orders

BASE: Data = {"old": 1, "count": 5, "list": ["a"]}


def set_and_rotate(session: Session) -> None:
    session["x"] = 1
    session.rotate()


async def login_and_set(session: Session) -> None:
    await session.aio.login("eve")
    session["x"] = 1


LATE: dict[str, Act] = {
    "login at the call and set": login_and_set,
    "set": put("x", 1),
    "set and rotate": set_and_rotate,
    "rotate": Session.rotate,
    "login": lambda s: s.login("eve"),
    "login at the call": lambda s: s.aio.login("eve"),
    "increment": lambda s: s.increment("count"),
    "flash": lambda s: s.flash("hi"),
    "clear": Session.clear,
    "save": Session.save,
    "take": lambda s: s.aio.take("n"),
    "in place": lambda s: s["list"].append("b") if "list" in s else None,
    "logout": Session.logout,
}


@pytest.mark.parametrize("act", LATE.values(), ids=LATE)
def test_nothing_undoes_a_logout(act: Act) -> None:
    def check(play: Play, ends: list[End]) -> None:
        late, out = ends
        if out.crashed:
            return
        began_before = 0 not in order(play) or order(play).index(0) < last_of(play, 1)
        assert out.value in (Outcome(None, None, expire=True), Outcome(None, None, expire=False))
        if began_before:  # loaded before the logout was done: nothing of it may be left
            tokens = sent([late])
            assert all(not is_alive(play, token) for token in [play.token, *tokens])
        assert not isinstance(play.at(play.token), tuple) or not out.value.expire

    def last_of(play: Play, who: int) -> int:
        return max(at for at, number in enumerate(order(play)) if number == who)

    assert play(BASE, [[act], [Session.logout]], check, messages=[message("m", "n:n")]) > 5


def order(play: Play) -> list[int]:
    """Return who went on, step by step."""
    return [who for who, _ in play.stage.log]


def is_alive(play: Play, token: str) -> bool:
    return play.at(token) is not None


def test_a_write_during_a_logout_leaves_no_record_and_no_cookie() -> None:
    def check(play: Play, ends: list[End]) -> None:
        writer, out = ends
        if not out.crashed and not writer.crashed:
            assert play.records() == [] or is_new_visitor(play)
            assert sent([writer]) == [] or is_new_visitor(play)

    def is_new_visitor(play: Play) -> bool:
        """Whether the writer came when the logout was over already: then he is somebody new."""
        steps = order(play)
        return steps.index(0) > max(at for at, who in enumerate(steps) if who == 1)

    play(BASE, [[put("x", 1)], [Session.logout]], check)


def test_a_touch_does_not_bring_a_session_back() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        stage.clock.advance(100)

        def check(ends: list[End]) -> None:
            ended(ends)
            if not ends[1].crashed:
                assert play.at(play.token) is None

        return Scene([play.visit(lambda s: s.get("old")), play.visit(Session.logout)], check)

    play_every_order(scene, crash=[0, 1])


TURNS: dict[str, Act] = {
    "rotate": Session.rotate,
    "login": lambda s: s.login("ann"),
    "login at the call": lambda s: s.aio.login("ann"),
}


@pytest.mark.parametrize("act", TURNS.values(), ids=TURNS)
def test_destroyed_from_outside_while_it_is_rotated(act: Act) -> None:
    """`destroy(handle)` and eviction: whoever wins, no record is left, and none in hiding."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        handle = key_of(play.token)[2:]

        def check(ends: list[End]) -> None:
            ended(ends)
            steps = order(play)
            if 0 in steps and 1 not in steps[steps.index(0) :]:
                return  # whoever comes when it is destroyed is somebody new
            if not ends[1].crashed and not ends[0].crashed:
                assert ends[1].value is True
                assert play.records() == []
            if not ends[1].crashed:
                assert play.at(play.token) is None
                assert all(play.at(token) is None for token in sent(ends))

        return Scene([play.visit(act), play.home.adestroy(handle)], check)

    assert play_every_order(scene, crash=[0, 1]) > 20


def test_destroy_follows_notes_to_the_record() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        handle = key_of(play.token)[2:]

        async def rotations() -> None:
            token: str | None = play.token
            for _ in range(3):
                token = (await play.visit(Session.rotate, token=token)).token

        def check(ends: list[End]) -> None:
            ended(ends)
            if not ends[0].crashed and not ends[1].crashed:
                # A rotation that began after the destruction is of somebody new, with nothing.
                assert play.records() == []

        return Scene([rotations(), play.home.adestroy(handle)], check)

    assert play_every_order(scene) > 30


def test_two_logouts_with_the_old_token_both_end_the_rotated_session() -> None:
    """Neither may say that all is done while the other is half way, and then crashes."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, {})
        old = new_token()
        play.put(old, note_to(play.token))

        def check(ends: list[End]) -> None:
            ended(ends)
            if not all(end.crashed for end in ends):
                assert play.records() == []

        late = id_of(old) or ""
        return Scene([play.home.adestroy(late), play.home.adestroy(late)], check)

    assert play_every_order(scene, crash=[0, 1]) > 10


def test_a_logout_with_the_old_token_ends_the_rotated_session() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)

        def check(ends: list[End]) -> None:
            ended(ends)
            if not ends[1].crashed and not ends[0].crashed:
                assert play.records() == []

        return Scene([play.visit(Session.rotate), play.visit(Session.logout)], check)

    play_every_order(scene, crash=[0, 1])


def expired_scene(seen_ago: float) -> Callable[[Stage], Scene]:
    """A commit of a request that began in time, against a load that finds the session over."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, seen=stage.clock() - seen_ago, created=stage.clock() - seen_ago)
        loaded: list[Session] = []

        async def writer() -> Outcome:
            session = await play.load()
            session["x"] = 1
            await stage.pause("works")
            return await play.commit(session)

        async def late() -> Outcome:
            await stage.pause("waits")
            stage.clock.advance(61)
            session = await play.load()
            loaded.append(session)
            return await play.commit(session)

        def check(ends: list[End]) -> None:
            ended(ends)
            if any(end.crashed for end in ends):
                return
            wrote = [record for record in play.records() if "x" in record.data]
            acknowledged = writer_acknowledged(play)
            assert len(wrote) == acknowledged
            assert sent(ends[1:]) == []

        return Scene([writer(), late()], check)

    def writer_acknowledged(play: Play) -> int:
        dropped = play.told("conflict_dropped")
        new_visitor = play.at(play.token) is None and not dropped and play.records() != []
        return 1 if new_visitor or not dropped else 0

    return scene


@pytest.mark.parametrize("seen_ago", [600, 659])
def test_a_load_that_finds_it_over_never_takes_a_parallel_write_away(seen_ago: float) -> None:
    assert play_every_order(expired_scene(seen_ago), crash=[0, 1]) > 10


def test_an_over_session_is_removed_and_never_written_again() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, seen=stage.clock() - 700)

        def check(ends: list[End]) -> None:
            ended(ends)
            outcomes = [end for end in ends if not end.crashed]
            assert len(sent(outcomes)) == len(outcomes)  # each is a new visitor
            assert play.token not in sent(ends)
            assert outcomes == [] or play.at(play.token) is None
            assert all("old" not in record.data for record in play.records()) or not outcomes

        return Scene([play.visit(put("x", 1)), play.visit(put("y", 1))], check)

    play_every_order(scene, crash=[0, 1])


def test_a_commit_against_a_record_that_is_over_by_then_drops_everything() -> None:
    """A store that keeps records longer than it was told to does not make them live longer."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, seen=stage.clock() - 600)

        async def slow() -> Outcome:
            session = await play.load()
            session["x"] = 1
            await stage.pause("works")
            stage.clock.advance(300)
            return await play.commit(session)

        async def other() -> None:
            await stage.pause("writes")
            record = play.at(play.token)
            if isinstance(record, Record) and "x" not in record.data:
                raw = encode(record._replace(rev=b"o" * 16))
                stage.rows.put(key_of(play.token), raw)  # for ever

        def check(ends: list[End]) -> None:
            ended(ends)
            overtaken = play.told("conflict_dropped")
            written = [record for record in play.records() if "x" in record.data]
            assert len(written) == (0 if overtaken or ends[0].crashed else 1)
            assert overtaken or ends[0].crashed or len(play.swaps()) == 1

        return Scene([slow(), other()], check)

    play_every_order(scene, crash=[0, 1])


def test_three_at_once_with_a_logout() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)

        def check(ends: list[End]) -> None:
            ended(ends)
            steps = order(play)
            out = [at for at, who in enumerate(steps) if who == 2]
            if ends[2].crashed or any(steps.index(who) > out[-1] for who in (0, 1)):
                return
            assert play.at(play.token) is None
            reachable = [play.at(token) for token in sent(ends)]
            found = [record for record in reachable if isinstance(record, Record)]
            assert all("old" not in record.data for record in found)

        visits: list[list[Act]] = [
            [put("x", 1)],
            [lambda s: s.append("list", 1), Session.rotate],
            [Session.logout],
        ]
        return Scene([play.visit(*acts) for acts in visits], check)

    play_some_orders(scene, 300, seed=11)
    play_some_orders(scene, 300, seed=12, crash=[0, 1, 2])
