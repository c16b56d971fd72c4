"""Users: who is signed in where, how many may be, and how they are ended at once."""

from collections.abc import Callable, Mapping

import pytest
from counting import CountingStore
from faces import Faces

from holdfast.errors import (
    ConfigError,
    SessionError,
    StoreTimeout,
    StoreUnavailable,
    TooManySessions,
)
from holdfast.session import Sessions, index
from holdfast.session.policy import SKEW
from holdfast.store.memory import MemoryStore
from holdfast.store.wrap import Prefixed
from holdfast.testing.clock import ManualClock

Events = list[tuple[str, Mapping[str, object]]]
Make = Callable[..., Faces]


def told(events: Events, event: str) -> list[Mapping[str, object]]:
    return [fields for name, fields in events if name == f"session.{event}"]


# Who is signed in where


def test_the_sessions_of_a_user(make: Make, clock: ManualClock) -> None:
    faces = make(keep_client=("address", "agent"))
    session = faces.load(None)
    session.client = ("192.0.2.77", "Mozilla/5.0 (X11)")
    session.login("ann", "the laptop")
    laptop = faces.sent(session)
    clock.advance(100)
    phone = faces.signed_in("ann", label="the phone")
    faces.signed_in("bob")
    first, second = faces.of("ann")
    assert (first.label, second.label) == ("the phone", "the laptop")
    assert first.id == faces.load(phone).id
    assert second.id == faces.load(laptop).id
    assert second.created == second.seen == clock.now - 100
    assert second.expires == second.seen + 1800
    assert (first.address, first.agent) == (None, None)
    assert (second.address, second.agent) == ("192.0.2.0/24", "Mozilla/5.0 (X11)")
    assert {info.user for info in faces.of("ann")} == {"ann"}
    assert faces.of("nobody") == []


def test_a_number_and_its_text_are_two_users(make: Make) -> None:
    faces = make()
    faces.signed_in(7)
    faces.signed_in("7")
    assert [info.user for info in faces.of(7)] == [7]
    assert [info.user for info in faces.of("7")] == ["7"]


def test_48_what_a_list_shows_opens_no_session(make: Make) -> None:
    faces = make()
    faces.signed_in("ann")
    (info,) = faces.of("ann")
    assert faces.load(info.id).is_new


def test_a_rotated_session_is_listed_once_under_its_new_id(make: Make) -> None:
    faces = make()
    session = faces.load(faces.signed_in("ann"))
    session.rotate()
    token = faces.sent(session)
    (info,) = faces.of("ann")
    assert info.id == faces.load(token).id


def test_who_signs_in_again_is_listed_once(make: Make) -> None:
    faces = make(max_sessions=1, when_full="refuse")
    token = faces.signed_in("ann")
    session = faces.load(token)
    faces.login(session, "ann")
    again = faces.sent(session)
    (info,) = faces.of("ann")
    assert info.id == faces.load(again).id
    assert faces.alive(token, again) == [False, True]


def test_a_logout_or_the_end_of_its_time_takes_it_off_the_list(
    make: Make, clock: ManualClock
) -> None:
    faces = make()
    session = faces.load(faces.signed_in("ann"))
    session.logout()
    faces.commit(session)
    assert faces.of("ann") == []
    faces.signed_in("ann")
    clock.advance(1800 + 60)
    assert faces.of("ann") == []


def test_who_makes_way_for_another_user_is_off_the_list(make: Make) -> None:
    faces = make()
    token = faces.signed_in("bob", faces.signed_in("ann"))
    assert faces.of("ann") == []
    assert faces.revoke("ann") == 0
    assert faces.user(token) == "bob"


def test_the_index_forgets_sessions_that_are_gone(make: Make, store: CountingStore) -> None:
    faces = make()
    for _ in range(40):
        session = faces.load(faces.signed_in("ann"))
        session.logout()
        faces.commit(session)
    raw = store.get(f"u:{index.key_of('ann')}")
    assert 1 <= len(index.decode(raw)) <= 20


def test_the_index_ends_with_the_last_session_it_lists(make: Make, store: CountingStore) -> None:
    faces = make(lifetime=7200)
    faces.signed_in("ann")
    assert store.ttls[-1] == 7200 + SKEW
    session = faces.load(None)
    session.login("ann")
    session.remember("30d")
    faces.commit(session)
    assert store.ttls[-1] == 30 * 24 * 3600 + SKEW


def test_an_index_that_is_none_of_ours_lists_nothing(make: Make, store: CountingStore) -> None:
    faces = make()
    key = f"u:{index.key_of('ann')}"
    for raw in (b"", b"\xc1", b"\x01", b"\x92\x01\xa1x", index.encode([])[:-1] + b"\x91\x01"):
        store.put(key, raw)
        assert faces.of("ann") == []
    faces.signed_in("ann")
    assert len(faces.of("ann")) == 1


