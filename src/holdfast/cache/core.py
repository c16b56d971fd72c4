"""What the two faces of one cache share: near tier, running creations, codec, clock, counts.

Law: holds things together and decides nothing.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from holdfast.cache.near import Near
from holdfast.clock import Clock
from holdfast.codec import Codec
from holdfast.events import Observer
from holdfast.locks import Flights

__all__ = ["Core", "Counts", "Stats"]


@dataclass(frozen=True, slots=True)
class Stats:
    """What a cache did since it was made, in this process. Counts may miss a few under threads.

    Attributes:
        hits: Fresh values served, from either tier.
        near_hits: Those of them that came from this process.
        misses: Reads that found no fresh value.
        stale: Stale values served.
        creates: Values created.
        errors: Operations of the far tier that failed.
        evicted: Values turned out of the near tier to make room.
        entries: Values the near tier holds now, expired ones included.
    """

    hits: int
    near_hits: int
    misses: int
    stale: int
    creates: int
    errors: int
    evicted: int
    entries: int

    @property
    def ratio(self) -> float:
        """Hits per read, 0 to 1."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else 0.0


@dataclass(slots=True)
class Counts:
    """What is counted besides the hits of near cells."""

    far_hits: int = 0
    misses: int = 0
    stale: int = 0
    creates: int = 0
    errors: int = 0


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
