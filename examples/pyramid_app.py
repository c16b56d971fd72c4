"""A Pyramid application with a session, a cached value and a rate limit.

    pip install "holdfast[pyramid]" waitress
    PYTHONPATH=examples pserve examples/pyramid.ini     # http://localhost:6543

What is kept where stands in `pyramid.ini`; this file only says what is done with it.
"""

import time
from html import escape
from typing import Any

from pyramid.config import Configurator
from pyramid.csrf import get_csrf_token
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.response import Response
from pyramid.view import view_config

PAGE = """<!doctype html><html lang="en"><title>Visits</title>
<p>{flash}Hello {name}, this is visit {visits}. The prices are of {prices}.</p>
<form method="post" action="/login"><input type="hidden" name="csrf_token" value="{csrf}">
<label>Your name <input name="name"></label> <button>Sign in</button></form>
"""


def prices() -> str:
    """Be slow, were this real."""
    return time.strftime("%H:%M:%S")


@view_config(route_name="home")  # type: ignore[untyped-decorator]
def home(request: Any) -> Response:
    """Count visits."""
    session = request.session
    session.increment("visits")
    page = PAGE.format(
        flash="".join(f"{escape(message)} " for message in session.pop_flash()),
        name=escape(str(session.user or "stranger")),
        visits=session["visits"],
        prices=request.cache.get_or_create("prices", prices, ttl="1m"),
        csrf=get_csrf_token(request),
    )
    return Response(page)


@view_config(route_name="login", request_method="POST", require_csrf=True, limit="5/minute")  # type: ignore[untyped-decorator]
def login(request: Any) -> Response:
    """Sign in: the session gets a new token, and no CSRF token of before is good."""
    name = request.POST.get("name") or "nobody"
    request.session.login(name)
    request.session.flash("Welcome!")
    return HTTPSeeOther("/")


def main(_global_config: Any, **settings: Any) -> Any:
    """Return the WSGI application; pserve calls this."""
    with Configurator(settings=settings) as config:
        config.include("holdfast.ext.pyramid")
        config.add_route("home", "/")
        config.add_route("login", "/login")
        config.scan(__name__)
        return config.make_wsgi_app()
