"""The plain table on PostgreSQL, MariaDB and SQLite: rows that other programs wrote and delete."""

import datetime as dt
import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from plain_suite import PlainSuite

from holdfast.errors import ConfigError, KeyRejected, StoreError, StoreTimeout, StoreUnavailable
from holdfast.store.sqlalchemy import plain
from holdfast.store.sqlalchemy.old_urls import engine_of
from holdfast.store.sqlalchemy.plain import BYTES, PlainTable, make_missing
from servers.mariadb import Mariadb
from servers.postgresql import Postgresql, run_postgresql


def table_named(name: str = "beaker_cache") -> sa.Table:
    """Return a table as Beaker makes it."""
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("namespace", sa.String(255), primary_key=True),
        sa.Column("accessed", sa.DateTime, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("data", sa.PickleType(impl=BYTES), nullable=False),
    )


class _Trap:
    """What no store may unpickle."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("it was unpickled",)


class TableSuite(PlainSuite):
    """What holds on each database; the subclass has `url`."""

    @pytest.fixture
    def engine(self, url: str) -> Iterator[sa.Engine]:
        engine = engine_of(url, {})
        yield engine
        table_named().drop(engine, checkfirst=True)
        engine.dispose()

    @pytest.fixture
    def store(self, engine: sa.Engine) -> PlainTable:
        make_missing(engine, table_named())
        return PlainTable(engine, table_named())

    def test_nothing_is_unpickled(self, store: PlainTable) -> None:
        trap = pickle.dumps(_Trap())
        store.put("key", trap)
        assert store.swap("key", trap, trap + b".")
        assert store.get("key") == trap + b"."

    def test_times_are_kept_for_clean_up_scripts(
        self, store: PlainTable, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table = table_named()
        times = sa.select(table.c.created, table.c.accessed)
        began, later, last = (dt.datetime(2026, 5, day, 12) for day in (1, 2, 3))  # noqa: DTZ001 - local
        monkeypatch.setattr(plain, "wall", began.timestamp)
        store.put("key", b"a")
        monkeypatch.setattr(plain, "wall", later.timestamp)
        store.put("key", b"b")
        with engine.connect() as connection:
            assert tuple(connection.execute(times).one()) == (began, later)
        monkeypatch.setattr(plain, "wall", last.timestamp)
        assert store.swap("key", b"b", b"c")
        with engine.begin() as connection:
            assert tuple(connection.execute(times).one()) == (began, last)
            connection.execute(table.delete().where(table.c.accessed < last + dt.timedelta(1)))
        assert store.get("key") is None

    def test_a_connection_takes_part_in_its_owners_transaction(
        self, store: PlainTable, engine: sa.Engine
    ) -> None:
        store.put("key", b"before")
        with engine.connect() as connection:
            joined = PlainTable(connection, table_named())
            with connection.begin() as transaction:
                joined.put("key", b"never")
                assert not joined.swap("key", None, b"double")  # and the transaction goes on
                assert joined.get("key") == b"never"
                transaction.rollback()
            assert joined.get("key") == b"before"
            joined.put("key", b"after")  # without one, it is done at once
        assert store.get("key") == b"after"

    def test_connections_are_given_back(self, store: PlainTable, engine: sa.Engine) -> None:
        store.put("key", b"v")
        for _ in range(3):
            store.swap("key", None, b"w")
            store.swap("key", b"-", b"w")
            with pytest.raises(KeyRejected):
                store.get("\ud800")
        pool: Any = engine.pool
        assert pool.checkedout() == 0

    def test_others_made_the_table_first(self, engine: sa.Engine) -> None:
        errors: list[BaseException] = []
        together = threading.Barrier(8)

        def make() -> None:
            together.wait()
            try:
                make_missing(engine, table_named())
            except StoreError as error:
                errors.append(error)

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert sa.inspect(engine).has_table("beaker_cache")

    def test_no_table_is_an_error(self, engine: sa.Engine) -> None:
        store = PlainTable(engine, table_named("nobody_made_it"))
        with pytest.raises(StoreUnavailable, match="nobody_made_it"):
            store.get("key")

    def test_a_child_speaks_on_connections_of_its_own(
        self, store: PlainTable, engine: sa.Engine
    ) -> None:
        store.put("key", b"0")
        pid = os.fork()
        if not pid:
            code = 1
            try:
                for _ in range(5):
                    store.put("child", b"c")
                code = 0 if store.get("key") is not None else 2
            finally:
                os._exit(code)
        for number in range(5):
            store.put("key", b"%d" % number)
            assert store.get("key") == b"%d" % number
        assert os.waitpid(pid, 0)[1] == 0
        assert store.get("child") == b"c"
        engine.dispose()


class TestSqlite(TableSuite):
    """In a file."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/plain.db"

    @pytest.mark.usefixtures("store")
    def test_who_holds_it_too_long(self, engine: sa.Engine) -> None:
        impatient = engine_of(f"{engine.url}?timeout=0", {})
        with engine.begin() as connection:
            connection.execute(table_named().delete())
            with pytest.raises(StoreTimeout, match="held the row"):
                PlainTable(impatient, table_named()).put("key", b"v")
        impatient.dispose()


