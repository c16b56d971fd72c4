"""Wrappers: a function with the very signature of another, and a cache hit as its first lines.

Law: nothing is decided here. Python itself binds the arguments, so that `f(1, 2)` and `f(1, b=2)`
cost the same and are one entry. The index of a wrapper holds arguments *and their types*, since
1 == True == 1.0; whatever it does not hold goes the long way.
"""

import inspect
import keyword
import linecache
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

from holdfast.cache.near import Cell
from holdfast.clock import Clock

__all__ = ["Wrapper", "alias", "make_wrapper"]

Index = dict[tuple[Any, ...], Cell]

_HIT = """\
{kind} {name}({parameters}):
    try:
        _hf_cell = _hf_index[{alias}]
    except (KeyError, TypeError, AttributeError):
        pass  # a failure of the function must not look like a failure of this
    else:
        _hf_value = _hf_cell.value
        if _hf_cell.until > _hf_clock():
            _hf_cell.hits += 1.0
            return _hf_value
    return {wait}_hf_slow(({names}))
"""
_NO_HIT = """\
{kind} {name}({parameters}):
    return {wait}_hf_slow(({names}))
"""
_REST = """
def _hf_bind({parameters}):
    return ({names})

def _hf_call(_hf_values):
    {unpack}
    return _hf_original({arguments})
"""
_LONG = 1000  # bytes; the index keeps no argument that is longer
_SCALARS = frozenset({int, str, bool, type(None), bytes, float})
_VARIABLE = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


@dataclass(frozen=True, slots=True)
class Wrapper:
    """What was made for one function.

    Attributes:
        function: The wrapper itself.
        bind: Takes what the function takes and returns its bound arguments, defaults included.
        call: Takes bound arguments and calls the function with them.
    """

    function: Callable[..., Any]
    bind: Callable[..., tuple[Any, ...]]
    call: Callable[[tuple[Any, ...]], Any]


def make_wrapper(
    original: Callable[..., Any],
    counting: Collection[str],
    *,
    index: Index,
    clock: Clock,
    slow: Callable[[tuple[Any, ...]], Any],
) -> Wrapper:
    """Return a wrapper of `original` that serves what `index` holds and calls `slow` for the rest.

    Args:
        original: A function, or a coroutine function.
        counting: The names of the arguments that decide which entry is meant.
        index: Cells by `alias` of those arguments.
        clock: The time, for the age of a cell.
        slow: Takes the bound arguments; a coroutine function if `original` is one.
    """
    signature = inspect.signature(original)
    parameters = signature.parameters.values()
    names = [parameter.name for parameter in parameters]
    tuple_of = "".join(f"{name}, " for name in names)
    keys = [_alias_of(name, first=name == names[0]) for name in names if name in counting]
    quick = all(p.kind not in _VARIABLE for p in parameters if p.name in counting)
    name = original.__name__ if _is_name(original.__name__) else "_hf_wrapper"
    coroutine = inspect.iscoroutinefunction(original)
    source = (_HIT if quick else _NO_HIT) + _REST
    source = source.format(
        kind="async def" if coroutine else "def",
        name=name,
        wait="await " if coroutine else "",
        parameters=_parameters(signature),
        alias=", ".join(keys) or "()",
        names=tuple_of,
        unpack=f"{tuple_of}= _hf_values" if names else "pass",
        arguments=", ".join(map(_argument, parameters)),
    )
    scope: dict[str, Any] = {
        "_hf_index": index,
        "_hf_clock": clock,
        "_hf_slow": slow,
        "_hf_original": original,
    }
    exec(_compiled(source, original), scope)  # noqa: S102 - made of a signature's names alone
    function, bind = scope.pop(name), scope["_hf_bind"]
    for made in (function, bind):
        _give_defaults(made, signature)
    bind.__qualname__ = original.__qualname__  # it is asked, too, and its errors are users'
    return Wrapper(function, bind, scope["_hf_call"])


def _compiled(source: str, original: Callable[..., Any]) -> CodeType:
    """Return the code of `source`, whose lines tracebacks can show."""
    where = f"<holdfast wrapper of {original.__module__}.{original.__qualname__}>"
    linecache.cache[where] = len(source), None, source.splitlines(keepends=True), where
    return compile(source, where, "exec")


def _is_name(text: str) -> bool:
    own = text.startswith("_hf_")
    return text.isidentifier() and not own and not keyword.iskeyword(text)


def alias(counting: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return what the index holds a call with these arguments under; None: it must not hold it.

    Only exact plain scalars: others may change, or be equal to what they are not. Zero floats have
    two signs that are equal. Long ones are kept by nobody but their caller.
    """
    parts: list[Any] = []
    for number, (name, value) in enumerate(counting.items()):
        is_self = number == 0 and name == "self"
        if is_self and not hasattr(value, "__cache_key__"):
            return None
        key = value.__cache_key__() if is_self else value
        if type(key) not in _SCALARS or (type(key) is float and not key):
            return None
        if key.__sizeof__() > _LONG:
            return None
        parts += (key, type(key))
        if is_self:
            parts += (type(value), None)
    return tuple(parts)


def _alias_of(name: str, *, first: bool) -> str:
    if first and name == "self":  # counts by its key, and whose key it is
        return "(_hf_me := self.__cache_key__()), _hf_me.__class__, self.__class__, None"
    return f"{name}, {name}.__class__"


def _parameters(signature: inspect.Signature) -> str:
    bare = [
        parameter.replace(
            annotation=inspect.Parameter.empty,
            default=inspect.Parameter.empty if _no_default(parameter) else None,
        )
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))[1:-1]


def _no_default(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty


def _argument(parameter: inspect.Parameter) -> str:
    name = parameter.name
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return f"*{name}"
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return f"**{name}"
    return f"{name}={name}" if parameter.kind is inspect.Parameter.KEYWORD_ONLY else name


def _give_defaults(made: Any, signature: inspect.Signature) -> None:
    with_default = [p for p in signature.parameters.values() if not _no_default(p)]
    only = inspect.Parameter.KEYWORD_ONLY
    made.__defaults__ = tuple(p.default for p in with_default if p.kind is not only) or None
    made.__kwdefaults__ = {p.name: p.default for p in with_default if p.kind is only} or None
