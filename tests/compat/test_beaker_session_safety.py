"""What was unsafe in Beaker's sessions: by default it is not, and each old way has its name."""

from collections.abc import Callable
from http.cookies import CookieError
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from compat.beaker_sessions import NAME, Open, keep, opens
from compat.beaker_walk import Browser, application
from holdfast.compat import settings
from holdfast.compat.beaker.container import MemoryNamespaceManager
from holdfast.compat.beaker.exceptions import BeakerException
from holdfast.compat.beaker.middleware import SessionMiddleware
from holdfast.compat.beaker.session import CookieSession, Session, SignedCookie


@pytest.fixture(params=["memory", "file", "dbm"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Give sessions of one store."""
    return opens(type=request.param, data_dir=str(tmp_path))


def _unsafe(name: str) -> None:
    with pytest.warns(settings.CompatWarning, match=name):
        settings.configure(unsafe=[name])


def test_an_id_that_names_no_record_is_never_used(opened: Open) -> None:
    chosen = uuid4().hex
    session = opened(chosen)
    assert session.is_new
    assert session.id != chosen
    session["user"] = "victim"
    session.save()
    assert session.request["set_cookie"]
    assert f"{NAME}={session.id};" in session.request["cookie_out"]
    assert "user" not in opened(chosen)
    assert opened(session.id)["user"] == "victim"


def test_a_signed_id_that_names_no_record_is_not_used_either(opened: Open) -> None:
    chosen = uuid4().hex
    signed = SignedCookie("secret").value_encode(chosen)[1]
    assert opened(signed, secret="secret").id != chosen


def test_unknown_ids_are_used_if_asked_for(opened: Open) -> None:
    _unsafe("unknown-ids")
    chosen = uuid4().hex
    session = opened(chosen)
    assert session.is_new
    assert session.id == chosen
    session["user"] = "victim"
    session.save()
    assert opened(chosen)["user"] == "victim"


def test_an_id_that_the_program_gives_is_used(opened: Open) -> None:
    chosen = f"by-the-program-{uuid4().hex}"
    session = opened(id=chosen, use_cookies=False)
    assert session.is_new
    assert session.id == chosen
    session["n"] = 1
    session.save()
    assert opened(id=chosen, use_cookies=False)["n"] == 1


@pytest.mark.parametrize(
    "hostile",
    [
        "../../../../escaped",
        "..",
        "/etc/passwd",
        "a/../../escaped",
        "%2e%2e%2fescaped",
        "..\\escaped",
        '"\\000\\057"',
        '"nul\\000byte"',
        "x" * 5000,
        '""',
        "ÿ" * 32,
        ".",
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_no_id_of_a_client_becomes_a_path(
    tmp_path: Path, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    app = SessionMiddleware(application, {"session.type": "file", "session.data_dir": str(folder)})
    browser = Browser(app)
    browser.cookies = {NAME: hostile}
    assert browser.get("/new").startswith("True")
    assert browser.get("/count").startswith("None")
    assert set(tmp_path.iterdir()) == {tmp_path / "a"}
    assert not list(tmp_path.rglob("*escaped*"))
    files = [path.stem for path in folder.rglob("*.cache")]
    assert files == [browser.cookies[NAME]]


def test_the_old_id_is_dead_once_the_new_one_is_kept(opened: Open) -> None:
    old = keep(opened, n=1)
    session = opened(old)
    session.regenerate_id()
    assert opened(old)["n"] == 1, "nothing is kept yet"
    session.save()
    assert session.id != old
    assert opened(old).is_new
    assert opened(session.id)["n"] == 1


def test_regenerating_without_a_save_keeps_what_was_there(opened: Open) -> None:
    old = keep(opened, n=1)
    session = opened(old)
    session["n"] = 2
    session.regenerate_id()
    session.save(accessed_only=True)
    assert opened(old).is_new
    assert opened(session.id)["n"] == 1


def test_regenerating_is_kept_where_access_is_not(tmp_path: Path) -> None:
    def sign_in(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/sign-in":
            environ["beaker.session"].regenerate_id()
            start_response("200 OK", [])
            return []
        return list(application(environ, start_response))

    options = {"session.save_accessed_time": "false", "session.data_dir": str(tmp_path)}
    browser = Browser(SessionMiddleware(sign_in, options))
    browser.get("/count")
    old = browser.cookies[NAME]
    browser.get("/sign-in")
    assert browser.cookies[NAME] != old
    assert browser.get("/read").startswith("1 ")


def test_old_ids_live_on_if_asked_for(opened: Open) -> None:
    _unsafe("old-ids")
    old = keep(opened, n=1)
    session = opened(old)
    session.regenerate_id()
    session.save()
    assert opened(old)["n"] == opened(session.id)["n"] == 1


@pytest.mark.parametrize("end", ["delete", "invalidate"])
def test_the_record_ends_with_the_session(opened: Open, end: str) -> None:
    kept = keep(opened, n=1)
    session = opened(kept)
    getattr(session, end)()
    assert "n" not in session
    assert opened(kept).is_new, "at once, without a save"
    session.save()
    assert opened(kept).is_new


@pytest.mark.parametrize("end", ["delete", "invalidate"])
def test_records_outlive_their_sessions_if_asked_for(opened: Open, end: str) -> None:
    _unsafe("kept-records")
    kept = keep(opened, n=1)
    session = opened(kept)
    getattr(session, end)()
    assert opened(kept)["n"] == 1


def test_a_file_goes_with_its_session(tmp_path: Path) -> None:
    session = Session({}, data_dir=str(tmp_path))
    session["n"] = 1
    session.save()
    assert len(list(tmp_path.rglob("*.cache"))) == 1
    session.delete()
    session["n"] = 2
    session.save()
    assert not list(tmp_path.rglob("*.cache"))


def _changes(session: Session) -> None:
    session["n"] = 2
    session.save()


def _regenerates(session: Session) -> None:
    session.regenerate_id()
    session.save()


def _reverts(session: Session) -> None:
    session["n"] = 2
    session.revert()
    session.save()


def _only_reads(session: Session) -> None:
    session.save(accessed_only=True)


def _clears(session: Session) -> None:
    session.clear()
    session.save()


@pytest.mark.parametrize("last", [_changes, _regenerates, _reverts, _only_reads, _clears])
@pytest.mark.parametrize("end", ["delete", "invalidate", "regenerate"])
def test_a_logout_is_never_undone(
    opened: Open, end: str, last: Callable[[Session], None], tmp_path: Path
) -> None:
    kept = keep(opened, n=1, user="me")
    slow, out = opened(kept), opened(kept)
    if end == "regenerate":
        _regenerates(out)
    else:
        getattr(out, end)()
        out.save()
    before = _everything(tmp_path)
    last(slow)
    assert opened(kept).is_new
    assert opened(slow.id).is_new
    assert not slow.request["set_cookie"]
    assert _everything(tmp_path) == before, "nothing is left behind"
    last(slow)
    assert opened(slow.id).is_new, "nor by trying again"


def _everything(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.suffix == ".cache"}


def test_a_logout_between_the_two_halves_of_a_move_stands(
    monkeypatch: pytest.MonkeyPatch, opened: Open
) -> None:
    kept = keep(opened, n=1)
    session = opened(kept)
    session.regenerate_id()
    sealed = session._encrypt_data

    def meanwhile(data: Any = None) -> Any:
        opened(kept).delete()
        return sealed(data)

    monkeypatch.setattr(session, "_encrypt_data", meanwhile)
    session.save()
    assert opened(session.id).is_new


def test_the_browser_is_told_to_forget_even_so(tmp_path: Path) -> None:
    browser = Browser(SessionMiddleware(application, {"session.data_dir": str(tmp_path)}))
    browser.get("/count")
    browser.get("/delete")
    assert "expires=" in browser.sent[0]
    assert browser.cookies == {}


@pytest.mark.parametrize("place", ["a.org\r\nSet-Cookie: x=y", "/;Secure", "/\x00", "\n"])
@pytest.mark.parametrize("what", ["cookie_domain", "cookie_path", "samesite"])
def test_no_option_breaks_out_of_the_header(what: str, place: str) -> None:
    options: dict[str, Any] = {what: place}
    with pytest.raises(BeakerException, match="cannot have"):
        Session({}, **options)
    session = CookieSession({}, validate_key="v", **options)
    with pytest.raises(BeakerException, match="cannot have"):
        session.save()


@pytest.mark.parametrize("what", ["domain", "path"])
def test_nothing_set_on_the_fly_breaks_out_of_the_header(what: str) -> None:
    session = Session({})
    with pytest.raises(BeakerException, match="cannot have"):
        setattr(session, what, "/\r\nX-Injected: 1")


def test_no_id_of_an_application_breaks_out_of_the_header() -> None:
    class Odd(Session):
        def _create_id(self, set_new: bool = True) -> None:  # noqa: FBT002 - as the original
            super()._create_id(set_new)
            self.id = "a\r\nX-Injected: 1"
            self._update_cookie_out()

    with pytest.raises((BeakerException, CookieError)):  # newer Pythons refuse it themselves
        Odd({}, secret="s")


@pytest.mark.parametrize("header", [
    "{good}",
    "{bad}; {good}",
    "{good}; {bad}",
    "other=1; {bad}; {good}; more=2",
    'quoted="a; b"; {good}; {bad}',
    "not a cookie; {good}",
    "{good}; n\xf6t a c\xf6\xf6kie",
    "[bad]=1; {good}",
    "a=b=c; ;; {good};",
    "$Version=1; {good}",
])  # fmt: skip
def test_garbage_beside_ours_does_not_lose_ours(header: str) -> None:
    cookie = SignedCookie("secret")
    session = Session({}, secret="secret")
    session["n"] = 1
    session.save()
    good = f"{NAME}={cookie.value_encode(session.id)[1]}"
    bad = f"{NAME}={'0' * 40}{session.id}"
    carried = {"cookie": header.format(good=good, bad=bad)}
    assert Session(carried, secret="secret")["n"] == 1


def test_a_wrong_signature_is_no_session() -> None:
    session = Session({}, secret="secret")
    session["n"] = 1
    session.save()
    for signature in ("0" * 40, "", SignedCookie("other").value_encode(session.id)[1][:40]):
        found = Session({"cookie": f"{NAME}={signature}{session.id}"}, secret="secret")
        assert found.is_new
        assert found.id != session.id


def test_nothing_of_a_cookie_is_read_before_its_signature() -> None:
    read: list[bytes] = []

    class Serializer:
        def loads(self, data: bytes) -> Any:
            read.append(data)
            return {}

        def dumps(self, _: Any) -> bytes:
            return b"{}"

    options: dict[str, Any] = {"validate_key": "v", "data_serializer": Serializer()}
    for value in ("0" * 40 + "e30=", "e30=", "0" * 39):
        with pytest.raises(BeakerException, match="Invalid signature"):
            CookieSession({"cookie": f"{NAME}={value}"}, **options)
    assert read == []
    CookieSession({"cookie": f"{NAME}={SignedCookie('v').value_encode('e30=')[1]}"}, **options)
    assert read == [b"{}"]


def test_the_dictionaries_of_a_process_hold_no_ended_session() -> None:
    session = Session({})
    session["n"] = 1
    session.save()
    session.delete()
    assert not MemoryNamespaceManager.namespaces[session.id]
