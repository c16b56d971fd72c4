"""Reads sessions and caches that somebody wrote, and shows each value; on either library.

rolling_reader.py {SITE: {"options": OPTIONS, "cookie": COOKIE}}
"""

import json
import sys
import warnings
from typing import Any

from beaker.cache import CacheManager
from beaker.session import CookieSession, Session

from compat.fixtures import write


def shown(values: Any) -> dict[str, str]:
    """Return values with their types; sets have an order then."""
    return {name: repr(value) for name, value in values.items() if name[0] != "_"}


def session(options: dict[str, Any], cookie: str) -> Any:
    """Show a session."""
    kind = CookieSession if options["type"] == "cookie" else Session
    return shown(kind({"cookie": cookie}, **options))


def cache(options: dict[str, Any]) -> Any:
    """Show what is in a cache, and whether a function finds its values."""
    manager = CacheManager(**options)
    shop = manager.get_cache("shop")
    found = [shown(shop.get(key)) for key in ("values", write.LONG, "two words", "\u017elu\u0165")]
    load, made = write.decorated(manager)
    calls = [load(1), load("x" * 300, "y")]
    return [found, calls, made]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    told = {
        site: session(**asked) if "cookie" in asked else cache(**asked)
        for site, asked in json.loads(sys.argv[1]).items()
    }
    print(json.dumps(told))  # noqa: T201 - it is what the test reads
