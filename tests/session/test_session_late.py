"""Writes after the first byte: to the store, if the client holds the token; else an error."""

from collections.abc import Callable

import pytest
from counting import CountingStore

from holdfast.errors import SessionCommitted, SessionTooLarge
from holdfast.session import Outcome, Session, Sessions

NOTHING = Outcome(None, None, expire=False)
WRITES: list[Callable[[Session], object]] = [
    lambda s: s.__setitem__("x", 1),
    lambda s: s.increment("n"),
    lambda s: s.append("list", 1),
    lambda s: s.flash("x"),
    lambda s: s.notify("n", 1),
    lambda s: s.setdefault("x", 1),
    Session.clear,
    Session.save,
]


def stored(sessions: Sessions) -> str:
    session = sessions.load(None)
    session["list"] = [1]
    token = sessions.commit(session).token
    assert token is not None
    return token


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("touched", [True, False], ids=["looked at", "untouched"])
def test_a_client_without_a_token_cannot_be_given_one(
    either: Sessions, write: Callable[[Session], object], touched: bool
) -> None:
    session = either.load(None)
    if touched:
        bool(session)
    either.commit(session)
    session.response_begun()
    with pytest.raises(SessionCommitted):
        write(session)
    assert either.commit(session) == NOTHING


@pytest.mark.parametrize("write", WRITES)
def test_a_cookie_that_was_sent_cannot_be_changed(
    in_cookie: Sessions, write: Callable[[Session], object]
) -> None:
    session = in_cookie.load(stored(in_cookie))
    bool(session)
    in_cookie.commit(session)
    with pytest.raises(SessionCommitted):
        write(session)


def test_a_cookie_changed_in_place_too_late_is_said(in_cookie: Sessions) -> None:
    session = in_cookie.load(stored(in_cookie))
    items = session["list"]
    in_cookie.commit(session)
    items.append(2)
    with pytest.raises(SessionCommitted):
        in_cookie.commit(session)


def test_a_stored_session_goes_on(sessions: Sessions) -> None:
    token = stored(sessions)
    session = sessions.load(token)
    items = session["list"]
    session["early"] = 1
    sessions.commit(session)
    session["late"] = 1
    items.append(2)
    session.increment("n")
    del session["early"]
    assert sessions.commit(session) == NOTHING
    assert dict(sessions.load(token)) == {"list": [1, 2], "late": 1, "n": 1}
    items.append(3)
    sessions.commit(session)
    assert sessions.load(token)["list"] == [1, 2, 3]


def test_what_was_written_first_is_found_when_it_is_changed_in_place_later(
    sessions: Sessions,
) -> None:
    token = stored(sessions)
    session = sessions.load(token)
    session["new"] = [1]
    session.append("fresh", 1)
    sessions.commit(session)
    sessions.commit(session)  # nothing in between
    session["new"].append(2)
    session["fresh"].append(2)
    sessions.commit(session)
    assert dict(sessions.load(token)) == {"list": [1], "new": [1, 2], "fresh": [1, 2]}


def test_so_does_one_that_was_stored_with_this_response(sessions: Sessions) -> None:
    session = sessions.load(None)
    session["a"] = 1
    session.rotate()
    token = sessions.commit(session).token
    session["b"] = 2
    assert sessions.commit(session) == NOTHING
    assert dict(sessions.load(token)) == {"a": 1, "b": 2}


def test_what_another_wrote_between_two_commits_stays(sessions: Sessions) -> None:
    token = stored(sessions)
    session = sessions.load(token)
    items = session["list"]
    session["mine"] = 1
    sessions.commit(session)
    other = sessions.load(token)
    other["list"].append("other")
    sessions.commit(other)
    sessions.commit(session)
    assert items == [1]
    assert sessions.load(token)["list"] == [1, "other"]


def test_committing_twice_writes_once(sessions: Sessions, store: CountingStore) -> None:
    session = sessions.load(stored(sessions))
    session["a"] = 1
    store.calls.clear()
    sessions.commit(session)
    sessions.commit(session)
    sessions.commit(session)
    assert store.calls == {"swap": 1}


@pytest.mark.parametrize("ask", [Session.rotate, lambda s: s.login("ann")])
def test_no_new_token_after_the_first_byte(
    either: Sessions, ask: Callable[[Session], object]
) -> None:
    session = either.load(stored(either))
    bool(session)
    either.commit(session)
    with pytest.raises(SessionCommitted, match="no new token"):
        ask(session)


def test_a_logout_is_never_too_late(sessions: Sessions) -> None:
    token = stored(sessions)
    session = sessions.load(token)
    bool(session)
    sessions.commit(session)
    session.logout()
    assert sessions.commit(session) == NOTHING
    assert sessions.load(token).is_new
    with pytest.raises(SessionCommitted):
        session["a"] = 1


@pytest.mark.parametrize("act", [Session.logout, Session.destroy])
def test_in_a_cookie_that_was_sent_it_is_too_late_and_said(
    in_cookie: Sessions, act: Callable[[Session], object]
) -> None:
    token = stored(in_cookie)
    session = in_cookie.load(token)
    bool(session)
    in_cookie.commit(session)
    with pytest.raises(SessionCommitted):
        act(session)
    assert session["list"] == [1]
    nobody = in_cookie.load(None)
    bool(nobody)
    in_cookie.commit(nobody)
    act(nobody)
    assert in_cookie.commit(nobody) == NOTHING


def test_after_a_logout_elsewhere_late_writes_are_refused(sessions: Sessions) -> None:
    token = stored(sessions)
    session = sessions.load(token)
    session["a"] = 1
    out = sessions.load(token)
    out.logout()
    sessions.commit(out)
    sessions.commit(session)
    with pytest.raises(SessionCommitted):
        session["b"] = 1


def test_reading_goes_on_after_the_first_byte(either: Sessions) -> None:
    session = either.load(stored(either))
    assert session["list"] == [1]
    either.commit(session)
    assert session["list"] == [1]
    assert "x" not in session
    assert session.csrf_token()


def test_a_form_of_a_session_that_will_not_be_stored_is_an_error(either: Sessions) -> None:
    session = either.load(None)
    bool(session)
    either.commit(session)
    with pytest.raises(SessionCommitted):
        session.csrf_token()


def test_what_was_committed_and_deleted_then_is_gone_from_sight_too(sessions: Sessions) -> None:
    session = sessions.load(None)
    session.update(a=1, b=[2], c=3)
    token = sessions.commit(session).token
    del session["a"]
    assert session.changed  # looks at what was done
    assert dict(session) == {"b": [2], "c": 3}
    sessions.commit(session)
    assert dict(session) == dict(sessions.load(token)) == {"b": [2], "c": 3}
    session.append("b", 4)
    sessions.commit(session)
    session.clear()
    assert session.changed
    assert not session
    sessions.commit(session)
    assert not session


def test_too_large_a_cookie_names_the_biggest(in_cookie: Sessions) -> None:
    session = in_cookie.load(None)
    session["small"] = "s"
    session["big"] = "b" * 3000
    session["bigger"] = "b" * 4000
    session.flash("f" * 1000)
    with pytest.raises(SessionTooLarge) as caught:
        in_cookie.commit(session)
    assert [name for name, _ in caught.value.biggest[:3]] == ["bigger", "big", "flash"]
    assert caught.value.size > caught.value.limit == 4096 - len("__Host-sid") - 1
    del session["bigger"], session["big"]
    assert in_cookie.commit(session).token is not None
