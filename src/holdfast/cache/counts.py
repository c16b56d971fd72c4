"""Counts: what a cache did, and what is shown of it.

Law: counts only grow; a few may be lost under threads, for no hit takes a lock.
"""

from dataclasses import dataclass

__all__ = ["Counts", "Stats"]


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
        pending: Invalidations that the far tier has not heard of yet.
        far_open: Whether the far tier is passed by, because it failed several times in a row.
        bus: What keeps the near tiers of all processes together now; empty if nothing does.
    """

    hits: int
    near_hits: int
    misses: int
    stale: int
    creates: int
    errors: int
    evicted: int = 0
    entries: int = 0
    pending: int = 0
    far_open: bool = False
    bus: str = ""

    @property
    def ratio(self) -> float:
        """Hits per read, 0 to 1."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else 0.0


@dataclass(slots=True, eq=False)
class Counts:
    """What is counted of a cache, or of one function.

    Attributes:
        near_hits: Hits of near cells that are gone; those that live carry their own.
    """

    near_hits: float = 0.0
    far_hits: int = 0
    misses: int = 0
    stale: int = 0
    creates: int = 0
    errors: int = 0
