"""Cookies of attackers, against Beaker's sessions of each kind: no error, nobody else's session."""

import json
import warnings
import zlib
from http.cookies import BaseCookie
from pathlib import Path
from typing import Any

import pytest

from holdfast.compat.beaker.middleware import SessionMiddleware
from holdfast.compat.beaker.util import JsonSerializer

_IDS = (
    "", "x", "../../../../etc/passwd", "a/b", "/", ".", "..", ".hidden", "a\0b", '"', 'a"b',
    "\\012x", "%0d%0aX: y",
    "x" * 10_000, "x" * 200, "é" * 150, "ÿ" * 199, "\x85", "\xa0x", "\ud800",
    "a:b", "a*", "[a-z]", "{x}", "%s", "==", "a" * 40, "\x7f", "None", "session", "x y",
)  # fmt: skip


def _options(kind: str, folder: Path) -> dict[str, Any]:
    options: dict[str, Any] = {"session.key": "sid", "session.data_dir": str(folder)}
    given = {
        "memory": {"session.type": "memory"},
        "file": {"session.type": "file"},
        "signed": {"session.type": "file", "session.secret": "s"},
        "dbm": {"session.type": "dbm"},
        "encrypted": {
            "session.type": "file", "session.encrypt_key": "e", "session.validate_key": "v",
        },
        "sql": {"session.type": "ext:database", "session.url": f"sqlite:///{folder}/rows.db"},
        "cookie": {"session.type": "cookie", "session.validate_key": "v"},
        "encrypted cookie": {
            "session.type": "cookie", "session.encrypt_key": "e", "session.validate_key": "v",
        },
    }  # fmt: skip
    return {**options, **given[kind]}


KINDS = ("memory", "file", "signed", "dbm", "encrypted", "sql", "cookie", "encrypted cookie")


class _Browser:
    """Visits a page that counts, and keeps what it sends."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._app = SessionMiddleware(self._page, options)

    def _page(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        session = environ["beaker.session"]
        session["visits"] = session.get("visits", 0) + 1
        session.save()
        start("200 OK", [])
        return [json.dumps([session["visits"], session.id]).encode()]

    def visit(self, cookie: str | None) -> tuple[int, str, str]:
        """Return how often the page was visited, the session's id, and the cookie it sent."""
        sent: list[str] = []

        def start(_: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
            sent.extend(value for _, value in headers)

        environ = {} if cookie is None else {"HTTP_COOKIE": cookie}
        visits, name = json.loads(b"".join(self._app(environ, start)))
        assert not any(char in said for said in sent for char in "\r\n\0")
        return visits, name, "".join(sent).strip()


@pytest.fixture(autouse=True)
def _corrupt_is_told() -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Invalidating corrupt session")
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_no_id_of_a_client_is_an_error_or_becomes_a_session(kind: str, tmp_path: Path) -> None:
    browser = _Browser(_options(kind, tmp_path / "data"))
    (tmp_path / "data").mkdir(exist_ok=True)
    good = browser.visit(None)[2].partition(";")[0]
    for number, name in enumerate(_IDS):
        for header in (f"sid={name}", f'sid="{name}"', f"a=b; sid={name}; sid={name}"):
            visits, chosen, _ = browser.visit(header)
            assert visits == 1
            assert chosen != name
        # Beside ours, a cookie of somebody else hides nothing.
        if kind in ("signed", "cookie", "encrypted cookie"):
            sent = browser.visit(f"{good}; sid={name}")
            assert sent[0] == number + 2 or ";" in name or '"' in name, name
            good = sent[2].partition(";")[0] if kind.endswith("cookie") else good
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_changed_cookie_opens_a_session(kind: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    browser = _Browser(_options(kind, tmp_path / "data"))
    good = browser.visit(None)[2].partition(";")[0].removeprefix("sid=")
    assert browser.visit(f"sid={good}")[0] == 2
    for at in range(0, len(good), 4 if kind == "sql" or len(good) > 100 else 1):
        for other in (chr(ord(good[at]) ^ 1), chr(ord(good[at]) ^ 32), "\0", "\\", "\xff"):
            assert browser.visit(f"sid={good[:at]}{other}{good[at + 1 :]}")[0] == 1
        assert browser.visit(f"sid={good[:at]}")[0] == 1


def test_json_that_was_compressed_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.codec.compress.MAX_BYTES", 1000)
    serializer = JsonSerializer()
    assert serializer.loads(zlib.compress(b'"%s"' % (b"x" * 998))) == "x" * 998
    with pytest.raises(zlib.error, match="limit"):
        serializer.loads(zlib.compress(b'"%s"' % (b"x" * 999)))


@pytest.mark.parametrize("kind", ["memory", "signed", "cookie"])
def test_of_a_long_header_the_last_cookies_are_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = _Browser(_options(kind, tmp_path))
    good = browser.visit(None)[2].partition(";")[0]
    read: list[str] = []
    parse = BaseCookie.load

    def load(self: Any, header: Any) -> None:
        read.append(header)
        parse(self, header)

    monkeypatch.setattr(BaseCookie, "load", load)
    flood = "sid=a;" * 50_000 + 'b="'
    assert browser.visit(f"{flood};{good}")[0] == 2
    assert browser.visit(flood)[0] == 1
    assert max(map(len, read), default=0) < 50 * 5_000
