"""Codecs: objects to bytes and back.

Law: `encode` writes a value so that `decode` gives back an equal one of the same type, or raises
`CodecError`; it never changes a value in silence. `decode` takes any bytes whatever and raises
nothing but `CodecError`. Which codec reads is said by the configuration, never by the bytes.
"""

from typing import Protocol, runtime_checkable

from holdfast.errors import ConfigError

__all__ = ["Chain", "Codec", "Stage", "codec_named"]


@runtime_checkable
class Codec(Protocol):
    """Objects to bytes and back.

    Attributes:
        name: What the codec is called in a configuration and in `CodecError.codec`.
    """

    name: str

    def encode(self, value: object, /) -> bytes:
        """Return `value` as bytes.

        Raises:
            CodecError: This codec cannot write it without loss.
        """

    def decode(self, data: bytes, /) -> object:
        """Return the value that `data` holds.

        Raises:
            CodecError: The bytes are not what this codec writes.
        """


@runtime_checkable
class Stage(Protocol):
    """Bytes to bytes and back: what stands behind a codec in a `Chain`.

    Attributes:
        name: What the stage is called in a chain's name and in `CodecError.codec`.
    """

    name: str

    def encode(self, data: bytes, /) -> bytes:
        """Return `data` in the form of this stage."""

    def decode(self, data: bytes, /) -> bytes:
        """Return what `encode` was given.

        Raises:
            CodecError: The bytes are not what this stage writes.
        """


class Chain:
    """A codec followed by stages: written from left to right, read from right to left.

    Args:
        codec: What turns objects into bytes.
        stages: What happens to the bytes then, in the order of writing: compress before seal.
    """

    def __init__(self, codec: Codec, *stages: Stage) -> None:
        self.name = "+".join([codec.name, *(stage.name for stage in stages)])
        self.codec = codec
        self.stages = stages

    def encode(self, value: object, /) -> bytes:
        """Return `value` as bytes that went through every stage; `CodecError` if one refuses."""
        data = self.codec.encode(value)
        for stage in self.stages:
            data = stage.encode(data)
        return data

    def decode(self, data: bytes, /) -> object:
        """Return the value behind all stages; `CodecError` from the first one that refuses."""
        for stage in reversed(self.stages):
            data = stage.decode(data)
        return self.codec.decode(data)


def codec_named(codec: str | Codec) -> Codec:
    """Return the codec a configuration asks for.

    Args:
        codec: `"msgpack"`, `"json"`, or a ready codec, which is returned as it is.

    Raises:
        ConfigError: There is no codec of that name, or it is neither a name nor a codec.
    """
    if codec == "msgpack":
        from holdfast.codec.msgpack import Msgpack  # noqa: PLC0415 - loads ormsgpack

        return Msgpack()
    if codec == "json":
        from holdfast.codec.json import Json  # noqa: PLC0415 - only who asks for it pays for it

        return Json()
    if isinstance(codec, Codec) and not isinstance(codec, str | type):
        return codec
    raise ConfigError(
        f"codec={codec!r}: choose 'msgpack' or 'json', or give an object with name, encode and "
        "decode (pickle is never chosen by name: see holdfast.codec.pickle.UnsafePickle)"
    )
