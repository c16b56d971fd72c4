"""The genuine clients beside ours: the same servers for the same keys, the same values."""

import base64
import binascii
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import PurePosixPath

import memcache
import pytest

from compat.seeds import genuine
from holdfast.compat.memcache_client import Client
from holdfast.compat.settings import configure, refused
from holdfast.errors import CodecError, ConfigError, KeyRejected, StoreUnavailable
from servers.memcached import MemcachedServer, run_memcached

pytestmark = pytest.mark.server

_OLDER = "python3-memcached"


def _zero(begin: str) -> str:
    """Return what makes a key of `begin` whose hash is 0: there the releases differ."""
    keys = (f"zero{number}" for number in range(10**6))
    return next(k for k in keys if binascii.crc32(f"{begin}{k}".encode()) >> 16 & 0x7FFF == 0)


_KEYS = [f"ns_k{number}" for number in range(500)] + [f"ns_Â·é{number}" for number in range(20)]
_KEYS.append(_zero(_OLDER))
_VALUES: list[object] = [None, True, 1, -5, 2**70, "a", "é", 1.5, (1, 2), {"a": [1]}, "x" * 300]
_WAYS = """
import base64, datetime, json, sys
import bmemcached, memcache, pylibmc
servers, keys, values = json.loads(sys.argv[1])
values += [b"\\0\\xff", (1, b"2"), {"when": datetime.datetime(2020, 2, 29, 1, 2, 3)}, {1, 2}]
weighed = [(servers[0], 1), (servers[1], 3), (servers[2], 2)]
def ring(**behaviors):
    return pylibmc.Client(servers, behaviors=behaviors)
ways = {
    "python3-memcached": memcache.Client(servers),
    "weighed": memcache.Client(weighed),
    "pylibmc": pylibmc.Client(servers),
    "bmemcached": bmemcached.Client(servers),
    "ketama": ring(ketama=True),
    "ketama md5": ring(ketama=True, hash="md5"),
    "ketama weighted": ring(ketama_weighted=True),
}
"""
_WRITE = (
    _WAYS
    + """
for way, client in ways.items():
    for key in keys:
        assert client.set(way.replace(" ", "") + key, {"k": key})
    for number, value in enumerate(values):
        assert client.set("%s-v%d" % (way.replace(" ", ""), number), value)
    assert client.set(way.replace(" ", "") + "-counted", 10)
print(json.dumps(sorted(ways)))
"""
)
_READ = (
    _WAYS
    + """
found = {}
for way, client in ways.items():
    name = way.replace(" ", "")
    for key in keys:
        assert client.get(name + key) == {"k": key}, (way, key)
    for number, value in enumerate(values):
        got = client.get("%s-v%d" % (name, number))
        assert got == value, (way, got, value)
    found[way] = client.get(name + "-counted")
print(json.dumps(found))
"""
)


@pytest.fixture(scope="module")
def servers() -> Iterator[list[MemcachedServer]]:
    with run_memcached() as one, run_memcached() as two, run_memcached() as three:
        yield [one, two, three]


@pytest.fixture
def ours(servers: list[MemcachedServer]) -> Iterator[dict[str, Client]]:
    """Our clients, by the names of the ways in which the genuine ones are asked."""
    names = [f"127.0.0.1:{server.port}" for server in servers]
    weighed = list(zip(names, (1, 3, 2), strict=True))
    clients = {
        "python3-memcached": Client(names, module="python3-memcached"),
        "weighed": Client(weighed, module="python3-memcached"),
        "pylibmc": Client(names, module="pylibmc"),
        "bmemcached": Client(names, module="bmemcached"),
        "ketama": Client(names, module="pylibmc", behaviors={"ketama": "true"}),
        "ketama md5": Client(names, module="pylibmc", behaviors={"ketama": 1, "hash": "md5"}),
        "ketama weighted": Client(names, module="pylibmc", behaviors={"ketama_weighted": True}),
    }
    clients["weighed"].flush_all()
    yield clients
    for client in clients.values():
        client.close()


def _given(servers: list[MemcachedServer]) -> str:
    return json.dumps([[f"127.0.0.1:{server.port}" for server in servers], _KEYS, _VALUES])


def _values() -> list[object]:
    when = {"when": dt.datetime(2020, 2, 29, 1, 2, 3)}  # noqa: DTZ001 - as old sessions have
    return [*_VALUES, b"\0\xff", (1, b"2"), when, {1, 2}]


@pytest.mark.slow
def test_what_the_genuine_clients_wrote_is_found(
    servers: list[MemcachedServer], ours: dict[str, Client]
) -> None:
    genuine(_WRITE, _given(servers))
    for way, client in ours.items():
        name = way.replace(" ", "")
        assert [key for key in _KEYS if client.get(name + key) != {"k": key}] == []
        for number, value in enumerate(_values()):
            expected = list(value) if isinstance(value, tuple) and number < len(_VALUES) else value
            assert client.get(f"{name}-v{number}") == expected
        assert client.incr(f"{name}-counted", 5) == 15
    assert not refused


@pytest.mark.slow
def test_the_genuine_clients_find_what_is_written_in_the_old_form(
    servers: list[MemcachedServer], ours: dict[str, Client]
) -> None:
    configure(old_form=True)
    for way, client in ours.items():
        name = way.replace(" ", "")
        for key in _KEYS:
            client.set(name + key, {"k": key})
        for number, value in enumerate(json.loads(json.dumps(_VALUES))):
            client.set(f"{name}-v{number}", value)
        for number, value in enumerate(_values()[len(_VALUES) :], len(_VALUES)):
            client.set(f"{name}-v{number}", value)
        client.set(f"{name}-counted", 3)
        assert client.decr(f"{name}-counted") == 2
    said = json.loads(genuine(_READ, _given(servers)))
    assert said == dict.fromkeys(ours, 2)


