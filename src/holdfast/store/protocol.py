"""The store contract.

Law: a key is 1 to 250 characters of printable ASCII without spaces (else `KeyRejected`). A value is
bytes and comes back byte for byte; empty is legal. `ttl` is in seconds, `None` = until deleted,
`<= 0` = gone at once. Missing and expired are the same. `swap` is the one atomic primitive and is
never retried. The world's faults are `StoreUnavailable` or `StoreTimeout`, with the driver's error
as `__cause__`; using a closed store is `StoreUnavailable`.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

__all__ = ["AsyncStore", "OpenStore", "Store", "as_bytes"]


def as_bytes(value: bytes) -> bytes:
    """Return `value`, or a copy of a buffer that can change; for stores that are given anything.

    Raises:
        TypeError: It is neither: `bytes(5)` would be five zero bytes.
    """
    return value if type(value) is bytes else bytes(memoryview(value))


@runtime_checkable
class Store(Protocol):
    """Bytes under keys with an expiry, for threads."""

    def get(self, key: str) -> bytes | None:
        """Return the value under `key`, or None if it is missing or expired."""

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values that are there, in one round trip; missing keys are left out."""

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Keep `value` under `key` for `ttl` seconds, whatever was there before."""

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        """Keep every item for `ttl` seconds. Not atomic: after an error some may be there."""

    def delete(self, key: str) -> bool:
        """Remove `key`; return whether it was there. Removing nothing is not an error."""

    def delete_many(self, keys: Sequence[str]) -> int:
        """Remove `keys`; return how many were there."""

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        """Write `new` only if `key` now holds exactly `old`; return whether it was done.

        Atomic between all threads, processes and hosts that share the store. `old=None` means
        absent (an expired value is absent), `new=None` removes; `swap(k, None, None)` tells whether
        the key is absent. `swap(k, v, v)` is True where it holds and renews the ttl.

        Raises:
            StoreTimeout: The outcome is unknown. It is never retried by a store.
        """

    def ping(self) -> None:
        """Return if the store answers.

        Raises:
            StoreUnavailable: It does not.
        """

    def close(self) -> None:
        """Let go of files and connections; twice is fine. Afterwards every call raises."""


@runtime_checkable
class AsyncStore(Protocol):
    """`Store` for event loops: the same sentences, awaited."""

    async def get(self, key: str) -> bytes | None:
        """See `Store.get`."""

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `Store.get_many`."""

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """See `Store.put`."""

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        """See `Store.put_many`."""

    async def delete(self, key: str) -> bool:
        """See `Store.delete`."""

    async def delete_many(self, keys: Sequence[str]) -> int:
        """See `Store.delete_many`."""

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        """See `Store.swap`."""

    async def ping(self) -> None:
        """See `Store.ping`."""

    async def close(self) -> None:
        """See `Store.close`."""


@runtime_checkable
class OpenStore(Store, Protocol):
    """What `open_store` returns: a store with both faces, usable in a `with` block."""

    @property
    def name(self) -> str:
        """What the store is called in errors, logs and pages; never has a password in it."""

    @property
    def aio(self) -> AsyncStore:
        """The async face of the same store."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
