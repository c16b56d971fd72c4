"""Real threads and real tasks on one session: nothing is lost, nothing is handed out twice."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from holdfast.session import Sessions
from holdfast.store.registry import open_store

WORKERS, ROUNDS = 8, 12


@pytest.fixture(params=["memory", "sqlite"])
def busy(request: pytest.FixtureRequest, tmp_path: Path) -> Sessions:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/sessions.db"
    return Sessions(open_store(url, timeout=20) if request.param == "sqlite" else url)


def stored(sessions: Sessions) -> str:
    session = sessions.load(None)
    session["visits"] = 0
    for number in range(ROUNDS):
        session.notify("ticket", number)
    token = sessions.commit(session).token
    assert token is not None
    return token


def at_once(work: Callable[[int], None]) -> None:
    barrier = Barrier(WORKERS)

    def begin(number: int) -> None:
        barrier.wait()
        work(number)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(begin, range(WORKERS)))


def test_threads(busy: Sessions) -> None:
    token = stored(busy)
    tickets: list[object] = []

    def work(worker: int) -> None:
        for number in range(ROUNDS):
            session = busy.load(token)
            session[f"w{worker}"] = number
            session.increment("visits")
            session.append("log", (worker, number))
            ticket = session.take("ticket")
            if ticket is not None:
                tickets.append(ticket)
            busy.commit(session)

    at_once(work)
    session = busy.load(token)
    assert session["visits"] == WORKERS * ROUNDS
    assert sorted(session["log"]) == [(w, n) for w in range(WORKERS) for n in range(ROUNDS)]
    assert all(session[f"w{worker}"] == ROUNDS - 1 for worker in range(WORKERS))
    assert sorted(map(str, tickets)) == sorted(map(str, range(ROUNDS)))


def test_tasks(busy: Sessions) -> None:
    token = stored(busy)

    async def work(worker: int) -> None:
        for number in range(ROUNDS):
            session = await busy.aio.load(token)
            session.increment("visits")
            await asyncio.sleep(0)
            session.append("log", (worker, number))
            await busy.aio.commit(session)

    async def main() -> None:
        await asyncio.gather(*(work(worker) for worker in range(WORKERS)))

    asyncio.run(main())
    session = busy.load(token)
    assert session["visits"] == WORKERS * ROUNDS
    assert len(session["log"]) == WORKERS * ROUNDS


def test_one_of_many_logouts_and_writes(busy: Sessions) -> None:
    token = stored(busy)

    def work(worker: int) -> None:
        session = busy.load(token)
        if session.is_new:
            return
        if worker == 0:
            session.logout()
        else:
            session.increment("visits")
        assert busy.commit(session).token is None

    at_once(work)
    assert busy.load(token).is_new


def test_logins_at_once_leave_one_session(busy: Sessions) -> None:
    token = stored(busy)
    sent: list[str] = []

    def work(worker: int) -> None:
        session = busy.load(token)
        if session.is_new:  # a login was quicker
            return
        session[f"w{worker}"] = 1
        session.login("ann")
        outcome = busy.commit(session)
        assert outcome.token is not None
        sent.append(outcome.token)

    at_once(work)
    alive = [token for token in sent if not busy.load(token).is_new]
    assert len(alive) == 1
    session = busy.load(alive[0])
    assert session.user == "ann"
    assert sum(name.startswith("w") for name in session) == len(sent)
    assert busy.load(token).user is None
