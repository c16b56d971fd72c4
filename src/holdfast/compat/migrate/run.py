"""`holdfast migrate` without its terminal: from one place to another, by their URLs.

Law: the source is never changed, but where both URLs mean the same place. What is written is a swap
against what was seen, so whatever ended a run, the next one goes on. Nothing of the data is run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from holdfast.clock import Clock, wall
from holdfast.compat.migrate.addresses import Target, is_old, open_place
from holdfast.compat.migrate.copying import batches, copy, listed
from holdfast.compat.migrate.memcached import Memcached
from holdfast.compat.migrate.native import Native
from holdfast.compat.migrate.pieces import Piece, age_left
from holdfast.compat.migrate.places import UNREADABLE, Place, Timed, why
from holdfast.compat.migrate.report import Outcome, Report, Told
from holdfast.errors import CodecError, ConfigError
from holdfast.store.protocol import OpenStore
from holdfast.store.registry import open_store

__all__ = ["Migration"]

_NO_END = (
    "some values were written without an end: give --timeout, the seconds after which a session"
    " that is not used is over"
)


@dataclass
class Migration:
    """One migration.

    Args:
        source: The URL values come from.
        target: The URL they go to; the same one: what is there is written anew, in the form that
            `compat.settings` says.
        timeout: Seconds after which an old session that is not used is over.
        replace: Write over what the target holds and differs.
        dry: Look, and write nothing.
        clock: UTC seconds.

    Raises:
        ConfigError: A URL is wrong, or nothing goes from the one to the other.
        StoreError: A table cannot be made.
    """

    source: str
    target: str
    timeout: float | None = None
    replace: bool = False
    dry: bool = False
    clock: Clock = wall

    def __post_init__(self) -> None:
        self._stores: list[OpenStore] = []
        self._old: Place | None = None
        self._new: Target | Native | None = None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        if not is_old(self.source):
            if is_old(self.target):
                raise ConfigError("Holdfast's own values have no form of an old library")
            source, target = self._opened(self.source), self._opened(self.target)
            if source.name == target.name and self.source == self.target:
                raise ConfigError(f"both URLs mean {source.name}: give two places")
            return
        found = open_place(self.source, target=False)
        if isinstance(found, Memcached):
            raise ConfigError("memcached cannot list its keys")
        self._old = found
        if not is_old(self.target):
            self._new = Native(self._opened(self.target), self._old.library, clock=self.clock)
            return
        self._new = open_place(self.target, target=not self.dry and self.target != self.source)
        if self._new.library != self._old.library:
            raise ConfigError(
                f"sessions of {self._old.library} have no form of {self._new.library}: give a"
                " target of the same library, or one of Holdfast's stores"
            )

    def _opened(self, url: str) -> OpenStore:
        store = open_store(url)
        self._stores.append(store)
        return store

    @property
    def in_place(self) -> bool:
        """Whether values are written anew where they are."""
        return self._old is not None and _which(self._old) == _which(self._new)

    def count(self) -> int:
        """Return how much there is, for a progress bar; it reads all keys."""
        return sum(1 for _ in self._names())

    def run(self, report: Report, told: Told) -> None:
        """Do it, or as much as can be done.

        Raises:
            StoreError: A store gave no answer; begun again, it goes on.
        """
        if self._old is None:
            source, target = self._stores
            copy(source, target, report, told, replace=self.replace, dry=self.dry)
        elif self.in_place:
            self._renew(self._old, report, told)
        else:
            self._move(self._old, report, told)

    def close(self) -> None:
        """Let go of the stores."""
        for store in self._stores:
            store.close()
        for place in (self._old, self._new):
            if place is not None:
                place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _names(self) -> Iterator[str]:
        return listed(self._stores[0]) if self._old is None else self._old.names()

    def _renew(self, place: Place, report: Report, told: Told) -> None:
        for names in batches(place.names()):
            for name in names:
                place.renew(name, report, dry=self.dry)
            told(report)

    def _move(self, old: Place, report: Report, told: Told) -> None:
        new = self._new
        if new is None or isinstance(old, Memcached):
            return
        for some in batches(self._timed(old, report)):
            new.take(some, report, replace=self.replace, dry=self.dry)
            told(report)
        told(report)

    def _timed(self, old: Place, report: Report) -> Iterator[Timed]:
        """Yield the values of the old place that still live, and for how long."""
        for name in old.names():
            for piece in old.pieces(name, report):
                try:
                    left = age_left(piece, self.clock(), self.timeout)
                except CodecError as error:
                    report.leave(piece.name, UNREADABLE, why(error))
                    continue
                if left is not None and left <= 0:
                    report.add(Outcome.OVER)
                    continue
                if left is None and self._ends(piece):
                    report.note(_NO_END)
                yield piece, left

    def _ends(self, piece: Piece) -> bool:
        """Return whether a value should have an end in the target, which would keep it."""
        kind = getattr(self._new, "kind", "")
        return piece.is_session and kind in ("redis", "mongodb", "memcached")


def _which(place: object) -> tuple[object, object]:
    return getattr(place, "kind", None), getattr(place, "place", getattr(place, "name", None))
