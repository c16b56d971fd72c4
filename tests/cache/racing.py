"""Races of one creation and one invalidation: the ways a cache is used in them, threads and tasks.

Law: the truth is one number, which `create` reads when it starts. It is raised before a cache is
told, in whatever way. What is read after that call has returned is the new number.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from holdfast import Cache, creation

__all__ = ["HOWS", "Racer", "racer"]

HOWS = [
    "delete",
    "delete_many",
    "put",
    "invalidate",
    "refresh",
    "tag",
    "late tag",
    "clear a part",
    "clear",
]
Create = Callable[[], int]


class Racer:
    """A cache in one process, used by threads.

    Args:
        cache: The cache.
    """

    def __init__(self, cache: Cache) -> None:
        self._part = cache.namespace("part")
        self._cache = cache
        self._threads = ThreadPoolExecutor(4)
        self.truth = 0
        self.load = self._loader()

    def create(self, key: str, create: Create, *, late: bool = False) -> "Future[int]":
        """Begin to read `key`; its tag is known before, or `late`."""

        def made() -> int:
            if late:
                creation().tag("mine")
            return create()

        return self._begin(self._part, key, made, [] if late else ["mine"])

    def read(self, key: str) -> int:
        """Return what is there, or create it from the truth."""
        return self.create(key, lambda: self.truth).result(60)

    def change(self, how: str, key: str) -> None:
        """Tell the cache that the truth is another."""
        match how:
            case "put":
                self._do(self._part, "put", key, self.truth)
            case "delete":
                self._do(self._part, "delete", key)
            case "delete_many":
                self._do(self._part, "delete_many", [key, "another"])
            case "tag" | "late tag":
                self._do(self._cache, "invalidate_tags", "mine")
            case "clear a part":
                self._do(self._part, "clear")
            case "clear":
                self._do(self._cache, "clear")
            case _:
                self._renew(how, key)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def _loader(self) -> Any:
        def load(key: str):  # type: ignore[no-untyped-def]  # noqa: ANN202, ARG001 - no form
            return self.truth

        return self._part.cached(key="{key}")(load)

    def _begin(self, part: Cache, key: str, create: Create, tags: list[str]) -> "Future[int]":
        return self._threads.submit(lambda: part.get_or_create(key, create, tags=tags))

    def _do(self, part: Cache, word: str, *arguments: Any) -> None:
        getattr(part, word)(*arguments)

    def _renew(self, how: str, key: str) -> None:
        getattr(self.load, how)(key)


class _Tasks(Racer):
    """A cache in one process, used by tasks of a loop in a thread."""

    def __init__(self, cache: Cache) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        super().__init__(cache)

    def close(self) -> None:
        store = self._cache._engines.store
        if store is not None:
            self._wait(store.aio.close())  # type: ignore[attr-defined]
        self._wait(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()
        super().close()

    def _loader(self) -> Any:
        async def load(key: str):  # type: ignore[no-untyped-def]  # noqa: ANN202, ARG001 - no form
            return self.truth

        return self._part.cached(key="{key}")(load)

    def _begin(self, part: Cache, key: str, create: Create, tags: list[str]) -> "Future[int]":
        async def made() -> int:
            return await asyncio.to_thread(create)

        steps = part.aio.get_or_create(key, made, tags=tags)
        return asyncio.run_coroutine_threadsafe(steps, self._loop)

    def _do(self, part: Cache, word: str, *arguments: Any) -> None:
        self._wait(getattr(part.aio, word)(*arguments))

    def _renew(self, how: str, key: str) -> None:
        self._wait(getattr(self.load, how)(key))

    def _wait(self, steps: Any) -> None:
        asyncio.run_coroutine_threadsafe(steps, self._loop).result(60)


@contextmanager
def racer(cache: Cache, *, tasks: bool) -> Iterator[Racer]:
    """Give a racer over `cache`, and close both."""
    with cache:
        made = _Tasks(cache) if tasks else Racer(cache)
        try:
            yield made
        finally:
            made.close()
