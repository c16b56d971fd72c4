"""Users and their index: what was ended stays ended, whoever signs in or rotates meanwhile."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from session_scene import BASE, OF_ANN, Act, Play, Step, ended, note_to, put, sent, values

from holdfast.codec.seal import Seal
from holdfast.errors import StoreTimeout, TooManySessions
from holdfast.session import Session
from holdfast.session.data import Record
from holdfast.session.token import id_of, new_token
from holdfast.signing import KeyRing
from holdfast.testing.interleave import End, Scene, Stage, play_every_order, play_some_orders

ONE: Mapping[str, Any] = {"max_sessions": 1}
REFUSE: Mapping[str, Any] = {"max_sessions": 1, "evicts": False}
SEALED = Seal(KeyRing("Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"), "session record")
rotate: Act = Session.rotate


def login(user: str = "ann") -> Act:
    return lambda session: session.login(user)


def login_now(user: str = "ann") -> Act:
    return lambda session: session.aio.login(user)


LOGINS = {"at commit": login(), "at the call": login_now()}


def visit(*acts: Act, token: str | None = None) -> Step:
    """A request with the session all share, or with another token."""
    return lambda play: play.visit(*acts, token=token)


def newcomer(*acts: Act) -> Step:
    """A request of somebody whose token stands for nothing."""
    return lambda play: play.visit(*acts, token=new_token())


def revoke(user: str = "ann", *, keeps: bool = False) -> Step:
    return lambda play: play.home.arevoke(user, id_of(play.token) if keeps else None)


def tokens(play: Play, ends: Sequence[End]) -> list[str]:
    """Return every token that somebody holds."""
    return [play.token, *sent(ends)]


def alive(play: Play, ends: Sequence[End], user: str = "ann") -> list[str]:
    """Return the tokens somebody holds and is `user` with."""
    found = [(token, play.at(token)) for token in tokens(play, ends)]
    return [token for token, at in found if isinstance(at, Record) and at.user == user]


def standing(play: Play, user: str = "ann") -> set[str]:
    """Return the ids that are listed, and not condemned."""
    return {entry.id for entry in play.listed(user) if not entry.dying}


def nobody_hides(play: Play, ends: Sequence[End], *users: str, whole: bool = True) -> None:
    """Check that whoever holds a good token is listed, and out once he is revoked."""
    whole = whole and all(end.over and end.error is None for end in ends)
    for user in users or ("ann",):
        handles = {id_of(token) for token in alive(play, ends, user)}
        listed = standing(play, user) if whole else {one.id for one in play.listed(user)}
        assert handles <= listed
        play.revoke(user)
        assert alive(play, ends, user) == []
        assert play.listed(user) == []


def play_steps(
    steps: Sequence[Step],
    check: Callable[[Play, list[End]], None],
    options: Mapping[str, Any] | None = None,
    *,
    crash: bool = True,
    some: int = 0,
    later: float = 0,
    **record: object,
) -> int:
    """Play requests of different processes in every order, or in `some`, also with a crash."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, options, **record)
        stage.clock.advance(later)
        callers = [step(play.elsewhere()) for step in steps]
        return Scene(callers, lambda ends: check(play, ends), homes=range(len(steps)))

    befallen = range(len(steps)) if crash else ()
    if some:
        play_some_orders(scene, some, seed=3)
        play_some_orders(scene, some, seed=4, crash=befallen)
        return some
    return play_every_order(scene, crash=befallen)


def both_done(ends: Sequence[End]) -> bool:
    return all(end.over for end in ends)


# Two who sign in


@pytest.mark.parametrize("act", LOGINS.values(), ids=LOGINS)
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_of_two_logins_one_stays(act: Act, sealed: bool) -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        assert len(alive(play, ends)) <= 1 or not both_done(ends)
        if both_done(ends):
            assert len(sent(ends)) == 2
            assert len(alive(play, ends)) == 1
            assert len(play.of("ann")) == 1
            assert len(play.records()) == 2  # his, and that of who never signed in
        nobody_hides(play, ends)

    options = {**ONE, "seal": SEALED} if sealed else ONE
    assert play_steps([newcomer(act), newcomer(act)], check, options, crash=not sealed) > 3


