"""How records are changed: hold the lock, read, decide, write and let go.

Law: every record is written by the holder of its lock, in one write with the release; so who
decides is alone with it among all who write through this store. Over what was absent a holder
writes with `putkeep`, because "add if absent" takes no lock: what came so is seen, and decided
anew. Nobody waits for a lock while he holds one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from holdfast.clock import monotonic
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.tyrant import wire
from holdfast.store.tyrant.leases import Held, Leases, Send
from holdfast.store.tyrant.way import Settings, Way, faults
from holdfast.store.tyrant.wire import Command

__all__ = ["Change", "Changes", "Decide", "chunks"]

T = TypeVar("T")
_LOCKS_AT_ONCE = 100  # short enough for the buffers between us and a server
_FIRST_NAP, _LONGEST_NAP = 0.0005, 0.005  # seconds between two looks at a lock others hold


class Change(NamedTuple, Generic[T]):
    """What to do with a record, and what to tell the caller.

    Attributes:
        record: What to write; None removes.
        answer: What the caller wants to know.
        keeps: Whether the record stays as it is.
    """

    record: bytes | None
    answer: T
    keeps: bool = False


Decide = Callable[[str, bytes | None], Change[T]]


class _Mine(NamedTuple):
    """A key whose lock we hold, and what it holds."""

    key: str
    lock: Held
    present: bytes | None


class Changes:
    """Changes the records of one server.

    Args:
        settings: Those of the store.
        server: Its index.
        way: How to reach it.
        leases: What is known of its locks.
    """

    def __init__(self, settings: Settings, server: int, way: Way, leases: Leases) -> None:
        self._name = settings.name
        self._server = server
        self._way = way
        self._leases = leases

    async def make(
        self, keys: Sequence[str], decide: Decide[T], deadline: float, *, reads: bool
    ) -> dict[str, T]:
        """Let `decide` say what becomes of each key's record.

        Args:
            keys: What to change, each once.
            decide: Pure; it runs again where somebody added what was absent.
            deadline: When to give up; of many keys each part has the same time anew.
            reads: Whether it wants to know what is there; else it is given None.
        """
        done: dict[str, T] = {}
        nap = _FIRST_NAP
        patience = deadline - monotonic()
        while self._way.is_wanted():
            for chunk in chunks([key for key in keys if key not in done], _LOCKS_AT_ONCE):
                with faults(self._name):
                    mine = await self._hold(chunk, deadline, reads=reads)
                part = await self._commit(mine, decide, deadline, reads=reads) if mine else {}
                if part:
                    done |= part
                    deadline = monotonic() + patience
            if len(done) == len(keys):
                return done
            if monotonic() + nap >= deadline:
                raise StoreTimeout(self._name, "others held a lock for too long: not all is done")
            await self._way.sleep(nap)
            nap = min(nap * 1.5, _LONGEST_NAP)
        return done

    async def _hold(self, keys: Sequence[str], deadline: float, *, reads: bool) -> list[_Mine]:
        """Return those locks that are to be had now."""
        claims = [self._leases.claim(key.encode()) for key in keys]
        commands: list[Command[Any]] = []
        for key, (_, claim) in zip(keys, claims, strict=True):
            commands += [claim, wire.get(key.encode())] if reads else [claim]
        answers = iter(await self._way.send(self._server, commands, deadline))
        mine = []
        for key, (lock, _) in zip(keys, claims, strict=True):
            got, present = next(answers), next(answers) if reads else None
            if got:
                mine.append(_Mine(key, lock, present))
        return mine or await self._inherit(keys, deadline)

    async def _inherit(self, keys: Sequence[str], deadline: float) -> list[_Mine]:
        """Return one lock of a dead holder, if there is one."""
        send = self._sender(deadline)
        for key in keys:
            lock = await self._leases.inherit(key.encode(), send)
            if lock is not None:
                return [await self._looked_at(key, lock, send)]
        return []

    async def _renew(self, mine: Sequence[_Mine], deadline: float) -> list[_Mine]:
        """Return those locks that we hold still, with all the time they last."""
        send = self._sender(deadline)
        again = []
        for one in mine:
            lock = await self._leases.renew(one.lock, send)
            if lock is not None:
                again.append(await self._looked_at(one.key, lock, send))
        return again

    async def _in_time(self, mine: Sequence[_Mine], deadline: float) -> list[_Mine]:
        """Return those locks that we hold still, with time enough for a change."""
        with faults(self._name):
            again = await self._renew(mine, deadline)
        if _is_late(again):
            raise StoreTimeout(self._name, "too slow for its own locks: nothing was done")
        return again

    async def _looked_at(self, key: str, lock: Held, send: Send) -> _Mine:
        (present,) = await send([wire.get(key.encode())])
        return _Mine(key, lock, present)

    def _sender(self, deadline: float) -> Send:
        return lambda commands: self._way.send(self._server, commands, deadline)

    async def _commit(
        self, mine: Sequence[_Mine], decide: Decide[T], deadline: float, *, reads: bool
    ) -> dict[str, T]:
        """Decide, write and let go; return the answers of those that are done."""
        if _is_late(mine):
            mine = await self._in_time(mine, deadline)
            if not mine:
                return {}
        plans = [(one, decide(one.key, one.present)) for one in mine]
        if not self._way.is_wanted():
            plans = [(one, change._replace(keeps=True)) for one, change in plans]
        commands: list[Command[Any]] = []
        for one, change in plans:
            commands += _written(one, change, reads=reads)
            commands += one.lock.release()
        end = min([deadline, *(one.lock.end for one in mine)])
        with faults(self._name, writes=any(not change.keeps for _, change in plans)):
            sent = self._way.send(self._server, commands, end, takes_back=True)
            answers = iter(await sent)
        done: dict[str, T] = {}
        refused = False
        for one, change in plans:
            went = all(next(answers) for _ in _written(one, change, reads=reads))
            for _ in one.lock.records:
                next(answers)
            if went or change.record is None:
                done[one.key] = change.answer
            elif not reads or one.present is not None:
                refused = True
        if refused:
            raise StoreUnavailable(self._name, "it refuses the write: is its disk full?")
        return done


def _is_late(mine: Sequence[_Mine]) -> bool:
    return bool(mine) and monotonic() >= min(one.lock.until for one in mine)


def _written(one: _Mine, change: Change[Any], *, reads: bool) -> list[Command[bool]]:
    """Return the command that makes the change, or none."""
    key = one.key.encode()
    if change.keeps or (change.record is None and one.present is None):
        return []
    if change.record is None:
        return [wire.out(key)]
    if reads and one.present is None:
        return [wire.putkeep(key, change.record)]
    return [wire.put(key, change.record).once()]


def chunks(keys: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """Yield `keys` in parts of at most that many."""
    return (keys[start : start + most] for start in range(0, len(keys), most))
