"""What users and browsers see of Beaker's sessions: the genuine library says the same."""

import json
from typing import Any

import pytest

from compat.seeds import genuine, ours

_WALK = """
import json, sys, warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from beaker.middleware import SessionMiddleware
from compat.beaker_walk import Browser, application, masked
warnings.simplefilter("ignore")
seen = {}
for name, (options, words) in json.loads(Path(sys.argv[1]).read_text()).items():
    options = {key: eval(value[1:]) if str(value)[:1] == "!" else value
               for key, value in options.items()}
    if options.pop("folder", False):
        options["session.data_dir"] = sys.argv[2] + "/" + name
    browser = Browser(SessionMiddleware(application, options))
    seen[name] = steps = []
    for word in words:
        try:
            page = browser.get("/" + word)
        except Exception as error:
            page = type(error).__name__
        steps.append([word, page, [masked(said) for said in browser.sent]])
print(json.dumps(seen))
"""

_LONG = [
    *("untouched", "read", "new", "count", "count", "read", "unsaved", "read", "nested", "nested"),
    *("elsewhere", "read", "drop", "read", "count", "regenerate", "read", "count", "revert"),
    *("read", "clear", "read", "count", "persist", "read", "delete", "read", "count"),
    *("invalidate", "count", "read"),
]
_SHORT = ["count", "elsewhere", "count", "read", "delete", "read"]
_KEYS = {"session.type": "cookie", "session.validate_key": "validating"}

_WALKS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "memory": ({"session.type": "memory"}, _LONG),
    "memory by default": ({}, _LONG),
    "file": ({"session.type": "file", "folder": True}, _LONG),
    "file by data_dir": ({"folder": True}, _SHORT),
    "dbm": ({"session.type": "dbm", "folder": True}, _SHORT),
    "signed": ({"session.secret": "s"}, _LONG),
    "auto": ({"session.auto": "true"}, _LONG),
    "no access time": ({"session.save_accessed_time": "false"}, _LONG),
    "no access time, auto": (
        {"session.save_accessed_time": "false", "session.auto": "true"},
        _SHORT,
    ),
    "json": ({"session.data_serializer": "json"}, _SHORT),
    "encrypted": (
        {"session.encrypt_key": "e", "session.validate_key": "v", "folder": True},
        _SHORT,
    ),
    "timeout": ({"session.timeout": "300"}, _SHORT),
    "cookie": (
        _KEYS,
        [word for word in _LONG if word not in ("regenerate", "revert")],
    ),
    "cookie, encrypted": ({**_KEYS, "session.encrypt_key": "e"}, _SHORT),
    "cookie, json": ({**_KEYS, "session.data_serializer": "json"}, _SHORT),
    "cookie, 48 bits": (
        {**_KEYS, "session.encrypt_key": "e", "session.encrypt_nonce_bits": "48"},
        _SHORT,
    ),
    "cookie, no access time": ({**_KEYS, "session.save_accessed_time": "false"}, _SHORT),
    "key": ({"session.key": "sid"}, _SHORT),
    "domain": ({"session.cookie_domain": ".example.org"}, _SHORT),
    "path": ({"session.cookie_path": "/app"}, _SHORT),
    "secure": ({"session.secure": "true"}, _SHORT),
    "httponly": ({"session.httponly": "true"}, _SHORT),
    "samesite strict": ({"session.samesite": "Strict"}, _SHORT),
    "samesite none": ({"session.samesite": None}, _SHORT),
    "expires true": ({"session.cookie_expires": "true"}, _SHORT),
    "expires false": ({"session.cookie_expires": "false"}, _SHORT),
    "expires int": ({"session.cookie_expires": 300000}, _SHORT),
    "expires string of int": ({"session.cookie_expires": "300000"}, _SHORT),
    "expires timedelta": ({"session.cookie_expires": "!timedelta(days=4)"}, _SHORT),
    "expires datetime": ({"session.cookie_expires": "!datetime(2037, 2, 28, 3, 4, 5)"}, _SHORT),
    "expires aware": (
        {"session.cookie_expires": "!datetime(2037, 2, 28, tzinfo=timezone(timedelta(hours=2)))"},
        _SHORT,
    ),
    "all of them": (
        {
            "session.cookie_domain": "example.org",
            "session.cookie_path": "/a b",
            "session.secure": "yes",
            "session.httponly": "on",
            "session.cookie_expires": "!timedelta(days=4)",
            "session.secret": "s",
        },
        _SHORT,
    ),
    "all of them in a cookie": (
        {
            **_KEYS,
            "session.cookie_domain": "example.org",
            "session.cookie_path": "/app",
            "session.secure": "yes",
            "session.httponly": "on",
            "session.cookie_expires": "!timedelta(days=4)",
            "session.samesite": "Strict",
        },
        _SHORT,
    ),
    "prefix of frameworks": ({"beaker.session.key": "sid", "session.secure": "1"}, _SHORT),
    "no prefix": ({"key": "sid", "secure": True}, _SHORT),
}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Give what both libraries showed on every walk."""
    folder = tmp_path_factory.mktemp("walks")
    walks = folder / "walks.json"
    walks.write_text(json.dumps(_WALKS), encoding="utf-8")
    return (
        json.loads(genuine(_WALK, walks, folder / "genuine")),
        json.loads(ours("beaker", _WALK, walks, folder / "ours")),
    )


@pytest.mark.parametrize("name", _WALKS)
def test_pages_and_cookies_are_the_same(walked: tuple[Any, Any], name: str) -> None:
    expected, seen = walked
    assert seen[name] == expected[name]


_CRASHES = """
import json
from beaker.session import Session, CookieSession, SessionObject
from beaker.middleware import SessionMiddleware

