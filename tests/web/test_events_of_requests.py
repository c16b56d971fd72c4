"""What one request tells, over both faces: each thing once."""

from collections.abc import Mapping
from typing import Any

import pytest

from holdfast import Cookie, Sessions
from holdfast.testing.calls import Face, Visitor, one_view
from holdfast.web import asgi, wsgi

NAME = "__Host-sid"


class Site:
    """A site and what it tells."""

    def __init__(self, face: Face) -> None:
        self.events: list[tuple[str, Mapping[str, object]]] = []
        sessions = Sessions("memory://", transport=Cookie(), observer=self.hear)
        kind: Any = wsgi if face == "wsgi" else asgi
        self.visitor = Visitor(kind.SessionMiddleware(one_view(view, face), sessions), face)

    def hear(self, event: str, fields: Mapping[str, object]) -> None:
        self.events.append((event, fields))

    def told(self, path: str, cookie: str | None = None) -> list[str]:
        """Return what is told during one request."""
        self.events.clear()
        self.visitor.get(path, cookie=cookie)
        return [event.removeprefix("session.") for event, _ in self.events]


def view(session: Any, path: str) -> object:
    match path.lstrip("/"):
        case "read":
            return session.get("name", "nobody")
        case "write":
            session["name"] = "ada"
        case "login":
            session.login("ann")
        case "logout":
            session.logout()
    return "done"


@pytest.fixture(params=["wsgi", "asgi"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.param)


def test_a_visit(site: Site) -> None:
    assert site.told("/read") == []
    assert site.told("/write") == ["created"]
    assert site.told("/read") == ["loaded"]
    assert site.told("/write") == ["loaded"]
    assert site.told("/login") == ["loaded", "rotated", "login"]
    assert site.told("/logout") == ["loaded", "destroyed", "logout"]
    assert site.told("/read") == []


def test_a_token_that_is_used_again(site: Site) -> None:
    site.told("/write")
    token = site.visitor.cookies[NAME]
    site.told("/login")
    assert site.told("/write", cookie=f"{NAME}={token}") == ["replayed", "conflict_dropped"]
    site.told("/logout")
    assert site.told("/read", cookie=f"{NAME}={token}") == ["replayed"]


def test_a_tossed_cookie(site: Site) -> None:
    site.told("/write")
    token = site.visitor.cookies[NAME]
    assert site.told("/read", cookie=f"{NAME}={token}; {NAME}=other") == ["cookie_tossing"]
    ((_, fields),) = site.events
    assert fields == {"names": (NAME,)}
