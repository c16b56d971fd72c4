"""The contract of plain stores: bytes where other programs keep them, without a header of ours.

Law: what lies in the store is what `put` was given, byte for byte, so the programs the data came
from read it. A key is any text their servers take, else `KeyRejected`. `ttl` (seconds) is kept
where the server keeps one, else ignored: such values know their age. `swap` is as atomic as it is
in `store/protocol.py`. The world's faults are `StoreUnavailable` or `StoreTimeout`, with the
driver's error as `__cause__`.

They exist for `compat/` and `holdfast migrate`; new programs want `open_store`.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

__all__ = ["PlainStore"]


@runtime_checkable
class PlainStore(Protocol):
    """Bytes under keys of others, for threads.

    Attributes:
        name: What the store is called in errors; never has a password in it.
    """

    name: str

    def get(self, key: str) -> bytes | None:
        """Return the value under `key`, or None if it is missing."""

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep `value` under `key`, whatever was there before."""

    def delete(self, key: str) -> bool:
        """Remove `key`; return whether it was there. Removing nothing is not an error."""

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        """Write `new` only if `key` holds exactly `old`; None is absent. Return if it was done."""

    def scan(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with `prefix`, in no order.

        Raises:
            ConfigError: This kind of server cannot list its keys.
        """

    def close(self) -> None:
        """Let go of files and connections of its own; twice is fine."""
