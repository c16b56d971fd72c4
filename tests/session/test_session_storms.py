"""The store fails, or a task is cancelled, in the midst of each verb.

What is told is true all the same: there is the old state or the new one, and nobody is signed in
whom `revoke` would not find.
"""

import types
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar

import pytest

from holdfast import Session, Sessions
from holdfast.bridge import Blocking
from holdfast.errors import StoreError, TooManySessions
from holdfast.session.index import decode
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore

T = TypeVar("T")
Act = Callable[[Sessions, Session], Coroutine[Any, Any, object]]
Trouble = Literal["fail", "hang", "lose_reply"]


@types.coroutine
def a_turn() -> Generator[None, None, None]:
    yield


class FarFace(Blocking):
    """An async face that suspends before and after each operation; no loop is needed."""

    async def get(self, key: str) -> bytes | None:
        await a_turn()
        found = await super().get(key)
        await a_turn()
        return found

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        await a_turn()
        found = await super().get_many(keys)
        await a_turn()
        return found

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        await a_turn()
        done = await super().swap(key, old, new, ttl)
        await a_turn()
        return done


class FarStore(MemoryStore):
    """A memory store that is far away for tasks."""

    never_waits = False

    def __init__(self, clock: ManualClock) -> None:
        super().__init__("far", clock=clock)
        self.aio = FarFace(self)


class World:
    """One store; sessions that meet its faults, and calm ones to look with."""

    def __init__(self, store: MemoryStore, clock: ManualClock, **options: Any) -> None:
        self.memory, self.clock = store, clock
        self.faulty = FaultyStore(store, clock=clock)
        self.struck = Sessions(self.faulty, clock=clock, **options)
        self.calm = Sessions(store, clock=clock, **options)
        self.told: list[str] = []

    def begin(self, user: str | None) -> None:
        session = self.calm.load(None)
        session.update({"n": 0, "cart": ["tea"]})
        session.notify("note", "once")
        session.flash("hi")
        if user is not None:
            session.login(user)
        self.told.append(self.calm.commit(session).token or "")

    def note(self, token: str | None) -> None:
        if token is not None:
            self.told.append(token)

    def alive(self) -> list[Session]:
        """Return the session of each client who was told a token, once every note is gone."""
        found = {session.id: session for session in map(self.calm.load, self.told)}
        return [session for session in found.values() if not session.is_new]

    def of(self, user: str) -> list[Session]:
        return [session for session in self.alive() if session.user == user]

    def counted(self) -> int:
        """Return the largest count; who commits again after no answer may count twice."""
        return max((session.get("n", 0) for session in self.alive()), default=0)

    def check(self, most: int | None) -> None:
        """Check what holds whatever happened."""
        self.clock.advance(61)
        rows = [self.memory.get(key) or b"" for key in self.memory.scan("u:")]
        listed = {entry.id for row in rows for entry in decode(row)}
        users = {session.user for session in self.alive()} - {None}
        assert {session.id for session in self.alive() if session.user is not None} <= listed
        assert most is None or len(self.of("ann")) <= most
        before = [session.id for session in self.alive() if session.user is None]
        for user in users:
            assert user is not None
            self.calm.revoke(user)
        assert [session.id for session in self.alive()] == before


async def put(_: Sessions, session: Session) -> None:
    session["a"] = 1


async def count(_: Sessions, session: Session) -> None:
    session.increment("n")


async def rotate(_: Sessions, session: Session) -> None:
    session.rotate()


async def login(_: Sessions, session: Session) -> None:
    session.login("ann")
    session["mine"] = 1


async def logout(_: Sessions, session: Session) -> None:
    session.logout()


async def take(_: Sessions, session: Session) -> None:
    session.take("note")


async def pop_flash(_: Sessions, session: Session) -> None:
    session.pop_flash()


async def remember(_: Sessions, session: Session) -> None:
    session.remember("30d")


async def lock(_: Sessions, session: Session) -> None:
    session.increment("n")
    with session.lock(1):
        session.increment("n")


async def lock_and_login(_: Sessions, session: Session) -> None:
    with session.lock(1):
        session.login("ann")
        session["mine"] = 1


async def revoke(sessions: Sessions, _: Session) -> None:
    sessions.revoke("ann")


async def revoke_others(sessions: Sessions, session: Session) -> None:
    sessions.revoke("ann", keep=session)


async def destroy(sessions: Sessions, session: Session) -> None:
    sessions.destroy(session.id)


ACTS: Sequence[Act] = [
    *(put, count, rotate, login, logout, take, pop_flash, remember),
    *(lock, lock_and_login, revoke, revoke_others, destroy),
]
OPTIONS: Sequence[dict[str, Any]] = [
    {},
    {"max_sessions": 1},
    {"max_sessions": 1, "when_full": "refuse"},
    {"rotate_every": 600},
    {"on_store_error": "anonymous"},
]


def named(value: object) -> str:
    if isinstance(value, dict):
        return "-".join(map(str, value.values())) or "plain"
    return str(getattr(value, "__name__", value))


def world_of(options: dict[str, Any], user: str | None) -> World:
    clock = ManualClock()
    world = World(FarStore(clock), clock, **options)
    world.begin(user)
    if "max_sessions" in options and user is None:
        world.begin("ann")
    clock.advance(700)
    return world


def now(steps: Coroutine[Any, Any, T]) -> T:
    """Run what does not suspend."""
    try:
        steps.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("it suspended")


