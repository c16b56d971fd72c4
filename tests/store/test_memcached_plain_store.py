"""memcached as old clients used it: the contract of plain stores, groups, faults, keys."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from holdfast.clock import monotonic
from holdfast.errors import ConfigError, KeyRejected, StoreError, StoreTimeout, StoreUnavailable
from holdfast.store.memcached import plain_links
from holdfast.store.memcached.plain import Flagged, PlainMemcached
from holdfast.store.plain import PlainStore
from servers.memcached import MemcachedServer, run_memcached

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def servers() -> Iterator[list[MemcachedServer]]:
    with run_memcached() as one, run_memcached() as two, run_memcached() as three:
        yield [one, two, three]


@pytest.fixture(params=["memcache", "pylibmc", "bmemcached", "alone"])
def store(
    request: pytest.FixtureRequest, servers: list[MemcachedServer]
) -> Iterator[PlainMemcached]:
    """Three servers as each client uses them, and one."""
    alone = request.param == "alone"
    opened = _opened(servers[:1] if alone else servers, "auto" if alone else request.param)
    opened.flush()
    yield opened
    opened.close()


def _opened(servers: list[MemcachedServer], module: str, timeout: float = 10) -> PlainMemcached:
    addresses = [f"127.0.0.1:{server.port}" for server in servers]
    return PlainMemcached(addresses, module=module, timeout=timeout)


def _said(port: int, line: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(line + b"\r\nquit\r\n")
        return b"".join(iter(lambda: link.recv(65_536), b""))


def test_values_and_flags(store: PlainMemcached) -> None:
    assert isinstance(store, PlainStore)
    assert store.get("é") is None
    store.put("é", Flagged(b"\0\r\nEND\r\n", 5))
    found = store.get("é")
    assert found is not None
    assert (found, found.flags) == (b"\0\r\nEND\r\n", 5)
    store.put("é", b"plain")
    again = store.get("é")
    assert again is not None
    assert again.flags == 0
    assert store.delete("é")
    assert not store.delete("é")
    with pytest.raises(ConfigError, match="cannot list"):
        store.scan()


def test_swap_looks_first(store: PlainMemcached) -> None:
    assert not store.swap("k", b"old", b"new")
    assert store.swap("k", None, None)
    assert store.swap("k", None, Flagged(b"one", 1))
    assert not store.swap("k", None, b"two")
    assert not store.swap("k", Flagged(b"one", 2), b"two")  # the flags are a part of it
    assert store.swap("k", Flagged(b"one", 1), b"two")
    assert store.swap("k", b"two", b"three")
    assert not store.swap("k", b"two", None)
    assert store.swap("k", b"three", None)
    assert store.get("k") is None
    assert store.swap("k", None, b"gone at once", 0)
    assert store.get("k") is None


def test_what_was_read_is_written_over_without_another_look(servers: list[MemcachedServer]) -> None:
    store = _opened(servers[:1], "memcache")
    try:
        store.put("k", b"1")
        seen = store.get("k", within="mark")
        assert seen is not None
        reads = servers[0].stat("cas_hits"), servers[0].stat("get_hits")
        assert store.swap("k", seen, b"2", within="mark")
        assert (servers[0].stat("cas_hits"), servers[0].stat("get_hits")) == (
            reads[0] + 1,
            reads[1],
        )
        assert not store.swap("k", seen, b"3", within="mark")
        store.put("k", seen)  # another write of the same
        assert store.swap("k", seen, b"4", within="mark")
        assert store.get("k", within="mark") == b"4"
    finally:
        store.close()


def test_what_was_read_before_its_group_was_cleared_stays_gone(
    servers: list[MemcachedServer],
) -> None:
    store = _opened(servers[:1], "memcache")
    try:
        store.put("gone", b"1")
        seen = store.get("gone", within="a-mark")
        store.clear("a-mark")
        assert not store.swap("gone", seen, b"2", within="a-mark")
        assert store.get("gone", within="a-mark") is None
        assert store.get("gone") is None
    finally:
        store.close()


def test_of_many_swaps_each_is_done_once(store: PlainMemcached) -> None:
    def add() -> None:
        for _ in range(25):
            while True:
                seen = store.get("n")
                if store.swap("n", seen, b"%d" % (int(seen or b"0") + 1)):
                    break

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("n") == b"100"


def test_a_copy_is_as_good(servers: list[MemcachedServer]) -> None:
    """Of bmemcached's servers the first was started anew: what the others keep is there."""
    store = _opened(servers, "bmemcached")
    store.flush()
    store.put("k", b"1")
    store.put("l", b"1")
    _said(servers[0].port, b"flush_all")
    assert store.get("k") == b"1"
    assert not store.swap("k", None, b"2")
    written = servers[1].stat("cmd_set")
    assert store.swap("k", b"1", b"2")
    assert servers[1].stat("cmd_set") == written + 1  # twice would be over what came since
    assert _said(servers[0].port, b"get k").splitlines()[1] == b"2"
    assert store.swap("l", b"1", None)
    assert store.get("l") is None
    store.close()


def test_counting(store: PlainMemcached) -> None:
    assert store.count("c") is None
    store.put("c", Flagged(b"5", 2))
    assert [store.count("c"), store.count("c", 10), store.count("c", -100)] == [6, 16, 0]
    store.put("c", b"no number")
    with pytest.raises(StoreUnavailable, match="non-numeric"):
        store.count("c")
    assert store.get("c") == b"no number"


