"""PostgreSQL for tests and benchmarks: its own cluster in a new folder, without fsync.

Law: it runs as the user `postgres` where we are root, because it refuses to run as root.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers._database import Database, user_named
from servers.process import Server, folder_for, free_port, program

__all__ = ["Postgresql", "run_postgresql"]

_PLACES = "/usr/lib/postgresql/*/bin"
_USER = "postgres"


class _Cluster(Server):
    """A server of many processes: each client has its own."""

    def pause(self) -> None:
        self._tell_all(signal.SIGSTOP)

    def go_on(self) -> None:
        self._tell_all(signal.SIGCONT)

    def kill(self) -> None:
        below = _children_of(self.pid)
        super().kill()
        _tell(below, signal.SIGKILL)

    def _tell_all(self, what: signal.Signals) -> None:
        _tell([self.pid, *_children_of(self.pid)], what)


def _tell(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, what)


def _children_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name) state parent ...; a name may have spaces and brackets
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


class Postgresql(Database):
    """One running cluster."""

    def __init__(self, server: Server) -> None:
        super().__init__(server, f"postgresql+psycopg://{_USER}@127.0.0.1:{server.port}/postgres")

    def connections(self) -> int:
        """Return how many clients are connected, besides the one that asks."""
        import psycopg  # noqa: PLC0415 - these modules are loaded without any driver

        url = self.url.replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as asker:
            row = asker.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchone()
        assert row is not None
        return int(row[0])


@contextlib.contextmanager
def run_postgresql() -> Iterator[Postgresql]:
    """Make a cluster, run it, and remove it afterwards."""
    initdb, postgres = program("initdb", _PLACES), program("postgres", _PLACES)
    with folder_for(user_named(_USER)) as folder:
        data = folder / "data"
        _as_user([initdb, "-D", str(data), "-U", _USER, "-A", "trust", "-E", "UTF8", "-N"])
        server = _server(postgres, folder, data)
        server.start()
        try:
            yield Postgresql(server)
        finally:
            with contextlib.suppress(AssertionError):  # a test killed it
                os.kill(server.pid, signal.SIGINT)  # SIGTERM would wait for its clients to go
            server.stop()


def _server(postgres: str, folder: Path, data: Path) -> Server:
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": "200",
    }
    command = [postgres, "-D", str(data), "-p", str(port)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    ready = [program("pg_isready", _PLACES), "-q", "-h", "127.0.0.1", "-p", str(port)]

    def answers() -> bool:
        return subprocess.run(ready, check=False).returncode == 0  # noqa: S603 - our own words

    return _Cluster(command, port, user=user_named(_USER), answers=answers, log=folder / "log")


def _as_user(command: list[str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own words
        command, user=user_named(_USER), capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """One PostgreSQL for all tests of a worker; who kills it, starts it again."""
    with run_postgresql() as found:
        yield found
