"""The async face: the same sessions, awaited; nothing blocks the loop unasked."""

import asyncio

import pytest
from counting import CountingStore

from holdfast.errors import SessionError
from holdfast.session import Outcome, Sessions
from holdfast.testing.clock import ManualClock

NOTHING = Outcome(None, None, expire=False)


def test_a_round(either: Sessions) -> None:
    async def main() -> None:
        session = await either.aio.load(None)
        session["a"] = [1]
        session.flash("hi")
        session.notify("n", 1)
        token = (await either.aio.commit(session)).token
        session = await either.aio.load(token)
        assert not session.accessed
        session["a"].append(2)
        assert await session.aio.pop_flash() == ["hi"]
        assert await session.aio.pop_flash() == []
        assert await session.aio.take("n") == 1
        assert await session.aio.take("n", "none") == "none"
        token = (await either.aio.commit(session)).token or token
        assert dict(await either.aio.load(token)) == {"a": [1, 2]}
        session = await either.aio.load(token)
        session.login("ann")
        token = (await either.aio.commit(session)).token
        session = await either.aio.load(token)
        assert session.user == "ann"
        session.logout()
        assert await either.aio.commit(session) == Outcome(None, None, expire=True)

    asyncio.run(main())


def test_both_faces_are_one(sessions: Sessions) -> None:
    async def main() -> str | None:
        session = await sessions.aio.load(None)
        session["a"] = 1
        return (await sessions.aio.commit(session)).token

    token = asyncio.run(main())
    session = sessions.load(token)
    assert session["a"] == 1
    session["b"] = 2
    asyncio.run(sessions.aio.commit(session))
    assert dict(sessions.load(token)) == {"a": 1, "b": 2}


def test_without_a_token_nothing_is_read(sessions: Sessions, store: CountingStore) -> None:
    async def main() -> None:
        for token in (None, "garbage"):
            session = await sessions.aio.load(token)
            assert dict(session) == {}
            assert await sessions.aio.commit(session) == NOTHING

    asyncio.run(main())
    assert not store.calls


def test_loaded_and_not_looked_at_is_not_used(
    sessions: Sessions, store: CountingStore, clock: ManualClock
) -> None:
    session = sessions.load(None)
    session["a"] = 1
    token = sessions.commit(session).token
    clock.advance(100)
    store.calls.clear()

    async def main() -> None:
        session = await sessions.aio.load(token)
        assert await sessions.aio.commit(session) == NOTHING

    asyncio.run(main())
    assert store.calls == {"get": 1}


def test_lazy_sessions_are_loaded_first(sessions: Sessions, store: CountingStore) -> None:
    session = sessions.load(None)
    session["a"] = 1
    token = sessions.commit(session).token
    store.calls.clear()

    async def main() -> None:
        session = sessions.aio.lazy(token)
        assert not store.calls
        with pytest.raises(SessionError, match=r"await session\.load"):
            session.get("a")
        assert await session.load() is session
        assert (await session.load())["a"] == 1
        new = sessions.aio.lazy(None)
        assert dict(new) == {}

    asyncio.run(main())
    assert store.calls == {"get": 1}


def test_plain_forms_show_what_was_loaded_and_take_effect_at_commit(sessions: Sessions) -> None:
    session = sessions.load(None)
    session.notify("n", 1)
    session.notify("n", 2)
    token = sessions.commit(session).token

    async def main() -> None:
        session = await sessions.aio.load(token)
        assert session.take("n") == 1
        assert (await sessions.aio.load(token)).take("n") == 1
        await sessions.aio.commit(session)
        assert (await sessions.aio.load(token)).take("n") == 2

    asyncio.run(main())


def test_from_outside(sessions: Sessions, clock: ManualClock) -> None:
    session = sessions.load(None)
    session["a"] = 1
    token = sessions.commit(session).token

    async def main() -> None:
        assert await sessions.aio.destroy(session.id) is True
        assert await sessions.aio.destroy("x") is False
        other = await sessions.aio.load(None)
        other["a"] = 1
        await sessions.aio.commit(other)
        clock.advance(1e6)
        assert await sessions.aio.sweep() == 1

    asyncio.run(main())
    assert sessions.load(token).is_new


def test_53_a_cancelled_commit_left_the_old_or_the_new(sessions: Sessions) -> None:
    session = sessions.load(None)
    session["a"] = session["b"] = 0
    token = sessions.commit(session).token

    async def main(after: int) -> None:
        session = await sessions.aio.load(token)
        session["a"] = session["b"] = after
        task = asyncio.ensure_future(sessions.aio.commit(session))
        for _ in range(after):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for after in range(5):
        asyncio.run(main(after))
        found = sessions.load(token)
        assert found["a"] == found["b"]
