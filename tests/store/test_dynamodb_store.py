"""The DynamoDB store keeps the contract."""

import hashlib
from pathlib import Path

import pytest

from holdfast.errors import StoreUnavailable
from holdfast.store.abilities import CanIncrement, CanScan, CanTellTtl
from holdfast.store.dynamodb import DynamodbStore
from holdfast.store.dynamodb.tables import Settings
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from holdfast.testing.trial import Trial, both_faces
from servers.dynamodb import DynamodbServer

pytestmark = pytest.mark.server


def table_for(tmp_path: Path) -> str:
    return f"rows-{hashlib.sha256(bytes(tmp_path)).hexdigest()[:16]}"


class TestDynamodbStore(StoreSuite):
    """One table for each test. The store tells the time, so the suite's clock is turned."""

    abilities = (CanIncrement, CanScan, CanTellTtl)
    examples = 6
    steps = 20

    @pytest.fixture(autouse=True)
    def _server(self, dynamodb: DynamodbServer) -> None:
        self.endpoint = dynamodb.endpoint

    largest = 300_000  # Amazon takes 409,000 bytes and more; moto counts them in base64

    def open(self, tmp_path: Path, clock: ManualClock) -> DynamodbStore:
        settings = Settings("eu-west-1", self.endpoint)
        table = table_for(tmp_path)
        return DynamodbStore(table, settings, timeout=20, create=True, clock=clock)

    @both_faces
    async def test_a_value_over_the_limit_says_so(self, trial: Trial) -> None:
        await trial.store.put("k", b"old")
        for write in (
            lambda: trial.store.put("k", bytes(1 << 20)),
            lambda: trial.store.put_many({"other": b"", "k": bytes(1 << 20)}),
            lambda: trial.store.swap("k", b"old", bytes(1 << 20)),
        ):
            with pytest.raises(StoreUnavailable, match="400 KB"):
                await write()
        assert await trial.store.get_many(["k", "other"]) == {"k": b"old"}
