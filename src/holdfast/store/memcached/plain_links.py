"""Asking the servers of old clients: the first of some that can be reached, within a time.

Law: what may have been done is not asked again. A server that did not answer in time is left alone
for a while, so that it costs its time once.
"""

from collections.abc import Sequence

from holdfast.bridge import drive
from holdfast.clock import monotonic
from holdfast.errors import StoreError, StoreUnavailable
from holdfast.lifetimes import PerProcess
from holdfast.store.memcached.faults import Fault, Unreached, translated
from holdfast.store.memcached.links import Links
from holdfast.store.memcached.nodes import Access, Node
from holdfast.store.memcached.wire import Refusal, Reply, Request, Then

__all__ = ["Servers"]

_REST = 5.0  # seconds in which a server that did not answer in time is not asked again


class Servers:
    """The connections of one store, for threads and after forks.

    Args:
        name: What the store is called in errors.
        timeout: Seconds an operation may take.
    """

    def __init__(self, name: str, timeout: float) -> None:
        self._name = name
        self._timeout = timeout
        self._links = PerProcess(name, lambda: Links(Access()), Links.close)
        self._resting: dict[Node, float] = {}

    def close(self) -> None:
        """Let go of the connections; twice is fine."""
        self._links.close()

    def ask(
        self,
        nodes: Sequence[Node],
        request: Request,
        *,
        once: bool = False,
        also: Request | None = None,
        then: Then | None = None,
    ) -> tuple[Node, Reply]:
        """Return the first server that can be reached, and its last reply.

        What is asked `once`, together with `also`, or by `then`, must not be done twice.

        Raises:
            StoreError: None can, or the connection was lost on the way.
        """
        until = monotonic() + self._timeout
        error: StoreError = StoreUnavailable(self._name, "did not answer lately")
        for node in nodes:
            if self._rests(node):
                continue
            asked = [request] if also is None else [request, also]
            first = len(asked)

            def go_on(reply: Reply, asked: list[Request] = asked) -> Request | None:
                more = None if isinstance(reply, Refusal) or then is None else then(reply)
                asked.extend(() if more is None else (more,))
                return more

            links = self._links.here()

            try:
                last = drive(links.ask(node, asked[:], until, go_on if then else None))[-1]
            except (Fault, Refusal) as fault:
                error = self._error(node, fault, once=once or len(asked) > 1)
                if isinstance(fault, Unreached) and len(asked) == first:
                    continue  # it was not asked: the next may keep the key meanwhile
                raise error from error.__cause__
            if isinstance(last, Refusal):
                raise self._error(node, last, size=len(asked[-1].data))
            return node, last
        raise error from error.__cause__

    def _error(
        self, node: Node, fault: Fault | Refusal, *, once: bool = False, size: int = 0
    ) -> StoreError:
        if isinstance(fault.__cause__, TimeoutError):
            self._resting[node] = monotonic() + _REST
        return translated(self._name, node, fault, self._timeout, once=once, size=size)

    def _rests(self, node: Node) -> bool:
        return bool(self._resting) and self._resting.get(node, 0.0) > monotonic()
