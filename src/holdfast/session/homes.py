"""Homes: how a session of each face reaches its engine.

Law: no rule of the protocol stands here. `Stored` drives, for threads; `Loop` awaits. Cookie-only
sessions have theirs in `incookie.py`.
"""

from functools import cached_property
from typing import Any, NoReturn, Protocol

from holdfast.bridge import Blocking, LoopWaits, ThreadWaits, aio_face, drive
from holdfast.errors import SessionError, StoreError
from holdfast.session.draft import Draft
from holdfast.session.engine import Engine
from holdfast.session.lock import Held, LockHome, hold, release
from holdfast.session.operations import SignIn
from holdfast.session.outcome import NOTHING, Outcome
from holdfast.session.settings import Settings
from holdfast.session.token import id_of
from holdfast.session.users import SessionInfo
from holdfast.session.view import Base
from holdfast.store.protocol import OpenStore

__all__ = ["NOT_LOADED", "Home", "Loop", "Stored"]

NOT_LOADED = "this session is not loaded yet: await session.load() before using it"
_ASYNC = "await session.aio.{0}(...) in an event loop: the plain form would block it"


class Home(LockHome, Protocol):
    """Where a session comes from: how its face reads, claims, signs in and locks."""

    settings: Settings

    def open(self, token: str | None) -> Draft:
        """Return what stands under `token`, at a touch in plain code."""

    async def aopen(self, token: str | None) -> Draft:
        """Return what stands under `token`, awaited."""

    def claim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Take messages, at the call where this face can, else noted for the commit."""

    async def aclaim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Take messages at the call, awaited."""

    def login(self, draft: Draft, sign_in: SignIn) -> None:
        """Sign in, at the call where it may be refused, else noted for the commit."""

    async def alogin(self, draft: Draft, sign_in: SignIn) -> None:
        """Sign in at the call, awaited."""

    def may_write(self, draft: Draft) -> bool:
        """Return whether what is written now can still be kept."""


class _OfStore:
    """What both faces of stored sessions have in common."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def may_write(self, draft: Draft) -> bool:
        """Return whether there is a record whose token the client holds."""
        return draft.base is not None


class Loop(_OfStore):
    """Sessions in a store, for event loops; the awaited half of a home.

    Args:
        engine: Over an async store.
        settings: What both faces share.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__(settings)
        self._engine = engine
        self._waits = LoopWaits()

    def open(self, token: str | None) -> Draft:
        """Return a new session where there is no token; else reading would block the loop."""
        if token is None:
            return self.settings.draft(self.settings.clock())
        raise SessionError(NOT_LOADED)

    async def aopen(self, token: str | None) -> Draft:
        """Read what stands under `token`."""
        return await self._engine.open(token)

    def claim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Return what was loaded; it is removed at commit."""
        return [] if draft.in_grace else draft.read(draft.claim(box, most))

    async def aclaim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Claim in the store."""
        return draft.read(await self._engine.claim(draft, box, most))

    def login(self, draft: Draft, sign_in: SignIn) -> None:
        """Sign in at commit."""
        draft.enter(sign_in)

    async def alogin(self, draft: Draft, sign_in: SignIn) -> None:
        """Sign in now."""
        await self._engine.login(draft, sign_in)

    def hold(self, draft: Draft, timeout: float) -> NoReturn:  # noqa: ARG002 - that of a home
        """Refuse: it would block the loop."""
        raise SessionError(_ASYNC.format("lock"))

    def release(self, draft: Draft, held: Held | None, *, failed: bool) -> NoReturn:  # noqa: ARG002
        """Refuse: it would block the loop."""
        raise SessionError(_ASYNC.format("lock"))

    async def ahold(self, draft: Draft, timeout: float) -> Held | None:
        """Lock."""
        return await hold(self._engine, self._waits, draft, timeout, self.settings.prefix)

    async def arelease(self, draft: Draft, held: Held | None, *, failed: bool) -> None:
        """Unlock."""
        await release(self._engine, draft, held, failed=failed)

    def is_idle(self, draft: Draft) -> bool:
        """Return whether a commit has nothing to do, and note that it was done."""
        return self._engine.is_idle(draft)

    async def acommit(self, draft: Draft, *, failed: bool) -> Outcome:
        """Commit."""
        if not failed and self._engine.is_idle(draft):
            return NOTHING
        return await self._engine.commit(draft, failed=failed)

    async def adestroy(self, handle: str) -> bool:
        """Destroy a record."""
        return await self._engine.records.destroy(handle)

    async def aof(self, user: str | int) -> list[SessionInfo]:
        """List a user's sessions."""
        return await self._engine.users.of(user)

    async def arevoke(self, user: str | int, keep: str | None) -> int:
        """End a user's sessions."""
        return await self._engine.users.revoke(user, keep)

    async def ais_alive(self, base: Base) -> bool:
        """Look whether a session is still there."""
        return await self._engine.is_alive(base)