@pytest.mark.parametrize("user", [None, "ann"])
@pytest.mark.parametrize("options", OPTIONS, ids=named)
@pytest.mark.parametrize("act", ACTS, ids=named)
def test_a_fault_at_each_operation(act: Act, options: dict[str, Any], user: str | None) -> None:
    kinds: list[Trouble] = ["fail", "hang", "lose_reply"]
    for kind in kinds:
        for times in (1, 2):
            for again in (False, True):
                after, struck = 0, True
                while struck:
                    world = world_of(options, user)
                    struck = request(world, act, kind, after=after, times=times, again=again)
                    world.check(options.get("max_sessions"))
                    assert again or world.counted() <= 2
                    after += 1


def request(world: World, act: Act, kind: Trouble, *, after: int, times: int, again: bool) -> bool:
    """Play a request into faults; with `again` it goes on after each error, and commits anew."""
    trouble: Callable[..., Any] = getattr(world.faulty, kind)
    with trouble("get", "get_many", "swap", after=after, times=times) as fault:
        failed = False
        try:
            session = world.struck.load(world.told[0])
            user = session.user
            try:
                now(act(world.struck, session))
            except (StoreError, TooManySessions):
                failed = True
                if not again:
                    raise
            world.note(world.struck.commit(session).token)
        except (StoreError, TooManySessions):
            failed = True
            if again:
                fault.mend()
                with suppress(TooManySessions):
                    world.note(world.struck.commit(session).token)
    if not failed and user is not None and act is logout:
        assert not world.of("ann")
    if not failed and act is login:
        assert world.of("ann")
    return bool(fault.struck)


def cancelled_at(steps: Coroutine[Any, Any, None], turn: int) -> bool:
    """Run `steps` and cancel it at a suspension; return whether it came so far."""
    for _ in range(turn):
        try:
            steps.send(None)
        except (StopIteration, TooManySessions):
            return False
    with suppress(CancelledError, StopIteration, TooManySessions):
        steps.throw(CancelledError())
        while True:
            steps.send(None)
    return True


async def task(world: World, act: Act, *, again: bool) -> None:
    """Do a request as a task; with `again` it goes on when it was cancelled at the call."""
    sessions = world.calm
    session = await sessions.aio.load(world.told[0])
    try:
        await act(sessions, session)
    except (CancelledError, TooManySessions):
        if not again:
            raise
    try:
        outcome = await sessions.aio.commit(session)
    except CancelledError:
        if not again:
            raise
        outcome = await sessions.aio.commit(session)
    world.note(outcome.token)


async def login_now(_: Sessions, session: Session) -> None:
    await session.aio.login("ann")
    session["mine"] = 1


async def take_now(_: Sessions, session: Session) -> None:
    await session.aio.take("note")


async def lock_now(_: Sessions, session: Session) -> None:
    session.increment("n")
    async with session.aio.lock(1):
        session.increment("n")


async def lock_and_login_now(_: Sessions, session: Session) -> None:
    async with session.aio.lock(1):
        session.login("ann")
        session["mine"] = 1


async def revoke_now(sessions: Sessions, session: Session) -> None:
    await sessions.aio.revoke("ann", keep=session)


async def destroy_now(sessions: Sessions, session: Session) -> None:
    await sessions.aio.destroy(session.id)


TASKS: Sequence[Act] = [
    *(put, count, rotate, login, logout, remember, login_now, take_now, lock_now),
    *(lock_and_login_now, revoke_now, destroy_now),
]


@pytest.mark.parametrize("user", [None, "ann"])
@pytest.mark.parametrize("options", OPTIONS, ids=named)
@pytest.mark.parametrize("act", TASKS, ids=named)
def test_a_task_cancelled_at_each_await(
    act: Act, options: dict[str, Any], user: str | None
) -> None:
    for again in (False, True):
        turn, came = 0, True
        while came:
            turn += 1
            world = world_of(options, user)
            came = cancelled_at(task(world, act, again=again), turn)
            assert list(world.memory.scan("l:")) == []
            world.check(options.get("max_sessions"))
            assert again or world.counted() <= 2
        assert turn > 2


@pytest.mark.parametrize("user", [None, "ann", "bob"])
@pytest.mark.parametrize("options", OPTIONS, ids=named)
@pytest.mark.parametrize("act", ACTS, ids=named)
def test_an_observer_that_raises_at_each_event(
    act: Act, options: dict[str, Any], user: str | None
) -> None:
    for again in (False, True):
        spared = 0
        while observed(world := world_of(options, user), act, options, spared, again=again):
            world.check(options.get("max_sessions"))
            spared += 1


def observed(world: World, act: Act, options: dict[str, Any], spared: int, *, again: bool) -> bool:
    """Play a request whose observer raises after some events; return whether it did."""
    left, raised = spared, False

    def observe(event: str, _: object) -> None:
        nonlocal left, raised
        left -= 1
        if left < 0 and not raised:
            raised = True
            raise ZeroDivisionError(event)

    sessions = Sessions(world.memory, clock=world.clock, observer=observe, **options)
    session = sessions.load(world.told[0])
    try:
        try:
            now(act(sessions, session))
            commit_now(world, sessions, session)
        except ZeroDivisionError:
            if again:
                commit_now(world, sessions, session)
    except TooManySessions:
        pass
    return raised


def commit_now(world: World, sessions: Sessions, session: Session) -> None:
    world.note(sessions.commit(session).token)
