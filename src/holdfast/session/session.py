"""The session: what an application holds during one request.

Law: what is asked for here is only noted, in the draft, and done at commit; a login that may be
refused is decided at the call. What the session holds stands in `contents.py`. No repr shows a
token or a value.
"""

from typing import Any, Generic

from holdfast import durations
from holdfast.durations import Duration
from holdfast.errors import ConfigError, SessionCommitted
from holdfast.session import csrf
from holdfast.session.client import shortened
from holdfast.session.contents import Contents, flash_box, notice_box
from holdfast.session.data import blank
from holdfast.session.draft import Draft
from holdfast.session.lock import AioLock, Lock
from holdfast.session.operations import SignIn
from holdfast.session.schema import T
from holdfast.session.token import is_id
from holdfast.session.view import Base

__all__ = ["AioSession", "Session", "base_of", "draft_of", "id_to_keep"]


class Session(Contents, Generic[T]):
    """One visitor's session during one request.

    Two requests at once do not lose each other's names. Values changed in place are found at
    commit. `increment`, `append`, `flash` and `notify` count even when both touch the same name.

    Attributes:
        accessed: Whether the application looked at it or touched it in any way.
        client: The address and the User-Agent of the request, where a middleware was asked for
            them; kept, shortened, at `login`.
    """

    __slots__ = ()

    @property
    def aio(self) -> "AioSession":
        """What must reach the store at the call, awaited."""
        return AioSession(self)

    def __repr__(self) -> str:
        self.accessed = True
        if self._draft is None and self._loaded is None:
            return "<Session not loaded>"
        return f"<Session {self.id[:12]}, {len(self)} names>"

    @property
    def data(self) -> T:
        """What a typed session holds: an instance of its schema, the same one at each call.

        What is set on it, or changed in place in it, is found at commit, field by field. The same
        fields are the session's names, so that `increment` and `append` count in both tabs.

        Raises:
            ConfigError: The sessions have no `schema`.
        """
        whole: T = self._open().as_whole()
        return whole

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
        draft, settings = self._open(), self._home.settings
        record = blank(draft.now) if draft.base is None else draft.base.record
        return settings.times.expires(record)

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
        if draft.adrift is not None:
            raise draft.adrift
        if draft.base is not None and draft.begun:
            draft = self._writing()
        draft.start_over(self._home.settings.clock())

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
            ConfigError: The store may forget whom it has seen, and that was not accepted.
            StoreError: With `max_sessions`, which is decided at the call: the store failed.
            TooManySessions: With `max_sessions` and `when_full="refuse"`: there is no room. In an
                event loop the commit raises it; `await session.aio.login(user)` asks at the call.
        """
        self._home.login(self._before_first_byte("login"), self._sign_in(user, label))

    def _sign_in(self, user: str | int, label: str | None) -> SignIn:
        if isinstance(user, bool) or not isinstance(user, str | int):
            raise TypeError(f"login takes a user's name or number, not {type(user).__name__}")
        if user == "" or (isinstance(user, int) and not -(2**63) <= user < 2**63):
            raise ValueError("login needs a name, or a number of up to 64 bits")
        user = int(user) if isinstance(user, int) else str.__str__(user)  # of an enum, its value
        if label is not None and not isinstance(label, str):
            raise TypeError(f"a label is text, not {type(label).__name__}")
        settings = self._home.settings
        settings.needs_memory("login")
        about = {"csrf": csrf.new_secret(), **shortened(self.client, settings.keep_client)}
        if label is not None:
            about["label"] = label
        return SignIn(user, settings.clock(), about)

    def remember(self, lifetime: Duration) -> None:
        """Let this session live for `lifetime` from its login on, used or not, on its own device.

        The client keeps the token when it closes, and no idle time ends the session. A later
        `login` forgets that: whoever signs in is asked again.

        Args:
            lifetime: Seconds, a `timedelta` or text such as `"30d"`; at most `remember_up_to`.

        Raises:
            ConfigError: It is no such duration.
            SessionCommitted: The response has begun: no token can be sent.
        """
        length = durations.seconds(lifetime, option="lifetime")
        most = self._home.settings.times.remember_up_to
        if not 0 < length <= most:
            room = f"more than 0, at most {most:.0f} s" if most else "no session is remembered here"
            raise ConfigError(f"remember({lifetime!r}): {room} (remember_up_to)")
        draft = self._before_first_byte("remember")
        draft.mark("lifetime", float(length))
        if draft.base is not None:
            draft.renewed = self._token

    def lock(self, timeout: Duration = 10) -> Lock:
        """Return a lock for a `with` block: other requests that lock this session wait.

        What was done before is written, then the session is read anew; what is done in the block is
        written at its end, or dropped if it raised. Values that were taken out before it are not
        watched any more. In an event loop: `async with session.aio.lock():`.

        Args:
            timeout: How long to wait for others; a lock nobody gives back ends after 30 s.

        Raises:
            LockTimeout: On entering: others held it all the time.
            StoreError: On entering or leaving: the store failed.
            SessionError: On entering: this is an event loop, or this request holds it already.
            ConfigError: On entering: these are cookie-only sessions, which nothing can lock.
        """
        return Lock(self._home, self._open(), durations.seconds(timeout, option="timeout"))

    def logout(self) -> None:
        """Sign out: `destroy` by its other name. No request still under way undoes it.

        Raises:
            SessionCommitted: As for `destroy`.
        """
        self.destroy()

    def fresh_for(self, seconds: Duration) -> bool:
        """Return whether somebody signed in, in this session, less than `seconds` ago.

        Args:
            seconds: Seconds, a `timedelta` or text such as `"5m"`.

        Raises:
            ConfigError: It is no such duration.
        """
        age, draft = durations.seconds(seconds, option="fresh_for"), self._open()
        if draft.sign_in is not None:
            return age > 0
        at = None if draft.base is None else draft.base.record.login
        return at is not None and self._home.settings.clock() - at < age

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
        if draft.adrift is not None:
            raise draft.adrift  # who somebody is cannot be decided without the store
        if draft.begun:
            raise SessionCommitted(f"{verb}: the response has begun, no new token can be sent")
        return draft


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
        values = await self._claim(notice_box(name), 1)
        return values[0] if values else default

    async def pop_flash(self, queue: str = "") -> list[Any]:
        """Return the flash messages of `queue`, oldest first, claimed now.

        Raises:
            StoreError: They could not be claimed; whoever asks again may get them.
        """
        return await self._claim(flash_box(queue), None)

    async def login(self, user: str | int, label: str | None = None) -> None:
        """Sign `user` in now, with all that was done so far; see `Session.login`.

        Raises:
            TooManySessions: There is no room for one more session; nobody is signed in.
            StoreError: The store failed.
        """
        session = await self._session.load()
        draft = session._before_first_byte("login")  # noqa: SLF001 - the same file
        await session._home.alogin(draft, session._sign_in(user, label))  # noqa: SLF001 - the same

    def lock(self, timeout: Duration = 10) -> AioLock:
        """Return a lock for an `async with` block; see `Session.lock`."""
        session = self._session
        length = durations.seconds(timeout, option="timeout")
        return AioLock(session._home, session._open(), length)  # noqa: SLF001 - the same file

    async def _claim(self, box: str, most: int | None) -> list[Any]:
        session = await self._session.load()
        if not session._open().messages_in(box):  # noqa: SLF001 - the same file
            return []
        return await session._home.aclaim(session._writing(), box, most)  # noqa: SLF001 - the same


def draft_of(session: Session) -> Draft | None:
    """Return what `session` loaded and did, for the face that commits it; None if untouched."""
    if not isinstance(session, Session):
        raise TypeError(f"give the session that load returned, not a {type(session).__name__}")
    return session._draft  # noqa: SLF001 - the same file


def base_of(session: Session) -> Base | None:
    """Return the stored session that `session` was loaded from, touched or not."""
    draft = draft_of(session) or session._loaded  # noqa: SLF001 - the same file
    return None if draft is None else draft.base


def id_to_keep(keep: Session | str | None) -> str | None:
    """Return the id of the session a revocation spares.

    Raises:
        ValueError: It is text but no id, such as a token: it would be ended with all others.
    """
    if isinstance(keep, Session):
        return keep.id
    if keep is not None and not is_id(keep):
        raise ValueError("keep: give the session, or its Session.id; a token is none")
    return keep
