"""Typed values: every sort of class comes back as it went, or is refused."""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typed_values import (
    CASES,
    P1,
    READ_INITIAL,
    SEEN,
    Address,
    Circle,
    Colour,
    Doubled,
    Grown,
    Page,
    Pair,
    Point,
    Right,
    Square,
    Tree,
    User,
    exact,
)

from holdfast.codec.msgpack import Msgpack
from holdfast.codec.typed import Form, form_of, form_of_result
from holdfast.errors import CodecError

MSGPACK = Msgpack()


def form(annotation: object) -> Form:
    found = form_of(annotation, where="shop.load")
    assert found is not None
    return found


def there_and_back(annotation: object, value: object) -> Any:
    found = form_of(annotation, where="shop.load")
    if found is None:
        return MSGPACK.decode(MSGPACK.encode(value))
    return found.typed(MSGPACK.decode(MSGPACK.encode(found.plain(value))))


@pytest.mark.parametrize(("annotation", "value"), CASES)
def test_what_comes_back_is_what_went(annotation: object, value: object) -> None:
    back = there_and_back(annotation, value)
    assert back == value
    assert exact(back) == exact(value)


@pytest.mark.parametrize(("annotation", "value"), CASES)
def test_neither_way_changes_what_it_was_given(annotation: object, value: object) -> None:
    found = form_of(annotation, where="shop.load")
    if found is not None:
        before = exact(value)
        plain = found.plain(value)
        shown = exact(plain)
        found.typed(plain)
        assert exact(value) == before
        assert exact(plain) == shown


@pytest.mark.parametrize(
    "annotation",
    [None, Any, int, str, list, list[int], dict[str, list[Any]], int | None, tuple[int, ...]],
)
def test_pythons_own_values_need_no_form(annotation: object) -> None:
    assert form_of(annotation, where="shop.load") is None


def test_the_plain_form_is_readable() -> None:
    assert form(Point).plain(P1) == {"x": 1, "y": 2.5}
    assert form(Pair).plain(Pair(P1, Colour.RED)) == {"first": {"x": 1, "y": 2.5}, "second": "RED"}
    assert form(Right).plain(Right.READ | Right.WRITE) == 3
    assert form(set[Point]).plain({P1}) == {"set": [{"x": 1, "y": 2.5}]}
    assert form(dict[Point, int]).plain({P1: 1}) == [[{"x": 1, "y": 2.5}, 1]]
    assert form(Circle | Square).plain(Square(side=2)) == ["typed_values.Square", {"side": 2}]
    assert form(Square | None).plain(Square(side=2)) == {"side": 2}
    plain = form(User).plain(SEEN)
    assert isinstance(plain, dict)
    assert plain["name"] == "Ann!"
    assert plain["__pydantic_private__"] == {"_seen": 3}


def test_no_code_of_the_class_judges_it_again() -> None:
    assert there_and_back(Doubled, Doubled(5)).amount == 10
    assert there_and_back(Grown, Grown(1)).size == 2
    assert there_and_back(User, SEEN).name == "Ann!"  # its validator would add another one


def test_what_pydantic_knows_besides_the_fields_stays() -> None:
    back = there_and_back(User, READ_INITIAL)
    assert back.model_fields_set == {"name", "at", "mood", "secret"}
    assert back.secret == "t"
    assert back.initial == "C"  # computed anew
    back = there_and_back(User, SEEN)
    assert back.model_fields_set == {"name", "at", "friends"}
    assert back._seen == 3


def test_a_typed_dict_keeps_what_its_class_does_not_know() -> None:
    value: Any = {"street": "s", "at": P1, "new": (1,)}
    assert there_and_back(Address, value) == value


class Sub(Point):
    """Adds nothing."""


@dataclasses.dataclass(frozen=True)
class Deeper(Point):
    """Adds a field."""

    z: int = 0


class Strange:
    """Nothing that anybody knows."""


class SubUser(User):
    """Adds nothing."""


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Point, Deeper(1, 2.0, 3)),
        (list[Point], [P1, Sub(1)]),
        (User, SubUser(userName="a", at=P1)),
        (Page[Point], Page(items=[P1], total=1)),
        (Point, {"x": 1, "y": 2.0}),
        (Point | Pair, Deeper(1)),
        (list[Point], [P1, 7]),
        (list[Point], P1),
        (tuple[Point, int], (P1,)),
        (dict[str, Point], [P1]),
        (Colour, "RED"),
        (Right, 3),
        (Address, [P1]),
    ],
)
def test_nothing_is_sliced_or_changed_in_silence(annotation: object, value: object) -> None:
    with pytest.raises(CodecError, match=r"shop\.load: .* where the annotation says"):
        form(annotation).plain(value)


def test_a_union_of_base_and_subclass_keeps_both() -> None:
    for value in (P1, Deeper(1, 2.0, 3)):
        assert exact(there_and_back(Point | Deeper, value)) == exact(value)


def test_an_attribute_that_is_no_field_is_not_dropped() -> None:
    tree = Tree("a")
    vars(tree)["colour"] = "red"
    with pytest.raises(CodecError, match="'colour', which is no field"):
        form(Tree).plain(tree)


