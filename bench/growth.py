"""Table `growth`: what an operation costs in a store of a thousand and of a million records.

Law: the same operations on random keys that are there, in turns between the sizes, so that caches
and the drift of the machine are shared; told is the median of single operations. Records are named
as sessions are, by a hash, so that a session lies somewhere among them.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import islice
from statistics import median
from time import perf_counter_ns, sleep
from typing import Any

from bench.measure import Absent, Effort
from bench.report import Row, Table
from bench.servers import running
from bench.store_rows import VALUE, disk, opened
from bench.targets import GROWTH, SWEEP

SIZES = {"10^3": 1_000, "10^4": 10_000, "10^5": 100_000, "10^6": 1_000_000}
OPERATIONS = 5_000
VISITORS = 300
"""More sessions than Holdfast keeps parsed records of."""
SWEPT = (5_000, 20_000)
"""Expired records that a sweep removes."""
SWEEPS = 5
TTL = 86_400

Operation = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of store.

    Args:
        name: What stands before its rows.
        server: Runs what its stores share.
        url: Returns the URL of the n-th store there.
        sweeps: Whether it removes expired records by `sweep`.
    """

    name: str
    server: Callable[[], AbstractContextManager[Any]]
    url: Callable[[Any, int], str]
    sweeps: bool


PLACES = (
    Place("sqlite", disk, lambda folder, n: f"sqlite:///{folder}/{n}.db", sweeps=True),
    Place(
        "postgresql",
        lambda: running("postgresql", "run_postgresql"),
        lambda server, n: f"{server.url}?table=growth_{n}",
        sweeps=True,
    ),
    Place(
        "redis",
        lambda: running("redis", "run_redis"),
        lambda server, n: f"{server.url}/{n}",
        sweeps=False,
    ),
)


def key_of(number: int) -> str:
    """Return a key as those of sessions are."""
    return f"s:{sha256(number.to_bytes(8)).hexdigest()}"


class Kept:
    """A store of so many records, and what is done with it.

    Args:
        store: Where they are.
        count: How many.
    """

    def __init__(self, store: Any, count: int) -> None:
        from holdfast import Sessions

        self.store = store
        self.count = count
        self._sessions = Sessions(store)
        self._draw = random.Random(14)  # noqa: S311 - the same keys in each run
        self.fill(range(count), TTL)
        self._tokens = [self._visit(None) for _ in range(VISITORS)]

    def fill(self, numbers: Sequence[int], ttl: float) -> None:
        """Write the records of these numbers, in batches."""
        keys = map(key_of, numbers)
        while batch := list(islice(keys, 5_000)):
            self.store.put_many(dict.fromkeys(batch, VALUE), ttl=ttl)

    def operations(self) -> dict[str, Callable[[], Operation]]:
        """Return what is measured; each is drawn a key, and then timed."""
        store = self.store
        return {
            "get": lambda: partial(store.get, self._key()),
            "put": lambda: partial(store.put, self._key(), VALUE, TTL),
            "swap": lambda: partial(store.swap, self._key(), VALUE, VALUE, TTL),
            "session commit": lambda: partial(self._visit, self._draw.choice(self._tokens)),
        }

    def swept(self, expired: int) -> int:
        """Add expired records; return the nanoseconds that a sweep takes to remove them."""
        self.fill(range(self.count, self.count + expired), 0.05)
        sleep(0.1)
        began = perf_counter_ns()
        removed = self.store.sweep()
        took = perf_counter_ns() - began
        assert removed == expired
        return took

    def _key(self) -> str:
        return key_of(self._draw.randrange(self.count))

    def _visit(self, token: str | None) -> str | None:
        session = self._sessions.load(token)
        session["visits"] = session.get("visits", 0) + 1
        return self._sessions.commit(session).token


def run(effort: Effort) -> Table:
    """Fill all sizes of a place, then take turns."""
    sizes = {label: effort.count(size) for label, size in SIZES.items()}
    table = Table("growth", "by number of records", "us, p50", [*sizes, "ratio"])
    for place in PLACES:
        try:
            with place.server() as server, ExitStack() as ends:
                kept = {
                    label: Kept(ends.enter_context(opened(place.url(server, n))), size)
                    for n, (label, size) in enumerate(sizes.items())
                }
                _measure(table, place, kept, effort)
        except Absent as word:
            table.rows.append(Row(place.name, {table.columns[0]: str(word)}))
    table.notes.append("redis and postgresql share one core with their client")
    table.notes.append("sweep: for each expired record it removes; redis removes them by itself")
    return table


def _measure(table: Table, place: Place, kept: Mapping[str, Kept], effort: Effort) -> None:
    """Add the rows of a place and their verdicts."""
    for what in kept["10^3"].operations():
        taken = _turns({size: one.operations()[what] for size, one in kept.items()}, effort)
        table.rows.append(row := _row(f"{place.name}: {what}", taken))
        table.verdicts.append(GROWTH.judge(float(row.cells["ratio"]), row.name))
    if place.sweeps:
        few, many = map(effort.count, SWEPT)
        each: dict[int, dict[str, list[float]]] = {few: {}, many: {}}
        for _ in range(min(effort.rounds, SWEEPS)):
            for size, one in kept.items():
                for expired, taken in each.items():
                    taken.setdefault(size, []).append(one.swept(expired) / expired)
        for expired, taken in each.items():
            table.rows.append(_row(f"{place.name}: sweep, each of {expired:,}", taken))
        times = median(each[many]["10^6"]) / median(each[few]["10^6"])
        off = max(times, 1 / times)  # less per record is no merit: it looks at those that stay
        table.verdicts.append(SWEEP.judge(off, place.name))


def _row(name: str, taken: Mapping[str, Sequence[float]]) -> Row:
    """Return the medians, in microseconds, and how many times the smallest the largest takes."""
    medians = {size: median(figures) for size, figures in taken.items()}
    cells: dict[str, float | str] = {size: figure / 1e3 for size, figure in medians.items()}
    return Row(name, cells | {"ratio": medians["10^6"] / medians["10^3"]}, ours=True)


def _turns(works: Mapping[str, Callable[[], Operation]], effort: Effort) -> dict[str, list[float]]:
    """Time single operations, one store after the other."""
    taken: dict[str, list[float]] = {size: [] for size in works}
    for _ in range(effort.count(OPERATIONS)):
        for size, work in works.items():
            operation = work()
            began = perf_counter_ns()
            operation()
            taken[size].append(perf_counter_ns() - began)
    return taken
