"""Table `stores-async`: what an operation costs in each store, awaited by one task.

Law: as in `bench/store_rows.py`: 300 bytes, two hundred keys, the plain driver first.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench import store_plain_async as plain
from bench.measure import Case, Effort, Works, timing
from bench.report import Table
from bench.store_rows import (
    COLUMNS,
    DRIVER,
    TTL,
    Group,
    async_works,
    disk,
    fill,
    opened,
    served,
)
from bench.targets import GATHERED


@asynccontextmanager
async def holdfast(url: str) -> AsyncIterator[Works]:
    """Ours, through its URL."""
    with opened(url) as store:
        face = store.aio
        yield await async_works(
            "holdfast",
            face.get,
            lambda key, value: face.put(key, value, TTL),
            lambda key, old, new: face.swap(key, old, new, TTL),
            face.get_many,
        )
        await face.close()


def ours(url: str, name: str = "Holdfast") -> Case:
    """Return our row."""
    return Case(name, partial(holdfast, url), ours=True)


def in_process(folder: Path) -> list[Case]:
    """In this process, and on its disk through threads."""
    return [
        Case("aiosqlite", lambda: plain.sqlite(folder)),
        ours(f"sqlite:///{folder}/h.db", "Holdfast sqlite"),
        ours(f"sqlite+aiosqlite:///{folder}/a.db", "Holdfast sqlite, by SQLAlchemy"),
        ours(f"file:///{folder}/files", "Holdfast file"),
        ours(f"dbm:///{folder}/dbm", "Holdfast dbm"),
        ours("memory://", "Holdfast memory"),
    ]


def on_redis(server: Any) -> list[Case]:
    """Redis and Valkey."""
    return [Case("plain redis-py", lambda: plain.redis(server)), ours(server.url)]


def on_memcached(server: Any) -> list[Case]:
    """One memcached."""
    return [Case("plain emcache", lambda: plain.emcache(server)), ours(server.url)]


def on_postgresql(server: Any) -> list[Case]:
    """PostgreSQL by both drivers."""
    return [
        Case("plain asyncpg", lambda: plain.postgres(server)),
        Case("plain psycopg, one connection", lambda: plain.psycopg_one(server)),
        ours(server.url, "Holdfast, psycopg"),
        ours(server.url.replace("+psycopg", "+asyncpg"), "Holdfast, asyncpg"),
    ]


def on_mariadb(server: Any) -> list[Case]:
    """MariaDB by asyncmy."""
    return [Case("plain asyncmy", lambda: plain.mysql(server)), ours(server.url)]


def on_mongodb(server: Any) -> list[Case]:
    """MongoDB by pymongo."""
    return [Case("plain pymongo", lambda: plain.mongo(server)), ours(server.url)]


def on_tyrant(server: Any) -> list[Case]:
    """Tokyo Tyrant, which has no other driver for today's Python."""
    return [ours(server.url)]


GROUPS = (
    Group("process", disk, in_process),
    *served([on_redis, on_memcached, on_postgresql, on_mariadb, on_mongodb, on_tyrant]),
)


def run(effort: Effort, *, tasks: int = 1) -> Table:
    """Measure the table."""
    name, who = ("stores-async", "one task") if tasks == 1 else ("stores-tasks", f"{tasks} tasks")
    columns = [*COLUMNS, f"{DRIVER}get", f"{DRIVER}put"]
    table = Table(name, f"every store, 300 bytes, {who}", "us per call", columns)
    told = fill(table, GROUPS, effort, tasks=tasks)
    table.notes.append("client and server on one core; a stand-in is a test server in Python")
    if tasks > 1 and "redis" in told:
        ours = timing(told["redis"], "redis: Holdfast", "get")
        driver = timing(told["redis"], "redis: plain redis-py", "get")
        if ours and driver:
            table.verdicts.append(GATHERED.judge(driver.over(ours)))
    return table
