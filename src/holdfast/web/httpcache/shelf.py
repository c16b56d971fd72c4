"""The shelf: pages as they lie in a `Cache`, and what makes one write forget many of them.

Law: nothing of HTTP is decided here. Under `path:...` lies the root of a path, random text; every
key below is made of it, so that deleting that one record forgets all pages of the path, whatever
their host, query and variant, and those that are being made. Under `page:...` lies a page, or what
its variants differ by. Tags are those of the cache.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Unpack

from holdfast.cache import AsyncCache, Cache, Options
from holdfast.cache.creation import NOTHING
from holdfast.cache.draft import Draft
from holdfast.errors import StoreError
from holdfast.web.httpcache.asked import Asked, page_name, path_name, variant_name
from holdfast.web.httpcache.page import Page, load

__all__ = ["Place", "Shelf"]

_DAY = 86_400.0
_ROOT: Options = {  # whatever the cache's own options are
    "ttl": _DAY,
    "grace": 0,
    "jitter": 0,
    "refresh_at": None,
    "sliding": None,
    "tags": (),
}


class _ThreadFace:
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


def _awaited(cache: Cache | AsyncCache) -> _ThreadFace | AsyncCache:
    return _ThreadFace(cache) if isinstance(cache, Cache) else cache


@dataclass(frozen=True)
class Place:
    """Where the page of a request lies, or would.

    Attributes:
        asked: The request.
        name: Its key, so far as that is known before the page is; empty where there is no root.
        root: What its path's record holds; None if there is none.
        names: The request headers its variants are known to differ by.
        page: What lies there.
        draft: The page that is to lie there.
    """

    asked: Asked
    name: str
    root: str | None = None
    names: tuple[str, ...] = ()
    page: Page | None = None
    draft: Draft | None = None

    @property
    def crowd(self) -> str:
        """What those have in common who learn from each other that a page is not for all.

        Who signs in must not keep the others' page from being stored.
        """
        headers = self.asked.headers
        return f"{self.ticket} {'cookie' in headers} {'authorization' in headers}"

    @cached_property
    def ticket(self) -> str:
        """What those who want the page at once have in common, whatever the root."""
        name = page_name(self.asked, "")
        return variant_name(self.asked, name, self.names) if self.names else name


class Shelf:
    """The pages in one cache, by one of its faces.

    Args:
        pages: The cache's namespace for pages, or the async face of that.
        cache: The cache, or its async face, whose tags they share.
    """

    def __init__(self, pages: Cache | AsyncCache, cache: Cache | AsyncCache) -> None:
        self._cache = pages
        self._face = _awaited(pages)
        self._tags = _awaited(cache)

    async def find(self, asked: Asked) -> Place:
        """Return where the page of `asked` lies, with the page if it is there."""
        root = await self._face.get(path_name(asked.path))
        if not isinstance(root, str):
            return Place(asked, "")
        name = page_name(asked, root)
        value = await self._face.get(name)
        names = _index(value)
        if names:
            name = variant_name(asked, name, names)
            value = await self._face.get(name)
        return Place(asked, name, root, names, load(value))

    async def begin(self, place: Place) -> Place | None:
        """Return `place` with a draft: what is invalidated from now on, the page loses to it.

        Returns:
            None if another process has made it meanwhile, or is still about to after some seconds.
        """
        if place.root is None:
            path = path_name(place.asked.path)
            root = await self._face.get_or_create(path, _new_root, **_ROOT)
            place = replace(place, root=root, name=page_name(place.asked, root))
        stale = NOTHING if place.page is None else place.page.stored()
        draft = Draft(self._cache, place.name, instead_of=stale)
        try:
            mine = await draft.begin()
        except BaseException:
            await draft.end()
            raise
        if not mine:
            await draft.end()
            return None
        return replace(place, draft=draft)

    async def keep(
        self, place: Place, page: Page, ttl: float, *, names: Sequence[str], tags: Sequence[str]
    ) -> bool:
        """Keep `page` for `ttl` seconds; return whether it may be found now.

        Args:
            place: Where, as `begin` returned it.
            page: What.
            ttl: How long; a day at most.
            names: The request headers pages of its address vary by, those of `place` first.
            tags: Its tags.
        """
        draft, root = place.draft, place.root
        assert draft is not None  # noqa: S101 - begin() gave it both
        assert root is not None  # noqa: S101
        ttl, asked = min(ttl, _DAY), place.asked
        known = tuple(names)
        index = page_name(asked, root)
        if known == place.names:
            return await draft.keep(page.stored(), ttl=ttl, tags=tags)
        # where it lies is known only now, and only the draft could have seen its tags invalidated
        key = variant_name(asked, index, known)
        is_kept = not tags and await self._put(key, page.stored(), ttl)
        # after the page: who finds that it varies must find it, and not make it once more
        varies = ["vary", *known]
        if place.names:
            return await self._put(index, varies, _DAY) and is_kept
        return await draft.keep(varies, ttl=_DAY) and is_kept

    async def end(self, place: Place) -> None:
        """Let others make the page that `begin` was called for, if it was not kept."""
        if place.draft is not None:
            await place.draft.end()

    async def _put(self, key: str, value: list[Any], ttl: float) -> bool:
        options: Options = {**_ROOT, "ttl": ttl}
        try:
            await self._face.put(key, value, **options)
        except StoreError:  # the cache has told its observer
            return False
        return True

    async def forget(self, paths: Sequence[str], tags: Sequence[str] = ()) -> None:
        """Forget all pages of `paths`, and whatever in the cache has one of `tags`.

        Raises:
            StoreError: The store failed: other processes may still have them.
        """
        try:
            if paths:
                await self._face.delete_many([path_name(path) for path in paths])
        finally:  # one that failed is repeated by the cache, which has to be told of the other, too
            if tags:
                await self._tags.invalidate_tags(*tags)

    async def clear(self) -> None:
        """Forget all pages."""
        await self._face.clear()


def _new_root() -> str:
    return secrets.token_hex(8)


def _index(value: object) -> tuple[str, ...]:
    """Return what a page varies by, if `value` is not the page but says so."""
    match value:
        case ["vary", *names]:
            return tuple(map(str, names))
    return ()
