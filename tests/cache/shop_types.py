"""Classes that cached functions return in tests, and one value of each kind."""

import dataclasses
import enum
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pydantic


class Unit(enum.Enum):
    """What a price is for."""

    PIECE = "piece"
    KILO = "kilo"


@dataclasses.dataclass(frozen=True)
class Price:
    """A dataclass with values of Python's own."""

    amount: Decimal
    unit: Unit
    since: datetime = datetime(2024, 2, 29, tzinfo=UTC)


class Stock(msgspec.Struct):
    """A struct with a dataclass inside."""

    price: Price
    left: int


class Seller(pydantic.BaseModel):
    """A model with a struct's dataclass inside, and a default."""

    key: UUID
    prices: list[Price]
    note: str = ""


class Place(NamedTuple):
    """A named tuple."""

    shelf: int
    unit: Unit


class Row(TypedDict):
    """A dict with known keys."""

    name: str
    price: Price | None


PRICE = Price(Decimal("1.50"), Unit.KILO)
STOCK = Stock(PRICE, 3)
SELLER = Seller(key=UUID(int=7), prices=[PRICE])
PLACE = Place(4, Unit.PIECE)
ROW = Row(name="tea", price=PRICE)
