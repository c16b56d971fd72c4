"""The SQLAlchemy store's deadlines where no fault of the network helps: drips and crowds."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from holdfast import open_store
from holdfast.errors import StoreTimeout
from holdfast.store.address import parse
from holdfast.store.sqlalchemy.addresses import blocking_engine, url_of
from holdfast.store.sqlalchemy.deadlines import limit

GREETING = bytes.fromhex("5a0000000a") + b"5.5.5-10.11.1-MariaDB\0" + b"\1" * 60
_SLACK = 3.0  # seconds: a busy machine


@pytest.fixture
def dripping() -> Iterator[int]:
    """The port of a server that greets one byte at a time, for half a minute."""
    over = threading.Event()

    def drip(client: socket.socket) -> None:
        with client:
            for byte in GREETING:
                if over.wait(0.3):
                    return
                try:
                    client.sendall(bytes([byte]))
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        threads = []

        def serve() -> None:
            while True:
                client, _ = server.accept()
                if over.is_set():
                    client.close()
                    return
                threads.append(threading.Thread(target=drip, args=(client,)))
                threads[-1].start()

        threads.append(threading.Thread(target=serve))
        threads[0].start()
        yield server.getsockname()[1]
        over.set()
        socket.create_connection(server.getsockname()).close()
        for thread in threads:
            thread.join()


def test_a_greeting_that_drips(dripping: int) -> None:
    """Each byte came in time; the whole does not."""
    with open_store(f"mysql+pymysql://u:p@127.0.0.1:{dripping}/d", timeout=0.5) as store:
        begun = time.monotonic()
        with pytest.raises(StoreTimeout):
            store.get("k")
        assert time.monotonic() - begun < 0.5 + _SLACK


def test_the_wait_for_a_connection_ends_with_what_is_left() -> None:
    """An operation of several statements waits for each, but not for each anew."""
    engine = blocking_engine(url_of(parse("mysql+pymysql://u:p@127.0.0.1:1/d", {}, "")), 60)
    pool = engine.pool
    assert isinstance(pool, sa.QueuePool)
    try:
        limit.until = time.monotonic() + 60
        assert 50 < pool.timeout() <= 60
        limit.until = time.monotonic() + 20
        assert 0 < pool.timeout() <= 20
    finally:
        limit.until = float("inf")
    assert pool.timeout() == 60
