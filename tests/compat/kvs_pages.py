"""Pyramid applications of what stands in for pyramid_kvs, in this process, for its tests."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pyramid import testing
from pyramid.config import Configurator
from pyramid.response import Response
from webtest import TestApp

from holdfast.compat.pyramid_kvs.cache import ApplicationCache
from holdfast.compat.pyramid_kvs.kvs import register
from holdfast.compat.pyramid_kvs.perlsess import PerlSession
from holdfast.compat.pyramid_kvs.ratelimit import Ratelimit, RateLimitError
from holdfast.compat.pyramid_kvs.session import SessionFactory
from holdfast.compat.pyramid_kvs.testing import MockCache

__all__ = ["MOCK", "NAME", "Page", "Visit", "clean", "keep", "options_for", "record_of", "site"]

MOCK = {"kvs": "mock", "ttl": 20}
NAME = "session_id"

Page = Callable[[Any], Any]


def site(page: Page, **settings: Any) -> TestApp:
    """Return an application with one page, which shows what `page` returns of the request."""
    config = Configurator(settings={f"kvs.{name}": given for name, given in settings.items()})
    config.include("holdfast.compat.pyramid_kvs.testing")
    config.add_route("page", "/")
    config.add_view(lambda request: Response(json_body=page(request)), route_name="page")
    config.add_view(lambda error, request: Response(status=429), context=RateLimitError)  # noqa: ARG005 - Pyramid's names
    return TestApp(config.make_wsgi_app())


def keep(key: str, record: str | bytes) -> None:
    """Put a record where the session of a cookie lies."""
    MockCache.cached_data[f"session::{key}".encode()] = record


def record_of(key: str) -> Any:
    """Return what the mock keeps under a key, without the time of birth."""
    record = json.loads(MockCache.cached_data[key.encode()])
    record.pop("__created", None)
    return record


def options_for(kind: str, request: pytest.FixtureRequest, db: int) -> dict[str, Any]:
    """Return the `kvs_kwargs` of a server of ours, "redis" or "memcached"."""
    port = request.getfixturevalue(f"{kind}_server").port
    return {"port": port, "db": db} if kind == "redis" else {"servers": [f"127.0.0.1:{port}"]}


@contextmanager
def clean() -> Iterator[None]:
    """Have "mock" a name, and give the process's settings of pyramid_kvs back."""
    register("mock", MockCache)
    kept = [
        (owner, name, getattr(owner, name))
        for owner, names in (
            (Ratelimit, ("window", "limit", "key_suffix")),
            (ApplicationCache, ("client",)),
            (PerlSession, ("client", "cookie_name")),
            (MockCache, ("last_ttl",)),
        )
        for name in names
    ]
    MockCache.cached_data.clear()
    yield
    for owner, name, value in kept:
        setattr(owner, name, value)
    MockCache.cached_data = {}


class Visit:
    """One request with its session, until its response is made."""

    def __init__(self, cookie: str = "", **headers: str) -> None:
        key_name = list(headers) or NAME
        kind = "header" if headers else "cookie"
        settings = {"kvs.session": MOCK | {"session_type": kind, "key_name": key_name}}
        cookies = {NAME: cookie} if cookie else {}
        self.request = testing.DummyRequest(cookies=cookies, headers=headers)
        self.session: Any = SessionFactory(settings)(self.request)

    def respond(self) -> list[str]:
        """Return the Set-Cookie headers."""
        response = self.request.response
        for callback in list(self.request.response_callbacks):
            callback(self.request, response)
        self.request.response_callbacks.clear()
        return response.headers.getall("Set-Cookie")  # type: ignore[no-any-return]
