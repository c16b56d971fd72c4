"""Websockets end with their sessions; nothing is left behind, and nobody waits for them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from holdfast import Sessions, StoreUnavailable
from holdfast.errors import ConfigError
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import scope
from holdfast.web.asgi import SessionMiddleware

SOON = 0.01
PATIENCE = 30
GONE = {"type": "websocket.disconnect", "code": 1008, "reason": "the session is over"}
CLOSED = {"type": "websocket.close", "code": 1008, "reason": "the session is over"}
App = Callable[[Any, Any, Any], Awaitable[None]]


class Peer:
    """Both ends of a websocket: what the server tells the application, and hears of it."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.heard: list[dict[str, Any]] = []
        self.hears = asyncio.Event()
        self.say("websocket.connect")

    def say(self, kind: str, **fields: Any) -> None:
        self.said.put_nowait({"type": kind, **fields})

    async def send(self, message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        self.heard.append(message)
        self.hears.set()

    async def hear(self, count: int) -> None:
        while len(self.heard) < count:
            self.hears.clear()
            await self.hears.wait()


class Shop:
    """Sessions in a memory store, one of them signed in."""

    def __init__(self) -> None:
        self.store = MemoryStore("shop")
        self.events: list[str] = []
        self.sessions = Sessions(self.store, observer=lambda event, _: self.events.append(event))
        session = self.sessions.load(None)
        session["a"] = 1
        token = self.sessions.commit(session).token
        assert token is not None
        self.token = token
        self.id = session.id

    def answer_with(self, is_alive: Callable[[Any], Awaitable[bool]]) -> None:
        """Have the store answer so when it is asked for a session."""
        vars(self.sessions.aio)["is_alive"] = is_alive

    def open(
        self, app: App, peer: Peer, token: str | None = "", **options: Any
    ) -> "asyncio.Task[None]":
        token = self.token if token == "" else token
        options = {"revoke_check": SOON, **options}
        headers = [("Cookie", f"__Host-sid={token}")] if token else []
        middleware = SessionMiddleware(app, self.sessions, **options)
        fields = scope(kind="websocket", headers=headers)
        return asyncio.ensure_future(middleware(fields, peer.said.get, peer.send))


def play(scene: Callable[[Shop, Peer], Awaitable[None]]) -> tuple[Shop, Peer]:
    """Play a scene; when it ends, no task is left."""

    async def act() -> tuple[Shop, Peer]:
        shop, peer = Shop(), Peer()
        await asyncio.wait_for(scene(shop, peer), PATIENCE)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return shop, peer

    return asyncio.run(act())


async def echo(_fields: Any, receive: Any, send: Any) -> None:
    """Say what is heard, until there is nobody to hear it."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})
    await send({"type": "websocket.send", "text": f"{message['code']}"})


async def until_gone(_fields: Any, receive: Any, send: Any) -> None:
    """Listen, and end in good manners."""
    await receive()
    await send({"type": "websocket.accept"})
    assert await receive() == GONE
    assert await receive() == GONE
    await send({"type": "websocket.close"})


async def talkative(_fields: Any, _receive: Any, send: Any) -> None:
    """Never listen."""
    await send({"type": "websocket.accept"})
    while True:
        await send({"type": "websocket.send", "text": "news"})


async def in_groups(fields: Any, receive: Any, send: Any) -> None:
    """Never listen, in a task of a group."""
    async with asyncio.TaskGroup() as group:
        group.create_task(talkative(fields, receive, send))


@pytest.mark.parametrize("app", [echo, until_gone, talkative, in_groups])
def test_051_a_websocket_is_closed_soon_after_its_session_is_destroyed(app: App) -> None:
    async def scene(shop: Shop, peer: Peer) -> None:
        running = shop.open(app, peer)
        await peer.hear(1)
        await shop.sessions.aio.destroy(shop.id)
        await running

    _, peer = play(scene)
    assert peer.heard[0] == {"type": "websocket.accept"}
    assert peer.heard.count(CLOSED) == 1
    assert peer.heard[-1] == CLOSED  # nothing leaves after it


def test_051_a_websocket_stays_open_while_its_session_lives() -> None:
    async def scene(shop: Shop, peer: Peer) -> None:
        looked, is_alive = asyncio.Semaphore(0), shop.sessions.aio.is_alive

        async def counted(session: Any) -> bool:
            looked.release()
            return await is_alive(session)

        shop.answer_with(counted)
        running = shop.open(echo, peer)
        for number in range(3):
            await looked.acquire()
            peer.say("websocket.receive", text=str(number))
        await peer.hear(4)
        peer.say("websocket.disconnect", code=1001)
        await running

    _, peer = play(scene)
    assert [one.get("text") for one in peer.heard] == [None, "0", "1", "2", "1001"]


def rotate(sessions: Sessions, session: Any) -> None:
    session.rotate()
    sessions.commit(session)


def sign_in(user: str) -> Callable[[Sessions, Any], None]:
    def act(sessions: Sessions, session: Any) -> None:
        session.login(user)
        sessions.commit(session)

    return act


def log_out(sessions: Sessions, session: Any) -> None:
    session.logout()
    sessions.commit(session)


def revoke(sessions: Sessions, _session: Any) -> None:
    assert sessions.revoke("ada") == 1


def revoke_the_others(sessions: Sessions, session: Any) -> None:
    assert sessions.revoke("ada", keep=session) == 0


MEANWHILE = {
    "a rotation": (rotate, True),
    "a new login of the same user": (sign_in("ada"), True),
    "the login of another": (sign_in("eve"), False),
    "a logout": (log_out, False),
    "a revocation": (revoke, False),
    "a revocation of the others": (revoke_the_others, True),
}


@pytest.mark.parametrize("case", MEANWHILE)
def test_051_what_other_requests_do_to_the_session_decides(case: str) -> None:
    act, stays = MEANWHILE[case]

    async def scene(shop: Shop, peer: Peer) -> None:
        session = shop.sessions.load(shop.token)
        session.login("ada")
        token = shop.sessions.commit(session).token
        looked, is_alive = asyncio.Semaphore(0), shop.sessions.aio.is_alive

        async def counted(session: Any) -> bool:
            looked.release()
            return await is_alive(session)

        shop.answer_with(counted)
        running = shop.open(echo, peer, token)
        await peer.hear(1)
        act(shop.sessions, shop.sessions.load(token))
        if stays:
            for _ in range(3):
                await looked.acquire()
            assert not running.done()
            peer.say("websocket.disconnect", code=1001)
        await running

    _, peer = play(scene)
    assert (CLOSED in peer.heard) is not stays


def test_054_a_websocket_stays_open_while_the_store_is_down() -> None:
    async def scene(shop: Shop, peer: Peer) -> None:
        answers = [None, None, True, None, False]

        async def is_alive(_session: Any) -> bool:
            answer = answers.pop(0)
            if answer is None:
                raise StoreUnavailable("x")
            return answer

        shop.answer_with(is_alive)
        await shop.open(until_gone, peer)
        assert answers == []

    _, peer = play(scene)
    assert peer.heard[-1] == CLOSED


@pytest.mark.parametrize("case", ["no token", "unknown token", "switched off"])
def test_051_a_websocket_without_a_session_is_not_watched(case: str) -> None:
    async def scene(shop: Shop, peer: Peer) -> None:
        token = {"no token": None, "unknown token": "a" * 42 + "A"}.get(case, "")
        options = {"revoke_check": None} if case == "switched off" else {}
        before = asyncio.all_tasks()
        running = shop.open(echo, peer, token, **options)
        await peer.hear(1)
        assert len(asyncio.all_tasks() - before) == 1
        peer.say("websocket.disconnect", code=1001)
        await running

    play(scene)


def test_a_message_is_not_lost_when_who_waits_for_it_gives_up() -> None:
    async def app(_fields: Any, receive: Any, send: Any) -> None:
        await receive()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(receive(), 0)
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": (await receive())["text"]})

    async def scene(shop: Shop, peer: Peer) -> None:
        running = shop.open(app, peer, revoke_check="1h")
        await peer.hear(1)
        peer.say("websocket.receive", text="hello")
        await running

    _, peer = play(scene)
    assert peer.heard[1]["text"] == "hello"


ENDINGS: dict[str, list[dict[str, Any]]] = {
    "close": [{"type": "websocket.accept"}, {"type": "websocket.close"}],
    "refuse": [{"type": "websocket.close"}],
    "answer": [
        {"type": "websocket.http.response.start", "status": 404, "headers": []},
        {"type": "websocket.http.response.body", "body": b""},
    ],
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_the_application_closed_is_not_closed_again(ending: str) -> None:
    async def scene(shop: Shop, peer: Peer) -> None:
        looked = asyncio.Event()

        async def is_alive(_session: Any) -> bool:
            looked.set()
            return False

        async def app(_fields: Any, receive: Any, send: Any) -> None:
            await receive()
            for message in ENDINGS[ending]:
                await send(message)
            await looked.wait()
            for _ in range(10):
                await asyncio.sleep(0)

        shop.answer_with(is_alive)
        await shop.open(app, peer)

    _, peer = play(scene)
    assert peer.heard == ENDINGS[ending]


def test_who_has_heard_of_the_end_is_not_closed_again() -> None:
    async def scene(shop: Shop, peer: Peer) -> None:
        looked = asyncio.Event()

        async def is_alive(_session: Any) -> bool:
            looked.set()
            return False

        async def app(_fields: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            assert (await receive())["code"] == 1001
            await looked.wait()
            for _ in range(10):
                await asyncio.sleep(0)

        shop.answer_with(is_alive)
        peer.say("websocket.disconnect", code=1001)
        await shop.open(app, peer)

    _, peer = play(scene)
    assert peer.heard == [{"type": "websocket.accept"}]


def test_a_session_that_is_gone_before_the_handshake_refuses_it() -> None:
    async def app(_fields: Any, receive: Any, send: Any) -> None:
        await receive()
        assert await receive() == GONE
        await send({"type": "websocket.close"})

    async def scene(shop: Shop, peer: Peer) -> None:
        running = shop.open(app, peer)
        await asyncio.sleep(0)
        await shop.sessions.aio.destroy(shop.id)
        await running

    _, peer = play(scene)
    assert peer.heard == [CLOSED]


class Oops(Exception):  # noqa: N818 - not a fault of ours
    """What an application may raise."""


def test_an_error_of_the_application_is_its_own() -> None:
    async def app(fields: Any, _receive: Any, _send: Any) -> None:
        fields["session"]["said"] = "before"
        raise Oops

    async def scene(shop: Shop, peer: Peer) -> None:
        with pytest.raises(Oops):
            await shop.open(app, peer)

    shop, _ = play(scene)
    assert shop.sessions.load(shop.token)["said"] == "before"


def test_051_a_check_of_the_user_that_fails_closes_the_websocket_and_is_told_to_the_server() -> (
    None
):
    async def scene(shop: Shop, peer: Peer) -> None:
        async def is_alive(_session: Any) -> bool:
            raise Oops

        shop.answer_with(is_alive)
        with pytest.raises(Oops):
            await shop.open(echo, peer)

    _, peer = play(scene)
    assert peer.heard == [{"type": "websocket.accept"}, CLOSED]


def test_053_a_websocket_that_is_cancelled_leaves_no_task() -> None:
    async def scene(shop: Shop, peer: Peer) -> None:
        running = shop.open(echo, peer)
        await peer.hear(1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    play(scene)


def test_a_peer_who_is_gone_when_the_session_ends_is_no_error() -> None:
    async def scene(shop: Shop, peer: Peer) -> None:
        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "websocket.close":
                raise BrokenPipeError
            await Peer.send(peer, message)

        peer.send = send  # type: ignore[method-assign]
        running = shop.open(echo, peer)
        await peer.hear(1)
        await shop.sessions.aio.destroy(shop.id)
        await running

    play(scene)


def test_what_it_wrote_is_not_stored_once_its_session_is_gone() -> None:
    async def app(fields: Any, receive: Any, send: Any) -> None:
        fields["session"]["late"] = 1
        await until_gone(fields, receive, send)

    async def scene(shop: Shop, peer: Peer) -> None:
        running = shop.open(app, peer)
        await peer.hear(1)
        await shop.sessions.aio.destroy(shop.id)
        await running

    shop, _ = play(scene)
    assert len(shop.store) == 0


@pytest.mark.parametrize("often", [0, "0s", -1, "soon"])
def test_how_often_it_is_looked_is_checked_at_start(often: Any) -> None:
    with pytest.raises(ConfigError, match="revoke_check"):
        SessionMiddleware(echo, Shop().sessions, revoke_check=often)
