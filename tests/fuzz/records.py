"""Laws of session records: whatever stands under a session's id, the visit goes on.

Law: bytes that are no record are a new visitor, and the observer hears of it. What is a record can
be read, written to and committed, whatever its values are; no touch raises more than a dict would.
"""

from contextlib import suppress

import ormsgpack

from fuzz.codings import ENCODINGS, VALUES
from fuzz.edits import edited
from fuzz.seals import BOUND, RING, SEAL
from holdfast.codec.msgpack import Msgpack
from holdfast.session import Session, Sessions
from holdfast.session.data import Note, Record, decode, encode, encode_note
from holdfast.session.token import id_of, is_id, new_token
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock

__all__ = ["NOW", "RECORDS", "TARGET", "inside", "records"]

NOW = 1_800_000_000.0
CODEC = Msgpack()
TARGET = "ab" * 32
FIELDS = [
    1,
    b"rev" * 5,
    3,
    NOW - 60,
    NOW,
    {"user": "ada", "label": "phone", "login": NOW - 60, "csrf": b"c" * 32},
    {"cart": CODEC.encode(["tea"]), "visits": CODEC.encode(7), "wide": CODEC.encode(VALUES)},
    [[b"12345678", "f:", CODEC.encode("saved")], [b"87654321", "n:job", CODEC.encode({"a": 1})]],
]


CLOCK = ManualClock()
STORE = MemoryStore("fuzzed")
EVENTS: list[str] = []
SESSIONS = Sessions(STORE, clock=CLOCK, observer=lambda event, _: EVENTS.append(event))
IN_COOKIE = Sessions.in_cookie(RING, clock=CLOCK, observer=lambda event, _: EVENTS.append(event))
SMALL = 1500  # bytes of a record that fits into a cookie after all that is done to it
EMPTY = [1, b"", 0, NOW, NOW, {}, {}, []]
DEEP = b"\x91" * 1000 + b"\xc0"
INSIDE = [DEEP, b"\xc0", b"\xc4\x00", b"\x80", CODEC.encode(10**400), CODEC.encode([10**400])]
WHOLE = ormsgpack.packb(FIELDS)


def records(data: bytes) -> None:
    """Assert it of `data`, of a record with these edits, and of one with `data` inside."""
    for raw in (data, edited(WHOLE, data), inside(data[:1], data[1:])):
        assert_decoded(raw)
        assert_visited(raw)


def inside(which: bytes, data: bytes) -> bytes:
    """Return a record of ours but for one part, which is `data`."""
    parts = [ormsgpack.packb(field) for field in FIELDS]
    at = int.from_bytes(which) % (len(parts) + 3)
    if at < len(parts):
        parts[at] = data
    elif at == len(parts):  # whole but unread until they are touched
        parts[6] = ormsgpack.packb(dict.fromkeys(("cart", "visits", "new"), data))
        parts[7] = ormsgpack.packb([[b"1", "f:", data], [b"2", "n:job", data]])
    elif at == len(parts) + 1:
        parts[6] = b"\x81\xa4cart" + data
    else:
        parts[5] = b"\x81\xa4user" + data
    return b"\x98" + b"".join(parts)


RECORDS = [
    WHOLE,
    ormsgpack.packb(EMPTY),
    encode_note(TARGET),
    *ENCODINGS,
    *(inside(bytes([at]), data) for at in range(11) for data in INSIDE),
]


def assert_decoded(raw: bytes) -> None:
    """Assert that what was decoded can be written, and then says the same."""
    found = decode(raw)
    if isinstance(found, Note):
        assert is_id(found.target)
    elif found is not None:
        again = encode(found)
        repeated = decode(again)
        assert isinstance(repeated, Record)
        assert encode(repeated) == again


def assert_visited(raw: bytes) -> None:
    """Assert that a visit goes on and ends with a session that can be read, wherever it is kept."""
    found, token = decode(raw), new_token()
    CLOCK.now = found.seen if isinstance(found, Record) else NOW
    STORE.put(f"s:{id_of(token)}", raw)
    assert_goes_on(SESSIONS, token, corrupt=found is None)
    for key in list(STORE.scan()):
        STORE.delete(key)
    if len(raw) < SMALL:
        corrupt = not isinstance(found, Record)
        assert_goes_on(IN_COOKIE, SEAL.seal_text(raw, BOUND), corrupt=corrupt)


def assert_goes_on(sessions: Sessions, token: str, *, corrupt: bool) -> None:
    """Assert it of the session under `token`."""
    EVENTS.clear()
    sessions.commit(_looked_at(sessions.load(token)))
    assert ("session.corrupt" in EVENTS) or not corrupt
    tabs = [_written_to(sessions.load(token)) for _ in range(2)]
    for tab in tabs:  # the second is done again to what the first left
        token = sessions.commit(_looked_at(tab)).token or token
    last = sessions.load(token)
    assert last.is_new or last["own"] == 1


def _looked_at(session: Session) -> Session:
    """Look at everything there is."""
    assert repr(session).startswith("<Session")
    assert len(session) == len(dict(session)) == len(list(session))
    for name in ("cart", "visits", "wide", "new", "none"):
        assert (name in session) == (session.get(name, ...) is not ...)
    assert session.user is None or isinstance(session.user, str | int)
    assert session.expires >= session.seen >= 0 <= session.created
    assert isinstance(session.fresh_for(60), bool)
    assert not session.check_csrf("A" * 86)
    assert isinstance(session.peek_flash(), list)
    return session


def _written_to(session: Session) -> Session:
    """Do to it what can be done."""
    session["own"] = 1
    session.pop("cart", None)
    for name in ("visits", "new"):
        if type(session.get(name)) is list:
            session.append(name, "one more")
        elif type(session.get(name)) in (int, float) or name not in session:
            with suppress(OverflowError):  # as for any int of Python
                session.increment(name, 0.5)
    session.take("job")
    session.pop_flash()
    session.flash("again")
    assert session.check_csrf(session.csrf_token())
    return session
