"""pytyrant, as programs of Python 2 used it, on Holdfast's client of Tokyo Tyrant.

Law: keys and values are text, as they looked there: UTF-8, and bytes that are none come as lone
surrogates (`surrogateescape`) and go back unchanged; bytes are taken as well. What the server
refuses is `TyrantError`, what it cannot be reached for an `OSError`. The iterator that all clients
of a server share is never touched. The administrative commands have other numbers in servers of
today, so they are refused here: the genuine `copy` would empty the server.
"""

from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any, NoReturn, Self, TypeVar

from holdfast.lifetimes import PerProcess
from holdfast.store.tyrant import rare, wire
from holdfast.store.tyrant.client import PORT, TyrantClient
from holdfast.store.tyrant.wire import Command

__all__ = ["RDBMONOULOG", "RDBXOLCKGLB", "RDBXOLCKREC", "PyTyrant", "Tyrant", "TyrantError"]

__version__ = "1.1.17"

DEFAULT_PORT = PORT
RDBMONOULOG = 1
RDBXOLCKREC = 1
RDBXOLCKGLB = 2

T = TypeVar("T")
Text = str | bytes
_TIMEOUT = 5.0  # seconds; the original waited for ever


class TyrantError(Exception):
    """The server says no: a key is missing, or there already."""


