"""A Pyramid application written from pyramid_beaker's document, and visits to it; run as a script.

    python pyramid_beaker_site.py FOLDER SITES PATHS

SITES is JSON: settings by a name. PATHS is JSON: what to visit on each. Cookies stay in FOLDER, so
that another process goes on where this one ended. What is printed is JSON: by site, for each visit
its status, its page and its cookies, without what is random in them.
"""

import json
import re
import sys
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")  # what the frameworks say of each other

from beaker.cache import cache_region  # noqa: E402
from pyramid.config import Configurator  # noqa: E402
from pyramid.httpexceptions import HTTPFound  # noqa: E402
from pyramid.response import Response  # noqa: E402
from webtest import TestApp  # noqa: E402


def visit(request: Any) -> Response:
    session = request.session
    session["visits"] = session.get("visits", 0) + 1
    return Response(str(session["visits"]))


def cart(request: Any) -> Response:
    goods = request.session.setdefault("cart", [])
    if "add" in request.GET:
        goods.append(request.GET["add"])
        request.session.changed()
    return Response(json.dumps(goods))


def dictionary(request: Any) -> Response:
    session = request.session
    said: list[Any] = [session.pop("nothing"), session.pop("nothing", 1)]
    session.update({"a": 1}, b=2)
    said += [session.setdefault("a", 7), session.setdefault("c"), "a" in session, "x" in session]
    del session["b"]
    said += [sorted(k for k in session if k not in ("_creation_time", "_accessed_time"))]
    said += [session.get("a"), session.has_key("a"), type(session.created).__name__]
    try:
        del session["b"]
    except KeyError as error:
        said.append(repr(error))
    return Response(json.dumps(said))


def state(request: Any) -> Response:
    session = request.session
    new = session.new if "_id" not in session else None  # the genuine one has no answer there
    return Response(json.dumps([new, sorted(k for k in session.keys() if k[:1] != "_")]))  # noqa: SIM118


def flash(request: Any) -> Response:
    session = request.session
    session.flash("a")
    session.flash("a")
    session.flash("a", allow_duplicate=False)
    session.flash("b", "errors", False)  # noqa: FBT003 - as people write it
    session.flash("b", "errors", False)  # noqa: FBT003 - the same
    return Response(json.dumps([session.peek_flash(), session.peek_flash("errors")]))


def pop(request: Any) -> Response:
    session = request.session
    return Response(
        json.dumps([session.pop_flash(), session.pop_flash("errors"), session.pop_flash()])
    )


def csrf(request: Any) -> Response:
    session = request.session
    token = session.get_csrf_token()
    kept = session.setdefault("token", token)
    return Response(json.dumps([len(token), kept == token, session.new_csrf_token() != token]))


def csrf_back(request: Any) -> Response:
    request.session["_csrft_"] = request.session["token"]
    return Response("back")


def leave(request: Any) -> Response:
    request.session.invalidate()
    return HTTPFound("/state")


def clear(request: Any) -> Response:
    request.session.clear()
    return Response("clear")


def delete(request: Any) -> Response:
    request.session.delete()
    return Response("deleted")


def fail(request: Any) -> Response:
    request.session["failed"] = request.session.get("failed", 0) + 1
    raise LookupError


def sorry(_error: Exception, request: Any) -> Response:
    return Response(f"sorry {request.session.get('failed')}", status=404)


def untouched(_request: Any) -> Response:
    return Response("untouched")


calls: list[str] = []


def searched(request: Any) -> Response:
    @cache_region("short_term", "search")  # type: ignore[untyped-decorator]
    def search(term: str) -> str:
        calls.append(term)
        return f"found {term}"

    before = len(calls)
    return Response(f"{search(request.GET['q'])} {'made' if len(calls) > before else 'kept'}")


VIEWS = {
    "cart": cart, "dict": dictionary, "state": state, "flash": flash, "pop": pop, "csrf": csrf,
    "csrf-back": csrf_back, "leave": leave, "clear": clear, "delete": delete, "fail": fail,
    "untouched": untouched, "search": searched,
}  # fmt: skip


def application(settings: dict[str, Any]) -> Any:
    config = Configurator(settings=settings)
    config.include("pyramid_beaker")
    config.add_view(visit)
    for name, view in VIEWS.items():
        config.add_view(view, name=name)
    config.add_exception_view(sorry, context=LookupError)
    return config.make_wsgi_app()


def shown(line: str) -> str:
    """Return a Set-Cookie header without its value, which is random, and without its time."""
    return re.sub(r"(?i)(?<=expires=)[^;]+", "*", re.sub("=[^;]+", "=*", line, count=1))


def main(folder: str, sites: str, paths: str) -> None:
    pages: dict[str, list[Any]] = {}
    for name, settings in json.loads(sites).items():
        browser = TestApp(application(settings))
        jar = Path(folder, f"{name}.cookies")
        if jar.exists():
            for cookie, value in json.loads(jar.read_text()).items():
                browser.set_cookie(cookie, value)
        pages[name] = []
        for path in json.loads(paths):
            answer = browser.get(path, expect_errors=True)
            cookies = [shown(line) for line in answer.headers.getall("Set-Cookie")]
            pages[name].append([path, answer.status_int, answer.text, cookies])
        jar.write_text(json.dumps({k: v.strip('"') for k, v in browser.cookies.items()}))
    print(json.dumps(pages))  # noqa: T201 - what it is for


if __name__ == "__main__":
    main(*sys.argv[1:])
