"""Which of several servers keeps a key: addresses, the order tried, rings."""

from collections import Counter

import pytest

from holdfast.errors import ConfigError
from holdfast.store.memcached.nodes import Node
from holdfast.store.memcached.plain_servers import Server, places

_THREE = ["a:1", "b:2", "c:3"]
_KEYS = [f"key{number}" for number in range(600)]


@pytest.mark.parametrize(
    ("server", "node"),
    [
        ("a", Node("a", 11211)),
        ("a:1", Node("a", 1)),
        ("inet:a:1", Node("a", 1)),
        ("inet6:[::1]:7", Node("::1", 7)),
        ("[::1]", Node("::1", 11211)),
        ("[::1]:7", Node("::1", 7)),
        ("::1", Node("::1", 11211)),
        ("unix:/run/m", Node("/run/m", 0)),
        ("/run/m", Node("/run/m", 0)),
        (("a:1", 3), Node("a", 1)),
        ("a:1:2", Node("a", 1)),
    ],
)
def test_addresses(server: Server, node: Node) -> None:
    assert places("memcache", [server]).all == (node,)


@pytest.mark.parametrize("server", ["", ":1", "a:b", "a:0", "a:70000", "a:1:0", "a:1:2:3", "[::1"])
def test_no_address(server: str) -> None:
    with pytest.raises(ConfigError, match="is no server"):
        places("memcache", [server])


def test_no_server() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        places("memcache", [])


def test_python_memcached_goes_on_to_others() -> None:
    of = places("memcache", _THREE).of
    assert all(1 <= len(set(of(key))) == len(of(key)) <= 3 for key in _KEYS)
    assert min(Counter(of(key)[0].port for key in _KEYS).values()) > 150


def test_weights_are_shares() -> None:
    of = places("memcache", [("a:1", 1), ("b:2", 4)]).of
    assert 380 < sum(of(key)[0].port == 2 for key in _KEYS) < 560


def test_bmemcached_keeps_all_on_all() -> None:
    found = places("bmemcached", _THREE)
    assert found.copies
    assert [node.port for node in found.of("x")] == [1, 2, 3]


@pytest.mark.parametrize(
    "behaviors",
    [
        {},
        {"ketama": True},
        {"ketama_weighted": "true"},
        {"ketama": 1, "hash": "md5", "no_block": True},
        {"distribution": "consistent"},
    ],
)
def test_pylibmc_asks_one(behaviors: dict[str, object]) -> None:
    of = places("pylibmc", _THREE, behaviors).of
    assert {len(of(key)) for key in _KEYS} == {1}
    assert min(Counter(of(key)[0].port for key in _KEYS).values()) > 90


def test_a_ring_moves_few_keys() -> None:
    for behaviors in ({"ketama": "1"}, {"ketama_weighted": True}):
        before = places("pylibmc", _THREE, behaviors).of
        after = places("pylibmc", [*_THREE, "d:4"], behaviors).of
        moved = [key for key in _KEYS if before(key) != after(key)]
        assert 0 < len(moved) < 300
        assert {after(key)[0].port for key in moved} == {4}
    assert places("pylibmc", _THREE, {"ketama": "false"}).of("k") == places("pylibmc", _THREE).of(
        "k"
    )


def test_behaviours_that_are_not_served() -> None:
    for behaviors in ({"hash": "crc"}, {"distribution": "random"}):
        with pytest.raises(ConfigError, match="are served"):
            places("pylibmc", _THREE, behaviors)
