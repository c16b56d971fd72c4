"""The memory store keeps the contract, and its handles share rows by name."""

from pathlib import Path

from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep
from holdfast.store.memory import MemoryStore, named
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite


class TestMemoryStore(StoreSuite):
    """Its rows live in the process, shared by name."""

    abilities = (CanApply, CanIncrement, CanScan, CanSweep)
    between_processes = False

    def open(self, tmp_path: Path, clock: ManualClock) -> MemoryStore:
        return named(str(tmp_path), clock=clock)
