"""The Datastore store keeps the contract on a stand-in that speaks the real protocol."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import google.auth
import pytest
from google.auth import exceptions
from google.cloud import datastore

from holdfast import open_store
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.store.abilities import CanIncrement, CanScan, CanTellTtl
from holdfast.store.datastore import DatastoreStore, rows
from holdfast.store.datastore.rows import Place
from holdfast.store.datastore.wire import Login, Wire
from holdfast.store.protocol import OpenStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("datastore_server")]
LARGEST = 1_000_000
google_client: Any = datastore.Client  # no types
Entity: Any = datastore.Entity
NoCredentials: Any = exceptions.DefaultCredentialsError
RESERVED = ["____", "__a__", "__a__.", "__a__..", "__", "___", "_", "__a", "a__", "__a__b", "a."]


def place_for(tmp_path: Path) -> Place:
    """Return a place of its own for each folder."""
    namespace = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]
    return Place("datastore://holdfast/Row", "holdfast", "Row", namespace)


class TestDatastoreStore(StoreSuite):
    """One namespace for each test."""

    abilities = (CanIncrement, CanScan, CanTellTtl)
    examples = 8
    steps = 20

    largest = LARGEST

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        return DatastoreStore(place_for(tmp_path), Login(), timeout=20, clock=clock)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DatastoreStore]:
    with DatastoreStore(place_for(tmp_path), Login(), timeout=20) as opened:
        yield opened


def raw(store: DatastoreStore) -> Any:
    """Return Google's own client on the rows of `store`."""
    return google_client(project="holdfast", namespace=store._place.namespace, _use_grpc=False)


def test_names_that_datastore_keeps_for_itself(store: DatastoreStore) -> None:
    store.put_many({key: key.encode() for key in RESERVED})
    assert store.get_many(RESERVED) == {key: key.encode() for key in RESERVED}
    for prefix in (*RESERVED, ""):
        expected = sorted(key for key in RESERVED if key.startswith(prefix))
        assert sorted(store.scan(prefix)) == expected
    names = {entity.key.name for entity in raw(store).query(kind="Row").fetch()}
    assert len(names) == len(RESERVED)
    assert not any(re.fullmatch("__.*__", name) for name in names)


def test_how_a_row_stands_there(store: DatastoreStore) -> None:
    store.put("shop:k", b"\x00v", ttl=60)
    store.put("ever", b"v")
    client = raw(store)
    entity = client.get(client.key("Row", "shop:k"))
    assert dict(entity) == {"value": b"\x00v", "expires": entity["expires"]}
    assert entity["expires"].timestamp() == pytest.approx(store._clock() + 60, abs=10)
    assert entity["expires"].utcoffset().total_seconds() == 0
    assert entity.exclude_from_indexes == {"value", "expires"}
    assert dict(client.get(client.key("Row", "ever"))) == {"value": b"v"}


def test_an_entity_of_others_is_not_ours(store: DatastoreStore) -> None:
    client = raw(store)
    entity = Entity(client.key("Row", "k"))
    entity["name"] = "theirs"
    client.put(entity)
    for call in (
        lambda: store.get("k"),
        lambda: store.swap("k", None, b"v"),
        lambda: list(store.scan()),
    ):
        with pytest.raises(StoreUnavailable, match="'k' holds an entity that is not ours"):
            call()
    store.put("k", b"v")
    assert store.get("k") == b"v"


def test_a_value_too_large_says_so_and_writes_nothing(store: DatastoreStore) -> None:
    store.put("k", b"old")
    for size in (rows.LARGEST + 1, 1 << 20, 3 << 20):
        with pytest.raises(StoreUnavailable, match=f"'k' has {size} bytes; an entity has room"):
            store.put_many({"other": b"v", "k": bytes(size)})
        with pytest.raises(StoreUnavailable, match="compress it"):
            store.swap("k", b"old", bytes(size))
    assert store.get_many(["k", "other"]) == {"k": b"old"}
    store.put("k", bytes(LARGEST + 40_000), ttl=60)
    assert len(store.get("k") or b"") == LARGEST + 40_000


