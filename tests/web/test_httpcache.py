"""The response cache, rule by rule (RFC 9111, 9110, 5861, 8246, 9211), over WSGI and ASGI alike."""

from email.utils import formatdate
from typing import Any

import pytest
from cached_site import Face, Heard, Said, Site

from holdfast import Cache
from holdfast.errors import ConfigError
from holdfast.testing.clock import ManualClock
from holdfast.web.httpcache import CacheMiddleware

FACES: tuple[Face, ...] = ("wsgi", "asgi")
STORES = (None, "memory://")
DAY = 86_400.0


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


def site(
    face: Face, *headers: tuple[str, str], body: bytes | list[bytes] = b"page", **rest: Any
) -> Site:
    said = Said(body, headers or (("Cache-Control", "max-age=60"),), rest.pop("status", 200))
    return Site(face, says=said, **rest)


def kept(here: Site, path: str = "/", **headers: str) -> bool:
    """Return whether a second request is answered without the application."""
    here.get(path, **headers)
    before = here.calls
    here.get(path, **headers)
    return here.calls == before


# What is stored

STORED = {
    "max-age=60": True,
    "s-maxage=60": True,
    "public, max-age=60": True,
    "max-age=0, s-maxage=60": True,
    "max-age=60, must-revalidate": True,
    "max-age=60, proxy-revalidate": True,
    "max-age=60, unknown=1": True,
    'max-age="60"': True,
    "MAX-AGE=60": True,
    "max-age=60, immutable": True,
    "max-age=99999999999999999999999": True,
    "no-store, must-understand, max-age=60": True,
    "": False,
    "max-age=0": False,
    "max-age=60, s-maxage=0": False,
    "max-age=60, max-age=0": False,
    "max-age=soon": False,
    "max-age=-1": False,
    "max-age": False,
    "max-age=60, no-store": False,
    "max-age=60, no-cache": False,
    "max-age=60, private": False,
    'max-age=60, private="set-cookie"': False,
    'max-age=60, no-cache="set-cookie"': False,
    "public": False,
}


@pytest.mark.parametrize("said", STORED)
def test_the_response_says_whether_it_is_stored(face: Face, said: str) -> None:
    assert kept(site(face, ("Cache-Control", said))) is STORED[said]


def test_expires_counts_where_there_is_no_max_age(face: Face) -> None:
    now = ManualClock().now
    assert kept(site(face, ("Expires", formatdate(now + 60, usegmt=True))))
    assert not kept(site(face, ("Expires", formatdate(now - 60, usegmt=True))))
    assert not kept(site(face, ("Expires", "0")))
    expired = ("Expires", formatdate(now - 60, usegmt=True))
    assert kept(site(face, expired, ("Cache-Control", "max-age=60")))
    # what counts is how far Expires is from Date, not from our clock
    skewed = [("Date", now + DAY), ("Expires", now + DAY + 60)]
    pairs = [(name, formatdate(when, usegmt=True)) for name, when in skewed]
    here = site(face, *pairs)
    assert kept(here)
    here.clock.advance(61)
    before = here.calls
    here.get()
    assert here.calls == before + 1


@pytest.mark.parametrize("status", [200, 203, 300, 301, 302, 404, 410, 500])
def test_what_says_how_long_it_is_fresh_is_stored_whatever_its_status(
    face: Face, status: int
) -> None:
    assert kept(site(face, status=status))


@pytest.mark.parametrize("status", [206, 304, 412, 416])
def test_answers_to_conditions_are_never_stored(face: Face, status: int) -> None:
    assert not kept(site(face, status=status, body=b"" if status == 304 else b"page"))


def test_without_freshness_only_default_ttl_stores_and_only_some_statuses(face: Face) -> None:
    plain = ("Content-Type", "text/plain")
    assert not kept(site(face, plain))
    options = {"default_ttl": "1m"}
    assert kept(site(face, plain, options=options))
    assert kept(site(face, plain, options=options, status=404))
    assert not kept(site(face, plain, options=options, status=302))
    assert not kept(site(face, plain, options=options, status=500))
    assert not kept(site(face, ("Cache-Control", "max-age=0"), options=options))
    assert not kept(site(face, ("Cache-Control", "private"), options=options))


