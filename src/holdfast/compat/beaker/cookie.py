"""Cookies of a request, of which bad ones are passed over.

Law: a cookie that Python cannot read does not lose those beside it. What Python reads is read as it
does.
"""

import http.cookies
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["SimpleCookie"]

_PIECE = re.compile(r'(?:"(?:[^\\"]|\\.)*"|[^;])+')  # a semicolon in quotes ends nothing
_PROBE = "probe-of-holdfast"


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
        try:
            super().load(header)
        except http.cookies.CookieError:
            pass
        else:
            if all(name in self or _is_attribute(name) for name, _ in _pieces(header)):
                return
        # Python stopped at a bad one: once more, without those
        good: list[str] = []
        for name, piece in _pieces(header):
            if _is_sound(name, piece) and (good or not _is_attribute(name)):
                good.append(piece)
            else:
                self.bad_cookies.add(name)
        super().load("; ".join(good))


def _pieces(header: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each cookie or attribute."""
    for found in _PIECE.finditer(header):
        piece = found.group().strip()
        if piece:
            yield piece.partition("=")[0].rstrip(), piece


def _is_attribute(name: str) -> bool:
    return name.startswith("$") or http.cookies.Morsel().isReservedKey(name)


def _is_sound(name: str, piece: str) -> bool:
    """Return whether Python reads this cookie, or this attribute behind another cookie."""
    probe: http.cookies.BaseCookie[str] = http.cookies.SimpleCookie()
    try:
        probe.load(f"{_PROBE}=1; {piece}")
    except http.cookies.CookieError:
        return False
    return (_PROBE if _is_attribute(name) else name) in probe
