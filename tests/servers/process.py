"""A server as a child process: started on a free port, stopped by its pid, killed with its parent.

Law: never a fixed port, never a server that was already running. What cannot be had is skipped by
its name; where CI is set, that is a failure.
"""

import contextlib
import ctypes
import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

__all__ = ["Server", "folder_for", "free_port", "is_stopped", "missing", "program"]

_PATIENCE = 30.0  # seconds until a server that does not answer counts as broken
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_SYSTEM = tempfile.gettempdir()  # whatever a test says it is: a unix socket's path has 107 bytes
_FIRST_PORT, _PORTS = 12_000, 20_000  # all of them below 32768, where the kernel's own begin


def missing(what: str) -> None:
    """Skip the test, because `what` is not to be had here; fail it where CI is set."""
    message = f"NOT TO BE HAD: {what} (`sh tests/install-servers.sh` installs it where it may)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def program(name: str, *places: str) -> str:
    """Return the path of a program, looked for on the PATH and in `places` (with wildcards)."""
    found = shutil.which(name)
    for place in places:
        for path in sorted(glob.glob(place), reverse=True):  # noqa: PTH207 - an absolute pattern
            found = found or shutil.which(name, path=path)
    if found is None:
        missing(name)
    return found or ""


def free_port() -> int:
    """Return a loopback port nobody listens on now, and none of us is given while we run.

    It is none of those that the kernel gives to clients and to who wants any: one of them would be
    another's before a server that takes its time listens there, or listens there again.
    """
    while True:
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as probe, socket.socket(socket.AF_UNIX) as claim:
            try:
                claim.bind(f"\0holdfast-tests-{port}")  # other workers, and other runs beside us
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            claim.detach()  # it is ours until this process ends
        return port


@contextlib.contextmanager
def folder_for(user: str | None = None) -> Iterator[Path]:
    """Make a new short folder that belongs to `user` where we may give it away; remove it after."""
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir=_SYSTEM))
    if user and os.getuid() == 0:
        known = pwd.getpwnam(user)
        os.chown(folder, known.pw_uid, known.pw_gid)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """One child process that serves `port`.

    Args:
        command: What to run, in the foreground.
        port: The loopback port it listens on; 0 where `answers` tells by itself.
        user: Whom it runs as, if we are root.
        answers: Whether it serves yet; default: whether its port takes a connection.
        log: The file its output goes to, shown when it does not start.
        env: More environment variables.

    Attributes:
        pid: The pid of the child that runs now.
    """

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        *,
        user: str | None = None,
        answers: Callable[[], bool] | None = None,
        log: Path,
        env: dict[str, str] | None = None,
    ) -> None:
        self.command = list(command)
        self.port = port
        self._user = user if os.getuid() == 0 else None
        self._answers = answers or self._listens
        self._log = log
        self._env = os.environ | (env or {})
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None, "it does not run"
        return self._child.pid

    def start(self) -> None:
        """Start it and wait until it serves."""
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - our own words
                self.command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                user=self._user,
                env=self._env,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no locks
            )
        self.wait()

    def wait(self) -> None:
        """Wait until it serves."""
        until = time.monotonic() + _PATIENCE
        while not self._answers():
            said = self._log.read_text(errors="replace")[-2000:]
            assert self._child is None or self._child.poll() is None, f"it ended: {said}"
            assert time.monotonic() < until, f"it does not answer: {said}"
            time.sleep(0.02)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5):
            return True
        return False

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order; at once where that takes too long."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.send_signal(how)  # a frozen one must not answer once more before it is killed
        child.send_signal(signal.SIGCONT)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def pause(self) -> None:
        """Freeze it, all of its threads: it takes connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        states = list(Path(f"/proc/{self.pid}/task").glob("*/stat"))
        while not all(is_stopped(state) for state in states):
            time.sleep(0.001)

    def go_on(self) -> None:
        """End the pause."""
        os.kill(self.pid, signal.SIGCONT)


def is_stopped(state: Path) -> bool:
    """Return whether a thread, by its file in /proc, is frozen or has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
        # Z: it has ended, and a parent that is frozen itself does not take notice
        return state.read_text().rpartition(")")[2].split()[0] in "TtZX"
    return True


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
