"""Items 41 to 43 of the security list: foreign bytes where a record or a value should be."""

import pickle
import secrets
import tracemalloc
import zlib
from typing import Any

import ormsgpack
import pytest
from visited_site import NAME, Place, Visit, everywhere, stored, visiting

from holdfast import ConfigError, Sessions
from holdfast.codec import Chain
from holdfast.codec.compress import Compress
from holdfast.codec.msgpack import Msgpack
from holdfast.codec.pickle import UnsafePickle
from holdfast.codec.text import from_text
from holdfast.errors import CodecError
from holdfast.session.data import Record, encode
from holdfast.signing import KeyRing

visit = pytest.fixture(visiting)

MEGABYTE = 1_000_000
codecs = pytest.mark.parametrize("codec", ["msgpack", "json"])
BOMBS = {
    "json": {
        "deep lists": b"[" * 1500,
        "deep and closed": b"[" * 300 + b"]" * 300,
        "deep objects": b'{"a":' * 300 + b"1" + b"}" * 300,
        "an int of many digits": b"9" * 2600,
        "an int of few digits less": b"9" * 2490,
        "a float beyond floats": b"1e999",
        "NaN": b"NaN",
        "infinity": b"-Infinity",
        "a name twice": b'{"a":1,"a":2}',
        "half a character": b'"\\ud800"',
        "not UTF-8": b'"\xff"',
        "two values": b"1 2",
        "nothing": b"",
    },
    "msgpack": {
        "deep arrays": b"\x91" * 1500 + b"\x01",
        "deeper than is written": b"\x91" * 256 + b"\x01",
        "deep maps": b"\x81\xa1a" * 400 + b"\x01",
        "an array of four billion": b"\xdd\xff\xff\xff\xff",
        "a map of four billion": b"\xdf\xff\xff\xff\xff",
        "a text of four gigabytes": b"\xdb\xff\xff\xff\xffa",
        "bytes of four gigabytes": b"\xc6\xff\xff\xff\xffa",
        "an int in a longer form": b"\xc7\x12\x01" + bytes(9) + b"\x01" * 9,
        "a set with twins": b"\x93\xd4\x11\xc1\x01\x01",
        "a dict with a name twice": b"\x95\xd4\x13\xc1\x01\x01\x01\x01",
        "half a character": b"\xa3\xed\xa0\x80",
        "an unknown extension": b"\xd4\x63a",
        "two values": b"\x01\x01",
        "nothing": b"",
    },
}
RAN: list[str] = []


def run(word: str) -> str:
    RAN.append(word)
    return word


class Evil:
    """Whoever unpickles it runs what it says."""

    def __reduce__(self) -> tuple[Any, ...]:
        return run, ("evil",)


def row(now: float, **values: bytes) -> bytes:
    """Return a record as we write it, with these encoded values."""
    return encode(Record(b"r" * 32, 0, now, now, {}, values, []))


@everywhere
@codecs
def test_item_41_nothing_that_is_read_runs(visit: Visit, place: Place, codec: str) -> None:
    site = visit(place, codec=codec)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        evil = pickle.dumps(Evil(), protocol)
        for raw in (evil, row(site.clock(), name=evil)):
            site.events.clear()
            answer = site.ask(site.planted(raw))
            assert (answer.status, answer.body, RAN) == (200, b"nobody", [])
            assert "session.corrupt" in site.events
    assert pickle.loads(evil) == RAN.pop() == "evil", "else all this proves nothing"  # noqa: S301


def test_item_41_pickle_is_imported_by_a_name_that_warns_and_reads_what_was_sealed() -> None:
    with pytest.raises(ConfigError, match="UnsafePickle"):
        Sessions("memory://", codec="pickle")
    codec = UnsafePickle(KeyRing(secrets.token_bytes(32)))
    evil = pickle.dumps(Evil())
    for data in (evil, UnsafePickle(KeyRing(secrets.token_bytes(32))).encode(Evil())):
        with pytest.raises(CodecError):
            codec.decode(data)
    assert RAN == []
    assert codec.decode(codec.encode({1: {2, 3}})) == {1: {2, 3}}


