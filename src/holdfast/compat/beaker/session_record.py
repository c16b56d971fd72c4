"""The record of a session: read, written over what others wrote, moved, removed.

Law: a session's text lies under the key `session` of the namespace that its id names. A record that
is gone is never made again by a session that was read from it: a logout stands.
"""

from collections.abc import Callable
from typing import Any

from holdfast.compat.beaker.container import NamespaceManager, OpenResourceNamespaceManager
from holdfast.compat.beaker.exceptions import BeakerException
from holdfast.errors import CodecError

__all__ = ["Unreadable", "forget", "look", "peek", "write"]

_KEY = "session"
_TRIES = 32


class Unreadable(CodecError):  # noqa: N818 - as its kin
    """A record that its manager could not read, and has told of."""


def look(space: Any) -> Any:
    """Return what lies in a namespace, or None; the caller holds its read lock.

    Raises:
        Unreadable: There is something.
        StoreError: Nobody knows: the store cannot be reached.
    """
    try:
        return _lies(space)
    except KeyError as error:
        if isinstance(error.__cause__, CodecError):
            raise Unreadable(error.__cause__.message) from error.__cause__
        return None
    except TypeError:  # a manager whose server gave None where it has a mapping
        return None


def peek(space: Any) -> Any:
    """Return what lies in a namespace, or None, where this thread may hold its lock already."""
    space.acquire_write_lock()
    try:
        now = _reread(space)
    finally:
        space.release_write_lock()
    if now is None:
        _leave_nothing(space)
    return now


def write(space: Any, text: Callable[[Any], Any], *, known: bool) -> Any:
    """Write a session, and return what was written; None if its record is gone.

    Args:
        space: The namespace.
        text: Makes what is to be written from what lies there, or from None.
        known: Whether there was a record.

    Raises:
        BeakerException: Others wrote between every look and every write.
    """
    there = _recalled(space) if known else None
    space.acquire_write_lock(replace=not known or there is not None)
    try:
        done = there is not None and _swap(space, data := text(there))
        if not done:
            data = _written(space, text, known=known)
    finally:
        space.release_write_lock()
    if data is None:
        _leave_nothing(space)
    return data


def _written(space: Any, text: Callable[[Any], Any], *, known: bool) -> Any:
    for _ in range(_TRIES):
        now = _reread(space)
        if now is None and known:
            return None
        data = text(now)
        if _swap(space, data):
            return data
    raise BeakerException("a session is written by others faster than it can be read")


def forget(space: Any) -> bool:
    """Remove the record of a session; return whether it was there."""
    space.acquire_write_lock()
    try:
        found = _KEY in space
        if found:
            del space[_KEY]
    except KeyError:
        found = False  # another removed it
    finally:
        space.release_write_lock()
    _leave_nothing(space)
    return found


def _leave_nothing(space: Any) -> None:
    """Remove the file or row as well, which is this session's alone."""
    if isinstance(space, OpenResourceNamespaceManager):
        space.remove()


def _reread(space: Any) -> Any:
    try:
        return _lies(space)
    except (KeyError, TypeError):
        return None


def _recalled(space: Any) -> Any:
    """Return what lay there when it was last read, if a write is sure to notice a change."""
    return space.recall(_KEY) if isinstance(space, NamespaceManager) else None


def _lies(space: Any) -> Any:
    return space.reread(_KEY) if isinstance(space, NamespaceManager) else space[_KEY]


def _swap(space: Any, data: Any) -> bool:
    if isinstance(space, NamespaceManager):
        return space.swap_value(_KEY, data)
    space[_KEY] = data
    return True
