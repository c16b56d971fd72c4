"""`ext:redis` and `ext:rediscluster`: what only they can do, and what shall not be lost."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import redis

from compat.beaker_clients import closing_clients
from compat.seeds import genuine
from holdfast.compat import configure, refused
from holdfast.compat.beaker.container import NamespaceManager, Value
from holdfast.compat.beaker.exceptions import InvalidCacheBackendError, MissingCacheParameter
from holdfast.compat.beaker.ext.redisclusternm import (
    RedisClusterNamespaceManager,
    RedisClusterSynchronizer,
)
from holdfast.compat.beaker.ext.redisnm import RedisNamespaceManager, RedisSynchronizer
from holdfast.errors import CodecError, ConfigError, StoreUnavailable
from servers.redis_cluster import RedisCluster

pytestmark = pytest.mark.server
LOCKS = """
import json, sys
from beaker.ext.redisnm import RedisSynchronizer
lock = RedisSynchronizer("shared", sys.argv[1])
print(json.dumps(bool(lock.acquire(wait=False))))
"""


@pytest.fixture(autouse=True)
def _clients() -> Iterator[None]:
    with closing_clients():
        yield


@pytest.fixture
def url(redis_database: str) -> str:
    return redis_database


def test_keys_are_those_of_beaker(url: str) -> None:
    manager = RedisNamespaceManager("shop", url)
    manager["a"] = manager[b"b"] = manager["x" * 1030] = 1
    keys = sorted(manager.keys(), key=lambda key: (len(key), key))
    assert keys[:2] == [b"beaker_cache:shop:a", b"beaker_cache:shop:b"]
    assert len(keys[2]) == len("beaker_cache:shop:") + 40
    assert isinstance(manager.client, redis.Redis)
    assert manager.lock_dir is None
    assert isinstance(manager.get_creation_lock("a"), RedisSynchronizer)
    assert manager.get_creation_lock("a").identifier == "beaker_lock:beaker_cache:shop:a"


def test_a_client_that_is_given_is_used(url: str) -> None:
    with redis.StrictRedis.from_url(url, decode_responses=True) as client:
        manager = RedisNamespaceManager("shop", client)
        manager["a"] = b"\xff"
        assert manager.client is client
        assert RedisNamespaceManager("shop", url)["a"] == b"\xff"
        assert RedisNamespaceManager("shop", url).client is RedisNamespaceManager("b", url).client


def test_a_subclass_may_set_the_client_itself(url: str) -> None:
    class Own(RedisNamespaceManager):
        def __init__(self, namespace: str, **_: object) -> None:
            NamespaceManager.__init__(self, namespace)
            self.client = redis.Redis.from_url(url)

    manager = Own("shop")
    manager["k"] = 1
    assert manager.reread("k") == 1
    assert manager.swap_value("k", 2)
    assert RedisNamespaceManager("shop", url)["k"] == 2
    manager.client.close()


def test_timeout_and_expiretime(url: str) -> None:
    for timeout in (60, "60"):
        manager = RedisNamespaceManager("shop", url, timeout=timeout)
        manager["by timeout"] = 1
        manager.set_value("by expiretime", 1, 600)
        ttl = manager.client.ttl
        assert 50 < ttl("beaker_cache:shop:by timeout") <= 60
        assert 590 < ttl("beaker_cache:shop:by expiretime") <= 600
    RedisNamespaceManager("shop", url)["for ever"] = 1
    assert ttl("beaker_cache:shop:for ever") == -1


def test_remove_takes_this_namespace_alone(url: str) -> None:
    managers = [RedisNamespaceManager(name, url) for name in ("a", "ab", "a*", "a:b")]
    for manager in managers:
        manager["key"] = manager.namespace
    managers[2].remove()
    assert [("key" in manager) for manager in managers] == [True, True, False, True]
    assert managers[1].keys() == [b"beaker_cache:ab:key"]


def test_what_cannot_be_read_is_not_there_and_counted(url: str) -> None:
    manager = RedisNamespaceManager("shop", url)
    manager.client.set("beaker_cache:shop:key", b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(KeyError) as caught:
        manager["key"]
    assert isinstance(caught.value.__cause__, CodecError)
    assert sum(refused.values()) == 1
    assert Value("key", manager, createfunc=lambda: "made").get_value() == "made"
    assert Value("key", manager).get_value() == "made"


def test_what_cannot_be_written_says_the_fix(url: str) -> None:
    manager = RedisNamespaceManager("shop", url)
    with pytest.raises(CodecError, match="allow="):
        manager["key"] = Value
    assert "key" not in manager


def test_both_forms_are_read_after_a_change_of_form(url: str) -> None:
    manager = RedisNamespaceManager("shop", url)
    manager["safe"] = {"a": (1, 2)}
    configure(old_form=True)
    manager["old"] = {"a": (1, 2)}
    assert manager.client.get("beaker_cache:shop:old").startswith(b"\x80")
    assert manager["safe"] == manager["old"] == {"a": (1, 2)}
    configure()
    assert manager["safe"] == manager["old"]


def test_a_swap_is_refused_where_another_was_quicker(url: str) -> None:
    one, other = (RedisNamespaceManager("s", url) for _ in range(2))
    with pytest.raises(KeyError):
        one.reread("k")
    assert one.swap_value("k", {"n": 0}, 60)
    assert other.reread("k") == {"n": 0}
    assert one.reread("k") == {"n": 0}
    assert one.swap_value("k", {"n": 1})
    assert not other.swap_value("k", {"n": 2})
    assert other.reread("k") == {"n": 1}
    assert other.swap_value("k", {"n": 2}, 60)
    assert other.client.ttl("beaker_cache:s:k") > 0
    del one["k"]
    assert not other.swap_value("k", {"n": 3})


def test_locks_shut_out_beaker_and_are_shut_out(url: str) -> None:
    lock = RedisSynchronizer("shared", url)
    assert lock.acquire(wait=False)
    assert json.loads(genuine(LOCKS, url)) is False
    assert 890 < lock.client.ttl("beaker_lock:shared") <= 900
    assert lock.client.get("beaker_lock:shared").startswith(
        f"{lock.MACHINE_ID}-{os.getpid()}-".encode()
    )
    lock.release()
    assert json.loads(genuine(LOCKS, url)) is True  # and it ends without releasing it
    assert not lock.acquire(wait=False)
    assert not lock.acquire_read_lock(wait=False)
    lock.client.delete("beaker_lock:shared")
    assert lock.acquire_read_lock(wait=False)
    lock.release_read_lock()
    assert not lock.client.exists("beaker_lock:shared")


def test_who_makes_a_value_may_look_at_the_old_one(url: str) -> None:
    manager = RedisNamespaceManager("shop", url)
    Value("k", manager, expiretime=1).set_value("old", storedtime=1.0)

    def create() -> str:
        old = Value("k", manager, createfunc=create, expiretime=1).get_value()
        return f"new after {old}"

    value = Value("k", manager, createfunc=create, expiretime=1)
    assert value.get_value() == "new after old"


def test_a_lock_that_another_has_now_is_left_to_him(url: str) -> None:
    lock, other = (RedisSynchronizer("shared", url) for _ in range(2))
    lock.acquire()
    lock.client.delete("beaker_lock:shared")  # as after LOCK_EXPIRATION
    assert other.acquire(wait=False)
    lock.release()
    assert other.client.exists("beaker_lock:shared")
    other.release()


def test_one_thread_makes_a_value_and_the_others_wait(url: str) -> None:
    calls, together = [], threading.Barrier(6)

    def create() -> str:
        calls.append(1)
        time.sleep(0.05)
        return "made"

    def ask() -> None:
        manager = RedisNamespaceManager("shop", url)
        together.wait()
        found.append(Value("k", manager, createfunc=create).get_value())

    found: list[str] = []
    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(calls), found) == (1, ["made"] * 6)


def test_what_is_missing_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for nothing in (None, ""):
        with pytest.raises(MissingCacheParameter, match="url"):
            RedisNamespaceManager("shop", nothing)
        with pytest.raises(MissingCacheParameter, match="urls"):
            RedisClusterNamespaceManager("shop", nothing)
    with pytest.raises(ConfigError):
        RedisNamespaceManager("shop", "nonsense")
    monkeypatch.setitem(sys.modules, "redis", None)
    for make in (RedisNamespaceManager, RedisClusterNamespaceManager, RedisSynchronizer):
        with pytest.raises(InvalidCacheBackendError, match=r"pip install 'holdfast\[redis\]'"):
            make("shop", url)


def test_a_server_that_is_gone_is_an_error_of_ours() -> None:
    manager = RedisNamespaceManager("shop", "redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable) as caught:
        manager["k"]
    assert isinstance(caught.value.__cause__, redis.ConnectionError)


@pytest.mark.slow
class TestCluster:
    """Over several nodes."""

    @pytest.fixture
    def urls(self, redis_cluster: RedisCluster) -> str:
        return ",".join(server.url for server in redis_cluster.servers[:2])

    def test_a_namespace_is_on_all_nodes(self, urls: str) -> None:
        manager = RedisClusterNamespaceManager("ns", urls=urls, data_dir="/nowhere", timeout=60)
        other = RedisClusterNamespaceManager("ns2", urls=manager.client)
        for number in range(30):
            manager[f"k{number}"] = number
        other["k"] = 1
        assert len(manager.keys()) == 30
        assert len(manager.nodes) >= 2
        assert other.nodes == []
        assert 0 < manager.client.ttl("beaker_cache:ns:k1") <= 60
        manager.remove()
        assert manager.keys() == []
        assert other["k"] == 1
        other.remove()

    def test_swaps_and_locks(self, urls: str) -> None:
        manager = RedisClusterNamespaceManager("ns", urls=urls)
        with pytest.raises(KeyError):
            manager.reread("k")
        assert manager.swap_value("k", 1)
        assert manager.swap_value("k", 2)
        lock, again = manager.get_creation_lock("k"), manager.get_creation_lock("k")
        assert isinstance(lock, RedisClusterSynchronizer)
        assert lock.acquire(wait=False)
        assert not again.acquire(wait=False)
        lock.release()
        assert again.acquire(wait=False)
        again.release()
        manager.remove()

    def test_a_database_number_is_refused(self, urls: str) -> None:
        with pytest.raises(redis.exceptions.RedisClusterException, match="db"):
            RedisClusterNamespaceManager("ns", urls=f"{urls}/1")
