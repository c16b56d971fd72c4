"""A ring in a store: sealed, shared, rotated once however many see that it is due."""

import asyncio
import logging
import os
import secrets
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast import Sessions, open_store
from holdfast.codec.seal import Seal
from holdfast.errors import CodecError, ConfigError, StoreTimeout, StoreUnavailable
from holdfast.signing import Key, KeyRing, stored
from holdfast.signing.stored import InStore
from holdfast.store.protocol import OpenStore
from holdfast.testing.clock import ManualClock

SECRET, OTHER = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
PLACE = "holdfast:keys"
DAY = 86400.0


class Rows:
    """A store that does something else before an operation, counts, and can be down."""

    name = "rows"

    def __init__(self, inside: OpenStore) -> None:
        self.inside = inside
        self.before: dict[str, list[Callable[[], object]]] = {"get": [], "swap": []}
        self.calls: list[str] = []
        self.down = False

    def get(self, key: str) -> bytes | None:
        self._meet("get")
        return self.inside.get(key)

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        assert ttl is None, "a ring never expires"
        self._meet("swap")
        return self.inside.swap(key, old, new, ttl)

    def _meet(self, operation: str) -> None:
        self.calls.append(operation)
        if self.before[operation]:
            self.before[operation].pop(0)()
        if self.down:
            raise StoreUnavailable(self.name, "it is down")


