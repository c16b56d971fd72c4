"""The header transport: a session's token in a header of its own, for clients that keep no cookies.

Law: as for every transport. No browser sends the header by itself, so no other site can either; but
scripts can read the token, and who keeps it is the client's affair.
"""

import re
from dataclasses import dataclass, field

from holdfast.errors import ConfigError, SessionTooLarge
from holdfast.web.transport import NOTHING, Carried, Fields

__all__ = ["Header"]

_LINE = 8190  # bytes of a header line that common servers and proxies take
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")  # with "_" it would be the same as "-" over WSGI
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
_MEANT = re.compile(
    r"(?i)(access-control|content|if|proxy|sec|x-forwarded)-.*|accept(-.*)?|authorization|age|"
    r"allow|cache-control|connection|cookie|date|etag|expect|expires|forwarded|from|host|"
    r"keep-alive|last-modified|link|location|origin|pragma|range|referer|retry-after|server|"
    r"set-cookie|te|trailer|transfer-encoding|upgrade|user-agent|vary|via|warning|www-authenticate"
)


@dataclass(frozen=True)
class Header:
    """The token in a request header; a new one in the response header of the same name.

    A client sends back what it was sent last; an empty header tells it to forget. Answers to which
    the session mattered are private: a shared cache must not keep them.

    Attributes:
        name: The header's name.

    Raises:
        ConfigError: No header of our own can be called so.
    """

    name: str = "X-Auth-Token"

    bound_name: str = field(init=False, repr=False, compare=False)
    room: int = field(init=False, repr=False, compare=False)
    personal: bool = field(init=False, default=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        given: object = self.name
        if not isinstance(given, str) or _NAME.fullmatch(given) is None:
            raise ConfigError(f"Header({self.name!r}): a name such as 'X-Auth-Token'")
        if _MEANT.fullmatch(self.name) is not None:
            raise ConfigError(f"Header({self.name!r}): this one has a meaning; take 'X-Auth-Token'")
        object.__setattr__(self, "bound_name", self.name.lower())
        object.__setattr__(self, "room", _LINE - len(f"{self.name}: \r\n"))

    @property
    def header(self) -> str:
        """The request header the token comes in."""
        return self.name

    @property
    def farewell(self) -> Fields:
        """Nothing beside: what the client keeps is its own affair."""
        return []

    def read(self, raw: str) -> Carried:
        """Return the token in the header `raw`; of several headers, joined by commas, none."""
        if _TOKEN.fullmatch(token := raw.strip(" \t")) is not None:
            return token, (), ""
        return (None, (), "header_repeated") if "," in raw else NOTHING

    def write(
        self,
        token: str,
        *,
        max_age: int | None = None,  # noqa: ARG002 - a header has no age
        expire: tuple[str, ...] = (),  # noqa: ARG002 - and is alone
    ) -> Fields:
        """Return the response header for `token`.

        Raises:
            SessionTooLarge: It does not fit.
            ConfigError: It has a character that is none of a token's.
        """
        if len(token) > self.room:
            raise SessionTooLarge(len(token), self.room, [])
        if _TOKEN.fullmatch(token) is None:
            raise ConfigError(f"the value of {self.name} has a character tokens do not have")
        return [(self.name, token)]

    def forget(self, expire: tuple[str, ...] = ()) -> Fields:  # noqa: ARG002 - there is but one
        """Return the empty header that tells the client to forget its token."""
        return [(self.name, "")]
