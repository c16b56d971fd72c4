"""The pictures of the explanations: each file is what its scene makes, and its page shows it."""

import runpy
from pathlib import Path
from typing import Any

import pytest

EXPLAIN = Path(__file__).parent.parent / "docs" / "explain"
PICTURES: dict[str, Any] = runpy.run_path(str(EXPLAIN / "pictures.py"))


@pytest.mark.parametrize("name", PICTURES["SCENES"])
def test_a_picture_is_what_its_scene_makes(name: str) -> None:
    picture = (EXPLAIN / f"{name}.svg").read_text(encoding="utf-8")
    assert picture == PICTURES["draw"](name), "draw anew: python docs/explain/pictures.py"


@pytest.mark.parametrize("name", PICTURES["SCENES"])
def test_its_page_shows_it(name: str) -> None:
    page = (EXPLAIN / f"{name}.md").read_text(encoding="utf-8")
    assert f"]({name}.svg)" in page
