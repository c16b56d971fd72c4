"""The kinds of stores by name: `clsmap`, from "memory" to "ext:mongodb" and what others add.

Law: a kind's module is imported when its name is first asked for. Names that are not known here
may be entry points of the group `beaker.backends`; those are looked for once, at the first such
name, and never replace what is known.
"""

import importlib
import threading
import traceback
import warnings
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from holdfast.compat.beaker.container import (
    DBMNamespaceManager,
    FileNamespaceManager,
    MemoryNamespaceManager,
)
from holdfast.compat.beaker.exceptions import BeakerException, InvalidCacheBackendError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["EXTENSIONS", "clsmap"]

_EXT = "holdfast.compat.beaker.ext"
EXTENSIONS = {
    "ext:memcached": f"{_EXT}.memcached:MemcachedNamespaceManager",
    "ext:database": f"{_EXT}.database:DatabaseNamespaceManager",
    "ext:sqla": f"{_EXT}.sqla:SqlaNamespaceManager",
    "ext:google": f"{_EXT}.google:GoogleNamespaceManager",
    "ext:mongodb": f"{_EXT}.mongodb:MongoNamespaceManager",
    "ext:redis": f"{_EXT}.redisnm:RedisNamespaceManager",
    "ext:rediscluster": f"{_EXT}.redisclusternm:RedisClusterNamespaceManager",
    "ext:tcjson": f"{_EXT}.tcjson:TokyoCabinetManager",
}
"""Where a kind is; the last one is not of Beaker's own."""

_OWN = "beaker.ext."  # what Beaker's entry points name, should it be installed: we have those
EXTENSIONS |= {
    name: EXTENSIONS[f"ext:{name}"] for name in ("memcached", "database", "sqla", "google")
}


class _Known(dict[str, Any]):
    """The classes that are loaded; asking for one of ours loads it."""

    def __missing__(self, name: str) -> Any:
        module, manager = EXTENSIONS[name].split(":")
        found = self[name] = getattr(importlib.import_module(module), manager)
        return found


class _backends(MutableMapping[str, Any]):
    """The class of each kind: `clsmap["ext:mine"] = MyNamespaceManager` adds one.

    Attributes:
        initialized: Whether the entry points have been looked for.
    """

    initialized = False

    def __init__(self, clsmap: dict[str, Any]) -> None:
        self._clsmap = clsmap
        self._mutex = threading.RLock()  # what is loaded may ask for a kind, too

    def __getitem__(self, key: str) -> Any:
        try:
            return self._clsmap[key]
        except KeyError:
            self._load()
            return self._clsmap[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._clsmap[key] = value

    def __delitem__(self, key: str) -> None:
        del self._clsmap[key]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(list(dict.fromkeys([*self._clsmap, *EXTENSIONS])))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, key: object) -> bool:
        if key in self._clsmap or key in EXTENSIONS:
            return True
        self._load()
        return key in self._clsmap

    def _load(self) -> None:
        with self._mutex:
            if not self.initialized:
                self.initialized = True
                self._init()

    def _init(self) -> None:
        from importlib.metadata import entry_points  # noqa: PLC0415 - few ask for others' kinds

        for entry_point in entry_points(group="beaker.backends"):
            if entry_point.value.startswith(_OWN):
                continue
            try:
                self._add(entry_point)
            except (InvalidCacheBackendError, SyntaxError):
                pass  # its library is not here, or of another Python
            except Exception:  # noqa: BLE001 - anything: it is somebody else's module
                warnings.warn(
                    f"Unable to load NamespaceManager entry point: '{entry_point}': "
                    f"{traceback.format_exc()}",
                    RuntimeWarning,
                    stacklevel=4,
                )

    def _add(self, entry_point: "EntryPoint") -> None:
        manager = entry_point.load()
        if entry_point.name in self._clsmap or entry_point.name in EXTENSIONS:
            raise BeakerException(
                f"NamespaceManager name conflict,'{entry_point.name}' already loaded"
            )
        self._clsmap[entry_point.name] = manager


clsmap = _backends(
    _Known(memory=MemoryNamespaceManager, dbm=DBMNamespaceManager, file=FileNamespaceManager)
)
"""The manager of each kind."""
