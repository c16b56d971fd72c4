"""Table `growth`: what an operation costs in a store of a thousand and of a million records.

Law: the same operations on random keys that are there, in turns between the two stores, so that the
page cache and the drift of the machine are shared; told is the median of single operations.
"""

import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any

from bench.measure import Effort
from bench.report import Row, Table
from bench.targets import GROWTH

SMALL, LARGE = 1_000, 1_000_000
OPERATIONS = 10_000
VALUE = bytes(range(256)) + b"and a few more, to make three hundred bytes"

Operation = Callable[[str], object]


def keys(count: int) -> Iterator[str]:
    """Yield the keys of a store, in no order that an index would like."""
    return (f"record:{number * 7_919 % count:07}" for number in range(count))


def fill(store: Any, count: int) -> None:
    """Write `count` records, in batches."""
    names = keys(count)
    while batch := list(islice(names, 10_000)):
        store.put_many(dict.fromkeys(batch, VALUE), ttl=86_400)


def operations(store: Any) -> dict[str, Operation]:
    """Return what is measured; a session commit is a load, a write and a commit."""
    from holdfast import Sessions

    sessions = Sessions(store)

    def commit(_: str) -> None:
        session = sessions.load(None)
        session["visits"] = 1
        sessions.commit(session)

    return {
        "get": store.get,
        "put": lambda key: store.put(key, VALUE, ttl=86_400),
        "swap": lambda key: store.swap(key, VALUE, VALUE, ttl=86_400),
        "new session": commit,
    }


def run(effort: Effort) -> Table:
    """Fill both, then take turns."""
    from holdfast import open_store

    sizes = {"10^3": effort.count(SMALL), "10^6": effort.count(LARGE)}
    rounds = effort.count(OPERATIONS)
    table = Table("growth", "sqlite, by number of records", "us, p50", [*sizes, "ratio"])
    with TemporaryDirectory() as name:
        folder = Path(name)
        stores = {size: open_store(f"sqlite:///{folder}/{size}.db") for size in sizes}
        for size, store in stores.items():
            fill(store, sizes[size])
        works = {size: operations(store) for size, store in stores.items()}
        for what in works["10^3"]:
            row = Row(what, {}, ours=True)
            taken = _turns(
                {size: (work[what], sizes[size]) for size, work in works.items()}, rounds
            )
            row.cells.update({size: median(figures) / 1e3 for size, figures in taken.items()})
            row.cells["ratio"] = ratio = median(taken["10^6"]) / median(taken["10^3"])
            table.rows.append(row)
            table.verdicts.append(GROWTH.judge(ratio, what))
        for store in stores.values():
            store.close()
    return table


def _turns(works: dict[str, tuple[Operation, int]], rounds: int) -> dict[str, list[int]]:
    """Time single operations on random keys, one store after the other."""
    draw = random.Random(14)  # noqa: S311 - the same keys in each run
    taken: dict[str, list[int]] = {size: [] for size in works}
    for _ in range(rounds):
        for size, (work, count) in works.items():
            key = f"record:{draw.randrange(count):07}"
            began = perf_counter_ns()
            work(key)
            taken[size].append(perf_counter_ns() - began)
    return taken
