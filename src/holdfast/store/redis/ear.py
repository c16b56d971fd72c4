"""Ear: one connection that hears what it did not ask for.

Law: the driver connects and logs in, and never reads again. Every wait ends at its deadline. What
was heard while an answer was awaited is kept, in its order.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from redis import exceptions as driver

from holdfast.clock import monotonic
from holdfast.listening import PATIENCE, can_read
from holdfast.store.redis import words
from holdfast.store.redis.lines import Line
from holdfast.store.redis.resp import NOTHING, new_parser
from holdfast.store.redis.words import Reply, Words

__all__ = ["Ear"]

_SIZE = 65_536  # bytes read at once; more than a record of TLS, so that none of one stays behind
_PIECES = 16  # so many of them before what came is looked at: it may never stop coming


class Ear:
    """A connection, open and logged in.

    Args:
        arguments: What the driver makes it with.
        until: When that must be over.

    Attributes:
        has_more: Whether `hear` may find something, though the file need not be readable.
        fileno: Returns the file that can be read when something has come.
        close: Closes it.
    """

    def __init__(self, arguments: dict[str, Any], until: float) -> None:
        line = Line(arguments, until)
        self._socket = line.punctual
        self._parser = new_parser()
        self._heard: deque[list[Any]] = deque()
        self.has_more = False
        self._hello = line.hello
        self.fileno: Callable[[], int] = self._socket.fileno
        self.close = line.close

    def greet(self) -> Reply:
        """Return what the server says of itself."""
        if self._hello is None:
            self.tell([words.HELLO])
            self._hello = self.wait_for(lambda _: True)
        return self._hello

    def tell(self, commands: Sequence[Words]) -> None:
        """Send `commands`; what comes back is for who waits for it."""
        self._socket.until = monotonic() + PATIENCE
        self._socket.sendall(words.packed(commands))

    def ask(self, commands: Sequence[Words]) -> list[Reply]:
        """Return the answers to `commands`, none of which may be a list.

        Raises:
            TimeoutError: They did not come within `PATIENCE`.
        """
        self.tell(commands)
        return [self.wait_for(_is_answer) for _ in commands]

    def wait_for(self, wanted: Callable[[Reply], bool], patience: float = PATIENCE) -> Reply:
        """Return the next reply that is wanted; what else comes is kept.

        Raises:
            TimeoutError: It did not come within `patience` seconds.
        """
        self._socket.until = monotonic() + patience
        self.has_more = True
        while True:
            reply = self._parser.gets()
            if reply is NOTHING:
                self._read()
            elif wanted(reply):
                return reply
            else:
                self._keep(reply)

    def hear(self) -> list[list[Any]]:
        """Return the lists that have come, and do not wait for more."""
        self._socket.until = monotonic() + PATIENCE  # for the rest of a record of TLS
        for _ in range(_PIECES):
            if not can_read([self._socket.fileno()], 0):
                break
            self._read()
        while (reply := self._parser.gets()) is not NOTHING:
            self._keep(reply)
        self.has_more = False
        found = list(self._heard)
        self._heard.clear()
        return found

    def _keep(self, reply: Reply) -> None:
        if _is_answer(reply):
            raise reply if isinstance(reply, Exception) else driver.InvalidResponse("nobody asked")
        self._heard.append(reply)

    def _read(self) -> None:
        data = self._socket.recv(_SIZE)
        if not data:
            raise driver.ConnectionError("the server closed the connection")
        self._parser.feed(data)


def _is_answer(reply: Reply) -> bool:
    return not isinstance(reply, list)
