"""The plain keys of Redis, on a client of a URL, one that was given, and a Cluster's."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from plain_suite import PlainSuite

from holdfast.errors import ConfigError, StoreTimeout, StoreUnavailable
from holdfast.store.redis.plain import PlainRedis, client_of, cluster_of
from servers.redis import PASSWORD, RedisServer, run_redis
from servers.redis_cluster import RedisCluster

pytestmark = pytest.mark.server


class TestPlainRedis(PlainSuite):
    """One server."""

    @pytest.fixture
    def client(self, redis_database: str) -> Iterator[redis.Redis]:
        with client_of(redis_database) as client:
            yield client

    @pytest.fixture
    def store(self, client: redis.Redis) -> PlainRedis:
        return PlainRedis(client)

    def test_what_expires(self, store: PlainRedis, client: redis.Redis) -> None:
        store.put("a", b"v", 60)
        assert store.swap("b", None, b"v", 60)
        assert store.swap("b", b"v", b"w", 90.5)
        assert 59_000 < client.pttl("a") <= 60_000
        assert 89_000 < client.pttl("b") <= 90_500
        assert store.swap("b", b"w", b"x")
        assert client.pttl("b") == -1
        store.put("a", b"v", 0)
        assert store.swap("b", b"x", b"y", 0)
        assert client.keys() == []

    def test_a_swap_whose_answer_was_lost_is_done(
        self, store: PlainRedis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.put("key", b"old")
        once = store._swapped

        def twice(*words: Any) -> bool:
            assert once(*words)
            return once(*words)  # as the client does when the connection broke

        monkeypatch.setattr(store, "_swapped", twice)
        assert store.swap("key", b"old", b"new")
        assert store.swap("other", None, b"new")
        assert store.get("key") == b"new"

    def test_a_server_that_forgot_the_scripts(self, store: PlainRedis, client: redis.Redis) -> None:
        client.script_flush()
        store.put("key", b"a")
        assert store.swap("key", b"a", b"b")

    def test_clear_takes_one_prefix_in_batches(self, store: PlainRedis) -> None:
        for number in range(1100):
            store.put(f"a*:{number}", b"v")
        store.put("ab:1", b"v")
        assert store.clear("a*:") == 1100
        assert list(store.scan()) == ["ab:1"]

    def test_keys_are_never_listed_with_keys(self, store: PlainRedis, client: redis.Redis) -> None:
        before = client.info("commandstats").get("cmdstat_keys", {}).get("calls", 0)
        store.put("a", b"v")
        list(store.scan("a"))
        store.clear("a")
        after = client.info("commandstats").get("cmdstat_keys", {}).get("calls", 0)
        assert after == before

    def test_a_child_connects_anew(self, store: PlainRedis) -> None:
        store.put("key", b"0")
        pid = os.fork()
        if not pid:
            code = 1
            try:
                for _ in range(20):
                    store.put("child", b"c")
                code = 0
            finally:
                os._exit(code)
        for number in range(20):
            store.put("key", b"%d" % number)
            assert store.get("key") == b"%d" % number
        assert os.waitpid(pid, 0)[1] == 0
        assert store.get("child") == b"c"


class TestDecodingClient(PlainSuite):
    """A client that was made to decode what it reads gives bytes still."""

    @pytest.fixture
    def store(self, redis_server: RedisServer, redis_database: str) -> Iterator[PlainRedis]:
        url = f"unix://{redis_server.socket}?db={redis_database.rpartition('/')[2]}"
        with redis.StrictRedis.from_url(url, decode_responses=True) as client:
            yield PlainRedis(client)


@pytest.mark.slow
class TestPlainCluster(PlainSuite):
    """Keys on many nodes."""

    @pytest.fixture
    def store(self, redis_cluster: RedisCluster) -> Iterator[PlainRedis]:
        urls = ",".join(server.url for server in redis_cluster.servers[:2])
        client = cluster_of(urls)
        yield PlainRedis(client)
        client.flushall(target_nodes="primaries")
        client.close()

    def test_clear_goes_to_every_node(self, store: PlainRedis) -> None:
        for number in range(700):
            store.put(f"a:{number}", b"v")
        store.put("b", b"v")
        assert store.clear("a:") == 700
        assert list(store.scan()) == ["b"]


def test_tls_and_a_user(redis_tls: RedisServer) -> None:
    with client_of(redis_tls.url) as client:
        store = PlainRedis(client)
        store.put("plain", b"v")
        assert store.get("plain") == b"v"
        assert store.delete("plain")
        assert PASSWORD not in store.name


@pytest.mark.slow
def test_a_server_that_dies_and_comes_back() -> None:
    with (
        run_redis("--appendonly", "yes", "--appendfsync", "always") as server,
        client_of(f"{server.url}?socket_timeout=0.3") as client,
    ):
        store = PlainRedis(client)
        store.put("key", b"v")
        server.server.pause()
        try:
            with pytest.raises(StoreTimeout):
                store.get("key")
        finally:
            server.server.go_on()
        assert store.get("key") == b"v"
        server.server.kill()
        for act in (store.get, store.delete, lambda key: store.swap(key, b"v", b"w")):
            with pytest.raises(StoreUnavailable) as caught:
                act("key")
            assert caught.value.__cause__ is not None
        server.server.start()
        assert store.get("key") == b"v"


def test_threads_share_a_client(redis_server: RedisServer) -> None:
    with client_of(f"{redis_server.url}/7") as client:
        store = PlainRedis(client)
        results = []

        def work(number: int) -> None:
            for _ in range(20):
                store.put(f"t{number}", b"%d" % number)
                results.append(store.get(f"t{number}") == b"%d" % number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [True] * 120
        client.flushdb()


def test_wrong_urls(tmp_path: Path) -> None:
    for wrong in ("nonsense", "http://host", "redis://host/?socket_timeout=x"):
        with pytest.raises(ConfigError):
            client_of(wrong)
    with pytest.raises(StoreUnavailable), client_of(f"unix://{tmp_path}/none") as client:
        PlainRedis(client).get("key")
    with pytest.raises(redis.exceptions.RedisClusterException, match="`db`"):
        cluster_of("redis://host:7001/1")
    with pytest.raises(ConfigError):
        cluster_of("nonsense")
