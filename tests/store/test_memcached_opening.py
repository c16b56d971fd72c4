"""Ways into memcached: URLs, TLS and passwords, ready clients; and what other programs see."""

import asyncio
import contextlib
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import emcache
import pytest
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.client.retrying import RetryingClient

from holdfast.errors import ConfigError, StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanIncrement, CanScan, CanSweep
from holdfast.store.address import Options
from holdfast.store.memcached import open_client
from holdfast.store.protocol import OpenStore
from holdfast.store.registry import open_store
from servers.memcached import PASSWORD, MemcachedServer, run_memcached
from servers.process import folder_for

pytestmark = pytest.mark.server

hash_client: Any = HashClient  # pymemcache has no types here
retrying_client: Any = RetryingClient


def on_both_faces(store: OpenStore, key: str) -> None:
    """Use each face, and see the other's writes."""

    async def body() -> None:
        assert await store.aio.get(key) == b"v"
        assert await store.aio.swap(key, b"v", b"w", 100)
        await store.aio.close()

    store.put(key, b"v")
    asyncio.run(body())


# URLs


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        ("memcached://h/0", "has no path"),
        ("memcached://ada@h", "user and password"),
        ("memcached://:secret@h", "user and password"),
        ("memcached://h?ssl_ca_certs=ca.pem", "no option ssl_ca_certs"),
        ("memcacheds://h?ca=ca.pem", "it has prefix, ssl_ca_certs"),
        ("memcached://h:0", "cannot be read"),
        ("memcached://h?timeout=0", "timeout"),
    ],
)
def test_a_wrong_url_says_the_mend(url: str, mend: str) -> None:
    with pytest.raises(ConfigError, match=mend) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_opening_connects_to_nothing() -> None:
    store = open_store("memcached://ada:secret@no.such.host.invalid,[::1]:11212")
    assert store.name == "memcached://no.such.host.invalid,[::1]:11212"
    assert "secret" not in f"{store.name} {store!r} {store.aio!r}"
    store.close()


def test_it_does_not_claim_what_memcached_cannot_do() -> None:
    store = open_store("memcached://h")
    for ability in (CanScan, CanSweep, CanIncrement):
        assert not isinstance(store, ability)


# TLS and passwords


def test_tls_and_a_password(memcached_tls: MemcachedServer) -> None:
    with open_store(memcached_tls.url) as store:
        on_both_faces(store, "tls")
    with open_store(memcached_tls.url) as store:
        store.put("large", b"v" * 3_000_000)
        assert store.get("large") == b"v" * 3_000_000
        assert asyncio.run(store.aio.get("large")) == b"v" * 3_000_000
        assert asyncio.run(store.aio.get("tls")) == b"w", "in a second loop"


def test_a_certificate_nobody_vouches_for(memcached_tls: MemcachedServer) -> None:
    stranger = memcached_tls.url.partition("?")[0]
    other_name = memcached_tls.url.replace("127.0.0.1", "127.0.0.2")
    for url in (stranger, other_name):
        with open_store(url) as store:
            refuses(store, "CERTIFICATE_VERIFY_FAILED|cannot be reached")


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    with open_store(f"memcacheds://127.0.0.1:1?ssl_ca_certs={tmp_path}/ca.pem") as store:
        refuses(store, "ssl_ca_certs|cannot be reached")


def test_a_wrong_password_is_refused(memcached_tls: MemcachedServer) -> None:
    with open_store(memcached_tls.url.replace("w%2Frd", "wrong")) as store:
        refuses(store, "refused the login: CLIENT_ERROR authentication failure; its -Y file")


def test_a_missing_password_is_asked_for() -> None:
    with folder_for("nobody") as folder:
        users = folder / "users"
        users.write_text(f"ada:{PASSWORD}\n")
        users.chmod(0o644)
        with run_memcached("-Y", str(users)) as server, open_store(server.url) as store:
            refuses(store, "CLIENT_ERROR unauthenticated; put user:password@ before the host")


def test_a_password_nobody_asked_for_is_not_kept(memcached_server: MemcachedServer) -> None:
    url = memcached_server.url
    with open_store(url.replace("//", "//ada:secret@")) as store:
        refuses(store, "it asks for none; leave user and password out")
    with open_store(url) as store:
        assert store.get("login") is None


def refuses(store: OpenStore, words: str) -> None:
    """Both faces say `words`, and never a password."""

    async def body() -> None:
        for work in (store.aio.get("k"), store.aio.swap("k", None, b"v")):
            with pytest.raises(StoreUnavailable, match=words):
                await work
        await store.aio.close()

    with pytest.raises(StoreUnavailable, match=words) as caught:
        store.get("k")
    assert caught.value.__cause__ is not None
    assert "secret" not in str(caught.value)
    assert "p@ss" not in str(caught.value)
    asyncio.run(body())


# Ready clients


