"""A memory store that counts what it is asked, and can fail."""

from collections import Counter

from holdfast.errors import StoreUnavailable
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock


class CountingStore(MemoryStore):
    """Attributes: `calls`, how often each method was called; `down`, whether all of them fail."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__("counting", clock=clock)
        self.calls: Counter[str] = Counter()
        self.ttls: list[float | None] = []
        self.down = False

    def _count(self, name: str) -> None:
        self.calls[name] += 1
        if self.down:
            raise StoreUnavailable(self.name, "it is down")

    def get(self, key: str) -> bytes | None:
        self._count("get")
        return super().get(key)

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        self._count("swap")
        self.ttls.append(ttl)
        return super().swap(key, old, new, ttl)

    def keys(self) -> list[str]:
        """Return what is there."""
        return sorted(self.scan())
