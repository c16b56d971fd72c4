"""Header fields the response cache reads: whatever is sent, nothing raises."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.web.httpcache.asked import Asked
from holdfast.web.httpcache.fields import Span, directives, instant, matches, named, span, words
from holdfast.web.httpcache.page import Page, age_at_arrival
from holdfast.web.httpcache.reply import reply
from holdfast.web.httpcache.rules import Answer, Verdict, forbids, keep_for, verdict
from holdfast.web.httpcache.settings import settled

unhurried = settings(deadline=None)  # a busy machine is no failure
LINES = st.text(st.characters(codec="latin-1"), max_size=60)
TOKENS = st.sampled_from(
    [
        "max-age",
        "s-maxage",
        "no-store",
        "private",
        "=",
        ",",
        ";",
        '"',
        "\\",
        " ",
        "5",
        "0",
        "-1",
        "W/",
    ]
)
SAID = LINES | st.lists(TOKENS, max_size=12).map("".join)
NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no-store", {"no-store": None}),
        ("Max-Age=5, PUBLIC", {"max-age": "5", "public": None}),
        ('private="a, b", max-age=1', {"private": "a, b", "max-age": "1"}),
        ("max-age=9,max-age=5,max-age=7", {"max-age": "5"}),
        (", ,no-cache,,", {"no-cache": None}),
        ("a b, no-store", {"no-store": None}),
        ("max-age = 5", {}),
        ('x="unclosed, no-store', {"x": '"unclosed', "no-store": None}),
        ("", {}),
    ],
)
def test_directives_are_read(line: str, said: dict[str, str | None]) -> None:
    assert directives(line) == said


@unhurried
@given(SAID)
def test_any_directive_can_be_read(line: str) -> None:
    for name in directives(line):
        assert 0 <= named(directives(line), name) <= 2**31


@unhurried
@given(st.lists(st.sampled_from(["no-store", "private", "x=1", "max-age=5"]), min_size=1))
def test_no_directive_is_overlooked(said: list[str]) -> None:
    found = directives(" , ".join(said))
    assert found.keys() == {one.partition("=")[0] for one in said}


@unhurried
@given(SAID, SAID)
def test_any_condition_can_be_judged(condition: str, tag: str) -> None:
    assert matches(condition, tag) in (True, False)
    when = instant(condition)
    assert when is None or math.isfinite(when)


@pytest.mark.parametrize(
    ("line", "when"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777.0),
        ("Sun Nov  6 08:49:37 1994", 784111777.0),
        ("0", None),
        ("-1", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_the_three_forms_of_dates_are_read(line: str | None, when: float | None) -> None:
    assert instant(line) == when


@unhurried
@given(SAID, st.integers(0, 1000))
def test_any_range_is_a_part_or_none(line: str, length: int) -> None:
    part = span(line, length)
    assert part is None or (part.first >= 0 and part.last < max(length, 1))


@unhurried
@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 40))
def test_a_part_is_what_was_asked_for(first: int, last: int, length: int) -> None:
    part = span(f"bytes={first}-{last}", length)
    if last < first:
        assert part is None
    else:
        assert part == Span(first, min(last, length - 1))


def test_words_are_told_apart() -> None:
    assert words(" Accept ,, X-Kind\t,") == ["accept", "x-kind"]
    assert words(None) == []


HEADERS = st.dictionaries(
    st.sampled_from(
        ["cache-control", "etag", "vary", "date", "age", "expires", "last-modified", "set-cookie"]
    ),
    SAID,
)
WANTS = st.dictionaries(
    st.sampled_from(
        ["cache-control", "pragma", "range", "if-range", "if-none-match", "if-modified-since"]
    ),
    SAID,
)


@unhurried
@given(HEADERS, WANTS, st.integers(100, 599), st.floats(0, 1e6))
def test_every_response_and_every_request_get_a_decision(
    headers: dict[str, str], wants: dict[str, str], code: int, later: float
) -> None:
    chosen = settled({"default_ttl": 60})
    asked = Asked("GET", "https", "shop.example", "/", "/", "", wants)
    answer = Answer(code, list(headers.items()))
    reason = forbids(asked, answer, chosen, NOW)
    if "set-cookie" in headers or "no-store" in wants.get("cache-control", "").split(","):
        assert reason is not None
    age = age_at_arrival(answer.headers, NOW, NOW)
    assert age >= 0
    page = Page(f"{code} Said", answer.headers, b"0123456789", NOW, age, 60.0)
    assert keep_for(page, NOW + later) >= 0
    assert verdict(page, asked, NOW + later) in Verdict
    whole = reply(page, asked, status="holdfast", age=page.age_at(NOW + later))
    assert int(whole.status[:3]) in (code, 206, 304, 416)
    assert page.body.find(whole.body) >= 0
