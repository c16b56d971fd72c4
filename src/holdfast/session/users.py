"""Users: whose sessions are whose, how many he may have, and how they are ended all at once.

Law: the index of a user is one record, changed by swaps only, so that who may stay is decided once,
whoever asks at the same moment. A session is listed before its token is sent, and condemned in the
index before its record is destroyed: a crash in between leaves nothing alive and unlisted that
anybody has a token of. A rotation that finds itself condemned or unlisted ends the session.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from holdfast.errors import StoreError, StoreTimeout
from holdfast.session.data import Note
from holdfast.session.index import Entry, decode, encode, key_of, oldest, replaced
from holdfast.session.policy import SKEW
from holdfast.session.records import ATTEMPTS, CHAIN, Records
from holdfast.session.settings import Settings
from holdfast.session.view import Base

__all__ = ["SessionInfo", "Users"]

_PRUNE_ABOVE = 16  # entries: from so many on, a login looks which of them are gone
_UNANSWERED = 3
_Change = Callable[[list[Entry]], Awaitable[list[Entry] | None]]


class SessionInfo(NamedTuple):
    """One session of a user, for a page that lists them.

    Attributes:
        id: What `Sessions.destroy` and `revoke(keep=...)` take; it opens no session.
        user: Whose it is.
        label: What `login` called it.
        created: When he signed in: UTC seconds.
        seen: When it was last used: UTC seconds, up to `touch_every` behind.
        expires: When it is over if it is not used again: UTC seconds.
        address: The network he signed in from, if that is kept.
        agent: The User-Agent he signed in with, if that is kept.
    """

    id: str
    user: str | int
    label: str | None
    created: float
    seen: float
    expires: float
    address: str | None
    agent: str | None


class Users:
    """The indexes of one face.

    Args:
        records: The sessions they list.
        settings: What it shares with the other face.
    """

    def __init__(self, records: Records, settings: Settings) -> None:
        self._records = records
        self._settings = settings
        self._key = f"{settings.prefix}u:"

    async def of(self, user: str | int) -> list[SessionInfo]:
        """Return the sessions of `user`, the one used last first."""
        live = [entry.id for entry in await self._entries(key_of(user)) if not entry.dying]
        now, found = self._settings.clock(), await self._records.find(live)
        infos = []
        for base in found.values():
            if isinstance(base, Base) and not self._settings.times.is_over(base.record, now):
                info = self._info(base)
                if info is not None and key_of(info.user) == key_of(user):
                    infos.append(info)
        return sorted(infos, key=lambda info: info.seen, reverse=True)

    def _info(self, base: Base) -> SessionInfo | None:
        record = base.record
        if record.user is None:
            return None
        return SessionInfo(
            id=base.id,
            user=record.user,
            label=record.text("label"),
            created=record.created,
            seen=record.seen,
            expires=self._settings.times.expires(record),
            address=record.text("address"),
            agent=record.text("agent"),
        )

    def must_ask(self, raw: bytes) -> bool:
        """Return whether a session of a user, loaded as `raw`, is still to be `welcomes`d."""
        return self._settings.check_user is not None or self._records.is_old(raw)

    async def welcomes(self, base: Base) -> bool:
        """Return whether the user of a loaded session may go on with it.

        The list he stands in must be readable as long as his sessions: where an older key sealed
        the session, it is sealed anew before the session is.
        """
        user = base.record.user
        if user is not None and self._records.is_old(base.raw):
            with suppress(StoreError):  # who only reads must not fail for it: the next one tries
                await self._change(key_of(user), _as_it_is)
        return await self._settings.welcomes(user)

    async def enter(self, base: Base, replaces: str, *, restored: bool = False) -> bool:
        """List a session somebody was just signed in with.

        Args:
            base: The session.
            replaces: The id it had before.
            restored: It comes out of an archive, and ends none of the others.

        Returns:
            Whether there was room for it; the oldest of the others may have been ended for that.
        """
        user = base.record.user
        assert user is not None  # noqa: S101 - he was signed in a moment ago
        name, most, new = key_of(user), self._settings.max_sessions, self._entry(base)

        async def change(entries: list[Entry]) -> list[Entry] | None:
            gone = (base.id, replaces)
            others = [one for one in entries if one.dying or one.id not in gone]
            if len(others) >= (_PRUNE_ABOVE if most is None else most):
                if not await self._is_there(base.id):
                    return entries  # rotated away already: who did that lists it
                others = await self._pruned(others, base.id)
            if most is None:
                return [*others, new]
            condemned = oldest(others, room=most)
            if condemned and (restored or not self._settings.evicts):
                return None
            return [*(one._replace(dying=one.dying or one.id in condemned) for one in others), new]

        listed = await self._change(name, change)
        if listed is None:
            await self._finish(user, await self._entries(name), "evicted")
            return False
        await self._finish(user, listed, "evicted")
        return True

    async def move(self, old: str, new: Base) -> bool:
        """List a rotated session under its new id; return False if it was revoked meanwhile."""
        user = new.record.user
        assert user is not None  # noqa: S101 - only sessions of users are listed
        add = self._settings.may_forget

        async def change(entries: list[Entry]) -> list[Entry] | None:
            return replaced(entries, old, self._entry(new), add=add)

        return await self._change(key_of(user), change) is not None

    async def leave(self, user: str | int, handle: str) -> None:
        """Take a session off the list of somebody who has made way for another user."""

        async def change(entries: list[Entry]) -> list[Entry]:
            return [one for one in entries if one.dying or one.id != handle]

        with suppress(StoreError):  # its record is a forward note: it is gone soon, and then pruned
            await self._change(key_of(user), change)

    async def revoke(self, user: str | int, keep: str | None) -> int:
        """End all sessions of `user` but `keep`, also those that begin meanwhile.

        Returns:
            How many there were.

        Raises:
            ConfigError: The store may forget some of them.
        """
        self._settings.needs_memory("revoke")
        name, ended = key_of(user), 0

        async def change(entries: list[Entry]) -> list[Entry]:
            kept = await self._trail(keep)  # now, as it may have been rotated since it was asked
            if kept:
                entries = await self._standing(entries)
            return [one._replace(dying=one.dying or one.id not in kept) for one in entries]

        for _ in range(ATTEMPTS):
            listed = await self._change(name, change) or []
            if not any(one.dying for one in listed):
                return ended
            ended += await self._finish(user, listed, "revoked")
        raise self._records.busy()

    async def _trail(self, handle: str | None) -> set[str]:
        """Return `handle` and the ids that its forward notes lead to."""
        trail = set[str]()
        while handle is not None and len(trail) <= CHAIN:
            trail.add(handle)
            found = (await self._records.find([handle])).get(handle)
            handle = found.target if isinstance(found, Note) else None
        return trail

    async def _finish(self, user: str | int, entries: Sequence[Entry], reason: str) -> int:
        """Destroy the condemned, then take them off the list; return how many were alive."""
        dying = {entry.id: entry.login for entry in entries if entry.dying}
        ended = 0
        for handle, login in dying.items():
            if await self._records.destroy(handle, of=user, since=login):
                ended += 1
                self._records.tell("revoked", handle, user=user, reason=reason)

        async def change(entries: list[Entry]) -> list[Entry]:
            return [entry for entry in entries if entry.id not in dying]

        if dying:
            await self._change(key_of(user), change)
        return ended

    async def _pruned(self, entries: list[Entry], own: str) -> list[Entry]:
        """Return `entries` without those that are gone; where none counts, without some of them.

        A program that signs in with each request has thousands: a login asks for a few at random,
        more than it adds, so that hardly any of those that stay are gone.
        """
        asked = entries
        if self._settings.max_sessions is None:
            asked = random.sample(entries, _PRUNE_ABOVE)  # no secret
        gone = set(asked) - set(await self._standing(asked, own))
        return [entry for entry in entries if entry not in gone]

    async def _is_there(self, handle: str) -> bool:
        """Return whether a record stands there, not a forward note."""
        return isinstance((await self._records.find([handle])).get(handle), Base)

    async def _standing(self, entries: list[Entry], *own: str) -> list[Entry]:
        """Return the condemned, and the entries of each session that is there, once.

        A session that is rotated just now may stand there under the id it had and the one it has.
        """
        found = await self._records.find([entry.id for entry in entries])
        known = {*own, *(entry.id for entry in entries)}
        standing = []
        for entry in entries:
            there = found.get(entry.id)
            ahead = await self._trail(there.target) if isinstance(there, Note) else set()
            if entry.dying or (there is not None and ahead.isdisjoint(known)):
                standing.append(entry)
        return standing

    def _entry(self, base: Base) -> Entry:
        end = self._settings.times.left(base.record, 0.0)  # as seen from the epoch
        return Entry(base.id, base.record.created, end)

    # One index

    async def _entries(self, name: str) -> list[Entry]:
        return self._decoded(name, await self._records.store.get(self._key + name))

    def _decoded(self, name: str, raw: bytes | None) -> list[Entry]:
        if raw is None:
            return []
        entries = decode(self._records.unshut(f"u:{name}", raw))
        if not entries:  # an empty one is never written
            self._records.tell("corrupt", "", name="the list of a user's sessions")
        return entries

    async def _change(self, name: str, change: _Change) -> list[Entry] | None:
        """Change an index until a swap wins; return it, or None if `change` left it.

        `change` may be asked again after its change was made: it must then change nothing more.
        """
        key, unanswered = self._key + name, 0
        for attempt in range(ATTEMPTS):
            raw = await self._records.store.get(key)
            entries = self._decoded(name, raw)
            new = await change(entries)
            if new is None or (new == entries and not (entries and self._records.is_old(raw))):
                return new
            sealed = self._records.shut(f"u:{name}", encode(new)) if new else None
            ends = max((entry.end for entry in new), default=0.0) + SKEW  # by any host's clock
            try:
                if await self._records.store.swap(key, raw, sealed, ends - self._settings.clock()):
                    return new
            except StoreTimeout:
                unanswered += 1
                if unanswered == _UNANSWERED:
                    raise
            await self._records.pause(attempt)
        raise self._records.busy()


async def _as_it_is(entries: list[Entry]) -> list[Entry]:
    """Change nothing."""
    return entries
