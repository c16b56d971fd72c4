"""MariaDB under faults of the network, the server and its callers: PyMySQL and asyncmy."""

import contextlib
from collections.abc import Iterator

import pytest
from fault_suite import FaultSuite

from holdfast import open_store
from holdfast.store.protocol import OpenStore
from servers.mariadb import Mariadb, run_mariadb
from servers.process import Server

pytestmark = [pytest.mark.server, pytest.mark.slow]


class TestMariadbFaults(FaultSuite):
    """Both faces through the proxy."""

    keeps = True
    slack = 0.8

    @classmethod
    @contextlib.contextmanager
    def run(cls) -> Iterator[Server]:
        with run_mariadb() as found:
            with open_store(found.url) as store:
                store.get("k")  # its table is there from here on
            yield found.server

    def open(self, port: int, prefix: str) -> OpenStore:
        url = f"mysql+pymysql://holdfast:{Mariadb.password}@127.0.0.1:{port}/holdfast"
        return open_store(url, prefix=prefix, timeout=self.timeout)
