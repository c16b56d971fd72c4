"""Options of regions as text: from INI settings, and from the environment.

Law: pure. What a text means follows from the type of its option; what means nothing, or two things,
is a `ConfigError` that begins with the key or the variable.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from holdfast.cache.region_options import DEFAULT, Given, Written, kinds, named, nearest, unknown
from holdfast.errors import ConfigError

__all__ = ["at", "meant", "over", "read"]

_VARIABLE = "HOLDFAST_CACHE_"
_TRUTH = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(
    ("false", "no", "off", "0"), False
)


def read(settings: Mapping[str, Any], prefix: str) -> Given:
    """Return what INI settings say.

    Args:
        settings: Their keys and texts; a value that is no text is taken as it is.
        prefix: What the keys begin with, such as `holdfast.cache.`.

    Raises:
        ConfigError: No key begins so; a region or an option is unknown; a text means nothing.
    """
    source = _Source(settings, prefix, regions="regions", enabled="enabled")
    if not source.keys:
        raise ConfigError(f"no setting begins with {prefix}: write {prefix}regions = short_term")

    def meaning(rest: str, regions: Collection[str]) -> tuple[str, str]:
        region, _, option = rest.rpartition(".")
        if not region:
            raise ConfigError(f"of which region? For all of them write {prefix}{DEFAULT}.{rest}")
        if region not in regions and region != DEFAULT:
            raise ConfigError(f"{unknown('region', region, regions)}; see {prefix}regions")
        if option not in kinds():
            raise ConfigError(unknown("option", option, kinds()))
        return region, option

    return source.over(Given(), meaning)


def over(below: Given, environ: Mapping[str, str]) -> Given:
    """Return `below` with what environment variables say in its place.

    Raises:
        ConfigError: A variable that begins with `HOLDFAST_CACHE_` means nothing, or two things.
    """

    def meaning(rest: str, regions: Collection[str]) -> tuple[str, str]:
        meanings = _variables({*regions, DEFAULT})
        if len(meanings.get(rest, ())) != 1:
            raise ConfigError(_no_variable(rest, meanings))
        return meanings[rest][0]

    return _Source(environ, _VARIABLE, regions="REGIONS", enabled="ENABLED").over(below, meaning)


class _Source:
    """Texts under keys.

    Args:
        texts: All there are; those of others are left alone.
        prefix: What our keys begin with.
        regions: The key, after the prefix, under which the names of regions stand.
        enabled: The key of the main switch.
    """

    def __init__(
        self, texts: Mapping[str, Any], prefix: str, *, regions: str, enabled: str
    ) -> None:
        self._texts = texts
        self.keys = {key.removeprefix(prefix): key for key in texts if key.startswith(prefix)}
        self._regions = regions
        self._enabled = enabled

    def over(
        self, below: Given, meaning: Callable[[str, Collection[str]], tuple[str, str]]
    ) -> Given:
        """Return `below` with what stands here in its place.

        Args:
            below: What counts where nothing stands here.
            meaning: Takes a key, after the prefix, and the names of regions; returns a region and
                an option.
        """
        regions = {region: dict(options) for region, options in below.regions.items()}
        for name in self._read(self._regions, Sequence[str], ()):
            with at(self.keys[self._regions]):
                regions.setdefault(named(name), {})
        names = tuple(regions)
        for rest, key in self.keys.items():
            if rest not in (self._regions, self._enabled):
                with at(key):
                    region, option = meaning(rest, names)
                value = self._read(rest, kinds()[option])
                regions.setdefault(region, {})[option] = Written(value, key)
        return Given(regions, below.others, self._read(self._enabled, bool, below.enabled))

    def _read(self, rest: str, kind: Any, default: Any = None) -> Any:
        if rest not in self.keys:
            return default
        key = self.keys[rest]
        with at(key):
            return meant(self._texts[key], kind)


def _variables(regions: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """Return what the rest of a variable's name may mean: a region and an option."""
    meanings: dict[str, list[tuple[str, str]]] = {}
    for region in sorted(regions):
        for option in kinds():
            rest = f"{region}_{option}".replace("-", "_").upper()
            meanings.setdefault(rest, []).append((region, option))
    return meanings


def _no_variable(rest: str, meanings: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    if rest in meanings:
        both = " or ".join(f"{region}.{option}" for region, option in meanings[rest])
        return f"{both}? Give one of these regions another name"
    near = nearest(rest, meanings)
    meant = f"did you mean {_VARIABLE}{near}? Else " if near else ""
    return f"{meant}it is {_VARIABLE}<REGION>_<OPTION>, of a region that is configured"


@contextmanager
def at(where: str) -> Iterator[None]:
    """Let a `ConfigError` begin with where the text stands."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def meant(text: Any, kind: Any) -> Any:
    """Return what `text` means for an option of the type `kind`.

    Raises:
        ConfigError: Nothing.
    """
    if not isinstance(text, str):
        return text
    one_of = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    text = text.strip()
    if NoneType in one_of and text.lower() == "none":
        return None
    if any(get_origin(each) in (Sequence, Iterable) for each in one_of):
        return [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]
    if not text:
        raise ConfigError("there is nothing after the '='")
    return _scalar(text, one_of)


def _scalar(text: str, one_of: Collection[Any]) -> Any:
    """Return what `text` means for one of these types."""
    if bool in one_of and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    words = [word for each in one_of if get_origin(each) is Literal for word in get_args(each)]
    if text in words:
        return text
    for simple, read_as in _READ_AS.items():
        if simple in one_of:
            return read_as(text)
    if words:
        raise ConfigError(f"{text!r}: write {' or '.join(words)}")
    raise ConfigError("this cannot be written as text: give it to regions.configure(...)")


def _no_boolean(text: str) -> bool:
    raise ConfigError(f"{text!r}: write true or false")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(f"{text!r}: write a whole number") from error


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"{text!r}: write a number, such as 0.5") from error


_READ_AS: dict[type, Callable[[str], Any]] = {
    str: str,
    bool: _no_boolean,
    int: _whole,
    float: _number,
}
"""By type, those before others first: a duration may be text, so it stays text."""
