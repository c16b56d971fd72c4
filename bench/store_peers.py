"""Beaker's and dogpile's stores, as their documents say to use them, for the table `stores`.

Law: their own encoding (pickle) is part of a row, and so are their locks. Where Beaker keeps one
file or row per namespace, a key has a namespace of its own, which is how its sessions use it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from bench.measure import Absent, Works
from bench.store_rows import TTL, keys_of, works

__all__ = ["beaker", "beaker_database", "beaker_files", "dogpile", "place_of"]


def place_of(server: Any) -> str:
    """Return `host:port` of a server, as memcached's clients want it."""
    place = urlsplit(server.url)
    return f"{place.hostname}:{place.port}"


@contextmanager
def beaker(kind: str, url: str = "") -> Iterator[Works]:
    """One namespace for all keys; its locks are files, but for Redis."""
    from beaker.cache import Cache
    from beaker.exceptions import InvalidCacheBackendError

    with TemporaryDirectory() as folder:
        try:
            cache = Cache("bench", type=kind, url=url, data_dir=folder, expire=TTL)
        except InvalidCacheBackendError as error:
            raise Absent(f"not installed (what Beaker needs for {kind})") from error
        yield works("beaker", cache.get, cache.put)


@contextmanager
def beaker_files(kind: str, folder: Path) -> Iterator[Works]:
    """A namespace for each key; a namespace is one file."""
    from beaker.cache import Cache

    caches = {
        key: Cache(key, type=kind, data_dir=str(folder), expire=TTL) for key in keys_of("beaker")
    }
    yield works(
        "beaker",
        lambda key: caches[key].get("value"),
        lambda key, value: caches[key].put("value", value),
    )


@contextmanager
def beaker_database(url: str) -> Iterator[Works]:
    """A namespace for each key, which is one row; made anew each time, for it reads only once."""
    from beaker.cache import Cache

    with TemporaryDirectory() as folder:

        def cache(key: str) -> Any:
            return Cache(key, type="ext:database", url=url, data_dir=folder, expire=TTL)

        yield works(
            "beaker",
            lambda key: cache(key).get("value"),
            lambda key, value: cache(key).put("value", value),
        )


@contextmanager
def dogpile(kind: str, **arguments: object) -> Iterator[Works]:
    """A region without a lock between processes, which is its default."""
    from dogpile.cache import make_region

    region = make_region().configure(
        f"dogpile.cache.{kind}", expiration_time=TTL, arguments=arguments
    )
    yield works("dogpile", region.get, region.set, None, region.get_multi)
