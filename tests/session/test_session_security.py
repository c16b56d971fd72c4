"""Security items of sessions, by their numbers."""

import hashlib
import pickle
from collections.abc import Mapping
from itertools import pairwise

import ormsgpack
import pytest
from counting import CountingStore

from holdfast.codec.msgpack import Msgpack
from holdfast.errors import StoreUnavailable
from holdfast.session import Outcome, Session, Sessions
from holdfast.session.data import Record, decode, encode
from holdfast.session.token import id_of, new_token
from holdfast.testing.clock import ManualClock

NOTHING = Outcome(None, None, expire=False)
Events = list[tuple[str, Mapping[str, object]]]

MALFORMED = {
    "empty": "",
    "spaces": " " * 43,
    "one character": "a",
    "10 kB": "a" * 10_000,
    "one too few": "A" * 42,
    "one too many": "A" * 44,
    "padded": "A" * 43 + "=",
    "another spelling of the same bytes": "A" * 42 + "B",
    "path": "../" * 14 + "A",
    "star": "*" * 43,
    "nul": "A" * 42 + "\0",
    "newline at the end": "A" * 43 + "\n",
    "crlf": "A" * 41 + "\r\n",
    "not ascii": "é" * 43,
    "surrogate": "\ud800" * 43,
    "other digits": "\u0661" * 43,
    "an id": "a" * 64,
    "standard base64": "+/" * 21 + "A",
}


def stored(sessions: Sessions, **values: object) -> str:
    session = sessions.load(None)
    session.update(values or {"a": 1})
    token = sessions.commit(session).token
    assert token is not None
    return token


def raw_of(store: CountingStore, token: str) -> bytes:
    raw = store.get(f"s:{id_of(token)}")
    assert raw is not None
    return raw


def put_raw(store: CountingStore, token: str, raw: bytes) -> None:
    store.put(f"s:{id_of(token)}", raw, 1000)


def test_item_01_tokens_are_256_random_bits() -> None:
    tokens = {new_token() for _ in range(200)}
    assert len(tokens) == 200
    assert {len(token) for token in tokens} == {43}
    assert all(id_of(token) is not None for token in tokens)


def test_item_02_an_unknown_token_is_never_taken_over(
    sessions: Sessions, store: CountingStore
) -> None:
    token = new_token()
    session = sessions.load(token)
    session["a"] = 1
    outcome = sessions.commit(session)
    assert outcome.token not in (None, token)
    assert store.get(f"s:{id_of(token)}") is None
    assert token not in repr(store.keys())


def test_item_03_the_token_of_a_destroyed_session_is_not_used_again(sessions: Sessions) -> None:
    token = stored(sessions)
    session = sessions.load(token)
    session.destroy()
    session["b"] = 1
    outcome = sessions.commit(session)
    assert outcome.token not in (None, token)
    assert dict(sessions.load(token)) == {}
    assert dict(sessions.load(outcome.token)) == {"b": 1}


@pytest.mark.parametrize("token", MALFORMED.values(), ids=MALFORMED)
def test_item_04_a_malformed_token_is_absent_and_asks_no_store(
    sessions: Sessions, store: CountingStore, token: str
) -> None:
    session = sessions.load(token)
    assert dict(session) == {}
    assert session.is_new
    assert not store.calls
    assert sessions.commit(session) == NOTHING


@pytest.mark.parametrize("token", MALFORMED.values(), ids=MALFORMED)
def test_item_04_nor_is_it_unsealed(in_cookie: Sessions, token: str) -> None:
    session = in_cookie.load(token)
    assert dict(session) == {}
    assert in_cookie.commit(session) == NOTHING


def test_item_05_made_up_tokens_write_nothing(sessions: Sessions, store: CountingStore) -> None:
    for _ in range(100):
        session = sessions.load(new_token())
        assert session.get("a") is None
        assert sessions.commit(session) == NOTHING
    assert store.calls == {"get": 100}


@pytest.mark.parametrize("act", [Session.logout, Session.clear, Session.destroy])
def test_item_06_logging_out_nobody_writes_nothing(sessions: Sessions, act: object) -> None:
    assert callable(act)
    for token in (None, "garbage", new_token()):
        session = sessions.load(token)
        act(session)
        assert sessions.commit(session) == NOTHING
    assert isinstance(sessions.store, CountingStore)
    assert sessions.store.keys() == []


