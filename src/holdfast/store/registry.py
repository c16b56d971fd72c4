"""The registry: opens a store by its URL.

Law: opening does no disk and no network work, and imports only the store that is asked for. What is
wrong with a URL is a `ConfigError` that says the mend, and never repeats what may hold a password.
"""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from urllib.parse import parse_qsl, unquote, urlsplit

from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError
from holdfast.store.protocol import OpenStore
from holdfast.store.wrap import Prefixed

__all__ = ["open_store"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_GROUP = "holdfast.stores"
_COMMON = ("prefix", "timeout")
_DISK = "write three slashes for a relative path and four for an absolute one, as in"
_LATER = {
    "dbm": "",
    "postgresql": "sqlalchemy",
    "mysql": "sqlalchemy",
    "mariadb": "sqlalchemy",
    "sqlite": "sqlalchemy",
    "redis": "redis",
    "rediss": "redis",
    "valkey": "redis",
    "valkeys": "redis",
    "unix": "redis",
    "memcached": "memcached",
    "memcacheds": "memcached",
    "mongodb": "mongodb",
    "tyrant": "",
    "dynamodb": "dynamodb",
    "datastore": "datastore",
}
"""Schemes that are designed and not there yet, with the extra that will bring them."""


@dataclass(frozen=True, slots=True)
class _Address:
    """A URL in its parts. Only `scheme`, `path` and names of options are fit to be shown."""

    scheme: str
    host: str
    path: str
    bare: str
    options: dict[str, object]

    def timeout(self) -> dict[str, float]:
        """Return the `timeout` argument of a store, if one was given."""
        given = self.options.get("timeout")
        if given is None:
            return {}
        if not isinstance(given, Duration):
            raise ConfigError("timeout: give seconds, a timedelta or text such as '2s'")
        timeout = seconds(given, option="timeout")
        if timeout <= 0:
            raise ConfigError(
                f"timeout={given!r}: an operation needs some time; the default is 1 s"
            )
        return {"timeout": timeout}


def open_store(target: str | OpenStore, **options: object) -> OpenStore:
    """Return the store that `target` means; nothing is read, written or connected yet.

    Args:
        target: A URL, such as `memory://`, `memory://name`, `null://`, `file:///folder` or
            `sqlite:///app.db` (three slashes: relative, four: absolute), with options in its query;
            or an open store, which is returned as it is.
        **options: The same options by name; they win over those in the URL. `prefix` is put before
            every key, with a colon; `timeout` is how many seconds an operation may take.

    Raises:
        ConfigError: The URL or an option is wrong; it says the mend.
    """
    if isinstance(target, OpenStore):
        unknown = set(options) - {"prefix"}
        if unknown:
            raise ConfigError(f"{_listed(unknown)}: an open store takes no option but prefix")
        return _prefixed(target, options.get("prefix"))
    if not isinstance(target, str):
        raise ConfigError(
            f"a {type(target).__name__} is no store: give a URL ({_schemes()}) or an open store;"
            " ready driver objects are not in this version yet"
        )
    address = _parse(target, options)
    return _prefixed(_opener(address)(address), address.options.get("prefix"))


def _prefixed(store: OpenStore, prefix: object) -> OpenStore:
    if prefix is None or prefix == "":
        return store
    if not isinstance(prefix, str):
        raise ConfigError("prefix: give text, such as 'shop'")
    return Prefixed(store, prefix)


def _parse(url: str, options: dict[str, object]) -> _Address:
    scheme, colon, _ = url.partition("://")
    if not colon or _SCHEME.fullmatch(scheme) is None:
        raise ConfigError(f"a store's URL begins with one of {_schemes()}")
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ConfigError(
            f"the {scheme}:// URL cannot be read: write options as ?a=1&b=2"
        ) from None
    if parts.fragment:
        raise ConfigError(f"the {scheme}:// URL has a '#': write it as %23")
    given: dict[str, object] = dict(pairs)
    if len(given) < len(pairs):
        raise ConfigError(f"the {scheme}:// URL gives an option twice")
    bare = f"{scheme}://{parts.netloc}{parts.path}"
    given.update(options)
    return _Address(scheme.lower(), parts.netloc, unquote(parts.path), bare, given)


def _opener(address: _Address) -> Callable[[_Address], OpenStore]:
    scheme = address.scheme
    if scheme in _OPENERS:
        return _OPENERS[scheme]
    for entry_point in entry_points(group=_GROUP, name=scheme):
        return lambda address: _third_party(entry_point, address)
    family = scheme.split("+")[0]
    if family in _LATER:
        extra = _LATER[family]
        means = f", and will come with `pip install holdfast[{extra}]`" if extra else ""
        raise ConfigError(f"{scheme}:// is not in this version yet{means}; there are {_schemes()}")
    raise ConfigError(f"unknown scheme {scheme}://; there are {_schemes()}")


def _third_party(entry_point: EntryPoint, address: _Address) -> OpenStore:
    options = {name: value for name, value in address.options.items() if name != "prefix"}
    store = entry_point.load()(address.bare, **options)
    if not isinstance(store, OpenStore):
        raise ConfigError(f"{entry_point.value} opened {address.scheme}:// as something else")
    return store


def _open_memory(address: _Address) -> OpenStore:
    _allow(address, _COMMON)
    memory = importlib.import_module("holdfast.store.memory")
    address.timeout()  # checked; nothing here can wait
    if address.path not in ("", "/"):
        raise ConfigError("memory:// takes a name and no path: write memory://name")
    store: OpenStore = memory.named(address.host) if address.host else memory.MemoryStore()
    return store


def _open_null(address: _Address) -> OpenStore:
    _allow(address, _COMMON)
    address.timeout()  # checked; nothing here can wait
    if address.host or address.path not in ("", "/"):
        raise ConfigError("null:// takes neither name nor path")
    store: OpenStore = importlib.import_module("holdfast.store.null").NullStore()
    return store


def _open_file(address: _Address) -> OpenStore:
    _allow(address, _COMMON)
    path = _path(address, "folder")
    store: OpenStore = importlib.import_module("holdfast.store.file").FileStore(
        path, **address.timeout()
    )
    return store


def _open_sqlite(address: _Address) -> OpenStore:
    _allow(address, _COMMON)
    path = _path(address, "app.db")
    if path == ":memory:":
        raise ConfigError("sqlite:///:memory: keeps nothing between threads: write memory://")
    if path.endswith("/"):
        raise ConfigError("sqlite:// needs a file, not a folder: add a name, such as app.db")
    store: OpenStore = importlib.import_module("holdfast.store.sqlite").SqliteStore(
        path, **address.timeout()
    )
    return store


_OPENERS: dict[str, Callable[[_Address], OpenStore]] = {
    "memory": _open_memory,
    "null": _open_null,
    "file": _open_file,
    "sqlite": _open_sqlite,
}


def _path(address: _Address, example: str) -> str:
    """Return the path: `scheme:///a` is relative, `scheme:////a` absolute."""
    shown = f"{address.scheme}:///{example} or {address.scheme}:////srv/{example}"
    if address.host:
        raise ConfigError(f"{address.scheme}:// has no host: {_DISK} {shown}")
    path = address.path[1:]
    if not path or "\0" in path:
        raise ConfigError(f"{address.scheme}:// needs a path: {_DISK} {shown}")
    if path.startswith("//"):
        raise ConfigError(f"{address.scheme}:// has too many slashes: {_DISK} {shown}")
    return path


def _allow(address: _Address, names: tuple[str, ...]) -> None:
    unknown = set(address.options) - set(names)
    if unknown:
        raise ConfigError(
            f"{address.scheme}:// has no option {_listed(unknown)}; it has {_listed(names)}"
        )


def _schemes() -> str:
    return ", ".join(f"{scheme}://" for scheme in _OPENERS)


def _listed(names: "set[str] | tuple[str, ...]") -> str:
    return ", ".join(sorted(names))
