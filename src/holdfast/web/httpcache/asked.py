"""A request as the cache sees it, and the names of what may answer it.

Law: pure. What is not in a name cannot change what is stored under it: scheme, host, path as it was
sent, query, owner, and the request headers a stored response varies by. No forwarded header counts.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from holdfast.web.httpcache.fields import Directives, directives, words

__all__ = ["OF_A_PART", "Asked", "origin", "page_name", "path_name", "variant_name"]

_PRECONDITIONS = ("if-match", "if-unmodified-since")
OF_A_PART = ("range", "if-range")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_ANY_ORDER = {"accept-encoding"}
"""Of languages and types alike in weight, many applications take the one that is named first."""


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        method: `GET`, ...
        scheme: `http` or `https`.
        host: The host and its port, as the Host header says.
        path: The path, decoded: what `purge` names.
        raw: The path as it was sent, if the server tells, else as `path`.
        query: What follows the question mark, without the parameters that change nothing.
        headers: By name in lower case; several of a name are joined by commas.
        owner: Whose page is wanted; None: everybody's.
    """

    method: str
    scheme: str
    host: str
    path: str
    raw: str
    query: str
    headers: Mapping[str, str]
    owner: str | None = None

    @cached_property
    def directives(self) -> Directives:
        """What its Cache-Control says; `Pragma: no-cache` counts where there is none."""
        said = self.headers.get("cache-control")
        return directives(self.headers.get("pragma") if said is None else said)

    @property
    def is_safe(self) -> bool:
        """Whether it changes nothing (RFC 9110 9.2.1)."""
        return self.method in ("GET", "HEAD", "OPTIONS", "TRACE")

    @property
    def may_be_served(self) -> bool:
        """Whether a stored response may answer it at all."""
        return (
            self.method in ("GET", "HEAD")
            and "no-store" not in self.directives
            and not any(name in self.headers for name in _PRECONDITIONS)
            and not self._has_body
        )

    @property
    def _has_body(self) -> bool:
        """Whether it carries what is in no key, and could make another page of it."""
        length = self.headers.get("content-length", "0").strip()
        return length not in ("", "0") or "transfer-encoding" in self.headers

    @property
    def may_be_stored(self) -> bool:
        """Whether the answer to it could be one for others."""
        return self.may_be_served and self.method == "GET" and "range" not in self.headers

    def with_body(self) -> "Asked":
        """Return the request as one that has a body, which no header had announced."""
        return replace(self, headers={**self.headers, "transfer-encoding": "chunked"})

    def for_all(self) -> "Asked":
        """Return the request for the whole page that this one, of a part or a HEAD, is about."""
        if self.may_be_stored:
            return self
        headers = {name: said for name, said in self.headers.items() if name not in OF_A_PART}
        return replace(self, method="GET", headers=headers)


def _digest(*parts: str) -> str:
    """Return a name no other parts have."""
    state = hashlib.blake2b(digest_size=20)
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        state.update(b"%d:" % len(data) + data)
    return state.hexdigest()


def origin(scheme: str, host: str) -> str:
    """Return scheme and host as they are compared: lower case, without the port of the scheme."""
    return f"{scheme}://{host.lower().removesuffix(_DEFAULT_PORTS.get(scheme, '?'))}"


def path_name(path: str) -> str:
    """Return the key of what all pages of a path depend on, whatever their host and query."""
    return f"path:{_digest(path)}"


def page_name(asked: Asked, root: str) -> str:
    """Return the key of the page `asked` wants, under the path record `root`."""
    owner = () if asked.owner is None else (asked.owner,)
    where = (origin(asked.scheme, asked.host), asked.path, asked.raw, asked.query)
    return f"page:{_digest(root, *where, *owner)}"


def variant_name(asked: Asked, page: str, names: Sequence[str]) -> str:
    """Return the key of the page's variant for the headers `names` as they are in `asked`."""
    parts = [part for name in names for part in (name, *_value(name, asked.headers.get(name)))]
    return f"page:{_digest(page, *parts)}"


def _value(name: str, value: str | None) -> list[str]:
    """Return a header in a form that is the same for all values that mean the same."""
    if value is None:
        return ["-"]
    if name in _ANY_ORDER:
        return ["+", ",".join(sorted(word.replace(" ", "") for word in words(value)))]
    return ["+", ",".join(part.strip() for part in value.split(","))]
