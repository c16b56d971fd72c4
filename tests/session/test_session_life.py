"""How long a session lives: security items 13 to 15, and when mere reading writes."""

from collections.abc import Mapping

import pytest
from counting import CountingStore

from holdfast.errors import ConfigError
from holdfast.session import Outcome, Session, Sessions
from holdfast.testing.clock import ManualClock

IDLE, LIFETIME, TOUCH = 1800, 12 * 3600, 60
Events = list[tuple[str, Mapping[str, object]]]


def start(sessions: Sessions) -> str:
    session = sessions.load(None)
    session["a"] = 1
    token = sessions.commit(session).token
    assert token is not None
    return token


def read(sessions: Sessions, token: str) -> tuple[bool, str]:
    """Look at the session; return whether it is alive, and the token the client has then."""
    session = sessions.load(token)
    alive = "a" in session
    return alive, sessions.commit(session).token or token


@pytest.mark.parametrize(("after", "alive"), [(IDLE + TOUCH - 1, True), (IDLE + TOUCH, False)])
def test_13_over_when_it_was_not_used(
    either: Sessions, clock: ManualClock, after: float, alive: bool, events: Events
) -> None:
    token = start(either)
    clock.advance(after)
    assert read(either, token)[0] is alive
    told = [event for event, _ in events]
    assert ("session.expired" in told) is (not alive and either.store is None)


def test_13_never_out_before_the_idle_timeout(either: Sessions, clock: ManualClock) -> None:
    """`seen` lags behind; whoever comes within the timeout after a use is still in."""
    token = start(either)
    for _ in range(5):
        clock.advance(TOUCH - 1)
        alive, token = read(either, token)
        assert alive
        clock.advance(IDLE - 1)
        alive, token = read(either, token)
        assert alive


def test_13_our_clock_counts_even_if_the_store_keeps_it(
    sessions: Sessions, clock: ManualClock, store: CountingStore, events: Events
) -> None:
    token = start(sessions)
    (key,) = store.keys()
    raw = store.get(key)
    assert raw is not None
    store.put(key, raw)  # for ever
    clock.advance(IDLE + TOUCH)
    assert read(sessions, token)[0] is False
    assert events[0][0] == "session.expired"
    assert store.keys() == []


def test_14_nothing_moves_the_end_of_a_lifetime(either: Sessions, clock: ManualClock) -> None:
    token = start(either)
    end = clock() + LIFETIME
    while clock() < end - 1200:
        clock.advance(1200)
        session = either.load(token)
        assert session["a"] == 1
        session["n"] = clock()
        session.rotate()
        token = either.commit(session).token or token
        assert session.expires <= end
    clock.now = end - 1
    assert read(either, token)[0] is True
    clock.now = end
    assert read(either, token)[0] is False


def test_14_a_login_is_a_birth(either: Sessions, clock: ManualClock) -> None:
    token = start(either)
    clock.advance(600)
    session = either.load(token)
    session.login("ann")
    token = either.commit(session).token or token
    assert either.load(token).created == clock()


def test_15_the_store_is_told_how_long_to_keep_it(store: CountingStore, clock: ManualClock) -> None:
    sessions = Sessions(store, clock=clock, idle_timeout=100, lifetime=150, touch_every=10)
    token = start(sessions)
    clock.advance(80)
    session = sessions.load(token)
    session["b"] = 2
    sessions.commit(session)
    assert store.ttls == [110, 70]
    clock.advance(70)
    assert store.keys() == []


def test_reading_writes_once_a_minute_at_most(
    sessions: Sessions, clock: ManualClock, store: CountingStore
) -> None:
    token = start(sessions)
    store.calls.clear()
    for _ in range(10):
        clock.advance(30)
        read(sessions, token)
    assert store.calls == {"get": 10, "swap": 5}


def test_touch_every_is_a_tenth_of_the_idle_timeout_at_most(
    store: CountingStore, clock: ManualClock
) -> None:
    sessions = Sessions(store, clock=clock, idle_timeout=100, touch_every=60)
    token = start(sessions)
    clock.advance(10)
    session = sessions.load(token)
    session.get("a")
    sessions.commit(session)
    assert session.seen == clock()


def test_every_write_moves_seen(sessions: Sessions, clock: ManualClock) -> None:
    token = start(sessions)
    clock.advance(5)
    session = sessions.load(token)
    session["b"] = 2
    sessions.commit(session)
    assert sessions.load(token).seen == clock()
    assert sessions.load(token).created == clock() - 5
    assert sessions.load(token).expires == clock() + IDLE


def test_a_browser_that_closes_forgets_it_unless_it_is_persistent(
    store: CountingStore, clock: ManualClock
) -> None:
    class Persistent:
        bound_name = "__Host-sid"
        room = 4000
        persistent = True

    sessions = Sessions(store, clock=clock, transport=Persistent())
    session = sessions.load(None)
    session["a"] = 1
    outcome = sessions.commit(session)
    assert outcome == Outcome(outcome.token, LIFETIME, expire=False)


def test_an_old_token_leads_to_a_new_session(sessions: Sessions, clock: ManualClock) -> None:
    token = start(sessions)
    clock.advance(IDLE * 2)
    session = sessions.load(token)
    assert session.is_new
    session["b"] = 1
    new = sessions.commit(session).token
    assert new not in (None, token)


@pytest.mark.parametrize(
    "options",
    [
        {"idle_timeout": 0},
        {"idle_timeout": "soon"},
        {"lifetime": -1},
        {"forward_note": 0},
        {"prefix": "a b"},
        {"codec": "pickle"},
    ],
)
def test_a_wrong_option_is_said_at_start(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Sessions("memory://", **options)  # type: ignore[arg-type]


def test_a_wrong_store_is_said_at_start() -> None:
    with pytest.raises(ConfigError):
        Sessions("nowhere://")


def test_keys_are_what_is_documented(store: CountingStore, clock: ManualClock) -> None:
    sessions = Sessions(store, clock=clock, prefix="shop")
    session = sessions.load(start(sessions))
    assert store.keys() == [f"shop:s:{session.id}"]


def test_sweep_removes_what_expired(sessions: Sessions, clock: ManualClock) -> None:
    for _ in range(3):
        start(sessions)
    clock.advance(LIFETIME)
    start(sessions)
    assert sessions.sweep() == 3
    assert Sessions.in_cookie("Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE").sweep() == 0


def test_destroy_by_handle(sessions: Sessions, clock: ManualClock) -> None:
    del clock
    token = start(sessions)
    handle = sessions.load(token).id
    assert sessions.destroy(handle) is True
    assert sessions.destroy(handle) is False
    assert sessions.destroy(token) is False
    assert sessions.load(token).is_new


def test_nobody_reaches_a_cookie(in_cookie: Sessions) -> None:
    handle = in_cookie.load(start(in_cookie)).id
    with pytest.raises(ConfigError, match="lives at its client"):
        in_cookie.destroy(handle)


def test_a_session_knows_how_fresh_its_login_is(either: Sessions, clock: ManualClock) -> None:
    session: Session = either.load(start(either))
    assert not session.fresh_for(10)
    session.login("ann")
    assert session.fresh_for(10)
    token = either.commit(session).token
    clock.advance(9)
    assert either.load(token).fresh_for(10)
    clock.advance(1)
    assert not either.load(token).fresh_for(10)
