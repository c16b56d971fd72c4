"""Locks, remembered sessions, unwelcome users, a store that is down, an archive: in every order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from session_scene import (
    BASE,
    OF_ANN,
    Act,
    Play,
    Step,
    ended,
    key_of,
    note_to,
    put,
    sent,
    steps_of,
    values,
)

from holdfast.bridge import ThreadWaits, drive
from holdfast.errors import LockTimeout, StoreTimeout
from holdfast.session import Session
from holdfast.session.data import Record
from holdfast.session.lock import hold, release
from holdfast.session.outcome import NOTHING
from holdfast.session.token import id_of, new_token
from holdfast.testing.interleave import End, Scene, Stage, play_every_order


def plays(
    steps: Sequence[Step],
    check: Callable[[Play, list[End]], None],
    options: Mapping[str, Any] | None = None,
    **record: object,
) -> int:
    """Play requests of different processes in every order, also with a crash anywhere."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, options, **record)
        callers = [step(play.elsewhere()) for step in steps]
        return Scene(callers, lambda ends: check(play, ends), homes=range(len(steps)))

    return play_every_order(scene, crash=range(len(steps)))


def done(ends: Sequence[End]) -> bool:
    return all(end.over for end in ends)


# Locks


async def count_up(session: Session) -> None:
    """What loses a count where two do it at once, were it not for the lock."""
    async with session.aio.lock(timeout=0):
        session["count"] = session["count"] + 1


def test_under_the_lock_requests_take_turns() -> None:
    def check(play: Play, ends: list[End]) -> None:
        errors = [end.error for end in ends if end.error is not None]
        assert all(isinstance(error, LockTimeout) for error in errors)
        counted = sum(end.value == NOTHING for end in ends)
        count = play.data()["count"]
        assert count in (5 + counted, 6 + counted)
        if done(ends):
            assert count == 5 + counted
            assert counted >= 1
            assert list(play.stage.rows.scan("l:")) == []

    assert plays([steps_of(count_up), steps_of(count_up)], check) > 10


def test_who_does_not_lock_loses_nothing_and_nobody_loses_it() -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if done(ends):
            assert play.data() == {"old": 1, "count": 6, "list": ["a", "b"], "x": 1}

    other = steps_of(put("x", 1), lambda s: s.append("list", "b"))
    assert plays([steps_of(count_up), other], check) > 10


@pytest.mark.parametrize(
    "turn", [Session.rotate, lambda s: s.login("ann")], ids=["rotate", "login"]
)
def test_a_lock_of_a_session_that_turns_meanwhile(turn: Act) -> None:
    async def locked(session: Session) -> None:
        async with session.aio.lock(timeout=0):
            session.increment("count")

    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if done(ends):
            record = play.record() if not play.told("replayed") else None
            assert record is None or values(record)["count"] == 6
            (token,) = sent(ends[1:])
            assert isinstance(play.at(token), Record)
            assert sent(ends[:1]) == [] or play.told("replayed")
            assert list(play.stage.rows.scan("l:")) == []

    plays([steps_of(locked), steps_of(turn)], check)


def rotated(stage: Stage, user: str | None = None) -> tuple[Play, Session, str]:
    """Return a session that was loaded before it was rotated, and its token now."""
    play = Play(stage, BASE, reserved=OF_ANN)
    session = Session(play.home, play.token, drive(play.judge.open(play.token)))
    new = play.store(
        {**BASE, "bobs": 1} if user else BASE, reserved={**OF_ANN, "user": user or "ann"}
    )
    play.put(play.token, note_to(new))
    return play, session, new


def test_who_comes_with_the_old_token_takes_turns_with_the_new_one() -> None:
    def scene(stage: Stage) -> Scene:
        play, session, new = rotated(stage)

        async def late() -> object:
            await count_up(session)
            return await play.commit(session)

        def check(ends: list[End]) -> None:
            counted = sum(end.error is None for end in ends)
            assert all(isinstance(end.error, LockTimeout | None) for end in ends)
            assert play.data()["count"] == 5 + counted

        return Scene([late(), play.elsewhere().visit(count_up, token=new)], check, homes=[0, 1])

    assert play_every_order(scene) > 2


