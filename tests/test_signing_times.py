"""Keys over time: who signs, who verifies, and what becomes of a ring that changes."""

import copy
import json
import pickle
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codec.seal import Seal
from holdfast.errors import ConfigError
from holdfast.signing import HEADER, Key, KeyRing
from holdfast.signing.lines import Line, dump, fresh, kept_up, parse, revoked, rotated
from holdfast.signing.ring import Keys
from holdfast.testing.clock import ManualClock

NEWEST, NEWER, OLDEST = (secrets.token_urlsafe(32) for _ in range(3))
DAY = 86400.0


def signer_of(ring: KeyRing) -> bytes:
    """Return the id of the key that really signed and sealed something."""
    signed = ring.sign(b"x", "csrf")[1:HEADER]
    assert Seal(ring, "csrf").seal(b"x")[1:HEADER] == signed
    assert ring.is_newest(ring.sign(b"x", "csrf"))
    return signed


def test_item_35_of_three_keys_the_newest_signs() -> None:
    """CVE-2025-47278: the list of fallback keys was turned round, and the oldest one signed."""
    ring = KeyRing([NEWEST, NEWER, OLDEST])
    assert signer_of(ring) == Key(NEWEST).id
    assert [key.id for key in ring.keys] == [Key(each).id for each in (NEWEST, NEWER, OLDEST)]
    for each in (NEWEST, NEWER, OLDEST):
        assert ring.verify(KeyRing(each).sign(b"x", "csrf"), "csrf") == b"x"


def test_item_35_a_key_that_is_not_active_verifies_and_does_not_sign() -> None:
    clock = ManualClock(1000.0)
    ring = KeyRing([Key(NEWEST, activates=2000.0), OLDEST], clock=clock)
    early, before = KeyRing(NEWEST).sign(b"x", "csrf"), ring.sign(b"x", "csrf")
    assert signer_of(ring) == Key(OLDEST).id
    assert ring.verify(early, "csrf") == b"x"
    assert not ring.is_newest(early)
    clock.now = 1999.9
    assert signer_of(ring) == Key(OLDEST).id
    clock.now = 2000.0
    assert signer_of(ring) == Key(NEWEST).id
    assert ring.verify(before, "csrf") == b"x"  # the other is retired, not revoked
    assert not ring.is_newest(before)
    assert ring.is_newest(early)


def test_the_order_counts_and_not_the_times() -> None:
    ring = KeyRing([Key(NEWEST), Key(OLDEST, activates=500.0)], clock=ManualClock(1000.0))
    assert signer_of(ring) == Key(NEWEST).id


def test_where_none_is_active_the_oldest_signs() -> None:
    ring = KeyRing(
        [Key(NEWEST, activates=30.0), Key(NEWER, activates=20.0), Key(OLDEST, revoked=True)],
        clock=ManualClock(10.0),
    )
    assert signer_of(ring) == Key(NEWER).id


def test_a_revoked_key_never_signs_though_it_waited() -> None:
    clock = ManualClock(10.0)
    keys = Keys([Key(NEWEST, activates=20.0, revoked=True), Key(OLDEST)])
    assert keys.signer(clock()).id == keys.signer(30.0).id == Key(OLDEST).id


def test_a_ring_taken_over_keeps_its_clock() -> None:
    clock = ManualClock(10.0)
    ring = KeyRing(KeyRing([Key(NEWEST, activates=20.0), OLDEST], clock=clock))
    assert signer_of(ring) == Key(OLDEST).id
    clock.now = 20.0
    assert signer_of(ring) == Key(NEWEST).id


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "2026-01-01", None, 10**400])
def test_a_time_that_is_none_is_refused(wrong: float) -> None:
    with pytest.raises(ConfigError, match="activates"):
        Key(NEWEST, activates=wrong)


def test_all_revoked_is_no_ring() -> None:
    with pytest.raises(ConfigError, match="revoked"):
        Keys([Key(NEWEST, revoked=True)])