def test_a_group_is_cleared_alone_and_everywhere(store: PlainMemcached) -> None:
    for number in range(30):
        store.put(f"a{number}", b"1")
        store.put(f"b{number}", b"1")
    store.clear("mark-of-a")
    assert [store.get(f"a{number}", within="mark-of-a") for number in range(30)] == [None] * 30
    assert all(store.get(f"b{number}", within="mark-of-b") for number in range(30))
    assert store.get("a1") == b"1"  # whoever does not know the mark sees it still
    store.put("a1", b"2")
    assert store.get("a1", within="mark-of-a") == b"2"
    assert not store.swap("a2", b"1", b"x", within="mark-of-a")
    assert store.swap("a2", None, b"2", within="mark-of-a")
    assert store.get("a2", within="mark-of-a") == b"2"
    assert store.swap("a2", b"2", b"3", within="mark-of-a")


def test_flush_empties_everything(store: PlainMemcached) -> None:
    for number in range(10):
        store.put(f"f{number}", b"1")
    store.flush()
    assert not any(store.get(f"f{number}") for number in range(10))


@pytest.mark.parametrize(
    "key", ["", "a b", "a\r\nflush_all", "a\n", "a\0", "a\x7f", "x" * 251, "é" * 126, "\ud800"]
)
def test_keys_that_would_say_something_else(store: PlainMemcached, key: str) -> None:
    store.put("stays", b"1")
    with pytest.raises(KeyRejected):
        store.get(key)
    with pytest.raises(KeyRejected):
        store.put(key, b"1")
    with pytest.raises(KeyRejected):
        store.swap(key, None, b"1")
    with pytest.raises(KeyRejected):
        store.get("k", within=key or " ")
    assert store.get("stays") == b"1"


def test_times(servers: list[MemcachedServer]) -> None:
    """A fraction counts as a second, a month and more is a date, beyond all dates is for ever."""
    port = servers[0].port
    store = _opened(servers[:1], "memcache")
    for ttl in (30.2, 100, 31 * 86_400, 1e12, None):
        store.put("t", b"1", ttl)
        assert store.get("t") == b"1"
        said = _said(port, b"mg t t").split()
        left = int(said[1].removeprefix(b"t"))
        assert left == -1 if ttl is None or ttl > 1e11 else ttl - 15 <= left <= ttl + 1
    store.put("t", b"1", -1)
    assert store.get("t") is None
    store.put("t", b"1", 0.1)  # 0 would be for ever
    assert _said(port, b"mg t t").split()[1:2] != [b"t-1"]
    store.close()


def test_no_swap_and_no_clear_without_cas() -> None:
    with run_memcached("-C") as server:
        store = _opened([server], "memcache")
        store.put("k", b"1")
        with pytest.raises(StoreUnavailable, match="-C"):
            store.swap("k", b"1", b"2")
        with pytest.raises(StoreUnavailable, match="-C"):
            store.clear("mark")
        store.close()


def test_a_closed_store_says_so(servers: list[MemcachedServer]) -> None:
    store = _opened(servers, "memcache")
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.get("k")


@pytest.mark.slow
def test_one_of_three_is_killed() -> None:
    """python-memcached's keys go to another, bmemcached has copies, pylibmc's fail; and back."""
    with ExitStack() as running:
        three = [running.enter_context(run_memcached()) for _ in range(3)]
        stores = {name: _opened(three, name) for name in ("memcache", "bmemcached", "pylibmc")}
        keys = [f"k{number}" for number in range(40)]
        for name, store in stores.items():
            for key in keys:
                store.put(name + key, b"1")
        three[1].server.kill()
        assert all(stores["bmemcached"].get("bmemcached" + key) for key in keys)
        assert not stores["bmemcached"].delete("nothing")
        lost = [key for key in keys if stores["memcache"].get("memcache" + key) is None]
        assert 4 < len(lost) < 30
        for key in lost:
            stores["memcache"].put("memcache" + key, b"2")
            assert stores["memcache"].get("memcache" + key) == b"2"
        failed = 0
        for key in keys:
            try:
                stores["pylibmc"].get("pylibmc" + key)
            except StoreUnavailable:
                failed += 1
        assert 4 < failed < 30
        stores["memcache"].put("last", b"1")
        with pytest.raises(StoreError):
            stores["memcache"].clear("mark")
        assert stores["memcache"].get("last", within="mark") is None  # those that run were told
        for key in keys:
            stores["memcache"].put(key, b"1")
        with pytest.raises(StoreError):
            stores["memcache"].flush()
        assert not any(stores["memcache"].get(key) for key in keys)
        three[1].server.start()
        for name, store in stores.items():
            store.put(name + "k1", b"3")
            assert store.get(name + "k1") == b"3"
            store.close()


@pytest.mark.slow
def test_a_frozen_server_is_asked_once_and_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with run_memcached() as server:
        store = _opened([server], "memcache", timeout=0.5)
        store.put("k", b"1")
        server.server.pause()
        with pytest.raises(StoreTimeout):
            store.get("k")
        with pytest.raises(StoreUnavailable, match="lately"):
            store.get("k")
        server.server.go_on()
        later = monotonic() + 60
        monkeypatch.setattr(plain_links, "monotonic", lambda: later)
        store._servers._timeout = 10  # a busy machine must not look like a frozen server
        assert store.get("k") == b"1"
        store.close()


@pytest.mark.slow
def test_all_are_gone() -> None:
    with run_memcached() as one, run_memcached() as two:
        one.server.kill()
        two.server.kill()
        for module in ("memcache", "bmemcached", "pylibmc"):
            store = _opened([one, two], module)
            calls: list[Callable[[], object]] = [
                partial(store.get, "k"),
                partial(store.put, "k", b"1"),
                partial(store.delete, "k"),
                partial(store.swap, "k", None, b"1"),
                partial(store.count, "k"),
                partial(store.clear, "k"),
                store.flush,
            ]
            for call in calls:
                with pytest.raises(StoreUnavailable, match="cannot be reached"):
                    call()
            store.close()
        one.server.start()
        two.server.start()
