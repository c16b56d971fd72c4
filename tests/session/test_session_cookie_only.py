"""Sessions that travel whole: keys, binding, and when a cookie is sent again."""

import warnings
from collections.abc import Mapping

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codec.msgpack import Msgpack
from holdfast.codec.seal import Seal
from holdfast.codec.text import from_text, to_text
from holdfast.errors import ConfigError, SessionTooLarge
from holdfast.session import Outcome, Sessions
from holdfast.session.data import Record, encode
from holdfast.session.sealed import pad, unpad
from holdfast.signing import Key, KeyRing
from holdfast.testing.clock import ManualClock
from holdfast.web.transport import Cookie

OLD = "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"
NEW = "bR4cD6fG0hJ5a-uEZk3vQ1xY7pLw9sT2mN8"
NOTHING = Outcome(None, None, expire=False)


class Named:
    """A transport as sessions see it."""

    def __init__(self, bound_name: str, room: int = 4000) -> None:
        self.bound_name = bound_name
        self.room = room


def stored(sessions: Sessions, **values: object) -> str:
    session = sessions.load(None)
    session.update(values or {"a": 1})
    token = sessions.commit(session).token
    assert token is not None
    return token


def test_31_the_content_is_hidden(in_cookie: Sessions) -> None:
    assert "hunter22" not in stored(in_cookie, password="hunter22")
    assert stored(in_cookie, a=1) != stored(in_cookie, a=1)


def test_32_a_token_is_good_for_its_cookie_only(clock: ManualClock) -> None:
    one = Sessions.in_cookie(OLD, transport=Named("__Host-one"), clock=clock)
    other = Sessions.in_cookie(OLD, transport=Named("__Host-other"), clock=clock)
    token = stored(one)
    assert dict(one.load(token)) == {"a": 1}
    assert dict(other.load(token)) == {}


def test_32_nor_is_what_was_sealed_for_another_purpose(in_cookie: Sessions) -> None:
    record = Record(b"r" * 32, 0, 1e6, 1e6, {}, {}, [])
    seal = Seal(KeyRing(OLD), "csrf")
    assert in_cookie.load(seal.seal_text(encode(record), "__Host-sid")).is_new


def test_35_an_old_key_opens_and_the_cookie_is_issued_anew(clock: ManualClock) -> None:
    before = Sessions.in_cookie([OLD], clock=clock)
    after = Sessions.in_cookie([NEW, OLD], clock=clock)
    later = Sessions.in_cookie([NEW], clock=clock)
    token = stored(before)
    assert later.load(token).is_new
    session = after.load(token)
    assert session["a"] == 1
    outcome = after.commit(session)
    assert outcome.token is not None
    assert later.load(outcome.token)["a"] == 1
    assert after.commit(after.load(outcome.token)) == NOTHING


def test_35_an_old_key_is_no_reason_for_an_untouched_session(clock: ManualClock) -> None:
    token = stored(Sessions.in_cookie([OLD], clock=clock))
    after = Sessions.in_cookie([NEW, OLD], clock=clock)
    assert after.commit(after.load(token)) == NOTHING


def test_35_a_revoked_key_opens_nothing(clock: ManualClock) -> None:
    token = stored(Sessions.in_cookie([OLD], clock=clock))
    after = Sessions.in_cookie(KeyRing([NEW, Key(OLD, revoked=True)]), clock=clock)
    assert after.load(token).is_new


def test_36_a_weak_secret_is_refused() -> None:
    with pytest.raises(ConfigError):
        Sessions.in_cookie("secret")


@pytest.mark.parametrize(("ahead", "alive"), [(59, True), (60, True), (60.5, False)])
def test_38_a_cookie_from_the_future_is_nobody(
    in_cookie: Sessions, clock: ManualClock, ahead: float, alive: bool
) -> None:
    clock.advance(ahead)
    token = stored(in_cookie)
    clock.advance(-ahead)
    assert ("a" in in_cookie.load(token)) is alive


def test_39_a_copied_cookie_outlives_a_logout(in_cookie: Sessions, clock: ManualClock) -> None:
    """Documented: whoever needs a logout that holds keeps sessions in a store."""
    token = stored(in_cookie)
    session = in_cookie.load(token)
    session.logout()
    assert in_cookie.commit(session) == Outcome(None, None, expire=True)
    assert in_cookie.load(token)["a"] == 1
    clock.advance(1800 + 60)
    assert in_cookie.load(token).is_new


