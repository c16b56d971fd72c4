"""The keys of dictionaries that Python 2 pickled.

Law: pure. Caches ask for bytes and sessions for text, which were all the same there; so each key
becomes what is asked for today.
"""

from typing import Any

from holdfast.compat.values import MARK

__all__ = ["asked_for"]

_OF_SESSIONS = "session"
_LAST = b"\x80\x02"  # how a pickle of protocol 2 begins; Python 3 has written none below 3


def asked_for(found: dict[Any, Any], data: bytes) -> dict[Any, Any]:
    """Return the dictionary that was found in `data`, by the keys of today."""
    if data.startswith(MARK) or data[:2] > _LAST:
        return found
    return {_key(key): value for key, value in found.items()}


def _key(key: Any) -> Any:
    if isinstance(key, str) and key != _OF_SESSIONS:
        return key.encode("utf-8", "surrogateescape")
    return key
