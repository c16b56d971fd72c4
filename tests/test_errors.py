"""The tree of exceptions, and what each carries."""

import copy
import pickle

import pytest

from holdfast import errors
from holdfast.errors import (
    CodecError,
    ConfigError,
    CreateTimeout,
    HoldfastError,
    KeyRejected,
    LimitExceeded,
    LockTimeout,
    SessionCommitted,
    SessionError,
    SessionTooLarge,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
    TooManySessions,
)

EXAMPLES = [
    HoldfastError("a"),
    ConfigError("a"),
    KeyRejected("a"),
    StoreError("redis://h", "broken"),
    StoreTimeout("redis://h"),
    StoreUnavailable("redis://h", "no route"),
    CodecError("a", name="cart", codec="json"),
    CreateTimeout("report", 2.5),
    LockTimeout("a"),
    SessionError("a"),
    SessionCommitted("a"),
    SessionTooLarge(5000, 4096, [("cart", 4000), ("note", 900)]),
    TooManySessions(3),
    LimitExceeded({"retry_after": 3.0}, "slow down"),
]


def test_every_public_error_has_an_example_here() -> None:
    assert {type(error).__name__ for error in EXAMPLES} == set(errors.__all__)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_is_ours_and_survives_the_way_between_processes(error: HoldfastError) -> None:
    assert isinstance(error, HoldfastError)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


def test_families() -> None:
    assert issubclass(KeyRejected, ValueError)
    assert issubclass(StoreTimeout, StoreError)
    assert issubclass(StoreUnavailable, StoreError)
    assert issubclass(SessionCommitted, SessionError)
    assert issubclass(SessionTooLarge, SessionError)
    assert not issubclass(ConfigError, StoreError)


def test_a_store_error_names_its_store() -> None:
    assert str(StoreTimeout("redis://h")) == "redis://h"
    assert str(StoreUnavailable("redis://h", "no route")) == "redis://h: no route"
    assert StoreError("redis://h").store == "redis://h"


def test_a_codec_error_can_be_told_the_name_of_its_value() -> None:
    plain = CodecError("no such type", codec="msgpack")
    named = plain.under("cart")
    assert str(plain) == "no such type"
    assert str(named) == "'cart': no such type"
    assert (named.name, named.codec, named.message) == ("cart", "msgpack", "no such type")
    assert str(named.under("basket")) == "'basket': no such type"


def test_a_session_too_large_names_the_biggest() -> None:
    error = SessionTooLarge(5000, 4096, [("cart", 4000), ("note", 900)])
    assert (error.size, error.limit) == (5000, 4096)
    assert error.biggest == (("cart", 4000), ("note", 900))
    assert "cart (4000 bytes), note (900 bytes)" in str(error)


def test_a_limit_exceeded_carries_its_decision() -> None:
    decision = object()
    assert LimitExceeded(decision).decision is decision
