"""`ext:database` and `ext:sqla`: rows, their times, and writers that come between each other."""

import datetime as dt
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from compat.beaker_clients import closing_clients
from compat.seeds import genuine
from holdfast.compat import configure, refused
from holdfast.compat.beaker import one_row
from holdfast.compat.beaker.container import Value
from holdfast.compat.beaker.exceptions import InvalidCacheBackendError, MissingCacheParameter
from holdfast.compat.beaker.ext.database import DatabaseContainer, DatabaseNamespaceManager
from holdfast.compat.beaker.ext.sqla import (
    SqlaContainer,
    SqlaNamespaceManager,
    make_cache_table,
)
from holdfast.errors import CodecError, StoreTimeout
from holdfast.store.sqlalchemy.plain import PlainTable
from holdfast.testing.clock import ManualClock
from servers.mariadb import Mariadb
from servers.postgresql import Postgresql

HOSTILE = b"cos\nsystem\n(S'true'\ntR."


@pytest.fixture(autouse=True)
def _clients() -> Iterator[None]:
    with closing_clients():
        yield


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """Give a clock on which between any two looks at a row there is time enough to read anew."""
    clock = ManualClock()

    def tick() -> float:
        clock.advance(1)
        return clock()

    monkeypatch.setattr(one_row, "monotonic", tick)
    return clock


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/cache.db"


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()


def put(manager: Any, key: str, value: object) -> None:
    manager.acquire_write_lock()
    try:
        manager[key] = value
    finally:
        manager.release_write_lock()


def get(manager: Any, key: str | bytes) -> Any:
    manager.acquire_read_lock()
    try:
        return manager[key]
    finally:
        manager.release_read_lock()


def test_the_table_is_beakers(url: str, engine: sa.Engine) -> None:
    manager = DatabaseNamespaceManager("shop", url)
    put(manager, "k", 1)
    columns = {column["name"]: column for column in sa.inspect(engine).get_columns("beaker_cache")}
    assert list(columns) == ["id", "namespace", "accessed", "created", "data"]
    assert not any(column["nullable"] for column in columns.values())
    with engine.connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM beaker_cache")).one()
    assert (row.id, row.namespace) == (1, "shop")
    assert manager.bind is DatabaseNamespaceManager("other", url).bind
    assert manager.table is DatabaseNamespaceManager("other", url).table
    assert manager.table is not DatabaseNamespaceManager("other", url, table_name="own").table


def test_old_rows_in_both_forms_are_read(url: str, engine: sa.Engine) -> None:
    manager = DatabaseNamespaceManager("shop", url)
    with engine.begin() as connection:
        now = dt.datetime(2009, 1, 1)  # noqa: DTZ001 - as Beaker wrote them
        for number, protocol in enumerate(range(pickle.HIGHEST_PROTOCOL + 1)):
            data = pickle.dumps({b"k": (1.0, None, "old")}, protocol)
            values = {"n": f"p{number}", "d": data, "t": now}
            connection.execute(
                sa.text(
                    "INSERT INTO beaker_cache (namespace, data, accessed, created)"
                    " VALUES (:n, :d, :t, :t)"
                ).bindparams(sa.bindparam("t", type_=sa.DateTime)),
                values,
            )
    for number in range(pickle.HIGHEST_PROTOCOL + 1):
        row = DatabaseNamespaceManager(f"p{number}", url)
        assert get(row, b"k") == (1.0, None, "old")
        put(row, "new", {1, 2})
        again = DatabaseNamespaceManager(f"p{number}", url)
        assert get(again, b"k") == (1.0, None, "old")
        assert get(again, "new") == {1, 2}
    assert manager.loaded is False


def test_what_a_program_selects_itself_is_decoded(engine: sa.Engine) -> None:
    table = make_cache_table(sa.MetaData(), "own_table")
    table.create(engine)
    assert [column.name for column in table.primary_key] == ["namespace"]
    put(SqlaNamespaceManager("shop", engine, table), "k", (1, {2}))
    configure(old_form=True)
    put(SqlaNamespaceManager("old", engine, table), "k", (1, {2}))
    with engine.begin() as connection:
        found = connection.execute(sa.select(table.c.data)).scalars().all()
        assert found == [{"k": (1, {2})}] * 2
        now = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - a local time
        row = {"namespace": "mine", "data": {"k": 1}, "accessed": now, "created": now}
        connection.execute(table.insert(), row)
        PlainTable(connection, table).put("bad", HOSTILE)
        wanted = sa.select(table.c.data).where(table.c.namespace == "bad")
        assert connection.execute(wanted).scalar_one() is None
    assert sum(refused.values()) == 1
    assert get(SqlaNamespaceManager("mine", engine, table), "k") == 1


