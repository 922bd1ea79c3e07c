"""What a spec's `layout` says of a table: which column holds what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from usmt import DatasetLayout, Side, TaskSpec
from usmt_own_data.layout_fields import Below, Text, unknown_classes
from usmt_own_data.mask_values import MaskValues, misfits_of_values

Column = Annotated[str, Field(min_length=1)]
Delimiter = Literal["comma", "semicolon", "tab"]
DELIMITERS: Mapping[Delimiter, str] = {"comma": ",", "semicolon": ";", "tab": "\t"}

LABELS = ("mask", "label", "points", "box", "value", "flags")
"""The keys that name the columns of a label; a task has one of them."""
OF_TYPE = {
    "segmentation": "mask",
    "classification": "label",
    "regression": "points",
    "detection": "box",
}
GOES_WITH = {"values": "mask", "labels": "label", "splits": "split"}
"""Keys that say how the cells of another one are read."""


class CsvLayout(DatasetLayout):
    """Which columns of which table a task reads. Columns are named as in the table's header."""

    table: Below = Field(description="the CSV file, relative to the root")
    delimiter: Delimiter | None = Field(
        default=None, description="between cells; by default tab for a .tsv, else comma"
    )
    image: Column = Field(description="column of the image's path")
    folder: Below | None = Field(
        default=None,
        description="what paths in the table are relative to, below the root; by default the "
        "table's own folder",
    )
    mask: Column | None = Field(default=None, description="segmentation: column of the mask's path")
    values: MaskValues = Field(
        default="ids",
        description="what a mask's pixels mean: `ids` (positions in `classes`), `binary` (dark and "
        "bright), or the class of each grey value or colour",
    )
    label: Column | None = Field(default=None, description="classification: column of the class")
    labels: dict[Text, str] = Field(
        default={}, description="the class that a cell's text stands for, where it is not its name"
    )
    points: list[tuple[Column, Column]] | None = Field(
        default=None,
        min_length=1,
        description="regression: columns of x and y for each of the task's points",
    )
    box: tuple[Column, Column, Column, Column] | None = Field(
        default=None, description="detection: columns of x_min, y_min, x_max, y_max"
    )
    value: Column | None = Field(
        default=None, description="a plugin's task type: column of a number, the label"
    )
    flags: dict[str, Column] | None = Field(
        default=None,
        min_length=1,
        description="a plugin's task type: columns of 0 and 1, by name; the label is the set of "
        "names whose cell is 1",
    )
    pixel_size: tuple[Column, Column] | None = Field(
        default=None,
        description="columns of the width and height of a pixel in mm, the same one twice where "
        "pixels are square; an empty cell is an unknown size",
    )
    source: Column | None = Field(
        default=None,
        description="column of the patient or video; without it each image is a source of its own",
    )
    split: Column | None = Field(
        default=None, description="column of the official split; an empty cell is on no side"
    )
    splits: dict[Text, Side] = Field(
        default={}, description="the side that a cell's text stands for, where it is not its name"
    )
    where: dict[Column, Text | Annotated[list[Text], Field(min_length=1)]] = Field(
        default={},
        description="only rows whose cells in these columns are this text, or one of these",
    )

    def columns(self, *, labelled: bool = True) -> Iterator[tuple[str, str]]:
        """(key, column) for all columns that are read; those of the label, the source and the
        split only where these are."""
        yield "image", self.image
        yield from (("where", column) for column in self.where)
        yield from (("pixel_size", column) for column in self.pixel_size or ())
        if not labelled:
            return
        for key in ("mask", "label", "value", "source", "split"):
            if (column := getattr(self, key)) is not None:
                yield key, column
        yield from (("points", column) for pair in self.points or () for column in pair)
        yield from (("box", column) for column in self.box or ())
        yield from (("flags", column) for column in (self.flags or {}).values())


def misfits_of_layout(layout: CsvLayout, task: TaskSpec) -> list[str]:
    """Why a task cannot be read with this layout, whatever the table holds."""
    given = [key for key in LABELS if getattr(layout, key) is not None]
    needed = OF_TYPE.get(task.type)
    if needed is not None and given != [needed]:
        others = [f"{key}: is for no {task.type}" for key in given if key != needed]
        missing = [f"{needed}: is missing, which names the label of a {task.type}"]
        return others + missing * (needed not in given)
    if len(given) != 1:
        found = ", ".join(given) or "none"
        return [f"one of {', '.join(LABELS)} must name the label's columns, found {found}"]
    key = given[0]
    misfits = [
        f"{other}: says how `{goes_with}` is read, which is not there"
        for other, goes_with in GOES_WITH.items()
        if other in task.layout and getattr(layout, goes_with) is None
    ]
    named = [column for its, column in layout.columns() if its in ("image", *LABELS)]
    twice = [name for name, count in Counter(named).items() if count > 1]
    misfits += [f"{key}: the column '{name}' is named twice" for name in twice]
    return misfits + _misfits_of_label(key, layout, task)


def _misfits_of_label(key: str, layout: CsvLayout, task: TaskSpec) -> list[str]:
    classes: list[str] | None = getattr(task, "classes", None)
    points: list[str] | None = getattr(task, "points", None)
    if key in ("mask", "label") and classes is None:
        return [f"{key}: is a position in `classes`, which tasks of type '{task.type}' do not have"]
    if key == "mask":
        return misfits_of_values(layout.values, classes or [])
    if key == "label":
        return unknown_classes("labels", list(layout.labels.values()), classes or [])
    if key == "points" and points is not None and len(layout.points or ()) != len(points):
        return [f"points: {len(layout.points or ())} pairs of columns for {len(points)} points"]
    return []
