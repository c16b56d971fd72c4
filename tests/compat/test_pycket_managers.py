"""pycket: what its managers promise, on real servers and on settings that are wrong."""

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from holdfast.compat import configure, refused
from holdfast.compat.pycket import driver as drivers
from holdfast.compat.pycket.driver import DriverFactory, MemcachedDriver, RedisDriver
from holdfast.compat.pycket.notification import NotificationManager, NotificationMixin
from holdfast.compat.pycket.session import (
    ConfigurationError,
    SessionManager,
    SessionMixin,
    create_mixin,
)
from holdfast.compat.values import MARK
from holdfast.errors import CodecError, StoreTimeout, StoreUnavailable
from holdfast.store.memcached.plain import Flagged
from servers.memcached import MemcachedServer
from servers.process import free_port
from servers.redis import RedisServer

ID = "PYCKET_ID"


class Handler:
    """As much of a handler as pycket asks for."""

    def __init__(self, settings: dict[str, Any], **cookies: bytes) -> None:
        self.settings = settings
        self.came = cookies
        self.sent: list[tuple[str, str, dict[str, Any]]] = []

    def get_secure_cookie(self, name: str) -> bytes | None:
        return self.came.get(name)

    def set_secure_cookie(self, name: str, value: str, **attributes: Any) -> None:
        self.sent.append((name, value, attributes))


class Mixed(Handler, SessionMixin, NotificationMixin):
    """A handler with both."""