def test_item_08_a_login_rotates_keeps_data_and_replaces_the_csrf_token(sessions: Sessions) -> None:
    token = stored(sessions, cart=["tea"])
    session = sessions.load(token)
    form = session.csrf_token()
    assert session.check_csrf(form)
    session.login("ann", label="laptop")
    outcome = sessions.commit(session)
    assert outcome.token not in (None, token)
    assert dict(sessions.load(token)) == {}
    after = sessions.load(outcome.token)
    assert dict(after) == {"cart": ["tea"]}
    assert after.user == "ann"
    assert not after.check_csrf(form)
    assert after.check_csrf(after.csrf_token())


def test_item_08_a_login_of_another_user_starts_empty(either: Sessions) -> None:
    session = either.load(None)
    session.login("ann")
    session["anns"] = 1
    session.flash("for ann")
    token = either.commit(session).token
    session = either.load(token)
    session.login("bob")
    assert dict(session) == {}
    session["bobs"] = 1
    after = either.load(either.commit(session).token)
    assert dict(after) == {"bobs": 1}
    assert after.pop_flash() == []
    assert after.user == "bob"


def test_item_08_a_second_login_of_the_same_user_keeps_data(either: Sessions) -> None:
    session = either.load(None)
    session.login(7)
    session["a"] = 1
    session = either.load(either.commit(session).token)
    session.login(7)
    after = either.load(either.commit(session).token)
    assert after.user == 7
    assert dict(after) == {"a": 1}


@pytest.mark.parametrize("user", ["", None, True, 1.5, b"ann", 2**63])
def test_item_08_a_user_has_a_name_or_a_number(sessions: Sessions, user: object) -> None:
    with pytest.raises((TypeError, ValueError), match="login"):
        sessions.load(None).login(user)  # type: ignore[arg-type]


def test_item_10_after_a_logout_the_old_token_is_nobody(
    sessions: Sessions, store: CountingStore
) -> None:
    token = stored(sessions)
    session = sessions.load(token)
    session.login("ann")
    token = sessions.commit(session).token or ""
    session = sessions.load(token)
    session.logout()
    assert session.user is None
    assert dict(session) == {}
    assert sessions.commit(session) == Outcome(None, None, expire=True)
    assert sessions.load(token).user is None
    keys = store.keys()
    assert f"s:{id_of(token)}" not in keys


def test_item_10_what_is_written_after_a_logout_is_in_a_new_session(either: Sessions) -> None:
    token = stored(either, a=1)
    session = either.load(token)
    session.logout()
    session.flash("bye")
    outcome = either.commit(session)
    assert outcome.token not in (None, token)
    assert not outcome.expire
    assert either.load(outcome.token).pop_flash() == ["bye"]


@pytest.mark.parametrize("advance", [0, 100], ids=["write", "touch"])
def test_item_11_a_request_that_ends_after_a_logout_brings_nothing_back(
    sessions: Sessions, store: CountingStore, clock: ManualClock, advance: float
) -> None:
    token = stored(sessions)
    late = sessions.load(token)
    assert late["a"] == 1
    if not advance:
        late["a"] = 2
    out = sessions.load(token)
    out.logout()
    sessions.commit(out)
    clock.advance(advance)
    assert sessions.commit(late) == NOTHING
    assert store.keys() == []


def test_item_12_a_request_that_ends_after_a_rotation_writes_to_the_new_record(
    sessions: Sessions,
) -> None:
    token = stored(sessions)
    late = sessions.load(token)
    late["late"] = 1
    turn = sessions.load(token)
    turn.rotate()
    new = sessions.commit(turn).token
    assert sessions.commit(late) == NOTHING
    assert dict(sessions.load(new)) == {"a": 1, "late": 1}
    assert dict(sessions.load(token)) == {}


def test_item_30_a_token_is_sent_only_when_the_client_does_not_hold_it(either: Sessions) -> None:
    token = stored(either)
    for _ in range(3):
        session = either.load(token)
        assert session["a"] == 1
        assert either.commit(session) == NOTHING


def test_item_31_a_changed_cookie_is_nobody(in_cookie: Sessions) -> None:
    token = stored(in_cookie, a=1)
    for at in range(0, len(token), 7):
        other = "A" if token[at] != "A" else "B"
        session = in_cookie.load(token[:at] + other + token[at + 1 :])
        assert dict(session) == {}


