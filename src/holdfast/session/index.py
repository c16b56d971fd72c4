"""The index of one user: which sessions he is signed in with.

Law: pure. One msgpack array per user; a session stands in it from its login on, under the id it has
now. One that is *dying* was condemned, and stays until its record is destroyed, so that whoever
comes next can finish what another began. Bytes that are no index of ours decode to an empty one.

    [1, [[id, login, end, dying], ...]]
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import ormsgpack

from holdfast.session.token import is_id

__all__ = ["Entry", "decode", "encode", "key_of", "oldest", "replaced"]

VERSION = 1
_TYPES = [str, float, float, bool]


class Entry(NamedTuple):
    """One session of a user.

    Attributes:
        id: Its id; after a rotation the new one.
        login: When he signed in: UTC seconds.
        end: When its lifetime is over: UTC seconds.
        dying: Whether it is to be destroyed.
    """

    id: str
    login: float
    end: float
    dying: bool = False


def key_of(user: str | int) -> str:
    """Return the name of a user's index: a hash, in which 7 and "7" are two users.

    Raises:
        TypeError: It is nobody `login` takes: of None there are no sessions to end.
    """
    if isinstance(user, bool) or not isinstance(user, str | int):
        raise TypeError(f"a user is a name or a number, not {type(user).__name__}")
    # The member of an enum is its value: that is what the record says.
    name = f"n{int(user)}" if isinstance(user, int) else f"t{str.__str__(user)}"
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def encode(entries: Iterable[Entry]) -> bytes:
    """Return the bytes of an index."""
    return ormsgpack.packb((VERSION, [tuple(entry) for entry in entries]))


def decode(raw: bytes | None) -> list[Entry]:
    """Return what `raw` lists; nothing if it is no index of ours."""
    try:
        array = None if raw is None else ormsgpack.unpackb(raw)
    except ormsgpack.MsgpackDecodeError:
        return []
    if type(array) is not list or len(array) != 2 or array[0] != VERSION:
        return []
    rows = array[1] if type(array[1]) is list else []
    return [Entry(*row) for row in rows if _is_entry(row)]


def _is_entry(row: object) -> bool:
    return type(row) is list and [type(field) for field in row] == _TYPES and is_id(row[0])


def oldest(entries: Iterable[Entry], room: int) -> set[str]:
    """Return the ids of those that must go so that one more makes `room`: the oldest logins."""
    live = sorted((one for one in entries if not one.dying), key=lambda one: (one.login, one.id))
    return {entry.id for entry in live[: max(0, len(live) + 1 - room)]}


def replaced(
    entries: Iterable[Entry], old: str, new: Entry, *, add: bool = False
) -> list[Entry] | None:
    """Return the index after a rotation; None if the session is condemned or not in it any more.

    Args:
        entries: All.
        old: The id the session had.
        new: The session as it is now.
        add: Whether one that is missing was lost by the store, not revoked.
    """
    listed = {entry.id: entry for entry in entries}
    found = listed.pop(new.id, None) or listed.pop(old, None)
    if (found is None and not add) or (found is not None and found.dying):
        return None
    listed.pop(old, None)
    return [*listed.values(), new]
