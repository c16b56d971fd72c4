"""The SQLite store keeps the contract, and says clearly what is wrong with its file."""

from pathlib import Path

from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep
from holdfast.store.sqlite import SqliteStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite


class TestSqliteStore(StoreSuite):
    """One database file for each test."""

    abilities = (CanApply, CanIncrement, CanScan, CanSweep)

    def open(self, tmp_path: Path, clock: ManualClock) -> SqliteStore:
        return SqliteStore(tmp_path / "rows.db", clock=clock)
