"""Table `clear`: forget a thousand values, which have a namespace or a tag in common.

Law: in turns in two places, of which one holds many other keys (500,000) that belong to somebody
else; the values are put anew before each time. Commands are what the server says it ran meanwhile,
those inside scripts included. `elsewhere`: what another process that asks for one of them gets.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
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

Make = Callable[[dict[str, str]], AbstractContextManager[clearings.Clearing]]
Commands = Callable[[], dict[str, int]]


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


def fill_redis(client: Any, count: int) -> None:
    """Add keys of somebody else."""
    with client.pipeline(transaction=False) as pipeline:
        for number in range(count):
            pipeline.set(f"somebody:{number}", "else")
            if number % 10_000 == 0:
                pipeline.execute()
        pipeline.execute()


def commands_of(client: Any) -> dict[str, int]:
    """Return what the server ran since it was asked last."""
    told = client.info("commandstats")
    client.config_resetstat()
    ran = {name.removeprefix("cmdstat_"): line["calls"] for name, line in told.items()}
    return {name: calls for name, calls in ran.items() if name not in NOISE}


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
    others, rounds = effort.count(OTHERS), min(effort.rounds, ROUNDS)
    table = Table("clear", f"forget {THOSE:,} values among {others:,}", "", [])
    table.columns += [FEW, MANY, COMMANDS, WRITES, ELSEWHERE]
    table.notes += [
        f"few: little else is there; many: {others:,} keys of somebody else are",
        f"commands: those of a bus, too; writes: all but {', '.join(sorted(READS))}",
    ]
    try:
        _on_redis(table, others, rounds)
    except Absent as word:
        table.rows.append(Row("redis", {FEW: str(word)}))
    with disk() as few, disk() as many:
        _on_disk(table, (few, many), others, rounds)
    return table


def _on_redis(table: Table, others: int, rounds: int) -> None:
    """Measure the rows on two servers, of which one holds many other keys."""
    from redis import Redis

    with ExitStack() as ends:
        few, many = (ends.enter_context(running("redis", "run_redis")).url for _ in range(2))
        client = ends.enter_context(Redis.from_url(many))
        fill_redis(client, others)
        pairs = zip(on_redis(few).items(), on_redis(many).values(), strict=True)
        for (name, here), there in pairs:
            _play(table, name, (here, there), rounds, partial(commands_of, client))


def _on_disk(table: Table, folders: tuple[Path, Path], others: int, rounds: int) -> None:
    """Measure the rows in two folders."""
    few, many = (str(folder / "diskcache") for folder in folders)
    with suppress(ImportError):
        fill_diskcache(many, others)
    makes = partial(clearings.diskcache, few), partial(clearings.diskcache, many)
    _play(table, "diskcache evict", makes, rounds)
    few, many = (f"sqlite:///{folder}/h.db" for folder in folders)
    fill_sqlite(many, others)
    pairs = zip(on_sqlite(few).items(), on_sqlite(many).values(), strict=True)
    for (name, here), there in pairs:
        _play(table, name, (here, there), rounds)


def _play(
    table: Table,
    name: str,
    makes: tuple[Make, Make],
    rounds: int,
    commands: Commands | None = None,
) -> None:
    """Add a row, and the verdicts if it is ours; `commands` are those of the place of many."""
    row = Row(name, {}, name.startswith("Holdfast"))
    table.rows.append(row)
    try:
        with makes[0](clearings.those(THOSE)) as few, makes[1](clearings.those(THOSE)) as many:
            growth = _measure(row, few, many, rounds, commands)
    except ImportError:
        row.cells[FEW] = NOT_INSTALLED
        return
    if row.ours:
        table.verdicts.append(CLEAR_GROWTH.judge(growth, name))
        if isinstance(writes := row.cells.get(WRITES), float):
            table.verdicts.append(CLEAR_WRITES.judge(writes, name))


def _measure(
    row: Row,
    few: clearings.Clearing,
    many: clearings.Clearing,
    rounds: int,
    commands: Commands | None,
) -> float:
    """Fill the cells of a row, in turns; return how many times as long it takes among many."""
    took: dict[str, list[float]] = {FEW: [], MANY: []}
    ran: dict[str, int] = {}
    while len(took[MANY]) < rounds and sum(took[MANY]) < ENOUGH:
        few.put()
        many.put()
        if commands:
            commands()
        turns = [(FEW, few), (MANY, many)]
        for column, clearing in turns if len(took[MANY]) % 2 else reversed(turns):
            took[column].append(_timed(clearing))
        if commands:
            ran = commands()
    for column, figures in took.items():
        row.cells[column], row.best[column] = median(figures), min(figures)
    if commands:
        row.cells[COMMANDS] = float(sum(ran.values()))
        row.cells[WRITES] = float(sum(ran[name] for name in ran.keys() - READS))
    row.cells[ELSEWHERE] = "old" if many.left() else "gone"
    return median(b / a for a, b in zip(took[FEW], took[MANY], strict=True))


def _timed(clearing: clearings.Clearing) -> float:
    """Return the milliseconds that `clear` takes."""
    began = perf_counter()
    clearing.clear()
    return 1e3 * (perf_counter() - began)
