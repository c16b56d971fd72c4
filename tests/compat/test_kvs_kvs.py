"""`KVS`, `request.cache` and `request.perlsess` of pyramid_kvs."""

import gzip
import json
import pickle
import zlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from compat.kvs_pages import clean, site
from fuzz.perl_images import image
from holdfast.compat.pyramid_kvs import includeme, records, serializer, storable
from holdfast.compat.pyramid_kvs.cache import ApplicationCache
from holdfast.compat.pyramid_kvs.kvs import KVS, Memcache, Redis, register
from holdfast.compat.pyramid_kvs.testing import MockCache
from holdfast.compat.settings import CompatWarning, configure, refused
from holdfast.errors import CodecError, ConfigError, StoreUnavailable
from holdfast.store.memcached.plain import Flagged, PlainMemcached
from servers.memcached import MemcachedServer
from servers.process import free_port
from servers.redis import RedisServer


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    with clean():
        yield


@pytest.fixture
def on_redis(redis_server: RedisServer) -> Iterator[Any]:
    kvs: Any = KVS("redis", {"port": redis_server.port, "db": 8}, key_prefix="p::", ttl=50)
    kvs._client.flushdb()
    yield kvs
    kvs._client.close()


@pytest.fixture
def on_memcached(memcached_server: MemcachedServer) -> Iterator[Any]:
    servers = [f"127.0.0.1:{memcached_server.port}"]
    kvs: Any = KVS("memcached", {"servers": servers}, key_prefix="kvs-tests::", ttl=50)
    kvs._client.flush_all()
    yield kvs
    kvs._client.store.close()


@pytest.fixture(
    params=[
        "mock",
        pytest.param("redis", marks=pytest.mark.server),
        pytest.param("memcached", marks=pytest.mark.server),
    ]
)
def kvs(request: pytest.FixtureRequest) -> Any:
    """One of each kind."""
    if request.param == "mock":
        return KVS("mock", key_prefix="p::", ttl=50)
    return request.getfixturevalue(f"on_{request.param}")


def test_values_are_kept(kvs: Any) -> None:
    assert (kvs.get("a"), kvs.get("a", 1), kvs.get(None, 2)) == (None, 1, 2)
    kvs.set("a", {"caf\xe9": [1, None]})
    assert kvs.get("a") == {"caf\xe9": [1, None]}
    assert json.loads(kvs.raw_get("a")) == {"caf\xe9": [1, None]}
    kvs.delete("a")
    kvs.delete("a")
    assert (kvs.raw_get("a"), kvs.raw_get("a", b"x")) == (None, b"x")


def test_numbers_are_counted(kvs: Any) -> None:
    kvs.raw_set("n", "9", 10)
    assert kvs.incr("n") == 10
    assert int(kvs.raw_get("n")) == 10
    assert [kvs.count("m", 60) for _ in range(3)] == [1, 2, 3]


def test_a_swap_is_refused_where_something_else_lies(kvs: Any) -> None:
    assert kvs.raw_swap("a", None, b"1", 50)
    assert not kvs.raw_swap("a", None, b"2", 50)
    assert not kvs.raw_swap("a", b"2", b"3", 50)
    assert kvs.raw_swap("a", b"1", b"2", 50)
    assert kvs.raw_get("a") == b"2"
    assert kvs.raw_swap("a", b"2", None, 50)
    assert kvs.raw_get("a") is None


@pytest.mark.server
def test_times_in_redis(on_redis: Any) -> None:
    client = on_redis._client
    on_redis.set("a", 1)
    on_redis.set("b", 1, ttl=7)
    on_redis.set("c", 1, 0)
    assert [client.ttl(f"p::{key}") for key in "abc"] == [50, 7, 50]
    on_redis.count("n", 30)
    assert client.ttl("p::n") == 30
    client.expire("p::n", 10)
    on_redis.count("n", 30)
    assert client.ttl("p::n") == 10  # the window is that of its first request
    client.persist("p::n")
    assert on_redis.count("n", 30) == 3
    assert client.ttl("p::n") == 30  # the genuine library left such keys: they locked out for ever
    on_redis.incr("for ever")
    assert client.ttl("p::for ever") == -1


@pytest.mark.server
def test_keys_in_redis(on_redis: Any) -> None:
    for key in ("ab", "ac", "b*", "p::a"):
        on_redis.set(key, 1)
    on_redis._client.set("other", 1)
    assert sorted(on_redis.get_keys()) == ["ab", "ac", "b*", "p::a"]
    found = {
        pattern: sorted(on_redis.get_keys(pattern)) for pattern in ("a?", "a[^b]", "b\\*", "*a*")
    }
    assert found == {
        "a?": ["ab", "ac"],
        "a[^b]": ["ac"],
        "b\\*": ["b*"],
        "*a*": ["ab", "ac", "p::a"],
    }


