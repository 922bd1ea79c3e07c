"""Draws every picture in docs/images; with names, only those.

python docs/draw_pictures.py [paradigms split intervals coordinates sheet network study]

The last two train: a network of four tasks, and the study of the planted family. Together they
take about ten minutes on two processor cores. The same libraries draw the same pictures.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import matplotlib
from diagrams import draw_coordinates, draw_intervals, draw_paradigms, draw_split
from matplotlib.figure import Figure
from PIL import Image

from usmt import load, load_catalogue, load_plugins
from usmt.cli.main import main

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"
TASKS = {
    "fetal_head": "segmentation",
    "fetal_femur": "landmarks",
    "breast_3cls": "classification",
    "thyroid_nodule_det": "detection",
}


def paradigms(folder: Path) -> None:
    save(draw_paradigms(), folder / "paradigms.svg")


def split(folder: Path) -> None:
    save(draw_split(), folder / "split_by_source.svg")


def intervals(folder: Path) -> None:
    save(draw_intervals(), folder / "intervals.svg")


def coordinates(folder: Path) -> None:
    save(draw_coordinates(), folder / "coordinates.svg")


def sheet(folder: Path) -> None:
    """What `usmt phantom sheet` draws of the challenge's tasks."""
    challenge = load_catalogue(load_plugins()).task_ids("all")
    tasks = [word for task in challenge for word in ("--task", task)]
    usmt("phantom", "sheet", *tasks, "--size", "112", "--out", str(folder / "phantom_sheet.png"))
    lighten(folder / "phantom_sheet.png")


def network(folder: Path) -> None:
    """One network of four tasks, a type each: its first test images, and its routing."""
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        tasks = [word for task in TASKS for word in ("--task", task)]
        usmt("train", *tasks, "--out", str(run), "--set", "epochs=32")
        shutil.copyfile(run / "figures" / "routing.png", folder / "routing.png")
        save(draw_predictions(run), folder / "predictions.png")
        lighten(folder / "predictions.png")


def study(folder: Path) -> None:
    """The study of the planted family: what its report finds."""
    with tempfile.TemporaryDirectory() as place:
        family, found = Path(place) / "family", Path(place) / "study"
        usmt("phantom", "family", "--out", str(family))
        usmt("study", "run", str(family / "study.yaml"), "--out", str(found), "--jobs", "2")
        figures = found / "report" / "figures"
        shutil.copyfile(figures / "negative-transfer.png", folder / "study_matrix.png")
        shutil.copyfile(figures / "change-02-au.png", folder / "study_changes.png")


PICTURES: dict[str, Callable[[Path], None]] = {
    each.__name__: each
    for each in (paradigms, split, intervals, coordinates, sheet, network, study)
}


def draw_predictions(run: Path) -> Figure:
    """Of each task the first test image by key: as it is, with its label, with the prediction."""
    model = load(run)
    Phantom = load_plugins().dataset("phantom")
    phantom = Phantom(Phantom.Options())
    with (run / "split.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["side"] == "test"]
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    grid = figure.subplots(3, len(TASKS))
    for column, (task, type) in zip(grid.T, TASKS.items(), strict=True):
        spec, kind = model.spec(task), model.type_of(task)
        key = min(row["key"] for row in rows if row["task"] == task)
        [record] = [each for each in phantom.records(spec) if each.key == key]
        image = phantom.read_image(record)
        truth = kind.draw_label(spec, grey_to_rgb(image), phantom.read_label(record, spec))
        found = kind.draw_result(spec, grey_to_rgb(image), model.predict(image, task=task))
        for axis, picture in zip(column, (image, truth, found), strict=True):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        column[0].set_title(f"{task}\n{type}", fontsize=9)
    for axis, name in zip(grid[:, 0], ("image", "label", "predicted"), strict=True):
        axis.set_ylabel(name, fontsize=9)
    return figure


def grey_to_rgb(image):
    return image if image.ndim == 3 else image[:, :, None].repeat(3, axis=2)


def save(figure: Figure, path: Path) -> None:
    """Without the time, and with ids that are the same each time."""
    with matplotlib.rc_context({"svg.hashsalt": path.stem}):
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, dpi=120, metadata=metadata)


def lighten(path: Path) -> None:
    """Fewer colours, a fraction of the bytes: speckle is hard to compress."""
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE)
        few.save(path, optimize=True)


def usmt(*arguments: str) -> None:
    if code := main(arguments):
        sys.exit(code)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--out", type=Path, default=IMAGES)
    given = parser.parse_args()
    if unknown := set(given.names) - set(PICTURES):
        parser.error(f"no picture is called {', '.join(sorted(unknown))}")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or PICTURES:
        PICTURES[name](given.out)
