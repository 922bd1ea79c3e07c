"""The diagrams of docs/images: what a paradigm is, what a split by source is, what an interval
covers, where positions are counted from. Called by draw_pictures.py."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

INK, MUTED, PALE = "#1a1a1a", "#595959", "#f2f2f2"
# Okabe and Ito's colours, told apart by the colour-blind.
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"

GROUPS = {
    "breast": (BLUE, ["breast_lesion", "breast_2cls"]),
    "lung": (ORANGE, ["lung", "lung_2cls"]),
}


def draw_paradigms() -> Figure:
    """TS, CG and AU: which tasks have a network together, and which networks have experts."""
    figure = Figure(figsize=(8.4, 3.5), layout="constrained")
    colours = {task: colour for colour, tasks in GROUPS.values() for task in tasks}
    arms = {
        "TS: each task alone": [[task] for task in colours],
        "CG: each clinical group": [tasks for _, tasks in GROUPS.values()],
        "AU: all tasks": [list(colours)],
    }
    for axis, (title, networks) in zip(figure.subplots(1, 3), arms.items(), strict=True):
        axis.set(xlim=(-0.1, 10.4), ylim=(-0.6, 4.1), xticks=[], yticks=[])
        axis.set_title(title, fontsize=10, loc="left")
        axis.spines[:].set_visible(False)
        row = 0.0
        for tasks in networks:
            centre = row + (len(tasks) - 1) / 2
            moe = len(tasks) > 1
            said = "backbone\nwith experts" if moe else "backbone"
            _box(axis, (4.3, 10), (row - 0.36, row + len(tasks) - 0.64), PALE, INK, said)
            for task in tasks:
                _box(axis, (0, 3.3), (row - 0.3, row + 0.3), colours[task], "white", task)
                arrow = ((3.35, row), (4.25, row if moe else centre))
                axis.add_patch(
                    FancyArrowPatch(*arrow, arrowstyle="->", mutation_scale=9, color=MUTED)
                )
                row += 1
        axis.invert_yaxis()
    return figure


def _box(
    axis: Any, x: tuple[float, float], y: tuple[float, float], fill: str, ink: str, text: str
) -> None:
    style = "round,pad=0,rounding_size=0.12"
    size = (x[1] - x[0], y[1] - y[0])
    axis.add_patch(FancyBboxPatch((x[0], y[0]), *size, boxstyle=style, fc=fill, ec=MUTED, lw=0.8))
    axis.text(sum(x) / 2, sum(y) / 2, text, color=ink, fontsize=7.5, ha="center", va="center")


def draw_split() -> Figure:
    """The same images split one by one, and by the patient that they are of."""
    rng = np.random.default_rng(3)
    sizes = (5, 4, 3, 3, 2, 2, 1)
    colours = (BLUE, ORANGE, GREEN, PURPLE, SKY, MUTED, "#E69F00")
    images = [(patient, "os"[n % 2]) for patient, size in enumerate(sizes) for n in range(size)]
    by_image = np.array(["train"] * 12 + ["val"] * 4 + ["test"] * 4)
    rng.shuffle(by_image)
    side_of = ("train", "train", "val", "train", "test", "test", "val")
    by_source = np.array([side_of[patient] for patient, _ in images])
    figure = Figure(figsize=(8.4, 3.1), layout="constrained")
    titles = ("image by image: patients are on several sides", "by source: each patient is on one")
    for axis, title, sides in zip(
        figure.subplots(1, 2), titles, (by_image, by_source), strict=True
    ):
        axis.set(xlim=(-0.9, 12.6), ylim=(3.0, -0.7), xticks=[], yticks=[])
        axis.set_title(title, fontsize=10, loc="left")
        axis.spines[:].set_visible(False)
        for row, side in enumerate(("train", "val", "test")):
            _box(axis, (0.9, 12.5), (row - 0.38, row + 0.38), PALE, INK, "")
            axis.text(0.7, row, side, fontsize=9, ha="right", va="center", color=INK)
            there = [image for image, its in zip(images, sides, strict=True) if its == side]
            for place, (patient, marker) in enumerate(there):
                at = (1.5 + 0.93 * place, row)
                axis.scatter(*at, s=120, marker=marker, color=colours[patient], zorder=2)
                axis.text(*at, patient + 1, color="white", fontsize=7, ha="center", va="center")
    figure.supxlabel(
        "a number and colour is a patient; squares and circles are images of two tasks",
        fontsize=8.5,
        color=MUTED,
    )
    return figure


def draw_intervals(studies: int = 60) -> Figure:
    """Simulated studies with a known difference, each with its interval: those of
    benchmarks/coverage.py, noise of seeds as large as that of images."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
    from coverage import Design, drawn, true_difference

    from usmt.output import Output
    from usmt.study.statistics import analyse

    design = Design(seeds=3, noise=1.0)
    true, silent = true_difference(design), Output(stdout=io.StringIO(), stderr=io.StringIO())
    found = [
        analyse(drawn(design, np.random.default_rng([7, number])), silent).comparisons[0].difference
        for number in range(studies)
    ]
    missed = [not interval.low <= true <= interval.high for interval in found]
    figure = Figure(figsize=(8.4, 2.9), layout="constrained")
    axis = figure.subplots()
    for at, (interval, miss) in enumerate(zip(found, missed, strict=True)):
        colour = ORANGE if miss else BLUE
        axis.plot([at, at], [interval.low, interval.high], color=colour, lw=1.4)
        axis.plot(at, interval.value, "o", color=colour, ms=3.2)
    axis.axhline(true, color=INK, lw=0.9)
    axis.text(studies, true, " true", va="center", fontsize=8.5)
    axis.axhline(0, color=MUTED, lw=0.9, ls=":")
    axis.set(xlim=(-1, studies), xlabel="study", ylabel="difference", xticks=[])
    axis.set_title(
        f"{studies} studies, {studies - sum(missed)} intervals that hold the true difference",
        fontsize=10,
        loc="left",
    )
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def draw_coordinates(size: tuple[int, int] = (3, 5)) -> Figure:
    """Two pixels of an image in the two ways to count: from centres of pixels, from the corner."""
    height, width = size
    figure = Figure(figsize=(8.4, 3.0), layout="constrained")
    axis = figure.subplots()
    axis.set(xlim=(-1.1, width + 4.6), ylim=(height + 0.5, -0.6), xticks=[], yticks=[])
    axis.set_aspect("equal")
    axis.spines[:].set_visible(False)
    for y in range(height):
        for x in range(width):
            axis.add_patch(Rectangle((x, y), 1, 1, fc=PALE, ec=MUTED, lw=0.8))
    axis.add_patch(Rectangle((1, 1), 3, 2, fill=False, ec=BLUE, lw=2))
    for x, y in ((0, 0), (4, 1)):
        axis.scatter(x + 0.5, y + 0.5, s=36, color=ORANGE, zorder=3)
        axis.text(x + 0.5, y + 0.22, f"({x}, {y})", color=ORANGE, fontsize=8, ha="center")
    for x, y in ((0, 0), (width, height)):
        axis.scatter(x, y, s=30, marker="s", color=BLUE, zorder=3)
    axis.text(-0.12, -0.16, "(0, 0)", color=BLUE, fontsize=8.5, ha="right", va="bottom")
    axis.text(
        width + 0.12, height + 0.06, f"({width}, {height})", color=BLUE, fontsize=8.5, va="top"
    )
    said = (
        (ORANGE, "KeyPoints, labels and results of points:\ncentres of pixels are whole numbers"),
        (BLUE, "BoundingBoxes, Frame:\nfrom the image's corner; this box is (1, 1, 4, 3)"),
        (INK, "the same point:\n(4, 1) as a key point, (4.5, 1.5) in a frame"),
    )
    for row, (colour, text) in enumerate(said):
        axis.text(width + 0.5, 0.2 + row, text, color=colour, fontsize=8.5, va="center")
    return figure
