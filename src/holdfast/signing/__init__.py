"""Signing: secrets, the keys made of them, and the rings they stand in.

Law: what is written begins with a version and the id of its key. Which secrets there are is said by
the program, its environment, a file or a store; a weak secret is refused at start.
"""

from holdfast.signing.key import HEADER, ID_BYTES, VERSION, Key, length_prefixed
from holdfast.signing.ring import KeyRing, Secrets

__all__ = ["HEADER", "ID_BYTES", "VERSION", "Key", "KeyRing", "Secrets", "length_prefixed"]
