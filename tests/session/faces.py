"""The same sessions, called from a thread or from an event loop."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

from holdfast.session import Outcome, Session, SessionInfo, Sessions


class Faces:
    """Sessions over one face; every call is complete when it returns."""

    def __init__(self, sessions: Sessions, *, loop: bool) -> None:
        self.sessions = sessions
        self.loop = loop

    def load(self, token: str | None) -> Session:
        if self.loop:
            return asyncio.run(self.sessions.aio.load(token))
        return self.sessions.load(token)

    def commit(self, session: Session, *, failed: bool = False) -> Outcome:
        if self.loop:
            return asyncio.run(self.sessions.aio.commit(session, failed=failed))
        return self.sessions.commit(session, failed=failed)

    def of(self, user: str | int) -> list[SessionInfo]:
        if self.loop:
            return asyncio.run(self.sessions.aio.of(user))
        return self.sessions.of(user)

    def revoke(self, user: str | int, keep: Session | str | None = None) -> int:
        if self.loop:
            return asyncio.run(self.sessions.aio.revoke(user, keep))
        return self.sessions.revoke(user, keep)

    def destroy(self, handle: str) -> bool:
        if self.loop:
            return asyncio.run(self.sessions.aio.destroy(handle))
        return self.sessions.destroy(handle)

    def is_alive(self, session: Session) -> bool:
        if self.loop:
            return asyncio.run(self.sessions.aio.is_alive(session))
        return self.sessions.is_alive(session)

    def dump(self) -> bytes:
        stream = io.BytesIO()
        if self.loop:
            count = asyncio.run(self.sessions.aio.dump(stream))
        else:
            count = self.sessions.dump(stream)
        assert count == self.count()
        return stream.getvalue()

    def restore(self, dumped: bytes) -> int:
        if self.loop:
            return asyncio.run(self.sessions.aio.restore(io.BytesIO(dumped)))
        return self.sessions.restore(io.BytesIO(dumped))

    def count(self) -> int:
        return asyncio.run(self.sessions.aio.count()) if self.loop else self.sessions.count()

    def login(self, session: Session, user: str | int, label: str | None = None) -> None:
        """Sign in at the call."""
        if self.loop:
            asyncio.run(session.aio.login(user, label))
        else:
            session.login(user, label)

    def locked(self, session: Session, body: Callable[[], object], timeout: float = 0.05) -> None:
        """Run `body` under the session's lock."""

        async def run() -> None:
            async with session.aio.lock(timeout):
                body()

        if self.loop:
            asyncio.run(run())
        else:
            with session.lock(timeout):
                body()

    # What most tests do

    def new(self, **values: object) -> str:
        session = self.load(None)
        session.update(values or {"a": 1})
        return self.sent(session)

    def sent(self, session: Session) -> str:
        token = self.commit(session).token
        assert token is not None
        return token

    def signed_in(self, user: str | int = "ann", token: str | None = None, **login: Any) -> str:
        session = self.load(token)
        session.login(user, **login)
        return self.sent(session)

    def user(self, token: str) -> str | int | None:
        return self.load(token).user

    def lives(self, token: str) -> bool:
        return not self.load(token).is_new

    def alive(self, *tokens: str) -> list[bool]:
        return [self.lives(token) for token in tokens]
