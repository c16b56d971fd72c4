"""Whatever stands in a Cookie header: it is no error, and does not hide a cookie of ours."""

import warnings
from http.cookies import SimpleCookie

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.compat.beaker.exceptions import BeakerWarning
from holdfast.compat.beaker.session import CookieSession, InvalidSignature, Session, SignedCookie
from holdfast.compat.beaker.signed_cookie import own_value

_NAME = "beaker.session.id"
_GOOD = SignedCookie("secret").value_encode("e30=")[1]

_byte = st.characters(max_codepoint=255)
_pieces = st.one_of(
    st.text(_byte, max_size=12),
    st.builds("{}={}".format, st.sampled_from([_NAME, "a", "path", "$Path"]), st.text(_byte)),
    st.sampled_from([f"{_NAME}={_GOOD}", f'{_NAME}="{_GOOD}"', f"{_NAME}=", "\t", '"']),
)
_headers = st.lists(_pieces, max_size=5).map("; ".join)


@given(header=_headers)
@example(f"{_NAME}=" + "\ud800")
@example(f"{_NAME}=" + "é" * 50)
def test_no_header_is_an_error(header: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BeakerWarning)
        assert Session({"cookie": header}, invalidate_corrupt=True).is_new
        Session({"cookie": header}, secret="secret", invalidate_corrupt=True).save()
        CookieSession({"cookie": header}, validate_key="secret", invalidate_corrupt=True).save()


@given(header=st.text(_byte).filter(lambda text: '"' not in text and "=" not in text))
def test_ours_is_found_beside_anything(header: str) -> None:
    """Quotes may be open, and hold what follows; other cookies of our name are counted below."""
    for whole in (f"{_NAME}={_GOOD}; {header}", f"{header}; {_NAME}={_GOOD}"):
        assert own_value(_NAME, whole, "secret") == "e30="


@given(header=_headers)
def test_a_value_that_is_taken_was_signed(header: str) -> None:
    taken = own_value(_NAME, header, "secret")
    assert taken is None or taken is InvalidSignature or f"{_GOOD}" in header


@given(header=_headers)
def test_the_quick_look_sees_what_the_slow_one_sees(header: str) -> None:
    quick = own_value("beaker.session.id", header, None)
    slow: SimpleCookie = SimpleCookie()
    slow.load(header)
    if (
        header.count(_NAME) == 1 and _NAME in slow
    ):  # of several, Python forgets those behind a bad one
        assert quick == slow[_NAME].value


@pytest.mark.parametrize("header", [None, "", ";", "beaker.session.id", "x=beaker.session.id=1"])
def test_no_cookie_is_no_cookie(header: str | None) -> None:
    assert own_value(_NAME, header, None) is None
    assert own_value(_NAME, header, "secret") is None
