"""Table `session`: one request through a WSGI session middleware.

Law: the visitor comes with the cookie of a session of twelve names. `untouched` does not look at
it, `read` reads an integer, `read a list` a list (which might have been changed in place),
`read+write` counts a visit. It is one visitor again and again, or many in turn. Every row makes a
fresh environ and drains the body.
"""

from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.measure import Case, Effort, Outcome, Work, measure, timing
from bench.report import Table, timed
from bench.targets import SESSION_COOKIE, SESSION_MEMORY, UNTOUCHED
from bench.visits import COLUMNS, SECRET, TWELVE, cookie_of

Environ = dict[str, Any]
App = Callable[[Any, Any], Iterable[bytes]]
Wrap = Callable[[App], App]

MANY = 1000
"""More visitors than Holdfast keeps parsed records of."""

ENVIRON: Environ = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "shop.example",
    "SERVER_PORT": "443",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "shop.example",
    "wsgi.url_scheme": "https",
    "wsgi.input": BytesIO(),
}
"""What a server says of a request; `PATH_INFO` is the column's name."""


def pages(key: str, *, saves: bool) -> tuple[App, dict[str, App]]:
    """Return the application that fills a session, and one per column.

    Args:
        key: Where the middleware puts the session.
        saves: Whether a write asks for `session.save()`.
    """

    def fill(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        session = environ[key]
        session.update(TWELVE)
        if saves:
            session.save()
        return untouched(environ, start_response)

    def untouched(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:  # noqa: ARG001 - WSGI
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    def read(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert environ[key]["user_id"] == 4711
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    def read_list(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert len(environ[key]["cart"]) == 2
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    def write(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        session = environ[key]
        session["visits"] = session["visits"] + 1
        if saves:
            session.save()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    return fill, dict(zip(COLUMNS, (untouched, read, read_list, write), strict=True))


def visit(app: App, environ: Environ, start_response: Callable[..., Any]) -> None:
    """Do what a server does for one request."""
    body = app(environ.copy(), start_response)
    for _ in body:
        pass
    close = getattr(body, "close", None)
    if close is not None:
        close()


def works(wrap: Wrap, key: str, *, saves: bool = False, visitors: int = 1) -> Mapping[str, Work]:
    """Return the columns for the middleware that `wrap` puts around an application.

    Args:
        wrap: Makes the middleware.
        key: Where it puts the session.
        saves: Whether a write asks for `session.save()`.
        visitors: How many come in turn, each with a session of its own.
    """
    fill, apps = pages(key, saves=saves)
    return visited(wrap(fill), {name: wrap(app) for name, app in apps.items()}, visitors)


def visited(fill: App, apps: Mapping[str, App], visitors: int = 1) -> Mapping[str, Work]:
    """Return the columns for whole applications.

    Args:
        fill: Makes a session of twelve names.
        apps: One per column; it may look at the path.
        visitors: How many come in turn, each with a session of its own.
    """
    sent: list[tuple[str, str]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        assert status == "200 OK", status
        sent[:] = headers

    cookies = []
    for _ in range(visitors):
        visit(fill, ENVIRON | {"PATH_INFO": "/fill"}, start_response)
        cookies.append({"HTTP_COOKIE": cookie_of(sent)})
    return {
        column: _work(app, [_environ(column) | cookie for cookie in cookies], start_response)
        for column, app in apps.items()
    }


def unvisited(app: App) -> Mapping[str, Work]:
    """Return the columns for an application without sessions: its `untouched` in each of them."""
    return dict.fromkeys(COLUMNS, _work(app, [_environ("untouched")], lambda *_: None))


def _environ(column: str) -> Environ:
    return ENVIRON | {"PATH_INFO": f"/{column}"}


def _work(app: App, environs: list[Environ], start_response: Callable[..., None]) -> Work:
    names = {"visit": visit, "app": app, "environs": cycle(environs), "start": start_response}
    return Work("visit(app, next(environs), start)", names)


def bare() -> Mapping[str, Work]:
    """No middleware, no session: what every row pays."""
    return unvisited(pages("", saves=False)[1]["untouched"])


def beaker(visitors: int = 1, **options: object) -> Mapping[str, Work]:
    """Beaker; `secret` signs the id."""
    from beaker.middleware import SessionMiddleware

    settings = {f"session.{name}": value for name, value in options.items()}
    return works(
        lambda app: SessionMiddleware(app, settings),
        "beaker.session",
        saves=True,
        visitors=visitors,
    )


def beaker_cookie() -> Mapping[str, Work]:
    """Beaker's encrypted cookie."""
    return beaker(type="cookie", encrypt_key=SECRET, validate_key=SECRET[::-1])


def holdfast(url: str, visitors: int = 1) -> Mapping[str, Work]:
    """Holdfast over a store."""
    from holdfast import Sessions
    from holdfast.web.wsgi import SessionMiddleware

    sessions = Sessions(url)
    return works(
        lambda app: SessionMiddleware(app, sessions), "holdfast.session", visitors=visitors
    )


def holdfast_cookie() -> Mapping[str, Work]:
    """Holdfast without a store: sealed into the cookie."""
    from holdfast import Sessions
    from holdfast.web.wsgi import SessionMiddleware

    sessions = Sessions.in_cookie(secrets=[SECRET])
    return works(lambda app: SessionMiddleware(app, sessions), "holdfast.session")


def run(effort: Effort) -> Table:
    """Measure the table."""
    with TemporaryDirectory() as folder:
        files, rows = Path(folder) / "beaker", Path(folder) / "sessions.db"
        cases = [
            Case("bare app", bare),
            Case("Beaker, memory", lambda: beaker(type="memory", secret=SECRET)),
            Case(
                "Beaker, memory, save_accessed_time=False",
                lambda: beaker(type="memory", secret=SECRET, save_accessed_time=False),
            ),
            Case("Beaker, file", lambda: beaker(type="file", secret=SECRET, data_dir=str(files))),
            Case("Beaker, encrypted cookie", beaker_cookie),
            Case(
                f"Beaker, memory, {MANY} visitors",
                lambda: beaker(MANY, type="memory", secret=SECRET),
            ),
            Case("Holdfast, memory", lambda: holdfast("memory://"), ours=True),
            Case(
                f"Holdfast, memory, {MANY} visitors",
                lambda: holdfast("memory://", MANY),
                ours=True,
            ),
            Case("Holdfast, sqlite", lambda: holdfast(f"sqlite:///{rows}"), ours=True),
            Case("Holdfast, sealed cookie", holdfast_cookie, ours=True),
        ]
        outcome = measure(cases, effort)
    table = Table("session", "WSGI session middleware", "us per request", list(COLUMNS))
    timed(table, cases, outcome, per=1e3)
    table.notes.append(cryptography())
    _judge(table, outcome)
    return table


def cryptography() -> str:
    """Say what Beaker seals and signs with; PyCryptodome slows its signed ids down."""
    try:
        from beaker.crypto import hmac, load_default_module
    except ImportError:
        return "Beaker is not installed"
    seals = load_default_module().__name__.rpartition(".")[2]
    signs = "PyCryptodome: slower" if hmac.__name__.startswith("Crypto") else "the standard library"
    return f"Beaker encrypts with {seals} and signs with {signs}"


def _judge(table: Table, outcome: Outcome) -> None:
    """Compare with the targets."""
    floor = timing(outcome, "bare app", "untouched")
    for row in ("Holdfast, memory", "Holdfast, sqlite", "Holdfast, sealed cookie"):
        ours = timing(outcome, row, "untouched")
        if ours and floor:
            table.verdicts.append(UNTOUCHED.judge(ours.beyond(floor) / 1e3, row))
    pairs = (
        ("Holdfast, memory", "Beaker, memory", SESSION_MEMORY),
        ("Holdfast, sealed cookie", "Beaker, encrypted cookie", SESSION_COOKIE),
    )
    for row, peer, target in pairs:
        for column in COLUMNS[1:]:
            ours, theirs = timing(outcome, row, column), timing(outcome, peer, column)
            if ours and theirs:
                table.verdicts.append(target.judge(theirs.over(ours), column))
