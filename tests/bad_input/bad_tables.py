"""Bad CSV files: their form, and labels that no image can have."""

from __future__ import annotations

from pathlib import Path

from case import TRAIN, Case
from damage import Damage, cells, edit, encoded, folder_instead, line, put, remove, replace

CLASSES = "data/csv_files/breast_2cls.csv"
HEADER = "csv_files/breast_2cls.csv:1"
ROW = "csv_files/breast_2cls.csv:2"
HEAD = "image_path,task_id,task_name,num_classes,mask\n"


def form(name: str, damage: Damage, place: str, way_out: str) -> Case:
    return Case(f"CSV: {name}", damage, TRAIN, place, way_out)


def label(name: str, task: str, way_out: str, row: int = 1, /, **values: str) -> Case:
    """Of a cell that holds no label."""
    place = f"csv_files/{task}.csv:{row + 1}"
    return Case(f"label: {name}", cells(task, row, **values), TRAIN, place, way_out)


def points(name: str, value: str, way_out: str = 'expected "[x, y]"') -> Case:
    return label(f"point: {name}", "fetal_head_axes_reg", way_out, point_2_xy=value)


def box(name: str, way_out: str, **values: str) -> Case:
    return label(f"box: {name}", "breast_lesion_det", way_out, **values)


def twice(text: str) -> str:
    return text + text.partition("\n")[2]


def thrice(text: str) -> str:
    return twice(text) + text.partition("\n")[2]


def many_tasks(text: str) -> str:
    """As where the columns are in another order than the header says."""
    rows = (f"../images/{i}.png,task_{i},classification,2,0,x\n" for i in range(500))
    return text.partition("\n")[0] + "\n" + "".join(rows)


def more_in_utf_16(place: Path) -> None:
    for number in range(40):
        (place / f"data/csv_files/a{number}.csv").write_bytes(HEAD.encode("utf-16"))


def in_utf_16(place: Path) -> None:
    (place / CLASSES).unlink()
    more_in_utf_16(place)


FORM = [
    form("empty", put(CLASSES, b""), HEADER, "expected the columns task_id"),
    form("header alone", put(CLASSES, HEAD), "'breast_2cls'", "its task_ids:"),
    form("no header", line("breast_2cls", 1, lambda text: ""), HEADER, "expected the columns"),
    form(
        "a column is missing",
        line("breast_2cls", 1, lambda text: text.replace("mask", "note")),
        HEADER,
        "missing column 'mask'",
    ),
    form(
        "a column is misspelt",
        line("breast_2cls", 1, lambda text: text.replace("image_path", "image_pth")),
        HEADER,
        "did you mean 'image_pth'?",
    ),
    form(
        "a column is there twice",
        line("breast_2cls", 1, lambda text: text.replace("source_id", "mask")),
        HEADER,
        "'mask' is there twice",
    ),
    form(
        "a cell too few",
        line("breast_2cls", 2, lambda text: text.rpartition(",")[0]),
        ROW,
        "5 cells, but the header has 6 columns",
    ),
    form(
        "a cell too many",
        line("breast_2cls", 2, lambda text: text + ",x"),
        ROW,
        "7 cells, but the header has 6 columns",
    ),
    form("semicolons", replace(CLASSES, ",", ";"), HEADER, "missing columns"),
    form("NUL bytes", line("breast_2cls", 2, lambda text: text.replace("01", "\0")), ROW, "such"),
    form("UTF-16", encoded("breast_2cls", "utf-16"), HEADER, "neither UTF-8 nor GBK text"),
    form("bytes of no text", put(CLASSES, HEAD.encode() + b"\xff\xfe\n"), ROW, "neither UTF-8"),
    form(
        "a quote that is not closed",
        line("breast_2cls", 3, lambda text: text.replace("breast_2cls,", '"breast_2cls,', 1)),
        "csv_files/breast_2cls.csv:3",
        "not CSV",
    ),
    form("a folder in its place", folder_instead(CLASSES), HEADER, "cannot be read"),
    form("missing", remove(CLASSES), "'breast_2cls'", "its task_ids:"),
    form("none at all", remove("data/csv_files"), "data'", "expected the challenge's layout"),
    form(
        "an image twice",
        cells("breast_2cls", 3, image_path="../images/breast_2cls/01.png"),
        "csv_files/breast_2cls.csv:4",
        f"is already in {ROW}",
    ),
    form("every row twice", edit(CLASSES, twice), "csv_files/breast_2cls.csv:18", "--skip-bad"),
    form("most rows twice", edit(CLASSES, thrice), "csv_files/breast_2cls.csv:18", "and 12 more"),
    form("nothing but tasks", edit(CLASSES, many_tasks), "'breast_2cls'", "its task_ids:"),
    form("every file in UTF-16", in_utf_16, "csv_files/a0.csv:1: neither UTF-8", "and 25 more"),
    form(
        "many more files in UTF-16", more_in_utf_16, "csv_files/a0.csv:1: neither", "and 140 more"
    ),
    form("a cell of many lines", cells("breast_2cls", image_path="a\nb" * 3000), ROW, "--skip-bad"),
]

LABELS = [
    label("no task", "breast_2cls", "task_id is empty", task_id=""),
    label("wrong task_name", "breast_2cls", "spec says classification", task_name="detection"),
    label("misspelt task_name", "breast_2cls", "did you mean", task_name="clasification"),
    label("no task_name", "breast_2cls", "expected segmentation", task_name=""),
    label("num_classes 0", "breast_2cls", "expected 1 to 256", num_classes="0"),
    label("num_classes -1", "breast_2cls", "expected 1 to 256", num_classes="-1"),
    label("num_classes in words", "breast_2cls", "expected a whole number", num_classes="two"),
    label("num_classes of no mask", "breast_lesion", "expected 1 to 256", num_classes="1000"),
    label("num_classes not the spec's", "breast_2cls", "the task's spec has 2", num_classes="3"),
    label("class out of range", "breast_2cls", "one of 0 to 1", mask="2"),
    label("class negative", "breast_2cls", "one of 0 to 1", mask="-1"),
    label("class in words", "breast_2cls", "expected a whole number", mask="benign"),
    label("class between two", "breast_2cls", "expected a whole number", mask="0.5"),
    label("class missing", "breast_2cls", "expected a whole number", mask=""),
    label("class of many digits", "breast_2cls", "expected a whole number", mask="1" * 5000),
    label("nonsense for a side", "breast_2cls", "expected train, val or test", split="tain"),
    box("inverted", "x_min < x_max", x_min="90", x_max="20"),
    box("empty", "x_min < x_max", x_min="20", x_max="20"),
    box("outside", "outside the image", x_max="5000"),
    box("NaN", "expected a number", x_min="nan"),
    box("infinite", "expected a number", x_max="inf"),
    box("in words", "expected a number", y_min="top"),
    box("a side is missing", "expected a number", y_max=""),
    box("a number beyond all", "expected a number", x_max="1e999"),
    points("missing", ""),
    points("outside", "[5000, 20]", "outside"),
    points("one number", "[20]"),
    points("three numbers", "[20, 30, 40]"),
    points("in words", '["left", "top"]'),
    points("NaN", "[NaN, 20]"),
    points("no JSON", "20 30"),
    points("nested deeply", "[" * 100_000),
    label("a point too many", "fetal_head_axes_reg", "num_classes is 4", point_5_xy="[1, 2]"),
]

CASES = [*FORM, *LABELS]
