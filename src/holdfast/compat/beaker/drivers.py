"""Drivers: what a kind of store needs that may not be installed.

Law: looked for when a manager is made, never at import.
"""

import importlib

from holdfast.compat.beaker.exceptions import InvalidCacheBackendError

__all__ = ["need"]


def need(module: str, kind: str, extra: str, *, since: str = "") -> None:
    """Import what a kind of store cannot do without.

    Args:
        module: What is imported.
        kind: Of the store, as in `clsmap`.
        extra: Of holdfast, which brings it.
        since: A name in it that versions have not which are too old.

    Raises:
        InvalidCacheBackendError: It is missing, or too old; the message says what to install.
    """
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise InvalidCacheBackendError(
            f"{kind} needs what is not here ({error}): pip install 'holdfast[{extra}]'"
        ) from error
    if since and not hasattr(found, since):
        version = getattr(found, "__version__", "here")
        raise InvalidCacheBackendError(
            f"{kind}: {module} {version} is too old: pip install 'holdfast[{extra}]'"
        )
