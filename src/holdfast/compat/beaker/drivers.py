"""Drivers: what a kind of store needs that may not be installed.

Law: looked for when a manager is made, never at import.
"""

import importlib

from holdfast.compat.beaker.exceptions import InvalidCacheBackendError

__all__ = ["need"]


def need(module: str, kind: str, extra: str) -> None:
    """Import what a kind of store cannot do without.

    Args:
        module: What is imported.
        kind: Of the store, as in `clsmap`.
        extra: Of holdfast, which brings it.

    Raises:
        InvalidCacheBackendError: It is missing; the message says what to install.
    """
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise InvalidCacheBackendError(
            f"{kind} needs what is not here ({error}): pip install 'holdfast[{extra}]'"
        ) from error
