"""Cached values: in this process, in a store, or both.

Law: `facade.py` and `aio.py` are what users call, `engine.py` and `fill.py` the sequences,
`near.py` the values of this process, `stamps.py` tags and namespaces in the store, `decorate.py`
the `@cached` decorator, `region.py` caches by name.
"""

from holdfast.cache.aio import AsyncCache
from holdfast.cache.counts import Stats
from holdfast.cache.creation import Creation, creation
from holdfast.cache.decorate import Cached, CachedAsync
from holdfast.cache.facade import Cache
from holdfast.cache.policy import Options
from holdfast.cache.region_options import RegionOptions

__all__ = [
    "AsyncCache",
    "Cache",
    "Cached",
    "CachedAsync",
    "Creation",
    "Options",
    "RegionOptions",
    "Stats",
    "creation",
]
