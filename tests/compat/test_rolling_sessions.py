"""A rolling deploy of Beaker's sessions: old and new processes serve one user in turn."""

import ast
import contextlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compat.fixtures import write
from compat.live import Live, live
from compat.old_beaker import Places
from servers.memcached import run_memcached
from servers.mongodb import MongodbServer
from servers.redis import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.slow]

_SITE = Path(__file__).with_name("rolling_site.py")
_NAMES = [
    *(name for name in write.PLACES if "pylibmc" not in name),  # Beaker of today has it no more
    *("signed id", "json", "encrypted", "encrypted, 48 bits", "encrypted, json"),
    *("cookie", "cookie, json", "cookie, encrypted", "cookie, encrypted json"),
]
_WORDS = ["count", "count", "count", "nested", "nested", "read", "untouched", "unsaved"]
_RARE = ["regenerate", "drop", "clear", "delete", "invalidate", "revert"]
_Fleet = dict[str, Live]


def _told(places: Places, *, ours: bool) -> str:
    """Return the options of each site as JSON."""
    told = {}
    for name in _NAMES:
        options = places.placed(write.SESSIONS[name])
        if ours and options.get("memcache_module") == "memcache":
            options["memcache_module"] = "python3-memcached"  # whom the other imports by that name
        told[name] = {f"session.{option}": value for option, value in options.items()}
    return json.dumps(told)


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer, mongodb: MongodbServer
) -> Iterator[_Fleet]:
    """Run a process of each kind, behind which lie the same places."""
    with contextlib.ExitStack() as stack:
        memcached = stack.enter_context(run_memcached())
        places = Places(
            tmp_path_factory.mktemp("rolling"),
            redis=f"{redis_server.url}/9",
            memcached=f"127.0.0.1:{memcached.port}",
            mongodb=f"{mongodb.url}/beaker_rolling",
        )
        yield {
            which: stack.enter_context(
                live(which, "beaker", _SITE, _told(places, ours=which != "genuine"))
            )
            for which in ("genuine", "old form", "ours")
        }


class _User:
    """Somebody with a browser, who knows what must be in the session."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.jar: dict[str, str] = {}
        self.knows: dict[str, Any] = {}

    def visit(self, process: Live, word: str) -> None:
        """Make a request and look at what the page shows."""
        page, self.jar = process.ask(site=self.site, word=word, jar=self.jar)
        wanted = self._expects(word)
        if word in {"untouched", "unsaved"}:
            return  # it shows nothing, or what is forgotten
        shown = ast.literal_eval(page[page.index("{") :])
        assert {name: value for name, value in shown.items() if name[0] != "_"} == wanted, page

    def _expects(self, word: str) -> dict[str, Any]:
        """Return what the page of a word shows."""
        knows = self.knows
        if word == "count":
            knows["n"] = knows.get("n", 0) + 1
        elif word == "nested":
            knows["list"] = [*knows.get("list", []), 1]
        elif word == "drop":
            knows.pop("n", None)
        elif word in {"clear", "delete", "invalidate"}:
            knows.clear()
        return dict(knows)


@pytest.mark.parametrize("site", _NAMES)
def test_thirty_requests_each_way_lose_nothing(fleet: _Fleet, site: str) -> None:
    choose = random.Random(site)  # noqa: S311 - a choice, no secret
    user = _User(site)
    for number in range(60):
        which = ("genuine", "old form")[number % 2]
        word = choose.choice(_RARE if number % 15 == 14 else _WORDS)
        if word == "regenerate" and site.startswith("cookie"):
            which = "old form"  # the genuine library crashes here
        user.visit(fleet[which], word)
    for word in ("count", "nested", "read", "regenerate", "count", "read"):
        user.visit(fleet["ours"], word)
    assert user.jar