def test_python_memcached_of_today_and_ours(servers: list[MemcachedServer]) -> None:
    """The release after python3-memcached: bytes are bare there, and its hash can be 0."""
    names = [f"127.0.0.1:{server.port}" for server in servers]
    for given in (names, [(names[0], 1), (names[1], 3), (names[2], 2)]):
        theirs, mine = memcache.Client(given), Client(given, module="memcache")
        mine.flush_all()
        configure(old_form=True)
        keys = [*_KEYS, _zero("t"), _zero("m")]
        for key in keys:
            assert theirs.set("t" + key, {"k": key})
            mine.set("m" + key, {"k": key})
        assert [key for key in keys if mine.get("t" + key) != {"k": key}] == []
        assert [key for key in keys if theirs.get("m" + key) != {"k": key}] == []
        for number, value in enumerate(_values()):
            assert theirs.set(f"tv{number}", value)
            mine.set(f"mv{number}", value)
            assert mine.get(f"tv{number}") == theirs.get(f"mv{number}") == value
        theirs.disconnect_all()
        mine.close()


@pytest.mark.slow
def test_where_python_memcached_goes_when_a_server_is_gone() -> None:
    with run_memcached() as one, run_memcached() as two, run_memcached() as three:
        servers = [one, two, three]
        client = Client([f"127.0.0.1:{server.port}" for server in servers], module=_OLDER)
        two.server.kill()
        genuine(
            _WAYS + "for key in keys:\n    assert ways['python3-memcached'].set(key, {'k': key})\n",
            _given(servers),
        )
        assert [key for key in _KEYS if client.get(key) != {"k": key}] == []
        client.close()


def test_a_client_of_old_meets_the_safe_form(
    servers: list[MemcachedServer], ours: dict[str, Client]
) -> None:
    """python-memcached finds nothing; pylibmc and bmemcached say that it is no pickle."""
    for way, client in ours.items():
        client.set(way.replace(" ", "") + "-safe", {"a": 1})
        client.set(way.replace(" ", "") + "-text", "é")
        client.set(way.replace(" ", "") + "-number", 7)
    said = genuine(
        _WAYS
        + """
for way in ("python3-memcached", "pylibmc", "bmemcached"):
    found = []
    for key in ("safe", "text", "number"):
        try:
            found.append(ways[way].get(way + "-" + key))
        except Exception as error:
            found.append(type(error).__name__)
    print(json.dumps(found))
""",
        _given(servers),
    )
    lines = [json.loads(line) for line in said.splitlines()]
    assert [line[0] for line in lines] == [None, "UnpicklingError", "UnpicklingError"]
    assert [line[1:] for line in lines] == [["é", 7]] * 3


def test_the_verbs(ours: dict[str, Client]) -> None:
    for client in ours.values():
        client.flush_all()
        assert client.get("a", "default") == "default"
        assert client.set("a", {"b": (1, 2)})
        assert client.get(b"a") == {"b": (1, 2)}
        assert not client.add("a", 1)
        assert client.add("new", 1)
        assert client.replace("new", 2)
        assert not client.replace("none", 2)
        assert client.incr("new") == 3
        assert client.decr("new", 9) == 0
        assert client.incr("none") is None
        assert client.set_multi({"x": None, "y": "é"}, key_prefix="p_") == []
        assert client.get_multi(["x", "y", "z"], key_prefix="p_") == {"x": None, "y": "é"}
        assert client.delete_multi(["x"], key_prefix="p_")
        assert client.get_multi(["x", "y"], "p_") == {"y": "é"}
        assert client.delete("a")
        assert client.delete("a")
        assert client.get("a") is None
        client.disconnect_all()
        assert client.set("long", "y" * 500, min_compress_len=100)
        assert client.get("long") == "y" * 500
        with pytest.raises(KeyRejected):
            client.get("a\r\nflush_all\r\n")
        with pytest.raises(KeyRejected):
            client.get(b"\xff")


def test_times_of_the_client(ours: dict[str, Client], monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a month is a time as well, which the original took for a date long past."""
    client = ours["pylibmc"]
    asked: list[float | None] = []
    put = client.store.put
    monkeypatch.setattr("holdfast.compat.memcache_client.clock.time", lambda: 1.6e9)

    def noted(key: str, value: bytes, ttl: float | None) -> None:
        asked.append(ttl)
        put(key, value, ttl)

    monkeypatch.setattr(client.store, "put", noted)
    for time in (0, 5, 40 * 86_400, 1.6e9 + 50, -1):
        client.set("t", 1, time=time)
        assert client.get("t") == (None if time < 0 else 1)
    assert asked == [None, 5, 40 * 86_400, 50, -1]


def test_what_may_not_be_written_or_read(
    servers: list[MemcachedServer], ours: dict[str, Client]
) -> None:
    client = ours["python3-memcached"]
    with pytest.raises(CodecError, match=r"allow=\['pathlib"):
        client.set("k", {"path": PurePosixPath("x")})
    script = _WAYS + (
        "import os\nclass Evil:\n    def __reduce__(self):\n"
        "        return os.system, ('false',)\n"
        "print(ways['python3-memcached'].set('evil', Evil()))\n"
    )
    genuine(script, _given(servers))
    assert client.get("evil", "not there") == "not there"
    assert sum(refused.values()) == 1


def test_options_of_the_originals() -> None:
    with pytest.raises(ConfigError, match="unpickler="):
        Client(["a:1"], unpickler=base64.b64decode)
    Client("127.0.0.1:1", debug=1, pickleProtocol=2, socket_timeout=2).close()
    with pytest.raises(StoreUnavailable):
        Client("127.0.0.1:1").get("k")
