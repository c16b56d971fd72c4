"""Links: how a statement reaches the database, and what it brings back.

Law: a statement that may not be repeated is sent once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from holdfast.store.sqlalchemy.statements import Statement, Values

__all__ = ["Done", "Duplicate", "Links", "execute", "size_of"]


class Duplicate(Exception):  # noqa: N818 - never leaves the store
    """A row was refused because its key is there."""


class Done(NamedTuple):
    """What a statement did: the rows it found, and how many it changed."""

    rows: Sequence[Any]
    changed: int


class Links(Protocol):
    """Runs statements."""

    name: str
    timeout: float
    joined: bool

    def run(
        self, statement: Statement, values: Values | list[Values], until: float, *, once: bool
    ) -> Done:
        """Run a statement; for each of several values if it is given a list.

        Args:
            statement: What to run.
            values: Its values by name.
            until: When it must be over, in seconds of the monotonic clock.
            once: Whether it may not be sent again where its outcome is unknown.

        Raises:
            Duplicate: The key is there.
            StoreError: See `errors`.
        """


def execute(connection: sa.Connection, statement: Statement, values: Values | list[Values]) -> Done:
    """Run a statement as SQLAlchemy does, with all it knows of types and drivers."""
    chosen = statement.chosen
    given = list(map(chosen, values)) if isinstance(values, list) else chosen(values)
    result = connection.execute(
        statement.core, given, execution_options={"preserve_rowcount": True}
    )
    return Done(result.fetchall() if result.returns_rows else (), result.rowcount)


def size_of(values: Values | list[Values]) -> int:
    """Return how many bytes of values there are."""
    rows = values if isinstance(values, list) else [values]
    return sum(len(value) for row in rows for value in row.values() if isinstance(value, bytes))
