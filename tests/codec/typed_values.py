"""Classes of every sort that typed values are made of, and values of them."""

import dataclasses
import enum
import functools
import ipaddress
import pathlib
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import msgspec
import pydantic
import pydantic.dataclasses

T = TypeVar("T")
UserId = NewType("UserId", int)


class Colour(enum.Enum):
    """With an alias, and a value that no codec writes."""

    RED = "r"
    BLUE = object()
    SCARLET = "r"  # noqa: PIE796 - an alias


class Size(enum.IntEnum):
    """Is an int."""

    SMALL = 1
    BIG = 2


class Mood(enum.StrEnum):
    """Is a str."""

    GOOD = "good"


class Right(enum.Flag):
    """Combines."""

    READ = 1
    WRITE = 2


@dataclasses.dataclass(frozen=True, order=True)
class Point:
    """Can be a key."""

    x: int
    y: float = 0.0


@dataclasses.dataclass(slots=True)
class Slotted:
    """Has no __dict__."""

    at: Point
    when: datetime
    price: Decimal
    key: UUID


@dataclasses.dataclass
class Tree:
    """Contains itself."""

    label: str
    children: list["Tree"] = dataclasses.field(default_factory=list)
    parent: Optional["Tree"] = None


@dataclasses.dataclass
class Doubled:
    """Changes what it is given, and has a field that is not given: running it twice would show."""

    amount: int
    factor: dataclasses.InitVar[int] = 2
    total: int = dataclasses.field(init=False)

    def __post_init__(self, factor: int) -> None:
        self.amount *= factor
        self.total = self.amount + 1

    @functools.cached_property
    def text(self) -> str:
        return f"{self.amount}"


@dataclasses.dataclass
class Box(Generic[T]):
    """Of anything."""

    content: T
    more: list[T]


@dataclasses.dataclass
class PointBox(Box[Point]):
    """Of points."""

    note: str = ""


class Circle(msgspec.Struct, tag=True):
    """One of a tagged union."""

    radius: float
    at: Point
    colour: Colour | msgspec.UnsetType = msgspec.UNSET