@everywhere
@codecs
def test_item_42_a_bomb_is_a_value_that_is_not_there(
    visit: Visit, place: Place, codec: str
) -> None:
    site = visit(place, codec=codec)
    for what, bomb in BOMBS[codec].items():
        site.events.clear()
        visitor = site.visitor()
        visitor.cookies[NAME] = site.planted(row(site.clock(), name=bomb))
        for _ in range(2):
            answer = visitor.get("/")
            assert (answer.status, answer.body) == (200, b"nobody"), what
        assert "session.corrupt" in site.events, what
        assert visitor.get("/write").body == b"ada", what
        assert visitor.get("/").body == b"ada", what


@everywhere
def test_item_42_a_bomb_in_place_of_a_record_is_a_new_session(visit: Visit, place: Place) -> None:
    site = visit(place)
    now = site.clock()
    fields: list[Any] = [1, b"r" * 16, 0, now, now, {}, {}, []]
    bombs = [
        b"\x91" * 1500,
        b"\x98" + b"\xdd\xff\xff\xff\xff" * 8,
        ormsgpack.packb([*fields[:3], float("nan"), *fields[4:]]),
        ormsgpack.packb([*fields[:4], float("inf"), *fields[5:]]),
        ormsgpack.packb([*fields[:2], 2**64 - 1, *fields[3:]]),
        ormsgpack.packb([*fields[:5], {"user": 1}, {}, [[b"id", "f:", 1]]]),
        ormsgpack.packb(fields[:5]) + b"\x91" * 600 + b"\x01",
        # read is deeper than written
        b"\x98" + b"".join(map(ormsgpack.packb, fields[:5])) + b"\x81\xa1a" * 600 + b"\x01\x80\x90",
    ]
    for raw in bombs:
        site.events.clear()
        visitor = site.visitor()
        visitor.cookies[NAME] = site.planted(raw)
        answer = visitor.get("/")
        assert (answer.status, answer.body) == (200, b"nobody"), raw
        assert "session.corrupt" in site.events, raw
        assert [visitor.get(path).status for path in ("/write", "/rotate", "/login")] == [200] * 3
        assert visitor.get("/").body == b"ada"


@stored
def test_item_43_what_unfolds_is_bounded(visit: Visit, place: Place) -> None:
    site = visit(place, codec=Chain(Msgpack(), Compress(max_bytes=MEGABYTE // 10)))
    for size, good in ((MEGABYTE // 20, True), (20 * MEGABYTE, False)):
        short = b"\x01" + zlib.compress(Msgpack().encode("x" * size), 9)
        token = site.planted(row(site.clock(), name=short))
        tracemalloc.start()
        try:
            answer = site.ask(token)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert answer.status == 200
        assert answer.body == (b"x" * size if good else b"nobody")
        assert most < 2 * MEGABYTE
    assert site.events[-1] == "session.corrupt"


@everywhere
def test_item_43_nothing_is_compressed_unless_that_is_asked_for(visit: Visit, place: Place) -> None:
    """CRIME: a length that depends on what is alike tells the secret beside it."""
    site, sizes = visit(place), set()
    for text in ("a" * 1500, secrets.token_hex(750)):

        def view(session: Any, _path: str, text: str = text) -> object:
            session["name"] = text
            return "written"

        visitor = site.visitor(view)
        visitor.get("/")
        token = visitor.cookies[NAME]
        if site.sessions.store is None:
            sizes.add(len(from_text(token)))
        else:
            [handle] = site.records()
            sizes.add(len(site.rows()[f"s:{handle}"]))
            site.sessions.destroy(handle)
    assert len(sizes) == 1
