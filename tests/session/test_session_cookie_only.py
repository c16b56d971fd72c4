"""Sessions that travel whole: keys, binding, and when a cookie is sent again."""

import pytest

from holdfast.codec.seal import Seal
from holdfast.errors import ConfigError
from holdfast.session import Outcome, Sessions
from holdfast.session.data import Record, encode
from holdfast.signing import Key, KeyRing
from holdfast.testing.clock import ManualClock

OLD = "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"
NEW = "bR4cD6fG0hJ5a-uEZk3vQ1xY7pLw9sT2mN8"
NOTHING = Outcome(None, None, expire=False)


class Named:
    """A transport as sessions see it."""

    def __init__(self, bound_name: str, room: int = 4000) -> None:
        self.bound_name = bound_name
        self.room = room


def stored(sessions: Sessions, **values: object) -> str:
    session = sessions.load(None)
    session.update(values or {"a": 1})
    token = sessions.commit(session).token
    assert token is not None
    return token


def test_31_the_content_is_hidden(in_cookie: Sessions) -> None:
    assert "hunter22" not in stored(in_cookie, password="hunter22")
    assert stored(in_cookie, a=1) != stored(in_cookie, a=1)


def test_32_a_token_is_good_for_its_cookie_only(clock: ManualClock) -> None:
    one = Sessions.in_cookie(OLD, transport=Named("__Host-one"), clock=clock)
    other = Sessions.in_cookie(OLD, transport=Named("__Host-other"), clock=clock)
    token = stored(one)
    assert dict(one.load(token)) == {"a": 1}
    assert dict(other.load(token)) == {}


def test_32_nor_is_what_was_sealed_for_another_purpose(in_cookie: Sessions) -> None:
    record = Record(b"r" * 32, 0, 1e6, 1e6, {}, {}, [])
    seal = Seal(KeyRing(OLD), "csrf")
    assert in_cookie.load(seal.seal_text(encode(record), "__Host-sid")).is_new


def test_35_an_old_key_opens_and_the_cookie_is_issued_anew(clock: ManualClock) -> None:
    before = Sessions.in_cookie([OLD], clock=clock)
    after = Sessions.in_cookie([NEW, OLD], clock=clock)
    later = Sessions.in_cookie([NEW], clock=clock)
    token = stored(before)
    assert later.load(token).is_new
    session = after.load(token)
    assert session["a"] == 1
    outcome = after.commit(session)
    assert outcome.token is not None
    assert later.load(outcome.token)["a"] == 1
    assert after.commit(after.load(outcome.token)) == NOTHING


def test_35_an_old_key_is_no_reason_for_an_untouched_session(clock: ManualClock) -> None:
    token = stored(Sessions.in_cookie([OLD], clock=clock))
    after = Sessions.in_cookie([NEW, OLD], clock=clock)
    assert after.commit(after.load(token)) == NOTHING


def test_35_a_revoked_key_opens_nothing(clock: ManualClock) -> None:
    token = stored(Sessions.in_cookie([OLD], clock=clock))
    after = Sessions.in_cookie(KeyRing([NEW, Key(OLD, revoked=True)]), clock=clock)
    assert after.load(token).is_new


def test_36_a_weak_secret_is_refused() -> None:
    with pytest.raises(ConfigError):
        Sessions.in_cookie("secret")


@pytest.mark.parametrize(("ahead", "alive"), [(59, True), (61, False)])
def test_38_a_cookie_from_the_future_is_nobody(
    in_cookie: Sessions, clock: ManualClock, ahead: float, alive: bool
) -> None:
    clock.advance(ahead)
    token = stored(in_cookie)
    clock.advance(-ahead)
    assert ("a" in in_cookie.load(token)) is alive


def test_39_a_copied_cookie_outlives_a_logout(in_cookie: Sessions, clock: ManualClock) -> None:
    """Documented: whoever needs a logout that holds keeps sessions in a store."""
    token = stored(in_cookie)
    session = in_cookie.load(token)
    session.logout()
    assert in_cookie.commit(session) == Outcome(None, None, expire=True)
    assert in_cookie.load(token)["a"] == 1
    clock.advance(1800 + 60)
    assert in_cookie.load(token).is_new


def test_reading_sends_it_again_once_a_minute_at_most(
    in_cookie: Sessions, clock: ManualClock
) -> None:
    token = stored(in_cookie)
    sent = 0
    for _ in range(10):
        clock.advance(30)
        session = in_cookie.load(token)
        assert session["a"] == 1
        outcome = in_cookie.commit(session)
        sent += outcome.token is not None
        token = outcome.token or token
    assert sent == 5


def test_rotating_gives_another_handle(in_cookie: Sessions) -> None:
    session = in_cookie.load(stored(in_cookie))
    before = session.id
    session.rotate()
    token = in_cookie.commit(session).token
    assert in_cookie.load(token).id not in (before, "")


def test_a_token_longer_than_its_room_is_not_looked_at(clock: ManualClock) -> None:
    wide = Sessions.in_cookie(OLD, transport=Named("c", 8000), clock=clock)
    tight = Sessions.in_cookie(OLD, transport=Named("c", 1000), clock=clock)
    token = stored(wide, a="a" * 2000)
    assert len(wide.load(token)) == 1
    assert tight.load(token).is_new


def test_it_says_where_it_keeps_them(in_cookie: Sessions, sessions: Sessions) -> None:
    assert repr(in_cookie) == "<Sessions in the cookie>"
    assert repr(sessions) == "<Sessions in counting>"
    assert in_cookie.store is None