def test_must_understand_stores_only_a_status_that_is_understood(face: Face) -> None:
    said = ("Cache-Control", "max-age=60, must-understand, no-store")
    assert kept(site(face, said, status=404))
    assert not kept(site(face, said, status=418))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_only_get_is_stored(face: Face, method: str) -> None:
    here = site(face)
    here.get(method=method)
    here.get(method=method)
    assert here.calls == 2
    assert here.get().all("age") == []


def test_a_request_that_says_no_store_is_neither_stored_nor_served(face: Face) -> None:
    here = site(face)
    assert not kept(here, cache_control="no-store")
    assert kept(here)
    assert not kept(here, cache_control="no-store")


def test_a_long_body_passes_and_is_not_stored(face: Face) -> None:
    for body in (b"x" * 101, [b"x" * 60, b"x" * 60]):
        here = site(face, body=body, options={"max_body": 100})
        assert len(here.get().body) > 100
        assert not kept(here)
    assert kept(site(face, body=b"x" * 100, options={"max_body": 100}))
    assert kept(site(face, body=[b"x" * 50, b"x" * 50], options={"max_body": 100}))


@pytest.mark.parametrize("body", [b"page", [b"pa", b"ge"]])
def test_a_body_that_is_not_as_long_as_it_said_is_not_stored(
    face: Face, body: bytes | list[bytes]
) -> None:
    age = ("Cache-Control", "max-age=60")
    assert kept(site(face, age, ("Content-Length", "4"), body=body))
    assert not kept(site(face, age, ("Content-Length", "5"), body=body))


# What is served, and how long


def test_a_page_is_served_with_its_age_until_it_is_stale(face: Face) -> None:
    here = site(face, ("Cache-Control", "max-age=60"), ("X-Shown", "1"))
    first = here.get()
    assert first.body == b"page"
    assert first.all("age") == []
    assert first.all("cache-status") == ["holdfast; stored; fwd=uri-miss; fwd-status=200"]
    here.clock.advance(59.5)
    again = here.get()
    assert (again.status, again.body, again.all("x-shown")) == (200, b"page", ["1"])
    assert again.all("age") == ["59"]
    assert again.all("cache-status") == ["holdfast; hit; ttl=0"]
    here.clock.advance(0.5)
    assert here.get().all("age") == []
    assert here.calls == 2


def test_age_and_date_of_the_application_count(face: Face) -> None:
    here = site(face, ("Cache-Control", "max-age=60"), ("Age", "50"))
    here.get()
    assert here.get().all("age") == ["50"]
    here.clock.advance(10)
    here.get()
    assert here.calls == 2
    old = formatdate(ManualClock().now - 50, usegmt=True)
    here = site(face, ("Cache-Control", "max-age=60"), ("Date", old))
    here.get()
    assert here.get().all("age") == ["50"]


WANTED = {
    "max-age=60": True,
    "max-age=30": True,
    "max-age=29": False,
    "max-age=0": False,
    "no-cache": False,
    "min-fresh=30": True,
    "min-fresh=31": False,
    "max-stale": True,
    "only-if-cached": True,
    "": True,
    "nonsense,=,,": True,
}


@pytest.mark.parametrize("wants", WANTED)
def test_the_request_says_what_it_accepts_of_a_page_that_is_30_seconds_old(
    face: Face, wants: str
) -> None:
    here = site(face)
    here.get()
    here.clock.advance(30)
    here.get(cache_control=wants)
    assert (here.calls == 1) is WANTED[wants]


def test_pragma_counts_where_there_is_no_cache_control(face: Face) -> None:
    here = site(face)
    here.get()
    here.get(pragma="no-cache")
    assert here.calls == 2
    here.get(pragma="no-cache", cache_control="max-age=60")
    assert here.calls == 2


def test_a_reload_does_not_ask_for_what_is_immutable(face: Face) -> None:
    here = site(face, ("Cache-Control", "max-age=60, immutable"))
    here.get()
    here.get(cache_control="max-age=0")
    assert here.calls == 1
    here.clock.advance(60)
    here.get(cache_control="max-age=0")
    assert here.calls == 2


