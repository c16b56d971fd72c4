"""Homes: how a session of each face reaches its engine.

Law: no rule of the protocol stands here. `Stored` drives, for threads; `Loop` awaits. Cookie-only
sessions have theirs in `incookie.py`.
"""

from functools import cached_property
from typing import Any, Protocol

from holdfast.bridge import Blocking, LoopWaits, ThreadWaits, aio_face, drive
from holdfast.clock import Clock
from holdfast.errors import SessionError
from holdfast.session.draft import Draft
from holdfast.session.engine import NOTHING, Engine, Outcome
from holdfast.session.policy import Times
from holdfast.session.records import Settings
from holdfast.session.token import id_of
from holdfast.store.protocol import OpenStore

__all__ = ["Home", "Loop", "Stored"]


class Home(Protocol):
    """Where a session comes from: how its face reads and claims."""

    clock: Clock
    times: Times

    def open(self, token: str | None) -> Draft:
        """Return what stands under `token`, at a touch in plain code."""

    async def aopen(self, token: str | None) -> Draft:
        """Return what stands under `token`, awaited."""

    def claim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Take messages, at the call where this face can, else noted for the commit."""

    async def aclaim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Take messages at the call, awaited."""

    def may_write(self, draft: Draft) -> bool:
        """Return whether what is written now can still be kept."""


class Loop:
    """Sessions in a store, for event loops; the awaited half of a home.

    Args:
        engine: Over an async store.
        settings: What both faces share.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.clock = settings.clock
        self.times = settings.times
        self._codec = settings.codec
        self._engine = engine

    def open(self, token: str | None) -> Draft:
        """Return a new session where there is no token; else reading would block the loop."""
        if token is None:
            return Draft(self._codec, self.clock())
        raise SessionError("this session is not loaded yet: await session.load() before using it")

    async def aopen(self, token: str | None) -> Draft:
        """Read what stands under `token`."""
        return await self._engine.open(token)

    def claim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Return what was loaded; it is removed at commit."""
        return draft.read(draft.claim(box, most))

    async def aclaim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Claim in the store."""
        return draft.read(await self._engine.claim(draft, box, most))

    async def acommit(self, draft: Draft, *, failed: bool) -> Outcome:
        """Commit."""
        if not failed and self._engine.is_idle(draft):
            return NOTHING
        return await self._engine.commit(draft, failed=failed)

    async def adestroy(self, handle: str) -> bool:
        """Destroy a record."""
        return await self._engine.destroy(handle)

    def may_write(self, draft: Draft) -> bool:
        """Return whether there is a record whose token the client holds."""
        return draft.base is not None


class Stored:
    """Sessions in a store, for threads.

    Args:
        store: Where they are.
        settings: What both faces share.
    """

    def __init__(self, store: OpenStore, settings: Settings) -> None:
        self.clock = settings.clock
        self.times = settings.times
        self._store = store
        self._settings = settings
        self._engine = Engine(Blocking(store), ThreadWaits(), settings)
        self._in_process = bool(getattr(store, "never_waits", False))

    @cached_property
    def aio(self) -> Loop:
        """The awaited half."""
        engine = Engine(aio_face(self._store), LoopWaits(), self._settings)
        return Loop(engine, self._settings)

    def open(self, token: str | None) -> Draft:
        """Read what stands under `token`: what `Engine.open` does, without driving it."""
        engine = self._engine
        handle = None if token is None else id_of(token)
        draft = engine.judge(
            handle, None if handle is None else self._store.get(engine.key + handle)
        )
        if draft.over is not None:
            drive(engine.bury(draft.over))
        return draft

    async def aopen(self, token: str | None) -> Draft:
        """Read what stands under `token`, awaited."""
        return await self.aio.aopen(token)

    def claim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Claim in the store."""
        return draft.read(drive(self._engine.claim(draft, box, most)))

    async def aclaim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Claim in the store, awaited."""
        return await self.aio.aclaim(draft, box, most)

    def commit(self, draft: Draft, *, failed: bool) -> Outcome:
        """Commit; where no answer can be lost, the first write is tried without driving it."""
        engine = self._engine
        if not failed:
            if not draft.marks and engine.is_idle(draft):
                return NOTHING
            if self._in_process and (first := engine.first_write(draft)) is not None:
                changes, old, new = first
                ttl = self.times.ttl(new.record.created, new.record.seen)
                if self._store.swap(engine.key + new.id, old, new.raw, ttl):
                    engine.wrote(draft, changes, new)
                    return NOTHING
        return drive(self._engine.commit(draft, failed=failed))

    def destroy(self, handle: str) -> bool:
        """Destroy a record."""
        return drive(self._engine.destroy(handle))

    def may_write(self, draft: Draft) -> bool:
        """Return whether there is a record whose token the client holds."""
        return draft.base is not None
