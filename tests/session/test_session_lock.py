"""The lock of a session: two requests take turns, and nobody waits for ever."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from counting import CountingStore
from faces import Faces

from holdfast.errors import LockTimeout, SessionError, StoreUnavailable
from holdfast.session import Outcome, Sessions
from holdfast.testing.clock import ManualClock

NOTHING = Outcome(None, None, expire=False)
Make = Callable[..., Faces]


def test_what_is_done_under_the_lock_is_there_when_it_is_given_back(make: Make) -> None:
    faces = make()
    token = faces.new(n=1)
    session = faces.load(token)
    session["before"] = True

    def body() -> None:
        assert dict(faces.sessions.load(token)) == {"n": 1, "before": True}
        session["n"] += 1
        assert faces.sessions.load(token)["n"] == 1

    faces.locked(session, body)
    assert dict(faces.load(token)) == {"n": 2, "before": True}
    session["after"] = True
    assert faces.commit(session) == NOTHING
    assert dict(faces.load(token)) == {"n": 2, "before": True, "after": True}
    assert not [key for key in faces.sessions.store.scan() if key.startswith("l:")]  # type: ignore[union-attr]


def test_who_holds_it_sees_what_others_did_before(make: Make) -> None:
    faces = make()
    token = faces.new(n=1)
    session, other = faces.load(token), faces.load(token)
    assert session["n"] == 1
    other["n"] = 5
    faces.commit(other)

    def body() -> None:
        session["n"] += 1

    faces.locked(session, body)
    assert faces.load(token)["n"] == 6


def test_another_request_waits_its_time(make: Make) -> None:
    faces = make()
    token = faces.new()
    session, other = faces.load(token), faces.load(token)

    def body() -> None:
        with pytest.raises(LockTimeout):
            faces.locked(other, lambda: None)

    if faces.loop:  # a thread beside the loop

        def beside() -> None:
            thread = threading.Thread(target=body)
            thread.start()
            thread.join()

        faces.locked(session, beside)
    else:
        faces.locked(session, body)
    faces.locked(other, lambda: None)


def test_a_body_that_raises_changes_nothing_and_gives_it_back(make: Make) -> None:
    faces = make()
    token = faces.new(n=1)
    session = faces.load(token)

    def body() -> None:
        session["n"] = 2
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        faces.locked(session, body)
    faces.commit(session)
    assert faces.load(token)["n"] == 1
    faces.locked(faces.load(token), lambda: None)


def test_a_new_session_has_nobody_to_wait_for(make: Make) -> None:
    faces = make()
    session = faces.load(None)
    faces.locked(session, lambda: session.update(a=1))
    assert dict(faces.load(faces.sent(session))) == {"a": 1}


def test_a_session_that_was_destroyed_stays_so(make: Make) -> None:
    faces = make()
    token = faces.new()
    session, leaving = faces.load(token), faces.load(token)
    assert session["a"] == 1
    leaving.destroy()
    faces.commit(leaving)
    faces.locked(session, lambda: session.update(b=2))
    assert faces.commit(session) == NOTHING
    assert faces.count() == 0


def test_a_session_that_was_rotated_is_locked_where_it_is(make: Make) -> None:
    faces = make()
    token = faces.new(n=1)
    session, rotating = faces.load(token), faces.load(token)
    assert session["n"] == 1
    rotating.rotate()
    new = faces.sent(rotating)
    other = faces.load(new)
    done: list[bool] = []

    def body() -> None:
        session["n"] = 2
        try:
            faces.locked(other, lambda: None)
        except LockTimeout:
            done.append(True)

    if faces.loop:
        faces.locked(session, lambda: session.update(n=2))
    else:
        faces.locked(session, body)
        assert done == [True]
    assert faces.load(new)["n"] == 2


def test_turns_are_taken() -> None:
    """Read, think, write: without the lock most of these would be lost."""
    sessions = Sessions("memory://")
    first = sessions.load(None)
    first["n"] = 0
    token = sessions.commit(first).token

    def visit() -> None:
        session = sessions.load(token)
        with session.lock(timeout=30):
            session["n"] += 1
        sessions.commit(session)

    threads = [threading.Thread(target=visit) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sessions.load(token)["n"] == 16


def test_turns_of_tasks() -> None:
    sessions = Sessions("memory://")

    async def main() -> None:
        first = await sessions.aio.load(None)
        first["n"] = 0
        token = (await sessions.aio.commit(first)).token

        async def visit() -> None:
            session = await sessions.aio.load(token)
            async with session.aio.lock(timeout=30):
                n = session["n"]
                await asyncio.sleep(0)
                session["n"] = n + 1
            await sessions.aio.commit(session)

        await asyncio.gather(*(visit() for _ in range(16)))
        assert (await sessions.aio.load(token))["n"] == 16

    asyncio.run(main())


def test_a_loop_is_not_blocked() -> None:
    sessions = Sessions("memory://")

    async def main() -> None:
        session = await sessions.aio.load(None)
        with pytest.raises(SessionError, match=r"session\.aio\.lock"), session.lock():
            pass

    asyncio.run(main())


def test_the_lock_of_who_was_killed_ends_by_itself(make: Make, clock: ManualClock) -> None:
    faces = make()
    token = faces.new()
    session = faces.load(token)
    key = f"l:{session.id}"
    store = faces.sessions.store
    assert store is not None
    assert store.swap(key, None, b"somebody", 30)
    with pytest.raises(LockTimeout):
        faces.locked(session, lambda: None)
    clock.advance(30)
    faces.locked(session, lambda: None)


def test_a_store_that_is_down_locks_nothing(make: Make, store: CountingStore) -> None:
    faces = make()
    session = faces.load(faces.new())
    assert "a" in session
    store.down = True
    with pytest.raises(StoreUnavailable):
        faces.locked(session, lambda: None)
