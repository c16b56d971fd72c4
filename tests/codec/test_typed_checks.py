"""Checks: what an annotation says of a value, and where a value is something else."""

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Protocol, Self, TypedDict
from typing import TypeVar as Variable

import msgspec
import pydantic
import pytest

from holdfast.codec.typed.checks import check_of

T = Variable("T")
UserId = NewType("UserId", int)


class Size(enum.Enum):
    """An enum."""

    SMALL = "s"


@dataclass
class Item:
    """A dataclass."""

    name: str
    price: float | None = None


class Struct(msgspec.Struct):
    """A struct."""

    items: list[Item]


class Model(pydantic.BaseModel):
    """A model, whose constraint is its own affair."""

    count: Annotated[int, pydantic.Field(lt=3)] = 0
    secret: pydantic.SecretStr = pydantic.SecretStr("x")
    link: pydantic.HttpUrl | None = None


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: int = 0


class Keys(TypedDict, total=False):
    """A typed dict."""

    name: str


@dataclass
class Box(Generic[T]):
    """A generic class."""

    content: T


@dataclass
class Tree:
    """A class with itself in it."""

    leaves: "list[Tree]" = field(default_factory=list)
    above: Self | None = None


class Speaks(Protocol):
    """Nothing that can be asked at run time."""

    def speak(self) -> str: ...


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 3),
        (float, 3),
        (float, 3.5),
        (bool, True),
        (str, ""),
        (None, None),
        (Any, object()),
        (object, 3),
        (T, 3),
        (UserId, 3),
        (Annotated[int, "positive"], 3),
        (Decimal, Decimal(3)),
        (date, NOW.date()),
        (datetime, NOW),
        (int | None, None),
        (Literal["a", 3], 3),
        (list, [object()]),
        (list[int], [1, 2]),
        (Sequence[int], (1, 2)),
        (AbstractSet[str], frozenset("a")),
        (Iterable[int], {1}),
        (tuple[int, ...], ()),
        (tuple[int, str], (1, "a")),
        (dict[str, list[int]], {"a": [1]}),
        (Mapping[str, int], {"a": 1}),
        (Size, Size.SMALL),
        (Item, Item("tea")),
        (Struct, Struct([Item("tea", 2)])),
        (Model, Model(count=2)),
        (Model, Model.model_construct(count=5)),
        (Model, Model(link=pydantic.HttpUrl("http://a.example/"))),
        (Point, Point(1)),
        (Keys, {}),
        (Keys, {"name": "tea", "more": 3}),
        (Box[int], Box(3)),
        (Tree, Tree([Tree()], Tree())),
        (Callable[[], int], print),
        (Speaks, 3),
        (pydantic.EmailStr, "a@b.example"),
        (type[int], int),
    ],
)
def test_what_is_right_passes(annotation: object, value: object) -> None:
    assert check_of(annotation)(value) is None


@pytest.mark.parametrize(
    ("annotation", "value", "where"),
    [
        (int, True, ": bool, not int"),
        (int, 3.0, ": float, not int"),
        (float, False, ": bool, not float"),
        (float, Decimal(3), ": Decimal, not float"),
        (int, None, ": NoneType, not int"),
        (None, 3, ": int, not None"),
        (UserId, "3", ": str, not int"),
        (int | None, "3", ": str, not int | None"),
        (Literal["a", 1], True, ": bool, not Literal['a', 1]"),
        (Literal["a"], [], ": list, not Literal['a']"),
        (list[int], [1, "a"], "[1]: str, not int"),
        (list[int], (1,), ": tuple, not list"),
        (Sequence[str], "abc", ": str, not Sequence"),
        (set[int], frozenset({1}), ": frozenset, not set"),
        (tuple[int, ...], (1, None), "[1]: NoneType, not int"),
        (tuple[int, str], (1,), ": 1 items, not 2"),
        (tuple[int, str], [1, "a"], ": list, not tuple"),
        (tuple[int, str], (1, 2), "[1]: int, not str"),
        (dict[str, int], {"a": "b"}, "['a']: str, not int"),
        (dict[str, int], {1: 2}, ", a key: int, not str"),
        (dict[str, int], [], ": list, not dict"),
        (Size, "s", ": str, not Size"),
        (Item, {"name": "tea"}, ": dict, not Item"),
        (Item, Item(3), ".name: int, not str"),  # type: ignore[arg-type]
        (list[Item], [Item("tea", "2")], "[0].price: str, not float | None"),  # type: ignore[arg-type]
        (Struct, Struct([3]), ".items[0]: int, not Item"),  # type: ignore[list-item]
        (Model, Model.model_construct(count="3"), ".count: str, not int"),
        (Point, (1, 2), ": tuple, not Point"),
        (Point, Point(1, None), ".y: NoneType, not int"),  # type: ignore[arg-type]
        (Keys, {"name": 3}, "['name']: int, not str"),
        (Keys, [], ": list, not dict"),
        (Box[int], Box("a"), ".content: str, not int"),
        (Tree, Tree([Tree([3])]), ".leaves[0].leaves[0]: int, not Tree"),  # type: ignore[list-item]
        (Tree, Tree([], 3), ".above: int, not"),  # type: ignore[arg-type]
        (Item, object.__new__(Item), ".name: missing"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_wrong_is_told_with_its_place(
    annotation: object, value: object, where: str
) -> None:
    wrong = check_of(annotation)(value)
    assert wrong is not None
    assert wrong.startswith(where)


def test_a_key_that_is_required_is_missed() -> None:
    class Needs(TypedDict):
        name: str

    assert check_of(Needs)({}) == "['name']: missing"


def test_what_has_itself_in_it_is_too_deep() -> None:
    tree = Tree()
    tree.leaves.append(tree)
    assert check_of(Tree)(tree) == ": nested too deep"


def test_no_value_is_shown() -> None:
    secret = "hunter2"
    for annotation in (int, list[int], Literal["a"], int | None, Item):
        assert secret not in (check_of(annotation)(secret) or "")
