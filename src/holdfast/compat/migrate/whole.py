"""Namespaces that are a dictionary in one file, or in one row of a table.

Law: that of `places`. A file or row in which one value cannot be read is not written anew: a pickle
holds all of its values or none.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from holdfast.compat.beaker.file_values import FileValues
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
from holdfast.compat.migrate.report import LeftOut, Outcome, Report
from holdfast.compat.values import decode, encode
from holdfast.errors import CodecError, StoreTimeout, StoreUnavailable
from holdfast.store.plain import PlainStore

__all__ = ["Whole"]

_NO_TABLE = "the target cannot be read, as before its table is made: it was taken to be empty"
_Values = MutableMapping[Any, Any]


class Whole:
    """Files or rows of Beaker.

    Args:
        store: Where they lie.
        kind: `"file"` or `"sql"`.
        close: Lets go of its connections.
    """

    library = "beaker"

    def __init__(
        self, store: PlainStore, kind: str, close: Callable[[], object] = lambda: None
    ) -> None:
        self.name, self.kind = store.name, kind
        self._store, self._close = store, close

    def close(self) -> None:
        self._close()

    def names(self) -> Iterator[str]:
        return self._store.scan()

    def pieces(self, name: str, report: Report) -> Iterator[Piece]:
        raw = self._store.get(name)
        if raw is None:
            report.add(Outcome.OVER)
            return iter(())
        return self._pieces_of(raw, name, report)

    def _pieces_of(self, raw: bytes, name: str, report: Report) -> Iterator[Piece]:
        try:
            values = self._dictionary(raw, name)
        except CodecError as error:
            report.leave(name, UNREADABLE, why(error))
            return
        for key in list(values):
            try:
                value = values[key]
            except KeyError as error:
                report.leave(f"{name} {key}", UNREADABLE, why(error.__cause__))
            else:
                yield Piece(name, self.kind, name, key, value)

    def renew(self, name: str, report: Report, *, dry: bool) -> None:
        for _ in range(TRIES):
            raw = self._store.get(name)
            if raw is None:
                report.add(Outcome.OVER)
                return
            new = self._renewed(name, raw, report)
            if new is None:
                return
            if new == raw:
                report.add(Outcome.THERE)
                return
            if dry or self._store.swap(name, raw, new):
                report.add(Outcome.WRITTEN)
                return
        raise self._busy()

    def _renewed(self, name: str, raw: bytes, report: Report) -> bytes | None:
        """Return what `raw` is in the form of the settings; None if not all of it can be read."""
        told: list[LeftOut] = []
        found = list(self._pieces_of(raw, name, Report(told.append)))
        if told:
            report.leave(name, told[0].reason, told[0].detail)
            return None
        try:
            return self._bytes({piece.key: refreshed(piece) for piece in found}, name)
        except CodecError as error:
            report.leave(name, UNREADABLE, why(error))
            return None

    def take(self, some: Sequence[Timed], report: Report, *, replace: bool, dry: bool) -> None:
        groups: dict[str, dict[Any, tuple[str, Any]]] = {}
        for piece, _ in some:  # neither files nor rows know a ttl: such values know their age
            name = file_of(piece, self.kind)
            if name is None:
                report.leave(piece.name, NAMELESS)
                continue
            try:
                value = refreshed(piece)
                encode(value, name=str(piece.key))
            except CodecError as error:
                report.leave(piece.name, UNREADABLE, why(error))
                continue
            groups.setdefault(name, {})[_key_of(piece)] = piece.name, value
        for name, new in groups.items():
            self._add(name, new, report, replace=replace, dry=dry)

    def _add(
        self,
        name: str,
        new: Mapping[Any, tuple[str, Any]],
        report: Report,
        *,
        replace: bool,
        dry: bool,
    ) -> None:
        """Put values into a file or row."""
        for _ in range(TRIES):
            raw = self._present(name, report, dry=dry)
            try:
                values = {} if raw is None else dict(self._dictionary(raw, name).items())
            except (CodecError, KeyError):
                for came, _value in new.values():
                    report.leave(came, DIFFERS)
                return
            same, other = _against(values, new)
            todo = [key for key in new if key not in same and (replace or key not in other)]
            merged = {**values, **{key: new[key][1] for key in todo}}
            if not todo or dry or self._store.swap(name, raw, self._bytes(merged, name)):
                for key, (came, _value) in new.items():
                    if key in same:
                        report.add(Outcome.THERE)
                    elif key in todo:
                        report.add(Outcome.WRITTEN)
                    else:
                        report.leave(came, DIFFERS)
                return
        raise self._busy()

    def _present(self, name: str, report: Report, *, dry: bool) -> bytes | None:
        try:
            return self._store.get(name)
        except StoreUnavailable:
            if not dry:
                raise
            report.note(_NO_TABLE)
            return None

    def _dictionary(self, raw: bytes, name: str) -> _Values:
        if self.kind == "file":
            values = FileValues(raw, name, name)
            if values.unreadable is not None:
                raise values.unreadable
            return values
        found = decode(raw)
        if not isinstance(found, dict):
            raise CodecError("not a dictionary", name=name)
        return found

    def _bytes(self, values: dict[Any, Any], name: str) -> bytes:
        if self.kind != "file":
            return encode(values, name=name)
        file = FileValues(None, name, name)
        file.update(values)
        return file.to_bytes()

    def _busy(self) -> StoreTimeout:
        return StoreTimeout(self.name, f"others wrote at once, {TRIES} times; begin again")


def _key_of(piece: Piece) -> Any:
    """Return the key of a value in a dictionary, where those of caches are bytes."""
    if piece.is_session or not isinstance(piece.key, str) or piece.kind in ("file", "sql"):
        return piece.key
    return piece.key.encode("ascii", "backslashreplace")


def _against(
    values: Mapping[Any, Any], new: Mapping[Any, tuple[str, Any]]
) -> tuple[set[Any], set[Any]]:
    """Return which keys of `new` hold the same already, and which something else."""
    there = {key for key in new if key in values}
    same = {key for key in there if values[key] == new[key][1]}
    return same, there - same
