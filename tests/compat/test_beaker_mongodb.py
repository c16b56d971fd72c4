"""`ext:mongodb`: what only it can do, and what shall not be lost."""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest

from compat.beaker_clients import closing_clients
from compat.seeds import genuine
from holdfast.compat import refused
from holdfast.compat.beaker.exceptions import InvalidCacheBackendError, MissingCacheParameter
from holdfast.compat.beaker.ext import mongodb
from holdfast.compat.beaker.ext.mongodb import MongoNamespaceManager, MongoSynchronizer
from holdfast.store.mongodb import plain
from holdfast.testing.clock import ManualClock
from servers.mongodb import MongodbServer

pytestmark = pytest.mark.server
LOCKS = """
import json, sys
from beaker.ext.mongodb import MongoSynchronizer
read, write = (MongoSynchronizer(name, sys.argv[1]) for name in ("read", "write"))
print(json.dumps([
    bool(read.acquire_read_lock(wait=False)), bool(write.acquire_write_lock(wait=False)),
    bool(MongoSynchronizer("read", sys.argv[1]).acquire_write_lock(wait=False)),
]))
"""


@pytest.fixture
def url(mongodb: MongodbServer) -> Iterator[str]:
    url = f"{mongodb.url}/beaker_alone"
    with closing_clients():
        yield url
        MongoNamespaceManager("x", url).client.drop_database("beaker_alone")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """Give the time, to the stores that ask for it."""
    clock = ManualClock()
    monkeypatch.setattr(plain.PlainMongo.__init__, "__kwdefaults__", {"clock": clock})
    return clock


def test_documents_are_where_beaker_has_them(url: str) -> None:
    manager = MongoNamespaceManager("shop", url)
    manager["a"] = manager[b"b"] = manager["x" * 1030] = 1
    rows = sorted(manager.db["backer_cache"].find(), key=lambda row: len(row["_id"]))
    assert [row["_id"] for row in rows[:2]] == ["shop:a", "shop:b"]
    assert len(rows[2]["_id"]) == len("shop:") + 40
    assert [row["expiration"] for row in rows] == [None] * 3
    assert manager.keys() == ["a", "b", rows[2]["_id"][5:]]
    assert manager.get_creation_lock("a").identifier == "shop:a"


def test_a_client_that_is_given_is_used(url: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        manager = MongoNamespaceManager("shop", client)
        manager["a"] = b"\xff"
        assert manager.client is client
        assert MongoNamespaceManager("shop", url)["a"] == b"\xff"
        assert MongoNamespaceManager("a", url).client is MongoNamespaceManager("b", url).client


def test_a_subclass_may_choose_another_database(url: str) -> None:
    class Elsewhere(MongoNamespaceManager):
        def __init__(self, namespace: str, url: str, **kw: Any) -> None:
            super().__init__(namespace, url, **kw)
            self.db = self.client["elsewhere"]

    manager = Elsewhere("shop", url)
    manager["k"] = 1
    assert manager.get_creation_lock("k").acquire(wait=False)
    assert "k" not in MongoNamespaceManager("shop", url)
    assert manager.client["elsewhere"]["beaker_locks"].find_one({"_id": "shop:k"})
    manager.client.drop_database("elsewhere")


def test_what_is_over_is_not_there_and_cleared(
    url: str, now: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = MongoNamespaceManager("shop", url)
    for key in "abc":
        manager.set_value(key, 1, 60)
    now.advance(60)
    assert "a" not in manager
    with pytest.raises(KeyError):
        manager["b"]
    assert [row["_id"] for row in manager.db["backer_cache"].find()] == ["shop:c"]
    monkeypatch.setattr(mongodb, "monotonic", lambda: 1e12)
    manager["d"] = 1
    assert [row["_id"] for row in manager.db["backer_cache"].find()] == ["shop:d"]


def test_remove_takes_this_namespace_alone(url: str) -> None:
    managers = [MongoNamespaceManager(name, url) for name in ("a", "ab", "a.", "(")]
    for manager in managers:
        manager["key"] = manager.namespace
    managers[2].remove()
    managers[3].remove()
    assert [("key" in manager) for manager in managers] == [True, True, False, False]
    assert managers[0].keys() == ["key"]


def test_what_cannot_be_read_is_not_there_and_counted(url: str) -> None:
    manager = MongoNamespaceManager("shop", url)
    value = {"value": b"cos\nsystem\n(S'true'\ntR.", "expiration": None}
    manager.db["backer_cache"].update_one({"_id": "shop:key"}, {"$set": value}, upsert=True)
    with pytest.raises(KeyError):
        manager["key"]
    assert sum(refused.values()) == 1


def test_a_swap_is_refused_where_another_was_quicker(url: str) -> None:
    one, other = (MongoNamespaceManager("s", url) for _ in range(2))
    with pytest.raises(KeyError):
        one.reread("k")
    assert one.swap_value("k", {"n": 0}, 60)
    assert other.reread("k") == one.reread("k") == {"n": 0}
    assert one.swap_value("k", {"n": 1})
    assert not other.swap_value("k", {"n": 2})
    assert other.reread("k") == {"n": 1}
    assert other.swap_value("k", {"n": 2})
    del one["k"]
    assert not other.swap_value("k", {"n": 3})


def test_locks_shut_out_beaker_and_are_shut_out(url: str) -> None:
    read, write = (MongoSynchronizer(name, url) for name in ("read", "write"))
    assert read.acquire_read_lock()
    assert write.acquire()
    assert json.loads(genuine(LOCKS, url)) == [True, False, False]  # and it goes without a word
    read.release_read_lock()
    write.release()
    assert not read.acquire(wait=False)
    assert read.acquire_read_lock(wait=False)
    read.release_read_lock()
    write.db["beaker_locks"].delete_many({})
    assert json.loads(genuine(LOCKS, url)) == [True, True, False]
    assert not write.acquire(wait=False)
    assert not write.acquire_read_lock(wait=False)


def test_a_child_speaks_through_a_client_of_its_own(url: str) -> None:
    manager = MongoNamespaceManager("shop", url)
    manager["k"] = 0
    mine = manager.client
    pid = os.fork()
    if not pid:
        code = 1
        try:
            for number in range(10):
                manager["child"] = number
            code = 0 if manager.client is not mine else 2
        finally:
            os._exit(code)
    for number in range(10):
        manager["k"] = number
        assert manager["k"] == number
    assert os.waitpid(pid, 0)[1] == 0
    assert manager["child"] == 9
    assert manager.client is mine


def test_what_is_missing_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingCacheParameter, match="url"):
        MongoNamespaceManager("shop")
    host = url.rpartition("/")[0]
    for make in (MongoNamespaceManager, MongoSynchronizer):
        with pytest.raises(MissingCacheParameter, match="mongodb://host:27017/NAME"):
            make("shop", host)
    monkeypatch.setitem(sys.modules, "pymongo", None)
    for make in (MongoNamespaceManager, MongoSynchronizer):
        with pytest.raises(InvalidCacheBackendError, match=r"pip install 'holdfast\[mongodb\]'"):
            make("shop", url)
