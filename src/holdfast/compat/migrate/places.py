"""What a place of old data is asked, and where a value of one kind of place lies in another.

Law: pure. A file of Beaker's is named by its namespace, or by a hash of it, from which nobody gets
the name back: such a value goes from file to file alone.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from holdfast.compat.beaker.util import identity
from holdfast.compat.migrate.pieces import Piece
from holdfast.compat.migrate.report import Report

__all__ = ["DIFFERS", "NAMELESS", "TRIES", "UNREADABLE", "Place", "Timed", "file_of", "why"]

DIFFERS = "the target holds something else under this key"
NAMELESS = "its namespace cannot be told: there is only a hash of it, or no mark where it ends"
UNREADABLE = "it cannot be read"
TRIES = 50
"""How often others may come between."""

Timed = tuple[Piece, float | None]
"""A value, and the seconds it has left; None: nothing ends it."""
_IN_FILES = ("file", "dbm")


class Place(Protocol):
    """Old data: where values come from, and go to.

    Attributes:
        name: What it is called in messages; never with a password.
        library: Whose values they are: beaker, pycket, kvs.
        kind: What kind of place it is.
    """

    name: str
    library: str
    kind: str

    def close(self) -> None:
        """Let go of the connections that were made for it."""

    def names(self) -> Iterator[str]:
        """Yield what there is: files, rows or keys.

        Raises:
            ConfigError: It cannot be listed.
        """

    def pieces(self, name: str, report: Report) -> Iterator[Piece]:
        """Yield the values of one; what cannot be read is left out."""

    def renew(self, name: str, report: Report, *, dry: bool) -> None:
        """Write one anew where it is, in the form of the settings, and count it."""

    def take(self, some: Sequence[Timed], report: Report, *, replace: bool, dry: bool) -> None:
        """Write values, and count what became of them."""


def file_of(piece: Piece, kind: str) -> str | None:
    """Return the name of the file or row for a value; None if it cannot be told."""
    if piece.kind == kind:
        return piece.name
    if piece.space is None or kind not in _IN_FILES:
        return None if piece.is_hashed else piece.space
    if piece.kind in _IN_FILES:
        return piece.space
    return identity([piece.space], digest_filenames=not piece.is_session)


def why(error: BaseException | None) -> str:
    """Return what an error says."""
    return str(getattr(error, "message", error) or "damaged")
