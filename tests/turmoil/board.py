"""The board: which token the visitors of each place hold now; files that all processes share.

Law: a place is replaced whole, by one who holds its lock, and read without. It may lag behind: who
finds a dead token looks again before he begins a new session there.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Board", "Place"]


class Place(NamedTuple):
    """What stands at one place: a line of life and its newest token."""

    line: str
    token: str


class Board:
    """The places of one world.

    Args:
        folder: Where their files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, number: int) -> Place | None:
        """Return what stands there."""
        try:
            line, token = (self._folder / f"place-{number}").read_text().split()
        except FileNotFoundError:
            return None
        return Place(line, token)

    def begin(self, number: int, before: Place | None, new: Place) -> None:
        """Put up a new session, unless somebody else did."""
        with self._lock(number):
            if self.read(number) == before:
                self._put(number, new)

    def go_on(self, number: int, new: Place) -> None:
        """Put up the new token of a session that still stands there."""
        with self._lock(number):
            present = self.read(number)
            if present is not None and present.line == new.line:
                self._put(number, new)

    def _put(self, number: int, new: Place) -> None:
        draft = self._folder / f"draft-{number}"
        draft.write_text(f"{new.line} {new.token}")
        draft.replace(self._folder / f"place-{number}")

    @contextlib.contextmanager
    def _lock(self, number: int) -> Iterator[None]:
        file = os.open(
            self._folder / f"lock-{number}", os.O_CREAT | os.O_RDWR
        )  # ends with its process
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)
