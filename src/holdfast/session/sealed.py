"""Cookie-only sessions: the whole record travels, sealed and padded.

Law: no I/O. The seal says that we wrote it, for which cookie; the times inside say whether it still
counts, and nothing the browser does extends them. Its length tells how many steps of 64 bytes the
record fills, no more. Of two requests at once the later cookie stays. What ended a session before
its time is not known here: see `revocations.py`.
"""

from holdfast.codec.seal import Seal
from holdfast.codec.text import from_text
from holdfast.errors import CodecError, SessionTooLarge
from holdfast.session.csrf import new_secret
from holdfast.session.data import Record, blank, decode, encode, made
from holdfast.session.draft import Draft
from holdfast.session.operations import NOTHING_DONE, Changes
from holdfast.session.policy import SKEW
from holdfast.session.settings import Settings
from holdfast.session.token import id_of, new_token
from holdfast.session.view import Base

__all__ = ["Sealed", "pad", "unpad"]

_STEP = 64
_END = b"\x80"
_SHOWN = 5


class Sealed:
    """Opens and closes cookie-only sessions.

    Args:
        seal: With the secrets, and the purpose.
        bound_name: The name of the cookie; a token of another one is rejected.
        room: Characters a token may take.
        settings: Times, codec, clock and observer.
    """

    def __init__(self, seal: Seal, bound_name: str, room: int, settings: Settings) -> None:
        self._seal = seal
        self._bound_name = bound_name
        self._room = room
        self._settings = settings

    def open(self, token: str | None) -> Draft:
        """Return the draft of what `token` holds; of a new session if it is not ours or over."""
        settings = self._settings
        now = settings.clock()
        if token is not None and not isinstance(token, str):
            raise TypeError(f"a token is text, not {type(token).__name__}")
        if token is None or len(token) > self._room:
            return settings.draft(now)
        try:
            message = from_text(token)
            base = self._read(self._seal.unseal(message, self._bound_name), now)
        except CodecError:
            settings.tell("rejected", "")
            return settings.draft(now)
        draft = settings.draft(now, base)
        draft.came = base
        if not self._seal.ring.is_newest(message):
            draft.old_key = True
        return draft

    def _read(self, padded: bytes, now: float) -> Base | None:
        """Return the session in `padded` if it counts at `now`."""
        raw = unpad(padded)
        record = None if raw is None else decode(raw)
        if raw is None or not isinstance(record, Record):
            self._settings.tell("corrupt", "")
            return None
        handle = record.rev.hex()
        ahead = max(record.created, record.seen) - now
        if ahead > SKEW or self._settings.times.is_over(record, now):
            self._settings.tell("expired", handle)
            return None
        return Base(handle, raw, record)

    def next(self, draft: Draft, changes: Changes) -> Record | None:
        """Return what the client is to hold, its handle as `rev`; None if it has the right one."""
        settings, base, sign_in = self._settings, draft.base, draft.sign_in
        now = settings.clock()
        if base is None:
            record = changes.replay(blank(now), settings.codec, now)
            if not (record.data or record.messages or sign_in or draft.csrf):
                return None
            handle = draft.handle
            record = record._replace(reserved={"csrf": new_secret(), **record.reserved})
        else:
            renewed = sign_in is not None or draft.rotating or draft.renewed is not None
            must = renewed or changes.forced or draft.old_key
            must = must or settings.times.must_touch(base.record, now)
            if changes is NOTHING_DONE and not must:
                return None
            before = base.record if sign_in is None else sign_in.welcome(base.record)
            record = changes.replay(before, settings.codec, now)
            if record[4:] == base.record[4:] and not must:
                return None
            handle = (id_of(new_token()) or "") if renewed else base.id
        if sign_in is not None:
            record = sign_in.enter(record, changes.reserved)
        return made((bytes.fromhex(handle), *record[1:]))

    def close(self, record: Record) -> tuple[Base, str]:
        """Return the session of `record`, and the token that holds it.

        Raises:
            SessionTooLarge: It does not fit.
        """
        raw = encode(record)
        token = self._seal.seal_text(pad(raw), self._bound_name)
        if len(token) > self._room:
            raise SessionTooLarge(len(token), self._room, _biggest(record))
        return Base(record.rev.hex(), raw, record), token


def pad(raw: bytes) -> bytes:
    """Return `raw` filled up to a multiple of 64 bytes (ISO/IEC 7816-4: a mark, then zeros)."""
    return raw + _END + bytes(-(len(raw) + 1) % _STEP)


def unpad(padded: bytes) -> bytes | None:
    """Return what was padded; None if nothing was. The seal was checked before."""
    raw = padded.rstrip(b"\0")
    return raw[:-1] if raw.endswith(_END) else None


def _biggest(record: Record) -> list[tuple[str, int]]:
    """Return the names of the biggest values and messages with their sizes in bytes."""
    sizes = [(name, len(encoded)) for name, encoded in record.data.items()]
    sizes += [(message.box[2:] or "flash", len(message.encoded)) for message in record.messages]
    return sorted(sizes, key=lambda size: -size[1])[:_SHOWN]
