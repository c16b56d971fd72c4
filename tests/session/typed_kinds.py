"""The same schema as each kind of class."""

import enum
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import msgspec
import pydantic

ROOT = PurePosixPath("/")


class Size(enum.Enum):
    """How much of it."""

    SMALL = "s"
    LARGE = "l"


@dataclass
class Item:
    """One thing in a cart."""

    name: str
    price: float = 0
    size: Size = Size.SMALL


@dataclass
class AsDataclass:
    """A shop's session."""

    visits: int = 0
    start: int = 10
    theme: str | None = None
    cart: list[Item] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    prices: dict[str, float] = field(default_factory=dict)
    folder: PurePosixPath = ROOT


@dataclass(slots=True)
class WithSlots:
    """The same, without a dict."""

    visits: int = 0
    start: int = 10
    theme: str | None = None
    cart: list[Item] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    prices: dict[str, float] = field(default_factory=dict)
    folder: PurePosixPath = ROOT


class AsStruct(msgspec.Struct):
    """The same, of msgspec."""

    visits: int = 0
    start: int = 10
    theme: str | None = None
    cart: list[Item] = msgspec.field(default_factory=list)
    tags: set[str] = msgspec.field(default_factory=set)
    prices: dict[str, float] = msgspec.field(default_factory=dict)
    folder: PurePosixPath = ROOT


class AsModel(pydantic.BaseModel):
    """The same, of pydantic."""

    model_config = pydantic.ConfigDict(validate_assignment=True)

    visits: int = 0
    start: int = 10
    theme: str | None = None
    cart: list[Item] = []
    tags: set[str] = set()
    prices: dict[str, float] = {}
    folder: PurePosixPath = ROOT


KINDS: list[Any] = [AsDataclass, WithSlots, AsStruct, AsModel]
