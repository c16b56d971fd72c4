"""The options of sessions and caches: texts of an INI file as what they mean.

Law: pure; the same texts mean the same as in Beaker, and what is refused there is refused here. The
options that no rule names pass as they are. Users import it all from `beaker.util`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from holdfast.compat.beaker.converters import asbool

__all__ = [
    "DEFAULT_CACHE_KEY_LENGTH",
    "asint",
    "coerce_cache_params",
    "coerce_session_params",
    "parse_cache_config_options",
    "verify_options",
    "verify_rules",
]

Rule = tuple[str, tuple[type, ...], str]

DEFAULT_CACHE_KEY_LENGTH = 250
_NONE = type(None)
_DIGITS = re.compile(r"\d+$")


def asint(obj: Any) -> int:
    """Return a number, or the digits of a text as one.

    Raises:
        Exception: It is neither.
    """
    is_number = isinstance(obj, int) or (isinstance(obj, str) and _DIGITS.match(obj))
    if not is_number:
        raise Exception("This is not a proper int")  # noqa: TRY002 - what the past raised
    return obj if isinstance(obj, int) else int(obj)


def _coerced(opt: Any, kind: type) -> Any:
    """Return `opt` as a `kind`; raise anything if it cannot be one."""
    if kind in (list, tuple):
        return [part.strip() for part in opt.split(",")]
    if kind in (timedelta, datetime):
        raise TypeError(f"{opt!r} is no {kind.__name__}, and no text can be one")
    convert: dict[type, Callable[[Any], Any]] = {bool: asbool, int: asint}
    return convert.get(kind, kind)(opt)


def verify_options(opt: Any, types: type | tuple[type, ...], error: str) -> Any:
    """Return `opt` if it is of one of `types`, else as the first of them that it can be.

    Raises:
        Exception: It can be none, or is an empty text; with `error` as its message.
    """
    if isinstance(opt, types):
        if isinstance(opt, str) and not opt.strip():
            raise Exception(f"Empty strings are invalid for: {error}")  # noqa: TRY002 - as in `asint`
        return opt
    for kind in types if isinstance(types, tuple) else (types,):
        with suppress(Exception):
            return _coerced(opt, kind)
    raise Exception(error)  # noqa: TRY002 - as in `asint`


def verify_rules(
    params: MutableMapping[str, Any], ruleset: Iterable[Rule]
) -> MutableMapping[str, Any]:
    """Put `params` right in place by rules `(name, types, message)`; return them."""
    for name, types, message in ruleset:
        if name in params:
            params[name] = verify_options(params[name], types, message)
    return params


_TEXT, _FLAG, _NUMBER = (str, _NONE), (bool, _NONE), (int, _NONE)
_FOLDERS: list[Rule] = [
    (name, _TEXT, f"{name} must be a string referring to a directory.")
    for name in ("data_dir", "lock_dir")
]
_SESSION: list[Rule] = [
    *_FOLDERS,
    ("type", _TEXT, "Session type must be a string."),
    (
        "cookie_expires",
        (bool, datetime, timedelta, int),
        "Cookie expires was not a boolean, datetime, int, or timedelta instance.",
    ),
    ("cookie_domain", _TEXT, "Cookie domain must be a string."),
    ("cookie_path", _TEXT, "Cookie path must be a string."),
    ("id", (str,), "Session id must be a string."),
    ("key", (str,), "Session key must be a string."),
    *((name, _TEXT, f"Session {name} must be a string.") for name in ("secret", "validate_key")),
    ("encrypt_key", _TEXT, "Session encrypt_key must be a string."),
    ("encrypt_nonce_bits", _NUMBER, "Session encrypt_nonce_bits must be a number"),
    *((name, _FLAG, f"Session {name} must be a boolean.") for name in ("secure", "httponly")),
    ("timeout", _NUMBER, "Session timeout must be an integer."),
    (
        "save_accessed_time",
        _FLAG,
        "Session save_accessed_time must be a boolean (defaults to true).",
    ),
    ("auto", _FLAG, "Session is created if accessed."),
    ("webtest_varname", _TEXT, "Session varname must be a string."),
    ("data_serializer", (str,), "data_serializer must be a string."),
]
_CACHE: list[Rule] = [
    *_FOLDERS,
    ("type", (str,), "Cache type must be a string."),
    ("enabled", _FLAG, "enabled must be true/false if present."),
    (
        "expire",
        _NUMBER,
        "expire must be an integer representing how many seconds the cache is valid for",
    ),
    ("regions", (list, tuple, _NONE), "Regions must be a comma separated list of valid regions"),
    (
        "key_length",
        _NUMBER,
        "key_length must be an integer which indicates the longest a key can be before hashing",
    ),
]


def coerce_session_params(params: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the options of a session right in place, texts of an INI file too; return them.

    Raises:
        Exception: One of them cannot be what it should be.
    """
    verify_rules(params, _SESSION)
    expires = params.get("cookie_expires")
    if isinstance(expires, int) and not isinstance(expires, bool) and expires:
        params["cookie_expires"] = timedelta(seconds=expires)
    if params.get("timeout") is not None and not params.get("save_accessed_time", True):
        raise Exception("save_accessed_time must be true to use timeout")  # noqa: TRY002
    return params


def coerce_cache_params(params: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the options of a cache right in place, texts of an INI file too; return them.

    Raises:
        Exception: One of them cannot be what it should be.
    """
    return verify_rules(params, _CACHE)


def parse_cache_config_options(
    config: Mapping[str, Any], include_defaults: bool = True
) -> dict[str, Any]:
    """Return the options of a `CacheManager` from those of a whole application.

    Args:
        config: Those that begin with `cache.` or `beaker.cache.` count.
        include_defaults: Whether those that are missing are there, too.
    """
    options: dict[str, Any] = {}
    if include_defaults:
        options = {"type": "memory", "data_dir": None, "expire": None, "log_file": None}
    for key, value in config.items():
        for prefix in ("beaker.cache.", "cache."):
            if key.startswith(prefix):
                options[key.removeprefix(prefix)] = value
    coerce_cache_params(options)
    if include_defaults:
        options.setdefault("enabled", True)
    regions = options.pop("regions", None)
    if regions:
        options["cache_regions"] = {name: _region(options, name) for name in regions if name}
    return options


def _region(options: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the options of one region; those that are its own leave `options`."""
    region = {key: options.get(key) for key in ("data_dir", "lock_dir", "type")}
    region["enabled"] = options.get("enabled", True)
    region["expire"] = options.get("expire")
    region["key_length"] = options.get("key_length", DEFAULT_CACHE_KEY_LENGTH)
    own = [key for key in options if key.startswith(f"{name}.")]
    region.update((key.removeprefix(f"{name}."), options.pop(key)) for key in own)
    coerce_cache_params(region)
    return region
