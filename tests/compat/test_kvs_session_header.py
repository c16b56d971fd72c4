"""Sessions of pyramid_kvs that a header names, as those of an API."""

from collections.abc import Iterator

import pytest
from pyramid import testing

from compat.kvs_pages import Visit, clean, keep, record_of
from holdfast.compat.pyramid_kvs.kvs import KVS
from holdfast.compat.pyramid_kvs.session import AuthTokenSession
from holdfast.compat.pyramid_kvs.testing import MockCache


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    with clean():
        yield


def test_a_header_names_a_session() -> None:
    visit = Visit(**{"X_Auth-Token": "t"})
    visit.session["a"] = 1
    assert visit.respond() == []
    assert record_of("session::x-auth-token::t") == {"a": 1}


def test_the_first_header_that_is_there() -> None:
    client = KVS("mock", key_prefix="session::")
    request = testing.DummyRequest(headers={"B": "2", "C": "3"})
    assert AuthTokenSession(request, client, ("A", "B", "C")).session_key == "b::2"
    assert AuthTokenSession(request, client, "C").session_key == "c::3"


def test_without_a_header_nothing_is_kept() -> None:
    client = KVS("mock")
    request = testing.DummyRequest()
    session = AuthTokenSession(request, client, "X-Auth-Token")
    session["a"] = 1
    session.invalidate()
    session.save_session()
    assert (session.session_key, MockCache.cached_data) == (None, {})


def test_a_new_token_takes_the_session_along() -> None:
    keep("x-auth-token::old", '{"a": 1}')
    keep("x-auth-token::new", '{"left": "over"}')
    visit = Visit(**{"X-Auth-Token": "old"})
    visit.session.update_session_token("X_Auth-Token", "new")
    visit.respond()
    assert set(MockCache.cached_data) == {b"session::x-auth-token::new"}
    assert record_of("session::x-auth-token::new") == {"a": 1}


def test_invalidate_of_a_header_session_removes_its_record() -> None:
    keep("x-auth-token::t", '{"a": 1}')
    visit = Visit(**{"X-Auth-Token": "t"})
    visit.session.invalidate()
    visit.respond()
    assert MockCache.cached_data == {}
    visit = Visit(**{"X-Auth-Token": "t"})
    visit.session.invalidate()
    visit.session["b"] = 2
    visit.respond()
    assert record_of("session::x-auth-token::t") == {"b": 2}
