"""Cookie-only sessions with a store that knows which were ended: a logout that holds."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from counting import CountingStore
from faces import Faces

from holdfast.errors import ConfigError, SessionError, StoreUnavailable
from holdfast.session import Outcome, Sessions
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock

SECRET = "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"
NOTHING = Outcome(None, None, expire=False)
GONE = Outcome(None, None, expire=True)
DAY = 24 * 3600
Events = list[tuple[str, Mapping[str, object]]]


class Rows(CountingStore):
    """Counts what asks for many as one."""

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        self._count("get_many")
        found = {key: MemoryStore.get(self, key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}


@pytest.fixture
def store(clock: ManualClock) -> Rows:
    return Rows(clock)


@pytest.fixture
def guarded(store: CountingStore, clock: ManualClock, events: Events) -> Sessions:
    return Sessions.in_cookie(
        SECRET,
        revocations=store,
        clock=clock,
        prefix="shop",
        observer=lambda event, fields: events.append((event, fields)),
    )


@pytest.fixture(params=["thread", "loop"])
def face(request: pytest.FixtureRequest, guarded: Sessions) -> Faces:
    return Faces(guarded, loop=request.param == "loop")


def test_39_a_logout_holds_whoever_has_copied_the_cookie(
    face: Faces, store: CountingStore, events: Events
) -> None:
    token = face.new()
    session = face.load(token)
    handle = session.id
    session.logout()
    assert face.commit(session) == GONE
    assert store.keys() == [f"shop:x:{handle}"]
    assert not face.lives(token)
    assert ("session.replayed", {"handle": handle}) in events


def test_39_a_logout_is_remembered_as_long_as_its_cookies_last(
    face: Faces, store: CountingStore, clock: ManualClock
) -> None:
    clock.advance(3600)
    session = face.load(face.new())
    session.destroy()
    clock.advance(600)
    face.commit(session)
    assert store.ttls == [12 * 3600 - 600 + 120]


def test_39_a_cookie_a_slow_request_sends_after_the_logout_is_dead(face: Faces) -> None:
    token = face.new()
    slow, session = face.load(token), face.load(token)
    slow["a"] = 2
    session.logout()
    face.commit(session)
    assert not face.lives(face.sent(slow))


@pytest.mark.parametrize("renew", ["rotate", "login"])
def test_8_the_old_cookie_is_dead_once_there_is_a_new_one(face: Faces, renew: str) -> None:
    token = face.new()
    session = face.load(token)
    session.rotate() if renew == "rotate" else session.login("ann")
    fresh = face.sent(session)
    assert face.load(fresh)["a"] == 1
    session = face.load(token)
    assert session.is_new
    session["a"] = "mine"
    assert face.commit(session) == NOTHING  # or it would overwrite the cookie just sent
    assert face.lives(fresh)


@pytest.mark.parametrize("renew", ["rotate", "login"])
def test_11_no_rotation_undoes_a_logout_at_the_same_moment(face: Faces, renew: str) -> None:
    token = face.new()
    renewing, leaving = face.load(token), face.load(token)
    renewing.rotate() if renew == "rotate" else renewing.login("ann")
    leaving.logout()
    face.commit(leaving)
    assert face.commit(renewing) == NOTHING


@pytest.mark.parametrize("renew", ["rotate", "login"])
def test_11_a_logout_ends_what_the_session_has_become(face: Faces, renew: str) -> None:
    token = face.new()
    renewing, leaving = face.load(token), face.load(token)
    renewing.rotate() if renew == "rotate" else renewing.login("ann")
    fresh = face.sent(renewing)
    leaving.logout()
    assert face.commit(leaving) == GONE
    assert not face.lives(fresh)


def test_a_logout_with_the_old_cookie_counts_too(face: Faces) -> None:
    token = face.new()
    fresh = face.signed_in(token=token)
    session = face.load(token)
    session.logout()
    assert face.commit(session) == GONE
    assert not face.lives(fresh)


def test_of_two_rotations_one_is_sent(face: Faces) -> None:
    token = face.new()
    one, other = face.load(token), face.load(token)
    one.rotate()
    other.rotate()
    fresh = face.sent(one)
    assert face.commit(other) == NOTHING
    assert face.lives(fresh)


def test_a_login_takes_over_what_another_request_rotated(face: Faces) -> None:
    token = face.new()
    rotating, entering = face.load(token), face.load(token)
    rotating.rotate()
    entering.login("ann")
    rotated, entered = face.sent(rotating), face.sent(entering)
    assert not face.lives(rotated)
    assert face.load(entered).user == "ann"


def test_destroying_from_outside(face: Faces, store: CountingStore) -> None:
    token = face.new()
    handle = face.load(token).id
    assert face.destroy(handle)
    assert not face.lives(token)
    assert store.ttls == [400 * DAY + 120]  # nobody knows how long it was to live
    assert not face.destroy("no handle")


def test_47_revoking_ends_all_sessions_of_a_user(face: Faces) -> None:
    tokens = [face.signed_in(), face.signed_in(), face.signed_in()]
    other, nobody = face.signed_in("bob"), face.new()
    face.revoke("ann")
    assert [face.lives(token) for token in tokens] == [False, False, False]
    assert face.lives(other)
    assert face.lives(nobody)
    again = face.signed_in()
    assert face.lives(again)
    face.revoke("ann")
    assert not face.lives(again)


def test_47_one_may_be_kept(face: Faces, clock: ManualClock) -> None:
    kept, other = face.signed_in(), face.signed_in()
    face.revoke("ann", keep=face.load(kept).id)
    assert face.lives(kept)
    assert not face.lives(other)
    clock.advance(120)
    session = face.load(kept)
    session.rotate()
    fresh = face.sent(session)
    assert face.load(fresh).user == "ann"
    face.revoke("ann", keep=face.load(face.signed_in()).id)
    assert not face.lives(fresh)


def test_47_a_password_is_changed(face: Faces) -> None:
    """What an application does: a new token here, and out with all the others."""
    token, other = face.signed_in(), face.signed_in()
    session = face.load(token)
    session.rotate()
    face.revoke("ann", keep=session.id)
    fresh = face.sent(session)
    assert face.load(fresh).user == "ann"
    assert not face.lives(token)
    assert not face.lives(other)


def test_47_a_login_at_the_moment_of_a_revoke_is_dead_or_later(face: Faces) -> None:
    session = face.load(None)
    session.login("ann")
    before = face.sent(session)
    late = face.load(before)
    assert late.user == "ann"
    face.revoke("ann")
    late.rotate()
    assert face.commit(late) == GONE  # signed in before it, so it is not carried over
    late = face.load(before)
    late.login("ann")
    assert face.lives(face.sent(late))


def test_7_and_its_text_are_two_users(face: Faces) -> None:
    number, text = face.signed_in(7), face.signed_in("7")
    face.revoke(7)
    assert not face.lives(number)
    assert face.lives(text)


def test_an_epoch_outlives_whoever_it_ends(face: Faces, clock: ManualClock) -> None:
    session = face.load(None)
    session.login("ann")
    session.remember(399 * DAY)
    token = face.sent(session)
    face.revoke("ann")
    clock.advance(399 * DAY - 1)
    assert not face.lives(token)


def test_who_signed_in_after_a_revoke_stays_when_its_epoch_is_forgotten(
    store: CountingStore, clock: ManualClock
) -> None:
    guarded = Sessions.in_cookie(
        SECRET, revocations=store, clock=clock, idle_timeout="2d", lifetime="2d"
    )
    face = Faces(guarded, loop=False)
    face.signed_in()
    face.revoke("ann")
    clock.advance(399 * DAY)
    token = face.signed_in()
    clock.advance(1.9 * DAY)
    assert store.keys() == []
    assert face.lives(token)


def test_what_it_costs(face: Faces, store: CountingStore) -> None:
    face.load("garbage")["a"] = 1
    token = face.new()
    assert not store.calls
    session = face.load(token)
    assert session["a"] == 1
    session["a"] = 2
    face.commit(session)
    assert store.calls == {"get_many": 1}
    store.calls.clear()
    token = face.signed_in(token=token)
    assert store.calls == {"get_many": 1, "get": 1, "swap": 1}  # its user's epoch, its old handle
    store.calls.clear()
    assert face.load(token).user == "ann"
    assert store.calls == {"get_many": 1}


def test_54_a_store_that_is_down_is_no_new_session(face: Faces, store: CountingStore) -> None:
    token = face.new()
    leaving = face.load(token)
    assert leaving["a"] == 1
    leaving.logout()
    store.down = True
    with pytest.raises(StoreUnavailable):
        _ = face.load(token)["a"]
    with pytest.raises(StoreUnavailable):
        face.commit(leaving)  # nobody is told that he was signed out
    visitor = face.load(None)
    visitor["a"] = 1
    assert face.commit(visitor).token is not None
    store.down = False
    assert face.commit(leaving) == GONE
    assert not face.lives(token)


@pytest.mark.parametrize("renew", ["rotate", "login"])
def test_54_nor_does_a_token_change_then(face: Faces, store: CountingStore, renew: str) -> None:
    token = face.new()
    session = face.load(token)
    assert session["a"] == 1
    session.rotate() if renew == "rotate" else session.login("ann")
    store.down = True
    with pytest.raises(StoreUnavailable):
        face.commit(session)
    store.down = False
    fresh = face.sent(session)
    assert face.load(fresh)["a"] == 1
    assert not face.lives(token)


def test_54_anonymous_while_the_store_is_down(store: CountingStore, clock: ManualClock) -> None:
    lenient = Sessions.in_cookie(SECRET, revocations=store, clock=clock, on_store_error="anonymous")
    for loop in (False, True):
        face = Faces(lenient, loop=loop)
        token = face.new()
        store.down = True
        session = face.load(token)
        assert dict(session) == {}
        session["a"] = 2
        session.flash("hello")
        assert face.commit(session) == NOTHING
        store.down = False
        assert face.load(token)["a"] == 1


def test_in_a_loop_it_is_loaded_first(guarded: Sessions) -> None:
    token = Faces(guarded, loop=False).new()

    async def main() -> None:
        session = guarded.aio.lazy(token)
        with pytest.raises(SessionError, match="not loaded"):
            _ = session["a"]
        assert (await session.load())["a"] == 1
        visitor = guarded.aio.lazy(None)
        visitor["a"] = 1
        assert (await guarded.aio.commit(visitor)).token is not None

    asyncio.run(main())


def test_both_faces_know_of_it(guarded: Sessions) -> None:
    thread, loop = Faces(guarded, loop=False), Faces(guarded, loop=True)
    token = thread.new()
    session = loop.load(token)
    session.logout()
    loop.commit(session)
    assert not thread.lives(token)


def test_a_store_that_forgets_is_refused() -> None:
    with pytest.raises(ConfigError, match="may forget"):
        Sessions.in_cookie(SECRET, revocations="memcached://localhost:1")


def test_a_session_that_is_remembered_has_another_handle(
    face: Faces, store: CountingStore, clock: ManualClock
) -> None:
    """Else a logout would be forgotten when the shorter life of the old one is over."""
    token = face.new()
    slow, leaving = face.load(token), face.load(token)
    slow.remember("30d")
    leaving.logout()
    fresh = face.commit(slow)
    assert fresh.token is not None
    assert fresh.max_age == 30 * DAY
    face.commit(leaving)
    clock.advance(29 * DAY)
    assert not face.lives(fresh.token)
    assert store.keys() != []


def test_who_is_not_welcome_any_more_is_out_for_good(
    store: CountingStore, clock: ManualClock
) -> None:
    banned = set[str]()
    guarded = Sessions.in_cookie(
        SECRET, revocations=store, clock=clock, check_user=lambda user: user not in banned
    )
    face = Faces(guarded, loop=False)
    token, other = face.signed_in(), face.signed_in("bob")
    banned.add("ann")
    session = face.load(token)
    assert session.user is None
    assert face.commit(session) == GONE
    banned.clear()
    assert not face.lives(token)
    assert face.lives(other)


def test_is_alive(face: Faces) -> None:
    """What a websocket asks now and then."""
    token = face.signed_in()
    session = face.load(token)
    assert session.user == "ann"
    assert face.is_alive(session)
    face.revoke("ann")
    assert not face.is_alive(session)


def test_without_a_store_nobody_is_revoked(in_cookie: Sessions) -> None:
    for loop in (False, True):
        face = Faces(in_cookie, loop=loop)
        token = face.signed_in()
        with pytest.raises(ConfigError, match="revocations"):
            face.revoke("ann")
        with pytest.raises(ConfigError, match="revocations"):
            face.destroy(face.load(token).id)


def test_nobody_can_list_them(guarded: Sessions) -> None:
    with pytest.raises(ConfigError, match="cookie"):
        guarded.of("ann")
    with pytest.raises(ConfigError, match="cookie"):
        asyncio.run(guarded.aio.of("ann"))


def test_a_failed_request_may_still_sign_out(face: Faces) -> None:
    token = face.new()
    session = face.load(token)
    session.logout()
    assert face.commit(session, failed=True) == GONE
    assert not face.lives(token)


def test_a_session_that_is_too_large_leaves_the_old_one(face: Faces) -> None:
    token = face.new()
    session = face.load(token)
    session["a"] = "a" * 5000
    session.rotate()
    with pytest.raises(SessionError):
        face.commit(session)
    assert face.lives(token)


def test_40_nothing_in_the_store_is_good_for_anything(face: Faces, store: CountingStore) -> None:
    token = face.signed_in("ann")
    session = face.load(token)
    session["card"] = "4111"
    session.rotate()
    face.sent(session)
    face.revoke("ann")
    keys = store.keys()
    rows = "".join(f"{key}{store.get(key)!r}" for key in keys)
    assert "ann" not in rows
    assert "4111" not in rows
    for key in keys:
        assert not face.lives(key.rpartition(":")[2])
        assert not face.lives((store.get(key) or b"").decode("latin-1"))


def test_rows_that_are_over_are_swept(
    guarded: Sessions, store: CountingStore, clock: ManualClock
) -> None:
    face = Faces(guarded, loop=False)
    face.signed_in(token=face.new())
    assert guarded.revocations is store
    assert guarded.sweep() == 0
    clock.advance(13 * 3600)
    assert guarded.sweep() == 1
