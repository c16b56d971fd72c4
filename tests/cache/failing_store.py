"""A store that fails when it is told to."""

from collections.abc import Mapping, Sequence

from holdfast.clock import Clock
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.memory import MemoryStore

__all__ = ["Failing"]


class Failing(MemoryStore):
    """A memory store.

    Attributes:
        down: Every operation fails.
        lose_swaps_after: When counted down to 0, the answers of swaps get lost; -1: never.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__("failing", clock=clock)
        self.down = False
        self.lose_swaps_after = -1

    def _up(self) -> None:
        if self.down:
            raise StoreUnavailable(self.name, "told to fail")

    def get(self, key: str) -> bytes | None:
        self._up()
        return super().get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        self._up()
        return super().get_many(keys)

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        self._up()
        super().put(key, value, ttl)

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        self._up()
        super().put_many(items, ttl)

    def delete(self, key: str) -> bool:
        self._up()
        return super().delete(key)

    def delete_many(self, keys: Sequence[str]) -> int:
        self._up()
        return super().delete_many(keys)

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        self._up()
        done = super().swap(key, old, new, ttl)
        if self.lose_swaps_after > 0:
            self.lose_swaps_after -= 1
            if self.lose_swaps_after == 0:
                raise StoreTimeout(self.name, "the answer got lost")
        return done
