"""The dataset `folder`: folders of images, and YAML that says what they mean."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from usmt import (
    Dataset,
    DatasetCard,
    DatasetLayout,
    DatasetOptions,
    Defect,
    Record,
    RootOptions,
    TaskSpec,
    path_below,
    root_folder,
)
from usmt_own_data.class_folders import ClassFolders
from usmt_own_data.content import Content, fingerprint_of, image_of, label_of
from usmt_own_data.image_folders import (
    images_below,
    name_fault,
    needed_folder,
    shown,
)
from usmt_own_data.layout_fields import Below, SourcePattern, Text, unknown_classes
from usmt_own_data.mask_pairs import MaskPairs
from usmt_own_data.mask_values import MaskValues, mask_reader, misfits_of_values

FILES = """\
classification:                      segmentation:
ROOT/                                ROOT/
├── benign/                          ├── images/0001.png
│   ├── 0001.png                     └── masks/0001.png
│   └── patient_7/0002.png
└── malignant/0003.png
Above them may be train/, val/ and test/, the official split."""

TEXTS = (".csv", ".tsv", ".xlsx", ".txt", ".md", ".pdf", ".json", ".yaml", ".yml")
"""They may lie beside images, tables of `csv` tasks among them; nobody takes them for images."""

OF_TYPE = {
    "classification": ("labels",),
    "segmentation": ("images", "masks", "suffix", "values"),
}
"""The keys of a layout that are for one type alone."""


class FolderLayout(DatasetLayout):
    """Where a task's images are, below the root."""

    folder: Below = Field(default=".", description="the task's folder, relative to the root")
    labels: dict[Text, str] = Field(
        default={},
        description="classification: the class that a folder stands for, where it is not named as "
        "the class",
    )
    ignore: list[Text] = Field(
        default=[],
        description="folders that are left out, among those of classes, sides or images",
    )
    images: Below = Field(default="images", description="segmentation: folder of the images")
    masks: Below = Field(
        default="masks",
        description="segmentation: folder of the masks; the same one as `images` where they lie "
        "beside each other",
    )
    suffix: str = Field(
        default="",
        description="segmentation: what a mask's name has after that of its image, e.g. `_mask`",
    )
    values: MaskValues = Field(
        default="ids",
        description="segmentation: what a mask's pixels mean: `ids` (positions in `classes`), "
        "`binary` (dark and bright), or the class of each grey value or colour",
    )
    source: SourcePattern | None = Field(
        default=None,
        description="a regular expression on the path below `folder`, whose group names the "
        "patient or video; without it each image is a source of its own",
    )


class Folder(Dataset):
    """Images in folders: a folder for each class, or images and masks of the same name.

    Nothing is guessed: a folder that is no class, a class without images, an image without a mask
    and a mask without an image are defects.
    """

    name: ClassVar[str] = "folder"
    Options: ClassVar[type[DatasetOptions]] = RootOptions
    Layout: ClassVar[type[DatasetLayout]] = FolderLayout
    card: ClassVar[DatasetCard] = DatasetCard(
        title="Your own images in folders: one for each class, or images and masks",
        organ="any",
        licence="that of your images",
        obtain="Any folder: --data folder=ROOT. How tasks are written: docs/how_to/own_data.md",
        sources="what `layout.source` finds in the path; without it, none",
        splits="folders train, val and test, if there are any",
        files=FILES,
    )
    options: RootOptions

    def __init__(self, options: RootOptions) -> None:
        super().__init__(options)
        self._root = root_folder(self.name, options.root, expected="a folder of images").resolve()
        self._tasks: dict[str, ClassFolders | MaskPairs] = {}
        """Those whose records were asked for: a root may hold the folders of many projects."""

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        if task.type not in OF_TYPE:
            return [
                f"the dataset 'folder' has no labels of type '{task.type}': "
                "name them in a table, and use the dataset 'csv'"
            ]
        layout = FolderLayout.model_validate(task.layout)
        classes = _classes(task)
        found = [
            f"{key}: is for {kind}, but the task's type is {task.type}"
            for kind, keys in OF_TYPE.items()
            for key in keys
            if kind != task.type and key in task.layout
        ]
        if task.type == "classification":
            return found + unknown_classes("labels", list(layout.labels.values()), classes)
        if Path(layout.images) == Path(layout.masks) and not layout.suffix:
            found.append("suffix: is needed where images and masks are in one folder")
        return found + misfits_of_values(layout.values, classes)

    def records(self, task: TaskSpec) -> list[Record]:
        """Raises `DataError` where a folder of the task is missing."""
        folders = (
            self._class_folders(task) if task.type == "classification" else self._mask_pairs(task)
        )
        self._tasks[task.id] = folders
        return folders.records()

    def unlabelled(self, task: TaskSpec) -> list[Record]:
        """Every image of the task's folder, in whatever folders below it; of a segmentation task
        those that are no masks. Raises `DataError` where the task's folder is missing."""
        if task.type == "classification":
            images = images_below(self._top(FolderLayout.model_validate(task.layout)))
        else:
            images = self._mask_pairs(task).images_alone()
        return [
            Record(task.id, key, key, key, payload=Content(image), defect=defect)
            for image in images
            for key, defect in [(path_below(self._root, image), name_fault(self._root, image))]
        ]

    def remarks(self) -> list[Defect]:
        """Links to folders, and files that are neither images nor texts, by their endings: in the
        folders of the tasks whose records were asked for."""
        unread = dict.fromkeys(path for task in self._tasks.values() for path in task.unread())
        others = [path for path in unread if not path.is_dir() and path.suffix.lower() not in TEXTS]
        counts = Counter(path.suffix.lower() for path in others)
        text = "a link to a folder; such are followed only where the spec names them"
        remarks = [self._remark(path, text, "link") for path in unread if path.is_dir()]
        for ending, count in sorted(counts.items()):
            first = next(path for path in others if path.suffix.lower() == ending)
            text = f"files that end in '{shown(ending)}' are not read: {count} of them; this is the"
            remarks.append(self._remark(first, f"{text} first", "file that is not read"))
        return remarks

    def _remark(self, path: Path, text: str, kind: str) -> Defect:
        return Defect("", path_below(self._root, path), text, kind, "warning")

    def fingerprint(self, record: Record) -> str | None:
        return fingerprint_of(record)

    def read_image(self, record: Record) -> np.ndarray:
        return image_of(record)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        return label_of(record)

    def _top(self, layout: FolderLayout) -> Path:
        return needed_folder(self._root, self._root / layout.folder, "folder")

    def _class_folders(self, task: TaskSpec) -> ClassFolders:
        layout = FolderLayout.model_validate(task.layout)
        return ClassFolders(
            task=task.id,
            root=self._root,
            top=self._top(layout),
            classes=_classes(task),
            labels=layout.labels,
            ignored=layout.ignore,
            source=layout.source,
        )

    def _mask_pairs(self, task: TaskSpec) -> MaskPairs:
        layout = FolderLayout.model_validate(task.layout)
        return MaskPairs(
            task=task.id,
            root=self._root,
            top=self._top(layout),
            images=layout.images,
            masks=layout.masks,
            suffix=layout.suffix,
            reader=mask_reader(layout.values, _classes(task)),
            source=layout.source,
            ignored=layout.ignore,
        )


def _classes(task: TaskSpec) -> list[str]:
    return list(getattr(task, "classes", ()))
