"""What a cookie is called and promises, and how a long token is split and joined."""

import random
import string
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import Cookie
from holdfast.errors import ConfigError, SessionTooLarge
from holdfast.web.transport import NOTHING

SAFE = string.ascii_letters + string.digits + "-_"


def insecure(name: str = "sid", **options: Any) -> Cookie:
    with pytest.warns(UserWarning, match="development only"):
        return Cookie(name, insecure=True, **options)


def lines(headers: list[tuple[str, str]]) -> dict[str, str]:
    assert {name for name, _ in headers} <= {"Set-Cookie"}
    return {value.partition("=")[0]: value.partition("=")[2] for _, value in headers}


def sent_back(headers: list[tuple[str, str]]) -> dict[str, str]:
    """Return the cookies a browser would hold afterwards."""
    kept = {name: line.split(";")[0] for name, line in lines(headers).items()}
    return {name: value for name, value in kept.items() if value}


def header(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def test_defaults_are_the_safe_ones() -> None:
    assert Cookie().write("abc") == [
        ("Set-Cookie", "__Host-sid=abc; Path=/; Secure; HttpOnly; SameSite=Lax")
    ]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "__Host-shop"),
        ({"domain": "example.com"}, "__Secure-shop"),
        ({"path": "/shop"}, "__Secure-shop"),
    ],
)
def test_the_strongest_prefix_the_settings_allow(options: dict[str, Any], name: str) -> None:
    assert Cookie("shop", **options).bound_name == name


def test_a_name_that_has_a_prefix_keeps_it() -> None:
    assert Cookie("__Host-shop").bound_name == "__Host-shop"
    assert Cookie("__Secure-shop").bound_name == "__Secure-shop"


