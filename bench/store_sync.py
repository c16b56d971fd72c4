"""Table `stores`: what an operation costs in each store, called by one thread.

Law: as in `bench/store_rows.py`: 300 bytes, two hundred keys, the plain driver first. `get 100` is
one call for a hundred values.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench import store_peers as peers
from bench import store_plain as plain
from bench.measure import Case, Effort, Outcome, Works, timing
from bench.report import Table
from bench.store_rows import COLUMNS, DRIVER, TTL, Group, disk, fill, opened, served, works
from bench.targets import DRIVER_OVERHEAD


@contextmanager
def holdfast(url: str) -> Iterator[Works]:
    """Ours, through its URL."""
    with opened(url) as store:
        yield works(
            "holdfast",
            store.get,
            lambda key, value: store.put(key, value, TTL),
            lambda key, old, new: store.swap(key, old, new, TTL),
            store.get_many,
        )


def ours(url: str, name: str = "Holdfast") -> Case:
    """Return our row."""
    return Case(name, partial(holdfast, url), ours=True)


def in_memory(_: object) -> list[Case]:
    """In this process."""
    return [
        Case("Beaker memory", lambda: peers.beaker("memory")),
        Case("dogpile memory", lambda: peers.dogpile("memory")),
        ours("memory://"),
    ]


def on_files(folder: Path) -> list[Case]:
    """One file per key, and dbm files."""
    return [
        Case("plain dbm, no expiry, one process", lambda: plain.files(folder)),
        Case("Beaker file", lambda: peers.beaker_files("file", folder / "beaker")),
        Case("Beaker dbm", lambda: peers.beaker_files("dbm", folder / "beaker-dbm")),
        Case("dogpile dbm", lambda: peers.dogpile("dbm", filename=str(folder / "dogpile"))),
        ours(f"file:///{folder}/files", "Holdfast file"),
        ours(f"dbm:///{folder}/dbm", "Holdfast dbm"),
    ]


def on_sqlite(folder: Path) -> list[Case]:
    """SQLite, which no server serves."""
    return [
        Case("plain sqlite3", lambda: plain.sqlite(folder)),
        Case("Beaker ext:database", lambda: peers.beaker_database(f"sqlite:///{folder}/beaker.db")),
        ours(f"sqlite:///{folder}/h.db"),
        ours(f"sqlite+pysqlite:///{folder}/a.db", "Holdfast, by SQLAlchemy"),
    ]


def on_redis(server: Any) -> list[Case]:
    """Redis and Valkey."""
    return [
        Case("plain redis-py", lambda: plain.redis(server)),
        Case("Beaker ext:redis", lambda: peers.beaker("ext:redis", server.url)),
        Case(
            "dogpile redis",
            lambda: peers.dogpile("redis", url=server.url, redis_expiration_time=TTL),
        ),
        ours(server.url),
    ]


def on_memcached(server: Any) -> list[Case]:
    """One memcached."""
    place = peers.place_of(server)
    return [
        Case("plain pymemcache", lambda: plain.memcache(server)),
        Case("Beaker ext:memcached", lambda: peers.beaker("ext:memcached", place)),
        Case(
            "dogpile pymemcache",
            lambda: peers.dogpile("pymemcache", url=place, memcached_expire_time=TTL),
        ),
        ours(server.url),
    ]


def on_postgresql(server: Any) -> list[Case]:
    """PostgreSQL by psycopg."""
    return [
        Case("plain psycopg", lambda: plain.postgres(server)),
        Case("Beaker ext:database", lambda: peers.beaker_database(server.url)),
        ours(server.url),
    ]


def on_mariadb(server: Any) -> list[Case]:
    """MariaDB by PyMySQL."""
    return [
        Case("plain PyMySQL", lambda: plain.mysql(server)),
        Case("Beaker ext:database", lambda: peers.beaker_database(server.url)),
        ours(server.url),
    ]


def on_mongodb(server: Any) -> list[Case]:
    """MongoDB by pymongo."""
    return [Case("plain pymongo", lambda: plain.mongo(server)), ours(server.url)]


def on_tyrant(server: Any) -> list[Case]:
    """Tokyo Tyrant, which has no other driver for today's Python."""
    return [ours(server.url)]


GROUPS = (
    Group("memory", disk, in_memory, plain=False),
    Group("files", disk, on_files),
    Group("sqlite", disk, on_sqlite),
    *served([on_redis, on_memcached, on_postgresql, on_mariadb, on_mongodb, on_tyrant]),
)


def run(effort: Effort) -> Table:
    """Measure the table."""
    columns = [*COLUMNS, f"{DRIVER}get", f"{DRIVER}put"]
    table = Table("stores", "every store, 300 bytes, one thread", "us per call", columns)
    told = fill(table, GROUPS, effort)
    table.notes.append("client and server on one core; a stand-in is a test server in Python")
    if "redis" in told:
        _judge(table, told["redis"])
    return table


def _judge(table: Table, redis: Outcome) -> None:
    """Compare our Redis with its driver."""
    for column in ("get", "put"):
        ours = timing(redis, "redis: Holdfast", column)
        driver = timing(redis, "redis: plain redis-py", column)
        if ours and driver:
            table.verdicts.append(DRIVER_OVERHEAD.judge(ours.over(driver), f"redis {column}"))
