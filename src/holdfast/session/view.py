"""The view: what one request sees of its session, and what it did to each name since.

Law: no I/O and no clock. Values are decoded when they are touched; what was done is only noted.
What this request sees stays its own, whatever others do to the record meanwhile.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from holdfast.codec import Codec
from holdfast.errors import CodecError, ConfigError
from holdfast.session.data import Message, Record, encode_value, new_message_id
from holdfast.session.operations import UNREADABLE, Append, Change, Increment, is_number

__all__ = ["FLAT", "MISSING", "PUT", "Base", "View"]

FLAT: frozenset[type] = frozenset(
    {type(None), bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, UUID}
)
"""Types whose values cannot change in place, so that who was handed one has changed nothing."""

MISSING: Any = object()
"""What stands in no session."""
PUT = b""
"""The mark of a name that was given a value: it is encoded at commit, as it is then."""


class Base(NamedTuple):
    """A stored session: its id, its bytes and what they say."""

    id: str
    raw: bytes
    record: Record


class _Own(dict[str, bytes]):
    """What one view loaded, where it is that view's own to change."""


class View:
    """The names and messages of one session, as one request sees and changes them.

    Args:
        codec: What encodes values.
        now: UTC seconds.
        base: What is stored; None for a new session.

    Attributes:
        encoded: The values as loaded; what this request wrote, once it is committed.
        live: Decoded values, and those the application put there.
        handed: Names of mutable values in the application's hands.
        marks: What was done to each name.
    """

    # What hardly a request does needs no slot in each view: it stands here until then.
    cleared = False
    posted: Sequence[Message] = ()
    claimed: AbstractSet[bytes] = frozenset()
    unreadable: tuple[str, ...] = ()
    touched = False  # whether something was done beside what `marks` says
    whole: Any = None  # typed sessions: the instance the application holds

    def __init__(self, codec: Codec, now: float, base: Base | None = None) -> None:
        self.codec = codec
        self.now = now
        self.base = base
        self.encoded: Mapping[str, bytes] = {} if base is None else base.record.data
        self.live: dict[str, Any] = {}
        self.handed: set[str] = set()
        self.marks: dict[str, Change] = {}

    def values_of(self, base: Base | None) -> Mapping[str, bytes]:
        """Return the values that stand in `base`."""
        return {} if base is None else base.record.data

    def as_whole(self) -> Any:
        """Return the instance a typed session is."""
        raise ConfigError("session.data needs Sessions(store, schema=...)")

    def pull(self, name: str) -> None:
        """Take over what was set on that instance."""

    def fetch(self, name: str) -> Any:
        """Return the value under `name`, decoded at its first touch; `KeyError` if there is none.

        Bytes that cannot be read are as good as absent: no request fails for them.
        """
        value = self.live.get(name, MISSING)
        if value is MISSING:
            try:
                value = self.live[name] = self.codec.decode(self.encoded[name])
            except UNREADABLE:
                self._forget(name)
                self.unreadable += (name,)
                raise KeyError(name) from None
        return value

    def has(self, name: object) -> bool:
        """Return whether there is a value under `name`."""
        if name in self.live:
            return True
        if name not in self.encoded or not isinstance(name, str):
            return False
        try:
            self.fetch(name)
        except KeyError:
            return False
        return True

    def names(self) -> Iterator[str]:
        """Yield the names, those that were loaded first."""
        for name in [*self.encoded, *(name for name in self.live if name not in self.encoded)]:
            if self.has(name):
                yield name

    def put(self, name: str, value: object) -> None:
        """Set a name; it is encoded at commit, as it is then."""
        self.live[name] = value
        self.marks[name] = PUT

    def remove(self, name: str) -> None:
        """Delete a name that is there."""
        self.live.pop(name, None)
        self.handed.discard(name)
        self._forget(name)
        self.marks[name] = None

    def clear(self) -> None:
        """Delete all names and messages, also those that will be there at commit."""
        self.look_at({})
        self.cleared = self.touched = True
        self.posted, self.claimed = (), frozenset()

    def increment(self, name: str, by: float) -> None:
        """Add to a number; counts also if the record has become another by then."""
        value = self.fetch(name) if self.has(name) else 0
        if not is_number(value) or not is_number(by):
            raise TypeError(f"{name!r}: increment adds an int or a float to an int or a float")
        self.live[name] = value + by
        mark = self.marks.get(name, Increment(0))
        # Set or deleted before by this very request, it is simply set.
        self.marks[name] = Increment(mark.by + by) if isinstance(mark, Increment) else PUT

    def append(self, name: str, item: object) -> None:
        """Add to a list; the item is taken as it is now."""
        encoded = self._encoded_item(name, item)
        value = self.fetch(name) if self.has(name) else []
        if type(value) is not list:
            raise TypeError(f"{name!r} is no list: append has nothing to add to")
        value.append(item)
        self.live[name] = value
        mark = self.marks.get(name, Append([]))
        if isinstance(mark, Append):
            mark.items.append(encoded)
            self.marks[name] = mark
        else:
            self.marks[name] = PUT

    def post(self, box: str, value: object) -> None:
        """Leave a message in `box`."""
        encoded = encode_value(self.codec, box[2:], value)
        self.posted = [*self.posted, Message(new_message_id(), box, encoded)]
        self.touched = True

    def stored_in(self, box: str) -> list[Message]:
        """Return the stored messages of `box` that were not handed out yet."""
        if self.base is None or self.cleared:
            return []
        messages = self.base.record.messages
        return [one for one in messages if one.box == box and one.id not in self.claimed]

    def messages_in(self, box: str) -> list[Message]:
        """Return the messages of `box`, oldest first."""
        return [*self.stored_in(box), *(one for one in self.posted if one.box == box)]

    def claim(self, box: str, most: int | None) -> list[Message]:
        """Take up to `most` messages out of `box`; a replay removes just these."""
        taken = self.messages_in(box)[:most]
        ids = {one.id for one in taken}
        stored = ids & {one.id for one in self.stored_in(box)}
        self.claimed |= stored
        self.posted = [one for one in self.posted if one.id not in ids]
        self.touched = True
        return taken

    def read(self, messages: Sequence[Message]) -> list[Any]:
        """Return the values of `messages`, without those that cannot be read."""
        values = []
        for one in messages:
            try:
                values.append(self.codec.decode(one.encoded))
            except CodecError:
                self.unreadable += (one.box[2:],)
        return values

    def look_at(self, encoded: Mapping[str, bytes]) -> None:
        """See these values, and nothing done to them."""
        self.encoded, self.live, self.handed, self.marks = encoded, {}, set(), {}

    def _encoded_item(self, name: str, item: object) -> bytes:
        return encode_value(self.codec, name, item)

    def _forget(self, name: str) -> None:
        if name in self.encoded:
            if not isinstance(self.encoded, _Own):
                self.encoded = _Own(self.encoded)  # others see the record's
            del self.encoded[name]
