"""Cookie-only sessions in every order of two or three requests: what was ended stays ended."""

from collections.abc import Callable, Sequence

import pytest
from session_scene import CODEC, Act, ended, put, sent

from holdfast.codec.seal import Seal
from holdfast.errors import StoreTimeout
from holdfast.events import silent
from holdfast.session import Session
from holdfast.session.carrier import Carrier
from holdfast.session.incookie import InCookie
from holdfast.session.outcome import Outcome
from holdfast.session.policy import times_from
from holdfast.session.sealed import Sealed
from holdfast.session.session import draft_of
from holdfast.session.settings import Settings
from holdfast.signing import KeyRing
from holdfast.testing.interleave import End, Scene, Stage, play_every_order, play_some_orders

RING = KeyRing("Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE")
rotate: Act = Session.rotate
logout: Act = Session.logout


def login(user: str) -> Act:
    return lambda session: session.login(user)


TURNS = {"rotate": rotate, "login": login("ann"), "write": put("b", 2)}


class Cookies:
    """Cookie-only sessions on `stage`, one of which came in several requests.

    Attributes:
        token: What all of them carry; it holds `a`.
        came_alive: Whether the request that did this found it so.
    """

    def __init__(self, stage: Stage, user: str | None = None) -> None:
        self.came_alive: dict[Act, bool] = {}
        settings = Settings(
            times=times_from(600, 3600, touch_every=60, forward_note=60),
            codec=CODEC,
            prefix="",
            clock=stage.clock,
            observer=silent,
            store="stage",
            persistent=lambda: False,
        )
        sealed = Sealed(Seal(RING, "session"), "sid", 4000, settings)
        self._staged = Carrier(sealed, settings, stage.store)
        self._home = InCookie(sealed, settings)
        self._judge = InCookie(sealed, settings, stage.rows)
        session = Session(self._judge, None)
        session["a"] = 1
        if user is not None:
            session.login(user)
        draft = draft_of(session)
        assert draft is not None
        self.token = self._judge.commit(draft, failed=False).token or ""
        self.handle = session.id

    async def visit(self, act: Act) -> Outcome:
        """Be one request with the token."""
        session = Session(self._home, self.token, await self._staged.open(self.token))
        self.came_alive[act] = "a" in session
        act(session)
        draft = draft_of(session)
        assert draft is not None
        return await self._staged.commit(draft, failed=False)

    async def revoke(self, user: str, keep: str | None = None) -> None:
        await self._staged.revoke(user, keep)

    def session(self, token: str) -> Session:
        """Return what `token` opens in the end."""
        return Session(self._judge, token)

    def alive(self, ends: Sequence[End]) -> list[Session]:
        """Return what the tokens that were sent, and the first one, open in the end."""
        found = [self.session(token) for token in [self.token, *sent(ends)]]
        return [session for session in found if "a" in session]


def play(
    visits: Sequence[Act],
    check: Callable[[Cookies, list[End]], None],
    *,
    user: str | None = None,
    orders: int = 0,
) -> None:
    """Play one request for each of `visits` at once, in all or in some orders, with crashes."""

    def scene(stage: Stage) -> Scene:
        cookies = Cookies(stage, user)

        def judge(ends: list[End]) -> None:
            ended(ends)
            check(cookies, ends)

        return Scene([cookies.visit(act) for act in visits], judge)

    crash = range(len(visits))
    if orders:
        play_some_orders(scene, orders, seed=5, crash=crash)
    else:
        assert play_every_order(scene, crash=crash) > 5


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_no_cookie_outlives_a_logout(turn: Act) -> None:
    def check(cookies: Cookies, ends: list[End]) -> None:
        if ends[0].over:
            assert cookies.alive(ends) == []

    play([logout, turn], check)


@pytest.mark.parametrize("turns", [(rotate, rotate), (rotate, login("ann"))])
def test_nor_of_three_requests(turns: tuple[Act, Act]) -> None:
    def check(cookies: Cookies, ends: list[End]) -> None:
        if ends[0].over:
            assert cookies.alive(ends) == []

    play([logout, *turns], check, orders=3000)


def test_of_two_rotations_one_cookie_is_sent() -> None:
    def check(cookies: Cookies, ends: list[End]) -> None:
        assert len(sent(ends)) <= 1
        if not any(end.crashed for end in ends):
            assert len(cookies.alive(ends)) == 1

    play([rotate, rotate], check)


