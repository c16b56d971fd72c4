"""Addresses: from our URLs to SQLAlchemy's, from a blocking driver to its twin for event loops.

Law: query options that are not ours are the driver's and go along. A password is in no name and in
no message.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from holdfast.errors import ConfigError
from holdfast.store.address import Address
from holdfast.store.sqlalchemy.deadlines import (
    Pool,
    connect_in_loop,
    connect_in_thread,
    connect_to_mysql,
)

__all__ = [
    "OURS",
    "bind_connects",
    "blocking_engine",
    "blocking_url",
    "is_in_memory",
    "load",
    "loop_engine",
    "loop_url",
    "shown",
    "url_of",
]

OURS = ("table", "schema", "prefix", "timeout")
_CONNECTIONS = 10  # of one engine at most: of one process, or of one event loop
_DEFAULTS = {"postgresql": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}
_FOR_LOOPS = {
    "psycopg": "psycopg",
    "psycopg2": "psycopg",
    "pg8000": "asyncpg",
    "pymysql": "asyncmy",
    "mysqldb": "asyncmy",
    "mysqlconnector": "asyncmy",
    "oracledb": "oracledb",
    "pyodbc": "aioodbc",
}
_FOR_THREADS = {
    "psycopg": "psycopg",
    "asyncpg": "psycopg",
    "asyncmy": "pymysql",
    "aiosqlite": "pysqlite",
    "oracledb": "oracledb",
    "aioodbc": "pyodbc",
}
_PACKAGES = {
    "psycopg": "'holdfast[postgresql]'",
    "pymysql": "'holdfast[mysql]'",
    "asyncmy": "'holdfast[mysql]'",
    "MySQLdb": "mysqlclient",
}


def url_of(address: Address) -> sa.URL:
    """Return SQLAlchemy's form of an address, with a driver.

    Raises:
        ConfigError: It cannot be read, or no such database or driver is known here.
    """
    query = {name: value for name, value in address.options.given.items() if name not in OURS}
    odd = [name for name, value in query.items() if not isinstance(value, str)]
    if odd:
        raise ConfigError(f"{', '.join(odd)}: an option of the driver is text; or give an Engine")
    try:
        url = sa.make_url(address.bare).set(drivername=address.scheme, query=query)  # type: ignore[arg-type] # all are text
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(
            f"the {address.scheme}:// URL cannot be read: write"
            f" {address.scheme}://user:password@host:port/database, and '@', ':' and '/' in a"
            " password as %40, %3A and %2F"
        ) from None
    if "+" not in url.drivername and url.drivername in _DEFAULTS:
        url = url.set(drivername=f"{url.drivername}+{_DEFAULTS[url.drivername]}")
    if url.get_driver_name() == "aiomysql":
        raise ConfigError(f"{url.drivername}:// cannot carry bytes: write +asyncmy or +pymysql")
    if is_in_memory(url):
        raise ConfigError(f"{url.drivername}:// in memory keeps nothing: write memory://")
    if url.get_backend_name() in ("mysql", "mariadb") and not url.database:
        raise ConfigError(f"{url.drivername}:// needs a database: write it behind the host, /name")
    load(url)
    return url


def is_in_memory(url: sa.URL) -> bool:
    """Return whether each connection has a database of its own."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def load(url: sa.URL) -> type[sa.Dialect]:
    """Return the dialect of an address; its driver is loaded.

    Raises:
        ConfigError: One of them is not here.
    """
    try:
        dialect = url.get_dialect()
        dialect.import_dbapi()
    except sa.exc.NoSuchModuleError:
        raise ConfigError(
            f"SQLAlchemy knows no {url.drivername}:// here: is its package installed?"
        ) from None
    except ImportError as error:
        wanted = error.name or url.get_driver_name()  # psycopg without libpq has no name
        raise ConfigError(
            f"there is no {wanted} here: `pip install {_PACKAGES.get(wanted, wanted)}` brings it"
        ) from error
    return dialect


