"""Errors: what SQLAlchemy and the drivers raise, in the words of the store contract.

Law: the message is the driver's own, never SQLAlchemy's, which repeats values. What broke off in
the middle of a statement that may not be repeated is a `StoreTimeout`: its outcome is unknown.
"""

import sqlite3
from typing import Any

import sqlalchemy as sa

from holdfast.errors import StoreError, StoreTimeout, StoreUnavailable
from holdfast.store.sqlalchemy.deadlines import Late

__all__ = ["ERRORS", "is_answer", "is_duplicate", "is_lost_race", "root_of", "translated"]

ERRORS: tuple[type[Exception], ...] = (sa.exc.SQLAlchemyError, OSError, EOFError, Late)
"""What may come, beside the driver's own errors."""

_LOST_RACES = {"40001", "40P01", 1213, 1020}  # serialization failure, deadlock; nothing was done
_GAVE_UP = {"57014", "55P03", 1205, 3024, 1969}  # the server's own timeouts; nothing was done
_TOO_LARGE = {1153}
_GONE = {2006, 2013}
_LARGE = 1 << 20
_ENDS = ("08", "57P0")  # connection exceptions, the server's shutdown
_CLIENT_SAYS = 2000  # MySQL's numbers from here to 2999 come from the client itself


def root_of(error: BaseException) -> BaseException:
    """Return the driver's error in what SQLAlchemy made of it."""
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        error = error.orig
    if error.__cause__ is not None and "Adapt" in type(error).__qualname__:
        return error.__cause__  # asyncpg's own, behind SQLAlchemy's form of it
    return error


def _code(error: BaseException) -> object:
    """Return the number MySQL gives, else the SQLSTATE."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) else getattr(error, "sqlstate", None)


def is_answer(error: BaseException, dialect: sa.Dialect) -> bool:
    """Return whether the server said this, on a connection that is whole."""
    driver: Any = dialect.dbapi
    if isinstance(error, sa.exc.DBAPIError):
        if error.connection_invalidated:
            return False
    elif not isinstance(error, driver.Error) or dialect.is_disconnect(error, None, None):
        return False
    code = _code(root_of(error))
    if dialect.name == "postgresql":
        return isinstance(code, str) and not code.startswith(_ENDS)
    if dialect.name in ("mysql", "mariadb"):
        return isinstance(code, int) and not _CLIENT_SAYS <= code < _CLIENT_SAYS + 1000
    return True


def is_duplicate(error: BaseException, dialect: sa.Dialect) -> bool:
    """Return whether a row was refused because its key is there."""
    driver: Any = dialect.dbapi
    return isinstance(error, sa.exc.IntegrityError | driver.IntegrityError)


def is_lost_race(error: BaseException) -> bool:
    """Return whether the server undid a statement for the sake of others: it may be repeated."""
    return _code(root_of(error)) in _LOST_RACES


def translated(
    name: str, error: BaseException, *, late: bool, unknown: bool, timeout: float, size: int = 0
) -> StoreError:
    """Return the store's error for what went wrong.

    Args:
        name: The store's name.
        error: What was raised.
        late: Whether the deadline was over.
        unknown: Whether the connection broke in a statement that may have been done.
        timeout: Seconds an operation may take.
        size: How many bytes were sent.
    """
    root = root_of(error)
    code = _code(root)
    if isinstance(error, sa.exc.TimeoutError):
        return StoreTimeout(
            name,
            f"no connection became free in time; nothing was done: is the pool small? ({root})",
        )
    if code in _GAVE_UP or _is_busy(root):
        return StoreTimeout(name, f"others held the row too long; nothing was done ({root})")
    if code in _TOO_LARGE or (code in _GONE and size > _LARGE and not late):
        return StoreUnavailable(
            name,
            f"{size} bytes in one statement: is the server's max_allowed_packet less? ({root})",
        )
    if late or isinstance(error, Late | TimeoutError):
        return StoreTimeout(name, f"no answer in {timeout:g} s; whether it was done is unknown")
    if unknown:
        return StoreTimeout(name, f"the connection broke; whether it was done is unknown ({root})")
    return StoreUnavailable(name, str(root).strip() or type(root).__name__)


def _is_busy(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
