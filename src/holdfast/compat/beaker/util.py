"""The odds and ends of Beaker that applications import: registries, paths, options, serializers.

Law: names, results and the forms of paths and keys are Beaker's. Folders and files are made by the
file store; bytes are read and written by `compat.values`.
"""

import functools
import inspect
import json
import os
import threading as _threading
import unittest
import uuid
import warnings
import weakref
import zlib
from collections.abc import Callable, Iterable, MutableMapping
from hashlib import sha1
from typing import Any, TypeVar

from holdfast.codec.compress import inflate
from holdfast.compat import values
from holdfast.compat.beaker import exceptions
from holdfast.compat.beaker.converters import asbool
from holdfast.compat.beaker.options import (
    DEFAULT_CACHE_KEY_LENGTH,
    asint,
    coerce_cache_params,
    coerce_session_params,
    parse_cache_config_options,
    verify_options,
    verify_rules,
)
from holdfast.errors import CodecError
from holdfast.store.file.flock import make_folder
from holdfast.store.file.plain import replace_file

__all__ = [
    "DEFAULT_CACHE_KEY_LENGTH",
    "JsonSerializer",
    "PickleSerializer",
    "SyncDict",
    "ThreadLocal",
    "WeakValuedRegistry",
    "asbool",
    "asint",
    "assert_raises",
    "coerce_cache_params",
    "coerce_session_params",
    "deprecated",
    "deserialize",
    "encoded_path",
    "exceptions",
    "func_namespace",
    "function_named",
    "has_self_arg",
    "identity",
    "machine_identifier",
    "parse_cache_config_options",
    "safe_write",
    "serialize",
    "sha1",
    "skip_if",
    "verify_directory",
    "verify_options",
    "verify_rules",
    "warn",
]

F = TypeVar("F", bound=Callable[..., Any])
_ABSENT = object()


class ThreadLocal:
    """One value for each thread."""

    __slots__ = ("_tlocal",)

    def __init__(self) -> None:
        self._tlocal = _threading.local()

    def put(self, value: object) -> None:
        self._tlocal.value = value

    def has(self) -> bool:
        return hasattr(self._tlocal, "value")

    def get(self, default: Any = None) -> Any:
        return getattr(self._tlocal, "value", default)

    def remove(self) -> None:
        """Forget this thread's value.

        Raises:
            AttributeError: It has none.
        """
        del self._tlocal.value


