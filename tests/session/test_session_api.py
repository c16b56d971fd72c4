"""The names, options and defaults that programs rely on; mypy reads this file, pytest runs it."""

import asyncio
import inspect
import io
import secrets
from collections.abc import Callable, MutableMapping
from typing import Any, assert_type

import pytest

from holdfast import Cookie, Header, Outcome, Session, Sessions, TooManySessions
from holdfast.session import AioSession, AioSessions, SessionInfo
from holdfast.testing.clock import ManualClock

SECRET = secrets.token_urlsafe(32)
NONE = inspect.Parameter.empty

OPTIONS = {
    "idle_timeout": "30m",
    "lifetime": "12h",
    "touch_every": 60,
    "rotate_every": None,
    "rotate_grace": None,
    "max_sessions": None,
    "when_full": "evict",
    "check_user": None,
    "schema": None,
    "codec": "msgpack",
    "secrets": None,
    "transport": None,
    "on_store_error": "503",
    "keep_client": (),
    "accept_eviction": False,
    "prefix": "",
    "forward_note": 60,
    "remember_up_to": "400d",
}

METHODS: dict[str, dict[str, object]] = {
    "load": {"token": NONE},
    "commit": {"session": NONE, "failed": False},
    "of": {"user": NONE},
    "revoke": {"user": NONE, "keep": None},
    "destroy": {"handle": NONE},
    "is_alive": {"session": NONE},
    "sweep": {},
    "count": {},
    "dump": {"stream": NONE},
    "restore": {"stream": NONE},
}

OF_A_SESSION: dict[str, dict[str, object]] = {
    "save": {},
    "revert": {},
    "rotate": {},
    "destroy": {},
    "clear": {},
    "increment": {"name": NONE, "by": 1},
    "append": {"name": NONE, "item": NONE},
    "login": {"user": NONE, "label": None},
    "logout": {},
    "fresh_for": {"seconds": NONE},
    "flash": {"message": NONE, "queue": ""},
    "pop_flash": {"queue": ""},
    "peek_flash": {"queue": ""},
    "notify": {"name": NONE, "value": NONE},
    "take": {"name": NONE, "default": None},
    "csrf_token": {},
    "check_csrf": {"value": NONE},
    "remember": {"lifetime": NONE},
    "lock": {"timeout": 10},
    "load": {},
}

AWAITED = ("take", "pop_flash", "login", "lock")

PROPERTIES = ("id", "is_new", "created", "seen", "expires", "user", "changed", "data", "aio")


def parameters(called: Callable[..., object]) -> dict[str, object]:
    """Return the parameters of a method and their defaults."""
    found = inspect.signature(called).parameters
    return {name: one.default for name, one in found.items() if name != "self"}


def positional(called: Callable[..., object]) -> list[str]:
    """Return the parameters that need no name."""
    found = inspect.signature(called).parameters
    return [name for name, one in found.items() if one.kind is one.POSITIONAL_OR_KEYWORD]


def test_the_options_of_sessions_have_their_defaults() -> None:
    given = parameters(Sessions.__init__)
    observer, clock = given.pop("observer"), given.pop("clock")
    assert callable(observer)
    assert callable(clock)
    assert given == {"store": NONE, **OPTIONS}
    assert positional(Sessions.__init__) == ["self", "store"]


def test_cookie_only_sessions_have_the_same_options_where_they_mean_something() -> None:
    given = parameters(Sessions.in_cookie)
    assert given.pop("secrets") is NONE
    assert given.pop("revocations") is None
    same = parameters(Sessions.__init__)
    assert {name: same[name] for name in given} == given
    assert positional(Sessions.in_cookie) == ["secrets"]


@pytest.mark.parametrize("name", METHODS)
def test_both_faces_of_sessions_have_the_same_methods(name: str) -> None:
    plain, awaited = getattr(Sessions, name), getattr(AioSessions, name)
    assert parameters(plain) == parameters(awaited) == METHODS[name]
    assert inspect.iscoroutinefunction(awaited)


def test_no_face_has_a_method_the_other_one_lacks() -> None:
    made_once = {"preset", "in_cookie", "aio", "revocations"}
    of_loops = {"lazy", "is_idle"}  # nothing to await, and nothing a thread needs
    assert public(Sessions) - public(AioSessions) == made_once
    assert public(AioSessions) - public(Sessions) == of_loops


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


@pytest.mark.parametrize("name", OF_A_SESSION)
def test_a_session_has_its_methods(name: str) -> None:
    assert parameters(getattr(Session, name)) == OF_A_SESSION[name]


@pytest.mark.parametrize("name", AWAITED)
def test_what_reaches_the_store_at_the_call_can_be_awaited_by_the_same_name(name: str) -> None:
    assert parameters(getattr(AioSession, name)) == OF_A_SESSION[name]


def test_a_session_has_its_properties_and_is_a_mapping() -> None:
    session = Sessions("memory://").load(None)
    assert isinstance(session, MutableMapping)
    for name in PROPERTIES:
        assert isinstance(getattr(Session, name), property)
    names = {name for name in dir(Session) if not name.startswith("_")}
    of_middlewares = {"accessed", "client", "response_begun"}
    mapping = {name for name in dir(MutableMapping) if not name.startswith("_")}
    assert names - of_middlewares - mapping == {*OF_A_SESSION, *PROPERTIES} - {"clear"}


@pytest.mark.parametrize("kind", [Sessions, AioSessions, Session, AioSession])
def test_every_public_name_says_what_it_is(kind: type) -> None:
    for name in dir(kind):
        if not name.startswith("_") and name not in dir(MutableMapping):
            found = getattr(kind, name, None)
            if callable(found) or isinstance(found, property):
                assert inspect.getdoc(found), name


