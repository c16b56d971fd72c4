"""Pubsub: processes tell each other which keys they changed, on channels of the server.

Law: what others do not publish is not heard, nor that the server forgot everything. Each prefix
has a channel, `holdfast:bus:<database>:<prefix>`. Each connection has one of its own besides: what
comes back on it proves that publishing and hearing still meet, whatever lies between.
"""

import os
from collections.abc import Callable, Coroutine, Sequence
from typing import cast

from redis import exceptions as driver

from holdfast import messages
from holdfast.bridge import drive
from holdfast.clock import monotonic
from holdfast.listening import PATIENCE, Keys
from holdfast.store.redis.ear import Ear
from holdfast.store.redis.operations import Operations
from holdfast.store.redis.words import Reply, Words

__all__ = ["Pubsub"]

_CHANNEL = "holdfast:bus"
_LIMIT = 65_536  # bytes of one message


class Pubsub:
    """A connection that is subscribed; the driver's errors pass through.

    RESP2, which every server knows: on this connection all that comes is a list. It only hears;
    what is published goes the way of the store's operations.

    Args:
        ear: A connection that speaks RESP2.
        operations: Those of the store.
        database: Its number: the channels of all databases are the same server's.
    """

    def __init__(self, ear: Ear, operations: Callable[[], Operations], database: int) -> None:
        self._ear = ear
        self._operations = operations
        self._own = os.urandom(8).hex()  # anew for each connection, so that a fork has another
        self._before = f"{_CHANNEL}:{database}:"
        self._mine = f"{_CHANNEL}:~{self._own}".encode()
        self._prefixes: dict[bytes, str] = {}
        self.fileno = ear.fileno
        self.close = ear.close

    def begin(self, prefixes: Sequence[str]) -> None:
        """Hear of all keys under `prefixes`, and see that it works.

        Raises:
            TimeoutError: Nothing is heard.
            redis.exceptions.ResponseError: The server refuses it.
        """
        self._prefixes = {f"{self._before}{prefix}".encode(): prefix for prefix in prefixes}
        for channel in [*self._prefixes, self._mine]:
            self._ear.tell([("SUBSCRIBE", channel)])
            self._wait_for(b"subscribe", channel)
        self.check()

    def hear(self) -> Keys:
        """See `Line.hear`."""
        found: dict[str, None] = {}
        for kind, channel, text in self._ear.hear():
            prefix = self._prefixes.get(channel)
            if kind != b"message" or prefix is None:
                continue
            keys = messages.read(text.decode("ascii", "replace"), own=self._own, prefix=prefix)
            if keys is None:
                return None
            found.update(dict.fromkeys(keys))
        return list(found)

    def send(self, keys: Keys) -> None:
        """See `Line.send`."""
        commands: list[Words] = []
        for channel, prefix in self._prefixes.items():
            some = None if keys is None else [key for key in keys if key.startswith(prefix)]
            texts = messages.write(self._own, some, limit=_LIMIT)
            commands += [("PUBLISH", channel.decode(), text) for text in texts]
        if commands:
            self._publish(commands)

    def has_more(self) -> bool:
        """See `Line.has_more`."""
        return self._ear.has_more

    def check(self) -> None:
        """See `Line.check`."""
        self._publish([("PUBLISH", self._mine.decode(), self._own)])
        self._wait_for(b"message", self._mine)

    def _publish(self, commands: list[Words]) -> None:
        steps = self._operations().route.ask(commands, monotonic() + PATIENCE)
        for reply in drive(cast("Coroutine[object, None, list[Reply]]", steps)):
            if isinstance(reply, Exception):
                raise reply

    def _wait_for(self, kind: bytes, channel: bytes) -> None:
        def wanted(reply: Reply) -> bool:
            return isinstance(reply, driver.ResponseError) or list(reply[:2]) == [kind, channel]

        reply = self._ear.wait_for(wanted, PATIENCE)
        if isinstance(reply, Exception):
            raise reply
