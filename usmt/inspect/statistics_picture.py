"""Statistics of a dataset as a picture: a row a task."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from usmt.inspect.statistics import TaskStatistics

# Okabe and Ito's colours, told apart by the colour-blind.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
SIZE, GREY = COLOURS[4], "#777777"

Draw = Callable[[Any, TaskStatistics], bool]
"""Draws on an axis; false if the task has nothing for it."""


def draw_statistics(tasks: Sequence[TaskStatistics]) -> bytes:
    """A PNG: for each task its image sizes, grey levels, classes, and sizes and places of labels,
    as far as it has them."""
    from matplotlib.figure import Figure

    panels: dict[str, Draw] = {
        "image sizes, pixels": _draw_sizes,
        "mean grey level": _draw_grey_levels,
        "records by class": _draw_classes,
        "labels, shares of the image": _draw_numbers,
        "places in the image": _draw_places,
    }
    columns = len(panels) - 1  # no built-in type has classes and places
    figure = Figure(figsize=(3.2 * columns, 2.0 * len(tasks) + 0.4), layout="constrained")
    grid = figure.subplots(len(tasks), columns, squeeze=False)
    for line, task in zip(grid, tasks, strict=True):
        axes = list(line)
        for title, draw in panels.items():
            if axes and task.samples and draw(axes[0], task):
                axes[0].tick_params(labelsize=6)
                axes.pop(0).set_title(title, fontsize=7)
        for axis in axes:
            axis.axis("off")
        count = f"{len(task.samples)} of {task.records}" if task.defects else f"{task.records}"
        name = f"{task.task} ({count} records)"
        line[0].set_title(name, fontsize=8, fontweight="bold", loc="left", y=1.12)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def _draw_classes(axis: Any, task: TaskStatistics) -> bool:
    names, counts = list(task.classes), list(task.classes.values())
    if not names:
        return False
    bars = axis.barh(range(len(names)), counts, color=_colours(len(names)))
    axis.bar_label(bars, fontsize=6, padding=1)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.margins(x=0.15)
    return True


def _draw_numbers(axis: Any, task: TaskStatistics) -> bool:
    placed = {name for pair in _places(task).values() for name in pair}
    names = [name for name in task.numbers if name not in placed]
    if not names:
        return False
    values = [[sample.numbers[name] for sample in task.samples] for name in names]
    boxes = axis.boxplot(
        values, orientation="horizontal", widths=0.6, patch_artist=True, tick_labels=names,
        flierprops={"markersize": 2}, medianprops={"color": "black"},
    )  # fmt: skip
    for box, colour in zip(boxes["boxes"], _colours(len(names)), strict=True):
        box.set_facecolor(colour)
    axis.set_xlim(0, None)
    axis.invert_yaxis()
    return True


def _draw_places(axis: Any, task: TaskStatistics) -> bool:
    places = _places(task)
    if not places:
        return False
    for (name, (x, y)), colour in zip(places.items(), _colours(len(places)), strict=True):
        xs = [sample.numbers[x] for sample in task.samples]
        ys = [sample.numbers[y] for sample in task.samples]
        axis.scatter(xs, ys, s=5, color=colour, label=name, linewidths=0)
    axis.set(xlim=(0, 1), ylim=(1, 0))
    axis.legend(fontsize=5, markerscale=2, loc="best")
    return True


def _draw_sizes(axis: Any, task: TaskStatistics) -> bool:
    widths = [sample.size[1] for sample in task.samples]
    heights = [sample.size[0] for sample in task.samples]
    axis.scatter(widths, heights, s=6, color=SIZE, alpha=0.5, linewidths=0)
    axis.set(xlim=(0, 1.1 * max(widths)), ylim=(0, 1.1 * max(heights)))
    axis.set_xlabel("width", fontsize=6)
    axis.set_ylabel("height", fontsize=6)
    return True


def _draw_grey_levels(axis: Any, task: TaskStatistics) -> bool:
    axis.hist([sample.mean for sample in task.samples], bins=32, range=(0, 255), color=GREY)
    axis.set_ylabel("images", fontsize=6)
    return True


def _places(task: TaskStatistics) -> Mapping[str, tuple[str, str]]:
    """The numbers `NAME x` and `NAME y` of a label are a place, of that name."""
    names = [name.removesuffix(" x") for name in task.numbers if name.endswith(" x")]
    return {name: (f"{name} x", f"{name} y") for name in names if f"{name} y" in task.numbers}


def _colours(count: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]
