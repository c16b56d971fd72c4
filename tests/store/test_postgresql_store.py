"""The SQLAlchemy store keeps the contract on a real PostgreSQL, through psycopg and asyncpg."""

import hashlib
import time
from pathlib import Path

import pytest

from holdfast import open_store
from holdfast.store.abilities import CanIncrement, CanScan, CanSweep, CanTellTtl
from holdfast.store.protocol import OpenStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from servers.postgresql import Postgresql

pytestmark = pytest.mark.server


class TestPostgresqlStore(StoreSuite):
    """One table for each test; psycopg in threads and in event loops."""

    abilities = (CanIncrement, CanScan, CanSweep, CanTellTtl)
    second = 0.3
    examples = 4
    steps = 10
    password = "postgres-secret"
    driver = "psycopg"

    @pytest.fixture(autouse=True)
    def _server(self, postgresql: Postgresql) -> None:
        self.url = postgresql.url_of(self.driver).replace("@", f":{self.password}@")

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:  # noqa: ARG002 - the server keeps the time
        table = "t" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]
        return open_store(self.url, table=table, timeout=20)

    def advance(self, clock: ManualClock, seconds: float) -> None:  # noqa: ARG002 - the same
        time.sleep(seconds)


class TestAsyncpg(TestPostgresqlStore):
    """The same rows in event loops through asyncpg."""

    driver = "asyncpg"
