"""Sessions as users call them: options, and one face for threads and one for event loops.

Law: no decision and no sequence stands here. Making the object does no I/O; both faces share its
settings, its keys and its store.
"""

from functools import cached_property
from typing import Protocol, Self

from holdfast.bridge import in_thread
from holdfast.clock import Clock, wall
from holdfast.codec import Codec, codec_named
from holdfast.codec.seal import Seal
from holdfast.durations import Duration
from holdfast.events import Observer, silent
from holdfast.keys import prefix_of
from holdfast.session.engine import NOTHING, Outcome
from holdfast.session.homes import Loop, Stored
from holdfast.session.incookie import InCookie
from holdfast.session.policy import times_from
from holdfast.session.records import Settings
from holdfast.session.sealed import Sealed
from holdfast.session.session import Session, draft_of
from holdfast.session.token import is_id
from holdfast.signing import KeyRing, Secrets
from holdfast.store.abilities import CanSweep
from holdfast.store.protocol import OpenStore
from holdfast.store.registry import open_store

__all__ = ["AioSessions", "Sessions", "Transport"]

_PURPOSE = "session"
_COOKIE = "__Host-sid"
_ROOM = 4096 - len(_COOKIE) - 1


class Transport(Protocol):
    """What sessions must know of the way their token travels."""

    @property
    def bound_name(self) -> str:
        """The full name on the wire; a sealed token is good for this one only."""

    @property
    def room(self) -> int:
        """Characters a token may take."""


