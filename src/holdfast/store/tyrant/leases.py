"""Locks on a server that only knows "write unless it is there": who holds one, and his heirs.

Law: whoever writes the lock record of a key with `putkeep` holds the key. He sends his change
within half a lease, and takes it back if it is not answered within three quarters; in the same
write he removes the record. A record that stands for a whole lease, on the watcher's own monotonic
clock, is a dead holder's: whoever writes the heir's record of his token with `putkeep` holds the
key then. Tokens never return, so each is inherited once, and nobody ever removes a lock that may be
another's.

    holdfast.lock <key>    = token of the first holder
    holdfast.heir <token>  = token of who inherited from that one, and so on
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from holdfast.clock import monotonic
from holdfast.store.tyrant import wire
from holdfast.store.tyrant.wire import Command

__all__ = ["Held", "Leases", "Refused", "Send", "is_lock"]

_LOCK = b"holdfast.lock "  # no key of a store has a space
_HEIR = b"holdfast.heir "
_MOST_WATCHED = 1000
_REFUSALS = 3  # in a row: neither written nor there

Send = Callable[[Sequence[Command[Any]]], Awaitable[list[Any]]]


def is_lock(key: bytes) -> bool:
    """Return whether a record is a lock or part of one."""
    return key.startswith((_LOCK, _HEIR))


class Refused(ConnectionError):  # noqa: N818 - what it says, not that it fails
    """The server takes no writes."""


class Held(NamedTuple):
    """A lock in our hands.

    Attributes:
        records: The records that make it, the first holder's first: with it gone, it is open.
        tokens: What stands in them, ours last.
        until: When it is too late to send the change, on the monotonic clock.
        end: When it is too late for its answer.
    """

    records: Sequence[bytes]
    tokens: Sequence[bytes]
    until: float
    end: float

    def release(self) -> list[Command[bool]]:
        """Return what removes the lock; it must leave in one write with the change."""
        return [wire.out(record) for record in self.records]


class Leases:
    """What one process knows of the locks of a server.

    Args:
        lease: Seconds after which a lock that does not change is a dead holder's.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._watched: dict[bytes, tuple[bytes, float]] = {}  # lock -> its last holder, since when

    def claim(self, key: bytes) -> tuple[Held, Command[bool]]:
        """Return a lock to be, and the command that makes it: True where we hold it."""
        held = self._held([_LOCK + key], [os.urandom(16)])
        claim = wire.putkeep(held.records[0], held.tokens[0])
        return held, claim._replace(twice=True)  # in vain the second time: a lock nobody holds

    async def renew(self, held: Held, send: Send) -> Held | None:
        """Inherit from ourselves, who have sent no change; None where another was quicker."""
        return await self._succeed(held.records, held.tokens, send)

    async def inherit(self, key: bytes, send: Send) -> Held | None:
        """Take over from a dead holder, or return None: try `claim` again.

        Raises:
            Refused: The server writes no record though there is none.
        """
        now = monotonic()  # before we look: what is there then was there now
        records, tokens = await self._chain(key, send)
        if not tokens:
            return await self._claim_patiently(key, send)
        last, since = self._watched.get(records[0], (b"", now))
        if last != tokens[-1]:
            if len(self._watched) >= _MOST_WATCHED:
                self._watched.clear()
            self._watched[records[0]] = tokens[-1], monotonic()
        elif now - since > self._lease:
            return await self._succeed(records[:-1], tokens, send)
        return None

    async def _chain(self, key: bytes, send: Send) -> tuple[list[bytes], list[bytes]]:
        """Return the records of a lock and the tokens in them, the present holder's last."""
        records, tokens = [_LOCK + key], list[bytes]()
        while (token := (await send([wire.get(records[-1])]))[0]) is not None:
            tokens.append(token)
            records.append(_HEIR + token)
        return records, tokens

    async def _succeed(
        self, records: Sequence[bytes], tokens: Sequence[bytes], send: Send
    ) -> Held | None:
        """Become the heir of the last of `tokens`."""
        held = self._held([*records, _HEIR + tokens[-1]], [*tokens, os.urandom(16)])
        become = wire.putkeep(held.records[-1], held.tokens[-1])
        heir, first = await send([become, wire.get(records[0])])
        self._watched.pop(records[0], None)
        if heir and first == tokens[0]:
            return held
        if heir:  # the lock was released before: there was nothing left to inherit
            await send([wire.out(held.records[-1])])
        return None

    async def _claim_patiently(self, key: bytes, send: Send) -> Held | None:
        for _ in range(_REFUSALS):
            held, claim = self.claim(key)
            done, there = await send([claim, wire.get(_LOCK + key)])
            if done:
                return held
            if there is not None:
                return None
        raise Refused("it writes nothing: its disk is full, or it is read-only")

    def _held(self, records: Sequence[bytes], tokens: Sequence[bytes]) -> Held:
        now = monotonic()
        return Held(records, tokens, now + self._lease / 2, now + self._lease * 3 / 4)
