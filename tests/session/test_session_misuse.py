"""What a wrong program is told: the option or the argument, and what it should have been."""

import io
import re
import secrets
from collections.abc import Callable

import pytest
from conftest import Make

from holdfast import ConfigError, Cookie, Header, KeyRing, Sessions
from holdfast.session import Session
from holdfast.web import asgi, wsgi

SECRET = secrets.token_urlsafe(32)
FORGETFUL = "memcached://127.0.0.1:1"

Call = Callable[[], object]


def visit(do: Callable[[Session], object]) -> Call:
    return lambda: do(Sessions("memory://").load(None))


OPTIONS: dict[str, tuple[Call, str]] = {
    "idle_timeout": (lambda: Sessions("memory://", idle_timeout="soon"), "'30s', '5m'"),
    "lifetime": (lambda: Sessions("memory://", lifetime=0), "lifetime=0"),
    "touch_every": (lambda: Sessions("memory://", touch_every=-1), "touch_every=-1"),
    "rotate_grace": (lambda: Sessions("memory://", rotate_grace=20), "rotate_every has one"),
    "rotate_every": (
        lambda: Sessions("memory://", rotate_every=60, rotate_grace=2),
        "at least 10 s",
    ),
    "remember_up_to": (lambda: Sessions("memory://", remember_up_to="401d"), "over 400d"),
    "max_sessions": (lambda: Sessions("memory://", max_sessions=0), "from 1 on"),
    "forgetful": (lambda: Sessions(FORGETFUL, max_sessions=1), "accept_eviction=True"),
    "when_full": (lambda: Sessions("memory://", when_full="drop"), "'evict' or 'refuse'"),  # type: ignore[arg-type]
    "check_user": (lambda: Sessions("memory://", check_user=5), "called with a user"),  # type: ignore[arg-type]
    "clock": (lambda: Sessions("memory://", clock=5), "time.time"),  # type: ignore[arg-type]
    "observer": (lambda: Sessions("memory://", observer=None), "called with an event"),  # type: ignore[arg-type]
    "codec": (lambda: Sessions("memory://", codec="pickle"), "'msgpack' or 'json'"),
    "schema": (lambda: Sessions("memory://", schema=int), "no dataclass"),
    "secrets": (lambda: Sessions("memory://", secrets="short"), "make one with"),
    "prefix": (lambda: Sessions("memory://", prefix=None), "letters, digits"),  # type: ignore[arg-type]
    "keep_client": (lambda: Sessions("memory://", keep_client=None), "'address' and 'agent'"),  # type: ignore[arg-type]
    "no such thing kept": (lambda: Sessions("memory://", keep_client=["ip"]), "'agent'"),
    "store": (lambda: Sessions("redi://localhost"), "redis://"),
    "preset": (lambda: Sessions.preset("aal4", "memory://"), "'aal1'"),  # type: ignore[arg-type]
    "laxer preset": (
        lambda: Sessions.preset("aal3", "memory://", lifetime="13h"),
        "it allows 43200 s",
    ),
    "in_cookie": (lambda: Sessions.in_cookie("changeme"), "make one with"),
    "revocations": (
        lambda: Sessions.in_cookie(SECRET, revocations=FORGETFUL),
        "take another store",
    ),
    "transport": (lambda: Sessions.in_cookie(SECRET, transport="sid"), "give a Cookie(...)"),  # type: ignore[arg-type]
    "in_store": (lambda: KeyRing.in_store(None, protect=SECRET), "open_store"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", OPTIONS)
def test_a_wrong_option_is_named_at_start_with_what_it_should_be(case: str) -> None:
    call, says = OPTIONS[case]
    with pytest.raises(ConfigError, match=re.escape(says)):
        call()


TRANSPORTS: dict[str, tuple[Call, str]] = {
    "no name": (lambda: Cookie(None), "letters, digits"),  # type: ignore[arg-type]
    "octets": (lambda: Cookie(b"sid"), "letters, digits"),  # type: ignore[arg-type]
    "no path": (lambda: Cookie(path=None), "begins with '/'"),  # type: ignore[arg-type]
    "no domain": (lambda: Cookie(domain=False), "example.com"),  # type: ignore[arg-type]
    "no number": (lambda: Cookie(max_chunks="3"), "1 to 10"),  # type: ignore[arg-type]
    "too many": (lambda: Cookie(max_chunks=11), "1 to 10"),
    "no header": (lambda: Header(None), "X-Auth-Token"),  # type: ignore[arg-type]
    "WSGI": (lambda: wsgi.SessionMiddleware(lambda _, __: [], "memory://"), "give Sessions("),  # type: ignore[arg-type]
    "ASGI": (lambda: asgi.SessionMiddleware(None, None), "give Sessions("),  # type: ignore[arg-type]
    "origins": (lambda: wsgi.CsrfMiddleware(None, trusted_origins=None), "a list of origins"),  # type: ignore[arg-type]
    "origin": (lambda: asgi.CsrfMiddleware(None, trusted_origins=[5]), "https://"),  # type: ignore[arg-type, list-item]
}


@pytest.mark.parametrize("case", TRANSPORTS)
def test_a_wrong_transport_or_middleware_is_told_what_it_should_be(case: str) -> None:
    call, says = TRANSPORTS[case]
    with pytest.raises(ConfigError, match=re.escape(says)):
        call()


ARGUMENTS: dict[str, tuple[Call, str]] = {
    "a name": (visit(lambda s: s.__setitem__(5, 1)), "names are text, not int"),  # type: ignore[index]
    "a queue": (visit(lambda s: s.flash("saved", queue=None)), "text, not NoneType"),  # type: ignore[arg-type]
    "another queue": (visit(lambda s: s.pop_flash(5)), "text, not int"),  # type: ignore[arg-type]
    "a notification": (visit(lambda s: s.notify(5, 1)), "text, not int"),  # type: ignore[arg-type]
    "what to take": (visit(lambda s: s.take(5)), "text, not int"),  # type: ignore[arg-type]
    "a number": (visit(lambda s: s.increment("visits", "1")), "increment adds"),  # type: ignore[arg-type]
    "a user": (visit(lambda s: s.login(None)), "a user's name or number"),  # type: ignore[arg-type]
    "a label": (visit(lambda s: s.login("ann", 5)), "a label is text"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_a_wrong_argument_is_told_what_it_should_be(case: str) -> None:
    call, says = ARGUMENTS[case]
    with pytest.raises(TypeError, match=re.escape(says)):
        call()


def test_a_duration_that_is_none_is_told_in_its_own_words() -> None:
    session = Sessions.preset("aal2", "memory://").load(None)
    for call in (session.fresh_for, session.remember, session.lock):
        with pytest.raises(ConfigError, match="5m"):
            call("soon")
    with pytest.raises(ConfigError, match="no session is remembered here"):
        session.remember("1d")


@pytest.mark.parametrize("user", [None, True, 2.5, b"ann"])
def test_who_is_nobody_has_no_sessions_that_could_be_ended(make: Make, user: object) -> None:
    faces = make()
    token = faces.signed_in(str(user))
    for ask in (faces.of, faces.revoke):
        with pytest.raises(TypeError, match="a name or a number"):
            ask(user)  # type: ignore[arg-type]
    assert faces.lives(token)  # of the user whose name is written like that


def test_a_token_keeps_nothing_and_ends_nothing(make: Make) -> None:
    faces = make()
    token = faces.signed_in("ann")
    with pytest.raises(ValueError, match=r"Session\.id"):
        faces.revoke("ann", keep=token)
    assert faces.user(token) == "ann"


def test_only_a_session_is_committed_and_only_an_id_destroyed(make: Make) -> None:
    faces = make()
    with pytest.raises(TypeError, match="the session that load returned, not a dict"):
        faces.commit({})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the session that load returned, not a NoneType"):
        faces.is_alive(None)  # type: ignore[arg-type]
    session = faces.load(faces.new())
    with pytest.raises(TypeError, match="named by its id"):
        faces.destroy(session)  # type: ignore[arg-type]


@pytest.mark.parametrize("sessions", [Sessions("memory://"), Sessions.in_cookie(SECRET)], ids=repr)
def test_a_token_is_text(sessions: Sessions) -> None:
    with pytest.raises(TypeError, match="a token is text, not bytes"):
        sessions.load(b"A" * 43).get("a")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda sessions: sessions.of("ann"),
        lambda sessions: sessions.revoke("ann"),
        lambda sessions: sessions.destroy("0" * 64),
        lambda sessions: sessions.count(),
        lambda sessions: sessions.dump(io.BytesIO()),
        lambda sessions: sessions.restore(io.BytesIO()),
        lambda sessions: sessions.load(None).lock().__enter__(),
    ],
)
def test_what_cookie_only_sessions_cannot_do_says_what_could(
    call: Callable[[Sessions], object],
) -> None:
    with pytest.raises(ConfigError, match="client"):
        call(Sessions.in_cookie(SECRET))
