"""A session while it is being committed, where its handler goes on meanwhile.

Law: it can be read. What would be written has no place in the commit that is under way and would be
lost after it, so it is refused, whoever holds the session. Values changed in place are found by the
next commit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from holdfast.errors import SessionCommitted
from holdfast.session.session import Session

__all__ = ["frozen"]

_COMMITTING = "the session is being committed: await what sends the response before you go on"


@contextmanager
def frozen(session: Session[Any]) -> Iterator[None]:
    """Refuse all writes to `session` while the block runs."""
    kind = type(session)
    session.__class__ = _Frozen
    try:
        yield
    finally:
        session.__class__ = kind


class _Frozen(Session[Any]):
    """Nobody makes one: a session is it for a while."""

    __slots__ = ()

    def _writing(self) -> NoReturn:
        raise SessionCommitted(_COMMITTING)

    def _before_first_byte(self, verb: str) -> NoReturn:
        raise SessionCommitted(f"{verb}: {_COMMITTING}")

    def destroy(self) -> NoReturn:
        raise SessionCommitted(_COMMITTING)

    def revert(self) -> NoReturn:
        raise SessionCommitted(_COMMITTING)
