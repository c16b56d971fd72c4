"""Table `race`: a value is invalidated while somebody makes it anew. Is it gone?

Law: a reader begins to create from the old source; the source changes; the key is invalidated, in
the library's own words; only then the creation ends. Told is what a reader gets after all that.
`elsewhere`: who invalidates shares nothing with the reader but the server or the disk.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from bench.measure import NOT_INSTALLED, Absent, Effort
from bench.report import Row, Table
from bench.servers import running
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


def beaker(kind: str = "memory", url: str = "") -> Setup:
    """`get` with a creator, `remove_value`."""

    def setup(create: Create) -> Any:
        from beaker.cache import Cache

        kept = Cache("race", type=kind, url=url, expire=3600)
        return lambda: kept.get("price", createfunc=create), lambda: kept.remove_value("price")

    return setup


def dogpile(url: str | None = None, *, region: bool = False) -> Setup:
    """`get_or_create`; `delete`, or `invalidate` of all there is in the region."""

    def setup(create: Create) -> Any:
        from dogpile.cache import make_region

        kept = make_region().configure(
            "dogpile.cache.redis" if url else "dogpile.cache.memory",
            expiration_time=3600,
            arguments={"url": url} if url else {},
        )
        gone = kept.invalidate if region else lambda: kept.delete("price")
        return lambda: kept.get_or_create("price", create), gone

    return setup


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


def aiocache(url: str | None = None) -> AsyncSetup:
    """`delete`."""

    def setup(create: AsyncCreate) -> Any:
        from aiocache import Cache, cached

        if url is None:
            kept = cached(ttl=3600, key="price")
        else:
            place = urlsplit(url)
            names = {"endpoint": place.hostname, "port": place.port}
            kept = cached(ttl=3600, key="price", cache=Cache.REDIS, **names)
        return kept(create), lambda: kept.cache.delete("price")

    return setup


def cashews(url: str = "mem://", *, tag: bool = False) -> AsyncSetup:
    """`delete`, or `delete_tags`."""

    def setup(create: AsyncCreate) -> Any:
        from cashews import Cache

        cache = Cache()
        cache.setup(url)
        tags = ["prices"] if tag else []
        gone = (lambda: cache.delete_tags("prices")) if tag else (lambda: cache.delete("price"))
        return cache(ttl=3600, key="price", tags=tags)(create), gone

    return setup


Gone = Callable[[Any], Any]
BY_KEY: Gone = lambda cache: cache.delete("price")  # noqa: E731 - a table of ways, one a line
BY_TAG: Gone = lambda cache: cache.invalidate_tags("prices")  # noqa: E731
BY_CLEAR: Gone = lambda cache: cache.clear()  # noqa: E731


def holdfast(url: str | None = None, *, gone: Gone = BY_KEY, elsewhere: bool = False) -> Setup:
    """`get_or_create`; then `gone`, by the same cache or one elsewhere."""

    def setup(create: Create) -> Any:
        from holdfast import Cache

        here = Cache(url, near=not elsewhere)
        there = Cache(url, near=False) if elsewhere else here
        return (
            lambda: here.get_or_create("price", create, tags=["prices"]),
            lambda: gone(there),
        )

    return setup


def holdfast_late(url: str | None = None) -> Setup:
    """The tag is set inside the creation."""

    def setup(create: Create) -> Any:
        from holdfast import Cache, creation

        cache = Cache(url)

        def tagged() -> str:
            made = create()
            creation().tag("prices")
            return made

        return lambda: cache.get_or_create("price", tagged), lambda: BY_TAG(cache)

    return setup


def holdfast_tasks(url: str | None = None, *, gone: Gone = BY_KEY) -> AsyncSetup:
    """The async face."""

    def setup(create: AsyncCreate) -> Any:
        from holdfast import Cache

        face = Cache(url).aio
        return (
            lambda: face.get_or_create("price", create, tags=["prices"]),
            lambda: gone(face),
        )

    return setup


def in_memory(folder: Path) -> dict[str, Setup]:
    """Threads without a server."""
    here, there = f"sqlite:///{folder}/here.db", f"sqlite:///{folder}/there.db"
    return {
        "lru_cache": lru,
        "cachetools": cachetools,
        "cachebox": cachebox,
        "theine": theine,
        "Beaker, memory": beaker(),
        "dogpile, memory": dogpile(),
        "dogpile, memory, the region": dogpile(region=True),
        "diskcache": diskcache(folder),
        "Holdfast": holdfast(),
        "Holdfast, by tag": holdfast(gone=BY_TAG),
        "Holdfast, by a tag set inside": holdfast_late(),
        "Holdfast, by clear": holdfast(gone=BY_CLEAR),
        "Holdfast, sqlite": holdfast(here),
        "Holdfast, sqlite, elsewhere": holdfast(there, elsewhere=True),
    }


def in_memory_tasks(_: object) -> dict[str, AsyncSetup]:
    """Tasks without a server."""
    return {
        "async_lru": async_lru,
        "aiocache": aiocache(),
        "cashews": cashews(),
        "cashews, by tag": cashews(tag=True),
        "Holdfast, tasks": holdfast_tasks(),
        "Holdfast, tasks, by tag": holdfast_tasks(gone=BY_TAG),
    }


def on_redis(url: str) -> dict[str, Setup]:
    """Threads on Redis, a database for each row."""
    return {
        "Beaker, redis": beaker("ext:redis", f"{url}/1"),
        "dogpile, redis": dogpile(f"{url}/2"),
        "Holdfast, redis": holdfast(f"{url}/3"),
        "Holdfast, redis, elsewhere": holdfast(f"{url}/4", elsewhere=True),
        "Holdfast, redis, by tag, elsewhere": holdfast(f"{url}/5", gone=BY_TAG, elsewhere=True),
        "Holdfast, redis, by a tag set inside": holdfast_late(f"{url}/6"),
        "Holdfast, redis, by clear, elsewhere": holdfast(f"{url}/7", gone=BY_CLEAR, elsewhere=True),
    }


def on_redis_tasks(url: str) -> dict[str, AsyncSetup]:
    """Tasks on Redis."""
    return {
        "aiocache, redis": aiocache(f"{url}/8"),
        "cashews, redis": cashews(f"{url}/9"),
        "cashews, redis, by tag": cashews(f"{url}/10", tag=True),
        "Holdfast, redis, tasks": holdfast_tasks(f"{url}/11"),
        "Holdfast, redis, tasks, by tag": holdfast_tasks(f"{url}/12", gone=BY_TAG),
    }


def run(effort: Effort) -> Table:
    """Play the scene with everybody; the effort makes no difference."""
    del effort
    table = Table(
        "race", "invalidated while it is created", "", ["read after", "invalidation waits"]
    )
    with TemporaryDirectory() as name:
        _play_all(table, in_memory(Path(name)), in_memory_tasks(name))
    try:
        with running("redis", "run_redis") as server:
            _play_all(table, on_redis(server.url), on_redis_tasks(server.url))
    except Absent as word:
        table.rows.append(Row("redis", {table.columns[0]: str(word)}))
    return table


def _play_all(table: Table, threads: dict[str, Setup], tasks: dict[str, AsyncSetup]) -> None:
    for row, setup in threads.items():
        _tell(table, row, partial(play, setup))
    for row, scene in tasks.items():
        _tell(table, row, lambda scene=scene: asyncio.run(play_tasks(scene)))  # type: ignore[misc]


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
