"""Faults: what goes wrong on the way to a server, translated into the errors of Holdfast.

Law: every fault passes through `translated`, once. A write that is not idempotent and may have
been done is a `StoreTimeout`: its outcome is unknown.
"""

from holdfast.errors import StoreError, StoreTimeout, StoreUnavailable
from holdfast.store.memcached.nodes import Node
from holdfast.store.memcached.wire import Garbled, Refusal

__all__ = ["Fault", "Lost", "Unreached", "translated"]


class Fault(Exception):  # noqa: N818 - no error of ours: it is translated before anyone sees it
    """The connection failed; `__cause__` is why."""


class Unreached(Fault):
    """Before anything was sent."""


class Lost(Fault):
    """After the request was sent, in whole or in part."""


def translated(
    store: str, node: Node, fault: Fault | Refusal, timeout: float, *, once: bool, size: int
) -> StoreError:
    """Return `fault` as an error of Holdfast, with its cause.

    Args:
        store: The store's name.
        node: The server it was asked of.
        fault: What went wrong.
        timeout: Seconds an operation has.
        once: Whether the request must not be done twice.
        size: The bytes of the request that was refused.
    """
    if isinstance(fault, Refusal):
        error: StoreError = StoreUnavailable(store, f"{node} refused: {_advice(str(fault), size)}")
        error.__cause__ = fault
    else:
        error = _failed(store, node, fault, f"{timeout:g} s", once=once)
        error.__cause__ = fault.__cause__
    return error


def _failed(store: str, node: Node, fault: Fault, timeout: str, *, once: bool) -> StoreError:
    cause = fault.__cause__
    if isinstance(cause, TimeoutError):
        return StoreTimeout(store, f"{node} did not answer within {timeout}")
    if isinstance(fault, Unreached):
        if isinstance(cause, Refusal):
            return StoreUnavailable(store, f"{node} refused {_login(str(cause))}")
        return StoreUnavailable(store, f"{node} cannot be reached: {cause}")
    what = f"unexpected answer {cause}" if isinstance(cause, Garbled) else f"{cause}"
    if once:
        return StoreTimeout(store, f"{node} was lost; whether it was done is unknown ({what})")
    return StoreUnavailable(store, f"{node} was lost: {what}")


def _advice(words: str, size: int) -> str:
    if "too large" in words:
        return f"{words} ({size} bytes); store less under a key, or start it with a larger -I"
    if "out of memory" in words:
        return f"{words}; raise the server's -m, or start it without -M"
    if "unauthenticated" in words:
        return f"{words}; put user:password@ before the host"
    if "open connections" in words:
        return f"{words}; start it with a larger -c"
    return words


def _login(words: str) -> str:
    if "open connections" in words:
        return _advice(words, 0)
    if "bad command line format" in words:
        return "the login: it asks for none; leave user and password out, or start it with -Y"
    return f"the login: {words}; its -Y file must have a line user:password, without spaces"
