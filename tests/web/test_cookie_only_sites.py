"""Cookie-only sessions of a whole site: a logout that holds, and a store that is down."""

from typing import Any

import pytest

from holdfast import Session, Sessions
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Face, Visitor, one_view
from holdfast.testing.faults import FaultyStore
from holdfast.web.asgi import SessionMiddleware as AsgiMiddleware
from holdfast.web.transport import Cookie
from holdfast.web.wsgi import SessionMiddleware as WsgiMiddleware
from servers.redis import RedisServer

SECRET = "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"


def view(session: Session, path: str) -> object:
    if path == "/in":
        session.login("ann")
    elif path == "/out":
        session.logout()
    elif path == "/fill":
        session["long"] = "x" * 6000
    elif path == "/forget":
        session.pop("long", None)
    return session.user


class Site:
    """One site whose revocations can fail."""

    def __init__(self, face: Face, **options: Any) -> None:
        self.store = FaultyStore(MemoryStore("rows"))
        self.sessions = Sessions.in_cookie(SECRET, **{"revocations": self.store, **options})
        middleware: Any = WsgiMiddleware if face == "wsgi" else AsgiMiddleware
        self.visitor = Visitor(middleware(one_view(view, face), self.sessions), face)

    def close(self) -> None:
        assert self.sessions.revocations is not None
        self.sessions.revocations.close()


@pytest.mark.parametrize("face", ["wsgi", "asgi"])
def test_39_a_stolen_cookie_is_nothing_after_the_logout(face: Face) -> None:
    visitor = Site(face).visitor
    assert visitor.get("/in").body == b"ann"
    thief = visitor.twin()
    assert thief.get("/").body == b"ann"
    assert visitor.get("/out").body == b"None"
    assert visitor.cookies == {}
    assert thief.get("/").body == b"None"


@pytest.mark.parametrize("face", ["wsgi", "asgi"])
def test_54_nobody_is_told_of_a_logout_that_could_not_be_kept(face: Face) -> None:
    site = Site(face)
    site.visitor.get("/in")
    held = dict(site.visitor.cookies)
    with site.store.fail():
        assert site.visitor.get("/").status == 503
    with site.store.fail("swap"):
        assert site.visitor.get("/out").status == 503
    assert site.visitor.cookies == held
    assert site.visitor.get("/").body == b"ann"


@pytest.mark.parametrize("face", ["wsgi", "asgi"])
def test_25_a_session_grows_into_chunks_and_shrinks(face: Face) -> None:
    visitor = Site(face, transport=Cookie(max_chunks=4)).visitor
    visitor.get("/in")
    visitor.get("/fill")
    assert len(visitor.cookies) == 4
    assert visitor.get("/").body == b"ann"
    for name in sorted(visitor.cookies):
        other = visitor.twin()
        del other.cookies[name]
        assert other.get("/").body == b"None"
    old = visitor.twin()
    visitor.get("/forget")
    assert len(visitor.cookies) == 1
    assert visitor.get("/").body == b"ann"
    (head,) = visitor.cookies
    mixed = visitor.twin()
    mixed.cookies = {**old.cookies, head: visitor.cookies[head]}
    assert mixed.get("/").body == b"None"  # a stale tail


def test_a_url_will_do() -> None:
    sessions = Sessions.in_cookie(SECRET, revocations="memory://")
    assert sessions.revocations is not None
    with sessions.revocations:
        session = sessions.load(None)
        session.login("ann")
        token = sessions.commit(session).token
        assert sessions.load(token).user == "ann"
        sessions.revoke("ann")
        assert sessions.load(token).user is None


@pytest.mark.server
@pytest.mark.parametrize("face", ["wsgi", "asgi"])
def test_39_two_processes_share_what_was_revoked(face: Face, redis_server: RedisServer) -> None:
    here, there = (
        Site(face, revocations=redis_server.url, prefix=f"only-{face}") for _ in range(2)
    )
    here.visitor.get("/in")
    there.visitor.cookies = dict(here.visitor.cookies)
    assert there.visitor.get("/").body == b"ann"
    here.visitor.get("/out")
    assert there.visitor.get("/").body == b"None"
    there.visitor.get("/in")
    assert there.visitor.get("/").body == b"ann"
    here.sessions.revoke("ann")
    assert there.visitor.get("/").body == b"None"
    here.close()
    there.close()
