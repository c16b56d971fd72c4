"""Response headers: what a session or a limit must say, merged into what the application said.

Law: pure. A list of headers is never changed in place, headers of others keep their order, and an
application that was stricter than we are is left alone. Headers are pairs of text, one character
per octet.
"""

import json
import math
import re

from holdfast.limit.decision import Decision, RateState

__all__ = [
    "Answer",
    "Headers",
    "denial",
    "forbid_sharing",
    "forbid_storing",
    "limited",
    "unavailable",
    "vary_by",
]

Headers = list[tuple[str, str]]
Answer = tuple[str, Headers, bytes]
"""A whole answer: status line, headers, body."""

RETRY_AFTER = 5
"""Seconds after which a client may try again when a store did not answer."""

_NO_STORE = ("Cache-Control", "no-store")
_OF_PRODUCTS = {"surrogate-control", "edge-control", "x-accel-expires"}
_QUOTED = re.compile(r'"[^"]*"')
_BETWEEN = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')  # a comma that is in no quotes
_SHARED = re.compile(r"(?i)(public|s-maxage|private|proxy-revalidate)\b")
_PROBLEM = "application/problem+json"
_TYPES = "https://iana.org/assignments/http-problem-types"


def vary_by(headers: Headers, name: str) -> Headers:
    """Return `headers` with a Vary that names the request header `name`, once."""
    for key, _ in headers:
        if key.lower() == "vary":
            return _varied(headers, name)
    return [*headers, ("Vary", name)]


def _varied(headers: Headers, name: str) -> Headers:
    """Return the same for headers that have a Vary already."""
    at = 0
    for number, (key, value) in enumerate(headers):
        if key.lower() == "vary":
            named = {word.strip().lower() for word in value.split(",")}
            if "*" in named or name.lower() in named:
                return headers
            at = number
    key, value = headers[at]
    merged = f"{value}, {name}" if value.strip() else name
    return [*headers[:at], (key, merged), *headers[at + 1 :]]


def forbid_storing(headers: Headers) -> Headers:
    """Return `headers` with `Cache-Control: no-store`, and without what would overrule it.

    A `Cache-Control` that has `no-store` already stays as it is, unless `must-understand` is there
    too: a cache that knows that word ignores the other (RFC 9111, 5.2.2.3). The targeted fields of
    RFC 9213 (`CDN-Cache-Control` and its kin) and those of single products go: their caches would
    prefer them.
    """
    kept, said = _for_caches(headers)
    return kept + (said if _is_stored_nowhere(_words(said)) else [_NO_STORE])


def forbid_sharing(headers: Headers) -> Headers:
    """Return `headers` with `Cache-Control: private`, and without what would overrule it.

    How long the client itself may keep the answer stays as it was said; `public` and `s-maxage` go,
    and what speaks to shared caches alone. Where nobody or only the client may store it anyway, the
    `Cache-Control` stays as it is.
    """
    kept, said = _for_caches(headers)
    words = _words(said)
    if "private" in words or _is_stored_nowhere(words):
        return kept + said
    parts = [part.strip() for _, value in said for part in _BETWEEN.split(value)]
    left = [part for part in parts if part and not _SHARED.match(part)]
    return [*kept, ("Cache-Control", ", ".join(["private", *left]))]


def _for_caches(headers: Headers) -> tuple[Headers, Headers]:
    """Return `headers` without what speaks to caches, and those of them that speak to all."""
    kept: Headers = []
    said: Headers = []
    for header in headers:
        key = header[0].lower()
        if key == "cache-control":
            said.append(header)
        elif not key.endswith("cdn-cache-control") and key not in _OF_PRODUCTS:
            kept.append(header)
    return kept, said


def _words(said: Headers) -> set[str]:
    """Return the directives without argument, in lower case."""
    plain = ",".join(_QUOTED.sub("", value) for _, value in said)
    return {word.strip() for word in plain.lower().split(",")}


def _is_stored_nowhere(words: set[str]) -> bool:
    return "no-store" in words and "must-understand" not in words


def unavailable() -> Answer:
    """Return status, headers and body of the answer when the store cannot be asked."""
    body = b"The session store cannot be reached. Please try again in a moment.\n"
    return (
        "503 Service Unavailable",
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Retry-After", str(RETRY_AFTER)),
        ],
        body,
    )


def limited(headers: Headers, decision: Decision) -> Headers:
    """Return `headers` with the rate limit headers of `decision`.

    `RateLimit` and `RateLimit-Policy` are lists, so that two limits both show. `X-RateLimit-*` has
    room for one: the one with less left stays. A degraded decision measured nothing and shows
    nothing. All times are in seconds from now; on a denial `t` is never later than Retry-After.
    """
    if decision.degraded:
        return headers
    latest = math.inf if decision.allowed else math.ceil(decision.retry_after)
    states = [
        f'"{_policy(state)}";r={state.remaining};t={min(latest, math.ceil(state.reset_after))}'
        for state in decision.rates
    ]
    policies = [
        f'"{_policy(state)}";q={state.limit};w={math.ceil(state.period)}'
        for state in decision.rates
    ]
    ours = [("RateLimit-Policy", ", ".join(policies)), ("RateLimit", ", ".join(states))]
    legacy = [
        ("X-RateLimit-Limit", str(decision.limit)),
        ("X-RateLimit-Remaining", str(decision.remaining)),
        ("X-RateLimit-Reset", str(math.ceil(decision.reset_after))),
    ]
    others = [value for key, value in headers if key.lower() == "x-ratelimit-remaining"]
    if others:
        if others[0].isdecimal() and int(others[0]) <= decision.remaining:
            return headers + ours
        headers = [header for header in headers if not header[0].lower().startswith("x-ratelimit-")]
    return headers + ours + legacy


def denial(decision: Decision) -> Answer:
    """Return status, headers and body of the answer to a request that `decision` refused.

    429 where a quota is used up, 503 where the store could not be asked and the limiter was told to
    deny then; the body is a problem of RFC 9457.
    """
    after = max(1, math.ceil(decision.retry_after))
    extra: dict[str, object] = {}
    if decision.degraded:
        status, kind = "503 Service Unavailable", "temporary-reduced-capacity"
        title = "The rate limit cannot be checked at the moment"
        after = max(after, RETRY_AFTER)
    else:
        status, kind = "429 Too Many Requests", "quota-exceeded"
        title = "Request cannot be satisfied as assigned quota has been exceeded"
        used_up = [_policy(state) for state in decision.rates if not state.remaining]
        extra = {"violated-policies": used_up, "retry-after": after}
    problem = {"type": f"{_TYPES}#{kind}", "title": title, "status": int(status[:3]), **extra}
    body = json.dumps(problem).encode() + b"\n"
    headers = [
        ("Content-Type", _PROBLEM),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Retry-After", str(after)),
    ]
    return status, limited(headers, decision), body


def _policy(state: RateState) -> str:
    """Return the name of a rate in the headers, such as `100/60s`."""
    return f"{state.limit}/{state.period:.0f}s"
