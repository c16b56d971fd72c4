"""What the middlewares tell sessions of the client: only where it is asked for."""

import asyncio
from typing import Any

import pytest

from holdfast import Sessions
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Face, call_asgi, call_wsgi, environ, one_view, scope
from holdfast.web import asgi, wsgi

AGENT = "Mozilla/5.0 (X11; Linux x86_64)"


@pytest.fixture(params=["wsgi", "asgi"])
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


def visit(
    face: Face, sessions: Sessions, view: Any, peer: str | None, *headers: tuple[str, str]
) -> None:
    app = one_view(view, face)
    if face == "wsgi":
        fields = environ(headers=headers) | {"REMOTE_ADDR": peer or ""}
        call_wsgi(wsgi.SessionMiddleware(app, sessions), fields)
    else:
        fields = scope(headers=headers) | {"client": (peer, 4711) if peer else None}
        call_asgi(asgi.SessionMiddleware(app, sessions), fields)


def login(session: Any, _path: str) -> str:
    session.login("ada")
    return "in"


@pytest.mark.parametrize(
    ("keep", "address", "agent"),
    [
        ((), None, None),
        (("address",), "203.0.113.0/24", None),
        (("agent",), None, AGENT),
        (("address", "agent"), "203.0.113.0/24", AGENT),
    ],
)
def test_048_the_client_is_kept_only_where_that_is_asked_for(
    face: Face, keep: tuple[str, ...], address: str | None, agent: str | None
) -> None:
    sessions = Sessions(MemoryStore("clients"), keep_client=keep)
    claimed = ("X-Forwarded-For", "198.51.100.7"), ("Forwarded", "for=198.51.100.7")
    visit(face, sessions, login, "203.0.113.9", ("User-Agent", AGENT), *claimed)
    [info] = sessions.of("ada")
    assert (info.address, info.agent) == (address, agent)


def test_048_a_client_without_address_and_agent_is_kept_as_nobody(face: Face) -> None:
    sessions = Sessions(MemoryStore("clients"), keep_client=("address", "agent"))
    visit(face, sessions, login, None)
    [info] = sessions.of("ada")
    assert (info.address, info.agent) == (None, None)


def test_the_session_is_told_nothing_where_nothing_is_kept(face: Face) -> None:
    seen: list[object] = []

    def view(session: Any, _path: str) -> str:
        seen.append(session.client)
        return ""

    for keep in ((), ("agent",)):
        sessions = Sessions(MemoryStore("clients"), keep_client=keep)
        visit(face, sessions, view, "203.0.113.9", ("User-Agent", AGENT))
    assert seen == [None, ("203.0.113.9", AGENT)]


def test_048_a_lazy_session_is_told_of_the_client() -> None:
    async def app(fields: Any, _receive: Any, send: Any) -> None:
        session = await fields["session"].load()
        await session.aio.login("ada")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    sessions = Sessions(MemoryStore("clients"), keep_client=("address",))
    call_asgi(asgi.SessionMiddleware(app, sessions, lazy=True), scope())
    [info] = asyncio.run(sessions.aio.of("ada"))
    assert info.address == "203.0.113.0/24"
