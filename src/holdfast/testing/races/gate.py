"""The gate: where a slow request of the application waits until the race lets it go on.

Law: the application comes by itself, with a plain GET of the address it was given, whatever it is
written in and in however many processes it runs. That it came proves that its session is loaded.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Self

__all__ = ["Gate", "Passage"]


class Passage:
    """One passing of the gate.

    Attributes:
        url: What the application asks; it is answered when the passage is open.
        came: Set when it asks, and when it will not any more.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.came = threading.Event()
        self._open = threading.Event()

    def open(self) -> None:
        """Let the request go on."""
        self._open.set()

    def stand(self) -> None:
        """Be the request: wait here."""
        self.came.set()
        self._open.wait()


class Gate:
    """A small HTTP server on the loopback; a context manager."""

    def __init__(self) -> None:
        self._passages: dict[str, Passage] = {}
        self._numbers = count(1)
        self._server = _Server(("127.0.0.1", 0), _Request)
        self._server.passages = self._passages
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @contextmanager
    def passage(self) -> Iterator[Passage]:
        """Make a passage, which is open at the end of the block in any case."""
        path = f"/{next(self._numbers)}"
        passage = Passage(f"http://127.0.0.1:{self._server.server_port}{path}")
        self._passages[path] = passage
        try:
            yield passage
        finally:
            passage.open()
            del self._passages[path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined when it closes
    passages: dict[str, Passage]


class _Request(BaseHTTPRequestHandler):
    """Somebody at the gate."""

    server: _Server

    def do_GET(self) -> None:
        """Answer when the passage is open; one that is gone is open."""
        passage = self.server.passages.get(self.path)
        if passage is not None:
            passage.stand()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
