"""Servers for the tables: those of the tests, each running while its part of a table is measured.

Law: client and server share one core, so that the figures are work done, not ways between cores. A
server that is not to be had is `Absent`, which is a word in its row. Only where several processes
are what is measured may they have all cores.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.measure import Absent

__all__ = ["of_tests", "one_core", "running"]

_TESTS = str(Path(__file__).parent.parent / "tests")


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread, and what it starts, on one core; where the system can do that."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def running(module: str, run: str, *, pinned: bool = True) -> Iterator[Any]:
    """Run `servers.<module>.<run>()` of the tests; yield what it yields, which has a `url`.

    Args:
        module: Which of the modules.
        run: Which of its functions.
        pinned: Keep this thread, the server and whatever is started here on one core.

    Raises:
        Absent: It is not to be had here.
    """
    with one_core() if pinned else contextlib.nullcontext(), contextlib.ExitStack() as ends:
        yield _started(ends, module, run)


def of_tests(module: str) -> Any:
    """Return a module of the tests' folder, which is no package of ours."""
    if _TESTS not in sys.path:
        sys.path.append(_TESTS)
    return import_module(module)


def _started(ends: contextlib.ExitStack, module: str, run: str) -> Any:
    try:
        import pytest

        start = getattr(of_tests(f"servers.{module}"), run)
    except ImportError as error:
        raise Absent(f"no server: not installed ({error.name})") from error
    try:
        return ends.enter_context(start())
    except (pytest.skip.Exception, pytest.fail.Exception, AssertionError, OSError) as error:
        raise Absent(f"no server: {str(error).partition(' (')[0][:60]}") from error
