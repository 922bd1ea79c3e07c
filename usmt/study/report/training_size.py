"""Effects against the number of training images: over all tasks, and of one task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from usmt.study.findings import Comparison, Turn
from usmt.study.report import wording
from usmt.study.report.drawing import BAND, GAP, INK, MUTED, NARROW, WIDTH, Look

Arms = Mapping[str, tuple[str, Look]]
"""Label and look by name."""


def draw_over_tasks(
    arms: Arms, comparisons: Sequence[Comparison], images: Mapping[str, int]
) -> Canvas:
    """Effect of each task and arm against the task's training images."""
    canvas, axis = _axis(WIDTH, 3.2)
    for (name, (_, look)), aside in zip(arms.items(), _aside(arms), strict=True):
        for comparison in comparisons:
            if comparison.arm == name and images.get(comparison.task):
                _draw(axis, images[comparison.task] * aside, comparison, look)
    axis.set_ylabel(f"standardised effect\n← harm{GAP}gain →")
    _label_images(axis, [images[c.task] for c in comparisons if images.get(c.task)])
    _legend(canvas, arms)
    return canvas


def draw_one_task(
    task: str,
    arms: Arms,
    comparisons: Sequence[tuple[int, Comparison]],
    turns: Sequence[Turn],
) -> Canvas:
    """Effect on one task against its training images, a line an arm; turning points marked.

    Args:
        comparisons: of the task, each with its training images.
    """
    canvas, axis = _axis(NARROW, 2.7)
    axis.set_title(wording.clipped(task, 30))
    for (name, (_, look)), aside in zip(arms.items(), _aside(arms), strict=True):
        mine = [(n * aside, c.effect.value, c) for n, c in comparisons if c.arm == name]
        mine.sort(key=lambda each: each[0])
        axis.plot([n for n, *_ in mine], [effect for _, effect, _ in mine], color=look.colour,
                  linewidth=1.1)  # fmt: skip
        for images, _, comparison in mine:
            _draw(axis, images, comparison, look)
    for turn in turns:
        if turn.turns_at is not None and turn.arm in arms:
            _mark(axis, turn, arms[turn.arm][1], 0.99 - 0.14 * list(arms).index(turn.arm))
    axis.set_ylabel("effect")
    _label_images(axis, [images for images, _ in comparisons])
    _legend(canvas, arms)
    return canvas


def _axis(width: float, height: float) -> tuple[Canvas, Any]:
    canvas = Canvas(figsize=(width, height), layout="constrained")
    axis = canvas.subplots()
    axis.set_xscale("log")
    axis.grid(color=BAND, linewidth=0.8)
    axis.axhline(0, color=INK, linewidth=0.9, zorder=1)
    return canvas, axis


def _aside(arms: Arms) -> list[float]:
    """Factors that move the arms' marks a little apart where they have the same images."""
    return [1.035 ** (i - (len(arms) - 1) / 2) for i in range(len(arms))]


def _draw(axis: Any, images: float, comparison: Comparison, look: Look) -> None:
    effect = comparison.effect
    if not math.isfinite(effect.value):
        return
    if math.isfinite(effect.low) and math.isfinite(effect.high):
        axis.plot([images] * 2, [effect.low, effect.high], color=look.colour, linewidth=0.8,
                  alpha=0.6, zorder=2)  # fmt: skip
    hollow = comparison.verdict == "undecided"
    axis.plot([images], [effect.value], look.marker, color=look.colour, markersize=5, zorder=3,
              markeredgewidth=1.1, markerfacecolor="white" if hollow else look.colour)  # fmt: skip


def _mark(axis: Any, turn: Turn, look: Look, top: float) -> None:
    """Where the effect turns; dotted and with a question mark where that may be chance."""
    style, doubt = ("--", "") if turn.certain else (":", "?")
    axis.axvline(turn.turns_at, color=look.colour, linewidth=1, linestyle=style, zorder=1)
    axis.annotate(f"{turn.turns_at:,.0f}{doubt} ", (turn.turns_at, top), fontsize=7.5,
                  xycoords=("data", "axes fraction"), ha="right", va="top", color=INK)  # fmt: skip


def _label_images(axis: Any, images: Sequence[int]) -> None:
    """Whole numbers on the logarithmic axis, in steps of 1, 2, 5 where it is short."""
    axis.set_xlabel("training images")
    if not images:
        return
    low, high = min(images), max(images)
    axis.set_xlim(low / 1.35, high * 1.35)
    wide = high / low > 60
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _legend(canvas: Canvas, arms: Arms) -> None:
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, markersize=5, linewidth=1.1,
               label=wording.clipped(label, 20))
        for label, look in arms.values()
    ]  # fmt: skip
    handles.append(Line2D([], [], color=MUTED, marker="o", markerfacecolor="white",
                          linestyle="", label="undecided"))  # fmt: skip
    canvas.legend(handles=handles, loc="outside lower center", fontsize=8, ncols=3,
                  handletextpad=0.5, columnspacing=1.2)  # fmt: skip
