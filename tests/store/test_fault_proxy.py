"""The proxy that the fault tests stand on makes the faults it promises."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from servers.proxy import (
    Cut,
    Delay,
    Drip,
    Ending,
    Flaky,
    Hold,
    Mute,
    Proxy,
    Reset,
    Swallow,
    deaf_port,
)

TIMEOUT = 0.1


class Shout(socketserver.BaseRequestHandler):
    """Answers each word in capitals."""

    asked = b""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(100):
                type(self).asked += data
                self.request.sendall(data.upper())


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    Shout.asked = b""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Shout) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with Proxy(server.server_address[1]) as proxy:
            yield proxy
        server.shutdown()


@contextlib.contextmanager
def caller(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as link:
        link.settimeout(10)
        yield link


def ask(link: socket.socket, word: bytes) -> bytes:
    link.sendall(word)
    return link.recv(100)


def hears_nothing(link: socket.socket) -> bool:
    link.settimeout(TIMEOUT)
    with pytest.raises(TimeoutError):
        link.recv(100)
    link.settimeout(10)
    return True


def until(done: object) -> None:
    for _ in range(1000):
        if callable(done) and done():
            return
        time.sleep(0.01)
    pytest.fail("it never came")


def test_it_passes_all_and_counts(proxy: Proxy) -> None:
    with caller(proxy) as one, caller(proxy) as two:
        assert ask(one, b"one") == b"ONE"
        assert ask(two, b"two") == b"TWO"
        assert (proxy.taken, proxy.open) == (2, 2)
        assert (proxy.heard(b"one"), proxy.heard(b"three")) == (1, 0)
    until(lambda: proxy.open == 0)
    assert proxy.taken == 2


def test_a_delay_is_one(proxy: Proxy) -> None:
    with caller(proxy) as link, proxy.under(Delay(TIMEOUT)):
        started = time.monotonic()
        assert ask(link, b"a") == b"A"
        assert time.monotonic() - started >= TIMEOUT


def test_a_reply_drips(proxy: Proxy) -> None:
    with caller(proxy) as link, proxy.under(Drip(0.01)):
        started = time.monotonic()
        link.sendall(b"slow")
        assert b"".join(link.recv(1) for _ in range(4)) == b"SLOW"
        assert time.monotonic() - started >= 0.04


def test_a_deaf_port_takes_nobody() -> None:
    with deaf_port() as port, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", port), TIMEOUT)


def test_what_is_held_comes_late(proxy: Proxy) -> None:
    with caller(proxy) as link:
        with proxy.under(Hold()):
            link.sendall(b"late")
            assert hears_nothing(link)
            assert Shout.asked == b""
        assert link.recv(100) == b"LATE"


def test_what_is_swallowed_never_comes(proxy: Proxy) -> None:
    with caller(proxy) as link:
        with proxy.under(Swallow()):
            link.sendall(b"never")
            assert hears_nothing(link)
        assert ask(link, b"again") == b"AGAIN"
        assert Shout.asked == b"again"
        assert proxy.heard(b"never") == 1


def test_a_lost_reply_was_done(proxy: Proxy) -> None:
    with caller(proxy) as link, proxy.under(Mute()):
        link.sendall(b"done")
        assert hears_nothing(link)
        until(lambda: Shout.asked == b"done")


@pytest.mark.parametrize("before", [False, True])
def test_a_reset_comes_before_or_after_the_server(proxy: Proxy, *, before: bool) -> None:
    with caller(proxy) as link, proxy.under(Reset(before=before)):
        link.sendall(b"done")
        with pytest.raises(ConnectionResetError):
            link.recv(100)
    assert Shout.asked == (b"" if before else b"done")


def test_a_reset_of_idle_connections(proxy: Proxy) -> None:
    with caller(proxy) as link:
        assert ask(link, b"a") == b"A"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            link.recv(100)


def test_only_the_first_reply_is_cut(proxy: Proxy) -> None:
    for after in range(5):
        with caller(proxy) as link, proxy.under(Cut(after, Ending.CLOSE)) as cut:
            link.sendall(b"reply")
            said = b"".join(iter(lambda: link.recv(100), b""))
            assert said == b"REPLY"[:after]
            assert cut.done
            with caller(proxy) as other:
                assert ask(other, b"whole") == b"WHOLE"
    with caller(proxy) as link, proxy.under(Cut(5, Ending.CLOSE)) as cut:
        assert ask(link, b"reply") == b"REPLY"
        assert not cut.done


def test_a_cut_reply_may_leave_silence(proxy: Proxy) -> None:
    with caller(proxy) as link:
        with proxy.under(Cut(2, Ending.STALL)):
            assert ask(link, b"reply") == b"RE"
        link.sendall(b"more")
        assert hears_nothing(link)
        assert proxy.open == 1
    until(lambda: proxy.open == 0)


def test_refusing_ends_with_its_block(proxy: Proxy) -> None:
    with caller(proxy) as link:
        with proxy.refusing():
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", proxy.port), 2)
            with pytest.raises(ConnectionResetError):
                link.recv(100)
        with caller(proxy) as other:
            assert ask(other, b"a") == b"A"


def test_a_server_that_is_gone_resets(proxy: Proxy) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with Proxy(nobody.getsockname()[1]) as useless:
            with pytest.raises(ConnectionResetError), caller(useless) as link:
                link.recv(100)
            until(lambda: useless.open == 0)
    assert proxy.taken == 0


def test_flaky_is_flaky(proxy: Proxy) -> None:
    whole = 0
    with proxy.under(Flaky(0.3, seed=1)):
        for _ in range(60):
            with caller(proxy) as link, contextlib.suppress(OSError):
                link.settimeout(0.25)
                whole += ask(link, b"reply") == b"REPLY"
    assert 10 < whole < 50
