"""A WSGI application with a session and a rate limit, in plain Python.

    python examples/wsgi_app.py                                    # http://localhost:8001
    gunicorn --workers 2 --chdir examples wsgi_app:application     # any other WSGI server

Workers share what stands in the store: `HOLDFAST_STORE`, by default a file of this directory. The
cookie is Secure; Chrome and Firefox take it from http://localhost too.
"""

import os
from collections.abc import Iterable
from html import escape
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import make_server

from holdfast import Limiter, Session, Sessions, open_store
from holdfast.web.keys import by_session
from holdfast.web.wsgi import LimitMiddleware, SessionMiddleware

PAGE = """<!doctype html><html lang="en"><title>Visits</title>
<p>Hello {name}, this is visit {visits}.</p>
<form method="post"><input type="hidden" name="csrf" value="{csrf}">
<label>Your name <input name="name"></label> <button>Remember me</button></form>
"""


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Count visits; a posted form sets the name."""
    session: Session = environ["holdfast.session"]
    if environ["REQUEST_METHOD"] == "POST":
        length = min(int(environ.get("CONTENT_LENGTH") or 0), 10_000)
        form = parse_qs(environ["wsgi.input"].read(length).decode("ascii", "replace"))
        if not session.check_csrf(form.get("csrf", [""])[0]):
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"This form is not from this session.\n"]
        session["name"] = form.get("name", ["nobody"])[0]
        start_response("303 See Other", [("Location", "/")])
        return []
    session.increment("visits")
    page = PAGE.format(
        name=escape(session.get("name", "stranger")),
        visits=session["visits"],
        csrf=session.csrf_token(),
    )
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [page.encode()]


store = open_store(os.environ.get("HOLDFAST_STORE", "sqlite:///example.db"))
application = SessionMiddleware(
    LimitMiddleware(app, Limiter(store), "60/minute", key=by_session), Sessions(store)
)

if __name__ == "__main__":
    make_server("localhost", 8001, application).serve_forever()
