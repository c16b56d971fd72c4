"""Actors: what one visitor after the other does to sessions he shares with all others.

Law: written once for threads, which drive it, and tasks. What is meant is in the journal before it
is asked for, and what was told before anything else is done. Everything written is unlike anything
else, and says who was signed in when it was written.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol

from holdfast import Sessions
from holdfast.errors import StoreError
from holdfast.session import Outcome, Session
from holdfast.session.token import id_of
from turmoil.board import Board, Place
from turmoil.journal import Journal

__all__ = ["PLACES", "Actor", "Tasks", "Threads", "overhear"]

PLACES = 50
HOT = 4  # half of the requests go to these
SHARED = ("red", "green")

_heard: ContextVar[list[list[Any]]] = ContextVar("heard")


def overhear(event: str, fields: Mapping[str, object]) -> None:
    """Observe sessions: whose request it is hears of it."""
    if (heard := _heard.get(None)) is not None:
        heard.append([event.removeprefix("session."), fields.get("reason", "")])


class Face(Protocol):
    """What an actor needs of sessions, awaited."""

    async def sleep(self, seconds: float) -> None: ...
    async def load(self, token: str | None) -> Session: ...
    async def commit(self, session: Session) -> Outcome: ...
    async def claim(self, session: Session, word: str) -> list[str]: ...
    async def destroy(self, handle: str) -> bool: ...


class Threads:
    """Sessions for threads."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - it is driven, by a thread

    async def load(self, token: str | None) -> Session:
        return self._sessions.load(token)

    async def commit(self, session: Session) -> Outcome:
        return self._sessions.commit(session)

    async def claim(self, session: Session, word: str) -> list[str]:
        return session.pop_flash() if word == "pop" else [*filter(None, [session.take("news")])]

    async def destroy(self, handle: str) -> bool:
        return self._sessions.destroy(handle)


