"""The growth table as a picture: one panel per store, one line per operation.

Law: it draws what the table tells and computes nothing. It needs matplotlib.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.report import Row, Table

__all__ = ["draw_growth"]

_COLOURS = ("#1f6f8b", "#c8553d", "#588157", "#7b4b94", "#8a8a8a", "#b8860b")


def draw_growth(table: Table, file: Path) -> None:
    """Write `table` to `file`, whose ending says the format, such as `.svg`.

    Raises:
        ImportError: matplotlib is not installed.
    """
    mpl: Any = import_module("matplotlib")
    mpl.use("Agg")  # no screen
    mpl.rcParams["svg.hashsalt"] = table.name  # the same figures make the same file
    plt: Any = import_module("matplotlib.pyplot")
    panels = by_place(table)
    sizes = [column for column in table.columns if column != "ratio"]
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4 * len(panels), 3.6), squeeze=False, layout="constrained"
    )
    for axis, (place, lines) in zip(axes[0], panels.items(), strict=True):
        _panel(axis, place, lines, sizes)
    axes[0][0].set_ylabel(table.unit)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)


def by_place(table: Table) -> dict[str, dict[str, Row]]:
    """Return place -> operation -> row, of those that were measured; sweeps are another scale."""
    found: dict[str, dict[str, Row]] = {}
    for row in table.rows:
        place, _, what = row.name.partition(": ")
        if "ratio" in row.cells and not what.startswith("sweep"):
            found.setdefault(place, {})[what] = row
    return found


def _panel(axis: Any, place: str, lines: Mapping[str, Row], sizes: list[str]) -> None:
    for colour, (what, row) in zip(_COLOURS, lines.items(), strict=False):
        figures = [row.cells[size] for size in sizes]
        label = f"{what}, x{row.cells['ratio']:.2f}"
        axis.plot(sizes, figures, marker="o", color=colour, label=label)
    axis.set_title(place)
    axis.set_xlabel("records")
    axis.set_xticks(range(len(sizes)), [f"${size.replace('^', '^{')}}}$" for size in sizes])
    axis.set_ylim(0, 1.3 * axis.get_ylim()[1])  # the legend stands above the lines
    axis.grid(axis="y", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="upper left", ncols=2, frameon=False, fontsize="small")