def test_of_two_logins_one_is_good() -> None:
    def check(cookies: Cookies, ends: list[End]) -> None:
        assert len(cookies.alive(ends)) <= 1
        if not any(end.crashed for end in ends):
            assert len(cookies.alive(ends)) == 1

    play([login("ann"), login("bob")], check)


def test_a_login_is_dropped_by_no_rotation() -> None:
    enter = login("ann")

    def check(cookies: Cookies, ends: list[End]) -> None:
        alive = cookies.alive(ends)
        assert len(alive) <= 1
        if not any(end.crashed for end in ends) and cookies.came_alive[enter]:
            assert [session.user for session in alive] == ["ann"]

    play([enter, rotate], check)


def test_the_old_cookie_is_dead_once_there_is_a_new_one() -> None:
    def check(cookies: Cookies, ends: list[End]) -> None:
        if sent([ends[0]]):
            assert "a" not in cookies.session(cookies.token)

    play([rotate, put("b", 2)], check)


@pytest.mark.parametrize("turn", [rotate, put("b", 2)], ids=["rotate", "write"])
def test_no_cookie_outlives_a_revoke(turn: Act) -> None:
    def scene(stage: Stage) -> Scene:
        cookies = Cookies(stage, "ann")

        def check(ends: list[End]) -> None:
            ended(ends)
            if ends[0].over:
                assert cookies.alive(ends) == []

        return Scene([cookies.revoke("ann"), cookies.visit(turn)], check)

    assert play_every_order(scene, crash=[0, 1]) > 3


@pytest.mark.parametrize("kept", [(True, False), (False, True), (True, True)])
def test_who_is_kept_was_kept_each_time(kept: tuple[bool, bool]) -> None:
    """No later epoch brings back who was dead before, and a rotation carries nobody over."""

    def scene(stage: Stage) -> Scene:
        cookies = Cookies(stage, "ann")

        async def twice() -> None:
            for keeps in kept:
                await cookies.revoke("ann", cookies.handle if keeps else None)

        def check(ends: list[End]) -> None:
            ended(ends)
            alive = cookies.alive(ends)
            if kept != (True, True):
                assert alive == []
            elif not sent([ends[1]]):
                assert len(alive) == 1

        return Scene([twice(), cookies.visit(rotate)], check)

    assert play_every_order(scene) > 3


@pytest.mark.parametrize("keeps", [True, False])
def test_of_two_who_revoke_the_others_one_is_left_at_most(keeps: bool) -> None:
    def scene(stage: Stage) -> Scene:
        one, other = Cookies(stage, "ann"), Cookies(stage, "ann")

        def check(ends: list[End]) -> None:
            ended(ends)
            if not any(end.crashed for end in ends):
                assert len(one.alive([]) + other.alive([])) <= keeps

        keep = one.handle if keeps else None
        callers = [one.revoke("ann", keep), other.revoke("ann", other.handle)]
        return Scene(callers, check)

    assert play_every_order(scene, crash=[0, 1]) > 3


@pytest.mark.parametrize("lost", ["request", "reply"])
@pytest.mark.parametrize("act", [rotate, login("ann"), logout])
def test_an_answer_that_was_lost_is_looked_for(lost: str, act: Act) -> None:
    def scene(stage: Stage) -> Scene:
        cookies, left = Cookies(stage), [lost]
        stage.store.lose = lambda operation, _: left.pop() if operation == "swap" and left else ""

        def check(ends: list[End]) -> None:
            ended(ends)
            assert len(cookies.alive(ends)) == (act is not logout)
            assert "a" not in cookies.session(cookies.token)

        return Scene([cookies.visit(act)], check)

    play_every_order(scene)


def test_no_answer_at_all_is_an_error_and_no_cookie() -> None:
    def scene(stage: Stage) -> Scene:
        cookies = Cookies(stage)
        stage.store.lose = lambda operation, _: "request" if operation == "swap" else ""

        def check(ends: list[End]) -> None:
            assert isinstance(ends[0].error, StoreTimeout)
            assert "a" in cookies.session(cookies.token)

        return Scene([cookies.visit(logout)], check)

    play_every_order(scene)
