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


KINDS = ["redis", "rediscluster", "mongodb", "sqlite", "postgresql"]


@pytest.fixture
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
@pytest.mark.parametrize("kind", [*KINDS, "sqla"], indirect=True)
def test_the_same_data_and_the_same_walk(kind: Kind) -> None:
    _, expected, their_walk = kind.genuine("put:theirs", "get:theirs", "walk:of theirs")
    # what Beaker wrote is read, and what is written for it, by it
    assert kind.ours("get:theirs", "put:rolling", old=True)[0] == expected
    assert kind.genuine("get:rolling") == [expected]
    # the safe form, where the old one was
    read, _, again, our_walk = kind.ours("get:rolling", "put:theirs", "get:theirs", "walk:of ours")
    assert read == again == expected
    if kind.name == "ext:rediscluster":  # there Beaker's remove() leaves what other nodes have
        our_walk, their_walk = our_walk[:REMOVED], their_walk[:REMOVED]
    assert our_walk == their_walk


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_sessions_and_caches_go_on_in_either_library(kind: Kind) -> None:
    first, _ = kind.genuine("visit:moving", "cached:moving")
    second, cached = kind.ours("visit:moving", "cached:moving", old=True)
    third, again = kind.genuine("visit:moving", "cached:moving")
    user = "{'name': 'Zoë', 'roles': ('a', 'b')}"
    assert first == ["True", "None", "None"]
    assert second == ["True", user, "[0]"]
    assert third == ["True", user, "[0, 1]"]
    # two values were there, one was removed and made anew
    assert cached == again
    assert cached[0] == "('a/b', 'a/b', 'ключ', 0)"
    assert cached[1:] == ["('a/b', 1)", "{'made': (1, 2)}", "{'made': (1, 2)}"]
    visits = kind.ours("visit:moving", "visit:moving")
    assert visits == [["True", user, "[0, 1, 2]"], ["True", user, "[0, 1, 2, 3]"]]
