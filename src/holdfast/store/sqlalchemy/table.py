"""The table: how rows look to others, and how it comes into being.

Law: `key` is compared byte by byte, so that `A` is not `a`. `expires` is in UTC POSIX seconds; NULL
is "until deleted". The table is made once, by whoever is first; that others were quicker is no
error.
"""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from holdfast.errors import ConfigError

__all__ = ["COLUMNS", "check_table", "create", "exists", "make_table"]

COLUMNS = ("key", "value", "expires")
_LENGTH = 250


def make_table(
    name: str = "holdfast", *, schema: str | None = None, metadata: sa.MetaData | None = None
) -> sa.Table:
    """Return the table a store keeps its rows in, for migrations and for `open_store(table=...)`.

    Args:
        name: What it is called.
        schema: The schema it is in; None: the connection's default.
        metadata: Where it is registered; None: in one of its own.
    """
    key = (
        sa.String(_LENGTH)
        .with_variant(sa.String(_LENGTH, collation="C"), "postgresql")
        .with_variant(sa.VARBINARY(_LENGTH), "mysql", "mariadb")
        .with_variant(sa.String(_LENGTH, collation="Latin1_General_BIN2"), "mssql")
    )
    value = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
    return sa.Table(
        name,
        sa.MetaData() if metadata is None else metadata,
        sa.Column("key", key, primary_key=True),
        sa.Column("value", value, nullable=False),
        sa.Column("expires", sa.Double, index=True),
        schema=schema,
    )


def check_table(table: object) -> sa.Table:
    """Return `table` if a store can keep its rows in it.

    Raises:
        ConfigError: It is no table, or lacks a column.
    """
    if not isinstance(table, sa.Table):
        raise ConfigError("table: give its name, or a sqlalchemy.Table")
    missing = [name for name in COLUMNS if name not in table.c]
    if missing or [column.name for column in table.primary_key] != ["key"]:
        raise ConfigError(
            f"the table {table.name!r} needs the columns key (its primary key), value and expires;"
            " holdfast.store.sqlalchemy.make_table() makes one"
        )
    return table


def exists(connection: sa.Connection, table: sa.Table) -> bool:
    """Return whether the database has `table`."""
    found: bool = sa.inspect(connection).has_table(table.name, schema=table.schema)
    return found


def create(engine: sa.Engine, table: sa.Table, bound: Callable[[sa.Connection], object]) -> None:
    """Make `table` unless it is there; `bound` puts an end to what lasts too long."""
    with engine.connect() as connection:
        bound(connection)
        if exists(connection, table):
            return
    try:
        with engine.begin() as connection:
            bound(connection)
            table.create(connection)
    except sa.exc.DBAPIError:
        with engine.connect() as connection:
            bound(connection)
            if not exists(connection, table):
                raise
