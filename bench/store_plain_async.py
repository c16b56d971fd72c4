"""Plain drivers for event loops: the floor of the table `stores-async`.

Law: as many connections as 50 tasks get by default, or ten where the driver wants a number; the
fewest calls that do what the column says, expiry included.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.measure import Works
from bench.store_plain import REDIS_SWAP, TABLE, UPSERT, mongo_row, mysql_place, statements
from bench.store_rows import TTL, async_works

__all__ = ["emcache", "mongo", "mysql", "postgres", "psycopg_one", "redis", "sqlite"]

_CONNECTIONS = 10


@asynccontextmanager
async def redis(server: Any) -> AsyncIterator[Works]:
    """What `redis.asyncio.Redis` does with its defaults."""
    from redis.asyncio import Redis

    client: Any = Redis.from_url(server.url)
    async with client:
        script = client.register_script(REDIS_SWAP)

        async def many(keys: Sequence[str]) -> dict[str, bytes]:
            found: list[bytes | None] = await client.mget(keys)
            return {key: value for key, value in zip(keys, found, strict=True) if value}

        yield await async_works(
            "plain",
            client.get,
            lambda key, value: client.set(key, value, ex=TTL),
            lambda key, old, new: script([key], [old, new, TTL]),
            many,
        )


@asynccontextmanager
async def emcache(server: Any) -> AsyncIterator[Works]:
    """What `emcache.Client` does with its defaults."""
    from emcache import MemcachedHostAddress, NotStoredStorageCommandError, create_client

    place = urlsplit(server.url)
    client: Any = await create_client([MemcachedHostAddress(place.hostname, place.port)])

    async def get(key: str) -> bytes | None:
        item = await client.get(key.encode())
        return item.value if item else None

    async def swap(key: str, old: bytes, new: bytes) -> bool:
        name = key.encode()
        item = await client.gets(name)
        if not item or item.value != old:
            return False
        try:
            await client.cas(name, new, item.cas, exptime=TTL)
        except NotStoredStorageCommandError:  # seen at 50 tasks, where nobody else had the key
            return False
        return True

    async def many(keys: Sequence[str]) -> dict[str, bytes]:
        found = await client.get_many([key.encode() for key in keys])
        return {key.decode(): item.value for key, item in found.items()}

    try:
        yield await async_works(
            "plain",
            get,
            lambda key, value: client.set(key.encode(), value, exptime=TTL),
            swap,
            many,
        )
    finally:
        await client.close()


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Works]:
    """What aiosqlite does: one connection in a thread of its own."""
    import aiosqlite

    async with aiosqlite.connect(folder / "plain-async.db", isolation_level=None) as link:
        await link.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
        await link.execute(f"{TABLE.format(blob='BLOB')} WITHOUT ROWID")

        async def rows(statement: str, values: Sequence[Any]) -> Any:
            return await link.execute_fetchall(statement, values)

        async def count(statement: str, values: Sequence[Any]) -> int:
            async with link.execute(statement, values) as cursor:
                return cursor.rowcount

        yield await sql("?", "INSERT OR REPLACE INTO plain VALUES (?, ?, ?)", rows, count)


@asynccontextmanager
async def psycopg_one(server: Any) -> AsyncIterator[Works]:
    """What psycopg's async connection does: one for all tasks."""
    import psycopg

    url = server.url.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as link:
        await link.execute(TABLE.format(blob="BYTEA"))

        async def rows(statement: str, values: Sequence[Any]) -> Any:
            return await (await link.execute(statement, values)).fetchall()

        async def count(statement: str, values: Sequence[Any]) -> int:
            return (await link.execute(statement, values)).rowcount

        yield await sql("%s", UPSERT, rows, count)


