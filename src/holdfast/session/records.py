"""Records in the store: read, swapped and found again, one at a time.

Law: a record is only ever changed by a swap against bytes that were read. No answer means unknown:
read, and our own bytes mean it was done, the old bytes that the same ones go out again; anything
else raises, because doing it again could count twice. Nothing here knows what a request did.

Records sealed at rest are bound to their ids: under another id they are nothing of ours.
"""

import math
import random
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

from holdfast.bridge import Waits
from holdfast.errors import CodecError, StoreError, StoreTimeout
from holdfast.session.data import Note, Record, decode, encode, encode_note
from holdfast.session.settings import Settings
from holdfast.session.view import Base
from holdfast.store.protocol import AsyncStore

__all__ = ["ATTEMPTS", "CHAIN", "Records"]

ATTEMPTS = 100
"""Swaps of one commit: one is refused only where another won, so these are 100 others."""

CHAIN = 8
"""Forward notes in a row that are followed."""

_RESENDS = 3
_PATIENT_AFTER = 2  # refusals before waiting
_LONGEST_WAIT = 0.05
_RECENT = 256  # sessions whose bytes need not be parsed again


class Records:
    """The records of one face.

    Args:
        store: Where they are.
        waits: How this face waits.
        settings: What it shares with the other face.

    Attributes:
        key: What stands before an id in a store key.
        recent: What was read or written lately, by id, so that the same bytes are parsed once.
    """

    def __init__(self, store: AsyncStore, waits: Waits, settings: Settings) -> None:
        self.store = store
        self.key = f"{settings.prefix}s:"
        self.recent: dict[str, Base] = {}
        self.tell = settings.tell
        self._waits = waits
        self._ttl = settings.times.ttl
        self._seal = settings.seal
        self._settings = settings

    # Bytes

    def based(self, handle: str, record: Record) -> Base:
        """Return `record` as it will be stored under `handle`."""
        raw = encode(record)
        return tuple.__new__(Base, (handle, self.shut(handle, raw) if self._seal else raw, record))

    def note(self, handle: str, target: str, until: float = 0.0) -> bytes:
        """Return the forward note that is stored under `handle`."""
        return self.shut(handle, encode_note(target, until))

    def read(self, handle: str, raw: bytes) -> Record | Note | None:
        """Return what `raw` says under `handle`; None if it is nothing of ours."""
        opened = self.unshut(handle, raw)
        return None if opened is None else decode(opened)

    def shut(self, bound: str, raw: bytes) -> bytes:
        """Return `raw` as the store gets it, sealed for `bound` if anything is."""
        return raw if self._seal is None else self._seal.seal(raw, bound)

    def unshut(self, bound: str, raw: bytes) -> bytes | None:
        """Return what `shut` was given; None if it was not ours, or for something else."""
        if self._seal is None:
            return raw
        try:
            return self._seal.unseal(raw, bound)
        except CodecError:
            return None

    def is_old(self, raw: bytes | None) -> bool:
        """Return whether `raw` is sealed by another key than the one that seals now."""
        return self._seal is not None and raw is not None and not self._seal.ring.is_newest(raw)

    def parse(self, handle: str, raw: bytes) -> Base | Note | None:
        """Return what `raw` says, from memory where it was read before."""
        base = self.recent.get(handle)
        if base is not None and base.raw == raw:
            return base
        found = self.read(handle, raw)
        return self.remember(Base(handle, raw, found)) if isinstance(found, Record) else found

    def remember(self, base: Base) -> Base:
        """Keep what a record's bytes say: the next request with this session finds the same."""
        if len(self.recent) >= _RECENT:
            self.recent.clear()
        self.recent[base.id] = base
        return base

    async def find(self, handles: Sequence[str]) -> dict[str, Base | Note | None]:
        """Return what stands under each of `handles`, in one round trip; without what is absent."""
        found = await self.store.get_many([self.key + handle for handle in handles])
        start = len(self.key)
        return {key[start:]: self.parse(key[start:], raw) for key, raw in found.items()}

    # One record

    def write(self, old: bytes | None, new: Base) -> Coroutine[Any, Any, bool]:
        """Swap `old` for a record; the store keeps it as long as it may live."""
        return self.swap(new.id, old, new.raw, self._ttl(new.record))

    def write_once(self, old: bytes, new: Base) -> Coroutine[Any, Any, bool]:
        """Swap `old` for a record, without asking further when no answer comes."""
        return self.store.swap(self.key + new.id, old, new.raw, self._ttl(new.record))

    async def swap(
        self, handle: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        """Swap, and find out what happened if no answer came."""
        key, lost = self.key + handle, None
        for _ in range(_RESENDS):
            try:
                if await self.store.swap(key, old, new, ttl):
                    return True
            except StoreTimeout as error:
                lost = error
            if lost is None:
                return False
            present = await self.store.get(key)
            if self._is_same_write(handle, present, new):
                return True
            if present != old:
                if new is None:
                    return False  # removing can be repeated: it counts nothing
                break
        raise lost or self.busy()

    def _is_same_write(self, handle: str, present: bytes | None, written: bytes | None) -> bool:
        """Return whether `present` is what we wrote, or that with no more than `seen` moved."""
        if present is None or written is None or present == written:
            return present == written
        ours, theirs = self.read(handle, written), self.read(handle, present)
        return isinstance(ours, Record) and isinstance(theirs, Record) and ours.rev == theirs.rev

    async def again(self, handle: str, attempt: int) -> Base | None:
        """Read a record anew after a refused swap, through forward notes; None if it is gone."""
        await self.pause(attempt)
        for _ in range(CHAIN + 1):
            raw = await self.store.get(self.key + handle)
            if raw is None:
                return None
            found = self.parse(handle, raw)
            if isinstance(found, Base):
                over = self._settings.times.is_over(found.record, self._settings.clock())
                return None if over else found
            if found is None:
                self.tell("corrupt", handle)
                return None
            handle = found.target
        return None

    async def pause(self, attempt: int) -> None:
        """Let others go first, for a random while that grows; the first retries come at once."""
        if attempt >= _PATIENT_AFTER:
            longest = min(_LONGEST_WAIT, 0.001 * 2.0**attempt)
            await self._waits.sleep(random.uniform(0.0, longest))  # noqa: S311 - no secret

    async def destroy(
        self,
        handle: str,
        of: str | int | None = None,
        *,
        since: float = math.inf,
        follow: bool = True,
    ) -> bool:
        """Remove the record with this id, or the one that forward notes there lead to.

        The notes go last. As long as there is a record, whoever else ends the session finds it, and
        what was cut off is done by being asked again.

        Args:
            handle: The id.
            of: Spare a session that is not this user's any more; None: it does not matter whose.
            since: Spare one that somebody signed in with after that: UTC seconds.
            follow: Whether forward notes are followed; else a session that was rotated is spared.

        Returns:
            Whether there was anything.
        """
        notes = dict[str, bytes]()
        for attempt in range(ATTEMPTS):
            handle, raw = await self._end(handle, notes)
            found = None if raw is None else self.read(handle, raw)
            if isinstance(found, Record) and (
                (of is not None and found.user != of) or found.created > since
            ):
                return False
            if notes and not follow:
                return False
            if raw is None or await self.swap(handle, raw, None):
                break
            await self.pause(attempt)
        else:
            raise self.busy()
        if raw is not None:
            self.recent.pop(handle, None)
            self.tell("destroyed", handle)
        for rotated, note in notes.items():
            await self.discard(rotated, note)
        return raw is not None or bool(notes)

    async def _end(self, handle: str, notes: dict[str, bytes]) -> tuple[str, bytes | None]:
        """Return where forward notes end, and what stands there; add them to `notes`."""
        while (raw := await self.store.get(self.key + handle)) is not None:
            found = self.read(handle, raw)
            if not isinstance(found, Note) or handle in notes:
                break
            notes[handle] = raw
            handle = found.target
        return handle, raw

    async def discard(self, handle: str, raw: bytes) -> None:
        """Remove a record nobody needs if it still is what was read; failing to is no matter."""
        self.recent.pop(handle, None)
        with suppress(StoreError):
            await self.store.swap(self.key + handle, raw, None)

    def busy(self) -> StoreTimeout:
        """Return the error of a commit that others never let through."""
        return StoreTimeout(self._settings.store, "others kept writing to this session")
