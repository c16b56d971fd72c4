"""The shelf: pages as they lie in a `Cache`, and what makes one write forget many of them.

Law: nothing of HTTP is decided here. Under `path:...` lies the root of a path, random text; every
key below is made of it, so that deleting that one record forgets all pages of the path, whatever
their host, query and variant, and those that are being made. Under `page:...` lies a page, or what
its variants differ by. Tags are those of the cache.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

from holdfast.cache import AsyncCache, Cache, Options
from holdfast.errors import StoreError
from holdfast.web.httpcache.asked import Asked, page_name, path_name, variant_name
from holdfast.web.httpcache.page import Page, load
from holdfast.web.httpcache.settings import Settings

__all__ = ["Face", "Place", "Shelf", "ThreadFace"]

_MOST_NAMES = 8
_MOST_VARIANTS = 32
_DAY = 86_400.0
_ROOT: Options = {  # whatever the cache's own options are
    "ttl": _DAY,
    "grace": 0,
    "jitter": 0,
    "refresh_at": None,
    "sliding": None,
    "tags": (),
}


class ThreadFace:
    """A cache for threads as `cache.aio` is for event loops: its awaits never suspend."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def get(self, key: str) -> Any:
        """See `Cache.get`."""
        return self._cache.get(key)

    async def put(self, key: str, value: Any, **options: Unpack[Options]) -> None:
        """See `Cache.put`."""
        self._cache.put(key, value, **options)

    async def delete_many(self, keys: Sequence[str]) -> int:
        """See `Cache.delete_many`."""
        return self._cache.delete_many(keys)

    async def get_or_create(
        self, key: str, create: Callable[[], str], **options: Unpack[Options]
    ) -> str:
        """See `Cache.get_or_create`."""
        return self._cache.get_or_create(key, create, **options)

    async def invalidate_tags(self, *tags: str) -> None:
        """See `Cache.invalidate_tags`."""
        self._cache.invalidate_tags(*tags)

    async def clear(self) -> None:
        """See `Cache.clear`."""
        self._cache.clear()


Face = ThreadFace | AsyncCache


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page of a request lies, or would.

    Attributes:
        asked: The request.
        name: Its key, as far as that is known before the page is.
        root: What its path's record holds; None if there is none.
        names: The request headers its variants are known to differ by.
        variants: The keys of those there are.
        page: What lies there.
    """

    asked: Asked
    name: str
    root: str | None = None
    names: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    page: Page | None = None


class Shelf:
    """The pages in one cache, by one of its faces.

    Args:
        face: The cache's namespace for pages.
        tags: The cache itself, whose tags they share.
        settings: What the user chose.
    """

    def __init__(self, face: Face, tags: Face, settings: Settings) -> None:
        self._face = face
        self._tags = tags
        self._settings = settings

    async def find(self, asked: Asked) -> Place:
        """Return where the page of `asked` lies, with the page if it is there."""
        root = await self._face.get(path_name(asked.path))
        if not isinstance(root, str):
            return Place(asked, page_name(asked, "", self._settings))
        name = page_name(asked, root, self._settings)
        value = await self._face.get(name)
        names, variants = _index(value)
        if names:
            name = variant_name(asked, name, names)
            value = await self._face.get(name)
        return Place(asked, name, root, names, variants, load(value))

    async def begin(self, place: Place) -> Place:
        """Return `place` with a root: from now on a `forget` of its path counts against it."""
        if place.root is not None:
            return place
        path = path_name(place.asked.path)
        root = await self._face.get_or_create(path, _new_root, **_ROOT)
        return replace(place, root=root)

    async def keep(
        self, place: Place, page: Page, ttl: float, *, names: Sequence[str], tags: Sequence[str]
    ) -> bool:
        """Keep `page` for `ttl` seconds; return whether it may be found now.

        Args:
            place: Where, as `begin` returned it.
            page: What.
            ttl: How long; a day at most.
            names: The request headers it varies by.
            tags: Its tags.
        """
        assert place.root is not None  # noqa: S101 - begin() gave it one
        key, ttl = page_name(place.asked, place.root, self._settings), min(ttl, _DAY)
        known, variants = place.names, place.variants
        if names:
            known, variants = _index(await self._face.get(key))  # others may have been quicker
        known = (*known, *(name for name in sorted(set(names)) if name not in known))
        if len(known) > _MOST_NAMES:
            return False
        try:
            if known:
                index, key = key, variant_name(place.asked, key, known)
                await self._list(index, known, variants if known == place.names else (), key)
            await self._face.put(key, page.stored(), ttl=ttl, tags=tuple(tags))
        except StoreError:  # the cache has told its observer
            return False
        return True

    async def _list(
        self, index: str, names: tuple[str, ...], variants: tuple[str, ...], key: str
    ) -> None:
        """Enter a variant into the list of its page; the oldest goes where they are too many."""
        if key in variants:
            return
        kept = (*variants, key)[-_MOST_VARIANTS:]
        value = ["vary", list(names), list(kept)]
        await self._face.put(index, value, ttl=_DAY, tags=())
        if gone := [old for old in variants if old not in kept]:
            await self._face.delete_many(gone)

    async def forget(self, paths: Sequence[str], tags: Sequence[str] = ()) -> None:
        """Forget all pages of `paths`, and whatever in the cache has one of `tags`.

        Raises:
            StoreError: The store failed: other processes may still have them.
        """
        if paths:
            await self._face.delete_many([path_name(path) for path in paths])
        if tags:
            await self._tags.invalidate_tags(*tags)

    async def clear(self) -> None:
        """Forget all pages."""
        await self._face.clear()


def _new_root() -> str:
    return secrets.token_hex(8)


def _index(value: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the headers and the keys of a page's variants; nothing if `value` lists none."""
    match value:
        case ["vary", [*names], [*variants]]:
            return tuple(map(str, names)), tuple(map(str, variants))
    return (), ()