# End them


def test_47_revoke_ends_all_but_the_one_that_is_kept(make: Make, events: Events) -> None:
    faces = make()
    tokens = [faces.signed_in("ann") for _ in range(3)]
    others = faces.signed_in("bob")
    kept = faces.load(tokens[1])
    assert faces.revoke("ann", keep=kept) == 2
    assert faces.alive(*tokens, others) == [False, True, False, True]
    assert [info.id for info in faces.of("ann")] == [kept.id]
    assert len(told(events, "revoked")) == 2
    assert faces.revoke("ann", keep=kept.id) == 0
    assert faces.revoke("ann") == 1
    assert faces.alive(*tokens) == [False] * 3


def test_47_a_kept_session_that_is_rotated_in_the_same_request_stays(make: Make) -> None:
    """A new password: everybody else is out, and the own token changes."""
    faces = make()
    session = faces.load(faces.signed_in("ann"))
    other = faces.signed_in("ann")
    session.rotate()
    faces.revoke("ann", keep=session)
    token = faces.sent(session)
    assert faces.alive(other, token) == [False, True]
    assert len(faces.of("ann")) == 1


def test_47_a_request_under_way_does_not_bring_a_revoked_session_back(make: Make) -> None:
    faces = make()
    token = faces.signed_in("ann")
    writing, rotating = faces.load(token), faces.load(token)
    writing["late"] = 1
    rotating.rotate()
    faces.revoke("ann")
    assert faces.commit(writing).token is None
    assert faces.commit(rotating).token is None
    assert faces.count() == 0


def test_47_a_user_who_is_not_welcome_any_more_is_out_at_once(make: Make, events: Events) -> None:
    welcome = {"ann", "bob"}
    faces = make(check_user=welcome.__contains__)
    token, other = faces.signed_in("ann"), faces.signed_in("bob")
    assert faces.user(token) == "ann"
    welcome.remove("ann")
    session = faces.load(token)
    assert session.user is None
    assert dict(session) == {}
    assert faces.commit(session).expire
    assert faces.count() == 1
    assert faces.user(other) == "bob"
    assert [one["reason"] for one in told(events, "revoked")] == ["not welcome"]


def test_an_async_question_whether_he_is_welcome(store: CountingStore) -> None:
    async def is_welcome(user: object) -> bool:
        return user == "bob"

    faces = Faces(Sessions(store, check_user=is_welcome), loop=True)
    assert faces.user(faces.signed_in("ann")) is None
    assert faces.user(faces.signed_in("bob")) == "bob"


# How many


def test_46_the_oldest_login_makes_way(make: Make, clock: ManualClock, events: Events) -> None:
    faces = make(max_sessions=2)
    tokens = []
    for _ in range(4):
        clock.advance(1)
        tokens.append(faces.signed_in("ann"))
    assert faces.alive(*tokens) == [False, False, True, True]
    assert len(faces.of("ann")) == 2
    assert [one["reason"] for one in told(events, "revoked")] == ["evicted"] * 2
    faces.signed_in("bob")
    assert faces.alive(*tokens[2:]) == [True, True]


def test_46_or_the_new_login_is_refused(make: Make, events: Events) -> None:
    faces = make(max_sessions=1, when_full="refuse")
    first = faces.signed_in("ann")
    visitor = faces.load(faces.new(cart=["tea"]))
    with pytest.raises(TooManySessions) as caught:
        faces.login(visitor, "ann")
    assert caught.value.limit == 1
    assert visitor.user is None
    token = faces.sent(visitor)  # an anonymous visitor, as before, with all he had
    assert faces.user(token) is None
    assert faces.load(token)["cart"] == ["tea"]
    assert faces.user(first) == "ann"
    assert len(told(events, "login_refused")) == 1
    leaving = faces.load(first)
    leaving.logout()
    faces.commit(leaving)
    again = faces.load(token)
    faces.login(again, "ann")
    assert faces.user(faces.sent(again)) == "ann"


def test_46_who_is_refused_with_nothing_has_nothing(make: Make) -> None:
    faces = make(max_sessions=1, when_full="refuse")
    faces.signed_in("ann")
    session = faces.load(None)
    with pytest.raises(TooManySessions):
        faces.login(session, "ann")
    assert faces.commit(session).token is None
    assert faces.count() == 1
    session = faces.load(None)
    with pytest.raises(TooManySessions):
        faces.login(session, "ann")
    session["tries"] = 1  # the page of the refusal
    assert dict(faces.load(faces.sent(session))) == {"tries": 1}