def test_a_cookie_is_the_safe_one() -> None:
    cookie = Cookie()
    assert cookie.bound_name == "__Host-sid"
    assert parameters(Cookie) == {
        "name": "sid",
        "domain": None,
        "path": "/",
        "secure": True,
        "same_site": "Lax",
        "http_only": True,
        "partitioned": False,
        "persistent": False,
        "insecure": False,
        "max_chunks": 1,
        "clear_site_data": False,
    }
    assert positional(Cookie) == ["name"]
    assert Header().name == "X-Auth-Token"


def test_what_is_returned_has_its_fields() -> None:
    assert Outcome._fields == ("token", "max_age", "expire")
    assert SessionInfo._fields == (
        "id",
        "user",
        "label",
        "created",
        "seen",
        "expires",
        "address",
        "agent",
    )


# A program that uses it all


def signed_in(sessions: Sessions, token: str | None) -> Outcome:
    session = sessions.load(token)
    session["cart"] = ["tea"]
    assert_type(session["cart"], Any)
    session.append("cart", "milk")
    session.increment("visits")
    session.login("ann", label="phone")
    assert_type(session.user, str | int | None)
    assert_type(session.fresh_for("5m"), bool)
    session.remember("30d")
    session.flash("saved", queue="top")
    session.notify("paid", 7)
    assert_type(session.check_csrf(session.csrf_token()), bool)
    assert_type(session.expires + session.created + session.seen, float)
    assert_type((session.id, session.is_new, session.changed), tuple[str, bool, bool])
    session.save()
    return sessions.commit(session)


def test_a_program_of_threads_types_what_it_uses() -> None:
    sessions = Sessions(
        "memory://",
        idle_timeout="30m",
        lifetime="12h",
        rotate_every="1h",
        rotate_grace=15,
        max_sessions=2,
        when_full="refuse",
        check_user=lambda user: user != "eve",
        secrets=[SECRET],
        keep_client=("address", "agent"),
        transport=Cookie("shop", persistent=True),
        on_store_error="anonymous",
        clock=ManualClock(),
    )
    assert_type(sessions, Sessions[Any])
    outcome = signed_in(sessions, None)
    assert_type(outcome, Outcome)
    assert_type((outcome.token, outcome.max_age), tuple[str | None, int | None])
    assert outcome.max_age == 30 * 24 * 3600
    session = sessions.load(outcome.token)
    assert_type(session.take("paid", 0), Any)
    assert_type(session.pop_flash("top"), list[Any])
    assert_type(session.peek_flash("top"), list[Any])
    with session.lock(timeout="5s"):
        session["cart"].append("sugar")
    session.revert()
    session.rotate()
    assert_type(sessions.commit(session, failed=False), Outcome)
    signed_in(sessions, None)
    with pytest.raises(TooManySessions, match="max_sessions=2") as refused:
        signed_in(sessions, None)
    assert_type(refused.value.limit, int)
    (phone, _) = assert_type(sessions.of("ann"), list[SessionInfo])
    assert_type((phone.label, phone.seen, phone.address), tuple[str | None, float, str | None])
    stream = io.BytesIO()
    assert_type(sessions.dump(stream), int)
    assert_type(sessions.revoke("ann", keep=session), int)
    assert_type(sessions.is_alive(session), bool)
    assert_type(sessions.destroy(session.id), bool)
    stream.seek(0)
    assert_type(sessions.restore(stream) + sessions.sweep() + sessions.count(), int)
    session = sessions.load(None)
    session.logout()
    session.destroy()
    assert sessions.commit(session).token is None


def test_a_program_of_an_event_loop_types_what_it_uses() -> None:
    async def main() -> None:
        sessions = Sessions.preset("aal2", "memory://", max_sessions=2).aio
        session = assert_type(await sessions.load(None), Session[Any])
        await session.aio.login(7, label="phone")
        session.flash("saved")
        session.notify("paid", 7)
        token = assert_type(await sessions.commit(session), Outcome).token
        session = await sessions.lazy(token).load()
        assert_type(await session.aio.take("paid"), Any)
        assert_type(await session.aio.pop_flash(), list[Any])
        async with session.aio.lock():
            session["cart"] = ["tea"]
        assert_type(await sessions.is_alive(session), bool)
        assert_type(await sessions.of(7), list[SessionInfo])
        stream = io.BytesIO()
        assert_type(await sessions.dump(stream), int)
        assert_type(await sessions.revoke(7, keep=session.id), int)
        assert_type(await sessions.destroy(session.id), bool)
        stream.seek(0)
        assert await sessions.restore(stream) == await sessions.count() == 1
        assert_type(await sessions.sweep(), int)

    asyncio.run(main())


def test_wrong_programs_are_wrong_for_the_checker() -> None:
    def never() -> None:
        Sessions("memory://", "30m")  # type: ignore[call-arg]
        Sessions("memory://", when_full="drop")  # type: ignore[arg-type]
        Sessions("memory://", on_store_error=503)  # type: ignore[arg-type]
        Sessions("memory://", transport="cookie")  # type: ignore[arg-type]
        Sessions.preset("aal4", "memory://")  # type: ignore[arg-type]
        sessions = Sessions("memory://")
        sessions.load(b"token")  # type: ignore[arg-type]
        sessions.revoke(None)  # type: ignore[arg-type]
        sessions.destroy(sessions.load(None))  # type: ignore[arg-type]
        sessions.load(None)[5] = 1  # type: ignore[index]
        sessions.load(None).login(None)  # type: ignore[arg-type]
        Cookie("sid", "example.com")  # type: ignore[call-arg]

    assert callable(never)
