"""The archive: sessions out of a store into a stream, and back.

Law: what is written is what the store held, byte for byte: sealed records stay sealed. Putting back
never replaces what is there. A stream is a head and rows, each msgpack after its length (4 bytes,
big endian), readable from any language:

    ["holdfast sessions", 1]
    [id, record]
"""

from collections.abc import Iterator
from itertools import islice
from typing import IO

import ormsgpack

from holdfast.errors import ConfigError
from holdfast.session.token import is_id
from holdfast.store.abilities import CanScan
from holdfast.store.protocol import Store

__all__ = ["read", "rows_of", "scannable", "write"]

_HEAD = ["holdfast sessions", 1]
_BATCH = 200
_LENGTH = 4
_LONGEST = 64 * 2**20  # bytes of a row: no store takes more


def scannable(store: object, name: str) -> CanScan:
    """Return `store` if it can list its keys.

    Raises:
        ConfigError: It cannot.
    """
    if isinstance(store, CanScan):
        return store
    raise ConfigError(f"{name} cannot list what it holds: sessions there are not counted or dumped")


def rows_of(store: Store, keys: Iterator[str], key: str) -> Iterator[tuple[str, bytes]]:
    """Yield id and bytes of the rows under `keys`, all below `key`; a batch in one round trip."""
    while batch := list(islice(keys, _BATCH)):
        for found, raw in store.get_many(batch).items():
            yield found[len(key) :], raw


def write(stream: IO[bytes], rows: Iterator[tuple[str, bytes]]) -> int:
    """Write rows; return how many."""
    _put(stream, _HEAD)
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007 - it is returned
        _put(stream, row)
    return count


def _put(stream: IO[bytes], row: object) -> None:
    packed = ormsgpack.packb(row)
    stream.write(len(packed).to_bytes(_LENGTH, "big") + packed)


def read(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield what `write` wrote.

    Raises:
        ConfigError: It is no such stream, or ends in the midst of a row.
    """
    if _next(stream) != _HEAD:
        raise ConfigError("restore: this stream was not written by dump")
    while (row := _next(stream)) is not None:
        if type(row) is not list or [type(field) for field in row] != [str, bytes]:
            raise ConfigError("restore: the stream is damaged")
        if is_id(row[0]):
            yield row[0], row[1]


def _next(stream: IO[bytes]) -> object:
    head = stream.read(_LENGTH)
    if not head:
        return None
    length = int.from_bytes(head, "big")
    packed = stream.read(length) if length <= _LONGEST else b""
    if len(head) < _LENGTH or len(packed) < length:
        raise ConfigError("restore: the stream ends in the midst of a row")
    try:
        found: object = ormsgpack.unpackb(packed)
    except ormsgpack.MsgpackDecodeError:
        raise ConfigError("restore: the stream is damaged") from None
    return found
