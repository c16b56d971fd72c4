"""Pickles of others, read without running what they say.

Law: a pickle names the classes it wants; only those on a list are ever looked up, and nothing on
the list runs code that a pickle can bring, or makes much of little. What is handed out is no class
that could be changed through it. Anything else is a `CodecError` that names what was asked for.

Pickles that Python 2 wrote are read as well: its `str` is text here, UTF-8, where bytes that are
none become lone surrogates (`surrogateescape`).
"""

import datetime as dt
import io
import pickle
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import defaultdict
from collections.abc import Callable, Collection
from decimal import Decimal
from functools import cache
from typing import Any, Never

from holdfast.codec.pickle_memo import check_memo
from holdfast.errors import CodecError

__all__ = ["SAFE", "NotAllowed", "unpickle"]

_PLAIN = "bool complex dict float frozenset int list object set str tuple"
_DATES = "date datetime time"
_OTHERS = """
    collections.Counter collections.OrderedDict collections.defaultdict collections.deque
    datetime.timedelta datetime.timezone decimal.Decimal uuid.UUID zoneinfo.ZoneInfo
"""
_FACTORIES = frozenset(f"builtins.{name}" for name in _PLAIN.split())
SAFE = frozenset(
    {
        *_FACTORIES,
        "builtins.bytearray",
        "builtins.bytes",
        *(f"datetime.{name}" for name in _DATES.split()),
        *_OTHERS.split(),
    }
)
"""Classes that may stand in a pickle without being allowed."""


class NotAllowed(CodecError):  # noqa: N818 - it names what the pickle asks for
    """A pickle asks for what is not on the list; it may be whole, and a stranger's or our own."""


_LARGEST_EXPONENT = 10_000


def unpickle(data: bytes, allowed: Collection[str] = ()) -> object:
    """Return what a pickle holds.

    Args:
        data: Any bytes whatever.
        allowed: Classes beside `SAFE`, each as `"module.Class"`.

    Raises:
        NotAllowed: It asks for something that is not on the list.
        CodecError: It is no pickle.
    """
    check_memo(data)
    # It can peek, so the reader asks it once, not for every few bytes.
    whole = io.BufferedReader(io.BytesIO(data), max(len(data), 1))
    reader = _Reader(whole, encoding="utf-8", errors="surrogateescape")
    reader.allowed = allowed
    try:
        return reader.load()
    except CodecError:
        raise
    except Exception as error:  # damaged pickles raise anything
        raise CodecError(f"not a pickle: {str(error)[:200]}", codec="pickle") from error


class _Reader(pickle.Unpickler):
    allowed: Collection[str] = ()

    def find_class(self, module: str, name: str) -> object:
        """Return what stands for a name in a pickle; called for each that it has."""
        found = _usual.get((module, name))
        if found is not None:
            return found
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        wanted = f"{module}.{name}"
        if wanted in _STAND_INS:
            return _STAND_INS[wanted]
        if wanted not in SAFE and wanted not in self.allowed:
            raise NotAllowed(f"a pickle asks for {wanted}, which is not allowed", codec="pickle")
        found = super().find_class(module, name)
        if not isinstance(found, type):
            raise NotAllowed(f"a pickle asks for {wanted}, which is no class", codec="pickle")
        return found if wanted in _FACTORIES else _sealed(found)


class _Sealed(type):
    """What a pickle gets for a class: it makes instances of the class, and cannot be changed."""

    real: type
    make: Callable[..., Any]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls.make(*args, **kwargs)

    def __setattr__(cls, name: str, value: object) -> Never:
        raise CodecError(f"a pickle would change the class {cls.real.__name__}", codec="pickle")


@cache
def _sealed(real: type, make: Callable[..., Any] | None = None) -> type:
    """Return what stands for `real`; `make` is what calling it does, if that is not `real` itself.

    Instances are those of `real`. Functions are dressed as classes, too: a pickle could change
    their defaults.
    """

    def new(_: type, *args: Any, **kwargs: Any) -> Any:
        return real.__new__(real, *args, **kwargs)

    made = new if make is None else staticmethod(lambda _, *args: make(*args))
    names = {"real": real, "make": staticmethod(make or real), "__new__": made}
    return _Sealed(real.__name__, (), names)


