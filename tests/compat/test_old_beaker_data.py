"""What the genuine Beaker 1.10.0 and 1.14.1 wrote, everywhere: read, gone on with, nobody out."""

from typing import Any

import pytest

from compat import old_beaker
from compat.fixtures import write
from compat.old_beaker import RELEASES, Places
from holdfast.compat import settings
from holdfast.compat.beaker.cache import CacheManager
from holdfast.compat.beaker.session import CookieSession, Session

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("ignore:crypto_type=:holdfast.compat.settings.CompatWarning"),
]


def _session(options: dict[str, Any], cookie: str) -> Any:
    kind = CookieSession if options["type"] == "cookie" else Session
    return kind({"cookie": cookie}, **options)


def _came(session: Any) -> str:
    return str(session.request["cookie_out"]).strip().partition(";")[0]


def _same(found: Any, wanted: Any) -> None:
    """Compare values with their types."""
    assert {key: repr(value) for key, value in found.items() if key[0] != "_"} == {
        key: repr(value) for key, value in wanted.items()
    }


@pytest.mark.parametrize(("release", "name"), old_beaker.written("sessions"))
def test_a_session_goes_on(places: Places, release: str, name: str) -> None:
    written = RELEASES[release]["sessions"][name]
    options = places.placed(old_beaker.options_of(release, write.SESSIONS[name]))
    places.lay(options["type"], written)
    wanted = old_beaker.values_of(release, write.values_of(write.SESSIONS[name]))
    cookie = written["cookie"]
    for old_form in (False, True, False):
        settings.configure(old_form=old_form)
        session = _session(options, cookie)
        assert not session.is_new
        _same(session, wanted)
        session["n"] = wanted["n"] = wanted.get("n", 0) + 1
        session.save()
        if options["type"] == "cookie":
            cookie = _came(session)
    assert settings.refused.total() == 0


@pytest.mark.parametrize(("release", "name"), old_beaker.written("caches"))
def test_a_cache_is_found(places: Places, release: str, name: str) -> None:
    written = RELEASES[release]["caches"][name]
    options = places.placed(old_beaker.options_of(release, write.PLACES[name]))
    places.lay(options["type"], written)
    manager = CacheManager(**options)
    shop = manager.get_cache("shop")
    wanted = old_beaker.values_of(release, write.VALUES)
    for key in ("values", "two words", write.LONG):
        _same(shop.get(key), wanted)
    if not release.endswith("python_2"):
        _same(shop.get("\u017elu\u0165"), wanted)
    assert shop.get("ends", createfunc=lambda: "made anew") == "made anew"
    load, made = write.decorated(manager)
    assert load(1) == {"a": 1, "b": 2}
    assert load("x" * 300, "y") == {"a": "x" * 300, "b": "y"}
    assert made == []
    assert settings.refused.total() == 0
