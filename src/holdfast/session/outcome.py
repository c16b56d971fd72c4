"""The outcome of a commit: what the client is to be told.

Law: pure. Its repr never shows the token.
"""

from typing import NamedTuple

__all__ = ["NOTHING", "Outcome"]


class Outcome(NamedTuple):
    """What to send to the client after a commit.

    Attributes:
        token: The token it is to hold from now on; None: send none.
        max_age: Whole seconds the client may keep it; None: until the browser closes.
        expire: Whether the client is to forget its token.
    """

    token: str | None
    max_age: int | None
    expire: bool

    def __repr__(self) -> str:
        token = None if self.token is None else "..."  # whoever reads the log must not become him
        return f"Outcome(token={token}, max_age={self.max_age}, expire={self.expire})"


NOTHING = Outcome(None, None, expire=False)