def _moment(real: type) -> type:
    """Return what stands for a date or time: Python 2 wrote its state as `str`."""

    def make(state: object, *rest: object) -> object:
        return real(_raw(state) if isinstance(state, str) else state, *rest)

    return _sealed(real, make)


def _raw(text: str) -> bytes:
    """Return the bytes that Python 2 had."""
    return text.encode("utf-8", "surrogateescape")


def _bytes_of(real: type) -> Callable[..., Any]:
    """Return what makes `bytes` or `bytearray`, but never of a length that a number says."""

    def make(source: object = b"", encoding: str = "latin-1") -> object:
        if isinstance(source, str):
            return real(_latin(source, encoding))
        if isinstance(source, bytes | list):
            return real(source)
        raise CodecError("bytes are made of bytes or text", codec="pickle")

    return make


def _latin(text: str, encoding: str = "latin-1") -> bytes:
    """Return bytes that Python 3 wrote for Python 2: `_codecs.encode`, in the one way it uses."""
    if encoding not in ("latin1", "latin-1"):
        raise CodecError(f"bytes are never written as {encoding!r}", codec="pickle")
    return str.encode(text, "latin-1")


def _instance(cls: type, base: type, state: object) -> object:
    """Return an instance as protocols 0 and 1 make one: `copyreg._reconstructor`."""
    real = cls.real if isinstance(cls, _Sealed) else cls
    if base is object:
        return object.__new__(real)
    base = base.real if isinstance(base, _Sealed) else base
    if type(state) is not base:
        raise CodecError(f"a {base.__name__} is made of one, nothing else", codec="pickle")
    kind: Any = base
    made: object = kind.__new__(real, state)
    kind.__init__(made, state)
    return made


def _text(value: object = "", *rest: Any) -> str:
    """Return `str(value)`, but never of a list, whose text may be longer than any memory."""
    if isinstance(value, str | bytes | int | float | None):
        return str(value, *rest)
    raise CodecError(f"text is never made of a {type(value).__name__}", codec="pickle")


def _decimal(value: object = "0") -> Decimal:
    """Return a number that `int` can be asked of: ten bytes can say one of a billion digits."""
    made = Decimal(value)  # type: ignore[arg-type] # what it does not take, it refuses
    if made.is_finite() and made.adjusted() > _LARGEST_EXPONENT:
        raise CodecError("a decimal is too large", codec="pickle")
    return made


def _default(factory: object = None, *rest: Any) -> defaultdict[Any, Any]:
    real: Any = factory.real if isinstance(factory, _Sealed) else factory
    return defaultdict(real, *rest)


def _zone(cls: type, name: str) -> Callable[[str, bool], object]:
    """Return what makes a zone of its key: the one attribute that a pickle of a date asks for."""
    import zoneinfo  # noqa: PLC0415 - few pickles have one

    if not isinstance(cls, _Sealed) or cls.real is not zoneinfo.ZoneInfo or name != "_unpickle":
        raise NotAllowed("a pickle asks for an attribute, which is not allowed", codec="pickle")
    return lambda key, _: zoneinfo.ZoneInfo(key)


_STAND_INS = {
    **{f"datetime.{name}": _moment(getattr(dt, name)) for name in _DATES.split()},
    "_codecs.encode": _sealed(bytes, _latin),
    "builtins.bytearray": _sealed(bytearray, _bytes_of(bytearray)),
    "builtins.bytes": _sealed(bytes, _bytes_of(bytes)),
    "builtins.getattr": _sealed(object, _zone),
    "builtins.str": _sealed(str, _text),
    "collections.defaultdict": _sealed(defaultdict, _default),
    "copyreg._reconstructor": _sealed(object, _instance),
    "decimal.Decimal": _sealed(Decimal, _decimal),
}
_usual = {tuple(wanted.rsplit(".", 1)): stands for wanted, stands in _STAND_INS.items()}
"""The same by module and name; none of them has another name in Python 2."""
