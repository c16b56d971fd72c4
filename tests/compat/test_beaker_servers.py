"""Beaker's kinds over servers, beside the genuine library on the same data, both ways."""

import json
from pathlib import Path
from typing import Any

import pytest

from compat.seeds import genuine, ours
from servers.mongodb import MongodbServer
from servers.postgresql import Postgresql
from servers.redis import RedisServer
from servers.redis_cluster import RedisCluster

WALK = Path(__file__).with_name("beaker_server_walk.py")
REMOVED = 32  # notes of the walk before `remove()`
OLD = "import holdfast.compat; holdfast.compat.configure(old_form=True)\n"


class Kind:
    """Where a kind has its data, for the genuine library and for ours.

    Attributes:
        name: As in `clsmap`.
        url: Its address; `genuine_url` where the genuine library needs another form.
        environ: More that the genuine library's process needs.
    """

    def __init__(self, name: str, url: str, *, genuine_url: str = "", **environ: str) -> None:
        self.name, self.url = name, url
        self.genuine_url = genuine_url or url
        self.environ = environ

    def genuine(self, *acts: str) -> Any:
        """Return what the genuine library says."""
        environ: dict[str, Any] = dict(self.environ)
        return json.loads(genuine(WALK, self.name, self.genuine_url, *acts, **environ))

    def ours(self, *acts: str, old: bool = False) -> Any:
        """Return what ours says, in a process with `install("beaker")`."""
        script = (OLD if old else "") + WALK.read_text(encoding="utf-8")
        return json.loads(ours("beaker", script, self.name, self.url, *acts))


def drivers(folder: Path) -> str:
    """Return a folder that has psycopg alone, which the genuine library's environment lacks."""
    import psycopg  # noqa: PLC0415 - only for this

    for path in Path(psycopg.__file__).parents[1].glob("psycopg*"):
        (folder / path.name).symlink_to(path)
    return str(folder)


@pytest.fixture(params=["redis", "rediscluster", "mongodb", "sqlite", "postgresql", "sqla"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    which = str(request.param)
    if which == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return Kind("ext:redis", f"{server.url}/6")
    if which == "rediscluster":
        nodes: RedisCluster = request.getfixturevalue("redis_cluster")
        return Kind("ext:rediscluster", ",".join(server.url for server in nodes.servers[:3]))
    if which == "mongodb":
        mongo: MongodbServer = request.getfixturevalue("mongodb")
        return Kind("ext:mongodb", f"{mongo.url}/beaker")
    if which == "postgresql":
        database: Postgresql = request.getfixturevalue("postgresql")
        path = f"{drivers(tmp_path)}:{Path(__file__).parents[2] / 'src'}"
        return Kind("ext:database", database.url, PYTHONPATH=path)
    return Kind("ext:sqla" if which == "sqla" else "ext:database", f"sqlite:///{tmp_path}/b.db")


@pytest.mark.server
@pytest.mark.slow
def test_either_library_goes_on_with_the_others_data(kind: Kind) -> None:
    # a program gives sqla a table, which is no option of sessions and caches
    whole = [] if kind.name == "ext:sqla" else ["visit:moving", "cached:moving"]
    _, expected, their_walk, *first = kind.genuine("put:old", "get:old", "walk:theirs", *whole)

    # what Beaker wrote is read, and what is written for it
    read, _, *second = kind.ours("get:old", "put:rolling", *whole, old=True)
    assert read == expected
    read, *third = kind.genuine("get:rolling", *whole)
    assert read == expected

    # the safe form, where the old one was
    acts = ("get:rolling", "put:old", "get:old", "walk:ours", *whole[:1], *whole[:1])
    read, _, again, our_walk, *visits = kind.ours(*acts)
    assert read == again == expected
    if kind.name == "ext:rediscluster":  # there Beaker's remove() leaves what other nodes have
        our_walk, their_walk = our_walk[:REMOVED], their_walk[:REMOVED]
    assert our_walk == their_walk
    if whole:
        assert_they_went_on(first, second, third, visits)


def assert_they_went_on(first: Any, second: Any, third: Any, visits: Any) -> None:
    """Assert that one session and one cache were found each time."""
    user = "{'name': 'Zoë', 'roles': ('a', 'b')}"
    assert first[0] == ["True", "None", "None"]
    assert second[0] == ["True", user, "[0]"]
    assert third[0] == ["True", user, "[0, 1]"]
    assert visits == [["True", user, "[0, 1, 2]"], ["True", user, "[0, 1, 2, 3]"]]
    # two values were there, one was removed and made anew
    assert second[1] == third[1]
    assert second[1] == [
        "('a/b', 'a/b', 'ключ', 0)",
        "('a/b', 1)",
        "{'made': (1, 2)}",
        "{'made': (1, 2)}",
    ]
