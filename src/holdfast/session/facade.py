"""Sessions as users call them, for threads; `aio.py` has the same names for event loops.

Law: no decision and no sequence stands here. Making the object does no I/O; both faces share its
settings, its keys and its store.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import IO, Any, Generic, Literal, Self

from holdfast.clock import Clock, wall
from holdfast.codec import Codec
from holdfast.codec.seal import Seal
from holdfast.durations import Duration
from holdfast.errors import ConfigError
from holdfast.events import Observer, silent
from holdfast.session import archive
from holdfast.session.aio import AioSessions
from holdfast.session.homes import Stored
from holdfast.session.incookie import InCookie
from holdfast.session.opening import Transport, WhenFull, name_and_room, settings_of
from holdfast.session.outcome import NOTHING, Outcome
from holdfast.session.policy import times_from
from holdfast.session.presets import Level, options_of
from holdfast.session.schema import Schema, T
from holdfast.session.sealed import Sealed
from holdfast.session.session import Session, base_of, draft_of, id_to_keep
from holdfast.session.token import is_id
from holdfast.session.users import SessionInfo
from holdfast.signing import KeyRing, Secrets
from holdfast.store.abilities import CanSweep
from holdfast.store.protocol import OpenStore
from holdfast.store.registry import open_store

__all__ = ["Sessions"]

_PURPOSE = "session"


class Sessions(Generic[T]):
    """The sessions of one application, kept in a store; times are seconds, or text such as "30m".

    Args:
        store: A URL or an open store.
        idle_timeout: A session not used for so long is over.
        lifetime: A session is over so long after its birth or last login, used or not.
        touch_every: How often, at most, mere reading is noted in the store; never more than a tenth
            of `idle_timeout`.
        rotate_every: A session that has had its token for so long gets a new one.
        rotate_grace: How long the old token still reads then, for the requests that are under way;
            at least 10 s, the default.
        remember_up_to: The longest lifetime `Session.remember` may give a session, 400 days at
            most, for no browser keeps a cookie longer; 0: none.
        max_sessions: How many sessions a user may be signed in with.
        when_full: What a login does that is one too many: `"evict"` ends the session that signed in
            first, `"refuse"` raises `TooManySessions`.
        check_user: Called with the user whenever a session of his is loaded; a false answer ends
            the session. For event loops it may be async.
        schema: What each session holds: a dataclass, msgspec.Struct or pydantic model, or a
            `Schema` of one with a version; then `session.data` is an instance of it.
        codec: What writes the values: `"msgpack"`, `"json"` or a codec.
        secrets: Seal records at rest, each for its id: one secret or several, newest first.
        transport: How the token travels; None: the middlewares use `Cookie()`.
        on_store_error: `"503"`, or `"anonymous"`: while the store gives no answer visitors have an
            empty session of which nothing is kept; who signs in or out is told, all the same.
        keep_client: What `login` keeps of the client, shortened: `"address"`, `"agent"`.
        accept_eviction: On a store that may forget sessions by itself (memcached), users may sign
            in only if this is True: `of` and `revoke` may then miss one.
        observer: Told of `session.login` and the like, never a token; see `holdfast.observe`.
        clock: UTC seconds.
        prefix: Stands before all keys; applications that share a store need different ones.
        forward_note: How long a request that began before a rotation may still write: at least as
            long as the longest request.

    Attributes:
        store: The store; None for cookie-only sessions.
        revocations: Cookie-only: the store of that name; whoever made it by its URL closes it here.
        transport: As given.
        observer: As given.
        keeps_client: As `keep_client`.

    Raises:
        ConfigError: An option or the URL is wrong.
    """

    store: OpenStore | None
    revocations: OpenStore | None = None
    transport: Transport | None
    observer: Observer
    keeps_client: tuple[str, ...]

    def __init__(  # noqa: PLR0913 - the options of the one object users make
        self,
        store: str | OpenStore,
        *,
        idle_timeout: Duration = "30m",
        lifetime: Duration = "12h",
        touch_every: Duration = 60,
        rotate_every: Duration | None = None,
        rotate_grace: Duration | None = None,
        remember_up_to: Duration = "400d",
        max_sessions: int | None = None,
        when_full: WhenFull = "evict",
        check_user: Callable[[Any], object] | None = None,
        schema: type[T] | Schema[T] | None = None,
        codec: str | Codec = "msgpack",
        secrets: Secrets | KeyRing | None = None,
        transport: Transport | None = None,
        on_store_error: Literal["503", "anonymous"] = "503",
        keep_client: Sequence[str] = (),
        accept_eviction: bool = False,
        observer: Observer = silent,
        clock: Clock = wall,
        prefix: str = "",
        forward_note: Duration = 60,
    ) -> None:
        times = times_from(
            idle_timeout,
            lifetime,
            touch_every=touch_every,
            forward_note=forward_note,
            rotate_every=rotate_every,
            rotate_grace=rotate_grace,
            remember_up_to=remember_up_to,
        )
        opened = open_store(store)
        settings = settings_of(
            times,
            store=opened.name,
            codec=codec,
            clock=clock,
            observer=observer,
            persistent=self._is_persistent,
            prefix=prefix,
            may_forget=bool(getattr(opened, "may_evict", False)),
            accept_eviction=accept_eviction,
            secrets=secrets,
            max_sessions=max_sessions,
            when_full=when_full,
            check_user=check_user,
            on_store_error=on_store_error,
            keep_client=keep_client,
            schema=schema,
        )
        self._equip(Stored(opened, settings), opened, transport)

    @classmethod
    def preset(cls, level: Level, store: str | OpenStore, **options: Any) -> Self:
        """Return sessions that last no longer than NIST allows at an assurance level.

        | level | lifetime | idle | |
        |---|---|---|---|
        | `"aal1"` | 30 days | (30 days) | |
        | `"aal2"` | 12 hours | 30 minutes | a browser-session cookie, no `remember` |
        | `"aal3"` | 12 hours | 15 minutes | a browser-session cookie, no `remember` |

        Each is the stricter of revisions 3 and 4 of SP 800-63B. `idle_timeout` is shortened by
        `touch_every`, the time by which `seen` may lag.

        Args:
            level: The authentication assurance level.
            store: As for `Sessions`.
            options: As for `Sessions`; they may be stricter than the level.

        Raises:
            ConfigError: There is no such level, or an option is laxer than it.
        """
        return cls(store, **options_of(level, options))

    @classmethod
    def in_cookie(  # noqa: PLR0913 - the options of the one object users make
        cls,
        secrets: Secrets | KeyRing,
        *,
        revocations: str | OpenStore | None = None,
        idle_timeout: Duration = "30m",
        lifetime: Duration = "12h",
        touch_every: Duration = 60,
        remember_up_to: Duration = "400d",
        check_user: Callable[[Any], object] | None = None,
        schema: type[T] | Schema[T] | None = None,
        codec: str | Codec = "msgpack",
        transport: Transport | None = None,
        on_store_error: Literal["503", "anonymous"] = "503",
        keep_client: Sequence[str] = (),
        observer: Observer = silent,
        clock: Clock = wall,
        prefix: str = "",
    ) -> Self:
        """Return sessions that travel whole, sealed, in the cookie; they need no store.

        Without `revocations` a copied cookie stays good until it is over, also after `logout`. Of
        two requests at once the later cookie wins. A session has to fit into one cookie.

        Args:
            secrets: One or several, newest first: the first seals, all that are not revoked open.
            revocations: A store, or its URL, where it is kept which sessions were ended; then a
                logout is one, and `revoke` and `destroy` work.
            idle_timeout: As for `Sessions`.
            lifetime: As for `Sessions`.
            touch_every: How often, at most, a cookie is sent again for mere reading.
            remember_up_to: As for `Sessions`.
            check_user: As for `Sessions`.
            schema: As for `Sessions`.
            codec: As for `Sessions`.
            transport: As for `Sessions`; a token is sealed for its `bound_name`.
            on_store_error: As for `Sessions`, where there are `revocations`.
            keep_client: As for `Sessions`.
            observer: As for `Sessions`.
            clock: As for `Sessions`.
            prefix: Stands before the keys of `revocations`.

        Raises:
            ConfigError: A secret is weak, an option wrong, or `cryptography` not installed.
        """
        sessions = cls.__new__(cls)
        rows = None if revocations is None else open_store(revocations)
        sessions.revocations = rows
        settings = settings_of(
            times_from(
                idle_timeout, lifetime, touch_every=touch_every, remember_up_to=remember_up_to
            ),
            store="cookie" if rows is None else rows.name,
            codec=codec,
            clock=clock,
            observer=observer,
            persistent=sessions._is_persistent,  # noqa: SLF001 - our own
            prefix=prefix,
            check_user=check_user,
            on_store_error=on_store_error,
            keep_client=keep_client,
            schema=schema,
        )
        name, room = name_and_room(transport)
        sealed = Sealed(Seal(KeyRing(secrets), _PURPOSE), name, room, settings)
        sessions._equip(InCookie(sealed, settings, rows), None, transport)  # noqa: SLF001 - our own
        return sessions

    def _equip(
        self, home: Stored | InCookie, store: OpenStore | None, transport: Transport | None
    ) -> None:
        self._home = home
        self.store = store
        self.transport = transport
        self.observer = home.settings.observer
        self.keeps_client = home.settings.keep_client

    def _is_persistent(self) -> bool:
        return bool(getattr(self.transport, "persistent", False))

    @cached_property
    def aio(self) -> AioSessions[T]:
        """The async face of the same sessions."""
        return AioSessions(self, self._home.aio)

    # One request

    def load(self, token: str | None) -> Session[T]:
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

    def is_alive(self, session: Session) -> bool:
        """Return whether the session that was loaded has not been ended since, by whomever.

        For what outlives a request, such as a websocket. A session that is not stored is alive.

        Raises:
            StoreError: The store failed.
        """
        base = base_of(session)
        return base is None or self._home.is_alive(base)

    # From outside

    def of(self, user: str | int) -> list[SessionInfo]:
        """Return the sessions `user` is signed in with, the one used last first.

        Raises:
            TypeError: `user` is neither text nor an int.
            ConfigError: These are cookie-only sessions.
            StoreError: The store failed.
        """
        return self._home.of(user)

    def revoke(self, user: str | int, keep: Session | str | None = None) -> int:
        """End every session of `user`, also those that begin meanwhile; return how many.

        Cookie-only sessions are ended where nobody can count them: then it is 0.

        Args:
            user: As given to `login`.
            keep: One that stays: the session of this request, or a `Session.id`.

        Raises:
            TypeError: `user` is neither text nor an int.
            ValueError: `keep` is no id: a token would keep nothing.
            ConfigError: The store may forget sessions, or cookies are without `revocations`.
            StoreError: The store failed; what was ended so far is ended.
        """
        return self._home.revoke(user, id_to_keep(keep))

    def destroy(self, handle: str) -> bool:
        """Destroy the session with this `Session.id`, from outside; return whether there was one.

        Of a cookie-only one nobody knows: it is True then, and no cookie of it is good any more.

        Raises:
            ConfigError: These are cookie-only sessions without `revocations`.
            StoreError: The store failed.
        """
        return is_id(handle) and self._home.destroy(handle)

    # All of them

    def sweep(self) -> int:
        """Remove expired records where the store does not by itself; return how many.

        Raises:
            StoreError: The store failed.
        """
        store: object = self.revocations if self.store is None else self.store
        return store.sweep() if isinstance(store, CanSweep) else 0

    def count(self) -> int:
        """Return how many sessions are stored, forward notes of the last minute among them.

        Raises:
            ConfigError: The store cannot list what it holds.
            StoreError: The store failed.
        """
        store = self._scanned()
        return sum(1 for _ in archive.scannable(store, store.name).scan(self._key))

    def dump(self, stream: IO[bytes]) -> int:
        """Write all sessions to `stream`, as they are stored; return how many.

        What is in it opens no session, but it holds all that is in them, unless `secrets` seal it.

        Raises:
            ConfigError: The store cannot list what it holds.
            StoreError: The store failed.
        """
        store = self._scanned()
        keys = archive.scannable(store, store.name).scan(self._key)
        return archive.write(stream, archive.rows_of(store, keys, self._key))

    def restore(self, stream: IO[bytes]) -> int:
        """Put back what `dump` wrote, where nothing stands; return how many sessions.

        What is over by now, a forward note, sealed by another key or of a user who has
        `max_sessions` already is left out. Cut off, it can be run again.

        Raises:
            ConfigError: The stream was not written by `dump`, or is damaged.
            StoreError: The store failed; what was put back stays.
        """
        self._scanned()
        return sum(self._home.restore(handle, raw) for handle, raw in archive.read(stream))

    @property
    def _key(self) -> str:
        return f"{self._home.settings.prefix}s:"

    def _scanned(self) -> OpenStore:
        if self.store is None:
            raise ConfigError("cookie-only sessions are at their clients: nobody can list them")
        return self.store

    def __repr__(self) -> str:
        return f"<Sessions in {'the cookie' if self.store is None else self.store.name}>"
