"""The SQLAlchemy store in a transaction the user has, and around engines he made."""

import asyncio
import itertools
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from holdfast import open_store
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.store.abilities import AsyncCanIncrement
from holdfast.store.sqlalchemy import SqlalchemyStore, make_table
from holdfast.testing.trial import in_processes
from servers.mariadb import Mariadb
from servers.postgresql import Postgresql

pytestmark = pytest.mark.server
_numbers = itertools.count()


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    server: Postgresql | Mariadb = request.getfixturevalue(request.param)
    return server.url


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def table(engine: sa.Engine) -> sa.Table:
    table = make_table(f"joined{next(_numbers)}")
    table.drop(engine, checkfirst=True)
    table.create(engine)
    return table


def test_a_rollback_undoes_and_a_commit_keeps(engine: sa.Engine, table: sa.Table) -> None:
    outside = open_store(engine, table=table)
    with engine.connect() as connection:
        inside = open_store(connection, table=table)
        inside.put("k", b"v", 60)
        assert inside.swap("s", None, b"v")
        assert not inside.swap("s", None, b"w"), "a refusal leaves the transaction whole"
        assert isinstance(inside, SqlalchemyStore)
        assert inside.increment("n") == 1
        inside.put_many({"a": b"1", "b": b"2"})
        assert inside.get_many(["k", "s", "n"]) == {"k": b"v", "s": b"v", "n": b"1"}
        assert outside.get("k") is None
        connection.rollback()
        assert inside.get_many(["k", "s", "n", "a"]) == {}
        inside.put("k", b"w")
        connection.commit()
        inside.close()
        assert not connection.closed
    assert outside.get("k") == b"w"


def test_no_increment_is_lost_in_transactions(engine: sa.Engine, table: sa.Table) -> None:
    open_store(engine, table=table).put("n", b"0")
    with engine.begin() as connection:
        store = open_store(connection, table=table)
        assert isinstance(store, SqlalchemyStore)
        assert [store.increment("n") for _ in range(3)] == [1, 2, 3]
    assert open_store(engine, table=table).get("n") == b"3"


def test_a_connection_has_one_face(engine: sa.Engine, table: sa.Table) -> None:
    with engine.connect() as connection:
        store = open_store(connection, table=table, prefix="app")
        with pytest.raises(ConfigError, match="AsyncConnection"):
            asyncio.run(store.aio.get("k"))


def test_an_async_connection_takes_part_too(url: str, table: sa.Table) -> None:
    other = create_async_engine(url.replace("pymysql", "asyncmy"))

    async def body() -> None:
        async with other.connect() as connection:
            store = open_store(connection, table=table)
            assert await store.aio.swap("k", None, b"v")
            assert await store.aio.get("k") == b"v"
            with pytest.raises(ConfigError, match="Connection"):
                store.get("k")
            await connection.rollback()
            assert await store.aio.get("k") is None
            await store.aio.put("k", b"w")
            await connection.commit()
            assert await store.aio.get("k") == b"w"
        await other.dispose()

    asyncio.run(body())


def test_a_ready_engine_stays_as_it_was(engine: sa.Engine, table: sa.Table) -> None:
    with open_store(engine, table=table) as store:
        store.put("k", b"v")
        assert asyncio.run(store.aio.get("k")) == b"v"
    with pytest.raises(StoreUnavailable, match="closed"):
        store.get("k")
    with engine.connect() as connection:
        connection.execute(sa.update(table).values(value=b"w"))
        connection.rollback()
        assert connection.execute(sa.select(table.c.value)).scalar() == b"v", "autocommit stayed"


def test_a_ready_async_engine_has_both_faces(url: str, table: sa.Table) -> None:
    ready = create_async_engine(url.replace("pymysql", "asyncmy"))
    store = open_store(ready, table=table)

    async def body(old: bytes | None, new: bytes) -> None:
        assert await store.aio.swap("k", old, new)
        assert isinstance(store.aio, AsyncCanIncrement)
        assert await store.aio.increment("n") == int(new)

    async def last() -> None:
        await body(b"1", b"2")
        await ready.dispose()

    asyncio.run(body(None, b"1"))
    asyncio.run(last())
    assert store.get("k") == b"2"
    store.close()


def test_a_ready_async_engine_after_a_fork(url: str, table: sa.Table) -> None:
    """A child speaks on connections of its own, whichever of two stores is first."""
    ready = create_async_engine(url.replace("psycopg", "asyncpg").replace("pymysql", "asyncmy"))
    stores = [open_store(ready, table=table) for _ in range(2)]

    async def count(number: int) -> None:
        for _ in range(20):
            for store in stores:
                assert isinstance(store.aio, AsyncCanIncrement)
                await store.aio.increment(f"n{number}")

    async def body() -> None:
        await count(0)
        assert set(in_processes(2, lambda number: asyncio.run(count(number + 1)))) == {0}
        await count(0)
        assert [await stores[0].aio.get(f"n{number}") for number in range(3)] == [
            b"80",
            b"40",
            b"40",
        ]
        await ready.dispose()

    asyncio.run(body())


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_no_swap_is_lost_between_transactions(
    engine: sa.Engine, table: sa.Table, level: str
) -> None:
    """Another's swap that came first makes ours false, or its transaction impossible."""
    outside = open_store(engine, table=table)
    outside.put("k", b"old")
    leveled = engine.execution_options(isolation_level=level)
    with leveled.connect() as connection:
        inside = open_store(connection, table=table)
        assert inside.get("k") == b"old"
        assert outside.swap("k", b"old", b"theirs")
        try:
            done = inside.swap("k", b"old", b"ours")
        except StoreUnavailable:  # PostgreSQL under REPEATABLE READ
            done = False
        connection.rollback()
    assert not done
    assert outside.get("k") == b"theirs"
