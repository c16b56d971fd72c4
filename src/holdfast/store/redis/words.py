"""Words: the commands as they are sent, and what their replies mean.

Law: pure. A ttl is sent in milliseconds, rounded up, so that a tiny one is not nothing.

`swap` of a long old value sends a digest of it: SHA-1 over 16 random bytes and the value. Whoever
could make two values of one SHA-1 had to know those bytes first, and they are new in each call.
"""

import hashlib
import math
import os
from collections.abc import Sequence
from typing import Any

from redis import exceptions as driver
from redis.crc import key_slot

from holdfast.keys import check

_pack: Any
try:
    from hiredis import pack_command as _pack
except ImportError:

    def _pack(command: "Words") -> bytes:
        raw = [word if isinstance(word, bytes) else str(word).encode() for word in command]
        return b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%b\r\n" % (len(r), r) for r in raw)


__all__ = ["SCRIPTS", "Dialect", "Reply", "Script", "Words"]

Word = str | bytes | int
Words = tuple[Word, ...]
Reply = Any
"""What a server answered; an exception where it refused the command."""

HELLO: Words = ("HELLO",)
_QUESTIONS = {
    "GET",
    "MGET",
    "EXISTS",
    "PTTL",
    "SCAN",
    "PING",
    "HELLO",
    "COMMAND",
    "SENTINEL",
    "CLUSTER",
}
_DIGEST_ABOVE = 16_384  # bytes: from here on, to hash takes less time than to send
_SALT = 16
_FOREVER = 1e11  # seconds: beyond what a server can add to its clock
_GLOB = str.maketrans({letter: "\\" + letter for letter in "\\*?[]^-"})


class Script:
    """A Lua script; it runs as one step and the server keeps it under its SHA-1."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    def by_name(self, key: str, *arguments: Word) -> Words:
        """Return the command for a server that knows the script."""
        return ("EVALSHA", self.sha, 1, key, *arguments)

    def in_full(self, by_name: Words) -> Words:
        """Return the same command for a server that does not."""
        return ("EVAL", self.source, *by_name[2:])


_SWAP = Script("""\
local present = redis.call('GET', KEYS[1])
if not present then return 0 end
if ARGV[1] ~= '' then present = redis.sha1hex(ARGV[1] .. present) end
if present ~= ARGV[2] then return 0 end
if #ARGV == 2 then redis.call('DEL', KEYS[1])
elseif #ARGV == 3 then redis.call('SET', KEYS[1], ARGV[3])
else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end
return 1
""")

# The sum is read back as text: Lua's numbers are exact to 2^53 only.
_COUNT = Script("""\
local there = redis.call('EXISTS', KEYS[1])
redis.call('INCRBY', KEYS[1], ARGV[1])
local sum = redis.call('GET', KEYS[1])
if there == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return sum
""")

SCRIPTS = {script.sha: script for script in (_SWAP, _COUNT)}


class Dialect:
    """How the servers of one store compare and write in one step."""

    PROBE: Words = ("COMMAND", "INFO", "DELEX", "DELIFEQ")

    def __init__(self, remove: str = "") -> None:
        self.remove = remove

    @classmethod
    def told(cls, reply: Reply) -> "Dialect":
        """Return the dialect of the server that gave this reply to `PROBE`."""
        if isinstance(reply, list) and len(reply) == 2:
            for name, known in zip(("DELEX", "DELIFEQ"), reply, strict=True):
                if known:
                    return cls(name)
        return cls()

    def swap(self, key: str, old: bytes, new: bytes | None, ttl: float | None) -> Words:
        """Return the command that writes `new`, or removes, if `key` holds `old`."""
        if len(old) > _DIGEST_ABOVE:
            salt = os.urandom(_SALT)
            digest = hashlib.sha1(salt + old, usedforsecurity=False).hexdigest()
            return _SWAP.by_name(key, salt, digest, *_rest(new, ttl))
        if not self.remove:
            return _SWAP.by_name(key, b"", old, *_rest(new, ttl))
        if new is not None:
            return ("SET", key, new, "IFEQ", old, *px(ttl))
        return ("DELIFEQ", key, old) if self.remove == "DELIFEQ" else ("DELEX", key, "IFEQ", old)


def _rest(new: bytes | None, ttl: float | None) -> Words:
    return () if new is None else (new, *px(ttl)[1:])


def px(ttl: float | None) -> Words:
    """Return the words that limit a SET to `ttl` seconds; none for one that stays."""
    if ttl is None or ttl >= _FOREVER:
        return ()
    return ("PX", max(1, math.ceil(ttl * 1000)))


def put(key: str, value: bytes, ttl: float | None) -> Words:
    """Return the command that writes."""
    return ("SET", key, value) if ttl is None else ("SET", key, value, *px(ttl))


def count(key: str, by: int, ttl: float | None) -> Words:
    """Return the command that adds `by`, and gives what it makes anew `ttl` seconds."""
    if ttl is None or ttl >= _FOREVER:
        return ("INCRBY", key, by)
    return _COUNT.by_name(key, by, max(0, math.ceil(ttl * 1000)))


def page(cursor: bytes, prefix: str) -> Words:
    """Return the command that lists some keys that begin with `prefix`."""
    return ("SCAN", cursor, "MATCH", f"{prefix.translate(_GLOB)}*", "COUNT", 1000)


def key_of(raw: bytes) -> str | None:
    """Return the key, or None for one of another program that no store could carry."""
    try:
        return check(raw.decode("ascii"))
    except ValueError:
        return None


def slot_of(words: Words) -> int:
    """Return the Cluster's slot of a command with one key."""
    key = words[3] if words[0] in ("EVALSHA", "EVAL") else words[1]
    return key_slot(str(key).encode())


def slots(reply: Reply, host: str) -> list[tuple[str, int] | None]:
    """Return which node serves each slot, from the reply to CLUSTER SLOTS of the node `host`."""
    table: list[tuple[str, int] | None] = [None] * 16_384
    for first, last, (name, port, *_), *_ in reply if isinstance(reply, list) else []:
        where = (name.decode() if name not in (None, b"", b"?") else host, int(port))
        table[first : last + 1] = [where] * (last + 1 - first)
    return table


def packed(commands: Sequence[Words]) -> bytes:
    """Return the bytes of `commands` on the wire."""
    return b"".join(map(_pack, commands))


def only_ask(commands: Sequence[Words]) -> bool:
    """Return whether `commands` change nothing."""
    return all(command[0] in _QUESTIONS for command in commands)


def is_unknown(error: Exception) -> bool:
    """Return whether a server did not understand, and so did nothing."""
    said = str(error.args[:1])
    return "syntax error" in said or "unknown command" in said


def need_master(reply: Reply) -> None:
    """Raise if the server that gave this reply to `HELLO` is a replica.

    Raises:
        redis.exceptions.ConnectionError: It is one, as a master that came back is.
    """
    pairs = reply if isinstance(reply, list) else []  # an old server, or an ACL, refused to tell
    told = reply if isinstance(reply, dict) else dict(zip(pairs[::2], pairs[1::2], strict=False))
    if told.get(b"role") == b"replica":
        raise driver.ConnectionError("the master of before is a replica now")


def chunks(keys: Sequence[str], size: int = 1000) -> list[Sequence[str]]:
    """Return `keys` in pieces: one command must not hold up all others for long."""
    return [keys[start : start + size] for start in range(0, len(keys), size)]
