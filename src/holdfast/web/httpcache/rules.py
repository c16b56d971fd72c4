"""The rules of RFC 9111 for a shared cache: what may be stored, for how long, and served when.

Law: pure. Each question is one function, its answer a word or a number. A response is stored only
if nothing forbids it; a stale one is served only if it said itself that it may be.
"""

import enum
from typing import NamedTuple

from holdfast.web.headers import Headers
from holdfast.web.httpcache.asked import Asked
from holdfast.web.httpcache.fields import Directives, combined, directives, instant, named, words
from holdfast.web.httpcache.page import Page
from holdfast.web.httpcache.settings import Settings

__all__ = [
    "OWNED",
    "Answer",
    "Verdict",
    "forbids",
    "is_never_fresh",
    "keep_for",
    "lifetime",
    "may_replace_error",
    "verdict",
]

_BY_DEFINITION = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}
_NEVER = {206, 304, 412, 416}
_OF_ONE_REQUEST = {400, 401, 407, 408, 413, 417, 421, 425, 429, 431}
"""Statuses that find fault with who asked or how: others ask for the same page better."""
_UNDERSTOOD = _BY_DEFINITION | {302, 303, 307}
_STRICT = ("must-revalidate", "proxy-revalidate", "no-cache")
OWNED = {"cookie", "authorization"}
"""Request headers that say who asks."""
_KEPT_FOR_QUESTIONS = 3600.0
"""Seconds a stale page with a validator is kept, so that the application can say it is the same."""


class Answer(NamedTuple):
    """What an application answered, without its body.

    Attributes:
        code: Its status.
        headers: Its headers.
        touched: Whether the request looked at its session.
    """

    code: int
    headers: Headers
    touched: bool = False

    @property
    def directives(self) -> Directives:
        """What its Cache-Control says."""
        return directives(combined(self.headers, "cache-control"))


def lifetime(answer: Answer, now: float, settings: Settings) -> float | None:
    """Return how old the response may become and be fresh; None if nothing says so.

    RFC 9111 4.2.1: `s-maxage`, then `max-age`, then `Expires`; then our `default_ttl`.
    """
    said = answer.directives
    for name in ("s-maxage", "max-age"):
        if name in said:
            return float(named(said, name))
    expires = combined(answer.headers, "expires")
    if expires is not None:
        end, date = instant(expires), instant(combined(answer.headers, "date"))
        return 0.0 if end is None else max(0.0, end - (now if date is None else date))
    if answer.code in _BY_DEFINITION or "public" in said:
        return settings.default_ttl
    return None


def forbids(asked: Asked, answer: Answer, settings: Settings, now: float) -> str | None:
    """Return why the response must not be stored, in a word; None if it may be.

    RFC 9111 3 and 3.5, and what guards visitors from each other: a response that sets a cookie is
    never stored, and one that depends on who asked only for its owner.
    """
    said, code = answer.directives, answer.code
    vary = words(combined(answer.headers, "vary"))
    understood = "must-understand" in said and code in _UNDERSTOOD
    whose = None if asked.owner is not None else _whose(asked, answer, vary)
    fresh_for = lifetime(answer, now, settings)
    reasons = {
        "method": not asked.may_be_stored,
        "status": not 200 <= code <= 599 or code in _NEVER | _OF_ONE_REQUEST,
        "not-understood": "must-understand" in said and not understood,
        "no-store": "no-store" in said and not understood,
        "set-cookie": any(name.lower().startswith("set-cookie") for name, _ in answer.headers),
        "vary": "*" in vary,
        whose: whose is not None,
        "trailer": combined(answer.headers, "trailer") is not None,
        "content-range": combined(answer.headers, "content-range") is not None,
        "no-freshness": fresh_for is None,
        "stale": not fresh_for and _is_of_no_use(answer),
        "no-cache": "no-cache" in said and not _has_validator(answer.headers),
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _whose(asked: Asked, answer: Answer, vary: list[str]) -> str | None:
    """Return what says that the response is only for who asked."""
    said = answer.directives
    if "private" in said:
        return "private"
    if answer.touched:
        return "session"
    if not OWNED.isdisjoint(vary):
        return "vary-cookie"
    if "authorization" in asked.headers and not said.keys() & {
        "public",
        "s-maxage",
        "must-revalidate",
    }:
        return "authorization"
    return None


def _has_validator(headers: Headers) -> bool:
    return any(name.lower() in ("etag", "last-modified") for name, _ in headers)


def _is_of_no_use(answer: Answer) -> bool:
    """Return whether a response that is stale at once can neither be asked about nor served."""
    said = answer.directives
    late = named(said, "stale-while-revalidate") + named(said, "stale-if-error")
    return not _has_validator(answer.headers) and not late


def keep_for(page: Page, now: float) -> float:
    """Return the seconds a page is worth keeping: fresh, then served stale or asked about."""
    said = page.directives
    late = max(named(said, "stale-while-revalidate"), named(said, "stale-if-error"))
    if any(word in said for word in _STRICT):
        late = 0
    asking = _KEPT_FOR_QUESTIONS if page.validators else 0.0
    return max(0.0, page.lifetime - page.age_at(now)) + max(float(late), asking)


class Verdict(enum.Enum):
    """What is to be done about a stored page."""

    SERVE = "serve"
    SERVE_AND_RENEW = "serve stale, and renew it in the background"
    RENEW = "stale"
    REQUEST = "request"


def verdict(page: Page, asked: Asked, now: float) -> Verdict:
    """Return whether `page` may answer `asked` at `now` (RFC 9111 4.2, 5.2.1; RFC 5861, 8246)."""
    wants, said = asked.directives, page.directives
    age = page.age_at(now)
    left = page.lifetime - age
    if "no-cache" in wants:
        return Verdict.REQUEST
    if "no-cache" in said:
        return Verdict.RENEW
    if not _is_wanted(wants, age, left, immutable="immutable" in said):
        return Verdict.REQUEST
    return Verdict.SERVE if left > 0 else _stale(said, wants, -left)


def _stale(said: Directives, wants: Directives, late: float) -> Verdict:
    """Return what may be done with a page that has been stale for `late` seconds."""
    if any(word in said for word in _STRICT):
        return Verdict.RENEW
    if late <= named(said, "stale-while-revalidate") > 0:
        return Verdict.SERVE_AND_RENEW
    if "max-stale" in wants and "s-maxage" not in said:
        any_age = wants["max-stale"] is None
        return Verdict.SERVE if any_age or late <= named(wants, "max-stale") else Verdict.RENEW
    return Verdict.RENEW


def _is_wanted(wants: Directives, age: float, left: float, *, immutable: bool) -> bool:
    """Return whether a page of this age is what the request accepts."""
    most = named(wants, "max-age")
    if "max-age" in wants and (age > most or not most) and not (immutable and left > 0):
        return False
    return not ("min-fresh" in wants and left < named(wants, "min-fresh"))


def is_never_fresh(page: Page) -> bool:
    """Return whether the application has to be asked about `page` each time."""
    return page.lifetime <= 0 or "no-cache" in page.directives


def may_replace_error(page: Page, now: float) -> bool:
    """Return whether the stale `page` may be served because the application failed (RFC 5861)."""
    said = page.directives
    if any(word in said for word in _STRICT):
        return False
    return page.age_at(now) - page.lifetime <= named(said, "stale-if-error") > 0
