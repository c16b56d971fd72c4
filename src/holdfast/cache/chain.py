"""Chains: which creations a call runs inside of, and whether it may wait for another one.

Law: nobody waits for ever. A call never waits for a creation that waits, over however many others,
for a creation this very call runs inside of; nor does it block the thread that flies it. Such a
call creates by itself.
"""

import contextlib
import os
import threading
from contextvars import ContextVar, Token

from holdfast.locks import Flight

__all__ = ["begin_waiting", "end_waiting", "inside"]

_flown: ContextVar[frozenset[Flight]] = ContextVar("holdfast_flown", default=frozenset())
_guard = threading.Lock()
_awaited: dict[Flight | int, list[Flight]] = {}  # a creation, or a blocked thread; and for what


def _forget() -> None:
    global _guard  # noqa: PLW0603 - a fork may have copied one that a lost thread holds
    _guard = threading.Lock()
    _awaited.clear()


os.register_at_fork(after_in_child=_forget)


class inside:  # noqa: N801 - read as a word: `with inside(flight)`
    """Make `flight` one of those that whatever runs inside the block runs inside of."""

    __slots__ = ("_flight", "_flown")

    def __init__(self, flight: Flight | None) -> None:
        self._flight = flight
        self._flown: Token[frozenset[Flight]] | None = None

    def __enter__(self) -> None:
        flight = self._flight
        if flight is not None:
            flight.thread = threading.get_ident()
            self._flown = _flown.set(_flown.get() | {flight})

    def __exit__(self, *_: object) -> None:
        if self._flown is not None:
            with contextlib.suppress(ValueError):  # collected as garbage, in another context
                _flown.reset(self._flown)


def begin_waiting(flight: Flight, *, blocks: bool) -> bool:
    """Return whether the caller may wait for `flight`; then `end_waiting` must follow.

    Args:
        flight: What another one flies.
        blocks: Whether waiting blocks the thread.
    """
    mine = _held_up(blocks=blocks)
    if not mine:
        return True
    with _guard:
        if _leads_to(flight, mine):
            return False
        for above in mine:
            _awaited.setdefault(above, []).append(flight)
    return True


def end_waiting(flight: Flight, *, blocks: bool) -> None:
    """End what `begin_waiting` began."""
    mine = _held_up(blocks=blocks)
    if not mine:
        return
    with _guard:
        for above in mine:
            awaited = _awaited.get(above)
            if awaited is not None and flight in awaited:
                awaited.remove(flight)
                if not awaited:
                    del _awaited[above]


def _held_up(*, blocks: bool) -> frozenset[Flight | int]:
    """Return what cannot go on while the caller waits: creations, and his thread."""
    mine: frozenset[Flight | int] = _flown.get()
    return mine | {threading.get_ident()} if blocks else mine


def _leads_to(flight: Flight, mine: frozenset[Flight | int]) -> bool:
    seen: set[Flight] = set()
    ahead = [flight]
    while ahead:
        here = ahead.pop()
        if here in mine or here.thread in mine:
            return True
        if here not in seen:
            seen.add(here)
            ahead += [*_awaited.get(here, ()), *_awaited.get(here.thread, ())]
    return False
