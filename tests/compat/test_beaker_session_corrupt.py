"""Beaker's sessions: records and cookies that cannot be read, values that cannot be written."""

import base64
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compat.beaker_walk import Browser, application
from compat.cart import Cart
from holdfast.compat import settings
from holdfast.compat.beaker.container import MemoryNamespaceManager
from holdfast.compat.beaker.exceptions import (
    BeakerException,
    BeakerWarning,
    InvalidCryptoBackendError,
)
from holdfast.compat.beaker.middleware import SessionMiddleware
from holdfast.compat.beaker.session import CookieSession, Session, SignedCookie
from holdfast.errors import CodecError, StoreUnavailable

_NAME = "beaker.session.id"
_ran: list[str] = []


def run(what: str) -> None:
    """Tell that a pickle got this far."""
    _ran.append(what)


class Trap:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return run, ("it ran",)


def _text(value: object) -> str:
    return base64.b64encode(pickle.dumps(value, 2)).decode()


def _kept(text: Any, **options: Any) -> dict[str, Any]:
    """Lay a record in memory, and return a request that brings its id."""
    session = Session({}, **options)
    session.save()
    MemoryNamespaceManager(session.id)["session"] = text
    return {"cookie": f"{_NAME}={session.id}"}


_CORRUPT: dict[str, Any] = {
    "no base64": "%",
    "no pickle": base64.b64encode(b"no pickle").decode(),
    "cut off": _text({"n": 1})[:12],
    "a foreign class": _text({"n": Trap()}),
    "no dictionary": _text([1, 2]),
    "not ASCII": "ä",
    "empty": "",
}


@pytest.mark.parametrize("text", _CORRUPT.values(), ids=_CORRUPT)
def test_a_corrupt_record_becomes_a_new_session(text: str) -> None:
    carried = _kept(text)
    with pytest.warns(BeakerWarning, match="Invalidating corrupt session"):
        session = Session(dict(carried), invalidate_corrupt=True)
    assert session.is_new
    assert session.id not in carried["cookie"]
    assert "n" not in session
    assert _ran == []


@pytest.mark.parametrize("name", sorted(set(_CORRUPT) - {"a foreign class"}))
def test_a_corrupt_record_is_an_error_if_the_option_says_so(name: str) -> None:
    with pytest.raises((CodecError, ValueError)):
        Session(_kept(_CORRUPT[name]), invalidate_corrupt=False)
    assert _ran == []


def test_a_class_that_is_not_allowed_is_not_found_whatever_the_option_says() -> None:
    carried = _kept(_CORRUPT["a foreign class"])
    with pytest.warns(BeakerWarning, match="asks for"):
        session = Session(dict(carried), invalidate_corrupt=False)
    assert session.is_new
    assert session.id not in carried["cookie"]
    assert settings.refused.total() == 1
    assert _ran == []


def test_a_corrupt_record_is_left_as_it_lies() -> None:
    """It may be readable again: by the key, or the class, that somebody forgot."""
    carried = _kept(_text({"n": Trap()}))
    with pytest.warns(BeakerWarning):
        Session(dict(carried), invalidate_corrupt=True)
    kept = carried["cookie"].partition("=")[2]
    assert "session" in MemoryNamespaceManager(kept)


def test_a_store_out_of_reach_is_no_corrupt_record(monkeypatch: pytest.MonkeyPatch) -> None:
    carried = _kept(_text({"n": 1}))

    def out_of_reach(*_: object) -> None:
        raise StoreUnavailable("memory")

    with monkeypatch.context() as patched:
        patched.setattr(MemoryNamespaceManager, "reread", out_of_reach)
        with pytest.raises(StoreUnavailable):
            Session(dict(carried), invalidate_corrupt=True)
    assert Session(dict(carried))["n"] == 1


def test_what_is_refused_is_counted() -> None:
    with pytest.warns(BeakerWarning):
        Session(_kept(_text({"n": Trap()})), invalidate_corrupt=True)
    assert settings.refused.total() == 1
    assert "not allowed" in next(iter(settings.refused))


def test_any_pickle_is_read_if_asked_for() -> None:
    with pytest.warns(settings.CompatWarning, match="any-pickle"):
        settings.configure(unsafe=["any-pickle"])
    session = Session(_kept(_text({"n": Trap()})))
    assert session["n"] is None
    assert _ran.pop() == "it ran"


@pytest.mark.parametrize("data", [b"", b"garbage", pickle.dumps({"session": Trap()})], ids=range(3))
def test_a_corrupt_file_becomes_a_new_session(tmp_path: Path, data: bytes) -> None:
    browser = Browser(SessionMiddleware(application, {"session.data_dir": str(tmp_path)}))
    browser.get("/count")
    kept = browser.cookies[_NAME]
    (file,) = tmp_path.rglob("*.cache")
    file.write_bytes(data)
    with pytest.raises(CodecError):
        Session({"cookie": f"{_NAME}={kept}"}, data_dir=str(tmp_path))
    settings.refused.clear()
    with pytest.warns(BeakerWarning, match="corrupt"):
        assert browser.get("/count").endswith("'n': 1}")
    assert settings.refused.total() == 1
    assert browser.cookies[_NAME] != kept
    assert _ran == []


