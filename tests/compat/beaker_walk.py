"""A browser, an application and their words, for sessions of Beaker: the genuine ones and ours.

Law: nothing of either library is imported here, nor of pytest: scripts of both import it.
"""

import re
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

__all__ = ["WORDS", "Browser", "application", "masked"]

_EXPIRES = r"(?<=expires=)[^;]* GMT"
_YEARS = 9e7


def _elsewhere(session: Any) -> None:
    session.domain = "example.org"
    session.path = "/shop"


WORDS: dict[str, Callable[[Any], object]] = {
    "untouched": lambda _: None,
    "read": lambda s: s.get("n"),
    "count": lambda s: s.__setitem__("n", s.get("n", 0) + 1) or s.save(),
    "unsaved": lambda s: s.__setitem__("n", 99),
    "nested": lambda s: s.setdefault("list", []).append(1) or s.save(),
    "drop": lambda s: s.pop("n", None) and s.save(),
    "clear": lambda s: s.clear() or s.save(),
    "revert": lambda s: s.__setitem__("n", 99) or s.save() or s.revert(),
    "delete": lambda s: s.delete(),
    "invalidate": lambda s: s.invalidate() or s.save(),
    "regenerate": lambda s: s.regenerate_id() or s.save(),
    "elsewhere": _elsewhere,
    "persist": lambda s: s.__setitem__("n", 7) or s.save() or s.persist(),
    "new": lambda s: s.is_new,
}
"""What a request can do with its session, by the path that asks for it."""


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Do what the path says, and answer with what is in the session then."""
    session = environ["beaker.session"]
    word = environ["PATH_INFO"].strip("/")
    said = WORDS[word](session)
    start_response("200 OK", [])
    if word == "untouched":
        return [b"untouched"]
    names = sorted(str(name) for name in session)
    values = {name: session[name] for name in names if not name.endswith("_time")}
    if "_id" in values:
        values["_id"] = len(values["_id"])
    return [f"{said} {names} {values}".encode()]


class Browser:
    """Keeps the cookies it is given, and forgets those that have ended.

    Args:
        app: A WSGI application.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}
        self.sent: list[str] = []

    def get(self, path: str, **environ: Any) -> str:
        """Return the page."""
        self.sent = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            assert status == "200 OK", status
            self.sent = [value for name, value in headers if name == "Set-cookie"]

        header = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = {"PATH_INFO": path, **({"HTTP_COOKIE": header} if header else {}), **environ}
        page = b"".join(self.app(given, start_response)).decode()
        for said in self.sent:
            name, _, value = said.strip().partition(";")[0].partition("=")
            self.cookies[name] = value
            ends = re.search(_EXPIRES, said)
            if ends and _time_of(ends.group()) < time.time():
                del self.cookies[name]
        return page


def masked(said: str) -> str:
    """Return a Set-Cookie with its value's kind, and the minutes until it ends, if it soon does."""
    said = re.sub(r"=[^;]*", lambda value: f"=<{_kind(value.group()[1:])}>", said, count=1)
    return re.sub(_EXPIRES, _minutes, said)


def _minutes(said: re.Match[str]) -> str:
    seconds = _time_of(said.group()) - time.time()
    return said.group() if seconds > _YEARS else f"<in {round(seconds / 60)} minutes>"


def _time_of(said: str) -> float:
    return datetime.strptime(f"{said}+0000", "%a, %d-%b-%Y %H:%M:%S GMT%z").timestamp()


def _kind(value: str) -> str:
    if re.fullmatch(r"[0-9a-f]{32}", value):
        return "id"
    if re.fullmatch(r"[0-9a-f]{72}", value):
        return "signed id"
    return "signed values" if re.fullmatch(r"[0-9a-f]{40}[\w+/=]*", value) else value
