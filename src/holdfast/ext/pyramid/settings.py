"""Settings of Pyramid: what `holdfast.session.*` and `holdfast.limit.*` of an .ini file mean.

Law: no I/O. What a text means follows from the type of its option. What means nothing is a
`ConfigError` that begins with its key.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, get_type_hints

from holdfast.cache.region_options import unknown
from holdfast.cache.region_text import at, meant
from holdfast.errors import ConfigError
from holdfast.ext.pyramid.limits import Limits
from holdfast.limit import Limiter
from holdfast.session import Sessions
from holdfast.signing import KeyRing
from holdfast.store.registry import open_store
from holdfast.web.keys import Key, by_address, by_header, by_session, by_user
from holdfast.web.token_header import Header
from holdfast.web.transport import Cookie, Transport

__all__ = ["LIMIT", "SESSION", "limits_from", "sessions_from"]

SESSION = "holdfast.session."
LIMIT = "holdfast.limit."
_DOTTED = ("check_user", "schema", "observer", "clock")  # objects of the application's own
_RINGS: dict[str, Callable[[str], KeyRing]] = {
    "secrets_file": KeyRing.in_file,
    "secrets_env": KeyRing.from_env,
}

Resolve = Callable[[str], Any]
"""Returns the object of a dotted name."""


class _Texts:
    """The settings under one prefix, each read once.

    Args:
        settings: All there are; values may be text.
        prefix: What ours begin with.
    """

    def __init__(self, settings: Mapping[str, Any], prefix: str) -> None:
        self.prefix = prefix
        self.left = {
            key.removeprefix(prefix): value
            for key, value in settings.items()
            if key.startswith(prefix)
        }

    def take(self, option: str, kind: Any = str, default: Any = None) -> Any:
        """Return what one option means, or `default` if it is not there."""
        if option not in self.left:
            return default
        with at(self.prefix + option):
            return meant(self.left.pop(option), kind)

    def take_all(self, kinds: Mapping[str, Any], resolve: Resolve) -> dict[str, Any]:
        """Return what the rest means.

        Raises:
            ConfigError: There is no such option, or it cannot be meant.
        """
        taken: dict[str, Any] = {}
        for option in list(self.left):
            key = self.prefix + option
            if option not in kinds:
                raise ConfigError(f"{key}: {unknown('option', option, kinds)}")
            if option in _DOTTED:
                taken[option] = _resolved(key, self.left.pop(option), resolve)
            else:
                taken[option] = self.take(option, kinds[option])
        return taken

    @contextmanager
    def named(self) -> Iterator[None]:
        """Let an error that begins with an option begin with its key."""
        try:
            yield
        except ConfigError as error:
            if str(error).startswith(self.prefix):
                raise
            colon = "" if re.match(r"\w+[=:]", str(error)) else "*: "
            raise ConfigError(f"{self.prefix}{colon}{error}") from error


def sessions_from(settings: Mapping[str, Any], resolve: Resolve) -> Sessions[Any] | None:
    """Return the sessions that settings ask for; None if none begins with `holdfast.session.`.

    Raises:
        ConfigError: A setting is wrong; the message begins with its key.
    """
    texts = _Texts(settings, SESSION)
    if not texts.left:
        return None
    transport = _transport(settings, texts)
    secrets = _secrets(texts)
    in_cookie, url = texts.take("in_cookie", bool, default=False), texts.take("url")
    if in_cookie == (url is not None):
        raise ConfigError(
            f"{SESSION}url: say where sessions are kept, such as redis://localhost/0; or "
            f"{SESSION}in_cookie = true, with secrets, and no url"
        )
    make = Sessions.in_cookie if in_cookie else Sessions
    kinds = _kinds(Sessions.in_cookie if in_cookie else Sessions.__init__)
    options = texts.take_all(kinds, resolve)
    if secrets is not None:
        options["secrets"] = secrets
    with texts.named():
        if in_cookie:
            return make(transport=transport, **{"secrets": [], **options})
        return make(_store(SESSION, url), transport=transport, **options)


def limits_from(settings: Mapping[str, Any], resolve: Resolve) -> Limits | None:
    """Return the limits that settings ask for; None if none begins with `holdfast.limit.`.

    Raises:
        ConfigError: A setting is wrong; the message begins with its key.
    """
    texts = _Texts(settings, LIMIT)
    if not texts.left:
        return None
    rates, url = texts.take("rates"), texts.take("url")
    if url is None:
        raise ConfigError(f"{LIMIT}url: say where to count, such as redis://localhost/0")
    proxies = texts.take("trusted_proxies", Sequence[str], default=())
    with texts.named():
        key = _key(
            texts.take("key", default="address"), by_address(trusted_proxies=proxies), resolve
        )
        options = texts.take_all(_kinds(Limiter.__init__), resolve)
        limiter = Limiter(_store(LIMIT, url), **options)
        return Limits(limiter, key, rates)


def _kinds(made_by: Callable[..., Any]) -> dict[str, Any]:
    """Return the options that can be written as text, with their types."""
    others = ("return", "self", "cls", "store", "transport")
    return {name: kind for name, kind in get_type_hints(made_by).items() if name not in others}


def _store(prefix: str, url: str) -> Any:
    with at(f"{prefix}url"):
        return open_store(url)


def _secrets(texts: _Texts) -> KeyRing | None:
    given = [option for option in ("secrets", *_RINGS) if option in texts.left]
    if len(given) > 1:
        raise ConfigError(f"{texts.prefix}{given[1]}: {texts.prefix}{given[0]} is there as well")
    for option in given:
        if option in _RINGS:
            with at(texts.prefix + option):
                return _RINGS[option](texts.take(option))
    return None


def _transport(settings: Mapping[str, Any], texts: _Texts) -> Transport:
    """Return the transport of `cookie.*`, or that of `header`."""
    cookie = _Texts(settings, f"{texts.prefix}cookie.")
    for option in cookie.left:
        del texts.left[f"cookie.{option}"]
    header = texts.take("header")
    if header is not None:
        if cookie.left:
            raise ConfigError(f"{texts.prefix}header: there are settings of a cookie as well")
        with at(f"{texts.prefix}header"):
            return Header(header)
    kinds = {name: kind for name, kind in get_type_hints(Cookie).items() if name in _COOKIE}
    options = cookie.take_all(kinds, _no_object)
    with cookie.named():
        return Cookie(**options)


_COOKIE = (
    "name", "domain", "path", "secure", "same_site", "http_only", "partitioned", "persistent",
    "insecure", "max_chunks", "clear_site_data",
)  # fmt: skip


def _key(text: Any, otherwise: Key, resolve: Resolve) -> Key:
    """Return whose bucket a request falls into."""
    if text == "address":
        return otherwise
    if text == "session":
        return functools.partial(by_session, otherwise=otherwise)
    if text == "user":
        return functools.partial(by_user, otherwise=otherwise)
    if isinstance(text, str) and text.startswith("header:"):
        return by_header(text.removeprefix("header:").strip(), otherwise=otherwise)
    key: Key = _resolved(f"{LIMIT}key", text, resolve)
    return key


def _resolved(key: str, text: Any, resolve: Resolve) -> Any:
    """Return the object a dotted name stands for; what is no text is the object itself."""
    if not isinstance(text, str):
        return text
    try:
        return resolve(text.strip())
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{key}={text!r}: no such object: {error}") from error


def _no_object(text: str) -> Any:
    raise ConfigError(text)
