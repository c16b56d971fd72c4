"""Sites whose store fails at each operation of a request in turn: the answer tells the truth."""

from typing import Any

import pytest

from holdfast import Cookie, Sessions
from holdfast.errors import StoreError, TooManySessions
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Face, Visitor, one_view
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore
from holdfast.web import asgi, wsgi

KINDS = ["fail", "hang", "lose_reply"]


def view(session: Any, path: str) -> object:
    match path:
        case "/add":
            session["cart"] = [*session.get("cart", []), "tea"]
        case "/count":
            session.increment("n")
        case "/login":
            session.login("ann")
        case "/login-or-not":
            try:
                session.login("ann")
            except (StoreError, TooManySessions):
                return "not now"
        case "/logout":
            session.logout()
        case "/rotate":
            session.rotate()
    return f"{session.user} {session.get('n', 0)} {session.get('cart')}"


class Site:
    """A site over a store that fails, and a visitor of it."""

    def __init__(self, face: Face, *, user: bool, **options: Any) -> None:
        self.clock = ManualClock()
        self.store = FaultyStore(MemoryStore("site", clock=self.clock), clock=self.clock)
        self.sessions = Sessions(self.store, clock=self.clock, transport=Cookie(), **options)
        kind: Any = wsgi if face == "wsgi" else asgi
        app = kind.SessionMiddleware(one_view(view, face), self.sessions)
        self.visitor = Visitor(app, face)
        assert self.visitor.get("/add").status == 200
        if user:
            assert self.visitor.get("/login").status == 200
        self.before = self.who()
        self.clock.advance(700)

    def who(self) -> str:
        return self.visitor.get("/").body.decode()


@pytest.fixture(params=["wsgi", "asgi"])
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "options",
    [{}, {"max_sessions": 1}, {"max_sessions": 1, "when_full": "refuse"}],
    ids=["plain", "evict", "refuse"],
)
@pytest.mark.parametrize("user", [False, True], ids=["anonymous", "user"])
@pytest.mark.parametrize("path", ["/add", "/count", "/login", "/login-or-not", "/logout"])
def test_054_200_means_done_and_503_means_as_before_or_done(
    face: Face, path: str, options: dict[str, Any], *, user: bool
) -> None:
    for kind in KINDS:
        after, struck = 0, True
        while struck:
            site = Site(face, user=user, **options)
            with getattr(site.store, kind)("get", "get_many", "swap", after=after) as fault:
                answer = site.visitor.get(path)
            after, struck = after + 1, bool(fault.struck)
            assert answer.status in (200, 503)
            if answer.status == 503:
                assert answer.all("set-cookie") == []
            truth(site, path, answer.body.decode() if answer.status == 200 else None)
            ends(site)


def truth(site: Site, path: str, said: str | None) -> None:
    """Check what the visitor meets next against what he was told: None if it was an error."""
    site.clock.advance(61)
    found = site.who()
    if said is None or said == "not now":
        # Where an answer was lost, a session may be gone with its token; nobody gets another.
        assert found.split()[0] in ("None", site.before.split()[0])
    elif path == "/logout":
        assert found == "None 0 None"
    else:
        assert found == said


def ends(site: Site) -> None:
    """Check that whoever is signed in is listed, and can be ended."""
    signed_in = site.who().startswith("ann")
    assert len(site.sessions.of("ann")) >= signed_in
    site.sessions.revoke("ann")
    assert site.who().startswith("None")


def test_054_an_error_in_check_user_is_no_absent_name(face: Face) -> None:
    broken = False

    def check_user(user: str) -> bool:
        if broken:
            raise KeyError(user)
        return True

    site = Site(face, user=True, check_user=check_user)
    broken = True
    for path in ("/", "/add", "/logout"):
        with pytest.raises((KeyError, RuntimeError)):
            site.visitor.get(path)
    broken = False
    assert site.who() == site.before


@pytest.mark.parametrize("verb", ["get", "pop", "setdefault"])
def test_054_an_error_in_check_user_reaches_whoever_asks_for_a_name(verb: str) -> None:
    sessions = Sessions("memory://", check_user={"bob": True}.__getitem__)
    session = sessions.load(None)
    session.login("ann")
    session["role"] = "admin"
    session = sessions.load(sessions.commit(session).token)
    with pytest.raises(RuntimeError, match="check_user"):
        getattr(session, verb)("role", "guest")
