"""Statements: what is said to the database, in the words of its dialect, compiled once.

Law: every condition on time stands in the statement itself, so that the database decides in one
step. Where a dialect's clock is known the time is the server's, else the value `now` that goes with
each statement. A statement that names no dialect is plain SQL.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

__all__ = ["CHUNK", "SWEEP", "Statement", "Statements", "Values"]

CHUNK = (
    500  # rows of one statement: below every limit on variables, short enough for others to wait
)
SWEEP = 1000  # expired rows of one batch

# Each is fixed for the length of a statement, so that an index on `expires` serves; none depends on
# the session's time zone.
_CLOCKS = {
    "postgresql": "extract(epoch from statement_timestamp())::double precision",
    "mysql": "(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1e6)",
    "mariadb": "(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1e6)",
}
_SKIPS_LOCKED = {"postgresql", "mysql", "mariadb"}

Values = dict[str, Any]


class Statement:
    """One statement: `core` for SQLAlchemy, and as text for a driver's cursor, compiled once."""

    __slots__ = ("_names", "_text", "core", "dialect")

    def __init__(self, core: Any, dialect: sa.Dialect) -> None:
        self.core = core
        self.dialect = dialect
        self._names: list[str] = []
        self._text: tuple[str, Callable[[Values], Any]] | None = None

    def chosen(self, values: Values) -> dict[str, Any]:
        """Return those of `values` the statement speaks of: SQLAlchemy refuses others."""
        if not self._names:
            self._names = list(self.core.compile(dialect=self.dialect).params)
        return {name: values[name] for name in self._names if name in values}

    def text(self) -> tuple[str, Callable[[Values], Any]]:
        """Return the text, and what brings values into the form the driver wants.

        It is asked for when the dialect has met its server: its version may matter.
        """
        if self._text is None:
            compiled = self.core.compile(dialect=self.dialect)
            names = compiled.positiontup
            fixed = {name: value for name, value in compiled.params.items() if value is not None}
            if names is None:
                self._text = str(compiled), lambda values: fixed | values
            elif fixed:  # such as the OFFSET 0 that SQLite wants
                self._text = (
                    str(compiled),
                    lambda values: list(map((fixed | values).__getitem__, names)),
                )
            else:
                self._text = str(compiled), lambda values: [values[name] for name in names]
        return self._text


