"""What is merged into an application's headers, and what is left alone."""

import json

import pytest

from holdfast.limit.decision import Decision, RateState
from holdfast.web.headers import denial, forbid_storing, limited, unavailable, vary_by

Pairs = list[tuple[str, str]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [("Vary", "Cookie")]),
        ([("Vary", "Accept")], [("Vary", "Accept, Cookie")]),
        ([("vary", "accept"), ("X", "y")], [("vary", "accept, Cookie"), ("X", "y")]),
        ([("Vary", "cookie")], [("Vary", "cookie")]),
        ([("Vary", "Accept,COOKIE")], [("Vary", "Accept,COOKIE")]),
        ([("Vary", "*")], [("Vary", "*")]),
        ([("Vary", "Accept, *")], [("Vary", "Accept, *")]),
        ([("Vary", "A"), ("Vary", "Cookie")], [("Vary", "A"), ("Vary", "Cookie")]),
        ([("Vary", "A"), ("Vary", "B")], [("Vary", "A"), ("Vary", "B, Cookie")]),
        ([("Vary", "")], [("Vary", "Cookie")]),
        ([("Vary", "X-Cookie")], [("Vary", "X-Cookie, Cookie")]),
    ],
)
def test_vary_names_the_header_once(before: Pairs, after: Pairs) -> None:
    kept = list(before)
    assert vary_by(before, "Cookie") == after
    assert before == kept


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [("Cache-Control", "no-store")]),
        ([("Cache-Control", "public, max-age=60")], [("Cache-Control", "no-store")]),
        ([("cache-control", "private"), ("X", "y")], [("X", "y"), ("Cache-Control", "no-store")]),
        ([("Cache-Control", 'private="a, no-store, b"')], [("Cache-Control", "no-store")]),
        ([("Cache-Control", "private, No-Store")], [("Cache-Control", "private, No-Store")]),
        (
            [("Cache-Control", "private"), ("Cache-Control", "no-store")],
            [("Cache-Control", "private"), ("Cache-Control", "no-store")],
        ),
        ([("CDN-Cache-Control", "max-age=60")], [("Cache-Control", "no-store")]),
        (
            [("Surrogate-Control", "max-age=60"), ("Cache-Control", "no-store")],
            [("Cache-Control", "no-store")],
        ),
        ([("X-Accel-Expires", "60"), ("Edge-Control", "x")], [("Cache-Control", "no-store")]),
        (
            [("Cache-Control", "must-understand, no-store, max-age=60")],
            [("Cache-Control", "no-store")],
        ),
        (
            [("Cache-Control", "no-store, max-age=60"), ("Cache-Control", "Must-Understand")],
            [("Cache-Control", "no-store")],
        ),
    ],
)
def test_no_cache_may_store_what_sets_a_cookie(before: Pairs, after: Pairs) -> None:
    assert forbid_storing(before) == after


def decision(*, allowed: bool = True, remaining: int = 3, retry_after: float = 0.0) -> Decision:
    rates = (RateState(5, 60.0, remaining, 23.2), RateState(100, 3600.0, 98, 71.9))
    return Decision(allowed, 5, remaining, retry_after, 23.2, 60.0, rates)


def test_an_allowed_answer_says_what_remains() -> None:
    assert limited([("X", "y")], decision()) == [
        ("X", "y"),
        ("RateLimit-Policy", '"5/60s";q=5;w=60, "100/3600s";q=100;w=3600'),
        ("RateLimit", '"5/60s";r=3;t=24, "100/3600s";r=98;t=72'),
        ("X-RateLimit-Limit", "5"),
        ("X-RateLimit-Remaining", "3"),
        ("X-RateLimit-Reset", "24"),
    ]


def test_two_limits_are_a_list_and_the_tighter_one_has_the_old_headers() -> None:
    def legacy(headers: Pairs) -> list[str]:
        return [value for name, value in headers if name == "X-RateLimit-Remaining"]

    tight, wide = decision(remaining=1), decision(remaining=4)
    for first, second in ((tight, wide), (wide, tight)):
        both = limited(limited([], first), second)
        assert legacy(both) == ["1"]
        assert [name for name, _ in both].count("RateLimit") == 2


def test_a_long_period_is_written_out() -> None:
    month = RateState(1000, 2_592_000.0, 999, 2592.0)
    headers = dict(limited([], decision()._replace(several=(month,))))
    assert headers["RateLimit-Policy"] == '"1000/2592000s";q=1000;w=2592000'


def test_a_decision_that_measured_nothing_shows_nothing() -> None:
    degraded = decision()._replace(degraded=True)
    assert limited([("X", "y")], degraded) == [("X", "y")]


def test_a_denial_says_why_and_when_to_come_again() -> None:
    refused = decision(allowed=False, remaining=0, retry_after=11.2)
    status, headers, body = denial(refused)
    fields = dict(headers)
    assert status == "429 Too Many Requests"
    assert fields["Retry-After"] == "12"
    assert fields["Content-Type"] == "application/problem+json"
    assert fields["Cache-Control"] == "no-store"
    assert fields["Content-Length"] == str(len(body))
    assert fields["RateLimit"] == '"5/60s";r=0;t=12, "100/3600s";r=98;t=12'
    problem = json.loads(body)
    assert problem["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert problem["status"] == 429
    assert problem["violated-policies"] == ["5/60s"]


def test_a_denial_without_a_count_blames_the_server() -> None:
    refused = decision(allowed=False)._replace(degraded=True)
    status, headers, body = denial(refused)
    assert status == "503 Service Unavailable"
    assert int(dict(headers)["Retry-After"]) >= 1
    assert json.loads(body)["type"].endswith("#temporary-reduced-capacity")


def test_a_store_that_is_down_is_said_plainly() -> None:
    status, headers, body = unavailable()
    fields = dict(headers)
    assert status == "503 Service Unavailable"
    assert fields["Content-Type"].startswith("text/plain")
    assert int(fields["Retry-After"]) >= 1
    assert int(fields["Content-Length"]) == len(body) > 0
