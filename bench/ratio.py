"""Table `ratio`: how many requests of a trace find their value.

Law: the same trace of string keys for everybody: look, and where it is missing, put. `1 %` and
`10 %` are the room, as a share of the keys of the plain trace.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from time import perf_counter_ns

from bench.measure import NOT_INSTALLED, Effort
from bench.report import Row, Table
from bench.sieve import Sieve
from bench.targets import RATIO_FLOOR, RATIO_GAIN
from bench.traces import TRACES, belady

REQUESTS, KEYS = 1_000_000, 100_000
OURS, FLOOR = "Holdfast near tier", "LRU (OrderedDict)"

Count = Callable[[Sequence[str], int], int]


def ordered(trace: Sequence[str], room: int) -> int:
    """The textbook."""
    kept: OrderedDict[str, int] = OrderedDict()
    hits = 0
    for key in trace:
        if key in kept:
            hits += 1
            kept.move_to_end(key)
        else:
            if len(kept) >= room:
                kept.popitem(last=False)
            kept[key] = 1
    return hits


def lru(trace: Sequence[str], room: int) -> int:
    """The standard library's."""
    look = lru_cache(room)(lambda _: 1)
    for key in trace:
        look(key)
    return look.cache_info().hits


def cachebox(trace: Sequence[str], room: int) -> int:
    """Rust, LRU."""
    from cachebox import LRUCache

    kept: LRUCache[str, int] = LRUCache(room)
    hits = 0
    for key in trace:
        if kept.get(key) is not None:
            hits += 1
        else:
            kept[key] = 1
    return hits


def cachetools(trace: Sequence[str], room: int) -> int:
    """LFU: what it does where popularity moves."""
    from cachetools import LFUCache

    kept: LFUCache[str, int] = LFUCache(room)
    hits = 0
    for key in trace:
        if kept.get(key) is not None:
            hits += 1
        else:
            kept[key] = 1
    return hits


def theine(trace: Sequence[str], room: int) -> int:
    """W-TinyLFU."""
    from theine import Cache

    kept: Cache[str, int] = Cache(room)
    hits = 0
    for key in trace:
        if kept.get(key)[1]:
            hits += 1
        else:
            kept.set(key, 1)
    kept.close()
    return hits


def sieve(trace: Sequence[str], room: int) -> int:
    """In plain Python; nobody's library."""
    kept = Sieve(room)
    return sum(kept.ask(key) for key in trace)


def holdfast(trace: Sequence[str], room: int) -> int:
    """S3-FIFO."""
    from holdfast import Cache

    cache = Cache(max_entries=room, ttl=3600)
    hits = 0
    for key in trace:
        if cache.get(key) is not None:
            hits += 1
        else:
            cache.put(key, 1)
    return hits


POLICIES: dict[str, Count] = {
    FLOOR: ordered,
    "lru_cache": lru,
    "SIEVE, in Python": sieve,
    "cachebox LRUCache": cachebox,
    "cachetools LFUCache": cachetools,
    "theine (W-TinyLFU)": theine,
    OURS: holdfast,
}


def run(effort: Effort) -> Table:
    """Count the hits."""
    requests, keys = effort.count(REQUESTS), effort.count(KEYS)
    rooms = {"1 %": max(10, keys // 100), "10 %": keys // 10}
    columns = [f"{trace}, {room}" for trace in TRACES for room in rooms]
    table = Table("ratio", "hit ratio", "% of requests", [*columns, "us"])
    best = table.rows
    best.append(Row("the best there can be (Belady)", {}))
    best += [Row(name, {}, ours=name == OURS) for name in POLICIES]
    for name, make in TRACES.items():
        numbers = make(requests, keys)
        trace = [f"key:{number}" for number in numbers]
        for share, room in rooms.items():
            column = f"{name}, {share}"
            table.rows[0].cells[column] = 100 * belady(numbers, room) / requests
            for row in table.rows[1:]:
                _count(row, POLICIES[row.name], trace, room, column)
    for row in table.rows:
        if isinstance(spent := row.cells.get("us"), float):
            row.cells["us"] = spent / (requests * len(columns) * 1e3)
    table.notes.append(
        f"{requests:,} requests, {keys:,} keys, Zipf 0.99; us: per request, misses too"
    )
    _judge(table, columns)
    return table


def _count(row: Row, count: Count, trace: Sequence[str], room: int, column: str) -> None:
    """Fill one cell, and add up the time."""
    started = perf_counter_ns()
    try:
        row.cells[column] = 100 * count(trace, room) / len(trace)
    except ImportError:
        row.cells[column] = NOT_INSTALLED
        return
    spent = row.cells.get("us", 0.0)
    assert isinstance(spent, float)
    row.cells["us"] = spent + perf_counter_ns() - started


def _judge(table: Table, columns: Sequence[str]) -> None:
    """Compare with LRU."""
    rows = {row.name: row.cells for row in table.rows}
    gains = {}
    for column in columns:
        ours, floor = rows[OURS][column], rows[FLOOR][column]
        if isinstance(ours, float) and isinstance(floor, float):
            gains[column] = ours - floor
    if gains:
        told = ", ".join(f"{gain:+.1f} ({column})" for column, gain in gains.items())
        table.notes.append(f"Holdfast over LRU, points: {told}")
        table.verdicts.append(RATIO_GAIN.judge(gains[columns[0]]))
        worst = min(gains, key=lambda column: gains[column])
        table.verdicts.append(RATIO_FLOOR.judge(-gains[worst], worst))