STALE = {
    ("max-age=60", "max-stale"): True,
    ("max-age=60", "max-stale=10"): True,
    ("max-age=60", "max-stale=9"): False,
    ("max-age=60", ""): False,
    ("max-age=60, must-revalidate", "max-stale"): False,
    ("max-age=60, proxy-revalidate", "max-stale"): False,
    ("s-maxage=60", "max-stale"): False,
    ("max-age=60", "max-stale, max-age=20"): False,
}


@pytest.mark.parametrize(("said", "wants"), STALE)
def test_max_stale_takes_a_page_that_is_10_seconds_too_old(
    face: Face, said: str, wants: str
) -> None:
    here = site(face, ("Cache-Control", said), ("ETag", '"v1"'))
    here.get()
    here.clock.advance(70)
    here.get(cache_control=wants)
    assert (here.calls == 1) is STALE[said, wants]


def test_only_if_cached_is_504_where_nothing_is(face: Face) -> None:
    here = site(face)
    answer = here.get(cache_control="only-if-cached")
    assert answer.status == 504
    assert here.calls == 0
    here.get()
    assert here.get(cache_control="only-if-cached").status == 200


# Conditions


def test_an_etag_is_made_where_there_is_none(face: Face) -> None:
    here = site(face)
    [tag] = here.get().all("etag")
    answer = here.get(if_none_match=tag)
    assert (answer.status, answer.body) == (304, b"")
    assert answer.all("etag") == [tag]
    assert here.get(if_none_match='"other"').status == 200
    assert site(face, options={"etag": False}).get().all("etag") == []
    assert site(face, body=b"other").get().all("etag") != [tag]
    assert site(face, ("Cache-Control", "max-age=60"), ("ETag", '"v"')).get().all("etag") == ['"v"']


TAGS = {
    '"v1"': 304,
    'W/"v1"': 304,
    '"v0", "v1"': 304,
    "*": 304,
    '"v0"': 200,
    "v1": 200,
    "": 200,
    '"v1': 200,
}


@pytest.mark.parametrize("condition", TAGS)
@pytest.mark.parametrize("tag", ['"v1"', 'W/"v1"'])
def test_if_none_match_compares_weakly(face: Face, condition: str, tag: str) -> None:
    here = site(face, ("Cache-Control", "max-age=60"), ("ETag", tag))
    here.get()
    assert here.get(if_none_match=condition).status == TAGS[condition]
    assert here.calls == 1


def test_if_modified_since_counts_where_there_is_no_if_none_match(face: Face) -> None:
    now = ManualClock().now
    changed = formatdate(now - 100, usegmt=True)
    here = site(face, ("Cache-Control", "max-age=60"), ("Last-Modified", changed))
    here.get()
    assert here.get(if_modified_since=changed).status == 304
    assert here.get(if_modified_since=formatdate(now, usegmt=True)).status == 304
    assert here.get(if_modified_since=formatdate(now - 101, usegmt=True)).status == 200
    assert here.get(if_modified_since="yesterday").status == 200
    assert here.get(if_modified_since=changed, if_none_match='"x"').status == 200


def test_a_304_says_what_it_must_and_no_more(face: Face) -> None:
    here = site(
        face,
        ("Cache-Control", "max-age=60"),
        ("ETag", '"v1"'),
        ("Vary", "Accept"),
        ("Content-Type", "text/plain"),
        ("Content-Location", "/en"),
        ("Last-Modified", formatdate(0, usegmt=True)),
        ("X-Other", "1"),
    )
    here.get()
    answer = here.get(if_none_match='"v1"')
    names = {name.lower() for name, _ in answer.headers}
    assert names == {"cache-control", "etag", "vary", "content-location", "age", "cache-status"}


def test_a_condition_is_judged_only_on_a_200(face: Face) -> None:
    here = site(face, ("Cache-Control", "max-age=60"), ("ETag", '"v1"'), status=404)
    here.get()
    assert here.get(if_none_match='"v1"').status == 404
    assert here.calls == 1


def test_the_clients_conditions_do_not_reach_the_application(face: Face) -> None:
    here = site(face, ("Cache-Control", "max-age=60"), ("ETag", '"v1"'))
    answer = here.get(if_none_match='"v1"', if_modified_since=formatdate(0, usegmt=True))
    assert answer.status == 304
    assert not {"if-none-match", "if-modified-since"} & here.heard[0].headers.keys()
    assert here.get().body == b"page"
    assert here.calls == 1


