"""An application that is served for a race: over HTTP as a server would, and gone afterwards."""

import asyncio
import threading
from typing import Any

import pytest

from holdfast.testing.races.browser import Browser
from holdfast.testing.races.served import served


async def answer(send: Any, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body[:3], "more_body": True})
    await send({"type": "http.response.body", "body": body[3:]})


def test_asgi_has_its_scope_and_its_answer_arrives() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        sent = dict(scope["headers"])
        assert (scope["path"], scope["query_string"]) == ("/a b", b"c=%20d")
        if b"cookie" in sent:
            await answer(send, 200, b'{"came": "%s"}' % sent[b"cookie"])
        else:
            await answer(send, 418, b"{}", (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"))

    with served(app) as url:
        browser = Browser(f"{url}/", 30)
        first = browser.get("/a%20b?c=%20d")
        assert (first.status, first.cookies) == (418, ("a", "b"))
        assert browser.get("/a%20b?c=%20d").shown == {"came": "a=1; b=2"}


def test_what_an_asgi_application_leaves_behind_is_ended() -> None:
    told = []

    async def listen(receive: Any) -> None:
        told.append((await receive())["type"])
        told.append((await receive())["type"])
        try:
            await asyncio.Event().wait()
        finally:
            told.append("ended")

    tasks = []

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - ASGI
        tasks.append(asyncio.ensure_future(listen(receive)))
        await answer(send, 200, b"{}")

    with served(app) as url:
        assert Browser(url, 30).get("/").status == 200
    assert told == ["http.request", "http.disconnect", "ended"]


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_an_application_that_fails_is_a_500(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    def over_wsgi(*_: Any) -> Any:
        raise LookupError("it fell")

    async def over_asgi(*_: Any) -> None:
        raise LookupError("it fell")

    with served(over_wsgi if kind == "wsgi" else over_asgi) as url:
        assert Browser(url, 30).get("/").status == 500
    assert "it fell" in capsys.readouterr().err


def test_nothing_runs_afterwards() -> None:
    before = set(threading.enumerate())

    class Site:
        async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
            await answer(send, 200, b"{}")

    with served(Site()) as url:
        assert Browser(url, 30).get("/").status == 200
    assert set(threading.enumerate()) <= before