def test_reading_sends_it_again_once_a_minute_at_most(
    in_cookie: Sessions, clock: ManualClock
) -> None:
    token = stored(in_cookie)
    sent = 0
    for _ in range(10):
        clock.advance(30)
        session = in_cookie.load(token)
        assert session["a"] == 1
        outcome = in_cookie.commit(session)
        sent += outcome.token is not None
        token = outcome.token or token
    assert sent == 5


def test_rotating_gives_another_handle(in_cookie: Sessions) -> None:
    session = in_cookie.load(stored(in_cookie))
    before = session.id
    session.rotate()
    token = in_cookie.commit(session).token
    assert in_cookie.load(token).id not in (before, "")


def test_a_token_longer_than_its_room_is_not_looked_at(clock: ManualClock) -> None:
    wide = Sessions.in_cookie(OLD, transport=Named("c", 8000), clock=clock)
    tight = Sessions.in_cookie(OLD, transport=Named("c", 1000), clock=clock)
    token = stored(wide, a="a" * 2000)
    assert len(wide.load(token)) == 1
    assert tight.load(token).is_new


# Attacks


def sealed(record: Record, *, raw: bytes | None = None, purpose: str = "session") -> str:
    """Return what our own key makes of a record, or of these bytes."""
    plain = pad(encode(record)) if raw is None else raw
    return Seal(KeyRing(OLD), purpose).seal_text(plain, "__Host-sid")


def record_at(now: float, **fields: object) -> Record:
    return Record(b"r" * 32, 0, now, now, {}, {"a": Msgpack().encode(1)}, [])._replace(**fields)  # type: ignore[arg-type]


def test_our_own_record_is_read(in_cookie: Sessions, clock: ManualClock) -> None:
    """Else the tests below would prove nothing."""
    assert in_cookie.load(sealed(record_at(clock())))["a"] == 1


def test_31_every_bit_counts(in_cookie: Sessions) -> None:
    raw = from_text(stored(in_cookie, password="hunter22"))
    for at in range(len(raw)):
        for bit in (1, 128):
            changed = bytes([*raw[:at], raw[at] ^ bit, *raw[at + 1 :]])
            assert in_cookie.load(to_text(changed)).is_new


def test_31_nor_may_it_be_longer_or_shorter(in_cookie: Sessions) -> None:
    token = stored(in_cookie)
    for other in (
        token[:-1],
        token[1:],
        token + "A",
        token * 2,
        token + "=",
        token[:60],
        token[:9],
    ):
        assert in_cookie.load(other).is_new


@pytest.mark.parametrize("purpose", ["csrf", "session record", "store", "ring", "", "sessions"])
def test_32_nothing_sealed_for_something_else(
    in_cookie: Sessions, clock: ManualClock, purpose: str
) -> None:
    assert in_cookie.load(sealed(record_at(clock()), purpose=purpose)).is_new


def test_32_nor_what_was_only_signed(in_cookie: Sessions, clock: ManualClock) -> None:
    signed = KeyRing(OLD).sign(pad(encode(record_at(clock()))), "session")
    assert in_cookie.load(to_text(signed)).is_new


def test_32_nor_a_cookie_of_another_application(in_cookie: Sessions, clock: ManualClock) -> None:
    assert in_cookie.load(stored(Sessions.in_cookie(NEW, clock=clock))).is_new


@pytest.mark.parametrize("version", [0, 2, 255])
def test_34_another_version_is_nobody(
    in_cookie: Sessions, clock: ManualClock, version: int
) -> None:
    raw = from_text(stored(in_cookie))
    assert in_cookie.load(to_text(bytes([version]) + raw[1:])).is_new
    older = encode(record_at(clock()))
    assert older[1] == 1
    changed = older[:1] + ormsgpack.packb(version) + older[2:]
    assert in_cookie.load(sealed(record_at(0), raw=pad(changed))).is_new


@pytest.mark.parametrize(
    "raw",
    [b"", bytes(64), b"\x80", encode(record_at(1e9)), b'{"a": 1}\x80', pad(b""), pad(b"\xc1")],
)
def test_33_what_is_no_record_is_nobody_and_read_by_nothing_else(
    in_cookie: Sessions, raw: bytes, events: list[tuple[str, Mapping[str, object]]]
) -> None:
    session = in_cookie.load(sealed(record_at(0), raw=raw))
    assert session.is_new
    assert in_cookie.commit(session) == NOTHING
    assert [name for name, _ in events] == ["session.corrupt"]


