"""Rotation by time, in every order: nobody is thrown out, and the old token only reads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from session_scene import BASE, OF_ANN, Act, Play, Step, ended, mail, message, put, sent, steps_of

from holdfast.session import Session
from holdfast.session.data import Note, Record, encode_note
from holdfast.session.policy import times_from
from holdfast.session.token import id_of
from holdfast.testing.interleave import End, Scene, Stage, play_every_order

TURNING: Mapping[str, Any] = {
    "times": times_from(600, 3600, touch_every=60, forward_note=60, rotate_every=300)
}
Saw = list[dict[str, object]]


def due(
    visits: Sequence[Sequence[Act]],
    check: Callable[[Play, list[End], Saw], None],
    others: Sequence[Step] = (),
    **record: object,
) -> int:
    """Play visits of a session that must be rotated; `check` hears what each of them saw."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, TURNING, **record)
        stage.clock.advance(301)
        seen: Saw = [{} for _ in visits]

        def reading(number: int) -> Act:
            return seen[number].update

        steps: list[Step] = [steps_of(reading(number), *acts) for number, acts in enumerate(visits)]
        steps += others
        callers = [step(play.elsewhere()) for step in steps]
        return Scene(callers, lambda ends: check(play, ends, seen), homes=range(len(steps)))

    return play_every_order(scene, crash=range(len(visits) + len(others)))


def done(ends: Sequence[End]) -> bool:
    return all(end.over for end in ends)


def came_in_grace(play: Play, number: int, rotator: int) -> bool:
    """Return whether a caller loaded what another had rotated already."""
    steps = list(play.stage.log)
    loaded = next(at for at, (who, _) in enumerate(steps) if who == number)
    key = f"s:{id_of(play.token)}"
    noted = [
        at
        for at, (who, what) in enumerate(steps)
        if who == rotator
        and not isinstance(what, str)
        and (what.operation, what.key) == ("swap", key)
    ]
    return noted != [] and loaded > noted[-1]


def test_of_two_readers_one_rotates_and_both_read() -> None:
    def check(play: Play, ends: list[End], seen: Saw) -> None:
        ended(ends)
        for end, saw in zip(ends, seen, strict=True):
            assert not end.over or saw == BASE
        assert len(sent(ends)) <= 1
        if done(ends):
            (token,) = sent(ends)
            assert isinstance(play.at(token), Record)
            assert isinstance(play.at(play.token), Note)
            assert play.data() == BASE

    assert due([[], []], check) > 10


def test_a_writer_in_time_is_kept_and_one_in_the_grace_only_reads() -> None:
    def check(play: Play, ends: list[End], seen: Saw) -> None:
        ended(ends)
        assert len(sent(ends)) <= 1
        if not done(ends):
            return
        assert seen == [BASE | seen[0], BASE | seen[1]]
        kept = [name for name in ("x", "y") if name in play.data()]
        told = [fields for event, fields in play.events if event == "session.conflict_dropped"]
        assert len(kept) + len(told) == 2
        assert all(fields["reason"] == "grace" for fields in told)
        count = play.data()["count"]
        assert count == 5 + len(kept)
        rotator = next(at for at, end in enumerate(ends) if sent([end]))
        assert len(told) == came_in_grace(play, 1 - rotator, rotator)

    writes: list[list[Act]] = [
        [put(name, 1), lambda s: s.increment("count")] for name in ("x", "y")
    ]
    assert due(writes, check) > 10


def test_a_message_is_for_who_has_the_new_token() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, TURNING, messages=[message("m", "n:n")])
        stage.clock.advance(301)
        got: list[object] = []
        in_grace: list[bool] = []

        async def taker() -> None:
            here = play.elsewhere()
            session = await here.load()
            draft = session._open()
            in_grace.append(draft.in_grace)
            got.append(await session.aio.take("n"))
            await here.commit(session)

        def check(ends: list[End]) -> None:
            ended(ends)
            if done(ends):
                assert got == ([None] if in_grace == [True] else ["m"])
                assert len(mail(play.record())) == got.count(None)

        return Scene([taker(), play.elsewhere().visit(len)], check, homes=[0, 1])

    assert play_every_order(scene, crash=[0, 1]) > 5


@pytest.mark.parametrize("act", [Session.logout, Session.destroy], ids=["logout", "destroy"])
def test_no_rotation_by_time_undoes_a_logout(act: Act) -> None:
    def check(play: Play, ends: list[End], seen: Saw) -> None:
        del seen
        ended(ends)
        if done(ends):
            assert play.records() == []

    assert due([[], [act]], check) > 5


def test_no_rotation_by_time_undoes_a_revocation() -> None:
    def check(play: Play, ends: list[End], seen: Saw) -> None:
        del seen
        ended(ends)
        if ends[1].over:
            assert hers(play, sent(ends)) == []
            assert play.of("ann") == []
        if done(ends):
            assert [record for record in play.records() if record.user == "ann"] == []
        play.revoke("ann")
        assert hers(play, sent(ends)) == []

    def hers(play: Play, tokens: Sequence[str]) -> list[Record]:
        found = [play.at(token) for token in tokens]
        return [one for one in found if isinstance(one, Record) and one.user == "ann"]

    revoke: Step = lambda play: play.home.arevoke("ann", None)  # noqa: E731
    assert due([[put("x", 1)]], check, [revoke], reserved=OF_ANN) > 10
    assert due([[]], check, [revoke], reserved=OF_ANN) > 10


