"""Item 56 of the security list: passwords in the URLs of stores are nowhere to be read."""

import asyncio
import logging
import re
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from holdfast import ConfigError, Sessions, StoreError, StoreUnavailable, open_store
from holdfast.observe.logging import LogObserver
from holdfast.store.protocol import OpenStore
from holdfast.testing.calls import Face, Visitor, one_view
from holdfast.web import asgi, wsgi
from servers.memcached import MemcachedServer
from servers.redis import RedisServer

USER, PASSWORD = "ada", "k7wLq2mZ"
LOGIN = f"{USER}:{PASSWORD}@"
URLS = {
    "redis": "redis://{login}127.0.0.1:{port}/0",
    "valkey": "valkey://{login}127.0.0.1:{port}/0",
    "a unix socket": "unix://{login}/run/no-such-{port}.sock?db=0",
    "redis over TLS": "rediss://{login}127.0.0.1:{port}/0",
    "sentinel": "redis+sentinel://{login}127.0.0.1:{port}/main/0?sentinel_password={password}",
    "cluster": "redis+cluster://{login}127.0.0.1:{port}",
    "memcached": "memcached://{login}127.0.0.1:{port}",
    "memcached over TLS": "memcacheds://{login}127.0.0.1:{port}",
    "psycopg": "postgresql+psycopg://{login}127.0.0.1:{port}/db",
    "asyncpg": "postgresql+asyncpg://{login}127.0.0.1:{port}/db",
    "pymysql": "mysql+pymysql://{login}127.0.0.1:{port}/db",
    "mongodb": "mongodb://{login}127.0.0.1:{port}/db",
}
WRONG = {
    "a port that is none": "redis://{login}h:sixty/0",
    "a host that is none": "tyrant://{login}a..b",
    "an unknown scheme": "nosuch://{login}h",
    "an unknown option": "redis://{login}h/0?pasword={password}",
    "an option twice": "redis://{login}h/0?timeout=1&timeout={password}",
    "a slash in the password": "postgresql://u:1/{password}@h/db",
    "a hash in the password": "mysql+pymysql://u:1#{password}@h/db",
    "a store without users": "sqlite://{login}h/app.db",
    "a login where none is": "dynamodb://{login}table",
    "a project with a login": "datastore://{login}project/kind",
    "no URL at all": "{login}h",
    "a bracket": "mongodb://{login}[h",
}
parametrize = pytest.mark.parametrize


def provoke(url: str) -> list[str]:
    """Return all that is said where the store at `url` fails, over both faces."""
    said = []

    def listen(work: Callable[[], object]) -> None:
        with pytest.raises(StoreError) as caught:
            work()
        error: BaseException | None = caught.value
        said.extend(traceback.format_exception(error))
        while error is not None:
            said.extend((str(error), repr(error)))
            error = error.__cause__ or error.__context__

    store: OpenStore = open_store(url, timeout=0.3, prefix="shop")
    said += [store.name, repr(store), str(store), repr(store.aio), repr(getattr(store, "store", 0))]
    listen(lambda: store.get("k"))
    listen(lambda: store.swap("k", None, b"v"))

    async def body() -> None:
        try:
            for work in (store.aio.get("k"), store.aio.ping()):
                with pytest.raises(StoreError) as caught:
                    await work
                said.extend(traceback.format_exception(caught.value))
        finally:
            await store.aio.close()

    asyncio.run(body())
    store.close()
    return said


def is_silent(said: list[str]) -> bool:
    """Return whether nothing has the password in it, whole or in part, as it is or encoded."""
    assert said
    encoded = PASSWORD.encode().hex()
    return not [text for text in said if PASSWORD in text or encoded in text]


@contextmanager
def nobody_there() -> Iterator[int]:
    """Yield a port where nobody listens, and nobody else will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def an_echo() -> Iterator[int]:
    """Yield the port of a server that shouts back, as an error, whatever it is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        lines = list[socket.socket]()

        def answer(line: socket.socket) -> None:
            with suppress(OSError), line:
                while told := line.recv(65536):
                    words = re.sub(rb"[\r\n]+", b" ", told)
                    line.sendall(b"-ERR unknown command, with args beginning with: %b\r\n" % words)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    lines.append(server.accept()[0])
                    threads.append(threading.Thread(target=answer, args=(lines[-1],)))
                    threads[-1].start()

        threads = [threading.Thread(target=serve)]
        threads[0].start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for line in lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


@parametrize("kind", URLS)
def test_item_56_no_error_of_a_store_has_its_password(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with nobody_there() as port:
        said = provoke(URLS[kind].format(login=LOGIN, password=PASSWORD, port=port))
    assert is_silent([*said, caplog.text])


@parametrize("kind", ["redis", "valkey", "sentinel", "cluster", "memcached", "pymysql"])
def test_item_56_nor_has_that_of_a_server_that_repeats_it(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As Redis does where somebody renamed AUTH."""
    caplog.set_level(logging.DEBUG)
    with an_echo() as port:
        said = provoke(URLS[kind].format(login=LOGIN, password=PASSWORD, port=port))
    assert is_silent([*said, caplog.text])


@parametrize("what", WRONG)
def test_item_56_nor_has_that_of_a_url_that_is_wrong(what: str) -> None:
    url = WRONG[what].format(login=LOGIN, password=PASSWORD)
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    assert is_silent([str(caught.value), repr(caught.value)])
    assert is_silent([repr(caught.value.__cause__), repr(caught.value.__context__)])


@pytest.mark.server
def test_item_56_nor_has_the_refusal_of_a_real_server(
    redis_server: RedisServer, memcached_server: MemcachedServer
) -> None:
    for server, scheme in ((redis_server, "redis"), (memcached_server, "memcached")):
        assert is_silent(provoke(f"{scheme}://{LOGIN}127.0.0.1:{server.port}"))


@dataclass
class Shop:
    """A site whose store cannot be reached."""

    face: Face
    sessions: Sessions

    def visitor(self) -> Visitor:
        def view(session: object, _path: str) -> object:
            return dict(session)  # type: ignore[call-overload]

        kind = wsgi if self.face == "wsgi" else asgi
        return Visitor(kind.SessionMiddleware(one_view(view, self.face), self.sessions), self.face)


@parametrize("face", ["wsgi", "asgi"])
def test_item_56_neither_answers_nor_logs_nor_events_have_it(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with nobody_there() as port:
        url = URLS["redis"].format(login=LOGIN, port=port)
        told: list[str] = []
        log = LogObserver()

        def observe(event: str, fields: object) -> None:
            told.append(f"{event} {fields}")
            log(event, fields)  # type: ignore[arg-type]

        sessions = Sessions(url, observer=observe)
        visitor = Shop(face, sessions).visitor()
        answer = visitor.get(cookie=f"__Host-sid={'A' * 43}")
        assert answer.status == 503
        with pytest.raises(StoreUnavailable) as caught:
            sessions.of("ada")
        told += [repr(answer), repr(sessions), repr(caught.value), caplog.text]
        assert "store_down" in told[0]
        assert is_silent(told)
        assert sessions.store is not None
        sessions.store.close()
