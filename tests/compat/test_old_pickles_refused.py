"""Pickles that would run something, in every place where an old library had one: never run."""

import base64
import contextlib
import dbm.dumb
import pickle
import sqlite3
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compat.beaker_walk import Browser, application
from compat.cart import Cart
from compat.fixtures import write
from compat.old_beaker import Places
from holdfast.compat import settings
from holdfast.compat.beaker.cache import CacheManager, cache_managers
from holdfast.compat.beaker.exceptions import BeakerWarning
from holdfast.compat.beaker.middleware import SessionMiddleware
from holdfast.compat.beaker.session import CookieSession, Session
from holdfast.compat.pycket import driver as drivers
from holdfast.compat.pycket.driver import MemcachedDriver, RedisDriver
from holdfast.compat.pyramid_kvs.kvs import KVS
from servers.memcached import MemcachedServer
from servers.redis import RedisServer

pytestmark = pytest.mark.server

_NAME = "beaker.session.id"
_PICKLED, _ZIPPED = 1, 8  # flags of memcached
_OPEN = b"\x80\x04\x8c\x08builtins\x8c\x04open\x93("
_WARNED = (BeakerWarning, settings.CompatWarning)


class _Evil:
    """Pickles that write a file if anybody believes them."""

    def __init__(self, folder: Path) -> None:
        self.wrote = folder / "it-ran"
        name = str(self.wrote)
        by_name = f"cbuiltins\nopen\n(V{name}\nVw\ntR.".encode()
        self.forms = {
            "global": by_name,
            "Python 2": by_name.replace(b"cbuiltins", b"c__builtin__"),
            "inst": f"(V{name}\nVw\nibuiltins\nopen\n.".encode(),
            "object": f"(cbuiltins\nopen\nV{name}\nVw\no.".encode(),
            "stack": _OPEN + _text(name) + _text("w") + b"tR.",
            "eval": f"cbuiltins\neval\n(Vopen({name!r}, 'w')\ntR.".encode(),
            "getattr": f"cbuiltins\ngetattr\n(cpathlib\nPath\n(V{name}\ntRVtouch\ntR(tR.".encode(),
            "in a value": b"\x80\x04}\x8c\x07session}\x8c\x01n" + by_name[:-1] + b"ss.",
        }

    @property
    def has_run(self) -> bool:
        return self.wrote.exists()


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def test_the_pickles_of_this_file_do_run_where_they_are_believed(tmp_path: Path) -> None:
    evil = _Evil(tmp_path)
    for name, data in evil.forms.items():
        believed = pickle.loads(data)  # noqa: S301 - the one place where they are
        opened = believed["session"]["n"] if name == "in a value" else believed
        if opened is not None:
            opened.close()
        assert evil.has_run, name
        evil.wrote.unlink()


def _whole(name: str, data: bytes) -> bytes:
    """Return what lies in a place whose session's text is `data`."""
    text = base64.b64encode(data).decode()
    return pickle.dumps({"session": text} if name in ("file", "database") else text)


def _sow(places: Places, name: str, options: dict[str, Any], where: str, data: bytes) -> None:
    """Put `data` in place of what lies there already.

    Args:
        places: The servers.
        name: The place.
        options: Where it is.
        where: The namespace; a bar, and the key.
        data: A pickle.
    """
    space, key = where.split("|")
    match name:
        case "file":
            (path,) = places.folder.rglob("*.cache")
            path.write_bytes(data)
        case "dbm":
            (path,) = places.folder.rglob("*.dbm.dat")
            with dbm.dumb.open(str(path.with_suffix("")), "w") as values:
                assert key.encode() in values
                values[key.encode()] = data
        case "database":
            with contextlib.closing(sqlite3.connect(places.folder / "beaker.db")) as database:
                words = "update beaker_cache set data = ? where namespace = ?"
                assert database.execute(words, (data, space)).rowcount == 1
                database.commit()
        case "redis":
            places.put_redis(f"beaker_cache:{space}:{key}", data)
        case "mongodb":
            places.put_mongodb(f"{space}:{key}", data)
        case _:
            assert options["type"] == "ext:memcached"
            zipped = len(data) % 2
            flags = _PICKLED | (_ZIPPED if zipped else 0)
            places.put_memcached(f"{space}_{key}", flags, zlib.compress(data) if zipped else data)


@pytest.mark.parametrize("name", write.PLACES)
def test_sessions(places: Places, name: str) -> None:
    evil = _Evil(places.folder)
    options = places.placed(write.PLACES[name])
    told = {f"session.{option}": value for option, value in options.items()}
    browser = Browser(SessionMiddleware(application, told))
    with warnings.catch_warnings(action="ignore", category=BeakerWarning):
        for data in evil.forms.values():
            for form in (data, _whole(name, data)):
                browser.cookies.clear()
                browser.get("/count")
                kept = browser.cookies[_NAME]
                settings.refused.clear()
                _sow(places, name, options, f"{kept}|session", form)
                page = browser.get("/count")
                assert page.endswith("'n': 1}"), page
                assert settings.refused.total() == 1
                assert browser.cookies[_NAME] != kept
                _forget_files(places.folder)
    assert not evil.has_run


def _forget_files(folder: Path) -> None:
    for path in [*folder.rglob("*.cache"), *folder.rglob("*.dbm.*")]:
        path.unlink()


