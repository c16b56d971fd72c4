"""Addresses: a store's URL in its parts, and its options with their types.

Law: what is wrong is a `ConfigError` that says the mend, and never repeats what may hold a
password. `Address.shown` is the only form of a URL that is fit for names, errors and logs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError

__all__ = ["Address", "Options", "listed", "parse"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/,\s]+)(?::([0-9]{1,5}))?")
_DISK = "write three slashes for a relative path and four for an absolute one, as in"
_YES = {"true": True, "yes": True, "on": True, "1": True}
_NO = {"false": False, "no": False, "off": False, "0": False}


class Options:
    """Options from a URL's query or given by name, with the types they shall have.

    Args:
        where: What the options belong to, for errors: `redis://` or `a redis.Redis`.
        given: The options; text, or for those given by name anything.
    """

    def __init__(self, where: str, given: Mapping[str, object]) -> None:
        self.where = where
        self.given = given

    def allow(self, *names: str) -> None:
        """Refuse every option but `names`, and `prefix` and `timeout`, which every store has."""
        known = {"prefix", "timeout", *names}
        unknown = set(self.given) - known
        if unknown:
            raise ConfigError(
                f"{self.where} has no option {listed(unknown)}; it has {listed(known)}"
            )

    def timeout(self, default: float = 1.0) -> float:
        """Return how many seconds an operation may take."""
        given = self.given.get("timeout")
        if given is None:
            return default
        if not isinstance(given, Duration):
            raise ConfigError("timeout: give seconds, a timedelta or text such as '2s'")
        timeout = seconds(given, option="timeout")
        if timeout <= 0:
            raise ConfigError(
                f"timeout={given!r}: an operation needs some time; the default is {default:g} s"
            )
        return timeout

    def text(self, name: str, default: str = "") -> str:
        """Return an option that is text."""
        given = self.given.get(name, default)
        if not isinstance(given, str):
            raise ConfigError(f"{name}: give text")
        return given

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return an option that is true or false."""
        given = self.given.get(name, default)
        if isinstance(given, bool):
            return given
        answer = (_YES | _NO).get(given.lower()) if isinstance(given, str) else None
        if answer is None:
            raise ConfigError(f"{name}: write true or false")
        return answer

    def whole(self, name: str, default: int, *, at_least: int = 0) -> int:
        """Return an option that is a whole number."""
        given = self.given.get(name, default)
        if isinstance(given, str) and re.fullmatch(r"[0-9]{1,18}", given):
            given = int(given)
        if not isinstance(given, int) or isinstance(given, bool) or given < at_least:
            raise ConfigError(f"{name}: give a whole number, at least {at_least}")
        return given


@dataclass(frozen=True, slots=True)
class Address:
    """A URL in its parts. Only `scheme`, `path`, `shown` and names of options may be shown.

    Attributes:
        scheme: In lower case, without `://`.
        user: What stands before the host, decoded; empty where there is none.
        password: The same.
        netloc: The hosts as written, without user and password.
        path: With its leading slash, decoded.
        bare: The whole URL but for its query, as written; an `@` in the password as `%40`.
        options: What stood in the query, and what was given by name, which wins.
    """

    scheme: str
    user: str
    password: str
    netloc: str
    path: str
    bare: str
    options: Options

    @property
    def shown(self) -> str:
        """The URL without user, password and query."""
        return f"{self.scheme}://{self.netloc}{self.path}"

    def hosts(self, port: int) -> list[tuple[str, int]]:
        """Return the hosts with their ports; `port` where none is written, localhost for no host.

        Raises:
            ConfigError: One cannot be read.
        """
        found = []
        for written in self.netloc.split(",") if self.netloc else ["localhost"]:
            match = _HOST.fullmatch(written)
            number = int(match[2] or port) if match else 0
            if match is None or not _is_host(match[1]) or not 0 < number < 65_536:
                raise ConfigError(
                    f"{self.scheme}:// has a host that cannot be read: write"
                    f" {self.scheme}://host:{port}, several with commas, IPv6 in brackets; in"
                    " user and password write '@', ':', ',' and '/' as %40, %3A, %2C and %2F"
                )
            found.append((match[1].strip("[]"), number))
        return found

    def disk_path(self, example: str) -> str:
        """Return the path on disk: `scheme:///a` is relative, `scheme:////a` absolute.

        Raises:
            ConfigError: There is none, or there is a host.
        """
        shown = f"{self.scheme}:///{example} or {self.scheme}:////srv/{example}"
        if self.netloc:
            raise ConfigError(f"{self.scheme}:// has no host: {_DISK} {shown}")
        path = self.path[1:]
        if not path.strip("/") or "\0" in path:
            raise ConfigError(f"{self.scheme}:// needs a path: {_DISK} {shown}")
        if path.startswith("//"):
            raise ConfigError(f"{self.scheme}:// has too many slashes: {_DISK} {shown}")
        return path


def _is_host(name: str) -> bool:
    try:
        name.encode("idna")  # as sockets do, which would raise this at the first use
    except UnicodeError:
        return False
    return True


def parse(url: str, options: Mapping[str, object], schemes: str) -> Address:
    """Return the parts of `url`; `options` win over those in its query.

    Raises:
        ConfigError: It is no URL; `schemes` are named.
    """
    scheme, colon, _ = url.partition("://")
    if not colon or _SCHEME.fullmatch(scheme) is None:
        raise ConfigError(f"a store's URL begins with one of {schemes}")
    scheme = scheme.lower()
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(
            parts.query,
            keep_blank_values=True,
            strict_parsing=bool(parts.query),
            errors="strict",
        )
        before, at, netloc = parts.netloc.rpartition("@")
        user, password, path = (
            unquote(part, errors="strict")
            for part in (before.partition(":")[0], before.partition(":")[2], parts.path)
        )
    except ValueError:
        raise ConfigError(
            f"the {scheme}:// URL cannot be read: write options as ?a=1&b=2, and what is special"
            " as %40 and the like, in UTF-8"
        ) from None
    if parts.fragment:
        raise ConfigError(f"the {scheme}:// URL has a '#': write it as %23")
    if netloc and not at and "@" in parts.path:
        raise ConfigError(f"the {scheme}:// URL has a '/' before its '@': write it as %2F")
    given: dict[str, object] = dict(pairs)
    if len(given) < len(pairs):
        raise ConfigError(f"the {scheme}:// URL gives an option twice")
    given.update(options)
    login = before.replace("@", "%40") + at
    return Address(
        scheme=scheme,
        user=user,
        password=password,
        netloc=netloc,
        path=path,
        bare=f"{scheme}://{login}{netloc}{parts.path}",
        options=Options(f"{scheme}://", given),
    )


def listed(names: "set[str] | tuple[str, ...]") -> str:
    """Return names for a message, in order."""
    return ", ".join(sorted(names))
