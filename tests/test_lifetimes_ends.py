"""Lifetimes that end while they begin, or are over before they have ended."""

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import AsyncGenerator
from typing import Any

from holdfast.lifetimes import PerLoop


class Thing:
    """Remembers what became of it; takes its time to close."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def aclose(self) -> None:
        self.told.append("closing")
        await asyncio.sleep(10)

    def drop(self) -> None:
        self.told.append("dropped")


def per_loop(thing: Thing) -> PerLoop[Thing]:
    return PerLoop("redis://shown", lambda: thing, Thing.aclose, Thing.drop)


def test_what_was_closing_when_its_loop_was_closed_is_let_go() -> None:
    thing, loop = Thing(), asyncio.new_event_loop()
    things = per_loop(thing)

    async def use() -> None:
        things.here()
        things.close_outside()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    loop.run_until_complete(use())
    loop.close()
    assert thing.told == ["closing"]
    per_loop(Thing()).close_outside()  # whoever comes next sees to it
    assert thing.told == ["closing", "dropped"]
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None, "a closed loop is kept for ever"


def test_closed_from_a_thread_while_it_is_made() -> None:
    thing = Thing()
    things = per_loop(thing)
    closer = threading.Thread(target=things.close_outside)

    async def use() -> None:
        loop_s, _ = sys.get_asyncgen_hooks()

        def close_now(end: AsyncGenerator[Any, Any]) -> None:
            if loop_s is not None:
                loop_s(end)
            closer.start()
            closer.join(0.2)

        sys.set_asyncgen_hooks(firstiter=close_now)
        assert things.here() is thing
        sys.set_asyncgen_hooks(firstiter=loop_s)
        await asyncio.to_thread(closer.join, 10)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(use())
    assert thing.told == ["closing", "dropped"]
