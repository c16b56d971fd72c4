"""What the two faces of one cache share: near tier, running creations, codec, clock, counts.

Law: holds things together and decides nothing.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from holdfast.cache.counts import Counts, Stats
from holdfast.cache.near import Near
from holdfast.clock import Clock
from holdfast.codec import Codec
from holdfast.events import Observer
from holdfast.locks import Flights

__all__ = ["Core"]


@dataclass(slots=True)
class Core:
    """One cache, whatever its faces and namespaces."""

    near: Near
    codec: Codec
    clock: Clock
    observer: Observer
    prefix: str
    enabled: bool = True
    flights: Flights = field(default_factory=Flights)
    counts: Counts = field(default_factory=Counts)
    draw: Callable[[], float] = random.random

    def stats(self) -> Stats:
        """Return what was counted until now."""
        counts, near_hits = self.counts, self.near.hits
        return Stats(
            hits=near_hits + counts.far_hits,
            near_hits=near_hits,
            misses=counts.misses,
            stale=counts.stale,
            creates=counts.creates,
            errors=counts.errors,
            evicted=self.near.evicted,
            entries=len(self.near.cells),
        )
