"""From one of Holdfast's stores to another: keys, bytes, and the rest of their time.

Law: nothing the target has is written over unless that was asked for, and each write is a swap
against what was seen. So a copy that ended in the middle goes on by being begun again.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from holdfast.compat.migrate.report import Outcome, Report, Told
from holdfast.errors import ConfigError, KeyRejected, StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanScan, CanTellTtl
from holdfast.store.protocol import OpenStore

__all__ = ["batches", "copy", "listed"]

T = TypeVar("T")
_BATCH = 500  # values that are read together

_DIFFERS = "the target holds something else under this key"
_NO_KEY = "the target cannot carry this key"
_UNREADABLE = "the source cannot read it"
_REFUSED = "the target refuses it"


def batches(each: Iterable[T]) -> Iterator[list[T]]:
    """Yield `each` in parts that are worked on together."""
    rest = iter(each)
    while some := list(islice(rest, _BATCH)):
        yield some


def listed(source: OpenStore) -> Iterator[str]:
    """Return the keys of a store.

    Raises:
        ConfigError: It cannot list them, or not tell how long they have left.
    """
    if not isinstance(source, CanScan) or not isinstance(source, CanTellTtl):
        raise ConfigError(
            f"{source.name} cannot list its keys, or how long they have left: it can be a target,"
            " and what is in it is made anew"
        )
    return source.scan()


class _Copy:
    """One copy.

    Args:
        source: Where from.
        target: Where to.
        report: Counts.
        replace: Write over what the target holds.
        dry: Write nothing.
    """

    def __init__(
        self, source: OpenStore, target: OpenStore, report: Report, *, replace: bool, dry: bool
    ) -> None:
        self._source, self._target, self._report = source, target, report
        self._replace, self._dry = replace, dry

    def batch(self, keys: Sequence[str]) -> None:
        """Copy some keys."""
        values = self._values(keys)
        left = self._left(list(values))
        there = self._there(list(values))
        for key in keys:
            if key not in values:
                continue
            if key not in left:
                self._report.add(Outcome.OVER)
            elif key in there:
                self._one(key, values[key], left[key], there[key])

    def _values(self, keys: Sequence[str]) -> dict[str, bytes]:
        try:
            found = self._source.get_many(keys)
        except StoreUnavailable:
            self._source.ping()  # else it is one row that is damaged
            found = {}
            for key in keys:
                try:
                    value = self._source.get(key)
                except StoreUnavailable:
                    self._report.leave(key, _UNREADABLE)
                    continue
                if value is None:
                    self._report.add(Outcome.OVER)
                else:
                    found[key] = value
            return found
        for _ in range(len(keys) - len(found)):
            self._report.add(Outcome.OVER)
        return found

    def _left(self, keys: list[str]) -> dict[str, float | None]:
        return self._source.remaining(keys) if isinstance(self._source, CanTellTtl) else {}

    def _there(self, keys: list[str]) -> dict[str, bytes | None]:
        """Return what the target holds under each of `keys` it can carry."""
        try:
            return dict.fromkeys(keys) | self._target.get_many(keys)
        except KeyRejected:
            found: dict[str, bytes | None] = {}
            for key in keys:
                try:
                    found[key] = self._target.get(key)
                except KeyRejected as error:
                    self._report.leave(key, _NO_KEY, _short(error, key))
            return found

    def _one(self, key: str, value: bytes, ttl: float | None, there: bytes | None) -> None:
        report = self._report
        if there == value:
            report.add(Outcome.THERE)
        elif there is not None and not self._replace:
            report.leave(key, _DIFFERS)
        elif self._dry or self._swap(key, there, value, ttl):
            report.add(Outcome.WRITTEN)

    def _swap(self, key: str, there: bytes | None, value: bytes, ttl: float | None) -> bool:
        """Write; where that did not succeed, count why."""
        report = self._report
        try:
            if self._target.swap(key, there, value, ttl):
                return True
        except StoreTimeout:
            raise
        except StoreUnavailable as error:
            with suppress(StoreUnavailable):
                self._target.ping()
                report.leave(key, _REFUSED, _short(error, key))
                return False
            raise
        if self._target.get(key) == value:
            report.add(Outcome.THERE)
        else:
            report.leave(key, _DIFFERS)
        return False


def _short(error: Exception, key: str) -> str:
    """Return what an error says but for the key, so that equal reasons are counted as one."""
    return str(error).replace(repr(key), "it").replace(key, "it")


def copy(
    source: OpenStore,
    target: OpenStore,
    report: Report,
    told: Told,
    *,
    replace: bool = False,
    dry: bool = False,
) -> None:
    """Copy all of `source` to `target`.

    Args:
        source: A store that lists its keys and tells their time.
        target: Any store.
        report: Counts what becomes of each key.
        told: Told after each batch.
        replace: Write over what the target holds under a key.
        dry: Look, and write nothing.

    Raises:
        ConfigError: The source cannot be listed.
        StoreError: One of the two gave no answer; begun again, it goes on.
    """
    work = _Copy(source, target, report, replace=replace, dry=dry)
    for keys in batches(listed(source)):
        work.batch(keys)
        told(report)