@pytest.mark.parametrize("name", ["if_match", "if_unmodified_since"])
def test_preconditions_of_changes_go_to_the_application(face: Face, name: str) -> None:
    here = site(face)
    here.get()
    here.get(**{name: '"v1"'})
    assert here.calls == 2
    assert name.replace("_", "-") in here.heard[1].headers


def revalidating(heard: Heard) -> Said:
    pairs = [("Cache-Control", "max-age=60"), ("ETag", '"v1"'), ("X-Fresh", "no")]
    renewed = [("Cache-Control", "max-age=90"), ("ETag", '"v1"'), ("X-Fresh", "yes")]
    if heard.headers.get("if-none-match") == '"v1"':
        return Said(b"", renewed, 304)
    return Said(b"page", pairs)


def test_a_stale_page_is_asked_about_and_a_304_renews_it(face: Face) -> None:
    here = Site(face, view=revalidating)
    here.get()
    here.clock.advance(61)
    answer = here.get()
    assert (answer.status, answer.body) == (200, b"page")
    assert answer.all("x-fresh") == ["yes"]
    assert answer.all("content-length") == ["4"]
    assert here.calls == 2
    here.clock.advance(89)
    answer = here.get()
    assert (answer.body, answer.all("x-fresh"), answer.all("age")) == (b"page", ["yes"], ["89"])
    assert here.get(if_none_match='"v1"').status == 304
    assert here.calls == 2


def test_a_page_with_no_cache_is_asked_about_each_time(face: Face) -> None:
    def view(heard: Heard) -> Said:
        said = [("Cache-Control", "no-cache"), ("ETag", '"v1"')]
        if heard.headers.get("if-none-match") == '"v1"':
            return Said(b"", said, 304)
        return Said(b"page", [*said, ("Expires", "0")])

    here = Site(face, view=view)
    assert [here.get().body for _ in range(3)] == [b"page"] * 3
    assert here.calls == 3
    assert here.heard[2].headers["if-none-match"] == '"v1"'


def test_last_modified_asks_too_and_our_own_etag_does_not(face: Face) -> None:
    changed = formatdate(0, usegmt=True)
    here = site(face, ("Cache-Control", "max-age=60"), ("Last-Modified", changed))
    here.get()
    here.clock.advance(61)
    here.get()
    assert here.heard[1].headers["if-modified-since"] == changed
    assert "if-none-match" not in here.heard[1].headers


def test_a_304_with_a_cookie_reaches_its_client_alone(face: Face) -> None:
    def view(heard: Heard) -> Said:
        said = [("Cache-Control", "max-age=60"), ("ETag", '"v1"')]
        if "if-none-match" in heard.headers:
            return Said(b"", [*said, ("Set-Cookie", "a=1")], 304)
        return Said(b"page", said)

    here = Site(face, view=view)
    here.get()
    here.clock.advance(61)
    answer = here.get()
    assert (answer.status, answer.body, answer.all("set-cookie")) == (200, b"page", ["a=1"])
    here.clock.advance(11)
    assert here.get().all("set-cookie") == ["a=1"]  # asked again: nothing of it was kept
    assert here.calls == 3


def test_a_304_about_another_page_renews_nothing(face: Face) -> None:
    def view(heard: Heard) -> Said:
        said = [("Cache-Control", "max-age=60"), ("ETag", '"v1"')]
        if "if-none-match" in heard.headers:
            return Said(b"", [said[0], ("ETag", '"v2"')], 304)
        return Said(b"page", said)

    here = Site(face, view=view)
    here.get()
    here.clock.advance(61)
    here.get()
    here.get()
    assert here.calls == 3


# HEAD and parts


def test_head_is_served_from_a_page_and_stores_none(face: Face) -> None:
    here = site(face)
    here.get(method="HEAD")
    assert here.get().body == b"page"
    assert here.calls == 2
    answer = here.get(method="HEAD")
    assert (answer.body, answer.all("content-length")) == (b"", ["4"])
    assert answer.all("age") == ["0"]
    assert here.calls == 2


