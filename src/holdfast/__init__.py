"""Holdfast: sessions, cached values and rate limits on one kind of store.

The public names stand here and are imported on first use, so that `import holdfast` does no work:

    from holdfast import Cache, Sessions, Limiter, Cookie, open_store

Everything that can go wrong is in `holdfast.errors`, and those names are here too.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.cache import Cache, creation
    from holdfast.cache.region import Regions, regions
    from holdfast.errors import (
        CodecError,
        ConfigError,
        CreateTimeout,
        HoldfastError,
        KeyRejected,
        LimitExceeded,
        LockTimeout,
        SessionCommitted,
        SessionError,
        SessionTooLarge,
        StoreError,
        StoreTimeout,
        StoreUnavailable,
        TooManySessions,
    )
    from holdfast.limit import Decision, Limiter
    from holdfast.session import Outcome, Schema, Session, SessionInfo, Sessions
    from holdfast.signing import KeyRing
    from holdfast.store.registry import open_store
    from holdfast.web.token_header import Header
    from holdfast.web.transport import Cookie

__version__ = "0.1.0"

_HOME = {
    "Cache": "holdfast.cache",
    "creation": "holdfast.cache",
    "Regions": "holdfast.cache.region",
    "regions": "holdfast.cache.region",
    "Decision": "holdfast.limit",
    "Limiter": "holdfast.limit",
    "Outcome": "holdfast.session",
    "Schema": "holdfast.session",
    "Session": "holdfast.session",
    "SessionInfo": "holdfast.session",
    "Sessions": "holdfast.session",
    "KeyRing": "holdfast.signing",
    "open_store": "holdfast.store.registry",
    "Cookie": "holdfast.web.transport",
    "Header": "holdfast.web.token_header",
    "CodecError": "holdfast.errors",
    "ConfigError": "holdfast.errors",
    "CreateTimeout": "holdfast.errors",
    "HoldfastError": "holdfast.errors",
    "KeyRejected": "holdfast.errors",
    "LimitExceeded": "holdfast.errors",
    "LockTimeout": "holdfast.errors",
    "SessionCommitted": "holdfast.errors",
    "SessionError": "holdfast.errors",
    "SessionTooLarge": "holdfast.errors",
    "StoreError": "holdfast.errors",
    "StoreTimeout": "holdfast.errors",
    "StoreUnavailable": "holdfast.errors",
    "TooManySessions": "holdfast.errors",
}

__all__ = [
    "Cache",
    "CodecError",
    "ConfigError",
    "Cookie",
    "CreateTimeout",
    "Decision",
    "Header",
    "HoldfastError",
    "KeyRejected",
    "KeyRing",
    "LimitExceeded",
    "Limiter",
    "LockTimeout",
    "Outcome",
    "Regions",
    "Schema",
    "Session",
    "SessionCommitted",
    "SessionError",
    "SessionInfo",
    "SessionTooLarge",
    "Sessions",
    "StoreError",
    "StoreTimeout",
    "StoreUnavailable",
    "TooManySessions",
    "creation",
    "open_store",
    "regions",
]


if not TYPE_CHECKING:  # for a type checker an unknown name must stay unknown

    def __getattr__(name: str) -> object:
        home = _HOME.get(name)
        if home is None:
            raise AttributeError(f"module 'holdfast' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(home), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
