"""Cookie headers of attackers, against the sessions of pyramid_kvs in an application of Pyramid."""

from collections.abc import Iterator
from typing import Any

import pytest
from pyramid.request import Request

from compat.kvs_pages import MOCK, clean, keep
from holdfast.compat.pyramid_kvs.perlsess import PerlSession
from holdfast.compat.pyramid_kvs.session import SessionFactory

_BROKEN = ['other="\xe9"', "other=\xff\xfe", 'other="\\351"', "=", "other=\0", '"']


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """Give each the store of the mock, empty."""
    with clean():
        yield


def _request(header: str) -> Any:
    return Request.blank("/", environ={"HTTP_COOKIE": header})


@pytest.mark.parametrize("number", range(len(_BROKEN)))
def test_a_cookie_of_somebody_else_hides_nobodys_session(number: int) -> None:
    keep("id", '{"user": "ada"}')
    factory = SessionFactory({"kvs.session": MOCK})
    name = factory.key_name
    for header in (f"{_BROKEN[number]}; {name}=id", f"{name}=id; {_BROKEN[number]}"):
        assert factory(_request(header)).get("user") == "ada"


@pytest.mark.parametrize("value", ['"\xe9"', '"\\351"', "\xff", '"' + "\xff" * 300 + '"'])
def test_a_cookie_that_is_no_text_names_no_session(value: str) -> None:
    factory = SessionFactory({"kvs.session": MOCK})
    session = factory(_request(f"{factory.key_name}={value}"))
    assert session.new
    assert len(session.session_key or "") == 40
    PerlSession.connect({"kvs.perlsess": {**MOCK, "cookie_name": "perl"}})
    assert dict(PerlSession(_request(f"perl={value}"))) == {}
