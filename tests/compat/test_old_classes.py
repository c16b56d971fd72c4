"""An application's own class: the error says which, where, and the one setting; then it works."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from pyramid.request import Request

from compat.cart import Cart
from compat.fixtures import write
from compat.old_beaker import Places
from holdfast.compat import settings
from holdfast.compat.beaker.cache import CacheManager, cache_managers
from holdfast.compat.beaker.session import CookieSession, Session
from holdfast.compat.pycket.driver import MemcachedDriver, RedisDriver
from holdfast.compat.pyramid_beaker import session_factory_from_settings
from holdfast.compat.pyramid_kvs.kvs import KVS
from holdfast.errors import CodecError
from servers.memcached import MemcachedServer
from servers.redis import RedisServer

pytestmark = pytest.mark.server
_SETTING = "holdfast.compat.install(..., allow=['{0.__module__}.{0.__name__}'])"


@pytest.fixture(params=[False, True], ids=["safe form", "old form"], autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Run each test in either form; give the settings that let the class through."""
    settings.configure(old_form=request.param)
    yield {"old_form": request.param, "allow": [f"{Cart.__module__}.Cart"]}
    assert settings.refused.total() == 0


@contextlib.contextmanager
def _refused(name: str) -> Iterator[None]:
    """Expect the error that helps."""
    with pytest.raises(CodecError) as told:
        yield
    assert name in str(told.value)
    assert f"is a {Cart.__module__}.Cart" in str(told.value)
    assert _SETTING.format(Cart) in str(told.value)


@pytest.mark.parametrize("name", [name for name in write.SESSIONS if "json" not in name])
@pytest.mark.filterwarnings("ignore:crypto_type=:holdfast.compat.settings.CompatWarning")
def test_sessions_of_beaker(places: Places, name: str, form: dict[str, Any]) -> None:
    options = places.placed(write.SESSIONS[name])
    kind = CookieSession if options["type"] == "cookie" else Session
    session = kind({}, **options)
    session["basket"] = {"mine": [Cart("tea")]}
    with _refused("'basket.mine'"):
        session.save()
    settings.configure(**form)
    session.save()
    cookie = str(session.request["cookie_out"]).strip().partition(";")[0]
    assert kind({"cookie": cookie}, **options)["basket"] == {"mine": [Cart("tea")]}


@pytest.mark.parametrize("name", write.PLACES)
def test_caches_of_beaker(places: Places, name: str, form: dict[str, Any]) -> None:
    options = places.placed(write.PLACES[name])
    space = f"classes{places.folder.name}{id(form)}"
    cache = CacheManager(**options).get_cache(space)
    with _refused("basket'"):
        cache.put("basket", Cart("tea"))
    with _refused("basket'"):
        cache.get("basket", createfunc=lambda: Cart("tea"))
    assert "basket" not in cache
    settings.configure(**form)
    cache.put("basket", Cart("tea"))
    cache_managers.clear()
    assert CacheManager(**options).get_cache(space).get("basket") == Cart("tea")


def test_the_error_says_where_below_a_key(places: Places) -> None:
    cache = CacheManager(**places.placed(write.PLACES["redis"])).get_cache("deep")
    with _refused("'basket.mine.1'"):
        cache.put("basket", [{"mine": {b"1": Cart("tea")}}])
    round_about: list[Any] = []
    round_about += [round_about, Cart("tea")]
    with _refused("'basket'"):
        cache.put("basket", round_about)


def test_a_cache_in_memory_keeps_the_object_itself() -> None:
    cart = Cart("tea")
    cache = CacheManager(type="memory").get_cache("in memory")
    cache.put("cart", cart)
    assert cache.get("cart") is cart


def test_pyramid_beaker(form: dict[str, Any]) -> None:
    factory = session_factory_from_settings({"session.type": "memory"})
    session: Any = factory(Request.blank("/"))
    session["basket"] = Cart("tea")
    session.save()
    with _refused("'basket'"):
        session.persist()
    settings.configure(**form)
    session.persist()


def test_pycket(
    memcached: MemcachedServer, redis_server: RedisServer, form: dict[str, Any]
) -> None:
    for driver in (
        RedisDriver({"host": "127.0.0.1", "port": redis_server.port, "db": 5}),
        MemcachedDriver({"servers": (f"127.0.0.1:{memcached.port}",)}),
    ):
        settings.configure(old_form=form["old_form"])
        with contextlib.closing(driver.client):
            with _refused("'basket'"):
                driver.set("classes", {"basket": Cart("tea")})
            settings.configure(**form)
            driver.set("classes", {"basket": Cart("tea")})
            assert driver.get("classes") == {"basket": Cart("tea")}


def test_pyramid_kvs(
    memcached: MemcachedServer, redis_server: RedisServer, form: dict[str, Any]
) -> None:
    at_redis = {"host": "127.0.0.1", "port": redis_server.port, "db": 5}
    at_memcached = {"servers": [f"127.0.0.1:{memcached.port}"]}
    for kind, where in (("redis", at_redis), ("memcached", at_memcached)):
        settings.configure(old_form=form["old_form"])
        kvs = KVS(kind, where, codec="pickle")
        with contextlib.closing(kvs._client):
            with _refused("'basket'"):
                kvs.set("classes", {"basket": Cart("tea")})
            with _refused("'shelf'"):
                kvs.set("shelf", Cart("tea"))
            settings.configure(**form)
            kvs.set("classes", {"basket": Cart("tea")})
            assert kvs.get("classes") == {"basket": Cart("tea")}
