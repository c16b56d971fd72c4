"""Table `compat-session`: one WSGI request, through Beaker's middleware and through the facade's.

Law: the visitor and the pages of table `session`, the id signed. `auto` is `read` with the option
of that name; `a hundred` is `read+write` of a session that has a list of a hundred texts as well.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from bench.compat_kinds import KINDS, Kind, Library, disk, fill
from bench.measure import Effort, Works
from bench.report import Table
from bench.session import App, pages, visited
from bench.visits import SECRET, TWELVE

__all__ = ["run"]

KEY = "beaker.session"
COLUMNS = ("untouched", "read", "read+write", "auto", "a hundred")
SEALED = {"encrypt_key": SECRET, "validate_key": SECRET[::-1]}
HUNDRED = [f"/orders/2024/{number:04}" for number in range(100)]


def works(library: Library, options: Mapping[str, Any]) -> Works:
    """Return the columns of one row."""
    middleware = library("middleware").SessionMiddleware
    settings = {f"session.{name}": value for name, value in {"secret": SECRET, **options}.items()}
    fill_it, apps = pages(KEY, saves=True)

    def wrap(app: App, **more: object) -> App:
        wrapped: App = middleware(app, settings | more)
        return wrapped

    made = {name: wrap(apps[name]) for name in COLUMNS[:3]}
    automatic = {"auto": wrap(apps["read"], **{"session.auto": True})}
    columns = {**visited(wrap(fill_it), made), **visited(wrap(fill_it), automatic)}
    if options["type"] == "cookie":  # it would be too long for a cookie
        return columns
    return {**columns, **visited(wrap(_fill_more), {"a hundred": wrap(apps["read+write"])})}


def _fill_more(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    session = environ[KEY]
    session.update(TWELVE)
    session["seen"] = HUNDRED
    session.save()
    start_response("200 OK", [])
    return [b"ok"]


def _with(kind: Kind, name: str, more: Mapping[str, Any]) -> Kind:
    """Return the same kind with options of sessions."""
    return replace(kind, name=name, options=lambda *given: {**kind.options(*given), **more})


def run(effort: Effort) -> Table:
    """Measure the table."""
    stored = [kind for kind in KINDS if kind.name != "dbm"]
    cookie = Kind("signed cookie", disk, lambda *_: {"type": "cookie", "validate_key": SECRET})
    kinds = [
        *stored,
        _with(KINDS[1], "file, encrypted", SEALED),
        cookie,
        _with(cookie, "encrypted cookie", SEALED),
    ]
    table = Table("compat-session", "Beaker's sessions", "us per request", list(COLUMNS))
    fill(table, kinds, works, effort)
    return table
