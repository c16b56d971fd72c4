"""Bus: how a process hears which keys others change, on Redis and Valkey.

Law: the bus hears the server that the store writes to, with the store's own settings. What the
server can do is found out by doing it: nothing counts as heard before a self-test has passed.
"""

import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, cast

from redis import exceptions as driver

from holdfast.bridge import drive
from holdfast.clock import monotonic
from holdfast.errors import ConfigError
from holdfast.listening import PATIENCE, Keys, Line
from holdfast.store.redis import words
from holdfast.store.redis.ear import Ear
from holdfast.store.redis.errors import FAULTS, told, translated
from holdfast.store.redis.operations import Operations
from holdfast.store.redis.pubsub import Pubsub
from holdfast.store.redis.settings import Host, Kind, Settings
from holdfast.store.redis.tracking import Heads, Tracking, new_probe

__all__ = ["RedisWay"]

_KINDS = ("auto", "tracking", "pubsub")
_DEAF = 2  # connections in a row on which a server kept silent, until it counts as one that cannot
_PROBE_TTL = 1.0  # seconds
_GLANCE = 0.3  # seconds for a question to Sentinels, while nothing is heard

_logger = logging.getLogger("holdfast")


class _CannotTrack(Exception):  # noqa: N818 - never leaves this file
    """The server refuses, or keeps silent."""


class RedisWay:
    """See `Way`.

    Args:
        settings: Where the servers are.
        operations: Returns those of the store, for threads.
        kind: `tracking`, `pubsub`, or `auto`.

    Raises:
        ConfigError: There is no such kind, or not with a Cluster.
    """

    def __init__(self, settings: Settings, operations: Callable[[], Operations], kind: str) -> None:
        if kind not in _KINDS:
            raise ConfigError(f"bus={kind!r}: {settings.name} has {', '.join(_KINDS)}")
        if kind == "tracking" and settings.kind is Kind.CLUSTER:
            raise ConfigError(
                "bus='tracking': each node of a Cluster would have to be listened to; write"
                " 'pubsub', or 'auto'"
            )
        self._settings = settings
        self._operations = operations
        self._kind = "pubsub" if settings.kind is Kind.CLUSTER else kind
        self._silent = 0  # connections in a row on which a probe was not told
        self._heads = Heads()
        self._now = "pubsub" if self._kind == "pubsub" else "tracking"
        self.publishes = True
        self.speaks = self._kind == "pubsub"
        self.wrote = self._heads.wrote if self._kind != "pubsub" else _nothing
        self.forget = self._heads.forget

    @property
    def name(self) -> str:
        """See `Bus.name`."""
        return f"{self._now} {self._settings.name}"

    def connect(self, prefixes: Sequence[str]) -> Line:
        """See `Way.connect`."""
        self.publishes = self._kind != "tracking"  # until it is known what the server can do
        with self.faults():
            if self._kind != "pubsub":
                try:
                    return self._track(prefixes)
                except _CannotTrack as error:
                    self._give_up_tracking(error)
            return self._subscribe(prefixes)

    def _give_up_tracking(self, error: _CannotTrack) -> None:
        why = f"the server does not tell what changes ({error})"
        if self._kind == "tracking":
            raise driver.ConnectionError(f"{why}: write bus='pubsub', or 'auto'") from error
        if self._now != "pubsub":
            _logger.warning("%s: %s: processes tell each other instead", self.name, why)
        self._now = "pubsub"

    def _track(self, prefixes: Sequence[str]) -> Line:
        try:
            ear = self._ear(protocol=3)
        except driver.ResponseError as error:
            raise _CannotTrack(told(error)) from error
        tracking = Tracking(ear, self._heads)
        with _closed_on_error(ear):
            try:
                tracking.begin(prefixes)
            except driver.ResponseError as error:
                raise _CannotTrack(told(error)) from error
            self._probe(tracking, prefixes[0])
        self._now, self.publishes = "tracking", False
        return _Following(tracking, self, self._host)

    def _probe(self, tracking: Tracking, prefix: str) -> None:
        """Write a key on a connection of the store's, and see that it is told."""
        probe, value = new_probe(prefix)
        drive(self._operations().put(probe, value, _PROBE_TTL))
        try:
            heard = tracking.has_heard(probe, value)
        except driver.ResponseError as error:
            raise _CannotTrack(told(error)) from error
        if heard:
            self._silent = 0
            return
        self._silent += 1
        if self._silent >= _DEAF:
            raise _CannotTrack("what was written on another connection was not told")
        raise driver.ConnectionError("what was written on another connection was not told")

    def _subscribe(self, prefixes: Sequence[str]) -> Line:
        ear = self._ear(protocol=2)
        database = int(cast("int", self._settings.login.get("db", 0)) or 0)
        pubsub = Pubsub(ear, self._operations, database)
        with _closed_on_error(ear):
            pubsub.begin(prefixes)
        return _Following(pubsub, self, self._host)

    def _ear(self, *, protocol: int) -> Ear:
        until = monotonic() + min(self._settings.timeout, PATIENCE)
        self._host = self.home(until)
        arguments = self._settings.arguments(self._host, sentinel=False)
        ear = Ear({**arguments, "protocol": protocol}, until)
        if self._settings.kind is Kind.SENTINEL:
            with _closed_on_error(ear):
                words.need_master(ear.greet())
        return ear

    def home(self, until: float) -> Host | None:
        """Return the server to listen to now."""
        route = self._operations().route
        return drive(cast("Coroutine[object, None, Host | None]", route.home(until)))

    def moved(self, host: Host | None) -> bool:
        """Return whether Sentinels name another master than `host`; silent ones say nothing new."""
        if self._settings.kind is not Kind.SENTINEL:
            return False
        with contextlib.suppress(*FAULTS):
            return self.home(monotonic() + _GLANCE) != host
        return False

    @contextlib.contextmanager
    def faults(self) -> Iterator[None]:
        """Translate what the driver raises."""
        try:
            yield
        except FAULTS as error:
            raise translated(self._settings.name, PATIENCE, error) from error


class _Following:
    """A line whose errors are those of the store contract, and that follows the master."""

    def __init__(self, inside: Tracking | Pubsub, way: RedisWay, host: Host | None) -> None:
        self._inside = inside
        self._way = way
        self._host = host
        self.fileno = inside.fileno
        self.has_more = inside.has_more
        self.close = inside.close

    def hear(self) -> Keys:
        with self._way.faults():
            return self._inside.hear()

    def send(self, keys: Keys) -> None:
        with self._way.faults():
            self._inside.send(keys)

    def check(self) -> None:
        with self._way.faults():
            self._inside.check()
            if self._way.moved(self._host):
                raise driver.ConnectionError("another server is the master now")


@contextlib.contextmanager
def _closed_on_error(ear: Ear) -> Iterator[None]:
    try:
        yield
    except BaseException:
        ear.close()
        raise


def _nothing(*_: Any) -> None:
    """Do nothing: nothing of ours comes back."""
