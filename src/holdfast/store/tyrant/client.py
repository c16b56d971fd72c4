"""A client of one Tokyo Tyrant server, for threads: its commands, over a pool of connections.

Law: every call ends at its deadline, connecting included; what goes wrong is an `OSError`, of which
`TimeoutError` is the deadline. A connection is used by one thread at a time, and never again after
an error: neither must a late reply answer the next question, nor a late request be done. Databases
that lose values are refused.
"""

import contextlib
import select
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from holdfast.clock import monotonic
from holdfast.dial import dial, left
from holdfast.store.tyrant import wire
from holdfast.store.tyrant.wire import Command, Garbled, Reading

__all__ = ["PORT", "TyrantClient", "Unfit", "Unreached", "check_fit", "reset"]

T = TypeVar("T")
PORT = 1978
_MOST_IDLE = 64  # connections kept for the next call; threads that are more connect anew
_AT_ONCE = 1 << 16
_LOSE_VALUES = {"table": "it keeps columns", "fixed-length": "it cuts off long values"}


class Unreached(ConnectionError):  # noqa: N818 - what it says, not that it fails
    """There is no connection, so nothing was sent."""


class Unfit(Unreached):
    """The server has a database that would lose values; it was asked nothing but that."""


def check_fit(facts: Mapping[str, str]) -> None:
    """Refuse a server whose database answers `put` with success and keeps something else.

    Raises:
        Unfit: It is one, or the server does not say what it has.
    """
    kind = facts.get("type")
    if kind is None:
        raise Unfit("the server does not say what database it has: allow its command `stat`")
    if kind in _LOSE_VALUES:
        raise Unfit(
            f"the server has a {kind} database, and {_LOSE_VALUES[kind]}: start ttserver with"
            " a hash database (.tch) or a B+ tree (.tcb)"
        )


