"""The session engine: load, commit, rotate, log in, destroy, claim; each one sequence.

Law: every change of a stored session is a `swap` against bytes that were read, so no write of
another is ever lost and nothing that was destroyed comes back:

- Refused means somebody wrote. Read again: absent, then it was destroyed, so drop everything; a
  forward note, then go on with its target; a record, then do the same operations to it.
- Rotating writes the new record first, then swaps the old one for a forward note. Late commits
  follow a note, loads never do. A token is told to nobody before its note stands.
"""

import math
from typing import NamedTuple

from holdfast.bridge import Waits
from holdfast.errors import StoreError
from holdfast.session.csrf import new_secret
from holdfast.session.data import Message, Note, Record, blank, decode, encode_note
from holdfast.session.draft import Base, Draft
from holdfast.session.operations import NOTHING_DONE, Changes
from holdfast.session.records import ATTEMPTS, CHAIN, Records, Settings, based
from holdfast.session.token import id_of, new_token
from holdfast.store.protocol import AsyncStore

__all__ = ["NOTHING", "Engine", "Outcome"]


class Outcome(NamedTuple):
    """What to send to the client after a commit.

    Attributes:
        token: The token it does not hold yet; None: none.
        max_age: Whole seconds the client may keep it; None: until the browser closes.
        expire: Whether the client is to forget its token.
    """

    token: str | None
    max_age: int | None
    expire: bool

    def __repr__(self) -> str:
        token = None if self.token is None else "..."  # whoever reads the log must not become him
        return f"Outcome(token={token}, max_age={self.max_age}, expire={self.expire})"


NOTHING = Outcome(None, None, expire=False)