@pytest.mark.parametrize("slots", [True, False])
def test_a_slot_of_a_base_that_is_no_field_is_not_dropped(slots: bool) -> None:
    class Base:
        __slots__ = ("hidden",)

    made: Any = dataclasses.make_dataclass("Open", [("x", int)], bases=(Base,), slots=slots)
    assert there_and_back(made, made(1)) == made(1)
    holds = made(1)
    holds.hidden = 2
    with pytest.raises(CodecError, match="'hidden', which is no field"):
        form(made).plain(holds)


def test_a_subclass_of_a_path_may_hold_more_than_its_text() -> None:
    class Marked(type(Path())):  # type: ignore[misc]
        pass

    marked = Marked("a")
    assert form(Marked).plain(marked) is marked
    with pytest.raises(CodecError, match="Marked where the annotation says"):
        form(Path).plain(marked)


def test_a_field_that_was_never_set_is_an_error() -> None:
    unfinished = Doubled(5)
    del unfinished.total
    with pytest.raises(CodecError, match="total"):
        form(Doubled).plain(unfinished)


def test_a_cycle_is_an_error() -> None:
    tree = Tree("a")
    tree.children.append(tree)
    with pytest.raises(CodecError, match="nested too deep"):
        form(Tree).plain(tree)


def test_a_property_that_raises_is_an_error_of_the_value() -> None:
    @dataclasses.dataclass
    class Moody:
        mood: str

    def refuse(_: object) -> str:
        raise OSError("no")

    moody = Moody("good")
    Moody.mood = property(refuse)  # type: ignore[assignment]
    with pytest.raises(CodecError, match="OSError"):
        form(Moody).plain(moody)


@pytest.mark.parametrize(
    ("annotation", "plain"),
    [
        (Point, {"x": 1}),
        (Point, {"x": 1, "y": 2, "z": 3}),
        (Point, [1, 2]),
        (Point, 7),
        (Pair, {"first": {"x": 1}, "second": None}),
        (list[Point], {"set": [], "more": []}),
        (list[Point], {"dict": []}),
        (list[Point], [7]),
        (list[Point], 7),
        (set[Point], {"set": [{"x": 1, "y": 2}, {"x": 1, "y": 2}]}),
        (set[Colour], {"set": ["RED"]}),
        (set[Colour], {"RED", "SCARLET"}),
        (tuple[Point, int], ({"x": 1, "y": 2},)),
        (tuple[Point, int], [{"x": 1, "y": 2}, 1]),
        (dict[str, Point], [["a", {"x": 1, "y": 2}]]),
        (dict[str, Point], {"a": 7}),
        (dict[Point, int], {"a": 7}),
        (dict[Point, int], [["a"]]),
        (dict[Point, int], [[{"x": 1, "y": 2}, 1], [{"x": 1, "y": 2}, 2]]),
        (Colour, "GREEN"),
        (Colour, 1),
        (Colour, []),
        (Right, "READ"),
        (Path, 1),
        (Fraction, "a third"),
        (Fraction | str, ["fractions.Fraction", None, 1]),
        (Right, 64),
        (Right, True),
        (Circle | Square, {"side": 2}),
        (Circle | Square, ["typed_values.Triangle", {"side": 2}]),
        (Circle | Square, ["typed_values.Square"]),
        (Circle | Square, [[], {"side": 2}]),
        (Circle | Square, ["", {"side": 2}]),
        (Circle | Square, 7),
        (Circle, {"radius": 1, "at": {"x": 1, "y": 2}, "colour": "RED"}),
        (Circle, {"radius": 1, "at": {"x": 1, "y": 2}, "colour": ["msgspec.UnsetType", 1]}),
        (Address, [1]),
        (Address, {"at": 1}),
        (User, {"name": "a"}),
        (User, {"name": 1, "at": None, "friends": [], "mood": None, "secret": "", "more": 1}),
        (
            User,
            {"name": 1, "at": None, "friends": [], "mood": None, "secret": ""}
            | {"__pydantic_fields_set__": [[]]},
        ),
        (
            User,
            {"name": 1, "at": None, "friends": [], "mood": None, "secret": ""}
            | {"__pydantic_private__": 3},
        ),
    ],
)
def test_what_is_not_of_this_form_is_refused(annotation: object, plain: object) -> None:
    with pytest.raises(CodecError, match=r"shop\.load"):
        form(annotation).typed(plain)


def test_what_nobody_can_translate_is_left_to_the_codec() -> None:
    value = Strange()
    found = form(list[Strange])
    assert found.plain([value]) == [value]
    assert found.fingerprint == b""
    assert "annotate the result" in found.mend


def test_a_dataclass_that_python_makes_itself_is_left_to_the_codec() -> None:
    @dataclasses.dataclass
    class Failure(Exception):  # noqa: N818
        code: int

    found = form(Failure)
    failure = Failure(1)
    assert found.plain(failure) is failure
    assert "__new__" in found.mend


def test_the_result_of_a_function() -> None:
    def load() -> Sequence[Point]:
        return [P1]

    async def later() -> Point:
        return P1

    def silent():  # type: ignore[no-untyped-def] # noqa: ANN202
        return P1

    assert form_of_result(load).plain(load()) == [{"x": 1, "y": 2.5}]
    assert form_of_result(later).plain(P1) == {"x": 1, "y": 2.5}
    assert form_of_result(silent).plain(P1) is P1
    assert form_of_result(load).where.endswith("<locals>.load")
