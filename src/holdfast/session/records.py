"""Records in the store: read, swapped and found again, one at a time.

Law: a record is only ever changed by a swap against bytes that were read. No answer means unknown:
read, and our own bytes mean it was done, the old bytes that the same ones go out again; anything
else raises, because doing it again could count twice. Nothing here knows what a request did.
"""

import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from holdfast.bridge import Waits
from holdfast.clock import Clock
from holdfast.codec import Codec
from holdfast.errors import StoreError, StoreTimeout
from holdfast.events import Observer
from holdfast.session.data import Note, Record, decode, encode, is_same_write
from holdfast.session.draft import Base
from holdfast.session.policy import Times
from holdfast.store.protocol import AsyncStore

__all__ = ["ATTEMPTS", "CHAIN", "Records", "Settings", "based"]

ATTEMPTS = 100
"""Swaps of one commit: one is refused only where another won, so these are 100 others."""

CHAIN = 8
"""Forward notes in a row that are followed."""

_RESENDS = 3
_PATIENT_AFTER = 2  # refusals before waiting
_LONGEST_WAIT = 0.05
_RECENT = 256  # sessions whose bytes need not be parsed again


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
        self._waits = waits
        self._ttl = settings.times.ttl
        self._settings = settings

    def parse(self, handle: str, raw: bytes) -> Base | Note | None:
        """Return what `raw` says; None if it is nothing of ours."""
        base = self.recent.get(handle)
        if base is not None and base.raw == raw:
            return base
        found = decode(raw)
        return self.remember(Base(handle, raw, found)) if isinstance(found, Record) else found

    def remember(self, base: Base) -> Base:
        """Keep what a record's bytes say: the next request with this session finds the same."""
        if len(self.recent) >= _RECENT:
            self.recent.clear()
        self.recent[base.id] = base
        return base

    def write(self, old: bytes | None, new: Base) -> Coroutine[Any, Any, bool]:
        """Swap `old` for a record; the store keeps it as long as it may live."""
        return self.swap(new.id, old, new.raw, self._ttl(new.record.created, new.record.seen))

    def write_once(self, old: bytes, new: Base) -> Coroutine[Any, Any, bool]:
        """Swap `old` for a record, without asking further when no answer comes."""
        ttl = self._ttl(new.record.created, new.record.seen)
        return self.store.swap(self.key + new.id, old, new.raw, ttl)

    async def swap(
        self, handle: str, old: bytes | None, new: bytes | None, ttl: float | None
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
            if is_same_write(present, new):
                return True
            if present != old:
                if new is None:
                    return False  # removing can be repeated: it counts nothing
                break
        raise lost or self.busy()

    async def again(self, handle: str, attempt: int) -> Base | None:
        """Read a record anew after a refused swap, through forward notes; None if it is gone."""
        await self.pause(attempt)
        for _ in range(CHAIN + 1):
            raw = await self.store.get(self.key + handle)
            if raw is None:
                return None
            found = self.parse(handle, raw)
            if isinstance(found, Base):
                record, now = found.record, self._settings.clock()
                over = self._settings.times.is_over(record.created, record.seen, now)
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

    async def remove(self, handle: str) -> bytes | None:
        """Remove a record or note by swapping away just what was read; return it."""
        for attempt in range(ATTEMPTS):
            raw = await self.store.get(self.key + handle)
            if raw is None or await self.swap(handle, raw, None, None):
                self.recent.pop(handle, None)
                return raw
            await self.pause(attempt)
        raise self.busy()

    async def discard(self, handle: str, raw: bytes) -> None:
        """Remove a record nobody needs if it still is what was read; failing to is no matter."""
        self.recent.pop(handle, None)
        with suppress(StoreError):
            await self.store.swap(self.key + handle, raw, None)

    def tell(self, event: str, handle: str, **fields: object) -> None:
        """Tell the observer."""
        self._settings.observer(f"session.{event}", {"handle": handle, **fields})

    def busy(self) -> StoreTimeout:
        """Return the error of a commit that others never let through."""
        return StoreTimeout(self._settings.store, "others kept writing to this session")


def based(handle: str, record: Record) -> Base:
    """Return `record` as it will be stored under `handle`."""
    return tuple.__new__(Base, (handle, encode(record), record))
