"""The SQLAlchemy store's addresses, its table, and its connections: how many and how long."""

import asyncio
import itertools
import time

import pytest
import sqlalchemy as sa

from holdfast import open_store
from holdfast.errors import ConfigError, StoreTimeout, StoreUnavailable
from holdfast.store.protocol import OpenStore
from holdfast.store.sqlalchemy import SqlalchemyStore
from holdfast.testing.trial import in_processes, in_threads
from servers.mariadb import Mariadb
from servers.postgresql import Postgresql

pytestmark = pytest.mark.server
_numbers = itertools.count()

Database = Postgresql | Mariadb


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


def opened(server: Database, table: str = "") -> OpenStore:
    return open_store(server.url, table=table or f"life{next(_numbers)}", timeout=20)


def settled(server: Database) -> int:
    """Return how many connections there are when the server has noticed who went."""
    for _ in range(100):
        if not server.connections():
            return 0
        time.sleep(0.02)
    return server.connections()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+nothing://h/d", "knows no"),
        ("nosuch+thing://h/d", "knows no"),
        ("mysql+aiomysql://u:top-secret@h/d", "asyncmy"),
        ("postgresql://u:top-secret@h:port/d", "cannot be read"),
        ("sqlite+pysqlite://", "memory://"),
        ("sqlite+pysqlite:///:memory:", "memory://"),
        ("postgresql://h/d?table=", "table"),
        ("postgresql://h/d?timeout=0", "timeout"),
        ("mysql://u:top-secret@h", "needs a database"),
        ("mariadb+pymysql://u:top-secret@h/?charset=utf8mb4", "needs a database"),
        ("postgresql+psycopg2://u:top-secret@h/d", "pip install psycopg2`"),
        ("mysql+mysqldb://u:top-secret@h/d", "pip install mysqlclient`"),
    ],
)
def test_a_wrong_address_says_the_mend(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        open_store(url)
    assert "top-secret" not in str(caught.value)


def test_a_wrong_table_says_the_mend() -> None:
    engine = sa.create_engine("postgresql+psycopg://h/d")
    with pytest.raises(ConfigError, match="key"):
        open_store(engine, table=sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer)))
    with pytest.raises(ConfigError, match="option"):
        open_store(engine, tabel="t")
    with pytest.raises(ConfigError, match="memory://"):
        open_store(sa.create_engine("sqlite://"))


def test_options_of_the_driver_go_along(postgresql: Postgresql) -> None:
    with open_store(f"{postgresql.url}?application_name=shop&table=along") as store:
        store.put("k", b"v")
        assert asyncio.run(store.aio.get("k")) == b"v"
        assert "shop" not in store.name
    with pytest.raises(StoreUnavailable, match="SSL"):
        open_store(f"{postgresql.url}?sslmode=require").get("k")


@pytest.mark.parametrize("option", ["nosuch=1", "ssl=true", "read_timeout=soon"])
def test_an_option_the_driver_refuses_is_a_config_error(mariadb: Mariadb, option: str) -> None:
    with open_store(f"{mariadb.url}?{option}") as store:
        with pytest.raises(ConfigError, match="option") as in_thread:
            store.get("k")
        with pytest.raises(ConfigError, match="option") as in_loop:
            asyncio.run(store.aio.get("k"))
    for error in (in_thread.value, in_loop.value):
        assert error.__cause__ is not None
        assert mariadb.password not in f"{error} {error.__cause__}"


