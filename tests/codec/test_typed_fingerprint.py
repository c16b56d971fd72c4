"""The fingerprint of a form: another type has another one, the same type has the same anywhere."""

import dataclasses
import enum
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypedDict

import msgspec
import pydantic
import pytest
from typed_values import CASES, Address, Circle, Colour, Pair, Point, Square, Tree, User

from holdfast.codec.typed import form_of


def fingerprint(annotation: object) -> bytes:
    form = form_of(annotation, where="shop.load")
    return b"" if form is None else form.fingerprint


def dataclass(name: str, **fields: Any) -> Any:
    return dataclasses.make_dataclass(name, list(fields.items()))


def struct(name: str, **fields: Any) -> Any:
    return msgspec.defstruct(name, list(fields.items()), module=__name__)


def model(name: str, **fields: Any) -> Any:
    required: Any = {field: (kind, ...) for field, kind in fields.items()}
    return pydantic.create_model(name, **required)


def named_tuple(name: str, **fields: Any) -> Any:
    return NamedTuple(name, list(fields.items()))


def typed_dict(name: str, **fields: Any) -> Any:
    make: Any = TypedDict
    return make(name, fields)


SORTS = [dataclass, struct, model, named_tuple, typed_dict]


@pytest.mark.parametrize("sort", SORTS)
def test_a_changed_class_has_another_fingerprint(sort: Callable[..., Any]) -> None:
    inner: Any = sort("Inner", x=int)
    other: Any = sort("Inner", x=str)
    variants = [
        sort("Thing", a=int, b=str),
        sort("Thing", a=int),
        sort("Thing", a=int, b=str, c=str),
        sort("Thing", a=int, c=str),
        sort("Thing", a=int, b=bytes),
        sort("Thing", a=int, b=str | None),
        sort("Thing", a=int, b=list[str]),
        sort("Thing", a=int, b=list[bytes]),
        sort("Thing", a=int, b=inner),
        sort("Thing", a=int, b=other),
        sort("Thing", a=int, b=list[inner]),
        sort("Thing", a=int, b=dict[str, list[other]]),
        sort("Other", a=int, b=str),
    ]
    prints = [fingerprint(variant) for variant in variants]
    assert len(set(prints)) == len(variants)
    assert {len(one) for one in prints} == {8}


@pytest.mark.parametrize("sort", SORTS)
def test_the_same_class_made_again_has_the_same(sort: Callable[..., Any]) -> None:
    assert fingerprint(sort("Thing", a=int, b=str)) == fingerprint(sort("Thing", a=int, b=str))


def test_the_sort_of_a_class_counts() -> None:
    assert len({fingerprint(sort("Thing", a=int)) for sort in SORTS}) == len(SORTS)


def test_defaults_and_the_order_of_fields_do_not_count() -> None:
    plain = dataclass("Thing", a=int, b=str)
    turned = dataclass("Thing", b=str, a=int)
    filled = dataclasses.make_dataclass("Thing", [("a", int, 1), ("b", str, "x")])
    assert fingerprint(plain) == fingerprint(turned) == fingerprint(filled)


def test_the_members_of_an_enum_count() -> None:
    prints = {
        fingerprint(enum.Enum("Choice", names)) for names in ("A B", "A", "A C", "A B C", "B A")
    }
    assert len(prints) == 4  # their order does not
    flags = {fingerprint(enum.Flag("Choice", names)) for names in ("A B", "B A")}
    assert len(flags) == 2  # of flags their values do: those are what is written


def test_what_stands_around_a_class_counts() -> None:
    around: list[Any] = [
        Point,
        Point | None,
        list[Point],
        tuple[Point, ...],
        tuple[Point],
        set[Point],
    ]
    around += [dict[str, Point], dict[int, Point], Sequence[Point], Point | int, Point | Pair]
    around += [Literal[Colour.RED, "x"]]
    assert len({fingerprint(one) for one in around}) == len(around)


def test_ways_to_write_one_type_are_one() -> None:
    number = NewType("number", int)
    assert fingerprint(Point | None) == fingerprint(Optional[Point])  # noqa: UP045
    assert fingerprint(Circle | Square) == fingerprint(Square | Circle)
    assert fingerprint(Annotated[Point, "of a map"]) == fingerprint(Point)
    assert fingerprint(dict[number, Point]) == fingerprint(dict[int, Point])


def test_what_names_no_class_that_can_change_has_none() -> None:
    for annotation in (
        "list[int]",
        Any,
        Annotated[int, 1],
        Literal["a"],
        Callable[[], int],
        object,
    ):
        assert fingerprint(annotation) == b""


def test_a_class_deep_inside_another_counts() -> None:
    def tree(leaf: Any) -> Any:
        inner = dataclass("Branch", leaf=leaf)
        return dataclass("Tree", branches=list[inner])  # type: ignore[valid-type]

    assert fingerprint(tree(int)) != fingerprint(tree(str))
    assert fingerprint(tree(dataclass("Leaf", x=int))) != fingerprint(
        tree(dataclass("Leaf", x=int, y=int))
    )


def test_every_process_has_the_same() -> None:
    here = [fingerprint(kind).hex() for kind, _ in CASES]
    there = (
        "import typed_values, holdfast.codec.typed as typed\n"
        "forms = [typed.form_of(kind, where='') for kind, _ in reversed(typed_values.CASES)]\n"
        "print(*[form.fingerprint.hex() if form else '' for form in forms], sep=',')"
    )
    for seed in ("0", "1", "7"):
        done = subprocess.run(  # noqa: S603 - our own Python
            [sys.executable, "-c", there],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert done.stdout.strip().split(",") == list(reversed(here))


def test_it_is_the_same_as_ever() -> None:
    # A change here makes every typed value of every user a miss at his next deploy: say so.
    kinds = (Point, Tree, User, Circle, Pair, Address, Colour)
    assert b"".join(map(fingerprint, kinds)).hex(" ", 8).split() == [
        "38cbbacf8c73364b",
        "0b89e99a11e03cee",
        "6ab91e31f5d6bc32",
        "207a6ccff85fc062",
        "e6a78a07c0bba24d",
        "9c027bec187e45ca",
        "dc7ddabd4f640595",
    ]
