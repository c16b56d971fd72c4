"""Coding: a cached value to the bytes in its entry, and back.

Law: written in this order: the form of the function's annotation, codec, compression, seal; read
the other way round. A seal is bound to the key in the store and to the form, so bytes that somebody
put under another key are no value. Whatever cannot be read is a `CodecError`, which is a miss.
"""

from typing import Any

from holdfast.cache.space import Item
from holdfast.codec import Codec
from holdfast.codec.compress import Compress
from holdfast.codec.seal import Seal
from holdfast.errors import CodecError, ConfigError
from holdfast.signing import KeyRing, Secrets

__all__ = ["Coding", "OtherForm"]

_PURPOSE = "holdfast.cache"


class OtherForm(CodecError):  # noqa: N818 - it never leaves the cache
    """A value of a type that has changed since, or that is another function's."""


class Coding:
    """How the values of one cache are written in its store.

    Args:
        codec: Objects to bytes and back. One that has a true `keeps_types` gets the values
            themselves; for others, the form of an annotation translates them.
        compress_above: Encoded values of more bytes are compressed; None compresses nothing.
        secrets: Seal the values; None leaves them readable for whoever reads the store.

    Raises:
        ConfigError: `compress_above` is no number of bytes, a secret is weak, or the package
            `cryptography` is missing.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        compress_above: int | None = None,
        secrets: Secrets | KeyRing | None = None,
    ) -> None:
        self._codec = codec
        self._translates = not getattr(codec, "keeps_types", False)
        self._compress = None if compress_above is None else Compress(_length(compress_above))
        self._seal = None if secrets is None else Seal(KeyRing(secrets), _PURPOSE)

    def encode(self, item: Item, value: Any) -> tuple[bytes, bytes]:
        """Return `value` as bytes, and the fingerprint of its type, empty where there is none.

        Raises:
            CodecError: It cannot be written without loss.
        """
        form = item.form
        fingerprint = b"" if form is None else form.fingerprint
        try:
            plain = form.plain(value) if form is not None and self._translates else value
            data = self._codec.encode(plain)
            if self._compress is not None:
                data = self._compress.encode(data)
        except CodecError as error:
            raise _told(error, item) from error
        if self._seal is not None:
            data = self._seal.seal(data, _bound(item, fingerprint))
        return data, fingerprint

    def decode(self, item: Item, data: bytes, fingerprint: bytes) -> Any:
        """Return the value that `encode` was given; without a form on `item`, its plain form.

        Args:
            item: What the value stands under.
            data: The bytes.
            fingerprint: What stands beside them.

        Raises:
            OtherForm: They were written for another type.
            CodecError: They are not what `encode` writes for this item.
        """
        form = item.form
        if form is not None and form.fingerprint != fingerprint:
            raise OtherForm("written for another type", name=item.name, codec=self._codec.name)
        try:
            if self._seal is not None:
                data = self._seal.unseal(data, _bound(item, fingerprint))
            if self._compress is not None:
                data = self._compress.decode(data)
            value = self._codec.decode(data)
            return form.typed(value) if form is not None and self._translates else value
        except CodecError as error:
            raise error.under(item.name) from error


def _bound(item: Item, fingerprint: bytes) -> str:
    return f"{item.far} {fingerprint.hex()}"  # no key has a space


def _told(error: CodecError, item: Item) -> CodecError:
    """Return `error` with what the value stands under, whose it is, and what mends it."""
    message = error.message
    if item.form is not None and item.form.where not in message:
        mend = f": {item.form.mend}" if item.form.mend else ""
        message = f"{message} (returned by {item.form.where}{mend})"
    return CodecError(message, name=item.name, codec=error.codec)


def _length(compress_above: int) -> int:
    if type(compress_above) is not int:
        raise ConfigError(f"compress_above={compress_above!r}: a number of bytes")
    return compress_above
