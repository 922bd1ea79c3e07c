"""Whether a folder of predictions can be handed in: form, completeness, sizes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from usmt import DataError, Defect, Size, near, read_image
from usmt_fmc_uia.answers import (
    Flaw,
    classification_flaws,
    detection_flaws,
    mask_flaws,
    regression_flaws,
)
from usmt_fmc_uia.cells import CellError, integer
from usmt_fmc_uia.prediction_files import ANSWERS, LISTS, NAMES, ListError, mask_name, read_list
from usmt_fmc_uia.records import Root
from usmt_fmc_uia.tables import Row, Table

MOST_COMPARED = 100
"""Unknown images of a list for which a near name is looked for letter by letter."""


@dataclass(slots=True)
class Asked:
    """What is to be predicted of one task.

    Attributes:
        kind: its type; a name that is none of the four is kept as it is.
        count: classes or points; None if the first row does not say.
        rows: by image_path, in their order.
    """

    id: str
    kind: str
    count: int | None
    rows: dict[str, Row] = field(default_factory=dict)


def check_submission(
    folder: Path,
    tables: Sequence[Table],
    root: Root,
    tasks: Collection[str] | None,
    progress: Callable[[int], object] = lambda done: None,
) -> list[Defect]:
    """Everything that is wrong or odd with the folder; labels are not needed.

    Args:
        tables, root: the dataset's.
        tasks: those that the folder must be complete for; None: all. What it holds of others is
            checked as well.
        progress: called with 1 for each prediction that was checked.
    """
    if not folder.is_dir():
        return [Defect("", str(folder), "there is no such folder", "missing folder")]
    asked = _asked(tables)
    check = _Check(folder, root, asked, set(asked if tasks is None else tasks), progress)
    damaged = [table.damage for table in tables if table.damage is not None]
    defects = [Defect("", damage.place, damage.reason, "unreadable table") for damage in damaged]
    with ThreadPoolExecutor() as pool:
        for kind in LISTS:
            defects += check.list_of(kind, pool)
        defects += check.masks(pool)
    return defects + check.extra_files()


def _asked(tables: Sequence[Table]) -> dict[str, Asked]:
    """All tasks of the tables, by id."""
    asked: dict[str, Asked] = {}
    for table in tables:
        for row in table.rows if table.usable else ():
            if not row.task:
                continue
            if row.task not in asked:
                kind = row.cells.get("task_name", "").lower()
                asked[row.task] = Asked(row.task, kind, _count(row))
            if image := row.cells.get("image_path", ""):
                asked[row.task].rows.setdefault(image, row)
    return asked


def _count(row: Row) -> int | None:
    try:
        return integer("num_classes", row.cells.get("num_classes", ""))
    except CellError:
        return None


@dataclass(slots=True)
class _Check:
    """One pass over a folder. `complete` are the ids of the tasks that must be complete."""

    folder: Path
    root: Root
    asked: dict[str, Asked]
    complete: set[str]
    progress: Callable[[int], object]

    # -- lists

    def list_of(self, kind: str, pool: ThreadPoolExecutor) -> list[Defect]:
        """What is wrong with the list of one type, and which predictions it lacks."""
        name = LISTS[kind]
        mine = [task for task in self.asked.values() if task.kind == kind]
        needed = [task for task in mine if task.id in self.complete]
        try:
            entries = read_list(self.folder / name)
            if not isinstance(entries, list):
                text = f"holds a JSON {type(entries).__name__}, expected a list"
                raise ListError(text, "unreadable list")
        except ListError as error:
            if error.fault.kind == "missing list":
                return [
                    Defect(task.id, name, f"no such file; {len(task.rows)} images", "missing list")
                    for task in needed
                ]
            return [Defect("", name, error.fault, error.fault.kind)]
        defects: list[Defect] = []
        first_place: dict[tuple[str, str], str] = {}
        sound: list[tuple[str, Asked, Row, dict[str, Any]]] = []
        near_images = _NearImages()
        for number, entry in enumerate(entries):
            place = f"{name}[{number}]"
            found = self._named(place, entry, kind, near_images)
            if isinstance(found, Defect):
                defects.append(found)
                continue
            task, row = found
            key = (task.id, entry["image_path"])
            if (first := first_place.setdefault(key, place)) != place:
                text = f"'{key[1]}' is already in {first}; the last one counts"
                defects.append(Defect(task.id, place, text, "duplicate"))
            sound.append((place, task, row, entry))
        for each in pool.map(self._entry, sound):
            defects += each
        for task in needed:
            for image, row in task.rows.items():
                if (task.id, image) not in first_place:
                    text = f"'{image}' has no prediction in {name}"
                    defects.append(Defect(task.id, row.place, text, "missing prediction"))
        return defects

    def _named(
        self, place: str, entry: object, kind: str, near_images: _NearImages
    ) -> tuple[Asked, Row] | Defect:
        """The task and the row that an entry is about."""
        if not isinstance(entry, dict):
            text = f"is a JSON {type(entry).__name__}, expected an object"
            return Defect("", place, text, "form")
        if missing := [key for key in NAMES if key not in entry]:
            return Defect("", place, f"has no {' and no '.join(missing)}", "missing key")
        task_id, image = (entry[key] for key in NAMES)
        task = self.asked.get(task_id) if isinstance(task_id, str) else None
        if task is None:
            text = f"task_id is {task_id!r}, which no row has{near(str(task_id), self.asked)}"
            return Defect("", place, text, "unknown task")
        if task.kind != kind:
            text = f"the task '{task.id}' is of type {task.kind}, and does not belong in this list"
            return Defect(task.id, place, text, "unknown task")
        row = task.rows.get(image) if isinstance(image, str) else None
        if row is None:
            hint = near_images.to(image, task)
            text = f"image_path is {image!r}, which no row of the task has{hint}"
            return Defect(task.id, place, text, "unknown image")
        return task, row

    def _entry(self, named: tuple[str, Asked, Row, dict[str, Any]]) -> list[Defect]:
        """What is wrong with an entry whose image is known."""
        place, task, row, entry = named
        flaws = []
        if extra := sorted(entry.keys() - {*NAMES, *ANSWERS[task.kind]}):
            flaws.append(Flaw(f"has the extra key {', '.join(extra)}", "extra key", "warning"))
        defects: list[Defect] = []
        if task.kind == "classification":
            flaws += classification_flaws(entry, task.count)
        else:
            size, defects = self._size(task, row)
            if task.kind == "detection":
                flaws += detection_flaws(entry, size)
            else:
                flaws += regression_flaws(entry, task.count, size)
        self.progress(1)
        return [*defects, *_defects(task, place, flaws)]

    # -- masks

    def masks(self, pool: ThreadPoolExecutor) -> list[Defect]:
        """What is wrong with the masks, and which are missing."""
        rows = [(task, row) for task in self._segmentations() for row in task.rows.values()]
        return [defect for each in pool.map(self._mask, rows) for defect in each]

    def _mask(self, asked: tuple[Asked, Row]) -> list[Defect]:
        task, row = asked
        name = mask_name(row)
        path = self.folder / name
        self.progress(1)
        if not path.is_file():
            if task.id not in self.complete:
                return []
            return [Defect(task.id, row.place, f"there is no mask {name}", "missing prediction")]
        size, defects = self._size(task, row)
        return [*defects, *_defects(task, name, mask_flaws(path, task.count, size))]

    def _segmentations(self) -> Iterator[Asked]:
        return (task for task in self.asked.values() if task.kind == "segmentation")

    # -- the folder

    def extra_files(self) -> list[Defect]:
        """Files that no one asked for; hidden ones are passed over."""
        names = {mask_name(row) for task in self._segmentations() for row in task.rows.values()}
        known = {str(PurePosixPath(name)) for name in [*names, *LISTS.values()]}
        defects = []
        for path in sorted(self.folder.rglob("*")):
            place = path.relative_to(self.folder)
            hidden = any(part.startswith(".") for part in place.parts)
            if path.is_file() and not hidden and place.as_posix() not in known:
                text = "an extra file: nothing asks for it"
                defects.append(Defect("", place.as_posix(), text, "extra file", "warning"))
        return defects

    def _size(self, task: Asked, row: Row) -> tuple[Size | None, list[Defect]]:
        """(H, W) of a row's image; None, with a warning, if it cannot be read."""
        try:
            path = self.root.file("image_path", row.cells["image_path"])
            height, width = read_image(path).shape[:2]
        except (CellError, DataError) as error:
            text = f"{error}; the prediction is not compared with the image's size"
            return None, [Defect(task.id, row.place, text, "unreadable image", "warning")]
        return (height, width), []


class _NearImages:
    """Finds the image that an unknown path may stand for."""

    def __init__(self) -> None:
        self._by_stem: dict[str, dict[str, str]] = {}
        self._compared = 0

    def to(self, image: object, task: Asked) -> str:
        """` (did you mean 'x'?)`, or nothing."""
        if task.id not in self._by_stem:
            self._by_stem[task.id] = {_stem(path): path for path in task.rows}
        by_stem = self._by_stem[task.id]
        stem = _stem(str(image))
        if stem in by_stem:
            return f" (did you mean '{by_stem[stem]}'?)"
        self._compared += 1
        return near(str(image), task.rows) if self._compared <= MOST_COMPARED else ""


def _stem(path: str) -> str:
    """A path's file name without its ending, in small letters, whatever slashes it has."""
    return PurePosixPath(path.replace("\\", "/")).stem.casefold()


def _defects(task: Asked, place: str, flaws: list[Flaw]) -> list[Defect]:
    return [Defect(task.id, place, flaw.reason, flaw.kind, flaw.severity) for flaw in flaws]
