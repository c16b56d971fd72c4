"""Flask-Session and Django for table `session-redis`, each inside its framework.

Law: the pages of table `session`, as views. A framework without sessions is a row of its own, which
is taken off what the others of it take.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.measure import Works
from bench.session import App, unvisited, visited
from bench.visits import COLUMNS, SECRET, TWELVE

__all__ = ["bare_django", "bare_flask", "django", "flask_session"]

View = Callable[[Any], str]


def views() -> dict[str, View]:
    """Return what each page does to its session, by its path."""

    def fill(session: Any) -> str:
        session.update(TWELVE)
        return "ok"

    def untouched(session: Any) -> str:  # noqa: ARG001 - as all of them
        return "ok"

    def read(session: Any) -> str:
        assert session["user_id"] == 4711
        return "ok"

    def read_list(session: Any) -> str:
        assert len(session["cart"]) == 2
        return "ok"

    def write(session: Any) -> str:
        session["visits"] = session["visits"] + 1
        return "ok"

    columns = zip(COLUMNS, (untouched, read, read_list, write), strict=True)
    return {"fill": fill, **dict(columns)}


def _flask(**config: object) -> Any:
    """Return a Flask application with all pages."""
    from flask import Flask, session

    app = Flask("bench")
    app.config.update(config)
    for path, view in views().items():
        app.add_url_rule(f"/{path}", path, lambda view=view: view(session))
    return app


def bare_flask() -> Works:
    """Flask without a secret key, and so without sessions."""
    return unvisited(_flask().wsgi_app)


@contextmanager
def flask_session(url: str, *, each: bool = True) -> Iterator[Works]:
    """Flask-Session.

    Args:
        url: Of the server.
        each: Write the session at each request, as is its default.
    """
    from flask_session import Session
    from redis import Redis

    with Redis.from_url(url) as client:
        app = _flask(SESSION_TYPE="redis", SESSION_REDIS=client, SESSION_REFRESH_EACH_REQUEST=each)
        Session(app)
        yield _visited(app.wsgi_app)


@contextmanager
def _django(url: str, *middlewares: str) -> Iterator[App]:
    """Make a Django application with all pages."""
    from django.conf import settings
    from django.core.wsgi import WSGIHandler
    from django.db import connections
    from django.http import HttpRequest, HttpResponse
    from django.test.utils import override_settings
    from django.urls import path
    from django.utils.functional import empty

    def told(view: View) -> Callable[[HttpRequest], HttpResponse]:
        return lambda request: HttpResponse(view(getattr(request, "session", None)))

    ours, before = not settings.configured, dict(vars(connections))
    if ours:
        settings.configure(SECRET_KEY=SECRET)
    redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
    with override_settings(
        MIDDLEWARE=list(middlewares),
        ROOT_URLCONF=tuple(path(name, told(view)) for name, view in views().items()),
        CACHES={"default": redis},
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
    ):
        yield WSGIHandler()
    if ours:
        settings._wrapped = empty  # a process has one Django, and another table other settings
        vars(connections).clear()
        vars(connections).update(before)


@contextmanager
def bare_django(url: str) -> Iterator[Works]:
    """Django without a middleware."""
    with _django(url) as app:
        yield unvisited(app)


@contextmanager
def django(url: str) -> Iterator[Works]:
    """Django's sessions in its cache, which is in Redis."""
    with _django(url, "django.contrib.sessions.middleware.SessionMiddleware") as app:
        yield _visited(app)


def _visited(app: App) -> Works:
    return visited(app, dict.fromkeys(COLUMNS, app))
