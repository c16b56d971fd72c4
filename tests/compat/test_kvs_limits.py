"""Limits of pyramid_kvs: so many requests of a session holder in a window."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from compat.kvs_pages import clean, options_for, site
from holdfast.compat.pyramid_kvs.kvs import KVS
from holdfast.compat.pyramid_kvs.ratelimit import Ratelimit
from holdfast.compat.pyramid_kvs.testing import MockCache

SESSION = {"kvs": "mock", "session_type": "header", "key_name": "X-Auth-Token"}


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    with clean():
        yield


def ask(app: Any, holder: str = "t") -> tuple[int, str, str]:
    headers = {"X-Auth-Token": holder} if holder else {}
    found = app.get("/", headers=headers, status="*")
    said = found.headers
    return found.status_int, said["X-RateLimit-Limit"], said["X-RateLimit-Remaining"]


@pytest.mark.parametrize(
    "given", [{"limit": 2, "window": 9}, '{"limit": 2, "window": 9}'], ids=["dict", "JSON"]
)
def test_a_holder_may_ask_so_often(given: Any) -> None:
    app = site(lambda _: 1, session=SESSION, ratelimit=given)
    assert [ask(app) for _ in range(4)] == [
        (200, "2", "1"),
        (200, "2", "0"),
        (429, "2", "-1"),
        (429, "2", "-2"),
    ]
    assert ask(app, "another") == (200, "2", "1")
    assert MockCache.cached_data[b"session::x-auth-token::t::ratelimit"] == "4"
    del MockCache.cached_data[b"session::x-auth-token::t::ratelimit"]  # its time is up
    assert ask(app) == (200, "2", "1")


def test_the_defaults() -> None:
    assert (Ratelimit.window, Ratelimit.limit, Ratelimit.key_suffix) == (1, 15, "::ratelimit")
    Ratelimit.configure({"kvs.ratelimit": "{}"})
    assert (Ratelimit.window, Ratelimit.limit, Ratelimit.key_suffix) == (1, 10, "::ratelimit")
    Ratelimit.configure({"kvs.ratelimit": '{"key_suffix": ":n"}'})
    assert Ratelimit.key_suffix == ":n"


def test_a_browser_is_counted_from_its_first_page_on() -> None:
    app = site(lambda _: 1, session={"kvs": "mock"}, ratelimit={"limit": 2})
    assert [app.get("/", status="*").status_int for _ in range(3)] == [200, 200, 429]


def test_who_holds_no_session_is_not_counted() -> None:
    app = site(lambda _: 1, session=SESSION, ratelimit={"limit": 2})
    assert [ask(app, "") for _ in range(4)] == [(200, "2", "2")] * 4
    assert MockCache.cached_data == {}


@pytest.mark.server
@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_requests_at_once_are_all_counted(kind: str, request: pytest.FixtureRequest) -> None:
    options = options_for(kind, request, 10)
    kvs: Any = KVS(kind, options, key_prefix=json.dumps([kind, "at-once"]).replace(" ", ""))
    kvs.delete("n")
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: kvs.count("n", 60), range(80)))
    assert sorted(found) == list(range(1, 81))
    kvs.delete("n")
    (kvs._client if kind == "redis" else kvs._client.store).close()
