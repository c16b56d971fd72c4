"""Items 16 to 27 of the security list: the cookie, and what may pass for it."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from visited_site import NAME, Place, Site, Visit, everywhere, in_cookie, in_front, visiting

from holdfast import ConfigError, Cookie, SessionTooLarge
from holdfast.web.cookie import set_cookie

visit = pytest.fixture(visiting)

DAY = 86_400


def pieces(line: str) -> tuple[str, str, set[str]]:
    """Return name, value and attributes of a Set-Cookie line."""
    pair, *attributes = line.split("; ")
    name, _, value = pair.partition("=")
    return name, value, set(attributes)


@in_front
def test_item_16_the_defaults_are_the_safe_ones(visit: Visit, place: Place) -> None:
    safe = {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
    for options, name in (
        ({}, "__Host-sid"),
        ({"transport": Cookie("__Host-Http-sid")}, "__Host-Http-sid"),
        ({"transport": Cookie("shop")}, "__Host-shop"),
    ):
        visitor = visit(place, **options).visitor()
        [line] = visitor.get("/write").all("set-cookie")
        assert (pieces(line)[0], pieces(line)[2]) == (name, safe)
        assert visitor.get("/").body == b"ada"


CONTRADICTIONS: dict[str, Callable[[], Cookie]] = {
    "__Host- has no domain": lambda: Cookie("__Host-sid", domain="example.com"),
    "__Host- has path='/'": lambda: Cookie("__Host-sid", path="/shop"),
    "secure=False": lambda: Cookie(secure=False),
    "__Host- with secure=False": lambda: Cookie("__Host-sid", secure=False),
    "__Host- without Secure": lambda: Cookie("__Host-sid", insecure=True),
    "__Secure- without Secure": lambda: Cookie("__Secure-sid", insecure=True),
    "a prefix of the wrong case": lambda: Cookie("__host-sid"),
    "__Host-Http- without HttpOnly": lambda: Cookie("__Host-Http-sid", http_only=False),
    "SameSite=None without Secure": lambda: Cookie(same_site="None", insecure=True),
    "Partitioned without Secure": lambda: Cookie(partitioned=True, insecure=True),
}


@pytest.mark.parametrize("contradict", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_item_17_what_browsers_would_refuse_is_an_error_at_start(
    contradict: Callable[[], Cookie],
) -> None:
    with pytest.raises(ConfigError, match="Cookie"):
        contradict()


@in_front
def test_item_18_plain_http_has_to_be_asked_for(visit: Visit, place: Place) -> None:
    with pytest.warns(UserWarning, match="insecure"):
        cookie = Cookie(insecure=True)
    site = visit(place, transport=cookie)
    visitor = site.visitor()
    [line] = visitor.get("/write").all("set-cookie")
    name, _, attributes = pieces(line)
    assert (name, attributes) == ("sid", {"Path=/", "HttpOnly", "SameSite=Lax"})
    assert visitor.get("/").body == b"ada"
    secure = site.visitor().get("/", cookie=f"{NAME}={visitor.cookies['sid']}")
    assert secure.body == b"nobody"


def are_not_ours(site: Site, *forged: str) -> None:
    """Check that nothing in `forged` passes for our cookie, alone or beside another visitor's.

    Args:
        site: Where.
        *forged: Cookie headers; `{}` is a good token.
    """
    good, own = site.writer().cookies[NAME], site.visitor()
    own.app = site.visitor(lambda session, _path: session.setdefault("name", "bob")).app
    own.get("/")
    mine = f"{NAME}={own.cookies[NAME]}"
    site.events.clear()
    for form in forged:
        raw = form.format(good)
        for alone in (raw, f"a=b; {raw}", f"a=b;{raw};c=d"):
            answer = site.visitor().get("/", cookie=alone)
            assert (answer.status, answer.body) == (200, b"nobody"), alone
            assert answer.all("set-cookie") == []
        [line] = site.visitor().get("/write", cookie=raw).all("set-cookie")
        assert good not in line
        for both in (f"{mine}; {raw}", f"{raw}; {mine}"):
            assert site.visitor().get("/", cookie=both).body == b"bob", both
    assert "session.cookie_tossing" not in site.events


@in_front
def test_item_19_only_space_and_tab_are_trimmed(visit: Visit, place: Place) -> None:
    site = visit(place)
    blanks = ("\x1f", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\xe2\x80\x80")
    are_not_ours(site, *(f"{blank}{NAME}={{}}" for blank in blanks))
    are_not_ours(site, f"{NAME}\xa0={{}}", f" \t\x1f {NAME}={{}}")
    token = site.writer().cookies[NAME]
    assert site.visitor().get("/", cookie=f"a=b;\t {NAME} =\t{token} ;c=d").body == b"ada"


@in_front
def test_item_20_a_nameless_cookie_is_not_ours(visit: Visit, place: Place) -> None:
    are_not_ours(visit(place), f"={NAME}={{}}", f" = {NAME}={{}}", f"=; =={NAME}={{}}")


@in_front
def test_item_21_a_name_is_never_decoded(visit: Visit, place: Place) -> None:
    forged = ("%5F%5FHost-sid={}", "__Host%2dsid={}", "\\137_Host-sid={}", f'"{NAME}"={{}}')
    are_not_ours(visit(place), *forged)


@in_front
def test_item_22_of_two_cookies_of_our_name_none_is_used(visit: Visit, place: Place) -> None:
    site = visit(place)
    good, other = site.writer().cookies[NAME], site.writer().cookies[NAME]
    site.events.clear()
    raws = [f"{NAME}={one}; {NAME}={two}" for one, two in ((good, other), (other, good))]
    raws += [f"{NAME}={good}; a=b; {NAME}={good}", f"{NAME}=;{NAME}={good}"]
    for raw in raws:
        for path, body in (("/untouched", b"untouched"), ("/", b"nobody")):
            answer = site.visitor().get(path, cookie=raw)
            [line] = answer.all("set-cookie")
            assert answer.body == body
            assert line.startswith(f"{NAME}=;")
            assert "Max-Age=0" in line
            assert answer.all("cache-control") == ["no-store"]
            assert answer.all("vary") == ["Cookie"]
    assert site.events.count("session.cookie_tossing") == 2 * len(raws)
    visitor = site.visitor()
    [line] = visitor.get("/write", cookie=raws[0]).all("set-cookie")
    assert pieces(line)[1] not in ("", good, other)
    assert [site.ask(token).body for token in (good, other)] == [b"ada", b"ada"]


@in_front
def test_item_22_a_name_in_other_case_is_not_ours(visit: Visit, place: Place) -> None:
    are_not_ours(visit(place), "__host-sid={}", "__HOST-SID={}", "__Host-Sid={}")


@in_front
def test_item_23_a_value_is_never_unquoted(visit: Visit, place: Place) -> None:
    site = visit(place)
    token = site.writer().cookies[NAME]
    octal = f"\\{ord(token[0]):03o}{token[1:]}"
    for value in (
        f'"{token}"',
        f'"{token}',
        f'{token}"',
        octal,
        f'"{octal}"',
        f'"{token}\\073 Path=/"',
        f'"\\"{token}"',
        f"%{ord(token[0]):02x}{token[1:]}",
        f"{token}, a=b",
    ):
        answer = site.visitor().get("/", cookie=f"{NAME}={value}")
        assert (answer.status, answer.body) == (200, b"nobody"), value
        visitor = site.visitor()
        [line] = visitor.get("/write", cookie=f"{NAME}={value}").all("set-cookie")
        assert pieces(line)[2] == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
    hidden = f'a="x; {NAME}={token}; y"'  # a quoted string hides nothing: it is three cookies
    assert site.visitor().get("/", cookie=hidden).body == b"ada"


@in_cookie
def test_item_24_what_does_not_fit_is_an_error_before_anything_is_sent(
    visit: Visit, place: Place
) -> None:
    def view(session: Any, path: str) -> object:
        session["small"] = "x"
        session["big"] = secrets.token_urlsafe(100_000 if path == "/chunks" else 4000)
        return "said"

    for transport, path in ((Cookie(), "/"), (Cookie(max_chunks=10), "/chunks")):
        with pytest.raises(SessionTooLarge, match=r"big.*small") as raised:
            visit(place, transport=transport).visitor(view).get(path)
        assert raised.value.biggest[0][0] == "big"
        assert raised.value.size > raised.value.limit


@in_cookie
def test_item_24_a_long_line_is_warned_of(visit: Visit, place: Place) -> None:
    def view(session: Any, _path: str) -> object:
        session["big"] = secrets.token_urlsafe(1800)
        return "said"

    visitor = visit(place, transport=Cookie(path="/" + "a" * 1000)).visitor(view)
    with pytest.warns(UserWarning, match="4096"):
        [line] = visitor.get("/").all("set-cookie")
    name, value, _ = pieces(line)
    assert len(name) + len(value) <= 4096 < len(line)
    with pytest.raises(ConfigError, match="1024"):
        Cookie(path="/" + "a" * 1024)


@in_cookie
def test_item_25_chunks_count_as_a_whole_or_not_at_all(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Cookie(max_chunks=10))
    whole, other = site.writer(), site.writer()
    for visitor in (whole, other):
        visitor.get("/big")
    assert list(whole.cookies) == [NAME, *(f"{NAME}.{number}" for number in (1, 2, 3))]
    assert whole.get("/").body == b"ada"
    good = dict(whole.cookies)
    digest = good[NAME].partition(".")[2]
    ours = "; ".join(f"{name}={value}" for name, value in good.items())
    spoilt: dict[str, dict[str, str | None]] = {
        "a head that is missing": {**good, NAME: None},
        "a chunk that is missing": {**good, f"{NAME}.2": None},
        "a tail that is missing": {**good, f"{NAME}.3": None},
        "one too many": {**good, f"{NAME}.4": "AAAA"},
        "two in the other's place": {
            **good,
            f"{NAME}.1": good[f"{NAME}.2"],
            f"{NAME}.2": good[f"{NAME}.1"],
        },
        "one of another session": {**good, f"{NAME}.2": other.cookies[f"{NAME}.2"]},
        "the head of another session": {**good, NAME: other.cookies[NAME]},
        "a stale tail": {NAME: site.writer().cookies[NAME], f"{NAME}.3": good[f"{NAME}.3"]},
        "a chunk 11": {**good, f"{NAME}.11": "AAAA"},
        "a chunk 0": {**good, f"{NAME}.0": "AAAA"},
        "a count of 4": {**good, NAME: f"4.{digest}"},
        "a count of 11": {**good, NAME: f"11.{digest}"},
        "a count of 0": {**good, NAME: f"0.{digest}"},
    }
    for what, cookies in spoilt.items():
        held = {name: value for name, value in cookies.items() if value is not None}
        raw = "; ".join(f"{name}={value}" for name, value in held.items())
        _rejected(site, what, raw, set(held))
    _rejected(site, "one of them twice", f"{ours}; {NAME}.2={good[f'{NAME}.2']}", set(good))
    backwards = "; ".join(reversed(ours.split("; ")))
    assert site.visitor().get("/", cookie=backwards).body == b"ada", "headers have no order"


def _rejected(site: Site, what: str, raw: str, names: set[str]) -> None:
    site.events.clear()
    answer = site.visitor().get("/", cookie=raw)
    assert answer.body == b"nobody", what
    lines = answer.all("set-cookie")
    assert {pieces(line)[0] for line in lines} == names | {NAME}, what
    assert all("Max-Age=0" in line for line in lines), what
    assert site.events[0] in ("session.chunks_rejected", "session.cookie_tossing"), what


@in_cookie
def test_item_25_what_shrinks_leaves_no_tail(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Cookie(max_chunks=4))
    visitor = site.writer()
    visitor.get("/big")
    assert len(visitor.cookies) == 4
    visitor.get("/small")
    assert list(visitor.cookies) == [NAME]
    assert visitor.get("/").body == b"ada"
    visitor.get("/big")
    visitor.get("/logout")
    assert visitor.cookies == {}


@in_front
def test_item_26_a_max_age_beyond_400_days_is_cut(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Cookie(persistent=True), lifetime=500 * DAY)
    with pytest.warns(UserWarning, match="400 days"):
        [line] = site.visitor().get("/write").all("set-cookie")
    assert f"Max-Age={400 * DAY}" in pieces(line)[2]
    site = visit(place, transport=Cookie(persistent=True), lifetime=400 * DAY)
    [line] = site.visitor().get("/write").all("set-cookie")
    assert f"Max-Age={400 * DAY}" in pieces(line)[2]


@pytest.mark.parametrize("sign", ["\r\n", "\n", "\r", ";", "\0", "\x7f", "é"])
def test_item_27_nothing_a_user_writes_ends_the_line(sign: str) -> None:
    evil = f"a{sign}Set-Cookie: b"
    for make in (
        lambda: Cookie(evil),
        lambda: Cookie(path=f"/{evil}"),
        lambda: Cookie(domain=evil),
        lambda: Cookie(same_site=evil),  # type: ignore[arg-type]
        lambda: set_cookie(NAME, evil, ""),
    ):
        with pytest.raises(ConfigError):
            make()


@everywhere
def test_item_27_no_value_of_a_session_reaches_the_line(visit: Visit, place: Place) -> None:
    def view(session: Any, _path: str) -> object:
        session["name"] = "a\r\nSet-Cookie: evil=1; \0"
        session.login("ada\r\nSet-Cookie: evil=1")
        return "said"

    [line] = visit(place).visitor(view).get("/").all("set-cookie")
    assert not {"\r", "\n", "\0"} & set(line)
    assert "evil" not in line