def test_a_ring_in_the_program_is_changed_there() -> None:
    ring = KeyRing([NEWEST])
    with pytest.raises(ConfigError, match="in the program"):
        ring.rotate()
    with pytest.raises(ConfigError, match="in the program"):
        ring.revoke(ring.newest.id)


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_neither_keys_nor_rings_are_pickled(take: object) -> None:
    for each in (Key(NEWEST), KeyRing(NEWEST)):
        with pytest.raises(TypeError, match="pickled") as caught:
            take(each)  # type: ignore[operator]
        assert NEWEST not in str(caught.value)


# the environment


def test_a_ring_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_SECRETS", f" {NEWEST},{NEWER}\n{OLDEST}\n")
    ring = KeyRing.from_env()
    assert [key.id for key in ring.keys] == [Key(each).id for each in (NEWEST, NEWER, OLDEST)]
    monkeypatch.setenv("OTHER", OLDEST)
    assert KeyRing.from_env("OTHER").newest.id == Key(OLDEST).id
    assert signer_of(ring) == Key(NEWEST).id  # it was read once


@pytest.mark.parametrize("value", [None, "", " , \n"])
def test_a_variable_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("APP_SECRETS", raising=False)
    if value is not None:
        monkeypatch.setenv("APP_SECRETS", value)
    with pytest.raises(ConfigError, match=r"APP_SECRETS is not set.*token_urlsafe"):
        KeyRing.from_env("APP_SECRETS")


def test_a_weak_secret_in_the_environment_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_SECRETS", f"{NEWEST},changeme-please")
    with pytest.raises(ConfigError, match="APP_SECRETS: secrets: one has 15 bytes") as caught:
        KeyRing.from_env("APP_SECRETS")
    assert "changeme" not in str(caught.value)
    assert NEWEST not in str(caught.value)


# what becomes of a ring


def ids(lines: tuple[Line, ...]) -> list[bytes]:
    return [line.key().id for line in lines]


def signs_at(lines: tuple[Line, ...], now: float) -> bytes:
    return Keys(line.key() for line in lines).signer(now).id


def test_a_rotation_puts_one_in_front_that_waits() -> None:
    first = rotated((), 100.0, delay=50.0, keep=None)
    assert [line.activates for line in first] == [100.0]  # nobody could sign before it
    second = rotated(first, 200.0, delay=50.0, keep=None)
    assert second[1:] == first
    assert signs_at(second, 249.0) == ids(first)[0]
    assert signs_at(second, 250.0) == ids(second)[0] != ids(first)[0]


def test_a_key_is_dropped_that_has_not_signed_for_long() -> None:
    lines = (Line(NEWEST, 300.0), Line(NEWER, 200.0), Line(OLDEST, 100.0))
    assert rotated(lines, 249.0, delay=0, keep=50.0)[1:] == lines
    assert rotated(lines, 250.0, delay=0, keep=50.0)[1:] == lines[:2]
    assert rotated(lines, 350.0, delay=0, keep=50.0)[1:] == lines[:1]
    assert rotated(lines, 350.0, delay=0, keep=None)[1:] == lines


def test_the_next_key_is_stored_before_it_signs() -> None:
    def at(now: float) -> tuple[Line, ...]:
        return kept_up(lines, now, rotate_every=90 * DAY, notice=3600.0, keep=None)

    lines = kept_up((), 0.0, rotate_every=90 * DAY, notice=3600.0, keep=None)
    assert len(lines) == 1
    assert at(90 * DAY - 3601) is lines
    assert [line.activates for line in at(90 * DAY - 3600)] == [90 * DAY, 0.0]
    lines = at(90 * DAY - 3600)
    assert at(90 * DAY - 1800) is lines  # one is enough
    assert kept_up(lines, 1e12, rotate_every=None, notice=0, keep=None) is lines


def test_a_revoked_newest_key_gets_a_successor_in_time() -> None:
    lines = (Line(NEWEST, 95 * DAY, revoked=True), Line(OLDEST, 0.0))
    assert len(kept_up(lines, 90 * DAY, rotate_every=90 * DAY, notice=0, keep=None)) == 3
    lost = (Line(OLDEST, 0.0, revoked=True),)
    assert len(kept_up(lost, 0.0, rotate_every=None, notice=0, keep=None)) == 2


def test_a_revoked_signer_is_followed_by_a_new_key_and_never_by_an_old_one() -> None:
    lines = (Line(NEWEST, 20.0), Line(OLDEST, 10.0))
    after = revoked(lines, Key(NEWEST).id, 30.0)
    assert signs_at(after, 30.0) not in ids(lines)
    assert [line.revoked for line in after] == [False, True, False]


