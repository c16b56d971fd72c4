"""Datastore under faults of the network, the server and its callers."""

import contextlib
from collections.abc import Iterator

import pytest
from fault_suite import FaultSuite

from holdfast import open_store
from holdfast.store.protocol import OpenStore
from servers.datastore import run_datastore
from servers.process import Server

pytestmark = [pytest.mark.server, pytest.mark.slow]


class TestDatastoreFaults(FaultSuite):
    """One stand-in, which keeps its rows in memory."""

    timeout = 0.5
    connections = 70

    @pytest.fixture(autouse=True)
    def _where(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch

    @classmethod
    @contextlib.contextmanager
    def run(cls) -> Iterator[Server]:
        with run_datastore() as found:
            yield found.server

    def open(self, port: int, prefix: str) -> OpenStore:
        self.patch.setenv("DATASTORE_EMULATOR_HOST", f"127.0.0.1:{port}")
        return open_store("datastore://holdfast/Row", prefix=prefix, timeout=self.timeout)
