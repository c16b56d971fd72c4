"""Options are coerced as in Beaker: each rule against what INI files and programs say."""

import json
from datetime import timedelta
from typing import Any

import pytest

from compat.seeds import genuine, ours
from holdfast.compat.beaker import util

# prints a line for each option and value: what it became, or the message of the error
TABLE = """
import json
from datetime import datetime, timedelta
from beaker import util


class Text(str):
    pass


VALUES = [
    "true", "True", " TRUE ", "yes", "on", "y", "t", "false", "False", "no", "off", "n", "f",
    "1", "0", "2", "-1", "+1", "3600", "3600\\n", " 3600", "1.5", "\\u0663", "10" * 30, "", " ",
    "\\t\\n", "None", "a", "a,b", " a , b ", ",", "a,", "short,long, ", "/tmp/x", "auto", b"1",
    b"", None, True, False, 0, 1, 2, -1, 3600, 1.5, 0.0, [], ["a"], [" a "], (), ("a", "b"), {},
    {"a": 1}, timedelta(seconds=5), timedelta(0), datetime(2030, 1, 2), Text("x"), Text(""), int,
    object,
]
SESSION = (
    "data_dir lock_dir type cookie_expires cookie_domain cookie_path id key secret "
    "validate_key encrypt_key encrypt_nonce_bits secure httponly timeout "
    "save_accessed_time auto webtest_varname data_serializer samesite crypto_type other "
    "url"
).split()
CACHE = (
    "data_dir lock_dir type enabled expire regions key_length url other"
).split()
TYPES = [str, int, bool, list, tuple, float, dict, timedelta, (bool, int), (int, bool)]
TYPES += [(list, str), (datetime, str), (type(None), str)]


def said(call):
    try:
        return repr(call())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


lines = []
for number, value in enumerate(VALUES):
    for kind, names, coerce in (
        ("session", SESSION, util.coerce_session_params),
        ("cache", CACHE, util.coerce_cache_params),
    ):
        for name in names:
            lines.append([kind, name, number, said(lambda: sorted(coerce({name: value}).items()))])
    lines.append(["asint", number, said(lambda: util.asint(value))])
    lines.append(["asbool", number, said(lambda: util.asbool(value))])
    for types in TYPES:
        found = said(lambda: util.verify_options(value, types, "bad"))
        lines.append(["verify", number, str(types), found])
for timeout in ("5", 5, 0, "0", None):
    for save in ("false", False, True, "0", None):
        given = {"timeout": timeout, "save_accessed_time": save}
        lines.append(["both", said(lambda: sorted(util.coerce_session_params(given).items()))])
same = {"timeout": "5"}
lines.append(["in place", util.coerce_session_params(same) is same])
lines.append(["in place", util.coerce_cache_params(same) is same])
print(json.dumps(lines))
"""

CONFIGS = """
import json
from beaker import util

CONFIGS = [
    {},
    {"cache.type": "file"},
    {"beaker.cache.type": "file", "cache.data_dir": "/x", "session.type": "memory"},
    {
        "cache.regions": "short_term, long_term",
        "cache.type": "file",
        "cache.data_dir": "/tmp/c",
        "cache.lock_dir": "/tmp/l",
        "cache.short_term.type": "memory",
        "cache.short_term.expire": "1200",
        "cache.long_term.expire": "86400",
        "cache.long_term.key_length": "10",
        "cache.expire": "60",
    },
    {"cache.regions": ["a", "a.b"], "cache.a.b.expire": "3", "cache.a.expire": "4"},
    {"cache.regions": "a,,b,", "cache.enabled": "false", "cache.b.enabled": "true"},
    {"cache.regions": "", "cache.x": "y"},
    {"cache.regions": None},
    {"cache.regions": ("a"), "cache.a.url": "u", "cache.a.odd.name": "1"},
    {"cache.enabled": "maybe"},
    {"cache.expire": "soon"},
    {"cache.type": ""},
    {"cache.regions": "a", "cache.a.expire": "soon"},
    {"cache.key_length": "100", "cache.regions": "a"},
    {"cache.lock_dir": " "},
    {"cachetype": "x", "cache": "y"},
    {
        "cache.regions": "a",
        "cache.a.type": "ext:memcached",
        "cache.a.url": "127.0.0.1:1",
        "cache.a.memcache_module": "pylibmc",
    },
    {"beaker.cache.regions": "a", "cache.a.expire": "1", "beaker.cache.a.type": "dbm"},
]
lines = []
for config in CONFIGS:
    for defaults in (True, False):
        if "enabled" not in str(config) and "regions" in str(config) and not defaults:
            continue  # the genuine one fails there: see the next test
        before = dict(config)
        try:
            found = util.parse_cache_config_options(config, include_defaults=defaults)
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        lines.append([found, config == before])
print(json.dumps(lines, sort_keys=True))
"""


@pytest.mark.parametrize("script", [TABLE, CONFIGS], ids=["each option", "whole configurations"])
def test_options_become_what_beaker_makes_of_them(script: str) -> None:
    theirs, mine = json.loads(genuine(script)), json.loads(ours("beaker", script))
    assert len(theirs) > 20
    assert [pair for pair in zip(theirs, mine, strict=True) if pair[0] != pair[1]] == []


def test_regions_without_defaults_are_enabled() -> None:
    found = util.parse_cache_config_options({"cache.regions": "a"}, include_defaults=False)
    assert list(found) == ["cache_regions"]
    assert found["cache_regions"]["a"]["enabled"] is True  # a KeyError in the genuine library


TEXTS = ["data_dir", "lock_dir", "type", "cookie_domain", "cookie_path", "id", "key", "secret"]
TEXTS += ["validate_key", "encrypt_key", "webtest_varname", "data_serializer"]


@pytest.mark.parametrize("name", TEXTS)
def test_promise_an_empty_text_is_an_error(name: str) -> None:
    for empty in ("", "  "):
        with pytest.raises(Exception, match=r"^Empty strings are invalid for: "):
            util.coerce_session_params({name: empty})


def test_promise_1_6_cookie_expires_takes_seconds() -> None:
    found: Any = util.coerce_session_params({"cookie_expires": "300"})
    assert found == {"cookie_expires": timedelta(minutes=5)}


def test_promise_1_6_4_key_length_is_a_number() -> None:
    assert util.coerce_cache_params({"key_length": "20"}) == {"key_length": 20}


def test_promise_1_6_5_regions_have_a_key_length_and_expire_is_a_number() -> None:
    config = {"cache.regions": "a", "cache.a.expire": "60"}
    region = util.parse_cache_config_options(config)["cache_regions"]["a"]
    assert (region["key_length"], region["expire"]) == (250, 60)


def test_promise_1_8_1_timeout_needs_the_accessed_time() -> None:
    with pytest.raises(Exception, match="save_accessed_time must be true to use timeout"):
        util.coerce_session_params({"timeout": "60", "save_accessed_time": "false"})
