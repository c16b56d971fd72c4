"""Laws of the codecs: any bytes are a value that can be written again, or a `CodecError`."""

import json
import math
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from fuzz.edits import edited
from holdfast.codec import Codec
from holdfast.codec.compress import Compress
from holdfast.codec.json import Json
from holdfast.codec.msgpack import MAX_DEPTH, Msgpack
from holdfast.errors import CodecError

__all__ = ["ENCODINGS", "JSONS", "STREAMS", "VALUES", "jsons", "msgpacks", "zlibs"]

MSGPACK = Msgpack()
JSON = Json()
MOST = 10_000
COMPRESS = Compress(above=0, max_bytes=MOST)
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
VALUES = [
    None,
    [True, -1, 2**64, -(2**200), 0.5, math.inf, "text", b"bytes"],
    {"a": {"b": [{}]}, "": []},
    (1, {2, 3}, frozenset({"x"}), {1: 2, (3,): 4}),
    [NOON, NOON.replace(tzinfo=ZoneInfo("Europe/Berlin"), fold=1), date(1, 1, 1), time(23, 59)],
    [timedelta(days=-1), Decimal("-1.50E+9"), UUID(int=7)],
]
TEXTS = [
    '{"a":[1,-0.5e9,"\\ud83d\\ude00",null,true],"b":{"":[]}}',
    '{"a":1,"a":2}',
    '["\\ud800"]',
    "[NaN,Infinity,1e999]",
    "9" * 3000,
    "[" * 300 + "]" * 300,
    '{"a":' * 200 + "1" + "}" * 200,
]
DEEP = b"\x91" * (MAX_DEPTH + 1) + b"\x01"
ENCODINGS = [*map(MSGPACK.encode, VALUES), DEEP, b"\xdd\xff\xff\xff\xff"]
JSONS = [text.encode() for text in TEXTS]
BOMB = b"\x01" + zlib.compress(bytes(1_000_000), 9)
STREAMS = [
    COMPRESS.encode(b"x" * MOST),
    COMPRESS.encode(b"\x00\x01"),
    b"\x01" + zlib.compress(bytes(MOST + 1)),
    b"\x00" + bytes(MOST + 1),
    BOMB,
]


def msgpacks(data: bytes) -> None:
    """Assert it of msgpack."""
    for message in _versions(data, ENCODINGS):
        assert_read_or_refused(MSGPACK, message)


def jsons(data: bytes) -> None:
    """Assert it of JSON; what is read is what the standard library's parser reads, too."""
    for message in _versions(data, JSONS):
        value = assert_read_or_refused(JSON, message)
        if value is not Ellipsis:
            assert repr(value) == repr(json.loads(message, object_pairs_hook=_once))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def zlibs(data: bytes) -> None:
    """Assert that no stream becomes longer than it may, and that one has one content."""
    for message in (data, b"\x01" + data, *_versions(data, STREAMS)):
        try:
            found = COMPRESS.decode(message)
        except CodecError as error:
            assert error.codec == "zlib"  # noqa: PT017 - no error is as good
            continue
        assert len(found) <= MOST
        assert COMPRESS.decode(COMPRESS.encode(found)) == found


def assert_read_or_refused(codec: Codec, message: bytes) -> object:
    """Return the value of `message`, which can be written; Ellipsis if it is refused."""
    try:
        value = codec.decode(message)
    except CodecError as error:
        assert error.codec == codec.name  # noqa: PT017 - no error is as good
        return ...
    again = codec.encode(value)
    assert codec.encode(codec.decode(again)) == again
    return value


def _versions(data: bytes, samples: list[bytes]) -> Iterator[bytes]:
    """Yield `data`, and one of the samples with the edits it is."""
    yield data
    if data:
        yield edited(samples[data[0] % len(samples)], data[1:])
