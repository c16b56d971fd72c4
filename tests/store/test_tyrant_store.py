"""The Tyrant store keeps the contract, and its records are what other programs expect."""

import asyncio
import json
import math
from pathlib import Path

import pytest

from holdfast import open_store
from holdfast.bridge import drive
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.store.abilities import AsyncCanIncrement, CanIncrement, CanScan, CanSweep, CanTellTtl
from holdfast.store.tyrant import TyrantStore
from holdfast.store.tyrant.client import TyrantClient
from holdfast.store.tyrant.ring import Ring
from holdfast.store.tyrant.rows import pack, unpack
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from servers.tyrant import Tyrant, run_tyrant

pytestmark = pytest.mark.server


class TestTyrantStore(StoreSuite):
    """One server; each test begins with an empty database."""

    abilities = (CanIncrement, CanScan, CanSweep, CanTellTtl)
    examples = 10

    @pytest.fixture(autouse=True)
    def _server(self, tyrant: Tyrant) -> None:
        self.servers = [tyrant.address]
        self.known: set[Path] = set()

    def open(self, tmp_path: Path, clock: ManualClock) -> TyrantStore:
        if tmp_path not in self.known:
            self.known.add(tmp_path)
            for address in self.servers:
                empty(address)
        return TyrantStore(self.servers, timeout=10, lease=20, clock=clock)

    def test_the_async_face_increments(self) -> None:
        with TyrantStore(self.servers) as store:
            assert isinstance(store.aio, AsyncCanIncrement)

    def test_keys_of_others_are_passed_over(self, tmp_path: Path) -> None:
        clock = ManualClock()
        with self.open(tmp_path, clock) as store:
            client = TyrantClient(*self.servers[0])
            for key in (b"", b"two words", b"\xff", b"k" * 300, "ö".encode()):
                assert client.put(key, b"theirs")
            store.put("k", b"v")
            store.put("dead", b"v", ttl=1)
            clock.advance(2)
            assert list(store.scan()) == ["k"]
            assert list(store.scan("ö")) == []
            assert store.sweep() == 1
            assert client.get(b"two words") == b"theirs"
            client.close()

    def test_what_is_renewed_while_the_sweep_runs_stays(self, tmp_path: Path) -> None:
        clock = ManualClock()
        with self.open(tmp_path, clock) as store:
            store.put("k", b"v", ttl=1)
            clock.advance(2)
            keys = store._steps
            found = [key for server in range(len(self.servers)) for key in store._pages(server, "")]
            store.put("k", b"w", ttl=9)
            for server, page in enumerate(found):
                assert drive(keys.removed(server % len(self.servers), page)) == 0
            assert store.get("k") == b"w"


class TestTyrantStoreOfThree(TestTyrantStore):
    """Three servers: a hash in memory, a hash on disk, a B+ tree."""

    examples = 5

    @pytest.fixture(autouse=True)
    def _server(self, tyrants: list[Tyrant]) -> None:
        self.servers = [tyrant.address for tyrant in tyrants]
        self.known = set()


def empty(address: tuple[str, int]) -> None:
    client = TyrantClient(*address, timeout=10)
    assert client.vanish()
    client.close()


@pytest.fixture
def address(tyrant: Tyrant) -> tuple[str, int]:
    """Give an empty server."""
    empty(tyrant.address)
    return tyrant.address


# What stands in a record


def test_a_value_without_ttl_is_stored_as_it_is(address: tuple[str, int]) -> None:
    client = TyrantClient(*address)
    with TyrantStore([address]) as store:
        store.put("k", b'{"a": 1}')
        store.increment("n", 5)
        assert store.swap("s", None, b"v")
        assert client.mget([b"k", b"n", b"s"]) == {b"k": b'{"a": 1}', b"n": b"5", b"s": b"v"}
        client.put(b"theirs", b"plain")
        assert store.get("theirs") == b"plain"
        assert store.swap("theirs", b"plain", b"ours", ttl=60)
        assert client.vsiz(b"theirs") == 12 + 4
    client.close()


def test_a_value_like_a_header_comes_back(address: tuple[str, int]) -> None:
    with TyrantStore([address]) as store:
        for value in (b"HFT\x01", b"HFT\x01" + bytes(8), b"HFT\x01" + bytes(20)):
            for ttl in (None, 60):
                store.put("k", value, ttl)
                assert store.get("k") == value
                assert store.swap("k", value, value, ttl)
                assert store.get_many(["k"]) == {"k": value}


