"""Keys: whatever a user names things, stores get keys they can carry, and no two are the same."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError, KeyRejected
from holdfast.keys import MAX_LENGTH, check, join, prefix_of, short

PREFIXES = st.text(alphabet="abcXYZ019_.-", max_size=40)
NAMES = st.one_of(st.text(st.characters()), st.text(alphabet="ab:! é", max_size=300))


@pytest.mark.parametrize("key", ["a", "!", "~", "a:b/c", "x" * MAX_LENGTH, "sha256-", "%20"])
def test_printable_ascii_is_a_key(key: str) -> None:
    assert check(key) == key


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "a\n", "\na", "a\0", "é", "\x7f", "a\t", "x" * 251, "\ud800", "a\u2028"]
)
def test_anything_else_is_rejected(key: str) -> None:
    with pytest.raises(KeyRejected, match="no store key") as caught:
        check(key)
    assert isinstance(caught.value, ValueError)


def test_a_long_key_is_not_repeated_in_full() -> None:
    with pytest.raises(KeyRejected) as caught:
        check("x" * 100_000)
    assert len(str(caught.value)) < 250


@given(PREFIXES, NAMES)
def test_every_name_becomes_a_key_a_store_can_carry(prefix: str, name: str) -> None:
    assert check(join(prefix_of(prefix), "v", name))


@given(NAMES, NAMES)
def test_two_names_never_share_a_key(one: str, other: str) -> None:
    assert (short(one) == short(other)) == (one == other)


@given(NAMES)
def test_no_name_can_imitate_the_hash_of_another(name: str) -> None:
    assert short(short(name)) != short(name) or short(name) == name
    if short(name) != name:
        assert re.fullmatch(r"sha256-[0-9a-f]{64}", short(name))


def test_plain_names_stay_readable() -> None:
    assert join("shop", "v", "user:7") == "shop:v:user:7"
    assert join("", "v", "user:7") == "v:user:7"
    assert short("x" * 180) == "x" * 180
    assert short("x" * 181).startswith("sha256-")
    assert short("").startswith("sha256-")


@pytest.mark.parametrize("prefix", ["", "shop", "a.b-c_D9", "x" * 40])
def test_a_prefix_is_a_short_plain_word(prefix: str) -> None:
    assert prefix_of(prefix) == prefix


@pytest.mark.parametrize("prefix", ["a:b", "a b", "é", "x" * 41, "a\n", "a/b", "*"])
def test_another_prefix_is_a_config_error_that_names_the_option(prefix: str) -> None:
    with pytest.raises(ConfigError, match="namespace"):
        prefix_of(prefix, option="namespace")
