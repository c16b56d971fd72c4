"""Transports: how a session's token travels between client and server.

Law: a transport knows names, attributes and room, never what a token means. Whatever it was sent
that is not exactly one whole token is no token; it then names the cookies the answer must expire.
Settings that cannot hold together are a `ConfigError` when it is made. Sessions have one transport:
what comes by another way is not looked at.
"""

import base64
import hashlib
import math
import re
import warnings
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, Protocol, runtime_checkable

from holdfast.errors import ConfigError, SessionTooLarge
from holdfast.web.cookie import (
    LONGEST_AGE,
    MAX_PAIR,
    attribute,
    cookie_name,
    expired,
    pairs,
    set_cookie,
    values,
)

__all__ = ["NOTHING", "Carried", "Cookie", "Fields", "Transport"]

Carried = tuple[str | None, tuple[str, ...], str]
"""What a request carried: the token; the cookies that go when the token is written or forgotten;
and the event to tell, empty where all is well. Where it is not, the answer expires them."""
Fields = list[tuple[str, str]]
"""Response headers."""

NOTHING: Carried = (None, (), "")

_MOST_CHUNKS = 10
_DIGITS = len(str(_MOST_CHUNKS))
_MOST_EXPIRED = 2 * _MOST_CHUNKS  # in one answer: names a client made up must not fill its headers
_LEAST_ROOM = 512  # bytes: a token of a stored session takes 43, of the smallest sealed one 250
_HOST = "__Host-"
_SECURE = "__Secure-"
_HEAD = re.compile(r"([2-9]|10)\.([A-Za-z0-9_-]{22})")  # how many chunks, and the hash of the whole
_CLEAR_SITE_DATA = ("Clear-Site-Data", '"cache", "storage"')
_PATH = re.compile(r"/.*", re.DOTALL)  # what else it may not have is said where it is written
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.\-]*[A-Za-z0-9])?")


@runtime_checkable
class Transport(Protocol):
    """What the middlewares ask of a transport."""

    @property
    def bound_name(self) -> str:
        """The name on the wire; what a cookie-only token is sealed for."""

    @property
    def room(self) -> int:
        """Bytes a token may take."""

    @property
    def header(self) -> str:
        """The request header the token comes in: what the answer varies by."""

    @property
    def personal(self) -> bool:
        """Whether caches must be told that what looked at a session is one client's.

        They know what Cookie means; of other headers many do not even obey Vary.
        """

    @property
    def farewell(self) -> Fields:
        """Response headers for a client whose session was destroyed, beside those of `forget`."""

    def read(self, raw: str) -> Carried:
        """Return what the request header `raw` carried."""

    def write(
        self, token: str, *, max_age: int | None = None, expire: tuple[str, ...] = ()
    ) -> Fields:
        """Return the response headers that give the client `token`.

        Args:
            token: What is to travel.
            max_age: Seconds the client may keep it; None: the transport's own default.
            expire: What `read` said must be expired; what is set anew is not.
        """

    def forget(self, expire: tuple[str, ...] = ()) -> Fields:
        """Return the response headers that make the client drop its token and all of `expire`."""