def test_what_cannot_be_read_is_not_there_and_counted(url: str) -> None:
    manager = DatabaseNamespaceManager("shop", url)
    for number, bad in enumerate((HOSTILE, pickle.dumps(["no dictionary"]), b"\x00HF1\xc1"), 1):
        manager._plain.put("shop", bad)
        with pytest.raises(KeyError) as caught:
            get(manager, "k")
        assert isinstance(caught.value.__cause__, CodecError)
        assert sum(refused.values()) == number
    Value("nothing", manager).clear_value()  # who changes nothing leaves it as it is
    assert manager._plain.get("shop") == b"\x00HF1\xc1"
    assert Value("k", manager, createfunc=lambda: "made").get_value() == "made"


def test_a_change_of_another_process_is_seen(url: str) -> None:
    one, other = (DatabaseNamespaceManager("shop", url) for _ in range(2))
    put(one, "k", 1)
    assert get(other, "k") == 1
    put(one, "k", 2)
    assert get(other, "k") == 2
    one.remove()
    with pytest.raises(KeyError):
        get(other, "k")
    put(other, "k", 3)
    assert get(one, "k") == 3


def test_for_a_tenth_of_a_second_nothing_is_selected_twice(
    url: str, now: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_row, "monotonic", now)
    one, other = (DatabaseNamespaceManager("shop", url) for _ in range(2))
    put(one, "k", 1)
    assert get(other, "k") == 1
    put(one, "k", 2)
    assert get(one, "k") == 2
    now.advance(0.09)
    assert get(other, "k") == 1
    other.acquire_write_lock()  # who writes always looks
    assert other["k"] == 2
    other.release_write_lock()
    put(one, "k", 3)
    now.advance(0.11)
    assert get(other, "k") == 3
    one.remove()
    with pytest.raises(KeyError):
        get(one, "k")


def test_a_value_that_another_has_just_made_is_not_made_again(
    url: str, now: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_row, "monotonic", now)
    one, other = (DatabaseNamespaceManager("shop", url) for _ in range(2))
    value = Value("k", other, createfunc=lambda: "mine")
    assert not value.has_value()
    Value("k", one).set_value("theirs")
    assert value.get_value() == "theirs"


def test_bytes_that_are_the_same_are_not_decoded_again(url: str) -> None:
    manager = DatabaseNamespaceManager("shop", url)
    put(manager, "k", [1])
    first = get(DatabaseNamespaceManager("shop", url), "k")
    assert first == [1]
    one, two = get(manager, "k"), get(manager, "k")
    assert one is two


def test_overlapping_writers_of_one_row_lose_nothing(url: str) -> None:
    one, other = (DatabaseNamespaceManager("shop", url) for _ in range(2))
    put(one, "gone", 1)
    one.acquire_write_lock()
    one["a"] = 1
    del one["gone"]
    put(other, "b", 2)
    put(other, "a", 2)
    one.release_write_lock()
    put(other, "c", 3)
    found = DatabaseNamespaceManager("shop", url)
    found.acquire_read_lock()
    assert found.hash == {"a": 1, "b": 2, "c": 3}
    found.release_read_lock()


def test_a_row_that_is_born_twice_at_once(url: str) -> None:
    one, other = (DatabaseNamespaceManager("shop", url) for _ in range(2))
    one.acquire_write_lock()
    one["a"] = 1
    put(other, "b", 2)
    one.release_write_lock()
    assert (get(other, "a"), get(one, "b")) == (1, 2)


def test_a_swap_is_refused_where_another_was_quicker(url: str) -> None:
    one, other = (DatabaseNamespaceManager("s", url) for _ in range(2))
    with pytest.raises(KeyError):
        one.reread("k")
    assert one.swap_value("k", {"n": 0})
    assert other.reread("k") == one.reread("k") == {"n": 0}
    assert one.swap_value("k", {"n": 1})
    assert not other.swap_value("k", {"n": 2})
    other.acquire_write_lock(replace=True)
    assert other.reread("k") == {"n": 1}
    assert other.swap_value("k", {"n": 2})
    other.release_write_lock()
    assert get(one, "k") == {"n": 2}
    one.remove()
    assert not other.swap_value("k", {"n": 3})