class Sessions:
    """The sessions of one application, kept in a store.

    Args:
        store: A URL or an open store.
        idle_timeout: A session not used for so long is over.
        lifetime: A session is over so long after its birth or last login, used or not.
        touch_every: How often, at most, mere reading is noted in the store; never more than a tenth
            of `idle_timeout`.
        codec: What writes the values: `"msgpack"`, `"json"` or a codec.
        transport: How the token travels; None: the middlewares use `Cookie()`.
        observer: Told of events such as `session.conflict_dropped`, with handles only.
        clock: UTC seconds.
        prefix: Stands before all keys; applications that share a store need different ones.
        forward_note: How long a request that began before a rotation may still write: at least as
            long as the longest request.

    Attributes:
        store: The store; None for cookie-only sessions.
        transport: As given.
        observer: As given.

    Raises:
        ConfigError: An option or the URL is wrong.
    """

    store: OpenStore | None
    transport: Transport | None
    observer: Observer

    def __init__(  # noqa: PLR0913 - the options of the one object users make
        self,
        store: str | OpenStore,
        *,
        idle_timeout: Duration = "30m",
        lifetime: Duration = "12h",
        touch_every: Duration = 60,
        codec: str | Codec = "msgpack",
        transport: Transport | None = None,
        observer: Observer = silent,
        clock: Clock = wall,
        prefix: str = "",
        forward_note: Duration = 60,
    ) -> None:
        opened = open_store(store)
        checked = prefix_of(prefix)
        settings = Settings(
            times=times_from(
                idle_timeout, lifetime, touch_every=touch_every, forward_note=forward_note
            ),
            codec=codec_named(codec),
            prefix=f"{checked}:" if checked else "",
            clock=clock,
            observer=observer,
            store=opened.name,
            persistent=self._is_persistent,
        )
        self._equip(Stored(opened, settings), opened, transport, observer)

    @classmethod
    def in_cookie(
        cls,
        secrets: Secrets | KeyRing,
        *,
        idle_timeout: Duration = "30m",
        lifetime: Duration = "12h",
        touch_every: Duration = 60,
        codec: str | Codec = "msgpack",
        transport: Transport | None = None,
        observer: Observer = silent,
        clock: Clock = wall,
    ) -> Self:
        """Return sessions that travel whole, sealed, in the cookie; they need no store.

        A copied cookie stays good until it is over, also after `logout`, and of two requests at
        once the later cookie wins. A session has to fit into one cookie.

        Args:
            secrets: One or several, newest first: the first seals, all that are not revoked open.
            idle_timeout: As for `Sessions`.
            lifetime: As for `Sessions`.
            touch_every: How often, at most, a cookie is sent again for mere reading.
            codec: As for `Sessions`.
            transport: As for `Sessions`; a token is sealed for its `bound_name`.
            observer: As for `Sessions`.
            clock: As for `Sessions`.

        Raises:
            ConfigError: A secret is weak, an option wrong, or `cryptography` not installed.
        """
        sessions = cls.__new__(cls)
        settings = Settings(
            times=times_from(idle_timeout, lifetime, touch_every=touch_every, forward_note=1),
            codec=codec_named(codec),
            prefix="",
            clock=clock,
            observer=observer,
            store="cookie",
            persistent=sessions._is_persistent,  # noqa: SLF001 - our own
        )
        name = _COOKIE if transport is None else transport.bound_name
        room = _ROOM if transport is None else transport.room
        sealed = Sealed(Seal(KeyRing(secrets), _PURPOSE), name, room, settings)
        sessions._equip(InCookie(sealed, settings), None, transport, observer)  # noqa: SLF001 - our own
        return sessions

    def _equip(
        self,
        home: Stored | InCookie,
        store: OpenStore | None,
        transport: Transport | None,
        observer: Observer,
    ) -> None:
        self._home = home
        self.store = store
        self.transport = transport
        self.observer = observer

    def _is_persistent(self) -> bool:
        return bool(getattr(self.transport, "persistent", False))

    @cached_property
    def aio(self) -> "AioSessions":
        """The async face of the same sessions."""
        return AioSessions(self._home.aio, self.store)

    def load(self, token: str | None) -> Session:
        """Return the session `token` stands for; nothing is read before its first touch.

        Args:
            token: What the client sent, whatever that is; None: nothing.
        """
        return Session(self._home, token)

    def commit(self, session: Session, *, failed: bool = False) -> Outcome:
        """Write what the application did to `session`; call it before the first byte goes out.

        Mere reading writes nothing but, now and then, the time. Called again at the end of a
        response, it writes what was done since.

        Args:
            session: As `load` returned it.
            failed: The request ended in an error: contents are not written, but a `rotate`,
                `login` or `destroy` that was asked for is done.

        Returns:
            What to send to the client.

        Raises:
            CodecError: A value cannot be written; the error names its session key.
            SessionTooLarge: Cookie-only: it does not fit.
            StoreError: The store failed; after `StoreTimeout` it is unknown what it did.
        """
        draft = draft_of(session)
        if draft is None:
            return NOTHING
        return self._home.commit(draft, failed=failed)

    def destroy(self, handle: str) -> bool:
        """Destroy the session with this `Session.id`, from outside; return whether there was one.

        Raises:
            ConfigError: These are cookie-only sessions: nothing here can reach a cookie.
            StoreError: The store failed.
        """
        return is_id(handle) and self._home.destroy(handle)

    def sweep(self) -> int:
        """Remove expired records where the store does not by itself; return how many.

        Raises:
            StoreError: The store failed.
        """
        store: object = self.store
        return store.sweep() if isinstance(store, CanSweep) else 0

    def __repr__(self) -> str:
        return f"<Sessions in {'the cookie' if self.store is None else self.store.name}>"


class AioSessions:
    """`Sessions` for event loops."""

    def __init__(self, home: Loop | InCookie, store: OpenStore | None) -> None:
        self._home = home
        self._store = store

    async def load(self, token: str | None) -> Session:
        """Return the session `token` stands for, read at once if there is a token.

        Raises:
            StoreError: The store could not be asked.
        """
        return Session(self._home, token, await self._home.aopen(token))

    def lazy(self, token: str | None) -> Session:
        """Return a session that is read by `await session.load()`, which must precede any use."""
        return Session(self._home, token)

    async def commit(self, session: Session, *, failed: bool = False) -> Outcome:
        """Write what the application did; see `Sessions.commit`."""
        draft = draft_of(session)
        if draft is None:
            return NOTHING
        return await self._home.acommit(draft, failed=failed)

    async def destroy(self, handle: str) -> bool:
        """Destroy a session from outside; see `Sessions.destroy`."""
        return is_id(handle) and await self._home.adestroy(handle)

    async def sweep(self) -> int:
        """Remove expired records; see `Sessions.sweep`."""
        store: object = self._store
        return await in_thread(store.sweep) if isinstance(store, CanSweep) else 0
