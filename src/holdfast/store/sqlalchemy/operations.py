"""Operations: what the store contract says, in statements.

Law: one body serves both faces; in an event loop it runs in a greenlet, as SQLAlchemy does it, so
nothing here may block but the statements themselves. Whatever decides stands in one statement.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from holdfast.clock import Clock, monotonic
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.keys import check
from holdfast.store.protocol import as_bytes
from holdfast.store.sqlalchemy.links import Done, Duplicate, Links
from holdfast.store.sqlalchemy.statements import CHUNK, SWEEP, Statement, Statements

__all__ = ["Operations", "chunks"]

_PAST_TILDE = "\x7f"  # sorts after every character a key may have
_FIRST = "!"  # sorts before every other character a key may have


def chunks(keys: Sequence[str]) -> list[Sequence[str]]:
    """Return `keys` in parts that fit one statement, when all of them are checked."""
    for key in keys:
        check(key)
    return [keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK)]


class Operations:
    """The operations of one store on one engine or connection.

    Args:
        links: Runs the statements.
        statements: In the dialect of `links`.
        clock: UTC seconds, for databases whose clock is not known.
    """

    def __init__(self, links: Links, statements: Statements, clock: Clock) -> None:
        self.links = links
        self._say = statements
        self._clock = clock
        self._key: Callable[[str], Any] = str.encode if statements.binary_keys else _same

    def get(self, key: str) -> bytes | None:
        rows = self._run(self._say.get, {"k": self._key(check(key))}).rows
        return _plain(rows[0][0]) if rows else None

    def get_chunk(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values of a chunk of keys that are there."""
        rows = self._run(*self._say.many("get", [self._key(key) for key in keys])).rows
        return {_text(key): _plain(value) for key, value in rows}

    def left_chunk(self, keys: Sequence[str]) -> dict[str, float | None]:
        """Return how many seconds a chunk of keys have left, those that are there."""
        rows = self._run(*self._say.many("left", [self._key(key) for key in keys])).rows
        return {_text(key): None if left is None else float(left) for key, left in rows}

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        check(key)
        if ttl is not None and ttl <= 0:
            self._run(self._say.delete, {"k": self._key(key)})
            return
        values = {"k": self._key(key), "v": as_bytes(value), "ttl": ttl}
        if self._say.upserts:
            self._run(self._say.put, values)
            return
        until = self._until()
        while not self._run(self._say.update, values, until=until).changed:
            try:
                self._run(self._say.insert, values, until=until)
            except Duplicate:
                self._go_on(until)
            else:
                return

    def put_chunk(self, rows: Sequence[tuple[str, bytes]], ttl: float | None) -> None:
        """Put a chunk of rows; in the order of their keys, so that two writers do not cross."""
        if not self._say.upserts:
            for key, value in rows:
                self.put(key, value, ttl)
            return
        values = [
            {"k": self._key(key), "v": as_bytes(value), "ttl": ttl} for key, value in sorted(rows)
        ]
        self._run(self._say.put, values)

    def delete(self, key: str) -> bool:
        return self._run(self._say.delete, {"k": self._key(check(key))}, once=True).changed > 0

    def delete_chunk(self, keys: Sequence[str]) -> int:
        """Remove a chunk of keys; return how many were there."""
        ordered = sorted({self._key(key) for key in keys})
        return self._run(*self._say.many("delete", ordered), once=True).changed

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        values: dict[str, Any] = {"k": self._key(check(key))}
        removes = new is None or (ttl is not None and ttl <= 0)
        if old is None and removes:
            return not self._run(self._say.get, values).rows
        if old is not None:
            values["old"] = as_bytes(old)
        if new is None or removes:
            return self._run(self._say.take, values, once=True).changed > 0
        values |= {"v": as_bytes(new), "ttl": ttl}
        if old is None:
            return self._add(values, self._until())
        return self._run(self._say.swap, values, once=True).changed > 0

    def _add(self, values: dict[str, Any], until: float) -> bool:
        """Write a row where there is none, or an expired one."""
        if self._say.adds:
            return self._run(self._say.add, values, until=until, once=True).changed > 0
        look = self._say.lock if self.links.joined else self._say.get
        while True:
            try:
                self._run(self._say.insert, values, until=until, once=True)
            except Duplicate:
                if self._run(look, {"k": values["k"]}, until=until).rows:
                    return False
            else:
                return True
            if self._run(self._say.replace_dead, values, until=until, once=True).changed:
                return True
            self._go_on(until)  # the expired row was swept between: now there is none

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`: by swaps of the value alone, until nobody came between."""
        k = self._key(check(key))
        look = self._say.lock if self.links.joined else self._say.get
        until = self._until()
        while True:
            rows = self._run(look, {"k": k}, until=until).rows
            old = _plain(rows[0][0]) if rows else b"0"
            try:
                total = int(old) + by
            except ValueError as error:
                raise StoreUnavailable(self.links.name, f"{key!r} holds no integer") from error
            values = {"k": k, "old": old, "v": b"%d" % total, "ttl": ttl}
            if rows:
                done = self._run(self._say.swap_value, values, until=until, once=True).changed > 0
            else:
                done = (ttl is not None and ttl <= 0) or self._add(values, until)
            if done:
                return total
            self._go_on(until)

    def page(self, low: str, prefix: str) -> list[str]:
        """Return the next live keys from `low` on that begin with `prefix`."""
        values = {"low": self._key(low), "high": self._key(prefix + _PAST_TILDE)}
        return [_text(key) for (key,) in self._run(self._say.page, values).rows]

    def scan(self, prefix: str) -> Iterator[str]:
        """See `CanScan`."""
        low = prefix
        while True:
            keys = self.page(low, prefix)
            yield from keys
            if len(keys) < CHUNK:
                return
            low = keys[-1] + _FIRST  # the next key there can be

    def sweep_batch(self) -> tuple[int, int]:
        """Remove some expired rows; return how many, and how many were looked at."""
        keys = sorted(key for (key,) in self._run(self._say.dead, {}).rows)
        if not keys:
            return 0, 0
        return self._run(*self._say.many("bury", keys)).changed, len(keys)

    def sweep(self) -> int:
        """See `CanSweep`."""
        removed, looked_at = 0, SWEEP
        while looked_at == SWEEP:
            gone, looked_at = self.sweep_batch()
            removed += gone
        return removed

    def ping(self) -> None:
        self._run(self._say.ping, {})

    def _run(
        self,
        statement: Statement,
        values: dict[str, Any] | list[dict[str, Any]],
        *,
        until: float | None = None,
        once: bool = False,
    ) -> Done:
        if self._say.own_clock:
            now = self._clock()
            for row in values if isinstance(values, list) else [values]:
                row["now"] = now
        return self.links.run(statement, values, until or self._until(), once=once)

    def _until(self) -> float:
        return monotonic() + self.links.timeout

    def _go_on(self, until: float) -> None:
        """Return if there is time to try again."""
        if monotonic() >= until:
            raise StoreTimeout(self.links.name, "others were quicker each time; nothing was done")


def _plain(value: Any) -> bytes:
    return value if type(value) is bytes else bytes(value)


def _text(key: str | bytes) -> str:
    return key if isinstance(key, str) else key.decode()


def _same(key: str) -> str:
    return key
