"""Stamps: the records by which one write invalidates any number of entries.

Law: a stamp is a random value in a record without ttl, and moves by being written anew. An entry
holds the stamps it depends on as they were before its creation started, and is good only while they
are the same. A missing stamp is different from all. `~any` moves *before* the stamps it stands for,
and is read *after* them by whoever learns of a tag late: so one of the two always sees the other.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence

from holdfast.cache.space import ANY
from holdfast.entry import make_stamp
from holdfast.keys import join
from holdfast.store.protocol import AsyncStore

__all__ = ["Stamps"]

_TRIES = 8


@functools.lru_cache(maxsize=1024)
def _key(prefix: str, label: str) -> str:
    kind, _, name = label.partition(":")
    return join(prefix, kind, name)


class Stamps:
    """The stamp records of one cache."""

    def __init__(self, far: AsyncStore, prefix: str) -> None:
        self._far = far
        self._prefix = prefix

    def key(self, label: str) -> str:
        """Return the store key of a label's stamp."""
        return _key(self._prefix, label)

    def keys(self, labels: Iterable[str]) -> list[str]:
        """Return the store keys of the stamps of `labels`."""
        return [self.key(label) for label in labels]

    def among(self, labels: Iterable[str], rows: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the stamps of `labels` that are among the rows of a store."""
        found = {label: rows.get(self.key(label)) for label in labels}
        return {label: stamp for label, stamp in found.items() if stamp is not None}

    async def read(self, labels: Sequence[str]) -> dict[str, bytes]:
        """Return the stamps of `labels` that are there."""
        return self.among(labels, await self._far.get_many(self.keys(labels))) if labels else {}

    async def make(self, labels: Sequence[str], known: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the stamps of all `labels`: the known ones, new ones for those that are missing.

        One that cannot be had is left out, and makes whatever depends on it a miss.
        """
        stamps = {label: known[label] for label in labels if label in known}
        for label in labels:
            tries = _TRIES if label not in stamps else 0
            for _ in range(tries):
                made, key = make_stamp(), self.key(label)
                there = made if await self._far.swap(key, None, made) else await self._far.get(key)
                if there is not None:
                    stamps[label] = there
                    break
        return stamps

    async def move(self, labels: Sequence[str]) -> None:
        """Make a miss of every entry that depends on one of `labels`."""
        await self._far.put(self.key(ANY), make_stamp())
        await self._far.put_many({key: make_stamp() for key in self.keys(labels)})

    async def late(
        self, labels: Sequence[str], before: Mapping[str, bytes]
    ) -> dict[str, bytes] | None:
        """Return the stamps of labels that were learnt after a creation started.

        Returns:
            None if one of them may have moved since `before` was read.
        """
        stamps = await self.make(labels, await self.read(labels))
        any_now = await self._far.get(self.key(ANY))
        if any_now is None or any_now != before.get(ANY):
            return None
        return stamps
