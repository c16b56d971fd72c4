"""A Pyramid application of pyramid_kvs, written from its document alone, and walks through it.

    kvs_site.py [[SETTINGS, STEPS, COOKIE], ...]

prints what each page says, and the cookie at the end of each walk. It runs on the genuine library
and on ours.
"""

import json
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

warnings.simplefilter("ignore")

from pyramid.config import Configurator  # noqa: E402 - Pyramid warns as it is imported
from pyramid.response import Response  # noqa: E402
from webtest import TestApp  # noqa: E402


class Ask(NamedTuple):
    """What a request asks for."""

    request: Any
    name: str
    value: Any

    @property
    def session(self) -> Any:
        return self.request.session

    @property
    def cache(self) -> Any:
        return self.request.cache


def cart(ask: Ask) -> Any:
    """Add to a list that is in the session."""
    ask.session.setdefault("cart", []).append(ask.value)
    return ask.session["cart"]


DO: dict[str, Callable[[Ask], Any]] = {
    "set": lambda ask: ask.session.__setitem__(ask.name, ask.value),
    "get": lambda ask: ask.session.get(ask.name, ask.value),
    "del": lambda ask: ask.session.pop(ask.name),
    "names": lambda ask: sorted(set(ask.session.keys()) - {"__csrf_token"}),
    "nested": lambda ask: ask.session[ask.name].update(ask.value),
    "has": lambda ask: ask.name in ask.session,
    "cart": cart,
    "flash": lambda ask: ask.session.flash(ask.value, ask.name),
    "peek": lambda ask: ask.session.peek_flash(ask.name),
    "pop": lambda ask: ask.session.pop_flash(ask.name),
    "token": lambda ask: ask.session.get_csrf_token(),
    "invalidate": lambda ask: ask.session.invalidate(),
    "clear": lambda ask: ask.session.clear(),
    "cache": lambda ask: ask.cache.set(ask.name, ask.value),
    "cached": lambda ask: [ask.cache.get(ask.name), ask.name in ask.cache],
    "uncache": lambda ask: ask.cache.pop(ask.name),
}


def page(request: Any) -> Response:
    """Do what the query says, and say what came of it."""
    told = request.params
    ask = Ask(request, told.get("name", ""), json.loads(told.get("value", "null")))
    return Response(json.dumps(DO[told["do"]](ask)))


def refused(error: Any, request: Any) -> Response:  # noqa: ARG001 - a view of Pyramid
    """Answer for `RateLimitError`."""
    return Response("too many", status=429)


def walk(settings: dict[str, str], steps: list[Any], cookie: str) -> dict[str, Any]:
    """Take the steps: each a query and its headers."""
    error: Any = import_module("pyramid_kvs.ratelimit").RateLimitError  # ours or the genuine one
    config = Configurator(settings={"pyramid.includes": "pyramid_kvs"} | settings)
    config.add_route("page", "/")
    config.add_view(page, route_name="page")
    config.add_view(refused, context=error)
    app = TestApp(config.make_wsgi_app())
    if cookie:
        app.set_cookie("session_id", cookie)
    pages = []
    for query, headers in steps:
        found = app.get("/", params=query, headers=headers, status="*")
        limits = {k: v for k, v in found.headers.items() if k.startswith("X-RateLimit")}
        pages.append([found.status_int, found.text, limits])
    return {"pages": pages, "cookie": app.cookies.get("session_id", "")}


if __name__ == "__main__":
    print(json.dumps([walk(*told) for told in json.loads(sys.argv[1])]))  # noqa: T201
