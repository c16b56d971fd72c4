"""Table `clear`: forget a thousand values, which have a namespace or a tag in common.

Law: once among few other keys, once among many (500,000), which belong to somebody else; the values
are put anew before each time. Commands are what the server says it ran meanwhile, those inside
scripts included. `elsewhere`: what another process that asks for one of the values then gets.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from bench import cache_clearings as clearings
from bench.measure import NOT_INSTALLED, Absent, Effort
from bench.report import Row, Table
from bench.servers import running
from bench.store_rows import disk, opened
from bench.targets import CLEAR_GROWTH, CLEAR_WRITES

THOSE, OTHERS = 1_000, 500_000
ROUNDS = 15
ENOUGH = 5e3  # milliseconds of clearing after which a row has no more rounds
FEW, MANY, COMMANDS, WRITES, ELSEWHERE = "ms, few", "ms, many", "commands", "writes", "elsewhere"
READS = {"get", "mget", "scan", "keys", "exists", "getrange", "ping"}
NOISE = {"info", "config|resetstat", "hello", "client|setinfo", "client|setname", "select", "auth"}

Fill = Callable[[int], None]
Commands = Callable[[], dict[str, int]]


@dataclass(frozen=True, slots=True)
class Place:
    """What rows share.

    Args:
        fill: Adds so many keys of somebody else.
        commands: What ran since it was asked last; None where no server counts.
    """

    fill: Fill
    commands: Commands | None = None


Make = Callable[[dict[str, str]], AbstractContextManager[clearings.Clearing]]


def on_redis(url: str) -> dict[str, Make]:
    """Return the rows on Redis."""
    return {
        "SCAN and DEL, as django-redis": partial(clearings.scan, url),
        "Beaker clear": partial(clearings.beaker, url),
        "aiocache clear": partial(clearings.aiocache, url),
        "cashews delete_match": partial(clearings.cashews, url, tag=False),
        "cashews delete_tags": partial(clearings.cashews, url, tag=True),
        "dogpile delete_multi, keys known": partial(clearings.dogpile, url, known=True),
        "dogpile invalidate": partial(clearings.dogpile, url, known=False),
        "Holdfast clear, redis": partial(clearings.holdfast, url, tag=False),
        "Holdfast invalidate_tags, redis": partial(clearings.holdfast, url, tag=True),
    }


def redis_place(client: Any) -> Place:
    """Return what a Redis has, by a client of redis-py."""

    def fill(count: int) -> None:
        with client.pipeline(transaction=False) as pipeline:
            for number in range(count):
                pipeline.set(f"somebody:{number}", "else")
                if number % 10_000 == 0:
                    pipeline.execute()
            pipeline.execute()

    def commands() -> dict[str, int]:
        told = client.info("commandstats")
        client.config_resetstat()
        ran = {name.removeprefix("cmdstat_"): line["calls"] for name, line in told.items()}
        return {name: calls for name, calls in ran.items() if name not in NOISE}

    return Place(fill, commands)


def on_sqlite(url: str) -> dict[str, Make]:
    """Return our rows on SQLite."""
    return {
        "Holdfast clear, sqlite": partial(clearings.holdfast, url, tag=False),
        "Holdfast invalidate_tags, sqlite": partial(clearings.holdfast, url, tag=True),
    }


def fill_sqlite(url: str, count: int) -> None:
    """Add keys of somebody else."""
    with opened(url) as store:
        for start in range(0, count, 1_000):
            numbers = range(start, min(start + 1_000, count))
            store.put_many({f"somebody:{number}": b"else" for number in numbers})


def fill_diskcache(folder: str, count: int) -> None:
    """Add keys of somebody else."""
    from diskcache import Cache

    with Cache(folder, tag_index=True, eviction_policy="none") as cache, cache.transact():
        for number in range(count):
            cache.set(f"somebody:{number}", "else", tag="other")


def run(effort: Effort) -> Table:
    """Measure the table."""
    from redis import Redis

    others = effort.count(OTHERS)
    table = Table("clear", f"forget {THOSE:,} values among {others:,}", "", [])
    table.columns += [FEW, MANY, COMMANDS, WRITES, ELSEWHERE]
    table.notes.append(
        f"few: nothing else is there; many: {others:,} keys of somebody else; writes: commands but"
        f" {', '.join(sorted(READS))}"
    )
    rounds = min(effort.rounds, ROUNDS)
    try:
        with running("redis", "run_redis") as server, Redis.from_url(server.url) as client:
            _play(table, on_redis(server.url), redis_place(client), others, rounds)
    except Absent as word:
        table.rows.append(Row("redis", {FEW: str(word)}))
    with disk() as folder:
        _play_on_disk(table, folder, others, rounds)
    return table


def _play_on_disk(table: Table, folder: Path, others: int, rounds: int) -> None:
    theirs, url = str(folder / "diskcache"), f"sqlite:///{folder}/h.db"
    rows: dict[str, Make] = {"diskcache evict": partial(clearings.diskcache, theirs)}
    _play(table, rows, Place(partial(fill_diskcache, theirs)), others, rounds)
    _play(table, on_sqlite(url), Place(partial(fill_sqlite, url)), others, rounds)


def _play(table: Table, makes: dict[str, Make], place: Place, others: int, rounds: int) -> None:
    """Measure rows that share a place, among few keys and then among many."""
    rows = {name: Row(name, {}, name.startswith("Holdfast")) for name in makes}
    table.rows += rows.values()
    for column in (FEW, MANY):
        there = {name: row for name, row in rows.items() if NOT_INSTALLED not in row.cells.values()}
        if column == MANY and there:
            place.fill(others)
        for name, row in there.items():
            try:
                with makes[name](clearings.those(THOSE)) as clearing:
                    _measure(row, column, clearing, place.commands, rounds)
            except ImportError:
                row.cells[FEW] = NOT_INSTALLED
    _judge(table, [row for row in rows.values() if row.ours])


def _measure(
    row: Row, column: str, clearing: clearings.Clearing, commands: Commands | None, rounds: int
) -> None:
    """Fill the cells of a row."""
    took: list[float] = []
    ran: dict[str, int] = {}
    while len(took) < rounds and sum(took) < ENOUGH:
        clearing.put()
        if commands:
            commands()
        began = perf_counter()
        clearing.clear()
        took.append(1e3 * (perf_counter() - began))
        if commands:
            ran = commands()
    row.cells[column], row.best[column] = median(took), min(took)
    row.cells[ELSEWHERE] = "old" if clearing.left() else "gone"
    if commands:
        row.cells[COMMANDS] = float(sum(ran.values()))
        row.cells[WRITES] = float(sum(ran[name] for name in ran.keys() - READS))


def _judge(table: Table, ours: Sequence[Row]) -> None:
    for row in ours:
        few, many = row.cells[FEW], row.cells[MANY]
        assert isinstance(few, float)
        assert isinstance(many, float)
        table.verdicts.append(CLEAR_GROWTH.judge(many / few, row.name))
        if isinstance(writes := row.cells.get(WRITES), float):
            table.verdicts.append(CLEAR_WRITES.judge(writes, row.name))