@pytest.fixture
def rows() -> Rows:
    return Rows(open_store("memory://"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def host(rows: Rows, clock: ManualClock) -> Callable[[], KeyRing]:
    return lambda: KeyRing.in_store(rows, protect=SECRET, clock=clock)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine be slow, but where a store hangs."""
    monkeypatch.setattr(stored, "_PATIENCE", 30.0)


def looked(ring: KeyRing) -> KeyRing:
    """Return `ring` when a look at the store that is under way has ended."""
    ring.newest  # noqa: B018 - begins one that is due
    source = ring._source
    assert isinstance(source, InStore)
    if source._look is not None:
        assert source._look._over.wait(30)
    return ring


Host = Callable[[], KeyRing]


def test_nothing_is_done_before_the_first_use(rows: Rows, host: Host) -> None:
    ring = KeyRing(host())
    assert rows.calls == []
    assert ring.verify(ring.sign(b"x", "csrf"), "csrf") == b"x"
    assert rows.calls == ["get", "swap"]


def test_all_hosts_have_one_ring(rows: Rows, host: Host) -> None:
    ours, theirs = host(), host()
    assert theirs.verify(ours.sign(b"x", "csrf"), "csrf") == b"x"
    assert [key.id for key in ours.keys] == [key.id for key in theirs.keys]
    assert rows.calls == ["get", "swap", "get"]


def test_two_hosts_that_make_the_ring_at_once_make_one(rows: Rows, host: Host) -> None:
    ours, theirs = host(), host()
    rows.before["swap"].append(lambda: theirs.newest)
    assert ours.newest.id == theirs.newest.id
    assert len(host().keys) == 1


def test_no_key_signs_that_may_not_be_stored(rows: Rows, host: Host, clock: ManualClock) -> None:
    def lose_the_answer() -> None:
        rows.inside.swap(PLACE, None, Seal(KeyRing(SECRET), "key ring").seal(b"", PLACE))
        rows.inside.delete(PLACE)
        raise StoreTimeout("rows")

    rows.before["swap"].append(lose_the_answer)
    ring = host()
    with pytest.raises(StoreTimeout):
        ring.sign(b"x", "csrf")
    with pytest.raises(StoreUnavailable, match="unknown"):  # it is not asked again at once
        ring.sign(b"x", "csrf")
    assert rows.calls == ["get", "swap"]
    clock.advance(1)
    assert ring.newest.id == host().newest.id


def test_the_store_shows_no_secret_and_no_other_place_or_purpose_reads_it(
    rows: Rows, host: Host
) -> None:
    ring = host()
    ring.newest  # noqa: B018 - makes it
    sealed = rows.inside.get(PLACE)
    assert sealed is not None
    assert b"secret" not in sealed
    seal = Seal(KeyRing(SECRET), "key ring")
    assert b"secret" in seal.unseal(sealed, PLACE)
    with pytest.raises(CodecError):
        seal.unseal(sealed, "elsewhere")
    with pytest.raises(CodecError):
        Seal(KeyRing(SECRET), "session").unseal(sealed, PLACE)
    assert SECRET not in repr(ring)


def test_other_secrets_are_an_error_and_destroy_nothing(rows: Rows, host: Host) -> None:
    host().newest  # noqa: B018 - makes it
    before = rows.inside.get(PLACE)
    ring = KeyRing.in_store(rows, protect=OTHER)
    for use in (lambda: ring.newest, ring.rotate):
        with pytest.raises(ConfigError, match="sealed by other secrets"):
            use()
    assert rows.inside.get(PLACE) == before


def test_the_secret_that_protects_can_be_rotated(
    rows: Rows, host: Host, clock: ManualClock
) -> None:
    token = host().sign(b"x", "csrf")
    both = KeyRing.in_store(rows, protect=[OTHER, SECRET], clock=clock)
    assert both.verify(token, "csrf") == b"x"
    alone = KeyRing.in_store(rows, protect=OTHER, clock=clock)
    assert alone.verify(token, "csrf") == b"x"


@pytest.mark.parametrize("wrong", ["1h", 0, "23h", "soon", -1])
def test_a_rotation_more_than_daily_is_refused(rows: Rows, wrong: str | int) -> None:
    with pytest.raises(ConfigError, match="rotate_every"):
        KeyRing.in_store(rows, protect=SECRET, rotate_every=wrong)


def test_a_url_is_no_store() -> None:
    with pytest.raises(ConfigError, match="open_store"):
        KeyRing.in_store("memory://", protect=SECRET)  # type: ignore[arg-type]


# rotation


def test_the_next_key_is_known_to_all_before_it_signs(host: Host, clock: ManualClock) -> None:
    ours, theirs = host(), host()
    first = looked(ours).newest.id
    looked(theirs)
    clock.advance(90 * DAY - 3600)
    assert looked(ours).newest.id == first
    clock.advance(60)
    looked(theirs)
    assert [key.id for key in theirs.keys] == [key.id for key in ours.keys]
    clock.advance(3540)
    assert ours.newest.id == theirs.newest.id == ours.keys[0].id != first
    assert len(ours.keys) == 2


def test_two_hosts_that_see_it_is_due_rotate_once(
    rows: Rows, host: Host, clock: ManualClock
) -> None:
    ours, theirs = looked(host()), looked(host())
    clock.advance(90 * DAY)
    rows.before["swap"].append(lambda: looked(theirs))
    looked(ours)
    assert len(ours.keys) == 2
    assert [key.id for key in theirs.keys] == [key.id for key in ours.keys]
    assert rows.before["swap"] == []


def test_two_hosts_that_rotate_by_hand_both_do(rows: Rows, host: Host) -> None:
    ours, theirs = looked(host()), looked(host())
    rows.before["swap"].append(theirs.rotate)
    ours.rotate()
    assert len(ours.keys) == 3
    assert {key.id for key in theirs.keys} < {key.id for key in ours.keys}


def test_a_ring_without_rotation_stays_as_it_is(rows: Rows, clock: ManualClock) -> None:
    ring = looked(KeyRing.in_store(rows, protect=SECRET, rotate_every=None, clock=clock))
    clock.advance(1000 * DAY)
    assert len(looked(ring).keys) == 1


def test_old_keys_leave_after_keep(rows: Rows, clock: ManualClock) -> None:
    ring = KeyRing.in_store(rows, protect=SECRET, rotate_every="1d", keep="1d", clock=clock)
    for _ in range(100):
        looked(ring)
        clock.advance(DAY / 10)
    assert 2 <= len(ring.keys) <= 4


# what others do


def test_what_others_change_is_seen_within_a_minute(host: Host, clock: ManualClock) -> None:
    ours, theirs = looked(host()), looked(host())
    token = theirs.sign(b"x", "csrf")
    ours.revoke(ours.newest.id)
    assert ours.verify(token, "csrf") is None  # at once
    clock.advance(59)
    assert looked(theirs).verify(token, "csrf") == b"x"
    clock.advance(1)
    assert looked(theirs).verify(token, "csrf") is None
    assert theirs.newest.id == ours.keys[0].id


def test_an_unknown_key_is_looked_for_at_once(host: Host, clock: ManualClock) -> None:
    ours, theirs = looked(host()), looked(host())
    clock.advance(10)
    ours.revoke(ours.newest.id)
    token = ours.sign(b"x", "csrf")
    assert theirs.verify(token, "csrf") == b"x"


def test_made_up_ids_cost_one_look_in_ten_seconds(
    rows: Rows, host: Host, clock: ManualClock
) -> None:
    ring = looked(host())
    rows.calls.clear()
    for _ in range(3):
        clock.advance(10)
        for _ in range(300):
            assert ring.find(secrets.token_bytes(6)) is None
    assert rows.calls == ["get"] * 3


def test_what_is_not_even_of_our_form_costs_no_look(
    rows: Rows, host: Host, clock: ManualClock
) -> None:
    ring = looked(host())
    seal = Seal(ring, "session")
    rows.calls.clear()
    clock.advance(50)
    for data in (b"", b"\x01", b"\x02" * 100, b"\x01" * 46):
        assert ring.verify(b"\x02" + data, "csrf") is None
        with pytest.raises(CodecError):
            seal.unseal(data)
    assert rows.calls == []


# a store that fails


def test_while_the_store_is_down_what_is_known_serves(
    rows: Rows, host: Host, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    ring = looked(host())
    token = ring.sign(b"x", "csrf")
    rows.down = True
    for _ in range(3):
        clock.advance(60)
        assert looked(ring).verify(token, "csrf") == b"x"
        assert ring.verify(ring.sign(b"y", "csrf"), "csrf") == b"y"
        assert ring.find(secrets.token_bytes(6)) is None
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert len(caplog.records) == 3
    with pytest.raises(StoreUnavailable):
        ring.rotate()
    rows.down = False
    ring.rotate()
    assert len(ring.keys) == 2


def test_a_store_that_is_down_at_the_first_use_is_an_error_until_it_is_back(
    rows: Rows, host: Host, clock: ManualClock
) -> None:
    rows.down = True
    ring = host()
    for _ in range(5):
        with pytest.raises(StoreUnavailable):
            ring.sign(b"x", "csrf")
    assert rows.calls == ["get"]
    rows.down = False
    clock.advance(1)
    assert ring.verify(ring.sign(b"x", "csrf"), "csrf") == b"x"


def test_a_store_that_hangs_keeps_nobody(
    rows: Rows, host: Host, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_PATIENCE", 0.01)
    ring = looked(host())
    released = threading.Event()
    rows.before["get"].append(lambda: released.wait(60))
    clock.advance(60)

    async def request() -> None:
        for _ in range(20):
            assert ring.verify(ring.sign(b"x", "csrf"), "csrf") == b"x"
            assert ring.find(secrets.token_bytes(6)) is None

    try:
        asyncio.run(request())
        assert not released.is_set()
    finally:
        released.set()
        looked(ring)


def test_a_ring_that_is_lost_is_put_back(rows: Rows, host: Host, clock: ManualClock) -> None:
    ring = looked(host())
    ring.rotate()
    token = ring.sign(b"x", "csrf")
    rows.inside.delete(PLACE)
    clock.advance(60)
    looked(ring)
    assert host().verify(token, "csrf") == b"x"
    assert len(host().keys) == 2


def test_a_ring_that_is_lost_is_not_lost_by_a_rotation(rows: Rows, host: Host) -> None:
    ring = looked(host())
    token = ring.sign(b"x", "csrf")
    rows.inside.delete(PLACE)
    ring.rotate()
    assert host().verify(token, "csrf") == b"x"


def test_a_damaged_ring_changes_nothing_known(
    rows: Rows, host: Host, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    ring = looked(host())
    token = ring.sign(b"x", "csrf")
    rows.inside.put(PLACE, b"garbage")
    clock.advance(60)
    assert looked(ring).verify(token, "csrf") == b"x"
    assert "sealed by other secrets" in caplog.text
    assert rows.inside.get(PLACE) == b"garbage"  # for somebody to look at


def test_a_child_of_a_fork_can_change_the_ring(host: Host) -> None:
    ring = looked(host())
    source = ring._source
    assert isinstance(source, InStore)
    with source._changing:  # a look was under way
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)
            code = 1
            try:
                ring.rotate()
                code = 0 if len(ring.keys) == 2 else 1
            finally:
                os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_threads_share_one_look(rows: Rows, host: Host) -> None:
    ring = host()
    found: list[Key] = []
    threads = [threading.Thread(target=lambda: found.append(ring.newest)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({key.id for key in found}) == 1
    assert len(found) == 16
    assert rows.calls == ["get", "swap"]


@pytest.mark.parametrize("url", ["file:///{}/rows", "sqlite:///{}/rows.db"])
def test_hosts_that_really_run_at_once_agree(tmp_path: Path, url: str) -> None:
    def run(_: int) -> tuple[KeyRing, bytes]:
        with open_store(url.format(tmp_path), timeout=60) as store:
            ring = KeyRing.in_store(store, protect=SECRET)
            ring.rotate(delay=0)
            return ring, ring.sign(b"x", "csrf")

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(run, range(16)))
    with open_store(url.format(tmp_path), timeout=60) as store:
        last = KeyRing.in_store(store, protect=SECRET)
        assert 16 <= len(last.keys) <= 17  # who was first made the first by rotating
        assert all(last.verify(token, "csrf") == b"x" for _, token in done)
        for ring, _ in done:
            known = [key.id for key in ring.keys]
            assert [key.id for key in last.keys][-len(known) :] == known


def test_sessions_follow_a_ring_that_changes(host: Host, clock: ManualClock) -> None:
    ring = host()
    ours = Sessions.in_cookie(ring, clock=clock)
    theirs = Sessions.in_cookie(looked(host()), clock=clock)
    session = ours.load(None)
    session["a"] = 1
    token = ours.commit(session).token
    assert token is not None
    ring.rotate(delay=0)
    again = ours.load(token)
    assert again["a"] == 1
    renewed = ours.commit(again).token
    assert renewed is not None  # sealed by the newest key
    ring.revoke(ring.keys[1].id)
    assert ours.load(token).is_new
    assert dict(ours.load(renewed)) == {"a": 1}
    clock.advance(10)
    assert dict(theirs.load(renewed)) == {"a": 1}  # a key they had not known
    assert theirs.load(token).is_new
