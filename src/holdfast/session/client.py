"""The client that signs in: what of it is kept, where that is asked for.

Law: pure. An address is cut down to its network and a User-Agent to what tells devices apart:
enough for a person to recognise a session of his, too little to follow him (GDPR, article 5).
"""

import ipaddress
from collections.abc import Mapping, Sequence

from holdfast.errors import ConfigError

__all__ = ["KINDS", "Client", "kinds", "shortened"]

KINDS = ("address", "agent")
"""What can be kept."""

Client = tuple[str | None, str | None]
"""Address and User-Agent, as the request has them."""

_NETWORK = {4: 24, 6: 48}  # bits of an address that stay
_LONGEST_AGENT = 200


def kinds(keep: Sequence[str]) -> tuple[str, ...]:
    """Return what is to be kept.

    Raises:
        ConfigError: There is no such thing.
    """
    given: object = keep
    asked = tuple(given) if isinstance(given, tuple | list | set | frozenset) else (given,)
    for one in asked:
        if one not in KINDS:
            raise ConfigError(f"keep_client={one!r}: 'address' and 'agent' can be kept")
    return asked


def shortened(client: Client | None, keep: Sequence[str]) -> Mapping[str, str]:
    """Return what is kept of `client`: the fields of the record."""
    address, agent = client or (None, None)
    found = {"address": _network(address), "agent": _printable(agent)}
    return {name: value for name, value in found.items() if name in keep and value}


def _network(address: str | None) -> str:
    """Return the network of an address, such as `192.0.2.0/24`; nothing if it is none."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return ""
    if parsed.version == 6 and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, _NETWORK[parsed.version]), strict=False))


def _printable(agent: str | None) -> str:
    return "".join(sign for sign in (agent or "")[:_LONGEST_AGENT] if sign.isprintable())