def test_threads_of_one_cache_write_beside_each_other(url: str) -> None:
    manager = DatabaseNamespaceManager("shop", url)
    together = threading.Barrier(6)

    def work(number: int) -> None:
        together.wait()
        for turn in range(5):
            Value(f"k{number}", manager).set_value(turn)
            assert Value(f"k{number}", manager).get_value() == turn

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = DatabaseNamespaceManager("shop", url)
    assert [Value(f"k{number}", again).get_value() for number in range(6)] == [4] * 6


def test_a_writer_within_a_reader_is_written(url: str) -> None:
    manager = DatabaseNamespaceManager("shop", url)
    manager.acquire_read_lock()
    put(manager, "k", 1)
    manager.release_read_lock()
    assert get(DatabaseNamespaceManager("shop", url), "k") == 1


def test_who_does_not_want_to_wait_for_a_writer(url: str) -> None:
    manager = DatabaseNamespaceManager("shop", url)
    manager.acquire_write_lock()
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.append(manager.acquire_write_lock(wait=False)))
    thread.start()
    thread.join()
    manager.release_write_lock()
    assert taken == [False]
    assert manager.openers == 0


def test_a_write_that_failed_is_not_believed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = DatabaseNamespaceManager("shop", url)
    put(manager, "k", 1)

    def fail(*_: object) -> bool:
        raise StoreTimeout("x", "no answer")

    with monkeypatch.context() as patch:
        patch.setattr(manager._plain, "swap", fail)
        with pytest.raises(StoreTimeout):
            put(manager, "k", 2)
    assert get(manager, "k") == 1
    with pytest.raises(CodecError, match="allow="):
        put(manager, "k", Value)
    assert get(manager, "k") == 1
    put(manager, "k", 3)  # no lock was left behind
    assert get(manager, "k") == 3


def test_one_statement_to_save_what_was_loaded(url: str) -> None:
    manager = DatabaseNamespaceManager("shop", url)
    put(manager, "session", {"n": 0})
    asked: list[str] = []
    sa.event.listen(
        manager.bind, "before_cursor_execute", lambda *said: asked.append(said[2].split()[0])
    )
    get(manager, "session")
    manager.acquire_write_lock(replace=True)
    manager["session"] = {"n": 1}
    manager.release_write_lock()
    assert asked == ["SELECT", "UPDATE"]


def test_clean_up_scripts_go_by_accessed(url: str, engine: sa.Engine) -> None:
    put(DatabaseNamespaceManager("shop", url), "k", 1)
    script = sa.text("DELETE FROM beaker_cache WHERE accessed < :then")
    for ahead, left in ((-60, 1), (60, 0)):
        then = dt.datetime.now() + dt.timedelta(seconds=ahead)  # noqa: DTZ005 - as the scripts do
        with engine.begin() as connection:
            connection.execute(script.bindparams(sa.bindparam("then", then, sa.DateTime)))
            count = connection.execute(sa.text("SELECT count(*) FROM beaker_cache")).scalar()
        assert count == left


def test_options(url: str, tmp_path: Path) -> None:
    manager = DatabaseNamespaceManager(
        "shop",
        sa_opts={"sa.url": url, "sa.pool_recycle": "60"},
        optimistic=True,
        data_dir=str(tmp_path / "data"),
    )
    assert getattr(manager.bind.pool, "_recycle", None) == 60
    assert manager.lock_dir == f"{tmp_path}/data/container_db_lock"
    assert Path(manager.lock_dir).is_dir()
    lock = manager.get_creation_lock("k")
    assert lock.filename.startswith(manager.lock_dir)
    locked = DatabaseNamespaceManager("shop", url, lock_dir=str(tmp_path / "locks"))
    assert locked.lock_dir == f"{tmp_path}/locks"
    assert DatabaseNamespaceManager("shop", url).get_creation_lock("k").acquire()
    for container in (DatabaseContainer, SqlaContainer):
        assert issubclass(container.namespace_class, SqlaNamespaceManager)


def test_in_memory_all_threads_have_one_database() -> None:
    manager = DatabaseNamespaceManager("shop", "sqlite://")
    put(manager, "k", 1)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(get(manager, "k")))
    thread.start()
    thread.join()
    assert found == [1]


