"""The lock of a session: a lease, for the rare case that two requests must take turns.

Law: who holds it sees what stands in the store, and what he does is there before it is given back.
It saves nobody from the rules of a commit, so that a lease that ended early loses nothing: what two
did then is merged. Who was killed delays the others by no more than its length.
"""

import random
import secrets
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Protocol

from holdfast.bridge import Waits
from holdfast.errors import LockTimeout, SessionError, StoreError, StoreTimeout
from holdfast.session.draft import Draft
from holdfast.session.engine import Engine
from holdfast.session.issuing import still_ours
from holdfast.session.records import CHAIN

__all__ = ["AioLock", "Held", "Lock", "LockHome", "hold", "release"]

LENGTH = 30.0
"""Seconds after which a lock ends by itself."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1


class Held(NamedTuple):
    """A lock that was won: its key in the store, and the mark of who holds it."""

    key: str
    mark: bytes


async def hold(
    engine: Engine, waits: Waits, draft: Draft, timeout: float, prefix: str
) -> Held | None:
    """Write what was done so far, win the lock, and look anew at what is there.

    Returns:
        The lock; None for a session nobody else can know, or that is gone.

    Raises:
        LockTimeout: Others held it for `timeout` seconds.
        SessionError: This very request holds it.
    """
    if draft.locked:
        raise SessionError("lock: this request holds it already, and would wait for itself")
    await engine.flush(draft)
    mark, latest = secrets.token_bytes(16), waits.now() + timeout
    for _ in range(CHAIN):
        if draft.base is None:
            return None
        held = Held(f"{prefix}l:{draft.base.id}", mark)
        try:
            await _win(engine, waits, held, latest)
            found = await engine.records.again(draft.base.id, 0)
        except BaseException:
            await _give_back(engine, held)
            raise
        if found is not None and found.id == draft.base.id:
            draft.look_anew(found)
            draft.locked = True
            return held
        await _give_back(engine, held)  # rotated or destroyed meanwhile
        had, loaded = draft.base.id, draft.base.record
        found = still_ours(draft, engine.records, had, found=found, loaded=loaded)
        if found is not None:
            draft.follow(found)
    return None


async def _win(engine: Engine, waits: Waits, held: Held, latest: float) -> None:
    store, pause = engine.records.store, _FIRST_PAUSE
    while True:
        try:
            won = await store.swap(held.key, None, held.mark, LENGTH)
        except StoreTimeout:
            won = await store.get(held.key) == held.mark
        if won:
            return
        if waits.now() >= latest:
            raise LockTimeout("the session is locked by another request")
        await waits.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - no secret
        pause = min(pause * 2, _LONGEST_PAUSE)


async def release(engine: Engine, draft: Draft, held: Held | None, *, failed: bool) -> None:
    """Write what was done under the lock, or nothing of it, and give it back."""
    try:
        if failed:
            draft.revert()
        else:
            await engine.flush(draft)
    finally:
        if held is not None:
            draft.locked = False
            await _give_back(engine, held)


async def _give_back(engine: Engine, held: Held) -> None:
    store = engine.records.store
    with suppress(StoreError):  # then it ends by itself
        try:
            await store.swap(held.key, held.mark, None)
        except StoreError:
            raise
        except BaseException:  # cancelled right here: the others would wait for nothing
            await store.swap(held.key, held.mark, None)
            raise


class LockHome(Protocol):
    """Who can hold a session: its home."""

    def hold(self, draft: Draft, timeout: float) -> Held | None:
        """See `hold`."""

    def release(self, draft: Draft, held: Held | None, *, failed: bool) -> None:
        """See `release`."""

    async def ahold(self, draft: Draft, timeout: float) -> Held | None:
        """See `hold`."""

    async def arelease(self, draft: Draft, held: Held | None, *, failed: bool) -> None:
        """See `release`."""


class Lock:
    """A session's lock, for a `with` block."""

    def __init__(self, home: LockHome, draft: Draft, timeout: float) -> None:
        self._home = home
        self._draft = draft
        self._timeout = timeout
        self._held: Held | None = None

    def __enter__(self) -> None:
        self._held = self._home.hold(self._draft, self._timeout)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._home.release(self._draft, self._held, failed=kind is not None)


class AioLock(Lock):
    """A session's lock, for an `async with` block."""

    async def __aenter__(self) -> None:
        self._held = await self._home.ahold(self._draft, self._timeout)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._home.arelease(self._draft, self._held, failed=kind is not None)
