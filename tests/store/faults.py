"""Faults of a disk, made for real: a full file system, and files that may not grow."""

import contextlib
import errno
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

__all__ = ["filled_up", "in_a_small_world", "small_disk"]


def in_a_small_world(at_most: int, work: Callable[[], None]) -> None:
    """Run `work` in a forked child in which no file grows beyond `at_most` bytes; it must return.

    Writing on answers with EFBIG there, on the same paths through a store as a full disk's ENOSPC.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (at_most, at_most))
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - the child must end here, and say why
            traceback.print_exc(file=sys.stderr)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of 4 MiB at `folder`; skip the test where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)  # noqa: S603 - our own words
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607 - our own words


@contextlib.contextmanager
def filled_up(disk: Path) -> Iterator[None]:
    """Fill `disk` to the last byte while the block runs."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017 - a full disk is what is wanted
    try:
        yield
    finally:
        ballast.unlink()
