"""Rotations and logins: data follows, the old token is dead, nobody is given another's token."""

from collections.abc import Callable

import pytest
from session_scene import (
    Act,
    Data,
    Play,
    ended,
    message,
    note_to,
    play,
    put,
    sent,
    values,
)

from holdfast.session import Outcome, Session
from holdfast.session.data import Note, Record
from holdfast.session.session import draft_of
from holdfast.testing.interleave import End, Scene, Stage, play_every_order, play_some_orders

BASE: Data = {"old": 1, "count": 5, "list": ["a"]}
rotate: Act = Session.rotate


def login(user: str) -> Act:
    return lambda session: session.login(user)


def login_now(user: str) -> Act:
    return lambda session: session.aio.login(user)


TURNS = {"rotate": rotate, "login": login("ann"), "login at the call": login_now("ann")}
LOGINS = {"at commit": login, "at the call": login_now}


def both_done(ends: list[End]) -> bool:
    return not any(end.crashed for end in ends)


def loaded_before(play: Play, who: int, other: int) -> bool:
    """Whether `who` loaded before `other` was done."""
    order = [number for number, _ in play.stage.log]
    return order.index(who) < max(at for at, number in enumerate(order) if number == other)


def is_muted(play: Play, token: str) -> bool:
    """Whether a request with `token` gets an empty session."""
    return not isinstance(play.at(token), Record)


WRITES: dict[str, tuple[Act, Data]] = {
    "set": (put("x", 1), {**BASE, "x": 1}),
    "increment": (lambda s: s.increment("count"), {**BASE, "count": 6}),
    "append": (lambda s: s.append("list", "b"), {**BASE, "list": ["a", "b"]}),
    "in place": (lambda s: s["list"].append("b") if s else None, {**BASE, "list": ["a", "b"]}),
    "delete": (lambda s: s.pop("old", None), {"count": 5, "list": ["a"]}),
    "flash": (lambda s: s.flash("hi"), BASE),
}


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
@pytest.mark.parametrize(("act", "want"), WRITES.values(), ids=WRITES)
def test_a_commit_beside_a_rotation_survives(act: Act, want: Data, turn: Act) -> None:
    def check(play: Play, ends: list[End]) -> None:
        assert sent([ends[0]]) == []  # the writer's answer must not overwrite the new cookie
        if not both_done(ends):
            return
        (token,) = sent([ends[1]])
        record = play.at(token)
        assert isinstance(record, Record)
        assert is_muted(play, play.token)
        if play.told("replayed"):  # loaded after the rotation, with the old token
            assert values(record) == BASE
        else:
            assert values(record) == want
            assert len(record.messages) == 1 + (want is BASE)
        assert len(play.records()) == 1

    assert play(BASE, [[act], [turn]], check, messages=[message("m")]) > 15


def test_a_load_that_meets_a_note_is_empty_and_says_nothing() -> None:
    def writes(session: Session) -> None:
        if not session:
            session["mine"] = 1
            session.flash("mine")

    def check(play: Play, ends: list[End]) -> None:
        assert sent([ends[0]]) == []
        if both_done(ends):
            assert play.data() == BASE
            assert play.record().messages == []
            assert play.told("replayed") <= 1

    play(BASE, [[writes], [rotate]], check)


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_the_old_token_reads_nothing_once_the_note_stands(turn: Act) -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)

        async def reader() -> None:
            session = await play.load()
            dead = is_muted(play, play.token)  # in the same step as the load
            assert dict(session) == ({} if dead else BASE)

        return Scene([reader(), play.visit(turn)], ended)

    play_every_order(scene, crash=[1])


def test_two_rotations_give_one_cookie_and_it_is_good() -> None:
    first: Act = put("x", 1)
    second: Act = put("y", 2)

    def check(play: Play, ends: list[End]) -> None:
        assert len(sent(ends)) <= 1
        if both_done(ends):
            (token,) = sent(ends)
            record = play.at(token)
            assert isinstance(record, Record)
            assert len(play.records()) == 1
            if not play.told("replayed"):
                assert values(record) == {**BASE, "x": 1, "y": 2}

    assert play(BASE, [[first, rotate], [second, rotate]], check) > 30


