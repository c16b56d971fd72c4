"""A stored response: its form in a cache, its age, and how a 304 renews it.

Law: pure. Times are UTC floats in seconds, given by the caller. What a cache holds and is no page
of ours is absent. Header fields of one connection, and such as only the app's server may write, are
never stored (RFC 9111 3.1).
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from holdfast.web.headers import Headers
from holdfast.web.httpcache.fields import Directives, all_of, combined, directives, instant, words

__all__ = ["Page", "age_at_arrival", "load", "made_tag", "storable_headers"]

_VERSION = 1
_CONNECTION = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_OF_ONE_ANSWER = {"age", "cache-status", "set-cookie", "set-cookie2"}
_OF_THE_BODY = {"content-length", "content-encoding", "content-type", "content-range"}


@dataclass(frozen=True, slots=True)
class Page:
    """A whole response.

    Attributes:
        status: Its status line without the version, such as `200 OK`.
        headers: What may be stored of its headers.
        body: Its body.
        at: When it arrived.
        age: How old it was then, in seconds.
        lifetime: How old it is when it stops being fresh.
        is_tagged_by_us: Whether its ETag was made by us, so that the application knows none.
    """

    status: str
    headers: Headers
    body: bytes
    at: float
    age: float
    lifetime: float
    is_tagged_by_us: bool = False

    @property
    def code(self) -> int:
        """The status as a number."""
        return int(self.status[:3])

    @property
    def directives(self) -> Directives:
        """What its Cache-Control says."""
        return directives(self.field("cache-control"))

    def field(self, name: str) -> str | None:
        """Return the header `name`; several are joined by commas."""
        return combined(self.headers, name)

    def age_at(self, now: float) -> float:
        """Return how old it is at `now` (RFC 9111 4.2.3)."""
        return self.age + max(0.0, now - self.at)

    @property
    def validators(self) -> Headers:
        """The conditions that ask the application whether it is still the same."""
        tag = None if self.is_tagged_by_us else self.field("etag")
        changed = self.field("last-modified")
        asks = [("if-none-match", tag), ("if-modified-since", changed)]
        return [(name, value) for name, value in asks if value]

    def stored(self) -> list[Any]:
        """Return the form in which a cache keeps it: texts, numbers, bytes and lists."""
        headers = [list(header) for header in self.headers]
        times = [float(time) for time in (self.at, self.age, self.lifetime)]
        return [_VERSION, self.status, headers, self.body, *times, self.is_tagged_by_us]

    def renewed(self, headers: Headers) -> "Page":
        """Return it with what a 304 said (RFC 9111 3.2); its times are the caller's to set."""
        ours = {"etag"} if self.is_tagged_by_us else set()
        said = [
            header
            for header in storable_headers(headers)
            if header[0].lower() not in _OF_THE_BODY | ours
        ]
        names = {name.lower() for name, _ in said}
        kept = [header for header in self.headers if header[0].lower() not in names]
        return replace(self, headers=kept + said)


def load(value: object) -> Page | None:
    """Return the page a cache kept as `value`; None if that is something else."""
    match value:
        case [
            1,
            str(status),
            list(headers),
            bytes(body),
            float(at),
            float(age),
            float(lifetime),
            bool(ours),
        ]:
            pairs = [(str(name), str(said)) for name, said in headers]
            return Page(status, pairs, body, at, age, lifetime, ours)
    return None


def storable_headers(headers: Headers) -> Headers:
    """Return `headers` without those of the connection and of this one answer."""
    without = _CONNECTION | _OF_ONE_ANSWER | set(words(combined(headers, "connection")))
    return [header for header in headers if header[0].lower() not in without]


def age_at_arrival(headers: Headers, asked_at: float, now: float) -> float:
    """Return how old a response is when it arrives (RFC 9111 4.2.3).

    Args:
        headers: Its headers.
        asked_at: When it was asked for.
        now: When it arrived.
    """
    date = instant(combined(headers, "date"))
    said = (all_of(headers, "age") or ["0"])[0].strip()
    seconds = int(said) if said.isascii() and said.isdecimal() and len(said) < 18 else 0
    apparent = 0.0 if date is None else now - date
    if apparent < 1:  # a Date has whole seconds: the fraction is not age
        apparent = 0.0
    return max(apparent, seconds + (now - asked_at), 0.0)


def made_tag(body: bytes) -> str:
    """Return a strong ETag for `body`."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
