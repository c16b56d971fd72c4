"""Forks and SQLite: none of its connections crosses a fork.

Law: a child would inherit SQLite's belief in file locks that it does not have. So a statement on
SQLite holds its gate; a fork waits for those that run and closes what rests.
"""

import os
import threading
import weakref

import sqlalchemy as sa

__all__ = ["Gate"]


class Gate:
    """Held while a statement runs on `engine`; closed while this process forks."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.lock = threading.Lock()
        _alive.add(self)


_alive: weakref.WeakSet[Gate] = weakref.WeakSet()
_closed: list[Gate] = []


def _before_fork() -> None:
    for gate in list(_alive):
        gate.lock.acquire()
        gate.engine.dispose()
        _closed.append(gate)


def _after_fork() -> None:
    while _closed:
        _closed.pop().lock.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