def test_ready_clients(memcached_server: MemcachedServer) -> None:
    server = ("127.0.0.1", memcached_server.port)
    kinds: tuple[Any, ...] = (Client, PooledClient, lambda server: hash_client([server]))
    for kind in kinds:
        client = kind(server)
        client.set("ready", "v", noreply=False)
        with open_store(client) as store:
            assert store.get("ready") == b"v"
            on_both_faces(store, "ready")
        assert client.get("ready") == b"w", "its owner closes it"
        client.close()


def test_a_ready_client_on_a_unix_socket() -> None:
    with folder_for("nobody") as folder:
        path = folder / "socket"
        with run_memcached("-s", str(path), listens=path.exists):
            with open_store(Client(f"unix:{path}")) as store:
                on_both_faces(store, "unix")
            assert str(path) in store.name


def test_a_ready_clients_timeout_counts() -> None:
    client = Client(("127.0.0.1", 1), timeout=0.125)
    with Answers() as answers:
        client.server = ("127.0.0.1", answers.port)
        with open_store(client) as store, pytest.raises(StoreTimeout, match=r"0\.125 s"):
            store.get("k")


def test_clients_that_cannot_be_taken() -> None:
    client = Client(("h", 1), key_prefix=b"shop:")
    with pytest.raises(ConfigError, match="give prefix= instead"):
        open_store(client)
    with pytest.raises(ConfigError, match="no option timeuot"):
        open_store(Client(("h", 1)), timeuot=1)
    with pytest.raises(ConfigError, match="as a URL"):
        open_client(retrying_client(Client(("h", 1))), Options("a RetryingClient", {}))

    async def body() -> None:
        for_loops = await emcache.create_client(
            [emcache.MemcachedHostAddress("127.0.0.1", 1)], min_connections=0
        )
        with pytest.raises(ConfigError, match="_Client cannot be opened"):
            open_store(for_loops)
        await for_loops.close()

    asyncio.run(body())


# What others see, and what is refused


def test_values_are_plain_to_other_programs(memcached_server: MemcachedServer) -> None:
    other = Client(("127.0.0.1", memcached_server.port), default_noreply=False)
    with open_store(memcached_server.url) as store:
        store.put("ours", b"plain", ttl=100)
        assert other.get("ours") == b"plain"
        other.set("theirs", b"1", flags=4)
        assert store.get("theirs") == b"1"
        assert store.swap("theirs", b"1", b"2")
        assert other.get("theirs") == b"2"
    other.close()


def test_a_month_is_no_limit(memcached_server: MemcachedServer) -> None:
    with open_store(memcached_server.url) as store:
        for days in (29, 31, 400, 40_000):
            store.put("long", b"v", ttl=days * 24 * 3600)
            assert store.get("long") == b"v"
            assert store.swap("long", b"v", b"w", days * 24 * 3600)
            assert store.get("long") == b"w"
        store.put("soon", b"v", ttl=301)
        time.sleep(0.1)
        assert store.get("soon") == b"v"


@pytest.mark.slow
def test_a_value_that_is_too_large_is_named() -> None:
    with run_memcached("-I", "1m") as server, open_store(server.url) as store:
        large = b"v" * (1 << 20)
        words = r"too large for cache \(10485\d\d bytes\); store less .* larger -I"
        store.put_many({"k": b"old", "l": b"old"})
        with pytest.raises(StoreUnavailable, match=words):
            store.swap("k", b"old", large)
        with pytest.raises(StoreUnavailable, match=words):
            asyncio.run(store.aio.swap("k", b"old", large))
        assert store.get("k") == b"old", "swap leaves what was there"
        with pytest.raises(StoreUnavailable, match=words):
            store.put("k", large)
        assert store.get("k") is None, "memcached gives no stale value after a put"
        with pytest.raises(StoreUnavailable, match=words):
            store.put_many({"a": b"1", "l": large, "b": b"2"})
        assert store.get_many(["a", "l", "b"]) == {"a": b"1", "b": b"2"}
        with pytest.raises(StoreUnavailable, match=words):
            asyncio.run(store.aio.put_many({"a": b"3", "l": large, "b": b"4"}))
        assert store.get_many(["a", "l", "b"]) == {"a": b"3", "b": b"4"}


def test_a_server_without_cas_cannot_swap() -> None:
    with run_memcached("-C") as server, open_store(server.url) as store:
        assert store.swap("k", None, b"v")
        with pytest.raises(StoreUnavailable, match="started with -C"):
            store.swap("k", b"v", b"w")
        assert store.get("k") == b"v"


@pytest.mark.slow
def test_a_full_server_that_may_not_evict_says_so() -> None:
    with run_memcached("-m", "8", "-M", "-I", "1m") as server, open_store(server.url) as store:
        with pytest.raises(StoreUnavailable, match="raise the server's -m"):
            store.put_many({f"k{number}": b"v" * 500_000 for number in range(40)})
        store.ping()


