"""Arguments of cached functions: one entry for equal calls, and never one for two."""

import enum
import struct
import uuid
import zoneinfo
from collections import namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.cache import Cache
from holdfast.cache.canonical import canonical
from holdfast.cache.template import Template
from holdfast.errors import ConfigError

MISSING = object()
unhurried = settings(deadline=None)  # a busy machine is no failure


@pytest.fixture
def cache() -> Cache:
    return Cache()


@dataclass(frozen=True)
class Range:
    """A value."""

    low: int
    high: int
    label: str = field(default="", compare=False)


class Wider(Range):
    """A class that is no dataclass itself, and so may have more."""


@dataclass
class Filter:
    """No value: it may change."""

    low: int


@dataclass(frozen=True, eq=False)
class Handle:
    """No value: each is equal to itself alone."""

    id: object


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: int


Pair = namedtuple("Pair", "x y")  # noqa: PYI024 - the old way is to work too


class More(Point):
    """May have more than its tuple."""


class Right(enum.Flag):
    """Flags."""

    READ = 1
    WRITE = 2


class Level(enum.StrEnum):
    """Equal to a str."""

    LOW = "low"


class Loose(str):
    """Equal to a str, and may mean something else."""

    __slots__ = ()


class Keyed:
    """Has a key."""

    def __init__(self, key: object) -> None:
        self.key = key

    def __cache_key__(self) -> object:
        return self.key


def test_a_default_that_is_given_is_no_other_call(cache: Cache) -> None:
    runs: list[object] = []

    @cache.cached()
    def f(a: int, b: list[int] = [], *, c: str = "c") -> int:  # noqa: B006 - that is the point
        runs.append((a, b, c))
        return len(runs)

    assert f(1) == f(1, []) == f(1, b=[], c="c") == f(a=1) == 1
    assert f(1, [1]) == 2
    assert f.key(1) == f.key(1, [])


def test_a_default_that_is_changed_is_another_argument(cache: Cache) -> None:
    @cache.cached()
    def f(seen: list[int] = []) -> int:  # noqa: B006 - a known trap, and ours is not to hide it
        seen.append(1)
        return len(seen)

    assert [f(), f(), f()] == [1, 2, 3]


def test_every_kind_of_parameter(cache: Cache) -> None:
    @cache.cached()
    def f(a: int, /, b: int, *rest: int, c: int, **more: int) -> object:
        return a, b, rest, c, more

    assert f(1, 2, 3, c=4, d=5, a=6) == (1, 2, (3,), 4, {"d": 5, "a": 6})
    assert f.key(1, 2, c=4) == f.key(1, b=2, c=4)
    assert f.key(1, 2, c=4, d=5, e=6) == f.key(1, 2, e=6, d=5, c=4)
    keys = {f.key(1, 2, c=4), f.key(1, 2, 3, c=4), f.key(1, 2, 3, 4, c=4), f.key(1, 2, c=4, rest=3)}
    assert len(keys) == 4
    unbound: Any = f
    for ask in (unbound, unbound.key, unbound.invalidate):
        for args, named in (((1,), {"c": 4}), ((1, 2), {}), ((), {"a": 1, "b": 2, "c": 3})):
            with pytest.raises(TypeError, match=r"f\(\) missing 1 required"):
                ask(*args, **named)


def test_the_documented_arguments_have_texts_of_their_own() -> None:
    moment = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - with zones below
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    vienna = zoneinfo.ZoneInfo("Europe/Vienna")
    values: list[Any] = [
        *(1, True, 1.0, "1", b"1", Decimal(1), 1 + 0j, None, "None", 0.0, -0.0, float("inf")),
        *((1,), [1], {1}, frozenset({1}), {1: None}, {"1": None}, ("1",), ((1,),), (), [], set()),
        *(Range(1, 2), Point(1, 2), Pair(1, 2), (1, 2), Keyed((1, 2)), Keyed("a"), Keyed(None)),
        *(Right.READ, Right.READ | Right.WRITE, Right(0), Level.LOW, "low", "LOW"),
        *(Path("a/b"), PurePosixPath("a/b"), "a/b", uuid.UUID(int=1), date(2026, 1, 1)),
        *(time(1), time(1, tzinfo=UTC), timedelta(1), timedelta(0, 1), int, str, Range, Right),
        *(moment, moment.replace(tzinfo=UTC), moment.replace(tzinfo=berlin)),
        *(moment.replace(tzinfo=vienna), moment.replace(tzinfo=berlin, fold=1)),
        moment.replace(tzinfo=timezone(timedelta(hours=1))),
        *(10**5000, -(10**5000), 2**63, float(2**63)),
    ]
    texts = [canonical(value) for value in values]
    assert len(set(texts)) == len(values)
    assert texts == [canonical(value) for value in values]