def test_every_attribute_is_written_and_expired_alike() -> None:
    cookie = Cookie(
        "shop", domain="example.com", path="/x", same_site="None", partitioned=True, http_only=False
    )
    attributes = "; Path=/x; Domain=example.com; Secure; SameSite=None; Partitioned"
    assert cookie.write("abc") == [("Set-Cookie", f"__Secure-shop=abc{attributes}")]
    assert cookie.forget() == [
        (
            "Set-Cookie",
            f"__Secure-shop={attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        )
    ]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("__Host-sid", {"domain": "example.com"}),
        ("__Host-sid", {"path": "/x"}),
        ("__Host-sid", {"secure": False}),
        ("__host-sid", {}),
        ("__Host-Http-sid", {"http_only": False}),
        ("sid", {"secure": False}),
        ("sid", {"same_site": "none"}),
        ("sid", {"path": "x"}),
        ("sid", {"path": "/;Domain=evil.example"}),
        ("sid", {"path": "/\r\nSet-Cookie: a=b"}),
        ("sid", {"domain": ""}),
        ("sid", {"domain": "a;b"}),
        ("sid", {"domain": "example.com\r\n"}),
        ("sid", {"max_chunks": 0}),
        ("sid", {"max_chunks": 11}),
        ("s" * 4000, {}),
        ("s;id", {}),
        ("sid\n", {}),
        ("", {}),
    ],
)
def test_settings_that_contradict_each_other_are_refused_at_start(
    name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError):
        Cookie(name, **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("__Host-sid", {}),
        ("__Secure-sid", {}),
        ("sid", {"same_site": "None"}),
        ("sid", {"partitioned": True}),
    ],
)
def test_what_needs_secure_is_refused_without_it(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Cookie(name, insecure=True, **options)


def test_plain_http_is_asked_for_and_warned_of() -> None:
    assert insecure().write("abc") == [("Set-Cookie", "sid=abc; Path=/; HttpOnly; SameSite=Lax")]


def test_max_age_is_whole_seconds_and_cut_at_400_days() -> None:
    assert "; Max-Age=60" in Cookie().write("abc", max_age=60)[0][1]
    with pytest.warns(UserWarning, match="400 days"):
        [(_, line)] = Cookie().write("abc", max_age=401 * 86400)
    assert "; Max-Age=34560000" in line


def test_a_token_that_does_not_fit_is_refused_before_it_is_sent() -> None:
    cookie = Cookie()
    with pytest.raises(SessionTooLarge) as caught:
        cookie.write("a" * (cookie.room + 1))
    assert (caught.value.size, caught.value.limit) == (cookie.room + 1, cookie.room)
    assert len(cookie.bound_name) + cookie.room <= 4096


def test_a_line_that_proxies_may_drop_is_warned_of() -> None:
    cookie = Cookie()
    with pytest.warns(UserWarning, match="proxies"):
        cookie.write("a" * cookie.room)


def test_one_token_is_read_and_two_are_none() -> None:
    cookie = Cookie()
    assert cookie.read("a=b; __Host-sid=abc") == ("abc", (), "")
    assert cookie.read("a=b") == NOTHING
    for tossed in ("__Host-sid=a; __Host-sid=b", "__Host-sid=b; x=y; __Host-sid=a"):
        assert cookie.read(tossed) == (None, ("__Host-sid",), "cookie_tossing")


CHUNKED = Cookie(max_chunks=10)


@given(st.integers(1, CHUNKED.room), st.integers())
def test_chunks_come_back_as_they_went(length: int, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    token = "".join(draw.choices(SAFE, k=length))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no chunk is too long for a proxy
        written = CHUNKED.write(token)
    cookies = list(sent_back(written).items())
    draw.shuffle(cookies)  # a browser may send them in any order
    read, _, event = CHUNKED.read(header(dict(cookies)))
    assert (read, event) == (token, "")
    assert all(len(line) <= 4096 for _, line in written)


def three() -> dict[str, str]:
    return sent_back(CHUNKED.write("abc" * 3000))


def other_three() -> dict[str, str]:
    return sent_back(CHUNKED.write("xyz" * 3000))


HEAD, FIRST, SECOND, THIRD = "__Host-sid", "__Host-sid.1", "__Host-sid.2", "__Host-sid.3"
SPOILT: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
    "missing": lambda sent: {name: sent[name] for name in (HEAD, FIRST, THIRD)},
    "missing head": lambda sent: {name: sent[name] for name in (FIRST, SECOND, THIRD)},
    "head without chunks": lambda sent: {HEAD: sent[HEAD]},
    "stale tail": lambda sent: {**sent, "__Host-sid.4": "abc"},
    "eleventh": lambda sent: {**sent, "__Host-sid.11": "abc"},
    "other spelling of a number": lambda sent: {**sent, "__Host-sid.01": "abc"},
    "re-ordered": lambda sent: {**sent, FIRST: sent[SECOND], SECOND: sent[FIRST]},
    "of another session": lambda sent: {**sent, THIRD: other_three()[THIRD]},
    "head of another session": lambda sent: {**sent, HEAD: other_three()[HEAD]},
    "tail behind a whole token": lambda sent: {**sent, HEAD: "abc"},
    "count above the limit": lambda sent: {**sent, HEAD: sent[HEAD].replace("3.", "11.", 1)},
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_025_chunks_that_are_not_one_whole_token_are_none(
    spoil: Callable[[dict[str, str]], dict[str, str]],
) -> None:
    token, names, event = CHUNKED.read(header(spoil(three())))
    assert (token, event) == (None, "chunks_rejected")
    assert names
    assert set(names) <= set(lines(CHUNKED.forget(names)))


@pytest.mark.parametrize("name", [HEAD, SECOND])
def test_025_a_chunk_that_came_twice_spoils_them_all(name: str) -> None:
    sent = three()
    token, names, event = CHUNKED.read(f"{header(sent)}; {name}={sent[name]}")
    assert (token, set(names), event) == (None, set(sent), "cookie_tossing")


def test_fewer_chunks_are_accepted_than_this_cookie_may_have() -> None:
    small = Cookie(max_chunks=2)
    assert small.read(header(three())) == (None, tuple(three()), "chunks_rejected")


def test_shrinking_deletes_the_surplus() -> None:
    _, names, _ = CHUNKED.read(header(three()))
    written = lines(CHUNKED.write("abc" * 1500, expire=names))
    assert "Max-Age=0" in written["__Host-sid.3"]
    assert "Max-Age=0" not in written["__Host-sid.2"]
    written = lines(CHUNKED.write("abc", expire=names))
    assert written["__Host-sid"].startswith("abc;")
    assert sum("Max-Age=0" in line for line in written.values()) == 3


def test_names_of_others_are_not_our_chunks() -> None:
    sent = "__Host-sid=abc; __Host-sid.x=1; __Host-sid2=3; __Host-sidebar.1=4"
    assert CHUNKED.read(sent) == ("abc", (), "")
    assert CHUNKED.read("__Host-sid.x=1") == NOTHING
    assert CHUNKED.read("a=b") == NOTHING


def test_025_chunks_a_client_made_up_do_not_fill_the_answer() -> None:
    many = "; ".join(f"__Host-sid.{number}=x" for number in range(2000))
    for raw in (many, f"{many}; {many}"):
        token, names, event = CHUNKED.read(raw)
        assert token is None
        assert event
        assert len(names) == 20
        assert sum(len(line) for _, line in CHUNKED.forget(names)) < 4096
    long = f"__Host-sid.{'9' * 5000}=x"
    assert CHUNKED.read(long) == NOTHING  # no name of ours is so long


def test_of_chunks_that_are_not_ours_each_answer_expires_some_until_none_is_left() -> None:
    jar = {f"__Host-sid.{number}": "x" for number in range(60)}
    for _ in range(10):
        _, names, event = CHUNKED.read(header(jar))
        for name in names:
            jar.pop(name, None)
        if not event:
            break
    assert jar == {}


def test_010_what_the_browser_keeps_of_the_site_can_be_cleared() -> None:
    assert Cookie().farewell == []
    assert Cookie(clear_site_data=True).farewell == [("Clear-Site-Data", '"cache", "storage"')]
    assert Cookie(clear_site_data=True) != Cookie()
