"""Beaker's caches, asked a few hundred questions: the genuine library and ours answer the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from compat.seeds import genuine, ours

SCRIPT = Path(__file__).with_name("beaker_cache_script.py")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[Any]]:
    theirs = json.loads(genuine(SCRIPT, tmp_path_factory.mktemp("genuine")))
    mine = json.loads(ours("beaker", SCRIPT, tmp_path_factory.mktemp("ours")))
    return theirs, mine


def test_the_same_answers(answers: tuple[list[Any], list[Any]]) -> None:
    theirs, mine = answers
    assert [(a, b) for a, b in zip(theirs, mine, strict=True) if a != b] == []


def test_it_asked_for_much(answers: tuple[list[Any], list[Any]]) -> None:
    assert len(answers[0]) > 300


THEIRS = """
from beaker.container import Container, NamespaceManager
from beaker.synchronization import null_synchronizer

kept = {}

class Manager(NamespaceManager):
    def __init__(self, namespace, url=None, **params):
        NamespaceManager.__init__(self, namespace)
        self.url = url

    def get_creation_lock(self, key):
        return null_synchronizer()

    def __getitem__(self, key):
        return kept[self.url, self.namespace, key]

    def __contains__(self, key):
        return (self.url, self.namespace, key) in kept

    def __setitem__(self, key, value):
        kept[self.url, self.namespace, key] = value

    def __delitem__(self, key):
        del kept[self.url, self.namespace, key]

    def do_remove(self):
        kept.clear()

class TheirContainer(Container):
    namespace_class = Manager
"""
USE = """
import sys
sys.path.insert(0, sys.argv[1])
from beaker.cache import CacheManager
cache = CacheManager(type="ext:theirs", url="there").get_cache("name", expire=10**9)
print(cache.get("k", createfunc=lambda: [1]), cache.get("k"), "k" in cache)
import their_backend
print([(key, value[1:]) for key, value in their_backend.kept.items()])
print(their_backend.TheirContainer("c", {}, "other", createfunc=lambda: 2, url=1).get_value())
del cache["k"]
print("k" in cache)
cache.clear()
print(their_backend.kept)
"""


def test_a_package_of_others_adds_its_backend(tmp_path: Path) -> None:
    (tmp_path / "their_backend.py").write_text(THEIRS)
    about = tmp_path / "theirs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[beaker.backends]\next:theirs = their_backend:Manager\n"
    )
    said = genuine(USE, tmp_path)
    assert said.startswith("[1] [1] True\n[(('there', 'name', b'k'), (1000000000, [1]))]\n2\nFalse")
    assert ours("beaker", USE, tmp_path) == said
