"""Table `session-asgi`: one request through an ASGI session middleware.

Law: the same visitor and the same pages as table `session`, awaited inside one running loop. Where
a middleware loads on demand, the page that wants the session loads it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.measure import Case, Effort, Work, Works, measure
from bench.report import Table, timed
from bench.visits import COLUMNS, SECRET, TWELVE_IN_JSON, cookie_of

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Load = Callable[[Message, Receive], Awaitable[object]]
App = Callable[[Any, Any, Any], Awaitable[None]]
Wrap = Callable[[App], App]

SCOPE: Message = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "https",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "server": ("shop.example", 443),
    "client": ("203.0.113.9", 40000),
}
HOST = (b"host", b"shop.example")


async def answer(send: Send) -> None:
    """Send a small page."""
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def loaded(scope: Message, receive: Receive) -> None:
    """Do nothing: the middleware has loaded the session already."""


def pages(load: Load) -> tuple[App, dict[str, App]]:
    """Return the application that fills a session, and one per column."""

    async def fill(scope: Message, receive: Receive, send: Send) -> None:
        await load(scope, receive)
        scope["session"].update(TWELVE_IN_JSON)
        await answer(send)

    async def untouched(scope: Message, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI
        await answer(send)

    async def read(scope: Message, receive: Receive, send: Send) -> None:
        await load(scope, receive)
        assert scope["session"]["user_id"] == 4711
        await answer(send)

    async def read_list(scope: Message, receive: Receive, send: Send) -> None:
        await load(scope, receive)
        assert len(scope["session"]["cart"]) == 2
        await answer(send)

    async def write(scope: Message, receive: Receive, send: Send) -> None:
        await load(scope, receive)
        session = scope["session"]
        session["visits"] = session["visits"] + 1
        await answer(send)

    return fill, dict(zip(COLUMNS, (untouched, read, read_list, write), strict=True))


class Visitor:
    """Sends a request with the cookie it was given, and looks at nothing."""

    def __init__(self) -> None:
        self.headers = [HOST]
        self.sent: list[tuple[str, str]] = []

    async def receive(self) -> Message:
        """Have no body."""
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        """Drop the answer."""

    async def visit(self, app: App) -> None:
        """Do what a server does for one request."""
        await app(SCOPE | {"headers": self.headers}, self.receive, self.send)

    async def first_visit(self, app: App) -> None:
        """Visit, and keep the cookie."""

        async def send(message: Message) -> None:
            for name, value in message.get("headers", ()):
                self.sent.append((name.decode(), value.decode("latin-1")))

        await app(SCOPE | {"headers": self.headers}, self.receive, send)
        self.headers = [HOST, (b"cookie", cookie_of(self.sent).encode())]


async def works(wrap: Wrap, load: Load = loaded) -> Works:
    """Return the columns for the middleware that `wrap` puts around an application."""
    fill, apps = pages(load)
    visitor = Visitor()
    await visitor.first_visit(wrap(fill))
    return {
        column: Work("await visit(app)", {"visit": visitor.visit, "app": wrap(app)})
        for column, app in apps.items()
    }


def bare() -> Works:
    """No middleware, no session: what every row pays."""
    untouched = pages(loaded)[1]["untouched"]
    return dict.fromkeys(
        COLUMNS, Work("await visit(app)", {"visit": Visitor().visit, "app": untouched})
    )


@asynccontextmanager
async def starlette() -> AsyncIterator[Works]:
    """A signed cookie; the visitor can read what is in it."""
    from starlette.middleware.sessions import SessionMiddleware

    yield await works(lambda app: SessionMiddleware(app, SECRET))


@asynccontextmanager
async def starsessions(url: str = "") -> AsyncIterator[Works]:
    """Loaded on demand.

    Args:
        url: Of a Redis; none: its memory store.
    """
    from redis.asyncio import Redis
    from starlette.requests import HTTPConnection
    from starsessions import InMemoryStore, SessionMiddleware, load_session
    from starsessions.stores.redis import RedisStore

    async def load(scope: Message, receive: Receive) -> None:
        await load_session(HTTPConnection(scope, receive))

    if not url:
        store = InMemoryStore()
        yield await works(lambda app: SessionMiddleware(app, store), load)
        return
    async with Redis.from_url(url) as client:
        there = RedisStore(connection=client)
        yield await works(lambda app: SessionMiddleware(app, there), load)


@asynccontextmanager
async def holdfast(url: str, *, lazy: bool = False) -> AsyncIterator[Works]:
    """Holdfast over a store.

    Args:
        url: Of the store.
        lazy: Load on demand, not before the application runs.
    """
    from holdfast import Sessions, open_store
    from holdfast.web.asgi import SessionMiddleware

    async def load(scope: Message, _: Receive) -> None:
        await scope["session"].load()

    with open_store(url) as store:
        sessions = Sessions(store)
        wrap = partial(SessionMiddleware, sessions=sessions, lazy=lazy)
        yield await works(wrap, load if lazy else loaded)
        await store.aio.close()


@asynccontextmanager
async def holdfast_cookie() -> AsyncIterator[Works]:
    """Sealed into the cookie."""
    from holdfast import Sessions
    from holdfast.web.asgi import SessionMiddleware

    sessions = Sessions.in_cookie(secrets=[SECRET])
    yield await works(lambda app: SessionMiddleware(app, sessions))


def run(effort: Effort) -> Table:
    """Measure the table."""
    with TemporaryDirectory() as folder:
        rows = Path(folder) / "sessions.db"
        cases = [
            Case("bare app", bare),
            Case("Starlette, signed cookie", starlette),
            Case("starsessions, memory", starsessions),
            Case("Holdfast, memory", lambda: holdfast("memory://"), ours=True),
            Case(
                "Holdfast, memory, lazy=True", lambda: holdfast("memory://", lazy=True), ours=True
            ),
            Case("Holdfast, sealed cookie", holdfast_cookie, ours=True),
            Case("Holdfast, sqlite", lambda: holdfast(f"sqlite:///{rows}"), ours=True),
        ]
        outcome = measure(cases, effort)
    table = Table("session-asgi", "ASGI session middleware", "us per request", list(COLUMNS))
    timed(table, cases, outcome, per=1e3)
    return table
