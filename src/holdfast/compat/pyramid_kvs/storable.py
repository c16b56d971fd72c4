"""`thaw`, under the name that pyramid_kvs has for it."""

from holdfast.codec.storable import Storable

__all__ = ["thaw"]


def thaw(frozen_data: bytes) -> object:
    """Return what Perl froze.

    Raises:
        CodecError: It is no image of Storable; see `holdfast.codec.storable`.
    """
    return Storable().decode(frozen_data)
