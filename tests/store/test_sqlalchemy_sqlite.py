"""The SQLAlchemy store keeps the contract on SQLite, in its own words and in plain SQL."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from holdfast import open_store
from holdfast.clock import Clock, wall
from holdfast.errors import StoreTimeout
from holdfast.store.abilities import CanIncrement, CanScan, CanSweep, CanTellTtl
from holdfast.store.address import parse
from holdfast.store.protocol import OpenStore
from holdfast.store.sqlalchemy import SqlalchemyStore, make_table
from holdfast.store.sqlalchemy.addresses import blocking_engine, shown, url_of
from holdfast.store.sqlalchemy.faces import Rows, of_url
from holdfast.store.sqlalchemy.links import Done, Duplicate
from holdfast.store.sqlalchemy.operations import Operations
from holdfast.store.sqlalchemy.pooled import Pooled
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from holdfast.testing.trial import in_processes, in_threads


class TestSqliteThroughSqlalchemy(StoreSuite):
    """One file for each test; threads serve event loops."""

    abilities = (CanIncrement, CanScan, CanSweep, CanTellTtl)
    examples = 10
    plain = False

    def open(self, tmp_path: Path, clock: ManualClock) -> SqlalchemyStore:
        url = url_of(parse(f"sqlite+pysqlite:///{tmp_path}/rows.db", {}, ""))
        rows = Rows(shown(url), make_table(), 60.0, clock, own_clock=True, plain=self.plain)
        return SqlalchemyStore(rows, of_url(rows, url))


class TestPlainSql(TestSqliteThroughSqlalchemy):
    """What any other database gets: no upsert, no words of its own."""

    plain = True


def operations(path: Path, clock: Clock = wall, *, plain: bool = False) -> Operations:
    url = url_of(parse(f"sqlite+pysqlite:///{path}/rows.db", {}, ""))
    rows = Rows(shown(url), make_table(), 5.0, clock, own_clock=True, plain=plain)
    return rows.pooled(blocking_engine(url, 5.0), ours=True)


def test_an_expired_row_that_is_swept_while_its_key_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    does = operations(tmp_path, clock, plain=True)
    links, swept = does.links, list[int]()
    run = links.run

    def sweeping(*args: Any, **options: Any) -> Done:
        try:
            return run(*args, **options)
        except Duplicate:
            swept.append(does.sweep())
            raise

    does.put("k", b"old", 1)
    clock.advance(2)
    monkeypatch.setattr(links, "run", sweeping)
    assert does.swap("k", None, b"new"), "nobody has the key"
    assert swept == [1]
    assert does.get("k") == b"new"
    assert not does.swap("k", None, b"newer")
    assert isinstance(links, Pooled)
    links.close()


def test_a_connection_that_comes_back_while_its_store_closes(tmp_path: Path) -> None:
    does = operations(tmp_path)
    does.ping()
    links = does.links
    assert isinstance(links, Pooled)
    closed: list[object] = []
    sa.event.listen(links.engine, "close", lambda connection, _: closed.append(connection))
    sa.event.listen(links.engine, "checkin", lambda *_: links.close(), once=True)
    does.ping()
    assert len(closed) == 1


@pytest.mark.slow
def test_forks_while_a_loop_writes(tmp_path: Path) -> None:
    """A child takes no lock of its parent along."""
    rows = {f"k{number}": b"v" for number in range(200)}
    over = threading.Event()

    def work(number: int) -> None:
        store.put(f"c{number}", b"v")
        assert asyncio.run(store.aio.get(f"c{number}")) == b"v"

    async def write() -> None:
        while not over.is_set():
            await asyncio.gather(*(store.aio.put_many(rows) for _ in range(4)))

    with open_store(f"sqlite+aiosqlite:///{tmp_path}/rows.db", timeout=20) as store:
        store.ping()
        writer = threading.Thread(target=lambda: asyncio.run(write()))
        writer.start()
        try:
            for _ in range(10):
                assert set(in_processes(2, work)) == {0}
        finally:
            over.set()
            writer.join()


def test_the_one_connection_of_an_engine_in_memory() -> None:
    """It is kept, with all that is in it, and threads take turns."""
    engine = sa.create_engine(
        "sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False}
    )
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE theirs AS SELECT 1 AS x"))
    first, second = open_store(engine, timeout=20), open_store(engine, timeout=20)

    def work(number: int) -> None:
        store = (first, second)[number % 2]
        for _ in range(20):
            store.put_many({f"k{number}": b"v", f"l{number}": b"w"})
            assert store.get(f"k{number}") == b"v"

    in_threads(4, work)
    with engine.begin() as connection:
        assert connection.execute(sa.text("SELECT x FROM theirs")).all() == [(1,)]
    engine.dispose()


def test_the_one_connection_of_an_async_engine_in_memory() -> None:
    async def work(store: OpenStore, number: int) -> None:
        for _ in range(10):
            await store.aio.put_many({f"k{number}": b"v", f"l{number}": b"w"})
            assert await store.aio.get(f"k{number}") == b"v"

    async def body() -> None:
        engine = create_async_engine("sqlite+aiosqlite://", poolclass=sa.StaticPool)
        async with engine.begin() as connection:
            await connection.execute(sa.text("CREATE TABLE theirs AS SELECT 1 AS x"))
        stores = [open_store(engine, timeout=20) for _ in range(2)]
        await asyncio.gather(*(work(stores[number % 2], number) for number in range(4)))
        async with engine.begin() as connection:
            found = await connection.execute(sa.text("SELECT x FROM theirs"))
            assert found.all() == [(1,)]
        await engine.dispose()

    asyncio.run(body())


def test_a_late_call_of_an_async_engine_lets_its_loop_end(tmp_path: Path) -> None:
    async def late() -> None:
        url = f"sqlite+aiosqlite:///{tmp_path}/rows.db"
        engine = create_async_engine(url, connect_args={"timeout": 1})
        store = open_store(engine, timeout=0.2)
        await store.aio.put("k", b"v")
        with sqlite3.connect(tmp_path / "rows.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreTimeout):
                await store.aio.put("k", b"w")
            other.execute("ROLLBACK")
        other.close()
        assert await store.aio.get("k") in (b"v", b"w")
        await engine.dispose()

    in_threads(1, lambda _: asyncio.run(late()))  # which has its patience