PARTS = {
    "bytes=0-0": (206, b"0", "bytes 0-0/10"),
    "bytes=2-4": (206, b"234", "bytes 2-4/10"),
    "bytes=7-": (206, b"789", "bytes 7-9/10"),
    "bytes=-3": (206, b"789", "bytes 7-9/10"),
    "bytes=-99": (206, b"0123456789", "bytes 0-9/10"),
    "bytes=0-99": (206, b"0123456789", "bytes 0-9/10"),
    "BYTES=1-1": (206, b"1", "bytes 1-1/10"),
    "bytes = 1 - 1": (200, b"0123456789", None),
    "bytes=10-": (416, b"", "bytes */10"),
    "bytes=-0": (416, b"", "bytes */10"),
    "bytes=0-1,3-4": (200, b"0123456789", None),
    "bytes=4-2": (200, b"0123456789", None),
    "bytes=-": (200, b"0123456789", None),
    "lines=1-2": (200, b"0123456789", None),
    "bytes=a-b": (200, b"0123456789", None),
    "bytes=9999999999999999999999-": (200, b"0123456789", None),
}


@pytest.mark.parametrize("wanted", PARTS)
def test_a_part_is_cut_from_the_stored_page(face: Face, wanted: str) -> None:
    here = site(face, body=b"0123456789")
    here.get()
    answer = here.get(range=wanted)
    status, body, where = PARTS[wanted]
    assert (answer.status, answer.body) == (status, body)
    assert answer.all("content-range") == ([where] if where else [])
    assert answer.all("content-length") == [str(len(body))]
    assert here.calls == 1


def test_if_range_gives_the_whole_where_the_page_is_another(face: Face) -> None:
    changed = formatdate(0, usegmt=True)
    pairs = [("Cache-Control", "max-age=60"), ("ETag", '"v1"'), ("Last-Modified", changed)]
    here = site(face, *pairs, body=b"0123456789")
    here.get()
    part = {"range": "bytes=0-1"}
    assert here.get(if_range='"v1"', **part).status == 206
    assert here.get(if_range='"v2"', **part).status == 200
    assert here.get(if_range='W/"v1"', **part).status == 200
    assert here.get(if_range=changed, **part).status == 206
    assert here.get(if_range=formatdate(1, usegmt=True), **part).status == 200
    assert here.get(if_none_match='"v1"', **part).status == 304
    assert here.get(method="HEAD", **part).status == 200


def test_a_part_of_what_is_not_stored_is_the_applications_matter(face: Face) -> None:
    def view(heard: Heard) -> Said:
        if "range" in heard.headers:
            said = [("Cache-Control", "max-age=60"), ("Content-Range", "bytes 0-0/4")]
            return Said(b"p", said, 206)
        return Said()

    here = Site(face, view=view)
    assert here.get(range="bytes=0-0").status == 206
    assert here.get().body == b"page"
    assert here.calls == 2


# Keys


def test_what_is_in_the_address_makes_another_page(face: Face) -> None:
    here = Site(face, view=lambda heard: Said(f"{heard.path}?{heard.query}".encode()))
    paths = ["/", "/a", "/a?x=1", "/a?x=2", "/a?x=1&y=2", "/a?y=2&x=1", "/A", "/a/"]
    bodies = [here.get(path).body for path in paths * 2]
    assert here.calls == len(paths)
    assert bodies[: len(paths)] == bodies[len(paths) :]
    here.get(host="other.example")
    assert here.calls == len(paths) + 1
    here.get(host="SHOP.example:443")
    assert here.calls == len(paths) + 1


def test_query_parameters_can_be_ignored(face: Face) -> None:
    here = site(face, options={"ignore_query": ["utm_*", "fbclid"]})
    here.get("/?a=1")
    for query in ("a=1&utm_source=x", "fbclid=9&a=1", "a=1&utm%5Fmedium=y"):
        here.get(f"/?{query}")
    assert here.calls == 1
    here.get("/?a=1&fbclid2=1")
    assert here.calls == 2


