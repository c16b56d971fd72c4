"""The session: what an application holds during one request.

Law: nothing is read before the first touch. What is done here is only noted, in the draft; it
reaches the store at commit, but for `take` and `pop_flash`, which claim at the call. Nothing here
shows a token or a value in a repr.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any

from holdfast.errors import SessionCommitted
from holdfast.session import csrf
from holdfast.session.draft import FLAT, MISSING, Draft
from holdfast.session.homes import Home
from holdfast.session.operations import NOTHING_DONE, SignIn

__all__ = ["AioSession", "Session", "draft_of"]

_FLASH = "f:"
_NOTICE = "n:"
_TOO_LATE = "the response has begun and its cookie cannot be sent any more: write before that"


class Session(MutableMapping[str, Any]):
    """One visitor's session during one request: a dict of values the codec can carry.

    Two requests at once do not lose each other's names. Values changed in place are found at
    commit. `increment`, `append`, `flash` and `notify` count even when both touch the same name.

    Attributes:
        accessed: Whether the application looked at it or touched it in any way.
    """

    __slots__ = ("_begun", "_draft", "_home", "_loaded", "_token", "accessed")

    def __init__(self, home: Home, token: str | None, loaded: Draft | None = None) -> None:
        self._home = home
        self._token = token
        self._loaded = loaded
        self._draft: Draft | None = None  # None until the application touches it
        self._begun = False
        self.accessed = False

    def response_begun(self) -> None:
        """Note that no token can be sent any more: what a middleware says of an untouched one."""
        self._begun = True
        if self._draft is not None and self._draft.committed is None:
            self._draft.committed = NOTHING_DONE

    def _open(self) -> Draft:
        draft = self._draft
        if draft is None:
            self.accessed = True
            draft = self._loaded
            if draft is None:
                draft = self._home.open(self._token)
            if self._begun:
                draft.committed = NOTHING_DONE
            self._draft = draft
        return draft

    def _writing(self) -> Draft:
        draft = self._draft or self._open()
        if draft.committed is not None and not self._home.may_write(draft):
            raise SessionCommitted(_TOO_LATE)
        return draft

    async def load(self) -> "Session":
        """Read the session now; for event loops that load lazily. Twice is fine.

        Returns:
            This session.

        Raises:
            StoreError: The store could not be asked.
        """
        if self._draft is None and self._loaded is None:
            self._loaded = await self._home.aopen(self._token)
        return self

    @property
    def aio(self) -> "AioSession":
        """What must reach the store at the call, awaited."""
        return AioSession(self)

    # A dict

    def __getitem__(self, name: str) -> Any:
        draft = self._draft or self._open()
        value = draft.live.get(name, MISSING)
        if value is MISSING:
            value = draft.fetch(name)
        if type(value) not in FLAT:
            draft.handed.add(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        if type(name) is not str:
            name = _text(name)
        self._writing().put(name, value)

    def __delitem__(self, name: str) -> None:
        draft = self._writing()
        if not draft.has(name):
            raise KeyError(name)
        draft.remove(name)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._open().names()))

    def __len__(self) -> int:
        return sum(1 for _ in self._open().names())

    def __contains__(self, name: object) -> bool:
        return self._open().has(name)

    def __bool__(self) -> bool:
        return any(True for _ in self._open().names())

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value under `name`, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default

    def clear(self) -> None:
        """Delete all names, flash messages and notifications, also those another tab just wrote.

        Who is signed in stays so: see `logout` and `destroy`.

        Raises:
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().clear()

    def __repr__(self) -> str:
        self.accessed = True
        if self._draft is None and self._loaded is None:
            return "<Session not loaded>"
        return f"<Session {self.id[:12]}, {len(self)} names>"

    # What it is

    @property
    def id(self) -> str:
        """A handle that is safe to log: the hash of the token, 64 hexadecimal digits."""
        return self._open().handle

    @property
    def is_new(self) -> bool:
        """Whether nothing is stored yet."""
        return self._open().base is None

    @property
    def created(self) -> float:
        """When it was born, or its user signed in: UTC seconds."""
        draft = self._open()
        return draft.now if draft.base is None else draft.base.record.created

    @property
    def seen(self) -> float:
        """When it was last used: UTC seconds, up to `touch_every` behind."""
        draft = self._open()
        return draft.now if draft.base is None else draft.base.record.seen

    @property
    def expires(self) -> float:
        """When it will be over if it is not used again: UTC seconds."""
        return self._home.times.expires(self.created, self.seen)

    @property
    def user(self) -> str | int | None:
        """Who is signed in, as given to `login`; None: nobody."""
        return self._open().user

    @property
    def changed(self) -> bool:
        """Whether a commit would write something of what was done so far."""
        return self._draft is not None and self._draft.is_changed()

    # What can be done with it as a whole

    def save(self) -> None:
        """Write at commit even if nothing changed. An empty session is never stored, all the same.

        Raises:
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().keep()

    def revert(self) -> None:
        """Forget what this request did to names, messages and notifications and not committed.

        A `rotate`, `login` or `destroy` stays asked for, and a `csrf_token` stays good.
        """
        self._open().revert()

    def rotate(self) -> None:
        """Ask for a new token with the same data; the old one is dead from the commit on.

        Raises:
            SessionCommitted: The response has begun: no new token can be sent.
        """
        self._before_first_byte("rotate").rotating = True

    def destroy(self) -> None:
        """Forget session and token at commit; what is written afterwards is in a new session.

        Raises:
            SessionCommitted: Cookie-only: the response has begun, its cookie cannot be taken back.
        """
        draft = self._open()
        if draft.base is not None and draft.committed is not None:
            draft = self._writing()
        draft.start_over(self._home.clock())

    def login(self, user: str | int, label: str | None = None) -> None:
        """Sign `user` in at commit: a new token, a new CSRF secret, the same data.

        The old token is dead from then on, whoever else may know it. Data of another user who was
        signed in does not come along. `lifetime` begins anew.

        Args:
            user: Who; what `session.user` returns.
            label: What to call this session in a list of the user's sessions.

        Raises:
            SessionCommitted: The response has begun: no new token can be sent.
            TypeError: `user` is neither text nor an int, or `label` no text.
            ValueError: `user` is empty or an int beyond 64 bits.
        """
        if isinstance(user, bool) or not isinstance(user, str | int):
            raise TypeError(f"login takes a user's name or number, not {type(user).__name__}")
        if user == "" or (isinstance(user, int) and not -(2**63) <= user < 2**63):
            raise ValueError("login needs a name, or a number of up to 64 bits")
        if label is not None and not isinstance(label, str):
            raise TypeError(f"a label is text, not {type(label).__name__}")
        draft = self._before_first_byte("login")
        draft.enter(SignIn(user, label, self._home.clock(), csrf.new_secret()))

    def logout(self) -> None:
        """Sign out: `destroy` by its other name. No request still under way undoes it.

        Raises:
            SessionCommitted: As for `destroy`.
        """
        self.destroy()

    def fresh_for(self, seconds: float) -> bool:
        """Return whether somebody signed in, in this session, less than `seconds` ago."""
        draft = self._open()
        if draft.sign_in is not None:
            return seconds > 0
        at = None if draft.base is None else draft.base.record.reserved.get("login")
        return isinstance(at, float) and self._home.clock() - at < seconds

    # Operations: both tabs count

    def increment(self, name: str, by: float = 1) -> None:
        """Add `by` to the number under `name`; an absent one counts as 0.

        Raises:
            TypeError: There is something else than a number.
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().increment(_text(name), by)

    def append(self, name: str, item: Any) -> None:
        """Add `item` to the end of the list under `name`; an absent one counts as empty.

        Raises:
            TypeError: There is something else than a list.
            CodecError: `item` is nothing the codec can carry.
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().append(_text(name), item)

    def flash(self, message: Any, queue: str = "") -> None:
        """Leave `message` for the next page; it waits until `pop_flash`.

        Raises:
            CodecError: `message` is nothing the codec can carry.
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().post(_FLASH + queue, message)

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Return the flash messages of `queue`, oldest first, and remove them.

        In a thread they are claimed at the call: of two tabs, one gets a message. In an event loop
        this form returns what was loaded; `await session.aio.pop_flash(queue)` claims.

        Raises:
            StoreError: They could not be claimed; whoever asks again may get them.
        """
        return self._claim(_FLASH + queue, None)

    def peek_flash(self, queue: str = "") -> list[Any]:
        """Return the flash messages of `queue`, oldest first, and leave them there."""
        draft = self._open()
        return draft.read(draft.messages_in(_FLASH + queue))

    def notify(self, name: str, value: Any) -> None:
        """Leave `value` under `name`, to be read once with `take`; several wait in a row.

        Raises:
            CodecError: `value` is nothing the codec can carry.
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().post(_NOTICE + name, value)

    def take(self, name: str, default: Any = None) -> Any:
        """Return the oldest value `notify` left under `name` and remove it, or `default`.

        In a thread it is claimed at the call: of two tabs, one gets it. In an event loop this form
        returns what was loaded; `await session.aio.take(name)` claims.

        Raises:
            StoreError: It could not be claimed; whoever asks again may get it.
        """
        values = self._claim(_NOTICE + name, 1)
        return values[0] if values else default

    # CSRF

    def csrf_token(self) -> str:
        """Return a token for a form of this session; each call gives another, all are good.

        Raises:
            SessionCommitted: The response has begun and there is no stored session to bind it to.
        """
        draft = self._open()
        if draft.needs_csrf():
            draft = self._writing()
        return csrf.mask(draft.csrf_secret())

    def check_csrf(self, value: object) -> bool:
        """Return whether `value` is a CSRF token of this session, since its last login."""
        draft = self._open()
        return not draft.needs_csrf() and csrf.matches(draft.csrf_secret(), value)

    def _before_first_byte(self, verb: str) -> Draft:
        draft = self._open()
        if draft.committed is not None:
            raise SessionCommitted(f"{verb}: the response has begun, no new token can be sent")
        return draft

    def _claim(self, box: str, most: int | None) -> list[Any]:
        draft = self._open()
        if not draft.messages_in(box):
            return []
        return self._home.claim(self._writing(), box, most)