class Tyrant:
    """The commands of one server by their names; every thread may use it at the same time.

    Args:
        client: What speaks to the server, in this process.
    """

    def __init__(self, client: PerProcess[TyrantClient]) -> None:
        self._client = client

    @classmethod
    def open(cls, host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> Self:
        """Connect.

        Raises:
            OSError: The server is not to be reached, or has a database that would lose values.
        """
        name = f"tyrant://{host}:{port}"
        opened = cls(
            PerProcess(name, lambda: TyrantClient(host, port, timeout=_TIMEOUT), TyrantClient.close)
        )
        opened.rnum()
        return opened

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def put(self, key: Text, value: Text) -> None:
        """Write."""
        self._done(wire.put(_bytes(key), _bytes(value)))

    def putkeep(self, key: Text, value: Text) -> None:
        """Write unless the key is there; `TyrantError` if it is."""
        self._done(wire.putkeep(_bytes(key), _bytes(value)))

    def putcat(self, key: Text, value: Text) -> None:
        """Append, or write where there is nothing."""
        self._done(wire.putcat(_bytes(key), _bytes(value)))

    def putshl(self, key: Text, value: Text, width: int) -> None:
        """Append, and keep the last `width` bytes."""
        self._done(rare.putshl(_bytes(key), _bytes(value), width))

    def putnr(self, key: Text, value: Text) -> None:
        """Write without waiting for an answer."""
        self._call(wire.putnr(_bytes(key), _bytes(value)))

    def out(self, key: Text) -> None:
        """Remove; `TyrantError` if it is not there."""
        self._done(wire.out(_bytes(key)))

    def get(self, key: Text) -> str:
        """Return the value; `TyrantError` if there is none."""
        return _text(self._found(wire.get(_bytes(key))))

    def mget(self, klst: Iterable[Text]) -> list[tuple[str, str]]:
        """Return the keys that are there, with their values."""
        found = self._call(wire.mget([_bytes(key) for key in klst]))
        return [(_text(key), _text(value)) for key, value in found.items()]

    def vsiz(self, key: Text) -> int:
        """Return the length of a value in bytes; `TyrantError` if there is none."""
        return self._found(wire.vsiz(_bytes(key)))

    def fwmkeys(self, prefix: Text, maxkeys: int) -> list[str]:
        """Return at most `maxkeys` keys that begin with `prefix`."""
        return [_text(key) for key in self._call(wire.fwmkeys(_bytes(prefix), maxkeys))]

    def ext(self, func: Text, opts: int, key: Text, value: Text) -> str:
        """Call a function of the server's script; `opts` of RDBXOLCKREC and RDBXOLCKGLB."""
        return _text(
            self._found(
                rare.ext(
                    _bytes(func),
                    _bytes(key),
                    _bytes(value),
                    locks_record=bool(opts & RDBXOLCKREC),
                    locks_all=bool(opts & RDBXOLCKGLB),
                )
            )
        )

    def misc(self, func: Text, opts: int, args: Sequence[Text]) -> list[str]:
        """Call a function of the database, such as `putlist`; `opts` may be RDBMONOULOG."""
        command = wire.misc(
            _bytes(func), [_bytes(one) for one in args], logged=not opts & RDBMONOULOG
        )
        return [_text(one) for one in self._found(command)]

    def sync(self) -> None:
        """Have everything written to the device."""
        self._done(wire.sync())

    def vanish(self) -> None:
        """Remove every record."""
        self._done(wire.vanish())

    def rnum(self) -> int:
        """Return the number of records."""
        return self._call(wire.rnum())

    def size(self) -> int:
        """Return the size of the database in bytes."""
        return self._call(wire.size())

    def stat(self) -> str:
        """Return what the server says of itself: a line for each name, a tab, its value."""
        return "".join(f"{name}\t{said}\n" for name, said in self._call(wire.stat()).items())

    def copy(self, path: str) -> NoReturn:
        """Refuse: see the law of this module."""
        raise _refusal(f"copy to {path!r}")

    def restore(self, path: str, msec: int) -> NoReturn:
        """Refuse: see the law of this module."""
        raise _refusal(f"restore from {path!r} at {msec}")

    def setmst(self, host: str, port: int) -> NoReturn:
        """Refuse: see the law of this module."""
        raise _refusal(f"setmst to {host}:{port}")

    def _call(self, command: Command[T]) -> T:
        return self._client.here().call(command)

    def _done(self, command: Command[bool]) -> None:
        if not self._call(command):
            raise TyrantError(1)

    def _found(self, command: Command[T | None]) -> T:
        found = self._call(command)
        if found is None:
            raise TyrantError(1)
        return found


class PyTyrant(MutableMapping[Text, Any]):
    """A server as a dict of text.

    Args:
        t: The commands of the server.
    """

    def __init__(self, t: Tyrant) -> None:
        self.t = t

    @classmethod
    def open(cls, host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> Self:
        """Connect; see `Tyrant.open`."""
        return cls(Tyrant.open(host, port))

    __repr__ = object.__repr__  # a database is no line of a log

    def __getitem__(self, key: Text) -> str:
        try:
            return self.t.get(key)
        except TyrantError:
            raise KeyError(key) from None

    def __setitem__(self, key: Text, value: Text) -> None:
        self.t.put(key, value)

    def __delitem__(self, key: Text) -> None:
        try:
            self.t.out(key)
        except TyrantError:
            raise KeyError(key) from None

    def __contains__(self, key: object) -> bool:
        try:
            self.t.vsiz(key)  # type: ignore[arg-type] # what is no text is a TypeError there
        except TyrantError:
            return False
        return True

    has_key = __contains__

    def __iter__(self) -> Iterator[str]:
        return iter(self.prefix_keys(""))

    iterkeys = __iter__

    def __len__(self) -> int:
        return self.t.rnum()

    def setdefault(self, key: Text, default: Any = "") -> Any:
        """Write unless the key is there, in one step; return what is there then."""
        try:
            self.t.putkeep(key, default)
        except TyrantError:
            return self[key]
        return default

    def clear(self) -> None:
        """Remove every record of the server."""
        self.t.vanish()

    def update(self, other: Any = None, /, **others: Text) -> None:
        """Write many, in one request."""
        if hasattr(other, "keys"):
            other = [(key, other[key]) for key in other.keys()]  # noqa: SIM118 - no iteration asked
        self.multi_set([*(other or ()), *others.items()])

    def multi_set(self, items: Iterable[tuple[Text, Text]], no_update_log: bool = False) -> None:
        """Write many, in one request."""
        flat = [part for item in items for part in item]
        if flat:
            self.t.misc("putlist", RDBMONOULOG * no_update_log, flat)

    def multi_get(self, keys: Iterable[Text], no_update_log: bool = False) -> list[str | None]:
        """Return the value of each key, None where there is none."""
        wanted = list(keys)
        flat = self.t.misc("getlist", RDBMONOULOG * no_update_log, wanted)
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        return [found.get(_text(_bytes(key))) for key in wanted]

    def multi_del(self, keys: Iterable[Text], no_update_log: bool = False) -> None:
        """Remove many, in one request."""
        self.t.misc("outlist", RDBMONOULOG * no_update_log, list(keys))

    def call_func(
        self,
        func: Text,
        key: Text,
        value: Text,
        record_locking: bool = False,
        global_locking: bool = False,
    ) -> str:
        """Call a function of the server's script."""
        opts = RDBXOLCKREC * record_locking | RDBXOLCKGLB * global_locking
        return self.t.ext(func, opts, key, value)

    def get_size(self, key: Text) -> int:
        """Return the length of a value in bytes."""
        try:
            return self.t.vsiz(key)
        except TyrantError:
            raise KeyError(key) from None

    def get_stats(self) -> dict[str, str]:
        """Return what the server says of itself."""
        lines = (line.partition("\t") for line in self.t.stat().splitlines())
        return {name: said for name, _, said in lines if name}

    def prefix_keys(self, prefix: Text, maxkeys: int | None = None) -> list[str]:
        """Return the keys that begin with `prefix`, at most that many."""
        return self.t.fwmkeys(prefix, len(self) if maxkeys is None else maxkeys)

    def concat(self, key: Text, value: Text, width: int | None = None) -> None:
        """Append; with `width`, keep that many bytes at the end."""
        if width is None:
            self.t.putcat(key, value)
        else:
            self.t.putshl(key, value, width)

    def sync(self) -> None:
        """Have everything written to the device."""
        self.t.sync()

    def close(self) -> None:
        """Close the connections."""
        self.t.close()

    def iteritems(self) -> Iterator[tuple[Text, Any]]:
        """Yield keys and values."""
        return iter(self.items())

    def itervalues(self) -> Iterator[Any]:
        """Yield values."""
        return iter(self.values())


def _bytes(text: Text) -> bytes:
    if isinstance(text, bytes):
        return text
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    raise TypeError(f"a key or value of Tokyo Tyrant is text, not {type(text).__name__}")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _refusal(what: str) -> TyrantError:
    return TyrantError(f"{what}: use tcrmgr, whose version is the server's")
