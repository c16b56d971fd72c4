"""What leaves: a page as the answer to one request, whole, in part, or as "not modified".

Law: pure. A condition is judged only on a 200, If-None-Match before If-Modified-Since; a part only
of a GET, and a list of parts gets the whole. What the cache did stands in Cache-Status (RFC 9211).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from holdfast.web.headers import Headers
from holdfast.web.httpcache.asked import Asked
from holdfast.web.httpcache.fields import instant, matches, span
from holdfast.web.httpcache.page import Page

__all__ = ["Reply", "cache_status", "not_stored", "reply", "unmodified"]

_SAID_BY_304 = {
    "cache-control",
    "content-location",
    "date",
    "etag",
    "expires",
    "vary",
}
"""RFC 9110 15.4.5; of a page without ETag, Last-Modified too."""


class Reply(NamedTuple):
    """A whole answer: status line without the version, headers, body."""

    status: str
    headers: Headers
    body: bytes


def reply(
    page: Page,
    asked: Asked,
    *,
    status: str,
    age: float | None = None,
    more: Sequence[tuple[str, str]] = (),
) -> Reply:
    """Return `page` as the answer to `asked`.

    Args:
        page: The page.
        asked: The request.
        status: What Cache-Status says.
        age: How old it is, in seconds; None if it comes from the application right now.
        more: Headers for this client alone.
    """
    ours = [*more, ("Cache-Status", status)]
    if age is not None:
        ours.insert(0, ("Age", str(math.floor(age))))
    if page.code == 200 and unmodified(asked, page.headers):
        return Reply("304 Not Modified", _of_304(page.headers) + ours, b"")
    headers = [header for header in page.headers if header[0].lower() != "content-length"]
    if page.code == 200 and (part := _part(page, asked)) is not None:
        if not part.body:  # no cache on the way may keep it in the place of the page
            headers = [one for one in headers if one[0].lower() not in ("cache-control", "expires")]
            headers.append(("Cache-Control", "no-store"))
        return Reply(part.status, headers + part.headers + ours, part.body)
    if page.code not in (204, 304):
        ours.insert(0, ("Content-Length", str(len(page.body))))
    return Reply(page.status, headers + ours, b"" if asked.method == "HEAD" else page.body)


def unmodified(asked: Asked, headers: Headers) -> bool:
    """Return whether the client has what a 200 with these headers carries (RFC 9110 13.2.2)."""
    fields = {name.lower(): value for name, value in headers}
    condition = asked.headers.get("if-none-match")
    if condition is not None:
        return matches(condition, fields.get("etag"))
    since = instant(asked.headers.get("if-modified-since"))
    changed = instant(fields.get("last-modified"))
    return since is not None and changed is not None and changed <= since


def _of_304(headers: Headers) -> Headers:
    names = {name.lower() for name, _ in headers}
    said = _SAID_BY_304 if "etag" in names else _SAID_BY_304 | {"last-modified"}
    return [header for header in headers if header[0].lower() in said]


def _part(page: Page, asked: Asked) -> Reply | None:
    """Return what of `page` a Range asks for: status, the headers it needs, bytes; None: all."""
    wanted = asked.headers.get("range")
    if wanted is None or asked.method != "GET" or not _is_the_same(page, asked):
        return None
    length = len(page.body)
    part = span(wanted, length)
    if part is None:
        return None
    if part.first >= length:
        unsatisfied = [("Content-Range", f"bytes */{length}"), ("Content-Length", "0")]
        return Reply("416 Range Not Satisfiable", unsatisfied, b"")
    body = page.body[part.first : part.last + 1]
    where = f"bytes {part.first}-{part.last}/{length}"
    return Reply(
        "206 Partial Content",
        [("Content-Range", where), ("Content-Length", str(len(body)))],
        body,
    )


def _is_the_same(page: Page, asked: Asked) -> bool:
    """Return whether If-Range lets the part be sent: a strong ETag or the exact date."""
    condition = asked.headers.get("if-range")
    if condition is None:
        return True
    condition = condition.strip()
    if condition.startswith(('"', "W/")):
        return not condition.startswith("W/") and condition == (page.field("etag") or "").strip()
    since = instant(condition)
    return since is not None and since == instant(page.field("last-modified"))


def cache_status(*words: str, **parameters: float | str | None) -> str:
    """Return a Cache-Status of this cache: `holdfast; hit; ttl=30`."""
    shown = [
        f"{name.replace('_', '-')}={math.floor(value) if isinstance(value, float) else value}"
        for name, value in parameters.items()
        if value is not None
    ]
    return "; ".join(["holdfast", *words, *shown])


def not_stored() -> Reply:
    """Return the answer to `only-if-cached` where nothing is (RFC 9111 5.2.1.7)."""
    body = b"This page is not cached.\n"
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Cache-Status", cache_status(fwd="request", detail="only-if-cached")),
    ]
    return Reply("504 Gateway Timeout", headers, body)
