"""The registry: opens a store by its URL, or around a ready driver object.

Law: opening does no disk and no network work, and imports only the store that is asked for. What is
wrong is a `ConfigError` that says the mend, and never repeats what may hold a password.

A store's module has `open_url(address)`; one whose driver's objects are taken as they are has
`open_client(client, options)` besides. Neither looks at `prefix`, which is put around here.
"""

import importlib
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from holdfast.errors import ConfigError
from holdfast.store.address import Address, Options, listed, parse
from holdfast.store.protocol import OpenStore
from holdfast.store.wrap import Prefixed

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["driver_of", "open_store"]

_GROUP = "holdfast.stores"
_SCHEMES = {
    "memory": "memory",
    "null": "null",
    "file": "file",
    "sqlite": "sqlite",
    "dbm": "dbm",
    "redis": "redis",
    "rediss": "redis",
    "valkey": "redis",
    "valkeys": "redis",
    "unix": "redis",
    "redis+sentinel": "redis",
    "rediss+sentinel": "redis",
    "redis+cluster": "redis",
    "rediss+cluster": "redis",
    "valkey+sentinel": "redis",
    "valkeys+sentinel": "redis",
    "valkey+cluster": "redis",
    "valkeys+cluster": "redis",
    "memcached": "memcached",
    "memcacheds": "memcached",
    "postgresql": "sqlalchemy",
    "mysql": "sqlalchemy",
    "mariadb": "sqlalchemy",
    "oracle": "sqlalchemy",
    "mssql": "sqlalchemy",
    "mongodb": "mongodb",
    "mongodb+srv": "mongodb",
    "tyrant": "tyrant",
    "dynamodb": "dynamodb",
    "datastore": "datastore",
}
"""Scheme -> module below `holdfast.store`; another with a `+` is a dialect of SQLAlchemy."""

_DRIVERS = {
    "redis": "redis",
    "valkey": "redis",
    "pymemcache": "memcached",
    "emcache": "memcached",
    "sqlalchemy": "sqlalchemy",
    "pymongo": "mongodb",
    "botocore": "dynamodb",
    "boto3": "dynamodb",
    "google": "datastore",
}
"""Package of a ready driver object -> module below `holdfast.store`."""

_EXTRAS = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
"""Database of SQLAlchemy -> the extra that brings a driver as well; else it is the module's."""

_SHOWN = (
    "memory://, null://, file://, sqlite://, dbm://, redis://, valkey://, memcached://,"
    " postgresql+psycopg://, mysql+pymysql:// and others of SQLAlchemy, mongodb://, dynamodb://,"
    " datastore://, tyrant://"
)


def open_store(target: object, **options: object) -> OpenStore:
    """Return the store that `target` means; nothing is read, written or connected yet.

    Args:
        target: A URL, such as `memory://`, `sqlite:///app.db` (three slashes: relative, four:
            absolute), `redis://localhost/0` or `postgresql+psycopg://user:pw@host/db`, with options
            in its query; a ready object of a driver, such as a `redis.Redis`, an SQLAlchemy
            `Engine` or a `MongoClient`; or an open store, which is returned as it is.
        **options: The same options by name; they win over those in the URL. `prefix` is put before
            every key, with a colon; `timeout` is how many seconds an operation may take.

    Raises:
        ConfigError: The URL or an option is wrong, or an extra is missing; it says the mend.
    """
    module = driver_of(target)  # asked first: a MongoClient has an attribute of every name
    if module is None and isinstance(target, OpenStore):
        unknown = set(options) - {"prefix"}
        if unknown:
            raise ConfigError(f"{listed(unknown)}: an open store takes no option but prefix")
        return _prefixed(target, options.get("prefix"))
    if isinstance(target, str):
        address = parse(target, options, _SHOWN)
        return _prefixed(_opener(address.scheme)(address), address.options.given.get("prefix"))
    if module is None:
        raise ConfigError(
            f"a {type(target).__name__} is no store: give a URL ({_SHOWN}), an open store or a"
            f" ready object of {listed(tuple(_DRIVERS))}"
        )
    shown = f"a {type(target).__module__}.{type(target).__qualname__}"
    store = _load(module, module).open_client(target, Options(shown, options))
    return _prefixed(store, options.get("prefix"))


def driver_of(target: object) -> str | None:
    """Return the module for a ready object of a driver, or of a class derived from one; or None."""
    packages = (kind.__module__.partition(".")[0] for kind in type(target).__mro__)
    return next((_DRIVERS[package] for package in packages if package in _DRIVERS), None)


def _prefixed(store: OpenStore, prefix: object) -> OpenStore:
    if prefix is None or prefix == "":
        return store
    if not isinstance(prefix, str):
        raise ConfigError("prefix: give text, such as 'shop'")
    return Prefixed(store, prefix)


def _opener(scheme: str) -> Callable[[Address], OpenStore]:
    name = _SCHEMES.get(scheme)
    if name is None:
        for entry_point in entry_points(_GROUP, scheme):
            return lambda address: _third_party(entry_point, address)
        dialect, plus, _ = scheme.partition("+")
        if not plus or _SCHEMES.get(dialect) not in (None, "sqlalchemy", "sqlite"):
            raise ConfigError(f"unknown scheme {scheme}://; there are {_SHOWN}")
        name = "sqlalchemy"  # which knows more dialects and drivers than we do
    extra = _EXTRAS.get(scheme.partition("+")[0], name)
    opener: Callable[[Address], OpenStore] = _load(name, extra).open_url
    return opener


def _load(name: str, extra: str) -> ModuleType:
    """Import a store's module.

    Raises:
        ConfigError: Its driver is not installed, or not as new as it must be.
    """
    try:
        return importlib.import_module(f"holdfast.store.{name}")
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError)
        raise ConfigError(
            f"there is {'no' if missing else 'a wrong'} {error.name} here:"
            f" `pip install 'holdfast[{extra}]'` mends that"
        ) from error


def entry_points(group: str, name: str) -> "Iterable[EntryPoint]":
    """Return what other packages have installed under a name of a group."""
    from importlib import metadata  # noqa: PLC0415 - as slow to load as a quarter of all else

    return metadata.entry_points(group=group, name=name)


def _third_party(entry_point: "EntryPoint", address: Address) -> OpenStore:
    options = {name: value for name, value in address.options.given.items() if name != "prefix"}
    from inspect import signature  # noqa: PLC0415 - slow to load, and few need it

    opener = entry_point.load()
    try:
        signature(opener).bind(address.bare, **options)
    except TypeError as error:
        raise ConfigError(f"{entry_point.value} cannot be called with these: {error}") from None
    store = opener(address.bare, **options)
    if not isinstance(store, OpenStore):
        raise ConfigError(f"{entry_point.value} opened {address.scheme}:// as something else")
    return store
