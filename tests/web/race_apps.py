"""The applications that two workers serve in `test_two_workers.py`.

`/slow/...` reads the session, says so through one pipe, waits for a word through another, and only
then goes on: so a test decides what happens while a request is under way. The worker is blocked
meanwhile, also its event loop: whatever else is asked, the other worker answers.
"""

import json
import os
import select
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from holdfast import Session, Sessions, open_store
from holdfast.web import asgi, wsgi

FOLDER = Path(os.environ["HOLDFAST_RACE"])
sessions = Sessions(open_store(os.environ["HOLDFAST_RACE_URL"], timeout=5))


def pause() -> None:
    """Tell that this request is under way, and wait to be let on."""
    told = os.open(FOLDER / "told", os.O_RDWR)
    on = os.open(FOLDER / "on", os.O_RDWR)
    os.write(told, b"x")
    if select.select([on], [], [], 20)[0]:
        os.read(on, 1)
    os.close(told)
    os.close(on)


def act(session: Session, path: str, query: str) -> str:
    """Do what the path says, and show the session."""
    *slow, verb = path.strip("/").split("/")
    if slow:
        session.get("anything")
        pause()
    match verb:
        case "write":
            session.update(parse_qsl(query))
        case "append":
            for name, item in parse_qsl(query):
                session.append(name, item)
        case "login":
            session.login("ada")
        case "logout":
            session.logout()
    return json.dumps({"user": session.user, "data": dict(session), "pid": os.getpid()})


def wsgi_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer over WSGI."""
    session = environ["holdfast.session"]
    body = act(session, environ["PATH_INFO"], environ["QUERY_STRING"]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi_app(scope: Any, _receive: Any, send: Any) -> None:
    """Answer over ASGI."""
    body = act(scope["session"], scope["path"], scope["query_string"].decode()).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


over_wsgi = wsgi.SessionMiddleware(wsgi_app, sessions)
over_asgi = asgi.SessionMiddleware(asgi_app, sessions)
