"""A TCP proxy with faults: stands between a client and its server, and does what networks do.

Law: it runs in a thread of its own, so that a test may block. A fault holds for what passes while
it is set, on old connections and new ones; the bytes themselves are never looked into.
"""

import asyncio
import contextlib
import enum
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Self, TypeVar

__all__ = [
    "Clean",
    "Cut",
    "Delay",
    "Drip",
    "Ending",
    "Flaky",
    "Hold",
    "Mute",
    "Proxy",
    "Reset",
    "Swallow",
    "deaf_port",
]

T = TypeVar("T")

_PATIENCE = 10.0  # seconds until the proxy's own thread counts as stuck
_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER for no time: close() sends RST


class Ending(enum.Enum):
    """How a connection ends."""

    CLOSE = "closed in good order"
    RESET = "reset"
    STALL = "open, but nothing more is said"


class _Ended(Exception):  # noqa: N818 - no error: a fault says that the connection ends here
    """The connection ends after `last` has been passed on."""

    def __init__(self, how: Ending, last: bytes = b"") -> None:
        self.how = how
        self.last = last


class Clean:
    """No fault; the others are made of it. Its methods run in the proxy's loop.

    Attributes:
        pause: How many seconds go by before each byte of a reply; 0: all come at once.
    """

    pause = 0.0

    async def request(self, data: bytes) -> bytes:
        """Return what of `data` goes on to the server."""
        return data

    async def reply(self, data: bytes) -> bytes:
        """Return what of `data` goes on to the client."""
        return data

    def over(self) -> None:
        """The fault is no longer set."""


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """Give a port where connecting hangs: somebody listens, and takes nobody any more."""
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # more than wait before it; the kernel drops who comes after them
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(door.getsockname())
        yield door.getsockname()[1]


class Delay(Clean):
    """Each piece of a reply comes `seconds` late."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def reply(self, data: bytes) -> bytes:
        await asyncio.sleep(self._seconds)
        return data


class Drip(Clean):
    """A reply comes byte by byte, with `seconds` between them."""

    def __init__(self, seconds: float) -> None:
        self.pause = seconds


class Hold(Clean):
    """Nothing passes; all of it comes late, when the fault is over, as TCP sends it again."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    async def request(self, data: bytes) -> bytes:
        await self._over.wait()
        return data

    async def reply(self, data: bytes) -> bytes:
        await self._over.wait()
        return data

    def over(self) -> None:
        self._over.set()


class Swallow(Clean):
    """A black hole before the server: requests are taken and never come to it."""

    async def request(self, data: bytes) -> bytes:
        del data
        return b""


class Mute(Clean):
    """A black hole after the server: requests are done, replies are lost."""

    async def reply(self, data: bytes) -> bytes:
        del data
        return b""


class Reset(Clean):
    """Connections are reset: instead of the next reply, or `before` the request gets there."""

    def __init__(self, *, before: bool = False) -> None:
        self._before = before

    async def request(self, data: bytes) -> bytes:
        if self._before:
            raise _Ended(Ending.RESET)
        return data

    async def reply(self, data: bytes) -> bytes:
        del data
        raise _Ended(Ending.RESET)


class Cut(Clean):
    """The first reply ends after so many bytes; all others are whole.

    Args:
        after: How many bytes of it come.
        how: What becomes of its connection then.

    Attributes:
        done: Whether a reply was cut.
    """

    def __init__(self, after: int, how: Ending) -> None:
        self.done = False
        self._left = after
        self._how = how

    async def reply(self, data: bytes) -> bytes:
        if self.done or len(data) <= self._left:
            self._left -= 0 if self.done else len(data)
            return data
        self.done = True
        raise _Ended(self._how, data[: self._left])


class Flaky(Clean):
    """Now and then a request or a reply is lost, with a reset or with silence.

    Args:
        chance: How likely it is for each piece that passes, 0 to 1.
        seed: The same seed, the same faults.
    """

    def __init__(self, chance: float, seed: int) -> None:
        self._chance = chance
        self._random = random.Random(seed)  # noqa: S311 - repeatable faults

    async def request(self, data: bytes) -> bytes:
        return self._maybe(data)

    async def reply(self, data: bytes) -> bytes:
        return self._maybe(data)

    def _maybe(self, data: bytes) -> bytes:
        if self._random.random() >= self._chance:
            return data
        how = self._random.choice([Ending.RESET, Ending.CLOSE, Ending.STALL])
        raise _Ended(how, data[: self._random.randrange(len(data))])


F = TypeVar("F", bound=Clean)


