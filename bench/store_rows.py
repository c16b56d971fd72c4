"""What the tables `stores`, `stores-async` and `stores-tasks` repeat, and how it becomes rows.

Law: 300 bytes under two hundred keys in turn, with a time to live of an hour where a library has
one; all keys are there, all swaps succeed. The rows of a group share a server and take turns; its
first row is the plain driver, where there is one. One server runs at a time.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.measure import (
    Absent,
    Case,
    Effort,
    Missing,
    Outcome,
    Timing,
    Work,
    Works,
    measure,
)
from bench.report import Row, Table, timed
from bench.servers import running

__all__ = [
    "COLUMNS",
    "DRIVER",
    "TTL",
    "VALUE",
    "Group",
    "async_works",
    "disk",
    "fill",
    "keys_of",
    "opened",
    "served",
    "works",
]

VALUE = bytes(range(256)) + b"and a few more, to make three hundred bytes."
TTL = 3600
COLUMNS = ["get", "put", "swap", "get 100"]
DRIVER = "x driver: "

Get = Callable[[str], Any]
Put = Callable[[str, bytes], Any]
Swap = Callable[[str, bytes, bytes], Any]
GetMany = Callable[[Sequence[str]], Any]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that share a server, or a folder.

    Args:
        name: What stands before the name of each row.
        server: Runs what they share.
        cases: Makes the rows.
        plain: Whether the first row is the plain driver, with which the others are compared.
    """

    name: str
    server: Callable[[], AbstractContextManager[Any]]
    cases: Callable[[Any], list[Case]]
    plain: bool = True


def served(cases: Sequence[Callable[[Any], list[Case]]]) -> list[Group]:
    """Return a group for each server.

    Args:
        cases: Make the rows of Redis (and Valkey), memcached, PostgreSQL, MariaDB, MongoDB, Tyrant.
    """
    redis, memcached, postgresql, mariadb, mongodb, tyrant = cases
    return [
        Group("redis", partial(running, "redis", "run_redis"), redis),
        Group("valkey", partial(running, "redis", "run_valkey"), redis),
        Group("memcached", partial(running, "memcached", "run_memcached"), memcached),
        Group("postgresql", partial(running, "postgresql", "run_postgresql"), postgresql),
        Group("mariadb", partial(running, "mariadb", "run_mariadb"), mariadb),
        Group("mongodb (stand-in)", partial(running, "mongodb", "run_mongodb"), mongodb),
        Group("tyrant (stand-in)", partial(running, "tyrant", "run_tyrant"), tyrant, plain=False),
    ]


@contextmanager
def disk() -> Iterator[Path]:
    """Make a folder for the stores on disk."""
    with TemporaryDirectory() as name:
        yield Path(name)


def keys_of(row: str) -> list[str]:
    """Return the keys of a row, which nobody else of its group writes."""
    return [f"{row}:{number:03}" for number in range(200)]


def works(
    row: str, get: Get, put: Put, swap: Swap | None = None, many: GetMany | None = None
) -> Works:
    """Return the columns of a store for threads; what a library lacks is left out."""
    names = keys_of(row)
    for key in names:
        put(key, VALUE)
    assert get(names[7]) == VALUE
    keys = cycle(names)
    made = {
        "get": Work("get(next(keys))", {"get": get, "keys": keys}),
        "put": Work("put(next(keys), value)", {"put": put, "keys": keys, "value": VALUE}),
    }
    if swap:
        assert swap(names[7], VALUE, VALUE)
        line = "swap(next(keys), value, value)"
        made["swap"] = Work(line, {"swap": swap, "keys": keys, "value": VALUE})
    if many:
        assert len(many(names[:100])) == 100
        made["get 100"] = Work("many(keys)", {"many": many, "keys": names[:100]})
    return made


async def async_works(
    row: str,
    get: Callable[[str], Awaitable[Any]],
    put: Callable[[str, bytes], Awaitable[Any]],
    swap: Callable[[str, bytes, bytes], Awaitable[Any]],
    many: Callable[[Sequence[str]], Awaitable[Any]],
) -> Works:
    """Return the columns of a store for event loops."""
    names = keys_of(row)
    for key in names:
        await put(key, VALUE)
    assert await get(names[7]) == VALUE
    assert await swap(names[7], VALUE, VALUE)
    assert len(await many(names[:100])) == 100
    keys = cycle(names)
    lines: list[tuple[str, str, dict[str, object]]] = [
        ("get", "await get(next(keys))", {"get": get, "keys": keys}),
        ("put", "await put(next(keys), value)", {"put": put, "keys": keys, "value": VALUE}),
        ("swap", "await swap(next(keys), v, v)", {"swap": swap, "keys": keys, "v": VALUE}),
        ("get 100", "await many(keys)", {"many": many, "keys": names[:100]}),
    ]
    return {column: Work(line, space) for column, line, space in lines}


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """Open a store of ours.

    Raises:
        Absent: Its driver is not installed.
    """
    from holdfast import ConfigError, open_store

    try:
        store = open_store(url, timeout=30)  # a busy machine ends no row
    except ConfigError as error:
        if isinstance(error.__cause__, ImportError):
            raise Absent(f"not installed ({error.__cause__.name})") from error
        raise
    with store:
        yield store


def fill(
    table: Table, groups: Sequence[Group], effort: Effort, *, tasks: int = 1
) -> dict[str, Outcome]:
    """Measure group by group into `table`; return group -> what was measured, of those there are.

    A column named `x driver: get` tells how many times as long as its driver's a row's `get` takes.
    """
    sample = effort.sample * (4 if tasks == 1 else 16)  # each task is to have its turns
    effort = replace(effort, rounds=min(effort.rounds, 15), sample=sample, tries=1)
    told: dict[str, Outcome] = {}
    for group in groups:
        try:
            with group.server() as server:
                cases = [
                    replace(case, row=f"{group.name}: {case.row}") for case in group.cases(server)
                ]
                outcome = told[group.name] = measure(cases, effort, tasks=tasks)
        except Absent as word:
            table.rows.append(Row(group.name, {table.columns[0]: str(word)}))
            continue
        timed(table, cases, outcome, per=1e3)
        if group.plain:
            _compare(table, cases, outcome)
    return told


def _compare(table: Table, cases: Sequence[Case], outcome: Outcome) -> None:
    """Fill the columns that compare the rows of a group with its first."""
    for row in table.rows[-len(cases) :]:
        for heading in table.columns:
            column = heading.removeprefix(DRIVER)
            one, driver = _figure(outcome, row.name, column), _figure(outcome, cases[0].row, column)
            if column != heading and one and driver:
                row.cells[heading] = one.over(driver)


def _figure(outcome: Outcome, row: str, column: str) -> Timing | None:
    timings = outcome[row]
    return None if isinstance(timings, Missing) else timings.get(column)
