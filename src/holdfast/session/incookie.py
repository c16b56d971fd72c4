"""The home of cookie-only sessions: how each face opens and seals them.

Law: nothing here waits, so that one class serves both faces.
"""

from typing import Any

from holdfast.errors import ConfigError
from holdfast.session.draft import Draft
from holdfast.session.engine import Outcome
from holdfast.session.records import Settings
from holdfast.session.sealed import Sealed

__all__ = ["InCookie"]


class InCookie:
    """Sessions that travel whole.

    Args:
        sealed: What opens and closes them.
        settings: Times, codec and clock.
    """

    def __init__(self, sealed: Sealed, settings: Settings) -> None:
        self.clock = settings.clock
        self.times = settings.times
        self.open = sealed.open
        self._sealed = sealed

    @property
    def aio(self) -> "InCookie":
        """The same: nothing here waits."""
        return self

    async def aopen(self, token: str | None) -> Draft:
        """Open `token`."""
        return self._sealed.open(token)

    def claim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Take messages out; they are gone once the client has the new cookie."""
        return draft.read(draft.claim(box, most))

    async def aclaim(self, draft: Draft, box: str, most: int | None) -> list[Any]:
        """Take messages out; they are gone once the client has the new cookie."""
        return self.claim(draft, box, most)

    def commit(self, draft: Draft, *, failed: bool) -> Outcome:
        """Seal what changed."""
        return self._sealed.commit(draft, failed=failed)

    async def acommit(self, draft: Draft, *, failed: bool) -> Outcome:
        """Seal what changed."""
        return self._sealed.commit(draft, failed=failed)

    def destroy(self, handle: str) -> bool:
        """Refuse: a cookie cannot be reached."""
        raise ConfigError(
            f"{handle[:12]}: a cookie-only session lives at its client, where nothing can destroy "
            "it; keep sessions in a store"
        )

    async def adestroy(self, handle: str) -> bool:
        """Refuse: a cookie cannot be reached."""
        return self.destroy(handle)

    def may_write(self, draft: Draft) -> bool:  # noqa: ARG002 - asked before each late write
        """Return that nothing can be kept once the cookie was sent."""
        return False
