"""ReadOnly: a store nobody may write through this object.

Law: reads and scans pass; whatever could write is refused before it leaves, `swap` always.
"""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from holdfast.errors import StoreUnavailable
from holdfast.keys import check
from holdfast.store.protocol import AsyncStore
from holdfast.store.wrap.around import Driven, Steps

__all__ = ["ReadOnly"]


class ReadOnly(Driven):
    """A store that refuses to write: for maintenance, for a copy, for tools that only look.

    A write raises `StoreUnavailable`, so that features treat it as a store that cannot be written
    now: a cache goes on without it, a session answers as its `on_store_error` says. `swap`,
    `increment`, `apply` and `sweep` are writes, whatever they would do.

    Args:
        store: The store inside.
    """

    def _over(self, inside: AsyncStore) -> Steps:
        return _Reads(inside, self.name)

    def _apply(self, key: str, *_: object, **__: object) -> NoReturn:
        _refuse(self.name, "apply", key)

    def _increment(self, key: str, *_: object, **__: object) -> NoReturn:
        _refuse(self.name, "increment", key)

    def _sweep(self) -> NoReturn:
        _refuse(self.name, "sweep")


class _Reads(Steps):
    """The steps of `ReadOnly`."""

    def __init__(self, inside: AsyncStore, name: str) -> None:
        super().__init__(inside)
        self._name = name

    async def put(self, key: str, *_: object, **__: object) -> NoReturn:
        _refuse(self._name, "put", key)

    async def put_many(self, items: Mapping[str, bytes], *_: object, **__: object) -> NoReturn:
        _refuse(self._name, "put_many", *items)

    async def delete(self, key: str) -> NoReturn:
        _refuse(self._name, "delete", key)

    async def delete_many(self, keys: Sequence[str]) -> NoReturn:
        _refuse(self._name, "delete_many", *keys)

    async def swap(self, key: str, *_: object, **__: object) -> NoReturn:
        _refuse(self._name, "swap", key)

    async def _increment(self, key: str, *_: object, **__: object) -> NoReturn:
        _refuse(self._name, "increment", key)


def _refuse(store: str, operation: str, *keys: str) -> NoReturn:
    for key in keys:
        check(key)
    raise StoreUnavailable(store, f"{operation} was refused: it is read-only here")