def test_the_header_of_a_record() -> None:
    assert pack(b"v", math.inf) == b"v"
    assert pack(b"v", 0.0) == b"HFT\x01" + bytes(8) + b"v"
    assert unpack(b"HFT\x01" + bytes(7)) == (b"HFT\x01" + bytes(7), math.inf)
    assert unpack(pack(b"", 7.5)) == (b"", 7.5)


def test_plain_records_are_the_values_alone(address: tuple[str, int]) -> None:
    client = TyrantClient(*address)
    host, port = address
    store = open_store(f"tyrant://{host}:{port}?plain=true")
    assert isinstance(store, TyrantStore)
    store.put("session", json.dumps({"cart": ["tea"]}).encode(), ttl=0.01)
    store.put("like a header".replace(" ", "-"), b"HFT\x01" + bytes(12))
    assert json.loads(client.get(b"session") or b"") == {"cart": ["tea"]}
    assert store.get("like-a-header") == b"HFT\x01" + bytes(12)
    assert store.swap("session", b'{"cart": ["tea"]}', b"{}", ttl=1000)
    assert client.get(b"session") == b"{}"
    assert store.increment("n", 2, ttl=5) == 2
    assert client.get(b"n") == b"2"
    assert store.sweep() == 0
    store.put("session", b"gone", ttl=0)
    assert store.get("session") is None
    assert sorted(store.scan()) == ["like-a-header", "n"]
    store.close()
    with pytest.raises(StoreUnavailable):
        store.sweep()
    client.close()


# Servers


@pytest.mark.slow
@pytest.mark.parametrize("database", ["casket.tct", "casket.tcf"])
def test_databases_that_lose_values_are_refused(database: str) -> None:
    with run_tyrant(database) as found, TyrantStore([found.address]) as store:
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="start ttserver with"):
                store.put("k", b"v")
            with pytest.raises(StoreUnavailable, match="start ttserver with"):
                store.swap("k", None, b"v")
            with pytest.raises(StoreUnavailable, match="start ttserver with"):
                asyncio.run(store.aio.get("k"))
            with pytest.raises(StoreUnavailable, match="start ttserver with"):
                asyncio.run(store.aio.swap("k", None, b"v"))


def test_the_faces_and_every_order_of_servers_agree(tyrants: list[Tyrant]) -> None:
    servers = [found.address for found in tyrants]
    for address in servers:
        empty(address)
    keys = [f"key:{number}" for number in range(60)]
    with TyrantStore(servers) as store, TyrantStore(servers[::-1]) as turned:
        assert store.name == turned.name
        store.put_many(dict.fromkeys(keys, b"v"))
        assert turned.get_many(keys) == dict.fromkeys(keys, b"v")
        assert asyncio.run(turned.aio.get_many(keys)) == dict.fromkeys(keys, b"v")
        assert sorted(turned.scan("key:")) == sorted(keys)
    for address in servers:
        client = TyrantClient(*address)
        assert 5 <= client.rnum() <= 40, "every server has its share"
        client.close()


def test_a_server_more_moves_only_its_share() -> None:
    names = [f"host{number}:1978" for number in range(4)]
    before, after = Ring(names[:3]), Ring(names)
    keys = [f"key:{number}" for number in range(3000)]
    moved = [key for key in keys if before.server_of(key) != after.server_of(key)]
    assert all(after.server_of(key) == 3 for key in moved)
    assert 0.15 < len(moved) / len(keys) < 0.35


def test_urls() -> None:
    store = open_store("tyrant://b:2000,a?timeout=2&lease=500ms")
    assert isinstance(store, TyrantStore)
    assert store.name == "tyrant://a:1978,b:2000"
    assert open_store("tyrant://B:2000,A").name == store.name, "the names say who has a key"
    assert open_store("tyrant://[::1]:7/").name == "tyrant://[::1]:7"
    wrong = (
        "tyrant://ada:geheim@host",
        "tyrant://host/1",
        "tyrant://a,a:1978",
        "tyrant://a,A",
        "tyrant://host?lease=0",
        "tyrant://host?lease=soon",
        "tyrant://host?plain=perhaps",
        "tyrant://host?table=yes",
    )
    for url in wrong:
        with pytest.raises(ConfigError) as caught:
            open_store(url)
        assert "geheim" not in str(caught.value)
