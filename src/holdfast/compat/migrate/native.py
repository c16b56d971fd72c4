"""Old sessions as records of `holdfast.Sessions`, under a token that is derived from the old id.

Law: whoever holds the old cookie finds the session by `compat.carry.OldCookie`, which derives the
same token. A session comes once: what became of it since, a rotation or a logout, is not undone by
another run, so each that came leaves a mark.
"""

from collections.abc import Sequence
from hashlib import sha256

from holdfast.clock import Clock, wall
from holdfast.codec import codec_named
from holdfast.compat.carry import token_for
from holdfast.compat.migrate.pieces import session_data, times_of
from holdfast.compat.migrate.places import DIFFERS, UNREADABLE, Timed, why
from holdfast.compat.migrate.report import Outcome, Report
from holdfast.errors import CodecError
from holdfast.session.data import Record, decode, encode, encode_value
from holdfast.session.token import id_of
from holdfast.store.protocol import OpenStore

__all__ = ["TTL", "Native"]

TTL = 12 * 3600.0
"""Seconds a record is kept where nobody said how long the old sessions live."""

_OURS = {"_creation_time", "_accessed_time", "_id", "_domain", "_path", "__created"}
_CARRIED = "carried:"
_REMEMBERED = (
    90 * 24 * 3600.0
)  # seconds in which another run knows who came: more than a rerun needs
_SEALED = "it is encrypted: its keys are not known here"
_NO_SESSION = "a cached value: it is made anew"


class Native:
    """A target of sessions alone.

    Args:
        store: Where `Sessions` will find them.
        library: Whose sessions come.
        clock: UTC seconds.
    """

    kind = "native"

    def __init__(self, store: OpenStore, library: str, *, clock: Clock = wall) -> None:
        self.name, self.library = store.name, library
        self._store, self._clock, self._codec = store, clock, codec_named("msgpack")

    def close(self) -> None:
        """Do nothing: the store is closed by who opened it."""

    def take(self, some: Sequence[Timed], report: Report, *, replace: bool, dry: bool) -> None:
        """Write sessions; see `places.Place`."""
        for piece, ttl in some:
            if not piece.is_session or piece.space is None:
                report.leave(piece.name, _NO_SESSION)
                continue
            try:
                data = session_data(piece.value)
                if data is None:
                    report.leave(piece.name, _SEALED)
                    continue
                record = self._record(piece.space, data)
                new = encode(record)
            except CodecError as error:
                report.leave(piece.name, UNREADABLE, why(error))
                continue
            left = TTL if ttl is None else ttl
            handle = id_of(token_for(self.library, piece.space)) or ""
            outcome = self._put(handle, record, new, left, replace=replace, dry=dry)
            if not dry and outcome is not None:
                self._store.put(f"{_CARRIED}{handle}", b"", _REMEMBERED)
            if outcome is None:
                report.leave(piece.name, DIFFERS)
            else:
                report.add(outcome)

    def _record(self, old_id: str, data: dict[str, object]) -> Record:
        created, seen = times_of(data, self._clock())
        values = {}
        for name, value in data.items():
            if not isinstance(name, str):
                raise CodecError(f"the name {name!r} is no text")
            if name not in _OURS:
                values[name] = encode_value(self._codec, name, value)
        rev = sha256(f"{self.library}:{old_id}".encode()).digest()[:16]  # equal in each run
        return Record(rev, 0, created, seen, {"rotated": 0.0}, values, [])

    def _put(
        self, handle: str, record: Record, new: bytes, ttl: float, *, replace: bool, dry: bool
    ) -> Outcome | None:
        """Write one; return what became of it, None where something else is there."""
        key = f"s:{handle}"
        there = self._store.get(key)
        if there is None and self._store.get(f"{_CARRIED}{handle}") is not None:
            return Outcome.THERE  # it went on under another token, or was ended: it stays so
        if there is not None:
            found = decode(there)
            if not isinstance(found, Record) or found.rev != record.rev:
                return Outcome.THERE  # it is in use already
            if found.data == record.data:
                return Outcome.THERE
            if not replace:
                return None
        if dry or self._store.swap(key, there, new, ttl):
            return Outcome.WRITTEN
        return Outcome.THERE  # somebody came with the old cookie meanwhile
