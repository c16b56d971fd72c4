"""Bytes as text for cookies: one text for each, and nothing but that text is read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lossless_values import unhurried

from holdfast.codec.text import from_text, to_text
from holdfast.errors import CodecError

SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@unhurried
@given(st.binary(max_size=200))
def test_bytes_come_back_from_cookie_safe_text(data: bytes) -> None:
    text = to_text(data)
    assert re.fullmatch(r"[A-Za-z0-9_-]*", text)
    assert from_text(text) == data


@unhurried
@given(st.text(alphabet=SIGNS + "+/= \n\0é", max_size=12))
def test_only_the_one_text_is_read(text: str) -> None:
    try:
        data = from_text(text)
    except CodecError:
        return
    assert to_text(data) == text


def test_of_the_last_sign_only_one_form_is_read() -> None:
    read = []
    for last in SIGNS:
        try:
            read.append(from_text("A" + last))
        except CodecError:
            continue
    assert len(read) == 4
    assert len(set(read)) == 4


@pytest.mark.parametrize(
    "text",
    [
        *("A", "AAAAA", "AA==", "AA=", "AAA=", "=", "AB", "AAB"),
        *("AA A", " AAAA", "AAAA\n", "AAAA\0", "AA\u2028A", "\ud800AAA", "AAÄA"),
        *("A+A_", "A/AA", "!AAA"),
    ],
)
def test_every_other_form_is_refused(text: str) -> None:
    with pytest.raises(CodecError):
        from_text(text)
