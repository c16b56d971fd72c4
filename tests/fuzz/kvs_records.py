"""The law of records of pyramid_kvs: any bytes are a value, or a `CodecError`; nothing is run."""

import json
import pickle

from fuzz.edits import edited
from holdfast.compat import values
from holdfast.compat.pyramid_kvs import records
from holdfast.errors import CodecError

__all__ = ["RECORDS", "kvs_records"]

VALUE = {"user": "ada", "cart": [1, 2.5, None], "_f_": ["hello"]}
BOMB = b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c\x0fraise SystemExit\x85R."
RECORDS = [
    json.dumps(VALUE).encode(),
    b"NaN",
    b"[" * 5000,
    b"9" * 5000,
    values.encode(VALUE),
    *(pickle.dumps(VALUE, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
    BOMB,
]


def kvs_records(data: bytes) -> None:
    """Assert it of what lies where a session or a cached value was."""
    messages = [data, *RECORDS]
    if data:
        messages.append(edited(RECORDS[data[0] % len(RECORDS)], data[1:]))
    for message in messages:
        try:
            records.read("json", json, message)
        except CodecError as error:
            assert error.codec  # noqa: PT017 - no error is as good
