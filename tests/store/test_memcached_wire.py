"""What memcached's store decides without a server: replies, the ends of rows, shares of keys."""

import random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from holdfast.store.memcached import expiry, wire
from holdfast.store.memcached.nodes import Node, Nodes
from holdfast.store.memcached.wire import Garbled, Reader, Refusal, Request, Row

FETCH = wire.fetch(("a", "b"))
LINE = wire.store(b"set", "a", b"", (0, 0))
AWKWARD = st.sampled_from([b"", b"END\r\n", b"\r\n", b"VALUE a 0 1 1\r\nx\r\nEND\r\n", b"v" * 3000])


def reply_of(said: bytes, request: Request) -> object:
    reader = Reader()
    reader.feed(said)
    return reader.take(request)


@given(AWKWARD | st.binary(max_size=50), AWKWARD, st.lists(st.integers(1, 40)))
def test_replies_may_be_cut_anywhere(first: bytes, second: bytes, cuts: list[int]) -> None:
    said = b"VALUE a 7 %d 12\r\n%b\r\nVALUE b 0 %d 13\r\n%b\r\nEND\r\nSTORED\r\n" % (
        *(len(first), first),
        *(len(second), second),
    )
    reader, replies, asked = Reader(), [], [FETCH, LINE]
    while said or asked:
        piece = cuts.pop() if cuts else max(len(said), 1)
        reader.feed(said[:piece])
        said = said[piece:]
        while asked and (reply := reader.take(asked[0])) is not None:
            replies.append(reply)
            asked.pop(0)
    assert replies == [{"a": Row(first, 7, b"12"), "b": Row(second, 0, b"13")}, b"STORED"]
    assert reader.empty


@pytest.mark.parametrize(
    "said",
    [
        b"VALUE c 0 1 1\r\nx\r\nEND\r\n",
        b"VALUE a 0 1 1\r\nxyz\r\nEND\r\n",
        b"VALUE a 0 -1 1\r\nx\r\nEND\r\n",
        b"VALUE a 0 2000000000 1\r\nx",
        b"VALUE a 0 one 1\r\nx\r\nEND\r\n",
        b"VALUE a 0 1\r\nx\r\nEND\r\n",
        b"VALUE \xff 0 1 1\r\nx\r\nEND\r\n",
        b"VALUE a 0 1 x\r\nx\r\nEND\r\n",
        b"STORED\r\n",
        b"\r\n",
        b"x" * 5000,
    ],
    ids=range(11),
)
def test_what_answers_no_fetch_is_garbled(said: bytes) -> None:
    with pytest.raises(Garbled):
        reply_of(said, FETCH)


def test_a_refusal_is_a_reply_of_its_own() -> None:
    for request in (FETCH, LINE):
        for words, in_step in (
            ("SERVER_ERROR out of memory", True),
            ("CLIENT_ERROR line too long", False),
            ("ERROR", False),
        ):
            reply = reply_of(words.encode() + b"\r\n", request)
            assert isinstance(reply, Refusal)
            assert (str(reply), reply.in_step) == (words, in_step)


@given(st.floats(0.02, 300), st.floats(0, 2e9))
def test_a_short_ttl_ends_to_the_hundredth(ttl: float, now: float) -> None:
    flags, seconds = expiry.mark(ttl, now)
    assert ttl + 1 < seconds <= ttl + 3, "the server's clock may be a second late"
    assert flags < 1 << 32
    assert flags & 0xFFFF == 0, "other programs keep types there"
    assert not expiry.is_over(flags, now)
    assert not expiry.is_over(flags, now + ttl - 0.02)
    assert expiry.is_over(flags, now + ttl + 0.001)
    assert expiry.is_over(flags, now + ttl + 5), "longer than the server keeps it"


@given(st.floats(0.02, 300), st.floats(10, 300))
def test_a_reader_whose_clock_is_wrong_believes_the_server(ttl: float, wrong: float) -> None:
    now = 1_800_000_000.0
    flags, _ = expiry.mark(ttl, now)
    assert not expiry.is_over(flags, now - wrong)
    assert not expiry.is_over(flags, now + ttl + wrong)


def test_a_long_ttl_is_in_the_words_of_the_server() -> None:
    day = 24 * 3600
    assert expiry.mark(None, 1e9) == (0, 0)
    assert expiry.mark(300.5, 1e9) == (0, 300)
    assert expiry.mark(30 * day, 1e9) == (0, 30 * day)
    assert expiry.mark(31 * day, 1e9) == (0, 1_000_000_000 + 31 * day)
    assert expiry.mark(1e12, 1e9) == (0, 0), "a server cannot count that far"
    assert expiry.mark(float("inf"), 1e9) == (0, 0)


def test_rows_of_other_programs_have_no_exact_end() -> None:
    for flags in (0, 1, 2, 16, 0xFFFF, 0x0001_0001, 0xFFFF_0004):
        assert not any(expiry.is_over(flags, second / 2) for second in range(2000))


KEYS = [f"session:{number}" for number in range(3000)]


def test_a_new_server_takes_its_share_and_moves_nothing_else() -> None:
    old = [Node("a", 1), Node("b", 1), Node("c", 1)]
    before, after = Nodes(old), Nodes([*old, Node("d", 1)])
    moved = [key for key in KEYS if before.of(key) != after.of(key)]
    assert {after.of(key) for key in moved} == {Node("d", 1)}
    assert len(KEYS) * 0.2 < len(moved) < len(KEYS) * 0.3


def test_the_order_of_the_servers_is_nothing() -> None:
    nodes = [Node("a", 1), Node("a", 2), Node("b", 1)]
    shuffled = random.Random(1).sample(nodes * 2, 6)  # noqa: S311 - no secret
    assert all(Nodes(nodes).of(key) == Nodes(shuffled).of(key) for key in KEYS)
    split = Nodes(nodes).split([*KEYS, *KEYS])
    assert sorted(key for keys in split.values() for key in keys) == sorted(KEYS)
    assert all(Nodes(nodes).of(key) == node for node, keys in split.items() for key in keys)


def test_a_key_s_server_is_the_same_for_ever() -> None:
    nodes = Nodes([Node("cache-1", 11211), Node("cache-2", 11211), Node("cache-3", 11211)])
    shares = [nodes.of(f"k{number}").host[-1] for number in range(12)]
    assert "".join(shares) == "132133121311", "a new release would lose every key"
