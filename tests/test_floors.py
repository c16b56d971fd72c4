"""The import rule: downwards only; never up, never sideways (docs/decisions/0001)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "holdfast"

# Each row may import the rows above it. Within a row nobody sees his neighbour, but for the ground.
FLOORS: list[set[str]] = [
    {"errors", "clock", "events", "entry", "keys", "durations", "forks", "signing", "codec"},
    {"background", "locks", "store.protocol", "store.bus"},
    {"store.abilities"},
    {"bridge", "lifetimes", "gather", "replies", "dial", "listening", "messages"},
    {"store"},
    {"cache", "session", "limit", "observe"},
    {"web", "testing"},
    {"ext"},
    {"compat", "dashboard"},
    {"cli"},
]
ASYNC_OR_TIME = {"asyncio", "threading", "time"}


def part_of(module: str) -> str:
    """Return the part of the table a module below `holdfast` belongs to."""
    names = module.split(".")
    two = ".".join(names[:2])
    return two if any(two in floor for floor in FLOORS) else names[0]


def floor_of(part: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if part in floor)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> list[str]:
    below = [name.removeprefix("holdfast.") for name in imports(path) if "holdfast." in name]
    return [
        name
        for name in below
        if (SOURCE / name.split(".")[0]).exists() or (SOURCE / f"{name.split('.')[0]}.py").exists()
    ]


FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_downwards(path: Path) -> None:
    module = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    part = part_of(module)
    for name in ours(path):
        other = part_of(name)
        if other in (part, "store") and name == "store":
            continue
        if other == part:
            neighbour = ".".join(name.split(".")[:2])
            assert part != "ext" or neighbour == ".".join(module.split(".")[:2]), name
            continue
        below = floor_of(other) < floor_of(part) or floor_of(part) == 0 == floor_of(other)
        assert below, f"{module} (floor {floor_of(part)}) imports {name} (floor {floor_of(other)})"


STORES = [path for path in FILES if SOURCE / "store" in path.parents]
CONTRACT = {"protocol", "abilities", "address", "bus", "plain"}


def store_of(path: Path) -> str:
    """Return the store a file below store/ belongs to."""
    return path.relative_to(SOURCE / "store").with_suffix("").parts[0]


@pytest.mark.parametrize("path", STORES, ids=lambda path: str(path.relative_to(SOURCE / "store")))
def test_a_store_never_sees_another(path: Path) -> None:
    seen = {name.split(".")[1] for name in ours(path) if name.startswith("store.")}
    if store_of(path) != "registry":
        assert seen <= {*CONTRACT, store_of(path)}


@pytest.mark.parametrize("path", STORES, ids=lambda path: str(path.relative_to(SOURCE / "store")))
def test_no_store_file_is_longer_than_300_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_engines_know_neither_loops_nor_threads_nor_time(path: Path) -> None:
    if path.stem == "engine" or path.parent.name == "session":  # whose sequences fill many files
        assert not ASYNC_OR_TIME & {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