class Engine:
    """The sequences of one face.

    Args:
        store: Where the records are.
        waits: How this face waits.
        settings: What it shares with the other face.

    Attributes:
        key: What stands before an id in a store key.
    """

    def __init__(self, store: AsyncStore, waits: Waits, settings: Settings) -> None:
        self._records = Records(store, waits, settings)
        self._settings = settings
        self._times = settings.times
        self._codec = settings.codec
        self._clock = settings.clock
        self._tell = self._records.tell
        self.key = self._records.key

    # Load

    async def open(self, token: str | None) -> Draft:
        """Return the draft of what stands under `token`; of a new session if nothing does."""
        handle = None if token is None else id_of(token)
        raw = None if handle is None else await self._records.store.get(self.key + handle)
        draft = self.judge(handle, raw)
        if draft.over is not None:
            await self.bury(draft.over)
        return draft

    def judge(self, handle: str | None, raw: bytes | None) -> Draft:
        """Return the draft of `raw`, as it was found under `handle`; what is over is in `over`."""
        now = self._clock()
        if handle is None or raw is None:
            return Draft(self._codec, now)
        found = self._records.parse(handle, raw)
        if isinstance(found, Base):
            record = found.record
            if not self._times.is_over(record.created, record.seen, now):
                return Draft(self._codec, now, found)
        draft = Draft(self._codec, now)
        if isinstance(found, Base):
            draft.over = found
        elif isinstance(found, Note):
            draft.forwarded = handle
            self._tell("forwarded", handle)
        else:
            self._tell("corrupt", handle)
        return draft

    async def bury(self, over: Base) -> None:
        """Remove a session that is over, unless somebody wrote to it in time."""
        self._tell("expired", over.id)
        await self._records.discard(over.id, over.raw)  # if not, whoever comes next finds it again

    # Commit

    async def commit(self, draft: Draft, *, failed: bool = False) -> Outcome:
        """Write what the request did; with `failed`, only what it asked for as a whole.

        Raises:
            CodecError: A value cannot be written; nothing of the contents was.
            StoreError: The store failed. After `StoreTimeout` the outcome is unknown.
        """
        late = draft.committed is not None
        for handle in draft.doomed:
            await self.destroy(handle)
        draft.doomed = ()
        for name in draft.unreadable:
            self._tell("corrupt", draft.handle, name=name)
        draft.unreadable = ()
        if failed:
            draft.fail()
        changes = draft.gather()
        if draft.base is None:
            outcome = await self._create(draft, changes)
        elif draft.sign_in is not None or draft.rotating:
            outcome = await self._rotate(draft, draft.base, changes)
        else:
            outcome = await self._update(draft, draft.base, changes, loaded=draft.base.record)
        draft.settle(changes)
        return NOTHING if late else outcome

    def is_idle(self, draft: Draft) -> bool:
        """Return whether a commit has nothing to do, and note that it was done."""
        base = draft.base
        if base is None or draft.marks or draft.touched or draft.is_asked():
            return False
        if draft.handed and draft.gather() is not NOTHING_DONE:
            return False
        if draft.committed is None and self._times.must_touch(base.record.seen, self._clock()):
            return False
        draft.settle(NOTHING_DONE)
        return True

    def first_write(self, draft: Draft) -> tuple[Changes, bytes, Base] | None:
        """Return the changes, what is there and what a commit of contents alone puts there."""
        base = draft.base
        if base is None or draft.committed is not None or draft.is_asked():
            return None
        changes = draft.gather()
        new = None if changes is NOTHING_DONE else self._replayed(base, changes)
        return None if new is None else (changes, base.raw, new)

    def wrote(self, draft: Draft, changes: Changes, new: Base) -> None:
        """Note that the first write was done."""
        draft.base = self._records.remember(new)
        draft.settle(changes)

    def _replayed(self, base: Base, changes: Changes) -> Base | None:
        """Return `base` as `changes` leave it; None if that is as it was."""
        before = base.record
        record = changes.replay(before, self._codec, self._clock())
        anyway = changes.forced or changes.cleared  # what came meanwhile must go, too
        same = record.data == before.data and record[4:] == before[4:]  # the likely one first
        return None if same and not anyway else based(base.id, record)

    async def _create(self, draft: Draft, changes: Changes) -> Outcome:
        """Store a new session, if there is something to remember."""
        sign_in, now = draft.sign_in, self._clock()
        record = changes.replay(blank(now), self._codec, now)
        empty = not (record.data or record.messages or sign_in or draft.csrf)
        if empty or draft.committed is not None:
            return Outcome(None, None, expire=draft.expire)
        if draft.forwarded is not None:
            return self._dropped(draft, draft.forwarded, "forwarded")
        record = record._replace(reserved={"csrf": draft.csrf or new_secret()})
        if sign_in is not None:
            record = sign_in.enter(record)
        for _ in range(2):
            base = based(draft.new_id(), record)
            if await self._records.write(None, base):
                draft.base, draft.sign_in, draft.rotating = base, None, False
                return self._sent(draft.token, base.record)
            draft.token = None  # taken, by an earlier commit of ours whose answer was lost
        raise self._records.busy()

    async def _update(
        self, draft: Draft, base: Base, changes: Changes, *, loaded: Record
    ) -> Outcome:
        """Do `changes` to whatever the record has become; write nothing if they change nothing."""
        before = base.record
        new = None if changes is NOTHING_DONE else self._replayed(base, changes)
        if new is None:
            return await self._touch(draft, base)
        for attempt in range(ATTEMPTS):
            if await self._records.write(base.raw, new):
                draft.base = self._records.remember(new)
                if base.record is not before:
                    self._merged(base, changes.lost(before, base.record))
                return NOTHING
            found = await self._records.again(base.id, attempt)
            if found is None:
                return self._dropped(draft, base.id, "destroyed")
            if _is_anothers(found.record, loaded):
                return self._dropped(draft, base.id, "another user")
            base = found
            new = based(base.id, changes.replay(base.record, self._codec, self._clock()))
        raise self._records.busy()

    async def _touch(self, draft: Draft, base: Base) -> Outcome:
        """Move `seen` if it lags; for this, nothing is repeated and nobody fails."""
        now = self._clock()
        draft.base = base
        if draft.committed is not None or not self._times.must_touch(base.record.seen, now):
            return NOTHING
        new = based(base.id, base.record._replace(seen=now))
        try:
            if await self._records.write_once(base.raw, new):
                draft.base = new
        except StoreError:
            self._tell("touch_failed", base.id)
        return NOTHING

    async def _rotate(self, draft: Draft, base: Base, changes: Changes) -> Outcome:
        """Go on under a new token, and leave a forward note under the old one."""
        before, sign_in = base, draft.sign_in
        token, written = new_token(), None
        handle = id_of(token) or ""
        for attempt in range(ATTEMPTS):
            old = base.record if sign_in is None else sign_in.welcome(base.record)
            record = changes.replay(old, self._codec, self._clock())
            new = based(handle, record if sign_in is None else sign_in.enter(record))
            if not await self._records.write(written, new):
                raise self._records.busy()  # nobody else can know this id
            written = new.raw
            note = encode_note(handle)
            if await self._records.swap(base.id, base.raw, note, self._times.forward_note):
                draft.base, draft.sign_in, draft.rotating = new, None, False
                if base is not before:
                    self._merged(base, changes.lost(before.record, base.record))
                self._tell("rotated", base.id, to=handle)
                return self._sent(token, new.record)
            found = await self._records.again(base.id, attempt)
            if found is None or (found.id != base.id and sign_in is None):
                # Destroyed: nothing comes back. Rotated by another: its client has the new token,
                # and must neither lose it nor hand it to whoever sent this request.
                await self._records.discard(handle, written)
                draft.rotating = False
                if found is None:
                    return self._dropped(draft, base.id, "destroyed")
                if _is_anothers(found.record, before.record):
                    return self._dropped(draft, base.id, "another user")
                return await self._update(draft, found, changes, loaded=before.record)
            base = found
        raise self._records.busy()

    # Destroy and claim

    async def destroy(self, handle: str) -> bool:
        """Remove the record with this id, and the one a forward note there leads to.

        Returns:
            Whether there was anything.
        """
        gone = False
        for _ in range(CHAIN + 1):
            raw = await self._records.remove(handle)
            if raw is None:
                break
            gone, found = True, decode(raw)
            self._tell("destroyed", handle)
            if type(found) is not Note:
                break
            handle = found.target
        return gone

    async def claim(self, draft: Draft, box: str, most: int | None) -> list[Message]:
        """Take up to `most` messages out of `box`: whose swap removes one, his it is."""
        base, taken = draft.base, list[Message]()
        for attempt in range(ATTEMPTS):
            stored = draft.stored_in(box)[:most]
            if base is None or not stored:
                break
            claiming = Changes({})
            claiming.claimed = {one.id for one in stored}
            new = based(base.id, claiming.replay(base.record, self._codec, self._clock()))
            if await self._records.write(base.raw, new):
                draft.base, taken = new, stored
                break
            found = await self._records.again(base.id, attempt)
            if found is None or found.record.gen != base.record.gen:
                return []  # somebody signed in meanwhile: they are his
            draft.base = base = found
        else:
            raise self._records.busy()
        if most is None or len(taken) < most:
            taken += draft.claim(box, None if most is None else most - len(taken))
        return taken

    def _sent(self, token: str | None, record: Record) -> Outcome:
        left = record.created + self._times.lifetime - record.seen
        max_age = math.floor(left) if self._settings.persistent() else None
        return Outcome(token, max_age, expire=False)

    def _merged(self, base: Base, lost: list[str]) -> None:
        self._tell("conflict_merged", base.id)
        if lost:
            self._tell("conflict_dropped", base.id, names=lost, reason="overwritten")

    def _dropped(self, draft: Draft, handle: str, reason: str) -> Outcome:
        """Let go of a session that is not ours to write any more."""
        draft.base, draft.sign_in, draft.rotating = None, None, False
        self._tell("conflict_dropped", handle, reason=reason)
        return NOTHING


def _is_anothers(found: Record, loaded: Record) -> bool:
    """Return whether somebody else has signed in since `loaded` was read."""
    return loaded.user is not None and found.user != loaded.user
