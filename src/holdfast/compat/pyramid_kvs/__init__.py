"""pyramid_kvs: sessions, a cache and rate limits of Pyramid in Redis or memcached.

Law: the names, settings, defaults, keys and records of the genuine 1.0.0; what differs stands on
the migration page.
"""

import warnings
from typing import Any

from pyramid.events import NewRequest

from holdfast.compat.pyramid_kvs.cache import ApplicationCache
from holdfast.compat.pyramid_kvs.perlsess import PerlSession
from holdfast.compat.pyramid_kvs.ratelimit import Ratelimit
from holdfast.compat.pyramid_kvs.session import SessionFactory
from holdfast.compat.settings import CompatWarning

__all__ = [
    "ApplicationCache",
    "PerlSession",
    "Ratelimit",
    "SessionFactory",
    "includeme",
    "subscribe_cache",
    "subscribe_perlsess",
    "subscribe_ratelimit",
]

__version__ = "1.0.0"


def subscribe_perlsess(event: Any) -> None:
    """Give the request its `perlsess`, read when it is first asked for."""
    event.request.set_property(PerlSession, "perlsess", reify=True)


def subscribe_cache(event: Any) -> None:
    """Give the request its `cache`."""
    event.request.set_property(ApplicationCache, "cache", reify=True)


def subscribe_ratelimit(event: Any) -> None:
    """Count the request."""
    Ratelimit(event.request)


def includeme(config: Any) -> None:
    """Set up what the settings name: `kvs.perlsess`, `kvs.cache`, `kvs.session`, `kvs.ratelimit`.

    Raises:
        ConfigError: A setting is wrong.
    """
    settings = config.registry.settings
    for name, connect, subscriber in (
        ("kvs.perlsess", PerlSession.connect, subscribe_perlsess),
        ("kvs.cache", ApplicationCache.connect, subscribe_cache),
    ):
        if name in settings:
            connect(settings)
            config.add_subscriber(subscriber, NewRequest)
    limited = "kvs.ratelimit" in settings
    if "kvs.session" not in settings:
        if limited:
            warnings.warn("kvs.ratelimit without kvs.session limits nothing", CompatWarning, 2)
        return
    config.set_session_factory(SessionFactory(settings))
    if limited:
        Ratelimit.configure(settings)
        config.add_subscriber(subscribe_ratelimit, NewRequest)
