"""The application that races are played with, of Holdfast's own sessions: wrap it, and race yours.

Law: the paths are those that the documentation asks of any application, and nothing else is here.
`wait` is followed after the session was read and before anything is done.

    app = SessionMiddleware(wsgi_site, sessions)
    assert not run_races(app).lost
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl
from urllib.request import urlopen

from holdfast.session import Session

__all__ = ["asgi_site", "wsgi_site"]

_JSON = "application/json"


def _act(session: Session, path: str, names: Mapping[str, str]) -> None:
    """Do what the path says."""
    for name, value in names.items():
        match path:
            case "/set":
                session[name] = value
            case "/delete":
                session.pop(name, None)
            case "/count":
                session.increment(name)
            case "/append":
                session.append(name, value)
            case "/flash":
                session.flash(value)
            case "/login":
                session.login(value)
    match path:
        case "/logout":
            session.logout()
        case "/rotate":
            session.rotate()


def _wait_at(gate: str) -> None:
    urlopen(gate).close()  # noqa: S310 - whoever plays says where


def _shown(session: Session, popped: list[Any]) -> bytes:
    return json.dumps({**session, "user": session.user, "popped": popped}).encode()


def wsgi_site(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer over WSGI, inside a `SessionMiddleware`."""
    session, path = environ["holdfast.session"], environ["PATH_INFO"]
    names = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
    gate = names.pop("wait", None)
    session.get("a")
    if gate is not None:
        _wait_at(gate)
    _act(session, path, names)
    body = _shown(session, session.pop_flash() if path == "/pop" else [])
    start_response("200 OK", [("Content-Type", _JSON), ("Content-Length", str(len(body)))])
    return [body]


async def asgi_site(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - ASGI
    """Answer over ASGI, inside a `SessionMiddleware`."""
    session, path = await scope["session"].load(), scope["path"]
    names = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    gate = names.pop("wait", None)
    session.get("a")
    if gate is not None:
        await asyncio.to_thread(_wait_at, gate)
    _act(session, path, names)
    body = _shown(session, await session.aio.pop_flash() if path == "/pop" else [])
    headers = [(b"content-type", _JSON.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