def test_headers_nobody_varies_by_cannot_poison_a_page(face: Face) -> None:
    here = Site(face, view=lambda heard: Said(heard.headers.get("x-forwarded-host", "-").encode()))
    here.get()
    assert here.get(x_forwarded_host="evil.example").body == b"-"
    here = Site(
        face,
        view=lambda heard: Said(
            heard.headers.get("x-forwarded-host", "-").encode(),
            [("Cache-Control", "max-age=60"), ("Vary", "X-Forwarded-Host")],
        ),
    )
    assert here.get(x_forwarded_host="evil.example").body == b"evil.example"
    assert here.get().body == b"-"


def varied(heard: Heard) -> Said:
    body = "|".join(heard.headers.get(name, "-") for name in ("accept-encoding", "accept"))
    return Said(
        body.encode(), [("Cache-Control", "max-age=60"), ("Vary", "Accept-Encoding, accept")]
    )


def test_vary_keeps_one_page_for_each(face: Face) -> None:
    here = Site(face, view=varied)
    assert here.get(accept_encoding="gzip").body == b"gzip|-"
    assert here.get(accept_encoding="br").body == b"br|-"
    assert here.get().body == b"-|-"
    assert here.get(accept_encoding="").body == b"|-"
    assert here.calls == 4
    assert here.get(accept_encoding="gzip").body == b"gzip|-"
    assert here.get(accept_encoding="br").body == b"br|-"
    assert here.calls == 4
    status = here.get(accept_encoding="zstd").all("cache-status")[0]
    assert "fwd=vary-miss" in status


def test_values_that_mean_the_same_are_one_variant(face: Face) -> None:
    here = Site(face, view=varied)
    here.get(accept_encoding="gzip, br;q=0.5")
    for same in ("gzip,br;q=0.5", "  br; q=0.5 ,gzip ", "GZIP, BR;q=0.5"):
        here.get(accept_encoding=same)
    assert here.calls == 1


def test_vary_by_anything_is_never_stored(face: Face) -> None:
    assert not kept(site(face, ("Cache-Control", "max-age=60"), ("Vary", "*")))
    assert not kept(site(face, ("Cache-Control", "max-age=60"), ("Vary", "Accept, *")))


def test_variants_that_vary_by_more_than_before(face: Face) -> None:
    def view(heard: Heard) -> Said:
        vary = "Accept" if heard.headers.get("accept") == "a" else "Accept, X-Kind"
        body = f"{heard.headers.get('accept')} {heard.headers.get('x-kind')}"
        return Said(body.encode(), [("Cache-Control", "max-age=60"), ("Vary", vary)])

    here = Site(face, view=view)
    assert here.get(accept="a").body == b"a None"
    assert here.get(accept="b", x_kind="1").body == b"b 1"
    assert here.get(accept="b", x_kind="2").body == b"b 2"
    calls = here.calls
    assert here.get(accept="b", x_kind="1").body == b"b 1"
    assert here.calls == calls


def test_what_varies_by_too_much_is_not_stored(face: Face) -> None:
    names = [f"X-{number}" for number in range(9)]
    age = ("Cache-Control", "max-age=60")
    assert kept(site(face, age, ("Vary", ", ".join(names[:8]))))
    assert not kept(site(face, age, ("Vary", ", ".join(names))))


# Purging


def test_a_change_forgets_the_page_it_changed(face: Face) -> None:
    here = Site(face, view=lambda heard: Said(status=204 if heard.method == "DELETE" else 200))
    for path in ("/a", "/a?x=1", "/b"):
        here.get(path)
    here.get("/a", method="DELETE")
    before = here.calls
    here.get("/b")
    assert here.calls == before
    here.get("/a")
    here.get("/a?x=1")
    assert here.calls == before + 2


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_a_change_that_failed_forgets_nothing(face: Face, status: int) -> None:
    here = Site(face, view=lambda heard: Said(status=status if heard.method == "POST" else 200))
    here.get()
    here.get(method="POST")
    before = here.calls
    here.get()
    assert here.calls == before


PLACES = {
    ("Location", "/b"): True,
    ("Location", "b?x=1"): True,
    ("Location", "https://shop.example/b"): True,
    ("Content-Location", "/b"): True,
    ("Location", "https://other.example/b"): False,
    ("Location", "http://shop.example/b"): False,
    ("Location", "//[/b"): False,
    ("X-Location", "/b"): False,
}


