"""`pycket.driver`: where the records lie, for `session.py` and `notification.py`.

Law: a record is a dict under the id in the cookie, for a day from its last change. A change is a
`swap` against the bytes that were read, so two requests at once lose nothing of each other. What
cannot be read is not there, and counted. A server that fails is a `StoreError`.
"""

import threading
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, ClassVar, TypeVar

from holdfast.compat.memcache_client import Client
from holdfast.compat.settings import current, tell
from holdfast.compat.values import decode, encode
from holdfast.errors import CodecError, ConfigError, StoreTimeout
from holdfast.store.memcached.plain import Flagged
from holdfast.store.memcached.plain_flags import FORMS
from holdfast.store.plain import PlainStore

__all__ = ["Driver", "DriverFactory", "MemcachedDriver", "RedisDriver", "shared_driver"]

T = TypeVar("T")
_TIMEOUT = 5.0  # seconds of one answer, where the settings say nothing
_ATTEMPTS = 200  # each that fails is a change of somebody else that was kept


class Driver:
    """The records of one application's sessions, or of its notifications.

    Args:
        settings: What the client is made with.

    Attributes:
        client: That of the server, made at its first use.
        store: The bytes behind it.
    """

    EXPIRE_SECONDS = 24 * 60 * 60

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings

    @cached_property
    def client(self) -> Any:
        """The client of the server."""
        raise NotImplementedError

    @cached_property
    def store(self) -> PlainStore:
        """The bytes behind it."""
        raise NotImplementedError

    def get(self, session_id: str | bytes) -> dict[Any, Any]:
        """Return the record under an id, empty if there is none.

        Raises:
            StoreError: The server gave no answer.
        """
        return self._read(self.store.get(_text(session_id)))

    def set(self, session_id: str | bytes, session: Mapping[Any, Any]) -> None:
        """Write a record, whatever was there before.

        Raises:
            CodecError: It has an object whose class is not allowed.
            StoreError: The server gave no answer.
        """
        self.store.put(_text(session_id), self._written(session), self.EXPIRE_SECONDS)

    def change(
        self, session_id: str | bytes, step: Callable[[dict[Any, Any]], T], *, renew: bool = True
    ) -> T:
        """Change a record by `step`, as if nobody else did meanwhile; return what `step` returned.

        Args:
            session_id: Its id.
            step: Changes the dict it is given; may be called again, with another.
            renew: Write the record though no name came or went, so that it lives for another day.

        Raises:
            CodecError: As for `set`.
            StoreError: As for `set`; or others changed it all the time.
        """
        key = _text(session_id)
        for _ in range(_ATTEMPTS):
            raw = self.store.get(key)
            session = self._read(raw)
            names = list(session)
            told = step(session)
            if not renew and list(session) == names:
                return told
            if self.store.swap(key, raw, self._written(session), self.EXPIRE_SECONDS):
                return told
        raise StoreTimeout(self.store.name, f"others wrote at once, {_ATTEMPTS} times")

    def _read(self, raw: bytes | None) -> dict[Any, Any]:
        if raw is None:
            return {}
        try:
            found = decode(self._unwrapped(raw))
        except CodecError as error:
            tell(str(error), "pycket")
            return {}
        if not isinstance(found, dict):
            tell(f"a {type(found).__name__} is no session", "pycket")
            return {}
        return found

    def _written(self, session: Mapping[Any, Any]) -> bytes:
        return encode(dict(session))

    def _unwrapped(self, raw: bytes) -> bytes:
        return raw


