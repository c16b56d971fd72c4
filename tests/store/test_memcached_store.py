"""The memcached store keeps the contract, on one server and on several."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymemcache.client.base import Client

from holdfast.store.memcached import MemcachedStore
from holdfast.store.memcached.nodes import Node
from holdfast.store.protocol import OpenStore
from holdfast.store.registry import open_store
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from servers.memcached import MemcachedServer, run_memcached

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def servers() -> Iterator[list[MemcachedServer]]:
    with run_memcached() as one, run_memcached() as two, run_memcached() as three:
        yield [one, two, three]


class OnMemcached(StoreSuite):
    """Servers of its own, emptied for each test: memcached has no databases."""

    examples = 6
    steps = 12
    nodes: tuple[Node, ...] = ()
    emptied: Path | None = None

    def empty(self, tmp_path: Path) -> None:
        if tmp_path == self.emptied:
            return
        self.emptied = tmp_path
        for node in self.nodes:
            with socket.create_connection((node.host, node.port), 10) as link:
                link.sendall(b"flush_all\r\n")
                assert link.recv(100) == b"OK\r\n"


class TestMemcachedStore(OnMemcached):
    """One server, and time as it goes by."""

    second = 0.4
    examples = 3

    @pytest.fixture(autouse=True)
    def use(self, servers: list[MemcachedServer]) -> None:
        self.url = servers[0].url
        self.nodes = (Node("127.0.0.1", servers[0].port),)

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:  # noqa: ARG002 - see `advance`
        self.empty(tmp_path)
        return open_store(self.url, timeout=10)

    def advance(self, clock: ManualClock, seconds: float) -> None:  # noqa: ARG002 - time goes by itself
        time.sleep(seconds)


class TestThreeServers(OnMemcached):
    """Three, each with its share of the keys; expiry by a clock of ours, ahead of the servers'."""

    second = 0.06  # rows count as expired for the six seconds in which a server may keep them

    @pytest.fixture(autouse=True)
    def use(self, servers: list[MemcachedServer]) -> None:
        self.nodes = tuple(Node("127.0.0.1", server.port) for server in servers)

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        self.empty(tmp_path)
        return MemcachedStore(self.nodes, timeout=10, clock=clock)

    def test_each_server_has_its_share(self) -> None:
        keys = [f"share:{number}" for number in range(600)]
        with MemcachedStore(self.nodes) as store:
            store.put_many(dict.fromkeys(keys, b"v"))
        shares: list[int] = []
        for node in self.nodes:
            with MemcachedStore([node]) as one:
                shares.append(len(one.get_many(keys)))
        assert sum(shares) == 600
        assert min(shares) > 150


@pytest.mark.slow
def test_rows_do_not_stay_on_the_server(memcached_server: MemcachedServer) -> None:
    other = Client(("127.0.0.1", memcached_server.port), default_noreply=False)
    with open_store(memcached_server.url) as store:
        store.put("gone", b"v", ttl=0.05)
        time.sleep(0.1)
        assert store.get("gone") is None
        assert other.get("gone") == b"v", "its clock ticks in seconds"
        assert store.swap("gone", None, b"v", 0.05)
        time.sleep(4.5)
        assert other.get("gone") is None
    other.close()
