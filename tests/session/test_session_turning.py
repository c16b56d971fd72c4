"""Tokens that change by time, sessions that are remembered, and levels of assurance."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from counting import CountingStore
from faces import Faces

from holdfast import Cookie
from holdfast.errors import ConfigError, SessionCommitted
from holdfast.session import Outcome, Sessions
from holdfast.testing.clock import ManualClock

Events = list[tuple[str, Mapping[str, object]]]
Make = Callable[..., Faces]
NOTHING = Outcome(None, None, expire=False)
DAY = 24 * 3600


# rotate_every


def test_a_token_that_is_old_enough_is_replaced(make: Make, clock: ManualClock) -> None:
    faces = make(rotate_every="10m", idle_timeout="30m")
    token = faces.new(a=1)
    clock.advance(599)
    session = faces.load(token)
    assert session["a"] == 1
    assert faces.commit(session).token is None
    clock.advance(1)
    session = faces.load(token)
    assert session["a"] == 1  # mere reading
    new = faces.sent(session)
    assert dict(faces.load(new)) == {"a": 1}
    clock.advance(599)
    session = faces.load(new)
    session["b"] = 2
    assert faces.commit(session).token is None
    clock.advance(1)
    session = faces.load(new)
    session["c"] = 3
    assert dict(faces.load(faces.sent(session))) == {"a": 1, "b": 2, "c": 3}


def test_14_it_moves_neither_lifetime(make: Make, clock: ManualClock) -> None:
    faces = make(rotate_every=60, idle_timeout="30m", lifetime="1h")
    token = faces.new()
    for _ in range(59):
        clock.advance(60)
        session = faces.load(token)
        assert "a" in session
        token = faces.sent(session)
    clock.advance(60)
    assert faces.alive(token) == [False]


def test_9_in_its_grace_the_old_token_reads_and_does_not_write(
    make: Make, clock: ManualClock, events: Events
) -> None:
    faces = make(rotate_every=600, rotate_grace=15)
    old = faces.new(a=1)
    clock.advance(600)
    session = faces.load(old)
    session["b"] = 2
    new = faces.sent(session)
    clock.advance(14)
    late = faces.load(old)
    assert dict(late) == {"a": 1, "b": 2}
    late["c"] = 3
    late.flash("lost")
    late.remember("30d")
    late.rotate()
    assert faces.commit(late) == NOTHING
    assert dict(faces.load(new)) == {"a": 1, "b": 2}
    assert ("session.conflict_dropped", {"handle": late.id, "reason": "grace"}) in events
    clock.advance(1)
    assert faces.alive(old, new) == [False, True]
    assert events[-1][0] == "session.replayed"


def test_9_a_logout_with_the_old_token_counts(make: Make, clock: ManualClock) -> None:
    faces = make(rotate_every=600)
    old = faces.new()
    clock.advance(600)
    session = faces.load(old)
    assert "a" in session
    new = faces.sent(session)
    leaving = faces.load(old)
    leaving.logout()
    assert faces.commit(leaving).expire
    assert faces.alive(old, new) == [False, False]


def test_9_messages_are_not_taken_with_the_old_token(make: Make, clock: ManualClock) -> None:
    faces = make(rotate_every=600)
    session = faces.load(None)
    session.flash("hello")
    old = faces.sent(session)
    clock.advance(600)
    session = faces.load(old)
    assert session.peek_flash() == ["hello"]
    new = faces.sent(session)
    late = faces.load(old)
    assert late.pop_flash() == []
    faces.commit(late)
    assert faces.load(new).peek_flash() == ["hello"]


def test_9_the_grace_of_a_rotation_by_hand_or_login_is_none(make: Make) -> None:
    faces = make(rotate_every=600)
    old = faces.new()
    session = faces.load(old)
    session.rotate()
    token = faces.sent(session)
    assert faces.alive(old, token) == [False, True]
    assert faces.alive(token, faces.signed_in("ann", token)) == [False, True]


def test_9_two_requests_that_are_both_due_keep_one_session(make: Make, clock: ManualClock) -> None:
    faces = make(rotate_every=600)
    token = faces.new()
    clock.advance(600)
    one, two = faces.load(token), faces.load(token)
    one["b"], two["c"] = 2, 3
    new = faces.sent(one)
    assert faces.commit(two) == NOTHING
    assert dict(faces.load(new)) == {"a": 1, "b": 2, "c": 3}
    assert faces.count() == 2  # with the note


def test_a_rotation_by_time_that_fails_fails_no_reader(
    make: Make, clock: ManualClock, store: CountingStore, events: Events
) -> None:
    faces = make(rotate_every=600)
    token = faces.new()
    clock.advance(600)
    session = faces.load(token)
    assert session["a"] == 1
    store.down = True
    assert faces.commit(session) == NOTHING
    assert events[-1][0] == "session.touch_failed"
    store.down = False
    assert faces.alive(token) == [True]


@pytest.mark.parametrize(
    "options",
    [
        {"rotate_grace": 10},
        {"rotate_every": 600, "rotate_grace": 9},
        {"rotate_every": 600, "rotate_grace": 0},
        {"rotate_every": 0},
        {"rotate_every": "soon"},
    ],
)
def test_graces_that_mean_nothing(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="rotate"):
        Sessions("memory://", **options)


# remember


def test_who_is_remembered_keeps_his_token(make: Make, clock: ManualClock) -> None:
    faces = make()
    session = faces.load(None)
    session.remember("30d")
    session.login("ann")
    outcome = faces.commit(session)
    assert outcome.max_age == 30 * DAY
    token = outcome.token
    assert token is not None
    assert faces.load(token).expires == clock.now + 30 * DAY
    clock.advance(29 * DAY)
    assert faces.user(token) == "ann"
    clock.advance(DAY)
    assert faces.user(token) is None


def test_it_can_be_asked_for_later_and_the_token_stays(make: Make, clock: ManualClock) -> None:
    faces = make()
    token = faces.new()
    session = faces.load(token)
    session.remember(timedelta(days=7))
    assert faces.commit(session) == Outcome(token, 7 * DAY, expire=False)
    session = faces.load(token)
    assert session["a"] == 1
    assert faces.commit(session) == NOTHING
    clock.advance(3 * DAY)
    session = faces.load(token)
    session["b"] = 1
    assert faces.commit(session) == NOTHING
    clock.advance(4 * DAY - 1)
    assert faces.alive(token) == [True]
    clock.advance(1)
    assert faces.alive(token) == [False]


def test_a_rotation_keeps_what_is_left_of_it(make: Make, clock: ManualClock) -> None:
    faces = make()
    session = faces.load(None)
    session["a"] = 1
    session.remember("30d")
    token = faces.sent(session)
    clock.advance(10 * DAY)
    session = faces.load(token)
    session.rotate()
    assert faces.commit(session).max_age == 20 * DAY


def test_the_next_login_is_not_remembered_unless_it_asks(make: Make, clock: ManualClock) -> None:
    faces = make()
    session = faces.load(None)
    session.login("ann")
    session.remember("30d")
    token = faces.signed_in("ann", faces.sent(session))
    clock.advance(1800 + 60)
    assert faces.alive(token) == [False]


def test_a_session_that_only_is_to_be_remembered_is_empty(make: Make) -> None:
    faces = make()
    session = faces.load(None)
    session.remember("30d")
    assert faces.commit(session) == NOTHING
    assert faces.count() == 0


def test_a_request_that_rotated_meanwhile_keeps_its_cookie(make: Make) -> None:
    faces = make()
    token = faces.new()
    remembering, rotating = faces.load(token), faces.load(token)
    remembering.remember("30d")
    rotating.rotate()
    new = faces.sent(rotating)
    assert faces.commit(remembering) == NOTHING  # the old token would overwrite the new cookie
    assert faces.alive(new) == [True]


@pytest.mark.parametrize("lifetime", [0, -1, "401d", "for ever", 401 * DAY])
def test_lifetimes_that_cannot_be(make: Make, lifetime: Any) -> None:
    session = make().load(None)
    with pytest.raises(ConfigError):
        session.remember(lifetime)


def test_too_late_to_be_remembered(make: Make) -> None:
    faces = make()
    session = faces.load(faces.new())
    assert "a" in session
    faces.commit(session)
    with pytest.raises(SessionCommitted):
        session.remember("1d")


def test_how_long_a_session_may_be_remembered(make: Make) -> None:
    session = make(remember_up_to="7d").load(None)
    session.remember("7d")
    with pytest.raises(ConfigError, match="remember"):
        session.remember("8d")


# Levels of assurance (SP 800-63B)


@pytest.mark.parametrize(("level", "idle"), [("aal2", 30 * 60), ("aal3", 15 * 60)])
def test_13_14_a_level_ends_sessions_as_it_must(clock: ManualClock, level: Any, idle: int) -> None:
    faces = Faces(Sessions.preset(level, "memory://", clock=clock), loop=False)
    token = faces.signed_in("ann")
    clock.advance(idle - 1)
    assert faces.alive(token) == [True]
    clock.advance(1)
    assert faces.alive(token) == [False]
    token = faces.signed_in("ann")
    for _ in range(12 * 6 - 1):
        clock.advance(600)
        session = faces.load(token)
        assert session.user == "ann"
        assert faces.commit(session) == NOTHING  # a cookie of the browser's session
    clock.advance(599)
    assert faces.alive(token) == [True]
    clock.advance(1)
    assert faces.alive(token) == [False]
    with pytest.raises(ConfigError, match="remember"):
        faces.load(None).remember("1h")
    with pytest.raises(ConfigError, match="persistent"):
        Sessions.preset(level, "memory://", transport=Cookie(persistent=True))


def test_14_aal1_is_thirty_days(clock: ManualClock) -> None:
    faces = Faces(Sessions.preset("aal1", "memory://", clock=clock), loop=False)
    token = faces.signed_in("ann")
    clock.advance(30 * DAY - 1)
    assert faces.alive(token) == [True]
    clock.advance(1)
    assert faces.alive(token) == [False]
    session = faces.load(None)
    session.remember("30d")
    with pytest.raises(ConfigError):
        session.remember("31d")


@pytest.mark.parametrize(
    "laxer",
    [
        {"lifetime": "13h"},
        {"idle_timeout": "30m"},  # and the minute by which `seen` lags
        {"remember_up_to": "1d"},
    ],
)
def test_14_a_level_may_be_stricter_and_never_laxer(laxer: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(laxer))):
        Sessions.preset("aal2", "memory://", **laxer)
    Sessions.preset("aal2", "memory://", lifetime="1h", idle_timeout="5m", rotate_every="10m")


def test_a_level_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="aal2"):
        Sessions.preset("aal4", "memory://")  # type: ignore[arg-type]


def test_a_session_remembered_for_less_than_it_lives_already_is_over(
    make: Make, clock: ManualClock
) -> None:
    faces = make()
    token = faces.signed_in("ann")
    clock.advance(60)
    session = faces.load(token)
    session.remember(10)
    assert faces.commit(session).max_age == 0  # no client keeps it
    assert not faces.lives(token)


def test_whoever_signs_in_again_is_not_remembered_unasked(make: Make) -> None:
    faces = make()
    session = faces.load(None)
    session.login("ann")
    session.remember("30d")
    session = faces.load(faces.sent(session))
    session.login("ann")
    outcome = faces.commit(session)
    assert outcome.max_age is None
    assert faces.load(outcome.token).expires < session.seen + 24 * 3600


def test_a_forward_note_stands_as_long_as_the_grace_it_tells_of(
    make: Make, clock: ManualClock
) -> None:
    faces = make(rotate_every=60, rotate_grace=30, forward_note=1)
    token = faces.signed_in("ann")
    clock.advance(60)
    session = faces.load(token)
    assert session.user == "ann"
    assert faces.sent(session) != token
    clock.advance(29)
    assert faces.user(token) == "ann"
    clock.advance(1)
    assert faces.user(token) is None


def test_a_preset_counts_the_touch_it_is_given_as_idle_time() -> None:
    clock = ManualClock()
    sessions = Sessions.preset("aal3", "memory://", touch_every=10, clock=clock)
    session = sessions.load(None)
    session.login("ann")
    token = sessions.commit(session).token
    assert session.expires == clock() + 15 * 60 - 10
    clock.advance(15 * 60)
    assert sessions.load(token).user is None


def test_nobody_is_fresh_for_no_time_at_all(make: Make) -> None:
    session = make().load(None)
    session.login("ann")
    assert not session.fresh_for(0)
    assert session.fresh_for("1s")
