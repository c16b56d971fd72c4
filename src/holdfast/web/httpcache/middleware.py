"""`CacheMiddleware`: one name for WSGI and ASGI; each has a class of its own behind it.

Law: signatures and docstrings, and what both have in common. Which of the two an application needs
is seen when it is wrapped, never at a request.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Self, Unpack

from holdfast.bridge import LoopWaits, ThreadWaits, drive
from holdfast.cache import Cache
from holdfast.cache.draft import require_writable
from holdfast.errors import ConfigError
from holdfast.web.httpcache.engine import Engine
from holdfast.web.httpcache.page import Page
from holdfast.web.httpcache.settings import Options, settled
from holdfast.web.httpcache.shelf import Shelf

__all__ = ["AsyncPurges", "CacheMiddleware", "Interface"]

Interface = Literal["wsgi", "asgi"]
_SPACE = "http"


class CacheMiddleware:
    """Stores responses of an application as RFC 9111 has it, and answers with them.

    A response is stored only if it says how long it is fresh (or `default_ttl` does), and never one
    that sets a cookie, that answers to Authorization, or whose request looked at its session; see
    `private` of `Options`. The application finds `Notes` under `holdfast.httpcache` in its environ
    or scope.

    Args:
        app: A WSGI or an ASGI application.
        cache: Where the pages lie: in its namespace `http`, with its tags.
        interface: `"wsgi"` or `"asgi"`, where that cannot be seen of `app`.
        options: See `Options`: `default_ttl`, `max_body`, `etag`, `tag_header`, `ignore_query`,
            `private`, `clock`.

    Raises:
        ConfigError: It cannot be seen what `app` is, an option cannot be meant, or the codec of
            the cache knows no bytes.
        TypeError: There is no such option.
    """

    _kinds: ClassVar[dict[str, type["CacheMiddleware"]]] = {}

    def __init_subclass__(cls, *, interface: Interface) -> None:
        cls._kinds[interface] = cls

    def __new__(
        cls,
        app: Callable[..., Any],
        cache: Cache,  # noqa: ARG004 - __init__ takes it
        *,
        interface: Interface | None = None,
        **options: Unpack[Options],  # noqa: ARG004 - __init__ takes them
    ) -> Self:
        """Make one of the class that fits `app`."""
        kind = cls._kinds.get(interface or _interface_of(app))
        if kind is None:
            raise ConfigError(f"interface={interface!r}: 'wsgi' or 'asgi'")
        return object.__new__(kind)  # type: ignore[return-value]  # it is a subclass

    def __init__(
        self,
        app: Callable[..., Any],
        cache: Cache,
        *,
        interface: Interface | None = None,
        **options: Unpack[Options],
    ) -> None:
        if not isinstance(cache, Cache):
            raise ConfigError(f"cache={cache!r}: give a holdfast.Cache")
        self.app = app
        self.cache = cache
        self.interface = interface or _interface_of(app)
        self.settings = settings = settled(options)
        pages = cache.namespace(_SPACE)
        require_writable(pages, Page("200 OK", [], b"", 0.0, 0.0, 0.0).stored())
        shelf = Shelf(pages, cache)
        looping = Shelf(pages.aio, cache.aio)
        self._shelf = shelf
        self.aio = AsyncPurges(looping)
        if self.interface == "wsgi":
            self._engine = Engine(shelf, settings, ThreadWaits())
        else:
            self._engine = Engine(looping, settings, LoopWaits())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answer one request, as WSGI or ASGI has it."""
        raise NotImplementedError

    def purge(self, *paths: str, tags: Sequence[str] = ()) -> None:
        """Forget pages, those that are being made among them.

        Args:
            paths: Paths without query, such as `/products/7`; all their pages go, of whatever host,
                query, variant and owner.
            tags: Everything in the cache that has one of these tags.

        Raises:
            ConfigError: A path does not begin with `/` or has a query, or `tags` is one text.
            StoreError: The store failed: other processes may still have them.
        """
        drive(self._shelf.forget(*_purged(paths, tags)))

    def clear(self) -> None:
        """Forget all pages.

        Raises:
            StoreError: The store failed: other processes may still have them.
        """
        drive(self._shelf.clear())


class AsyncPurges:
    """`purge` and `clear` for event loops; get it as `middleware.aio`."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def purge(self, *paths: str, tags: Sequence[str] = ()) -> None:
        """See `CacheMiddleware.purge`."""
        await self._shelf.forget(*_purged(paths, tags))

    async def clear(self) -> None:
        """See `CacheMiddleware.clear`."""
        await self._shelf.clear()


def _purged(paths: Sequence[str], tags: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    for path in paths:
        if not path.startswith("/") or "?" in path:
            raise ConfigError(f"purge({path!r}): a path such as '/products/7', without a query")
    if isinstance(tags, str):
        raise ConfigError(f"tags={tags!r}: give a list of tags, such as [{tags!r}]")
    return paths, tags


def _interface_of(app: Callable[..., Any]) -> Interface:
    """Return what `app` is: a coroutine function, or by how much it is called with."""
    call = getattr(app, "__call__", None)  # noqa: B004 - it is looked at, not asked for
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(call):
        return "asgi"
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()
    needed = [
        one
        for one in parameters
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) and one.default is one.empty
    ]
    if len(needed) in (2, 3):
        return "wsgi" if len(needed) == 2 else "asgi"
    raise ConfigError(f"{app!r}: say interface='wsgi' or interface='asgi'")
