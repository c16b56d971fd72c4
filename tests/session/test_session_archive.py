"""Sessions out of a store and back, how many there are, and the form they are stored in."""

import base64
import io
from collections.abc import Callable
from typing import Any

import ormsgpack
import pytest
from counting import CountingStore
from faces import Faces

from holdfast import open_store
from holdfast.errors import ConfigError
from holdfast.session import Sessions, data
from holdfast.session.data import Message, Note, Record
from holdfast.session.token import id_of
from holdfast.testing.clock import ManualClock

SECRET = "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"
OTHER = "p0Oi9Uy7Tr5Ew3Qa1Sd2Fg4Hj6Kl8Zx-cVb"
Make = Callable[..., Faces]


def test_dumped_and_restored(make: Make, clock: ManualClock) -> None:
    faces = make()
    tokens = [faces.new(n=n) for n in range(450)]
    ann = faces.signed_in("ann")
    assert faces.count() == 451
    dumped = faces.dump()
    there = Faces(Sessions("memory://", clock=clock), loop=faces.loop)
    assert there.restore(dumped) == 451
    assert [there.load(token)["n"] for token in tokens] == list(range(450))
    assert [info.id for info in there.of("ann")] == [there.load(ann).id]
    assert there.revoke("ann") == 1
    assert there.count() == 450


def test_restoring_replaces_nothing_and_brings_back_nothing_that_is_over(
    make: Make, clock: ManualClock
) -> None:
    faces = make()
    token, old = faces.new(n=1), faces.new(n=2)
    dumped = faces.dump()
    session = faces.load(token)
    session["n"] = 3
    faces.commit(session)
    assert faces.restore(dumped) == 0
    assert faces.load(token)["n"] == 3
    clock.advance(1800 + 60)
    there = make(store=open_store("memory://"))
    assert there.restore(dumped) == 0
    assert there.alive(old) == [False]


def test_what_was_sealed_stays_sealed(make: Make) -> None:
    faces = make(secrets=SECRET)
    token = faces.new(cart="forty bags of darjeeling")
    dumped = faces.dump()
    assert b"darjeeling" not in dumped
    assert make(store=open_store("memory://"), secrets=OTHER).restore(dumped) == 0
    assert make(store=open_store("memory://")).restore(dumped) == 0
    there = make(store=open_store("memory://"), secrets=[OTHER, SECRET])
    assert there.restore(dumped) == 1
    assert there.load(token)["cart"] == "forty bags of darjeeling"


def test_a_limit_holds_for_what_is_restored(make: Make) -> None:
    faces = make()
    for _ in range(3):
        faces.signed_in("ann")
    there = make(store=open_store("memory://"), max_sessions=2, when_full="refuse")
    assert there.restore(faces.dump()) == 2
    assert len(there.of("ann")) == there.count() == 2


@pytest.mark.parametrize(
    "stream",
    [b"", b"\x00", b"junk that is no dump", b"\x00\x00\x00\x01\xc1", b"\xff\xff\xff\xff" * 9],
)
def test_a_stream_that_is_no_dump(stream: bytes) -> None:
    with pytest.raises(ConfigError, match="restore"):
        Sessions("memory://").restore(io.BytesIO(stream))


def rows(*rows: object) -> bytes:
    packed = [ormsgpack.packb(row) for row in rows]
    return b"".join(len(row).to_bytes(4, "big") + row for row in packed)


def test_a_dump_of_another_form_and_rows_that_are_no_sessions(make: Make) -> None:
    faces = make()
    record = data.encode(data.blank(1_000_000.0)._replace(data={"n": b"\x01"}))
    handle, head = "a" * 64, ["holdfast sessions", 1]
    for other in (["holdfast sessions", 2], [handle, record]):
        with pytest.raises(ConfigError, match="not written by dump"):
            faces.restore(rows(other, [handle, record]))
    assert faces.restore(rows(head, ["../u:root", record], [handle.upper(), record])) == 0
    assert faces.restore(rows(head, [handle, record])) == 1


