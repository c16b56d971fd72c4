"""How each library decorates a function of one argument, for the tables of caches.

Law: each opener is a context manager that yields a decorator, as the library's documents write it,
with a ttl where it has one and room for a thousand values where it asks. What it opened is closed
at its end. Openers are functions of this module: a crowd's processes find them by name.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

__all__ = [
    "ROOM", "TTL", "aiocache", "aiocache_redis", "async_lru", "beaker", "cachebox", "cachetools",
    "cashews", "crowd_of_tasks", "crowd_of_threads", "diskcache", "diskcache_barrier", "dogpile",
    "dogpile_redis", "holdfast", "holdfast_tasks", "lru",
    "nothing", "theine",
]  # fmt: skip

TTL, ROOM = 3600, 1000

Decorate = Callable[[Callable[..., Any]], Any]


@contextmanager
def nothing() -> Iterator[Decorate]:
    """No cache: what the callers themselves cost."""
    yield lambda function: function


@contextmanager
def lru() -> Iterator[Decorate]:
    """The standard library's, without a ttl."""
    from functools import lru_cache

    yield lru_cache(ROOM)


@contextmanager
def cachetools() -> Iterator[Decorate]:
    """No lock, which is its default."""
    from cachetools import TTLCache, cached

    yield cached(TTLCache(ROOM, TTL))


@contextmanager
def cachebox() -> Iterator[Decorate]:
    """Rust."""
    from cachebox import TTLCache, cached

    yield cached(TTLCache(ROOM, global_ttl=TTL))


@contextmanager
def theine() -> Iterator[Decorate]:
    """W-TinyLFU, Rust."""
    from datetime import timedelta

    from theine import Memoize

    yield Memoize(ROOM, timedelta(seconds=TTL))


@contextmanager
def beaker(kind: str, url: str = "", folder: str | None = None) -> Iterator[Decorate]:
    """One namespace for the function."""
    from beaker.cache import CacheManager

    yield CacheManager(type=kind, url=url, data_dir=folder).cache("bench", expire=TTL)


@contextmanager
def dogpile(kind: str, arguments: dict[str, Any] | None = None) -> Iterator[Decorate]:
    """Its lock is of this process, but for what `arguments` say."""
    from dogpile.cache import make_region

    region = make_region().configure(
        f"dogpile.cache.{kind}", expiration_time=TTL, arguments=arguments or {}
    )
    yield region.cache_on_arguments()


@contextmanager
def dogpile_redis(url: str, *, distributed: bool = False) -> Iterator[Decorate]:
    """On Redis; `distributed` locks there, too."""
    arguments = {"url": url, "redis_expiration_time": TTL}
    if distributed:
        arguments |= {"distributed_lock": True, "thread_local_lock": False}
    with dogpile("redis", arguments) as decorate:
        yield decorate


@contextmanager
def diskcache(folder: str) -> Iterator[Decorate]:
    """`memoize`, on SQLite."""
    from diskcache import Cache

    with Cache(folder) as cache:
        yield cache.memoize(expire=TTL)


@contextmanager
def diskcache_barrier(folder: str) -> Iterator[Decorate]:
    """Looked at before and after its lock, as its documents advise against a stampede."""
    from diskcache import Cache, Lock, barrier

    with Cache(folder) as cache:
        memoize = cache.memoize(expire=TTL)
        yield lambda function: memoize(barrier(cache, Lock)(memoize(function)))


@asynccontextmanager
async def async_lru() -> AsyncIterator[Decorate]:
    """One process, one loop."""
    from async_lru import alru_cache

    yield alru_cache(ROOM, ttl=TTL)


@asynccontextmanager
async def aiocache() -> AsyncIterator[Decorate]:
    """In memory, which has no bound."""
    from aiocache import cached

    yield cached(ttl=TTL)


@asynccontextmanager
async def aiocache_redis(url: str, *, stampede: bool = False) -> AsyncIterator[Decorate]:
    """On Redis; `stampede` is its decorator against one."""
    from aiocache import Cache, cached, cached_stampede

    place = urlsplit(url)
    kind = cached_stampede if stampede else cached
    decorator = kind(ttl=TTL, cache=Cache.REDIS, endpoint=place.hostname, port=place.port)
    yield decorator
    await decorator.cache.close()


@asynccontextmanager
async def cashews(url: str = "mem://", *, lock: bool = False) -> AsyncIterator[Decorate]:
    """A key template, its quicker form; in memory, or on Redis."""
    from cashews import Cache

    cache = Cache()
    cache.setup(url, **({"size": ROOM} if url == "mem://" else {}))
    yield cache(ttl=TTL, key="bench:{key}", lock=lock)
    await cache.close()


@contextmanager
def holdfast(url: str | None = None, *, near: bool = True) -> Iterator[Decorate]:
    """Near only, or over a store."""
    from holdfast import Cache

    with Cache(url, near=near, max_entries=ROOM) as cache:
        yield cache.cached(ttl=TTL)


@asynccontextmanager
async def holdfast_tasks(url: str | None = None, *, near: bool = True) -> AsyncIterator[Decorate]:
    """The same decorator; it looks at the function."""
    from holdfast import Cache, open_store

    store = None if url is None else open_store(url)
    with Cache(store, near=near, max_entries=ROOM) as cache:
        yield cache.cached(ttl=TTL)
        if store is not None:
            await store.aio.close()


@contextmanager
def crowd_of_threads(create: Callable[..., Any], opener: Any) -> Iterator[Any]:
    """A scene of `tests/cache/crowd.py`: what `opener` decorates."""
    with opener() as decorate:
        yield decorate(create)


@asynccontextmanager
async def crowd_of_tasks(create: Callable[..., Any], opener: Any) -> AsyncIterator[Any]:
    """The same with tasks."""
    async with opener() as decorate:
        yield decorate(create)
