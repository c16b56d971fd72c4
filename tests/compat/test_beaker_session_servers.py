"""Beaker's sessions on servers, where no lock keeps others out: nothing lost, no logout undone."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compat.beaker_clients import closing_clients
from compat.beaker_sessions import Open, keep, opens, threads_lose_nothing, values
from compat.beaker_walk import Browser, application
from holdfast.compat.beaker.middleware import SessionMiddleware
from holdfast.errors import StoreError
from servers.memcached import MemcachedServer, run_memcached
from servers.mongodb import MongodbServer
from servers.redis import RedisServer

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def memcached() -> Iterator[MemcachedServer]:
    with run_memcached() as running:
        yield running


@pytest.fixture(params=["ext:redis", "ext:mongodb", "ext:memcached", "ext:database"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Give the options of one kind."""
    kind = str(request.param)
    with contextlib.ExitStack() as stack:
        stack.enter_context(closing_clients())
        if kind == "ext:redis":
            redis: RedisServer = request.getfixturevalue("redis_server")
            url = f"{redis.url}/7"
        elif kind == "ext:mongodb":
            mongo: MongodbServer = request.getfixturevalue("mongodb")
            url = f"{mongo.url}/beaker_sessions"
        elif kind == "ext:memcached":
            url = f"127.0.0.1:{request.getfixturevalue('memcached').port}"
        else:
            url = f"sqlite:///{tmp_path}/sessions.db"
        yield {"type": kind, "url": url, "lock_dir": str(tmp_path)}


@pytest.fixture
def opened(site: dict[str, Any]) -> Open:
    """Give sessions of that kind."""
    return opens(**site)


def test_requests_one_after_the_other(site: dict[str, Any]) -> None:
    options = {f"session.{name}": value for name, value in site.items()}
    browser = Browser(SessionMiddleware(application, {**options, "session.timeout": "300"}))
    assert [browser.get(f"/{word}").rpartition(" ")[2] for word in ("count", "count")] == [
        "1}",
        "2}",
    ]
    assert browser.get("/regenerate").endswith("'n': 2}")
    assert browser.get("/read").startswith("2 ")
    browser.get("/delete")
    assert browser.get("/read").startswith("None ")


def test_what_two_requests_changed_is_kept_of_both(opened: Open) -> None:
    kept = keep(opened, cart=["a"], gone=1)
    one, other = opened(kept), opened(kept)
    one["cart"].append("b")
    del one["gone"]
    other["theme"] = "light"
    one.save()
    other.save()
    assert values(opened(kept)) == {"cart": ["a", "b"], "theme": "light"}


@pytest.mark.parametrize("end", ["delete", "invalidate", "regenerate_id"])
def test_a_logout_is_never_undone(opened: Open, end: str) -> None:
    kept = keep(opened, n=1)
    slow, reads, out = opened(kept), opened(kept), opened(kept)
    getattr(out, end)()
    out.save()
    slow["n"] = 2
    slow.save()
    reads.save(accessed_only=True)
    assert opened(kept).is_new
    assert not slow.request["set_cookie"]


def test_an_id_that_names_no_record_is_never_used(opened: Open) -> None:
    session = opened("c" * 32)
    session["n"] = 1
    session.save()
    assert session.id != "c" * 32
    assert opened("c" * 32).is_new
    assert opened(session.id)["n"] == 1


def test_encrypted_records_are_kept(opened: Open) -> None:
    keys: dict[str, Any] = {"encrypt_key": "e", "validate_key": "v", "data_serializer": "json"}
    session = opened(**keys)
    session["n"] = 1
    session.save()
    assert opened(session.id, **keys)["n"] == 1


@pytest.mark.slow
def test_requests_at_once_lose_nothing(opened: Open) -> None:
    threads_lose_nothing(opened)


@pytest.mark.slow
def test_an_outage_logs_nobody_out(tmp_path: Path) -> None:
    """It is an error that says so: neither a new session, nor a logout that did not happen."""
    with run_memcached() as running:
        options = {
            "session.type": "ext:memcached",
            "session.url": f"127.0.0.1:{running.port}",
            "session.lock_dir": str(tmp_path),
        }
        browser = Browser(SessionMiddleware(application, options))
        browser.get("/count")
        before = dict(browser.cookies)
        running.server.kill()
        for word in ("read", "count", "delete"):
            with pytest.raises(StoreError):
                browser.get(f"/{word}")
        assert browser.cookies == before
        running.server.start()
        browser.get("/read")
        assert browser.cookies == before
