"""PasteDeploy's .ini files that name Beaker's filters: by its egg, and without it."""

import json
from pathlib import Path

import pytest

from compat.seeds import genuine, ours

PROGRAMS = Path(__file__).parent / "programs"
RUN = f"""
import sys
sys.path.insert(0, {str(PROGRAMS)!r})
import paste_shop
paste_shop.main(*sys.argv[1:])
"""


@pytest.mark.slow
def test_filters_by_the_egg_and_by_their_names(tmp_path: Path) -> None:
    cookie, *pages = json.loads(genuine(RUN, tmp_path, "", "main", "egg", "call"))
    assert pages == ["1", "2", "3"]
    # the genuine package is installed, so that its egg is found; what it names is ours
    egg = genuine(RUN, tmp_path, cookie, "main", "egg", "call", HOLDFAST_COMPAT="beaker")
    assert json.loads(egg) == [cookie, "4", "5", "6"]
    assert json.loads(ours("beaker", RUN, tmp_path, cookie, "call")) == [cookie, "7"]