def test_a_lock_shows_nobody_the_session_of_the_next_user() -> None:
    def scene(stage: Stage) -> Scene:
        play, session, new = rotated(stage, "bob")

        async def late() -> dict[str, object]:
            async with session.aio.lock(timeout=0):
                session["x"] = 1
                seen = dict(session)
            await play.commit(session)
            return seen

        def check(ends: list[End]) -> None:
            ended(ends)
            assert ends[0].value == {**BASE, "x": 1}
            record = play.at(new)
            assert isinstance(record, Record)
            assert values(record) == {**BASE, "bobs": 1}

        return Scene([late()], check)

    play_every_order(scene)


def test_a_session_that_is_destroyed_under_the_lock_stays_so() -> None:
    def check(play: Play, ends: list[End]) -> None:
        assert all(isinstance(end.error, KeyError | None) for end in ends)  # loaded too late
        if ends[1].over:
            assert play.records() == []

    plays([steps_of(count_up), steps_of(Session.logout)], check)


def test_a_lock_that_ended_early_loses_nothing_and_frees_nobodys() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        key = f"l:{id_of(play.token)}"

        async def slow() -> None:
            here = play.elsewhere()
            session = await here.load()
            async with session.aio.lock(timeout=0):
                session.increment("count")
                await stage.pause("works")
                stage.clock.advance(31)
                await stage.pause("works on")
            await here.commit(session)

        async def next_one() -> None:
            here = play.elsewhere()
            session = await here.load()
            async with session.aio.lock(timeout=0):
                session.increment("count")
                mine, since = stage.rows.get(key), stage.clock()
                await stage.pause("works")
                ended_early = stage.clock() - since > 30
                assert stage.rows.get(key) == (None if ended_early else mine)
            await here.commit(session)

        def check(ends: list[End]) -> None:
            errors = [end.error for end in ends if end.error is not None]
            assert all(isinstance(error, LockTimeout) for error in errors)
            if done(ends):
                assert play.data()["count"] == 7 - len(errors)
                assert stage.rows.get(key) is None

        return Scene([slow(), next_one()], check)

    assert play_every_order(scene, crash=[0]) > 20


def test_who_crashed_with_the_lock_delays_the_others_by_its_length() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)

        def locks() -> bool:
            draft = drive(play.judge.open(play.token))
            try:
                held = drive(hold(play.judge, ThreadWaits(), draft, 0.0, ""))
            except LockTimeout:
                return False
            drive(release(play.judge, draft, held, failed=False))
            return True

        def check(ends: list[End]) -> None:
            ended(ends)
            assert locks() == (list(stage.rows.scan("l:")) == [])
            stage.clock.advance(31)
            assert locks()

        return Scene([play.visit(count_up)], check)

    assert play_every_order(scene, crash=[0]) > 3


