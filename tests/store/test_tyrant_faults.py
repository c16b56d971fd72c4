"""Tokyo Tyrant under faults of the network, the server and its callers."""

import contextlib
from collections.abc import Iterator

import pytest
from fault_suite import FaultSuite

from holdfast import open_store
from holdfast.store.protocol import OpenStore
from servers.process import Server
from servers.tyrant import run_tyrant

pytestmark = [pytest.mark.server, pytest.mark.slow]


class TestTyrantFaults(FaultSuite):
    """One server that keeps all in memory; locks that a fault left behind end soon."""

    timeout = 0.4

    @classmethod
    @contextlib.contextmanager
    def run(cls) -> Iterator[Server]:
        with run_tyrant("*") as found:
            yield found.server

    def open(self, port: int, prefix: str) -> OpenStore:
        return open_store(
            f"tyrant://127.0.0.1:{port}", prefix=prefix, timeout=self.timeout, lease=0.25
        )
