"""The matrix of negative transfer: a row a task, a column an arm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from usmt.study.findings import Comparison
from usmt.study.report import wording
from usmt.study.report.drawing import FAINT, GAIN, GAP, HARM, INK, MUTED

_COLOURS = LinearSegmentedColormap.from_list("harm to gain", (HARM, "#ffffff", GAIN), N=41)


def draw_matrix(
    groups: Sequence[tuple[str, Sequence[str]]],
    arms: Mapping[str, str],
    cells: Mapping[tuple[str, str], Comparison],
) -> Canvas:
    """Colour by effect, text with the relative change.

    What is certain is bold in a frame, what is not is hatched: neither needs colour.

    Args:
        groups: title of each group and its tasks.
        arms: labels by name.
        cells: by task and arm.
    """
    tasks = [task for _, members in groups for task in members]
    width, height = 0.8 * len(arms), 0.32 * len(tasks)
    labels = 0.075 * max(len(wording.clipped(task, 26)) for task in tasks) + (
        1.2 if len(groups) > 1 else 0.4
    )
    canvas = Canvas(figsize=(max(3.6, width + labels), height + 1.5), layout="constrained")
    axis = canvas.subplots()
    reach = _reach(cells)
    for column, arm in enumerate(arms):
        for row, task in enumerate(tasks):
            _draw_cell(axis, row, column, cells.get((task, arm)), reach)
    axis.set_xlim(-0.5, len(arms) - 0.5)
    axis.set_ylim(len(tasks) - 0.5, -0.5)
    axis.xaxis.tick_top()
    axis.set_xticks(range(len(arms)), [wording.clipped(label, 14) for label in arms.values()])
    axis.set_yticks(range(len(tasks)), [wording.clipped(task, 26) for task in tasks])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    _separate(axis, groups, len(arms))
    bar = canvas.colorbar(
        ScalarMappable(Normalize(-reach, reach), _COLOURS), ax=axis, location="bottom",
        shrink=0.9, aspect=30, pad=0.02,
    )  # fmt: skip
    bar.set_label(f"← harm{GAP}standardised effect{GAP}gain →")
    bar.outline.set_edgecolor(FAINT)
    if bar.solids is not None:
        bar.solids.set_edgecolor("face")  # else a white seam between steps
    return canvas


def _draw_cell(axis: Any, row: int, column: int, cell: Comparison | None, reach: float) -> None:
    corner = (column - 0.5, row - 0.5)
    if cell is None or not math.isfinite(cell.relative.value):
        axis.add_patch(Rectangle(corner, 1, 1, facecolor="none", edgecolor=FAINT, linewidth=0.5))
        axis.text(column, row, wording.NOT_KNOWN, ha="center", va="center", color=MUTED)
        return
    effect = cell.effect.value if math.isfinite(cell.effect.value) else 0.0
    colour = _COLOURS(0.5 + 0.5 * max(-1.0, min(1.0, effect / reach)))
    undecided = cell.verdict == "undecided"
    axis.add_patch(Rectangle(corner, 1, 1, facecolor=colour, edgecolor="white", linewidth=0.8))
    if undecided:
        axis.add_patch(Rectangle(corner, 1, 1, facecolor="none", edgecolor="#8c8c8c",
                                 linewidth=0, hatch="////"))  # fmt: skip
    certain = cell.verdict in ("gain", "harm")
    if certain:
        axis.add_patch(Rectangle((column - 0.46, row - 0.42), 0.92, 0.84, facecolor="none",
                                 edgecolor=INK, linewidth=1.4, zorder=3))  # fmt: skip
    axis.text(
        column, row, f"{wording.MARKS[cell.verdict]} {wording.change(cell.relative.value)}",
        ha="center", va="center", fontsize=8, fontweight="bold" if certain else "normal",
        color=INK if undecided else _readable_on(colour), zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2} if undecided else None,
    )  # fmt: skip


def _separate(axis: Any, groups: Sequence[tuple[str, Sequence[str]]], columns: int) -> None:
    """A line between groups, and each group's title at the right of its first task."""
    top = 0
    for title, members in groups:
        if top:
            axis.axhline(top - 0.5, color=INK, linewidth=0.9)
        if len(groups) > 1:
            axis.text(columns - 0.42, top, wording.clipped(title, 14), ha="left", va="center",
                      fontsize=7.5, color=MUTED)  # fmt: skip
        top += len(members)


def _reach(cells: Mapping[tuple[str, str], Comparison]) -> float:
    """The effect that has the full colour: the largest, between a half and two."""
    sizes = [abs(cell.effect.value) for cell in cells.values()]
    return min(2.0, max([0.5, *(size for size in sizes if math.isfinite(size))]))


def _readable_on(colour: Sequence[float]) -> str:
    """Black or white, whichever has the greater contrast (WCAG's relative luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if luminance > 0.179 else "white"
