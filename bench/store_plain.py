"""Plain drivers for threads, as one would use them without us: the floor of the table `stores`.

Law: one connection; the fewest calls that do what the column says, expiry included.
"""

import dbm
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.measure import Works
from bench.store_rows import TTL, works

__all__ = [
    "REDIS_SWAP", "TABLE", "UPSERT", "files", "memcache", "mongo", "mongo_row", "mysql",
    "mysql_place", "postgres", "redis", "sqlite",
    "statements",
]  # fmt: skip

REDIS_SWAP = """\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1"""
TABLE = (
    "CREATE TABLE plain (k VARCHAR(250) PRIMARY KEY, value {blob} NOT NULL,"
    " expires DOUBLE PRECISION NOT NULL)"
)
UPSERT = (
    "INSERT INTO plain VALUES (%s, %s, %s)"
    " ON CONFLICT (k) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)


@contextmanager
def redis(server: Any) -> Iterator[Works]:
    """What `redis.Redis` does with its defaults."""
    from redis import Redis

    with Redis.from_url(server.url) as client:
        script = client.register_script(REDIS_SWAP)
        yield works(
            "plain",
            client.get,
            lambda key, value: client.set(key, value, ex=TTL),
            lambda key, old, new: script([key], [old, new, TTL]),
            lambda keys: {k: v for k, v in zip(keys, client.mget(keys), strict=True) if v},
        )


@contextmanager
def memcache(server: Any) -> Iterator[Works]:
    """What `pymemcache.Client` does; its `set` waits for the answer, as ours does."""
    from pymemcache.client.base import Client

    place = urlsplit(server.url)
    with closing(
        Client((place.hostname, place.port), no_delay=True, default_noreply=False)
    ) as client:

        def swap(key: str, old: bytes, new: bytes) -> bool:
            value, token = client.gets(key)
            return value == old and bool(client.cas(key, new, token, expire=TTL))

        yield works(
            "plain",
            client.get,
            lambda key, value: client.set(key, value, expire=TTL),
            swap,
            client.get_many,
        )


@contextmanager
def sqlite(folder: Path) -> Iterator[Works]:
    """What the module sqlite3 does, in the modes we choose, too."""
    with closing(sqlite3.connect(folder / "plain.db", isolation_level=None)) as link:
        link.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
        link.execute(f"{TABLE.format(blob='BLOB')} WITHOUT ROWID")
        yield works(
            "plain", *sql(link.execute, "?", "INSERT OR REPLACE INTO plain VALUES (?, ?, ?)")
        )


@contextmanager
def postgres(server: Any) -> Iterator[Works]:
    """What psycopg does: it prepares a statement by itself after some rounds."""
    import psycopg

    with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as link:
        link.execute(TABLE.format(blob="BYTEA"))
        yield works("plain", *sql(link.execute, "%s", UPSERT))


@contextmanager
def mysql(server: Any) -> Iterator[Works]:
    """What PyMySQL does."""
    import pymysql

    connect: Any = pymysql.connect  # its cursor has no types
    link = connect(**mysql_place(server), autocommit=True)
    with closing(link):

        def run(statement: str, values: Sequence[Any]) -> Any:
            cursor = link.cursor()
            cursor.execute(statement, values)
            return cursor

        run(TABLE.format(blob="BLOB"), ())
        yield works("plain", *sql(run, "%s", "REPLACE INTO plain VALUES (%s, %s, %s)"))


def mysql_place(server: Any) -> dict[str, Any]:
    """Return where a MariaDB is, by the names its drivers use."""
    place = urlsplit(server.url)
    return {
        "host": place.hostname,
        "port": place.port,
        "user": place.username,
        "password": place.password or "",
        "database": place.path[1:],
    }


def statements(mark: str) -> tuple[str, str, str]:
    """Return how to read one row, to read a hundred and to swap; `mark` is a value's place."""
    marks = ", ".join([mark] * 100)
    change = (
        f"UPDATE plain SET value = {mark}, expires = {mark}"  # noqa: S608 - only marks
        f" WHERE k = {mark} AND value = {mark} AND expires > {mark}"
    )
    return (
        f"SELECT value FROM plain WHERE k = {mark} AND expires > {mark}",  # noqa: S608 - only marks
        f"SELECT k, value FROM plain WHERE expires > {mark} AND k IN ({marks})",  # noqa: S608 - too
        change,
    )


def sql(run: Any, mark: str, upsert: str) -> tuple[Any, Any, Any, Any]:
    """Return what `works` takes, for a connection of the DB API."""
    one, hundred, change = statements(mark)

    def get(key: str) -> Any:
        row = run(one, (key, time.time())).fetchone()
        return row and row[0]

    def swap(key: str, old: bytes, new: bytes) -> bool:
        now = time.time()
        return bool(run(change, (new, now + TTL, key, old, now)).rowcount)

    return (
        get,
        lambda key, value: run(upsert, (key, value, time.time() + TTL)),
        swap,
        lambda keys: dict(run(hundred, (time.time(), *keys)).fetchall()),
    )


@contextmanager
def mongo(server: Any) -> Iterator[Works]:
    """What `pymongo.MongoClient` does."""
    from pymongo import MongoClient

    client: Any = MongoClient(server.url)
    with closing(client):
        rows = client["bench"]["plain"]

        def swap(key: str, old: bytes, new: bytes) -> bool:
            found = {"_id": key, "value": old, "expires": {"$gt": time.time()}}
            done = rows.update_one(found, mongo_row(new))
            return bool(done.matched_count)

        def wanted(keys: Sequence[str]) -> dict[str, Any]:
            return {"_id": {"$in": keys}, "expires": {"$gt": time.time()}}

        def get(key: str) -> Any:
            row = rows.find_one({"_id": key, "expires": {"$gt": time.time()}}, {"value": 1})
            return row and row["value"]

        yield works(
            "plain",
            get,
            lambda key, value: rows.update_one({"_id": key}, mongo_row(value), upsert=True),
            swap,
            lambda keys: {
                row["_id"]: row["value"] for row in rows.find(wanted(keys), {"value": 1})
            },
        )


def mongo_row(value: bytes) -> list[dict[str, Any]]:
    """Return the update that writes `value`."""
    return [{"$set": {"value": value, "expires": time.time() + TTL}}]


@contextmanager
def files(folder: Path) -> Iterator[Works]:
    """What the module dbm does: no expiry, one process alone, so that it is no equal."""
    with dbm.open(str(folder / "plain"), "n") as rows:

        def put(key: str, value: bytes) -> None:
            rows[key] = value

        yield works("plain", rows.get, put)
