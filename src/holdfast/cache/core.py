"""What the two faces of one cache share: near tier, running creations, coding, clock, counts.

Law: holds things together and decides nothing.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from holdfast.cache.coding import Coding
from holdfast.cache.coherence import NEAR_TTL, Coherence
from holdfast.cache.counts import Counts, Stats
from holdfast.cache.guard import Breaker, Claim
from holdfast.cache.near import Near
from holdfast.cache.pending import Pending
from holdfast.cache.policy import Policy
from holdfast.cache.space import Item
from holdfast.clock import Clock
from holdfast.errors import StoreError
from holdfast.events import Observer
from holdfast.locks import Flights

__all__ = ["Core"]

_AT_ONCE = 1000


@dataclass(slots=True)
class Core:
    """One cache, whatever its faces and namespaces.

    Attributes:
        near: The near tier.
        coding: Values to bytes and back.
        clock: UTC seconds.
        observer: Told what happens.
        prefix: What stands before all keys in the store.
        coherence: What other processes changed.
        enabled: Whether anything is kept at all.
        lease: Seconds the lease of a creation lasts; 0 for none.
        queues: Whether an invalidation the far tier did not hear of is no error.
        flights: The running creations of this process, by near key.
        breaker: Whether the far tier is passed by.
        recovery: Held by who sees to the far tier's recovery.
        pending: Invalidations the far tier has not heard of.
        counts: What is counted of calls that belong to no function.
        parts: What is counted of each function.
        store: The name of the far tier, for errors.
        closed: Whether it was closed.
        draw: Random numbers from 0 to 1.
    """

    near: Near
    coding: Coding
    clock: Clock
    observer: Observer
    prefix: str
    coherence: Coherence
    enabled: bool = True
    lease: float = 10.0
    queues: bool = False
    flights: Flights = field(default_factory=Flights)
    breaker: Breaker = field(init=False)
    recovery: Claim = field(default_factory=Claim)
    pending: Pending = field(default_factory=Pending)
    counts: Counts = field(default_factory=Counts)
    parts: list[Counts] = field(default_factory=list)
    store: str = ""
    closed: bool = False
    draw: Callable[[], float] = random.random
    _rests: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.breaker = Breaker(self.observer, self.store)

    def trouble(self, operation: str, error: StoreError, item: Item | None = None) -> None:
        """Count a failure of the far tier and tell it."""
        (self.counts if item is None else self.counts_of(item)).errors += 1
        self.observer("cache.trouble", {"operation": operation, "error": error})

    def counts_of(self, item: Item) -> Counts:
        """Return where what happens to `item` is counted."""
        return self.counts if item.counts is None else item.counts

    def near_until(self, policy: Policy, since: float, *, is_far: bool = True) -> float:
        """Return until when a value that was asked for at `since` may be served near.

        Args:
            policy: May say how long.
            since: When it was asked for.
            is_far: Whether the far tier has it: of what it never had, no bus tells that it is gone.
        """
        near_ttl = policy.near_ttl
        if near_ttl is None:
            return float("inf") if is_far and self.coherence.is_whole else since + NEAR_TTL
        return since + near_ttl

    def rests(self, item: Item, now: float, seconds: float) -> bool:
        """Return whether a refresh of `item` was begun just now; if not, it is from now on."""
        rests = self._rests
        if rests.get(item.near, now) > now:
            return True
        if len(rests) >= _AT_ONCE:
            rests.clear()
        rests[item.near] = now + seconds
        return False

    def stats(self, part: Counts | None = None) -> Stats:
        """Return what was counted until now: of all, or of one function."""
        if part is not None:
            return _shown([part], self.near.hits_of(part))
        return replace(
            _shown([self.counts, *self.parts], self.near.hits),
            evicted=self.near.evicted,
            entries=len(self.near.cells),
            pending=len(self.pending.waiting),
            far_open=self.breaker.is_open,
            bus=self.coherence.name,
        )


def _shown(counts: list[Counts], near_hits: int) -> Stats:
    return Stats(
        hits=near_hits + sum(each.far_hits for each in counts),
        near_hits=near_hits,
        misses=sum(each.misses for each in counts),
        stale=sum(each.stale for each in counts),
        creates=sum(each.creates for each in counts),
        errors=sum(each.errors for each in counts),
    )
