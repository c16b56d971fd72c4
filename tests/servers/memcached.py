"""memcached servers: plain, and over TLS with a user and a password.

Law: each has a free port of its own and keeps nothing but memory.
"""

import contextlib
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from servers.process import Server, folder_for, free_port, program
from servers.redis import make_certificate

__all__ = ["PASSWORD", "USER", "MemcachedServer", "run_memcached"]

USER, PASSWORD = "ada", "p@ss:w/rd,%"


@dataclass(frozen=True)
class MemcachedServer:
    """A server that runs.

    Attributes:
        server: The process; `kill` and `start` it to see what a client does.
        url: Opens a store on it.
        certificate: What it shows over TLS, and the authority that signed it: itself.
    """

    server: Server
    url: str
    certificate: Path | None = None

    @property
    def port(self) -> int:
        return self.server.port

    def stat(self, name: str) -> int:
        """Return one of the numbers it keeps about itself; plain servers only."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as link:
            link.sendall(b"stats\r\nquit\r\n")
            said = b"".join(iter(lambda: link.recv(65_536), b""))
        lines = [line.split() for line in said.decode().splitlines()]
        return next(int(words[2]) for words in lines if words[:2] == ["STAT", name])


@contextlib.contextmanager
def run_memcached(
    *words: str, tls: bool = False, listens: Callable[[], bool] | None = None
) -> Iterator[MemcachedServer]:
    """Run a server for items of up to 8 MB; `words` are more of its options.

    Args:
        *words: As on its command line, such as `"-I", "1m"`; the last of a kind counts.
        tls: Take connections over TLS alone, and only from the user `USER` with `PASSWORD`.
        listens: Whether it serves yet, where that is not on its port: with `-s`.
    """
    with folder_for("nobody") as folder:
        port = free_port()
        command = [program("memcached"), "-l", "127.0.0.1", "-p", str(port), "-U", "0"]
        command += ["-m", "256", "-I", "8m", *words]
        if os.getuid() == 0:
            command += ["-u", "nobody"]
        url, certificate = f"memcached://127.0.0.1:{port}", None
        if tls:
            certificate, key = make_certificate(folder)
            users = folder / "users"
            users.write_text(f"{USER}:{PASSWORD}\n")
            if os.getuid() == 0:
                for path in (key, users):
                    shutil.chown(path, "nobody")
            command += ["-Z", "-o", f"ssl_chain_cert={certificate},ssl_key={key}"]
            command += ["-Y", str(users)]
            login = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
            url = f"memcacheds://{login}@127.0.0.1:{port}?ssl_ca_certs={quote(str(certificate))}"
        server = Server(command, port, answers=listens, log=folder / "log")
        server.start()
        try:
            yield MemcachedServer(server, url, certificate)
        finally:
            server.kill()  # it keeps nothing, and takes a second to say goodbye


@pytest.fixture(scope="session")
def memcached_server() -> Iterator[MemcachedServer]:
    """A plain memcached; keep to your own keys, and let it run."""
    with run_memcached() as server:
        yield server


@pytest.fixture(scope="session")
def memcached_tls() -> Iterator[MemcachedServer]:
    """A memcached that speaks TLS alone, with one user."""
    with run_memcached(tls=True) as server:
        yield server
