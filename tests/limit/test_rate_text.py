"""Rates as text: what is understood, what is one and the same, what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.limit.rate import Rate, parse_rates, rates_text


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("5/minute", [(5, 60)]),
        ("10 per second", [(10, 1)]),
        ("3/10s", [(3, 10)]),
        ("3 / 10 seconds", [(3, 10)]),
        ("100/day", [(100, 86400)]),
        ("1 PER 2 Weeks", [(1, 1_209_600)]),
        ("100/hour; 5/minute", [(5, 60), (100, 3600)]),
        ("5/m, 5/min,5/60s;", [(5, 60)]),
        ("2/h;1/h", [(1, 3600), (2, 3600)]),
    ],
)
def test_texts_that_name_rates(text: str, rates: list[tuple[int, int]]) -> None:
    assert parse_rates(text) == tuple(Rate(*rate) for rate in rates)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ; ",
        "five/minute",
        "5",
        "5/",
        "/minute",
        "5/fortnight",
        "-5/minute",
        "5.5/minute",
        "5 minute",
        "5/minute/hour",
        "0/minute",
        "5/0s",
        "5/minute; x",
        "\u0665/minute",
        f"{10**10}/day",
        ";".join(f"{number}/day" for number in range(1, 10)),
    ],
)
def test_texts_that_name_none_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"5/minute|at most 8|above 1,000,000,000"):
        parse_rates(text)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="5/minute"):
        parse_rates(5)  # type: ignore[arg-type]


rates = st.lists(
    st.builds(Rate, st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1, max_size=4
)


@given(rates)
def test_the_normal_form_is_read_back_as_the_same_rates(some: list[Rate]) -> None:
    text = ";".join(f"{rate.limit} per {rate.period} seconds" for rate in some)
    parsed = parse_rates(text)
    assert set(parsed) == set(some)
    assert parse_rates(rates_text(parsed).replace("+", ";")) == parsed


@given(rates, rates)
def test_two_normal_forms_are_one_only_for_the_same_rates(one: list[Rate], two: list[Rate]) -> None:
    texts = [
        rates_text(parse_rates(";".join(f"{rate.limit}/{rate.period}s" for rate in some)))
        for some in (one, two)
    ]
    assert (texts[0] == texts[1]) == (set(one) == set(two))
