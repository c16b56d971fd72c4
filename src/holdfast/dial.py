"""Dialling: the sockets of stores that speak to their servers themselves, for threads.

Law: `until` is as `clock.monotonic` counts, and is one deadline for all addresses of a host.
"""

import socket
from typing import Any

from holdfast.clock import monotonic

__all__ = ["connected", "dial", "left"]


def left(until: float) -> float:
    """Return the seconds that are left.

    Raises:
        TimeoutError: There are none.
    """
    seconds = until - monotonic()
    if seconds <= 0:
        raise TimeoutError("no answer in time")
    return seconds


def dial(host: str, port: int, until: float) -> socket.socket:
    """Return a connection to the first of the host's addresses that can be reached.

    Raises:
        TimeoutError: Not until then.
        OSError: There is none; the last refusal.
    """
    refused = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        try:
            sock = connected(socket.socket(family, kind, protocol), address, until)
        except TimeoutError:
            raise
        except OSError as error:  # also where the kernel does not know the family
            refused = error
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise refused


def connected(sock: socket.socket, address: Any, until: float) -> socket.socket:
    """Connect `sock` and return it; close it where that fails."""
    try:
        sock.settimeout(left(until))
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock
