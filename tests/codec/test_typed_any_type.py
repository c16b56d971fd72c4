"""Typed values of any type that can be put together, and of anything at all."""

from typing import Any, Union

from hypothesis import given
from hypothesis import strategies as st
from lossless_values import unhurried
from typed_values import Box, Circle, Colour, Loose, Mood, Pair, Point, Right, Size, Square, exact

from holdfast.codec.msgpack import Msgpack
from holdfast.codec.typed import form_of
from holdfast.errors import CodecError

MSGPACK = Msgpack()

Typed = tuple[Any, st.SearchStrategy[Any]]
NUMBERS = st.integers(-9, 9) | st.floats(allow_nan=False)
POINTS = st.builds(Point, NUMBERS, NUMBERS)
COLOURS = st.sampled_from(Colour)
LEAVES: list[Typed] = [
    (int, st.integers()),
    (str, st.text(max_size=3)),
    (list[int], st.lists(st.integers(), max_size=2)),
    (Any, st.none() | st.lists(st.booleans(), max_size=2)),
    (Point, POINTS),
    (Colour, COLOURS),
    (Mood, st.sampled_from(Mood)),
    (Right, st.sampled_from([Right(0), Right.READ, Right.READ | Right.WRITE])),
    (Pair, st.builds(Pair, POINTS, COLOURS | st.none())),
    (Circle, st.builds(Circle, NUMBERS, POINTS)),
    (Loose, st.builds(Loose, size=st.sampled_from(Size), extra=NUMBERS)),
    (Square, st.builds(Square, side=NUMBERS)),
    (set[Point], st.sets(POINTS, max_size=2)),
    (dict[Point, Colour], st.dictionaries(POINTS, COLOURS, max_size=2)),
    (frozenset[Colour | str], st.frozensets(COLOURS | st.text(max_size=2), max_size=2)),
]


def of(kind: Any, *args: Any) -> Any:
    """Return `kind[args]`, which no type checker need understand."""
    return kind[args if len(args) > 1 else args[0]]


def around(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """Return types with `inner` inside."""

    def containers(typed: Typed) -> st.SearchStrategy[Typed]:
        kind, values = typed
        some = st.lists(values, max_size=3)
        several: list[Typed] = [
            (of(list, kind), some),
            (of(tuple, kind, ...), some.map(tuple)),
            (of(dict, str, kind), st.dictionaries(st.text(max_size=2), values, max_size=3)),
            (of(Union, kind, None), values | st.none()),
            (of(Box, kind), st.builds(Box, values, some)),
        ]
        return st.sampled_from(several)

    def together(first: Typed, second: Typed) -> st.SearchStrategy[Typed]:
        both: list[Typed] = [
            (of(tuple, first[0], second[0]), st.tuples(first[1], second[1])),
            (of(Union, first[0], second[0]), first[1] | second[1]),
        ]
        return st.sampled_from(both)

    return inner.flatmap(containers) | st.tuples(inner, inner).flatmap(lambda two: together(*two))


TYPES = st.recursive(st.sampled_from(LEAVES), around, max_leaves=6)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("RED"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(
            st.sampled_from(["x", "y", "set", "first", "items", "total", "radius"]),
            inner,
            max_size=3,
        )
        | st.tuples(st.sampled_from(["", "typed_values.Point"]), inner).map(list)
    ),
    max_leaves=8,
)


@unhurried
@given(st.data())
def test_whatever_type_is_annotated_comes_back(data: st.DataObject) -> None:
    kind, values = data.draw(TYPES)
    value = data.draw(values)
    form = form_of(kind, where="shop.load")
    if form is None:
        return
    back = form.typed(MSGPACK.decode(MSGPACK.encode(form.plain(value))))
    assert exact(back) == exact(value)
    again = form_of(kind, where="elsewhere")
    assert again is not None
    assert again.fingerprint == form.fingerprint


@unhurried
@given(TYPES, ANYTHING)
def test_whatever_is_read_is_a_value_or_a_codec_error(typed: Typed, plain: object) -> None:
    form = form_of(typed[0], where="shop.load")
    if form is None:
        return
    try:
        value = form.typed(plain)
    except CodecError:
        return
    form.plain(value)


@unhurried
@given(TYPES, TYPES, st.data())
def test_a_value_of_another_type_is_refused_or_kept_whole(
    typed: Typed, other: Typed, data: st.DataObject
) -> None:
    form = form_of(typed[0], where="shop.load")
    if form is None:
        return
    value = data.draw(other[1])
    try:
        written = MSGPACK.encode(form.plain(value))
    except CodecError:
        return
    assert exact(form.typed(MSGPACK.decode(written))) == exact(value)
