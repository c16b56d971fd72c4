"""Operations: the store contract as commands to servers, written once for both faces.

Law: event loops await it, threads drive it. Nothing is sent twice, except what a server said it did
not do. What the driver raises passes through; the faces translate it.
"""

from collections.abc import Awaitable, Mapping, Sequence

from redis import exceptions as driver

from holdfast.clock import monotonic
from holdfast.keys import check
from holdfast.store.protocol import as_bytes
from holdfast.store.redis import words
from holdfast.store.redis.routes import Pool, Route
from holdfast.store.redis.words import SCRIPTS, Dialect, Reply, Words

__all__ = ["Operations"]

_GONE = -2  # what PTTL says of a key that is not there


class Operations:
    """What can be done with the servers at the end of `route`."""

    def __init__(self, route: Route, timeout: float) -> None:
        self.route = route
        self._timeout = timeout
        self._dialect: Dialect | None = None

    def until(self) -> float:
        """Return when an operation that begins now must have ended."""
        return monotonic() + self._timeout

    def ask(self, command: Words, until: float | None = None) -> Awaitable[Reply]:
        """Return the reply to one command with one key; raise what the server refused it with."""
        return self._ask(command, until or self.until())

    async def _ask(self, command: Words, until: float) -> Reply:
        (reply,) = await self.route.ask([command], until)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def ask_all(self, commands: Sequence[Words]) -> list[Reply]:
        """Return the replies to `commands`; raise the first refusal when all have been answered."""
        replies = await self.route.ask(commands, self.until())
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    def get(self, key: str) -> Awaitable[bytes | None]:
        return self.ask(("GET", check(key)))

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        asked = list(dict.fromkeys(map(check, keys)))
        return {
            key: value
            for key, value in zip(asked, await self.values(asked), strict=True)
            if value is not None
        }

    async def values(self, keys: list[str]) -> list[bytes | None]:
        """Return the value of each key."""
        if not keys:
            return []
        if not self.route.joins:
            return await self.ask_all([("GET", key) for key in keys])
        pages = await self.ask_all([("MGET", *some) for some in words.chunks(keys)])
        return [value for page in pages for value in page]

    async def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """Return how many seconds each key has left, those that are there."""
        asked = list(dict.fromkeys(map(check, keys)))
        told = await self.ask_all([("PTTL", key) for key in asked]) if asked else []
        found = zip(asked, told, strict=True)
        return {key: None if left == -1 else left / 1000 for key, left in found if left != _GONE}

    async def put(self, key: str, value: bytes, ttl: float | None) -> None:
        if ttl is not None and ttl <= 0:
            await self.delete(key)
        else:
            await self.ask(words.put(check(key), as_bytes(value), ttl))

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None) -> None:
        if ttl is not None and ttl <= 0:
            await self.delete_many(list(items))
        elif items:
            await self.ask_all(
                [words.put(check(key), as_bytes(value), ttl) for key, value in items.items()]
            )

    async def delete(self, key: str) -> bool:
        return bool(await self.ask(("UNLINK", check(key))))

    async def delete_many(self, keys: Sequence[str]) -> int:
        asked = [check(key) for key in keys]
        if not asked:
            return 0
        size = 1000 if self.route.joins else 1
        return sum(await self.ask_all([("UNLINK", *some) for some in words.chunks(asked, size)]))

    async def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float | None) -> bool:
        check(key)
        if new is not None:
            new = None if ttl is not None and ttl <= 0 else as_bytes(new)
        if old is None:
            if new is None:
                return not await self.ask(("EXISTS", key))
            return await self.ask((*words.put(key, new, ttl), "NX")) is not None
        old, until = as_bytes(old), self.until()
        dialect = self._dialect or await self._learn(until)
        try:
            reply = await self._run(dialect.swap(key, old, new, ttl), until)
        except driver.ResponseError as error:
            if not dialect.remove or not words.is_unknown(error):
                raise
            self._dialect = Dialect()  # another server took over, and understood nothing
            reply = await self._run(self._dialect.swap(key, old, new, ttl), until)
        return reply in (1, b"OK")

    async def _learn(self, until: float) -> Dialect:
        """Ask once what the servers know; the answer of one counts for all."""
        server = (await self.route.servers(until))[0]
        (reply,) = await server.exchange([Dialect.PROBE], until)
        self._dialect = Dialect.told(reply)
        return self._dialect

    async def _run(self, command: Words, until: float) -> Reply:
        """Ask; a server that does not know the script of `command` did nothing, and is told it."""
        try:
            return await self.ask(command, until)
        except driver.NoScriptError:
            return await self.ask(SCRIPTS[str(command[1])].in_full(command), until)

    async def increment(self, key: str, by: int, ttl: float | None) -> int:
        return int(await self._run(words.count(check(key), by, ttl), self.until()))

    async def servers(self) -> list[Pool]:
        """Return all servers that hold data."""
        return await self.route.servers(self.until())

    async def page(self, server: Pool, cursor: bytes, prefix: str) -> tuple[bytes, list[str]]:
        """Return some keys of `server`, and the cursor of the next page; `b"0"`: there is none."""
        (reply,) = await server.exchange([words.page(cursor, prefix)], self.until())
        if isinstance(reply, Exception):
            raise reply
        return reply[0], [key for raw in reply[1] if (key := words.key_of(raw)) is not None]

    async def ping(self) -> None:
        until = self.until()
        for server in await self.route.servers(until):
            for reply in await server.exchange([("PING",)], until):
                if isinstance(reply, Exception):
                    raise reply
