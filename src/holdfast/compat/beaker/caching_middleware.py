"""`CacheMiddleware`: a `CacheManager` for every request, under a key of the WSGI environ.

Law: one manager for the application, made at start; requests only get a reference to it.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from holdfast.compat.beaker.cache import CacheManager
from holdfast.compat.beaker.util import parse_cache_config_options

__all__ = ["CacheMiddleware", "beaker_cache", "paste_proxy", "register"]


def paste_proxy(name: str) -> Any:
    """Return Paste's stand-in for what belongs to the request that runs, or None without Paste."""
    with suppress(Exception):  # that package raises many things on a Python of today
        return importlib.import_module("paste.registry").StackedObjectProxy(name=name)
    return None


def register(registry: Any, made: Any, proxy: Any) -> None:
    """Tell Paste's registry what was made for a request, if it is in use."""
    if registry and registry.reglist:
        registry.register(proxy, made)


beaker_cache: Any = paste_proxy("Cache Manager")
"""The manager of the request that runs, where Paste's registry is used; else None."""


class CacheMiddleware:
    """Gives an application its `CacheManager`.

    Args:
        app: The application.
        config: Options of the whole application; those of the cache begin with `cache.` or
            `beaker.cache.`.
        environ_key: Where in the environ the manager is.
        kwargs: More options; without a prefix, they go to the stores as they are.

    Attributes:
        app: The application.
        options: The options of the cache.
        cache_manager: The manager.
    """

    cache = beaker_cache

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        config: Mapping[str, Any] | None = None,
        environ_key: str = "beaker.cache",
        **kwargs: Any,
    ) -> None:
        self.app = app
        self.environ_key = environ_key
        self.options: dict[str, Any] = {
            **parse_cache_config_options(config or {}),
            **parse_cache_config_options(kwargs, include_defaults=False),
            **kwargs,
        }
        self.cache_manager = CacheManager(**self.options)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        environ[self.environ_key] = self.cache_manager
        register(environ.get("paste.registry"), self.cache_manager, self.cache)
        return self.app(environ, start_response)