class SyncDict:
    """A dictionary that makes what it has not, once for all threads.

    Attributes:
        mutex: Held while a value is made.
        dict: Where the values are.
    """

    def __init__(self) -> None:
        self.mutex: Any = _threading.Lock()
        self.dict: MutableMapping[Any, Any] = {}

    def get(self, key: Any, createfunc: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return the value of `key`, or what `createfunc(*args, **kwargs)` makes of it."""
        try:
            return self.dict[key]
        except KeyError:
            return self.sync_get(key, createfunc, *args, **kwargs)

    def sync_get(self, key: Any, createfunc: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Do as `get`, but look only while no other thread makes a value."""
        with self.mutex:
            found = self.dict.get(key, _ABSENT)
            if found is _ABSENT:
                found = self.dict[key] = createfunc(*args, **kwargs)
            return found

    def has_key(self, key: Any) -> bool:
        return key in self

    def __contains__(self, key: Any) -> bool:
        return key in self.dict

    def __getitem__(self, key: Any) -> Any:
        return self.dict[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.dict[key] = value

    def __delitem__(self, key: Any) -> None:
        del self.dict[key]

    def clear(self) -> None:
        self.dict.clear()


class WeakValuedRegistry(SyncDict):
    """A `SyncDict` that keeps no value alive; making one may ask for another."""

    def __init__(self) -> None:
        super().__init__()
        self.mutex = _threading.RLock()
        self.dict = weakref.WeakValueDictionary()


# paths and files


def verify_directory(dir: str) -> None:
    """Make a folder and those around it, unless something of that name is there.

    Raises:
        OSError: It cannot be made.
    """
    try:  # noqa: SIM105 - it is on the way of every request
        make_folder(dir)
    except FileExistsError:
        pass  # no folder, but there: whoever opens it will hear of it


def identity(identifiers: Iterable[str], digest_filenames: bool = True) -> str:
    """Return the file name, without ending, that stands for `identifiers`."""
    joined = "_".join(identifiers)
    if digest_filenames:
        return sha1(joined.encode(), usedforsecurity=False).hexdigest()
    return os.path.basename(joined).replace(".", "")  # noqa: PTH119 - what follows a slash


def encoded_path(
    root: str,
    identifiers: Iterable[str],
    extension: str = ".enc",
    depth: int = 3,
    digest_filenames: bool = True,
) -> str:
    """Return the path of the file that stands for `identifiers`, below `root`; make its folder.

    Args:
        root: The folder that holds all.
        identifiers: What it stands for; they are joined by `_`.
        extension: What the name ends with.
        depth: How deep the file lies: one folder less than this.
        digest_filenames: Whether the name is a SHA-1 of the identifiers, else themselves.
    """
    name = identity(identifiers, digest_filenames)
    folder = os.path.join(root, *(name[:length] for length in range(1, depth)))  # noqa: PTH118
    verify_directory(folder)
    return os.path.join(folder, name + extension)  # noqa: PTH118 - a text, as users expect


def safe_write(filepath: str, contents: bytes) -> None:
    """Put a whole new file at `filepath`; readers see the old one or the new."""
    replace_file(filepath, contents)


# functions


def func_namespace(func: Any) -> str:
    """Return the cache namespace of a function: class and module, or source file and name."""
    if hasattr(func, "__func__"):
        owner = type(func.__self__)
        return f"{owner.__module__}.{owner.__name__}"
    return f"{inspect.getsourcefile(func)}|{func.__name__}"


def has_self_arg(func: Callable[..., Any]) -> bool:
    """Return whether the first argument of a function is called `self` or `cls`."""
    return next(iter(inspect.signature(func).parameters), None) in ("self", "cls")


def function_named(fn: F, name: str) -> F:
    """Name a function."""
    fn.__name__ = name
    return fn


def warn(msg: str | Warning, stacklevel: int = 3) -> None:
    """Warn with a `BeakerWarning`, or with the warning itself."""
    kind = exceptions.BeakerWarning if isinstance(msg, str) else None
    warnings.warn(msg, kind, stacklevel=stacklevel)


def deprecated(message: str) -> Callable[[F], F]:
    """Make a function warn with `message` whenever it is called."""

    def decorate(fn: F) -> F:
        @functools.wraps(fn)
        def warned(*args: Any, **kwargs: Any) -> Any:
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            return fn(*args, **kwargs)

        warned.__doc__ = f"{message}\n\n{fn.__doc__}"
        return warned  # type: ignore[return-value] # wraps() keeps the signature

    return decorate


def skip_if(predicate: Callable[[], object], reason: str | None = None) -> Callable[[F], F]:
    """Make a test skip itself while `predicate()` is true."""
    why = reason or predicate.__name__

    def decorate(fn: F) -> F:
        def maybe(*args: Any, **kwargs: Any) -> Any:
            if predicate():
                raise unittest.SkipTest(f"'{maybe.__name__}' skipped: {why}")
            return fn(*args, **kwargs)

        return function_named(maybe, fn.__name__)  # type: ignore[return-value] # as above

    return decorate


def assert_raises(
    except_cls: type[BaseException] | tuple[type[BaseException], ...],
    callable_: Callable[..., object],
    *args: Any,
    **kw: Any,
) -> None:
    """Fail unless the call raises `except_cls`."""
    try:
        callable_(*args, **kw)
    except except_cls:
        return
    raise AssertionError("Callable did not raise an exception")


def machine_identifier() -> str:
    """Return 32 hexadecimal digits that no other machine returns."""
    return uuid.uuid1().hex


# serializers


class PickleSerializer:
    """What `data_serializer="pickle"` names: see `compat.values` for what is written and read."""

    def loads(self, data_string: bytes) -> Any:
        return values.decode(data_string)

    def dumps(self, data: Any) -> bytes:
        return values.encode(data, protocol=2)


class JsonSerializer:
    """What `data_serializer="json"` names: JSON, compressed by zlib."""

    def loads(self, data_string: bytes) -> Any:
        try:
            plain = inflate(data_string)
        except CodecError as error:
            raise zlib.error(error.message) from error  # what programs have always caught
        return json.loads(plain)

    def dumps(self, data: Any) -> bytes:
        return zlib.compress(json.dumps(data).encode())


def _serializer(method: str) -> PickleSerializer | JsonSerializer:
    return JsonSerializer() if method == "json" else PickleSerializer()


def serialize(data: Any, method: str) -> bytes:
    """Return `data` as bytes; any `method` but "json" is that of pickles."""
    return _serializer(method).dumps(data)


def deserialize(data_string: bytes, method: str) -> Any:
    """Return what `serialize` was given."""
    return _serializer(method).loads(data_string)
