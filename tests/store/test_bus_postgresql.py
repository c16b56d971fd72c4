"""The bus on PostgreSQL: LISTEN and NOTIFY keep what every bus promises, and their own."""

import asyncio

import psycopg
import pytest
import sqlalchemy as sa
from bus_suite import LATE, Hears, Party, PublishingSuite, bus_threads, value
from face import until
from sqlalchemy.ext.asyncio import create_async_engine

from holdfast import open_store
from holdfast.errors import ConfigError
from holdfast.store.abilities import CanPublish
from holdfast.store.sqlalchemy import addresses, listen, make_table
from holdfast.store.sqlalchemy.listen import channel_of
from servers.mariadb import Mariadb
from servers.postgresql import Postgresql

pytestmark = pytest.mark.server


class TestListen(PublishingSuite):
    """On PostgreSQL."""

    kind, name = "auto", "listen"

    @pytest.fixture(autouse=True)
    def _server(self, postgresql: Postgresql) -> None:
        self.server = postgresql
        self.port = postgresql.server.port
        with open_store(postgresql.url, timeout=5) as store:
            store.delete("k")  # which makes the table

    def url(self, port: int) -> str:
        return self.server.url.replace(f":{self.port}/", f":{port}/")

    def kill_connections(self) -> None:
        with psycopg.connect(self.server.url.replace("+psycopg", ""), autocommit=True) as asker:
            asker.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )


@pytest.mark.slow
def test_a_restart(postgresql: Postgresql) -> None:
    one, two = Party(postgresql.url, "listen"), Party(postgresql.url, "listen")
    one.wait_until_ready()
    two.wait_until_ready()
    postgresql.server.kill()
    until(lambda: one.hears.count("lost") == two.hears.count("lost") == 1, "lost", LATE)
    postgresql.server.start()
    one.wait_until_ready()
    two.wait_until_ready()
    one.write("shop:again")
    two.hears_of("shop:again")
    one.close()
    two.close()


def test_an_engine_keeps_its_place_in_the_pool(postgresql: Postgresql) -> None:
    engine = sa.create_engine(postgresql.url, pool_size=1, max_overflow=0, pool_timeout=5)
    other = Party(postgresql.url, "listen").wait_until_ready()
    with open_store(engine, timeout=5) as store:
        assert isinstance(store, CanPublish)
        bus, hears = store.bus(), Hears()
        bus.listen(["shop:"], hears)
        until(lambda: hears.is_ready, "ready", LATE)
        store.put("shop:k", value())  # the only one there is
        other.write("shop:k")
        until(lambda: hears.keys == ["shop:k"], "a change", LATE)
    assert bus_threads() == 1
    other.close()
    engine.dispose()
    until(lambda: postgresql.connections() == 0, "all are closed", LATE)


def test_an_async_engine_has_it_too(postgresql: Postgresql) -> None:
    other = Party(postgresql.url, "listen").wait_until_ready()

    async def work() -> None:
        engine = create_async_engine(postgresql.url)
        store = open_store(engine, timeout=5)
        assert isinstance(store, CanPublish)
        bus, hears = store.bus(), Hears()
        bus.listen(["shop:"], hears)
        await asyncio.to_thread(until, lambda: hears.is_ready, "ready", LATE)
        other.write("shop:k")
        await asyncio.to_thread(until, lambda: hears.keys == ["shop:k"], "a change", LATE)
        await store.aio.close()
        await engine.dispose()

    asyncio.run(work())
    assert bus_threads() == 1
    other.close()


def test_two_tables_do_not_hear_each_other(postgresql: Postgresql) -> None:
    one = Party(postgresql.url, "listen").wait_until_ready()
    two = Party(f"{postgresql.url}?table=other", "listen").wait_until_ready()
    three = Party(postgresql.url, "listen").wait_until_ready()
    two.write("shop:elsewhere")
    three.write("shop:here")
    one.hears_of("shop:here")
    assert one.hears.keys == ["shop:here"]
    for party in (one, two, three):
        party.close()
    assert channel_of(make_table("a"), "p:") != channel_of(make_table("a", schema="s"), "p:")


def test_long_lists_are_sent_in_pieces(postgresql: Postgresql) -> None:
    one = Party(postgresql.url, "listen").wait_until_ready()
    two = Party(postgresql.url, "listen").wait_until_ready()
    keys = [f"shop:{number:0245}" for number in range(1000)]
    one.bus.publish(keys)
    two.hears_of(keys[-1])
    assert two.hears.keys == keys
    one.close()
    two.close()


def test_where_notifications_are_not_delivered_it_says_so(
    postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As behind a PgBouncer that gives each statement another connection."""
    monkeypatch.setattr(listen, "can_read", lambda *_: False)
    monkeypatch.setattr(psycopg.Connection, "add_notify_handler", lambda *_: None)
    with open_store(postgresql.url, timeout=5) as store:
        assert isinstance(store, CanPublish)
        bus, hears = store.bus(), Hears()
        bus.listen(["shop:"], hears)
        until(lambda: "PgBouncer" in caplog.text, "it is told", LATE)
        assert hears.told == []


# Where there is none


def test_other_databases_have_none(mariadb: Mariadb) -> None:
    with open_store(mariadb.url) as store, open_store("sqlite+pysqlite:///none.db") as other:
        assert not isinstance(store, CanPublish)
        assert not isinstance(other, CanPublish)


def test_a_connection_has_none(postgresql: Postgresql) -> None:
    engine = sa.create_engine(postgresql.url)
    with engine.connect() as connection, open_store(connection) as store:
        assert isinstance(store, CanPublish)
        with pytest.raises(ConfigError, match="open the store on an Engine"):
            store.bus()
    engine.dispose()


def test_unknown_kinds_are_refused() -> None:
    with open_store("postgresql://db.example/shop") as store:
        assert isinstance(store, CanPublish)
        with pytest.raises(ConfigError, match="auto, listen"):
            store.bus("tracking")


@pytest.mark.parametrize("kind", ["auto", "listen"])
def test_another_driver_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(addresses._FOR_THREADS, "asyncpg", "pg8000")  # psycopg is not there
    with open_store("postgresql+asyncpg://db.example/shop") as store:
        assert isinstance(store, CanPublish)
        with pytest.raises(ConfigError, match="needs psycopg"):
            store.bus(kind)
