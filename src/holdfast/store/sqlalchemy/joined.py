"""Joined: statements on a connection the user has, in his transaction.

Law: the transaction is the user's. It is never begun anew, ended or repeated here.
"""

import math
from typing import Any, NoReturn

import sqlalchemy as sa

from holdfast.clock import monotonic
from holdfast.store.sqlalchemy import errors
from holdfast.store.sqlalchemy.deadlines import bind, free, limit
from holdfast.store.sqlalchemy.links import Done, Duplicate, execute, size_of
from holdfast.store.sqlalchemy.statements import Statement, Values

__all__ = ["Joined"]


class Joined:
    """Runs statements on a connection the user has, in his transaction, which it never ends.

    Args:
        name: The store's name.
        connection: The user's; of an `AsyncConnection` its `sync_connection`.
        timeout: Seconds an operation may take.
    """

    joined = True

    def __init__(self, name: str, connection: sa.Connection, timeout: float) -> None:
        self.name, self.connection, self.timeout = name, connection, timeout
        driver: Any = connection.dialect.dbapi
        self._errors = (*errors.ERRORS, driver.Error)

    def run(
        self, statement: Statement, values: Values | list[Values], until: float, *, once: bool
    ) -> Done:
        """See `Links.run`. Nothing is repeated: the transaction is the user's."""
        if not self.connection.dialect.is_async:
            limit.until = until
        try:
            driver = self.connection.connection.driver_connection
            before = bind(driver)
            try:
                return execute(self.connection, statement, values)
            finally:
                free(driver, before)
        except self._errors as error:
            self._fail(error, values, until, once=once)
        finally:
            limit.until = math.inf

    def _fail(
        self, error: Exception, values: Values | list[Values], until: float, *, once: bool
    ) -> NoReturn:
        if errors.is_duplicate(error, self.connection.dialect):
            raise Duplicate from error
        broken = not errors.is_answer(error, self.connection.dialect)
        if broken and not self.connection.closed:
            self.connection.invalidate()  # its answer may still come
        raise errors.translated(
            self.name,
            error,
            late=monotonic() >= until,
            unknown=once and broken,
            timeout=self.timeout,
            size=size_of(values),
        ) from errors.root_of(error)
