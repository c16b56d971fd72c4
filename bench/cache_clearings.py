"""How each library forgets a thousand values at once, for the table `clear`.

Law: each is a context manager that yields a `Clearing`, in the words of the library's documents.
`left` asks through another handle, as another process would.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = [
    "TTL", "Clearing", "aiocache", "beaker", "cashews", "diskcache", "dogpile", "holdfast", "scan",
    "those",
]  # fmt: skip

TTL = 3600


@dataclass(frozen=True, slots=True)
class Clearing:
    """What a row does.

    Attributes:
        put: Keeps the values.
        clear: Forgets them.
        left: Whether another process would still be served one of them.
    """

    put: Callable[[], object]
    clear: Callable[[], object]
    left: Callable[[], bool]


def those(count: int) -> dict[str, str]:
    """Return the values that are to be forgotten."""
    return {f"those-{number}": f"value {number}" for number in range(count)}


@contextmanager
def scan(url: str, values: dict[str, str]) -> Iterator[Clearing]:
    """SCAN by tens and DEL, which is what django-redis makes of `delete_pattern`."""
    from redis import Redis

    with Redis.from_url(url) as client:

        def put() -> None:
            with client.pipeline() as pipeline:
                for key, value in values.items():
                    pipeline.set(f"scan:{key}", value, ex=TTL)
                pipeline.execute()

        def clear() -> None:
            with client.pipeline() as pipeline:
                for key in client.scan_iter(match="scan:*", count=10):
                    pipeline.delete(key)
                pipeline.execute()

        yield Clearing(put, clear, lambda: bool(client.exists("scan:those-7")))


@contextmanager
def beaker(url: str, values: dict[str, str]) -> Iterator[Clearing]:
    """`clear` of a namespace: KEYS, then each by itself."""
    from beaker.cache import Cache

    here, there = (Cache("clear", type="ext:redis", url=url, expire=TTL) for _ in range(2))

    def put() -> None:
        for key, value in values.items():
            here.put(key, value)

    yield Clearing(put, here.clear, lambda: "those-7" in there)


@contextmanager
def dogpile(url: str, values: dict[str, str], *, known: bool) -> Iterator[Clearing]:
    """`delete_multi` of keys one must know, or `invalidate`, a time kept in this process."""
    from dogpile.cache import make_region
    from dogpile.cache.api import NO_VALUE

    arguments = {"url": url, "redis_expiration_time": TTL}
    here, there = (
        make_region().configure("dogpile.cache.redis", expiration_time=TTL, arguments=arguments)
        for _ in range(2)
    )
    clear = (lambda: here.delete_multi(list(values))) if known else here.invalidate
    yield Clearing(
        lambda: here.set_multi(values), clear, lambda: there.get("those-7") is not NO_VALUE
    )


@contextmanager
def aiocache(url: str, values: dict[str, str]) -> Iterator[Clearing]:
    """`clear` of a namespace: KEYS, then one DEL."""
    from aiocache import Cache

    place = urlsplit(url)
    names = {"endpoint": place.hostname, "port": place.port, "namespace": "clear"}
    with asyncio.Runner() as runner:
        cache = Cache(Cache.REDIS, timeout=60, **names)

        async def put() -> None:
            await cache.multi_set(list(values.items()), ttl=TTL)

        yield Clearing(
            lambda: runner.run(put()),
            lambda: runner.run(cache.clear(namespace="clear")),
            lambda: runner.run(cache.exists("those-7")),
        )
        runner.run(cache.close())


@contextmanager
def cashews(url: str, values: dict[str, str], *, tag: bool) -> Iterator[Clearing]:
    """`delete_tags`, or `delete_match`."""
    from cashews import Cache

    with asyncio.Runner() as runner:
        cache = Cache()
        cache.setup(url)

        async def put() -> None:
            for key, value in values.items():
                await cache.set(f"cashews:{key}", value, expire=TTL, tags=["t"] if tag else [])

        async def clear() -> None:
            await (cache.delete_tags("t") if tag else cache.delete_match("cashews:*"))

        async def left() -> bool:
            return bool(await cache.exists("cashews:those-7"))

        yield Clearing(
            lambda: runner.run(put()), lambda: runner.run(clear()), lambda: runner.run(left())
        )
        runner.run(cache.close())


@contextmanager
def diskcache(folder: str, values: dict[str, str]) -> Iterator[Clearing]:
    """`evict` of a tag, with its index."""
    from diskcache import Cache

    with ExitStack() as ends:
        here, there = (
            ends.enter_context(Cache(folder, tag_index=True, eviction_policy="none"))
            for _ in range(2)
        )

        def put() -> None:
            with here.transact():
                for key, value in values.items():
                    here.set(key, value, expire=TTL, tag="t")

        yield Clearing(put, lambda: here.evict("t"), lambda: "those-7" in there)


@contextmanager
def holdfast(url: str, values: dict[str, str], *, tag: bool) -> Iterator[Clearing]:
    """`invalidate_tags`, or `clear` of a namespace."""
    from holdfast import Cache

    with Cache(url, ttl=TTL) as here, Cache(url, ttl=TTL, near=False) as there:
        if tag:
            yield Clearing(
                lambda: here.put_many(values, tags=["t"]),
                lambda: here.invalidate_tags("t"),
                lambda: "those-7" in there,
            )
        else:
            part, same_part = here.namespace("those"), there.namespace("those")
            yield Clearing(
                lambda: part.put_many(values), part.clear, lambda: "those-7" in same_part
            )
