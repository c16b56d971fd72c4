"""Sessions that are used as nobody should: huge ones, thousands of one user, copies, enums."""

import asyncio
import copy
import pickle
from collections.abc import Callable, Sequence
from enum import Enum, IntEnum
from typing import Any

import pytest
from conftest import Make
from counting import CountingStore
from faces import Faces

from holdfast import Session, Sessions
from holdfast.bridge import drive
from holdfast.errors import SessionError, StoreUnavailable
from holdfast.session.session import draft_of
from holdfast.testing.clock import ManualClock


class Role(str, Enum):  # noqa: UP042 - whose text is not its value
    """A user."""

    ROOT = "root"


class Number(IntEnum):
    """A user."""

    SEVEN = 7


class AskedStore(CountingStore):
    """Attributes: `asked`, for how many keys at once."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.asked: list[int] = []

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        self.asked.append(len(keys))
        return super().get_many(keys)


def test_a_user_of_a_thousand_sessions_signs_in_as_fast_as_others(clock: ManualClock) -> None:
    store = AskedStore(clock)
    sessions = Sessions(store, clock=clock)
    for _ in range(300):
        session = sessions.load(None)
        session.login("program")
        sessions.commit(session)
    assert max(store.asked) <= 16
    assert len(sessions.of("program")) == 300
    clock.advance(3600)
    for _ in range(300):
        session = sessions.load(None)
        session.login("program")
        sessions.commit(session)
    store.asked.clear()
    assert len(sessions.of("program")) == 300
    assert store.asked == [pytest.approx(300, rel=0.5)]  # hardly any of those that are gone


def test_thousands_of_names_are_deleted_one_by_one(sessions: Sessions) -> None:
    session = sessions.load(None)
    session.update({f"n{number}": number for number in range(2000)})
    token = sessions.commit(session).token
    session, other = sessions.load(token), sessions.load(token)
    assert len(session) == len(other) == 2000
    names, copies = list(session), set[int]()
    for name in names:
        del session[name]
        copies.add(id(getattr(draft_of(session), "encoded")))  # noqa: B009 - it is there
    assert len(copies) == 1  # one for all, not one for each
    assert list(other) == names
    assert other["n7"] == 7
    sessions.commit(session)
    assert not sessions.load(token)


@pytest.mark.parametrize(
    "of", [copy.copy, copy.deepcopy, pickle.dumps], ids=["copy", "deepcopy", "pickle"]
)
@pytest.mark.parametrize("token", [None, "loaded"])
def test_a_session_is_not_copied(
    either: Sessions, of: Callable[[Session], object], token: str | None
) -> None:
    session = either.load(None)
    session["a"] = [1]
    if token:
        session = either.load(either.commit(session).token)
        assert session["a"] == [1]
    with pytest.raises(TypeError, match=r"dict\(session\)"):
        of(session)
    assert copy.deepcopy(dict(session)) == session == {"a": [1]}


@pytest.mark.parametrize(("user", "stored"), [(Role.ROOT, "root"), (Number.SEVEN, 7)])
def test_a_user_out_of_an_enum_is_its_value(make: Make, user: Any, stored: str | int) -> None:
    faces = make()
    token = faces.signed_in(user)
    assert faces.load(token).user == stored
    assert len(faces.of(user)) == len(faces.of(stored)) == 1
    session = faces.load(token)
    session.rotate()
    token = faces.sent(session)
    assert faces.alive(token) == [True]
    assert faces.revoke(stored) == 1
    assert faces.alive(token) == [False]


def test_who_holds_a_lock_does_not_wait_for_himself(make: Make) -> None:
    faces = make()
    session = faces.load(faces.new(n=0))

    def lock_again() -> None:
        if faces.loop:
            drive(session.aio.lock(1000).__aenter__())
        else:
            faces.locked(session, list)

    def again() -> None:
        with pytest.raises(SessionError, match="this request holds it"):
            lock_again()
        session["n"] += 1

    faces.locked(session, again)
    faces.locked(session, lambda: session.increment("n"))  # one after the other is fine
    assert session["n"] == 2


def test_under_a_lock_nothing_is_told_to_who_knows_the_old_token(make: Make) -> None:
    for verb in ("login", "rotate"):
        faces = make()
        planted = faces.new(cart=1)
        session = faces.load(planted)
        session.login("ann") if verb == "login" else session.rotate()
        session["mail"] = "ann@example.org"
        seen: list[Session] = []
        faces.locked(session, lambda: seen.append(faces.sessions.load(planted)))  # noqa: B023
        assert "mail" not in seen[0]
        assert seen[0].is_new
        token = faces.sent(session)
        assert faces.load(token)["mail"] == "ann@example.org"
        assert faces.alive(planted) == [False]


def test_a_login_that_failed_at_the_call_is_none(make: Make, store: CountingStore) -> None:
    faces = make(max_sessions=3)
    token = faces.signed_in("bob")
    session = faces.load(token)
    session["cart"] = 1
    faces.commit(session)
    session = faces.load(token)
    assert session.user == "bob"
    store.down = True
    with pytest.raises(StoreUnavailable):
        faces.login(session, "ann")
    store.down = False
    assert session.user == "bob"
    assert session["cart"] == 1
    assert faces.commit(session).token is None
    assert faces.load(token)["cart"] == 1
    assert faces.of("ann") == []


def popped(faces: Faces, session: Session) -> list[object]:
    return asyncio.run(session.aio.pop_flash()) if faces.loop else session.pop_flash()


@pytest.mark.parametrize("how", ["pop_flash", "lock"])
def test_who_came_with_a_token_that_others_rotated_gets_none(make: Make, how: str) -> None:
    faces = make()
    session = faces.load(None)
    session.flash("hi")
    session["n"] = 0
    token = faces.sent(session)
    late, other = faces.load(token), faces.load(token)
    assert late["n"] == other["n"] == 0
    other.rotate()
    fresh = faces.sent(other)
    if how == "lock":
        faces.locked(late, lambda: late.increment("n"))
    else:
        late.increment("n")
        assert popped(faces, late) == ["hi"]
    late.rotate()
    assert faces.commit(late).token is None
    assert faces.load(fresh)["n"] == 1
    assert faces.alive(token, fresh) == [False, True]
