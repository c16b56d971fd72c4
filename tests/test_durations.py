"""Durations in all their forms."""

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError


@pytest.mark.parametrize(
    ("duration", "wanted"),
    [
        (300, 300.0),
        (0, 0.0),
        (0.25, 0.25),
        (timedelta(minutes=5), 300.0),
        (timedelta(milliseconds=1), 0.001),
        ("300", 300.0),
        ("1.5", 1.5),
        ("90s", 90.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("2d", 172800.0),
        ("1w", 604800.0),
        ("250ms", 0.25),
        ("1m30s500ms", 90.5),
        ("0.5h", 1800.0),
        (" 5M ", 300.0),
        ("0", 0.0),
    ],
)
def test_a_duration_is_seconds(duration: Duration, wanted: float) -> None:
    told = seconds(duration)
    assert told == pytest.approx(wanted)
    assert isinstance(told, float)


@pytest.mark.parametrize(
    "wrong",
    [
        *(-1, -0.001, float("nan"), float("inf"), 10**400, timedelta(seconds=-1)),
        *(True, False, None, b"5m", [5], 1j),
        *("", " ", "5 m", "m", "5x", "-5m", "5m-", "1h 30m", "1e3", "inf", "nan", "5m\n5"),
        *("1..5s", "1,5s", "9" * 400, "9" * 400 + "s"),
    ],
    ids=lambda wrong: repr(wrong)[:20],
)
def test_what_is_no_duration_is_a_config_error_that_names_the_option(wrong: object) -> None:
    with pytest.raises(ConfigError, match="idle_timeout"):
        seconds(wrong, option="idle_timeout")  # type: ignore[arg-type]


@given(st.floats(0, 1e12))
def test_numbers_and_their_text_are_the_same(number: float) -> None:
    assert seconds(f"{number:.6f}") == pytest.approx(seconds(number), abs=1e-6)


@given(st.text())
def test_any_text_is_a_duration_or_a_config_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert seconds(text) >= 0
