"""The application of `holdfast.testing.races` for each library of table `session-race`.

Law: each does what the library's own documentation says of signing in and out; what it has no word
for has no path. A site is made when it is asked for, with what it needs imported inside.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from urllib.request import urlopen

from bench.visits import SECRET

Environ = dict[str, Any]
Names = dict[str, str]
Held = MutableMapping[str, Any]
NOTHING_MORE = "404 Not Found"


def asked(query: str) -> tuple[Names, str | None]:
    """Return what a query names, and where to wait."""
    names = dict(parse_qsl(query, keep_blank_values=True))
    return names, names.pop("wait", None)


def wait_at(gate: str | None) -> None:
    """Wait until the race says go."""
    if gate is not None:
        urlopen(gate).close()  # noqa: S310 - the race's own


def write(session: Held, path: str, names: Names) -> bool:
    """Do to a dict what `path` says; return whether that is anything a dict can do."""
    for name, value in names.items():
        match path:
            case "/set":
                session[name] = value
            case "/delete":
                session.pop(name, None)
            case "/count":
                session[name] = session.get(name, 0) + 1
            case "/append":
                session[name] = [*session.get(name, []), value]
    return path in ("/set", "/delete", "/count", "/append")


def shown(session: Held, popped: list[Any] | None = None) -> bytes:
    """Return the names of a session as JSON."""
    return json.dumps({**session, "popped": popped or []}, default=str).encode()


def beaker(kind: str, url: str = "") -> Any:
    """Beaker."""
    from beaker.middleware import SessionMiddleware

    def site(environ: Environ, start_response: Any) -> Iterable[bytes]:
        session, path = environ["beaker.session"], environ["PATH_INFO"]
        names, gate = asked(environ["QUERY_STRING"])
        session.get("a")
        wait_at(gate)
        if path == "/login":
            session.regenerate_id()
            session["user"] = names["user"]
        elif path == "/rotate":
            session.regenerate_id()
        elif path == "/logout":
            session.delete()
        elif not write(session, path, names) and path != "/show":
            start_response(NOTHING_MORE, [])
            return []
        if path not in ("/show", "/logout"):
            session.save()
        start_response("200 OK", [])
        return [shown(session)]

    options = {"type": kind, "url": url, "secret": SECRET, "data_serializer": "json"}
    return SessionMiddleware(site, {f"session.{name}": value for name, value in options.items()})


async def _sent(send: Any, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


def starlette() -> Any:
    """Starlette: a signed cookie."""
    from starlette.middleware.sessions import SessionMiddleware

    async def site(scope: Any, _: Any, send: Any) -> None:
        session, path = scope["session"], scope["path"]
        names, gate = asked(scope["query_string"].decode())
        session.get("a")
        await asyncio.to_thread(wait_at, gate)
        if path == "/login":
            session["user"] = names["user"]
        elif path == "/logout":
            session.clear()
        elif not write(session, path, names) and path != "/show":
            await _sent(send, 404, b"")
            return
        await _sent(send, 200, shown(session))

    return SessionMiddleware(site, SECRET)


def starsessions(url: str | None = None) -> Any:
    """The library starsessions."""
    from starlette.requests import HTTPConnection
    from starsessions import InMemoryStore, SessionMiddleware, load_session, regenerate_session_id
    from starsessions.stores.redis import RedisStore

    async def site(scope: Any, receive: Any, send: Any) -> None:
        connection, path = HTTPConnection(scope, receive), scope["path"]
        names, gate = asked(scope["query_string"].decode())
        await load_session(connection)
        session = connection.session
        await asyncio.to_thread(wait_at, gate)
        if path == "/login":
            regenerate_session_id(connection)
            session["user"] = names["user"]
        elif path == "/rotate":
            regenerate_session_id(connection)
        elif path == "/logout":
            session.clear()
        elif not write(session, path, names) and path != "/show":
            await _sent(send, 404, b"")
            return
        await _sent(send, 200, shown(session))

    return SessionMiddleware(site, InMemoryStore() if url is None else RedisStore(url))


def flask(configure: Callable[[Any], object] | None = None) -> Any:
    """Flask: a signed cookie; or what `configure` puts in its place."""
    from flask import Flask, Response, abort, flash, get_flashed_messages, request, session

    app = Flask(__name__)
    app.secret_key = SECRET
    if configure is not None:
        configure(app)
    renew = getattr(app.session_interface, "regenerate", None)

    @app.get("/<verb>")
    def site(verb: str) -> Response:
        names, gate = asked(request.query_string.decode())
        popped: list[Any] = []
        session.get("a")
        wait_at(gate)
        match verb:
            case "login":
                if renew is not None:
                    renew(session)
                session["user"] = names["user"]
            case "rotate" if renew is not None:
                renew(session)
            case "logout":
                session.clear()
            case "flash":
                flash(names["message"])
            case "pop":
                popped = get_flashed_messages()
            case _ if not write(session, f"/{verb}", names) and verb != "show":
                abort(404)
        return Response(shown(session, popped), mimetype="application/json")

    return app.wsgi_app


def flask_session(folder: Path | None = None, url: str = "") -> Any:
    """Flask-Session: files, or Redis."""
    from flask_session import Session

    def configure(app: Any) -> None:
        if folder is not None:
            from cachelib.file import FileSystemCache

            app.config.update(
                SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(folder / "flask"))
            )
        else:
            from redis import Redis

            app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(url))
        Session(app)

    return flask(configure)


def django(engine: str, folder: Path) -> Any:
    """Django: `cache` (in memory) or `db` (SQLite)."""
    import django as package
    from django.conf import settings

    if not settings.configured:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "django.db")}
        settings.configure(
            SECRET_KEY=SECRET,
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=_django_urls(),
            INSTALLED_APPS=["django.contrib.sessions", "django.contrib.messages"],
            DATABASES={"default": database},
            MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
            MIDDLEWARE=[
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware",
            ],
            LOGGING_CONFIG=None,
        )
        package.setup()
        logging.getLogger("django.request").disabled = True  # its tracebacks of refusals
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def _django_urls() -> Any:
    from django.urls import path

    return (path("<str:verb>", _django_view),)


def _django_view(request: Any, verb: str) -> Any:
    from django.contrib import messages
    from django.http import HttpResponse

    session = request.session
    names, gate = asked(request.META["QUERY_STRING"])
    popped: list[str] = []
    session.get("a")
    wait_at(gate)
    match verb:
        case "login":
            session.cycle_key()
            session["user"] = names["user"]
        case "rotate":
            session.cycle_key()
        case "logout":
            session.flush()
        case "flash":
            messages.info(request, names["message"])
        case "pop":
            popped = [str(message) for message in messages.get_messages(request)]
        case _ if not write(session, f"/{verb}", names) and verb != "show":
            return HttpResponse(status=404)
    return HttpResponse(shown(dict(session.items()), popped))
