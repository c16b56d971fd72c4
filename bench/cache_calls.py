"""What the tables `misses` and `far` repeat: a cached call of a function of one argument.

Law: the function returns a record of about 300 bytes at once, so that what is measured is the
cache. The rows of a group share a server or a folder and take turns; the first row of a group on
Redis does what must be done with the plain driver, whose figure the others are compared with.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from bench import cache_peers as peers
from bench.measure import Case, Work, Works
from bench.servers import running
from bench.store_rows import VALUE, Group, disk

__all__ = ["COLUMN", "PLAIN", "Calls", "far", "groups", "misses"]

COLUMN = "call"
PLAIN = "plain"
"""What the plain driver finds 300 bytes under."""
RECORD = {
    "id": 90_061, "name": "Assam, second flush", "price": 12.5, "stock": 48, "origin": "India",
    "tags": ["tea", "black", "loose"], "weight": 0.25, "rating": 4.6, "reviews": 1_204,
    "text": "Malty and dark, with a little spice; takes milk well. From the Brahmaputra valley.",
    "shelf": "C-14", "supplier": {"name": "Jorhat Tea Company", "city": "Jorhat", "rank": 2},
}  # fmt: skip

Threads = Callable[[], AbstractContextManager[Any]]
Tasks = Callable[[], AbstractAsyncContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Calls:
    """What a table repeats.

    Args:
        works: Given a cached function, and `await ` for tasks.
        plain: Given a client of redis-py, and the same.
        near: Whether there are caches of this process, and ours over a store keeps values near.
    """

    works: Callable[..., Works]
    plain: Callable[..., Works]
    near: bool


def record(key: int) -> dict[str, Any]:
    """Return what is cached."""
    del key
    return RECORD


async def record_task(key: int) -> dict[str, Any]:
    """Return the same in a loop."""
    del key
    return RECORD


def misses(cached: Any, wait: str = "") -> Works:
    """Call with an argument that never came before."""
    return {COLUMN: Work(f"{wait}cached(next(keys))", {"cached": cached, "keys": count()})}


def far(cached: Any, wait: str = "") -> Works:
    """Call with one that is there."""
    return {COLUMN: Work(f"{wait}cached(7)", {"cached": cached})}


def threads(name: str, opener: Threads, works: Callable[..., Works], *, ours: bool = False) -> Case:
    """Return the row of a library for threads."""

    @contextmanager
    def make() -> Iterator[Works]:
        with opener() as decorate:
            cached = decorate(record)
            assert cached(7) == cached(7) == RECORD
            yield works(cached)

    return Case(name, make, ours=ours)


def tasks(name: str, opener: Tasks, works: Callable[..., Works], *, ours: bool = False) -> Case:
    """Return the row of a library for tasks."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Works]:
        async with opener() as decorate:
            cached = decorate(record_task)
            assert await cached(7) == await cached(7) == RECORD
            yield works(cached, "await ")

    return Case(f"{name}, awaited", make, ours=ours)


def in_memory(works: Callable[..., Works], _: object) -> list[Case]:
    """Caches of this process."""
    return [
        threads("lru_cache", peers.lru, works),
        threads("cachetools TTLCache", peers.cachetools, works),
        threads("cachebox TTLCache", peers.cachebox, works),
        threads("theine Memoize", peers.theine, works),
        threads("Beaker", partial(peers.beaker, "memory"), works),
        threads("dogpile", partial(peers.dogpile, "memory"), works),
        threads("Holdfast", peers.holdfast, works, ours=True),
        tasks("async_lru", peers.async_lru, works),
        tasks("aiocache", peers.aiocache, works),
        tasks("cashews", peers.cashews, works),
        tasks("Holdfast", peers.holdfast_tasks, works, ours=True),
    ]


def plain_redis(work: Callable[[Any], Works], url: str) -> Case:
    """Return the row of redis-py for threads; `work` is given the client."""

    @contextmanager
    def make() -> Iterator[Works]:
        from redis import Redis

        with Redis.from_url(url) as client:
            client.set(PLAIN, VALUE)
            yield work(client)

    return Case("plain redis-py", make)


def plain_redis_tasks(work: Callable[..., Works], url: str) -> Case:
    """Return the row of redis-py for tasks."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Works]:
        from redis.asyncio import Redis

        async with Redis.from_url(url) as client:
            await client.set(PLAIN, VALUE)
            yield work(client, "await ")

    return Case("plain redis-py, awaited", make)


def on_redis(calls: Calls, server: Any) -> list[Case]:
    """Threads on Redis."""
    works, near, url = calls.works, calls.near, server.url
    return [
        plain_redis(calls.plain, url),
        threads("Beaker", partial(peers.beaker, "ext:redis", url), works),
        threads("dogpile", partial(peers.dogpile_redis, url), works),
        threads("Holdfast", partial(peers.holdfast, url, near=near), works, ours=True),
    ]


def on_redis_tasks(calls: Calls, server: Any) -> list[Case]:
    """Tasks on Redis."""
    works, near, url = calls.works, calls.near, server.url
    return [
        plain_redis_tasks(calls.plain, url),
        tasks("aiocache", partial(peers.aiocache_redis, url), works),
        tasks("cashews", partial(peers.cashews, url), works),
        tasks("Holdfast", partial(peers.holdfast_tasks, url, near=near), works, ours=True),
    ]


def on_disk(calls: Calls, folder: Path) -> list[Case]:
    """SQLite, and what others keep on a disk."""
    works, near = calls.works, calls.near
    url, dbm = f"sqlite:///{folder}/h.db", {"filename": str(folder / "dogpile")}
    return [
        threads("diskcache", partial(peers.diskcache, str(folder / "diskcache")), works),
        threads("Beaker dbm", partial(peers.beaker, "dbm", "", str(folder / "beaker")), works),
        threads("dogpile dbm", partial(peers.dogpile, "dbm", dbm), works),
        threads("Holdfast", partial(peers.holdfast, url, near=near), works, ours=True),
        tasks("Holdfast", partial(peers.holdfast_tasks, url, near=near), works, ours=True),
    ]


def groups(calls: Calls) -> list[Group]:
    """Return the groups of a table."""
    redis = partial(running, "redis", "run_redis")
    memory = Group("memory", nullcontext, partial(in_memory, calls.works), plain=False)
    return [
        *([memory] if calls.near else []),
        Group("redis", redis, partial(on_redis, calls)),
        Group("redis", redis, partial(on_redis_tasks, calls)),
        Group("sqlite", disk, partial(on_disk, calls), plain=False),
    ]
