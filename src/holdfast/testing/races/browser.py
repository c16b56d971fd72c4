"""A browser as a race needs it: one jar of cookies, and tabs that share it.

Law: a request carries the cookies of the moment it leaves, and those of an answer go into the jar
when it arrives, as in RFC 6265; a later answer replaces an earlier one's. Every request is a GET on
a connection of its own. `Secure` is no obstacle: what is tested stands on this machine.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from holdfast.errors import ConfigError

__all__ = ["Answer", "Browser"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the application answered.

    Attributes:
        path: What was asked.
        status: 200 for what was done.
        shown: The names of the session; empty where the status is another.
        cookies: The names of the cookies that it set or took away.
    """

    path: str
    status: int
    shown: dict[str, Any] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()


class Browser:
    """The cookies of one visitor, and requests that carry them.

    Args:
        base: The application's URL.
        timeout: Seconds to wait for an answer.
        jar: The cookies to begin with.
    """

    def __init__(self, base: str, timeout: float, jar: dict[str, str] | None = None) -> None:
        self._base = urlsplit(base)
        self._timeout = timeout
        self._jar = jar or {}
        self._past: list[dict[str, str]] = []

    def twin(self) -> "Browser":
        """Return another browser with a copy of the cookies: whoever kept them, or stole them."""
        return Browser(self._base.geturl(), self._timeout, self._jar.copy())

    def past(self) -> "list[Browser]":
        """Return a twin from each time the cookies were about to change."""
        return [Browser(self._base.geturl(), self._timeout, jar.copy()) for jar in self._past]

    def get(self, path: str) -> Answer:
        """Ask for `path`.

        Raises:
            ConfigError: Nobody answers there, or with something else than a JSON object.
        """
        kind = HTTPSConnection if self._base.scheme == "https" else HTTPConnection
        link = kind(self._base.netloc, timeout=self._timeout)
        headers = {"Connection": "close", "Accept": "application/json"}
        if self._jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._jar.items())
        try:
            link.request("GET", self._base.path.rstrip("/") + path, headers=headers)
            reply = link.getresponse()
            body = reply.read()
        except (OSError, HTTPException) as error:
            raise ConfigError(f"{self._base.geturl()}{path}: no answer: {error!r}") from error
        finally:
            link.close()
        told = _object(path, body) if reply.status == 200 else {}
        return Answer(path, reply.status, told, tuple(self._keep(reply.headers)))

    def _keep(self, headers: Message) -> Iterator[str]:
        """Do as `Set-Cookie` says; yield the names."""
        before = self._jar.copy()
        for line in headers.get_all("Set-Cookie", ()):
            pair, *rest = line.split(";")
            name, _, value = pair.strip().partition("=")
            if _is_over(dict(_attribute(part) for part in rest)):
                self._jar.pop(name, None)
            else:
                self._jar[name] = value
            yield name
        if before and before != self._jar:
            self._past.append(before)


def _object(path: str, body: bytes) -> dict[str, Any]:
    try:
        shown = json.loads(body)
    except ValueError:
        shown = None
    if not isinstance(shown, dict):
        raise ConfigError(f"{path}: a race needs the names of the session as a JSON object")
    return shown


def _attribute(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name.lower(), value


def _is_over(attributes: dict[str, str]) -> bool:
    """Return whether a cookie is taken away; `Max-Age` goes before `Expires`."""
    if age := attributes.get("max-age"):
        return int(age) <= 0
    date = attributes.get("expires")
    return date is not None and parsedate_to_datetime(date).timestamp() <= time.time()