def test_only_redis_lists_keys() -> None:
    with pytest.raises(NotImplementedError):
        KVS("mock").get_keys()


def test_names_of_implementations() -> None:
    assert type(KVS("redis")) is Redis
    assert type(KVS("memcache")) is type(KVS("memcached")) is Memcache
    with pytest.raises(ConfigError, match="choose from redis, memcache"):
        KVS("nosuch")


def test_memcached_is_here_where_no_servers_are_given() -> None:
    assert KVS("memcached")._client.store.name == "memcached://127.0.0.1:11211"
    weighed: Any = KVS("memcached", {"servers": [["a:1", 2], "b:2"]})
    assert weighed._client.store.name == "memcached://a:1,b:2"


def test_another_implementation_is_reached_by_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own:
        def __init__(self) -> None:
            self.calls: list[object] = []

        def get(self, key: bytes) -> bytes:
            self.calls.append(("get", key))
            return b'"found"'

        def set(self, *words: object) -> None:
            self.calls.append(("set", *words))

        def delete(self, key: bytes) -> None:
            self.calls.append(("delete", key))

        def incr(self, key: bytes) -> int:
            self.calls.append(("incr", key))
            return 4

    class Registered(KVS):
        def _create_client(self, **kwargs: Any) -> Any:
            assert kwargs == {"colour": "red"}
            return Own()

    kvs_module = import_module("holdfast.compat.pyramid_kvs.kvs")
    monkeypatch.setattr(kvs_module, "_implementations", {})
    register("own", Registered)
    kvs = KVS("own", {"colour": "red"}, "p::")
    assert (kvs.get("a"), kvs.incr("n")) == ("found", 4)
    kvs.set("b", [1], 5)
    kvs.delete("c")
    assert kvs._client.calls == [
        ("get", b"p::a"),
        ("incr", b"p::n"),
        ("set", b"p::b", "[1]", 5),
        ("delete", b"p::c"),
    ]


def test_codecs_by_name() -> None:
    module: Any = import_module("holdfast.compat.pyramid_kvs.serializer")
    assert serializer is module
    assert module.serializer("json") is json
    assert KVS("mock")._serializer.dumps is json.dumps
    assert module.serializer("storable").loads(image("session"))["login"] == "ada"
    assert storable.thaw(image("scalar")) == "alone"
    with pytest.raises(NotImplementedError):
        module.serializer("storable").dumps({})
    with pytest.raises(ConfigError):
        module.serializer("yaml")


