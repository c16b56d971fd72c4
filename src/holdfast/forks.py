"""Forks: what an object does anew in the child of a fork, such as its locks.

Law: in the order in which it was asked for. An object does not live longer for having asked, and
leaves nothing behind: `os.register_at_fork` alone would keep a hook of each for ever.
"""

import logging
import os
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any, cast

__all__ = ["in_each_child"]

_methods: dict[int, tuple[weakref.ref[object], Callable[[Any], object]]] = {}


def in_each_child(begin_anew: Callable[[], object]) -> None:
    """Call a bound method in every child that is forked while its object lives."""
    method = cast("MethodType", begin_anew)
    # no WeakMethod: at the end of a program one with a callback may complain
    whose = weakref.ref(method.__self__, _forget)
    _methods[id(whose)] = whose, method.__func__


def _forget(whose: weakref.ref[object], methods: dict[int, Any] = _methods) -> None:
    methods.pop(id(whose), None)


def _after_fork() -> None:
    for whose, begin_anew in list(_methods.values()):
        one = whose()
        if one is None:
            continue
        try:
            begin_anew(one)
        except Exception:
            logging.getLogger("holdfast").exception("%r does not begin anew in this child", one)


os.register_at_fork(after_in_child=_after_fork)
