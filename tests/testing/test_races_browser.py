"""The browser of the races: one jar, in which the answer that comes last has the last word."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from holdfast.testing.races.browser import Browser
from holdfast.testing.races.served import served

LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT"
ONE_DAY = "Fri, 31 Dec 2100 23:59:59 GMT"


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Set the cookies that are asked for, and show those that came."""
    lines = [line for _, line in parse_qsl(environ["QUERY_STRING"])]
    start_response("200 OK", [("Set-Cookie", line) for line in lines])
    return [b'{"came": "%s"}' % environ.get("HTTP_COOKIE", "").encode()]


@pytest.fixture
def browser() -> Iterator[Browser]:
    with ExitStack() as ends:
        yield Browser(ends.enter_context(served(echo)), 30)


def sent(browser: Browser, *lines: str) -> str:
    """Have the cookies set; return what is sent with the next request."""
    browser.get(f"/?{urlencode([('c', line) for line in lines])}")
    return str(browser.get("/").shown["came"])


def test_what_is_set_is_sent_and_of_one_name_the_last(browser: Browser) -> None:
    assert sent(browser, "sid=1; Path=/; HttpOnly", "theme=dark") == "sid=1; theme=dark"
    assert sent(browser, "sid=2=; Secure; Max-Age=60") == "sid=2=; theme=dark"


@pytest.mark.parametrize(
    ("attributes", "stays"),
    [
        ("Max-Age=0", False),
        ("max-age=-1; Expires=" + ONE_DAY, False),
        ("Expires=" + LONG_AGO, False),
        ("Expires=" + LONG_AGO + "; Max-Age=60", True),
        ("Expires=" + ONE_DAY, True),
    ],
)
def test_a_cookie_that_is_over_is_taken_away(
    browser: Browser, attributes: str, *, stays: bool
) -> None:
    assert sent(browser, "sid=1") == "sid=1"
    assert bool(sent(browser, f"sid=2; {attributes}")) is stays


def test_an_answer_tells_its_cookies_and_a_twin_has_a_jar_of_its_own(browser: Browser) -> None:
    assert browser.get("/?c=sid%3D1").cookies == ("sid",)
    twin = browser.twin()
    assert sent(browser, "sid=2") == "sid=2"
    assert twin.get("/").shown == {"came": "sid=1"}


def test_each_jar_it_ever_had_can_be_asked_with(browser: Browser) -> None:
    sent(browser, "sid=1")
    sent(browser, "sid=2")
    sent(browser, "sid=; Max-Age=0")
    assert [past.get("/").shown["came"] for past in browser.past()] == ["sid=1", "sid=2"]
