"""Cookies of a request, of which bad ones are passed over.

Law: a cookie that Python cannot read does not lose those beside it. What Python reads is read as it
does.
"""

import contextlib
import http.cookies
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["SimpleCookie"]

_QUOTED = re.compile(r'"(?:[^\\"]|\\.)*+("?)')  # to the end where it is not closed: read once
_END = "end-of-header"
_PROBE = f"; {_END}=1"  # who finds it has read what stands before it


class SimpleCookie(http.cookies.SimpleCookie):
    """`http.cookies.SimpleCookie` for what browsers send.

    Attributes:
        bad_cookies: The names that the last `load` passed over.
    """

    bad_cookies: set[str]

    def load(self, rawdata: Any) -> None:
        """Read a header `Cookie`, or a mapping of names and values."""
        self.bad_cookies = set()
        if isinstance(rawdata, str):
            self._load_header(rawdata)
            return
        for name, value in rawdata.items():
            try:
                self[name] = value
            except http.cookies.CookieError:
                self.bad_cookies.add(name)

    def _load_header(self, header: str) -> None:
        if not header:
            return
        with contextlib.suppress(http.cookies.CookieError):
            super().load(header + _PROBE)
        if self.pop(_END, None) is not None:
            return
        # Python stopped at a bad one: once more, without those
        good: list[str] = []
        for piece in _pieces(header):
            # in quotes, as far as Python sees; to browsers a semicolon always ends a cookie
            for part in [piece] if _is_sound(piece, good) else piece.split(";"):
                if _is_sound(part, good):
                    good.append(part)
                elif part.strip():
                    self.bad_cookies.add(part.partition("=")[0].strip())
        super().load("; ".join(good))


def _pieces(header: str) -> Iterator[str]:
    """Yield the text of each cookie or attribute."""
    masked = _QUOTED.sub(lambda found: "_" * len(found[0]) if found[1] else found[0], header)
    start = 0
    for part in masked.split(";"):
        piece = header[start : start + len(part)].strip()
        start += len(part) + 1
        if piece and not piece.startswith("$"):
            yield piece


def _is_sound(piece: str, good: list[str]) -> bool:
    """Return whether Python reads past this cookie, or this attribute of one before it."""
    probe: http.cookies.BaseCookie[str] = http.cookies.SimpleCookie()
    with contextlib.suppress(http.cookies.CookieError):
        probe.load(("before=1; " if good else "") + piece + _PROBE)
    return _END in probe