def test_of_three_sessions_one_stays_and_nobody_forgets_whom_another_condemned() -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if both_done(ends):
            assert len(alive(play, ends)) == len(play.of("ann")) == 1
        assert len(standing(play)) <= 1
        nobody_hides(play, ends)

    steps = [newcomer(login()), newcomer(login())]
    assert play_steps(steps, check, ONE, later=10, reserved=OF_ANN) > 50


@pytest.mark.parametrize("act", LOGINS.values(), ids=LOGINS)
def test_of_two_logins_one_is_refused_and_never_both(act: Act) -> None:
    def check(play: Play, ends: list[End]) -> None:
        refused = [end for end in ends if end.error is not None]
        assert all(isinstance(end.error, TooManySessions) for end in refused)
        if both_done(ends):
            assert len(refused) == 1
            assert len(alive(play, ends)) == 1
            assert len([record for record in play.records() if record.user == "ann"]) == 1
        assert len(alive(play, ends)) <= 1
        nobody_hides(play, [*ends])

    assert play_steps([newcomer(act), newcomer(act)], check, REFUSE) > 20


@pytest.mark.parametrize("act", LOGINS.values(), ids=LOGINS)
def test_a_new_login_ends_the_oldest_whatever_that_does_meanwhile(act: Act) -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if both_done(ends):
            assert alive(play, ends) == sent(ends[:1])
            assert len([record for record in play.records() if record.user == "ann"]) == 1
        assert len(standing(play)) <= 1  # who was condemned stays so
        nobody_hides(play, ends)

    for own in ([put("x", 1)], [rotate], [put("x", 1), rotate]):
        play_steps([newcomer(act), visit(*own)], check, ONE, reserved=OF_ANN)


def test_the_oldest_who_signs_in_anew_meanwhile_is_a_new_one() -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if both_done(ends):
            assert len(alive(play, ends)) == 1
            assert len(play.of("ann")) == 1
        nobody_hides(play, ends)

    for act in LOGINS.values():
        play_steps([newcomer(login()), visit(act)], check, ONE, later=10, reserved=OF_ANN)


@pytest.mark.parametrize("act", LOGINS.values(), ids=LOGINS)
def test_who_signs_in_twice_in_one_session_is_not_evicted_by_himself(act: Act) -> None:
    """His two tabs: while one rotates, the index lists the session under an id it has no more."""

    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if both_done(ends):
            assert len(play.records()) == 1
            assert len(alive(play, ends)) == 1
            assert len(play.of("ann")) == 1
        nobody_hides(play, ends)

    for other in (rotate, login()):
        play_steps([visit(act), visit(other)], check, ONE, reserved=OF_ANN)


def test_a_refused_login_takes_nothing_from_who_went_on_with_the_session() -> None:
    """Ann is refused in one tab, while bob signs in in the other."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, REFUSE)
        play.store({}, reserved=OF_ANN)
        callers = [play.elsewhere().visit(login(user)) for user in ("ann", "bob")]

        def check(ends: list[End]) -> None:
            assert isinstance(ends[0].error, TooManySessions | None)
            for token in sent(ends[1:]):
                record = play.at(token)
                assert not isinstance(record, Record) or record.user == "bob"
            if both_done(ends):
                assert len([one for one in play.records() if one.user == "ann"]) == 1
            nobody_hides(play, ends, "ann", "bob")

        return Scene(callers, check, homes=[0, 1])

    assert play_every_order(scene, crash=[0, 1]) > 20


def test_who_makes_way_for_another_makes_room() -> None:
    def steps(play: Play) -> Coroutine[object, None, object]:
        async def run() -> None:
            await play.visit(login("bob"))
            await play.visit(login("ann"), token=new_token())

        return run()

    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        assert len(play.of("ann")) == len(play.of("bob")) == 1

    play_steps([steps], check, REFUSE, crash=False, reserved=OF_ANN)


def test_who_signs_in_again_is_listed_once() -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        assert [entry.id for entry in play.listed("ann")] == [id_of(sent(ends)[0])]

    for act in LOGINS.values():
        play_steps([visit(act)], check, crash=False, reserved=OF_ANN)


def test_a_token_is_sent_only_while_it_is_good() -> None:
    """Signed in at the call, and while he writes a second tab does so, too."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        good: list[bool] = []

        async def visitor() -> None:
            here = play.elsewhere()
            session = await here.load()
            await session.aio.login("ann")
            session["x"] = 1
            outcome = await here.commit(session)
            good.append(outcome.token is None or isinstance(play.at(outcome.token), Record))

        def check(ends: list[End]) -> None:
            ended(ends)
            assert good in ([], [True])

        return Scene([visitor(), play.elsewhere().visit(login())], check, homes=[0, 1])

    assert play_every_order(scene) > 5


