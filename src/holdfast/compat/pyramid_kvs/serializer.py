"""Codecs by the names that pyramid_kvs gives them: "json", "pickle", "storable".

Law: each has `loads` and `dumps`. What "pickle" writes is the safe form of `compat.values`, or a
real pickle where the settings ask for the old form; it reads both, pickles by the allow-list.
"""

import json
from typing import Any, Never

from holdfast.compat import values
from holdfast.compat.pyramid_kvs import storable
from holdfast.errors import ConfigError

__all__ = ["Storable", "json", "serializer"]


_PROTOCOL = 2  # processes of Python 2 may read the records as well


class Storable:
    """Perl's Storable, which is only read."""

    @staticmethod
    def loads(data: bytes) -> object:
        """Return what Perl froze; see `holdfast.codec.storable`."""
        return storable.thaw(data)

    @staticmethod
    def dumps(data: object) -> Never:
        """Raise `NotImplementedError`: only Perl writes it."""
        raise NotImplementedError("the codec 'storable' is only read")


class _Values:
    """What the name "pickle" stands for here."""

    @staticmethod
    def loads(data: bytes) -> object:
        """Return the value of either form; `CodecError` if it may not be read."""
        return values.decode(data)

    @staticmethod
    def dumps(data: object) -> bytes:
        """Return `data` as bytes; `CodecError` if a class in it is not allowed."""
        return values.encode(data, protocol=_PROTOCOL)


_FORMATS: dict[str, Any] = {"json": json, "pickle": _Values, "storable": Storable}


def serializer(codec: str) -> Any:
    """Return what reads and writes values.

    Args:
        codec: `"json"`, `"pickle"` or `"storable"`.

    Raises:
        ConfigError: There is no such codec.
    """
    if codec not in _FORMATS:
        raise ConfigError(f"codec={codec!r}: choose from {', '.join(_FORMATS)}")
    return _FORMATS[codec]
