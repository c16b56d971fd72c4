"""The MongoDB store keeps the contract."""

import hashlib
import time
from pathlib import Path

import pytest

from holdfast.store.abilities import CanIncrement, CanScan, CanTellTtl
from holdfast.store.mongodb import MongodbStore
from holdfast.store.protocol import OpenStore
from holdfast.store.registry import open_store
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from servers.mongodb import MongodbServer

pytestmark = pytest.mark.server


def collection_for(tmp_path: Path) -> str:
    return f"rows-{hashlib.sha256(bytes(tmp_path)).hexdigest()[:16]}"


class TestMongodbStore(StoreSuite):
    """One collection for each test."""

    abilities = (CanIncrement, CanScan, CanTellTtl)
    second = 0.3
    examples = 4
    steps = 20

    @pytest.fixture(autouse=True)
    def _server(self, mongodb: MongodbServer) -> None:
        self.url = mongodb.url

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        del clock
        return open_store(
            f"{self.url}/holdfast_tests", collection=collection_for(tmp_path), timeout=20
        )

    def advance(self, clock: ManualClock, seconds: float) -> None:
        del clock
        time.sleep(seconds)

    def test_it_is_a_mongodb_store(self, tmp_path: Path) -> None:
        with self.open(tmp_path, ManualClock()) as store:
            assert isinstance(store, MongodbStore)