def test_what_a_frozen_dataclass_does_not_compare_does_not_count(cache: Cache) -> None:
    @cache.cached()
    def width(of: Range) -> int:
        return of.high - of.low

    assert width.key(Range(1, 2, "a")) == width.key(Range(1, 2, "b")) != width.key(Range(1, 3))
    assert width(Range(1, 2)) == width(Range(1, 2)) == 1
    assert cache.stats().creates == 1


@pytest.mark.parametrize(
    "value",
    [
        *(object(), Wider(1, 2), Filter(1), Handle(1), More(1, 2), Loose("w"), lambda: 1),
        *(Cache(), bytearray(b"a"), range(3), iter([]), [object()]),
        {"deep": ({1: object()},)},
        Keyed(object()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_argument_without_a_stable_form_is_named(cache: Cache, value: object) -> None:
    @cache.cached()
    def f(good: int, bad: object) -> int:
        return good + len([bad])

    with pytest.raises(ConfigError, match=r"\.f: argument bad: .*no stable form.*key='"):
        f(1, value)
    assert f.uncached(1, value) == 2


def test_a_class_made_in_a_function_is_no_argument() -> None:
    class Local:
        pass

    with pytest.raises(ConfigError, match="outside of functions"):
        canonical(Local)


def test_a_zone_that_has_no_name_is_no_argument() -> None:
    one_type = struct.pack(">4s16x6l", b"TZif", 0, 0, 0, 0, 1, 4) + struct.pack(">lbb", 0, 0, 0)
    nameless = zoneinfo.ZoneInfo.from_file(BytesIO(one_type + b"UTC\0"))
    with pytest.raises(ConfigError, match="time zone"):
        canonical(datetime(2026, 1, 1, tzinfo=nameless))


class Request:
    """What a framework passes along."""

    def __init__(self, user: object) -> None:
        self.user = user


def test_a_request_is_refused_and_its_attribute_is_not(cache: Cache) -> None:
    def page(request: Request, number: int) -> str:
        return f"{request.user} {number}"

    with pytest.raises(ConfigError, match=r"argument request: .*Request.*key='"):
        cache.cached()(page)(Request("ann"), 1)
    keyed = cache.cached(key="page:{request.user}:{number}", tags=["user:{request.user}"])(page)
    assert keyed(Request("ann"), 1) == keyed(Request("ann"), 1) == "ann 1"
    assert keyed(Request("bob"), 1) == "bob 1"
    assert keyed.key(Request("ann"), 1) == "page:ann:1"
    keyed.invalidate(Request("ann"), 1)
    assert keyed.peek(Request("ann"), 1) is None
    assert keyed.refresh(Request("ann"), number=1) == keyed.peek(Request("ann"), 1) == "ann 1"
    cache.invalidate_tags("user:ann")
    assert [keyed.peek(Request("ann"), 1), keyed.peek(Request("bob"), 1)] == [None, "bob 1"]


def test_a_template_that_meets_no_attribute_says_where(cache: Cache) -> None:
    @cache.cached(key="page:{request.user.id}", tags=["of:{request.user.id}"])
    def page(request: Request) -> int:
        return len([request])

    with pytest.raises(ConfigError, match=r"page: key='page:.*{request.user.id}: 'NoneType'"):
        page(Request(None))
    with pytest.raises(ConfigError, match=r"{request.user.id}: a .*Filter has no stable form"):
        page(Request(Handle(Filter(1))))


def test_a_template_takes_members_and_paths(cache: Cache) -> None:
    @cache.cached(key="of:{what}")
    def of(what: object) -> int:
        return len([what])

    assert of.key(Path("a/b")) == "of:a/b"
    assert of.key(Level.LOW) == f"of:{__name__}.Level(LOW)"


def test_long_arguments_are_hashed_and_not_kept(cache: Cache) -> None:
    runs: list[int] = []

    @cache.cached()
    def size(text: str) -> int:
        runs.append(len(text))
        return len(text)

    long, other = "x" * 100_000, "x" * 99_999 + "y"
    assert [size(long), size(long), size(other), size(other)] == [100_000] * 4
    assert len(runs) == 2
    assert len(size.key(long)) < 200
    assert size.key(long) != size.key(other)
    assert all(len(key) < 200 for key in cache._core.near.cells)
    assert size.__globals__["_hf_index"] == {}  # type: ignore[attr-defined]
    assert cache.delete(size.key(long))
    assert size.peek(long) is None


def test_sentinels_as_defaults_are_named(cache: Cache) -> None:
    @cache.cached()
    def f(a: int, default: object = MISSING) -> int:
        return a + (default is MISSING)

    with pytest.raises(ConfigError, match="argument default"):
        f(1)
    assert f(1, None) == 1


def values() -> st.SearchStrategy[Any]:
    """Return arguments of every kind, plain and nested."""
    plain = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(max_size=5),
        st.text(alphabet="'\\,()[]{}:=", max_size=5),
        st.binary(max_size=3),
        st.decimals(allow_nan=False),
        st.dates(),
        st.datetimes(),
        st.sampled_from([*Right, *Level, int, str]),
        st.builds(Range, st.integers(0, 2), st.integers(0, 2)),
    )
    return st.recursive(
        plain,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.tuples(inner, inner),
            st.dictionaries(st.text(alphabet="ab':", max_size=2), inner, max_size=2),
            st.builds(Keyed, inner),
        ),
        max_leaves=5,
    )


def told(value: Any) -> Any:
    """Return `value` with its types, so that == says whether it is the very same."""
    if isinstance(value, Keyed):
        return Keyed, told(value.key)
    if isinstance(value, dict):
        return dict, frozenset((told(key), told(item)) for key, item in value.items())
    if isinstance(value, list | tuple) and not isinstance(value, Point | Pair):
        return type(value), *map(told, value)
    return type(value), str(value) if isinstance(value, float | Decimal) else value


@unhurried
@given(values(), values())
def test_texts_are_equal_where_values_are(one: Any, two: Any) -> None:
    assert (canonical(one) == canonical(two)) == (told(one) == told(two))


WORDS = st.one_of(
    st.text(max_size=6),
    st.text(alphabet=":%-./{}3A2DNone ", max_size=8),
    st.sampled_from(["None", "True", "%3A", "%", "a:b", "", "%4Eone", "1", "é", "\ud800"]),
)
LITERALS = st.text(alphabet=":-/|ab.é %", max_size=4)


@st.composite
def templates(draw: st.DrawFn) -> str:
    """Return a template of two fields."""
    between = draw(LITERALS.filter(lambda text: text and not text.isalnum()))
    return draw(LITERALS) + "{a}" + between + "{b}" + draw(LITERALS)


@unhurried
@given(templates(), WORDS, WORDS, WORDS, WORDS)
def test_no_text_reaches_out_of_its_field(text: str, a: str, b: str, c: str, d: str) -> None:
    template = Template(text, ["a", "b"], option="key")
    one, two = template.fill({"a": a, "b": b}), template.fill({"a": c, "b": d})
    assert (one == two) == ((a, b) == (c, d))


@unhurried
@given(st.sampled_from(["user:{a}", "user-{a}", "u{a}"]), WORDS, WORDS)
def test_no_text_reaches_the_keys_of_another_template(text: str, a: str, b: str) -> None:
    mine = Template(text, ["a"], option="key").fill({"a": a})
    other = Template(text + ":posts", ["a"], option="key").fill({"a": b})
    assert mine != other


@unhurried
@given(WORDS)
def test_a_text_is_no_value_that_is_none(text: str) -> None:
    template = Template("a:{a}", ["a"], option="key")
    for value in (None, True, False):
        assert template.fill({"a": value}) == f"a:{value}" != template.fill({"a": text})
