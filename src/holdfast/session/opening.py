"""Opening: what the options of `Sessions` mean.

Law: no I/O. Options that contradict each other, or that the store cannot keep, are a `ConfigError`
when the object is made, with what can be done about it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from holdfast.clock import Clock
from holdfast.codec import Codec, codec_named
from holdfast.codec.seal import Seal
from holdfast.errors import ConfigError
from holdfast.events import Observer
from holdfast.keys import prefix_of
from holdfast.session.client import kinds
from holdfast.session.policy import Times
from holdfast.session.schema import Schema, layout_of
from holdfast.session.settings import Settings
from holdfast.signing import KeyRing, Secrets

__all__ = ["Transport", "WhenFull", "name_and_room", "settings_of"]

WhenFull = Literal["evict", "refuse"]
"""What a login does that is one too many: end the oldest session, or be refused."""

_PURPOSE = "session record"
_COOKIE = "__Host-sid"  # what the middlewares take where no transport is given
_ROOM = 4096 - len(_COOKIE) - 1


class Transport(Protocol):
    """What sessions must know of the way their token travels."""

    @property
    def bound_name(self) -> str:
        """The full name on the wire; a sealed token is good for this one only."""

    @property
    def room(self) -> int:
        """Characters a token may take."""


def name_and_room(transport: Transport | None) -> tuple[str, int]:
    """Return what a sealed token is bound to, and the characters it may take; None: a cookie's.

    Raises:
        ConfigError: It is no transport.
    """
    if transport is None:
        return _COOKIE, _ROOM
    if not hasattr(transport, "bound_name"):
        raise ConfigError(f"transport={transport!r}: give a Cookie(...) or a Header(...)")
    return transport.bound_name, transport.room


def settings_of(  # noqa: PLR0913 - what two faces share, option by option
    times: Times,
    *,
    store: str,
    codec: str | Codec,
    clock: Clock,
    observer: Observer,
    persistent: Callable[[], bool],
    prefix: str = "",
    may_forget: bool = False,
    accept_eviction: bool = False,
    secrets: Secrets | KeyRing | None = None,
    max_sessions: int | None = None,
    when_full: str = "evict",
    check_user: Callable[[Any], object] | None = None,
    on_store_error: str = "503",
    keep_client: Sequence[str] = (),
    schema: type[Any] | Schema[Any] | None = None,
) -> Settings:
    """Return what both faces share.

    Raises:
        ConfigError: An option is wrong.
    """
    if max_sessions is not None and (type(max_sessions) is not int or max_sessions < 1):
        raise ConfigError(f"max_sessions={max_sessions!r}: a whole number from 1 on, or None")
    if max_sessions is not None and may_forget and not accept_eviction:
        raise ConfigError(
            f"max_sessions: {store} may forget at any time whom it has seen; keep sessions in "
            "another store (Redis, SQL, SQLite, MongoDB...), or accept_eviction=True"
        )
    _one_of("when_full", when_full, ("evict", "refuse"))
    _one_of("on_store_error", on_store_error, ("503", "anonymous"))
    if check_user is not None and not callable(check_user):
        raise ConfigError("check_user: a function that is called with a user")
    if not callable(clock):
        raise ConfigError("clock: a function that returns UTC seconds, as time.time does")
    if not callable(observer):
        raise ConfigError("observer: a function that is called with an event and its fields")
    checked, writer = prefix_of(prefix), codec_named(codec)
    return Settings(
        times=times,
        codec=writer,
        prefix=f"{checked}:" if checked else "",
        clock=clock,
        observer=observer,
        store=store,
        persistent=persistent,
        seal=None if secrets is None else Seal(KeyRing(secrets), _PURPOSE),
        max_sessions=max_sessions,
        evicts=when_full == "evict",
        check_user=check_user,
        anonymous=on_store_error == "anonymous",
        may_forget=may_forget,
        may_login=accept_eviction or not may_forget,
        keep_client=kinds(keep_client),
        layout=layout_of(schema, writer),
    )


def _one_of(option: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{option}={value!r}: {' or '.join(map(repr, choices))}")
