"""FaultyStore: a store that fails as the world does, where and when a test says.

Law: what no fault strikes is done by the store inside, and answered as it answers. Of several
faults that apply to a call the newest strikes, alone. Both faces have the same faults, and so have
the abilities, which are those of the store inside; `close` and a bus have none.

    store = FaultyStore(open_store("memory://"))
    with store.fail("get", "get_many"):
        assert cache.get("k") is None
    store.lose_reply("swap", times=1)
"""

import functools
import random
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Self, TypedDict, TypeVar, Unpack

from holdfast.bridge import LoopWaits, ThreadWaits, Waits, aio_face, drive
from holdfast.errors import ConfigError, StoreTimeout, StoreUnavailable
from holdfast.forks import in_each_child
from holdfast.store.abilities import Change
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.store.wrap.around import Driven, Steps
from holdfast.testing.clock import ManualClock

__all__ = ["Fault", "FaultyStore", "When"]

T = TypeVar("T")
_READS = ("get", "get_many")
_WRITES = ("put", "put_many", "delete", "delete_many", "swap")
_OPERATIONS = (*_READS, *_WRITES, "ping", "apply", "increment", "scan", "sweep")


class When(TypedDict, total=False):
    """Which calls of its operations a fault strikes; all, where nothing is said.

    Attributes:
        keys: A pattern as of a shell, such as `"v:price:*"`; of a call with many keys one must fit.
        after: How many such calls are spared first.
        times: How many are struck at most.
        share: The chance of each to be struck, 0 to 1, drawn from the seed of the store.
    """

    keys: str
    after: int
    times: int
    share: float


