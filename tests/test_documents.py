"""The documents: every python block runs, from the top of its page to the bottom."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)

WARNINGS = [
    "error",
    "ignore:'cgi' is deprecated:DeprecationWarning",  # as in pyproject.toml: WebOb and Pyramid
    "ignore:pkg_resources is deprecated:UserWarning",
    "ignore:Deprecated call to:DeprecationWarning",
]


def run(page: Path | str) -> None:
    """Run the blocks of a page, one after another in one namespace."""
    text = Path(page).read_text(encoding="utf-8")
    names = vars(sys.modules.setdefault("page", ModuleType("page")))  # frameworks ask whose it is
    names.clear()
    names["__name__"] = "page"
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        code = compile("\n" * line + block[1], str(page), "exec")
        exec(code, names)  # noqa: S102 - our own pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_block_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "compat.install(" in page.read_text(encoding="utf-8"):  # it changes what imports find
        code = f"import test_documents as t; t.run({str(page)!r})"
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, *(f"-W{words}" for words in WARNINGS), "-c", code],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        )
        assert not done.returncode, done.stderr
    else:
        run(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)\s]+)\)", text):
        there = page.parent / target if target else page
        headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in headings}
        assert anchor in slugs, f"{page.name} links to #{anchor} of {there.name}"