# Revoked meanwhile


@pytest.mark.parametrize("act", LOGINS.values(), ids=LOGINS)
def test_a_login_while_the_others_are_revoked(act: Act) -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if both_done(ends):
            assert play.at(play.token) is None  # it was there before
            assert len(alive(play, ends)) == len(play.of("ann")) <= 1
            assert len(play.records()) <= 1
            steps = [who for who, _ in play.stage.log]
            if steps[-1] == 1:  # he was in before revoke was done: so he is out
                assert alive(play, ends) == []
        nobody_hides(play, ends)

    assert play_steps([newcomer(act), revoke()], check, reserved=OF_ANN) > 20


ROTATIONS: dict[str, list[Act]] = {
    "rotate": [rotate],
    "write and rotate": [put("x", 1), rotate],
    "write": [put("x", 1)],
    "logout": [Session.logout],
}


@pytest.mark.parametrize("acts", ROTATIONS.values(), ids=ROTATIONS)
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_nothing_that_was_revoked_lives(acts: list[Act], sealed: bool) -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if ends[1].over:
            assert alive(play, ends) == []
            assert play.of("ann") == []
        if both_done(ends):
            assert [record for record in play.records() if record.user == "ann"] == []
            assert play.listed("ann") == []
        nobody_hides(play, ends)

    options = {"seal": SEALED} if sealed else None
    assert play_steps([visit(*acts), revoke()], check, options, reserved=OF_ANN) > 5


def test_a_rotation_that_takes_longer_than_its_note_stands_is_ended() -> None:
    """Nothing leads from the id that was revoked to the one that is not listed yet."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, reserved=OF_ANN)

        async def late() -> None:
            await stage.pause("waits")
            stage.clock.advance(61)
            await play.elsewhere().home.arevoke("ann", None)

        def check(ends: list[End]) -> None:
            ended(ends)
            if both_done(ends):
                assert [record for record in play.records() if record.user == "ann"] == []

        return Scene([play.elsewhere().visit(rotate), late()], check, homes=[0, 1])

    play_every_order(scene)


def test_a_session_that_is_kept_lives_though_it_rotates_meanwhile() -> None:
    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if ends[0].over:
            assert len(sent(ends)) == 1
            assert alive(play, ends) == sent(ends)
        if both_done(ends):
            assert len(play.of("ann")) == 1
            assert len(play.records()) == 1
        nobody_hides(play, ends)

    def twice(play: Play) -> Coroutine[object, None, object]:
        play.store({}, reserved=OF_ANN)
        return play.visit(rotate)

    assert play_steps([twice, revoke(keeps=True)], check, reserved=OF_ANN) > 20


def test_a_session_that_is_kept_and_listed_twice_lives() -> None:
    """Two rotations at once: one was listed after the other went on from it."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, reserved=OF_ANN)
        now = play.store(BASE, reserved=OF_ANN)
        play.put(play.token, note_to(now))

        def check(ends: list[End]) -> None:
            ended(ends)
            assert isinstance(play.at(now), Record)
            assert [info.id for info in play.of("ann")] == [id_of(now)]

        return Scene([play.home.arevoke("ann", id_of(now))], check)

    play_every_order(scene)