@pytest.mark.parametrize("enter", LOGINS.values(), ids=LOGINS)
def test_an_attacker_who_rotates_is_not_given_the_token_of_a_login(
    enter: Callable[[str], Act],
) -> None:
    """He holds the token the victim had before the login: fixation."""

    def check(play: Play, ends: list[End]) -> None:
        for token in sent([ends[0]]):
            found = play.at(token)
            assert not isinstance(found, Record) or found.user is None
        if both_done(ends) and not play.told("conflict_dropped"):
            (token,) = sent([ends[1]])
            found = play.at(token)
            assert isinstance(found, Record)
            assert found.user == "victim"

    play(BASE, [[put("x", 1), rotate], [enter("victim")]], check)


@pytest.mark.parametrize("users", [("ann", "ann"), ("ann", "eve")], ids=["same", "other"])
@pytest.mark.parametrize("enter", LOGINS.values(), ids=LOGINS)
def test_two_logins(users: tuple[str, str], enter: Callable[[str], Act]) -> None:
    def check(play: Play, ends: list[End]) -> None:
        if not both_done(ends):
            return
        if not play.told("replayed"):  # both began in time: each is let in, one after the other
            assert len(sent(ends)) == 2
            assert play.record().gen == 2
        alive = [token for token in sent(ends) if isinstance(play.at(token), Record)]
        assert len(alive) == 1  # whoever won last; the other's token was never good for his record
        record = play.record()
        won = next(at for at, end in enumerate(ends) if sent([end]) == alive)
        assert record.user == users[won]
        lost = ends[1 - won]
        merged = record.gen == 2
        assert record.gen == 1 + (sent([lost]) != [])
        data = values(record)
        if users[0] == users[1]:
            assert data.get("who0", 0) == 0 or data["who0"] == 1
            assert data["old"] == 1
            if merged:
                assert {"who0", "who1"} <= set(data)
        elif merged:  # the later one started from empty data: nothing of the other user
            assert data == {f"who{won}": 1}

    def entering(number: int) -> list[Act]:
        return [put(f"who{number}", 1), enter(users[number])]

    assert play(BASE, [entering(0), entering(1)], check) > 30


@pytest.mark.parametrize("enter", LOGINS.values(), ids=LOGINS)
def test_a_login_never_merges_into_a_session_whose_token_another_holds(
    enter: Callable[[str], Act],
) -> None:
    def check(play: Play, ends: list[End]) -> None:
        if both_done(ends):
            signed_in = [record for record in play.records() if record.user == "victim"]
            attacker = sent([ends[0]])
            for token in attacker:
                assert play.at(token) not in signed_in
            if sent([ends[1]]):
                assert len(signed_in) == 1

    play(BASE, [[rotate], [enter("victim")]], check)


@pytest.mark.parametrize("enter", LOGINS.values(), ids=LOGINS)
def test_a_login_brings_a_new_secret_and_a_new_generation(
    enter: Callable[[str], Act],
) -> None:
    def check(play: Play, ends: list[End]) -> None:
        for token in sent([ends[1]]):
            record = play.at(token)
            if isinstance(record, Record):
                assert record.gen == 1
                assert record.reserved["csrf"] != b"c" * 32
                assert record.user == "ann"

    play(BASE, [[put("x", 1)], [enter("ann")]], check)


@pytest.mark.parametrize("enter", LOGINS.values(), ids=LOGINS)
def test_our_own_fields_are_written_again_only_in_their_generation(
    enter: Callable[[str], Act],
) -> None:
    """A session without a CSRF secret: a page makes one while somebody signs in."""

    def check(play: Play, ends: list[End]) -> None:
        if both_done(ends) and not play.told("replayed"):
            session = sessions[-1]  # of this order
            draft = draft_of(session)
            assert draft is not None
            record = play.record()
            assert record.user == "ann"
            assert not session.check_csrf("x" * 86)
            assert record.reserved["csrf"] != made[-1]

    made: list[bytes] = []
    sessions: list[Session] = []

    def page(session: Session) -> None:
        session.csrf_token()
        draft = draft_of(session)
        assert draft is not None
        made.append(draft.csrf_secret())
        sessions.append(session)

    play(BASE, [[page], [enter("ann")]], check, reserved={})


