"""Probes of the options of caches: managers, values, locks, and how they are configured."""

import dbm.dumb
import hashlib
import threading
from collections.abc import Callable
from typing import Any

from compat.beaker_walk import Browser
from compat.option_probes import Room, keys, option, own, put
from holdfast.compat.beaker.cache import Cache, CacheManager
from holdfast.compat.beaker.caching_middleware import CacheMiddleware
from holdfast.compat.beaker.container import (
    DBMNamespaceManager,
    FileNamespaceManager,
    MemoryNamespaceManager,
    Value,
)
from holdfast.compat.beaker.crypto.pbkdf2 import pbkdf2
from holdfast.compat.beaker.synchronization import NameLock
from holdfast.compat.beaker.util import encoded_path, parse_cache_config_options

__all__: list[str] = []

Given = dict[str, Any]


class _Made:
    """Makes values, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return self.count

    def function(self, *_: Any) -> int:
        """Make one for any arguments."""
        return self()


def _beside(act: Callable[[], Any]) -> Any:
    """Return what `act` returns in a thread of its own, or that it does not end."""
    said: list[Any] = []
    thread = threading.Thread(target=lambda: said.append(act()), daemon=True)
    thread.start()
    thread.join(0.3)
    return said[0] if said else "it waits"


# Configuration, and Cache


def _later(given: Given, room: Room) -> int:
    """Return how often a value is made that is asked for again after 60 seconds."""
    made = _Made()
    for now in (1000, 1060):
        room.at(now)
        manager = CacheManager(**parse_cache_config_options(given))
        manager.get_cache("c").get("k", createfunc=made)
    return made.count


def _by_region(given: Given, _: Room) -> int:
    made = _Made()
    options = {"cache.regions": "r", **given}
    manager = CacheManager(**parse_cache_config_options(options))
    decorated = manager.region("r", "name")(made.function)
    decorated(1)
    decorated(1)
    return made.count


def _configured(name: str) -> Callable[[Given], Given]:
    return lambda given: {f"cache.{name}": value for value in given.values()}


def _after(given: Given, room: Room) -> int:
    """Return how often a value is made that a cache finds 60 seconds old."""
    made = _Made()
    for now in (1000, 1060):
        room.at(now)
        Cache("c", **given).get("k", createfunc=made)
    return made.count


def _at_home(given: Given, room: Room) -> list[str]:
    Cache("c", data_dir=room.path, **given).put("k", 1)
    return sorted(path.name for path in room.folder.iterdir())


option(
    "configuration expire",
    to="50",
    sees=2,
    ask=lambda given, room: _later(_configured("expire")(given), room),
)
option(
    "configuration enabled",
    to="false",
    sees=2,
    ask=lambda given, room: _by_region(_configured("enabled")(given), room),
)
option(
    "configuration regions",
    to="r, s",
    sees=["r", "s"],
    ask=lambda given, _: _names(_configured("regions")(given)),
)


def _names(given: Given) -> list[str]:
    made, manager = _Made(), CacheManager(**parse_cache_config_options(given))
    for name in ("r", "s"):
        manager.region(name, name)(made.function)("x")  # an error where there is no such region
    return sorted(manager.regions)


option("Cache type", to="dbm", sees=["container_dbm", "container_dbm_lock"], ask=_at_home)
option("Cache expire", to=50, sees=2, ask=_after)
option("Cache expiretime", to=50, sees=2, ask=_after)
option("Cache starttime", to=1050, sees=2, ask=_after)
option(
    "CacheMiddleware config",
    to={"cache.regions": "r"},
    sees=["r"],
    ask=lambda given, _: sorted(CacheMiddleware(_look, **given).cache_manager.regions),
)
option(
    "CacheMiddleware environ_key",
    to="here",
    sees="here",
    ask=lambda given, _: Browser(CacheMiddleware(_look, **given)).get("/"),
)


def _look(environ: Given, start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [])
    return [name.encode() for name in ("here", "beaker.cache") if name in environ]


# Managers of files


class _Spied:
    """A dbm module that counts how often it is asked."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.error = dbm.dumb.error

    def open(self, path: str, *args: Any) -> Any:
        self.opened.append(path)
        return dbm.dumb.open(path, *args)


def _own_module(given: Given, room: Room) -> bool:
    spied = _Spied()
    module: Given = dict.fromkeys(given, spied)
    put(DBMNamespaceManager("ns", data_dir=room.path, **module))
    return bool(spied.opened)


def _files_of(kind: Any, name: str, **more: Any) -> Callable[[Given, Room], Any]:
    """Return what says whether a file is below the folder `own` of the room, or has that name."""

    def ask(given: Given, room: Room) -> bool:
        places = {key: f"{room.path}/{place}" for key, place in more.items()}
        put(kind("ns", **{**places, **given}))
        return any(name in path.relative_to(room.folder).parts for path in room.folder.rglob("*"))

    return ask