class Own:
    """A class of an application."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own)

    __hash__ = None  # type: ignore[assignment]


def test_the_codec_that_is_called_pickle() -> None:
    kvs = KVS("mock", codec="pickle")
    kvs.set("a", {"t": (1, 2)})
    assert not kvs.raw_get("a").startswith(b"\x80")
    assert kvs.get("a") == {"t": (1, 2)}
    configure(old_form=True)
    kvs.set("a", {"t": (1, 2)})
    assert pickle.loads(kvs.raw_get("a")) == {"t": (1, 2)}  # noqa: S301 - our own
    assert kvs.get("a") == {"t": (1, 2)}
    with pytest.raises(CodecError, match="Own"):
        kvs.set("a", Own())
    configure(allow=[f"{__name__}.Own"])
    kvs.set("a", Own())
    assert kvs.get("a") == Own()


def test_what_cannot_be_read_is_not_there_and_counted() -> None:
    bomb = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R."
    for codec in ("json", "pickle", "storable"):
        kvs = KVS("mock", codec=codec)
        kvs.raw_set("a", bomb, 1)
        assert kvs.get("a", "default") == "default"
    assert sum(refused.values()) == 3
    KVS("mock").raw_set("a", "{", 1)
    assert KVS("mock").get("a") is None


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", " [1]", '"x"', "-1.5", "true", "null"]
)
def test_json_is_never_taken_for_a_pickle(text: str) -> None:
    assert repr(records.read("json", json, text)) == repr(json.loads(text))


@pytest.mark.parametrize("value", [None, True, 1, -1.5, "x", [1], {"a": 1}, 2**70], ids=repr)
@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_pickles_are_told_from_json(value: object, protocol: int) -> None:
    assert records.read("json", json, pickle.dumps(value, protocol)) == value


@pytest.mark.server
def test_what_clients_of_memcached_compressed(on_memcached: Any) -> None:
    store: PlainMemcached = on_memcached._client.store
    text = json.dumps(["x" * 1000]).encode()
    for flags, data in (
        (8, zlib.compress(text)),
        (8 | 16, zlib.compress(text)),
        (2, gzip.compress(text)),
    ):
        store.put("kvs-tests::a", Flagged(data, flags))
        assert on_memcached.get("a") == ["x" * 1000]
        store.put("kvs-tests::a", Flagged(data[:-9], flags))
        assert on_memcached.get("a") is None
    store.put("kvs-tests::a", Flagged(b'"caf\xc3\xa9"', 16))
    assert on_memcached.get("a") == "caf\xe9"


@pytest.mark.server
def test_a_server_that_is_down_is_an_error() -> None:
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("redis", {"port": free_port(), "retry": Retry(NoBackoff(), 0)}),
        ("memcached", {"servers": [f"127.0.0.1:{free_port()}"]}),
    ]
    for name, options in kinds:
        kvs = KVS(name, options)
        with pytest.raises(StoreUnavailable):
            kvs.get("a")
        with pytest.raises(StoreUnavailable):
            kvs.count("a", 1)


# request.cache


@pytest.mark.parametrize("given", [{"kvs": "mock"}, '{"type": "mock"}'], ids=["dict", "JSON"])
def test_the_cache_of_requests(given: Any) -> None:
    def page(request: Any) -> Any:
        cache = request.cache
        assert cache is request.cache
        assert cache(request) is cache
        cache["a"] = 1
        cache.set("b", 2, ttl=7)
        found = [cache["a"], cache["c"], cache.get("b"), cache.get("c", 3), "a" in cache]
        del cache["a"]
        with pytest.raises(KeyError):
            del cache["a"]
        return [*found, cache.pop("b"), cache.pop("b"), cache.pop("b", 4)]

    app = site(page, cache=given)
    assert app.get("/").json == [1, None, 2, 3, True, 2, None, 4]
    assert MockCache.last_ttl == 7
    client = ApplicationCache.client
    assert (client.key_prefix, client.ttl, client._serializer) == (b"cache::", 3600, json)


@pytest.mark.server
def test_the_cache_lists_its_keys(redis_server: RedisServer) -> None:
    options = {
        "kvs": "redis",
        "kvs_kwargs": {"port": redis_server.port, "db": 9},
        "key_prefix": "k::",
    }

    def page(request: Any) -> Any:
        request.cache.set("ab", 1)
        request.cache.set("b", 1)
        return [sorted(request.cache.list_keys()), request.cache.list_keys("a*")]

    assert site(page, cache=options).get("/").json == [["ab", "b"], ["ab"]]
    client: redis.Redis = ApplicationCache.client._client
    client.flushdb()
    client.close()


# request.perlsess


def perl_page(request: Any) -> Any:
    session = request.perlsess
    assert [*session.iterkeys()] == [*session] == [*session.keys()]
    assert [*session.itervalues()] == [*session.values()]
    assert dict(session.iteritems()) == dict(session.items())
    return [
        len(session),
        session.get("login"),
        "login" in session,
        session.has_key("x"),
        session.get("x", 1),
    ]


def test_a_session_of_perl() -> None:
    app = site(perl_page, perlsess={"type": "mock"})
    assert app.get("/").json == [0, None, False, False, 1]
    app.set_cookie("session_id", "abc")
    assert app.get("/").json == [0, None, False, False, 1]
    for way in ("freeze", "nfreeze", "nstore"):
        MockCache.cached_data[b"perlsess::abc"] = image("session", way)
        assert app.get("/").json == [8, "ada", True, False, 1]
    for data in (image("ints"), b"garbage"):
        MockCache.cached_data[b"perlsess::abc"] = data
        assert app.get("/").json == [0, None, False, False, 1]


def test_settings_of_perls_sessions() -> None:
    given = '{"kvs": "mock", "cookie_name": "CGISESSID", "key_prefix": "perl:", "codec": "json"}'
    MockCache.cached_data[b"perl:abc"] = '{"login": "bob"}'
    app = site(lambda request: [request.perlsess["login"], repr(request.perlsess)], perlsess=given)
    app.set_cookie("CGISESSID", "abc")
    assert app.get("/").json == ["bob", "{'login': 'bob'}"]


@pytest.mark.server
def test_a_session_of_perl_in_memcached(on_memcached: Any) -> None:
    servers = [str(on_memcached._client.store.name).partition("//")[2]]
    options = {"type": "memcached", "kvs_kwargs": {"servers": servers}}
    app = site(perl_page, perlsess=options)
    app.set_cookie("session_id", "abc")
    data = image("session")
    # Cache::Memcached marks what Storable froze by 1, and what is compressed by 2.
    for value in (Flagged(data, 1), Flagged(gzip.compress(data), 3)):
        on_memcached._client.store.put("perlsess::abc", value)
        assert app.get("/").json == [8, "ada", True, False, 1]
    app.set_cookie("session_id", "x" * 300)
    assert app.get("/").json[0] == 0
    import_module("holdfast.compat.pyramid_kvs.perlsess").PerlSession.client._client.store.close()


def test_limits_without_sessions_are_told_of() -> None:
    class Config:
        class registry:  # noqa: N801 - Pyramid's
            settings = {"kvs.ratelimit": "{}"}  # noqa: RUF012 - as above

    with pytest.warns(CompatWarning, match="limits nothing"):
        includeme(Config())
