"""Drafts: a creation in two halves, for a value that is made outside any function.

Law: the halves are those of `fill.py`: what a value is compared with and all stamps are read before
it is made, so that an invalidation in between wins. A draft that was begun is ended, kept or not;
nobody waits for it but the holders of other leases.
"""
# ruff: noqa: SLF001 - the other half of the engine's own work

from collections.abc import Sequence
from typing import Any

from holdfast.cache.creation import NOTHING, Creation
from holdfast.cache.engine import Engine
from holdfast.cache.fill import Fill
from holdfast.cache.found import Found
from holdfast.cache.policy import Options
from holdfast.cache.reads import Call
from holdfast.cache.space import ANY
from holdfast.entry import Age
from holdfast.errors import CodecError, ConfigError

__all__ = ["Draft", "require_writable"]

_PATIENCE, _PAUSE = 5.0, 0.05
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
        instead_of: The fresh value that is there and no longer wanted.
    """

    def __init__(self, face: Any, key: str, *, instead_of: Any = NOTHING) -> None:
        self._engine: Engine = face._engine
        self._policy = face._policy.but(_PLAIN)
        self._item = face._space.item(key, self._policy.tags)
        self._unwanted = instead_of
        self._fill: Fill | None = None
        self._base: Found | None = None
        self._started = 0.0

    async def begin(self) -> bool:
        """Return whether to make the value.

        Returns:
            False if somebody has made it meanwhile, and it can be read; or if another process is
            still about to put another in the place of the unwanted one, after some seconds.
        """
        engine, item = self._engine, self._item
        if not engine._core.enabled:
            return True
        is_new = self._unwanted is NOTHING
        self._fill = engine._fill(Call(item, _never, self._policy, anew=not is_new, began=0.0))
        end = engine._waits.now() + _PATIENCE
        while True:
            found = await engine._looks.look(item, ANY)
            self._started = engine._core.clock()
            if not is_new and self._is_another(found):
                await engine._looks.kept(self._fill.hold, item, found, self._policy)
                return False
            self._base, _ = await self._fill.begin(found, leased=True, patient=is_new)
            if self._base is not None or is_new or engine._waits.now() >= end:
                return self._base is not None
            await engine._waits.sleep(_PAUSE * (0.5 + engine._core.draw()))

    def _is_another(self, found: Found) -> bool:
        is_fresh = found.age(self._engine._core.clock()) is Age.FRESH
        return is_fresh and bool(found.value != self._unwanted)

    async def keep(self, value: Any, *, ttl: float, tags: Sequence[str] = ()) -> bool:
        """Keep the value, unless something it depends on was invalidated since `begin`.

        Returns:
            Whether it was put where it can be found.

        Args:
            value: What the codec can write.
            ttl: How long, in seconds; 0 keeps nothing, and takes away what `begin` left.
            tags: Its tags.
        """
        base, self._base = self._base, None
        if base is None or self._fill is None:
            return False
        now = Creation(self._item.name)
        now.tags, now.seconds = list(tags), ttl
        took = max(0.0, self._fill.core.clock() - self._started)
        await self._fill.made(base, now, value, (self._started, took))
        is_near = self._item.near in self._fill.core.near.cells
        return ttl > 0 and (is_near or (self._fill.far is not None and self._fill.replaced))

    async def end(self) -> None:
        """Let others make it; what was not kept is dropped. Twice is fine."""
        await self.keep(None, ttl=0)
        fill, self._fill = self._fill, None
        if fill is not None:
            try:
                await fill.end()
            finally:
                fill.core.near.release(fill.hold)


def require_writable(face: Any, value: Any) -> None:
    """Make sure that a cache can keep values such as `value`.

    Args:
        face: The cache, or its async face.
        value: One of them.

    Raises:
        ConfigError: There is a store, and the codec cannot write it.
    """
    if face._engines.store is None:
        return
    try:
        face._core.coding.encode(face._space.item("value"), value)
    except CodecError as error:
        raise ConfigError(
            f"the codec of this cache cannot write what is to be kept: {error}"
        ) from error


async def _never() -> Any:
    raise AssertionError("a draft is made outside")
