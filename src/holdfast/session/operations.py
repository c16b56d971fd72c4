"""Operations: what one request did to its session, done again on whatever the record has become.

Law: pure. Of two requests, the one that commits later does its operations on what the other left:
different names both survive, counts and appended items add up, of the same name the later one
stays, and messages are removed one by one, by their ids. Our own fields are written again only if
nobody has signed in or out meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any, NamedTuple

from holdfast.codec import Codec
from holdfast.errors import CodecError
from holdfast.session.data import Message, Record, made, new_rev

__all__ = [
    "NOTHING_DONE",
    "UNREADABLE",
    "Append",
    "Change",
    "Changes",
    "Increment",
    "SignIn",
    "is_number",
]

UNREADABLE = (CodecError, TypeError, AttributeError)
"""What decoding raises: a record may hold anything where a value should be."""


def is_number(value: object) -> bool:
    """Return whether `value` can be incremented; a bool is no number here."""
    return type(value) is int or type(value) is float


class Increment(NamedTuple):
    """A number was added to; an absent one counts as 0.

    Attributes:
        by: The sum of what was added.
        own: The result this request saw: what is written over a value it cannot be added to.
    """

    by: float
    own: bytes = b""

    def apply(self, present: bytes | None, codec: Codec) -> bytes:
        """Return the encoded sum."""
        value = 0 if present is None else _read(present, codec)
        try:
            return codec.encode(value + self.by) if is_number(value) else self.own
        except OverflowError:  # an int beyond floats, and a float
            return self.own


class Append(NamedTuple):
    """Items were added to the end of a list; an absent one counts as empty.

    Attributes:
        items: Each as it was when it was appended.
        own: The result this request saw: what is written over a value that is no list any more.
    """

    items: list[bytes]
    own: bytes = b""

    def apply(self, present: bytes | None, codec: Codec) -> bytes:
        """Return the encoded longer list."""
        value = [] if present is None else _read(present, codec)
        if type(value) is not list:
            return self.own
        return codec.encode(value + [codec.decode(item) for item in self.items])


Change = bytes | None | Increment | Append
"""What happened to a name: it was given a value or changed in place (its bytes), or deleted (None),
or counted up, or appended to."""


def _read(encoded: bytes, codec: Codec) -> Any:
    """Return the value, or None if it cannot be read: neither a number nor a list."""
    try:
        return codec.decode(encoded)
    except UNREADABLE:
        return None


class Changes:
    """What one request did to the contents of its session.

    Attributes:
        names: What happened to each name.
        cleared: Whatever is there at commit goes first.
        posted: New flash messages and notifications.
        claimed: Ids of the messages that were handed out.
        reserved: Our own fields that changed.
        gen: The generation of the record that `reserved` was made on.
        forced: Write even if nothing changed.
        upgrade: Typed sessions: returns a record in the version of these changes.
        absent: Typed sessions: what an absent name counts as, for those counted up or appended to.
    """

    cleared = False
    posted: Sequence[Message] = ()
    claimed: AbstractSet[bytes] = frozenset()
    reserved: Mapping[str, Any] | None = None
    gen = 0
    forced = False
    upgrade: Callable[[Record], Record] | None = None
    absent: Mapping[str, bytes] = MappingProxyType({})

    def __init__(self, names: Mapping[str, Change]) -> None:
        self.names = names

    def replay(self, record: Record, codec: Codec, now: float) -> Record:
        """Return `record` with these changes made at `now`, as a new write of its own `rev`."""
        if self.upgrade is not None:
            record = self.upgrade(record)
        _, gen, created, _, reserved, data, messages = record
        data = {} if self.cleared else data.copy()
        for name, change in self.names.items():
            if isinstance(change, bytes):
                data[name] = change
            elif change is None:
                data.pop(name, None)
            else:
                data[name] = change.apply(data.get(name, self.absent.get(name)), codec)
        if self.cleared or self.claimed or self.posted:
            kept = [] if self.cleared else [m for m in messages if m.id not in self.claimed]
            messages = [*kept, *self.posted]
        if self.reserved is not None and gen == self.gen:
            reserved = {**reserved, **self.reserved}
        return made((new_rev(), gen, created, now, reserved, data, messages))

    def lost(self, before: Record, theirs: Record) -> list[str]:
        """Return the names that another request changed from `before` and `replay` overwrites."""
        if self.upgrade is not None:
            before, theirs = self.upgrade(before), self.upgrade(theirs)
        names = theirs.data.keys() | before.data.keys()
        return sorted(
            name
            for name in (names if self.cleared else names & self.names.keys())
            if theirs.data.get(name) != before.data.get(name)
            and not isinstance(change := self.names.get(name), Increment | Append)
            and change != theirs.data.get(name)
        )


NOTHING_DONE = Changes({})


_OUTLIVE_A_LOGIN = ("lifetime", "schema")


class SignIn(NamedTuple):
    """A login that was asked for.

    Attributes:
        user: Who.
        at: UTC seconds.
        about: What else is kept of it: `csrf`, the secret it brings; `label`, what to call the
            session in a list of the user's sessions; `address` and `agent` of the client.
    """

    user: str | int
    at: float
    about: Mapping[str, Any]

    def welcome(self, record: Record) -> Record:
        """Return `record` without what belongs to another user."""
        if record.user is None or record.user == self.user:
            return record
        return record._replace(data={}, messages=[])

    def enter(self, record: Record, asked: Mapping[str, Any] | None) -> Record:
        """Return `record` with the user signed in: born anew, of the next generation.

        Args:
            record: As it is.
            asked: Our own fields that the same request changed.
        """
        reserved = {name: asked[name] for name in _OUTLIVE_A_LOGIN if asked and name in asked}
        if "schema" in record.reserved:
            reserved.setdefault("schema", record.reserved["schema"])
        reserved.update(self.about, user=self.user, login=self.at)
        return record._replace(gen=record.gen + 1, created=self.at, reserved=reserved)