def test_a_revoked_signer_is_followed_by_the_key_that_waits() -> None:
    lines = (fresh(50.0), Line(NEWEST, 40.0), Line(NEWER, 20.0), Line(OLDEST, 10.0))
    after = revoked(lines, Key(NEWER).id, 30.0)
    assert signs_at(after, 30.0) == Key(NEWEST).id
    assert signs_at(after, 50.0) == ids(lines)[0]
    assert ids(after) == ids(lines)


def test_a_revoked_key_that_waits_follows_nobody() -> None:
    lines = (Line(NEWEST, 40.0, revoked=True), Line(NEWER, 20.0), Line(OLDEST, 10.0))
    after = revoked(lines, Key(NEWER).id, 30.0)
    assert signs_at(after, 30.0) not in ids(lines)


@pytest.mark.parametrize("secret", [NEWEST, OLDEST], ids=["newest", "oldest"])
def test_revoking_one_that_does_not_sign_changes_no_signer(secret: str) -> None:
    lines = (Line(NEWEST, 40.0), Line(NEWER, 20.0), Line(OLDEST, 10.0))
    after = revoked(lines, Key(secret).id, 30.0)
    assert ids(after) == ids(lines)
    assert signs_at(after, 30.0) == signs_at(after, 99.0 if secret == NEWEST else 30.0)
    assert signs_at(after, 30.0) == Key(NEWER).id
    assert [line.revoked for line in after].count(True) == 1


def test_revoking_nobody_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no key of this ring is called"):
        revoked((Line(NEWEST, 0.0),), b"nobody", 1.0)


moves = st.lists(
    st.tuples(st.sampled_from(["rotate", "revoke", "wait"]), st.integers(0, 5), st.integers(0, 90)),
    max_size=12,
)


@given(moves)
def test_whatever_happens_no_key_signs_once_a_newer_one_has(
    moves: list[tuple[str, int, int]],
) -> None:
    now, lines = 0.0, rotated((), 0.0, delay=0, keep=None)
    signed = {signs_at(lines, now)}
    for move, which, wait in moves:
        if move == "rotate":
            lines = rotated(lines, now, delay=wait, keep=None)
        elif move == "revoke":
            lines = revoked(lines, ids(lines)[which % len(lines)], now)
        now += wait
        order = ids(lines)
        signer = order.index(signs_at(lines, now))
        assert not lines[signer].revoked
        assert lines[signer].activates <= now
        assert signer == min(order.index(key_id) for key_id in {*signed, order[signer]})
        signed.add(order[signer])


@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.booleans())))
def test_a_ring_comes_back_as_it_was_written(keys: list[tuple[float, bool]]) -> None:
    lines = tuple(
        Line(secrets.token_urlsafe(32), activates, revoked) for activates, revoked in keys
    )
    back = parse(dump(lines))
    assert [(line.secret, line.activates, line.revoked) for line in back] == [
        (line.secret, line.activates, line.revoked) for line in lines
    ]
    assert all(line.secret not in repr(lines) for line in lines)


GOOD = json.loads(dump((Line(NEWEST, 1.0),)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"null",
        b"{}",
        json.dumps({**GOOD, "version": 2}).encode(),
        json.dumps({**GOOD, "form": "other"}).encode(),
        json.dumps({**GOOD, "keys": 5}).encode(),
        json.dumps({**GOOD, "keys": [{"secret": NEWEST}]}).encode(),
        json.dumps(GOOD).encode()[:-1],
    ],
)
def test_what_is_no_ring_is_refused_and_not_shown(data: bytes) -> None:
    with pytest.raises(ConfigError, match="no key ring") as caught:
        parse(data)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert not hasattr(seen, "doc"), "a JSONDecodeError carries the secrets"
        assert NEWEST not in repr(seen)
        seen = seen.__cause__ or seen.__context__


def test_a_key_whose_revocation_was_mistyped_counts_as_revoked() -> None:
    text = dump((Line(NEWEST, 1.0),)).decode().replace("false", '"no"')
    assert parse(text.encode())[0].revoked
