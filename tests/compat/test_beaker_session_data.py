"""Sessions written before: read, gone on with, and read again by the genuine library."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from compat import beaker_old_sessions as old
from compat.beaker_walk import Browser, application
from compat.seeds import genuine
from holdfast.compat import settings
from holdfast.compat.beaker.middleware import SessionMiddleware
from holdfast.compat.beaker.session import CookieSession, Session
from holdfast.compat.values import MARK

_NAME = "beaker.session.id"
_CRYPT = {"session.encrypt_key": "e", "session.validate_key": "v"}
_COOKIE = {"session.type": "cookie", "session.validate_key": "v"}
_JSON = {"session.data_serializer": "json"}
_48 = {"session.encrypt_nonce_bits": 48}

_SITES: dict[str, dict[str, Any]] = {
    "file": {"session.type": "file"},
    "dbm": {"session.type": "dbm"},
    "file, signed": {"session.type": "file", "session.secret": "s"},
    "file, encrypted": {"session.type": "file", **_CRYPT},
    "file, 48 bits": {"session.type": "file", **_CRYPT, **_48},
    "file, json": {"session.type": "file", **_JSON},
    "file, encrypted json": {"session.type": "file", **_CRYPT, **_JSON},
    "cookie": _COOKIE,
    "cookie, json": {**_COOKIE, **_JSON},
    "cookie, encrypted": {**_COOKIE, **_CRYPT},
    "cookie, 48 bits": {**_COOKIE, **_CRYPT, **_48},
    "cookie, encrypted json": {**_COOKIE, **_CRYPT, **_JSON},
}

_VISIT = """
import json, sys
from pathlib import Path
from beaker.middleware import SessionMiddleware
from compat.beaker_walk import Browser, application
sites, folder, words, jars = sys.argv[1:]
told = {}
for name, options in json.loads(sites).items():
    placed = {**options, "session.data_dir": folder + name}
    browser = Browser(SessionMiddleware(application, placed))
    browser.cookies = json.loads(jars).get(name, {})
    pages = [browser.get("/" + word) for word in words.split()]
    told[name] = [pages, browser.cookies]
print(json.dumps(told))
"""

_Told = dict[str, Any]


class _Fleet:
    """Processes with the genuine library and with ours, behind one address, on one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = f"{folder}/"
        self.jars: dict[str, dict[str, str]] = {}

    def genuine(self, words: str) -> dict[str, list[str]]:
        said = genuine(_VISIT, json.dumps(_SITES), self.folder, words, json.dumps(self.jars))
        return self._back(json.loads(said))

    def ours(self, words: str) -> dict[str, list[str]]:
        told: _Told = {}
        for name, options in _SITES.items():
            placed = {**options, "session.data_dir": self.folder + name}
            browser = Browser(SessionMiddleware(application, placed))
            browser.cookies = self.jars.get(name, {})
            told[name] = [[browser.get(f"/{word}") for word in words.split()], browser.cookies]
        return self._back(told)

    def _back(self, told: _Told) -> dict[str, list[str]]:
        self.jars = {name: jar for name, (_, jar) in told.items()}
        return {name: [_n(page) for page in pages] for name, (pages, _) in told.items()}


def _n(page: str) -> str:
    """Return what the page shows of the visits that were counted."""
    return page.rpartition("'n': ")[2].partition("}")[0].partition(",")[0]


@pytest.fixture
def fleet(tmp_path: Path) -> _Fleet:
    return _Fleet(tmp_path)


def _all(*numbers: int) -> dict[str, list[str]]:
    return {name: [str(number) for number in numbers] for name in _SITES}


@pytest.mark.slow
def test_nobody_is_logged_out_while_old_and_new_processes_share_sessions(fleet: _Fleet) -> None:
    settings.configure(old_form=True)
    assert fleet.genuine("count count") == _all(1, 2)
    assert fleet.ours("read count") == _all(2, 3)
    assert fleet.genuine("count read count") == _all(4, 4, 5)
    assert fleet.ours("count read") == _all(6, 6)
    before = {name: dict(jar) for name, jar in fleet.jars.items()}
    assert fleet.ours("count regenerate count") == _all(7, 7, 8)
    assert all(fleet.jars[name] != before[name] for name in _SITES)
    assert fleet.genuine("count") == _all(9)


def test_sessions_of_before_go_on_in_the_new_form(fleet: _Fleet) -> None:
    fleet.genuine("count")
    assert fleet.ours("count read count") == _all(2, 2, 3)
    assert settings.refused.total() == 0
    for name in ("file", "file, signed"):
        files = list(Path(fleet.folder, name).rglob("*.cache"))
        assert len(files) == 1
        assert files[0].read_bytes().startswith(MARK)
    assert fleet.ours("read") == _all(3)


def test_the_record_of_a_session_has_the_genuine_key(fleet: _Fleet) -> None:
    settings.configure(old_form=True)
    fleet.ours("count")
    read = """
import pickle, sys, json
from pathlib import Path
print(json.dumps([[path.stem, list(pickle.loads(path.read_bytes()))]
                  for path in Path(sys.argv[1]).rglob("*.cache")]))
"""
    kept = fleet.jars["file"][_NAME]
    assert json.loads(genuine(read, fleet.folder + "file")) == [[kept, ["session"]]]
    place = Path(fleet.folder, "file", "container_file", kept[0], kept[:2])
    assert (place / f"{kept}.cache").exists()


_KEPT = "0123456789abcdef" * 2


def _lay(folder: Path, data: bytes) -> dict[str, Any]:
    """Put a file where Beaker had it, and return a request that brings its id."""
    place = folder / "container_file" / _KEPT[0] / _KEPT[:2]
    place.mkdir(parents=True)
    (place / f"{_KEPT}.cache").write_bytes(data)
    return {"cookie": f"{_NAME}={_KEPT}"}


@pytest.mark.parametrize("form", old.FILES)
def test_1_10_files_are_read(tmp_path: Path, form: str) -> None:
    options, data = old.FILES[form]
    carried = _lay(tmp_path, base64.b64decode(data))
    session = Session(dict(carried), data_dir=str(tmp_path), **options)
    assert session["n"] == 1
    assert session.created == session.last_accessed == 1528000000
    session["n"] = 2
    session.save()
    assert Session(dict(carried), data_dir=str(tmp_path), **options)["n"] == 2


@pytest.mark.parametrize("form", old.COOKIES)
def test_1_10_cookies_are_read(form: str) -> None:
    options, value = old.COOKIES[form]
    session = CookieSession({"cookie": f"{_NAME}={value}"}, **options)
    assert session["n"] == 1
    assert session.created == 1528000000
    assert not session.is_new


def test_1_10_cookies_time_out_as_all_do() -> None:
    _, value = old.COOKIES["signed"]
    session = CookieSession({"cookie": f"{_NAME}={value}"}, timeout=300, **old.KEYS)
    assert "n" not in session


def test_a_file_of_python_2_is_read(tmp_path: Path) -> None:
    session = Session(_lay(tmp_path, old.PYTHON_2), data_dir=str(tmp_path))
    assert (session["n"], session["name"]) == (1, "Jörg")


def test_the_text_of_a_session_may_be_bytes() -> None:
    session = Session({})
    for text in (session._encrypt_data({"n": 1}), session._encrypt_data({"n": 1}).encode()):
        assert session._decrypt_data(text) == {"n": 1}
