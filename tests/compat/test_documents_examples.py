"""The code of the documents, completed: it says the same on the genuine library and on ours."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
import redis

from compat.seeds import genuine, ours
from compat.test_kvs_document import CACHE, COOKIE, HEADER, INCLUDES, MOCK, SITE
from holdfast.compat.beaker.session import Session
from servers.memcached import MemcachedServer, run_memcached
from servers.redis import RedisServer

EXAMPLES = Path(__file__).parent / "documents" / "examples"
SAID = {
    "beaker_sessions": "User is logged in: False",
    "beaker_caching": "['long_term', 'short_term']",
    "beaker_reference": "['moles 12.0'] ['moles 12.0']",
    "beaker_configuration": "short_term aa aa ['a'] 3600",
    "pyramid_beaker_settings": "/cached 1 1 []",
}
"""A line of what each example prints: it came where it should."""


def _said_by_both(name: str, tmp_path: Path, names: str, *arguments: object) -> str:
    """Return what an example prints, which is the same twice, each time in a folder of its own."""
    script = EXAMPLES / f"{name}.py"
    said = []
    for which in ("theirs", "ours"):
        folder = tmp_path / which
        folder.mkdir()
        given = (str(folder), *arguments)
        said.append(genuine(script, *given) if which == "theirs" else ours(names, script, *given))
    assert said[0] == said[1]
    return said[1]


@pytest.mark.parametrize("name", ["beaker_sessions", "beaker_caching", "beaker_reference"])
def test_the_code_of_beakers_document(name: str, tmp_path: Path) -> None:
    assert SAID[name] in _said_by_both(name, tmp_path, "beaker")


@pytest.mark.server
def test_the_configuration_of_beakers_document(tmp_path: Path) -> None:
    script = EXAMPLES / "beaker_configuration.py"
    with run_memcached() as theirs, run_memcached() as mine:
        expected = genuine(script, tmp_path / "theirs", f"127.0.0.1:{theirs.port}")
        said = ours("beaker", script, tmp_path / "ours", f"127.0.0.1:{mine.port}")
    assert said == expected
    assert SAID["beaker_configuration"] in said


@pytest.mark.slow
def test_the_code_of_pyramid_beakers_document(tmp_path: Path) -> None:
    name = "pyramid_beaker_settings"
    assert SAID[name] in _said_by_both(name, tmp_path, "beaker,pyramid_beaker")


@pytest.mark.server
@pytest.mark.slow
def test_the_code_of_pyckets_document(
    redis_server: RedisServer, memcached_server: MemcachedServer
) -> None:
    script = EXAMPLES / "pycket_handlers.py"
    theirs = genuine(script, "redis", redis_server.port)
    assert ours("pycket", script, "redis", redis_server.port) == theirs
    # there python3-memcached refuses the bytes that Tornado has: what is documented is seen here
    assert ours("pycket", script, "memcached", memcached_server.port) == theirs
    assert theirs.split("\n") == [
        "200 ['bar', 'baz'] 0",
        "200 [['bar', 'baz'], 'SessionManager', True] 0",
        "200 ['so give me this instead', 'Fire!'] 0",
        "200 ['only once', None] 0",
        "",
    ]


@pytest.mark.server
@pytest.mark.slow
def test_the_settings_of_pyramid_kvs_document(redis_server: RedisServer) -> None:
    # those with "type" are errors in the genuine library, which the document does not know of
    texts = [
        f"pyramid.includes =\n    {INCLUDES.get(text, 'pyramid_kvs')}\n{text}"
        for text in (CACHE, COOKIE, HEADER, MOCK)
    ]
    arguments = (json.dumps(texts), redis_server.port, "no memcached")
    said = []
    for run in (genuine, lambda *given: ours("pyramid_kvs", *given)):
        with redis.Redis(port=redis_server.port, db=12) as client:
            client.flushdb()
        said.append(json.loads(run(SITE, *arguments)))
    assert said[1] == said[0]
    assert said[1][:2] == [[{"cache": None}, None], [{"cache": [1, "two"]}, None]]


def test_the_scripts_of_users_that_remove_old_files(tmp_path: Path) -> None:
    kept, old = Session({}, data_dir=str(tmp_path)), Session({}, data_dir=str(tmp_path))
    for session in (kept, old):
        session["n"] = 1
        session.save()
    long_ago = time.time() - 5 * 86400
    (path,) = tmp_path.rglob(f"{old.id}.cache")
    os.utime(path, (long_ago, long_ago))
    # as the document has it, in the session's data dir
    command = r"find . -type f -mtime +3 -print -exec rm {} \;"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, check=True)  # noqa: S602 - it is the document's
    assert done.stdout.decode().strip() == f"./{path.relative_to(tmp_path)}"
    names = {f"beaker.session.id={each.id}": each for each in (kept, old)}
    found = [Session({"cookie": name}, data_dir=str(tmp_path)).get("n") for name in names]
    assert found == [1, None]
