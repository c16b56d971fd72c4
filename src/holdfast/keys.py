"""Keys: building, prefixing and shortening.

Law: a store key is 1 to 250 characters of printable ASCII without spaces. What a user names freely
is brought into that form here and nowhere else, and two names never share a key.
"""

import hashlib
import re

from holdfast.errors import ConfigError, KeyRejected

__all__ = ["MAX_LENGTH", "check", "is_hash", "join", "prefix_of", "short"]

MAX_LENGTH = 250
_ROOM = 180  # what a name may take: prefix, kind and separators must still fit into MAX_LENGTH
_PLAIN = re.compile(r"[!-~]{1,250}")
_NAME = re.compile(rf"[!-~]{{1,{_ROOM}}}")
_PREFIX = re.compile(r"[A-Za-z0-9_.\-]{0,40}")
_HASHED = "sha256-"


def check(key: str) -> str:
    """Return `key` if a store can carry it.

    Raises:
        KeyRejected: It is empty, longer than 250 characters, or has a character outside `!` to `~`.
    """
    if _PLAIN.fullmatch(key) is None:
        shown = key if len(key) <= 60 else key[:60] + "..."
        raise KeyRejected(
            f"{shown!r} is no store key: 1 to {MAX_LENGTH} characters of printable ASCII, no spaces"
        )
    return key


def short(name: str) -> str:
    """Return `name` itself where it can stand in a key, else a hash of it.

    A plain name that looks like a hash is hashed too, so that no name can imitate another's hash.
    """
    if _NAME.fullmatch(name) is not None and not name.startswith(_HASHED):
        return name
    return _HASHED + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def is_hash(name: str) -> bool:
    """Return whether `name`, as it stands in a key, is the hash of another one."""
    return name.startswith(_HASHED)


def prefix_of(prefix: str, *, option: str = "prefix") -> str:
    """Return `prefix` if it may stand before all keys of an application.

    Raises:
        ConfigError: It is longer than 40 characters or has others than letters, digits, `_ . -`.
    """
    given: object = prefix
    if not isinstance(given, str) or _PREFIX.fullmatch(given) is None:
        raise ConfigError(f"{option}={prefix!r}: at most 40 letters, digits, '_', '.' or '-'")
    return prefix


def join(prefix: str, kind: str, name: str) -> str:
    """Return the documented key `prefix:kind:name`; without prefix, `kind:name`."""
    tail = f"{kind}:{short(name)}"
    return f"{prefix}:{tail}" if prefix else tail
