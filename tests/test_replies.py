"""Replies over HTTP end at their deadline, however slowly they come."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from holdfast.replies import Timely

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


class Connection(HTTPConnection):
    """A connection whose replies are timely."""

    response_class = Timely


@contextlib.contextmanager
def server_that_says(*parts: bytes, pause: float) -> Iterator[int]:
    """Give the port of a server that answers each request so, with a pause before each part."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            found, _ = door.accept()
            with found:
                while found.recv(65_536):
                    for part in parts:
                        time.sleep(pause)
                        found.sendall(part)

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield door.getsockname()[1]
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("slow", ["head", "body"])
def test_a_reply_that_drips_ends_at_the_timeout(slow: str) -> None:
    bytes_of_head = [HEAD[at : at + 1] for at in range(len(HEAD))]
    parts = bytes_of_head if slow == "head" else [HEAD, *[b"v"] * 5]
    with server_that_says(*parts, pause=0.15) as port:
        connection = Connection("127.0.0.1", port, timeout=0.4)
        connection.request("GET", "/")
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            connection.getresponse().read()
        assert 0.35 <= time.monotonic() - start < 2
        connection.close()


def test_a_connection_has_its_timeout_again_after_each_reply() -> None:
    with server_that_says(HEAD, b"whole", pause=0.05) as port:
        connection = Connection("127.0.0.1", port, timeout=10)
        for _ in range(3):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"whole"
            assert connection.sock.gettimeout() == 10
        connection.close()


def test_a_connection_without_a_timeout_waits() -> None:
    with server_that_says(HEAD, b"whole", pause=0.01) as port:
        connection = Connection("127.0.0.1", port)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"whole"
        connection.close()