@pytest.mark.parametrize("header", PLACES)
def test_a_change_forgets_where_it_points_on_the_same_host(
    face: Face, header: tuple[str, str]
) -> None:
    def view(heard: Heard) -> Said:
        return Said(headers=[header], status=303) if heard.method == "POST" else Said()

    here = Site(face, view=view)
    here.get("/b")
    here.get("/a", method="POST")
    before = here.calls
    here.get("/b")
    assert (here.calls > before) is PLACES[header]


@pytest.mark.parametrize("store", STORES)
def test_purge_forgets_paths_and_tags(face: Face, store: str | None) -> None:
    clock = ManualClock()

    def view(heard: Heard) -> Said:
        assert heard.notes is not None
        if heard.path == "/noted":
            heard.notes.tag("prices")
        said = [("Cache-Control", "max-age=60"), ("Cache-Tag", f"all, path{heard.path}")]
        return Said(headers=said)

    with Cache(store, clock=clock) as cache:
        here = Site(face, clock=clock, view=view, cache=cache)
        paths = ["/noted", "/a", "/a?x=1", "/b", "/käse"]

        def forgotten() -> list[str]:
            before = [(path, here.calls, here.get(path), here.calls) for path in paths]
            return [path for path, at, _, now in before if now > at]

        assert here.get("/a").all("cache-tag") == []
        forgotten()
        assert forgotten() == []
        here.middleware.purge("/a")
        assert forgotten() == ["/a", "/a?x=1"]
        here.middleware.purge("/käse", "/b")
        assert forgotten() == ["/b", "/käse"]
        here.middleware.purge(tags=["prices"])
        assert forgotten() == ["/noted"]
        cache.invalidate_tags("path/b")
        assert forgotten() == ["/b"]
        here.middleware.purge(tags=["all"])
        assert forgotten() == paths
        cache.put("mine", 1)
        here.middleware.clear()
        assert forgotten() == paths
        assert cache.get("mine") == 1


def test_a_wrong_purge_says_so(face: Face) -> None:
    middleware = site(face).middleware
    for path in ("a", "https://shop.example/a", "/a?x=1", ""):
        with pytest.raises(ConfigError, match="a path such as"):
            middleware.purge(path)
    with pytest.raises(ConfigError, match="a list of tags"):
        middleware.purge(tags="prices")


# What it is wrapped around


def test_what_the_application_is_can_be_seen_or_said() -> None:
    cache = Cache()

    def wsgi(_environ: Any, _start: Any) -> list[bytes]:
        return []

    async def asgi(_scope: Any, _receive: Any, _send: Any) -> None: ...

    class Wsgi:
        def __call__(self, environ: Any, start: Any) -> list[bytes]:
            return wsgi(environ, start)

    class Asgi:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def odd(*_: Any) -> Any: ...

    assert [CacheMiddleware(app, cache).interface for app in (wsgi, Wsgi())] == ["wsgi"] * 2
    assert [CacheMiddleware(app, cache).interface for app in (asgi, Asgi())] == ["asgi"] * 2
    twice = CacheMiddleware(CacheMiddleware(asgi, cache), cache)
    assert twice.interface == "asgi"
    assert isinstance(twice, CacheMiddleware)
    with pytest.raises(ConfigError, match="interface='wsgi'"):
        CacheMiddleware(odd, cache)
    assert CacheMiddleware(odd, cache, interface="asgi").interface == "asgi"


@pytest.mark.parametrize(
    "options",
    [
        {"max_body": 0},
        {"max_body": True},
        {"default_ttl": "soon"},
        {"tag_header": "Cache Tag"},
        {"ignore_query": "utm_source"},
        {"interface": "cgi"},
    ],
)
def test_a_wrong_option_says_so_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        CacheMiddleware(lambda environ, start: [], Cache(), **options)  # noqa: ARG005
    with pytest.raises(TypeError, match="unknown option"):
        CacheMiddleware(lambda environ, start: [], Cache(), maxbody=1)  # type: ignore[call-arg] # noqa: ARG005
    with pytest.raises(ConfigError, match="Cache"):
        CacheMiddleware(lambda environ, start: [], "memory://")  # type: ignore[arg-type] # noqa: ARG005
