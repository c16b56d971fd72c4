"""The page of the security list: each item has its row, its test, and what switches it off."""

import ast
import re
from pathlib import Path

from switched_off import MUTATIONS

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "explain" / "security.md"
ROW = re.compile(r"^\| (\d+) \|.* \| `(\w+)` \|$", re.MULTILINE)
NAMED = re.compile(r"test_item_(\d\d)_\w+")
ITEMS = set(range(1, 58))
PROOF = 57  # what switches off the others has nothing to be switched off


def _tests() -> dict[str, int]:
    """Return the number of each test of this folder that is named after an item."""
    found = {}
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (named := NAMED.fullmatch(node.name)):
                found[node.name] = int(named[1])
    return found


def test_each_item_has_a_row_that_names_its_test() -> None:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert [int(number) for number, _ in rows] == sorted(ITEMS)
    tests = _tests()
    for number, name in rows:
        assert tests.get(name) == int(number), f"no test of item {number} is called {name}"


def test_each_item_is_switched_off_once() -> None:
    names = [str(mutation) for mutation in MUTATIONS]
    assert len(set(names)) == len(names)
    assert {int(name.partition(":")[0]) for name in names} >= ITEMS - {PROOF}
