"""A stand-in for ttserver: its binary protocol over the real Tokyo Cabinet library, by ctypes.

    python _tokyo.py PORT DATABASE        (DATABASE as ttserver takes it: *, a.tch, a.tcb, a.tct)

It does what ttserver 1.1.41 does with these commands: one after another on each connection, also
where several came in one packet; an unknown command closes it, a huge size gets no answer.
"""

import asyncio
import ctypes
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

_KINDS = ["void", "on-memory hash", "on-memory tree", "hash", "B+ tree", "fixed-length", "table"]
_LARGEST = 256 << 20
_FAILED_ADD = -(1 << 31)
_OK, _FAILED = b"\0", b"\1"

tc = ctypes.CDLL("libtokyocabinet.so.9")
for name, result, arguments in (
    ("tcadbnew", "p", ""),
    ("tcadbopen", "b", "ps"),
    ("tcadbclose", "b", "p"),
    ("tcadbput", "b", "psisi"),
    ("tcadbputkeep", "b", "psisi"),
    ("tcadbputcat", "b", "psisi"),
    ("tcadbout", "b", "psi"),
    ("tcadbget", "p", "psip"),
    ("tcadbvsiz", "i", "psi"),
    ("tcadbiterinit", "b", "p"),
    ("tcadbiternext", "p", "pp"),
    ("tcadbfwmkeys", "p", "psii"),
    ("tcadbaddint", "i", "psii"),
    ("tcadbsync", "b", "p"),
    ("tcadboptimize", "b", "ps"),
    ("tcadbvanish", "b", "p"),
    ("tcadbrnum", "q", "p"),
    ("tcadbsize", "q", "p"),
    ("tcadbmisc", "p", "psp"),
    ("tcadbomode", "i", "p"),
    ("tclistnew", "p", ""),
    ("tclistpush", "v", "psi"),
    ("tclistnum", "i", "p"),
    ("tclistval", "p", "pip"),
    ("tclistdel", "v", "p"),
    ("tcfree", "v", "p"),
):
    types: dict[str, Any] = {
        "p": ctypes.c_void_p,
        "b": ctypes.c_bool,
        "s": ctypes.c_char_p,
        "i": ctypes.c_int,
        "q": ctypes.c_uint64,
        "v": None,
    }
    function = getattr(tc, name)
    function.restype = types[result]
    function.argtypes = [types[letter] for letter in arguments]


class Database:
    """An abstract database of Tokyo Cabinet."""

    def __init__(self, name: str) -> None:
        self.adb = tc.tcadbnew()
        if not tc.tcadbopen(self.adb, name.encode()):
            raise SystemExit(f"Tokyo Cabinet does not open {name}")

    def get(self, key: bytes) -> bytes | None:
        size = ctypes.c_int()
        return _owned(tc.tcadbget(self.adb, key, len(key), ctypes.byref(size)), size)

    def next_key(self) -> bytes | None:
        size = ctypes.c_int()
        return _owned(tc.tcadbiternext(self.adb, ctypes.byref(size)), size)

    def keys(self, prefix: bytes, most: int) -> list[bytes]:
        return _taken(tc.tcadbfwmkeys(self.adb, prefix, len(prefix), most))

    def misc(self, name: bytes, arguments: list[bytes]) -> list[bytes] | None:
        given = tc.tclistnew()
        for argument in arguments:
            tc.tclistpush(given, argument, len(argument))
        found = tc.tcadbmisc(self.adb, name, given)
        tc.tclistdel(given)
        return None if found is None else _taken(found)

    def facts(self) -> bytes:
        facts = {
            "version": "stand-in",
            "time": f"{time.time():.6f}",
            "pid": os.getpid(),
            "type": _KINDS[tc.tcadbomode(self.adb)],
            "rnum": tc.tcadbrnum(self.adb),
            "connections": len(_connections),
        }
        return "".join(f"{name}\t{value}\n" for name, value in facts.items()).encode()


def _owned(place: int | None, size: ctypes.c_int) -> bytes | None:
    if place is None:
        return None
    value = ctypes.string_at(place, size.value)
    tc.tcfree(place)
    return value


def _taken(tclist: int) -> list[bytes]:
    size = ctypes.c_int()
    found = []
    for index in range(tc.tclistnum(tclist)):
        place = tc.tclistval(tclist, index, ctypes.byref(size))
        found.append(ctypes.string_at(place, size.value))
    tc.tclistdel(tclist)
    return found