class Proxy:
    """Listens on a free loopback port and passes all to `port`, while its `with` block runs.

    Attributes:
        port: Where it listens.
        taken: How many connections it has taken in all.
    """

    def __init__(self, port: int) -> None:
        self.port = 0
        self.taken = 0
        self._server_port = port
        self._fault: Clean = Clean()
        self._asked: list[bytearray] = []  # what each connection has sent
        self._links: set[asyncio.Task[None]] = set()
        self._door: socket.socket  # made by `_listen`
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._place = socket.socket()  # so that the port is nobody else's while we refuse
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port = self._place.getsockname()[1]
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.run_until_complete(_end_the_rest())
        self._loop.close()
        self._place.close()

    @property
    def open(self) -> int:
        """How many connections of clients are open now."""
        return len(self._links)

    def heard(self, words: bytes) -> int:
        """Return how often clients have sent `words`, whether or not they came to the server."""
        return sum(asked.count(words) for asked in list(self._asked))

    @contextlib.contextmanager
    def under(self, fault: F) -> Iterator[F]:
        """Set `fault` while the block runs."""
        self._fault = fault
        try:
            yield fault
        finally:
            self._fault = Clean()
            self._loop.call_soon_threadsafe(fault.over)

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Reset all connections and refuse new ones, while the block runs."""
        self._do(self._refuse())
        try:
            yield
        finally:
            self._do(self._listen())

    def reset(self) -> None:
        """Reset all connections that are open now."""
        self._do(self._reset())

    def _do(self, work: Coroutine[object, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    async def _listen(self) -> None:
        self._door = socket.create_server(("127.0.0.1", self.port), backlog=1000)
        self._door.settimeout(0)
        self._loop.add_reader(self._door, self._take)

    def _take(self) -> None:
        # Not asyncio's server, which forgets for ever whom it takes while it is closed.
        with contextlib.suppress(BlockingIOError):
            found, _ = self._door.accept()
            # asyncio does so with its own; else a reply in two pieces waits 40 ms for its second
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.taken += 1
            asked = bytearray()
            self._asked.append(asked)
            link = self._loop.create_task(self._serve(found, asked))
            self._links.add(link)
            link.add_done_callback(self._links.discard)

    async def _refuse(self) -> None:
        self._loop.remove_reader(self._door)
        self._door.close()
        await self._reset()

    async def _reset(self) -> None:
        await asyncio.sleep(0)  # each has begun, and will close its socket
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close their sockets in this turn

    async def _serve(self, found: socket.socket, asked: bytearray) -> None:
        """Serve one connection to its end; who cancels it, resets it."""
        how, ends = Ending.RESET, list[asyncio.StreamWriter]()
        try:
            how = await self._converse(found, asked, ends)
        except OSError:
            pass  # the server is not there
        finally:
            if how is Ending.RESET:
                with contextlib.suppress(OSError):
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            if not ends:
                found.close()
            await _close(ends if how is Ending.CLOSE else [])
            for writer in ends:
                writer.transport.abort()

    async def _converse(
        self, found: socket.socket, asked: bytearray, ends: list[asyncio.StreamWriter]
    ) -> Ending:
        reader, client = await asyncio.open_connection(sock=found)
        ends.append(client)
        answers, server = await asyncio.open_connection("127.0.0.1", self._server_port)
        ends.append(server)

        async def request(data: bytes) -> bytes:
            asked.extend(data)
            return await self._fault.request(data)

        async def reply(data: bytes) -> bytes:
            if not self._fault.pause:
                return await self._fault.reply(data)
            for number in range(len(data)):
                await asyncio.sleep(self._fault.pause)
                client.write(data[number : number + 1])
            return b""

        how = await _first(_pump(reader, server, request), _pump(answers, client, reply))
        if how is Ending.STALL:
            server.transport.abort()
            while await reader.read(_CHUNK):
                pass
        return how


async def _end_the_rest() -> None:
    """End what still runs in this loop, and let transports close their sockets."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for _ in range(3):
        await asyncio.sleep(0)


async def _close(ends: list[asyncio.StreamWriter]) -> None:
    """Close in good order: what was written arrives; who is cancelled meanwhile has no time."""
    for writer in ends:
        writer.close()
    with contextlib.suppress(OSError, asyncio.CancelledError):
        await asyncio.gather(*(writer.wait_closed() for writer in ends))


async def _first(*pumps: Coroutine[object, None, Ending]) -> Ending:
    """Run both, end both when one ends, and return how."""
    tasks = [asyncio.ensure_future(pump) for pump in pumps]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    meet: Callable[[bytes], Coroutine[object, None, bytes]],
) -> Ending:
    """Pass on what is read until one end closes; return how the client shall see the end."""
    try:
        while data := await reader.read(_CHUNK):
            writer.write(await meet(data))
            await writer.drain()
    except _Ended as ended:
        writer.write(ended.last)
        return ended.how
    except OSError:
        return Ending.RESET
    return Ending.CLOSE
