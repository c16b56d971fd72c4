"""The draft: what one request loaded of its session, and what it did to it since.

Law: no I/O and no clock. `base` is what stands in the store as far as we know, the thing to swap;
the view (`encoded`, `live`) is what this request sees, and stays its own when `base` moves on.
Values are decoded when they are touched; only those handed out and mutable are compared at commit.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from holdfast.codec import Codec
from holdfast.errors import CodecError
from holdfast.session.csrf import BYTES as CSRF_BYTES
from holdfast.session.csrf import new_secret
from holdfast.session.data import Message, Record, encode_value, new_message_id
from holdfast.session.operations import (
    NOTHING_DONE,
    UNREADABLE,
    Append,
    Change,
    Changes,
    Increment,
    SignIn,
    is_number,
)
from holdfast.session.token import id_of, new_token

__all__ = ["FLAT", "MISSING", "PUT", "Base", "Draft"]

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


class Draft:
    """One request's work on its session.

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

    # What hardly a request does needs no slot in each draft: it stands here until then.
    token: str | None = None  # what the client will hold: made when a new session is stored
    forwarded: str | None = None  # the id of the forward note that was loaded
    over: Base | None = None  # what was loaded and is over
    doomed: tuple[str, ...] = ()  # ids to destroy at commit
    expire = False  # the client's token is to be forgotten
    rotating = False
    sign_in: SignIn | None = None
    csrf: bytes | None = None  # a secret that is not stored yet
    cleared = False
    forced = False
    posted: Sequence[Message] = ()
    claimed: AbstractSet[bytes] = frozenset()
    unreadable: tuple[str, ...] = ()
    touched = False  # whether something was done beside what `marks` says
    committed: Changes | None = None  # what the last commit wrote
    old_key = False  # cookie-only: sealed by a key that is not the newest
    came: Base | None = None  # cookie-only: what the cookie held

    def __init__(self, codec: Codec, now: float, base: Base | None = None) -> None:
        self.codec = codec
        self.now = now
        self.base = base
        self.encoded: Mapping[str, bytes] = base.record.data if base is not None else {}
        self.live: dict[str, Any] = {}
        self.handed: set[str] = set()
        self.marks: dict[str, Change] = {}

    @property
    def user(self) -> str | int | None:
        """Who is signed in, as far as this request knows."""
        if self.sign_in is not None:
            return self.sign_in.user
        return None if self.base is None else self.base.record.user

    @property
    def handle(self) -> str:
        """The id of the session: of the stored one, or of the one that will be."""
        return self.new_id() if self.base is None else self.base.id

    def new_id(self) -> str:
        """Return the id of the token a new session will have, made at the first need."""
        if self.token is None:
            self.token = new_token()
        return id_of(self.token) or ""

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
        self._see({})
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
        encoded = encode_value(self.codec, name, item)
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

    def csrf_secret(self) -> bytes:
        """Return the secret of this session's CSRF tokens; a new one must then be stored."""
        if self.sign_in is not None:
            return self.sign_in.csrf
        if (stored := self._stored_csrf()) is not None:
            return stored
        if self.csrf is None:
            self.csrf = new_secret()
            self.touched = True
        return self.csrf

    def needs_csrf(self) -> bool:
        """Return whether there is no secret yet."""
        return self._stored_csrf() is None and self.csrf is None and self.sign_in is None

    def _stored_csrf(self) -> bytes | None:
        stored = None if self.base is None else self.base.record.reserved.get("csrf")
        return stored if isinstance(stored, bytes) and len(stored) == CSRF_BYTES else None

    def enter(self, sign_in: SignIn) -> None:
        """Sign somebody in at commit; nothing of another user comes along."""
        if self.user not in (None, sign_in.user):
            self.clear()
        self.sign_in = sign_in

    def start_over(self, now: float) -> None:
        """Destroy at commit what was loaded, and be a new session from `now` on."""
        stored = self.forwarded if self.base is None else self.base.id
        if stored is not None:
            self.doomed += (stored,)
            self.expire = True
        self._see({})
        self.now = now
        self.base = self.forwarded = self.sign_in = self.token = None
        self.rotating = False
        self._calm()

    def revert(self) -> None:
        """Forget what was done to the contents and not committed yet."""
        self._see({} if self.base is None else self.base.record.data)
        csrf, sign_in, self.sign_in = self.csrf, self.sign_in, None
        self._calm()
        if csrf is not None:
            self.csrf, self.touched = csrf, True
        if sign_in is not None:
            self.enter(sign_in)  # still shows nothing of another user

    def fail(self) -> None:
        """Revert; the secret of a page that was not sent goes, too."""
        self.csrf = None
        self.revert()

    def keep(self) -> None:
        """Write at commit, changed or not."""
        self.forced = self.touched = True

    def gather(self) -> Changes:
        """Return what was done to the contents, encoded; `NOTHING_DONE` itself if nothing was.

        Raises:
            CodecError: A value cannot be written; the error names the session key.
        """
        if not (self.marks or self.touched or self.handed):
            return NOTHING_DONE
        if self.committed is not None:
            self._absorb(self.committed)
        names: dict[str, Change] = {}
        for name, mark in self.marks.items():
            names[name] = self._encoded(name) if mark is PUT else self._operated(name, mark)
        for name in self.handed:
            if name not in names and self._is_changed_in_place(name):
                names[name] = self._encoded(name)
        if not (names or self.touched):
            return NOTHING_DONE
        changes = Changes(names)
        if self.touched:
            changes.cleared, changes.forced = self.cleared, self.forced
            changes.posted, changes.claimed = self.posted, self.claimed
        if self.csrf is not None and self.base is not None:
            changes.reserved, changes.gen = {"csrf": self.csrf}, self.base.record.gen
        return changes

    def is_asked(self) -> bool:
        """Return whether something was asked for beside changes of the contents."""
        return bool(self.doomed or self.rotating or self.unreadable) or self.sign_in is not None

    def is_changed(self) -> bool:
        """Return whether there is something to commit; an unreadable value is only told of."""
        if self.doomed or self.rotating or self.sign_in is not None:
            return True
        try:
            return self.gather() is not NOTHING_DONE
        except CodecError:
            return True

    def settle(self, changes: Changes) -> None:
        """Go on from what was committed; values in the application's hands stay there."""
        if changes is not NOTHING_DONE or self.committed is None:
            self.committed = changes
        if self.marks:
            self.marks = {}
        if self.touched:
            self._calm()

    def _absorb(self, committed: Changes) -> None:
        """Take over what was committed as loaded, to find what is changed in place after it."""
        written = {
            name: change if isinstance(change, bytes) else change.own
            for name, change in committed.names.items()
            if change is not None
        }
        self.encoded = {**self.encoded, **written}
        self.committed = NOTHING_DONE

    def _encoded(self, name: str) -> bytes:
        try:
            return self.codec.encode(self.live[name])
        except CodecError as error:
            raise error.under(name) from error

    def _operated(self, name: str, mark: Change) -> Change:
        """Return an operation with its result; a put if the result was changed in place besides."""
        if isinstance(mark, Increment):
            return Increment(mark.by, self._encoded(name))
        if isinstance(mark, Append):
            own, untouched = self._encoded(name), name not in self.handed
            if untouched or own == mark.apply(self.encoded.get(name), self.codec):
                return Append(mark.items, own)
            return own
        return mark

    def _is_changed_in_place(self, name: str) -> bool:
        own, loaded = self._encoded(name), self.encoded[name]
        # An older codec may have put the same value in other bytes.
        return own != loaded and own != self.codec.encode(self.codec.decode(loaded))

    def _calm(self) -> None:
        """Forget what was noted beside names."""
        self.touched = self.forced = self.cleared = False
        self.posted, self.claimed, self.csrf = (), frozenset(), None

    def _see(self, encoded: Mapping[str, bytes]) -> None:
        self.encoded, self.live, self.handed, self.marks = encoded, {}, set(), {}

    def _forget(self, name: str) -> None:
        if name in self.encoded:
            self.encoded = {key: value for key, value in self.encoded.items() if key != name}