class Thing:
    """Of a class that is no plain data."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing)

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def _no_driver_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made: list[Any] = []
    monkeypatch.setattr(drivers, "_shared", made)
    yield
    for _, driver in made:
        if "client" in vars(driver):
            driver.client.close()


@pytest.fixture(params=["redis", "memcached"])
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    kind: str = request.param
    server: RedisServer | MemcachedServer = request.getfixturevalue(f"{kind}_server")
    if kind == "memcached":
        where: dict[str, Any] = {"servers": (f"localhost:{server.port}",)}
    else:
        where = {"host": "localhost", "port": server.port, "db_sessions": 12}
        where |= {"db_notifications": 13, "max_connections": 20}
    return {"pycket": {"engine": kind, "storage": where}}


def known(settings: dict[str, Any], name: str) -> Mixed:
    """Return the handler of a request that came with a cookie."""
    handler = Mixed(settings, **{ID: f"{name}-{id(settings)}".encode()})
    handler.session.driver.store.delete(handler.came[ID].decode())
    handler.notifications.driver.store.delete(handler.came[ID].decode())
    return handler


@pytest.mark.server
def test_both_share_the_id_of_a_first_visit(settings: dict[str, Any]) -> None:
    settings["pycket"]["cookies"] = {"expires_days": 120, "httponly": True}
    handler = Mixed(settings)
    assert handler.session.get("a") is None
    handler.session["a"] = [1]
    handler.notifications["b"] = 2
    assert handler.session["a"] == [1]
    assert SessionManager(handler).get("a") == [1]
    [(name, value, attributes)] = handler.sent
    assert name == ID
    assert attributes == {"expires": None, "expires_days": 120, "httponly": True}
    assert settings["pycket"]["cookies"] == {"expires_days": 120, "httponly": True}
    assert Mixed(settings, **{ID: value.encode()}).notifications["b"] == 2


@pytest.mark.server
def test_a_record_lives_for_a_day_from_its_last_change(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = {"port": redis_server.port, "db_sessions": 12}
    handler = known({"pycket": {"engine": "redis", "storage": storage}}, "day")
    handler.session["a"] = 1
    client, key = handler.session.driver.client, handler.came[ID].decode()
    assert 86_000 < client.ttl(key) <= 86_400
    client.expire(key, 50)
    handler.session.get("a")
    assert client.ttl(key) <= 50
    handler.session.delete("nothing")
    assert client.ttl(key) > 86_000
    assert handler.notifications.get("nothing", "none") == "none"
    assert handler.notifications.driver.client.exists(key) == 0
    monkeypatch.setattr(RedisDriver, "EXPIRE_SECONDS", 3600)
    handler.session["a"] = 2
    assert client.ttl(key) <= 3600


@pytest.mark.server
def test_the_databases_are_those_of_the_settings(redis_server: RedisServer) -> None:
    always = {"pycket": {"engine": "redis", "storage": {"port": redis_server.port}}}
    handler = Mixed(always)
    numbers = [
        manager.driver.client.connection_pool.connection_kwargs["db"]
        for manager in (handler.session, handler.notifications)
    ]
    assert numbers == [0, 1]
    other = {"port": redis_server.port, "db_sessions": 5, "db_notifications": 6}
    handler = Mixed({"pycket": {"engine": "redis", "storage": {**other, "max_connections": 7}}})
    pools = [m.driver.client.connection_pool for m in (handler.session, handler.notifications)]
    assert [pool.connection_kwargs["db"] for pool in pools] == [5, 6]
    assert [pool.max_connections for pool in pools] == [7, 7]
    assert pools[0] is not pools[1]


@pytest.mark.server
def test_all_requests_share_their_clients(settings: dict[str, Any]) -> None:
    first, second = Mixed(settings), Mixed({"pycket": dict(settings["pycket"])})
    assert first.session is first.session
    assert first.session.driver is second.session.driver
    assert first.session.driver.client is second.session.driver.client
    assert first.notifications.driver is second.notifications.driver
    assert first.session.driver is not first.notifications.driver
    elsewhere = {"engine": "redis", "storage": {"port": 1}}
    assert Mixed({"pycket": elsewhere}).session.driver is not first.session.driver


@pytest.mark.server
def test_requests_at_once_lose_nothing_of_each_other(settings: dict[str, Any]) -> None:
    one = known(settings, "crowd")

    def write(number: int) -> None:
        Mixed(settings, **one.came).session[f"n{number}"] = number

    def take(_: int) -> Any:
        return Mixed(settings, **one.came).notifications.get("once")

    one.notifications["once"] = "read me"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
        taken = list(pool.map(take, range(16)))
    assert {name for name in one.session if name != "once"} == {f"n{n}" for n in range(40)}
    assert sorted(filter(None, taken)) == ["read me"]


class Restless:
    """A store in which somebody else always writes first."""

    name = "restless"

    def get(self, _: str) -> None:
        pass

    def swap(self, *_: object) -> bool:
        return False


def test_whoever_never_gets_through_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = Mixed({"pycket": {"engine": "redis"}}, **{ID: b"a"})
    monkeypatch.setitem(vars(handler.session.driver), "store", Restless())
    with pytest.raises(StoreTimeout, match="others wrote at once"):
        handler.session["a"] = 1


@pytest.mark.server
def test_pickles_of_the_genuine_library_are_read_and_written(settings: dict[str, Any]) -> None:
    handler = known(settings, "old")
    store, key = handler.session.driver.store, handler.came[ID].decode()
    old = {"user": "Ada", "cart": ["tea"], 5: (1, {2})}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        store.put(key, pickle.dumps(old, protocol))
        assert handler.session.get("cart") == ["tea"]
        assert handler.session.get(5) == (1, {2})
    store.put(key, b"(dp0\nS'user'\np1\nS'Ada'\np2\ns.")  # by Python 2
    assert handler.session["user"] == "Ada"
    handler.session["more"] = 1
    assert (store.get(key) or b"").startswith(MARK)
    assert handler.session["user"] == "Ada"
    configure(old_form=True)
    handler.session["more"] = 2
    kept = store.get(key)
    assert kept is not None
    if isinstance(kept, Flagged):  # of python3-memcached: it pickles bytes once more
        assert kept.flags == 1
        kept = pickle.loads(kept)  # noqa: S301 - our own
    assert pickle.loads(kept) == {"user": "Ada", "more": 2}  # noqa: S301 - the same
    assert handler.session["more"] == 2


@pytest.mark.server
@pytest.mark.parametrize(
    "bad",
    [b"", b"\x80\x04cos\nsystem\n.", MARK + b"\xc1", pickle.dumps([1]), MARK + b"\x01"],
    ids=["empty", "evil", "damaged", "list", "number"],
)
def test_what_cannot_be_read_is_not_there_and_counted(settings: dict[str, Any], bad: bytes) -> None:
    handler = known(settings, "bad")
    handler.session.driver.store.put(handler.came[ID].decode(), bad)
    assert handler.session.get("a", "none") == "none"
    assert sum(refused.values()) == 1
    handler.session["a"] = 1
    assert handler.session["a"] == 1


@pytest.mark.server
def test_a_value_of_memcached_that_is_no_record(memcached_server: MemcachedServer) -> None:
    storage = {"servers": (f"localhost:{memcached_server.port}",)}
    handler = known({"pycket": {"engine": "memcached", "storage": storage}}, "flags")
    handler.session.driver.store.put(handler.came[ID].decode(), Flagged(b"17", 2))
    assert list(handler.session) == []
    assert list(refused) == ["a int is no record"]


@pytest.mark.server
def test_an_object_needs_its_class_allowed(settings: dict[str, Any]) -> None:
    handler, wanted = known(settings, "thing"), f"{Thing.__module__}.Thing"
    with pytest.raises(CodecError, match=f"'thing': is a {wanted}"):
        handler.session["thing"] = Thing()
    assert "thing" not in handler.session
    configure(allow=[wanted])
    handler.session["thing"] = Thing()
    assert handler.session["thing"] == Thing()
    configure()
    assert handler.session.get("thing") is None
    assert sum(refused.values()) == 1


@pytest.mark.parametrize("engine", ["redis", "memcached"])
def test_a_server_that_is_gone_is_an_error(engine: str) -> None:
    port = free_port()
    where = {"port": port} if engine == "redis" else {"servers": [f"127.0.0.1:{port}"]}
    session = Mixed({"pycket": {"engine": engine, "storage": where}}, **{ID: b"a"}).session
    with pytest.raises(StoreUnavailable) as caught:
        session.get("a")
    assert caught.value.__cause__ is not None
    with pytest.raises(StoreUnavailable):
        session["a"] = 1


def test_settings_that_are_missing_or_wrong() -> None:
    with pytest.raises(ConfigurationError, match='The "pycket" configurations are missing'):
        SessionManager(Handler({}))
    with pytest.raises(ConfigurationError, match="define an engine"):
        NotificationManager(Handler({"pycket": {"storage": {}}}))
    with pytest.raises(ValueError, match='Engine "mongo" is not supported'):
        SessionManager(Handler({"pycket": {"engine": "mongo"}}))


def test_the_defaults_of_the_document() -> None:
    factory = DriverFactory()
    assert factory.create("redis", {}, "db_sessions").settings == {"db": 0}
    assert factory.create("redis", {}, "db_notifications").settings == {"db": 1}
    given = {"db_sessions": 10, "db_notifications": 11, "host": "h", "db": 3}
    assert factory.create("redis", given, "db_sessions").settings == {"host": "h", "db": 10}
    assert factory.STORAGE_CATEGORIES == ("db_sessions", "db_notifications")
    assert RedisDriver.DEFAULT_STORAGE_IDENTIFIERS == {"db_sessions": 0, "db_notifications": 1}
    driver = factory.create("memcached", {}, "db_sessions")
    assert isinstance(driver, MemcachedDriver)
    assert driver.store.name == "memcached://localhost:11211"
    driver.client.close()


def test_a_mixin_makes_its_manager_once() -> None:
    made: list[object] = []

    def make(given: object) -> str:
        made.append(given)
        return "manager"

    context = Handler({})
    for _ in range(2):
        create_mixin(context, "__mine", make)
    assert made == [context]
    assert create_mixin(context, "__mine", lambda _: "other") == "manager"
