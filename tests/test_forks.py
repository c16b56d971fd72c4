"""Forks: each object begins anew in a child, in order; one that is gone leaves nothing behind."""

import gc
import os
from collections.abc import Callable

import pytest

from holdfast import forks
from holdfast.cache import Cache
from holdfast.forks import in_each_child


class Noted:
    """Notes in which order it was asked to begin anew."""

    def __init__(self, notes: list[str], name: str) -> None:
        self._notes = notes
        self._name = name
        in_each_child(self.begin_anew)

    def begin_anew(self) -> None:
        self._notes.append(self._name)


class Broken:
    """Cannot begin anew."""

    def __init__(self) -> None:
        in_each_child(self.begin_anew)

    def begin_anew(self) -> None:
        raise ValueError("broken")


def in_child(check: Callable[[], bool]) -> bool:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_child_begins_anew_in_order() -> None:
    notes: list[str] = []
    kept = [Noted(notes, "first"), Noted(notes, "second")]
    assert in_child(lambda: notes == ["first", "second"])
    assert notes == []
    del kept


def test_one_that_fails_is_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    notes: list[str] = []
    kept = [Broken(), Noted(notes, "after")]
    assert in_child(lambda: notes == ["after"] and "broken" in caplog.text)
    del kept


def test_who_is_gone_is_not_asked_and_leaves_nothing() -> None:
    notes: list[str] = []
    gone = Noted(notes, "gone")
    before = len(forks._methods)
    del gone
    gc.collect()
    assert len(forks._methods) < before
    assert in_child(lambda: notes == [])


def test_caches_that_come_and_go_leave_nothing() -> None:
    gc.collect()
    before = len(forks._methods)
    for _ in range(10):
        with Cache("memory://") as cache:
            assert cache.get_or_create("k", lambda: 1) == 1
    del cache
    gc.collect()
    assert len(forks._methods) <= before
