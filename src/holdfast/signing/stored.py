"""A ring in a store: sealed, shared by all programs on it, rotated by who sees that it is due.

Law: no key signs before the store has it. Every change is one `swap` of what was read, decided anew
when another was first; a ring that is gone is put back from what is known. After the first use
nobody waits for the store but for `_PATIENCE`, and that only where an unknown key id came.
"""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol, Self

from holdfast.clock import Clock, monotonic
from holdfast.codec.seal import Seal
from holdfast.durations import Duration, seconds
from holdfast.errors import CodecError, ConfigError, StoreError, StoreUnavailable
from holdfast.forks import in_each_child
from holdfast.signing.lines import Lines, dump, kept_up, parse
from holdfast.signing.ring import KeyRing, Keys

__all__ = ["InStore", "Plan", "Rows"]

_KEY = "holdfast:keys"
_PURPOSE = "key ring"
_LOOK_EVERY = 60.0  # how long another process may go on with a key that was revoked
_LOOK_SOON = 10.0  # the same, where unknown ids come: whoever makes them up costs no more than that
_PATIENCE = 0.1  # seconds; short, for it may stop an event loop
_TRY_AGAIN = 1.0  # seconds until a store is asked again that failed at the first use
_NOTICE = 3600.0  # sixty looks
_DAY = 86400.0
_ROUNDS = 1000  # each lost one is another writer's success: only a broken store gets there


class Rows(Protocol):
    """What a ring needs of a store; every store of `open_store` has it."""

    @property
    def name(self) -> str:
        """What the store is called in errors."""

    def get(self, key: str) -> bytes | None:
        """See `holdfast.store.protocol.Store`."""

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        """See `holdfast.store.protocol.Store`."""


class Plan(NamedTuple):
    """How long a key signs, and how long it verifies afterwards: seconds, None: for ever."""

    rotate_every: float | None
    keep: float | None

    @classmethod
    def of(cls, rotate_every: Duration | None, keep: Duration | None) -> Self:
        """Return the plan of two options.

        Raises:
            ConfigError: One is no duration, or `rotate_every` is less than a day.
        """
        every = None if rotate_every is None else seconds(rotate_every, option="rotate_every")
        if every is not None and every < _DAY:
            raise ConfigError(f"rotate_every={rotate_every!r}: give at least a day, or None")
        return cls(every, None if keep is None else seconds(keep, option="keep"))

    def keep_up(self, lines: Lines, now: float) -> Lines:
        """Return `lines` with the next key where it is due."""
        return kept_up(lines, now, rotate_every=self.rotate_every, notice=_NOTICE, keep=self.keep)


class _Look:
    """One look at the store, under way in a thread of its own."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._until = monotonic() + _PATIENCE

    def run(self, look: Callable[[], None]) -> None:
        try:
            look()
        finally:
            self._over.set()

    def wait(self) -> None:
        """Wait for its end, as long as anybody may: what is hung stops each caller but once."""
        self._over.wait(max(0.0, self._until - monotonic()))


class InStore:
    """Keys in a store.

    Args:
        rows: The store.
        protect: Seals the ring.
        plan: When keys come and go.
        clock: UTC seconds.
    """

    def __init__(self, rows: Rows, protect: KeyRing, plan: Plan, clock: Clock) -> None:
        if not hasattr(rows, "swap"):
            raise ConfigError("a ring is kept in an open store: KeyRing.in_store(open_store(...))")
        self._rows = rows
        self._seal = Seal(protect, _PURPOSE)
        self._plan = plan
        self._clock = clock
        self._lines: Lines = ()
        self._keys: Keys | None = None
        self._failed: StoreError | None = None
        self._looked = 0.0
        self._renew()
        in_each_child(self._renew)

    def _renew(self) -> None:
        self._changing = threading.Lock()
        self._look: _Look | None = None

    def known(self, *, missing: bool = False) -> Keys:
        """See `Source`."""
        keys = self._keys
        if keys is None:
            return self._first()
        if abs(self._clock() - self._looked) >= (_LOOK_SOON if missing else _LOOK_EVERY):
            self._start()
        if missing and self._look is not None:
            self._look.wait()
        return self._keys or keys

    def change(self, decide: Callable[[Lines], Lines]) -> None:
        """See `Source`."""
        with self._changing:
            self._change(decide)

    def _first(self) -> Keys:
        """Read the ring, or make it; who comes in the meantime waits.

        Raises:
            ConfigError: It was sealed by other secrets.
            StoreError: The store failed, now or a moment ago.
        """
        with self._changing:
            if self._keys is not None:
                return self._keys
            if self._failed is not None and abs(self._clock() - self._looked) < _TRY_AGAIN:
                raise StoreUnavailable(self._rows.name, "the key ring is unknown") from self._failed
            self._looked = self._clock()
            try:
                return self._change(self._keep_up)
            except StoreError as error:
                self._failed = error
                raise

    def _start(self) -> None:
        """Begin to look at the store, in a thread of its own."""
        self._looked = self._clock()
        look = self._look = _Look()
        thread = threading.Thread(
            target=look.run, args=(self._refresh,), name="holdfast-keys", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the program ends
            self._look = None

    def _refresh(self) -> None:
        try:
            self.change(self._keep_up)
        except Exception as error:  # noqa: BLE001 - whatever it is, there are keys to go on with
            logging.getLogger("holdfast").warning("the known keys still serve: %s", error)

    def _keep_up(self, lines: Lines) -> Lines:
        return self._plan.keep_up(lines, self._clock())

    def _change(self, decide: Callable[[Lines], Lines]) -> Keys:
        """Write what `decide` makes of what is stored, until nobody else was first."""
        for _ in range(_ROUNDS):
            sealed = self._rows.get(_KEY)
            before = self._lines if sealed is None else self._opened(sealed)
            after = decide(before)
            keys = Keys(line.key() for line in after)
            if after is before and sealed is not None and self._seal.ring.is_newest(sealed):
                break
            if self._rows.swap(_KEY, sealed, self._seal.seal(dump(after), _KEY)):
                break
        else:
            raise StoreUnavailable(self._rows.name, "the key ring changes without end")
        self._lines, self._keys = after, keys
        return keys

    def _opened(self, sealed: bytes) -> Lines:
        try:
            return parse(self._seal.unseal(sealed, _KEY))
        except CodecError:
            raise ConfigError(
                f"{self._rows.name}: the key ring there was sealed by other secrets; give those to"
                " protect= as well, after the new one"
            ) from None

    def __repr__(self) -> str:
        return f"in {self._rows.name}"
