"""Settings of the response cache: what a user may choose, checked once.

Law: pure. A choice that cannot be meant is a `ConfigError` when the middleware is made.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict
from urllib.parse import unquote_plus

from holdfast.clock import Clock, wall
from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError
from holdfast.web.request import Request

__all__ = ["Options", "Settings", "settled"]

Private = Callable[[Request], str | None]


class Options(TypedDict, total=False):
    """What `CacheMiddleware` understands beside an application and a cache.

    Attributes:
        default_ttl: How long a response is fresh that does not say so itself and has a status that
            may be cached by definition (RFC 9110 15.1). Default: such a response is not stored.
        max_body: The bytes of the longest body that is stored. Default 1 MiB.
        etag: Whether a stored response without ETag gets one made of its body. Default True.
        tag_header: The response header in which the application names tags, separated by commas;
            it does not leave. Default `Cache-Tag`.
        ignore_query: Query parameters that change nothing, such as `["utm_*", "fbclid"]`; an
            application that makes a page for others does not get them.
        private: Whose page this is: a function of a `holdfast.web.request.Request` that returns
            text, which becomes part of the key, or None for everybody. Pages that belong to
            somebody are kept, each for its owner, though they touch the session, vary by Cookie,
            answer to Authorization, or say `Cache-Control: private`.
        clock: UTC seconds; give the one the cache has.
    """

    default_ttl: Duration | None
    max_body: int
    etag: bool
    tag_header: str
    ignore_query: Sequence[str]
    private: Private | None
    clock: Clock


@dataclass(frozen=True, slots=True)
class Settings:
    """Options, checked. `tag_header` is lower case, `ignored` a pattern of whole names."""

    default_ttl: float | None
    max_body: int
    etag: bool
    tag_header: str
    ignored: re.Pattern[str] | None
    private: Private | None
    clock: Clock

    def without_ignored(self, query: str) -> str:
        """Return `query` without what changes nothing; the order stays, for it may mean something.

        A parameter with a semicolon stays too: to some applications what follows is another one.
        """
        ignored = self.ignored
        if ignored is None or not query:
            return query
        return "&".join(
            pair
            for pair in query.split("&")
            if ";" in pair or not ignored.fullmatch(unquote_plus(pair.partition("=")[0]))
        )


def settled(options: Options) -> Settings:
    """Return `options` checked, with the defaults for those that are not given.

    Raises:
        TypeError: There is no such option.
        ConfigError: An option has a value that cannot be meant.
    """
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        known = ", ".join(Options.__annotations__)
        raise TypeError(f"unknown option {', '.join(sorted(unknown))}; there are {known}")
    ttl, size = options.get("default_ttl"), options.get("max_body", 1 << 20)
    if type(size) is not int or size < 1:
        raise ConfigError(f"max_body={size!r}: a number of bytes, at least 1")
    header = options.get("tag_header", "Cache-Tag")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", header):
        raise ConfigError(f"tag_header={header!r}: the name of a header, such as 'Cache-Tag'")
    return Settings(
        default_ttl=None if ttl is None else seconds(ttl, option="default_ttl"),
        max_body=size,
        etag=options.get("etag", True),
        tag_header=header.lower(),
        ignored=_ignored(options.get("ignore_query", ())),
        private=options.get("private"),
        clock=options.get("clock", wall),
    )


def _ignored(names: Sequence[str]) -> re.Pattern[str] | None:
    if isinstance(names, str):
        raise ConfigError(f"ignore_query={names!r}: give a list of names, such as [{names!r}]")
    patterns = [re.escape(name).replace(r"\*", ".*") for name in names]
    return re.compile("|".join(patterns), re.DOTALL) if patterns else None
