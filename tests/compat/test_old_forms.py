"""Forms that no library of today writes: Python 2's pickles, and entries of Beaker before 1.1."""

import base64
import contextlib
import dbm.dumb
import pickle
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from compat.fixtures import write
from compat.old_beaker import Places
from holdfast.compat import settings
from holdfast.compat.beaker.cache import CacheManager
from holdfast.compat.beaker.container import MemoryNamespaceManager
from holdfast.compat.beaker.session import CookieSession, Session, SignedCookie
from holdfast.compat.beaker.util import encoded_path
from holdfast.compat.pycket.driver import MemcachedDriver, RedisDriver
from holdfast.compat.pyramid_kvs.kvs import KVS
from servers.memcached import MemcachedServer
from servers.redis import RedisServer

pytestmark = pytest.mark.server

_NAME = "beaker.session.id"
_ID = "0123456789abcdef" * 2
_PICKLED = 1  # a flag of memcached

# What Python 2 wrote for
# {"name": "Ada", "text": u"Zo\xeb", "raw": "\xff", "big": 2L**70, "n": 7L, "yes": True,
#  "when": datetime(2018, 6, 3, 4, 26, 40, 5), "list": ["a", (1, None)], "set": set([1])}
_PYTHON_2 = {
    0: (
        b"(dp1\nS'name'\np2\nS'Ada'\np3\nsS'text'\np4\nVZo\xeb\np5\nsS'raw'\np6\nS'\\xff'\np7\n"
        b"sS'big'\np8\nL1180591620717411303424L\nsS'n'\np9\nL7L\nsS'yes'\np10\nI01\nsS'when'\np11\n"
        b"cdatetime\ndatetime\np12\n(S'\\x07\\xe2\\x06\\x03\\x04\\x1a(\\x00\\x00\\x05'\np13\n"
        b"tp14\nRp15\nsS'list'\np16\n(lp17\nS'a'\np18\na(I1\nNtp19\nasS'set'\np20\n"
        b"c__builtin__\nset\np21\n((lp22\nI1\natp23\nRp24\ns."
    ),
    2: (
        b"\x80\x02}q\x01(U\x04nameq\x02U\x03Adaq\x03U\x04textq\x04X\x04\x00\x00\x00Zo\xc3\xabq\x05"
        b"U\x03rawq\x06U\x01\xffq\x07U\x03bigq\x08\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00@"
        b"U\x01nq\x09\x8a\x01\x07U\x03yesq\x0a\x88U\x04whenq\x0bcdatetime\ndatetime\nq\x0c"
        b"U\x0a\x07\xe2\x06\x03\x04\x1a(\x00\x00\x05q\x0d\x85q\x0eRq\x0fU\x04listq\x10]q\x11("
        b"U\x01aq\x12K\x01N\x86q\x13eU\x03setq\x14c__builtin__\nset\nq\x15]q\x16K\x01a\x85q\x17"
        b"Rq\x18u."
    ),
}
_VALUES = {
    "name": "Ada",
    "text": "Zo\xeb",
    "raw": "\udcff",
    "big": 2**70,
    "n": 7,
    "yes": True,
    "when": datetime(2018, 6, 3, 4, 26, 40, 5),  # noqa: DTZ001 - as old sessions have
    "list": ["a", (1, None)],
    "set": {1},
}


def _file(places: Places, space: str, suffix: str) -> Path:
    """Return where Beaker has a namespace's file."""
    digest = space != _ID
    root = places.folder / f"container_{'file' if suffix == '.cache' else 'dbm'}"
    path = Path(encoded_path(str(root), [space], extension=suffix, digest_filenames=digest))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _lay(places: Places, name: str, space: str, key: Any, data: bytes) -> None:
    """Put a pickled value where it belongs."""
    word = key.decode() if isinstance(key, bytes) else key
    if name == "file":
        whole = pickle.dumps({key: pickle.loads(data, encoding="latin-1")})  # noqa: S301
        _file(places, space, ".cache").write_bytes(whole)
    elif name == "dbm":
        path = _file(places, space, ".dbm")
        with contextlib.closing(dbm.dumb.open(str(path), "c")) as values:
            values[word] = data
    elif name == "redis":
        places.put_redis(f"beaker_cache:{space}:{word}", data)
    elif name == "mongodb":
        places.put_mongodb(f"{space}:{word}", data)
    else:
        places.put_memcached(f"{space}_{word}", _PICKLED, data)