def test_what_is_missing_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[dict[str, Any]] = [{}, {"url": ""}, {"sa_opts": {}}]
    for nothing in options:
        with pytest.raises(MissingCacheParameter, match="url"):
            DatabaseNamespaceManager("shop", **nothing)
    with pytest.raises(InvalidCacheBackendError, match="nosuch"):
        DatabaseNamespaceManager("shop", "postgresql+nosuch://host/db")
    with pytest.raises(InvalidCacheBackendError, match="cannot be read") as caught:
        DatabaseNamespaceManager("shop", "postgresql//ada:s3cret@host")
    assert "s3cret" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "sqlalchemy.ext.asyncio", None)
    with pytest.raises(InvalidCacheBackendError, match=r"pip install 'holdfast\[sqlalchemy\]'"):
        DatabaseNamespaceManager("shop", url)
    with pytest.raises(InvalidCacheBackendError, match="pip install"):
        make_cache_table(None)


def test_creation_locks_shut_out_beaker(url: str, tmp_path: Path) -> None:
    script = (
        "import json, sys\n"
        "from beaker.ext.database import DatabaseNamespaceManager as M\n"
        "lock = M('shop', sys.argv[1], lock_dir=sys.argv[2]).get_creation_lock('other key')\n"
        "print(json.dumps(bool(lock.acquire(wait=False))))"
    )
    lock = DatabaseNamespaceManager("shop", url, lock_dir=str(tmp_path)).get_creation_lock("k")
    assert lock.acquire()
    assert json.loads(genuine(script, url, tmp_path)) is False
    lock.release()
    assert json.loads(genuine(script, url, tmp_path)) is True


EIGHT = """
import os, sys
import sqlalchemy.dialects.postgresql.psycopg, sqlalchemy.dialects.sqlite
import holdfast.store.sqlalchemy.plain
from holdfast.compat.beaker.ext.database import DatabaseNamespaceManager
ready, go = os.pipe()

def work(name):
    os.close(go)
    os.read(ready, 1)  # until all are there
    manager = DatabaseNamespaceManager("shop", sys.argv[1])
    for number in range(5):
        manager.acquire_write_lock()
        manager[name, number] = number
        manager.release_write_lock()

children = []
for name in range(8):
    children.append(os.fork())
    if not children[-1]:
        work(name)
        os._exit(0)
os.close(go)
sys.exit(sum(os.waitpid(child, 0)[1] for child in children) and 1)
"""


def together_on(url: str) -> dict[Any, Any]:
    """Let eight processes make the table and write to one row; return what is there then."""
    command = [sys.executable, "-W", "error", "-c", EIGHT, url]
    done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr
    manager = DatabaseNamespaceManager("shop", url)
    manager.acquire_read_lock()
    manager.release_read_lock()
    return manager.hash


ALL = {(name, number): number for name in range(8) for number in range(5)}


@pytest.mark.slow
def test_eight_processes_begin_at_once_on_sqlite(url: str) -> None:
    assert together_on(url) == ALL


@pytest.mark.slow
@pytest.mark.server
def test_eight_processes_begin_at_once_on_postgresql(postgresql: Postgresql) -> None:
    engine = sa.create_engine(postgresql.url)
    try:
        assert together_on(postgresql.url) == ALL
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE IF EXISTS beaker_cache"))
        engine.dispose()


@pytest.mark.server
def test_a_schema_of_its_own(postgresql: Postgresql) -> None:
    engine = sa.create_engine(postgresql.url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS caches"))
    own = DatabaseNamespaceManager("shop", postgresql.url, schema_name="caches", table_name="t")
    other = DatabaseNamespaceManager("shop", postgresql.url, table_name="t")
    put(own, "k", "in the schema")
    put(other, "k", "outside")
    assert (get(own, "k"), get(other, "k")) == ("in the schema", "outside")
    assert make_cache_table(sa.MetaData(), "t", "caches").schema == "caches"
    assert make_cache_table(sa.MetaData(schema="s"), "t").schema == "s"
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA caches CASCADE"))
        connection.execute(sa.text("DROP TABLE t"))
    engine.dispose()


@pytest.mark.server
def test_mariadb_takes_more_than_64_kib(mariadb: Mariadb) -> None:
    manager = DatabaseNamespaceManager("shop", mariadb.url, table_name="large_ones")
    put(manager, "k", "x" * 200_000)
    assert get(DatabaseNamespaceManager("shop", mariadb.url, table_name="large_ones"), "k")
    manager.remove()
    with manager.bind.begin() as connection:
        manager.table.drop(connection)
