"""`beaker.ext.mongodb`: values and creation locks in MongoDB.

Law: the collections are those of the original, `backer_cache` (so written there) and
`beaker_locks`, of the database the URL names.
"""

import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.clock import monotonic
from holdfast.compat.beaker.drivers import need
from holdfast.compat.beaker.exceptions import MissingCacheParameter
from holdfast.compat.beaker.many_keys import ManyKeys
from holdfast.compat.beaker.polling import poll
from holdfast.compat.beaker.synchronization import SynchronizerImpl
from holdfast.compat.beaker.util import SyncDict, machine_identifier

if TYPE_CHECKING:
    from holdfast.store.mongodb.plain import PlainMongo
    from holdfast.store.mongodb.plain_locks import PlainLocks

__all__ = ["MongoNamespaceManager", "MongoSynchronizer"]

_SWEEP = 60.0  # seconds between two looks for what is over


_need_driver = partial(need, "pymongo", "ext:mongodb", "mongodb", since="AsyncMongoClient")


class _InDatabase:
    """What has a client and a database: those of a URL, or what subclasses set instead."""

    _url: Any
    _db: Any = None

    def _connect(self, url: Any) -> None:
        _need_driver()
        if not url and isinstance(url, str | None):
            raise MissingCacheParameter("url is required")
        self._url = url
        _ = self.db

    @property
    def client(self) -> Any:
        """The `MongoClient`: that of a URL is shared by all of a process, and new in its child."""
        from holdfast.store.mongodb.plain import client_of  # noqa: PLC0415 - the same

        if not isinstance(self._url, str):
            return self._url
        which = (self._url, os.getpid())
        return MongoNamespaceManager.clients.get(which, client_of, self._url)

    @client.setter
    def client(self, client: Any) -> None:
        self._url = client

    @property
    def db(self) -> Any:
        """The default database of the client."""
        from pymongo.errors import ConfigurationError  # noqa: PLC0415 - the same

        if self._db is not None:
            return self._db
        try:
            return self.client.get_default_database()
        except ConfigurationError as error:
            raise MissingCacheParameter(
                "ext:mongodb needs a default database: write it behind the host,"
                " mongodb://host:27017/NAME"
            ) from error

    @db.setter
    def db(self, db: Any) -> None:
        self._db = db


class MongoNamespaceManager(_InDatabase, ManyKeys):
    """Values as documents `{_id: "namespace:key", value, expiration}` in MongoDB.

    Args:
        namespace: The name.
        url: `mongodb://host/database`; or a `MongoClient` that has a default database.
        kw: Options of other kinds, which say nothing here.

    Attributes:
        client: The `MongoClient`.
        db: Its default database.
        clients: The client of each URL.

    Raises:
        MissingCacheParameter: There is no `url`, or no database in it.
        InvalidCacheBackendError: pymongo is not installed.
    """

    MAX_KEY_LENGTH = 1024
    _sweep_after = 0.0
    clients: ClassVar[SyncDict] = SyncDict()

    @classmethod
    def _init_dependencies(cls) -> None:
        _need_driver()

    def __init__(self, namespace: str, url: Any = None, **kw: Any) -> None:  # noqa: ARG002 - as said above
        super().__init__(namespace)
        self._connect(url)

    @property
    def _plain(self) -> "PlainMongo":
        from holdfast.store.mongodb.plain import PlainMongo  # noqa: PLC0415 - only where it is used

        return PlainMongo(self.db.backer_cache)

    def get_creation_lock(self, key: Any) -> Any:
        lock = MongoSynchronizer(self._format_key(key), self._url)
        lock.db = self._db
        return lock

    def set_value(self, key: Any, value: Any, expiretime: Any = None) -> None:
        self._sweep()
        super().set_value(key, value, expiretime)

    def _sweep(self) -> None:
        """Remove what is over, now and then: the original does it with every look."""
        if monotonic() >= self._sweep_after:
            self._sweep_after = monotonic() + _SWEEP
            self._plain.sweep(self._beginning)

    def do_remove(self) -> None:
        self._plain.clear(self._beginning)

    def keys(self) -> list[str]:
        begins = len(self._beginning)
        return [key[begins:] for key in self._plain.scan(self._beginning)]


class MongoSynchronizer(_InDatabase, SynchronizerImpl):
    """A lock for many readers or one writer of all processes, as a document in `beaker_locks`.

    Who holds it is known by machine, process and thread. It is free again after `LOCK_EXPIRATION`
    seconds, though its holder may still be at work.

    Args:
        identifier: What is locked.
        url: As for `MongoNamespaceManager`.
    """

    LOCK_EXPIRATION = 900
    MACHINE_ID = machine_identifier()

    def __init__(self, identifier: str, url: Any) -> None:
        super().__init__()
        self.identifier = identifier
        self._connect(url)

    @property
    def _locks(self) -> "PlainLocks":
        from holdfast.store.mongodb.plain_locks import PlainLocks  # noqa: PLC0415 - the same

        return PlainLocks(self.db.beaker_locks, self.LOCK_EXPIRATION)

    def _get_owner_id(self) -> str:
        return f"{self.MACHINE_ID}-{os.getpid()}-{threading.current_thread().ident}"

    def do_acquire_read_lock(self, wait: bool) -> bool:
        locks, who = self._locks, self._get_owner_id()
        return poll(lambda: locks.read(self.identifier, who), wait)

    def do_acquire_write_lock(self, wait: bool) -> bool:
        locks, who = self._locks, self._get_owner_id()
        return poll(lambda: locks.write(self.identifier, who), wait)

    def do_release_read_lock(self) -> None:
        self._locks.end_read(self.identifier, self._get_owner_id())

    def do_release_write_lock(self) -> None:
        self._locks.end_write(self.identifier, self._get_owner_id())
