"""Every kind of value, written by Holdfast: ours reads it, and in the old form the genuine one."""

import contextlib
import json
from pathlib import Path
from typing import Any

import memcache
import pymongo
import pytest
import redis

from compat.fixtures import write
from compat.old_beaker import Places
from compat.seeds import genuine
from holdfast.compat import settings
from holdfast.compat.beaker.cache import CacheManager, cache_managers
from holdfast.compat.beaker.session import CookieSession, Session

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:crypto_type=:holdfast.compat.settings.CompatWarning"),
]

_READER = Path(__file__).with_name("rolling_reader.py")
_KEYS = ("values", write.LONG, "two words", "\u017elu\u0165")
# What the genuine Beaker of today has no more, or only with pycryptodome.
_GONE = {"memcached, pylibmc", "encrypted, AES-CTR", "cookie, AES-CTR"}


@pytest.fixture(params=[False, True], ids=["safe form", "old form"])
def old_form(request: pytest.FixtureRequest) -> bool:
    settings.configure(old_form=request.param)
    return bool(request.param)


def _shown(values: Any) -> dict[str, str]:
    return {name: repr(value) for name, value in values.items() if name[0] != "_"}


def _ours(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options under which ours shares memcached with the genuine library's client."""
    if options.get("memcache_module") == "memcache":
        return {**options, "memcache_module": "python3-memcached"}
    return options


def _session(options: dict[str, Any], cookie: str = "") -> Any:
    kind = CookieSession if options["type"] == "cookie" else Session
    return kind({"cookie": cookie}, **options)


def test_sessions(places: Places, old_form: bool) -> None:
    asked, wanted = {}, {}
    for name, kind in write.SESSIONS.items():
        options = places.placed(kind)
        session = _session(_ours(options))
        session.update(write.values_of(kind))
        session.save()
        cookie = str(session.request["cookie_out"]).strip().partition(";")[0]
        wanted[name] = _shown(write.values_of(kind))
        assert _shown(_session(_ours(options), cookie)) == wanted[name]
        asked[name] = {"options": options, "cookie": cookie}
    if old_form:
        for name in _GONE:
            del asked[name], wanted[name]
        assert json.loads(genuine(_READER, json.dumps(asked))) == wanted


def _fill(options: dict[str, Any]) -> list[Any]:
    """Write a cache; return its places."""
    manager = CacheManager(**options)
    shop = manager.get_cache("shop")
    for key in _KEYS:
        shop.put(key, write.VALUES)
    load, made = write.decorated(manager)
    load(1)
    load("x" * 300, "y")
    assert len(made) == 2
    cache_managers.clear()
    return [shop.namespace]


def _check(options: dict[str, Any]) -> None:
    manager = CacheManager(**options)
    shop = manager.get_cache("shop")
    assert [_shown(shop.get(key)) for key in _KEYS] == [_shown(write.VALUES)] * len(_KEYS)
    load, made = write.decorated(manager)
    assert [load(1), load("x" * 300, "y"), made] == [
        {"a": 1, "b": 2},
        {"a": "x" * 300, "b": "y"},
        [],
    ]
    cache_managers.clear()


@pytest.mark.parametrize("name", write.PLACES)
def test_caches(places: Places, name: str, old_form: bool) -> None:
    options = places.placed(write.PLACES[name])
    _empty(places)
    (space,) = _fill(_ours(options))
    _check(_ours(options))
    if not old_form:
        return
    if name == "memcached, pylibmc":
        read = "import json, pylibmc, sys; print(pylibmc.Client([sys.argv[1]]).get('shop_values'))"
        assert genuine(read, places.memcached).strip() == repr(space[b"values"])
        return
    found = json.loads(genuine(_READER, json.dumps({name: {"options": options}})))
    assert found[name] == [
        [_shown(write.VALUES)] * len(_KEYS),
        [{"a": 1, "b": 2}, {"a": "x" * 300, "b": "y"}],
        [],
    ]


def test_python_memcached_reads_what_is_in_its_own_form(places: Places) -> None:
    settings.configure(old_form=True)
    _empty(places)
    (space,) = _fill(places.placed(write.PLACES["memcached, memcache"]))
    client = memcache.Client([places.memcached])
    with contextlib.closing(_Client(client)):
        assert repr(client.get("shop_values")) == repr(space[b"values"])


class _Client:
    def __init__(self, client: Any) -> None:
        self.close = client.disconnect_all


def _empty(places: Places) -> None:
    with contextlib.closing(redis.Redis.from_url(places.redis)) as rows:
        rows.flushdb()
    mongo: pymongo.MongoClient[Any]
    with pymongo.MongoClient(places.mongodb) as mongo:
        mongo.drop_database(mongo.get_default_database().name)
    client: Any = memcache.Client([places.memcached])
    with contextlib.closing(_Client(client)):
        client.flush_all()
