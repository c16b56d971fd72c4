"""The Redis store keeps the contract on Redis and Valkey, over TCP, TLS and a unix socket."""

import time
from pathlib import Path
from typing import ClassVar

import pytest

from holdfast import open_store
from holdfast.store.abilities import CanIncrement, CanScan, CanTellTtl
from holdfast.store.protocol import OpenStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from servers.redis import PASSWORD, RedisServer
from servers.redis_cluster import RedisCluster, RedisSentinel

pytestmark = pytest.mark.server


class RedisSuite(StoreSuite):
    """A database of the server that is emptied for each test; the server keeps the time."""

    abilities = (CanIncrement, CanScan, CanTellTtl)
    second = 0.08
    examples = 5
    steps = 15
    url: str
    emptied_for: ClassVar[set[Path]] = set()

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:  # noqa: ARG002 - the server's
        store = open_store(self.url, timeout=5)
        if tmp_path not in self.emptied_for:
            self.emptied_for.add(tmp_path)
            assert isinstance(store, CanScan)
            store.delete_many(list(store.scan()))
        return store

    @pytest.fixture(autouse=True)
    def _slower_where_time_is_short(self, request: pytest.FixtureRequest) -> None:
        self.wakes: dict[ManualClock, float] = {}
        if any(word in request.node.name for word in ("lives", "ttl", "renews", "increment")):
            self.second = 0.3  # they look a second before something expires, on a busy machine

    def advance(self, clock: ManualClock, seconds: float) -> None:
        """Sleep; what was done since the last time counts, so that a slow machine is no fault."""
        now = time.monotonic()
        self.wakes[clock] = max(now, self.wakes.get(clock, now) + seconds)
        time.sleep(self.wakes[clock] - now)


class FewerSteps(RedisSuite):
    """The same for the settings that share all but the way to the server."""

    examples = 2
    steps = 8


class TestRedis(RedisSuite):
    """Redis over TCP."""

    @pytest.fixture(autouse=True)
    def _url(self, redis_server: RedisServer) -> None:
        self.url = redis_server.url


class TestValkey(RedisSuite):
    """Valkey, which compares and writes in one command of its own."""

    @pytest.fixture(autouse=True)
    def _url(self, valkey_server: RedisServer) -> None:
        self.url = valkey_server.url.replace("redis://", "valkey://")


class TestTls(FewerSteps):
    """Redis over TLS, with a user."""

    password = PASSWORD
    second = 0.15  # to connect takes longer

    @pytest.fixture(autouse=True)
    def _url(self, redis_tls: RedisServer) -> None:
        self.url = redis_tls.url


class TestUnixSocket(FewerSteps):
    """Redis on a unix socket, in another database."""

    @pytest.fixture(autouse=True)
    def _url(self, redis_server: RedisServer) -> None:
        self.url = f"unix://{redis_server.socket}?db=3"


class TestSentinel(FewerSteps):
    """The master that Sentinels name."""

    @pytest.fixture(autouse=True)
    def _url(self, redis_sentinel: RedisSentinel) -> None:
        self.url = redis_sentinel.url


class TestCluster(FewerSteps):
    """Three masters that share the keys."""

    @pytest.fixture(autouse=True)
    def _url(self, redis_cluster: RedisCluster) -> None:
        self.url = redis_cluster.url