@pytest.mark.parametrize(("created", "seen"), [(61, 0), (0, 61), (61, 61)])
def test_38_neither_birth_nor_use_lies_ahead(
    in_cookie: Sessions, clock: ManualClock, created: float, seen: float
) -> None:
    now = clock()
    assert in_cookie.load(sealed(record_at(now + 60))).get("a") == 1
    assert in_cookie.load(sealed(record_at(now, created=now + created, seen=now + seen))).is_new


@pytest.mark.parametrize(
    ("created", "seen", "alive"),
    [(-43199, 0, True), (-43200, 0, False), (-3000, -1859, True), (-3000, -1860, False)],
)
def test_14_the_times_inside_count_to_the_second(
    in_cookie: Sessions, clock: ManualClock, created: float, seen: float, alive: bool
) -> None:
    record = record_at(clock(), created=clock() + created, seen=clock() + seen)
    assert in_cookie.load(sealed(record)).is_new is not alive


def test_25_no_chunk_of_another_session_is_taken_for_ours(clock: ManualClock) -> None:
    """The hash in the head is no secret: whoever mixes chunks can make one that fits."""
    transport = Cookie(max_chunks=4)
    chunked = Sessions.in_cookie(OLD, transport=transport, clock=clock)
    one, other = (stored(chunked, a=name * 8000) for name in "xy")
    assert len(one) == len(other) > 2 * 4096
    for at in (4000, 4096, 8000, len(one) - 1):
        mixed = one[:at] + other[at:]
        sent = [line.partition(";")[0] for _, line in transport.write(mixed)]
        token, _, event = transport.read("; ".join(sent))
        assert (token, event) == (mixed, "")
        assert chunked.load(token).is_new
    assert chunked.load(one)["a"] == "x" * 8000


# Length


@given(st.binary(max_size=300))
def test_padding_comes_off_again(raw: bytes) -> None:
    assert unpad(pad(raw)) == raw
    assert len(pad(raw)) % 64 == 0
    assert 0 < len(pad(raw)) - len(raw) <= 64


def test_the_length_tells_nothing_within_a_step(in_cookie: Sessions) -> None:
    lengths = [len(stored(in_cookie, password="x" * size)) for size in range(192)]
    steps = sorted(set(lengths))
    assert len(steps) <= 4
    # a name, a text and a session each write their length, in more bytes the longer they are
    assert all(lengths.count(step) >= 60 for step in steps[1:-1])


@pytest.mark.parametrize("chunks", [1, 3])
def test_24_what_fits_is_sent_and_what_does_not_is_refused_by_name(
    clock: ManualClock, chunks: int
) -> None:
    transport = Cookie(max_chunks=chunks)
    sessions = Sessions.in_cookie(OLD, transport=transport, clock=clock)
    most = transport.room * 3 // 4
    for size in range(most - 256, most):
        session = sessions.load(None)
        session["big"], session["small"] = "b" * size, 1
        try:
            token = sessions.commit(session).token
        except SessionTooLarge as error:
            assert error.limit == transport.room < error.size  # noqa: PT017 - some fit
            assert [name for name, _ in error.biggest] == ["big", "small"]  # noqa: PT017
            break
        with warnings.catch_warnings(action="ignore"):  # of the whole line, which some proxies drop
            lines = transport.write(token or "")
        for _, line in lines:
            name, _, value = line.partition(";")[0].partition("=")
            assert len(name) + len(value) <= 4096
    else:
        pytest.fail("everything fitted")
    assert token is not None
    assert transport.room - len(token) < 2 * 86  # not a step more than it must is given away


# Remembered


def test_a_session_may_be_remembered(in_cookie: Sessions, clock: ManualClock) -> None:
    session = in_cookie.load(stored(in_cookie))
    session.login("ann")
    session.remember("30d")
    outcome = in_cookie.commit(session)
    assert outcome.max_age == 30 * 24 * 3600
    clock.advance(30 * 24 * 3600 - 1)
    session = in_cookie.load(outcome.token)
    assert session.user == "ann"
    session["a"] = 2
    outcome = in_cookie.commit(session)
    assert outcome.max_age == 1
    clock.advance(1)
    assert in_cookie.load(outcome.token).is_new


def test_it_says_where_it_keeps_them(in_cookie: Sessions, sessions: Sessions) -> None:
    assert repr(in_cookie) == "<Sessions in the cookie>"
    assert repr(sessions) == "<Sessions in counting>"
    assert in_cookie.store is None
