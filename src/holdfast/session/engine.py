"""The session engine: load, commit, rotate, log in, destroy, claim; each one sequence.

Law: every change of a stored session is a `swap` against bytes that were read, so no write of
another is ever lost and nothing that was destroyed comes back:

- Refused means somebody wrote. Read again: absent, then it was destroyed, so drop everything; a
  forward note, then go on with its target; a record, then do the same operations to it.
- No answer means unknown. Read: our bytes, done; the old bytes, send the same ones again; anything
  else raises, because doing the operations again could count twice.
- Rotating writes the new record first, then swaps the old one for a forward note. Late commits
  follow a note, loads never do. A token is told to nobody before its note stands.
"""

import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from holdfast.bridge import Waits
from holdfast.clock import Clock
from holdfast.codec import Codec
from holdfast.errors import StoreError, StoreTimeout
from holdfast.events import Observer
from holdfast.session.csrf import new_secret
from holdfast.session.data import (
    Message,
    Note,
    Record,
    blank,
    decode,
    encode,
    encode_note,
    is_same_write,
)
from holdfast.session.draft import Base, Draft
from holdfast.session.operations import NOTHING_DONE, Changes
from holdfast.session.policy import Times
from holdfast.session.token import id_of, new_token
from holdfast.store.protocol import AsyncStore

__all__ = ["NOTHING", "Engine", "Outcome", "Settings"]

_ATTEMPTS = 100  # a swap is refused only where another one won, so this is 100 others in one commit
_RESENDS = 3
_CHAIN = 8  # forward notes in a row
_PATIENT_AFTER = 2  # refusals before waiting
_LONGEST_WAIT = 0.05


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


