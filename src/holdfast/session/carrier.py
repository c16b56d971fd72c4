"""The sequences of cookie-only sessions: load, commit, end; each written once.

Law: what was ended is written down before the answer that tells of it goes out. Without a store for
revocations nothing here waits, and nothing but time ends a cookie that somebody copied.
"""

from holdfast.errors import ConfigError, SessionCommitted, StoreError
from holdfast.session.data import Record
from holdfast.session.draft import Draft
from holdfast.session.operations import NOTHING_DONE, Changes
from holdfast.session.outcome import NOTHING, Outcome
from holdfast.session.revocations import ENDED, Revocations, with_epoch
from holdfast.session.sealed import Sealed
from holdfast.session.settings import Settings
from holdfast.session.view import Base
from holdfast.store.protocol import AsyncStore

__all__ = ["Carrier"]

_NO_STORE = (
    "a cookie-only session lives at its client, where nothing can reach it: give "
    "Sessions.in_cookie a store for revocations=, or keep sessions in a store"
)


class Carrier:
    """The sequences of one face.

    Args:
        sealed: What opens and closes sessions.
        settings: Times, codec, clock and observer.
        store: Where revocations are; None: nowhere.
    """

    def __init__(self, sealed: Sealed, settings: Settings, store: AsyncStore | None) -> None:
        self._sealed = sealed
        self._settings = settings
        self._revocations = None if store is None else Revocations(store, settings)

    async def open(self, token: str | None) -> Draft:
        """Return the draft of what `token` holds; of a new session if it is dead."""
        draft = self._sealed.open(token)
        base, rows, tell = draft.base, self._revocations, self._settings.tell
        if base is None:
            return draft
        try:
            dead = None if rows is None else await rows.look(base)
            if dead is not None:
                tell("replayed", base.id)
                return self._dead(draft, forwarded=dead != ENDED)
            if not await self._is_welcome(base):
                return self._dead(draft, expire=True)
        except StoreError as error:
            if not self._settings.anonymous:
                raise
            self._settings.tell_down(error)
            return self._dead(draft, adrift=error)
        tell("loaded", base.id)
        return draft

    async def _is_welcome(self, base: Base) -> bool:
        """Return whether its user is still welcome; if not, it is ended."""
        user = base.record.user
        if await self._settings.welcomes(user):
            return True
        if self._revocations is not None:
            await self._revocations.end(base.id, base)
        self._settings.tell("revoked", base.id, user=user, reason="not welcome")
        return False

    def _dead(
        self,
        came: Draft,
        *,
        forwarded: bool = False,
        expire: bool = False,
        adrift: StoreError | None = None,
    ) -> Draft:
        """Return the empty draft of a session that came and may not be used."""
        draft = self._settings.draft(came.now)
        draft.came, draft.expire, draft.adrift = came.came, expire, adrift
        if forwarded and came.base is not None:
            draft.forwarded = came.base.id
        return draft

    async def is_alive(self, base: Base) -> bool:
        """Return whether a session that came has not been ended since, nor is over."""
        if self._settings.times.is_over(base.record, self._settings.clock()):
            return False
        if self._revocations is not None and await self._revocations.look(base) is not None:
            return False
        return await self._is_welcome(base)

    async def commit(self, draft: Draft, *, failed: bool) -> Outcome:
        """Return the token of what the request did; none if the client holds the right one.

        Raises:
            CodecError: A value cannot be written.
            SessionTooLarge: It does not fit.
            SessionCommitted: Something was changed after the response had begun.
            StoreError: What was ended could not be written down.
        """
        if draft.doomed:
            await self._end(draft)
        if draft.unreadable:
            for name in draft.unreadable:
                self._settings.tell("corrupt", draft.handle, name=name)
            draft.unreadable = ()
        if failed:
            draft.fail()
        changes = draft.gather()
        if draft.begun:
            if changes is not NOTHING_DONE and draft.base is not None:
                raise SessionCommitted("the response has begun: its cookie can no longer be sent")
            return NOTHING
        token = None if draft.adrift is not None else await self._send(draft, changes)
        draft.settle(changes)
        draft.begun = True
        if token is not None and draft.base is not None:
            return self._settings.sent(token, draft.base.record)
        return Outcome(None, None, expire=draft.expire and draft.base is None)

    async def _end(self, draft: Draft) -> None:
        """End what the request destroyed or signed out."""
        for handle, user in draft.doomed:
            if self._revocations is not None:
                await self._revocations.end(handle, draft.came)
            self._settings.tell("destroyed", handle)
            if user is not None:
                self._settings.tell("logout", handle, user=user)
        draft.doomed = ()

    async def destroy(self, handle: str) -> bool:
        """End the session with this handle, wherever it may go on by now; return that it is over.

        Raises:
            ConfigError: There is no store to write that down in.
        """
        await self._rows().end(handle)
        self._settings.tell("destroyed", handle)
        return True

    async def revoke(self, user: str | int, keep: str | None) -> int:
        """End all sessions of `user` but the one with the handle `keep`.

        Returns:
            0: where they are, nobody can count them.

        Raises:
            ConfigError: There is no store to write that down in.
        """
        await self._rows().revoke(user, keep)
        self._settings.tell("revoked", "", user=user, reason="revoked")
        return 0

    def _rows(self) -> Revocations:
        if self._revocations is None:
            raise ConfigError(_NO_STORE)
        return self._revocations

    async def _send(self, draft: Draft, changes: Changes) -> str | None:
        """Return the token the client is to hold, if that is another one."""
        old, record = draft.base, self._sealed.next(draft, changes)
        if record is None:
            return None
        if old is None or record.rev != old.record.rev:
            return await self._issue(draft, record)
        draft.base, token = self._sealed.close(record)
        return token

    async def _issue(self, draft: Draft, record: Record) -> str | None:
        """Return the token of a session under a new handle; None if it was ended meanwhile."""
        old, sign_in, rows, tell = draft.base, draft.sign_in, self._revocations, self._settings.tell
        if draft.forwarded is not None:
            return self._dropped(draft, draft.forwarded, "forwarded")
        if rows is not None and record.user is not None:
            epoch = await rows.epoch(record.user, None if sign_in is not None else old)
            if epoch is None:
                draft.expire = True
                return self._dropped(draft, draft.handle, "revoked")
            record = with_epoch(record, epoch)
        new, token = self._sealed.close(record)
        if old is None:
            tell("created", new.id)
        elif rows is None or await rows.move(old, new.id, follow=sign_in is not None):
            tell("rotated", old.id, to=new.id)
        else:
            return self._dropped(draft, old.id, "destroyed")
        if sign_in is not None:
            tell("login", new.id, user=sign_in.user)
        draft.base, draft.sign_in, draft.rotating, draft.renewed = new, None, False, None
        return token

    def _dropped(self, draft: Draft, handle: str, reason: str) -> str | None:
        """Let go of a session that is not ours to send any more; return no token."""
        draft.drop()
        self._settings.tell("conflict_dropped", handle, reason=reason)
        return None
