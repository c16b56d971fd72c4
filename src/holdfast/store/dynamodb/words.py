"""What is said to DynamoDB, and how its items are read.

Law: pure. An item has `key` (S), `value` (B), and where it ends `until` (N, the exact second) and
`expires` (N, whole seconds, rounded up: DynamoDB's own TTL, which comes late). A counter that was
incremented has its `value` as N, which reads as decimal ASCII.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from holdfast.errors import StoreUnavailable

__all__ = [
    "ABSENT",
    "COUNTS",
    "LIVE",
    "Words",
    "as_value",
    "chunks",
    "end_of",
    "holding",
    "is_live",
    "item",
    "key_of",
    "number",
    "said",
]

Words = dict[str, Any]

_MOST = 400 * 1024  # bytes of one item, with the names of its attributes
_NAMES = {"#k": "key", "#v": "value", "#u": "until", "#e": "expires"}
_PLACEHOLDER = re.compile(r"#[a-z]\b")
_NUMBER = re.compile(rb"0|-?[1-9][0-9]{0,37}")  # as DynamoDB writes integers, of those it can hold

LIVE = "attribute_exists(#k) AND (attribute_not_exists(#u) OR #u > :now)"
ABSENT = "attribute_not_exists(#k) OR #u <= :now"
COUNTS = f"{LIVE} AND attribute_type(#v, :type)"


def said(values: Mapping[str, Words], **expressions: str) -> Words:
    """Return expressions with the names and values in them; DynamoDB refuses those that are not."""
    used = set(_PLACEHOLDER.findall(" ".join(expressions.values())))
    words: Words = {**expressions, "ExpressionAttributeNames": {k: _NAMES[k] for k in sorted(used)}}
    if values:
        words["ExpressionAttributeValues"] = dict(values)
    return words


def key_of(key: str) -> Words:
    """Return what names an item."""
    return {"key": {"S": key}}


def number(value: float) -> Words:
    """Return a number as DynamoDB takes it."""
    return {"N": str(value) if isinstance(value, int) else f"{value:.6f}"}


def item(key: str, value: Words, until: float | None, store: str) -> Words:
    """Return the item for `value` under `key`.

    Raises:
        StoreUnavailable: It is larger than DynamoDB takes.
    """
    made = {"key": {"S": key}, "value": value}
    if until is not None:
        made |= {"until": number(until), "expires": number(math.ceil(until))}
    size = len(key) + len(value.get("B", b"")) + 100
    if size > _MOST:
        raise StoreUnavailable(store, f"{size} bytes are too many: an item takes at most 400 KB")
    return made


def holding(old: bytes) -> tuple[str, dict[str, Words]]:
    """Return the condition that a live item reads as `old`, and its values."""
    if _NUMBER.fullmatch(old) is None:
        return f"{LIVE} AND #v = :old", {":old": {"B": old}}
    values: dict[str, Words] = {":old": {"B": old}, ":number": {"N": old.decode()}}
    return f"{LIVE} AND (#v = :old OR #v = :number)", values


def is_live(row: Mapping[str, Words], now: float) -> bool:
    """Return whether an item has not expired at `now`."""
    until = row.get("until")
    return until is None or Decimal(until["N"]) > Decimal(f"{now:.6f}")


def end_of(row: Mapping[str, Words]) -> float:
    """Return when an item expires; infinity is never."""
    until = row.get("until")
    return math.inf if until is None else float(until["N"])


def as_value(row: Mapping[str, Words], store: str) -> bytes:
    """Return what an item holds, as bytes.

    Raises:
        StoreUnavailable: It is of another type: the item is not ours.
    """
    value = row.get("value", {})
    if "B" in value:
        return bytes(value["B"])
    if "N" in value:
        return b"%d" % int(Decimal(value["N"]))
    raise StoreUnavailable(store, "an item has no `value` of ours: others write to this table")


def chunks(each: Iterable[Any], size: int) -> Iterator[Sequence[Any]]:
    """Return parts of `size`."""
    known = list(each)
    return (known[start : start + size] for start in range(0, len(known), size))
