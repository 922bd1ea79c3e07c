"""The dataset `mmotu`: ovarian tumours in 2D ultrasound (OTU_2d), their outlines and kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    Defect,
    Fault,
    Record,
    RootOptions,
    TaskSpec,
    path_below,
    root_folder,
)
from usmt_public_data.files import (
    Files,
    fingerprint_of,
    image_of,
    is_there,
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
    """One line of a list; `name` is empty where it names no image, `kind` also in a list without
    kinds."""

    name: str
    side: Literal["train", "test"]
    place: str
    kind: str = ""
    defect: Fault | None = None


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
        needed = ("images", "annotations", "train.txt", "val.txt")
        folder = unpacked_folder("mmotu", options.root, *needed, name="OTU_2d")
        self._root = root_folder(
            "mmotu", folder, *needed, expected=f"ROOT/{', ROOT/'.join(needed)}"
        )

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        several = len(getattr(task, "classes", ())) > 2
        outlines = ("background", *KINDS) if several else ("background", "tumour")
        return misfits_of(task, {"segmentation": outlines, "classification": KINDS})

    def records(self, task: TaskSpec) -> list[Record]:
        """Those of the lists, in their order, and one with a defect for each line that names no
        image. Raises `DataError` for a list that cannot be read."""
        classes: list[str] = list(getattr(task, "classes", ()))
        if classes == ["background", "tumour"]:
            return [self._record(task, entry, None) for entry in self._listed(".txt", _NAMED)]
        return [
            self._record(task, entry, classes.index(entry.kind) if entry.kind else None)
            for entry in self._listed("_cls.txt", _NAMED_WITH_KIND)
            if entry.kind in classes or not entry.kind
        ]

    def remarks(self) -> list[Defect]:
        named = [
            path
            for entry in self._listed(".txt", _NAMED)
            for path in (self._image(entry), *self._annotations(entry))
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
        """The entries of both lists. Raises `DataError`."""
        first: dict[str, str] = {}
        other = self._sides(".txt" if ending == "_cls.txt" else "_cls.txt")
        for part, side in SIDES.items():
            path = self._root / f"{part}{ending}"
            for number, text in numbered_lines(path):
                place = f"{path.name}:{number}"
                match = line.fullmatch(text.strip())
                if match is None:
                    fault = Fault(
                        f"found '{text[:80]}', expected {_EXPECTED[ending]}", "wrong line"
                    )
                    yield Entry("", side, place, defect=fault)
                    continue
                name, defect = match["name"], None
                kind = KINDS[int(match["kind"])] if ending == "_cls.txt" else ""
                if (before := first.setdefault(name, place)) != place:
                    defect = Fault(f"'{name}' is listed already, in {before}", "listed twice")
                elif name in other and other[name][0] != side:
                    text = f"'{name}' is on another side in {other[name][1]}"
                    defect = Fault(text, "two sides")
                yield Entry(name, side, place, kind, defect)

    def _sides(self, ending: str) -> dict[str, tuple[str, str]]:
        """Side and place of each image in the lists of this ending, as far as they can be read."""
        sides: dict[str, tuple[str, str]] = {}
        for part, side in SIDES.items():
            with suppress(DataError):
                for number, text in numbered_lines(self._root / f"{part}{ending}"):
                    if match := _NAMED.match(text):
                        sides.setdefault(match["name"], (side, f"{part}{ending}:{number}"))
        return sides

    def _record(self, task: TaskSpec, entry: Entry, label: int | None) -> Record:
        image, outline = self._image(entry), self._outline(entry)
        masks = (outline,) if task.type == "segmentation" else ()
        lacking = next((path for path in (image, *masks) if not is_there(path)), None)
        defect = entry.defect or (missing_file(self._root, lacking) if lacking else None)
        twice = entry.defect is not None and entry.defect.kind in ("wrong line", "listed twice")
        key = entry.place if twice else path_below(self._root, image)
        return Record(
            task.id,
            key,
            source_id=key,
            place=entry.place,
            stratum=entry.kind,
            split=entry.side,
            payload=Files(image, masks, label),
            defect=defect,
        )

    def _image(self, entry: Entry) -> Path:
        return self._root / "images" / f"{entry.name}.JPG"

    def _outline(self, entry: Entry) -> Path:
        return self._root / "annotations" / f"{entry.name}_binary.PNG"

    def _annotations(self, entry: Entry) -> list[Path]:
        """The outline, the same in colour, and a copy of it that the archive holds of some."""
        endings = ("_binary.PNG", ".PNG", "_binary_binary.PNG")
        return [self._root / "annotations" / f"{entry.name}{ending}" for ending in endings]
