"""The response cache on a real Redis, and behind real servers."""

import asyncio
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from holdfast import Cache
from holdfast.testing.calls import Answer, call_wsgi, environ, scope, talk
from holdfast.web.httpcache import CacheMiddleware
from servers.redis import RedisServer

pytestmark = [pytest.mark.server]

CROWD, WAIT = 12, 30.0
SLOW = 0.3


class Origin:
    """Two middlewares with caches of their own over one Redis, as two processes have them."""

    def __init__(self, url: str, **headers: str) -> None:
        self.calls = 0
        self.headers = {"Cache-Control": "max-age=60", **headers}
        prefix = uuid.uuid4().hex
        self.caches = [Cache(f"{url}?timeout=5", prefix=prefix, near_ttl=0.05) for _ in range(2)]
        self.wsgi = [CacheMiddleware(self._wsgi, cache) for cache in self.caches]
        self.asgi = [CacheMiddleware(self._asgi, cache) for cache in self.caches]

    def _wsgi(self, _environ: Any, start: Callable[..., Any]) -> list[bytes]:
        self.calls += 1
        threading.Event().wait(SLOW)
        start("200 OK", [(name.replace("_", "-"), value) for name, value in self.headers.items()])
        return [b"page %d" % self.calls]

    async def _asgi(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.calls += 1
        await asyncio.sleep(SLOW)
        pairs = [
            (name.replace("_", "-").encode(), value.encode())
            for name, value in self.headers.items()
        ]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": b"page %d" % self.calls})

    def threads(self) -> set[bytes]:
        answers: list[Answer] = []

        def ask(number: int) -> None:
            answers.append(call_wsgi(self.wsgi[number % 2], environ()))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(CROWD)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert len(answers) == CROWD
        return {answer.body for answer in answers}

    async def tasks(self) -> set[bytes]:
        asks = [talk(self.asgi[number % 2], scope()) for number in range(CROWD)]
        return {
            b"".join(message.get("body", b"") for message in sent)
            for sent in await asyncio.gather(*asks)
        }

    def close(self) -> None:
        for cache in self.caches:
            cache.close()


def test_threads_of_two_processes_share_one_call(redis_server: RedisServer) -> None:
    origin = Origin(redis_server.url)
    assert origin.threads() == {b"page 1"}
    assert origin.calls == 1
    assert origin.threads() == {b"page 1"}
    origin.wsgi[0].purge("/")
    threading.Event().wait(0.1)  # what the other has near may be served so long
    assert origin.threads() == {b"page 2"}
    origin.close()


def test_tasks_of_two_processes_share_one_call(redis_server: RedisServer) -> None:
    origin = Origin(redis_server.url, Cache_Tag="pages", Vary="Accept")

    async def meet() -> None:
        first = await origin.tasks()
        assert origin.calls <= 4  # its tags and what it varies by are not known before
        assert len(first) <= 4
        calls = origin.calls
        assert len(await origin.tasks()) == 1
        assert origin.calls == calls
        await origin.caches[0].aio.invalidate_tags("pages")
        await asyncio.sleep(0.1)
        assert await origin.tasks() == {b"page %d" % (calls + 1)}
        assert origin.calls == calls + 1

    asyncio.run(meet())
    origin.close()
