"""Values that have a key each: in Redis, MongoDB, memcached, Tokyo Tyrant, or a dbm file.

Law: that of `places`. What the key says of the namespace is believed only where there is one way
to read it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from os.path import dirname
from typing import Any

from holdfast.compat.beaker.util import verify_directory
from holdfast.compat.migrate.locks import locked
from holdfast.compat.migrate.pieces import Piece, refreshed
from holdfast.compat.migrate.places import (
    DIFFERS,
    NAMELESS,
    TRIES,
    UNREADABLE,
    Timed,
    file_of,
    why,
)
from holdfast.compat.migrate.report import Outcome, Report
from holdfast.compat.values import decode, encode
from holdfast.errors import CodecError, KeyRejected, StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanTellTtl
from holdfast.store.dbm.plain import PlainDbm
from holdfast.store.file.plain import PlainFiles
from holdfast.store.plain import PlainStore

__all__ = ["Databases", "Form", "Keys", "dump_piece", "load_value"]

_NO_KEY = "the target cannot carry its key"


def load_value(raw: bytes) -> Any:
    """Return the value of bytes in either form of `compat.values`."""
    return decode(raw)


def dump_piece(piece: Piece) -> bytes:
    """Return the bytes of a value in the form of the settings."""
    return encode(refreshed(piece), name=str(piece.key))


@dataclass(frozen=True, slots=True)
class Form:
    """How values lie under their keys.

    Attributes:
        kind: The kind of place.
        split: Returns namespace and key of a name there, None for a namespace that it does not
            tell; or None where the name is of something else.
        join: Returns the name of a key in a namespace.
        prefix: What all names begin with.
        load: Reads a value, or raises `CodecError`.
        dump: Writes one, or raises `CodecError`.
    """

    kind: str
    split: Callable[[str], tuple[str | None, str] | None]
    join: Callable[[str, Any], str]
    prefix: str = ""
    load: Callable[[bytes], Any] = load_value
    dump: Callable[[Piece], bytes] = dump_piece


class Keys:
    """Values under the keys of a server.

    Args:
        store: The server's.
        form: How they lie there.
        library: Whose they are.
        close: Lets go of its connections.
    """

    def __init__(
        self,
        store: PlainStore,
        form: Form,
        library: str = "beaker",
        close: Callable[[], object] = lambda: None,
    ) -> None:
        self._close = close
        self.name, self.kind, self.library = store.name, form.kind, library
        self.place = f"{store.name} {form.prefix}"
        self._store, self._form = store, form

    def close(self) -> None:
        self._close()

    def names(self) -> Iterator[str]:
        return self._store.scan(self._form.prefix)

    def pieces(self, name: str, report: Report) -> Iterator[Piece]:
        found = self._read(name, report)
        if found is not None:
            yield found[1]

    def _read(self, name: str, report: Report) -> tuple[bytes, Piece] | None:
        """Return the bytes and the value of a name; None, and count why, where there is none."""
        parts = self._form.split(name)
        try:
            raw = None if parts is None else self._store.get(name)
        except StoreUnavailable as error:
            if "WRONGTYPE" not in str(error.__cause__):
                raise
            parts = raw = None  # a list or the like, in the same Redis
        if parts is None:
            report.leave(name, f"no value of {self.library}")
            return None
        gone, ttl = self._ttl(name)
        if raw is None or gone:
            report.add(Outcome.OVER)
            return None
        try:
            value = self._form.load(raw)
        except CodecError as error:
            report.leave(name, UNREADABLE, why(error))
            return None
        return raw, Piece(name, self.kind, *parts, value, ttl)

    def _ttl(self, name: str) -> tuple[bool, float | None]:
        """Return whether a value is gone, and how long it has left."""
        if not isinstance(self._store, CanTellTtl):
            return False, None
        left = self._store.remaining([name])
        return name not in left, left.get(name)

    def renew(self, name: str, report: Report, *, dry: bool) -> None:
        for _ in range(TRIES):
            found = self._read(name, report)
            if found is None:
                return
            raw, piece = found
            try:
                new = self._form.dump(piece)
            except CodecError as error:
                report.leave(name, UNREADABLE, why(error))
                return
            if new == raw or dry or self._store.swap(name, raw, new, piece.ttl):
                report.add(Outcome.THERE if new == raw else Outcome.WRITTEN)
                return
        raise self._busy()

    def take(self, some: Sequence[Timed], report: Report, *, replace: bool, dry: bool) -> None:
        for piece, ttl in some:
            name = self._name_of(piece)
            if name is None:
                report.leave(piece.name, NAMELESS)
                continue
            try:
                data = self._form.dump(piece)
                self._put(name, data, ttl, piece, report, replace=replace, dry=dry)
            except CodecError as error:
                report.leave(piece.name, UNREADABLE, why(error))
            except KeyRejected:
                report.leave(piece.name, _NO_KEY)

    def _name_of(self, piece: Piece) -> str | None:
        if piece.kind == self.kind and piece.space is None:
            return piece.name
        if piece.space is None or (piece.is_hashed and self.kind != "dbm"):
            return None
        return self._form.join(piece.space, piece.key)

    def _put(
        self,
        name: str,
        data: bytes,
        ttl: float | None,
        piece: Piece,
        report: Report,
        *,
        replace: bool,
        dry: bool,
    ) -> None:
        for _ in range(TRIES):
            there = self._store.get(name)
            if there is not None and self._same(there, data):
                report.add(Outcome.THERE)
                return
            if there is not None and not replace:
                report.leave(piece.name, DIFFERS)
                return
            if dry or self._store.swap(name, there, data, ttl):
                report.add(Outcome.WRITTEN)
                return
        raise self._busy()

    def _busy(self) -> StoreTimeout:
        return StoreTimeout(self.name, f"others wrote at once, {TRIES} times; begin again")

    def _same(self, there: bytes, data: bytes) -> bool:
        if there == data:
            return True
        try:
            return bool(self._form.load(there) == self._form.load(data))
        except CodecError:
            return False


class Databases:
    """Namespaces that are a dbm file each.

    Args:
        folder: That of all of them, `container_dbm`.
        locks: That of their lock files.
    """

    library, kind = "beaker", "dbm"

    def __init__(self, folder: str, locks: str) -> None:
        self._locks = locks
        self._files = [PlainFiles(folder, suffix=f".dbm{end}") for end in _ENDS]
        self.name = f"dbm:///{self._files[0].folder}"

    def close(self) -> None:
        """Do nothing: no file is open between two calls."""

    def names(self) -> Iterator[str]:
        seen = set[str]()
        for files in self._files:
            for name in files.scan():
                if name not in seen:
                    seen.add(name)
                    yield name

    def _rows(self, name: str) -> Keys:
        store = PlainDbm(self._files[0].path(name))
        return Keys(store, Form("dbm", lambda key: (name, key), lambda _, key: _text(key)))

    def pieces(self, name: str, report: Report) -> Iterator[Piece]:
        rows = self._rows(name)
        for row in rows.names():
            for piece in rows.pieces(row, report):
                yield Piece(name, "dbm", name, piece.key, piece.value)

    def renew(self, name: str, report: Report, *, dry: bool) -> None:
        rows = self._rows(name)
        with nullcontext() if dry else locked(self._locks, name):
            for row in list(rows.names()):
                rows.renew(row, report, dry=dry)

    def take(self, some: Sequence[Timed], report: Report, *, replace: bool, dry: bool) -> None:
        groups: dict[str, list[Timed]] = {}
        for piece, ttl in some:
            name = file_of(piece, "dbm")
            if name is None:
                report.leave(piece.name, NAMELESS)
            else:
                ours = Piece(piece.name, "dbm", name, piece.key, refreshed(piece))
                groups.setdefault(name, []).append((ours, ttl))
        for name, mine in groups.items():
            path = self._files[0].path(name)
            if dry and not PlainDbm(path).filenames():
                report.counts[Outcome.WRITTEN] += len(mine)
                continue
            with nullcontext() if dry else locked(self._locks, name):
                verify_directory(dirname(path))  # noqa: PTH120 - paths are text here
                self._rows(name).take(mine, report, replace=replace, dry=dry)


_ENDS = ("", ".dat", ".db", ".pag")  # what dbm modules add to the name


def _text(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)
