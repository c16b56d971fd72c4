"""MariaDB for tests and benchmarks: its own data folder, without waiting for the disk.

Law: it runs as the user `mysql` where we are root. Its temporary files are in its folder: each
MariaDB that starts removes all it finds in a shared one, also those of others.
"""

import contextlib
import functools
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servers._database import Database, user_named
from servers.process import Server, folder_for, free_port, program

__all__ = ["Mariadb", "run_mariadb"]

_USER = "mysql"
_PASSWORD = "mariadb-secret"
_LOG = "--innodb-log-file-size=16M"  # it is written at the start: most of what takes time there


class Mariadb(Database):
    """One running server.

    Attributes:
        password: The password in it, which must never show.
    """

    password = _PASSWORD

    def __init__(self, server: Server) -> None:
        super().__init__(
            server, f"mysql+pymysql://holdfast:{_PASSWORD}@127.0.0.1:{server.port}/holdfast"
        )

    def connections(self) -> int:
        """Return how many clients are connected, besides the one that asks."""
        import pymysql  # noqa: PLC0415 - these modules are loaded without any driver

        asker: Any = pymysql.connect(  # type: ignore[no-untyped-call] # it has no types
            host="127.0.0.1", port=self.server.port, user="holdfast", password=_PASSWORD
        )
        with asker, asker.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM information_schema.processlist WHERE user = 'holdfast'"
            )
            row = cursor.fetchone()
        assert row is not None
        return int(row[0]) - 1


@contextlib.contextmanager
def run_mariadb() -> Iterator[Mariadb]:
    """Make a server, run it, and remove it afterwards."""
    install = program("mariadb-install-db", "/usr/bin")
    mariadbd = program("mariadbd", "/usr/sbin", "/usr/libexec")
    user = user_named(_USER)
    with folder_for(user) as folder:
        first = folder / "first.sql"
        first.write_text(
            "CREATE DATABASE IF NOT EXISTS holdfast;\n"
            f"GRANT ALL ON *.* TO holdfast@'%' IDENTIFIED BY '{_PASSWORD}';\n"
        )
        places = [f"--datadir={folder}/data", f"--tmpdir={folder}", _LOG]
        whose = [f"--user={user}"] if user else []
        method = "--auth-root-authentication-method=normal"
        _run([install, "--no-defaults", *whose, *places, method, "--skip-test-db"])
        server = _started([mariadbd, "--no-defaults", *places], folder, user)
        try:
            yield Mariadb(server)
        finally:
            server.stop()


def _started(command: list[str], folder: Path, user: str | None) -> Server:
    """Return it on a free port; on another where somebody was quicker."""
    log = folder / "log"
    while True:
        port = free_port()
        settings = [
            *(f"--socket={folder}/socket", f"--init-file={folder}/first.sql"),
            *("--bind-address=127.0.0.1", f"--port={port}", "--skip-name-resolve"),
            *("--innodb-flush-log-at-trx-commit=2", "--max-connections=300"),
        ]
        answers = functools.partial(_greets, port)
        server = Server([*command, *settings], port, user=user, answers=answers, log=log)
        try:
            server.start()
        except AssertionError:
            server.stop()
            if "Address already in use" not in log.read_text(errors="replace"):
                raise
            log.unlink()
        else:
            return server


def _greets(port: int) -> bool:
    """Return whether it serves: its port takes connections long before."""
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), 1) as asker,
    ):
        return bool(asker.recv(1))
    return False


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Mariadb]:
    """One MariaDB for all tests of a worker; who kills it, starts it again."""
    with run_mariadb() as found:
        yield found
