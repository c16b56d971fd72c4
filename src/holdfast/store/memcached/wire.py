"""The wire: memcached's text protocol as bytes out and replies in.

Law: no I/O. Whatever a server sends is read within bounds; what does not answer the request that
was sent is `Garbled`, after which the connection is of no use.
"""

from collections.abc import Callable, Collection, Container, Sequence
from typing import NamedTuple

__all__ = [
    "DELETED",
    "FLUSH",
    "NOT_FOUND",
    "PING",
    "STORED",
    "Garbled",
    "Reader",
    "Refusal",
    "Reply",
    "Request",
    "Row",
    "Then",
    "cas",
    "count",
    "delete",
    "fetch",
    "login",
    "store",
]

STORED, DELETED, NOT_FOUND = b"STORED", b"DELETED", b"NOT_FOUND"
_LONGEST_LINE = 2048
_BIGGEST_VALUE = 1 << 30  # the most a server can be set to with -I


class Garbled(Exception):  # noqa: N818 - no error of ours: it is translated before anyone sees it
    """The server sent what answers nothing."""


class Refusal(Exception):  # noqa: N818 - the same
    """The server's own words for why it did not do it: `SERVER_ERROR ...`, `ERROR ...`."""

    @property
    def in_step(self) -> bool:
        """Whether the server has read the whole request, so that the next reply is the next's."""
        return str(self).startswith("SERVER_ERROR")


class Row(NamedTuple):
    """What a server holds under a key."""

    value: bytes
    flags: int
    cas: bytes


Reply = bytes | dict[str, Row] | Refusal
"""A line, the rows that a fetch found, or a refusal."""


class Request(NamedTuple):
    """One command.

    Attributes:
        data: Its bytes.
        says: The first words its reply may have, where that is a line.
        keys: Whose rows its reply may bring; None where it is a line.
    """

    data: bytes
    says: Container[bytes] = ()
    keys: Collection[str] | None = None


Then = Callable[[Reply], Request | None]
"""Given the reply to a request, returns what to ask next on the same connection, or None."""

PING = Request(b"version\r\n", (b"VERSION",))
FLUSH = Request(b"flush_all\r\n", (b"OK",))
_WRITTEN = {b"set": (STORED,), b"add": (STORED, b"NOT_STORED")}


def fetch(keys: Sequence[str]) -> Request:
    """Read rows, with what `cas` needs."""
    known = keys if len(keys) < 4 else frozenset(keys)
    return Request(b"gets %b\r\n" % " ".join(keys).encode(), keys=known)


def store(verb: bytes, key: str, value: bytes, mark: tuple[int, int]) -> Request:
    """Write by the rule of `verb` (`set` or `add`); `mark` is flags and exptime."""
    head = b"%b %b %d %d %d\r\n" % (verb, key.encode(), *mark, len(value))
    return Request(b"%b%b\r\n" % (head, value), _WRITTEN[verb])


def cas(key: str, value: bytes, mark: tuple[int, int], seen: bytes) -> Request:
    """Write only over the row that was seen."""
    head = b"cas %b %d %d %d %b\r\n" % (key.encode(), *mark, len(value), seen)
    return Request(b"%b%b\r\n" % (head, value), (STORED, b"EXISTS", NOT_FOUND))


def delete(key: str) -> Request:
    """Remove a row."""
    return Request(b"delete %b\r\n" % key.encode(), (DELETED, NOT_FOUND))


class _Number:
    """The first words of a reply that is a number, or says that there is none."""

    def __contains__(self, word: object) -> bool:
        return word == NOT_FOUND or (isinstance(word, bytes) and word.isdigit())


_NUMBER = _Number()


def count(key: str, by: int) -> Request:
    """Add `by`, which may be below 0, to the number in a row."""
    verb = b"incr" if by >= 0 else b"decr"
    return Request(b"%b %b %d\r\n" % (verb, key.encode(), abs(by)), _NUMBER)


def login(user: str, password: str) -> Request:
    """Say who we are; the first request of a connection where the server runs with `-Y`.

    Its flags are no numbers: a server that asks for no password must not keep it as a value.
    """
    words = f"{user} {password}".encode()
    return Request(b"set login _ _ %d\r\n%b\r\n" % (len(words), words), (STORED,))


class Reader:
    """Makes replies of the bytes of one connection, however they were cut on their way."""

    def __init__(self) -> None:
        self._buffer: bytes | bytearray = b""
        self._at = 0
        self._rows: dict[str, Row] = {}
        self.missing = 0  # bytes a value lacks at least, where that is known

    @property
    def empty(self) -> bool:
        """Whether nothing is left over."""
        return self._at == len(self._buffer) and not self._rows

    def feed(self, data: bytes) -> None:
        """Take what came."""
        if self._at == len(self._buffer):
            self._buffer, self._at = data, 0
            return
        if type(self._buffer) is bytes:
            self._buffer = bytearray(self._buffer)
        del self._buffer[: self._at]  # type: ignore[union-attr] # it is a bytearray since above
        self._at = 0
        self._buffer += data

    def take(self, request: Request) -> Reply | None:
        """Return the reply to `request`, or None as long as it is not all there.

        Raises:
            Garbled: It is no reply to `request`.
        """
        if request.keys is not None:
            return self._fetched(request.keys)
        line = self._line()
        if line is None or line.partition(b" ")[0] in request.says:
            return line
        return _refusal(line)

    def _fetched(self, keys: Collection[str]) -> Reply | None:
        buffer, rows = self._buffer, self._rows
        while True:
            start = self._at
            line = self._line()
            if line is None:
                return None
            if not line.startswith(b"VALUE "):
                self._rows = {}
                return rows if line == b"END" else _refusal(line)
            key, flags, size, seen = _head(line, keys)
            end = self._at + size
            if len(buffer) < end + 2:
                self.missing, self._at = end + 2 - len(buffer), start
                return None
            self.missing = 0
            if buffer[end : end + 2] != b"\r\n":
                raise Garbled("a value is longer than announced")
            rows[key] = Row(bytes(buffer[self._at : end]), flags, seen)
            self._at = end + 2

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", self._at)
        if end < 0:
            if len(self._buffer) - self._at > _LONGEST_LINE:
                raise Garbled("a line without an end")
            return None
        line = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return line


def _head(line: bytes, keys: Collection[str]) -> tuple[str, int, int, bytes]:
    """Return key, flags, size and cas of the row that `line` announces."""
    try:
        _, name, flags, size, seen = line.split(b" ")
        key, length = name.decode(), int(size)
        if key in keys and 0 <= length <= _BIGGEST_VALUE and seen.isdigit():
            return key, int(flags), length, seen
    except ValueError:
        pass
    raise Garbled(_shown(line))


def _refusal(line: bytes) -> Refusal:
    if line.startswith((b"SERVER_ERROR ", b"CLIENT_ERROR ", b"ERROR ")) or line == b"ERROR":
        return Refusal(_shown(line))
    raise Garbled(_shown(line))


def _shown(line: bytes) -> str:
    """Return the beginning of a line; a Redis, asked by mistake, repeats the password."""
    words, _, _ = line.partition(b", with args beginning with")
    return words[:80].decode("ascii", "backslashreplace")
