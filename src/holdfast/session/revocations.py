"""Revocations: a store that knows which cookie-only sessions were ended before their time.

Law: no contents stand here, and nothing is written for a session that just lives. Each row lasts
as long as any cookie it speaks of. That can be known because the end of a handle never moves: what
is to live longer gets another one.

- `x:handle`, written once, over nothing: empty, the session was ended; else the handle it goes on
  under since a rotation or a login. Who ends a session follows these to the last one. A new token
  is told to nobody before its row stands: so no rotation undoes a logout at the same moment.
- `e:hash of user`: the epoch, 16 random bytes; the epoch before it; and the handle of the one
  session of that epoch which was kept. A session carries the epoch it was signed in under: with
  another it is dead, and no later epoch brings it back.
"""

import secrets

from holdfast.errors import StoreTimeout
from holdfast.session.data import Record
from holdfast.session.index import key_of
from holdfast.session.policy import SKEW
from holdfast.session.records import ATTEMPTS
from holdfast.session.settings import Settings
from holdfast.session.token import is_id
from holdfast.session.view import Base
from holdfast.store.protocol import AsyncStore

__all__ = ["ENDED", "Revocations", "is_revoked", "with_epoch"]

ENDED = b""
"""The row of a session that goes on nowhere."""

_EPOCH = "epoch"  # our own field of a record
_EPOCH_BYTES = 16
_FIRST = bytes(_EPOCH_BYTES)  # where nobody was revoked yet
_RESENDS = 3


class Revocations:
    """The rows of one face.

    Args:
        store: Where they are.
        settings: What it shares with the other face.
    """

    def __init__(self, store: AsyncStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._longest = max(settings.times.lifetime, settings.times.remember_up_to) + 2 * SKEW

    async def look(self, base: Base) -> bytes | None:
        """Return None if a session lives, else the handle it goes on under; empty: under none."""
        row, user = self._row(base.id), base.record.user
        epochs = [] if user is None else [self._epoch(user)]
        found = await self._store.get_many([row, *epochs])
        revoked = any(is_revoked(found.get(epoch), base) for epoch in epochs)
        return found.get(row, ENDED if revoked else None)

    async def epoch(self, user: str | int, base: Base | None = None) -> bytes | None:
        """Return the epoch a session of `user` is to carry; None if `base` was revoked.

        Args:
            user: Who.
            base: The session that goes on; None: he has just proven who he is.
        """
        row = await self._store.get(self._epoch(user))
        return None if base is not None and is_revoked(row, base) else _epoch_in(row)

    async def end(self, handle: str, came: Base | None = None) -> None:
        """End a session, wherever it may go on by now.

        Args:
            handle: Its handle.
            came: The session itself where it is known: then also how long its cookies last.
        """
        ttl = self._longest if came is None or came.id != handle else self._left(came)
        await self._mark(handle, ENDED, ttl, follow=True)

    async def move(self, base: Base, successor: str, *, follow: bool) -> bool:
        """Note that a session goes on under `successor`; return whether it may.

        Args:
            base: As it came.
            successor: The new handle, which nobody knows yet.
            follow: Whether to take over what another request made of the session meanwhile: a
                login does, a mere rotation leaves it alone.
        """
        return await self._mark(base.id, successor.encode(), self._left(base), follow=follow)

    async def revoke(self, user: str | int, keep: str | None = None) -> None:
        """Begin a new epoch: all sessions of `user` are dead but the one with the handle `keep`.

        That one is, too, if it was dead before.
        """
        key, begun = self._epoch(user), secrets.token_bytes(_EPOCH_BYTES)
        for _ in range(ATTEMPTS):
            row = await self._store.get(key)
            before = _before(row) if keep is not None and _kept(row) == keep else _epoch_in(row)
            new = begun + before + (keep or "").encode()
            if await self._store.swap(key, row, new, self._longest):
                return
        raise StoreTimeout(self._settings.store, "others kept revoking")

    async def _mark(self, handle: str, row: bytes, ttl: float, *, follow: bool) -> bool:
        """Write `row` where the session ends by now; return whether it may stand there."""
        for _ in range(ATTEMPTS):
            there = await self._write(handle, row, ttl)
            if there == row:
                return True
            target = there.decode("latin-1")
            if not follow or not is_id(target):
                return False
            handle, ttl = target, self._longest
        raise StoreTimeout(self._settings.store, "others kept renewing this session")

    async def _write(self, handle: str, row: bytes, ttl: float) -> bytes:
        """Write `row` over nothing; return what stands there then.

        No answer means: look. A row is written once, so that writing it again changes nothing.
        """
        key, lost = self._row(handle), None
        for _ in range(_RESENDS):
            try:
                if await self._store.swap(key, None, row, ttl):
                    return row
            except StoreTimeout as error:
                lost = error
            there = await self._store.get(key)
            if there is not None:
                return there
        raise lost or StoreTimeout(self._settings.store, "a row came and went")

    def _left(self, base: Base) -> float:
        """Return how long a cookie of this session may still be good."""
        return self._settings.times.left(base.record, self._settings.clock()) + 2 * SKEW

    def _row(self, handle: str) -> str:
        return f"{self._settings.prefix}x:{handle}"

    def _epoch(self, user: str | int) -> str:
        return f"{self._settings.prefix}e:{key_of(user)}"


def with_epoch(record: Record, epoch: bytes) -> Record:
    """Return `record` under this epoch of its user."""
    return record._replace(reserved={**record.reserved, _EPOCH: epoch})


def is_revoked(row: bytes | None, base: Base) -> bool:
    """Return whether the row of its user says that `base` is dead.

    Where there is none, nobody was revoked for as long as any of his sessions may have lived.
    """
    carried: object = base.record.reserved.get(_EPOCH)
    if row is None or carried == _epoch_in(row):
        return False
    return _kept(row) != base.id or carried != _before(row)


def _epoch_in(row: bytes | None) -> bytes:
    return _FIRST if row is None else row[:_EPOCH_BYTES]


def _before(row: bytes | None) -> bytes:
    return _FIRST if row is None else row[_EPOCH_BYTES : 2 * _EPOCH_BYTES]


def _kept(row: bytes | None) -> str:
    return "" if row is None else row[2 * _EPOCH_BYTES :].decode("latin-1")
