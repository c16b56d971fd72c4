"""A Tornado application on a real server, in a thread with a loop of its own, and its visitors.

Law: a free port each; nothing is left when the `with` block ends.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import httpx
from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import websocket_connect

from holdfast.ext.tornado import SessionMixin

__all__ = ["SOON", "Site", "Visitor", "page", "serve", "until"]

SOON = 0.01
_PATIENCE = 30
T = TypeVar("T")


class Site:
    """A server that runs.

    Attributes:
        application: The application.
        port: Where it listens.
        client: What visitors call it with.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self.port = 0
        self.client = httpx.HTTPTransport(verify=False)  # no cookies but those of each visitor
        self.loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._ready = threading.Event()

    def run(self) -> None:
        """Serve until `stop`; the whole life of the thread."""
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        listening, self.port = bind_unused_port()
        server = HTTPServer(self.application)
        server.add_socket(listening)
        self._ready.set()
        await self._over.wait()
        server.stop()
        await server.close_all_connections()

    def wait(self) -> None:
        """Wait until it listens."""
        assert self._ready.wait(30)

    def stop(self) -> None:
        """End it."""
        self.client.close()
        self.loop.call_soon_threadsafe(self._over.set)

    def do(self, work: Awaitable[T]) -> T:
        """Await something in the loop of the server."""

        async def run() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def visitor(self) -> "Visitor":
        """Return somebody without cookies."""
        return Visitor(self)


class Visitor:
    """A client who keeps cookies, also Secure ones over plain http.

    Attributes:
        cookies: What it keeps.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self.cookies: dict[str, str] = {}

    def headers(self) -> dict[str, str]:
        """Return the header it sends."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": cookies} if cookies else {}

    def get(
        self, path: str, method: str = "GET", *, body: str = "", **headers: str
    ) -> httpx.Response:
        """Return the answer to one request; a body is that of a form."""
        url = f"http://127.0.0.1:{self._site.port}{path}"
        wait = dict.fromkeys(("connect", "read", "write", "pool"), 30.0)
        headers = {"Accept-Encoding": "identity", **self.headers(), **headers}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        request = httpx.Request(
            method, url, headers=headers, content=body.encode(), extensions={"timeout": wait}
        )
        answer = self._site.client.handle_request(request)
        answer.read()
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "max-age=0" in line.lower():
                del self.cookies[name]
        return answer

    def talk(self, path: str, *said: str) -> list[str | bytes | None]:
        """Open a websocket, say all, and return what was answered; None: it was closed."""

        async def talk() -> list[str | bytes | None]:
            heard = []
            async with self.connected(path) as socket:
                for message in said:
                    await socket.write_message(message)
                    heard.append(await socket.read_message())
                socket.close()
                while heard[-1:] != [None]:
                    heard.append(await socket.read_message())
            return heard

        return self._site.do(talk())

    @contextlib.asynccontextmanager
    async def connected(self, path: str) -> AsyncIterator[Any]:
        """Open a websocket, in the server's loop."""
        url = f"ws://127.0.0.1:{self._site.port}{path}"
        socket = await websocket_connect(HTTPRequest(url, headers=self.headers()))
        try:
            yield socket
        finally:
            socket.close()


@contextlib.contextmanager
def serve(application: Application) -> Iterator[Site]:
    """Run a server for `application`."""
    site = Site(application)
    thread = threading.Thread(target=site.run)
    thread.start()
    try:
        site.wait()
        yield site
    finally:
        site.stop()
        thread.join(30)


def page(get: Callable[[Any], Any]) -> type[RequestHandler]:
    """Return a handler of this name that answers GET and HEAD so."""
    return type(get.__name__, (SessionMixin, RequestHandler), {"get": get, "head": get})


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds: a handler ends after its client was answered."""
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(SOON)
