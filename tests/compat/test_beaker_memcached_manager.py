"""`beaker.ext.memcached`: the genuine one's keys and values, groups cleared alone, outages."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compat.seeds import genuine, ours
from holdfast.compat.beaker.container import Value
from holdfast.compat.beaker.exceptions import InvalidCacheBackendError, MissingCacheParameter
from holdfast.compat.beaker.ext.memcached import (
    MemcachedContainer,
    MemcachedNamespaceManager,
    PyLibMCNamespaceManager,
    _load_client,
)
from holdfast.compat.settings import CompatWarning, configure, refused
from holdfast.errors import StoreError
from servers.memcached import MemcachedServer, run_memcached

pytestmark = pytest.mark.server

_SCRIPT = """
import json, sys
import beaker.ext.memcached as module
from beaker.container import Value
url, locks, way = sys.argv[1:]
ours = "holdfast" in module.MemcachedNamespaceManager.__module__
library = "python3-memcached" if ours else "memcache"  # what `import memcache` is there
def manager(name):
    return module.MemcachedNamespaceManager(name, url, memcache_module=library, lock_dir=locks)
space = manager("na me")
if way == "write":
    space["k"] = {"a": [1, 2], "b": "x", 3: (4, None)}
    space.set_value("e", {"expires": True}, 100)
    space["long" * 90] = "L"
    space["two words"] = 7
    space[b"bytes"] = "té"
    Value("v", space, lambda: {"made": 1}, 60).get_value()
else:
    print(json.dumps([str(space["k"]), space["e"], space["long" * 90], space["two words"],
        space["bytes"], space["none"], "k" in space, space.has_key("q"),
        Value("v", space, lambda: "made anew", 60).get_value()]))
    del space["k"]
    del space["k"]
    print(json.dumps([space["k"], "k" in space]))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[MemcachedServer]:
    with run_memcached() as running:
        yield running


@pytest.fixture
def url(server: MemcachedServer) -> str:
    url = f"127.0.0.1:{server.port}"
    MemcachedNamespaceManager("x", url).mc.flush_all()
    return url


@pytest.mark.slow
def test_the_genuine_library_and_ours_find_each_others(url: str, tmp_path: Path) -> None:
    at = (url, tmp_path)
    genuine(_SCRIPT, *at, "write")
    found = ours("beaker", _SCRIPT, *at, "read")
    genuine(_SCRIPT, *at, "write")
    assert found == genuine(_SCRIPT, *at, "read")
    old = "import holdfast.compat; holdfast.compat.configure(old_form=True)\n"
    ours("beaker", old + _SCRIPT, *at, "write")
    assert found == genuine(_SCRIPT, *at, "read")
    ours("beaker", _SCRIPT, *at, "write")
    assert found.startswith("[\"{'a': [1, 2]")
    assert found == ours("beaker", _SCRIPT, *at, "read")


def test_clearing_a_namespace_leaves_the_others_alone(url: str) -> None:
    one, two = MemcachedNamespaceManager("one", url), MemcachedNamespaceManager("two", url)
    other_process = MemcachedNamespaceManager("one", url)
    one["k"], two["k"], one["l"] = {"a": 1}, {"b": 2}, {"c": 3}
    one.remove()
    assert one["k"] is None
    assert "l" not in other_process
    with pytest.raises(KeyError):
        one.reread("k")
    assert two["k"] == {"b": 2}
    one["k"] = {"a": 2}
    assert other_process["k"] == {"a": 2}
    assert "l" not in one


def test_what_others_wrote_is_cleared_as_well(url: str) -> None:
    """A mark asks no clock and no form: what any client wrote before it is gone."""
    one = MemcachedNamespaceManager("one", url)
    one.mc.set("one_k", {"by": "another"})
    assert one["k"] == {"by": "another"}
    one.remove()
    assert one["k"] is None
    one.mc.set("one_k", {"by": "another"})
    assert one["k"] == {"by": "another"}