def test_item_40_no_token_stands_in_the_store(sessions: Sessions, store: CountingStore) -> None:
    tokens = [stored(sessions, n=number) for number in range(3)]
    everything = b"".join(
        key.encode() + (store.get(key) or b"")
        for key in store.keys()  # noqa: SIM118 - a method
    )
    for token in tokens:
        assert token.encode() not in everything
        assert sessions.load(hashlib.sha256(token.encode()).hexdigest()).is_new
    for key in store.keys():  # noqa: SIM118 - a method of ours
        assert sessions.load(key.removeprefix("s:")).is_new


class Trap:
    """Its pickle would call this."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("executed",)


def bombs() -> dict[str, bytes]:
    good = [1, b"r" * 16, 0, 1e6, 1e6, {}, {}, []]

    def but(at: int, value: object) -> bytes:
        return ormsgpack.packb([*good[:at], value, *good[at + 1 :]])

    return {
        "empty": b"",
        "garbage": b"\xc1\xff\x00",
        "text": b"hello",
        "json": b'{"a": 1}',
        "pickle": pickle.dumps(Trap()),
        "deep": b"\x91" * 5000,
        "long array": b"\xdd\xff\xff\xff\xff",
        "long map": b"\xdf\xff\xff\xff\xff",
        "other version": but(0, 2),
        "version": but(0, "1"),
        "rev": but(1, "r"),
        "gen": but(2, None),
        "created nan": but(3, float("nan")),
        "created infinite": but(3, float("inf")),
        "seen text": but(4, "now"),
        "reserved": but(5, []),
        "data": but(6, []),
        "messages": but(7, {}),
        "message": but(7, [[1]]),
        "message parts": but(7, [[b"1", b"f:", b"x"]]),
        "names": but(6, None),
        "too few": ormsgpack.packb(good[:-1]),
        "too many": ormsgpack.packb([*good, 1]),
        "note to a number": ormsgpack.packb([1, 5, 0.0]),
        "note to no id": ormsgpack.packb([1, "a b", 0.0]),
        "note to a long name": ormsgpack.packb([1, "a" * 300, 0.0]),
        "note to nowhere": ormsgpack.packb([1, "", 0.0]),
        "note for ever": ormsgpack.packb([1, "ab" * 32, float("inf")]),
        "note without time": ormsgpack.packb([1, "ab" * 32, "soon"]),
        "note of old": ormsgpack.packb([1, "ab" * 32]),
        "gen that cannot grow": but(2, 2**64 - 1),
        "truncated": ormsgpack.packb(good)[:-1],
    }


@pytest.mark.parametrize("raw", bombs().values(), ids=bombs())
def test_item_41_42_44_a_corrupt_record_is_a_new_session_and_an_event(
    sessions: Sessions, store: CountingStore, events: Events, raw: bytes, capsys: object
) -> None:
    token = stored(sessions)
    put_raw(store, token, raw)
    session = sessions.load(token)
    assert dict(session) == {}
    assert session.user is None
    assert events == [("session.corrupt", {"handle": id_of(token)})]
    assert sessions.commit(session) == NOTHING
    session = sessions.load(token)
    session["b"] = 1
    outcome = sessions.commit(session)
    assert dict(sessions.load(outcome.token)) == {"b": 1}
    assert isinstance(capsys, pytest.CaptureFixture)
    assert capsys.readouterr().out == ""


def test_item_44_a_record_that_turns_corrupt_under_a_commit_drops_it(
    sessions: Sessions, store: CountingStore
) -> None:
    token = stored(sessions)
    session = sessions.load(token)
    session["b"] = 1
    put_raw(store, token, b"\xc1")
    assert sessions.commit(session) == NOTHING


@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize("value", [b"\xc1", b"", "text", 5, None, [], {}, b"\x91" * 3000])
def test_item_44_one_corrupt_value_is_absent_and_the_rest_is_there(
    store: CountingStore, clock: ManualClock, events: Events, value: object, codec: str
) -> None:
    sessions = Sessions(
        store, clock=clock, codec=codec, observer=lambda event, of: events.append((event, of))
    )
    token = stored(sessions, good=1, bad=2)
    array = ormsgpack.unpackb(raw_of(store, token))
    array[6]["bad"] = value
    put_raw(store, token, ormsgpack.packb(array))
    session = sessions.load(token)
    assert dict(session) == {"good": 1}
    assert "bad" not in session
    assert session.get("bad") is None
    assert not session.changed
    session.increment("bad")
    session["other"] = 1
    sessions.commit(session)
    assert ("session.corrupt", {"handle": id_of(token), "name": "bad"}) in events
    assert dict(sessions.load(token)) == {"good": 1, "other": 1, "bad": 1}


@pytest.mark.parametrize(
    "reserved",
    [{"csrf": 5}, {"user": []}, {"login": "x"}, {"csrf": b""}, {"csrf": b"c"}, {"csrf": b"c" * 40}],
)
def test_item_44_our_own_fields_are_not_trusted_either(
    sessions: Sessions, store: CountingStore, reserved: dict[str, object]
) -> None:
    token = stored(sessions)
    record = decode(raw_of(store, token))
    assert isinstance(record, Record)
    put_raw(store, token, encode(record._replace(reserved=reserved)))
    session = sessions.load(token)
    assert session["a"] == 1
    assert session.user is None
    assert not session.fresh_for(10)
    assert not session.check_csrf("A" * 86)
    assert session.check_csrf(session.csrf_token())
    sessions.commit(session)


def test_item_44_what_is_no_value_is_no_matter_when_two_requests_meet(
    sessions: Sessions, store: CountingStore
) -> None:
    token = stored(sessions, a=1, bad=2)
    array = ormsgpack.unpackb(raw_of(store, token))
    array[6]["bad"] = [1]
    put_raw(store, token, ormsgpack.packb(array))
    one, other = sessions.load(token), sessions.load(token)
    other["bad"] = 1
    one["a"] = 2
    sessions.commit(other)
    sessions.commit(one)
    assert dict(sessions.load(token)) == {"a": 2, "bad": 1}


def test_item_44_a_message_that_cannot_be_read_is_left_out(
    sessions: Sessions, store: CountingStore
) -> None:
    session = sessions.load(None)
    session.flash("one")
    session.flash("two")
    token = sessions.commit(session).token or ""
    array = ormsgpack.unpackb(raw_of(store, token))
    array[7][0][2] = b"\xc1"
    put_raw(store, token, ormsgpack.packb(array))
    session = sessions.load(token)
    assert session.pop_flash() == ["two"]


def test_item_45_two_tabs(sessions: Sessions, events: Events) -> None:
    token = stored(sessions, cart=[], visits=0, both=0)
    one, other = sessions.load(token), sessions.load(token)
    for tab, session in enumerate([one, other]):
        session[f"tab{tab}"] = 1
        session.append("cart", tab)
        session.increment("visits")
        session["both"] = tab + 1
    sessions.commit(one)
    sessions.commit(other)
    assert dict(sessions.load(token)) == {
        "cart": [0, 1],
        "visits": 2,
        "both": 2,
        "tab0": 1,
        "tab1": 1,
    }
    assert [event for event, _ in events] == ["session.conflict_merged", "session.conflict_dropped"]
    assert events[1][1]["names"] == ["both"]


def test_item_45_flash_and_take_are_claimed_at_the_call(sessions: Sessions) -> None:
    session = sessions.load(None)
    session.flash("hi")
    session.notify("n", 1)
    token = sessions.commit(session).token
    one, other = sessions.load(token), sessions.load(token)
    assert one.peek_flash() == other.peek_flash() == ["hi"]
    assert one.pop_flash() == ["hi"]
    assert other.pop_flash() == []
    assert other.take("n") == 1
    assert one.take("n") is None


def test_item_49_nothing_shows_a_token_or_a_value(
    sessions: Sessions, store: CountingStore, events: Events, clock: ManualClock
) -> None:
    token = stored(sessions, secret="hunter22")
    tokens = [token]
    late = sessions.load(token)
    late["secret"] = "hunter33"
    shown = [repr(late), repr(sessions)]
    turn = sessions.load(token)
    turn["secret"] = "hunter44"
    turn.login("ann")
    tokens.append(sessions.commit(turn).token or "")
    sessions.commit(late)
    sessions.load(token).get("a")
    out = sessions.load(tokens[1])
    out.logout()
    sessions.commit(out)
    clock.advance(1e6)
    store.put(f"s:{id_of(token)}", b"\xc1")
    sessions.load(token).get("a")
    store.down = True
    with pytest.raises(StoreUnavailable) as caught:
        sessions.load(token).get("a")
    text = repr([events, shown, str(caught.value), repr(caught.value)])
    assert len({event for event, _ in events}) >= 5
    assert not any(secret in text for secret in [*tokens, "hunter"])


def test_item_50_csrf_tokens_are_masked_and_bound_to_the_session(either: Sessions) -> None:
    token = stored(either)
    session = either.load(token)
    forms = [session.csrf_token() for _ in range(5)]
    assert len({form[:43] for form in forms}) == len({form[43:] for form in forms}) == 5
    assert all(session.check_csrf(form) for form in forms)
    assert either.commit(session) == NOTHING  # the secret was made with the record
    assert either.load(token).check_csrf(forms[0])
    assert not either.load(stored(either)).check_csrf(forms[0])
    for bad in ("", None, 5, forms[0][:-1], forms[0] + "A", forms[0][::-1], "é" * 86, b"A" * 86):
        assert not session.check_csrf(bad)


def test_item_50_a_new_session_checks_nothing_and_a_token_makes_it_stored(either: Sessions) -> None:
    session = either.load(None)
    assert not session.check_csrf("A" * 86)
    form = session.csrf_token()
    assert session.check_csrf(form)
    token = either.commit(session).token
    assert token is not None
    assert either.load(token).check_csrf(form)
    assert dict(either.load(token)) == {}


def test_item_52_an_error_writes_no_data_but_what_was_asked_as_a_whole(either: Sessions) -> None:
    token = stored(either, a=1, b=[1])
    session = either.load(token)
    session["a"] = 2
    session["b"].append(2)
    session.flash("hi")
    assert either.commit(session, failed=True) == NOTHING
    assert dict(either.load(token)) == {"a": 1, "b": [1]}

    session = either.load(token)
    session["a"] = 2
    session.login("ann")
    after = either.load(either.commit(session, failed=True).token)
    assert after.user == "ann"
    assert dict(after) == {"a": 1, "b": [1]}
    after["c"] = 1
    after.logout()
    after["d"] = 1
    assert either.commit(after, failed=True) == Outcome(None, None, expire=True)


def test_item_52_an_error_stores_no_new_session(sessions: Sessions, store: CountingStore) -> None:
    session = sessions.load(None)
    session["a"] = 1
    session.csrf_token()
    assert sessions.commit(session, failed=True) == NOTHING
    assert store.keys() == []


def test_item_52_what_cannot_be_encoded_does_not_stop_a_logout(sessions: Sessions) -> None:
    token = stored(sessions)
    session = sessions.load(token)
    session.logout()
    session["odd"] = object()
    with pytest.raises(Exception, match="odd"):
        sessions.commit(session)
    assert sessions.load(token).is_new


def test_item_54_without_the_store(
    sessions: Sessions, store: CountingStore, clock: ManualClock, events: Events
) -> None:
    token = stored(sessions)
    touching = sessions.load(token)
    assert touching["a"] == 1
    clock.advance(100)
    store.down = True
    assert sessions.commit(touching) == NOTHING  # a touch fails nobody
    assert events[-1][0] == "session.touch_failed"
    with pytest.raises(StoreUnavailable):
        sessions.load(token).get("a")
    session = sessions.load(None)
    assert dict(session) == {}
    session["a"] = 1
    with pytest.raises(StoreUnavailable):
        sessions.commit(session)
    store.down = False
    assert sessions.load(token)["a"] == 1


def test_values_are_canonical_so_an_older_codec_is_no_change(
    sessions: Sessions, store: CountingStore
) -> None:
    """The same value in other bytes: read, handed out, and not written."""
    token = stored(sessions, n=[1])
    array = ormsgpack.unpackb(raw_of(store, token))
    array[6]["n"] = b"\xdc\x00\x01\x01"  # a list of one in the longer form
    assert Msgpack().decode(array[6]["n"]) == [1]
    put_raw(store, token, ormsgpack.packb(array))
    store.calls.clear()
    session = sessions.load(token)
    assert session["n"] == [1]
    sessions.commit(session)
    assert store.calls == {"get": 1}


def test_each_login_has_a_token_of_its_own(sessions: Sessions) -> None:
    tokens: list[str | None] = [stored(sessions)]
    for _ in range(4):
        session = sessions.load(tokens[-1])
        session.login("ann")
        tokens.append(sessions.commit(session).token)
    assert all(one != other for one, other in pairwise(tokens))
    assert [sessions.load(token).user for token in tokens] == [None, None, None, None, "ann"]
