"""The null store: it keeps nothing, and obeys the contract while doing so.

Law: every key is absent at all times; keys are checked as everywhere, so that a program that runs
on `null://` has no key that fails elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from holdfast.bridge import BlockingStore
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.keys import check
from holdfast.store.abilities import Change
from holdfast.store.address import Address

__all__ = ["NullStore", "open_url"]

T = TypeVar("T")


class NullStore(BlockingStore):
    """Keeps nothing: switches caching off, or stands in where a store is asked for.

    Args:
        name: What it is called in errors and logs.
    """

    never_waits = True

    def __init__(self, name: str = "null://") -> None:
        super().__init__(name)
        self._closed = False

    def get(self, key: str) -> bytes | None:
        self._check(key)
        return None

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        self._check(*keys)
        return {}

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`."""
        self._check(*keys)
        return {}

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:  # noqa: ARG002
        self._check(key)

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:  # noqa: ARG002
        self._check(*items)

    def delete(self, key: str) -> bool:
        self._check(key)
        return False

    def delete_many(self, keys: Sequence[str]) -> int:
        self._check(*keys)
        return 0

    def swap(
        self,
        key: str,
        old: bytes | None,
        new: bytes | None,  # noqa: ARG002 - nothing is kept
        ttl: float | None = None,  # noqa: ARG002 - nothing is kept
    ) -> bool:
        self._check(key)
        return old is None

    def apply(self, key: str, change: Change[T]) -> T:
        """See `CanApply`."""
        self._check(key)
        return change(None)[2]

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:  # noqa: ARG002
        """See `CanIncrement`."""
        self._check(key)
        return by

    def scan(self, prefix: str = "") -> Iterator[str]:  # noqa: ARG002
        """See `CanScan`."""
        self._check()
        return iter(())

    def sweep(self) -> int:
        """See `CanSweep`."""
        self._check()
        return 0

    def ping(self) -> None:
        self._check()

    def close(self) -> None:
        self._closed = True

    def _check(self, *keys: str) -> None:
        for key in keys:
            check(key)
        if self._closed:
            raise StoreUnavailable(self.name, "it is closed")


def open_url(address: Address) -> NullStore:
    """Open `null://`."""
    address.options.allow()
    address.options.timeout()  # checked; nothing here can wait
    if address.netloc or address.path not in ("", "/"):
        raise ConfigError("null:// takes neither name nor path")
    return NullStore()