class RedisDriver(Driver):
    """Records in a database of Redis."""

    DEFAULT_STORAGE_IDENTIFIERS: ClassVar = {"db_sessions": 0, "db_notifications": 1}

    @cached_property
    def client(self) -> Any:
        """A `redis.Redis`; with `max_connections` its pool has no more than so many."""
        redis = _redis()
        # Handlers wait for it in their event loop: a server that is gone must not hold it for long.
        ours = {
            "socket_timeout": _TIMEOUT,
            "socket_connect_timeout": _TIMEOUT,
            "retry": redis.retry.Retry(redis.backoff.NoBackoff(), 1),
        }
        return redis.Redis(**{**ours, **self.settings})

    @cached_property
    def store(self) -> PlainStore:
        """The strings of its database."""
        client = self.client
        from holdfast.store.redis.plain import PlainRedis  # noqa: PLC0415 - loads redis

        return PlainRedis(client)


class MemcachedDriver(Driver):
    """Records on memcached servers.

    The document's client pickles the bytes it is given; its kin of Python 3 leave them as they are.
    Both are read, and both read what is written here where `old_form` asks for it.
    """

    @cached_property
    def client(self) -> Client:
        """A client with the verbs of python-memcached."""
        options = dict(self.settings)
        servers = options.pop("servers", ("localhost:11211",))
        return Client(servers, **{"module": "memcache", **options})

    @cached_property
    def store(self) -> PlainStore:
        """The values of its servers."""
        return self.client.store

    def _written(self, session: Mapping[Any, Any]) -> bytes:
        data = super()._written(session)
        if not current().old_form:
            return data
        form = FORMS["python3-memcached"]
        return form.write(data, partial(encode, protocol=form.protocol))

    def _unwrapped(self, raw: bytes) -> bytes:
        if not isinstance(raw, Flagged):
            return raw
        found = FORMS["memcache"].read(raw, decode)
        if not isinstance(found, bytes):
            raise CodecError(f"a {type(found).__name__} is no record", codec="pycket")
        return found


class DriverFactory:
    """Makes drivers by the name of their engine."""

    STORAGE_CATEGORIES = ("db_sessions", "db_notifications")

    def create(self, name: Any, storage_settings: Mapping[str, Any], storage_category: str) -> Any:
        """Return a driver of its own.

        Args:
            name: `"redis"` or `"memcached"`; a subclass may have more, as `_create_<name>`.
            storage_settings: `settings["pycket"]["storage"]`.
            storage_category: Of `STORAGE_CATEGORIES`.

        Raises:
            ValueError: There is no such engine.
        """
        make = getattr(self, f"_create_{name}", None)
        if make is None:
            raise ValueError(f'Engine "{name}" is not supported')
        return make(storage_settings, storage_category)

    def _create_redis(
        self, storage_settings: Mapping[str, Any], storage_category: str
    ) -> RedisDriver:
        number = RedisDriver.DEFAULT_STORAGE_IDENTIFIERS[storage_category]
        ours = {
            name: value
            for name, value in storage_settings.items()
            if name not in self.STORAGE_CATEGORIES
        }
        return RedisDriver({**ours, "db": storage_settings.get(storage_category, number)})

    def _create_memcached(
        self, storage_settings: Mapping[str, Any], _storage_category: str
    ) -> MemcachedDriver:
        return MemcachedDriver(storage_settings)


_shared: list[tuple[tuple[Any, dict[str, Any], str], Any]] = []
_guard = threading.Lock()


def shared_driver(name: Any, storage: Mapping[str, Any], category: str) -> Any:
    """Return the driver of these settings: one for all requests of the process.

    Raises:
        ValueError: There is no such engine.
    """
    wanted = (name, dict(storage), category)
    for known, driver in _shared:
        if known == wanted:
            return driver
    with _guard:
        for known, driver in _shared:
            if known == wanted:
                return driver
        driver = DriverFactory().create(*wanted)
        _shared.append((wanted, driver))
        return driver


def _text(session_id: str | bytes) -> str:
    return session_id if isinstance(session_id, str) else session_id.decode()


def _redis() -> Any:
    try:
        import redis.backoff  # noqa: PLC0415 - wanted by this engine alone
        import redis.retry  # noqa: PLC0415 - the same
    except ImportError as error:
        raise ConfigError('pycket: engine "redis" needs: pip install "holdfast[redis]"') from error
    return redis
