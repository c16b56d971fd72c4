"""The SQLAlchemy store keeps the contract on SQLite, in its own words and in plain SQL."""

from pathlib import Path

from holdfast.store.abilities import CanIncrement, CanScan, CanSweep
from holdfast.store.address import parse
from holdfast.store.sqlalchemy import SqlalchemyStore, make_table
from holdfast.store.sqlalchemy.addresses import shown, url_of
from holdfast.store.sqlalchemy.faces import Rows, of_url
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite


class TestSqliteThroughSqlalchemy(StoreSuite):
    """One file for each test; pysqlite in threads, aiosqlite in event loops."""

    abilities = (CanIncrement, CanScan, CanSweep)
    examples = 10
    plain = False

    def open(self, tmp_path: Path, clock: ManualClock) -> SqlalchemyStore:
        url = url_of(parse(f"sqlite+pysqlite:///{tmp_path}/rows.db", {}, ""))
        rows = Rows(shown(url), make_table(), 60.0, clock, own_clock=True, plain=self.plain)
        return SqlalchemyStore(rows, of_url(rows, url))


class TestPlainSql(TestSqliteThroughSqlalchemy):
    """What any other database gets: no upsert, no words of its own."""

    plain = True
