"""Measures: what `stats()` says, as metrics; and whose `stats()` they are.

Law: each field is a metric of its own name, so that nobody has to look up which is which. A cached
function counts again what its cache counts: its metrics have names of their own, so that a sum over
all caches is right. A key is never a label.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from holdfast.errors import ConfigError, HoldfastError

__all__ = [
    "CREATION_BUCKETS",
    "MEASURES",
    "OPERATION_BUCKETS",
    "HasStats",
    "Measure",
    "Part",
    "Reading",
    "Watched",
    "seconds_of",
]

Part = Literal["cache", "function"]
Reading = tuple[Part, str, object]
"""What it is, its name, its stats."""


class HasStats(Protocol):
    """A cache, a cached function, or regions."""

    def stats(self) -> object:
        """Return a `Stats`, or a mapping of names to them."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of `stats()`.

    Attributes:
        field: Its name there.
        kind: A counter only grows while the process lives.
        help: What it says.
        unit: What it counts, one of them.
    """

    field: str
    kind: Literal["counter", "gauge"]
    help: str
    unit: str

    def among(self, read: Iterable[Reading], part: Part) -> Iterator[tuple[str, float]]:
        """Yield the name and the number of each `part` whose stats have it."""
        for kind, name, stats in read:
            value = getattr(stats, self.field, None)
            if kind == part and value is not None:
                yield name, float(bool(value) if isinstance(value, str) else value)


_READS = (
    Measure("hits", "counter", "Fresh values served, from either tier", "hit"),
    Measure("near_hits", "counter", "Fresh values served from this process", "hit"),
    Measure("misses", "counter", "Reads that found no fresh value", "miss"),
    Measure("stale", "counter", "Stale values served", "value"),
    Measure("creates", "counter", "Values created", "value"),
)
MEASURES: dict[Part, tuple[Measure, ...]] = {
    "cache": (
        *_READS,
        Measure("errors", "counter", "Operations of the far tier that failed", "operation"),
        Measure("evicted", "counter", "Values turned out of the near tier for room", "value"),
        Measure("entries", "gauge", "Values the near tier holds", "value"),
        Measure("pending", "gauge", "Invalidations the far tier has not heard of", "invalidation"),
        Measure("far_open", "gauge", "1 while the far tier is passed by, since it failed", "cache"),
        Measure("bus", "gauge", "1 while a bus keeps the near tiers together", "cache"),
    ),
    "function": _READS,
}

CREATION_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds that tell a quick creation from a slow one."""
OPERATION_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
"""Seconds that tell a quick store from a slow one."""


class Watched:
    """Whose stats are exported."""

    def __init__(self) -> None:
        self._sources: dict[tuple[Part, str], HasStats] = {}

    def add(self, source: HasStats, name: str) -> None:
        """Watch `source` from now on, and keep it alive; a name that was taken is its own now.

        Raises:
            ConfigError: It has no `stats()`.
        """
        if not callable(getattr(source, "stats", None)):
            raise ConfigError(f"{source!r} has no stats(): watch a cache or a cached function")
        function = getattr(source, "__wrapped__", None)
        if function is None:
            self._sources["cache", name] = source
        else:
            where = f"{function.__module__}.{function.__qualname__}"
            self._sources["function", name or where] = source

    def read(self) -> Iterator[Reading]:
        """Yield the stats of each as they are now; no name comes twice."""
        seen = set()
        for (part, name), source in list(self._sources.items()):
            for label, stats in _by_name(name, source):
                if (part, label) not in seen:
                    seen.add((part, label))
                    yield part, label, stats


def _by_name(name: str, source: HasStats) -> Iterable[tuple[str, object]]:
    try:
        stats = source.stats()
    except HoldfastError:  # regions nobody has configured yet: there is nothing to show
        return ()
    return stats.items() if isinstance(stats, Mapping) else ((name, stats),)


def seconds_of(fields: Mapping[str, object]) -> float | None:
    """Return how long it took what an event tells of; None if it does not say so."""
    seconds = fields.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else None
