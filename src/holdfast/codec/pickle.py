"""Pickle, for who must: whoever can write the bytes can run code, so they are always sealed.

Law: no byte is unpickled before a key of the ring has verified it. There is no name to choose this
codec by and no way to it without a ring; it is imported from here, under a name that warns.
"""

import pickle

from holdfast.codec.seal import Seal
from holdfast.errors import CodecError
from holdfast.signing import KeyRing

__all__ = ["UnsafePickle"]


class UnsafePickle:
    """Any picklable object to sealed bytes and back.

    Unsafe: who holds a secret of the ring can run code in this process. Prefer `Msgpack`.

    Args:
        ring: The secrets that seal; a revoked one is not believed.
        purpose: What the values are for; no other purpose can read them.

    Raises:
        ConfigError: The package `cryptography` is missing.
    """

    name = "pickle"
    keeps_types = True  # a cache need not translate classes for it

    def __init__(self, ring: KeyRing, *, purpose: str = "pickle") -> None:
        self._seal = Seal(ring, purpose)

    def encode(self, value: object, /) -> bytes:
        """Return `value` pickled and sealed.

        Raises:
            CodecError: It cannot be pickled.
        """
        try:
            data = pickle.dumps(value, protocol=5)
        except Exception as error:  # the value's own methods run here and may raise anything
            raise CodecError(f"cannot be pickled: {error}", codec=self.name) from error
        return self._seal.seal(data)

    def decode(self, data: bytes, /) -> object:
        """Return the object that was sealed.

        Raises:
            CodecError: No key of the ring verifies it, or its classes are not what they were.
        """
        pickled = self._seal.unseal(data)
        try:
            return pickle.loads(pickled)  # noqa: S301 - verified one line above
        except Exception as error:  # classes renamed since, or their own methods
            raise CodecError(f"cannot be unpickled: {error}", codec=self.name) from error
