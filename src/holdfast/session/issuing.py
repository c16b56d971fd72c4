"""Issuing: a session gets a token, its first or another.

Law: the new record is written first, then the old one is swapped for a forward note, then its
user's index, and only then is the token told to anybody. Late commits follow a note; loads never
do, but for the short grace of a rotation by time, and then they only read. A note is never replaced
by another: who finds one gives way, unless he signs somebody in: then he rotates its target.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.errors import TooManySessions
from holdfast.session.csrf import new_secret
from holdfast.session.data import Record, blank, new_rev
from holdfast.session.draft import Draft
from holdfast.session.operations import Changes, SignIn
from holdfast.session.records import ATTEMPTS, Records
from holdfast.session.settings import Settings
from holdfast.session.token import id_of, new_token
from holdfast.session.users import Users
from holdfast.session.view import Base

__all__ = ["Issuing", "is_anothers", "merged", "still_ours"]

_OF_NOBODY = ("csrf", "schema")  # our own fields that have to do with no user


class Issuing:
    """The sequences that end with a new token, of one face; it is left in `Draft.unsent`.

    Args:
        records: Where the sessions are.
        users: Where they are listed.
        settings: What it shares with the other face.
    """

    def __init__(self, records: Records, users: Users, settings: Settings) -> None:
        self._records = records
        self._users = users
        self._settings = settings

    async def create(self, draft: Draft, changes: Changes) -> None:
        """Store a new session, if there is something to remember.

        Raises:
            TooManySessions: Its user has as many as he may have; it is stored without him.
        """
        now, sign_in = self._settings.clock(), draft.sign_in
        plain = changes.replay(blank(now), self._settings.codec, now)
        if draft.begun or not (plain.data or plain.messages or sign_in or draft.csrf):
            return
        if draft.forwarded is not None:
            drop(draft, self._records, draft.forwarded, "forwarded")
            return
        plain = plain._replace(reserved={"csrf": new_secret(), **plain.reserved})
        record = plain if sign_in is None else sign_in.enter(plain, changes.reserved)
        for _ in range(2):
            base = self._records.based(draft.new_id(), record)
            if await self._records.write(None, base):
                draft.base, draft.unsent, draft.rotating = base, draft.token, False
                with _untold(draft):
                    self._records.tell("created", base.id)
                    await self._enter(draft, sign_in, changes, base)
                return
            draft.token = None  # taken, by an earlier commit of ours whose answer was lost
        raise self._records.busy()

    async def rotate(
        self, draft: Draft, base: Base, changes: Changes, *, timed: bool
    ) -> Base | None:
        """Go on under a new token, and leave a forward note under the old one.

        Args:
            draft: What is asked for; its base becomes the new record.
            base: The record as it was read.
            changes: What was done to the contents.
            timed: Whether it is merely time; then the old token reads a little longer.

        Returns:
            None when all is done; the record others rotated it to if `changes` must go there.

        Raises:
            TooManySessions: As in `create`.
        """
        before, sign_in, settings = base, draft.sign_in, self._settings
        if draft.followed and sign_in is None:
            draft.rotating = False
            return base
        token, written = new_token(), None
        handle = id_of(token) or ""
        for attempt in range(ATTEMPTS):
            now = settings.clock()
            new = self._records.based(handle, self._rotated(base.record, sign_in, changes, now))
            if not await self._records.write(written, new):
                raise self._records.busy()  # nobody else can know this id
            written = new.raw
            until = now + settings.times.rotate_grace if timed else 0.0
            note = self._records.note(base.id, handle, until)
            if await self._records.swap(base.id, base.raw, note, settings.times.note_ttl):
                draft.base, draft.unsent, draft.rotating, draft.in_grace = new, token, False, False
                draft.followed = False
                with _untold(draft):
                    if base is not before:
                        merged(self._records, base, changes.lost(before.record, base.record))
                    self._records.tell("rotated", base.id, to=handle)
                    await self._list(draft, sign_in, changes, base, new)
                return None
            found = await self._records.again(base.id, attempt)
            if found is None or (found.id != base.id and sign_in is None):
                # Destroyed: nothing comes back. Rotated by another: its client has the new token,
                # and must neither lose it nor hand it to whoever sent this request.
                await self._records.discard(handle, written)
                draft.rotating = False
                loaded = before.record
                return still_ours(draft, self._records, base.id, found=found, loaded=loaded)
            base = found
        raise self._records.busy()

    def _rotated(
        self, before: Record, sign_in: SignIn | None, changes: Changes, now: float
    ) -> Record:
        """Return what goes on under the new token."""
        welcome = before if sign_in is None else sign_in.welcome(before)
        record = changes.replay(welcome, self._settings.codec, now)
        if sign_in is not None:
            return sign_in.enter(record, changes.reserved)
        return record._replace(reserved={**record.reserved, "rotated": now})

    async def _list(
        self, draft: Draft, sign_in: SignIn | None, changes: Changes, old: Base, new: Base
    ) -> None:
        """List a rotated session, or end it if it was revoked meanwhile."""
        if sign_in is not None:
            former = old.record.user
            if former not in (None, sign_in.user):
                await self._users.leave(former, old.id)
            await self._enter(draft, sign_in, changes, new, old.id)
        elif new.record.user is not None and not await self._users.move(old.id, new):
            await self._records.destroy(new.id, of=new.record.user, follow=False)
            drop(draft, self._records, new.id, "revoked")

    async def _enter(
        self, draft: Draft, sign_in: SignIn | None, changes: Changes, new: Base, old: str = ""
    ) -> None:
        """List a session of a login, or take the login back if there is no room."""
        if sign_in is None:
            return
        draft.sign_in = None
        if await self._users.enter(new, old):
            self._records.tell("login", new.id, user=sign_in.user)
            return
        left = draft.base = await self._signed_out(new)
        if left is None:
            draft.drop()
        elif not (old or left.record.data or left.record.messages or draft.csrf):
            await self._records.discard(left.id, left.raw)  # he came with nothing
            self._records.tell("destroyed", left.id)
            draft.base = draft.unsent = draft.token = None
        draft.settle(changes)
        self._records.tell("login_refused", new.id, user=sign_in.user)
        raise TooManySessions(self._settings.max_sessions or 0)

    async def _signed_out(self, base: Base) -> Base | None:
        """Take the user out of a session nobody has the token of; return what is left to us."""
        for attempt in range(ATTEMPTS):
            record = base.record
            kept = {name: own for name, own in record.reserved.items() if name in _OF_NOBODY}
            left = record._replace(rev=new_rev(), gen=record.gen + 1, reserved=kept)
            plain = self._records.based(base.id, left)
            if await self._records.write(base.raw, plain):
                return plain
            found = await self._records.again(base.id, attempt)
            if found is None or found.id != base.id:
                return None  # ended, or somebody else signed in and went on with it
            base = found
        raise self._records.busy()


@contextmanager
def _untold(draft: Draft) -> Iterator[None]:
    """Let go of a session that may not be listed: its token must not be told."""
    try:
        yield
    except TooManySessions:
        raise  # it is nobody's, and needs no list
    except BaseException:
        draft.drop()
        raise


def is_anothers(found: Record, loaded: Record) -> bool:
    """Return whether somebody else has signed in since `loaded` was read."""
    return loaded.user is not None and found.user != loaded.user


def still_ours(
    draft: Draft, records: Records, handle: str, *, found: Base | None, loaded: Record
) -> Base | None:
    """Return what a session has become, or let go of it if it is not this request's any more.

    Args:
        draft: The request's work.
        records: To tell of it.
        handle: The id the session had.
        found: What was found when it was read again; None: it is gone.
        loaded: What this request loaded.
    """
    if found is None:
        drop(draft, records, handle, "destroyed")
    elif is_anothers(found.record, loaded):
        drop(draft, records, handle, "another user")
    else:
        return found
    return None


def merged(records: Records, base: Base, lost: list[str]) -> None:
    """Tell that others had written to `base`, and whose names were overwritten."""
    records.tell("conflict_merged", base.id)
    if lost:
        records.tell("conflict_dropped", base.id, names=lost, reason="overwritten")


def drop(draft: Draft, records: Records, handle: str, reason: str) -> None:
    """Let go of a session that is not ours to write any more."""
    draft.drop()
    records.tell("conflict_dropped", handle, reason=reason)