def test_many_large_values_leave_and_come_in_parts(
    store: DatastoreStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_HEAVY", 2_000_000)
    items = {f"k{number}": bytes([number]) * 900_000 for number in range(9)}
    store.put_many(items)
    assert store.get_many(list(items)) == items
    assert store.delete_many([*items, *items]) == 9


def test_batches_have_at_most_500_writes_and_8_mb() -> None:
    place = Place("datastore://p/k", "p", "k")
    small = [place.removal(f"k{number}") for number in range(1201)]
    assert [len(batch) for batch in place.batches(small)] == [500, 500, 201]
    large = [place.write(f"k{n}", rows.Row(bytes(1_000_000), None)) for n in range(20)]
    assert [len(batch) for batch in place.batches(large)] == [8, 8, 4]
    assert list(place.batches([])) == []


def test_a_ttl_beyond_all_calendars(store: DatastoreStore) -> None:
    for ttl in (1e11, 1e18, float("inf")):
        store.put("k", b"v", ttl=ttl)
        assert store.get("k") == b"v"
        assert store.swap("k", b"v", b"v", ttl)


def test_keys_put_off_are_asked_again(
    store: DatastoreStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = {f"k{number}": b"%d" % number for number in range(7)}
    store.put_many(items)
    whole, asked = Wire.ask, []

    def two_at_a_time(self: Wire, method: str, request: Any, until: float) -> Any:
        if method != "lookup":
            return whole(self, method, request, until)
        later = list(request.keys)[2:]
        asked.append(request.read_options.transaction)
        request.keys = list(request.keys)[:2]
        answer = whole(self, method, request, until)
        answer.deferred = later
        return answer

    monkeypatch.setattr(Wire, "ask", two_at_a_time)
    assert store.get_many(list(items)) == items
    assert len(asked) == 4
    asked.clear()
    assert store.delete_many(list(items)) == 7
    assert asked[0] == b""
    assert len(set(asked[1:])) == 1, "the others are read in the transaction the first one began"
    assert asked[1]


WRONG = {
    "datastore://": "needs a project and a kind",
    "datastore://project": "needs a project and a kind",
    "datastore://project/": "needs a project and a kind",
    "datastore:///kind": "needs a project and a kind",
    "datastore://project/a/b": "needs a project and a kind",
    "datastore://user:hunter2@project/kind": "needs a project and a kind",
    "datastore://project/kind?spacename=x": "no option spacename; it has database, namespace",
    "datastore://project/kind?timeout=0": "needs some time",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_url_is_told_its_mend(url: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(WRONG[url])) as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


def test_options_reach_the_store() -> None:
    url = "datastore://shop-1/Row?namespace=n&database=d&timeout=2s&prefix=p"
    store = cast("Any", open_store(url)).store
    assert store._place == Place("datastore://shop-1/Row", "shop-1", "Row", "n", "d")
    assert store._links._timeout == 2
    assert store._links._wires._things == [], "opening makes no session"


def test_a_ready_client_lends_its_settings(store: DatastoreStore) -> None:
    client = raw(store)
    other = open_store(client, kind="Row", timeout=20)
    store.put("k", b"v")
    with client.transaction():
        assert other.get("k") == b"v"
        other.put("k", b"w")
        assert other.get("k") == b"w", "it takes no part in the client's own transaction"
    other.close()
    assert client.get(client.key("Row", "k"))["value"] == b"w", "the client was not closed"
    assert open_store(client).name == "datastore://holdfast/holdfast"


def test_a_ready_object_of_another_kind_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"is no google\.cloud\.datastore\.Client"):
        open_store(cast("Any", datastore.Key)("kind", "name", project="p"))


def test_without_credentials_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise NoCredentials("nothing found")

    monkeypatch.delenv("DATASTORE_EMULATOR_HOST")
    monkeypatch.setattr(google.auth, "default", none)
    store = open_store("datastore://project/kind")
    with pytest.raises(StoreUnavailable, match="GOOGLE_APPLICATION_CREDENTIALS") as caught:
        store.get("k")
    assert isinstance(caught.value.__cause__, NoCredentials)