class Statements:
    """The statements of one table in one dialect.

    Args:
        table: The table; see `table.make_table`.
        dialect: Of the engine that will run them.
        own_clock: Whether `now` comes with each statement, whatever the dialect knows.
        plain: Whether to do without the dialect's own words.

    Attributes:
        own_clock: Whether `now` is wanted with each statement.
        upserts: Whether `put` is one statement, and whether it is for `add` too.
    """

    def __init__(
        self, table: sa.Table, dialect: sa.Dialect, *, own_clock: bool, plain: bool
    ) -> None:
        self._t, self._dialect = table, dialect
        family = "plain" if plain else dialect.name
        self._family = "mysql" if family == "mariadb" else family
        clock = None if own_clock else _CLOCKS.get(dialect.name)
        self.own_clock = clock is None
        double: sa.Double[float] = sa.Double()
        self._now: sa.ColumnElement[float] = (
            sa.bindparam("now", type_=double)
            if clock is None
            else sa.literal_column(clock, type_=double)
        )
        self._live = sa.or_(table.c.expires.is_(None), table.c.expires > self._now)
        self._dead = table.c.expires <= self._now
        self._key = table.c.key == self._bind("k", table.c.key)
        self._row = {
            "key": self._bind("k", table.c.key),
            "value": self._bind("v", table.c.value),
            "expires": self._now + sa.bindparam("ttl", type_=double),
        }
        self._new = {"value": self._row["value"], "expires": self._row["expires"]}
        self.upserts = self._family in ("postgresql", "sqlite", "mysql")
        self.adds = self._family in ("postgresql", "sqlite")
        self._many: dict[tuple[str, int], Statement] = {}

    @cached_property
    def binary_keys(self) -> bool:
        """Whether keys travel as bytes."""
        return self._t.c.key.type.dialect_impl(self._dialect).python_type is bytes

    @cached_property
    def get(self) -> Statement:
        return self._made(sa.select(self._t.c.value).where(self._key, self._live))

    @cached_property
    def lock(self) -> Statement:
        """`get`, which keeps others off the row until the transaction ends, if there is one."""
        return self._made(sa.select(self._t.c.value).where(self._key, self._live).with_for_update())

    @cached_property
    def put(self) -> Statement:
        """Write the row, whatever was there; only where `upserts`."""
        if self._family == "mysql":
            insert = mysql.insert(self._t).values(self._row)
            new = {"value": insert.inserted["value"], "expires": insert.inserted["expires"]}
            return self._made(insert.on_duplicate_key_update(new))
        return self._upsert(None)

    @cached_property
    def add(self) -> Statement:
        """Write the row over nothing or over an expired one; only where `adds`."""
        return self._upsert(self._dead)

    def _upsert(self, where: sa.ColumnElement[bool] | None) -> Statement:
        kind = postgresql.insert if self._family == "postgresql" else sqlite.insert
        insert = kind(self._t).values(self._row)
        new = {"value": insert.excluded["value"], "expires": insert.excluded["expires"]}
        return self._made(
            insert.on_conflict_do_update(index_elements=[self._t.c.key], set_=new, where=where)
        )

    @cached_property
    def insert(self) -> Statement:
        return self._made(sa.insert(self._t).values(self._row))

    @cached_property
    def update(self) -> Statement:
        return self._made(sa.update(self._t).where(self._key).values(self._new))

    @cached_property
    def replace_dead(self) -> Statement:
        return self._made(sa.update(self._t).where(self._key, self._dead).values(self._new))

    @cached_property
    def swap(self) -> Statement:
        return self._made(sa.update(self._t).where(*self._holds_old).values(self._new))

    @cached_property
    def swap_value(self) -> Statement:
        """`swap` that leaves the expiry alone."""
        new = {"value": self._row["value"]}
        return self._made(sa.update(self._t).where(*self._holds_old).values(new))

    @cached_property
    def take(self) -> Statement:
        return self._made(sa.delete(self._t).where(*self._holds_old))

    @property
    def _holds_old(self) -> tuple[sa.ColumnElement[bool], ...]:
        return self._key, self._t.c.value == self._bind("old", self._t.c.value), self._live

    @cached_property
    def delete(self) -> Statement:
        return self._made(sa.delete(self._t).where(self._key, self._live))

    @cached_property
    def page(self) -> Statement:
        """The next live keys from `low` on and before `high`."""
        key = self._t.c.key
        span = key >= self._bind("low", key), key < self._bind("high", key)
        return self._made(
            sa.select(key).where(*span, self._live).order_by(key).limit(_number(CHUNK))
        )

    @cached_property
    def dead(self) -> Statement:
        """Some expired keys; those that others have locked are left to the next sweep.

        Their order makes a planner walk the index where it would read the whole table.
        """
        oldest = sa.select(self._t.c.key).where(self._dead).order_by(self._t.c.expires)
        found = oldest.limit(_number(SWEEP))
        if self._family in _SKIPS_LOCKED:
            found = found.with_for_update(skip_locked=True)
        return self._made(found)

    @cached_property
    def ping(self) -> Statement:
        return self._made(sa.select(self._t.c.key).where(sa.false()))

    def many(self, what: str, keys: list[Any]) -> tuple[Statement, dict[str, Any]]:
        """Return the statement that does `what` to many keys at once, and its values.

        Args:
            what: "get", "delete", "left", which asks for the rest of their time, or "bury", which
                deletes what is expired.
            keys: At most `SWEEP`.
        """
        if self._family == "postgresql":
            return self._of_many(what, 0), {"keys": keys}
        size = 1 << (len(keys) - 1).bit_length()  # few lengths: each is compiled only once
        keys = keys + keys[-1:] * (size - len(keys))
        return self._of_many(what, size), {f"k{n}": key for n, key in enumerate(keys)}

    def _of_many(self, what: str, size: int) -> Statement:
        statement = self._many.get((what, size))
        if statement is None:
            key = self._t.c.key
            among: sa.ColumnElement[bool] = (
                key.in_([self._bind(f"k{n}", key) for n in range(size)])
                if size
                else key == sa.any_(sa.bindparam("keys", type_=postgresql.ARRAY(sa.String)))
            )
            core = {
                "get": sa.select(key, self._t.c.value).where(among, self._live),
                "left": sa.select(key, self._t.c.expires - self._now).where(among, self._live),
                "delete": sa.delete(self._t).where(among, self._live),
                "bury": sa.delete(self._t).where(among, self._dead),
            }[what]
            statement = self._many[what, size] = self._made(core)
        return statement

    def _made(self, core: Any) -> Statement:
        return Statement(core, self._dialect)

    @staticmethod
    def _bind(name: str, column: sa.Column[Any]) -> sa.BindParameter[Any]:
        return sa.bindparam(name, type_=column.type)


def _number(value: int) -> sa.ColumnElement[int]:
    """Return a number that is a part of the text, not one of its values."""
    return sa.literal_column(str(value), type_=sa.Integer())
