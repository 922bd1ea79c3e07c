"""Estimates with their intervals, a row a thing and a colour an arm."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from usmt.study.findings import Interval
from usmt.study.report import wording
from usmt.study.report.drawing import BAND, FAINT, GAP, INK, MUTED, WIDTH, Look

FARTHEST = 4.0
"""What lies beyond so many times the upper quartile is drawn at the edge, as a number."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """What one arm has, by row.

    Attributes:
        undecided: rows that are drawn hollow.
        points: single values, e.g. of each seed.
    """

    label: str
    look: Look
    intervals: Mapping[int, Interval]
    undecided: Collection[int] = ()
    points: Mapping[int, Sequence[float]] = field(default_factory=dict)


def draw_scores(
    title: str,
    unit: str,
    rows: Sequence[str],
    arms: Sequence[Estimates],
    trivial: Mapping[int, float],
) -> Canvas:
    """Absolute scores, with the score of the predictor that never looks at the image."""
    canvas, axis, places = _rows(title, rows, arms)
    for arm, place in zip(arms, places, strict=True):
        for row, values in arm.points.items():
            known = [value for value in values if math.isfinite(value)]
            heights = [row + place + 0.26 / len(arms)] * len(known)
            axis.scatter(known, heights, s=9, facecolors="none", edgecolors=arm.look.colour,
                         marker=arm.look.marker, linewidths=0.6, zorder=2)  # fmt: skip
        _draw(axis, arm, arm.intervals, place)
    for row, value in trivial.items():
        if math.isfinite(value):
            axis.plot([value] * 2, [row - 0.4, row + 0.4], color=MUTED, linewidth=1, linestyle=":")
    axis.set_xlabel(wording.plain(unit))
    axis.xaxis.set_major_locator(MaxNLocator(6))
    extra = [Line2D([], [], color=MUTED, linewidth=1, linestyle=":", label="never looks")]
    _legend(canvas, arms, extra if trivial else [])
    return canvas


def draw_changes(
    title: str,
    unit: str,
    rows: Sequence[str],
    arms: Sequence[Estimates],
    *,
    margin: float | None = None,
    percent: bool = False,
) -> Canvas:
    """Changes around nought; `margin` is drawn as a band."""
    canvas, axis, places = _rows(title, rows, arms)
    limit = _limit([i for arm in arms for i in arm.intervals.values()], margin or 0.0)
    axis.set_xlim(-limit, limit)
    if margin is not None:
        axis.axvspan(-margin, margin, color=BAND, zorder=0)
    axis.axvline(0, color=INK, linewidth=0.9, zorder=1)
    say = wording.change if percent else wording.signed
    for arm, place in zip(arms, places, strict=True):
        inside = {row: i for row, i in arm.intervals.items() if abs(i.value) <= limit}
        _draw(axis, arm, inside, place)
        for row, interval in arm.intervals.items():
            if math.isfinite(interval.value) and row not in inside:
                side = math.copysign(1.0, interval.value)
                axis.annotate(
                    f"{say(interval.value)} →" if side > 0 else f"← {say(interval.value)}",
                    (side * limit, row + place), ha="right" if side > 0 else "left", va="center",
                    fontsize=7, color=INK,
                )  # fmt: skip
    axis.set_xlabel(f"← worse{GAP}{unit}{GAP}better →")
    axis.xaxis.set_major_locator(MaxNLocator(6))
    if percent:
        axis.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:+.0%}".replace("-", "−") if value else "0")
        )
    if len(arms) > 1:
        _legend(canvas, arms, [])
    return canvas


def _rows(
    title: str, rows: Sequence[str], arms: Sequence[Estimates]
) -> tuple[Canvas, Any, list[float]]:
    """An axis with a row for each name, top to bottom, and the place of each arm in a row."""
    thickness = 0.12 + 0.13 * max(1, len(arms))
    canvas = Canvas(figsize=(WIDTH, 1.25 + thickness * len(rows)), layout="constrained")
    axis = canvas.subplots()
    axis.set_title(wording.clipped(title, 60))
    axis.set_yticks(range(len(rows)), [wording.clipped(name, 26) for name in rows])
    axis.set_ylim(len(rows) - 0.45, -0.55)
    axis.tick_params(axis="y", length=0)
    for row in range(1, len(rows)):
        axis.axhline(row - 0.5, color=BAND, linewidth=0.8, zorder=0)
    axis.grid(axis="x", color=BAND, linewidth=0.8)
    step = 0.72 / max(1, len(arms))
    return canvas, axis, [step * (i - (len(arms) - 1) / 2) for i in range(len(arms))]


def _draw(axis: Any, arm: Estimates, intervals: Mapping[int, Interval], place: float) -> None:
    for row, interval in intervals.items():
        if not math.isfinite(interval.value):
            continue
        height = row + place
        if math.isfinite(interval.low) and math.isfinite(interval.high):
            axis.plot([interval.low, interval.high], [height] * 2, color=arm.look.colour,
                      linewidth=1.3, zorder=3, solid_capstyle="butt")  # fmt: skip
        axis.plot([interval.value], [height], arm.look.marker, color=arm.look.colour, zorder=4,
                  markersize=5, markeredgewidth=1.1,
                  markerfacecolor="white" if row in arm.undecided else arm.look.colour)  # fmt: skip


def _limit(intervals: Iterable[Interval], margin: float) -> float:
    """Half the width of an axis around nought on which most of the values can be told apart."""
    ends = [[abs(i.value), abs(i.low), abs(i.high)] for i in intervals]
    sizes = sorted(max(filter(math.isfinite, each), default=0.0) for each in ends)
    if not sizes:
        return 4 * margin or 1.0
    usual = sizes[(3 * (len(sizes) - 1) + 3) // 4]
    largest = min(sizes[-1], FARTHEST * usual) if usual else sizes[-1]
    return max(1.08 * largest, 2.5 * margin, 1e-3)


def _legend(canvas: Canvas, arms: Sequence[Estimates], extra: Sequence[Line2D]) -> None:
    handles = [
        Line2D([], [], color=arm.look.colour, marker=arm.look.marker, markersize=5,
               linewidth=1.3, label=wording.clipped(arm.label, 20))
        for arm in arms
    ]  # fmt: skip
    if any(arm.undecided for arm in arms):
        handles.append(Line2D([], [], color=FAINT, marker="o", markerfacecolor="white",
                              markeredgecolor=MUTED, linestyle="", label="undecided"))  # fmt: skip
    canvas.legend(handles=[*handles, *extra], loc="outside lower center", fontsize=8,
                  ncols=4 if len(handles) + len(extra) <= 4 else 3, handletextpad=0.5,
                  columnspacing=1.2)  # fmt: skip
