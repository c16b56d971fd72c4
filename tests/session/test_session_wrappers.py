"""Users of sessions through every wrapper: what the store inside can and cannot reaches them."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from counting import CountingStore
from faces import Faces

from holdfast import ConfigError, Sessions, StoreUnavailable
from holdfast.store.protocol import OpenStore
from holdfast.store.wrap import Metered, Prefixed, ReadOnly, Retrying, Sealed
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore

SECRET = secrets.token_urlsafe(32)
WRAPPERS: dict[str, Callable[[OpenStore], OpenStore]] = {
    "Prefixed": lambda store: Prefixed(store, "shop"),
    "Metered": Metered,
    "Retrying": Retrying,
    "Sealed": lambda store: Sealed(store, [SECRET]),
    "FaultyStore": FaultyStore,
    "all of them": lambda store: Prefixed(Metered(Retrying(Sealed(store, [SECRET]))), "shop"),
}


class Forgetful(CountingStore):
    """Says of itself that it may forget."""

    may_evict = True


@pytest.mark.parametrize("loop", [False, True], ids=["thread", "loop"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_users_are_counted_listed_and_ended_through_a_wrapper(
    store: CountingStore, clock: ManualClock, wrapper: str, *, loop: bool
) -> None:
    faces = Faces(Sessions(WRAPPERS[wrapper](store), clock=clock, max_sessions=2), loop=loop)
    tokens = []
    for _ in range(3):
        clock.advance(1)
        tokens.append(faces.signed_in("ann"))
    assert faces.alive(*tokens) == [False, True, True]
    assert [one.user for one in faces.of("ann")] == ["ann", "ann"]
    faces.locked(faces.load(tokens[2]), lambda: None)
    dumped = faces.dump()
    assert faces.revoke("ann", keep=faces.load(tokens[2])) == 1
    assert faces.alive(*tokens) == [False, False, True]
    assert faces.restore(dumped) >= 1


@pytest.mark.parametrize("wrapper", [*WRAPPERS, "ReadOnly"])
def test_no_wrapper_hides_that_a_store_may_forget(clock: ManualClock, wrapper: str) -> None:
    wrapped = {**WRAPPERS, "ReadOnly": ReadOnly}[wrapper](Forgetful(clock))
    sessions = Sessions(wrapped, clock=clock)
    calls: list[Callable[[], object]] = [
        lambda: sessions.load(None).login("ann"),
        lambda: sessions.revoke("ann"),
        lambda: asyncio.run(sessions.aio.revoke("ann")),
        lambda: Sessions(wrapped, max_sessions=1),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match="accept_eviction=True"):
            call()
    with pytest.raises(ConfigError, match="may forget"):
        Sessions.in_cookie(SECRET, revocations=wrapped)


def test_a_store_that_is_read_only_says_so_where_it_is_written(
    store: CountingStore, clock: ManualClock
) -> None:
    token = Faces(Sessions(store, clock=clock), loop=False).signed_in("ann")
    sessions = Sessions(ReadOnly(store), clock=clock)
    session: Any = sessions.load(token)
    assert session.user == "ann"
    assert [one.id for one in sessions.of("ann")] == [session.id]
    calls: list[Callable[[], object]] = [
        lambda: sessions.revoke("ann"),
        lambda: asyncio.run(sessions.aio.revoke("ann")),
        lambda: sessions.destroy(session.id),
        lambda: session.lock().__enter__(),
        lambda: session.update(a=1) or sessions.commit(session),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match="read-only"):
            call()
    clock.advance(300)  # the time is due to be noted: nobody fails for that
    session = sessions.load(token)
    assert session.user == "ann"
    assert sessions.commit(session).token is None