class TyrantClient:
    """Speaks to one server; every thread may use it at the same time.

    It connects at the first call. Keys and values are bytes; both may be empty. A forked child
    needs a client of its own: see `lifetimes.PerProcess`.

    Args:
        host: Its name or address.
        port: Its port.
        timeout: Seconds a call may take, from connecting to the last byte of the reply.
    """

    def __init__(self, host: str, port: int = PORT, *, timeout: float = 1.0) -> None:
        self._closed = False
        self._idle: list[_Link] = []
        self._host, self._port, self._timeout = host, port, timeout

    def call(self, command: Command[T]) -> T:
        """Send one command of `wire` and return its answer.

        Raises:
            TimeoutError: No answer in time; whether it was done is unknown.
            OSError: The server is not to be reached, or broke off.
        """
        answer: T = self.call_all([command], monotonic() + self._timeout)[0]
        return answer

    def call_all(self, commands: Sequence[Command[Any]], deadline: float) -> list[Any]:
        """Send commands in one write and return their answers; see `call`.

        Their requests, or else their replies, should stay below 100 KB together: the server reads
        on only while somebody takes its replies.

        Args:
            commands: What to send; the server does it in this order.
            deadline: When to give up, as `clock.monotonic` counts.
        """
        link = self._fresh_from_idle()
        if link is not None:
            try:
                return self._use(link, commands, deadline)
            except TimeoutError:
                raise
            except ConnectionError:
                # The server may have closed it while it lay idle, before it saw our request.
                if not all(command.twice for command in commands):
                    raise
        return self._use(_Link(self._host, self._port, deadline), commands, deadline)

    def close(self) -> None:
        """Close the connections; those in use are closed when their call is over."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def __del__(self) -> None:
        self.close()

    def __len__(self) -> int:
        """Return how many connections lie idle."""
        return len(self._idle)

    def _fresh_from_idle(self) -> "_Link | None":
        while self._idle:
            try:
                link = self._idle.pop()
            except IndexError:  # another thread was quicker
                return None
            if not link.is_dead():
                return link
            link.close()
        return None

    def _use(self, link: "_Link", commands: Sequence[Command[Any]], deadline: float) -> list[Any]:
        try:
            answers = link.exchange(commands, deadline)
        except BaseException:
            link.abort()
            raise
        if len(self._idle) >= _MOST_IDLE:
            link.close()
        else:
            self._idle.append(link)
        if self._closed:  # in the meantime
            self.close()
        return answers

    # The commands by name

    def put(self, key: bytes, value: bytes) -> bool:
        """Write; False where the server refuses."""
        return self.call(wire.put(key, value))

    def putkeep(self, key: bytes, value: bytes) -> bool:
        """Write unless the key is there; return whether it was written."""
        return self.call(wire.putkeep(key, value))

    def putcat(self, key: bytes, value: bytes) -> bool:
        """Append to the value, or write it where there is none."""
        return self.call(wire.putcat(key, value))

    def putnr(self, key: bytes, value: bytes) -> None:
        """Write without waiting for a reply: nobody knows whether it was done."""
        self.call(wire.putnr(key, value))

    def out(self, key: bytes) -> bool:
        """Remove; return whether it was there."""
        return self.call(wire.out(key))

    def get(self, key: bytes) -> bytes | None:
        """Return the value, or None."""
        return self.call(wire.get(key))

    def mget(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values that are there."""
        return self.call(wire.mget(keys))

    def vsiz(self, key: bytes) -> int | None:
        """Return the length of the value in bytes, or None."""
        return self.call(wire.vsiz(key))

    def fwmkeys(self, prefix: bytes, most: int | None = None) -> list[bytes]:
        """Return keys that begin with `prefix`, at most that many."""
        return self.call(wire.fwmkeys(prefix, most))

    def addint(self, key: bytes, number: int) -> int | None:
        """Add to an integer of 4 bytes in the server's own form; None where it is none."""
        return self.call(wire.addint(key, number))

    def sync(self) -> bool:
        """Have everything written to the device."""
        return self.call(wire.sync())

    def optimize(self, params: bytes = b"") -> bool:
        """Rebuild the database with new tuning parameters."""
        return self.call(wire.optimize(params))

    def vanish(self) -> bool:
        """Remove every record."""
        return self.call(wire.vanish())

    def rnum(self) -> int:
        """Return the number of records."""
        return self.call(wire.rnum())

    def size(self) -> int:
        """Return the size of the database in bytes."""
        return self.call(wire.size())

    def stat(self) -> Mapping[str, str]:
        """Return what the server says of itself."""
        return self.call(wire.stat())

    def misc(
        self, name: bytes, arguments: Sequence[bytes] = (), *, logged: bool = True
    ) -> list[bytes] | None:
        """Call a function of the database by its name, such as `putlist`; None where it failed."""
        return self.call(wire.misc(name, arguments, logged=logged))


class _Link:
    """One connection, in the hands of one thread; it has asked what database the server has."""

    __slots__ = ("_inbox", "_poll", "_socket")

    def __init__(self, host: str, port: int, deadline: float) -> None:
        try:
            self._socket = dial(host, port, deadline)
        except OSError as error:
            kind = TimeoutError if isinstance(error, TimeoutError) else Unreached
            raise kind(f"{host}:{port} is not to be reached: {error}") from error
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._inbox = bytearray()
        try:
            check_fit(self.exchange([wire.stat()], deadline)[0])
        except BaseException:
            self.abort()
            raise

    def is_dead(self) -> bool:
        """Return whether the server has closed it, or has said what nobody asked for."""
        return bool(self._poll.poll(0))

    def exchange(self, commands: Sequence[Command[Any]], deadline: float) -> list[Any]:
        """Send the commands and return their answers."""
        self._socket.settimeout(left(deadline))
        self._socket.sendall(b"".join([command.request for command in commands]))
        answers = []
        for command in commands:
            reading = Reading(command)
            while not reading.take(self._inbox):
                self._receive(deadline)
            answers.append(reading.value)
        if self._inbox:
            raise Garbled("the server sent more than was asked for")
        return answers

    def _receive(self, deadline: float) -> None:
        self._socket.settimeout(left(deadline))
        piece = self._socket.recv(_AT_ONCE)
        if not piece:
            raise ConnectionResetError("the server closed the connection")
        self._inbox += piece

    def close(self) -> None:
        self._socket.close()

    def abort(self) -> None:
        """Close it, and take back what has not reached the server: it must not get there late."""
        reset(self._socket)


def reset(connected: socket.socket) -> None:
    """Close a socket at once; the system forgets what it has not sent, or sent in vain."""
    with contextlib.suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connected.close()
