"""The plain entities of Datastore, on a stand-in that speaks the real protocol."""

import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google.auth
import pytest
from google.auth import exceptions
from google.cloud import datastore
from plain_suite import PlainSuite

from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.store.datastore.plain import PlainEntities, project_here
from holdfast.testing.clock import ManualClock

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("datastore_server")]
Entity: Any = datastore.Entity  # no types
NoCredentials: Any = exceptions.DefaultCredentialsError


class TestPlainEntities(PlainSuite):
    """One kind for each test."""

    @pytest.fixture
    def kind(self, tmp_path: Path) -> str:
        return "k" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(1_800_000_000.0)

    @pytest.fixture
    def store(self, kind: str, clock: ManualClock) -> Iterator[PlainEntities]:
        store = PlainEntities("holdfast", kind, clock=clock)
        yield store
        store.close()

    def test_the_entities_are_those_of_app_engine(
        self, store: PlainEntities, kind: str, clock: ManualClock
    ) -> None:
        google_client: Any = datastore.Client
        client = google_client(project="holdfast", _use_grpc=False)
        born = dt.datetime(2009, 4, 1, tzinfo=dt.UTC)
        old = Entity(client.key(kind, "pold"), exclude_from_indexes=("data",))
        old.update(data=b"\x80\x02}.", created=born, accessed=born)
        client.put(old)
        assert store.get("pold") == b"\x80\x02}."
        assert store.swap("pold", b"\x80\x02}.", b"new")
        store.put("pnew", b"v")
        clock.advance(60)
        store.put("pnew", b"w")
        now = dt.datetime.fromtimestamp(clock(), dt.UTC)
        found = {name: client.get(client.key(kind, name)) for name in ("pold", "pnew")}
        assert dict(found["pold"]) == {
            "data": b"new",
            "created": born,
            "accessed": now - dt.timedelta(seconds=60),
        }
        assert found["pnew"]["created"] == now - dt.timedelta(seconds=60)
        assert found["pnew"]["accessed"] == now
        client.close()

    def test_what_an_entity_has_no_room_for(self, store: PlainEntities) -> None:
        with pytest.raises(StoreUnavailable, match="1 MiB"):
            store.put("key", b"x" * 1_100_000)
        assert store.get("key") is None


def test_the_project_is_found_as_googles_libraries_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(**_: object) -> None:
        raise NoCredentials

    for name in ("GOOGLE_CLOUD_PROJECT", "DATASTORE_PROJECT_ID", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(google.auth, "default", nobody)
    with pytest.raises(ConfigError, match="GOOGLE_CLOUD_PROJECT"):
        project_here()
    monkeypatch.setattr(google.auth, "default", lambda: (None, "told"))
    assert project_here() == "told"
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "mine")
    assert project_here() == "mine"