@pytest.mark.parametrize("protocol", _PYTHON_2)
@pytest.mark.parametrize("name", [name for name in write.PLACES if name != "database"])
def test_sessions_of_python_2(places: Places, name: str, protocol: int) -> None:
    options = places.placed(write.PLACES[name])
    text = base64.b64encode(_PYTHON_2[protocol])
    old = b"U" + bytes([len(text)]) if len(text) < 256 else b"T" + len(text).to_bytes(4, "little")
    if name == "file":
        _file(places, _ID, ".cache").write_bytes(
            b"\x80\x02}q\x01U\x07sessionq\x02" + old + text + b"s."
        )
    else:
        _lay(places, name, _ID, "session", b"\x80\x02" + old + text + b".")
    session = Session({"cookie": f"{_NAME}={_ID}"}, **options)
    assert not session.is_new
    found = {key: value for key, value in session.items() if key[0] != "_"}
    assert found == _VALUES
    assert [type(value) for value in found.values()] == list(map(type, _VALUES.values()))
    session["n"] += 1
    session.save()
    assert Session({"cookie": f"{_NAME}={_ID}"}, **options)["n"] == 8
    session.delete()
    assert settings.refused.total() == 0


@pytest.mark.parametrize("protocol", _PYTHON_2)
def test_cookies_and_other_libraries_records_of_python_2(
    places: Places, memcached: MemcachedServer, redis_server: RedisServer, protocol: int
) -> None:
    data = _PYTHON_2[protocol]
    signed = SignedCookie("v").value_encode(base64.b64encode(data).decode())[1]
    found = CookieSession({"cookie": f"{_NAME}={signed}"}, validate_key="v")
    assert {key: found[key] for key in _VALUES} == _VALUES

    at_redis = {"host": "127.0.0.1", "port": redis_server.port, "db": 5}
    at_memcached = {"servers": [f"127.0.0.1:{memcached.port}"]}
    places.put_redis("python2", data)
    places.put_memcached("python2", 0, data)  # a str is written as it is
    for driver in (RedisDriver(at_redis), MemcachedDriver(at_memcached)):
        with contextlib.closing(driver.client):
            assert driver.get("python2") == _VALUES
    for kind, where in (("redis", at_redis), ("memcached", at_memcached)):
        kvs = KVS(kind, where, codec="pickle")
        with contextlib.closing(kvs._client):
            assert kvs.get("python2") == _VALUES
    assert settings.refused.total() == 0


@pytest.mark.parametrize("name", [name for name in write.PLACES if name != "database"])
def test_entries_of_beaker_before_1_1_are_found(places: Places, name: str) -> None:
    options = places.placed(write.PLACES[name])
    key = "session" if name.startswith("memcached") else b"session"  # one that is no word of ours
    space = f"before {places.folder.name}".replace(" ", "")
    now = time.time()
    _lay(places, name, space, key, pickle.dumps((now, {"a": 1})))
    cache = CacheManager(**options).get_cache(space, expire=1000)
    assert cache.get("session") == {"a": 1}
    assert cache.get("session") == {"a": 1}
    entry = cache.namespace
    entry.acquire_read_lock()
    try:
        assert entry[b"session"] == (now, 1000, {"a": 1})
    finally:
        entry.release_read_lock()
    assert settings.refused.total() == 0


def test_entries_of_beaker_before_1_1_end_by_the_time_of_today() -> None:
    cache = CacheManager(type="memory").get_cache("before 1.1", expire=1000)
    space = MemoryNamespaceManager("before 1.1")
    space[b"old"] = (time.time() - 2000, "old")
    assert cache.get("old", createfunc=lambda: "new") == "new"
