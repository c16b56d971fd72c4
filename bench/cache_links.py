"""Near tiers that a server keeps true, as each library has them, for the table `bus`.

Law: a link is a context manager (of a loop, where the library awaits) that yields a `Link` once it
hears the server. Links are functions of this module: other processes find them by name.
"""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.measure import Absent

__all__ = [
    "KEY", "Link", "cashews", "holdfast", "holdfast_tasks", "redis_client_cache", "redis_plain",
]  # fmt: skip

KEY, TTL, PATIENCE = "watched", 3600, 10.0


@dataclass(frozen=True, slots=True)
class Link:
    """What a process does with its near tier.

    Attributes:
        get: Called with `KEY`, and awaited where the library awaits: a number, or digits.
        put: Called with `KEY` and a number.
        cached: A cached function of no arguments, if the library decorates.
    """

    get: Callable[[str], Any]
    put: Callable[[str, int], Any]
    cached: Callable[[], Any] | None = None


@contextmanager
def redis_plain(url: str) -> Iterator[Link]:
    """No near tier: a GET each time."""
    from redis import Redis

    with Redis.from_url(url) as client:
        yield Link(client.get, client.set)


@contextmanager
def redis_client_cache(url: str) -> Iterator[Link]:
    """What redis-py has; it wants Redis 7.4, though older ones know the command as well."""
    from redis import Redis
    from redis.cache import CacheConfig
    from redis.connection import CacheProxyConnection

    CacheProxyConnection.MIN_ALLOWED_VERSION = "6.0.0"
    with Redis.from_url(url, protocol=3, cache_config=CacheConfig()) as client:
        yield Link(client.get, client.set)


@asynccontextmanager
async def cashews(url: str) -> AsyncIterator[Link]:
    """`client_side`."""
    from cashews import Cache

    cache = Cache()
    cache.setup(url, client_side=True)

    async def seven() -> int:
        return 7

    yield Link(cache.get, cache.set, cache(ttl=TTL, key="seven")(seven))
    await cache.close()


def _heard(store: Any, bus: str) -> Any:
    """Return a cache whose bus has passed its self-test."""
    from holdfast import Cache

    ready = threading.Event()

    def observe(event: str, _: object) -> None:
        if event == "cache.bus_ready":
            ready.set()

    cache = Cache(store, bus=bus, ttl=TTL, observer=observe)
    cache.get(KEY)
    if not ready.wait(PATIENCE):
        raise Absent(f"no bus in {PATIENCE:.0f} s")
    return cache


@contextmanager
def holdfast(url: str, bus: str) -> Iterator[Link]:
    """Called by threads."""
    with _heard(url, bus) as cache:
        yield Link(cache.get, cache.put, cache.cached()(_seven))


@asynccontextmanager
async def holdfast_tasks(url: str, bus: str) -> AsyncIterator[Link]:
    """Called by tasks."""
    from holdfast import open_store

    store = open_store(url)
    with _heard(store, bus) as cache:
        yield Link(cache.aio.get, cache.aio.put, cache.cached()(_seven_awaited))
        await store.aio.close()


def _seven() -> int:
    return 7


async def _seven_awaited() -> int:
    return 7
