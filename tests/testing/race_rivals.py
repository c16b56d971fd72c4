"""Session libraries as they are often written, for the races to be lost by: over WSGI, in a dict.

Law: each rival does one thing wrong that real ones do; the application around them is the same.
"""

import json
import threading
from collections.abc import Callable, Iterable
from http.cookies import SimpleCookie
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qsl
from urllib.request import urlopen

Record = dict[str, Any]


class Rival:
    """Writes the whole session after each request, and sends its cookie with each answer.

    Args:
        reads_write: Whether a request that changed nothing writes, too.
        locks: Whether requests of one session wait for each other.
        refuses: Whether a record that changed meanwhile is an error, 409.
        cookie_only: Whether the session travels in the cookie.
    """

    def __init__(
        self,
        *,
        reads_write: bool = True,
        locks: bool = False,
        refuses: bool = False,
        cookie_only: bool = False,
    ) -> None:
        self.records: dict[str, str] = {}
        self._reads_write = reads_write
        self._refuses = refuses
        self._cookie_only = cookie_only
        self._locks: dict[str, threading.Lock] | None = {} if locks else None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        token = SimpleCookie(environ.get("HTTP_COOKIE", ""))
        sent = token["sid"].value if "sid" in token else ""
        if self._locks is None or not sent:
            return self._answer(sent, environ, start_response)
        with self._locks.setdefault(sent, threading.Lock()):
            return self._answer(sent, environ, start_response)

    def _answer(self, sent: str, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        before = bytes.fromhex(sent).decode() if self._cookie_only else self.records.get(sent)
        session: Record = json.loads(before or "{}")
        names = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
        if gate := names.pop("wait", None):
            urlopen(gate).close()  # noqa: S310 - the test's own
        path = environ["PATH_INFO"]
        popped = act(session, path, names)
        after = json.dumps(session)
        headers = []
        if path == "/logout":
            self.records.pop(sent, None)
            headers = [("Set-Cookie", "sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT")]
        elif self._reads_write or after != (before or "{}"):
            if self._refuses and self.records.get(sent) != before:
                start_response("409 Conflict", [])
                return []
            renewed = path in ("/login", "/rotate")
            headers = [("Set-Cookie", f"sid={self._kept(sent, after, renewed=renewed)}; Path=/")]
        start_response("200 OK", headers)
        return [json.dumps({**session, "popped": popped}).encode()]

    def _kept(self, sent: str, record: str, *, renewed: bool) -> str:
        if self._cookie_only:
            return record.encode().hex()
        if renewed:
            self.records.pop(sent, None)
        token = token_hex() if renewed or not sent else sent
        self.records[token] = record
        return token


def act(session: Record, path: str, names: dict[str, str]) -> list[str]:
    """Do what the path says to a dict; return the messages it took."""
    for name, value in names.items():
        _name(session, path, name, value)
    match path:
        case "/pop":
            return list(session.pop("messages", []))
        case "/rotate":
            session["turn"] = token_hex(4)
        case "/logout":
            session.clear()
    return []


def _name(session: Record, path: str, name: str, value: str) -> None:
    match path:
        case "/set":
            session[name] = value
        case "/delete":
            session.pop(name, None)
        case "/count":
            session[name] = session.get(name, 0) + 1
        case "/append":
            session[name] = [*session.get(name, []), value]
        case "/flash":
            session["messages"] = [*session.get("messages", []), value]
        case "/login":
            session["user"] = value


Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def answering(status: str, app: Wsgi, *paths: str, slow: bool = False) -> Wsgi:
    """Return `app` that does everything and says another status on some paths; or if slow only."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in paths or (slow and "wait=" not in environ["QUERY_STRING"]):
            return app(environ, start_response)
        b"".join(app(environ, lambda *_: None))
        start_response(status, [])
        return []

    return answer
