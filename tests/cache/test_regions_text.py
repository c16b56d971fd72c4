"""Regions from INI settings and from the environment: what a text means, and what is refused."""

import configparser
import contextlib
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cache.region import Regions
from holdfast.cache.region_text import read
from holdfast.errors import ConfigError
from holdfast.store.memory import MemoryStore

INI = """
[app:main]
use = egg:shop
holdfast.session.url = memory://
holdfast.cache.regions = short_term, long_term
    third
holdfast.cache.default.url = memory://
holdfast.cache.default.prefix = shop
holdfast.cache.default.ttl = 1h30m
holdfast.cache.short_term.ttl = 90
holdfast.cache.short_term.jitter = 0.25
holdfast.cache.short_term.near = off
holdfast.cache.short_term.tags = users, pages
holdfast.cache.long_term.ttl = none
holdfast.cache.long_term.max_entries = 50
holdfast.cache.long_term.codec = json
holdfast.cache.third.url = none
holdfast.cache.third.enabled = No
"""


@pytest.fixture
def regions() -> Iterator[Regions]:
    made = Regions()
    yield made
    made.close()


def configured(settings: dict[str, Any]) -> Regions:
    regions = Regions()
    regions.from_settings({"holdfast.cache." + key: value for key, value in settings.items()})
    return regions


def test_a_section_of_an_ini_file(regions: Regions) -> None:
    parser = configparser.ConfigParser()
    parser.read_string(INI)
    regions.from_settings(parser["app:main"])
    short, long, third = (regions[name] for name in ("short_term", "long_term", "third"))
    assert short._policy.ttl == 90
    assert short._policy.jitter == 0.25
    assert short._policy.tags == ("users", "pages")
    assert short._core.near.max_entries == 0
    assert long._policy.ttl == float("inf")
    assert long._core.near.max_entries == 50
    assert short._engines.store is long._engines.store is not None
    assert regions["default"]._policy.ttl == third._policy.ttl == 5400
    assert third._engines.store is None
    assert not third._core.enabled
    assert short._core.prefix == "shop.short_term"


def test_an_option_that_is_a_number_or_a_word() -> None:
    regions = configured(
        {
            "regions": "a,b,c",
            "a.refresh_at": "xfetch",
            "b.refresh_at": "0.8",
            "c.refresh_at": "none",
        }
    )
    assert [regions[name]._policy.refresh_at for name in regions] == ["xfetch", 0.8, None]


def test_options_of_the_far_tier() -> None:
    settings = {
        "regions": "a",
        "default.url": "memory://",
        "default.bus": "no",
        "default.compress_above": "1000",
        "a.secrets": f"{secrets.token_urlsafe(32)}, {secrets.token_urlsafe(32)}",
        "a.max_bytes": "none",
        "a.on_error": "queue",
        "a.lease": "20s",
        "a.deadline": "500ms",
    }
    regions = configured(settings)
    regions["a"].put("k", "v" * 5000)
    store: Any = regions["a"]._engines.store
    assert b"v" * 50 not in store.get("a:v:k")
    assert len(store.get("a:v:k")) < 1000
    assert regions["a"].get("k") == "v" * 5000
    assert regions["a"]._core.lease == 20
    assert store is not regions["default"]._engines.store
    regions.close()


@pytest.mark.parametrize("text", ["true", "Yes", "on", "1", " TRUE "])
def test_yes(text: str) -> None:
    assert configured({"regions": "a", "a.enabled": text})["a"]._core.enabled


@pytest.mark.parametrize("text", ["false", "No", "off", "0"])
def test_no(text: str) -> None:
    regions = configured({"regions": "a, b", "enabled": text, "b.enabled": "true"})
    assert not regions["a"]._core.enabled
    assert not regions["b"]._core.enabled


def test_what_is_no_text_is_taken_as_it_is() -> None:
    store = MemoryStore()
    regions = configured(
        {"regions": ["a"], "enabled": True, "a.url": store, "a.ttl": timedelta(minutes=1)}
    )
    assert regions["a"]._engines.store is store
    assert regions["a"]._policy.ttl == 60
    regions.close()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"regions": "a", "a.ttl": "5x"}, "holdfast.cache.a.ttl='5x': write a duration"),
    ({"regions": "a", "default.grace": "-1"}, "holdfast.cache.default.grace='-1'"),
    ({"regions": "a", "a.ttl": ""}, "holdfast.cache.a.ttl: there is nothing"),
    ({"regions": "a", "a.near": "maybe"}, "holdfast.cache.a.near: 'maybe': write true or false"),
    ({"regions": "a", "enabled": "maybe"}, "holdfast.cache.enabled: 'maybe'"),
    ({"regions": "a", "a.max_entries": "1.5"}, "holdfast.cache.a.max_entries: '1.5'"),
    ({"regions": "a", "a.max_entries": "0"}, "holdfast.cache.a.max_entries=0: at least 1"),
    ({"regions": "a", "a.jitter": "much"}, "holdfast.cache.a.jitter: 'much'"),
    ({"regions": "a", "a.jitter": "2"}, "holdfast.cache.a.jitter=2.0"),
    ({"regions": "a", "a.clock": "wall"}, "holdfast.cache.a.clock: this cannot be written as text"),
    ({"regions": "a", "a.url": "redsi://h"}, "holdfast.cache.a.url: unknown scheme"),
    (
        {"regions": "a", "a.on_error": "ignore"},
        "holdfast.cache.a.on_error: 'ignore': write raise or",
    ),
    ({"regions": "a", "a.bus": "tracking"}, "holdfast.cache.a.bus: without a store"),
    (
        {"regions": "a", "a.url": MemoryStore(), "a.deadline": "1s"},
        "holdfast.cache.a.deadline: an open store has its own",
    ),
    ({"regions": "a", "a.lease": "long"}, "holdfast.cache.a.lease='long'"),
    ({"regions": "a", "a.tll": "5"}, "holdfast.cache.a.tll: unknown option tll, did you mean ttl"),
    ({"regions": "short", "shirt.ttl": "5"}, "holdfast.cache.shirt.ttl: unknown region shirt, did"),
    ({"a.ttl": "5"}, "holdfast.cache.a.ttl: unknown region a; there are none"),
    ({"regions": "a", "ttl": "5"}, "holdfast.cache.ttl: of which region?"),
    ({"regions": "a b"}, "holdfast.cache.regions: region 'a b'"),
    ({}, "no setting begins with holdfast.cache."),
]


