"""Classification from folders: a folder of images for each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from usmt import Fault, Record, Side, entries_of, files_below, near, path_below
from usmt_own_data.content import Content
from usmt_own_data.image_folders import (
    ENDINGS,
    beside_the_sides,
    images_below,
    is_image,
    name_fault,
    shown,
    sides_of,
    unread_below,
)
from usmt_own_data.layout_fields import SIDES, source_in


@dataclass(frozen=True, slots=True)
class ClassFolders:
    """The class folders of one task.

    Attributes:
        root: of the dataset; keys and places are relative to it.
        top: the folder that the class folders, or those of the sides, are in.
        labels: the class that a folder stands for, where it is not named as the class.
        ignored: folders that are left out.
        source: a pattern that finds the patient in a path relative to `top`.
    """

    task: str
    root: Path
    top: Path
    classes: Sequence[str]
    labels: Mapping[str, str]
    ignored: Sequence[str]
    source: str | None

    def unread(self) -> Iterator[Path]:
        """Files that are no images, and links to folders, in the task's folder."""
        return unread_below(self.top, self.ignored)

    def records(self) -> list[Record]:
        """One for each image; with a defect for each folder that is no class, each image beside
        the folders, and each class without images."""
        beside = beside_the_sides(self.top, self.ignored)
        records = [self._defective(path, fault) for path, fault in beside]
        for side, folder in sides_of(self.top):
            records += self._records_in(folder, side)
        held = {record.stratum for record in records}
        return records + [self._empty(name) for name in self.classes if name not in held]

    def _records_in(self, folder: Path, side: Side | None) -> list[Record]:
        records: list[Record] = []
        for path in entries_of(folder):
            if path.name in self.ignored:
                continue
            name = self.labels.get(path.name, path.name)
            if path.is_dir() and name in self.classes:
                records += [self._record(image, name, side) for image in images_below(path)]
            elif path.is_dir():
                records.append(self._unknown_folder(path))
            elif is_image(path):
                text = "the image lies in no class folder"
                records.append(self._defective(path, Fault(text, "no class folder")))
        return records

    def _record(self, image: Path, name: str, side: Side | None) -> Record:
        key, defect = self._shown(image), name_fault(self.root, image)
        source: str | None = key
        if self.source is not None:
            source = source_in(self.source, image.relative_to(self.top).as_posix())
            if source is None and defect is None:
                defect = Fault(f"source: '{self.source}' finds no patient in the path", "no source")
        return Record(
            task=self.task,
            key=key,
            source_id=source or key,
            place=key,
            stratum=name,
            split=side,
            payload=Content(image, self.classes.index(name)),
            defect=defect,
        )

    def _unknown_folder(self, folder: Path) -> Record:
        known = [*self.classes, *self.labels, *SIDES]
        text = f"the folder '{shown(folder.name)}' is no class{near(folder.name, known)}, "
        text += f"expected {_listed(self.classes)}; name it in `labels` or `ignore` of the layout"
        return self._defective(folder, Fault(text, "unknown folder"))

    def _empty(self, name: str) -> Record:
        folders = [folder for folder, label in self.labels.items() if label == name] or [name]
        text = f"no image of the class '{name}', expected in the folder {_listed(folders)}"
        places = [path / folder for _, path in sides_of(self.top) for folder in folders]
        there = [path for path in places if path.is_dir()]
        if other := [file for path in there for file in files_below(path)]:
            text += f", which holds '{shown(other[0].name)}'; images are {', '.join(ENDINGS)}"
        return self._defective(there[0] if there else self.top / name, Fault(text, "empty class"))

    def _defective(self, path: Path, reason: Fault) -> Record:
        place = self._shown(path)
        return Record(self.task, place, place, place, payload=Content(), defect=reason)

    def _shown(self, path: Path) -> str:
        return path_below(self.root, path)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + ", ..." * (len(names) > 8)