def test_no_row_is_read_that_no_store_could_hold() -> None:
    class Stream(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 <= size <= 64 * 2**20
            return super().read(size)

    with pytest.raises(ConfigError, match="in the midst of a row"):
        Sessions("memory://").restore(Stream(b"\xff\xff\xff\xff" * 9))


def test_a_damaged_dump(make: Make) -> None:
    faces = make()
    faces.new()
    dumped = faces.dump()
    empty = len(Faces(Sessions("memory://"), loop=False).dump())
    for end in range(1, len(dumped)):
        there = Sessions("memory://")
        if end == empty:
            continue  # a whole dump of nothing
        with pytest.raises(ConfigError, match="restore"):
            there.restore(io.BytesIO(dumped[:end]))
        assert there.count() == 0


def test_a_store_that_cannot_list(in_cookie: Sessions) -> None:
    with pytest.raises(ConfigError, match="cookie-only"):
        in_cookie.count()
    stream = io.BytesIO()
    with open_store("memcached://127.0.0.1:1") as store, pytest.raises(ConfigError, match="list"):
        Sessions(store).dump(stream)
    assert stream.getvalue() == b""


# The form of a record


def b64(text: str) -> bytes:
    return base64.b64decode(text)


def test_golden_records() -> None:
    """What stands in somebody's store: never change these, add those of a new form."""
    for golden, meant in GOLDEN:
        assert data.decode(b64(golden)) == meant
    assert isinstance(GOLDEN[0][1], Record)
    assert data.encode(GOLDEN[0][1]) == b64(GOLDEN[0][0])
    assert data.encode_note("ab" * 32, 1000012.5) == b64(GOLDEN[-1][0])


def test_a_golden_record_is_a_session_that_can_be_used(
    clock: ManualClock, store: CountingStore
) -> None:
    sessions = Sessions(store, clock=clock)
    token = "A" * 43
    store.put(f"s:{id_of(token)}", b64(GOLDEN[0][0]))
    session = sessions.load(token)
    assert session.user == "ann"
    assert dict(session) == {"cart": ["tea"], "n": 7}
    assert session.pop_flash() == ["hi"]
    assert session.check_csrf(session.csrf_token())


def newer(record: Record, **fields: Any) -> bytes:
    """Return the record as a later release might write it: with fields we do not know."""
    reserved = {"csrf": record.reserved["csrf"], **fields}
    return ormsgpack.packb((1, *record._replace(reserved=reserved)[:-1], []))


def test_a_newer_process_beside_an_older_one(clock: ManualClock, store: CountingStore) -> None:
    """Fields of a later release are read over, and left alone by whatever is written."""
    sessions = Sessions(store, clock=clock)
    token = "A" * 43
    key = f"s:{id_of(token)}"
    record = data.decode(b64(GOLDEN[0][0]))
    assert isinstance(record, Record)
    store.put(key, newer(record, device={"key": b"x"}, level=2))
    session = sessions.load(token)
    session["n"] += 1
    sessions.commit(session)
    raw = store.get(key)
    assert raw is not None
    found = data.decode(raw)
    assert isinstance(found, Record)
    assert (found.reserved["device"], found.reserved["level"]) == ({"key": b"x"}, 2)
    session = sessions.load(token)
    session.rotate()
    after = sessions.load(sessions.commit(session).token)
    assert after["n"] == 8


def test_a_form_of_another_version_is_no_session_and_is_left_alone(
    clock: ManualClock, store: CountingStore
) -> None:
    sessions = Sessions(store, clock=clock)
    token = "A" * 43
    key, raw = f"s:{id_of(token)}", ormsgpack.packb((2, "whatever comes"))
    store.put(key, raw)
    session = sessions.load(token)
    session["a"] = 1
    sessions.commit(session)
    assert store.get(key) == raw


GOLDEN: list[tuple[str, Record | Note]] = [
    (
        (
            "mAHEEAABAgMEBQYHCAkKCwwNDg8Dy0EuhIAAAAAAy0EuhJUAAAAAhaRjc3JmxCBjY2NjY2NjY2NjY2NjY2NjY2NjY2Nj"
            "Y2NjY2NjY2NjY6R1c2Vyo2FubqVsb2dpbstBLoSAAAAAAKVsYWJlbKp0aGUgbGFwdG9wp3JvdGF0ZWTLQS6EggAAAACC"
            "pGNhcnTEBZGjdGVhoW7EAQeRk8QIMTIzNDU2NziiZjrEA6JoaQ=="
        ),
        Record(
            rev=bytes(range(16)),
            gen=3,
            created=1000000.0,
            seen=1000010.5,
            reserved={
                "csrf": b"c" * 32,
                "user": "ann",
                "login": 1000000.0,
                "label": "the laptop",
                "rotated": 1000001.0,
            },
            data={"cart": b"\x91\xa3tea", "n": b"\x07"},
            messages=[Message(b"12345678", "f:", b"\xa2hi")],
        ),
    ),
    (
        (
            "mAHEEHJycnJycnJycnJycnJycnIAy0EuhIAAAAAAy0EuhIAAAAAAgaRjc3JmxCBjY2NjY2NjY2NjY2NjY2NjY2NjY2Nj"
            "Y2NjY2NjY2NjY4CQ"
        ),
        Record(b"r" * 16, 0, 1000000.0, 1000000.0, {"csrf": b"c" * 32}, {}, []),
    ),
    (
        (
            "kwHZQGFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWLL"
            "QS6EmQAAAAA="
        ),
        Note("ab" * 32, 1000012.5),
    ),
]
