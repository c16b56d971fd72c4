"""Drafts: a creation in two halves, for a value that is made outside any function.

Law: the halves are those of `fill.py`: what a value is compared with and all stamps are read before
it is made, so that an invalidation in between wins. A draft that was begun is ended, kept or not;
nobody waits for it but the holders of other leases.
"""
# ruff: noqa: SLF001 - the other half of the engine's own work

from collections.abc import Sequence
from typing import Any

from holdfast.cache.creation import Creation
from holdfast.cache.face import Face
from holdfast.cache.fill import Fill
from holdfast.cache.found import Found
from holdfast.cache.policy import Options
from holdfast.cache.reads import Call
from holdfast.cache.space import ANY

__all__ = ["Draft"]

_PLAIN: Options = {
    "grace": 0,
    "jitter": 0,
    "refresh_at": None,
    "sliding": None,
    "none_ttl": None,
}
"""Whoever drafts a value says himself how long it lives."""


class Draft:
    """A value to be.

    Args:
        face: The cache, or its async face.
        key: The key of the value.
        anew: Whether it is made though there is a value; the lease is then not waited for.
    """

    def __init__(self, face: Any, key: str, *, anew: bool = False) -> None:
        self._face: Face = face
        self._key = key
        self._anew = anew
        self._fill: Fill | None = None
        self._base: Found | None = None
        self._started = 0.0

    async def begin(self) -> bool:
        """Return whether to make the value; if not, somebody did meanwhile, or is about to."""
        engine = self._face._engine  # type: ignore[attr-defined]
        core = engine._core
        if not core.enabled:
            return True
        policy = self._face._policy.but(_PLAIN)
        item = self._face._space.item(self._key, policy.tags)
        call = Call(item, _never, policy, anew=self._anew, began=0.0)
        self._fill = fill = engine._fill(call)
        found = await engine._looks.look(item, ANY)
        self._started = core.clock()
        self._base, _ = await fill.begin(found, leased=True, patient=not self._anew)
        return self._base is not None

    async def keep(self, value: Any, *, ttl: float, tags: Sequence[str] = ()) -> None:
        """Keep the value, unless something it depends on was invalidated since `begin`.

        Args:
            value: What the codec can write.
            ttl: How long, in seconds; 0 keeps nothing, and takes away what `begin` left.
            tags: Its tags.
        """
        base, self._base = self._base, None
        if base is None or self._fill is None:
            return
        now = Creation(self._key)
        now.tags, now.seconds = list(tags), ttl
        took = max(0.0, self._fill.core.clock() - self._started)
        await self._fill.made(base, now, value, (self._started, took))

    async def end(self) -> None:
        """Let others make it; what was not kept is dropped. Twice is fine."""
        await self.keep(None, ttl=0)
        fill, self._fill = self._fill, None
        if fill is not None:
            try:
                await fill.end()
            finally:
                fill.core.near.release(fill.hold)


async def _never() -> Any:
    raise AssertionError("a draft is made outside")
