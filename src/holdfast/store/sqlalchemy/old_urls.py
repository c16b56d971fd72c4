"""Old URLs: engines from the addresses and options of programs that are older than SQLAlchemy 2.

Law: what `engine_from_config` understands is the user's. What nobody said has a default that ends:
a connection that cannot be made is an error after some seconds. Nothing connects here.
"""

import importlib.util
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from holdfast.errors import ConfigError
from holdfast.store.sqlalchemy.addresses import bind_connects, is_in_memory, load
from holdfast.store.sqlalchemy.plain import adopt

__all__ = ["engine_of"]

_RENAMED = {"postgres": "postgresql"}
_DRIVERS = {
    "postgresql": ("psycopg2", "psycopg"),  # the first is what SQLAlchemy takes by itself
    "mysql": ("MySQLdb", "pymysql"),
    "mariadb": ("MySQLdb", "pymysql"),
}
_CONNECT = 5  # seconds
_KNOW_TIMEOUTS = ("psycopg2", "psycopg", "mysqldb", "pymysql")


def engine_of(url: str, options: Mapping[str, Any]) -> sa.Engine:
    """Return an engine.

    Args:
        url: Of today's form, or `postgres://`, or without the driver that is here.
        options: As `sqlalchemy.engine_from_config` takes them, with `sa.` before each name.

    Raises:
        ConfigError: The URL cannot be read, or its driver is not here.
    """
    parsed = _parsed(url)
    load(parsed)
    defaults: dict[str, Any] = {}
    if is_in_memory(parsed):  # each thread would have a database of its own
        defaults = {"poolclass": sa.StaticPool, "connect_args": {"check_same_thread": False}}
    elif parsed.get_driver_name() in _KNOW_TIMEOUTS and "connect_timeout" not in parsed.query:
        defaults = {"connect_args": {"connect_timeout": _CONNECT}}
    given = {name.removeprefix("sa."): value for name, value in options.items()}
    try:
        engine = sa.engine_from_config({**defaults, **given, "url": parsed}, "")
    except (TypeError, ValueError, sa.exc.ArgumentError) as error:
        raise ConfigError(f"sa_opts: {error}") from error
    return adopt(bind_connects(engine, _CONNECT))


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(
            "the URL cannot be read: write dialect://user:password@host:port/database, and '@',"
            " ':' and '/' in a password as %40, %3A and %2F"
        ) from None
    kind, plus, driver = parsed.drivername.partition("+")
    kind = _RENAMED.get(kind, kind)
    if not plus:
        known = _DRIVERS.get(kind, ())
        here = [name for name in known if importlib.util.find_spec(name) is not None]
        driver = (here or [""])[0].lower()
    return parsed.set(drivername=f"{kind}+{driver}" if driver else kind)
