"""What an answer says when a session ends: the cookie goes, and what was kept of the site."""

from typing import Any

import pytest

from holdfast import Cookie, Sessions
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Face, Visitor, one_view
from holdfast.web import asgi, wsgi

NAME = "__Host-sid"
CLEARED = ['"cache", "storage"']


def view(session: Any, path: str) -> object:
    match path:
        case "/write":
            session["name"] = "ada"
        case "/login":
            session.login("ada")
        case "/logout":
            session.logout()
        case "/fail":
            session.logout()
            return 500
    return session.get("name", "nobody")


@pytest.fixture(params=["wsgi", "asgi"])
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


def visitor(face: Face, sessions: Sessions) -> Visitor:
    kind: Any = wsgi if face == "wsgi" else asgi
    return Visitor(kind.SessionMiddleware(one_view(view, face), sessions), face)


@pytest.mark.parametrize("path", ["/logout", "/fail"])
def test_010_a_logout_clears_what_the_browser_keeps_where_that_is_asked_for(
    face: Face, path: str
) -> None:
    for clear, said in ((True, CLEARED), (False, [])):
        sessions = Sessions(MemoryStore("out"), transport=Cookie(clear_site_data=clear))
        one = visitor(face, sessions)
        for quiet in ("/write", "/", "/login", "/"):
            assert one.get(quiet).all("clear-site-data") == []
        answer = one.get(path)
        assert answer.all("clear-site-data") == said
        assert one.cookies == {}
        assert one.get(path).all("clear-site-data") == []  # nobody is there to log out


def test_010_two_cookies_of_our_name_clear_nothing(face: Face) -> None:
    sessions = Sessions(MemoryStore("out"), transport=Cookie(clear_site_data=True))
    answer = visitor(face, sessions).get("/", cookie=f"{NAME}=a; {NAME}=b")
    assert "Max-Age=0" in answer.all("set-cookie")[0]
    assert answer.all("clear-site-data") == []


def test_010_who_is_not_welcome_any_more_is_cleared_as_well(face: Face) -> None:
    welcome = {"ada"}
    sessions = Sessions(
        MemoryStore("out"),
        transport=Cookie(clear_site_data=True),
        check_user=lambda user: user in welcome,
    )
    one = visitor(face, sessions)
    one.get("/login")
    welcome.clear()
    answer = one.get("/")
    assert answer.all("clear-site-data") == CLEARED
    assert one.cookies == {}