def test_a_value_is_made_anew_after_a_clear(url: str, tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> int:
        made.append(1)
        return len(made)

    space = MemcachedNamespaceManager("made", url, lock_dir=str(tmp_path))
    value = Value("k", space, make, 60)
    assert [value.get_value(), value.get_value()] == [1, 1]
    space.remove()
    assert [value.get_value(), value.get_value()] == [2, 2]
    value.clear_value()
    assert value.get_value() == 3


def test_the_whole_server_only_where_it_is_asked_for(url: str) -> None:
    one, two = MemcachedNamespaceManager("one", url), MemcachedNamespaceManager("two", url)
    one["k"], two["k"] = 1, 2
    with pytest.warns(CompatWarning, match="empties the whole server"):
        configure(unsafe=["flush"])
    one.remove()
    assert two["k"] is None


def test_a_swap_sees_who_came_between(url: str) -> None:
    one, two = MemcachedNamespaceManager("s", url), MemcachedNamespaceManager("s", url)
    with pytest.raises(KeyError):
        one.reread("session")
    assert one.swap_value("session", {"n": 1}, 100)
    assert one.reread("session") == two.reread("session") == {"n": 1}
    assert two.swap_value("session", {"n": 2})
    assert not one.swap_value("session", {"n": 3})
    assert one.reread("session") == {"n": 2}
    del two["session"]
    assert not one.swap_value("session", {"n": 3})
    one.mc.store.put("s_session", b"no record")
    with pytest.raises(KeyError):
        MemcachedNamespaceManager("s", url, memcache_module="pylibmc").reread("other")


def test_overlapping_updates_lose_nothing(url: str) -> None:
    def add(name: str) -> None:
        for number in range(10):
            space = MemcachedNamespaceManager("id", url)
            while True:
                try:
                    data = dict(space.reread("session"))
                except KeyError:
                    data = {}
                data[f"{name}{number}"] = number
                if space.swap_value("session", data):
                    break

    threads = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(MemcachedNamespaceManager("id", url)["session"]) == 40


def test_a_record_that_cannot_be_read_is_not_there(url: str) -> None:
    space = MemcachedNamespaceManager("r", url, memcache_module="memcache")
    space.mc.store.put("r_k", type(space.mc.encoded({}, ""))(b"cos\nsystem\n(S'x'\ntR.", 1))
    assert space["k"] is None
    assert "k" not in space
    with pytest.raises(KeyError):
        space.reread("k")
    assert sum(refused.values()) == 3
    assert space.swap_value("k", {"new": 1})
    assert space["k"] == {"new": 1}


@pytest.mark.slow
def test_an_outage(tmp_path: Path) -> None:
    """A cache goes on without; a removal and a session say so."""
    with run_memcached() as running:
        url = f"127.0.0.1:{running.port}"
        space = MemcachedNamespaceManager("o", url, lock_dir=str(tmp_path))
        space["k"] = {"a": 1}
        space.reread("k")
        running.server.kill()
        assert space["k"] is None
        space["k"] = {"a": 2}
        assert Value("v", space, lambda: "made", 60).get_value() == "made"
        assert any("cannot be reached" in reason for reason in refused)
        for fails in (
            lambda: "k" in space,
            lambda: space.reread("k"),
            lambda: space.swap_value("k", {"a": 3}),
            lambda: space.__delitem__("k"),
            space.remove,
        ):
            with pytest.raises(StoreError):
                fails()
        running.server.start()
        space["k"] = {"a": 4}
        assert space["k"] == {"a": 4}


def test_an_id_that_no_server_can_carry_is_not_found(url: str) -> None:
    space = MemcachedNamespaceManager("a\r\nflush_all\r\n", url)
    assert space["session"] is None
    assert "session" not in space
    with pytest.raises(KeyError):
        space.reread("session")
    space["session"] = {"a": 1}
    assert sum(refused.values()) == 2


def test_keys_that_are_too_long_in_bytes(url: str) -> None:
    space = MemcachedNamespaceManager("é" * 100, url)
    space["é" * 100] = 1
    assert space["é" * 100] == 1
    assert len(space._format_key("é" * 100)) == 40


def test_what_is_missing_or_unknown() -> None:
    with pytest.raises(MissingCacheParameter, match="url is required"):
        MemcachedNamespaceManager("n", "")
    with pytest.raises(InvalidCacheBackendError, match="choose from auto, memcache"):
        MemcachedNamespaceManager("n", "a:1", memcache_module="memcash")
    with pytest.raises(NotImplementedError):
        MemcachedNamespaceManager("n", "a:1").keys()


def test_one_client_for_one_url(tmp_path: Path) -> None:
    one = MemcachedNamespaceManager("a", "h:1;h:2", lock_dir=str(tmp_path / "locks"))
    assert MemcachedNamespaceManager("b", "h:1;h:2").mc is one.mc
    assert MemcachedNamespaceManager("b", "h:2;h:1").mc is not one.mc
    assert (tmp_path / "locks").is_dir()
    MemcachedNamespaceManager("a", "h:1", data_dir=str(tmp_path))
    assert (tmp_path / "container_mcd_lock").is_dir()
    ring = {"behavior.ketama": "true"}
    assert PyLibMCNamespaceManager("b", "h:1;h:2", **ring).mc is not one.mc


def test_the_names_of_the_past(url: str, tmp_path: Path) -> None:
    _load_client.cache_clear()  # it warns once
    with pytest.warns(CompatWarning, match="cmemcache cannot be had"):
        space = MemcachedNamespaceManager("c", url, memcache_module="cmemcache")
    space["k"] = [1]
    assert space["k"] == [1]
    mc = _load_client("pylibmc").Client([url])
    assert mc.set("x", 1)
    mc.close()
    with PyLibMCNamespaceManager("p", url).pool.reserve() as mc:
        assert mc.get("x") == 1
    container: Any = MemcachedContainer  # calling one gives a `Value`
    value = container("k", {}, "old", lambda: [1], url=url, lock_dir=str(tmp_path))
    assert value.get_value() == [1]
