"""`ext:tcjson`: Beaker's sessions and caches as JSON in Tokyo Tyrant, for programs in any language.

Law: a value lies under `namespace_key`, the JSON of itself and nothing else; a session is one
object under `<id>_session`, a cached value the array [stored, expires in, value]. Tokyo Tyrant
knows no expiry: what is old is judged by those who read it, and clean-up is the owner's. What is no
JSON is not there.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from holdfast.codec.json import Json
from holdfast.compat import settings
from holdfast.compat.beaker.container import Container, NamespaceManager
from holdfast.compat.beaker.exceptions import MissingCacheParameter
from holdfast.compat.beaker.synchronization import file_synchronizer, mutex_synchronizer
from holdfast.compat.beaker.util import SyncDict
from holdfast.errors import CodecError, ConfigError
from holdfast.store.tyrant import TyrantStore
from holdfast.store.tyrant.client import PORT

__all__ = ["TokyoCabinetContainer", "TokyoCabinetManager", "store_of"]

_TIMEOUT = 5.0  # seconds an operation may take
_JSON = Json()


class TokyoCabinetManager(NamespaceManager):
    """The values of one namespace, each in a record of its own.

    Args:
        namespace: Its name; of a session, the id.
        url: `"host:port"` of a server; several are separated by `;`.
        data_dir: Where locks lie if `lock_dir` is not given.
        lock_dir: Where the lock files of creations lie; without either, a lock holds in this
            process only.
        params: Options of other kinds of manager.

    Raises:
        MissingCacheParameter: There is no `url`.
        ConfigError: It has no port, or one that is none.
    """

    stores: ClassVar[SyncDict] = SyncDict()

    def __init__(
        self,
        namespace: str,
        url: str | None = None,
        data_dir: str | None = None,
        lock_dir: str | None = None,
        **params: Any,
    ) -> None:
        super().__init__(namespace)
        del params
        if not url:
            raise MissingCacheParameter("url is required")
        self.lock_dir = lock_dir or (data_dir and f"{data_dir}/container_tcd_lock")
        self.store: TyrantStore = self.stores.get(url, _store_at, url)
        self._seen: dict[str, bytes] = {}

    @staticmethod
    def as_plain(data: object) -> object:
        """Return a copy of a session's data as it will be read: lists for tuples."""
        return _listed(data)

    def get_creation_lock(self, key: Any) -> Any:
        """Return the lock of the namespace, for threads and processes of this machine."""
        del key
        name = f"tccontainer/funclock/{self.namespace}"
        if self.lock_dir is None:
            return mutex_synchronizer(name)
        return file_synchronizer(identifier=name, lock_dir=self.lock_dir)

    def __getitem__(self, key: Any) -> Any:
        return self.reread(key)

    def __contains__(self, key: Any) -> bool:
        return self.store.get(self._format_key(key)) is not None

    def __setitem__(self, key: Any, value: Any) -> None:
        self.set_value(key, value)

    def set_value(self, key: Any, value: Any, expiretime: Any = None) -> None:
        """Write `value`; the server keeps it for good, so `expiretime` says nothing to it."""
        del expiretime
        self.store.put(self._format_key(key), _written(value))

    def __delitem__(self, key: Any) -> None:
        if not self.store.delete(self._format_key(key)):
            raise KeyError(key)

    def reread(self, key: Any) -> Any:
        """Return the value as it lies there now; what is no JSON is a `KeyError`."""
        place = self._format_key(key)
        raw = self.store.get(place)
        self._seen.pop(place, None)
        if raw is None:
            raise KeyError(key)
        self._seen[place] = raw
        try:
            return _JSON.decode(raw)
        except CodecError as error:
            settings.tell("no JSON", f"ext:tcjson, record {place!r}")
            raise KeyError(key) from error

    def swap_value(self, key: Any, value: Any, expiretime: Any = None) -> bool:
        """Write `value` if the record is what `reread` saw; return whether it was."""
        del expiretime
        place = self._format_key(key)
        return self.store.swap(place, self._seen.get(place), _written(value))

    def keys(self) -> list[str]:
        """Return the keys of the namespace; the server looks at all its records."""
        prefix = self._format_key("")
        return [place.removeprefix(prefix) for place in self.store.scan(prefix)]

    def do_remove(self) -> None:
        """Remove every record of the namespace."""
        self.store.delete_many([self._format_key(key) for key in self.keys()])

    def _format_key(self, key: Any) -> str:
        text = key.decode() if isinstance(key, bytes) else str(key)
        return f"{self.namespace}_{text}"


class TokyoCabinetContainer(Container):
    """The container of the old interface."""

    namespace_manager = TokyoCabinetManager


def _store_at(url: str) -> TyrantStore:
    return store_of([_server(part.strip()) for part in url.split(";") if part.strip()])


def store_of(servers: Sequence[tuple[str, int]]) -> TyrantStore:
    """Return the store of these servers: records are the JSON alone, under any key."""
    return TyrantStore(servers, timeout=_TIMEOUT, plain=True, any_key=True)


def _server(written: str) -> tuple[str, int]:
    host, _, port = written.removeprefix("tyrant://").rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(
            f"url={written!r}: write the server as 'host:port', as 'localhost:{PORT}'"
        )
    return host.strip("[]"), int(port)


def _written(value: object) -> bytes:
    try:
        return _JSON.encode(_listed(value))
    except CodecError as error:
        raise CodecError(
            f"{error.message}: what lies in Tokyo Tyrant as JSON is None, bool, int, float, str, "
            "list and dict",
            codec="tcjson",
        ) from error


def _listed(value: object) -> object:
    """Return `value` with lists for tuples, as JSON has them."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    return value
