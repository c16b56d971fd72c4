"""The home of cookie-only sessions: how each face reaches their sequences.

Law: no rule stands here. Threads drive, event loops await; where no store keeps revocations nothing
waits, and both are one.
"""

from functools import cached_property
from typing import Any, NoReturn

from holdfast.bridge import Blocking, aio_face, drive
from holdfast.errors import ConfigError, SessionError
from holdfast.session.carrier import Carrier
from holdfast.session.draft import Draft
from holdfast.session.homes import NOT_LOADED
from holdfast.session.operations import SignIn
from holdfast.session.outcome import Outcome
from holdfast.session.sealed import Sealed
from holdfast.session.settings import Settings
from holdfast.session.view import Base
from holdfast.store.protocol import OpenStore

__all__ = ["InCookie"]


def _refuse(verb: str) -> NoReturn:
    raise ConfigError(
        f"{verb}: cookie-only sessions are at their clients, and nowhere else; keep sessions in a "
        "store for that"
    )


class InCookie:
    """Sessions that travel whole.

    Args:
        sealed: What opens and closes them.
        settings: Times, codec, clock and observer; `prefix` stands before the revocations.
        revocations: Where it is kept which sessions were ended; None: nowhere.

    Raises:
        ConfigError: That store may forget by itself.
    """

    def __init__(
        self, sealed: Sealed, settings: Settings, revocations: OpenStore | None = None
    ) -> None:
        if getattr(revocations, "may_evict", False):
            raise ConfigError(
                f"revocations: {settings.store} may forget at any time who was signed out; take "
                "another store (Redis, SQL, SQLite, MongoDB...)"
            )
        self.settings = settings
        self._sealed = sealed
        self._store = revocations
        store = None if revocations is None else Blocking(revocations)
        self._driven = Carrier(sealed, settings, store)

    @cached_property
    def _awaited(self) -> Carrier:
        store = None if self._store is None else aio_face(self._store)
        return Carrier(self._sealed, self.settings, store)

    @cached_property
    def aio(self) -> "InCookie":
        """The awaited half."""
        if self._store is None:
            return self
        return _OnLoop(self._sealed, self.settings, self._store)

    def open(self, token: str | None) -> Draft:
        """Open `token`."""
        return drive(self._driven.open(token))

    async def aopen(self, token: str | None) -> Draft:
        """Open `token`, awaited."""
        return await self._awaited.open(token)

    def claim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Take messages out; they are gone once the client has the new cookie."""
        return draft.read(draft.claim(box, most))

    async def aclaim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Take messages out; they are gone once the client has the new cookie."""
        return self.claim(draft, box, most)

    def login(self, draft: Draft, sign_in: SignIn) -> None:
        """Sign in at commit."""
        draft.enter(sign_in)

    async def alogin(self, draft: Draft, sign_in: SignIn) -> None:
        """Sign in at commit: nobody counts these sessions, so none is refused."""
        draft.enter(sign_in)

    def commit(self, draft: Draft, *, failed: bool) -> Outcome:
        """Seal what changed."""
        return drive(self._driven.commit(draft, failed=failed))

    def is_idle(self, draft: Draft) -> bool:  # noqa: ARG002 - that of a home
        """Return that only a commit can tell."""
        return False

    async def acommit(self, draft: Draft, *, failed: bool) -> Outcome:
        """Seal what changed, awaited."""
        return await self._awaited.commit(draft, failed=failed)

    def destroy(self, handle: str) -> bool:
        """End a session from outside."""
        return drive(self._driven.destroy(handle))

    async def adestroy(self, handle: str) -> bool:
        """End a session from outside, awaited."""
        return await self._awaited.destroy(handle)

    def revoke(self, user: str | int, keep: str | None) -> int:
        """End a user's sessions."""
        return drive(self._driven.revoke(user, keep))

    async def arevoke(self, user: str | int, keep: str | None) -> int:
        """End a user's sessions, awaited."""
        return await self._awaited.revoke(user, keep)

    def is_alive(self, base: Base) -> bool:
        """Look whether a session was ended."""
        return drive(self._driven.is_alive(base))

    async def ais_alive(self, base: Base) -> bool:
        """Look whether a session was ended, awaited."""
        return await self._awaited.is_alive(base)

    def may_write(self, draft: Draft) -> bool:  # noqa: ARG002 - asked before each late write
        """Return that nothing can be kept once the cookie was sent."""
        return False

    # What there is no place for

    def of(self, user: str | int) -> NoReturn:  # noqa: ARG002 - that of a home
        """Refuse: nobody knows them all."""
        _refuse("of")

    def restore(self, handle: str, raw: bytes) -> NoReturn:  # noqa: ARG002 - that of a home
        """Refuse: nobody can give a client its cookie back."""
        _refuse("restore")

    def hold(self, draft: Draft, timeout: float) -> NoReturn:  # noqa: ARG002 - that of a home
        """Refuse: whoever waited would not see what the other one did."""
        _refuse("lock")

    def release(self, draft: Draft, held: object, *, failed: bool) -> NoReturn:  # noqa: ARG002
        """Refuse: nothing was locked."""
        _refuse("lock")

    aof, ahold, arelease = of, hold, release


class _OnLoop(InCookie):
    """The same for event loops, where asking the store in plain code would block."""

    def open(self, token: str | None) -> Draft:
        """Return a new session where there is no token."""
        if token is None:
            return super().open(None)
        raise SessionError(NOT_LOADED)