@pytest.mark.parametrize("options", [{}, {"data_serializer": "json"}], ids=["pickle", "json"])
def test_another_key_reads_nothing(options: dict[str, Any]) -> None:
    keys = {"encrypt_key": "e", "validate_key": "v", **options}
    session = Session({}, **keys)
    session["n"] = 1
    session.save()
    carried = {"cookie": f"{_NAME}={session.id}"}
    for other in ({"encrypt_key": "x"}, {"validate_key": "x"}):
        with pytest.warns(BeakerWarning, match="corrupt"):
            found = Session(dict(carried), invalidate_corrupt=True, **{**keys, **other})
        assert "n" not in found
    assert Session(dict(carried), **keys)["n"] == 1


def test_a_corrupt_cookie_becomes_a_new_session() -> None:
    cookie = SignedCookie("v")
    for name, text in _CORRUPT.items():
        if not text or not text.isascii():
            continue  # no text at all is no cookie, and a header has no other letters
        carried = {"cookie": f"{_NAME}={cookie.value_encode(text)[1]}"}
        with pytest.warns(BeakerWarning, match="corrupt"):
            session = CookieSession(dict(carried), validate_key="v", invalidate_corrupt=True)
        assert "n" not in session
        if name == "a foreign class":
            with pytest.warns(BeakerWarning, match="not allowed"):
                assert "n" not in CookieSession(dict(carried), validate_key="v")
            continue
        with pytest.raises((CodecError, ValueError)):
            CookieSession(dict(carried), validate_key="v")
    assert _ran == []


def test_a_forged_cookie_becomes_a_new_session() -> None:
    options = {"session.type": "cookie", "session.validate_key": "v"}
    browser = Browser(SessionMiddleware(application, options))
    browser.get("/count")
    signature, value = browser.cookies[_NAME][:40], browser.cookies[_NAME][40:]
    browser.cookies[_NAME] = signature + value[:-4] + "AAAA"
    with pytest.warns(BeakerWarning, match="Invalid signature"):
        assert browser.get("/count").endswith("'n': 1}")


@pytest.mark.parametrize("options", [{}, {"data_dir": True}], ids=["memory", "file"])
def test_a_class_of_the_application_says_how_to_allow_it(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    options = {"data_dir": str(tmp_path)} if options else {}
    session = Session({}, **options)
    session["cart"] = Cart("tea")
    wanted = f"{Cart.__module__}.Cart"
    with pytest.raises(CodecError, match="cart") as told:
        session.save()
    assert f"allow=['{wanted}']" in str(told.value)
    settings.configure(allow=[wanted])
    session.save()
    carried = {"cookie": f"{_NAME}={session.id}"}
    assert Session(dict(carried), **options)["cart"] == Cart("tea")


def test_a_session_too_long_for_a_cookie_is_an_error() -> None:
    session = CookieSession({}, validate_key="v")
    session["long"] = "x" * 2900
    session.save()
    session["long"] = "x" * 3100
    with pytest.raises(BeakerException, match="Cookie value is too long to store"):
        session.save()


def test_encryption_is_never_left_out_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoCrypto:
        has_aes = False

    for module in ("stored_session", "cookie_session"):
        path = f"holdfast.compat.beaker.{module}.get_crypto_module"
        monkeypatch.setattr(path, lambda _: NoCrypto)
    keys: dict[str, Any] = {"encrypt_key": "e", "validate_key": "v"}
    with pytest.raises(InvalidCryptoBackendError, match="No AES library"):
        CookieSession({}, **keys)
    with pytest.raises(InvalidCryptoBackendError, match="cannot be encrypted"):
        Session({}, **keys).save()
    Session({}).save()
    monkeypatch.undo()
    session = Session({}, encrypt_key="e")
    with pytest.raises(BeakerException, match="no validate_key"):
        session.save()


def test_a_serializer_of_the_application_is_used_for_all_of_it() -> None:
    class Reversed:
        def loads(self, data: bytes) -> Any:
            return pickle.loads(data[::-1])  # noqa: S301 - what this test wrote

        def dumps(self, value: Any) -> bytes:
            return pickle.dumps(value)[::-1]

    serializer = Reversed()
    session = Session({}, data_serializer=serializer)
    assert session.serializer is serializer
    session["n"] = Cart("tea")
    session.save()
    carried = {"cookie": f"{_NAME}={session.id}"}
    assert Session(carried, data_serializer=serializer)["n"] == Cart("tea")
