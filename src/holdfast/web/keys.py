"""Keys for the limit middlewares: who is counted together.

Law: a client cannot choose his key. A session counts only if a store knows it, a forwarded address
only as far as trusted proxies vouch for it, and whoever has neither falls into the bucket of his
address. A key has no secret in it.

    LimitMiddleware(app, limiter, "100/minute", key=by_user)
    LimitMiddleware(app, limiter, "100/minute", key=by_address(trusted_proxies=["10.0.0.0/8"]))
"""

import hashlib
import ipaddress
from collections.abc import Callable, Sequence

from holdfast.errors import ConfigError
from holdfast.web.request import Request

__all__ = ["Key", "bucket", "by_address", "by_header", "by_peer", "by_session", "by_user"]

Key = Callable[[Request], str | None]
"""Returns whose bucket a request falls into; None: it is not limited."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LOCAL = "address:local"  # who has no address speaks through a socket of this machine


def by_address(*, trusted_proxies: Sequence[str] = (), forwarded: str = "X-Forwarded-For") -> Key:
    """Return a key that counts by network address; IPv6 by /64, which is one customer's.

    Args:
        trusted_proxies: Addresses and networks (`10.0.0.0/8`) whose forwarding header counts;
            `"unix"` trusts whoever speaks through a unix socket.
        forwarded: The header they append the address of their own peer to.

    Raises:
        ConfigError: One of them is no address and no network.
    """
    if isinstance(trusted_proxies, str):
        raise ConfigError(f"trusted_proxies={trusted_proxies!r}: give a list, as in ['10.0.0.0/8']")
    networks = [_network(text) for text in trusted_proxies if text != "unix"]
    trusts_local = "unix" in trusted_proxies

    def trusted(address: _Address) -> bool:
        return any(address in network for network in networks)

    def key(request: Request) -> str:
        peer = request.address
        address = _parsed(peer or "")
        if trusts_local if peer is None else address is not None and trusted(address):
            address = _first_untrusted(request.header(forwarded), trusted) or address
        if address is not None:
            return _bucket(address)
        return _LOCAL if peer is None else f"address:{peer}"  # a name some test client gave

    return key


def _first_untrusted(header: str | None, trusted: Callable[[_Address], bool]) -> _Address | None:
    """Return the last address, seen from the right, that a trusted hop vouches for."""
    address: _Address | None = None
    for hop in reversed(header.split(",") if header else []):
        said = _parsed(hop.strip(" \t"))
        if said is None:  # garbage: whatever stands further left the client may have written
            break
        address = said
        if not trusted(address):
            break
    return address


def by_header(name: str, *, otherwise: Key | None = None) -> Key:
    """Return a key that counts by the value of a request header, such as an API key.

    Whoever sends a new value gets a new bucket: check the value before, or limit addresses too.
    The value itself is hashed.

    Args:
        name: The header.
        otherwise: The key of requests without it; default by address.
    """
    without = otherwise or by_peer

    def key(request: Request) -> str | None:
        value = request.header(name)
        if value is None:
            return without(request)
        hashed = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"header:{name.lower()}:{hashed}"

    return key


def by_session(request: Request, *, otherwise: Key | None = None) -> str | None:
    """Count by session; a visitor without a stored one counts by `otherwise`, or by address.

    Behind a proxy: `functools.partial(by_session, otherwise=by_address(trusted_proxies=[...]))`.
    """
    session = request.session
    if session.is_new:  # also whoever invents a token: a new one each time must be no new bucket
        return (otherwise or by_peer)(request)
    return f"session:{session.id}"


def by_user(request: Request, *, otherwise: Key | None = None) -> str | None:
    """Count by the user who is logged in; all others count by `otherwise`, or by address."""
    user = request.session.user
    if user is None:
        return (otherwise or by_peer)(request)
    return f"user:{user}"


by_peer: Key = by_address()
"""By the address of the connection's peer, whatever it claims: the default."""


def bucket(name: str, key: object) -> str:
    """Return the limiter's key for what a key function returned, under the middleware's `name`.

    Raises:
        ConfigError: It is no text, as when `by_address` was given without calling it.
    """
    if not isinstance(key, str):
        raise ConfigError(f"key returned {key!r}: give a function of a request, as by_address()")
    return f"{name}|{key}" if name else key


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigError(
            f"trusted_proxies={text!r}: give addresses or networks such as '10.0.0.0/8', or 'unix'"
        ) from error


def _parsed(text: str) -> _Address | None:
    """Return the address in `text`, which may carry a port; IPv4 inside IPv6 is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address
    return address


def _bucket(address: _Address) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return f"address:{ipaddress.IPv6Network((int(address) >> 64 << 64, 64))}"
    return f"address:{address}"