@dataclass(frozen=True)
class Cookie:
    """The token in a cookie: `__Host-`, Secure, HttpOnly, SameSite=Lax unless told otherwise.

    Attributes:
        name: The cookie's name. `__Host-` is put before it, `__Secure-` where a domain or a path
            forbids that, nothing where it has such a prefix already.
        domain: Send it to the subdomains of this domain too. Any of them can then plant a session.
        path: Send it below this path only.
        secure: False is allowed with `insecure=True` only.
        same_site: "Lax", "Strict" or "None".
        http_only: Keep it from scripts.
        partitioned: One jar per top-level site (CHIPS).
        persistent: Keep it when the browser closes, as long as the session may live.
        insecure: For plain http on a developer's machine: no prefix, no Secure, and a warning.
        max_chunks: Split a longer token over up to this many cookies, 10 at most; servers commonly
            refuse more than 8 kB of request headers.
        clear_site_data: Have the browser drop this origin's cache and storage when the session is
            destroyed (`Clear-Site-Data`). Other cookies stay: theirs may be other applications.

    Raises:
        ConfigError: The settings contradict each other.
    """

    name: str = "sid"
    _: KW_ONLY
    domain: str | None = None
    path: str = "/"
    secure: bool = True
    same_site: Literal["Lax", "Strict", "None"] = "Lax"
    http_only: bool = True
    partitioned: bool = False
    persistent: bool = False
    insecure: bool = False
    max_chunks: int = 1
    clear_site_data: bool = False

    bound_name: str = field(init=False, repr=False, compare=False)
    header: str = field(init=False, default="Cookie", repr=False, compare=False)
    personal: bool = field(init=False, default=False, repr=False, compare=False)
    room: int = field(init=False, repr=False, compare=False)
    _attributes: str = field(init=False, repr=False, compare=False)
    _chunk_room: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cookie_name(self.name)
        _check(self)
        attributes = _attributes(self)
        bound_name = self.name if self.insecure else _prefix(self) + self.name
        single = MAX_PAIR - len(bound_name) - 1  # some browsers count the "=" too
        # a chunk's whole line stays below 4096: some proxies drop a longer one in silence
        around = f"{bound_name}.{_MOST_CHUNKS}={attributes}; Max-Age={LONGEST_AGE}"
        chunk_room = MAX_PAIR - len(around)
        if chunk_room < _LEAST_ROOM:
            raise ConfigError(f"Cookie({self.name[:20]!r}...): the name leaves no room for a token")
        whole = self.max_chunks * chunk_room if self.max_chunks > 1 else single
        for name, value in (
            ("bound_name", bound_name),
            ("room", whole),
            ("_attributes", attributes),
            ("_chunk_room", chunk_room),
        ):
            object.__setattr__(self, name, value)
        if self.insecure:
            warnings.warn(
                f"Cookie({self.name!r}, insecure=True) travels unprotected: for development only",
                stacklevel=3,
            )

    def read(self, raw: str) -> Carried:
        """Return the token in the Cookie header `raw`, or what is wrong with it."""
        if self.max_chunks > 1:
            return self._read_chunks(raw)
        found = values(raw, self.bound_name)
        if not found:
            return NOTHING
        if len(found) == 1:
            return found[0], (), ""
        return None, (self.bound_name,), "cookie_tossing"

    def write(
        self, token: str, *, max_age: int | None = None, expire: tuple[str, ...] = ()
    ) -> Fields:
        """Return the Set-Cookie headers for `token`.

        Raises:
            SessionTooLarge: It does not fit.
        """
        if len(token) > self.room:
            raise SessionTooLarge(len(token), self.room, [])
        attributes = self._attributes + _max_age(max_age)
        parts = self._split(token)
        headers = []
        for name, value in parts.items():
            line = set_cookie(name, value, attributes)
            if len(line) > MAX_PAIR:
                warnings.warn(
                    f"a Set-Cookie of {len(line)} bytes: some proxies drop more than {MAX_PAIR}",
                    stacklevel=2,
                )
            headers.append(("Set-Cookie", line))
        surplus = [name for name in expire if name not in parts]
        return headers + [("Set-Cookie", self._expired(name)) for name in surplus]

    def forget(self, expire: tuple[str, ...] = ()) -> Fields:
        """Return the Set-Cookie headers that expire our cookie and all of `expire`."""
        names = dict.fromkeys((self.bound_name, *expire))
        return [("Set-Cookie", self._expired(name)) for name in names]

    @property
    def farewell(self) -> Fields:
        """Return what makes the browser drop what it keeps of this site, if that was asked for."""
        return [_CLEAR_SITE_DATA] if self.clear_site_data else []

    def _expired(self, name: str) -> str:
        return expired(name, self._attributes)

    def _split(self, token: str) -> dict[str, str]:
        """Return the cookies that carry `token`: itself, or a counted head and its chunks."""
        if self.max_chunks == 1 or len(token) <= self._chunk_room:
            return {self.bound_name: token}
        count = math.ceil(len(token) / self._chunk_room)
        chunks = {self.bound_name: f"{count}.{_digest(token)}"}
        for number in range(count):
            start = number * self._chunk_room
            chunks[f"{self.bound_name}.{number + 1}"] = token[start : start + self._chunk_room]
        return chunks

    def _read_chunks(self, raw: str) -> Carried:
        if self.bound_name not in raw:
            return NOTHING
        ours = [
            (name, value)
            for name, value in pairs(raw)
            if name == self.bound_name or _is_chunk(name, self.bound_name)
        ]
        if not ours:
            return NOTHING
        chunks = dict(ours)
        if len(chunks) < len(ours):
            return None, tuple(chunks)[:_MOST_EXPIRED], "cookie_tossing"
        tail = tuple(name for name in chunks if name != self.bound_name)
        head = chunks.get(self.bound_name, "")
        if not tail and _HEAD.fullmatch(head) is None:
            return head, (), ""
        token = self._joined(chunks, head)
        if token is None:
            return None, tuple(chunks)[:_MOST_EXPIRED], "chunks_rejected"
        return token, tail, ""

    def _joined(self, chunks: dict[str, str], head: str) -> str | None:
        """Return the token if its head counts exactly these chunks and they hash to it."""
        counted = _HEAD.fullmatch(head)
        if counted is None or int(counted[1]) > self.max_chunks:
            return None
        names = [f"{self.bound_name}.{number + 1}" for number in range(int(counted[1]))]
        if len(chunks) != len(names) + 1 or not all(name in chunks for name in names):
            return None
        token = "".join(chunks[name] for name in names)
        return token if _digest(token) == counted[2] else None