class AioSession:
    """The awaited forms of what must reach the store at the call."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    async def take(self, name: str, default: Any = None) -> Any:
        """Return the oldest value `notify` left under `name`, claimed now, or `default`.

        Raises:
            StoreError: It could not be claimed; whoever asks again may get it.
        """
        values = await self._claim(_NOTICE + name, 1)
        return values[0] if values else default

    async def pop_flash(self, queue: str = "") -> list[Any]:
        """Return the flash messages of `queue`, oldest first, claimed now.

        Raises:
            StoreError: They could not be claimed; whoever asks again may get them.
        """
        return await self._claim(_FLASH + queue, None)

    async def _claim(self, box: str, most: int | None) -> list[Any]:
        session = await self._session.load()
        if not session._open().messages_in(box):  # noqa: SLF001 - the same file
            return []
        return await session._home.aclaim(session._writing(), box, most)  # noqa: SLF001 - the same


def draft_of(session: Session) -> Draft | None:
    """Return what `session` loaded and did, for the face that commits it; None if untouched."""
    return session._draft  # noqa: SLF001 - the same file


def _text(name: object) -> str:
    """Return a session's name as plain text; the member of an enum is its value."""
    if not isinstance(name, str):
        raise TypeError(f"a session's names are text, not {type(name).__name__}")
    return str.__str__(name)
