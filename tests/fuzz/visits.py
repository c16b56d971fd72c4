"""Laws of the middlewares: any octets in the Cookie header are answered, and harm nobody.

Law: the application answers 200, to a new visitor. A token that is none of ours in form costs no
store call; what a client sent is never sent back to it, and nothing is stored for mere reading.
"""

from typing import Any

from fuzz.cookies import CHUNKED, NAME, SINGLE
from fuzz.edits import octets
from fuzz.seals import well_formed
from holdfast.session import Sessions
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Answer, Face, Visitor, one_view
from holdfast.web import asgi, wsgi

__all__ = ["SITES", "STORE", "asgi_visits", "visitor", "wsgi_visits"]

SECRET = "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"


class Store(MemoryStore):
    """Counts what it is asked.

    Attributes:
        gets: Reads since it was emptied.
    """

    def __init__(self) -> None:
        super().__init__("visited")
        self.gets = 0

    def get(self, key: str) -> bytes | None:
        self.gets += 1
        return super().get(key)

    def empty(self) -> None:
        """Forget everything."""
        self.gets = 0
        for key in list(self.scan()):
            self.delete(key)


STORE = Store()
SITES = [
    Sessions(STORE, transport=SINGLE),
    Sessions(STORE, transport=CHUNKED),
    Sessions.in_cookie(SECRET, transport=CHUNKED),
]


def wsgi_visits(data: bytes) -> None:
    """Assert it over WSGI, where the header is one."""
    for sessions in SITES:
        assert_visited(sessions, visitor(sessions, "wsgi"), [octets(data)])


def asgi_visits(data: bytes) -> None:
    """Assert it over ASGI, where each line may be a header of its own; of one site, for speed."""
    sessions = SITES[len(data) % len(SITES)]
    assert_visited(sessions, visitor(sessions, "asgi"), octets(data).split("\n"))


def visitor(sessions: Sessions, face: Face) -> Visitor:
    """Return somebody who looks at a page, or writes."""
    app = one_view(_view, face)
    if face == "wsgi":
        return Visitor(wsgi.SessionMiddleware(app, sessions), face)
    return Visitor(asgi.SessionMiddleware(app, sessions), face)


def _view(session: Any, path: str) -> str:
    if path == "/write":
        session["name"] = "ada"
    return str(session.get("name", "nobody"))


def assert_visited(sessions: Sessions, visitor: Visitor, raws: list[str]) -> None:
    """Assert it of one site."""
    sent = [("Cookie", raw) for raw in raws]
    joined = "; ".join(raws)
    token, _, event = (sessions.transport or SINGLE).read(joined)  # type: ignore[attr-defined]
    asked = sessions.store is not None and token is not None and well_formed(token)
    STORE.empty()
    for method in ("GET", "HEAD"):
        answer = visitor.get("/", headers=sent, method=method)
        assert (answer.status, answer.body) == (200, b"nobody")
        assert all("; Max-Age=0" in line for line in cookies(answer))
        assert bool(cookies(answer)) == bool(event)
    assert STORE.gets == 2 * asked
    assert list(STORE.scan()) == []
    visitor.cookies.clear()
    answer = visitor.get("/write", headers=sent)
    assert (answer.status, answer.body) == (200, b"ada")
    assert cookies(answer)
    assert all(value not in joined for value in visitor.cookies.values())
    assert len(list(STORE.scan())) == (sessions.store is not None)
    assert visitor.get("/").body == b"ada"
    visitor.cookies.clear()


def cookies(answer: Answer) -> list[str]:
    """Return the Set-Cookie lines: ours, and fit to be sent."""
    lines = answer.all("set-cookie")
    for line in lines:
        assert line.startswith(NAME)
        assert line.isascii()
        assert line.isprintable()
    return lines
