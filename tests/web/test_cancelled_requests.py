"""A request cancelled at any await leaves the old state or the new one, and nothing half."""

import asyncio
from typing import Any

import pytest

from holdfast import Sessions, StoreUnavailable
from holdfast.bridge import Blocking
from holdfast.session.data import Note, decode
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import scope, talk
from holdfast.web.asgi import SessionMiddleware

TURNS = 60  # of the loop: more than the longest of these requests takes


class TurningFace(Blocking):
    """An async face whose every operation takes a turn of the loop before it is done, and after.

    Attributes:
        failing: Set at a `swap`, which then fails.
    """

    failing: asyncio.Event | None = None

    async def get(self, key: str) -> bytes | None:
        await asyncio.sleep(0)
        found = await super().get(key)
        await asyncio.sleep(0)
        return found

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        await asyncio.sleep(0)
        if self.failing is not None:
            self.failing.set()
            await asyncio.sleep(0)
            raise StoreUnavailable("far")
        done = await super().swap(key, old, new, ttl)
        await asyncio.sleep(0)
        return done


class TurningStore(MemoryStore):
    """A memory store that is far away."""

    never_waits = False

    def __init__(self) -> None:
        super().__init__("far")
        self.turning = TurningFace(self)

    @property
    def aio(self) -> TurningFace:
        return self.turning


class Shop:
    """One visitor's session in a store, and what was told of it."""

    def __init__(self) -> None:
        self.store = TurningStore()
        self.events: list[str] = []
        self.sessions = Sessions(self.store, observer=lambda event, _: self.events.append(event))
        session = self.sessions.load(None)
        session.login("ada")
        session["a"] = 1
        session["b"] = 1
        token = self.sessions.commit(session).token
        assert token is not None
        self.token = token

    def live(self) -> list[dict[str, Any]]:
        """Return what stands in the sessions that have not been rotated away."""
        found = []
        for key in list(self.store.scan()):
            record = decode(self.store.get(key) or b"")
            if record is not None and not isinstance(record, Note) and record.user == "ada":
                found.append({name: bytes(value) for name, value in record.data.items()})
        return found


async def app(fields: Any, _receive: Any, send: Any) -> None:
    session = fields["session"]
    match fields["path"]:
        case "/write":
            session["a"] = session["b"] = 2
        case "/rotate":
            session["a"] = session["b"] = 2
            session.rotate()
        case "/logout":
            session.logout()
        case "/claim":
            session.notify("n", 1)
            await session.aio.take("n")
            session["a"] = session["b"] = 2
        case "/late":
            session["a"] = session["b"] = 2
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(3):
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
    if fields["path"] == "/late":
        session["a"] = session["b"] = 3
    await send({"type": "http.response.body", "body": b"x"})


async def cancel_after(turns: int, shop: Shop, path: str) -> bool:
    """Cancel a request after so many turns of the loop; return whether it was still under way."""
    fields = scope(path, headers=[("Cookie", f"__Host-sid={shop.token}")])
    request = asyncio.ensure_future(talk(SessionMiddleware(app, shop.sessions), fields))
    for _ in range(turns):
        await asyncio.sleep(0)
    was_running = request.cancel()
    await asyncio.wait([request])
    for _ in range(TURNS):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return was_running


@pytest.mark.parametrize("path", ["/read", "/write", "/rotate", "/logout", "/claim", "/late"])
def test_053_at_every_await_the_state_is_the_old_or_the_new_one(path: str) -> None:
    seen: set[str] = set()
    for turns in range(TURNS):
        shop = Shop()
        before = shop.live()
        was_running = asyncio.run(cancel_after(turns, shop, path))
        after, old = shop.live(), dict(shop.sessions.load(shop.token))
        assert len(after) == (0 if path == "/logout" and after != before else 1)
        values = set(after[0].values()) if after else set()
        assert len(values) <= 1, "half of what was written"
        if path == "/rotate":
            assert (old == {}) == (after != before)
        elif path != "/logout":
            assert old["a"] == old["b"]
        seen.add("new" if after != before else "old")
        if not was_running:
            break
    assert not was_running, "give it more turns"
    assert seen == ({"old"} if path == "/read" else {"old", "new"})


def test_053_a_commit_that_fails_when_nobody_waits_for_it_is_told_to_the_observer() -> None:
    shop = Shop()

    async def scene() -> None:
        failing = shop.store.turning.failing = asyncio.Event()
        fields = scope("/write", headers=[("Cookie", f"__Host-sid={shop.token}")])
        request = asyncio.ensure_future(talk(SessionMiddleware(app, shop.sessions), fields))
        await failing.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        for _ in range(TURNS):
            await asyncio.sleep(0)

    asyncio.run(scene())
    assert shop.events[-1] == "session.store_down"
