"""The response cache on a real Redis, and behind real servers."""

import asyncio
import threading
import time
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


class Counter:
    """A page that shows a number, a POST that counts it up, two processes that serve both."""

    def __init__(self, url: str) -> None:
        self.number = 0
        prefix = uuid.uuid4().hex
        self.caches = [Cache(f"{url}?timeout=5", prefix=prefix, near_ttl=0.2) for _ in range(2)]
        self.processes = [CacheMiddleware(self._app, cache) for cache in self.caches]
        self.changed: list[float] = []
        self.wrong: list[tuple[int, int, int]] = []

    def _app(self, fields: Any, start: Callable[..., Any]) -> Any:
        if fields["REQUEST_METHOD"] == "POST":
            start("204 No Content", [])
            threading.Event().wait(0.003)
            self.number += 1
            return []
        body = b"%d" % self.number
        threading.Event().wait(0.01)
        vary = "Accept" if self.number % 2 else "Accept, X-Kind"
        said = [("Cache-Control", "max-age=60"), ("Vary", vary)]
        start("200 OK", said if self.number % 3 else [*said, ("Cache-Tag", "a")])
        return [body] if self.number % 5 else iter([body, b" "])

    def read(self, process: int, done: threading.Event) -> None:
        while not done.is_set():
            asked = time.monotonic()
            heard = [("Accept", "ab"[self.number % 2])]
            known = [at for at in self.changed if process == 0 or asked - at > 1.0]
            shown = int(call_wsgi(self.processes[process], environ(headers=heard)).body)
            if shown < len(known):
                self.wrong.append((process, shown, len(known)))

    def write(self, changes: int) -> None:
        for _ in range(changes):
            threading.Event().wait(0.02)
            call_wsgi(self.processes[0], environ(method="POST"))
            self.changed.append(time.monotonic())


def test_no_page_is_older_than_the_last_change(redis_server: RedisServer) -> None:
    """The process that changed it shows it at once, the other after `near_ttl` at the latest."""
    counter = Counter(redis_server.url)
    done = threading.Event()
    readers = [threading.Thread(target=counter.read, args=(n % 2, done)) for n in range(4)]
    for reader in readers:
        reader.start()
    try:
        counter.write(60)
    finally:
        done.set()
        for reader in readers:
            reader.join(WAIT)
        for cache in counter.caches:
            cache.close()
    assert counter.wrong == []