@pytest.mark.slow
def test_two_who_revoke_and_keep_themselves() -> None:
    """Each ends the other, or one of them does: never is one alive whom the other ended."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, reserved=OF_ANN)
        other = play.store(BASE, reserved=OF_ANN)
        kept = [id_of(play.token), id_of(other)]
        callers = [play.elsewhere().home.arevoke("ann", each) for each in kept]

        def check(ends: list[End]) -> None:
            ended(ends)
            held = [play.at(token) is not None for token in (play.token, other)]
            if both_done(ends):
                assert sum(end.value for end in ends) >= 1  # type: ignore[misc]
                assert held != [True, True]
                assert {entry.id for entry in play.listed("ann")} == {
                    handle for handle, there in zip(kept, held, strict=True) if there
                }
            nobody_hides(play, [*ends])

        return Scene(callers, check, homes=[0, 1])

    assert play_every_order(scene) > 20


def test_the_next_user_of_a_session_is_spared() -> None:
    """Bob signs in where ann was, while all of hers are revoked."""

    def check(play: Play, ends: list[End]) -> None:
        ended(ends)
        if ends[1].over:
            assert alive(play, ends, "ann") == []
        if both_done(ends):
            for token in sent(ends):
                record = play.at(token)
                assert isinstance(record, Record)
                assert record.user == "bob"
                assert "old" not in values(record)
            assert len(sent(ends)) + play.told("conflict_dropped") == 1  # hers ended under his feet
            assert play.listed("ann") == []
            assert len(play.of("bob")) == len(sent(ends))
        nobody_hides(play, ends, "ann", "bob")

    for act in (login("bob"), login_now("bob")):
        play_steps([visit(put("x", 1), act), revoke()], check, reserved=OF_ANN)


async def enters_or_goes_on(session: Session) -> None:
    with suppress(StoreTimeout):
        await session.aio.login("ann")
    session["x"] = 1


LOST: dict[str, Step] = {
    "login at the call, caught": newcomer(enters_or_goes_on),
    "login at the call again, caught": visit(enters_or_goes_on),
    "login": newcomer(login()),
    "login at the call": newcomer(login_now()),
    "rotate": visit(put("x", 1), rotate),
    "login as another": visit(login("bob")),
    "revoke": revoke(),
}


@pytest.mark.parametrize("step", LOST.values(), ids=LOST)
@pytest.mark.parametrize("what", ["request", "reply"])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for long"])
def test_without_an_answer_nobody_is_signed_in_unlisted(
    step: Step, what: str, lasting: bool
) -> None:
    """One operation, or all from one on, get no answer: it was done, or it is an error."""
    done = 0
    for number in range(1, 16):
        done += without_an_answer(step, what, number, lasting=lasting)
    assert done > (0 if lasting and what == "request" else 1)


def without_an_answer(step: Step, what: str, number: int, *, lasting: bool) -> bool:
    """Play `step` with these losses; return whether it failed nobody."""
    fine: list[bool] = []

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, {"max_sessions": 1}, reserved=OF_ANN)
        stage.clock.advance(10)
        count = 0
        lost: list[str] = []

        def losing(operation: str, key: str) -> str:
            nonlocal count
            count += 1
            if count != number and not (lasting and count > number):
                return ""
            lost.append(f"{operation} {key[:2]}")
            return what

        stage.store.lose = losing

        def check(ends: list[End]) -> None:
            (end,) = ends
            assert isinstance(end.error, StoreTimeout | None)
            fine.append(end.error is None)
            if lost in (["swap s:"], ["swap u:"]):
                assert end.error is None
            if end.error is None and step is LOST["revoke"]:
                assert play.at(play.token) is None
            nobody_hides(play, ends, "ann", "bob", whole=False)

        return Scene([step(play)], check)

    play_every_order(scene)
    return fine[0]


def test_three_at_once() -> None:
    """A login, a rotation and a revoke; a login as another, a write and a revoke."""

    def check(play: Play, ends: list[End]) -> None:
        assert all(isinstance(end.error, TooManySessions | None) for end in ends)
        for user in ("ann", "bob"):
            listed = {info.id for info in play.of(user)}
            assert {id_of(token) for token in alive(play, ends, user)} <= listed or not all(
                end.over for end in ends
            )
        nobody_hides(play, ends, "ann", "bob")

    scenes: list[list[Step]] = [
        [newcomer(login()), visit(put("x", 1), rotate), revoke()],
        [visit(login("bob")), visit(put("x", 1)), revoke()],
        [visit(login("bob")), visit(rotate), revoke()],
        [visit(Session.logout), visit(rotate), revoke()],
        [newcomer(login_now()), newcomer(login_now()), visit(rotate)],
        [visit(login_now()), visit(login_now()), visit(rotate)],
    ]
    for options in (ONE, REFUSE):
        for steps in scenes:
            play_steps(steps, check, options, some=150, reserved=OF_ANN)