option("DBMNamespaceManager dbmmodule", to=True, sees=True, ask=_own_module)
for _kind, _folder in ((DBMNamespaceManager, "dbm_dir"), (FileNamespaceManager, "file_dir")):
    _owner = _kind.__name__
    option(f"{_owner} data_dir", to=own, sees=True, ask=_files_of(_kind, "own"))
    option(f"{_owner} {_folder}", to=own, sees=True, ask=_files_of(_kind, "own", data_dir="data"))
    option(f"{_owner} lock_dir", to=own, sees=True, ask=_files_of(_kind, "own", data_dir="data"))


def _named(kind: Any) -> Callable[[Given, Room], bool]:
    def ask(given: Given, room: Room) -> bool:
        put(kind("ns", data_dir=room.path, **given))
        return room.files(ending="ns.*") > 0

    return ask


option(
    "FileNamespaceManager digest_filenames", to=False, sees=True, ask=_named(FileNamespaceManager)
)
option("DBMNamespaceManager digest_filenames", to=False, sees=True, ask=_named(DBMNamespaceManager))


def _busy(given: Given, room: Room) -> Any:
    holder, other = (FileNamespaceManager("ns", data_dir=room.path) for _ in range(2))
    holder.acquire_write_lock()
    try:
        return _beside(lambda: other.acquire_write_lock(**given))
    finally:
        holder.release_write_lock()


def _replaced(given: Given, room: Room) -> list[str]:
    put(FileNamespaceManager("ns", data_dir=room.path), "a")
    put(FileNamespaceManager("ns", data_dir=room.path), "b", **given)
    return keys(FileNamespaceManager("ns", data_dir=room.path))


option("NamespaceManager.acquire_write_lock wait", to=False, sees=False, ask=_busy)
option("NamespaceManager.acquire_write_lock replace", to=True, sees=["b"], ask=_replaced)


# Values


def _value(given: Given, room: Room) -> Any:
    """Return what a value is that was made 60 seconds ago."""
    made, manager = _Made(), MemoryNamespaceManager("ns")
    room.at(1000)
    Value("k", manager, **{"createfunc": made, **given}).get_value()
    room.at(1060)
    return Value("k", manager, **{"createfunc": made, **given}).get_value()


def _created(given: Given) -> Any:
    return Value("k", MemoryNamespaceManager("ns"), **given).get_value()


option(
    "Value createfunc",
    to="made",
    sees="made",
    ask=lambda given, _: _created(dict.fromkeys(given, lambda: "made")),
)
option("Value expiretime", to=50, sees=2, ask=_value)
option("Value starttime", to=1050, sees=2, ask=_value)


def _stored_at(given: Given, room: Room) -> bool:
    room.at(1060)
    value = Value("k", MemoryNamespaceManager("ns"), expiretime=50)
    value.set_value("old", **given)
    return bool(value.has_current_value())


option("Value.set_value storedtime", to=1000, sees=False, ask=_stored_at)


# Locks and helpers


def _excluded(given: Given, _: Room) -> Any:
    first, second = NameLock(**given), NameLock(**given)
    first.acquire()
    try:
        return _beside(lambda: second.acquire(wait=False))
    finally:
        first.release()


def _again(given: Given, _: Room) -> Any:
    lock = NameLock("a probe", **given)
    lock.acquire()
    try:
        return bool(lock.acquire(wait=False))
    finally:
        lock.release()


option("NameLock identifier", to="shared", sees=False, ask=_excluded)
option("NameLock reentrant", to=True, sees=True, ask=_again)
_DIGEST = hashlib.sha1(b"ns", usedforsecurity=False).hexdigest()
option(
    "encoded_path extension",
    to=".txt",
    sees="txt",
    ask=lambda given, _: encoded_path("/r", ["ns"], **given).rpartition(".")[2],
)
option(
    "encoded_path depth",
    to=2,
    sees=3,
    ask=lambda given, _: encoded_path("/r", ["ns"], **given).count("/"),
)
option(
    "encoded_path digest_filenames",
    to=False,
    sees=False,
    ask=lambda given, _: _DIGEST in encoded_path("/r", ["ns"], **given),
)
option(
    "parse_cache_config_options include_defaults",
    to=False,
    sees={"type": "dbm"},
    ask=lambda given, _: parse_cache_config_options({"cache.type": "dbm"}, **given),
)
option(
    "pbkdf2 dklen",
    to=5,
    sees=5,
    ask=lambda given, _: len(pbkdf2(b"password", b"salt", 1, **given)),
)


def _derived(given: Given) -> int:
    return len(pbkdf2(b"password", b"salt", 1, **given))


option(
    "pbkdf2 digest",
    to=True,
    sees=64,
    ask=lambda given, _: _derived(dict.fromkeys(given, hashlib.sha512)),
)
