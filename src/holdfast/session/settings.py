"""Settings: what both faces of one `Sessions` share, and what follows from it alone.

Law: no I/O, but for the question to the application whether a user is still welcome.
"""

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.clock import Clock
from holdfast.codec import Codec
from holdfast.codec.seal import Seal
from holdfast.errors import ConfigError, StoreError
from holdfast.events import Observer, silent
from holdfast.session.data import Record
from holdfast.session.draft import Draft
from holdfast.session.outcome import Outcome
from holdfast.session.policy import Times
from holdfast.session.schema import Layout
from holdfast.session.typed import TypedDraft

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What both faces of one `Sessions` share.

    Attributes:
        times: How long sessions live.
        codec: What encodes each value.
        prefix: What stands before the keys, with its colon.
        clock: UTC seconds.
        observer: Told of events.
        store: The store's name for errors.
        persistent: Whether clients keep the token when they close.
        seal: What hides the records at rest; None: nothing.
        max_sessions: How many sessions a user may have; None: any number.
        evicts: Whether one session too many ends the oldest; else it is refused.
        check_user: Asked whether a user is still welcome, when a record is loaded.
        anonymous: Whether a visitor is anonymous while the store cannot be asked; else that is an
            error.
        may_forget: Whether the store may drop what it was given, so that sessions go unlisted.
        may_login: Whether users may sign in all the same.
        keep_client: What is kept of a client that signs in: "address", "agent".
        layout: What typed sessions hold; None: whatever they are given.
    """

    times: Times
    codec: Codec
    prefix: str
    clock: Clock
    observer: Observer
    store: str
    persistent: Callable[[], bool]
    seal: Seal | None = None
    max_sessions: int | None = None
    evicts: bool = True
    check_user: Callable[[str | int], object] | None = None
    anonymous: bool = False
    may_forget: bool = False
    may_login: bool = True
    keep_client: tuple[str, ...] = ()
    layout: Layout | None = None

    @property
    def draft(self) -> Callable[..., Draft]:
        """What makes the draft of a session at a time: of a stored one, if that is given, too."""
        if self.layout is None:
            return functools.partial(Draft, self.codec)
        return functools.partial(TypedDraft, self.layout, self.tell)

    def needs_memory(self, verb: str) -> None:
        """Refuse `verb` where the store may forget whom it has seen, unless that was accepted.

        Raises:
            ConfigError: It may.
        """
        if not self.may_login:
            raise ConfigError(
                f"{verb}: {self.store} may forget at any time whom it has seen, so that revoke "
                "could miss a session; Sessions(..., accept_eviction=True) accepts that"
            )

    async def welcomes(self, user: str | int | None) -> bool:
        """Return whether a user may go on with a session of his; who is nobody may."""
        check = self.check_user
        welcome = True if check is None or user is None else check(user)
        return bool(await welcome if inspect.isawaitable(welcome) else welcome)

    def tell(self, event: str, handle: str, **fields: object) -> None:
        """Tell the observer."""
        if self.observer is not silent:
            self.observer(f"session.{event}", {"handle": handle, **fields})

    def tell_down(self, error: StoreError) -> None:
        """Tell the observer of an error that does not reach the application."""
        self.observer("session.store_down", {"store": error.store, "error": error})

    def sent(self, token: str | None, record: Record) -> Outcome:
        """Return the outcome that gives the client `token`."""
        keeps = self.persistent() or record.lifetime is not None
        max_age = max(0, math.floor(self.times.left(record, record.seen))) if keeps else None
        return Outcome(token, max_age, expire=False)