class Tasks:
    """Sessions for event loops."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions.aio

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def load(self, token: str | None) -> Session:
        return await self._sessions.load(token)

    async def commit(self, session: Session) -> Outcome:
        return await self._sessions.commit(session)

    async def claim(self, session: Session, word: str) -> list[str]:
        if word == "pop":
            return await session.aio.pop_flash()
        return [*filter(None, [await session.aio.take("news")])]

    async def destroy(self, handle: str) -> bool:
        return await self._sessions.destroy(handle)


class Actor:
    """One thread or task.

    Args:
        face: How it reaches sessions.
        board: Where tokens are found.
        journal: Where it writes.
        chance: What it draws from.
    """

    def __init__(self, face: Face, board: Board, journal: Journal, chance: random.Random) -> None:
        self._face = face
        self._board = board
        self._journal = journal
        self._chance = chance
        self._kinds: list[Callable[[int, Place, Session], Awaitable[None]]] = [
            self._look_only,
            self._write,
            self._rotate,
            self._logout,
            self._destroy,
            self._login,
            self._clear,
        ]
        self._weights = [20, 80, 4, 1, 1, 3, 4]

    async def act(self, until: float) -> None:
        """Visit places at random until then."""
        _heard.set([])
        while time.monotonic() < until:
            number = self._chance.randrange(self._chance.choice([HOT, PLACES]))
            try:
                await self._visit(number)
            except StoreError as error:
                self._journal.failed(error)
                await self._face.sleep(self._chance.uniform(0, 0.1))

    async def _visit(self, number: int) -> None:
        place = self._board.read(number)
        if place is None:
            await self._begin(number, None)
            return
        session = await self._look(place)
        await self._face.sleep(self._chance.choice([0, 0, 0.001, 0.005, 0.02]))
        if not session.is_new:
            await self._chance.choices(self._kinds, self._weights)[0](number, place, session)
        elif self._board.read(number) == place:
            await self._begin(number, place)

    async def _begin(self, number: int, before: Place | None) -> None:
        """Begin a new session where there is none."""
        session = await self._face.load(None)
        line = f"{number}.{self._journal.next_name()}"
        session["line"] = line
        token = await self._commit(session, line, [["begin"], ["set", "line", line]])
        assert token is not None, "a new session has a token"
        self._board.begin(number, before, Place(line, token))

    async def _look(self, place: Place) -> Session:
        since = time.monotonic()
        session = await self._face.load(place.token)
        alive = not session.is_new
        handle = id_of(place.token) or ""
        seen: dict[str, Any] = {"alive": alive}
        if alive:
            seen["user"], seen["names"] = session.user, dict(session)
            seen["flashes"] = session.peek_flash()
        self._journal.saw(place.line, handle, since, **seen)
        return session

    async def _look_only(self, number: int, place: Place, session: Session) -> None:  # noqa: ARG002
        await self._commit(session, place.line, [["look"]])

    async def _write(self, number: int, place: Place, session: Session) -> None:
        await self._change(number, place, session, [])

    async def _rotate(self, number: int, place: Place, session: Session) -> None:
        session.rotate()
        await self._change(number, place, session, [["rotate"]])

    async def _login(self, number: int, place: Place, session: Session) -> None:
        user = f"user{number}"
        if number % 5 == 1:  # here people share a browser
            user = self._chance.choice([user, "another"])
        session.login(user)
        # what belongs to another user is left behind, and what this session is with it
        session["line"] = place.line
        await self._change(number, place, session, [["login", user], ["set", "line", place.line]])

    async def _clear(self, number: int, place: Place, session: Session) -> None:
        if number % 5:  # most sessions are never cleared: there all must add up
            await self._write(number, place, session)
            return
        session.clear()
        session["line"] = place.line
        await self._change(number, place, session, [["clear"], ["set", "line", place.line]])

    async def _logout(self, number: int, place: Place, session: Session) -> None:  # noqa: ARG002
        session.logout()
        await self._commit(session, place.line, [["destroy"]], handle=id_of(place.token) or "")

    async def _destroy(self, number: int, place: Place, session: Session) -> None:  # noqa: ARG002
        self._journal.tries(place.line, session.id, [["destroy"]])
        await self._face.destroy(session.id)
        self._journal.did()

    async def _change(
        self, number: int, place: Place, session: Session, verbs: list[list[Any]]
    ) -> None:
        """Do one to three things besides, and commit."""
        value = f"{self._journal.next_name()}:{session.user or ''}"
        ways = self._chance.sample(
            ["own", "shared", "pair", "increment", "append", "flash", "notify", "pop", "take"],
            self._chance.randint(0 if verbs else 1, 3),
        )
        if not verbs:  # what is claimed at the call is no part of a commit of its own
            for way in {"pop", "take"}.intersection(ways):
                await self._claim(place, session, way)
        for way in ways:
            verbs += self._note(session, way, value)
        if verbs:
            token = await self._commit(session, place.line, verbs, handle=session.id)
            if token is not None:
                self._board.go_on(number, Place(place.line, token))

    def _note(self, session: Session, way: str, value: str) -> list[list[Any]]:
        """Do one thing to the contents; return it in words."""
        sets = {"own": [self._journal.who], "shared": [self._chance.choice(SHARED)]}
        sets["pair"] = ["left", "right"]
        if way in sets:
            for name in sets[way]:
                session[name] = value
            return [["set", name, value] for name in sets[way]]
        if way == "increment":
            session.increment("count")
            return [["increment"]]
        if way in {"append", "flash", "notify"}:
            more = {"append": ["list"], "notify": ["news"], "flash": []}[way]
            item = f"{way[0]}{value}"  # each box has its own
            getattr(session, way)(*more, item)
            return [[way, item]]
        return []

    async def _claim(self, place: Place, session: Session, way: str) -> None:
        self._journal.tries(place.line, session.id, [[way]])
        self._journal.did(taken=await self._face.claim(session, way), events=self._overheard())

    async def _commit(
        self, session: Session, line: str, verbs: list[list[Any]], *, handle: str = ""
    ) -> str | None:
        """Commit; return the token the client is to hold from now on, if it is another."""
        self._overheard()
        self._journal.tries(line, handle, verbs)
        token = (await self._face.commit(session)).token
        new_id = (id_of(token) or "") if token else ""
        self._journal.did(new_id=new_id, events=self._overheard())
        return token

    def _overheard(self) -> list[list[Any]]:
        heard = _heard.get()
        told = heard.copy()
        heard.clear()
        return told
