"""Redis under faults of the network, the server and its callers."""

import contextlib
from collections.abc import Iterator

import pytest
from fault_suite import FaultSuite

from holdfast import open_store
from holdfast.store.protocol import OpenStore
from servers.process import Server
from servers.redis import run_redis

pytestmark = [pytest.mark.server, pytest.mark.slow]


class TestRedisFaults(FaultSuite):
    """One server, which saves nothing."""

    @classmethod
    @contextlib.contextmanager
    def run(cls) -> Iterator[Server]:
        with run_redis() as found:
            yield found.server

    def open(self, port: int, prefix: str) -> OpenStore:
        return open_store(f"redis://127.0.0.1:{port}", prefix=prefix, timeout=self.timeout)
