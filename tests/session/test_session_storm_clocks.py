"""Hosts whose clocks differ share a store: who is out too early or stays too long, and by what."""

from collections.abc import Callable
from typing import Any

import pytest

from holdfast import Sessions
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock

MINUTE = 60.0
Hosts = Callable[..., tuple[Sessions, Sessions]]


class Fleet:
    """Two hosts over one store, whose clock is right; the second is ahead by `skew` seconds."""

    def __init__(self, skew: float, **options: Any) -> None:
        self.right = ManualClock()
        self.store = MemoryStore("shared", clock=self.right)
        self.here = Sessions(self.store, clock=self.right, **options)
        self.there = Sessions(self.store, clock=lambda: self.right() + skew, **options)

    def wait(self, minutes: float) -> None:
        self.right.advance(minutes * MINUTE)


def signed_in(host: Sessions, user: str = "ann") -> str:
    session = host.load(None)
    session.login(user)
    return host.commit(session).token or ""


def uses(host: Sessions, token: str) -> bool:
    """Return whether the token is good there; if it is, that was a use."""
    session = host.load(token)
    alive = session.user == "ann"
    host.commit(session)
    return alive


@pytest.mark.parametrize("skew", [-5 * MINUTE, 5 * MINUTE])
def test_who_is_idle_is_out_early_or_late_by_no_more_than_the_difference(skew: float) -> None:
    for first_here in (False, True):
        fleet = Fleet(skew, idle_timeout="30m")
        hosts = (fleet.here, fleet.there) if first_here else (fleet.there, fleet.here)
        token = signed_in(hosts[0])
        for _ in range(10):  # an hour or two of use, now here, now there
            fleet.wait(24)
            assert uses(hosts[0], token)
            fleet.wait(24)
            assert uses(hosts[1], token)
        fleet.wait(30 + 1 + 5 + 0.1)
        assert not uses(hosts[0], token)
        assert not uses(hosts[1], token)


@pytest.mark.parametrize("skew", [-5 * MINUTE, 5 * MINUTE])
def test_a_lifetime_ends_within_the_difference(skew: float) -> None:
    for host in ("here", "there"):
        fleet = Fleet(skew, lifetime="2h", idle_timeout="2h")
        token = signed_in(getattr(fleet, host))
        for _ in range(11):
            fleet.wait(10)
            assert uses(fleet.here, token)
            assert uses(fleet.there, token)
        fleet.wait(15.1)
        assert not uses(fleet.here, token)
        assert not uses(fleet.there, token)


@pytest.mark.parametrize("skew", [-3600.0, -5 * MINUTE, 5 * MINUTE, 3600.0])
def test_an_old_token_reads_no_longer_than_its_note_stands(skew: float) -> None:
    for turning in ("here", "there"):
        fleet = Fleet(skew, rotate_every="1h", idle_timeout="5h", lifetime="12h")
        old = signed_in(fleet.here)
        fleet.wait(61)
        host = getattr(fleet, turning)
        session = host.load(old)
        assert session.user == "ann"
        token = host.commit(session).token or old
        fleet.wait(1.01)
        other = [one for one in (fleet.here, fleet.there) if one is not host]
        alive = {one.load(old).user for one in (host, *other)}
        assert token == old or alive == {None}
        assert host.load(token).user == "ann"


def test_nobody_is_alive_and_unlisted_because_a_clock_is_ahead() -> None:
    fleet = Fleet(30, lifetime="2h", idle_timeout="2h")
    token, second = signed_in(fleet.here), signed_in(fleet.here)
    fleet.there.destroy(fleet.here.load(second).id)
    session = fleet.there.load(token)
    session.rotate()
    token = fleet.there.commit(session).token or ""
    fleet.wait(2)
    assert uses(fleet.here, token)  # which tells the store to keep it to its end
    fleet.wait(2 * 60 - 2 - 0.2)
    assert uses(fleet.here, token)
    assert [info.id for info in fleet.here.of("ann")] == [fleet.here.load(token).id]
    assert fleet.here.revoke("ann") == 1
    assert not uses(fleet.here, token)
