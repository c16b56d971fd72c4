"""The draft: what one request loaded of its session, and what it did to it since.

Law: no I/O and no clock. `base` is what stands in the store as far as we know, the thing to swap;
what this request sees (`view.py`) stays its own when `base` moves on. Of the values only those that
were handed out and can change in place are compared at commit.
"""

from collections.abc import Mapping
from typing import Any

from holdfast.errors import CodecError, StoreError
from holdfast.session.csrf import BYTES as CSRF_BYTES
from holdfast.session.csrf import new_secret
from holdfast.session.data import Note
from holdfast.session.operations import NOTHING_DONE, Append, Change, Changes, Increment, SignIn
from holdfast.session.token import id_of, new_token
from holdfast.session.view import PUT, Base, View

__all__ = ["Draft"]


class Draft(View):
    """One request's work on its session; see `View` for the arguments."""

    # As in `View`: what hardly a request does stands here until then.
    token: str | None = None  # what the client will hold: made when a new session is stored
    forwarded: str | None = None  # the id of the forward note that was loaded
    doubt: Base | Note | None = None  # what was loaded and must be looked at more closely
    in_grace = False  # loaded with a token that was rotated away a moment ago: reads only
    adrift: StoreError | None = None  # why nothing could be loaded, where that ends no request
    begun = False  # the response has begun: no token can be sent any more
    dropped = False  # the session was destroyed by others: nothing of this request is kept
    doomed: tuple[tuple[str, str | int | None], ...] = ()  # ids to destroy, and who is signed out
    expire = False  # the client's token is to be forgotten
    rotating = False
    followed = False  # others rotated it meanwhile: their client has the token, ours has not
    locked = False  # this request holds the session's lock
    sign_in: SignIn | None = None
    unsent: str | None = None  # the token of a session stored in the midst of the request
    renewed: str | None = None  # the token the client has, which it is to keep for longer
    csrf: bytes | None = None  # a secret that is not stored yet
    own: Mapping[str, Any] | None = None  # our own fields that change beside it
    forced = False
    written: Changes | None = None  # what this request wrote already
    old_key = False  # cookie-only: sealed by a key that is not the newest
    came: Base | None = None  # cookie-only: what the cookie held

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

    def csrf_secret(self) -> bytes:
        """Return the secret of this session's CSRF tokens; a new one must then be stored."""
        if self.sign_in is not None:
            secret: bytes = self.sign_in.about["csrf"]
            return secret
        if self.csrf is not None:
            return self.csrf
        if (stored := self._stored_csrf()) is not None:
            return stored
        return self.renew_csrf()

    def renew_csrf(self) -> bytes:
        """Return a new secret: the tokens of the old one are good no more, from the commit on."""
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
            user = None if self.base is None else self.base.record.user
            self.doomed += ((stored, user),)
            self.expire = True
        self.look_at({})
        self.now = now
        self.base = self.forwarded = self.sign_in = self.token = self.unsent = None
        self.rotating = self.in_grace = self.followed = self.dropped = False
        self._calm()

    def follow(self, base: Base) -> None:
        """Go on with what others made of the session."""
        self.followed = self.followed or self.base is None or base.id != self.base.id
        self.base = base

    def drop(self) -> None:
        """Let go of a session that is not ours to write any more."""
        self.base, self.sign_in, self.unsent = None, None, None
        self.rotating, self.dropped = False, True

    def revert(self) -> None:
        """Forget what was done to the contents and not committed yet."""
        self.look_at(self.values_of(self.base))
        csrf, own, sign_in, self.sign_in = self.csrf, self.own, self.sign_in, None
        self._calm()
        if csrf is not None or own is not None:
            self.csrf, self.own, self.touched = csrf, own, True
        if sign_in is not None:
            self.enter(sign_in)  # still shows nothing of another user

    def fail(self) -> None:
        """Revert; the secret of a page that was not sent goes, too."""
        self.csrf = None
        self.revert()

    def look_anew(self, base: Base) -> None:
        """See what is stored now; what was done before is written."""
        self.base = base
        self.look_at(self.values_of(base))

    def mark(self, field: str, value: object) -> None:
        """Change one of our own fields at commit."""
        self.own = {**(self.own or {}), field: value}
        self.touched = True

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
        self._absorb()
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
        if self.csrf is not None or self.own is not None:
            secret = {} if self.csrf is None else {"csrf": self.csrf}
            changes.reserved = {**secret, **(self.own or {})}
            changes.gen = 0 if self.base is None else self.base.record.gen
        return changes

    def is_vital(self) -> bool:
        """Return whether no answer may pretend that this was done: it says who somebody is."""
        return bool(self.doomed or self.rotating or self.unsent or self.sign_in)

    def is_asked(self) -> bool:
        """Return whether something was asked for beside changes of the contents."""
        vital = self.doomed or self.rotating or self.unsent or self.sign_in  # without a call
        return bool(vital or self.unreadable or self.renewed)

    def is_changed(self) -> bool:
        """Return whether there is something to commit; an unreadable value is only told of."""
        if self.is_vital():
            return True
        try:
            return self.gather() is not NOTHING_DONE
        except CodecError:
            return True

    def settle(self, changes: Changes) -> None:
        """Go on from what was committed; values in the application's hands stay there."""
        if changes is not NOTHING_DONE:
            self.written = changes
        if self.marks:
            self.marks = {}
        if self.touched:
            self._calm()

    def look_at(self, encoded: Mapping[str, bytes]) -> None:
        """See these values, and nothing done to them, nor committed."""
        self.written = None
        super().look_at(encoded)

    def remove(self, name: str) -> None:
        """Delete a name that is there, committed or not."""
        self._absorb()
        super().remove(name)

    def _absorb(self) -> None:
        """Take over what was committed as loaded, to find what is changed in place after it."""
        if self.written is None:
            return
        written = {
            name: change if isinstance(change, bytes) else change.own
            for name, change in self.written.names.items()
            if change is not None
        }
        self.encoded, self.written = {**self.encoded, **written}, None

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
        self.posted, self.claimed, self.csrf, self.own = (), frozenset(), None, None
