"""Cookie-only sessions: the whole record travels, sealed, and no store is needed.

Law: no I/O. The seal says that we wrote it, for which cookie; the times inside say whether it still
counts, and nothing the browser does extends them. Of two requests at once the later cookie stays,
and an old cookie is good until it is over: who needs more keeps sessions in a store.
"""

import math

from holdfast.codec.seal import Seal
from holdfast.errors import CodecError, SessionCommitted, SessionTooLarge
from holdfast.session.csrf import new_secret
from holdfast.session.data import Record, blank, decode, encode, made
from holdfast.session.draft import Base, Draft
from holdfast.session.engine import NOTHING, Outcome
from holdfast.session.operations import NOTHING_DONE, Changes
from holdfast.session.records import Settings
from holdfast.session.token import id_of, new_token

__all__ = ["Sealed"]

_SKEW = 60.0  # seconds by which the clocks of two of our servers may differ
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
        if token is None or len(token) > self._room:
            return Draft(settings.codec, now)
        try:
            raw = self._seal.unseal_text(token, self._bound_name)
        except CodecError:
            self._tell("rejected", "")
            return Draft(settings.codec, now)
        record = decode(raw)
        if not isinstance(record, Record):
            self._tell("corrupt", "")
            return Draft(settings.codec, now)
        over = settings.times.is_over(record.created, record.seen, now)
        if over or record.seen > now + _SKEW:
            self._tell("expired", record.rev.hex())
            return Draft(settings.codec, now)
        draft = Draft(settings.codec, now, Base(record.rev.hex(), raw, record))
        draft.old_key = not self._seal.ring.is_newest(token)
        return draft

    def commit(self, draft: Draft, *, failed: bool = False) -> Outcome:
        """Return the token of what the request did; none if the client holds the right one.

        Raises:
            CodecError: A value cannot be written.
            SessionTooLarge: It does not fit.
            SessionCommitted: Something was changed after the response had begun.
        """
        for handle in draft.doomed:
            self._tell("destroyed", handle)
        draft.doomed = ()
        if failed:
            draft.fail()
        changes = draft.gather()
        if draft.committed is not None:
            if changes is not NOTHING_DONE and draft.base is not None:
                raise SessionCommitted("the response has begun: its cookie can no longer be sent")
            return NOTHING
        record = self._next(draft, changes)
        if record is None:
            draft.settle(changes)
            return Outcome(None, None, expire=draft.expire)
        raw = encode(record)
        token = self._seal.seal_text(raw, self._bound_name)
        if len(token) > self._room:
            raise SessionTooLarge(len(token), self._room, _biggest(record))
        draft.base = Base(record.rev.hex(), raw, record)
        draft.sign_in, draft.rotating = None, False
        draft.settle(changes)
        left = record.created + self._settings.times.lifetime - record.seen
        max_age = math.floor(left) if self._settings.persistent() else None
        return Outcome(token, max_age, expire=False)

    def _next(self, draft: Draft, changes: Changes) -> Record | None:
        """Return the record to send; None if there is nothing new to say."""
        settings, base, sign_in = self._settings, draft.base, draft.sign_in
        now = settings.clock()
        if base is None:
            record = changes.replay(blank(now), settings.codec, now)
            if not (record.data or record.messages or sign_in or draft.csrf):
                return None
            handle = draft.handle
            record = record._replace(reserved={"csrf": draft.csrf or new_secret()})
        else:
            before = base.record if sign_in is None else sign_in.welcome(base.record)
            record = changes.replay(before, settings.codec, now)
            renewed = sign_in is not None or draft.rotating
            must = renewed or changes.forced or draft.old_key
            if not (
                must
                or record[4:] != base.record[4:]
                or settings.times.must_touch(base.record.seen, now)
            ):
                return None
            handle = (id_of(new_token()) or "") if renewed else base.id
        if sign_in is not None:
            record = sign_in.enter(record)
        return made((bytes.fromhex(handle), *record[1:]))

    def _tell(self, event: str, handle: str) -> None:
        self._settings.observer(f"session.{event}", {"handle": handle})


def _biggest(record: Record) -> list[tuple[str, int]]:
    """Return the names of the biggest values and messages with their sizes in bytes."""
    sizes = [(name, len(encoded)) for name, encoded in record.data.items()]
    sizes += [(message.box[2:] or "flash", len(message.encoded)) for message in record.messages]
    return sorted(sizes, key=lambda size: -size[1])[:_SHOWN]
