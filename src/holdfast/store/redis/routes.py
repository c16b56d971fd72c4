"""Routes: which server a command goes to. One alone, the master that Sentinels name, or a Cluster.

Law: a command is sent once. It is sent again only where a server said that it did nothing (MOVED,
ASK, TRYAGAIN). Masters only: a replica may be behind. Sequences are written once: event loops
await them, threads drive them over pools whose awaits never suspend.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Protocol

from redis import exceptions as driver

from holdfast.clock import monotonic
from holdfast.errors import StoreUnavailable
from holdfast.store.redis import words
from holdfast.store.redis.errors import FAULTS, TIMEOUTS, hush, said
from holdfast.store.redis.settings import Host, Kind, Settings
from holdfast.store.redis.words import Reply, Words

__all__ = ["Dial", "Pool", "Route", "Together", "route_to"]

_HOPS = 8  # redirections of one command before the Cluster counts as confused


class Pool(Protocol):
    """The connections to one server."""

    async def exchange(self, commands: Sequence[Words], until: float) -> list[Reply]:
        """Send `commands` in one go; return their replies, exceptions where they were refused."""

    def clear(self) -> None:
        """Close what is not in use."""


class Dial(Protocol):
    """Makes pools; does not connect."""

    def __call__(self, host: Host | None, *, sentinel: bool = False) -> Pool:
        """Return a pool for the data server at `host` (None: a unix socket), or for a Sentinel."""


Together = Callable[[list[Coroutine[object, None, list[Reply]]]], Awaitable[list[list[Reply]]]]
"""Runs several exchanges: at once in an event loop, one after the other in a thread."""


class Route(Protocol):
    """Takes commands to their servers.

    Attributes:
        joins: Whether one command may name many keys.
    """

    joins: bool

    async def ask(self, commands: Sequence[Words], until: float) -> list[Reply]:
        """Return the replies to `commands`, in their order."""

    async def servers(self, until: float) -> list[Pool]:
        """Return all servers that hold data."""

    async def home(self, until: float) -> Host | None:
        """Return where one may hear of everything; None: a unix socket."""

    def group_of(self, command: Words) -> Host | None:
        """Return whom a command with one key was for when last asked: a hint, no promise."""


class _Alone:
    """One server."""

    joins = True

    def __init__(self, settings: Settings, dial: Dial) -> None:
        self._home = settings.hosts[0] if settings.hosts else None
        self._pool = dial(self._home)
        self.ask = self._pool.exchange

    async def servers(self, until: float) -> list[Pool]:  # noqa: ARG002 - the others need time
        return [self._pool]

    async def home(self, until: float) -> Host | None:  # noqa: ARG002 - the same
        return self._home

    def group_of(self, command: Words) -> None:
        """All are for one."""


class _Several:
    """What Sentinels and Clusters share: pools by address, and asking one after the other."""

    def __init__(self, settings: Settings, dial: Dial) -> None:
        self._settings = settings
        self._dial = dial
        self._pools: dict[Host, Pool] = {}
        self._teller: Host | None = None  # who answered last

    def _pool(self, host: Host) -> Pool:
        return self._pools.get(host) or self._pools.setdefault(host, self._dial(host))

    async def _first(
        self, asked: Sequence[tuple[Host, Pool]], command: Words, until: float
    ) -> tuple[Host, Reply]:
        """Return the first good reply to `command`; a silent server costs its share of the time."""
        last: Exception = driver.ConnectionError("none of those asked knows it")
        ordered = sorted(asked, key=lambda pair: pair[0] != self._teller)
        for number, (host, pool) in enumerate(ordered):
            now = monotonic()
            try:
                share = (until - now) / (len(ordered) - number)
                (reply,) = await pool.exchange([command], now + share)
            except FAULTS as error:
                last = error
                continue
            if isinstance(reply, Exception):
                last = reply
            elif reply:
                self._teller = host
                return host, reply
        raise last


class _Guarded(_Several):
    """The master that Sentinels name; it is asked for anew when it fails."""

    joins = True

    def __init__(self, settings: Settings, dial: Dial) -> None:
        super().__init__(settings, dial)
        self._sentinels = [(host, dial(host, sentinel=True)) for host in settings.hosts]
        self._master: Pool | None = None

    async def ask(self, commands: Sequence[Words], until: float) -> list[Reply]:
        master = self._master or await self._find(until)
        try:
            replies = await master.exchange(commands, until)
        except FAULTS:
            self._forget(master)
            raise
        if any(isinstance(reply, driver.ReadOnlyError) for reply in replies):
            self._forget(master)
        return replies

    async def servers(self, until: float) -> list[Pool]:
        return [self._master or await self._find(until)]

    def group_of(self, command: Words) -> None:
        """All are for one."""

    async def _find(self, until: float) -> Pool:
        self._master = self._pool(await self.home(until))
        return self._master

    async def home(self, until: float) -> Host:
        """Ask the Sentinels, also where a master is known."""
        service = self._settings.service
        command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
        try:
            _, reply = await self._first(self._sentinels, command, until)
        except TIMEOUTS:
            raise
        except FAULTS as error:
            hush(error)
            message = f"no Sentinel names a master of {service!r} ({said(error)})"
            raise driver.ConnectionError(message) from error
        host, port = reply
        return host.decode(), int(port)

    def _forget(self, master: Pool) -> None:
        if self._master is master:
            self._master = None
            named = self._teller  # perhaps it sees the others no more: it is asked last
            self._sentinels = sorted(self._sentinels, key=lambda pair: pair[0] == named)
            self._teller = None
        master.clear()


class _Cluster(_Several):
    """Nodes that share the keys by slots; who serves which is learned from any of them."""

    joins = False

    def __init__(self, settings: Settings, dial: Dial, together: Together) -> None:
        super().__init__(settings, dial)
        self._together = together
        self._table: list[Host | None] = []
        self._last: list[Host | None] = []  # the table of before, where this one is no more
        self._nodes: list[Host] = []  # of the last table

    async def ask(self, commands: Sequence[Words], until: float) -> list[Reply]:
        replies: list[Reply] = [None] * len(commands)
        left = list(range(len(commands)))
        for _ in range(_HOPS):
            table = self._table or await self._learn(until)
            groups: dict[Host, list[int]] = {}
            for number in left:
                host = table[words.slot_of(commands[number])]
                if host is None:
                    self._table = []  # perhaps one has it soon
                    replies[number] = driver.ClusterDownError("no node has its slot")
                else:
                    groups.setdefault(host, []).append(number)
            steps = [
                self._safely(host, [commands[number] for number in numbers], until)
                for host, numbers in groups.items()
            ]
            for numbers, answers in zip(groups.values(), await self._together(steps), strict=True):
                for number, answer in zip(numbers, answers, strict=True):
                    replies[number] = answer
            left = [number for number in left if _was_refused(replies[number])]
            if not left:
                return replies
        for number in left:
            replies[number] = driver.ClusterDownError("its nodes do not agree who has its slot")
        return replies

    async def _safely(self, host: Host, commands: list[Words], until: float) -> list[Reply]:
        """Return the replies of one node; a fault is the answer to each of its commands."""
        try:
            replies = await self._pool(host).exchange(commands, until)
        except (*FAULTS, StoreUnavailable) as error:  # what other nodes did is done
            self._table = []  # perhaps another node serves its slots soon
            return [error] * len(commands)
        for number, reply in enumerate(replies):
            if isinstance(reply, driver.AskError):  # MovedError is one
                replies[number] = await self._redirected(host, commands[number], reply, until)
        return replies

    async def _redirected(
        self, host: Host, command: Words, sign: driver.AskError, until: float
    ) -> Reply:
        """Return the reply of where `sign` of `host` points to; MOVED waits for the next table."""
        there = (sign.host or host[0], sign.port)
        if isinstance(sign, driver.MovedError):
            self._table, self._teller = [], there  # it knows of its slots before others do
            return sign
        try:
            return (await self._pool(there).exchange([("ASKING",), command], until))[1]
        except (*FAULTS, StoreUnavailable) as error:
            self._table = []
            return error

    async def _learn(self, until: float) -> list[Host | None]:
        hosts = [self._teller, *self._settings.hosts, *self._nodes]
        asked = [(host, self._pool(host)) for host in dict.fromkeys(hosts) if host is not None]
        (name, _), reply = await self._first(asked, ("CLUSTER", "SLOTS"), until)
        self._table = self._last = table = words.slots(reply, name)
        self._nodes = [host for host in dict.fromkeys(table) if host is not None]
        for host in set(self._pools).difference(self._nodes):
            self._pools[host].clear()  # it left, or has no slots: nobody talks to it
        return table

    async def servers(self, until: float) -> list[Pool]:
        table = self._table or await self._learn(until)
        return [self._pool(host) for host in dict.fromkeys(table) if host is not None]

    async def home(self, until: float) -> Host | None:
        """Learn anew who is there; the one who answered is as good as any."""
        await self._learn(until)
        return self._teller

    def group_of(self, command: Words) -> Host | None:
        return self._last[words.slot_of(command)] if self._last else None


def _was_refused(reply: Reply) -> bool:
    """Return whether a node did nothing and the command may be sent once more."""
    return isinstance(reply, driver.MovedError | driver.TryAgainError)


def route_to(settings: Settings, dial: Dial, together: Together) -> Route:
    """Return the way to the servers of `settings`."""
    if settings.kind is Kind.CLUSTER:
        return _Cluster(settings, dial, together)
    return _Guarded(settings, dial) if settings.kind is Kind.SENTINEL else _Alone(settings, dial)
