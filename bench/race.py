"""Table `race`: a value is invalidated while somebody makes it anew. Is it gone?

Law: a reader begins to create from the old source; the source changes; the key is invalidated, in
the library's own words; only then the creation ends. Told is what a reader gets after all that.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.measure import NOT_INSTALLED, Effort
from bench.report import Row, Table
from bench.targets import INVALIDATION

PATIENCE = 0.25  # seconds an invalidation may take before it counts as waiting for the creation
ANSWERS = 10.0

Create = Callable[[], str]
Setup = Callable[[Create], tuple[Callable[[], object], Callable[[], object]]]
AsyncCreate = Callable[[], Awaitable[str]]
AsyncSetup = Callable[
    [AsyncCreate], tuple[Callable[[], Awaitable[object]], Callable[[], Awaitable[object]]]
]


def play(setup: Setup) -> tuple[str, str]:
    """Run the scene with threads; return what is read afterwards, and whether it waited."""
    source, begun, go = ["old"], threading.Event(), threading.Event()

    def create() -> str:
        made = source[0]
        begun.set()
        go.wait(ANSWERS)
        return made

    read, invalidate = setup(create)
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert begun.wait(ANSWERS)
    source[0] = "new"
    other = threading.Thread(target=invalidate, daemon=True)
    other.start()
    other.join(PATIENCE)
    waited = other.is_alive()
    go.set()
    reader.join(ANSWERS)
    other.join(ANSWERS)
    return str(read()), "yes" if waited else "no"


async def play_tasks(setup: AsyncSetup) -> tuple[str, str]:
    """Run the scene with tasks."""
    source, begun, go = ["old"], asyncio.Event(), asyncio.Event()

    async def create() -> str:
        made = source[0]
        begun.set()
        await go.wait()
        return made

    read, invalidate = setup(create)
    reader = asyncio.ensure_future(read())
    await asyncio.wait_for(begun.wait(), ANSWERS)
    source[0] = "new"
    other = asyncio.ensure_future(invalidate())
    await asyncio.wait([other], timeout=PATIENCE)
    waited = not other.done()
    go.set()
    await asyncio.gather(reader, other, return_exceptions=True)
    return str(await read()), "yes" if waited else "no"


def lru(create: Create) -> Any:
    """It can only forget everything."""
    cached = lru_cache(128)(create)
    return cached, cached.cache_clear


def cachetools(create: Create) -> Any:
    """Out of the dict."""
    from cachetools import TTLCache, cached
    from cachetools.keys import hashkey

    kept: TTLCache[Any, str] = TTLCache(128, 3600)
    return cached(kept)(create), lambda: kept.pop(hashkey(), None)


def cachebox(create: Create) -> Any:
    """Everything: its keys are its own business."""
    from cachebox import TTLCache, cached

    kept: TTLCache[Any, str] = TTLCache(128, global_ttl=3600)
    return cached(kept)(create), kept.clear


def theine(create: Create) -> Any:
    """Under a key that is known."""
    from datetime import timedelta

    from theine import Memoize

    memo = Memoize(128, timedelta(hours=1))
    cached = memo(create)
    cached.key(lambda: "price")
    return cached, lambda: memo.cache.delete("price")


def beaker(create: Create) -> Any:
    """`get` with a creator, `remove_value`."""
    from beaker.cache import Cache

    kept = Cache("race", type="memory", expire=3600)
    return lambda: kept.get("price", createfunc=create), lambda: kept.remove_value("price")


def dogpile(create: Create) -> Any:
    """`get_or_create`, `delete`."""
    from dogpile.cache import make_region

    kept = make_region().configure("dogpile.cache.memory", expiration_time=3600)
    return lambda: kept.get_or_create("price", create), lambda: kept.delete("price")


def diskcache(folder: Path) -> Setup:
    """`memoize`, `delete`."""

    def setup(create: Create) -> Any:
        from diskcache import Cache

        kept = Cache(str(folder / "race"))
        cached = kept.memoize(expire=3600)(create)
        return cached, lambda: kept.delete(cached.__cache_key__())

    return setup


def async_lru(create: AsyncCreate) -> Any:
    """`cache_invalidate`."""
    from async_lru import alru_cache

    cached = alru_cache(128, ttl=3600)(create)

    async def invalidate() -> None:
        cached.cache_invalidate()

    return cached, invalidate


def aiocache(create: AsyncCreate) -> Any:
    """`delete`."""
    from aiocache import cached

    kept = cached(ttl=3600, key="price")
    return kept(create), lambda: kept.cache.delete("price")


def cashews(create: AsyncCreate) -> Any:
    """`delete`."""
    from cashews import Cache

    cache = Cache()
    cache.setup("mem://")
    return cache(ttl=3600, key="price")(create), lambda: cache.delete("price")


def holdfast(*, url: str | None = None, tag: bool = False) -> Setup:
    """`get_or_create`; `delete`, or `invalidate_tags`."""

    def setup(create: Create) -> Any:
        from holdfast import Cache

        cache = Cache(url)
        tags = ("prices",) if tag else ()
        gone = (lambda: cache.invalidate_tags("prices")) if tag else (lambda: cache.delete("price"))
        return lambda: cache.get_or_create("price", create, tags=tags), gone

    return setup


def holdfast_elsewhere(url: str) -> Setup:
    """Another cache over the same store, as in another process, deletes."""

    def setup(create: Create) -> Any:
        from holdfast import Cache

        here, there = Cache(url, near=False), Cache(url, near=False)
        return lambda: here.get_or_create("price", create), lambda: there.delete("price")

    return setup


def holdfast_tasks(create: AsyncCreate) -> Any:
    """The async face."""
    from holdfast import Cache

    cache = Cache()
    return lambda: cache.aio.get_or_create("price", create), lambda: cache.aio.delete("price")


def run(effort: Effort) -> Table:
    """Play the scene with everybody; the effort makes no difference."""
    del effort
    table = Table(
        "race", "invalidated while it is created", "", ["read after", "invalidation waits"]
    )
    with TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder}/race.db"
        threads: dict[str, Setup] = {
            "lru_cache": lru,
            "cachetools": cachetools,
            "cachebox": cachebox,
            "theine": theine,
            "Beaker, memory": beaker,
            "dogpile, memory": dogpile,
            "diskcache": diskcache(folder),
            "Holdfast": holdfast(),
            "Holdfast, by tag": holdfast(tag=True),
            "Holdfast, sqlite": holdfast(url=url),
            "Holdfast, sqlite, another process": holdfast_elsewhere(f"sqlite:///{folder}/other.db"),
        }
        tasks: dict[str, AsyncSetup] = {
            "async_lru": async_lru,
            "aiocache": aiocache,
            "cashews": cashews,
            "Holdfast, tasks": holdfast_tasks,
        }
        for row, setup in threads.items():
            _tell(table, row, lambda setup=setup: play(setup))  # type: ignore[misc]
        for row, scene in tasks.items():
            _tell(table, row, lambda scene=scene: asyncio.run(play_tasks(scene)))  # type: ignore[misc]
    return table


def _tell(table: Table, name: str, scene: Callable[[], tuple[str, str]]) -> None:
    """Add a row, and the verdict where it is ours."""
    row = Row(name, {}, ours=name.startswith("Holdfast"))
    table.rows.append(row)
    try:
        told = scene()
    except ImportError:
        row.cells[table.columns[0]] = NOT_INSTALLED
        return
    row.cells.update(zip(table.columns, told, strict=True))
    if row.ours:
        table.verdicts.append(INVALIDATION.judge(float(told[0] == "new"), name))