class Fault:
    """One thing that goes wrong, until it is mended or its `with` block is left.

    Attributes:
        struck: How many calls it struck until now.
    """

    def __init__(
        self, weather: "_Weather", kind: str, operations: Sequence[str], seconds: float, when: When
    ) -> None:
        self._weather = weather
        self._kind = kind
        self._operations = operations
        self._seconds = seconds
        self._keys = when.get("keys", "*")
        self._spared = when.get("after", 0)
        self._times = when.get("times")
        self._share = when.get("share", 1.0)
        self.struck = 0

    def mend(self) -> None:
        """End it; twice is fine."""
        self._weather.mend(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.mend()

    def fits(self, key: str) -> bool:
        """Return whether it is about `key`."""
        return fnmatchcase(key, self._keys)

    def strikes(self, operation: str, keys: Sequence[str], draw: Callable[[], float]) -> bool:
        """Return whether it strikes this call, and count it."""
        about = any(map(self.fits, keys)) if keys else self._keys == "*"
        if operation not in self._operations or not about or self.struck == self._times:
            return False
        if self._spared:
            self._spared -= 1
            return False
        if self._share < 1 and draw() >= self._share:
            return False
        self.struck += 1
        return True

    async def befall(
        self,
        operation: str,
        work: Callable[[], Awaitable[T]],
        waits: Waits,
        damage: Callable[["Fault", T], T],
    ) -> T:
        """Return what becomes of the call."""
        if self._kind == "fail":
            raise StoreUnavailable(self._weather.store, f"{operation} was told to fail")
        if self._seconds:
            await self._weather.wait(waits, self._seconds)
        if self._kind == "hang":
            raise StoreTimeout(self._weather.store, f"{operation} was told to hang")
        answer = await work()
        if self._kind == "lose_reply":
            raise StoreTimeout(self._weather.store, f"{operation} was told to lose its reply")
        return damage(self, answer) if self._kind == "corrupt" else answer


class _Weather:
    """The faults of one store, for both faces."""

    def __init__(self, store: str, seed: int, clock: ManualClock | None) -> None:
        self.store = store
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - no secret, but the same in each run
        self._faults: tuple[Fault, ...] = ()
        self._renew_guard()
        in_each_child(self._renew_guard)

    def _renew_guard(self) -> None:
        self._guard = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        with self._guard:
            self._faults = (fault, *self._faults)
        return fault

    def mend(self, *faults: Fault) -> None:
        """End `faults`; without any, all."""
        with self._guard:
            self._faults = tuple(one for one in self._faults if faults and one not in faults)

    async def meet(
        self,
        waits: Waits,
        operation: str,
        keys: Sequence[str],
        work: Callable[[], Awaitable[T]],
        damage: Callable[[Fault, T], T] = lambda _fault, answer: answer,
    ) -> T:
        """Return what `work` returns, or what becomes of it; `damage` makes another answer."""
        fault = self._strike(operation, keys) if self._faults else None
        return await (work() if fault is None else fault.befall(operation, work, waits, damage))

    def _strike(self, operation: str, keys: Sequence[str]) -> Fault | None:
        draw = self._random.random
        with self._guard:
            meets = (fault for fault in self._faults if fault.strikes(operation, keys, draw))
            return next(meets, None)

    async def wait(self, waits: Waits, seconds: float) -> None:
        """Let `seconds` go by: of a test's own clock, if it has one."""
        if self._clock is not None:
            self._clock.advance(seconds)
            seconds = 0.0  # others may go on meanwhile
        await waits.sleep(seconds)

    def damaged(self, _fault: Fault, value: bytes | None) -> bytes | None:
        """Return other bytes than `value`."""
        return None if value is None else self._other(value)

    def all_damaged(self, fault: Fault, rows: dict[str, bytes]) -> dict[str, bytes]:
        """Return `rows` with other bytes for the keys `fault` is about."""
        return {
            key: self._other(value) if fault.fits(key) else value for key, value in rows.items()
        }

    def _other(self, value: bytes) -> bytes:
        with self._guard:
            at, how = self._random.randrange(len(value) + 1), self._random.randrange(3)
        if at == len(value) or how == 0:
            return value + b"\xc1"  # which begins nothing in msgpack
        if how == 1:
            return value[:at]
        return value[:at] + bytes([value[at] ^ 0x55]) + value[at + 1 :]


class FaultyStore(Driven):
    """A store whose operations go wrong as a test says.

    Each of its faults takes the names of the operations it is about (none: all of them) and what
    `When` has, and returns a `Fault`.

    Args:
        store: The store inside.
        clock: A test's clock: a call that hangs or is slow moves it and returns at once. Without
            it such a call takes its time.
        seed: Of what is drawn: `share`, and how bytes are corrupted.
    """

    def __init__(
        self, store: OpenStore, *, clock: ManualClock | None = None, seed: int = 0
    ) -> None:
        self._weather = _Weather(store.name, seed, clock)
        super().__init__(store)
        self.never_waits = False

    def fail(self, *operations: str, **when: Unpack[When]) -> Fault:
        """Refuse: nothing is done, `StoreUnavailable` is raised."""
        return self._add("fail", operations, 0.0, when)

    def hang(self, *operations: str, seconds: float = 1.0, **when: Unpack[When]) -> Fault:
        """Give no answer: nothing is done, and `StoreTimeout` is raised after `seconds`."""
        return self._add("hang", operations, seconds, when)

    def lose_reply(self, *operations: str, **when: Unpack[When]) -> Fault:
        """Do it and lose the answer: `StoreTimeout` is raised."""
        return self._add("lose_reply", operations, 0.0, when)

    def delay(self, *operations: str, seconds: float = 0.1, **when: Unpack[When]) -> Fault:
        """Do it `seconds` late."""
        return self._add("delay", operations, seconds, when)

    def corrupt(self, *operations: str, **when: Unpack[When]) -> Fault:
        """Answer with other bytes than there are: of `get` and `get_many`, for the keys that fit.

        Raises:
            ConfigError: Another operation: it answers with no bytes.
        """
        return self._add("corrupt", operations or _READS, 0.0, when, among=_READS)

    def mend(self) -> None:
        """End all faults."""
        self._weather.mend()

    def _add(
        self,
        kind: str,
        operations: Sequence[str],
        seconds: float,
        when: When,
        *,
        among: Sequence[str] = _OPERATIONS,
    ) -> Fault:
        unknown = [name for name in operations if name not in among]
        if unknown:
            raise ConfigError(f"{kind}({unknown[0]!r}): it can be {', '.join(among)}")
        misnamed = when.keys() - When.__annotations__
        if misnamed:
            raise TypeError(f"{kind}() has no option {', '.join(sorted(misnamed))}")
        return self._weather.add(Fault(self._weather, kind, operations or among, seconds, when))

    def _over(self, inside: AsyncStore) -> Steps:
        return _Struck(inside, self._weather, ThreadWaits())

    def _async_face(self) -> AsyncStore:
        return _Struck(aio_face(self.store), self._weather, LoopWaits())

    def _apply(self, key: str, change: Change[T]) -> T:
        apply = super()._apply
        return self._now("apply", [key], lambda: apply(key, change))

    def _increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        increment = super()._increment
        return self._now("increment", [key], lambda: increment(key, by, ttl))

    def _remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        remaining = super()._remaining
        return self._now("remaining", keys, lambda: remaining(keys))

    def _scan(self, prefix: str = "") -> Iterator[str]:
        scan = super()._scan
        yield from self._now("scan", [prefix], lambda: scan(prefix))

    def _sweep(self) -> int:
        return self._now("sweep", (), super()._sweep)

    def _now(self, operation: str, keys: Sequence[str], work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        return drive(self._weather.meet(ThreadWaits(), operation, keys, run))


class _Struck(Steps):
    """The steps of `FaultyStore`."""

    def __init__(self, inside: AsyncStore, weather: _Weather, waits: Waits) -> None:
        super().__init__(inside)
        self._weather = weather
        self._meet = functools.partial(weather.meet, waits)

    async def get(self, key: str) -> bytes | None:
        return await self._meet("get", [key], lambda: self._inside.get(key), self._weather.damaged)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        damaged = self._weather.all_damaged
        return await self._meet("get_many", keys, lambda: self._inside.get_many(keys), damaged)

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._meet("put", [key], lambda: self._inside.put(key, value, ttl))

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        await self._meet("put_many", list(items), lambda: self._inside.put_many(items, ttl))

    async def delete(self, key: str) -> bool:
        return await self._meet("delete", [key], lambda: self._inside.delete(key))

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self._meet("delete_many", keys, lambda: self._inside.delete_many(keys))

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return await self._meet("swap", [key], lambda: self._inside.swap(key, old, new, ttl))

    async def ping(self) -> None:
        await self._meet("ping", (), self._inside.ping)

    async def _increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        increment = super()._increment
        return await self._meet("increment", [key], lambda: increment(key, by, ttl))
