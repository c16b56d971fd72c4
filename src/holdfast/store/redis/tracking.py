"""Tracking: the server itself tells which keys change (CLIENT TRACKING ... BCAST, in RESP3).

Law: our own writes come back, too, and several writers' writes of one key come back as one message:
so an echo is ignored only where the server now holds what we wrote. Where it holds another value,
or none, somebody changed it.
"""

import os
from collections.abc import Sequence
from typing import Any

from redis import exceptions as driver

from holdfast.clock import Clock, monotonic
from holdfast.listening import Keys
from holdfast.store.redis import words
from holdfast.store.redis.ear import Ear
from holdfast.store.redis.words import Words

__all__ = ["Heads", "Tracking", "new_probe"]

_HEAD = 24  # bytes: what a value begins with, which tells it from all others of its key
_GENERATION = 5.0  # seconds a write is remembered at least
_SIZE = 10_000  # writes of one generation; the last two are known


class Heads:
    """How the values begin that this process wrote of late.

    Law: without locks. What is forgotten too early costs a needless `changed`, nothing else.
    """

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Forget all."""
        self._young, self._old = _Written(), _Written()
        self._until = self._clock() + _GENERATION

    def wrote(self, key: str, value: bytes) -> None:
        """See `Bus.wrote`."""
        young = self._age()
        young.keys.add(key)
        if value:  # what is empty looks as what is not there
            young.heads.add((key, value[:_HEAD]))

    def knows(self, key: str) -> bool:
        """Return whether this process wrote anything under `key`."""
        self._age()
        return key in self._young.keys or key in self._old.keys

    def has(self, key: str, head: bytes) -> bool:
        """Return whether this process wrote a value that begins so."""
        return (key, head) in self._young.heads or (key, head) in self._old.heads

    def _age(self) -> "_Written":
        now, young = self._clock(), self._young
        if now >= self._until or len(young.heads) >= _SIZE:
            late = now >= self._until + _GENERATION
            self._old, self._young = _Written() if late else young, _Written()
            self._until = now + _GENERATION
        return self._young


class _Written:
    """The writes of one generation."""

    __slots__ = ("heads", "keys")

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.heads: set[tuple[str, bytes]] = set()


class Tracking:
    """A connection that is told which keys change; the driver's errors pass through.

    Args:
        ear: A connection that speaks RESP3.
        heads: What this process wrote.
    """

    def __init__(self, ear: Ear, heads: Heads) -> None:
        self._heads = heads
        self._ear = ear
        self.fileno = ear.fileno
        self.close = ear.close

    def begin(self, prefixes: Sequence[str]) -> None:
        """Be told of all keys under `prefixes`.

        Raises:
            redis.exceptions.ResponseError: The server cannot do that.
        """
        wanted = [word for prefix in prefixes for word in ("PREFIX", prefix)]
        self._ask([("CLIENT", "TRACKING", "ON", "BCAST", *wanted)])

    def has_heard(self, probe: str, value: bytes) -> bool:
        """Return whether the write of a probe was told, and its value can be read here.

        The server sends what changed before it answers what it is asked afterwards.
        """
        (found,) = self._ask([_head_of(probe)])
        pushes = self._ear.hear()
        return found == value[:_HEAD] and any(
            probe.encode() in (push[1] or ()) for push in pushes if push[0] == b"invalidate"
        )

    def hear(self) -> Keys:
        """See `Line.hear`."""
        names: dict[str, None] = {}
        for kind, told, *_ in self._ear.hear():
            if kind != b"invalidate":
                continue
            if told is None:  # FLUSHALL, FLUSHDB
                return None
            names.update((key, None) for raw in told if (key := words.key_of(raw)) is not None)
        return self._foreign(list(names))

    def has_more(self) -> bool:
        """See `Line.has_more`: more may have come while heads were asked for."""
        return self._ear.has_more

    def _foreign(self, keys: list[str]) -> list[str]:
        """Return `keys` without those whose present value this process wrote."""
        ours: set[str] = set()
        for some in words.chunks([key for key in keys if self._heads.knows(key)]):
            for key, head in zip(some, self._ear.ask(list(map(_head_of, some))), strict=True):
                if isinstance(head, bytes) and self._heads.has(key, head):
                    ours.add(key)
        return [key for key in keys if key not in ours]

    def send(self, keys: Keys) -> None:
        """Do nothing: the server tells the others."""

    def check(self) -> None:
        """See `Line.check`."""
        self._ask([("PING",)])

    def _ask(self, commands: list[Words]) -> list[Any]:
        answers = self._ear.ask(commands)
        for answer in answers:
            if isinstance(answer, driver.ResponseError):
                raise answer
        return answers


def _head_of(key: str) -> Words:
    return ("GETRANGE", key, 0, _HEAD - 1)


def new_probe(prefix: str) -> tuple[str, bytes]:
    """Return the key and the value of a new self-test.

    Others hear of it as of any key: a name that is passed over would be one that is never heard of.
    """
    return f"{prefix}~probe:{os.urandom(8).hex()}", os.urandom(_HEAD).hex().encode()
