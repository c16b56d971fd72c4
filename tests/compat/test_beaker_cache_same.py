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