def test_a_page_of_one_user_leaves_nothing_in_the_session_of_the_next() -> None:
    def check(play: Play, ends: list[End]) -> None:
        if both_done(ends):
            (token,) = sent([ends[1]])
            record = play.at(token)
            assert isinstance(record, Record)
            assert record.user == "bob"
            assert values(record) == {"bobs": 1}
            assert record.messages == []

    def page(session: Session) -> None:
        session["anns"] = 1
        session.flash("for ann")

    def enter(session: Session) -> None:
        session.login("bob")
        session["bobs"] = 1

    reserved = {"csrf": b"c" * 32, "user": "ann"}
    play(BASE, [[page], [enter]], check, reserved=reserved, messages=[message("for ann")])


def test_nor_does_a_page_that_rotates() -> None:
    def check(play: Play, ends: list[End]) -> None:
        for token in sent([ends[1]]):  # none where bob came with the old token already
            record = play.at(token)
            assert isinstance(record, Record)
            assert record.user == "bob"
            assert values(record) == {"bobs": 1}
            assert all(is_muted(play, earlier) for earlier in sent([ends[0]]))

    page = [put("anns", 1), rotate]
    enter = [login("bob"), put("bobs", 1)]
    play(BASE, [page, enter], check, reserved={"csrf": b"c" * 32, "user": "ann"})


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_a_crash_in_a_rotation_leaves_a_session_that_works(turn: Act) -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)

        def check(ends: list[End]) -> None:
            ended(ends)
            under_old = play.at(play.token)
            if isinstance(under_old, Record):  # not yet: the old token still reads everything
                assert values(under_old) == BASE
            else:
                assert isinstance(under_old, Note)
                assert values(play.record()) == BASE

        return Scene([play.visit(turn)], check)

    listed = 0 if turn is rotate else 2  # the user's index is read and written
    assert play_every_order(scene, crash=[0]) == 4 + listed


def test_a_token_is_told_only_when_its_note_stands() -> None:
    """Before the answer with the new token, the old one must be dead."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        seen: list[bool] = []

        async def rotator() -> Outcome:
            outcome = await play.visit(rotate)
            seen.append(isinstance(play.at(play.token), Note))
            return outcome

        def check(ends: list[End]) -> None:
            ended(ends)
            if sent(ends[:1]):
                assert seen == [True]
                assert play.stage.rows.get("s:none") is None

        return Scene([rotator(), play.visit(put("x", 1))], check)

    play_every_order(scene, crash=[1])


def chain(length: int) -> Callable[[Stage], Scene]:
    """A late commit while a session was rotated `length` times in a row."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)

        async def late() -> Outcome:
            session = await play.load()
            session["x"] = 1
            await stage.pause("works")
            token, last = play.token, play.at(play.token)
            assert isinstance(last, Record)
            for _ in range(length):
                new = play.store(BASE)
                play.put(token, note_to(new))
                token = new
            return await play.commit(session)

        def check(ends: list[End]) -> None:
            ended(ends)
            assert ends[0].value == Outcome(None, None, expire=False)
            written = [values(record) for record in play.records() if "x" in record.data]
            assert written == ([{**BASE, "x": 1}] if length <= 8 else [])
            assert play.told("conflict_dropped") == (length > 8)

        return Scene([late()], check)

    return scene


@pytest.mark.parametrize("length", [1, 2, 8, 9])
def test_a_late_commit_follows_eight_notes(length: int) -> None:
    play_every_order(chain(length))


def test_three_at_once() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)

        def check(ends: list[End]) -> None:
            ended(ends)
            if both_done(ends):
                signed_in = [record for record in play.records() if record.user == "ann"]
                assert len(play.records()) == 1
                if sent([ends[1]]):
                    assert len(signed_in) == 1
                if not play.told("replayed"):
                    data = play.data()
                    assert data["count"] == 7
                    assert {"x", "y"} <= set(data)

        visits = [
            [lambda s: s.increment("count"), put("x", 1)],
            [put("y", 1), login("ann")],
            [lambda s: s.increment("count"), rotate],
        ]
        return Scene([play.visit(*acts) for acts in visits], check)

    play_some_orders(scene, 400, seed=5)
    play_some_orders(scene, 400, seed=6, crash=[0, 1, 2])
