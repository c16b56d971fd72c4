"""The law of Perl's Storable: any bytes are plain values, the same ones each time, or refused."""

from fuzz.edits import edited
from fuzz.perl_images import IMAGES, image, said_of
from holdfast.codec.storable import Storable
from holdfast.errors import CodecError

__all__ = ["STORABLE", "STORABLES", "storables"]

STORABLE = Storable()
STORABLES = [image(name, way) for name in IMAGES for way in ("freeze", "nstore")]


def storables(data: bytes) -> None:
    """Assert it of Storable."""
    _read_or_refused(data)
    _read_or_refused(b"\x05\x0b" + data)
    if data:
        _read_or_refused(edited(STORABLES[data[0] % len(STORABLES)], data[1:]))


def _read_or_refused(message: bytes) -> None:
    try:
        value = STORABLE.decode(message)
    except CodecError as error:
        assert error.codec == "storable"  # noqa: PT017 - no error is as good
        return
    assert said_of(value) == said_of(STORABLE.decode(message))