def test_46_a_plain_login_in_a_loop_is_refused_by_the_commit(store: CountingStore) -> None:
    faces = Faces(Sessions(store, max_sessions=1, when_full="refuse"), loop=True)
    first = faces.signed_in("ann")
    session = faces.load(faces.new())
    session.login("ann")
    with pytest.raises(TooManySessions):
        faces.commit(session)
    assert faces.user(first) == "ann"
    assert faces.user(faces.sent(session)) is None  # the page of the error brings his cookie


def test_a_login_at_the_call_is_one_login(make: Make) -> None:
    faces = make(max_sessions=3)
    token = faces.new(cart=1)
    session = faces.load(token)
    session["more"] = 2
    faces.login(session, "ann")
    assert len(faces.of("ann")) == 1
    session["after"] = 3
    new = faces.sent(session)
    assert faces.alive(token, new) == [False, True]
    assert dict(faces.load(new)) == {"cart": 1, "more": 2, "after": 3}
    assert len(faces.of("ann")) == 1


def test_46_a_login_finishes_what_another_left_half_done(make: Make, store: CountingStore) -> None:
    faces = make(max_sessions=1)
    condemned = faces.signed_in("ann")
    key = f"u:{index.key_of('ann')}"
    listed = index.decode(store.get(key))
    store.put(key, index.encode([one._replace(dying=True) for one in listed]))
    token = faces.signed_in("ann")
    assert faces.alive(condemned, token) == [False, True]
    assert len(index.decode(store.get(key))) == 1


# What cannot be


@pytest.mark.parametrize(
    "options",
    [
        {"max_sessions": 0},
        {"max_sessions": True},
        {"max_sessions": 1.5},
        {"when_full": "ask"},
        {"on_store_error": "500"},
        {"keep_client": "shoe size"},
        {"check_user": "ann"},
        {"keep_client": ["address", "shoe size"]},
    ],
)
def test_options_that_mean_nothing(options: dict[str, object]) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=name):
        Sessions("memory://", **options)  # type: ignore[arg-type]


class Forgetful(MemoryStore):
    """Says of itself that it may forget."""

    may_evict = True


def test_a_store_that_forgets_cannot_say_who_is_signed_in() -> None:
    for store in (Forgetful(), Prefixed(Forgetful(), "p")):
        with pytest.raises(ConfigError, match="accept_eviction"):
            Sessions(store, max_sessions=1)
        with pytest.raises(ConfigError, match="accept_eviction"):
            Sessions(store).load(None).login("ann")


def test_unless_that_is_accepted() -> None:
    store = Forgetful()
    faces = Faces(Sessions(store, accept_eviction=True), loop=False)
    session = faces.load(faces.signed_in("ann"))
    store.delete(f"u:{index.key_of('ann')}")  # forgotten
    session.rotate()
    assert faces.user(faces.sent(session)) == "ann"
    assert len(faces.of("ann")) == 1


class Deaf(CountingStore):
    """Does what the index is asked for, and gives no answer to it, `deaf` times."""

    deaf = 0

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        done = super().swap(key, old, new, ttl)
        if key.startswith("u:") and self.deaf:
            self.deaf -= 1
            raise StoreTimeout(self.name, "no answer")
        return done


@pytest.mark.parametrize("loop", [False, True])
def test_no_answer_to_a_change_of_the_index(clock: ManualClock, loop: bool) -> None:
    store = Deaf(clock)
    faces = Faces(Sessions(store, clock=clock, max_sessions=2), loop=loop)
    store.deaf = 2
    token = faces.signed_in("ann")
    session = faces.load(token)
    session.rotate()
    store.deaf = 2
    token = faces.sent(session)
    assert len(faces.of("ann")) == 1
    store.deaf = 2
    assert faces.revoke("ann") == 1
    assert faces.alive(token) == [False]


def test_54_while_the_store_is_down_nobody_signs_in(make: Make, store: CountingStore) -> None:
    faces = make(on_store_error="anonymous", max_sessions=1)
    token = faces.signed_in("ann")
    store.down = True
    session = faces.load(token)
    assert session.user is None
    with pytest.raises(StoreUnavailable):
        faces.login(session, "bob")
    with pytest.raises(StoreUnavailable):
        session.logout()
    with pytest.raises(StoreUnavailable):
        session.rotate()
    store.down = False
    assert faces.user(token) == "ann"


def test_a_session_over_cookies_lists_nobody(in_cookie: Sessions) -> None:
    with pytest.raises(ConfigError, match="of"):
        in_cookie.of("ann")
    with pytest.raises((ConfigError, SessionError)):
        in_cookie.revoke("ann")
