"""`beaker.ext.memcached`: namespaces on memcached servers.

Law: keys are Beaker's, values those of the client that `memcache_module` names, which need not be
installed. A cache gets on without its servers, as it did: what they do not answer is not there,
what they do not take is dropped, and both are told. But `in` and a removal are a `StoreError`
then, and so is whatever a session reads or writes: an outage logs nobody out, lets nobody stay who
logged out, and loses nothing in silence.
"""

import hashlib
import warnings
from contextlib import nullcontext
from functools import cache
from types import SimpleNamespace
from typing import Any, ClassVar

from holdfast.compat.beaker.container import Container, NamespaceManager
from holdfast.compat.beaker.exceptions import InvalidCacheBackendError, MissingCacheParameter
from holdfast.compat.beaker.synchronization import file_synchronizer
from holdfast.compat.beaker.util import SyncDict, verify_directory
from holdfast.compat.memcache_client import Client
from holdfast.compat.settings import CompatWarning, current, tell
from holdfast.errors import ConfigError, KeyRejected, StoreError
from holdfast.store.memcached.plain import Flagged
from holdfast.store.memcached.plain_flags import form_of

__all__ = ["MemcachedContainer", "MemcachedNamespaceManager", "PyLibMCNamespaceManager"]

MAX_KEY_LENGTH = 250
_TOLD = "behavior."
_MARK = "holdfast.cleared."  # has no "_", which every key of Beaker has that is no hash


@cache
def _load_client(name: str = "auto") -> Any:
    """Return something whose `Client(servers)` works as that of the module `name`."""
    try:
        form_of(name)
    except ConfigError as error:
        raise InvalidCacheBackendError(str(error)) from error
    if name == "cmemcache":
        warnings.warn(
            "cmemcache cannot be had any more; Holdfast reads and writes its form",
            CompatWarning,
            stacklevel=3,
        )
    return SimpleNamespace(
        __name__=name, Client=lambda servers, **options: Client(servers, module=name, **options)
    )


class MemcachedNamespaceManager(NamespaceManager):
    """The values of one namespace, among those of others on the same servers.

    Args:
        namespace: The name.
        url: The servers, `host:port`, with semicolons between them.
        memcache_module: `memcache`, `cmemcache`, `pylibmc`, `bmemcached`, or `auto`: the one that
            is installed. It decides how values look, and which server keeps a key.
        data_dir: Where the folder `container_mcd_lock` is made, if there is no `lock_dir`.
        lock_dir: The folder of the locks of those who make values.
        kw: `behavior.ketama` and other behaviours of pylibmc; options of other managers.

    Attributes:
        mc: The client, one for all namespaces of the same servers.
        clients: All of them.

    Raises:
        MissingCacheParameter: There is no `url`.
        InvalidCacheBackendError: There is no such `memcache_module`.
    """

    clients: ClassVar[SyncDict] = SyncDict()

    def __init__(
        self,
        namespace: str,
        url: str,
        memcache_module: str = "auto",
        data_dir: str | None = None,
        lock_dir: str | None = None,
        **kw: Any,
    ) -> None:
        super().__init__(namespace)
        library = _load_client(memcache_module)
        if not url:
            raise MissingCacheParameter("url is required")
        self.lock_dir = lock_dir or (f"{data_dir}/container_mcd_lock" if data_dir else None)
        if self.lock_dir:
            verify_directory(self.lock_dir)
        servers = [server.strip() for server in url.split(";") if server.strip()]
        told = {name[len(_TOLD) :]: kw[name] for name in sorted(kw) if name.startswith(_TOLD)}
        self.mc = self.clients.get(
            (memcache_module, url, *told.items()), library.Client, servers, behaviors=told
        )
        self._mark = _MARK + hashlib.sha256(str(namespace).encode(errors="replace")).hexdigest()
        self._seen: dict[str, Flagged | None] = {}

    def get_creation_lock(self, key: Any) -> Any:
        return file_synchronizer(
            identifier=f"memcachedcontainer/funclock/{self.namespace}/{key}",
            lock_dir=self.lock_dir,
        )

    def _format_key(self, key: Any) -> str:
        """Return the key on the server."""
        name = key if isinstance(key, str) else key.decode("ascii")
        plain: str = f"{self.namespace}_{name}".replace(" ", "\302\267")
        if len(plain) <= MAX_KEY_LENGTH and len(_octets(plain)) <= MAX_KEY_LENGTH:
            return plain
        return hashlib.sha1(_octets(plain), usedforsecurity=False).hexdigest()

    def __getitem__(self, key: Any) -> Any:
        """Return the value, or None where there is none."""
        try:
            return self._look(key)
        except (StoreError, KeyRejected) as error:
            tell(str(error), f"{self.namespace}: {key!r}")
            return None

    def __contains__(self, key: Any) -> bool:
        """Return whether there is a value.

        Raises:
            StoreError: Nobody knows; whoever asks may be about to remove it.
        """
        try:
            return self._look(key) is not None
        except KeyRejected:  # an id that a visitor made up
            return False

    def _find(self, key: Any) -> Any:
        return self[key]  # None says that there is none

    def set_value(self, key: Any, value: Any, expiretime: Any = None) -> None:
        """Write `value`, for `expiretime` seconds where that is not 0 or None."""
        try:
            self.mc.set(self._format_key(key), value, time=expiretime or 0)
        except (StoreError, KeyRejected) as error:
            tell(str(error), f"{self.namespace}: {key!r}")

    def __setitem__(self, key: Any, value: Any) -> None:
        self.set_value(key, value)

    def __delitem__(self, key: Any) -> None:
        self.mc.delete(self._format_key(key))

    def do_remove(self) -> None:
        """Make all values of this namespace absent; other namespaces keep theirs.

        A Beaker of old beside us does not know, and still finds them until they expire.
        """
        if "flush" in current().unsafe:
            self.mc.flush_all()
        else:
            self.mc.store.clear(self._mark)

    def keys(self) -> Any:
        raise NotImplementedError("memcached does not list its keys")

    def reread(self, key: Any) -> Any:
        try:
            value = self._look(key, keep=True)
        except KeyRejected:
            value = None
        if value is None:
            raise KeyError(key)
        return value

    def recall(self, key: Any) -> Any:
        name = self._format_key(key)
        data = self._seen.get(name)
        return None if data is None else self.mc.decoded(data, name)

    def swap_value(self, key: Any, value: Any, expiretime: Any = None) -> bool:
        name = self._format_key(key)
        done: bool = self.mc.store.swap(
            name,
            self._seen.get(name),
            self.mc.encoded(value, name),
            expiretime or None,
            within=self._mark,
        )
        return done

    def _look(self, key: Any, *, keep: bool = False) -> Any:
        """Return the value as it lies on the server, or None; `keep` is for `swap_value`."""
        name = self._format_key(key)
        data: Flagged | None = self.mc.store.get(name, within=self._mark)
        if keep:
            self._seen[name] = data
        return None if data is None else self.mc.decoded(data, name)


class PyLibMCNamespaceManager(MemcachedNamespaceManager):
    """The same for applications that name it: with `memcache_module` at `pylibmc`.

    Attributes:
        pool: `with pool.reserve() as mc` gives the client.
    """

    def __init__(
        self, namespace: str, url: str, memcache_module: str = "pylibmc", *args: Any, **kw: Any
    ) -> None:
        super().__init__(namespace, url, memcache_module, *args, **kw)
        self.pool = SimpleNamespace(reserve=lambda: nullcontext(self.mc))


class MemcachedContainer(Container):
    """A container of long ago, on memcached servers."""

    namespace_class = MemcachedNamespaceManager


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