def loop_url(url: sa.URL) -> sa.URL | None:
    """Return the address for event loops, or None where no driver for them is here.

    SQLite has none: aiosqlite uses threads, too, and a fork does not wait for them; see `forks`.
    """
    if url.get_backend_name() == "sqlite":
        return None
    if _is_for_loops(url):
        return url
    twin = _FOR_LOOPS.get(url.get_driver_name())
    return None if twin is None else _twin(url, twin)


def blocking_url(url: sa.URL) -> sa.URL | None:
    """Return the address for threads, or None where no driver for them is here."""
    if not _is_for_loops(url):
        return url
    twin = _FOR_THREADS.get(url.get_driver_name())
    return None if twin is None else _twin(url, twin)


def _is_for_loops(url: sa.URL) -> bool:
    return bool(url.get_dialect().is_async)


def _twin(url: sa.URL, driver: str) -> sa.URL | None:
    twin = url.set(drivername=f"{url.get_backend_name()}+{driver}")
    if url.get_driver_name() == "asyncpg" and "ssl" in twin.query:
        twin = twin.update_query_dict({"sslmode": twin.query["ssl"]}).difference_update_query(
            ["ssl"]
        )
    try:
        load(twin)
    except ConfigError:
        return None
    return twin


def shown(url: sa.URL) -> str:
    """Return the address without user, password and query."""
    bare = sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
    return bare.render_as_string()


def blocking_engine(url: sa.URL, timeout: float) -> sa.Engine:
    """Make an engine of our own for threads; it does not connect yet."""
    driver = url.get_driver_name()
    with _options_of(url):
        engine = sa.create_engine(url, poolclass=Pool, **_settings(driver, timeout))
    if driver == "pysqlite":
        sa.event.listen(engine, "connect", _log_ahead)
    return bind_connects(engine, timeout)


def bind_connects(engine: sa.Engine, timeout: float) -> sa.Engine:
    """Return `engine`; its connections know deadlines from their first byte, where they can."""
    driver = engine.url.get_driver_name()
    connect = {"psycopg": lambda: connect_in_thread(timeout), "pymysql": connect_to_mysql}.get(
        driver
    )
    if connect is not None:
        made = connect()

        def connects(_dialect: object, _record: object, given: Any, options: Any) -> object:
            return made(*given, **options)

        sa.event.listen(engine, "do_connect", connects)
    return engine


def loop_engine(url: sa.URL, timeout: float) -> AsyncEngine:
    """Make an engine of our own for an event loop; it does not connect yet."""
    driver = url.get_driver_name()
    with _options_of(url):
        engine = create_async_engine(
            url, poolclass=sa.AsyncAdaptedQueuePool, **_settings(driver, timeout)
        )
    if driver == "psycopg":
        connect = connect_in_loop()

        def connects(_dialect: object, _record: object, _given: Any, options: Any) -> None:
            options["async_creator_fn"] = connect

        sa.event.listen(engine.sync_engine, "do_connect", connects)
    return engine


@contextlib.contextmanager
def _options_of(url: sa.URL) -> Iterator[None]:
    """Translate what SQLAlchemy says of an option that shall be a number and is none."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(f"{shown(url)} has an option the driver refuses: {error}") from error


def _log_ahead(connection: Any, _record: object) -> None:
    """Let SQLite's readers and its writer go on side by side."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _settings(driver: str, timeout: float) -> dict[str, Any]:
    options: dict[str, dict[str, Any]] = {
        "pymysql": {
            "connect_timeout": timeout,
            "read_timeout": timeout,
            "write_timeout": timeout,
            "binary_prefix": True,
        },
        "asyncmy": {"binary_prefix": True},
        # asyncpg loses a cancellation while `executemany` waits to write: it must end by itself.
        "asyncpg": {"command_timeout": timeout},
        "pysqlite": {"timeout": timeout},
    }
    return {
        "isolation_level": "AUTOCOMMIT",
        "pool_size": _CONNECTIONS,
        "max_overflow": 0,
        "pool_timeout": timeout,
        "pool_use_lifo": True,  # connections that nobody needs rest until the server ends them
        "pool_reset_on_return": None,  # there is no transaction to end
        "connect_args": options.get(driver, {}),
    }
