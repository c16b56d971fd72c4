"""An application that is served here, in this process, for as long as a race lasts.

Law: threads for WSGI; for ASGI one event loop, in a thread of its own, as a server would have. No
lifespan and no streaming of bodies: a race needs neither. What an application says to its error
stream goes there.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from socketserver import ThreadingMixIn
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

__all__ = ["App", "served"]

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
Asgi = Callable[[Any, Any, Any], Awaitable[object]]
App = Wsgi | Asgi


@contextmanager
def served(app: App) -> Iterator[str]:
    """Serve `app` on the loopback; yield its URL."""
    if iscoroutinefunction(app) or iscoroutinefunction(type(app).__call__):
        with _loop() as loop:
            yield from _listening(_wsgi_of(cast("Asgi", app), loop))
    else:
        yield from _listening(cast("Wsgi", app))


def _listening(app: Wsgi) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, _Server, _Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each request; all are joined when it closes."""

    def server_bind(self) -> None:
        """Bind, without asking a name server who we are."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_wind_up(loop), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    """End whatever the application left behind."""
    left = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


def _wsgi_of(app: Asgi, loop: asyncio.AbstractEventLoop) -> Wsgi:
    """Return `app` as a WSGI application, which runs in `loop`."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        exchange = _Exchange(environ)
        asyncio.run_coroutine_threadsafe(exchange.run(app), loop).result()
        start_response(f"{exchange.status} .", exchange.headers)
        return exchange.body

    return answer


class _Exchange:
    """One request of an ASGI application."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.status = 500
        self.headers: list[tuple[str, str]] = []
        self.body: list[bytes] = []
        self._asked = False
        self._over = asyncio.Event()
        path = environ["PATH_INFO"]
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": environ["REQUEST_METHOD"],
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": environ["QUERY_STRING"].encode("latin-1"),
            "root_path": "",
            "headers": [
                (name[5:].replace("_", "-").lower().encode(), value.encode("latin-1"))
                for name, value in environ.items()
                if name.startswith("HTTP_")
            ],
            "server": ("127.0.0.1", int(environ["SERVER_PORT"])),
            "client": (environ["REMOTE_ADDR"], 0),
            "state": {},
        }

    async def run(self, app: Asgi) -> None:
        """Have the application answer."""
        try:
            await app(self._scope, self._receive, self._send)
        finally:
            self._over.set()

    async def _receive(self) -> dict[str, Any]:
        if self._asked:
            await self._over.wait()  # the client stays until it is answered
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [
                (k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"]
            ]
        elif message["type"] == "http.response.body":
            self.body.append(message.get("body", b""))
