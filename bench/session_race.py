"""Table `session-race`: what two tabs at once do to a session, library by library.

Law: each library has the application that `holdfast.testing.races` asks for (`race_sites.py`), in
its own words, served in this process. Told is how many of the races it has paths for are not lost;
an error in answer to a slow request loses nothing in silence, and is told below.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import race_sites as sites
from bench.measure import NOT_INSTALLED, Absent, Effort
from bench.report import Row, Table
from bench.servers import running
from bench.visits import SECRET
from holdfast.testing.races import RACES, RaceReport, run_races

KINDS = list(dict.fromkeys(race.about for race in RACES.values()))


def holdfast(url: str, *, asgi: bool = False) -> Any:
    """Holdfast: sessions in a store, or in the cookie."""
    from holdfast import Sessions
    from holdfast.testing.races.site import asgi_site, wsgi_site
    from holdfast.web import asgi as over_asgi
    from holdfast.web import wsgi as over_wsgi

    sessions = Sessions(url) if url else Sessions.in_cookie([SECRET])
    if asgi:
        return over_asgi.SessionMiddleware(asgi_site, sessions)
    return over_wsgi.SessionMiddleware(wsgi_site, sessions)


def local(folder: Path) -> dict[str, Callable[[], Any]]:
    """Return what needs no server."""
    return {
        "Beaker, memory": partial(sites.beaker, "memory"),
        "Starlette, signed cookie": sites.starlette,
        "starsessions, memory": sites.starsessions,
        "Flask, signed cookie": sites.flask,
        "Flask-Session, files": partial(sites.flask_session, folder),
        "Django, cache": partial(sites.django, "cache", folder),
        "Django, SQLite": partial(sites.django, "db", folder),
        "Holdfast, sealed cookie": partial(holdfast, ""),
        "Holdfast, memory": partial(holdfast, "memory://"),
        "Holdfast, sqlite": partial(holdfast, f"sqlite:///{folder}/holdfast.db"),
        "Holdfast, sqlite, ASGI": partial(holdfast, f"sqlite:///{folder}/asgi.db", asgi=True),
    }


def on_redis(url: str) -> dict[str, Callable[[], Any]]:
    """Return what is in Redis, a database for each row."""
    return {
        "Beaker, redis": partial(sites.beaker, "ext:redis", f"{url}/1"),
        "starsessions, redis": partial(sites.starsessions, f"{url}/2"),
        "Flask-Session, redis": partial(sites.flask_session, None, f"{url}/3"),
        "Holdfast, redis": partial(holdfast, f"{url}/4"),
        "Holdfast, redis, ASGI": partial(holdfast, f"{url}/5", asgi=True),
    }


def run(effort: Effort) -> Table:
    """Play everybody's races; the effort makes no difference."""
    del effort
    table = Table(
        "session-race", "two tabs at once: races that are not lost", "", ["not lost", *KINDS]
    )
    with ExitStack() as ends:
        rows = local(Path(ends.enter_context(TemporaryDirectory())))
        try:
            rows |= on_redis(ends.enter_context(running("redis", "run_redis")).url)
        except Absent as word:
            table.notes.append(f"redis: {word}")
        for name, site in rows.items():
            _play(table, name, site)
    return table


def _play(table: Table, name: str, site: Callable[[], Any]) -> None:
    row = Row(name, {}, ours=name.startswith("Holdfast"))
    table.rows.append(row)
    try:
        app = site()
    except ImportError:
        row.cells["not lost"] = NOT_INSTALLED
        return
    report = run_races(app)
    row.cells["not lost"] = _share(report)
    row.cells |= {kind: _share(report, kind) for kind in KINDS}
    for says in ("lost", "refused"):
        if those := report.those(says):
            table.notes.append(f"{name}: {says}: {' '.join(those)}")


def _share(report: RaceReport, kind: str | None = None) -> str:
    """Return how many of those that were played were not lost; all of a kind, or all."""
    played = [v for v in report.verdicts if v.says != "absent" and kind in (None, v.about.about)]
    kept = sum(v.says != "lost" for v in played)
    return f"{kept} of {len(played)}" if played else "-"
