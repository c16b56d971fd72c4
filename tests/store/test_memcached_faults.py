"""memcached under faults of the network, the server and its callers."""

import contextlib
from collections.abc import Iterator

import pytest
from fault_suite import FaultSuite

from holdfast import open_store
from holdfast.store.protocol import OpenStore
from servers.memcached import run_memcached
from servers.process import Server

pytestmark = [pytest.mark.server, pytest.mark.slow]


class TestMemcachedFaults(FaultSuite):
    """One server."""

    @classmethod
    @contextlib.contextmanager
    def run(cls) -> Iterator[Server]:
        with run_memcached() as found:
            yield found.server

    def open(self, port: int, prefix: str) -> OpenStore:
        return open_store(f"memcached://127.0.0.1:{port}", prefix=prefix, timeout=self.timeout)
