"""What a file of Beaker's holds: a dictionary whose values are decoded one by one, when asked for.

Law: written are a key, whether its value is a tuple, and the value's bytes, for one value after the
other; or, where the settings ask for the old form, one pickled dictionary. Either form is read.
What nobody looked at is written back as it was, also what cannot be read here.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any

from holdfast.compat import settings
from holdfast.compat.beaker.old_keys import asked_for
from holdfast.compat.values import decode, encode, name_of
from holdfast.errors import CodecError

__all__ = ["FileValues"]

_Row = tuple[bool, bytes]


class FileValues(MutableMapping[Any, Any]):
    """The dictionary.

    Args:
        data: The whole file, or None for an empty dictionary.
        where: What the file is called when a value cannot be read.
        name: What the namespace is called when a value cannot be written.

    Attributes:
        unreadable: Why the whole file cannot be read, if so; it is empty then.
    """

    def __init__(self, data: bytes | None, where: str, name: str) -> None:
        self._where, self._name = where, name
        self._rows: dict[Any, _Row] = {}
        self._live: dict[Any, Any] = {}  # decoded, or new; who has one may change it in place
        self.unreadable: CodecError | None = None
        if data is not None:
            try:
                self._read(data)
            except CodecError as error:
                self.unreadable = error
                settings.tell(str(error), where)

    def to_bytes(self) -> bytes:
        """Return the file.

        Raises:
            CodecError: A value cannot be written; the message says which, and the fix.
        """
        if settings.current().old_form:
            return encode({key: self[key] for key in self._readable()}, name=self._name)
        parts: list[Any] = []
        for key, row in {**self._rows, **self._live}.items():
            parts += (key, *(self._row(key) if key in self._live else row))
        return encode(parts, name=self._name)

    def __getitem__(self, key: Any) -> Any:
        if key in self._live:
            return self._live[key]
        try:
            value = self._live[key] = _value(self._rows[key])
        except KeyError:
            raise KeyError(key) from self.unreadable
        except CodecError as error:
            settings.tell(str(error), f"{self._where}: {key!r}")
            raise KeyError(key) from error
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        self._live[key] = value

    def __delitem__(self, key: Any) -> None:
        if key not in self:
            raise KeyError(key)
        self._live.pop(key, None)
        self._rows.pop(key, None)

    def __contains__(self, key: Any) -> bool:
        return key in self._live or key in self._rows

    def __iter__(self) -> Iterator[Any]:
        return iter({**self._rows, **self._live})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _readable(self) -> Iterator[Any]:
        for key in self:
            try:
                self[key]
            except KeyError:
                continue  # one pickle holds them all: it can only be left out
            yield key

    def _read(self, data: bytes) -> None:
        found = decode(data)
        if isinstance(found, dict):
            self._live = asked_for(found, data)
            return
        if not isinstance(found, list) or len(found) % 3:
            raise CodecError("not a dictionary", name=self._name)
        parts = iter(found)
        try:
            self._rows = {
                key: (flag, row) for key, flag, row in zip(parts, parts, parts, strict=True)
            }
        except TypeError as error:
            raise CodecError("a list is no key", name=self._name) from error

    def _row(self, key: Any) -> _Row:
        value = self._live[key]
        # Nearly all values are tuples, and msgpack has them only by a detour.
        is_tuple = type(value) is tuple
        return is_tuple, encode(list(value) if is_tuple else value, name=name_of(key))


def _value(row: _Row) -> Any:
    is_tuple, data = row
    if not isinstance(data, bytes):
        raise CodecError("not a value of a file")
    value = decode(data)
    return tuple(value) if is_tuple and isinstance(value, list) else value
