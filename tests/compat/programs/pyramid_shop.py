"""A shop on Pyramid, which pserve starts from an .ini file beside this; as people write it."""

import json
from importlib import import_module
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import Response


def home(request: Any) -> Response:
    session = request.session
    session["visits"] = session.get("visits", 0) + 1
    goods = session.get("goods") or []
    who = session.get("user") or "nobody"
    told = session.pop_flash()
    return Response(f"{who}, visit {session['visits']}, {goods}, {told}")


def login(request: Any) -> Response:
    request.session["user"] = request.params["name"]
    request.session.flash("welcome")
    return HTTPFound("/")


def buy(request: Any) -> Response:
    request.session["goods"] = [*(request.session.get("goods") or []), request.params["what"]]
    return Response("bought")


def logout(request: Any) -> Response:
    request.session.invalidate()
    return HTTPFound("/")


def by(request: Any) -> Response:
    """Which library serves: the names of the modules behind the import names."""
    included = request.registry.settings["pyramid.includes"]
    names = [included] if included == "pyramid_kvs" else [included, "beaker.session"]
    return Response(json.dumps([import_module(name).__name__ for name in names]))


made: list[str] = []


def news_of_region(request: Any) -> Response:
    from beaker.cache import cache_region  # noqa: PLC0415 - another .ini file has no Beaker

    @cache_region("short_term", "news")  # type: ignore[untyped-decorator]
    def news(topic: str) -> dict[str, str]:
        made.append(topic)
        return {"of": topic}

    before = len(made)
    said = news(request.params["topic"])
    return Response(f"{said['of']}: {'made' if len(made) > before else 'kept'}")


def news_of_cache(request: Any) -> Response:
    topic = request.params["topic"]
    said = request.cache.get(topic)
    if said is None:
        request.cache.set(topic, {"of": topic})
        return Response(f"{topic}: made")
    return Response(f"{said['of']}: kept")


def main(_config: Any, **settings: Any) -> Any:
    config = Configurator(settings=settings)
    config.add_view(home)
    for view in (login, buy, logout, by):
        config.add_view(view, name=view.__name__)
    with_regions = "cache.regions" in settings
    config.add_view(news_of_region if with_regions else news_of_cache, name="news")
    return config.make_wsgi_app()
