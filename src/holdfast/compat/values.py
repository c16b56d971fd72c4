"""Values of the old libraries as bytes: written safely, read in either form.

Law: what is written is msgpack behind a mark that no pickle and no JSON begins with, or, where the
settings ask for the old form, a pickle. A value that msgpack does not know is a pickle too if each
of its classes is on the allow-list; else it is a `CodecError` that names the key, the class and the
setting. Reading never runs what the bytes say, unless the settings say "any-pickle".
"""

import codecs
import io
import pickle
from collections import OrderedDict
from datetime import date, datetime, time, timedelta, timezone
from functools import cache
from typing import Any
from uuid import UUID

from holdfast.codec import Codec
from holdfast.codec.unpickle import unpickle
from holdfast.compat.settings import current
from holdfast.errors import CodecError

__all__ = ["MARK", "decode", "encode", "name_of"]

MARK = b"\x00HF1"
"""What the bytes of the safe form begin with."""


def encode(value: object, *, name: str = "", protocol: int | None = None) -> bytes:
    """Return `value` as bytes.

    Args:
        value: Anything.
        name: Under which session or cache key it stands, for the error.
        protocol: That of the pickle, where one is written.

    Raises:
        CodecError: It holds an object of a class that is not allowed; the message says the fix.
    """
    if not current().old_form:
        try:
            return MARK + _msgpack().encode(value)
        except CodecError:
            pass  # then by the allow-list
    return _pickled(value, name, protocol)


def decode(data: bytes) -> object:
    """Return the value that `data` holds in either form.

    Raises:
        CodecError: The bytes are neither, or a pickle that asks for what is not allowed.
    """
    if data.startswith(MARK):
        return _msgpack().decode(data[len(MARK) :])
    settings = current()
    if "any-pickle" in settings.unsafe:
        return _believed(data)
    return unpickle(data, settings.allow)


@cache
def _msgpack() -> Codec:
    from holdfast.codec.msgpack import Msgpack  # noqa: PLC0415 - loads ormsgpack

    return Msgpack()


def name_of(key: object) -> str:
    """Return a key as errors name it; Beaker's caches have theirs as bytes."""
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def _pickled(value: object, name: str, protocol: int | None) -> bytes:
    """Return `value` as a pickle that `decode` will read: what could not be read is not written."""
    written = io.BytesIO()
    pickler = _Pickler(written, protocol)
    try:
        pickler.dump(value)
    except Exception as error:  # the value's own methods run here and may raise anything
        raise CodecError(f"cannot be written: {error}", name=name, codec="pickle") from error
    data = written.getvalue()
    settings = current()
    if pickler.is_foreign and "any-pickle" not in settings.unsafe:
        try:
            unpickle(data, settings.allow)
        except CodecError as error:
            where, kind = _culprit(value, settings.allow, name) or (name, type(value))
            wanted = f"{kind.__module__}.{kind.__qualname__}"
            raise CodecError(
                f"is a {wanted}, which is no plain data; store plain data instead, or let this "
                f"class be written and read: holdfast.compat.install(..., allow=[{wanted!r}])",
                name=where,
                codec="compat",
            ) from error
    return data


_READ_BACK = frozenset(
    # `codecs.encode` is how protocol 2 has bytes
    {OrderedDict, UUID, bytearray, bytes, codecs.encode, date, datetime, time, timedelta, timezone}
)
"""What `unpickle` reads whatever is in it; not all that it may read."""

_NAMED = (type, type(codecs.encode))  # what a pickle has by its name alone


class _Pickler(pickle.Pickler):
    """Notes whether there is anything but plain data: only that need be read to know if it can be.

    Attributes:
        is_foreign: Whether there is.
    """

    is_foreign = False

    def reducer_override(self, value: Any) -> Any:
        """Go on as always; called for what is no number, text, bytes, list, tuple, set or dict."""
        kind = value if type(value) in _NAMED else type(value)
        if kind not in _READ_BACK:
            self.is_foreign = True
        return NotImplemented


def _culprit(
    value: object, allow: frozenset[str], path: str, above: tuple[int, ...] = ()
) -> tuple[str, type] | None:
    """Return where in `value` the first object stands that cannot be written, and its class."""
    if id(value) in above:  # it holds itself
        return None
    if isinstance(value, dict):
        parts = [(_below(path, key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts = [(path, item) for item in value]
    else:
        parts = []
    for where, item in parts:
        found = _culprit(item, allow, where, (*above, id(value)))
        if found is not None:
            return found
    try:
        unpickle(pickle.dumps(value), allow)
    except Exception:  # noqa: BLE001 - as in `_pickled`
        return path, type(value)
    return None


def _below(path: str, key: object) -> str:
    return f"{path}.{name_of(key)}" if path else name_of(key)


def _believed(data: bytes) -> object:
    try:
        return pickle.loads(data)  # noqa: S301 - chosen by name, and warned of
    except Exception as error:  # damaged pickles raise anything
        raise CodecError(f"not a pickle: {error}", codec="pickle") from error