@pytest.mark.parametrize("name", write.PLACES)
def test_caches(places: Places, name: str) -> None:
    evil = _Evil(places.folder)
    options = places.placed(write.PLACES[name])
    for data in evil.forms.values():
        cache = CacheManager(**options).get_cache("evil")
        cache.put("k", "good")
        assert cache.get("k") == "good"
        settings.refused.clear()
        _sow(places, name, options, "evil|k", data)
        cache_managers.clear()  # as in another process
        cache = CacheManager(**options).get_cache("evil")
        assert cache.get("k", createfunc=lambda: "made") == "made"
        assert cache.get("k") == "made"
        assert settings.refused.total() >= 1
    assert not evil.has_run


class _Brings:
    """A serializer that writes what it is told, to put it where a session's values would be."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def dumps(self, _: object) -> bytes:
        return self.data

    def loads(self, _: bytes) -> object:
        return {}


_SEALED = [name for name in write.SESSIONS if name not in write.PLACES and name != "signed id"]


@pytest.mark.parametrize("name", _SEALED)
def test_cookies_and_what_is_encrypted(places: Places, name: str) -> None:
    """Who knows the keys of a site can write anything; that is no reason to run it."""
    evil = _Evil(places.folder)
    options = places.placed(write.SESSIONS[name])
    told = {f"session.{option}": value for option, value in options.items()}
    with warnings.catch_warnings():
        for category in _WARNED:
            warnings.simplefilter("ignore", category)
        for data in evil.forms.values():
            kind = CookieSession if options["type"] == "cookie" else Session
            session = kind({}, **{**options, "data_serializer": _Brings(data)})
            session.save()
            browser = Browser(SessionMiddleware(application, told))
            kept = session.request["cookie_out"].strip().partition(";")[0].partition("=")[2]
            browser.cookies[_NAME] = kept
            settings.refused.clear()
            assert browser.get("/count").endswith("'n': 1}")
            assert browser.cookies[_NAME] != kept
            json_is_no_pickle = options.get("data_serializer") == "json"
            assert settings.refused.total() == (0 if json_is_no_pickle else 1)
    assert not evil.has_run


def test_records_of_pycket(
    places: Places, memcached: MemcachedServer, redis_server: RedisServer
) -> None:
    evil = _Evil(places.folder)
    where = {"host": "127.0.0.1", "port": redis_server.port, "db": 5}
    stores: list[tuple[drivers.Driver, Callable[[bytes], None]]] = [
        (RedisDriver(where), lambda data: places.put_redis("somebody", data)),
        *(
            (
                MemcachedDriver({"servers": (f"127.0.0.1:{memcached.port}",)}),
                lambda data, flags=flags, wrap=wrap: places.put_memcached(
                    "somebody", flags, wrap(data)
                ),
            )
            for flags, wrap in ((0, bytes), (_PICKLED, bytes), (_PICKLED, pickle.dumps))
        ),
    ]
    for driver, put in stores:
        with contextlib.closing(driver.client):
            for data in evil.forms.values():
                put(data)
                settings.refused.clear()
                assert driver.get("somebody") == {}
                assert settings.refused.total() == 1
                driver.change("somebody", lambda session: session.update(n=1))
                assert driver.get("somebody") == {"n": 1}
    assert not evil.has_run


@pytest.mark.parametrize("codec", ["json", "pickle"])
def test_records_of_pyramid_kvs(
    places: Places, memcached: MemcachedServer, redis_server: RedisServer, codec: str
) -> None:
    evil = _Evil(places.folder)
    on_redis = KVS("redis", {"host": "127.0.0.1", "port": redis_server.port, "db": 5}, codec=codec)
    on_memcached = KVS("memcached", {"servers": [f"127.0.0.1:{memcached.port}"]}, codec=codec)
    with contextlib.closing(on_redis._client), contextlib.closing(on_memcached._client):
        for data in evil.forms.values():
            places.put_redis("k", data)
            places.put_memcached("k", _PICKLED, data)
            for kvs in (on_redis, on_memcached):
                settings.refused.clear()
                assert kvs.get("k", "none") == "none"
                assert settings.refused.total() == 1
                kvs.set("k", "new")
                assert kvs.get("k") == "new"
    assert not evil.has_run


@pytest.mark.parametrize("name", write.PLACES)
def test_a_class_of_the_application_is_read_if_it_is_allowed(places: Places, name: str) -> None:
    options = places.placed(write.PLACES[name])
    session = Session({}, **options)
    session["n"] = 1
    session.save()
    data = _whole(name, pickle.dumps({"cart": Cart("tea"), "_creation_time": 1.0}))
    if name == "dbm":
        data = pickle.dumps(base64.b64encode(pickle.dumps({"cart": Cart("tea")})).decode())
    _sow(places, name, options, f"{session.id}|session", data)
    carried = {"cookie": f"{_NAME}={session.id}"}
    with pytest.warns(BeakerWarning, match="corrupt"):
        assert "cart" not in Session(dict(carried), invalidate_corrupt=True, **options)
    (reason,) = settings.refused
    assert f"{Cart.__module__}.Cart" in reason
    settings.configure(allow=[f"{Cart.__module__}.Cart"])
    session = Session(dict(carried), **options)
    assert session["cart"] == Cart("tea")
    session["n"] = 2
    session.save()
    assert Session(dict(carried), **options)["cart"] == Cart("tea")
