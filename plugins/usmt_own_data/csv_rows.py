"""From rows to records: everything that is wrong with a row is said in its record's defect."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from usmt import DataError, Fault, Faults, Record, Side, TableRow, TaskSpec
from usmt_own_data.content import Content, Label
from usmt_own_data.csv_cells import (
    CellError,
    class_in,
    filled,
    flag_in,
    number_in,
    side_in,
    side_length_in,
)
from usmt_own_data.csv_layout import CsvLayout
from usmt_own_data.mask_values import mask_reader
from usmt_own_data.other_spellings import SpelledFiles

T = TypeVar("T")


class RowReader:
    """Reads the rows of one task, in their order.

    Args:
        files: finds what the paths in the table name.
        labelled: whether labels, sources and sides are read; else the images alone.
    """

    def __init__(
        self, task: TaskSpec, layout: CsvLayout, files: SpelledFiles, *, labelled: bool
    ) -> None:
        self._task = task.id
        self._layout = layout
        self._files = files
        self._labelled = labelled
        self._classes: list[str] = list(getattr(task, "classes", ()))
        self._mask_reader = mask_reader(layout.values, self._classes) if layout.mask else None
        self._first_place: dict[str, str] = {}
        self._mask_of: dict[Path, str] = {}

    def record(self, row: TableRow) -> Record:
        """The row's record."""
        if row.defect is not None:
            return self._defective(row.place, row.defect)
        cells = _Cells(row)
        image = cells.read(self._layout.image, self._files.find)
        key = row.place if image is None else self._files.key(image)
        first = self._first_place.setdefault(key, row.place)
        if first != row.place:
            text = f"{self._layout.image} '{key}' is already in {first}"
            cells.faults.append(Fault(text, "duplicate row"))
        if self._labelled:
            return self._labelled_record(row.place, key, image, cells)
        content = Content(image, pixel_size=self._pixel_size(cells))
        defect = Faults(cells.faults) if cells.faults else None
        return Record(self._task, key, key, row.place, payload=content, defect=defect)

    def _labelled_record(self, place: str, key: str, image: Path | None, cells: _Cells) -> Record:
        layout = self._layout
        pixel_size = self._pixel_size(cells)
        mask = cells.read(layout.mask, self._files.find) if layout.mask else None
        if mask and image and (other := self._mask_of.setdefault(mask, key)) != key:
            text = f"{layout.mask} '{self._files.key(mask)}' is already the mask of '{other}'"
            cells.faults.append(Fault(text, "one mask twice"))
        label = None if layout.mask else self._label(cells)
        source = cells.read(layout.source, filled("the patient or video")) if layout.source else key
        side: Side | None = None
        if layout.split:
            side = cells.read(layout.split, side_in(layout.splits))
        faults = cells.faults
        content = Content(image, label, mask, self._mask_reader, pixel_size)
        return Record(
            task=self._task,
            key=key,
            source_id=source or key,
            place=place,
            stratum=self._classes[label] if layout.label and isinstance(label, int) else "",
            split=side,
            payload=Content(image) if faults else content,
            defect=Faults(faults) if faults else None,
        )

    def _pixel_size(self, cells: _Cells) -> tuple[float, float] | None:
        """None where the table does not tell it."""
        if self._layout.pixel_size is None:
            return None
        sides = cells.each(self._layout.pixel_size, side_length_in)
        return None if sides is None or math.isnan(sum(sides)) else (sides[0], sides[1])

    def _label(self, cells: _Cells) -> Label | None:
        """What needs no file; None where a cell is at fault."""
        layout = self._layout
        if layout.label:
            name = cells.read(layout.label, class_in(self._classes, layout.labels))
            return None if name is None else self._classes.index(name)
        if layout.value:
            return cells.read(layout.value, number_in)
        if layout.box:
            return cells.each(layout.box, number_in)
        if layout.points:
            x, y = zip(*layout.points, strict=True)
            xs, ys = cells.each(x, number_in), cells.each(y, number_in)
            return None if xs is None or ys is None else tuple(zip(xs, ys, strict=True))
        flags = layout.flags or {}
        held = cells.each(list(flags.values()), flag_in)
        return held and tuple(name for name, holds in zip(flags, held, strict=True) if holds)

    def _defective(self, place: str, reason: str) -> Record:
        return Record(self._task, place, place, place, payload=Content(), defect=reason)


class _Cells:
    """The cells of one row; collects what is wrong, so that one bad cell does not hide the next."""

    def __init__(self, row: TableRow) -> None:
        self._cells = {column: cell.strip() for column, cell in row.cells.items()}
        self.faults: list[str] = []

    def read(self, column: str, read: Callable[[str, str], T | None]) -> T | None:
        """What `read(column, cell)` makes of a cell; None where that is at fault."""
        try:
            return read(column, self._cells[column])
        except (CellError, DataError) as error:
            self.faults.append(error.message)
            return None

    def each(self, columns: Sequence[str], read: Callable[[str, str], T]) -> tuple[T, ...] | None:
        """The same of several cells; None where any is at fault."""
        before = len(self.faults)
        values = [self.read(column, read) for column in columns]
        if len(self.faults) > before:
            return None
        return tuple(value for value in values if value is not None)