@pytest.mark.parametrize("what", ["request", "reply"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_lock_without_an_answer(what: str, number: int) -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        count = 0

        def losing(operation: str, _key: str) -> str:
            nonlocal count
            count += operation == "swap"
            return what if operation == "swap" and count == number else ""

        stage.store.lose = losing

        def check(ends: list[End]) -> None:
            lost_lock = what == "request" and number == 1
            assert isinstance(ends[0].error, LockTimeout if lost_lock else type(None))
            assert play.data()["count"] == (5 if lost_lock else 6)
            held = [*stage.rows.scan("l:")]
            assert (held != []) == (what == "request" and number == 3)

        return Scene([play.visit(count_up)], check)

    play_every_order(scene)


def test_a_lock_is_given_back_when_the_session_cannot_be_read() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)

        def losing(operation: str, _key: str) -> str:
            locked = list(stage.rows.scan("l:")) != []
            return "request" if operation == "get" and locked else ""

        stage.store.lose = losing

        def check(ends: list[End]) -> None:
            assert isinstance(ends[0].error, StoreTimeout)
            assert list(stage.rows.scan("l:")) == []

        return Scene([play.visit(count_up)], check)

    play_every_order(scene)


def test_what_raises_under_the_lock_writes_nothing_of_it() -> None:
    async def fails(session: Session) -> None:
        session["before"] = 1
        try:
            async with session.aio.lock(timeout=0):
                session["count"] = 1 / 0 if session.pop("old") else 0
        except (ZeroDivisionError, LockTimeout):
            session["after"] = 1

    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if done(ends):
            assert play.data() == {**BASE, "count": 6, "before": 1, "after": 1}

    plays([steps_of(fails), steps_of(lambda s: s.increment("count"))], check)


# Remembered


@pytest.mark.parametrize("turn", [Session.rotate, put("x", 1)], ids=["rotate", "write"])
def test_a_session_is_remembered_whatever_token_it_gets_meanwhile(turn: Act) -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if done(ends) and not play.told("replayed"):
            assert play.record().lifetime == 1800.0
        for token in sent(ends[:1]):
            assert token == play.token
        for token in sent(ends[1:]):
            assert isinstance(play.at(token), Record)

    plays([steps_of(lambda s: s.remember(1800)), steps_of(turn)], check)


def test_remembering_is_nothing_to_who_signs_in_meanwhile() -> None:
    """It was asked of the session as it was before: a login decides that anew."""

    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        for token in sent(ends[1:]):
            record = play.at(token)
            assert isinstance(record, Record)
            assert record.lifetime is None

    steps = [steps_of(lambda s: s.remember(1800)), steps_of(lambda s: s.login("ann"))]
    plays(steps, check)


# Not welcome any more


@pytest.mark.parametrize(
    "act", [put("x", 1), Session.rotate, lambda s: s.login("bob")], ids=["write", "rotate", "login"]
)
def test_who_is_not_welcome_leaves_nothing(act: Act) -> None:
    def scene(stage: Stage) -> Scene:
        welcome = {"ann", "bob"}
        options = {"check_user": welcome.__contains__}
        play = Play(stage, BASE, options, reserved=OF_ANN)

        async def looks() -> object:
            await stage.pause("is not welcome from now on")
            welcome.discard("ann")
            return await play.visit(lambda s: s.get("old"))

        def check(ends: list[End]) -> None:
            ended(ends)
            if play.told("revoked") and not ends[0].crashed:
                assert [one for one in play.records() if one.user == "ann"] == []
            welcome.discard("ann")
            for token in sent(ends):
                record = play.at(token)
                assert drive(play.judge.open(token)).user in (None, "bob")
                # The next user of the session is spared.
                assert record is not None or play.told("login") == 0

        return Scene([play.visit(act), looks()], check)

    assert play_every_order(scene, crash=[0, 1]) > 5


# The store is down


def test_an_anonymous_visitor_writes_nothing() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, {"anonymous": True})
        stage.store.lose = lambda operation, _key: "request" if operation == "get" else ""

        def writes(session: Session) -> None:
            assert dict(session) == {}
            session["x"] = 1
            session.flash("hi")

        def check(ends: list[End]) -> None:
            ended(ends)
            assert [end.value for end in ends] == [NOTHING]
            assert play.swaps() == []
            assert play.told("store_down") == 1
            assert play.data() == BASE

        return Scene([play.visit(writes)], check)

    play_every_order(scene)


