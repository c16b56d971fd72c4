"""What a plain store says to its table: each statement is built once for a table.

Law: what varies is a parameter: `_key`, `_old`, `_new`, `_now`.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

__all__ = ["BYTES", "Statements", "statements"]

BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
"""The type of the column `data`: that of the older programs, but for MySQL's 64 KiB."""

_PLACE = "holdfast.statements"


class Statements:
    """All of them: to build them takes SQLAlchemy longer than it takes SQLite to answer."""

    def __init__(self, table: sa.Table) -> None:
        self.table = table
        data = sa.type_coerce(table.c.data, BYTES)
        new, now = sa.bindparam("_new", type_=BYTES), sa.bindparam("_now", type_=sa.DateTime())
        key = sa.bindparam("_key", type_=table.c.namespace.type)
        here = table.c.namespace == key
        same = sa.and_(here, data == sa.bindparam("_old", type_=BYTES))
        written: dict[str, Any] = {"data": new, "accessed": now}
        self.read = sa.select(data).where(here)
        self.update = table.update().where(here).values(written)
        self.swap = table.update().where(same).values(written)
        self.insert = table.insert().values({"namespace": key, "created": now, **written})
        self.delete = table.delete().where(here)
        self.delete_same = table.delete().where(same)


def statements(table: sa.Table) -> Statements:
    """Return the statements of a table, which keeps them."""
    found = table.info.get(_PLACE)
    if not isinstance(found, Statements) or found.table is not table:  # a copy has those it copied
        found = table.info[_PLACE] = Statements(table)
    return found
