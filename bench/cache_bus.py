"""Table `bus`: near tiers that are told what other processes change.

Law: two processes, a reader and a writer, and a server, on all cores. `get` and `cached` read what
is near, in the reader. `seen` is the time from when the writer begins to write to when the reader,
who looks every 0.2 ms, reads the new value; the reader's look is part of it.
"""

import asyncio
import multiprocessing
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from statistics import median, quantiles
from typing import Any

from bench import cache_links as links
from bench.cache_links import KEY
from bench.measure import NOT_INSTALLED, Absent, Case, Effort, Missing, Work, Works, measure
from bench.report import Row, Table
from bench.servers import running
from bench.targets import BUS_HIT, BUS_SEEN

GET, CACHED, HALF, MOST = "get, ns", "cached, ns", "seen p50, ms", "seen p99, ms"
CHANGES = 300
LOOKS, GIVES_UP, ANSWERS = 0.0002, 2.0, 60.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A row.

    Args:
        row: Its name.
        link: Opens a near tier in each of the two processes.
        tasks: Whether it awaits.
    """

    row: str
    link: Callable[[], Any]
    tasks: bool = False

    @property
    def ours(self) -> bool:
        """Whether it is ours."""
        return self.row.startswith("Holdfast")


def ours(name: str, url: str, bus: str) -> list[Pair]:
    """Return our two rows with a bus."""
    awaited = partial(links.holdfast_tasks, url, bus)
    return [
        Pair(f"Holdfast, {name}", partial(links.holdfast, url, bus)),
        Pair(f"Holdfast, {name}, awaited", awaited, tasks=True),
    ]


def on_redis(server: Any) -> list[Pair]:
    """Redis."""
    url = server.url
    return [
        Pair("redis-py, a GET each time", partial(links.redis_plain, url)),
        Pair("redis-py client-side cache", partial(links.redis_client_cache, url)),
        Pair("cashews client_side", partial(links.cashews, url), tasks=True),
        Pair(
            "cashews client_side, protocol=2",
            partial(links.cashews, f"{url}?protocol=2"),
            tasks=True,
        ),
        *ours("tracking", url, "tracking"),
        *ours("pub/sub", url, "pubsub"),
    ]


def on_postgresql(server: Any) -> list[Pair]:
    """PostgreSQL."""
    return ours("LISTEN", server.url, "listen")


PLACES: tuple[tuple[str, str, str, Callable[[Any], list[Pair]]], ...] = (
    ("redis", "redis", "run_redis", on_redis),
    ("postgresql", "postgresql", "run_postgresql", on_postgresql),
)


def run(effort: Effort) -> Table:
    """Measure the table."""
    table = Table("bus", "near hits that other processes can end", "", [GET, CACHED, HALF, MOST])
    for name, module, start, pairs in PLACES:
        try:
            with running(module, start, pinned=False) as server:
                for pair in pairs(server):
                    _play(table, pair, effort)
        except Absent as word:
            table.rows.append(Row(name, {GET: str(word)}))
    table.notes.append(
        f"seen: {max(10, effort.count(CHANGES))} changes; from the begin of the write to the first"
        f" read of it in another process, who looks every {LOOKS * 1e3:g} ms"
    )
    return table


def _play(table: Table, pair: Pair, effort: Effort) -> None:
    """Add the row of a pair, and the verdicts on ours."""
    row = Row(pair.row, {}, pair.ours)
    table.rows.append(row)
    try:
        with _process(pair, effort) as reader, _process(pair, None) as writer:
            row.cells |= _heard(reader)
            _heard(writer)
            seen = _changes(reader, writer, max(10, effort.count(CHANGES)))
    except Absent as word:
        if pair.ours:
            raise RuntimeError(f"{pair.row}: {word}") from word  # no missing peer: a fault
        row.cells[GET] = str(word)
        return
    if None in seen:
        row.cells[HALF] = f"never ({GIVES_UP:.0f} s)"
    else:
        told = [1e3 * each for each in seen if each is not None]
        row.cells |= {HALF: median(told), MOST: quantiles(told, n=100, method="inclusive")[98]}
    if pair.ours:
        _judge(table, row)


def _judge(table: Table, row: Row) -> None:
    for column, target in ((GET, BUS_HIT), (CACHED, BUS_HIT), (HALF, BUS_SEEN), (MOST, BUS_SEEN)):
        if isinstance(figure := row.cells.get(column), float):
            table.verdicts.append(target.judge(figure, f"{row.name}, {column.partition(',')[0]}"))
        elif column == MOST:
            table.verdicts.append(target.judge(1e3 * GIVES_UP, f"{row.name}, never seen"))


def _changes(reader: Connection, writer: Connection, count: int) -> list[float | None]:
    """Let the writer write numbers; return how long each took to be seen, None if it never was."""
    draw, seen = random.Random(1), list[float | None]()  # noqa: S311 - only pauses
    for number in range(1, count + 1):
        reader.send(number)
        time.sleep(draw.uniform(0.002, 0.01))
        writer.send(number)
        wrote, at = _heard(writer), _heard(reader)
        seen.append(None if at is None else at - wrote)
        if seen == [None, None]:
            break  # it does not hear at all
    return seen


def _heard(line: Connection) -> Any:
    """Return what a process says.

    Raises:
        Absent: It cannot do its part.
    """
    if not line.poll(ANSWERS):
        raise Absent("hangs")
    try:
        told = line.recv()
    except EOFError as error:
        raise Absent("failed") from error
    if isinstance(told, Absent):
        raise told
    return told


@contextmanager
def _process(pair: Pair, effort: Effort | None) -> Iterator[Connection]:
    """Start a reader, or a writer who has no `effort`; it ends with the block."""
    context = multiprocessing.get_context("spawn")
    line, theirs = context.Pipe()
    process = context.Process(target=_take_part, args=(theirs, pair, effort), daemon=True)
    process.start()
    theirs.close()
    try:
        yield line
    finally:
        line.close()
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()


def _take_part(line: Connection, pair: Pair, effort: Effort | None) -> None:
    """Be a reader or a writer."""
    try:
        line.send(_hits(pair, effort) if effort else {})
        if pair.tasks:
            asyncio.run(_follow_tasks(line, pair, reads=effort is not None))
        else:
            _follow(line, pair, reads=effort is not None)
    except ImportError as error:
        if pair.ours:
            raise
        line.send(Absent(f"{NOT_INSTALLED} ({error.name})"))
    except Absent as word:
        line.send(word)
    except (EOFError, BrokenPipeError):
        pass  # the table is done


def _hits(pair: Pair, effort: Effort) -> dict[str, float]:
    """Measure near hits."""
    effort = replace(effort, tries=1)
    case = Case("here", partial(_near_tasks if pair.tasks else _near, pair), ours=True)
    timings = measure([case], effort)["here"]
    assert not isinstance(timings, Missing)
    return {column: timing.median for column, timing in timings.items()}


@contextmanager
def _near(pair: Pair) -> Iterator[Works]:
    with pair.link() as link:
        link.put(KEY, 0)
        assert int(link.get(KEY)) == 0
        if link.cached:
            link.cached()
        yield _works(link, "")


@asynccontextmanager
async def _near_tasks(pair: Pair) -> AsyncIterator[Works]:
    async with pair.link() as link:
        await link.put(KEY, 0)
        assert int(await link.get(KEY)) == 0
        if link.cached:
            await link.cached()
        yield _works(link, "await ")


def _works(link: links.Link, wait: str) -> Works:
    works = {GET: Work(f"{wait}get(key)", {"get": link.get, "key": KEY})}
    if link.cached:
        works[CACHED] = Work(f"{wait}cached()", {"cached": link.cached})
    return works


def _follow(line: Connection, pair: Pair, *, reads: bool) -> None:
    """Read until each number is there, or write it; say when that was."""
    with pair.link() as link:
        while True:
            number, began = line.recv(), time.monotonic()
            if reads:
                while (late := _is_late(link.get(KEY), number, began)) is None:
                    time.sleep(LOOKS)
                line.send(None if late else time.monotonic())
            else:
                link.put(KEY, number)
                line.send(began)


async def _follow_tasks(line: Connection, pair: Pair, *, reads: bool) -> None:
    """The same in a loop, which goes on while nothing is asked."""

    async def has(number: int, began: float) -> bool | None:
        return _is_late(await link.get(KEY), number, began)

    async with pair.link() as link:
        while True:
            number, began = await asyncio.to_thread(line.recv), time.monotonic()
            if reads:
                while (late := await has(number, began)) is None:  # noqa: ASYNC110 - a look counts
                    await asyncio.sleep(LOOKS)
                line.send(None if late else time.monotonic())
            else:
                await link.put(KEY, number)
                line.send(began)


def _is_late(read: Any, number: int, began: float) -> bool | None:
    """Return whether a reader gives up, or False where he read it; None: he looks again."""
    if int(read or 0) == number:
        return False
    return True if time.monotonic() > began + GIVES_UP else None