class Stored(_OfStore):
    """Sessions in a store, for threads.

    Args:
        store: Where they are.
        settings: What both faces share.
    """

    def __init__(self, store: OpenStore, settings: Settings) -> None:
        super().__init__(settings)
        self._store = store
        self._waits = ThreadWaits()
        self._engine = Engine(Blocking(store), self._waits, settings)
        never_waits = bool(getattr(store, "never_waits", False))
        self._in_process = never_waits and not settings.anonymous  # whose failures are looked after

    @cached_property
    def aio(self) -> Loop:
        """The awaited half."""
        engine = Engine(aio_face(self._store), LoopWaits(), self.settings)
        return Loop(engine, self.settings)

    def open(self, token: str | None) -> Draft:
        """Read what stands under `token`: what `Engine.open` does, without driving it."""
        engine = self._engine
        handle = None if token is None else id_of(token)
        try:
            raw = None if handle is None else self._store.get(engine.key + handle)
            draft = engine.judge(handle, raw, token)
            return draft if draft.doubt is None else drive(engine.look_closer(draft))
        except StoreError as error:
            return engine.adrift(error)

    async def aopen(self, token: str | None) -> Draft:
        """Read what stands under `token`, awaited."""
        return await self.aio.aopen(token)

    def claim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Claim in the store."""
        return draft.read(drive(self._engine.claim(draft, box, most)))

    async def aclaim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Claim in the store, awaited."""
        return await self.aio.aclaim(draft, box, most)

    def login(self, draft: Draft, sign_in: SignIn) -> None:
        """Sign in, now if it may be refused."""
        if self.settings.max_sessions is None:
            draft.enter(sign_in)
        else:
            drive(self._engine.login(draft, sign_in))

    async def alogin(self, draft: Draft, sign_in: SignIn) -> None:
        """Sign in now, awaited."""
        await self.aio.alogin(draft, sign_in)

    def hold(self, draft: Draft, timeout: float) -> Held | None:
        """Lock."""
        return drive(hold(self._engine, self._waits, draft, timeout, self.settings.prefix))

    def release(self, draft: Draft, held: Held | None, *, failed: bool) -> None:
        """Unlock."""
        drive(release(self._engine, draft, held, failed=failed))

    async def ahold(self, draft: Draft, timeout: float) -> Held | None:
        """Lock, awaited."""
        return await self.aio.ahold(draft, timeout)

    async def arelease(self, draft: Draft, held: Held | None, *, failed: bool) -> None:
        """Unlock, awaited."""
        await self.aio.arelease(draft, held, failed=failed)

    def commit(self, draft: Draft, *, failed: bool) -> Outcome:
        """Commit; where no answer can be lost, the first write is tried without driving it."""
        engine = self._engine
        if not failed:
            if not draft.marks and engine.is_idle(draft):
                return NOTHING
            if self._in_process and (first := engine.first_write(draft)) is not None:
                changes, old, new = first
                ttl = self.settings.times.ttl(new.record)
                if self._store.swap(engine.key + new.id, old, new.raw, ttl):
                    engine.wrote(draft, changes, new)
                    return NOTHING
        return drive(engine.commit(draft, failed=failed))

    def destroy(self, handle: str) -> bool:
        """Destroy a record."""
        return drive(self._engine.records.destroy(handle))

    def of(self, user: str | int) -> list[SessionInfo]:
        """List a user's sessions."""
        return drive(self._engine.users.of(user))

    def revoke(self, user: str | int, keep: str | None) -> int:
        """End a user's sessions."""
        return drive(self._engine.users.revoke(user, keep))

    def is_alive(self, base: Base) -> bool:
        """Look whether a session is still there."""
        return drive(self._engine.is_alive(base))

    def restore(self, handle: str, raw: bytes) -> bool:
        """Put back a record that was dumped."""
        return drive(self._engine.restore(handle, raw))
