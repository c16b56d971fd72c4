"""Forks: what an object does anew in the child of a fork, such as its locks.

Law: in the order in which it was asked for. An object does not live longer for having asked, and
leaves nothing behind: `os.register_at_fork` alone would keep a hook of each for ever.
"""

import logging
import os
import weakref
from collections.abc import Callable

__all__ = ["in_each_child"]

_methods: dict[int, weakref.WeakMethod[Callable[[], object]]] = {}


def in_each_child(begin_anew: Callable[[], object]) -> None:
    """Call a bound method in every child that is forked while its object lives."""
    method = weakref.WeakMethod(begin_anew, _forget)
    _methods[id(method)] = method


def _forget(method: weakref.ref[Callable[[], object]]) -> None:
    _methods.pop(id(method), None)


def _after_fork() -> None:
    for method in list(_methods.values()):
        begin_anew = method()
        if begin_anew is None:
            continue
        try:
            begin_anew()
        except Exception:
            logging.getLogger("holdfast").exception("%r in this child", begin_anew)


os.register_at_fork(after_in_child=_after_fork)
