"""The dataset `mmotu`: ovarian tumours in 2D ultrasound (OTU_2d), their outlines and kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    Defect,
    Record,
    RootOptions,
    TaskSpec,
    root_folder,
)
from usmt_public_data.files import (
    Files,
    below,
    fingerprint_of,
    image_of,
    joined_mask,
    misfits_of,
    missing_file,
    numbered_lines,
    unnamed_images,
    unpacked_folder,
)

KINDS = (
    "chocolate_cyst",
    "serous_cystadenoma",
    "teratoma",
    "theca_cell_tumour",
    "simple_cyst",
    "normal_ovary",
    "mucinous_cystadenoma",
    "high_grade_serous",
)
"""The categories in the order of their numbers, 0 to 7."""

SIDES: dict[str, Literal["train", "test"]] = {"train": "train", "val": "test"}
"""What the lists are called, and what the paper makes of them."""

_NAMED = re.compile(r"(?P<name>[\w-]+)(\.JPG)?")
_NAMED_WITH_KIND = re.compile(r"(?P<name>[\w-]+)(\.JPG)?\s+(?P<kind>[0-7])")
_EXPECTED = {
    ".txt": "the name of an image",
    "_cls.txt": "the name of an image and a number, 0 to 7",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list; `kind` is empty in a list without."""

    name: str
    side: Literal["train", "test"]
    place: str
    kind: str


class Mmotu(Dataset):
    """`OTU_2d` as it is unpacked. The outline is of the tumour; of a normal ovary, of the ovary.

    A segmentation task has either the classes `background` and `tumour`, or `background` and the
    eight kinds: then the outline gets the number of the image's kind.
    """

    name: ClassVar[str] = "mmotu"
    card: ClassVar[DatasetCard] = DatasetCard(
        title="MMOTU, OTU_2d: ovarian tumours in 2D ultrasound, with outlines and eight kinds",
        organ="ovary",
        images=1469,
        home="https://github.com/cv516Buaa/MMOTU_DS2Net",
        licence="not stated in its repository; copies are listed as CC BY 4.0",
        citation="Zhao Q, Lyu S, Bai W, Cai L, Liu B, Wu M, Sang X, Yang M, Chen L. A "
        "multi-modality ovarian tumor ultrasound image dataset for unsupervised cross-domain "
        "semantic segmentation. arXiv:2207.06799 (2022)",
        obtain="Follow the link to Google Drive in the repository's README, and unpack OTU_2d; "
        "ROOT is that folder, or the one that holds it. OTU_3d (contrast-enhanced) is not read.",
        sources="There are no patient numbers; the split keeps near-duplicates together.",
        splits="1,000 images of train.txt, 469 of val.txt. The paper tests on the latter, and so "
        "does usmt; the validation side is drawn from train.txt.",
        files="images/: `1.JPG`, ...; annotations/: `1_binary.PNG` (outline), `1.PNG` (the same in "
        "the colour of its kind, not read); train.txt, val.txt: a name a line; train_cls.txt, "
        "val_cls.txt: a name and the number of its kind",
    )
    options: RootOptions

    def __init__(self, options: RootOptions) -> None:
        super().__init__(options)
        folder = unpacked_folder(options.root, "images", "OTU_2d", "MMOTU/OTU_2d")
        needed = ("images", "annotations", "train.txt", "val.txt")
        self._root = root_folder(
            "mmotu", folder, *needed, expected=f"ROOT/{', ROOT/'.join(needed)}"
        )

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        several = len(getattr(task, "classes", ())) > 2
        outlines = ("background", *KINDS) if several else ("background", "tumour")
        return misfits_of(task, {"segmentation": outlines, "classification": KINDS})

    def records(self, task: TaskSpec) -> list[Record]:
        """Those of the lists, in their order. Raises `DataError` for a list that cannot be read."""
        classes: list[str] = list(getattr(task, "classes", ()))
        if classes == ["background", "tumour"]:
            return [self._record(task, entry, None) for entry in self._listed(".txt", _NAMED)]
        return [
            self._record(task, entry, classes.index(entry.kind))
            for entry in self._listed("_cls.txt", _NAMED_WITH_KIND)
            if entry.kind in classes
        ]

    def remarks(self) -> list[Defect]:
        named = [
            path
            for entry in self._listed(".txt", _NAMED)
            for path in (self._image(entry), self._outline(entry), self._coloured(entry))
        ]
        return unnamed_images(self._root, named, "no list names")

    def fingerprint(self, record: Record) -> str | None:
        return fingerprint_of(record)

    def read_image(self, record: Record) -> np.ndarray:
        return image_of(record)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        files: Files = record.payload
        if record.defect is not None:
            raise DataError(record.defect)
        if task.type == "classification":
            return files.label
        mask = joined_mask(files.masks)
        return mask if files.label is None else mask * np.uint8(files.label)

    def _listed(self, ending: str, line: re.Pattern[str]) -> Iterator[Entry]:
        """The entries of both lists. Raises `DataError` for a line that is none, or one that
        names an image again."""
        first: dict[str, str] = {}
        for part, side in SIDES.items():
            path = self._root / f"{part}{ending}"
            for number, text in numbered_lines(path):
                place = f"{path.name}:{number}"
                match = line.fullmatch(text.strip())
                if match is None:
                    raise DataError(
                        f"{path}:{number}: found '{text}', expected {_EXPECTED[ending]}"
                    )
                name = match["name"]
                if (before := first.setdefault(name, place)) != place:
                    raise DataError(f"{path}:{number}: '{name}' is listed already, in {before}")
                kind = KINDS[int(match["kind"])] if ending == "_cls.txt" else ""
                yield Entry(name, side, place, kind)

    def _record(self, task: TaskSpec, entry: Entry, label: int | None) -> Record:
        image, outline = self._image(entry), self._outline(entry)
        masks = (outline,) if task.type == "segmentation" else ()
        lacking = next((path for path in (image, *masks) if not path.is_file()), None)
        key = below(self._root, image)
        return Record(
            task.id,
            key,
            source_id=key,
            place=entry.place,
            stratum=entry.kind,
            split=entry.side,
            payload=Files(image, masks, label),
            defect=missing_file(self._root, lacking) if lacking else None,
        )

    def _image(self, entry: Entry) -> Path:
        return self._root / "images" / f"{entry.name}.JPG"

    def _outline(self, entry: Entry) -> Path:
        return self._root / "annotations" / f"{entry.name}_binary.PNG"

    def _coloured(self, entry: Entry) -> Path:
        return self._root / "annotations" / f"{entry.name}.PNG"
