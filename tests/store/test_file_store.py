"""The file store keeps the contract, and a bad file harms nobody else."""

from pathlib import Path

from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep
from holdfast.store.file import FileStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite


class TestFileStore(StoreSuite):
    """One folder for each test."""

    abilities = (CanApply, CanIncrement, CanScan, CanSweep)

    def open(self, tmp_path: Path, clock: ManualClock) -> FileStore:
        return FileStore(tmp_path / "rows", clock=clock)