@asynccontextmanager
async def postgres(server: Any) -> AsyncIterator[Works]:
    """What asyncpg's pool does."""
    import asyncpg

    url = server.url.replace("+psycopg", "")
    create: Any = asyncpg.create_pool  # which has no types
    async with create(url, min_size=1, max_size=_CONNECTIONS) as pool:
        await pool.execute(TABLE.format(blob="BYTEA").replace("plain", "plain_pool"))
        upsert = UPSERT.replace("plain", "plain_pool") % ("$1", "$2", "$3")

        async def many(keys: Sequence[str]) -> dict[str, bytes]:
            found = await pool.fetch(
                "SELECT k, value FROM plain_pool WHERE k = ANY($1) AND expires > $2",
                keys,
                time.time(),
            )
            return dict(found)

        async def swap(key: str, old: bytes, new: bytes) -> bool:
            now = time.time()
            done: str = await pool.execute(
                "UPDATE plain_pool SET value = $1, expires = $2"
                " WHERE k = $3 AND value = $4 AND expires > $5",
                *(new, now + TTL, key, old, now),
            )
            return done == "UPDATE 1"

        one = "SELECT value FROM plain_pool WHERE k = $1 AND expires > $2"
        yield await async_works(
            "plain",
            lambda key: pool.fetchval(one, key, time.time()),
            lambda key, value: pool.execute(upsert, key, value, time.time() + TTL),
            swap,
            many,
        )


@asynccontextmanager
async def mysql(server: Any) -> AsyncIterator[Works]:
    """What asyncmy's pool does."""
    import asyncmy

    place = mysql_place(server)
    pool: Any = await asyncmy.create_pool(**place, autocommit=True, minsize=1, maxsize=_CONNECTIONS)

    async def rows(statement: str, values: Sequence[Any]) -> Any:
        async with pool.acquire() as link, link.cursor() as cursor:
            await cursor.execute(statement, values)
            return await cursor.fetchall()

    async def count(statement: str, values: Sequence[Any]) -> int:
        async with pool.acquire() as link, link.cursor() as cursor:
            await cursor.execute(statement, values)
            changed: int = cursor.rowcount
            return changed

    try:
        await count(TABLE.format(blob="BLOB"), ())
        yield await sql("%s", "REPLACE INTO plain VALUES (%s, %s, %s)", rows, count)
    finally:
        pool.close()
        await pool.wait_closed()


async def sql(mark: str, upsert: str, rows: Any, count: Any) -> Works:
    """Return the columns of a connection that yields rows and counts what was changed."""
    one, hundred, change = statements(mark)

    async def get(key: str) -> Any:
        found = await rows(one, (key, time.time()))
        return found[0][0] if found else None

    async def swap(key: str, old: bytes, new: bytes) -> bool:
        now = time.time()
        return bool(await count(change, (new, now + TTL, key, old, now)))

    async def many(keys: Sequence[str]) -> dict[str, bytes]:
        return dict(await rows(hundred, (time.time(), *keys)))

    return await async_works(
        "plain", get, lambda key, value: count(upsert, (key, value, time.time() + TTL)), swap, many
    )


@asynccontextmanager
async def mongo(server: Any) -> AsyncIterator[Works]:
    """What `pymongo.AsyncMongoClient` does."""
    from pymongo import AsyncMongoClient

    client: Any = AsyncMongoClient(server.url)
    rows = client["bench"]["plain"]

    async def get(key: str) -> Any:
        row = await rows.find_one({"_id": key, "expires": {"$gt": time.time()}}, {"value": 1})
        return row and row["value"]

    async def swap(key: str, old: bytes, new: bytes) -> bool:
        found = {"_id": key, "value": old, "expires": {"$gt": time.time()}}
        done = await rows.update_one(found, mongo_row(new))
        return bool(done.matched_count)

    async def put(key: str, value: bytes) -> None:
        await rows.update_one({"_id": key}, mongo_row(value), upsert=True)

    async def many(keys: Sequence[str]) -> dict[str, bytes]:
        wanted = {"_id": {"$in": keys}, "expires": {"$gt": time.time()}}
        return {row["_id"]: row["value"] async for row in rows.find(wanted, {"value": 1})}

    try:
        yield await async_works("plain", get, put, swap, many)
    finally:
        await client.close()
