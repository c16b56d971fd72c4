"""Resp: replies out of bytes as they come, for a connection that also hears what it did not ask.

Law: bytes come in pieces of any size. The driver's own parsers wait on a socket for the rest of a
reply; these never do. hiredis is used where it is there.
"""

from collections.abc import Callable
from typing import Any, Protocol

from redis import exceptions as driver

__all__ = ["NOTHING", "Parser", "new_parser"]

NOTHING: Any = object()
"""No whole reply is there yet; an answer may well be None or False."""

_hiredis: Any
try:
    import hiredis as _hiredis
except ImportError:
    _hiredis = None


class Parser(Protocol):
    """Turns bytes into replies: bytes, int, None, list, or an exception for a refusal."""

    def feed(self, data: bytes, /) -> None:
        """Take what has come."""

    def gets(self) -> Any:
        """Return the next reply, or `NOTHING`."""


Refusal = Callable[[str], Exception]
"""Makes the error of a refusal out of its words."""


def new_parser(refusal: Refusal = driver.ResponseError) -> Parser:
    """Return a parser for one new connection."""
    if _hiredis is None:
        return PureParser(refusal)
    parser: Parser = _hiredis.Reader(
        protocolError=driver.InvalidResponse, replyError=refusal, notEnoughData=NOTHING
    )
    return parser


class _Incomplete(Exception):  # noqa: N818 - no error: the rest comes later
    """The bytes end in the middle of a reply."""


class PureParser:
    """The same in Python, for RESP2 and what we ask for in RESP3. A push is a list."""

    def __init__(self, refusal: Refusal = driver.ResponseError) -> None:
        self._data = bytearray()
        self._kinds: dict[int, Callable[[bytes, int], tuple[Any, int]]] = {
            ord("+"): lambda line, end: (line, end),
            ord("-"): lambda line, end: (refusal(line.decode(errors="replace")), end),
            ord(":"): lambda line, end: (int(line), end),
            ord("_"): lambda _, end: (None, end),
            ord("#"): lambda line, end: (line == b"t", end),
            ord(","): lambda line, end: (float(line), end),
            ord("("): lambda line, end: (int(line), end),
            ord("$"): self._text,
            ord("="): self._text,
            ord("*"): self._list,
            ord("~"): self._list,
            ord(">"): self._list,
        }

    def feed(self, data: bytes) -> None:
        self._data += data

    def gets(self) -> Any:
        try:
            reply, end = self._read(0)
        except _Incomplete:
            return NOTHING
        except ValueError as error:
            raise driver.InvalidResponse(str(error)) from error
        del self._data[:end]
        return reply

    def _read(self, start: int) -> tuple[Any, int]:
        """Return the reply that begins at `start`, and where it ends."""
        end = self._data.find(b"\r\n", start)
        if end < 0:
            raise _Incomplete
        kind = self._kinds.get(self._data[start])
        if kind is None:
            raise driver.InvalidResponse(f"a reply begins with byte {self._data[start]}")
        return kind(bytes(self._data[start + 1 : end]), end + 2)

    def _text(self, length: bytes, start: int) -> tuple[Any, int]:
        end = start + int(length)
        if end < start:  # RESP2's None
            return None, start
        if len(self._data) < end + 2:
            raise _Incomplete
        return bytes(self._data[start:end]), end + 2

    def _list(self, length: bytes, start: int) -> tuple[Any, int]:
        count = int(length)
        if count < 0:
            return None, start
        found = []
        for _ in range(count):
            item, start = self._read(start)
            found.append(item)
        return found, start
