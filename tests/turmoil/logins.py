"""Logins of one user at the same moment, some with a rotation, in processes, threads and tasks.

Law: an answer is what a visitor was told: a token, or that there was no room. Who was told nothing,
because his process was killed, has none.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast import Sessions, open_store
from holdfast.bridge import aio_face
from holdfast.errors import TooManySessions
from holdfast.session.data import Record, decode
from holdfast.session.token import id_of
from holdfast.store.abilities import CanScan
from holdfast.store.protocol import OpenStore
from turmoil.gate import Gate

__all__ = ["USER", "Answer", "Scene", "alive", "at_once", "listed", "records_of", "tokens_of"]

USER = "ada"
_SOON = 0.3  # seconds until all have seen that the gate is open


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and how users sign in.

    Attributes:
        folder: What the processes share.
        url: The store.
        prefix: Before all keys.
        options: More options of the sessions.
        crowd: How many sign in at the same moment, in one process.
    """

    folder: Path
    url: str
    prefix: str
    options: dict[str, Any]
    crowd: int = 50

    def open(self) -> tuple[OpenStore, Sessions]:
        """Return the store and sessions in it."""
        store = open_store(self.url, timeout=30, prefix=self.prefix)
        return store, Sessions(store, **self.options)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one who signed in was told.

    Attributes:
        began: When he asked: seconds of the monotonic clock.
        ended: When he was told.
        token: The token he got.
        refused: Whether there was no room: it is the token of somebody who is not signed in.
    """

    began: float
    ended: float
    token: str | None
    refused: bool


def at_once(
    scene: Scene,
    *,
    processes: int,
    callers: int,
    meanwhile: Callable[[], object] = lambda: None,
) -> list[Answer]:
    """Let users sign in at once: half of the processes have threads, half tasks.

    Args:
        scene: Where.
        processes: How many there are.
        callers: How often one signs in, in each of them.
        meanwhile: Called again and again until all are told.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        parts = [pool.submit(_part, scene, number, callers) for number in range(processes)]
        Gate(scene.folder).open(processes, _SOON)
        while not all(part.done() for part in parts):
            meanwhile()
            time.sleep(0.02)
        return [answer for part in parts for answer in part.result()]


def _part(scene: Scene, number: int, callers: int) -> list[Answer]:
    """Be one process: of tasks if its number is odd."""
    store, sessions = scene.open()
    store.ping()
    start = Gate(scene.folder).wait(str(number))
    if number % 2:
        answers = asyncio.run(_part_of_tasks(scene, store, sessions, callers, start))
    else:
        answers = in_threads(sessions, callers, start, scene.crowd)
    store.close()
    return answers


async def _part_of_tasks(
    scene: Scene, store: OpenStore, sessions: Sessions, callers: int, start: float
) -> list[Answer]:
    answers = await in_tasks(sessions, callers, start, scene.crowd)
    await aio_face(store).close()
    return answers


def in_threads(
    sessions: Sessions, callers: int, start: float = 0.0, crowd: int = 50
) -> list[Answer]:
    """Sign in so often from then on, in `crowd` threads."""

    def sign_in(number: int) -> Answer:
        token = sessions.commit(_visited(sessions.load(None))).token if number % 2 else None
        session = sessions.load(token)
        time.sleep(max(0.0, start - time.monotonic()))
        began, refused = time.monotonic(), False
        try:
            session.login(USER, f"thread {number}")
        except TooManySessions:
            refused = True
        token = sessions.commit(session).token
        if number % 3 == 0:
            session = sessions.load(token)
            session.rotate()
            token = sessions.commit(session).token or token  # ended meanwhile: it stays dead
        return Answer(began, time.monotonic(), token, refused)

    with ThreadPoolExecutor(crowd) as pool:
        return [*pool.map(sign_in, range(callers))]


async def in_tasks(
    sessions: Sessions, callers: int, start: float = 0.0, crowd: int = 50
) -> list[Answer]:
    """Sign in so often, in `crowd` tasks; half of them at the call, the others at the commit."""
    room = asyncio.Semaphore(crowd)

    async def sign_in(number: int) -> Answer:
        async with room:
            return await sign_in_now(number)

    async def sign_in_now(number: int) -> Answer:
        token = None
        if number % 2:
            token = (await sessions.aio.commit(_visited(await sessions.aio.load(None)))).token
        session = await sessions.aio.load(token)
        await asyncio.sleep(max(0.0, start - time.monotonic()))
        began, refused = time.monotonic(), False
        if number % 4 > 1:
            session.login(USER, f"task {number}")
        try:
            if number % 4 < 2:
                await session.aio.login(USER, f"task {number}")
            token = (await sessions.aio.commit(session)).token
        except TooManySessions:
            refused = True
            token = (await sessions.aio.commit(session)).token
        if number % 3 == 0:
            session = await sessions.aio.load(token)
            session.rotate()
            token = (await sessions.aio.commit(session)).token or token
        return Answer(began, time.monotonic(), token, refused)

    return [*await asyncio.gather(*(sign_in(number) for number in range(callers)))]


def _visited(session: Any) -> Any:
    session["visited"] = True
    return session


# What is left


def tokens_of(answers: Iterable[Answer]) -> list[str]:
    """Return the tokens that were told to who was signed in."""
    return [answer.token for answer in answers if answer.token and not answer.refused]


def alive(sessions: Sessions, tokens: Sequence[str]) -> list[str]:
    """Return the ids of those `tokens` under which the user is signed in, sorted."""
    return sorted(id_of(token) or "" for token in tokens if sessions.load(token).user == USER)


def listed(sessions: Sessions) -> list[str]:
    """Return the ids of the user's sessions, as he is shown them, sorted."""
    return sorted(info.id for info in sessions.of(USER))


def records_of(store: OpenStore) -> list[str]:
    """Return the ids of all records in which the user is signed in, whoever has their tokens."""
    assert isinstance(store, CanScan)
    rows = store.get_many([*store.scan("s:")])
    found = {key.removeprefix("s:"): decode(raw) for key, raw in rows.items()}
    return sorted(
        handle
        for handle, record in found.items()
        if isinstance(record, Record) and record.user == USER
    )