def said(make):
    try:
        return repr(type(make()).__name__)
    except Exception as error:
        return [type(error).__name__, str(error)]

print(json.dumps([
    said(lambda: Session({}, timeout=3, save_accessed_time=False)),
    said(lambda: CookieSession({}, validate_key="v", timeout=3, save_accessed_time=False)),
    said(lambda: CookieSession({})),
    said(lambda: Session({}, data_serializer="yaml")),
    said(lambda: Session({}, cookie_expires="soon")),
    said(lambda: Session({}, encrypt_nonce_bits=47)),
    said(lambda: Session({}, crypto_type="rot13")),
    said(lambda: Session({}, type="nowhere")),
    said(lambda: SessionMiddleware(None, {"session.timeout": "soon"})),
    said(lambda: SessionMiddleware(None, {"session.secret": ""})),
    said(lambda: SessionMiddleware(None, {"session.timeout": 3, "session.save_accessed_time": 0})),
    said(lambda: SessionObject({}, session_class=dict).id)[0],
    said(lambda: CookieSession({"cookie": "beaker.session.id=" + "0" * 50}, validate_key="v")),
    said(lambda: dict(CookieSession({}, validate_key="v", invalidate_corrupt=True))),
]))
"""


def test_wrong_options_say_the_same() -> None:
    expected = json.loads(genuine(_CRASHES))
    expected[-3] = "AssertionError"  # it fails while it words its own message
    assert json.loads(ours("beaker", _CRASHES)) == expected


_WRITES = """
import json
from beaker.container import NamespaceManager
from beaker.middleware import SessionMiddleware
from compat.beaker_walk import Browser, application

class Counting(NamespaceManager):
    rows, done = {}, []

    def __init__(self, namespace, **options):
        super().__init__(namespace)

    def __contains__(self, key):
        return (self.namespace, key) in self.rows

    def __getitem__(self, key):
        return self.rows[self.namespace, key]

    def __setitem__(self, key, value):
        self.done.append(f"write {key} {type(value).__name__}")
        self.rows[self.namespace, key] = value

    def __delitem__(self, key):
        self.done.append(f"delete {key}")
        del self.rows[self.namespace, key]

told = []
for options in ({}, {"session.save_accessed_time": "false"}, {"session.auto": "true"}):
    browser = Browser(SessionMiddleware(application, options, namespace_class=Counting))
    for word in "untouched read count read unsaved nested revert persist count".split():
        Counting.done.clear()
        browser.get("/" + word)
        told.append([word, *Counting.done])
print(json.dumps(told))
"""


def test_a_manager_sees_the_same_writes() -> None:
    told = json.loads(ours("beaker", _WRITES))
    assert ["read"] in told
    assert ["read", "write session str"] in told
    assert told == json.loads(genuine(_WRITES))