class Square(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """The other one."""

    side: int


class Grown(msgspec.Struct):
    """Changes what it is given."""

    size: int

    def __post_init__(self) -> None:
        self.size += 1


class Pair(NamedTuple):
    """A tuple with names."""

    first: Point
    second: Colour | None = None


class Address(TypedDict):
    """A dict with known keys."""

    street: str
    at: Point
    note: NotRequired[Colour]


class User(pydantic.BaseModel):
    """Everything pydantic has that a dump would lose."""

    name: str = pydantic.Field(alias="userName", max_length=5)
    at: Point
    friends: list["User"] = []
    mood: Mood = Mood.GOOD
    secret: Annotated[str, pydantic.Field(exclude=True)] = "s"
    _seen: int = pydantic.PrivateAttr(default=0)

    @pydantic.field_validator("name")
    @classmethod
    def longer(cls, name: str) -> str:
        return name + "!"

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @functools.cached_property
    def initial(self) -> str:
        return self.name[0]


class Loose(pydantic.BaseModel):
    """Takes what it does not know."""

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    size: Size


class Page(pydantic.BaseModel, Generic[T]):
    """A generic model."""

    items: list[T]
    total: int


class Site(pydantic.BaseModel):
    """Values that are known by their text."""

    url: pydantic.HttpUrl
    stores: list[pydantic.PostgresDsn] = []
    folder: pathlib.Path
    address: ipaddress.IPv4Address | ipaddress.IPv6Address


class Sites(pydantic.RootModel[dict[str, Site]]):
    """A model that is its only field."""


class Cat(pydantic.BaseModel):
    """One of two that a field tells apart."""

    sort: Literal["cat"] = "cat"
    at: Point


class Dog(pydantic.BaseModel):
    """The other one."""

    sort: Literal["dog"] = "dog"
    at: Point


class Pet(pydantic.BaseModel):
    """Either of them."""

    animal: Annotated[Cat | Dog, pydantic.Field(discriminator="sort")]
    age: pydantic.PositiveInt = 1


@pydantic.dataclasses.dataclass
class Checked:
    """A dataclass of pydantic's."""

    size: int
    pet: Pet | None = None


P1, P2 = Point(1, 2.5), Point(-3, 4)  # 4: an int where the annotation says float stays an int
WHEN = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
SLOTTED = Slotted(P1, WHEN, Decimal("1.50"), UUID(int=7))
SEEN = User(userName="Ann", at=P1, friends=[User(userName="Bob", at=P2)])
SEEN._seen = 3
OPEN = Loose.model_validate({"size": 2, "colour": ["red"]})
SITE = Site.model_validate(
    {"url": "https://example.org/\u00e9?a=b", "folder": "/srv", "address": "::1"}
    | {"stores": ["postgresql://u:p@one,two:5432/db"]}
)
READ_INITIAL = User(userName="Cid", at=P1, mood=Mood.GOOD, secret="t")
READ_INITIAL.initial  # noqa: B018 - what it computes is kept in the instance

CASES: list[tuple[Any, Any]] = [
    (Point, P1),
    (Point, P2),
    (Slotted, SLOTTED),
    (Tree, Tree("a", [Tree("b", [Tree("c")]), Tree("d")])),
    (Doubled, Doubled(5)),
    (Box[Point], Box(P1, [P2])),
    (Box[int], Box(1, [2])),
    (Box, Box(1, ["a"])),
    (PointBox, PointBox(P1, [P2], "n")),
    (Box[Box[Colour]], Box(Box(Colour.RED, []), [])),
    (Circle, Circle(1.0, P1)),
    (Circle, Circle(1.0, P1, Colour.BLUE)),
    (Circle | Square, Square(side=2)),
    (list[Circle | Square], [Circle(1.0, P1), Square(side=2)]),
    (Grown, Grown(1)),
    (Pair, Pair(P1, Colour.BLUE)),
    (Pair, Pair(P1)),
    (Address, {"street": "s", "at": P1}),
    (Address, {"street": "s", "at": P1, "note": Colour.RED}),
    (Address, {"street": "s", "at": P1, "unknown": [1]}),
    (User, SEEN),
    (User, READ_INITIAL),
    (User, User.model_construct(name="unchecked and long", at=P1, friends=(SEEN,))),
    (Loose, OPEN),
    (Site, SITE),
    (Sites, Sites({"a": SITE})),
    (Pet, Pet(animal=Dog(at=P1))),
    (list[Cat | Dog], [Dog(at=P1), Cat(at=P2)]),
    (Checked, Checked(3, Pet(animal=Cat(at=P1), age=2))),
    (pathlib.Path, pathlib.Path("a/b")),
    (dict[pathlib.PurePosixPath, Fraction], {pathlib.PurePosixPath("/a"): Fraction(1, 3)}),
    (Fraction | str | None, "1/3"),
    (Fraction | str | None, Fraction(1, 3)),
    (ipaddress.IPv4Network, ipaddress.IPv4Network("10.0.0.0/8")),
    (ipaddress.IPv4Interface, ipaddress.IPv4Interface("10.0.0.1/8")),
    (Page[Point], Page[Point](items=[P1], total=1)),
    (Colour, Colour.BLUE),
    (Colour, Colour.SCARLET),
    (Size, Size.BIG),
    (Mood, Mood.GOOD),
    (Right, Right.READ | Right.WRITE),
    (Right, Right(0)),
    (Literal[Colour.RED, "x"], Colour.RED),
    (Literal[Colour.RED, "x"], "x"),
    (Optional[Point], None),  # noqa: UP045 - the old way to write it
    (Optional[Point], P1),  # noqa: UP045
    (Point | None, P1),
    (Point, None),
    (Point | Slotted | Pair | int | None, SLOTTED),
    (Point | Slotted | Pair | int | None, Pair(P2)),
    (Point | Slotted | Pair | int | None, None),
    (Point | list[Any], [1, [2]]),
    (Point | list[Any], P1),
    (list[Point] | list[Colour], [Colour.RED]),
    (list[Point] | list[Colour], [P1]),
    (list[Point] | dict[str, Point], {"a": P1}),
    (Mood | str, Mood.GOOD),
    (Mood | str, "good"),
    (Size | int, Size.BIG),
    (Size | int, 2),
    (list[Point], [P1, P2]),
    (list[Point], []),
    (list[Point | None], [P1, None]),
    (tuple[Point, int], (P1, 3)),
    (tuple[Point, ...], (P1, P2)),
    (set[Point], {P1, P2}),
    (frozenset[Point], frozenset({P1})),
    (set[Colour], {Colour.RED, Colour.BLUE}),
    (frozenset[Mood], frozenset({Mood.GOOD})),
    (Sequence[Point], (P1, P2)),
    (Sequence[Point], [P1]),
    (AbstractSet[Point], frozenset({P1})),
    (Collection[Colour], {Colour.RED}),
    (Mapping[Colour, Point], {Colour.BLUE: P1}),
    (dict[Point, list[Point]], {P1: [P2], P2: []}),
    (dict[tuple[Colour, int], Point], {(Colour.RED, 1): P1}),
    (dict[Colour | None, Point], {Colour.RED: P1, None: P2}),
    (dict[Colour | str, Point], {Colour.RED: P1, "RED": P2}),
    (dict[UserId, Annotated[Point, "a", {}]], {UserId(3): P1}),
    (Union[Point, Slotted], SLOTTED),  # noqa: UP007 - the old way to write it
    (list[Any], [{"a": (1, 2)}]),
]


def exact(value: Any) -> object:  # noqa: PLR0911 - one line for each sort
    """Return `value` with the type of everything in it spelled out."""
    kind = type(value)
    if isinstance(value, enum.Enum):
        return kind, value.name, value.value
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return kind, [exact(getattr(value, name)) for name in names]
    if isinstance(value, msgspec.Struct):
        return kind, [exact(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, pydantic.BaseModel):
        state = value.__getstate__()
        held = {name: state["__dict__"][name] for name in kind.model_fields}
        return kind, exact({**state, "__dict__": held})
    if isinstance(value, dict):
        return kind, [(exact(name), exact(one)) for name, one in value.items()]
    if isinstance(value, set | frozenset):
        return kind, sorted(repr(exact(one)) for one in value)
    if isinstance(value, list | tuple):
        return kind, [exact(one) for one in value]
    return kind, value
