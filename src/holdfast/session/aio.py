"""The async face of sessions: the names of `facade.py`, awaited.

Law: no decision and no sequence stands here.
"""

from typing import IO, TYPE_CHECKING, Generic

from holdfast.bridge import in_thread
from holdfast.session.homes import Loop
from holdfast.session.incookie import InCookie
from holdfast.session.outcome import NOTHING, Outcome
from holdfast.session.schema import T
from holdfast.session.session import Session, base_of, draft_of, id_to_keep
from holdfast.session.token import is_id
from holdfast.session.users import SessionInfo

if TYPE_CHECKING:
    from holdfast.session.facade import Sessions

__all__ = ["AioSessions"]


class AioSessions(Generic[T]):
    """`Sessions` for event loops."""

    def __init__(self, sessions: "Sessions[T]", home: Loop | InCookie) -> None:
        self._sessions = sessions
        self._home = home

    async def load(self, token: str | None) -> Session[T]:
        """Return the session `token` stands for, read at once if there is a token.

        Raises:
            StoreError: The store could not be asked.
        """
        return Session(self._home, token, await self._home.aopen(token))

    def lazy(self, token: str | None) -> Session[T]:
        """Return a session that is read by `await session.load()`, which must precede any use."""
        return Session(self._home, token)

    async def commit(self, session: Session, *, failed: bool = False) -> Outcome:
        """Write what the application did; see `Sessions.commit`."""
        draft = draft_of(session)
        if draft is None:
            return NOTHING
        return await self._home.acommit(draft, failed=failed)

    def is_idle(self, session: Session) -> bool:
        """Return whether a commit has nothing to do, for whoever would make a task of it."""
        draft = draft_of(session)
        return draft is None or self._home.is_idle(draft)

    async def is_alive(self, session: Session) -> bool:
        """Return whether a session has not been ended since; see `Sessions.is_alive`."""
        base = base_of(session)
        return base is None or await self._home.ais_alive(base)

    async def of(self, user: str | int) -> list[SessionInfo]:
        """Return the sessions of a user; see `Sessions.of`."""
        return await self._home.aof(user)

    async def revoke(self, user: str | int, keep: Session | str | None = None) -> int:
        """End every session of a user; see `Sessions.revoke`."""
        return await self._home.arevoke(user, id_to_keep(keep))

    async def destroy(self, handle: str) -> bool:
        """Destroy a session from outside; see `Sessions.destroy`."""
        return is_id(handle) and await self._home.adestroy(handle)

    async def sweep(self) -> int:
        """Remove expired records; see `Sessions.sweep`."""
        return await in_thread(self._sessions.sweep)

    async def count(self) -> int:
        """Return how many sessions are stored; see `Sessions.count`."""
        return await in_thread(self._sessions.count)

    async def dump(self, stream: IO[bytes]) -> int:
        """Write all sessions to `stream`, in a thread; see `Sessions.dump`."""
        return await in_thread(self._sessions.dump, stream)

    async def restore(self, stream: IO[bytes]) -> int:
        """Put back what `dump` wrote, in a thread; see `Sessions.restore`."""
        return await in_thread(self._sessions.restore, stream)
