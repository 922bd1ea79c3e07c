"""Segmentation from folders: every image has a mask of the same name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from usmt import Fault, Record, Side, path_below
from usmt_own_data.content import Content
from usmt_own_data.image_folders import (
    beside_the_sides,
    images_below,
    name_fault,
    needed_folder,
    shown,
    sides_of,
    unread_below,
)
from usmt_own_data.layout_fields import source_in
from usmt_own_data.mask_values import MaskReader
from usmt_own_data.other_spellings import Spellings


@dataclass(frozen=True, slots=True)
class MaskPairs:
    """The images and masks of one task.

    Attributes:
        root: of the dataset; keys and places are relative to it.
        top: the folder that `images` and `masks`, or those of the sides, are in.
        images, masks: folders; they may be one, then `suffix` tells which file is a mask.
        suffix: what the name of a mask has after that of its image, before the ending.
        source: a pattern that finds the patient in an image's path relative to `top`.
        ignored: folders of images, or beside those of the sides, that are left out.
    """

    task: str
    root: Path
    top: Path
    images: str
    masks: str
    suffix: str
    reader: MaskReader
    source: str | None
    ignored: Sequence[str] = ()

    def records(self) -> list[Record]:
        """One for each image, with a defect where it has no mask or several; and one with a
        defect for each mask without an image, and for what lies beside the folders of the sides.
        Raises `DataError` where a folder is missing."""
        beside = beside_the_sides(self.top, self.ignored)
        records = [self._defective(path, fault) for path, fault in beside]
        for side, place in sides_of(self.top):
            records += self._of(place, side)
        return records

    def unread(self) -> Iterator[Path]:
        """Files that are no images, and links to folders, in the folders of images and masks."""
        for _, place in sides_of(self.top):
            for folder in (place / self.images, place / self.masks):
                if folder.is_dir():
                    yield from unread_below(folder, self.ignored)

    def images_alone(self) -> list[Path]:
        """The images, whether they have masks or not; of a folder that has no `images`, all."""
        found: list[Path] = []
        for _, place in sides_of(self.top):
            images, masks = place / self.images, place / self.masks
            found += self._images(images if images.is_dir() else place, masks)
        return found

    def _of(self, place: Path, side: Side | None) -> Iterator[Record]:
        images = needed_folder(self.root, place / self.images, "images")
        masks = needed_folder(self.root, place / self.masks, "masks")
        by_name = _by_name(images, self._images(images, masks))
        masks_by_name = _by_name(masks, self._masks(images, masks), self.suffix)
        strays = dict(beside_the_sides(images, self.ignored))
        spellings = Spellings(
            [name for name in masks_by_name if name not in by_name], endings=False
        )
        for name, files in by_name.items():
            for image in files:
                at = next((path for path in (image, *image.parents) if path in strays), None)
                if at is not None:
                    yield self._defective(image, strays[at])
                    continue
                inner = side or _side_in(name)
                found = masks_by_name.get(name, [])
                expected = f"{self._shown(masks)}/{image.stem}{self.suffix}.*".removeprefix("./")
                lacking = f"no mask, expected '{expected}'{spellings.meant(name)}"
                yield self._record(image, inner, files, found, lacking)
        for name, files in masks_by_name.items():
            if name not in by_name:
                text = (
                    f"a mask without an image, expected '{shown(name)}' in {self._shown(images)}/"
                )
                yield from (self._defective(mask, Fault(text, "mask alone")) for mask in files)
        for mask in self._below(masks, images) if images != masks else []:
            if not mask.stem.endswith(self.suffix):
                text = f"the name does not end in '{self.suffix}', as `suffix` says of masks"
                yield self._defective(mask, Fault(text, "mask alone"))

    def _images(self, images: Path, masks: Path) -> list[Path]:
        found = self._below(images, masks)
        return [path for path in found if images != masks or not path.stem.endswith(self.suffix)]

    def _masks(self, images: Path, masks: Path) -> list[Path]:
        return [path for path in self._below(masks, images) if path.stem.endswith(self.suffix)]

    def _below(self, folder: Path, other: Path) -> list[Path]:
        """The image files of a folder, without those of another one that may lie in it, and those
        of ignored folders."""
        inside = folder in other.parents
        return [
            path
            for path in images_below(folder)
            if not (inside and other in path.parents)
            if path.relative_to(folder).parts[0] not in self.ignored
        ]

    def _record(
        self,
        image: Path,
        side: Side | None,
        namesakes: Sequence[Path],
        masks: Sequence[Path],
        lacking: str,
    ) -> Record:
        """`lacking`: what to say if there are no `masks`."""
        key, defect = self._shown(image), name_fault(self.root, image)
        source: str | None = key
        if self.source is not None:
            source = source_in(self.source, image.relative_to(self.top).as_posix())
        if defect is not None:  # of a name that cannot be said, nothing else is
            source = key
        elif source is None:
            defect = Fault(f"source: '{self.source}' finds no patient in the path", "no source")
        elif len(namesakes) > 1:
            defect = Fault(f"one name for {_names(namesakes)}", "one name twice")
        elif not masks:
            defect = Fault(lacking, "missing file")
        elif len(masks) > 1:
            defect = Fault(f"several masks: {_names(masks)}", "several masks")
        return Record(
            task=self.task,
            key=key,
            source_id=source or key,
            place=key,
            split=side,
            payload=Content(image, mask=masks[0] if not defect else None, reader=self.reader),
            defect=defect,
        )

    def _defective(self, path: Path, reason: Fault) -> Record:
        place = self._shown(path)
        return Record(self.task, place, place, place, payload=Content(), defect=reason)

    def _shown(self, path: Path) -> str:
        return path_below(self.root, path)


def _by_name(folder: Path, files: Sequence[Path], suffix: str = "") -> Mapping[str, list[Path]]:
    """Files by their paths in the folder, without ending and suffix."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        name = path.relative_to(folder).with_suffix("").as_posix()
        found[name.removesuffix(suffix)].append(path)
    return dict(found)


def _side_in(name: str) -> Side | None:
    """Of `images/train/...`, where the sides are below the folder of images."""
    match name.partition("/")[0]:
        case "train" | "val" | "test" as side if "/" in name:
            return side
        case _:
            return None


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(shown(path.name) for path in paths[:4])
