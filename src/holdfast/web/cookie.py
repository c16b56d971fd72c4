"""Cookies on the wire: reading the raw Cookie header, writing Set-Cookie.

Law: pure. Nothing is decoded, unquoted or unescaped, and nothing but SP and HTAB is trimmed:
whatever a framework's parser would mend is how one cookie comes to pass for another. Headers are
text as WSGI has it, one character per octet.
"""

import re
from collections.abc import Iterator

from holdfast.errors import ConfigError

__all__ = [
    "LONGEST_AGE",
    "MAX_ATTRIBUTE",
    "MAX_PAIR",
    "attribute",
    "cookie_name",
    "expired",
    "pairs",
    "set_cookie",
    "values",
]

MAX_PAIR = 4096
"""Bytes of name and value together that every browser keeps (RFC 6265bis, 5.7)."""
MAX_ATTRIBUTE = 1024
"""Bytes of one attribute's value; browsers ignore a longer attribute in silence."""
LONGEST_AGE = 400 * 24 * 3600
"""Seconds; browsers cut a longer Max-Age down to this (RFC 6265bis, 5.6.2)."""

_BLANK = " \t"
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")  # no control, space, quote, comma, semicolon, backslash
_ATTRIBUTE = re.compile(r"[ -:<-~]*")
_GONE = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


def values(header: str, name: str) -> list[str]:
    """Return the value of every cookie in `header` called exactly `name`, in the order sent.

    Args:
        header: The raw Cookie header.
        name: The name, compared octet by octet.
    """
    before, found, rest = header.partition(name)
    if not found:
        return []
    # once, and as browsers write it
    if rest[:1] == "=" and name not in rest and (not before or before[-2:] == "; "):
        return [rest[1:].partition(";")[0].strip(_BLANK)]
    return _values(header, name, len(before))


def _values(header: str, name: str, at: int) -> list[str]:
    """Return the same for whatever a client may write; the name stands at `at` first."""
    found: list[str] = []
    while at >= 0:
        end = _after_equals(header, at + len(name))
        if end and _begins(header, at):
            stop = header.find(";", end)
            if stop < 0:
                found.append(header[end:].strip(_BLANK))
                break
            found.append(header[end:stop].strip(_BLANK))
            at = header.find(name, stop)
        else:
            at = header.find(name, at + 1)
    return found


def _after_equals(header: str, at: int) -> int:
    """Return where the value begins if a name ends at `at`, else 0."""
    while (sign := header[at : at + 1]) in (" ", "\t"):
        at += 1
    return at + 1 if sign == "=" else 0


def _begins(header: str, at: int) -> bool:
    """Return whether nothing but blanks stands between `at` and the start of a pair."""
    at -= 1
    while at >= 0 and header[at] in _BLANK:
        at -= 1
    return at < 0 or header[at] == ";"


def pairs(header: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of every cookie in `header` that has a name."""
    for piece in header.split(";"):
        name, equals, value = piece.partition("=")
        name = name.strip(_BLANK)
        if equals and name:
            yield name, value.strip(_BLANK)


def cookie_name(name: str) -> str:
    """Return `name` if a cookie may be called so.

    Raises:
        ConfigError: It is empty, or has a character that is no token character of RFC 9110.
    """
    given: object = name
    if not isinstance(given, str) or _NAME.fullmatch(given) is None:
        raise ConfigError(f"cookie name {name!r}: use letters, digits, '-' and '_'")
    return name


def attribute(name: str, value: str) -> str:
    """Return `; name=value` for the end of a Set-Cookie line.

    Raises:
        ConfigError: The value has a semicolon, a control character, a character outside ASCII, or
            more than 1024 of them.
    """
    if _ATTRIBUTE.fullmatch(value) is None:
        raise ConfigError(f"cookie {name}={value!r}: printable ASCII without ';' only")
    if len(value) > MAX_ATTRIBUTE:
        raise ConfigError(f"cookie {name}: browsers ignore more than {MAX_ATTRIBUTE} bytes")
    return f"; {name}={value}"


def set_cookie(name: str, value: str, attributes: str) -> str:
    """Return the value of a Set-Cookie header.

    Args:
        name: As `cookie_name` returned it.
        value: The cookie's value; at most `MAX_PAIR` bytes together with the name.
        attributes: Joined results of `attribute` and flags, each beginning with `; `.

    Raises:
        ConfigError: The value has a character that would end it, or does not fit.
    """
    if _VALUE.fullmatch(value) is None:
        raise ConfigError(f"the value of cookie {name!r} has a character cookies cannot carry")
    if len(name) + len(value) > MAX_PAIR:
        raise ConfigError(f"cookie {name!r} needs {len(name) + len(value)} bytes, {MAX_PAIR} fit")
    return f"{name}={value}{attributes}"


def expired(name: str, attributes: str) -> str:
    """Return the Set-Cookie value that makes a browser drop `name`, set with `attributes`."""
    return f"{name}={attributes}{_GONE}"