NOTHING = Outcome(None, None, expire=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """What both faces of one `Sessions` share.

    Attributes:
        times: How long sessions live.
        codec: What encodes each value.
        prefix: What stands before the keys, with its colon.
        clock: UTC seconds.
        observer: Told of events.
        store: The store's name for errors.
        persistent: Whether clients keep the token when they close.
    """

    times: Times
    codec: Codec
    prefix: str
    clock: Clock
    observer: Observer
    store: str
    persistent: Callable[[], bool]


class Engine:
    """The sequences of one face.

    Args:
        store: Where the records are.
        waits: How this face waits.
        settings: What it shares with the other face.
    """

    def __init__(self, store: AsyncStore, waits: Waits, settings: Settings) -> None:
        self._store = store
        self._waits = waits
        self._settings = settings
        self._times = settings.times
        self._codec = settings.codec
        self._clock = settings.clock
        self._key = f"{settings.prefix}s:"

    # Load

    async def open(self, token: str | None) -> Draft:
        """Return the draft of what stands under `token`; of a new session if nothing does."""
        now = self._clock()
        handle = None if token is None else id_of(token)
        if handle is None:
            return Draft(self._codec, now)
        raw = await self._store.get(self._key + handle)
        if raw is None:
            return Draft(self._codec, now)
        found = decode(raw)
        if type(found) is Record and not self._times.is_over(found.created, found.seen, now):
            return Draft(self._codec, now, Base(handle, raw, found))
        draft = Draft(self._codec, now)
        if type(found) is Record:
            self._tell("expired", handle)
            with suppress(StoreError):  # whoever comes next finds it expired again
                await self._store.swap(self._key + handle, raw, None)
        elif type(found) is Note:
            draft.forwarded = handle
            self._tell("forwarded", handle)
        else:
            self._tell("corrupt", handle)
        return draft

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
            draft.revert()  # the secret of a page that was not sent goes, too
        changes = draft.gather()
        if draft.base is None:
            outcome = await self._create(draft, changes)
        elif draft.sign_in is not None or draft.rotating:
            outcome = await self._rotate(draft, draft.base, changes)
        else:
            outcome = await self._update(draft, draft.base, changes, user=draft.base.record.user)
        draft.settle(changes)
        return NOTHING if late else outcome

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
        for _ in range(_RESENDS):
            base = _based(draft.new_id(), record)
            if await self._swap(base.id, None, base.raw, self._ttl(base.record)):
                draft.base, draft.sign_in, draft.rotating = base, None, False
                return self._sent(draft.token, base.record)
            draft.token = None  # taken, by an earlier commit of ours whose answer was lost
        raise self._busy()

    async def _update(
        self, draft: Draft, base: Base, changes: Changes, *, user: str | int | None
    ) -> Outcome:
        """Do `changes` to whatever the record has become; write nothing if they change nothing."""
        if changes is NOTHING_DONE:
            return await self._touch(draft, base)
        before, now = base.record, self._clock()
        record = changes.replay(before, self._codec, now)
        if record[4:] == before[4:] and not changes.forced:
            return await self._touch(draft, base)
        for attempt in range(_ATTEMPTS):
            new = _based(base.id, record)
            if await self._swap(base.id, base.raw, new.raw, self._ttl(new.record)):
                draft.base = new
                if base.record is not before:
                    self._merged(base, changes.lost(before, base.record))
                return NOTHING
            found = await self._again(base.id, attempt)
            if found is None:
                return self._dropped(draft, base.id, "destroyed")
            if user is not None and found.record.user != user:
                return self._dropped(draft, base.id, "another user")
            base, record = found, changes.replay(found.record, self._codec, self._clock())
        raise self._busy()

    async def _touch(self, draft: Draft, base: Base) -> Outcome:
        """Move `seen` if it lags; for this, nothing is repeated and nobody fails."""
        now = self._clock()
        draft.base = base
        if draft.committed is not None or not self._times.must_touch(base.record.seen, now):
            return NOTHING
        record = base.record._replace(seen=now)
        raw = encode(record)
        try:
            if await self._store.swap(self._key + base.id, base.raw, raw, self._ttl(record)):
                draft.base = Base(base.id, raw, record)
        except StoreError:
            self._tell("touch_failed", base.id)
        return NOTHING

    async def _rotate(self, draft: Draft, base: Base, changes: Changes) -> Outcome:
        """Go on under a new token, and leave a forward note under the old one."""
        before, sign_in = base, draft.sign_in
        token, written = new_token(), None
        handle = id_of(token) or ""
        for attempt in range(_ATTEMPTS):
            old = base.record if sign_in is None else sign_in.welcome(base.record)
            record = changes.replay(old, self._codec, self._clock())
            new = _based(handle, record if sign_in is None else sign_in.enter(record))
            if not await self._swap(handle, written, new.raw, self._ttl(new.record)):
                raise self._busy()  # nobody else can know this id
            written = new.raw
            note = encode_note(handle)
            if await self._swap(base.id, base.raw, note, self._times.forward_note):
                draft.base, draft.sign_in, draft.rotating = new, None, False
                if base is not before:
                    self._merged(base, changes.lost(before.record, base.record))
                self._tell("rotated", base.id, to=handle)
                return self._sent(token, new.record)
            found = await self._again(base.id, attempt)
            if found is None or (found.id != base.id and sign_in is None):
                # Destroyed: nothing comes back. Rotated by another: its client has the new token,
                # and must neither lose it nor hand it to whoever sent this request.
                await self._discard(handle, written)
                draft.rotating = False
                if found is None:
                    return self._dropped(draft, base.id, "destroyed")
                return await self._update(draft, found, changes, user=before.record.user)
            base = found
        raise self._busy()

    # Destroy and claim

    async def destroy(self, handle: str) -> bool:
        """Remove the record with this id, and the one a forward note there leads to.

        Returns:
            Whether there was anything.
        """
        gone = False
        for _ in range(_CHAIN + 1):
            raw = await self._remove(handle)
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
        for attempt in range(_ATTEMPTS):
            stored = draft.stored_in(box)[:most]
            if base is None or not stored:
                break
            claiming = Changes({})
            claiming.claimed = {one.id for one in stored}
            new = _based(base.id, claiming.replay(base.record, self._codec, self._clock()))
            if await self._swap(base.id, base.raw, new.raw, self._ttl(new.record)):
                draft.base, taken = new, stored
                break
            found = await self._again(base.id, attempt)
            if found is None or found.record.gen != base.record.gen:
                return []  # somebody signed in meanwhile: they are his
            draft.base = base = found
        else:
            raise self._busy()
        if most is None or len(taken) < most:
            taken += draft.claim(box, None if most is None else most - len(taken))
        return taken

    async def _remove(self, handle: str) -> bytes | None:
        """Remove a record or note by swapping away just what was read; return it."""
        for attempt in range(_ATTEMPTS):
            raw = await self._store.get(self._key + handle)
            if raw is None or await self._swap(handle, raw, None, None):
                return raw
            await self._pause(attempt)
        raise self._busy()

    async def _discard(self, handle: str, raw: bytes) -> None:
        """Remove a record nobody was told of; if that fails it expires unseen."""
        with suppress(StoreError):
            await self._store.swap(self._key + handle, raw, None)

    # Steps

    async def _swap(
        self, handle: str, old: bytes | None, new: bytes | None, ttl: float | None
    ) -> bool:
        """Swap, and find out what happened if no answer came."""
        key, lost = self._key + handle, None
        for _ in range(_RESENDS):
            try:
                if await self._store.swap(key, old, new, ttl):
                    return True
            except StoreTimeout as error:
                lost = error
            if lost is None:
                return False
            present = await self._store.get(key)
            if is_same_write(present, new):
                return True
            if present != old:
                if new is None:
                    return False  # removing can be repeated: it counts nothing
                break
        raise lost or self._busy()

    async def _again(self, handle: str, attempt: int) -> Base | None:
        """Read a record anew after a refused swap, through forward notes; None if it is gone."""
        await self._pause(attempt)
        for _ in range(_CHAIN + 1):
            raw = await self._store.get(self._key + handle)
            if raw is None:
                return None
            found = decode(raw)
            if type(found) is Record:
                over = self._times.is_over(found.created, found.seen, self._clock())
                return None if over else Base(handle, raw, found)
            if type(found) is not Note:
                self._tell("corrupt", handle)
                return None
            handle = found.target
        return None

    async def _pause(self, attempt: int) -> None:
        """Let others go first, for a random while that grows; the first retries come at once."""
        if attempt >= _PATIENT_AFTER:
            longest = min(_LONGEST_WAIT, 0.001 * 2.0**attempt)
            await self._waits.sleep(random.uniform(0.0, longest))  # noqa: S311 - no secret

    def _ttl(self, record: Record) -> float:
        return self._times.ttl(record.created, record.seen)

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

    def _tell(self, event: str, handle: str, **fields: object) -> None:
        self._settings.observer(f"session.{event}", {"handle": handle, **fields})

    def _busy(self) -> StoreTimeout:
        return StoreTimeout(self._settings.store, "others kept writing to this session")


def _based(handle: str, record: Record) -> Base:
    """Return `record` as it will be stored under `handle`."""
    return Base(handle, encode(record), record)