# Servers that answer by the letter of a script


class Answers:
    """A server that gives each connection the replies it was made with, then nothing, or ends."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = replies
        self.asked: list[bytes] = []
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    for reply in outer.replies:
                        outer.asked.append(self.request.recv(65_536))
                        if not reply:
                            return
                        self.request.sendall(reply)
                    while data := self.request.recv(65_536):
                        outer.asked.append(data)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"memcached://127.0.0.1:{self.port}?timeout=0.3"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(params=["sync", "aio"])
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextlib.contextmanager
def calling(url: str, face: str) -> Iterator[Any]:
    """Give a function that calls a method of that face of a store."""
    with open_store(url) as store, asyncio.Runner() as runner:

        def call(method: str, *args: object) -> object:
            if face == "sync":
                return getattr(store, method)(*args)
            return runner.run(getattr(store.aio, method)(*args))

        yield call
        runner.run(store.aio.close())


def test_a_lost_swap_is_not_repeated(face: str) -> None:
    row = b"VALUE k 0 1 7\r\nv\r\nEND\r\n"
    with Answers(row, b"") as answers, calling(answers.url, face) as call:
        with pytest.raises(StoreTimeout, match="whether it was done is unknown"):
            call("swap", "k", b"v", b"w")
        assert answers.asked == [b"gets k\r\n", b"cas k 0 0 1 7\r\nw\r\n"]


def test_a_lost_addition_is_not_repeated(face: str) -> None:
    with Answers(b"") as answers, calling(answers.url, face) as call:
        with pytest.raises(StoreTimeout, match="whether it was done is unknown"):
            call("swap", "k", None, b"w")
        assert answers.asked == [b"add k 0 0 1\r\nw\r\n"]


def test_a_swap_that_met_the_same_value_again_goes_on(face: str) -> None:
    replies = [b"VALUE k 0 1 7\r\nv\r\nEND\r\n", b"EXISTS\r\n"]
    replies += [b"VALUE k 0 1 8\r\nv\r\nEND\r\n", b"STORED\r\n"]
    with Answers(*replies) as answers, calling(answers.url, face) as call:
        assert call("swap", "k", b"v", None) is True
        assert answers.asked[-1] == b"cas k 0 -1 0 8\r\n\r\n"


@pytest.mark.parametrize(
    "reply",
    [b"VALUE other 0 1 7\r\nv\r\nEND\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    ids=["another key's", "another protocol's"],
)
def test_a_garbled_answer_is_no_value(face: str, reply: bytes) -> None:
    with Answers(reply) as answers, calling(answers.url, face) as call:
        with pytest.raises(StoreUnavailable, match="was lost") as caught:
            call("get", "k")
        assert caught.value.store == answers.url.partition("?")[0]
        assert answers.asked == [b"gets k\r\n"]


@pytest.mark.parametrize("reply", [b"OK\r\n", b"NOT_STORED\r\n", b"+PONG\r\n", b"ERRORS\r\n"])
def test_what_does_not_say_that_it_was_done_was_not_done(face: str, reply: bytes) -> None:
    with Answers(reply) as answers, calling(answers.url, face) as call:
        for method, words in (("ping", ()), ("put", ("k", b"v")), ("delete", ("k",))):
            with pytest.raises(StoreUnavailable, match="unexpected answer"):
                call(method, *words)


def test_an_answer_too_many_answers_nothing(face: str) -> None:
    with Answers(b"END\r\nVALUE k 0 1 7\r\nv\r\nEND\r\n") as answers:
        with calling(answers.url, face) as call:
            for _ in range(5):
                with contextlib.suppress(StoreUnavailable):
                    assert call("get", "k") is None
        assert answers.asked == [b"gets k\r\n"] * 5, "each on a new connection"


def test_the_requests_of_one_turn_leave_together() -> None:
    with Answers(b"STORED\r\n") as answers, open_store(answers.url) as store:

        async def body() -> None:
            await store.aio.put("first", b"")
            await asyncio.gather(
                *(store.aio.get(f"k{n}") for n in range(50)), return_exceptions=True
            )
            await store.aio.close()

        asyncio.run(body())
        first, *asked = answers.asked
        assert first == b"set first 0 0 0\r\n\r\n"
        assert len(asked) <= 2, "one goes at once, the others follow together"
        assert b"".join(asked).count(b"gets") == 50


def test_a_server_that_takes_no_more_connections_says_so(face: str) -> None:
    with Answers(b"ERROR Too many open connections\r\n") as answers:
        for url in (answers.url, answers.url.replace("//", "//ada:secret@")):
            with calling(url, face) as call:
                for method, words in (("get", ("k",)), ("swap", ("k", None, b"v"))):
                    with pytest.raises(StoreUnavailable, match=r"connections; .* larger -c$"):
                        call(method, *words)
