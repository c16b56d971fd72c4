"""Probes of the options of caches on servers and in databases."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from compat.beaker_clients import closing_clients
from compat.option_probes import Room, keys, option, own, put
from holdfast.compat.beaker.ext.database import DatabaseNamespaceManager
from holdfast.compat.beaker.ext.google import GoogleNamespaceManager
from holdfast.compat.beaker.ext.memcached import MemcachedNamespaceManager
from holdfast.compat.beaker.ext.redisnm import RedisNamespaceManager
from holdfast.compat.beaker.ext.sqla import SqlaNamespaceManager, make_cache_table
from servers.redis import RedisServer

__all__: list[str] = []

Given = dict[str, Any]


def _expiry(act: Callable[[str, Given], Any]) -> Callable[[Given, Room], bool]:
    """Return what says whether the key that `act` writes to Redis will expire."""

    def ask(given: Given, room: Room) -> bool:
        server: RedisServer = room.server("redis_server")
        with closing_clients():
            manager = act(f"{server.url}/7", given)
            expires = bool(manager.client.ttl(manager._format_key("k")) > 0)
            manager.remove()
        return expires

    return ask


def _set_value(url: str, given: Given) -> Any:
    manager = RedisNamespaceManager("probes", url)
    manager.set_value("k", 1, **given)
    return manager


def _with_timeout(url: str, given: Given) -> Any:
    manager = RedisNamespaceManager("probes", url, **given)
    manager["k"] = 1
    return manager


option("NamespaceManager.set_value expiretime", to=50, sees=True, ask=_expiry(_set_value))
option("RedisNamespaceManager timeout", to=50, sees=True, ask=_expiry(_with_timeout))
option(
    "MemcachedNamespaceManager memcache_module",
    to="no such module",
    sees="InvalidCacheBackendError",
    ask=lambda given, _: type(MemcachedNamespaceManager("ns", "127.0.0.1:1", **given)).__name__,
)


def _folder_made(make: Callable[[Given, Room], Any]) -> Callable[[Given, Room], bool]:
    def ask(given: Given, room: Room) -> bool:
        with closing_clients():
            make(given, room)
        return (room.folder / "own").is_dir()

    return ask


def _database(given: Given, room: Room) -> Any:
    return DatabaseNamespaceManager("ns", **{"url": f"sqlite:///{room.path}/b.db", **given})


def _sqla(given: Given, room: Room) -> Any:
    engine = sa.create_engine(f"sqlite:///{room.path}/b.db")
    try:
        return SqlaNamespaceManager("ns", engine, make_cache_table(sa.MetaData()), **given)
    finally:
        engine.dispose()


def _memcached(given: Given, _: Room) -> Any:
    return MemcachedNamespaceManager("ns", "127.0.0.1:1", **given)


for _name, _make in (
    ("DatabaseNamespaceManager", _database),
    ("MemcachedNamespaceManager", _memcached),
    ("SqlaNamespaceManager", _sqla),
):
    for _place in ("data_dir", "lock_dir"):
        option(f"{_name} {_place}", to=own, sees=True, ask=_folder_made(_make))


def _tables(given: Given, room: Room) -> list[str]:
    with closing_clients():
        put(_database(given, room))
        engine = sa.create_engine(f"sqlite:///{room.path}/b.db")
        try:
            return sa.inspect(engine).get_table_names()
        finally:
            engine.dispose()


def _kept_there(given: Given, room: Room) -> bool:
    with closing_clients():
        put(DatabaseNamespaceManager("ns", **given))
    return (room.folder / "b.db").exists()


option(
    "DatabaseNamespaceManager url",
    to=lambda room: f"sqlite:///{room.path}/b.db",
    sees=True,
    ask=_kept_there,
)
option(
    "DatabaseNamespaceManager sa_opts",
    to=lambda room: {"sa.url": f"sqlite:///{room.path}/b.db"},
    sees=True,
    ask=_kept_there,
)
option("DatabaseNamespaceManager table_name", to="mine", sees=["mine"], ask=_tables)
option("DatabaseNamespaceManager schema_name", to="nowhere", sees="StoreUnavailable", ask=_tables)
option(
    "make_cache_table table_name",
    to="mine",
    sees="mine",
    ask=lambda given, _: make_cache_table(sa.MetaData(), **given).name,
)
option(
    "make_cache_table schema_name",
    to="shop",
    sees="shop",
    ask=lambda given, _: make_cache_table(sa.MetaData(), **given).schema,
)


def _entity(given: Given, room: Room) -> bool:
    room.server("datastore_server")
    room.server("monkeypatch").setenv("GOOGLE_CLOUD_PROJECT", "probes")
    with closing_clients():
        put(GoogleNamespaceManager(room.path, **given))
        return "k" in keys(GoogleNamespaceManager(room.path, "mine"))


option("GoogleNamespaceManager table_name", to="mine", sees=True, ask=_entity)
