"""What is kept of a response: the page it becomes, or why it becomes none.

Law: pure but for the clock of the settings. A 304 that answers our own question renews the page it
is about; what it says to this one client alone goes to him and is not kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urljoin, urlsplit

from holdfast.web.headers import Headers
from holdfast.web.httpcache.asked import Asked, origin
from holdfast.web.httpcache.fetch import Fetch
from holdfast.web.httpcache.fields import all_of, combined, words
from holdfast.web.httpcache.page import Page, age_at_arrival, made_tag, storable_headers
from holdfast.web.httpcache.rules import OWNED, Answer, forbids, lifetime
from holdfast.web.httpcache.settings import Settings

__all__ = ["Kept", "kept", "paths_changed", "renewed"]

_MOST_NAMES = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """What becomes of a response.

    Attributes:
        status: Its status line.
        page: What the client gets of it; None: the response as it is.
        forbidden: Why it is not kept; None: it is.
        names: The request headers it varies by.
        more: Headers for this client alone.
    """

    status: str
    page: Page | None = None
    forbidden: str | None = None
    names: Sequence[str] = ()
    more: Sequence[tuple[str, str]] = ()


def kept(fetch: Fetch, status: str, headers: Headers, body: bytes, settings: Settings) -> Kept:
    """Return what becomes of a whole response."""
    now = settings.clock()
    answer = Answer(int(status[:3]), headers, touched=fetch.is_touched)
    forbidden = forbids(fetch.asked, answer, settings, now) or _is_not_whole(headers, body)
    names = _names(fetch, headers)
    if forbidden is None and len(body) > settings.max_body:
        forbidden = "too-long"
    if forbidden is None and len(names) > _MOST_NAMES:
        forbidden = "vary"
    if forbidden is not None:
        return Kept(status, forbidden=forbidden)
    page = Page(
        status,
        storable_headers(headers),
        body,
        now,
        age_at_arrival(headers, fetch.at, now),
        lifetime(answer, now, settings) or 0.0,
    )
    if settings.etag and answer.code == 200 and page.field("etag") is None:
        tag = ("ETag", made_tag(body))
        page = replace(page, headers=[*page.headers, tag], is_tagged_by_us=True)
    return Kept(status, page, names=names)


def renewed(fetch: Fetch, page: Page, headers: Headers, settings: Settings) -> Kept:
    """Return what becomes of a stale page of which the application said that it is the same."""
    now = settings.clock()
    if not _is_about(page, headers):
        return Kept(page.status, page, "other-etag")
    merged = page.renewed(headers)
    more = [header for header in headers if header[0].lower().startswith("set-cookie")]
    answer = Answer(page.code, [*merged.headers, *more], touched=fetch.is_touched)
    merged = replace(
        merged,
        at=now,
        age=age_at_arrival(headers, fetch.at, now),
        lifetime=lifetime(answer, now, settings) or 0.0,
    )
    forbidden = forbids(fetch.asked, answer, settings, now)
    return Kept(page.status, merged, forbidden, _names(fetch, merged.headers), more)


def _is_about(page: Page, headers: Headers) -> bool:
    """Return whether a 304 is about this page, and not about one we never had."""
    said, ours = combined(headers, "etag"), page.field("etag")
    if said is None or page.is_tagged_by_us:
        return True
    return said.strip().removeprefix("W/") == (ours or "").strip().removeprefix("W/")


def _is_not_whole(headers: Headers, body: bytes) -> str | None:
    lengths = {value.strip() for value in all_of(headers, "content-length")}
    return "incomplete" if lengths and lengths != {str(len(body))} else None


def _names(fetch: Fetch, headers: Headers) -> list[str]:
    """Return what the page varies by, as others of its address did; an owner is for the cookie."""
    known = () if fetch.place is None else fetch.place.names
    more = set(words(combined(headers, "vary"))).difference(known)
    return [*known, *sorted(more if fetch.asked.owner is None else more - OWNED)]


def paths_changed(asked: Asked, headers: Headers) -> list[str]:
    """Return the paths of which a successful request that changes something makes old news.

    Its own, and those that Location and Content-Location name on the same host (RFC 9111 4.4).
    """
    here = origin(asked.scheme, asked.host)
    paths = [asked.path]
    for name in ("location", "content-location"):
        for value in all_of(headers, name):
            try:
                there = urlsplit(urljoin(here + quote(asked.path), value.strip()))
            except ValueError:  # no address
                continue
            if origin(there.scheme, there.netloc) == here:
                paths.append(unquote(there.path) or "/")
    return list(dict.fromkeys(paths))
