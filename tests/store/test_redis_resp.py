"""The parser of replies in Python answers as hiredis does, wherever the bytes are cut."""

from itertools import pairwise
from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import exceptions as driver

from holdfast.store.redis.resp import NOTHING, Parser, PureParser, new_parser

TEXTS = st.binary(max_size=20)


def packed(value: Any) -> bytes:
    """Return `value` as a server of RESP3 writes it."""
    if value is None:
        return b"_\r\n"
    if isinstance(value, bool):
        return b"#t\r\n" if value else b"#f\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    return b"*%d\r\n" % len(value) + b"".join(map(packed, value))


REPLIES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


def fed(parser: Parser, data: bytes, cuts: list[int]) -> list[Any]:
    """Return what comes out when `data` comes in pieces."""
    found: list[Any] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        parser.feed(data[start:end])
        while (reply := parser.gets()) is not NOTHING:
            found.append(reply)
    return found


@given(st.lists(REPLIES, max_size=5), st.lists(st.integers(0, 500), max_size=6))
def test_it_reads_what_hiredis_reads(replies: list[Any], cuts: list[int]) -> None:
    data = b"".join(map(packed, replies))
    assert fed(PureParser(), data, cuts) == fed(new_parser(), data, cuts) == replies


@pytest.mark.parametrize("make", [PureParser, new_parser])
def test_pushes_and_refusals(make: Any) -> None:
    data = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n+PONG\r\n-ERR no\r\n$-1\r\n*-1\r\n,1.5\r\n"
    data += b">2\r\n$10\r\ninvalidate\r\n_\r\n"
    found = fed(make(), data, [7, 30])
    assert found[0] == [b"invalidate", [b"k"]]
    assert found[1] == b"PONG"
    assert isinstance(found[2], driver.ResponseError)
    assert str(found[2]) == "ERR no"
    assert found[3:] == [None, None, 1.5, [b"invalidate", None]]


@pytest.mark.parametrize("make", [PureParser, new_parser])
@pytest.mark.parametrize("data", [b"hello\r\n", b"$x\r\n", b":\r\n"])
def test_what_is_no_reply_is_an_error(make: Any, data: bytes) -> None:
    with pytest.raises(driver.InvalidResponse):
        fed(make(), data, [])


def test_hiredis_is_used_where_it_is() -> None:
    assert isinstance(new_parser(), hiredis.Reader)
