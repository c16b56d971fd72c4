"""The contract of a bus: how processes tell each other which keys of a store were changed.

Law: a bus knows keys, and nothing of who keeps copies of them. It may tell of a change that was
none, and tell twice; between `ready` and `lost` it never keeps silent about one. Where it can no
longer promise that, it says `lost` at once.
"""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Bus", "Listener"]


class Listener(Protocol):
    """Hears a bus: called on the bus's own thread, one call at a time; must be quick.

    The bus holds it by a weak reference: whoever listens keeps it, and when it is gone the bus
    ends. Where a call raises, that is logged and counts as `lost`.
    """

    def changed(self, keys: Sequence[str]) -> None:
        """Somebody else wrote or removed these store keys; sometimes it was this process after all.

        It may be called before `ready`. Keys nobody here ever used are among them.
        """

    def lost(self) -> None:
        """From now on changes may be missed, until `ready`: keep no copy that was made before.

        Only called after a `ready`. `lost` and `ready` right after each other mean that everything
        was changed at once (FLUSHALL, or a list of changes that had become too long).

        In the child of a fork it is called by the thread that forked, before any code of the user
        runs there: it must wait for no lock that a thread of the parent may have held. Locks that
        are made anew by `os.register_at_fork`, registered before `Bus.listen`, are fine.
        """

    def ready(self) -> None:
        """The self-test has passed: from now on no change is missed.

        That holds for copies whose reading *began* after this call. A copy that was read before it
        is as old as it ever was.
        """


class Bus(Protocol):
    """Tells one listener of the changes that others make under its prefixes.

    It has one daemon thread and one connection of its own in each process, whoever uses it: threads
    and event loops share it. A broken connection is made anew for as long as it takes; a fork
    begins anew in the child by itself.
    """

    @property
    def name(self) -> str:
        """What it is, as in `tracking redis://host/0`; never has a password in it.

        It changes if the bus had to take another kind than it tried first.
        """

    @property
    def speaks(self) -> bool:
        """Whether it is sure that who writes must tell it, because no server does.

        Then even who keeps no copies must `listen` and `publish`, for those who do.
        """

    def listen(self, prefixes: Sequence[str], listener: Listener) -> None:
        """Begin to tell `listener` of changes to keys that begin with one of `prefixes`.

        Returns at once: the thread does the rest, and `ready` follows if all goes well. A server
        that cannot be reached is no error: it is logged, and tried again.

        Raises:
            RuntimeError: The bus has a listener already, or was closed.
        """

    def wrote(self, key: str, value: bytes) -> None:
        """Take note that this process is about to write exactly `value`; called *before* the write.

        It is how the bus knows an echo of our own write from a change by another: while the server
        holds a value that was announced within the last seconds, nobody hears of it. The copies
        here must then be in order without the bus: who writes, drops or replaces them himself.
        Values of one key must differ in their first 24 bytes. What is announced need not come to be
        written; what is removed, or written without a word, comes back as a change. Cheap; never
        raises.
        """

    def publish(self, keys: Sequence[str]) -> None:
        """Tell the others that `keys` were written or removed; called *after* that was done.

        They leave soon, in the bus's own thread; while it has no connection they are kept, and too
        many of them become one "everything was changed". Nothing where the server itself tells of
        every change, and nothing before `listen` or after `close`. Never blocks, never raises.
        """

    def close(self) -> None:
        """End the thread and its connection; twice is fine, from any thread.

        The listener hears no more. What was published before has left, if the servers answer.
        """
