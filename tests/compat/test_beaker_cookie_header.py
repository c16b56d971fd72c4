"""Cookies of a request: what Beaker reads is read, and what it loses beside a bad one, too."""

import http.cookies
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.seeds import genuine, ours
from holdfast.compat.beaker.cookie import SimpleCookie

HEADERS = """
import json
from beaker.cookie import SimpleCookie

HEADERS = [
    "",
    "a=1",
    "a=1; b=2",
    "a=1;b=2",
    "a=1; b/c=2; d=3",
    "a/b=1",
    'x="a; y=2"; z=3',
    "a=1; a=2",
    "a=1; Path=/; HttpOnly; b=2",
    "$Version=1; a=1; $Path=/",
    "a=1,b=2",
    "a=",
    'a=""',
    "a=b=c",
    "e=Wed, 01-Jan-2020 00:00:00 GMT; f=1",
    'a="\\\\\\\\073"',
    "a@b=1; c=2",
    "a=1; b",
    "(=1",
    "a=%20",
]
found = []
for header in HEADERS:
    cookies = SimpleCookie(header)
    found.append(
        [
            header,
            {
                name: [morsel.value, morsel["path"], morsel["httponly"]]
                for name, morsel in cookies.items()
            },
        ]
    )
cookies = SimpleCookie({"a b": "1", "c": "2"})
found.append(["mapping", {name: morsel.value for name, morsel in cookies.items()}])
cookies.load("d=3")
cookies["e"] = "4; 5"
cookies["e"]["secure"] = True
found.append(["output", cookies.output()])
print(json.dumps(found))
"""


def test_what_beaker_reads_is_read() -> None:
    theirs, mine = json.loads(genuine(HEADERS)), json.loads(ours("beaker", HEADERS))
    for (header, wanted), (_, found) in zip(theirs, mine, strict=True):
        if isinstance(wanted, dict):
            assert wanted.items() <= found.items(), header
        else:
            assert found == wanted


BAD = ["a/b=1", "foo", "[q]=1", "a=b c", "a=\xe9", "=1", 'j={"x": 1}', "path=/", "secure", ""]
BAD.append("\x00=1")


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_promise_1_8_a_bad_cookie_is_skipped_and_ours_is_found(bad: str) -> None:
    for header in (f"{bad}; id=5", f"id=5; {bad}", f"x=1; {bad}; id=5; {bad}; y=2"):
        cookies = SimpleCookie(header)
        assert cookies["id"].value == "5", header
        assert {*cookies} <= {"id", "x", "y"}


def test_who_was_passed_over_is_told() -> None:
    assert SimpleCookie("a/b=1; c=2; d e=3").bad_cookies == {"a/b", "d e"}
    assert SimpleCookie({"a b": "1", "c": "2"}).bad_cookies == {"a b"}
    assert SimpleCookie("c=2").bad_cookies == set()


def test_a_cookie_in_quotes_does_not_bring_another_one_in() -> None:
    cookies = SimpleCookie('foo; x="1; id=forged; y=2"; id=5')
    assert cookies["id"].value == "5"
    assert cookies["x"].value == "1; id=forged; y=2"
    assert SimpleCookie('foo; x="1; id=forged"').keys() == {"x"}


PARTS = ["a=1", "b/c", '"', "; ", ";", "=", "path", "Path=/", "$Version=1", "secure", " ", "\\"]
PARTS += ['x="', 'y"', "\xe9", "[", ",", "\0", "\n", "{", "id", "Wed, 01-Jan-2020 00:00:00 GMT"]


@given(st.lists(st.sampled_from(PARTS), max_size=9).map("".join))
def test_whatever_stands_before_ours_is_found_and_nothing_python_reads_is_lost(text: str) -> None:
    cookies = SimpleCookie(f"{text}; id=5")
    assert cookies["id"].value == "5"
    try:
        read = http.cookies.SimpleCookie(text)
    except http.cookies.CookieError:
        return
    assert {*read} <= {*SimpleCookie(text)}


@pytest.mark.parametrize("part", ['"\\', '"a', 'x="', "a b=1;", '"\\"'], ids=range(5))
def test_a_long_header_takes_no_longer_than_its_length(part: str) -> None:
    begin = time.process_time()
    SimpleCookie(part * 20_000)
    assert time.process_time() - begin < 5  # 16, were it read again and again
