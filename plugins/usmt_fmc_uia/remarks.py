"""What is wrong or odd about the dataset's files, beyond what is said of single records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from os.path import normpath
from pathlib import Path

from usmt import Defect, Fault
from usmt_fmc_uia.records import NO_TASK
from usmt_fmc_uia.tables import Table

OPTIONAL = ("source_id", "split")
"""Columns that are not missed where they are not there; so a misspelt one must be looked for."""

ENCODINGS = {
    "utf-8-sig": Fault(
        "begins with a byte order mark; save it as UTF-8 without", "byte order mark"
    ),
    "gbk": Fault("is not UTF-8, and read as GBK; save it as UTF-8", "GBK encoding"),
}
LINE_ENDS = {
    "\r\n": Fault("lines end in CR LF, as on Windows; LF is expected", "CRLF line ends"),
    "\r": Fault("lines end in CR; LF is expected", "CR line ends"),
}

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp")


def remarks_on(tables: Sequence[Table], root: Path) -> list[Defect]:
    """Of the tables in their order, then of the folder."""
    remarks = [remark for table in tables for remark in _of_table(table)]
    return [*remarks, *_unnamed_images(tables, root)]


def _of_table(table: Table) -> Iterator[Defect]:
    """Of the task of the table, if there is one only."""
    (task,) = table.tasks if len(table.tasks) == 1 else ("",)

    def odd(fault: Fault) -> Defect:
        return Defect(task, table.header, fault, fault.kind, "warning")

    if table.damage is not None:
        yield Defect(task, table.damage.place, table.damage.reason, table.damage.kind)
    if table.encoding in ENCODINGS:
        yield odd(ENCODINGS[table.encoding])
    if table.line_end in LINE_ENDS:
        yield odd(LINE_ENDS[table.line_end])
    if table.usable and not table.rows:
        yield odd(Fault("the file has no rows", "empty table"))
    for name in OPTIONAL:
        if name not in table.columns:
            yield from map(odd, _misspelt(name, table.columns))
    for row in table.rows if table.usable else ():
        if not row.task:
            yield Defect("", row.place, row.defect or NO_TASK, "missing value")


def _misspelt(name: str, columns: Sequence[str]) -> Iterator[Fault]:
    for column in columns:
        if get_close_matches(column.lower(), [name], cutoff=0.85):
            text = f"the column '{column}' is not read (did you mean '{name}'?)"
            yield Fault(text, "misspelt column")


def _unnamed_images(tables: Sequence[Table], root: Path) -> Iterator[Defect]:
    """One remark for all images in the folder that no row names, if all rows are known."""
    if any(table.damage is not None for table in tables):
        return
    rows = [row for table in tables for row in table.rows]
    cells = {row.cells.get(column, "") for row in rows for column in ("image_path", "mask_path")}
    named = {normpath(root / "csv_files" / cell) for cell in cells}
    images = (path for path in root.rglob("*") if path.suffix.lower() in IMAGES)
    unnamed = sorted(path for path in images if normpath(path) not in named)
    if unnamed:
        count = f"{len(unnamed)} image{'s are' if len(unnamed) > 1 else ' is'} named by no row"
        first = unnamed[0].relative_to(root).as_posix()
        yield Defect("", first, f"{count}; this is the first", "image without a row", "warning")