class Connection:
    """One client: what it sends, and the replies to it."""

    def __init__(
        self, database: Database, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.database, self.adb = database, database.adb
        self.reader, self.writer = reader, writer

    async def serve(self) -> None:
        """Answer until the client goes, or sends what is no command."""
        while (await self.reader.readexactly(1)) == b"\xc8":
            command = (await self.reader.readexactly(1))[0]
            if command not in COMMANDS:
                return
            self.writer.write(await COMMANDS[command](self))
            await self.writer.drain()
            await asyncio.sleep(0)  # others come in between, as with its worker threads

    async def ints(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f">{count}i", await self.reader.readexactly(4 * count))

    async def parts(self, *sizes: int) -> list[bytes]:
        if any(not 0 <= size <= _LARGEST for size in sizes):
            raise asyncio.IncompleteReadError(b"", None)
        return [await self.reader.readexactly(size) if size else b"" for size in sizes]

    async def sized_parts(self, count: int) -> list[bytes]:
        return [(await self.parts(*await self.ints(1)))[0] for _ in range(count)]

    async def pair(self) -> tuple[bytes, int, bytes, int]:
        key, value = await self.parts(*await self.ints(2))
        return key, len(key), value, len(value)

    async def key(self) -> bytes:
        return (await self.parts(*await self.ints(1)))[0]

    async def get(self) -> bytes:
        return _body(self.database.get(await self.key()))

    async def put(self) -> bytes:
        return _status(tc.tcadbput(self.adb, *await self.pair()))

    async def putkeep(self) -> bytes:
        return _status(tc.tcadbputkeep(self.adb, *await self.pair()))

    async def putcat(self) -> bytes:
        return _status(tc.tcadbputcat(self.adb, *await self.pair()))

    async def putshl(self) -> bytes:
        key_size, size, width = await self.ints(3)
        key, added = await self.parts(key_size, size)
        value = ((self.database.get(key) or b"") + added)[-width:] if width else b""
        return _status(tc.tcadbput(self.adb, key, key_size, value, len(value)))

    async def ext(self) -> bytes:
        name, _, key, value = await self.ints(4)
        await self.parts(name, key, value)
        return _FAILED  # as a server without a script

    async def putnr(self) -> bytes:
        tc.tcadbput(self.adb, *await self.pair())
        return b""

    async def out(self) -> bytes:
        key = await self.key()
        return _status(tc.tcadbout(self.adb, key, len(key)))

    async def mget(self) -> bytes:
        keys = await self.sized_parts(*await self.ints(1))
        found = [(key, self.database.get(key)) for key in keys]
        rows = [(key, value) for key, value in found if value is not None]
        body = [struct.pack(">II", len(key), len(value)) + key + value for key, value in rows]
        return _OK + struct.pack(">I", len(rows)) + b"".join(body)

    async def vsiz(self) -> bytes:
        key = await self.key()
        size = tc.tcadbvsiz(self.adb, key, len(key))
        return _FAILED if size < 0 else _OK + struct.pack(">I", size)

    async def iterinit(self) -> bytes:
        return _status(tc.tcadbiterinit(self.adb))

    async def iternext(self) -> bytes:
        return _body(self.database.next_key())

    async def fwmkeys(self) -> bytes:
        size, most = await self.ints(2)
        (prefix,) = await self.parts(size)
        return _OK + _listed(self.database.keys(prefix, most))

    async def addint(self) -> bytes:
        size, number = await self.ints(2)
        (key,) = await self.parts(size)
        total = tc.tcadbaddint(self.adb, key, len(key), number)
        return _FAILED if total == _FAILED_ADD else _OK + struct.pack(">i", total)

    async def sync(self) -> bytes:
        return _status(tc.tcadbsync(self.adb))

    async def optimize(self) -> bytes:
        return _status(tc.tcadboptimize(self.adb, await self.key()))

    async def vanish(self) -> bytes:
        return _status(tc.tcadbvanish(self.adb))

    async def rnum(self) -> bytes:
        return _OK + struct.pack(">Q", tc.tcadbrnum(self.adb))

    async def size(self) -> bytes:
        return _OK + struct.pack(">Q", tc.tcadbsize(self.adb))

    async def stat(self) -> bytes:
        return _body(self.database.facts())

    async def misc(self) -> bytes:
        size, _, count = await self.ints(3)
        (name,) = await self.parts(size)
        found = self.database.misc(name, await self.sized_parts(count))
        return _FAILED + _listed([]) if found is None else _OK + _listed(found)


Handler = Callable[[Connection], Coroutine[None, None, bytes]]
COMMANDS: dict[int, Handler] = {
    0x10: Connection.put,
    0x11: Connection.putkeep,
    0x12: Connection.putcat,
    0x13: Connection.putshl,
    0x18: Connection.putnr,
    0x20: Connection.out,
    0x30: Connection.get,
    0x31: Connection.mget,
    0x38: Connection.vsiz,
    0x50: Connection.iterinit,
    0x51: Connection.iternext,
    0x58: Connection.fwmkeys,
    0x60: Connection.addint,
    0x68: Connection.ext,
    0x70: Connection.sync,
    0x71: Connection.optimize,
    0x72: Connection.vanish,
    0x80: Connection.rnum,
    0x81: Connection.size,
    0x88: Connection.stat,
    0x90: Connection.misc,
}


def _status(done: bool) -> bytes:
    return _OK if done else _FAILED


def _body(value: bytes | None) -> bytes:
    return _FAILED if value is None else _OK + struct.pack(">I", len(value)) + value


def _listed(parts: list[bytes]) -> bytes:
    body = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return struct.pack(">I", len(parts)) + body


_connections: set[Connection] = set()


async def main(port: int, database: Database) -> None:
    """Serve until SIGTERM."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(database, reader, writer)
        _connections.add(connection)
        try:
            await connection.serve()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            _connections.discard(connection)
            writer.close()

    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=512)
    await over.wait()
    server.close()
    tc.tcadbclose(database.adb)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Database(sys.argv[2])))
    os._exit(0)  # its clients may hold connections still
