"""The Cookie header is read octet by octet, and Set-Cookie cannot be broken out of."""

import time
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.web.cookie import attribute, cookie_name, expired, pairs, set_cookie, values

NAME = "__Host-sid"

FOUND = {
    "alone": (f"{NAME}=abc", ["abc"]),
    "first": (f"{NAME}=abc; a=b", ["abc"]),
    "last": (f"a=b; {NAME}=abc", ["abc"]),
    "between": (f"a=b; {NAME}=abc; c=d", ["abc"]),
    "no space": (f"a=b;{NAME}=abc;c=d", ["abc"]),
    "blanks and tabs": (f"a=b; \t {NAME} \t= \tabc \t; c=d", ["abc"]),
    "blank first": (f" {NAME}=abc", ["abc"]),
    "empty": (f"{NAME}=; a=b", [""]),
    "equals in value": (f"{NAME}=a=b=c", ["a=b=c"]),
    "twice": (f"{NAME}=one; {NAME}=two", ["one", "two"]),
    "twice the same": (f"{NAME}=one;{NAME}=one", ["one", "one"]),
    "quotes stay": (f'{NAME}="a b"', ['"a b"']),
    "escapes stay": (f'{NAME}="a\\073b"', ['"a\\073b"']),
    "percent stays": (f"{NAME}=a%3Db", ["a%3Db"]),
    "odd blanks stay": (f"{NAME}=\xa0abc\x1f", ["\xa0abc\x1f"]),
    "odd blanks stay in the last": (f"{NAME}=a; {NAME}=\x85b\x0c", ["a", "\x85b\x0c"]),
    "after one without value": (f"a; {NAME}=abc", ["abc"]),
    "value of another": (f"a={NAME}; {NAME}=abc", ["abc"]),
}
IGNORED = {
    "empty header": "",
    "others only": "a=b; c=d",
    "no equals": NAME,
    "longer name": f"{NAME}2=abc",
    "longer in front": f"x{NAME}=abc",
    "other case": "__host-sid=abc; __HOST-SID=abc",
    "nameless": f"={NAME}=evil",
    "in a value": f"a={NAME}=evil",
    "in a quoted value": f'a="x {NAME}=evil"',
    "percent-encoded name": "%5F%5FHost-sid=evil",
    "control before": f"\x1f{NAME}=evil",
    "vertical tab before": f"\x0b{NAME}=evil",
    "no-break space before": f"\xa0{NAME}=evil",
    "next line before": f"a=b; \x85{NAME}=evil",
    "U+2000 before": f"\u2000{NAME}=evil",
    "U+2000 in UTF-8 before": f"{chr(0xE2)}{chr(0x80)}{chr(0x80)}{NAME}=evil",
    "line feed before": f"a=b;\n{NAME}=evil",
    "comma before": f"a=b, {NAME}=evil",
    "no-break space after": f"{NAME}\xa0=evil",
}


@pytest.mark.parametrize(("header", "found"), FOUND.values(), ids=FOUND)
def test_ours_is_found(header: str, found: list[str]) -> None:
    assert values(header, NAME) == found


@pytest.mark.parametrize("header", IGNORED.values(), ids=IGNORED)
def test_what_only_looks_like_ours_is_not(header: str) -> None:
    assert values(header, NAME) == []
    assert [value for name, value in pairs(header) if name == NAME] == []


pieces = st.lists(
    st.sampled_from([NAME, "a", "=", ";", " ", "\t", '"', "\\", "sid", "\xa0", "\x1f", "%", ","]),
    max_size=30,
)


@given(pieces.map("".join) | st.text(alphabet=st.characters(max_codepoint=255)))
def test_the_quick_search_finds_what_splitting_finds(header: str) -> None:
    assert values(header, NAME) == [value for name, value in pairs(header) if name == NAME]


def test_a_header_made_of_our_name_costs_no_square() -> None:
    def cost(times: int) -> float:
        header = (NAME + " " * 10) * times
        timer = timeit.Timer(lambda: values(header, NAME), timer=time.process_time)
        return min(timer.repeat(number=5, repeat=5))

    assert cost(6400) < 100 * cost(400)  # 16 times longer; a square would be 256


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "a\r\nb", "a\0", "é", 'a"'])
def test_a_name_is_a_token(name: str) -> None:
    with pytest.raises(ConfigError, match="cookie name"):
        cookie_name(name)


@pytest.mark.parametrize("value", ["a;b", "a\r\nb", "a\0b", "é", "a\x7f", "a\tb"])
def test_an_attribute_cannot_be_broken_out_of(value: str) -> None:
    with pytest.raises(ConfigError, match="Path"):
        attribute("Path", value)


def test_an_attribute_that_browsers_would_ignore_is_refused() -> None:
    assert attribute("Path", "/" * 1024) == "; Path=" + "/" * 1024
    with pytest.raises(ConfigError, match="1024"):
        attribute("Path", "/" * 1025)


@pytest.mark.parametrize("value", ["a;b", "a\r\nb", "a\nb", "a\0", "é", "a b", 'a"b', "a,b", "\\"])
def test_a_value_cannot_be_broken_out_of(value: str) -> None:
    with pytest.raises(ConfigError, match="cannot carry"):
        set_cookie("sid", value, "; Path=/")


def test_a_pair_that_browsers_would_drop_is_refused() -> None:
    assert set_cookie("sid", "a" * 4093, "").startswith("sid=aaa")
    with pytest.raises(ConfigError, match="4096"):
        set_cookie("sid", "a" * 4094, "")


def test_setting_and_expiring_have_the_same_attributes() -> None:
    assert set_cookie("sid", "abc", "; Path=/x; Secure") == "sid=abc; Path=/x; Secure"
    assert expired("sid", "; Path=/x; Secure") == (
        "sid=; Path=/x; Secure; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    )