def test_a_schema(postgresql: Postgresql) -> None:
    engine = sa.create_engine(postgresql.url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS kept"))
    with open_store(postgresql.url, schema="kept", table="rows") as store:
        store.put("k", b"v")
        assert store.get("k") == b"v"
    assert sa.inspect(engine).has_table("rows", schema="kept")
    engine.dispose()


@pytest.mark.slow
def test_processes_that_make_the_table_at_once(server: Database) -> None:
    table = f"raced{next(_numbers)}"

    def work(number: int) -> None:
        with opened(server, table) as store:
            assert store.swap(f"k{number}", None, b"v")

    assert set(in_processes(8, work)) == {0}
    with opened(server, table) as store:
        assert len(store.get_many([f"k{number}" for number in range(8)])) == 8


def test_threads_that_make_the_table_at_once(server: Database) -> None:
    for _ in range(5):
        with opened(server) as store:
            in_threads(8, lambda number, store=store: store.put(f"k{number}", b"v"))  # type: ignore[misc] # a default holds the store
            assert len(store.get_many([f"k{number}" for number in range(8)])) == 8


def test_the_index_is_there(server: Database) -> None:
    with opened(server) as store:
        store.ping()
        assert isinstance(store, SqlalchemyStore)
    engine = sa.create_engine(server.url)
    indexes = sa.inspect(engine).get_indexes(f"life{next(_numbers) - 1}")
    engine.dispose()
    assert ["expires"] in [index["column_names"] for index in indexes]


def test_ten_thousand_operations_leak_no_connection(server: Database) -> None:
    with opened(server) as store:
        store.put("k", b"v")
        in_threads(8, lambda _: [store.get("k") for _ in range(750)])

        async def body() -> None:
            async def some() -> None:
                for _ in range(20):
                    assert await store.aio.get("k") == b"v"
                    assert await store.aio.swap("k", b"v", b"v")

            await asyncio.gather(*(some() for _ in range(100)))
            assert server.connections() <= 20
            await store.aio.close()

        asyncio.run(body())
    assert settled(server) == 0


def test_cancelled_tasks_poison_and_leak_nothing(server: Database) -> None:
    with opened(server) as store:
        keys = [f"k{number}" for number in range(200)]
        store.put_many({key: key.encode() for key in keys})

        async def body() -> None:
            for delay in (0, 0.0002, 0.001, 0.004):
                tasks = [asyncio.ensure_future(store.aio.swap(key, b"", b"x")) for key in keys[:50]]
                await asyncio.sleep(delay)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                found = await asyncio.gather(*(store.aio.get(key) for key in keys))
                assert found == [key.encode() for key in keys]
            assert server.connections() <= 20
            await store.aio.close()

        asyncio.run(body())
    assert settled(server) == 0


@pytest.mark.slow
def test_a_restart_is_survived_by_every_operation(server: Database) -> None:
    with opened(server) as store:
        store.put("k", b"v")
        server.restart()
        assert store.swap("k", b"v", b"w"), "not even a swap meets the dead connection"

        async def body() -> None:
            assert await store.aio.get("k") == b"w"
            server.restart()  # in this thread: the server dies with the thread that started it
            assert await store.aio.swap("k", b"w", b"x")
            await store.aio.close()

        asyncio.run(body())


def test_a_server_that_is_not_there() -> None:
    store = open_store("postgresql+psycopg://u:top-secret@127.0.0.1:1/d")
    with pytest.raises(StoreUnavailable) as caught:
        store.get("k")
    assert "top-secret" not in f"{caught.value} {store!r} {store.name}"
    assert caught.value.__cause__ is not None


def test_too_large_a_value_says_so(mariadb: Mariadb) -> None:
    with opened(mariadb) as store:
        store.put("k", b"v")
        with pytest.raises(StoreUnavailable, match="max_allowed_packet"):
            store.put("k", bytes(17 << 20))
        assert store.get("k") == b"v"


def test_a_row_that_others_hold(server: Database) -> None:
    with opened(server) as store:
        store.put("k", b"v")
        assert isinstance(store, SqlalchemyStore)
        quick = open_store(server.url, table=store.table.name, timeout=1)
        engine = sa.create_engine(server.url)
        with engine.begin() as connection, quick:
            open_store(connection, table=store.table).put("k", b"theirs")
            quick.ping()
            assert quick.get("k") == b"v", "readers wait for nobody"
            begun = time.monotonic()
            with pytest.raises(StoreTimeout):
                quick.swap("k", b"v", b"w")
            assert time.monotonic() - begun < 5
        engine.dispose()
