"""PostgreSQL under faults of the network, the server and its callers."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_suite import FaultSuite, wait_until_frozen

from holdfast import open_store
from holdfast.store.protocol import OpenStore
from servers.postgresql import run_postgresql
from servers.process import Server

pytestmark = [pytest.mark.server, pytest.mark.slow]


class TestPostgresqlFaults(FaultSuite):
    """psycopg, on both faces; a new connection takes PostgreSQL some time."""

    timeout = 0.4
    slack = 1.0  # its many processes wake one after the other on a busy machine
    driver = "psycopg"

    @classmethod
    @contextlib.contextmanager
    def run(cls) -> Iterator[Server]:
        with run_postgresql() as found:
            with open_store(found.url) as store:
                store.get("k")  # its table is there from here on
            yield found.server

    def open(self, port: int, prefix: str) -> OpenStore:
        url = f"postgresql+{self.driver}://postgres@127.0.0.1:{port}/postgres"
        return open_store(url, prefix=prefix, timeout=self.timeout)

    def freeze(self, server: Server) -> None:
        super().freeze(server)
        for backend in children_of(server):
            tell(backend, signal.SIGSTOP)
            wait_until_frozen(backend)

    def thaw(self, server: Server) -> None:
        for backend in children_of(server):
            tell(backend, signal.SIGCONT)
        super().thaw(server)


def tell(backend: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(backend, what)


def children_of(server: Server) -> list[int]:
    """Return the backends: PostgreSQL has a process for each connection."""
    path = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    return [int(pid) for pid in path.read_text().split()]
