"""The record of a session whose id has changed: written under the new one, removed under the old.

Law: what others write under the old id until then is kept. Of two moves, or a move and a logout,
one is done: a record that is gone is never made again.
"""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

from holdfast.compat.beaker.exceptions import BeakerException
from holdfast.compat.beaker.session_record import (
    _KEY,
    _leave_nothing,
    _reread,
    _swap,
    forget,
    peek,
    write,
)

__all__ = ["move"]

_TRIES = 32


def move(old: Any, new: Any, text: Callable[[Any], Any], *, leave: bool) -> Any:
    """Return what was written under the new id; None if the record is gone.

    Args:
        old: The namespace of the old id.
        new: That of the new one, which nobody knows yet.
        text: Makes what is to be written from what lies under the old id.
        leave: Whether the old record stays.

    Raises:
        BeakerException: Others wrote between every look and every write.
    """
    for attempt in range(_TRIES):
        now = peek(old)
        if now is None:
            if attempt:
                forget(new)  # somebody logged out meanwhile
            return None
        data = write(new, partial(_of, text(now)), known=False)
        if leave:
            return data
        if _closed(old, now):  # this is the moment of the move
            return data
    forget(new)
    raise BeakerException("a session is written by others faster than it can be moved")


def _of(data: Any, _: Any) -> Any:
    return data


def _closed(space: Any, now: Any) -> bool:
    """Remove `now`, and the namespace around it; return whether it was still there.

    Stores swap, but do not remove by comparing: so nothing is written over it, and that removed.
    """
    space.acquire_write_lock()
    try:
        closed = bool(_reread(space) == now and _swap(space, None))
        if closed:
            with contextlib.suppress(KeyError):
                del space[_KEY]
    finally:
        space.release_write_lock()
    if closed:
        _leave_nothing(space)
    return closed
