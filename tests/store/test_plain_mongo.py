"""The plain documents of MongoDB, and the locks beside them."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from plain_suite import PlainSuite

from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.store.mongodb.plain import PlainMongo, client_of
from holdfast.store.mongodb.plain_locks import PlainLocks
from holdfast.testing.clock import ManualClock
from servers.mongodb import MongodbServer, run_mongodb

pytestmark = pytest.mark.server


@pytest.fixture
def database(mongodb: MongodbServer) -> Iterator[Any]:
    with client_of(f"{mongodb.url}/plain") as client:
        found = client.get_default_database()
        yield found
        client.drop_database(found.name)


class TestPlainMongo(PlainSuite):
    """One collection."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def store(self, database: Any, clock: ManualClock) -> PlainMongo:
        return PlainMongo(database.backer_cache, clock=clock)

    def test_what_is_over_is_not_found_and_cleared(
        self, store: PlainMongo, database: Any, clock: ManualClock
    ) -> None:
        for key in ("a:1", "a:2", "a:3", "b:1"):
            store.put(key, b"v", 60)
        store.put("a:4", b"v")
        clock.advance(59)
        assert sorted(store.scan("a:")) == ["a:1", "a:2", "a:3", "a:4"]
        clock.advance(1)
        assert store.get("a:1") is None
        assert sorted(store.scan()) == ["a:4"]
        assert not store.delete("a:2")
        assert not store.swap("a:3", b"v", b"w")
        assert store.swap("a:3", None, b"new")
        assert sorted(row["_id"] for row in database.backer_cache.find()) == ["a:3", "a:4", "b:1"]
        assert store.sweep("a:") == 0
        assert store.sweep("") == 1

    def test_the_documents_are_those_of_the_past(
        self, store: PlainMongo, database: Any, clock: ManualClock
    ) -> None:
        store.put("a", b"\x80v", 60)
        assert store.swap("b", None, b"w")
        rows = {row["_id"]: row for row in database.backer_cache.find()}
        assert rows["a"] == {"_id": "a", "value": b"\x80v", "expiration": clock() + 60}
        assert rows["b"] == {"_id": "b", "value": b"w", "expiration": None}

    def test_clear_takes_a_prefix_as_it_is_written(self, store: PlainMongo) -> None:
        for key in ("a:1", "ab:1", "a.b:1", "axb:1"):
            store.put(key, b"v")
        assert store.clear("a.b:") == 1
        assert store.clear("a:") == 1
        assert sorted(store.scan()) == ["ab:1", "axb:1"]


def test_many_read_or_one_writes(database: Any) -> None:
    clock = ManualClock()
    locks = PlainLocks(database.beaker_locks, 900, clock=clock)
    assert locks.read("x", "ada")
    assert locks.read("x", "bob")
    assert not locks.write("x", "cy")
    assert locks.write("y", "cy")
    locks.end_read("x", "ada")
    assert not locks.write("x", "cy")
    locks.end_read("x", "bob")
    assert locks.write("x", "cy")
    assert not locks.read("x", "ada")
    assert not locks.write("x", "ada")
    locks.end_write("x", "ada")  # it is not hers
    assert not locks.read("x", "ada")
    clock.advance(900)
    assert locks.read("x", "ada")  # its holder forgot it
    locks.end_read("x", "ada")
    locks.end_write("y", "cy")
    assert list(database.beaker_locks.find()) == []


def test_one_thread_at_a_time(database: Any) -> None:
    locks = PlainLocks(database.beaker_locks, 900)
    together, got = threading.Barrier(6), []

    def take(number: int) -> None:
        together.wait()
        if locks.write("x", f"t{number}"):
            got.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


@pytest.mark.slow
def test_a_server_that_dies() -> None:
    with (
        run_mongodb() as server,
        client_of(f"{server.url}/plain?serverSelectionTimeoutMS=300") as client,
    ):
        store = PlainMongo(client.get_default_database().backer_cache)
        store.put("key", b"v")
        server.server.kill()
        with pytest.raises(StoreUnavailable) as caught:
            store.put("key", b"w")
        assert caught.value.__cause__ is not None


def test_a_wrong_url_keeps_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "X", "")
    with pytest.raises(ConfigError) as caught:
        client_of("mongodb://ada:s3cret@ho st:x/db")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
