"""How the steps of the Tyrant store reach its servers, and what goes wrong there.

Law: the faces differ in their `Way` and in nothing else. Every `OSError` of the clients is
translated here: of a write that may have been done, nobody says that it was not.
"""

import contextlib
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from holdfast.clock import Clock
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.tyrant.client import Unreached
from holdfast.store.tyrant.wire import Command

__all__ = ["Settings", "Way", "faults"]

T = TypeVar("T")


class Settings(NamedTuple):
    """What both faces of a store know.

    Attributes:
        name: What the store is called.
        servers: Hosts and ports.
        timeout: Seconds an operation may take.
        lease: Seconds after which a lock that stands still is a dead holder's.
        plain: Whether records are values without our header.
        clock: UTC seconds.
        any_key: Whether a key may be any text, as other programs have them.
    """

    name: str
    servers: Sequence[tuple[str, int]]
    timeout: float
    lease: float
    plain: bool
    clock: Clock
    any_key: bool = False


class Way(Protocol):
    """How one face reaches the servers and lets time go by."""

    async def send(
        self,
        server: int,
        commands: Sequence[Command[Any]],
        deadline: float,
        *,
        takes_back: bool = False,
    ) -> list[Any]:
        """Send commands to one server in one write; what goes wrong is an `OSError`.

        With `takes_back`, what is not answered by the deadline shall not be done later either.
        """

    def is_wanted(self) -> bool:
        """Return whether whoever asked waits still; if not, what is not sent yet is left."""

    async def sleep(self, seconds: float) -> None:
        """Let others finish."""

    async def all(self, jobs: Sequence[Coroutine[object, None, T]]) -> list[T]:
        """Do the jobs, beside each other where it can be; raise what one of them raised."""


@contextlib.contextmanager
def faults(name: str, *, writes: bool = False) -> Iterator[None]:
    """Translate what goes wrong inside.

    Args:
        name: The store's name.
        writes: Whether a write may have been done that must not be done twice.
    """
    try:
        yield
    except TimeoutError as error:
        said = "whether it was done is unknown" if writes else str(error)
        raise StoreTimeout(name, said) from error
    except Unreached as error:
        raise StoreUnavailable(name, str(error)) from error
    except OSError as error:
        if writes:
            said = f"whether it was done is unknown: {error}"
            raise StoreTimeout(name, said) from error
        raise StoreUnavailable(name, str(error)) from error