def _is_chunk(name: str, bound_name: str) -> bool:
    """Return whether `name` is `bound_name`, a dot and a number as short as ours are."""
    head, dot, number = name.rpartition(".")
    return bool(dot) and head == bound_name and number.isdecimal() and len(number) <= _DIGITS


def _digest(token: str) -> str:
    """Return 128 bits that tell this token's chunks from another's; the seal protects them."""
    hashed = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()[:16]
    return base64.urlsafe_b64encode(hashed).decode().rstrip("=")


def _max_age(seconds: int | None) -> str:
    if seconds is None:
        return ""
    if seconds > LONGEST_AGE:
        warnings.warn(
            f"Max-Age={seconds}: browsers keep a cookie for at most 400 days", stacklevel=3
        )
        seconds = LONGEST_AGE
    return f"; Max-Age={max(0, int(seconds))}"


def _prefix(cookie: Cookie) -> str:
    """Return the strongest prefix these settings allow, or nothing if the name has one."""
    if cookie.name.startswith((_HOST, _SECURE)):
        return ""
    return _SECURE if cookie.domain is not None or cookie.path != "/" else _HOST


def _check(cookie: Cookie) -> None:
    """Raise `ConfigError` for settings that browsers would refuse or that contradict each other."""
    name, prefixed = cookie.name, cookie.name.lower().startswith(("__host-", "__secure-"))
    faults = {
        "secure=False needs insecure=True, for development": not (cookie.secure or cookie.insecure),
        "insecure=True: write the name without prefix": cookie.insecure and prefixed,
        "write the prefix as __Host- or __Secure-": prefixed
        and not name.startswith((_HOST, _SECURE)),
        "a __Host- cookie has no domain": name.startswith(_HOST) and cookie.domain is not None,
        "a __Host- cookie has path='/'": name.startswith(_HOST) and cookie.path != "/",
        "a __Host-Http- cookie is HttpOnly": name.startswith("__Host-Http-")
        and not cookie.http_only,
        "same_site is 'Lax', 'Strict' or 'None'": cookie.same_site not in ("Lax", "Strict", "None"),
        "same_site='None' needs Secure: not with insecure=True": cookie.same_site == "None"
        and cookie.insecure,
        "partitioned needs Secure: not with insecure=True": cookie.partitioned and cookie.insecure,
        "path begins with '/'": not _is_text(cookie.path, _PATH),
        "domain is a name such as 'example.com'": cookie.domain is not None
        and not _is_text(cookie.domain, _DOMAIN),
        f"max_chunks is 1 to {_MOST_CHUNKS}": cookie.max_chunks not in range(1, _MOST_CHUNKS + 1),
    }
    for fault, found in faults.items():
        if found:
            raise ConfigError(f"Cookie({name!r}): {fault}")


def _is_text(value: object, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _attributes(cookie: Cookie) -> str:
    """Return the end of every Set-Cookie line, the same when it is set and when it expires."""
    text = attribute("Path", cookie.path)
    if cookie.domain is not None:
        text += attribute("Domain", cookie.domain)
    if not cookie.insecure:
        text += "; Secure"
    if cookie.http_only:
        text += "; HttpOnly"
    text += attribute("SameSite", cookie.same_site)
    return text + "; Partitioned" if cookie.partitioned else text