@pytest.mark.parametrize("act", [lambda s: s.login("ann"), Session.logout, Session.rotate])
@pytest.mark.parametrize("operation", ["swap", "get"])
def test_who_somebody_is_is_never_pretended(act: Act, operation: str) -> None:
    """A login, a logout or a rotation that was not done is an error, for anonymous visitors too."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, {"anonymous": True})

        async def visitor() -> object:
            session = await play.load()
            stage.store.lose = lambda done, _key: "request" if done == operation else ""
            act(session)
            return await play.commit(session)

        def check(ends: list[End]) -> None:
            needs = operation == "swap" or act is not Session.rotate
            assert isinstance(ends[0].error, StoreTimeout if needs else type(None))
            assert needs == (sent(ends) == [])

        return Scene([visitor()], check)

    play_every_order(scene)


def test_what_could_not_be_written_fails_no_anonymous_visitor() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, {"anonymous": True})
        stage.store.lose = lambda operation, _key: "request" if operation == "swap" else ""

        def check(ends: list[End]) -> None:
            assert ends[0].value == NOTHING
            assert play.told("store_down") == 1
            assert play.data() == BASE

        return Scene([play.visit(put("x", 1))], check)

    play_every_order(scene)


# An archive


def restored(play: Play, raw: bytes) -> Step:
    handle = id_of(play.token) or ""
    return lambda here: here.home._engine.restore(handle, raw)


def archived(
    acts: Sequence[Act],
    check: Callable[[Play, list[End]], None],
    options: Mapping[str, Any] | None = None,
    *,
    gone: bool = True,
    revoke: bool = False,
) -> int:
    """Play a restore beside a request, or beside a revocation."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, options, reserved=OF_ANN)
        raw = stage.rows.get(key_of(play.token)) or b""
        if gone:
            stage.rows.delete(key_of(play.token))
            play.enlist("ann", [])
        one, two = play.elsewhere(), play.elsewhere()
        other = two.home.arevoke("ann", None) if revoke else two.visit(*acts)
        callers = [restored(play, raw)(one), other]
        return Scene(callers, lambda ends: check(play, ends), homes=[0, 1])

    return play_every_order(scene, crash=[0, 1])


def test_a_restore_replaces_nothing() -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        assert ends[0].value is not True
        if done(ends):
            assert play.data() == {**BASE, "x": 1}
            assert len(play.of("ann")) == 1

    archived([put("x", 1)], check, gone=False)


def test_who_comes_while_his_session_is_restored_is_new_or_has_it() -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        record = play.at(play.token)
        if ends[0].over:
            assert isinstance(record, Record)
            assert values(record) in (BASE, {**BASE, "x": 1})
            assert len(play.of("ann")) == 1
            assert ("x" in values(record)) == (sent(ends) == []) or not ends[1].over

    assert archived([put("x", 1)], check) > 5


def test_what_was_restored_is_listed_or_can_be_restored_again() -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        handle, raw = id_of(play.token) or "", play.stage.rows.get(key_of(play.token))
        if done(ends) and raw is not None:
            assert [one.id for one in play.of("ann")] == [handle]
        if raw is not None:  # perhaps it was cut off before it was listed
            assert drive(play.judge.restore(handle, raw)) is False
            play.revoke("ann")
        assert play.at(play.token) is None

    assert archived([], check, revoke=True) > 5


def test_a_restore_takes_nobodys_place() -> None:
    """Somebody signed in since: with room for one, it is he who stays."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, {"max_sessions": 1}, reserved=OF_ANN)
        raw = stage.rows.get(key_of(play.token)) or b""
        stage.rows.delete(key_of(play.token))
        play.enlist("ann", [])
        stage.clock.advance(10)
        login = play.elsewhere().visit(lambda s: s.login("ann"), token=new_token())

        def check(ends: list[End]) -> None:
            ended(ends)
            if done(ends):
                (token,) = sent(ends)
                assert isinstance(play.at(token), Record)
                assert play.at(play.token) is None

        return Scene([restored(play, raw)(play.elsewhere()), login], check, homes=[0, 1])

    assert play_every_order(scene) > 3