def test_who_signs_in_with_the_old_token_goes_on_with_the_session() -> None:
    def check(play: Play, ends: list[End], seen: Saw) -> None:
        ended(ends)
        assert len(sent(ends)) <= 2
        if done(ends):
            assert seen[1] == BASE
            (token,) = sent(ends[1:])
            record = play.at(token)
            assert isinstance(record, Record)
            assert record.user == "ann"
            assert len(play.records()) == 1

    due([[], [lambda s: s.login("ann")]], check)


def test_what_is_written_after_a_login_with_the_old_token_is_kept() -> None:
    async def enters(session: Session) -> None:
        await session.aio.login("ann")
        session["x"] = 1

    def check(play: Play, ends: list[End], seen: Saw) -> None:
        del seen
        ended(ends)
        if done(ends):
            assert play.data() == {**BASE, "x": 1}
            assert len(sent(ends[1:])) == 1

    due([[], [enters]], check)


async def locks(session: Session) -> None:
    async with session.aio.lock(timeout=0):
        session["x"] = 1


@pytest.mark.parametrize("act", [Session.rotate, locks], ids=["rotate", "lock"])
def test_who_has_the_old_token_rotates_and_locks_nothing(act: Act) -> None:
    def check(play: Play, ends: list[End], seen: Saw) -> None:
        del seen
        ended(ends)
        assert len(sent(ends)) <= 1
        if done(ends):
            late = came_in_grace(play, 1, 0)
            assert ("x" in play.data()) == (act is locks and not late)

    due([[], [act]], check)


def test_the_old_token_of_a_session_that_was_ended_begins_none() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, TURNING)
        play.put(play.token, encode_note("0" * 64, stage.clock() + 10))

        def check(ends: list[End]) -> None:
            ended(ends)
            assert sent(ends) == []
            assert play.records() == []

        return Scene([play.visit(put("x", 1))], check)

    play_every_order(scene)


def test_rotate_and_login_know_no_grace() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, TURNING)

        async def visitors() -> dict[str, object]:
            await play.visit(Session.rotate)
            return dict(await play.load())

        def check(ends: list[End]) -> None:
            ended(ends)
            assert ends[0].value == {}

        return Scene([visitors()], check)

    play_every_order(scene)


def test_a_reader_in_the_grace_while_the_new_token_turns_as_well() -> None:
    """`rotate` and `login` know no grace: then the old token reads nothing more."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, TURNING)
        new = play.store({**BASE, "x": 1})
        play.put(play.token, encode_note(id_of(new) or "", stage.clock() + 10))
        seen: Saw = []

        async def reader() -> None:
            session = await play.elsewhere().load(play.token)
            seen.append(dict(session))
            session["y"] = 1
            await play.commit(session)

        def check(ends: list[End]) -> None:
            ended(ends)
            assert seen in ([], [{**BASE, "x": 1}], [{}])
            if done(ends):
                assert play.data() == {**BASE, "x": 1}

        turner = play.elsewhere().visit(Session.rotate, token=new)
        return Scene([reader(), turner], check, homes=[0, 1])

    assert play_every_order(scene, crash=[1]) > 3


@pytest.mark.parametrize(
    ("untils", "reads"),
    [
        ([10], True),
        ([10] * 8, True),
        ([10] * 9, False),
        ([0.0], False),
        ([10, 0.0], False),
        ([0.0, 10], False),
    ],
)
def test_a_chain_of_graces(untils: Sequence[float], reads: bool) -> None:
    """A token reads through rotations by time only, eight of them at most."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, TURNING)
        ids = [play.token, *(play.store({}) for _ in untils)]
        for old, new, until in zip(ids, ids[1:], untils, strict=False):
            raw = play.stage.rows.get(f"s:{id_of(old)}")
            play.stage.rows.put(f"s:{id_of(new)}", raw or b"", 600)
            play.put(old, encode_note(id_of(new) or "", until and stage.clock() + until))
        seen: Saw = []

        async def reader() -> None:
            session = await play.load()
            seen.append(dict(session))
            session["y"] = 1
            await play.commit(session)

        def check(ends: list[End]) -> None:
            ended(ends)
            assert seen == [BASE if reads else {}]
            assert play.data() == BASE

        return Scene([reader()], check)

    play_every_order(scene)


@pytest.mark.parametrize("what", ["request", "reply"])
@pytest.mark.parametrize("act", [[len], [put("x", 1)]], ids=["read", "write"])
def test_a_rotation_that_could_not_be_listed_is_told_nobody(what: str, act: list[Act]) -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, TURNING, reserved=OF_ANN)
        stage.clock.advance(301)
        stage.store.lose = lambda operation, key: (
            what if operation == "swap" and key.startswith("u:") else ""
        )

        def check(ends: list[End]) -> None:
            told = sent(ends)
            assert told == [] or id_of(told[0]) in {one.id for one in play.listed("ann")}
            assert (ends[0].error is not None) == (what == "request" and act != [len])

        return Scene([play.visit(*act)], check)

    play_every_order(scene)
