"""Flags: how the clients for memcached write Python's objects, and read them back.

Law: pure. What a client marks as a pickle goes through the functions the caller gives; so whoever
calls decides what may be in one. What no client would have written is a `CodecError`. A compressed
value never becomes longer than 64 MiB.
"""

import importlib.metadata
import importlib.util
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from holdfast.codec.compress import inflate
from holdfast.errors import CodecError, ConfigError

__all__ = ["FORMS", "Flagged", "Form", "form_of"]

_PICKLE, _INTEGER, _LONG, _ZIPPED, _OTHER = 1, 2, 4, 8, 16


class Flagged(bytes):
    """A value as it lies on a server, with the number beside it that tells its kind.

    Attributes:
        flags: The number; 0 where nobody said.
        cas: What the server calls this very write, where it was read from one.
    """

    flags: int
    cas: bytes

    def __new__(cls, data: bytes, flags: int = 0, cas: bytes = b"") -> Self:
        made = super().__new__(cls, data)
        made.flags = flags
        made.cas = cas
        return made


@dataclass(frozen=True, slots=True)
class Form:
    """What one client does.

    Attributes:
        name: The client.
        bare: What lies there without a flag: `str` or `bytes`.
        other: What is marked by the flag for the other of the two; None: it is pickled.
        integer: The flag it gives to a whole number.
        protocol: That of its pickles.
        exact: Whether an object of a subclass of str, bytes or int is pickled.
        zips: More than so many bytes are compressed; 0: none.
    """

    name: str
    bare: type[str] | type[bytes]
    other: type[str] | type[bytes] | None
    integer: int = _INTEGER
    protocol: int = 0
    exact: bool = True
    zips: int = 0

    def write(
        self, value: object, dumps: Callable[[object], bytes], *, zips: int | None = None
    ) -> Flagged:
        """Return `value` as this client would write it.

        Args:
            value: Anything.
            dumps: Makes bytes of what is neither text, bytes nor a whole number.
            zips: More than so many bytes are compressed; 0: none; default: as the client does.
        """
        data, flags = self._plain(value) or (dumps(value), _PICKLE)
        above = self.zips if zips is None else zips
        if above and len(data) > above and not flags & (_INTEGER | _LONG):
            short = zlib.compress(data)
            if len(short) < len(data):
                return Flagged(short, flags | _ZIPPED)
        return Flagged(data, flags)

    def read(self, data: Flagged, loads: Callable[[bytes], object]) -> object:
        """Return the object that `data` is.

        Args:
            data: As it lies on the server.
            loads: Makes an object of what is marked as a pickle.

        Raises:
            CodecError: None of the clients writes such a thing, or it is damaged.
        """
        flags, plain = data.flags, bytes(data)
        if flags & _ZIPPED:
            plain, flags = inflate(plain), flags & ~_ZIPPED
        if flags == _PICKLE:
            return loads(plain)
        try:
            if flags in {_INTEGER, _LONG}:
                return int(plain)
            if flags == 0:
                return plain if self.bare is bytes else plain.decode()
            if flags == _OTHER:
                return plain if self.bare is str else plain.decode()
        except ValueError as error:
            raise CodecError(f"flags {data.flags}, but {error}", codec=self.name) from error
        raise CodecError(f"flags {data.flags} are of no client", codec=self.name)

    def _plain(self, value: object) -> tuple[bytes, int] | None:
        """Return data and flags of what needs no pickle."""
        if isinstance(value, bool) or (self.exact and type(value) not in {str, bytes, int}):
            return None  # a truth that is written as a number does not come back as what it was
        if isinstance(value, int):
            return b"%d" % value, self.integer
        if isinstance(value, bytes):
            return self._marked(bytes(value), bytes)
        if not isinstance(value, str):
            return None
        try:
            return self._marked(value.encode(), str)
        except UnicodeEncodeError:
            return None

    def _marked(self, data: bytes, kind: type) -> tuple[bytes, int] | None:
        if kind is self.bare:
            return data, 0
        return (data, _OTHER) if kind is self.other else None


_OLDER = "python3-memcached"
FORMS = {
    form.name: form
    for form in (
        Form("memcache", bytes, str),
        Form(_OLDER, str, None),
        Form("cmemcache", bytes, None),
        Form("pylibmc", bytes, str, integer=_LONG, protocol=-1, exact=False),
        Form("bmemcached", str, bytes, exact=False, zips=128),
    )
}
"""The clients by name: `memcache` is python-memcached, which python3-memcached split off from."""

_AUTO = ("cmemcache", "memcache", "bmemcached", "pylibmc")


def form_of(module: str) -> Form:
    """Return the form of the client that an application imports as `module`.

    Where that is `auto`, the first that is installed; where none is, python-memcached.

    Raises:
        ConfigError: There is no such client.
    """
    if module == "auto":
        module = next((name for name in _AUTO if importlib.util.find_spec(name)), "memcache")
    if module not in FORMS:
        known = ", ".join(("auto", *FORMS))
        raise ConfigError(f"memcache_module={module!r}: choose from {known}")
    return FORMS[_OLDER if module == "memcache" and _is_older() else module]


def _is_older() -> bool:
    """Return whether `import memcache` is python3-memcached here: both have that name."""
    found = set()
    for name in (_OLDER, "python-memcached"):
        try:
            found.add(importlib.metadata.version(name) and name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found == {_OLDER}