@pytest.mark.parametrize(("settings", "said"), WRONG)
def test_a_wrong_setting_is_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(settings)
    assert said in str(caught.value)


def test_a_password_is_never_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        configured({"regions": "a", "a.url": "redsi://me:hunter2@host"})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"holdfast\.cache\.a\.secrets") as caught:
        configured({"regions": "a", "a.url": "memory://", "a.secrets": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(read({"c.regions": "a", "c.a.secrets": "hunter2"}, "c."))


def test_another_prefix() -> None:
    regions = Regions()
    regions.from_settings({"cache.regions": "a", "cache.a.ttl": "5", "other": "x"}, prefix="cache.")
    assert regions["a"]._policy.ttl == 5


def test_the_environment_alone() -> None:
    environ = {
        "PATH": "/bin",
        "HOLDFAST_CACHE_REGIONS": "short_term,long-term",
        "HOLDFAST_CACHE_DEFAULT_URL": "memory://",
        "HOLDFAST_CACHE_SHORT_TERM_TTL": "5m",
        "HOLDFAST_CACHE_SHORT_TERM_NEAR_TTL": "1s",
        "HOLDFAST_CACHE_LONG_TERM_MAX_ENTRIES": "7",
    }
    regions = Regions(environ=environ)
    regions.configure()
    assert regions["short_term"]._policy.ttl == 300
    assert regions["short_term"]._policy.near_ttl == 1
    assert regions["long-term"]._core.near.max_entries == 7
    regions.close()


def test_the_environment_wins_and_is_read_by_each_configure() -> None:
    environ: dict[str, str] = {}
    regions = Regions(environ=environ)

    def is_now() -> tuple[float, bool]:
        return regions["a"]._policy.ttl, regions["a"]._core.enabled

    regions.configure({"a": {"ttl": 60}}, enabled=False)
    assert is_now() == (60, False)
    environ |= {"HOLDFAST_CACHE_A_TTL": "5", "HOLDFAST_CACHE_ENABLED": "1"}
    assert is_now() == (60, False)
    regions.configure({"a": {"ttl": 60}}, enabled=False)
    assert is_now() == (5, True)
    environ["HOLDFAST_CACHE_ENABLED"] = "0"
    regions.from_settings({"holdfast.cache.regions": "a", "holdfast.cache.a.ttl": "7"})
    assert is_now() == (5, False)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"A_TLT": "5"}, "HOLDFAST_CACHE_A_TLT: did you mean HOLDFAST_CACHE_A_TTL?"),
        ({"B_TTL": "5"}, "HOLDFAST_CACHE_B_TTL: "),
        ({"A_TTL": "5x"}, "HOLDFAST_CACHE_A_TTL='5x': write a duration"),
        ({"A_NEAR": "maybe"}, "HOLDFAST_CACHE_A_NEAR: 'maybe'"),
        ({"ENABLED": "maybe"}, "HOLDFAST_CACHE_ENABLED: 'maybe'"),
        ({"ENABLED": ""}, "HOLDFAST_CACHE_ENABLED: there is nothing"),
        ({"REGIONS": "b c"}, "HOLDFAST_CACHE_REGIONS: region 'b c'"),
        ({"REGIONS": "a_near", "A_NEAR_TTL": "5"}, "HOLDFAST_CACHE_A_NEAR_TTL: a.near_ttl or a_ne"),
        ({"REGIONS": "x-y,x_y", "X_Y_TTL": "5"}, "HOLDFAST_CACHE_X_Y_TTL: x-y.ttl or x_y.ttl?"),
    ],
)
def test_a_wrong_variable_is_named_and_changes_nothing(environ: dict[str, str], said: str) -> None:
    actual: dict[str, str] = {}
    regions = Regions(environ=actual)
    regions.configure({"a": {}})
    cache = regions["a"]
    actual.update({"HOLDFAST_CACHE_" + name: text for name, text in environ.items()})
    with pytest.raises(ConfigError) as caught:
        regions.configure({"a": {}})
    assert said in str(caught.value)
    assert regions["a"] is cache


@given(
    settings=st.dictionaries(
        st.sampled_from(["regions", "enabled", "a.ttl", "a.near", "a.tags", "default.jitter", "b"])
        | st.text(max_size=12),
        st.text(max_size=12),
    )
)
def test_no_text_at_all_is_anything_but_a_configuration_or_an_error(
    settings: dict[str, str],
) -> None:
    regions = Regions()
    with contextlib.suppress(ConfigError):
        regions.from_settings({"holdfast.cache." + key: text for key, text in settings.items()})
    for region in regions:
        assert regions[region].get_or_create("k", lambda: 1) == 1
    regions.close()
