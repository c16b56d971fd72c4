"""Events: each is told once, when it has happened, with handles and never with a token or a value.

What the transports tell, a tossed cookie and odd chunks, is in `tests/security/`.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import SECRET
from counting import CountingStore
from faces import Faces

from holdfast.codec.msgpack import Msgpack
from holdfast.errors import CodecError, StoreUnavailable, TooManySessions
from holdfast.session import Session, Sessions
from holdfast.session.token import id_of, new_token
from holdfast.store.protocol import OpenStore
from holdfast.testing.clock import ManualClock

VALUE = "only-for-the-application"
"""What no event may show."""


class Picky(Msgpack):
    """Cannot read `VALUE`."""

    def decode(self, data: bytes) -> object:
        if VALUE.encode() in data:
            raise CodecError(f"what is {VALUE}?")
        return super().decode(data)


class Unwritable(CountingStore):
    """Reads, and writes only until it is `full`."""

    full = False

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        if self.full:
            raise StoreUnavailable(self.name, "full")
        return super().swap(key, old, new, ttl)


Event = tuple[str, dict[str, object]]


class Witness(Faces):
    """Sessions whose events and tokens are kept."""

    def __init__(self, make: Callable[..., Sessions], *, loop: bool, **options: Any) -> None:
        self.events: list[Event] = []
        self.tokens: list[str] = []
        super().__init__(make(observer=self.hear, **options), loop=loop)

    def hear(self, event: str, fields: Mapping[str, object]) -> None:
        assert event.startswith("session.")
        self.events.append((event.removeprefix("session."), dict(fields)))

    def load(self, token: str | None) -> Session:
        session = super().load(token)
        _ = session.user  # over both faces it is read now
        return session

    def sent(self, session: Session) -> str:
        self.tokens.append(super().sent(session))
        return self.tokens[-1]

    def destroy(self, handle: str) -> bool:
        if self.loop:
            return asyncio.run(self.sessions.aio.destroy(handle))
        return self.sessions.destroy(handle)

    def told(self) -> list[Event]:
        """Return what was told since the last call; nobody learns anything from it."""
        told, self.events[:] = list(self.events), []
        for shown in (VALUE, SECRET, *self.tokens):
            assert shown not in repr(told)
        return told

    def names(self) -> list[str]:
        return [name for name, _ in self.told()]


Open = Callable[..., Witness]


def opening(kind: str, store: OpenStore, clock: ManualClock) -> Open:
    """Return what makes sessions of this kind: where they are, and over which face."""
    where, face = kind.split()

    def stored(**options: Any) -> Sessions:
        return Sessions(options.pop("store", store), clock=clock, **options)

    def carried(**options: Any) -> Sessions:
        rows = store if where == "carried" else None
        return Sessions.in_cookie(SECRET, revocations=rows, clock=clock, **options)

    make = stored if where == "stored" else carried
    return lambda **options: Witness(make, loop=face == "loop", **options)


BOTH = ["stored thread", "stored loop", "carried thread", "carried loop"]


@pytest.fixture(params=[*BOTH, "alone thread", "alone loop"])
def everywhere(request: pytest.FixtureRequest, store: CountingStore, clock: ManualClock) -> Open:
    """Sessions of all kinds, those in the cookie without revocations among them."""
    return opening(request.param, store, clock)


@pytest.fixture(params=BOTH)
def opened(request: pytest.FixtureRequest, store: CountingStore, clock: ManualClock) -> Open:
    return opening(request.param, store, clock)


@pytest.fixture(params=["stored thread", "stored loop"])
def stored(request: pytest.FixtureRequest, store: CountingStore, clock: ManualClock) -> Open:
    return opening(request.param, store, clock)


@pytest.fixture(params=["carried thread", "carried loop"])
def carried(request: pytest.FixtureRequest, store: CountingStore, clock: ManualClock) -> Open:
    return opening(request.param, store, clock)


# A life


def test_from_birth_to_logout(everywhere: Open) -> None:
    faces = everywhere()
    session = faces.load(None)
    session["secret"] = VALUE
    assert faces.told() == []
    token = faces.sent(session)
    first = session.id
    assert faces.told() == [("created", {"handle": first})]

    session = faces.load(token)
    assert faces.told() == [("loaded", {"handle": first})]
    assert session["secret"] == VALUE
    faces.commit(session)
    session = faces.load(token)
    session.rotate()
    assert faces.names() == ["loaded"]
    token = faces.sent(session)
    second = session.id
    assert faces.told() == [("rotated", {"handle": first, "to": second})]

    session = faces.load(token)
    session.login("ann", VALUE)
    assert faces.told() == [("loaded", {"handle": second})]
    token = faces.sent(session)
    third = session.id
    assert faces.told() == [
        ("rotated", {"handle": second, "to": third}),
        ("login", {"handle": third, "user": "ann"}),
    ]

    session = faces.load(token)
    session.logout()
    assert faces.told() == [("loaded", {"handle": third})]
    assert faces.commit(session).expire
    assert faces.told() == [
        ("destroyed", {"handle": third}),
        ("logout", {"handle": third, "user": "ann"}),
    ]
    faces.commit(session)
    assert faces.told() == []


def test_a_write_is_no_event(everywhere: Open) -> None:
    faces = everywhere()
    session = faces.load(faces.new())
    faces.told()
    session["a"] = VALUE
    session.flash(VALUE)
    session.csrf_token()
    faces.commit(session)
    assert faces.told() == []


def test_who_signs_in_at_once_is_born_and_signed_in(everywhere: Open) -> None:
    faces = everywhere()
    faces.signed_in(7)
    assert faces.names() == ["created", "login"]


def test_a_login_at_the_call_is_told_at_the_call(stored: Open) -> None:
    faces = stored(max_sessions=2)
    session = faces.load(faces.new())
    faces.told()
    faces.login(session, "ann")
    assert faces.names() == ["rotated", "login"]
    faces.commit(session)
    assert faces.told() == []


def test_a_failed_request_signs_nobody_out_twice(everywhere: Open) -> None:
    faces = everywhere()
    session = faces.load(faces.signed_in())
    faces.told()
    session.logout()
    faces.commit(session, failed=True)
    assert faces.names() == ["destroyed", "logout"]


def test_each_who_is_signed_out_in_one_request_is_named(stored: Open) -> None:
    faces = stored(max_sessions=2)
    session = faces.load(faces.signed_in("ann"))
    anns = session.id
    session.logout()
    faces.login(session, "bob")  # at the call
    bobs = session.id
    session.logout()
    faces.told()
    faces.commit(session)
    logouts = [fields for name, fields in faces.told() if name == "logout"]
    assert logouts == [{"handle": anns, "user": "ann"}, {"handle": bobs, "user": "bob"}]


def test_a_login_that_is_taken_back_signs_nobody_out(everywhere: Open) -> None:
    faces = everywhere()
    session = faces.load(faces.signed_in("ann"))
    handle = session.id
    faces.told()
    session.login("bob")
    session.logout()
    faces.commit(session)
    assert faces.told()[-1] == ("logout", {"handle": handle, "user": "ann"})


def test_destroy_of_a_visitor_is_no_logout(everywhere: Open) -> None:
    faces = everywhere()
    session = faces.load(faces.new())
    handle = session.id
    faces.told()
    session.destroy()
    faces.commit(session)
    assert faces.told() == [("destroyed", {"handle": handle})]


def test_rotation_by_time(stored: Open, clock: ManualClock) -> None:
    faces = stored(rotate_every=300)
    token = faces.new()
    clock.advance(300)
    session = faces.load(token)
    faces.told()
    new = faces.sent(session)
    assert faces.told() == [("rotated", {"handle": id_of(token), "to": id_of(new)})]
    faces.commit(faces.load(token))  # in its grace: what it reads is the new record
    assert faces.told() == [("loaded", {"handle": id_of(new)})]


# Tokens that are none


def test_a_token_nobody_knows(stored: Open) -> None:
    faces, token = stored(), new_token()
    assert faces.commit(faces.load(token)).token is None
    assert faces.told() == [("unknown", {"handle": id_of(token)})]
    faces.load(None)
    assert faces.told() == []


def test_a_token_of_another_form(stored: Open) -> None:
    faces = stored()
    for token in ("?", "", new_token() + "A", VALUE):
        assert faces.commit(faces.load(token)).token is None
        assert faces.told() == [("rejected", {"handle": ""})]


def test_a_cookie_we_did_not_seal(carried: Open) -> None:
    faces = carried()
    for token in ("A" * 100, faces.new()[:-1] + "?"):
        faces.told()
        faces.load(token)
        assert faces.told() == [("rejected", {"handle": ""})]
    faces.load(None)
    assert faces.told() == []


def test_a_session_that_is_over(everywhere: Open, clock: ManualClock) -> None:
    faces = everywhere()
    session = faces.load(None)
    session["a"] = VALUE
    token = faces.sent(session)
    faces.told()
    clock.advance(1800 + 60)
    faces.commit(faces.load(token))
    assert faces.told() in (
        [("expired", {"handle": session.id})],
        [("unknown", {"handle": session.id})],  # the store had forgotten it, in the same moment
    )


def test_a_record_that_is_over_is_removed(clock: ManualClock) -> None:
    """A store with a clock of its own may keep it longer."""
    slow = CountingStore(ManualClock(clock.now))
    for face in ("thread", "loop"):
        faces = opening(f"stored {face}", slow, clock)()
        token = faces.new()
        faces.told()
        clock.advance(1800 + 60)
        faces.load(token)
        assert faces.told() == [("expired", {"handle": id_of(token)})]
        faces.load(token)
        assert faces.told() == [("unknown", {"handle": id_of(token)})]


def test_a_token_that_was_rotated_away(opened: Open) -> None:
    faces = opened()
    token = faces.new()
    session = faces.load(token)
    old = session.id
    session.login("ann")
    faces.sent(session)
    faces.told()
    replay = faces.load(token)
    assert faces.told() == [("replayed", {"handle": old})]
    replay["a"] = VALUE
    assert faces.commit(replay).token is None
    assert faces.told() == [("conflict_dropped", {"handle": old, "reason": "forwarded"})]


def test_a_cookie_that_was_signed_out(carried: Open) -> None:
    faces = carried()
    token = faces.signed_in()
    session = faces.load(token)
    handle = session.id
    session.logout()
    faces.commit(session)
    faces.told()
    faces.load(token)
    assert faces.told() == [("replayed", {"handle": handle})]


# Ended by others


def test_revoked(stored: Open) -> None:
    faces = stored()
    first, kept = faces.signed_in(), faces.signed_in()
    faces.told()
    faces.revoke("ann", keep=id_of(kept))
    fields = {"handle": id_of(first)}
    assert faces.told() == [
        ("destroyed", fields),
        ("revoked", {**fields, "user": "ann", "reason": "revoked"}),
    ]
    faces.revoke("ann", keep=id_of(kept))
    assert faces.told() == []


def test_revoked_where_nobody_can_list_them(carried: Open) -> None:
    faces = carried()
    token = faces.signed_in()
    faces.told()
    faces.revoke("ann")
    assert faces.told() == [("revoked", {"handle": "", "user": "ann", "reason": "revoked"})]
    faces.load(token)
    assert faces.names() == ["replayed"]


def test_evicted(stored: Open, clock: ManualClock) -> None:
    faces = stored(max_sessions=1)
    first = faces.signed_in()
    clock.advance(1)
    faces.told()
    second = faces.signed_in()
    fields = {"handle": id_of(first)}
    assert faces.told() == [
        ("created", {"handle": id_of(second)}),
        ("destroyed", fields),
        ("revoked", {**fields, "user": "ann", "reason": "evicted"}),
        ("login", {"handle": id_of(second), "user": "ann"}),
    ]


def test_a_user_who_is_not_welcome_any_more(everywhere: Open) -> None:
    welcome = {"ann"}
    faces = everywhere(check_user=welcome.__contains__)
    session = faces.load(faces.signed_in())
    token = faces.tokens[-1]
    assert faces.names() == ["created", "login", "loaded"]
    welcome.clear()
    faces.commit(faces.load(token))
    told = dict(faces.told())
    assert told.keys() <= {"destroyed", "revoked"}
    assert told["revoked"] == {"handle": session.id, "user": "ann", "reason": "not welcome"}


def test_a_refused_login(stored: Open) -> None:
    faces = stored(max_sessions=1, when_full="refuse")
    faces.signed_in()
    visitor, nobody = faces.load(faces.new()), faces.load(None)
    for session, told in (
        (visitor, ["rotated", "login_refused"]),
        (nobody, ["created", "destroyed", "login_refused"]),
    ):
        faces.told()
        with pytest.raises(TooManySessions):
            faces.login(session, "ann")
        events = faces.told()
        assert [name for name, _ in events] == told
        assert events[-1][1]["user"] == "ann"
        faces.commit(session)
        assert faces.told() == []


def test_destroyed_from_outside(opened: Open) -> None:
    faces = opened()
    session = faces.load(faces.new())
    faces.told()
    assert faces.destroy(session.id)
    assert faces.told() == [("destroyed", {"handle": session.id})]
    assert not faces.destroy("no handle")
    assert faces.told() == []


# Two requests at once


def two(faces: Witness, *, user: str | None = None) -> tuple[Session, Session]:
    token = faces.new() if user is None else faces.signed_in(user)
    requests = faces.load(token), faces.load(token)
    faces.told()
    return requests


def test_merged(stored: Open) -> None:
    faces = stored()
    one, other = two(faces)
    one["one"], other["other"] = VALUE, VALUE
    faces.commit(one)
    assert faces.told() == []
    faces.commit(other)
    assert faces.told() == [("conflict_merged", {"handle": one.id})]


def test_a_name_that_was_overwritten(stored: Open) -> None:
    faces = stored()
    one, other = two(faces)
    one["name"], other["name"] = VALUE, VALUE + "!"
    faces.commit(one)
    faces.commit(other)
    handle = one.id
    assert faces.told() == [
        ("conflict_merged", {"handle": handle}),
        ("conflict_dropped", {"handle": handle, "names": ["name"], "reason": "overwritten"}),
    ]


def test_a_write_after_the_end(stored: Open) -> None:
    faces = stored()
    one, other = two(faces)
    handle = one.id
    other["late"] = VALUE
    one.destroy()
    faces.commit(one)
    faces.told()
    faces.commit(other)
    assert faces.told() == [("conflict_dropped", {"handle": handle, "reason": "destroyed"})]


def test_a_write_to_what_is_anothers_by_now(stored: Open) -> None:
    faces = stored()
    one, other = two(faces, user="ann")
    handle = one.id
    other["late"] = VALUE
    one.login("bob")
    faces.commit(one)
    faces.told()
    faces.commit(other)
    assert faces.told() == [("conflict_dropped", {"handle": handle, "reason": "another user"})]


def test_a_rotation_after_a_logout(opened: Open) -> None:
    faces = opened()
    one, other = two(faces, user="ann")
    handle = one.id
    other.rotate()
    one.logout()
    faces.commit(one)
    faces.told()
    assert faces.commit(other).token is None
    assert faces.told() == [("conflict_dropped", {"handle": handle, "reason": "destroyed"})]


def test_a_rotation_after_a_revocation(opened: Open) -> None:
    faces = opened()
    _, session = two(faces, user="ann")
    handle = session.id
    session.rotate()
    faces.revoke("ann")
    faces.told()
    assert faces.commit(session).token is None
    ((name, fields),) = faces.told()
    assert (name, fields["handle"]) == ("conflict_dropped", handle)
    assert fields["reason"] in ("destroyed", "revoked")


def test_what_a_token_in_its_grace_writes(stored: Open, clock: ManualClock) -> None:
    faces = stored(rotate_every=300)
    token = faces.new()
    clock.advance(300)
    new = faces.sent(faces.load(token))
    session = faces.load(token)
    session["late"] = VALUE
    faces.told()
    faces.commit(session)
    assert faces.told() == [("conflict_dropped", {"handle": id_of(new), "reason": "grace"})]


# What cannot be read or reached


def test_a_record_that_is_none_of_ours(stored: Open, store: CountingStore) -> None:
    faces = stored()
    token = faces.new()
    faces.told()
    store.put(f"s:{id_of(token)}", VALUE.encode())
    faces.load(token)
    assert faces.told() == [("corrupt", {"handle": id_of(token)})]


def test_a_value_nobody_can_read(everywhere: Open) -> None:
    faces = everywhere(codec=Picky())
    session = faces.load(None)
    session["name"], session["other"] = VALUE, 1
    token = faces.sent(session)
    faces.told()
    session = faces.load(token)
    assert "name" not in session
    assert "name" not in session
    assert faces.names() == ["loaded"]
    faces.commit(session)
    assert faces.told() == [("corrupt", {"handle": session.id, "name": "name"})]


def test_a_touch_that_failed(clock: ManualClock) -> None:
    for face in ("thread", "loop"):
        store = Unwritable(clock)
        faces = opening(f"stored {face}", store, clock)()
        token = faces.new()
        clock.advance(60)
        store.full = True
        faces.told()
        faces.commit(faces.load(token))
        ((_, _), (name, fields)) = faces.told()
        assert name == "touch_failed"
        assert isinstance(fields["error"], StoreUnavailable)


def test_a_store_that_is_down(opened: Open, store: CountingStore) -> None:
    faces = opened(on_store_error="anonymous")
    token = faces.new()
    faces.told()
    store.down = True
    session = faces.load(token)
    ((name, fields),) = faces.told()
    assert name == "store_down"
    assert fields.keys() == {"store", "error"}
    assert isinstance(fields["error"], StoreUnavailable)
    session["a"] = VALUE
    faces.commit(session)
    assert faces.told() == []


def test_a_store_that_goes_down_in_between(stored: Open, store: CountingStore) -> None:
    faces = stored(on_store_error="anonymous")
    session = faces.load(faces.new())
    session["a"] = VALUE
    faces.told()
    store.down = True
    faces.commit(session)
    assert faces.names() == ["store_down"]


def test_an_error_that_reaches_the_application_is_no_event(
    stored: Open, store: CountingStore
) -> None:
    faces = stored()
    token = faces.new()
    faces.told()
    store.down = True
    with pytest.raises(StoreUnavailable):
        faces.load(token)
    assert faces.told() == []


# All of them


def test_every_event_has_its_test() -> None:
    folder = Path(__file__).parents[2] / "src" / "holdfast" / "session"
    tells = re.compile(r"tell\(\s*\"(\w+)\"")
    told = {name for path in folder.glob("*.py") for name in tells.findall(path.read_text("utf-8"))}
    here = Path(__file__).read_text("utf-8")
    assert {"created", "rejected", "touch_failed"} <= told  # the pattern finds them
    assert [name for name in told if f'"{name}"' not in here] == []