class TestSqliteInMemory(PlainSuite):
    """One database for all threads."""

    @pytest.fixture
    def store(self) -> Iterator[PlainTable]:
        engine = engine_of("sqlite://", {})
        make_missing(engine, table_named())
        yield PlainTable(engine, table_named())
        engine.dispose()


@pytest.mark.server
class TestPostgresql(TableSuite):
    """Through psycopg."""

    @pytest.fixture
    def url(self, postgresql: Postgresql) -> str:
        return postgresql.url.replace("postgresql+psycopg:", "postgres:")

    def test_keys_it_cannot_carry(self, store: PlainTable) -> None:
        for key in ("a\0b", "x" * 256):
            with pytest.raises(KeyRejected):
                store.put(key, b"v")

    def test_a_resting_connection_that_was_ended(
        self, store: PlainTable, postgresql: Postgresql
    ) -> None:
        store.put("key", b"v")
        other = sa.create_engine(postgresql.url)
        with other.connect() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            )
        other.dispose()
        assert store.swap("key", b"v", b"w")
        assert store.get("key") == b"w"


@pytest.mark.server
class TestMariadb(TableSuite):
    """Through PyMySQL."""

    odd_keys = ("a b", "beaker:e:u", "100%", "a_c", "a*c", "a[b]c", "\\", "'\"", "a\nb", "x" * 250)

    @pytest.fixture
    def url(self, mariadb: Mariadb) -> str:
        return mariadb.url.replace("mysql+pymysql:", "mysql:")


@pytest.mark.server
@pytest.mark.slow
def test_a_database_that_dies_and_comes_back() -> None:
    with run_postgresql() as server:
        engine = engine_of(server.url, {"sa.connect_args": {"connect_timeout": 2}})
        make_missing(engine, table_named())
        store = PlainTable(engine, table_named())
        store.put("key", b"v")
        server.server.kill()
        with pytest.raises(StoreUnavailable) as caught:
            store.put("key", b"lost")
        assert caught.value.__cause__ is not None
        assert "postgres@" not in str(caught.value)
        server.server.start()
        assert store.get("key") == b"v"
        server.server.pause()
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(plain, "_TIMEOUT", 0.3)
                with pytest.raises(StoreTimeout):
                    store.get("key")
                anew = engine_of(server.url, {})
                with pytest.raises(StoreTimeout):
                    PlainTable(anew, table_named()).get("key")
        finally:
            server.server.go_on()
        assert store.get("key") == b"v"
        engine.dispose()


def test_what_an_old_url_means(tmp_path: Path) -> None:
    engine = engine_of(
        "postgres://ada:secret@host/db", {"sa.pool_recycle": "60", "sa.echo": "false"}
    )
    assert engine.dialect.name == "postgresql"
    assert engine.url.password == "secret"
    assert getattr(engine.pool, "_recycle", None) == 60
    assert engine_of(f"sqlite:///{tmp_path}/a.db", {}).url.database == f"{tmp_path}/a.db"
    for wrong in ("nonsense", "nosuch://host/db", "postgresql+nosuch://host/db"):
        with pytest.raises(ConfigError):
            engine_of(wrong, {})
    with pytest.raises(ConfigError, match="sa_opts"):
        engine_of("sqlite://", {"sa.no_such_option": "1"})
