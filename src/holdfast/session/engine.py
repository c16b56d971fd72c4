"""The session engine: load, commit, and what reaches the store at the call; each one sequence.

Law: every change of a stored session is a `swap` against bytes that were read, so no write of
another is ever lost and nothing that was destroyed comes back:

- Refused means somebody wrote. Read again: absent, then it was destroyed, so drop everything; a
  forward note, then go on with its target; a record, then do the same operations to it.
- Whatever gives the client a token stands in `issuing.py`, who is listed where in `users.py`.
"""

import math

from holdfast.bridge import Waits
from holdfast.errors import StoreError
from holdfast.events import silent
from holdfast.session.data import Message, Note, Record
from holdfast.session.draft import Draft
from holdfast.session.issuing import Issuing, is_anothers, merged, still_ours
from holdfast.session.operations import NOTHING_DONE, Changes, SignIn
from holdfast.session.outcome import NOTHING, Outcome
from holdfast.session.records import ATTEMPTS, CHAIN, Records
from holdfast.session.settings import Settings
from holdfast.session.token import id_of
from holdfast.session.users import Users
from holdfast.session.view import Base
from holdfast.store.protocol import AsyncStore

__all__ = ["Engine"]


class Engine:
    """The sequences of one face.

    Args:
        store: Where the records are.
        waits: How this face waits.
        settings: What it shares with the other face.

    Attributes:
        key: What stands before an id in a store key.
        records: The records.
        users: Whose they are.
    """

    def __init__(self, store: AsyncStore, waits: Waits, settings: Settings) -> None:
        self.records = Records(store, waits, settings)
        self.users = Users(self.records, settings)
        self.key = self.records.key
        self._issuing = Issuing(self.records, self.users, settings)
        self._settings = settings
        self._times = settings.times
        self._codec = settings.codec
        self._clock = settings.clock
        self._tell = settings.tell
        self._draft = settings.draft
        self._rotates = settings.times.rotate_every < math.inf
        self._is_watched = settings.observer is not silent

    # Load

    async def open(self, token: str | None) -> Draft:
        """Return the draft of what stands under `token`; of a new session if nothing does."""
        handle = None if token is None else id_of(token)
        try:
            raw = None if handle is None else await self.records.store.get(self.key + handle)
            draft = self.judge(handle, raw, token)
            return draft if draft.doubt is None else await self.look_closer(draft)
        except StoreError as error:
            return self.adrift(error)

    def adrift(self, error: StoreError) -> Draft:
        """Return the draft of a visitor who is anonymous for once, if that is allowed."""
        if not self._settings.anonymous:
            raise error
        self._settings.tell_down(error)
        draft = self._draft(self._clock())
        draft.adrift = error
        return draft

    def judge(self, handle: str | None, raw: bytes | None, token: str | None = None) -> Draft:
        """Return the draft of `raw`, found under `handle`; what is unclear stands in `doubt`."""
        now = self._clock()
        if handle is None:
            if token is not None:
                self._tell("rejected", "")
            return self._draft(now)
        found = None if raw is None else self.records.parse(handle, raw)
        if isinstance(found, Base) and not self._times.is_over(found.record, now):
            draft = self._draft(now, found)
            if found.record.user is not None and self.users.must_ask(found.raw):
                draft.doubt = found
            elif self._is_watched:
                self._tell("loaded", handle)
            return draft
        draft = self._draft(now)
        if isinstance(found, Base):
            draft.doubt = found
        elif isinstance(found, Note):
            draft.forwarded = handle
            draft.doubt = found if now < found.until else None
            if draft.doubt is None:
                self._tell("replayed", handle)
        else:
            self._tell("unknown" if raw is None else "corrupt", handle)
        return draft

    async def look_closer(self, draft: Draft) -> Draft:
        """Return the draft of what can be said only by asking further."""
        doubt, draft.doubt = draft.doubt, None
        if isinstance(doubt, Note):
            return await self._in_grace(draft, doubt)
        if draft.base is not None:
            return await self._loaded(draft, draft.base)
        if doubt is not None:
            self._tell("expired", doubt.id)
            # Unless somebody wrote to it in time. If not, whoever comes next finds it again.
            await self.records.discard(doubt.id, doubt.raw)
        return draft

    async def _in_grace(self, old: Draft, note: Note) -> Draft:
        """Return what a token reads that was rotated away by time a moment ago."""
        for _ in range(CHAIN):
            raw = await self.records.store.get(self.key + note.target)
            draft = self.judge(note.target, raw)
            if draft.base is not None:
                draft.in_grace = True
                return draft if draft.doubt is None else await self._loaded(draft, draft.base)
            if not isinstance(draft.doubt, Note):
                break
            note = draft.doubt
        return old

    async def _loaded(self, draft: Draft, base: Base) -> Draft:
        """Return what `_admitted` does, and tell of it."""
        if (admitted := await self._admitted(draft, base)) is draft:
            self._tell("loaded", base.id)
        return admitted

    async def _admitted(self, draft: Draft, base: Base) -> Draft:
        """Return `draft` if its user is still welcome, else a new one whose token is forgotten."""
        draft.doubt, user = None, base.record.user
        if await self.users.welcomes(base):
            return draft
        await self.records.destroy(base.id, of=user)
        self._tell("revoked", base.id, user=user, reason="not welcome")
        anonymous = self._draft(draft.now)
        anonymous.expire = True
        return anonymous

    async def is_alive(self, base: Base) -> bool:
        """Return whether a session that was loaded is still there, and still its user's."""
        found = await self.records.again(base.id, 0)
        if found is None or is_anothers(found.record, base.record):
            return False
        draft = self._draft(self._clock(), found)
        return (await self._admitted(draft, found)).base is not None

    # Commit

    async def commit(self, draft: Draft, *, failed: bool = False) -> Outcome:
        """Write what the request did; with `failed`, only what it asked for as a whole.

        Raises:
            CodecError: A value cannot be written; nothing of the contents was.
            StoreError: The store failed. After `StoreTimeout` the outcome is unknown.
            TooManySessions: A login was refused.
        """
        late, vital = draft.begun, draft.is_vital()
        try:
            await self._commit(draft, failed=failed)
        except StoreError as error:
            if vital or not self._settings.anonymous:
                raise
            self._settings.tell_down(error)
            draft.begun = True
            return NOTHING
        draft.begun = True
        return NOTHING if late else self._outcome(draft)

    async def _commit(self, draft: Draft, *, failed: bool) -> None:
        for handle, user in draft.doomed:
            await self.records.destroy(handle)
            if user is not None:
                self._tell("logout", handle, user=user)
        draft.doomed = ()
        for name in draft.unreadable:
            self._tell("corrupt", draft.handle, name=name)
        draft.unreadable = ()
        if failed:
            draft.fail()
        changes = draft.gather()
        if draft.adrift is not None or draft.dropped:
            pass  # whatever it wrote has no place
        elif draft.base is None:
            await self._issuing.create(draft, changes)
        elif draft.sign_in is not None or (draft.rotating and not draft.in_grace):
            await self._rotate(draft, draft.base, changes, timed=False)
        elif draft.in_grace:
            self._refuse(draft, changes)
        elif not draft.begun and self._times.must_rotate(draft.base.record, self._clock()):
            await self._rotate(draft, draft.base, changes, timed=True)
        else:
            await self._update(draft, draft.base, changes, loaded=draft.base.record)
        draft.settle(changes)

    def _outcome(self, draft: Draft) -> Outcome:
        """Return what the client must be told at the start of the response."""
        base = draft.base
        for token in (draft.unsent, draft.renewed):
            if base is not None and token is not None and id_of(token) == base.id:
                draft.unsent = draft.renewed = None
                return self._settings.sent(token, base.record)
        return Outcome(None, None, expire=draft.expire and base is None)

    def _refuse(self, draft: Draft, changes: Changes) -> None:
        """Tell that what a token in its grace wrote is not kept."""
        if draft.rotating or changes is not NOTHING_DONE:
            draft.rotating, draft.renewed = False, None
            self._tell("conflict_dropped", draft.handle, reason="grace")

    def is_idle(self, draft: Draft) -> bool:
        """Return whether a commit has nothing to do, and note that it was done."""
        base = draft.base
        if base is None or draft.marks or draft.touched or draft.is_asked():
            return False
        if draft.handed and draft.gather() is not NOTHING_DONE:
            return False
        if not draft.begun and self._times.is_due(base.record, self._clock()):
            return False
        draft.begun = True
        return True

    def first_write(self, draft: Draft) -> tuple[Changes, bytes, Base] | None:
        """Return the changes, what is there and what a commit of contents alone puts there."""
        base = draft.base
        if base is None or draft.begun or draft.in_grace or draft.is_asked():
            return None
        if self._rotates and self._times.must_rotate(base.record, self._clock()):
            return None
        changes = draft.gather()
        new = None if changes is NOTHING_DONE else self._replayed(base, changes)
        return None if new is None else (changes, base.raw, new)

    def wrote(self, draft: Draft, changes: Changes, new: Base) -> None:
        """Note that the first write was done."""
        draft.base = self.records.remember(new)
        draft.settle(changes)
        draft.begun = True

    def _replayed(self, base: Base, changes: Changes) -> Base | None:
        """Return `base` as `changes` leave it; None if that is as it was."""
        before = base.record
        record = changes.replay(before, self._codec, self._clock())
        anyway = changes.forced or changes.cleared  # what came meanwhile must go, too
        same = record.data == before.data and record[4:] == before[4:]  # the likely one first
        return None if same and not anyway else self.records.based(base.id, record)

    async def _update(self, draft: Draft, base: Base, changes: Changes, *, loaded: Record) -> None:
        """Do `changes` to whatever the record has become; write nothing if they change nothing."""
        before = base.record
        new = None if changes is NOTHING_DONE else self._replayed(base, changes)
        if new is None:
            await self._touch(draft, base)
            return
        for attempt in range(ATTEMPTS):
            if await self.records.write(base.raw, new):
                draft.follow(self.records.remember(new))
                if base.record is not before:
                    merged(self.records, base, changes.lost(before, base.record))
                return
            again = await self.records.again(base.id, attempt)
            found = still_ours(draft, self.records, base.id, found=again, loaded=loaded)
            if found is None:
                return
            base = found
            replayed = changes.replay(base.record, self._codec, self._clock())
            new = self.records.based(base.id, replayed)
        raise self.records.busy()

    async def _touch(self, draft: Draft, base: Base) -> None:
        """Move `seen` if it lags; for this, nothing is repeated and nobody fails."""
        now = self._clock()
        draft.follow(base)
        if draft.begun or not self._times.must_touch(base.record, now):
            return
        new = self.records.based(base.id, base.record._replace(seen=now))
        try:
            if await self.records.write_once(base.raw, new):
                draft.base = new
        except StoreError as error:
            self._tell("touch_failed", base.id, error=error)

    async def _rotate(self, draft: Draft, base: Base, changes: Changes, *, timed: bool) -> None:
        """Rotate; where another did so at the same time, write to what he made of it."""
        loaded = base.record
        try:
            other = await self._issuing.rotate(draft, base, changes, timed=timed)
        except StoreError as error:
            if not timed or changes is not NOTHING_DONE:
                raise
            self._tell("touch_failed", base.id, error=error)  # it only read: the next one rotates
            return
        if other is not None:
            await self._update(draft, other, changes, loaded=loaded)

    # What reaches the store at the call

    async def login(self, draft: Draft, sign_in: SignIn) -> None:
        """Sign in now, with all that was done so far.

        Raises:
            TooManySessions: There is no room for one more; nobody is signed in.
        """
        if draft.adrift is not None:
            raise draft.adrift
        before = draft.user
        draft.enter(sign_in)
        try:
            changes = draft.gather()
            await self._sign_in(draft, changes)
        except BaseException:
            draft.sign_in = None  # who hears that it failed is not signed in by the commit
            if before not in (None, sign_in.user):
                draft.revert()  # and who still is loses nothing
            raise
        draft.settle(changes)

    async def _sign_in(self, draft: Draft, changes: Changes) -> None:
        if draft.base is None:
            await self._issuing.create(draft, changes)
        else:
            await self._issuing.rotate(draft, draft.base, changes, timed=False)

    async def claim(self, draft: Draft, box: str, most: int | None) -> list[Message]:
        """Take up to `most` messages out of `box`: whose swap removes one, his it is."""
        base, taken = draft.base, list[Message]()
        if draft.in_grace:
            return taken  # they are for who has the new token
        for attempt in range(ATTEMPTS):
            stored = draft.stored_in(box)[:most]
            if base is None or not stored:
                break
            claiming = Changes({})
            claiming.claimed = {one.id for one in stored}
            replayed = claiming.replay(base.record, self._codec, self._clock())
            new = self.records.based(base.id, replayed)
            if await self.records.write(base.raw, new):
                draft.base, taken = new, stored
                break
            found = await self.records.again(base.id, attempt)
            if found is None or found.record.gen != base.record.gen:
                return []  # somebody signed in meanwhile: they are his
            base = found
            draft.follow(base)
        else:
            raise self.records.busy()
        if most is None or len(taken) < most:
            taken += draft.claim(box, None if most is None else most - len(taken))
        return taken

    async def restore(self, handle: str, raw: bytes) -> bool:
        """Put back a record that was dumped, unless it is over or something stands there.

        One that another restore put there and could not list any more is listed now.
        """
        found = self.records.read(handle, raw)
        if not isinstance(found, Record) or self._times.is_over(found, self._clock()):
            return False
        base = Base(handle, raw, found)
        written = await self.records.write(None, base)
        if not written and await self.records.store.get(self.key + handle) != raw:
            return False
        if found.user is None or await self.users.enter(base, "", restored=True):
            return written
        await self.records.destroy(handle, of=found.user)
        return False

    async def flush(self, draft: Draft) -> None:
        """Write what was done so far, but no new session, which waits for the commit.

        Who knows a token that is to be replaced gets to see nothing of it: it is replaced first.
        """
        base, changes = draft.base, draft.gather()
        if draft.sign_in is not None:
            await self._sign_in(draft, changes)
        elif base is None or draft.in_grace:
            return
        elif draft.rotating:
            await self._rotate(draft, base, changes, timed=False)
        elif changes is not NOTHING_DONE:
            await self._update(draft, base, changes, loaded=base.record)
        draft.settle(changes)
