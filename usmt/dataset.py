"""The contract of a dataset: what a plugin gives so that usmt can train on its images.

Import this from `usmt`, not from here. This module imports no torch.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from usmt.errors import DataError, Defect
from usmt.task_spec import TaskSpec

Side = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Record:
    """One (image, label, task), not yet read.

    Attributes:
        task: task id.
        key: names the record within its task, the same on every machine (a relative path, say).
        source_id: patient or video; records that share it never meet across a split. Where the
            source is unknown, the key.
        place: where a person finds it, e.g. `csv_files/fetal_head.csv:12`.
        stratum: class label or the like, as text; the split is stratified by it.
        split: the side that the dataset's own official split gives it, if it has one.
        payload: whatever `read_image` and `read_label` need; must be picklable.
        defect: why this record cannot be used, if the dataset knows that already; `Faults` for
            several reasons.
    """

    task: str
    key: str
    source_id: str
    place: str
    stratum: str = ""
    split: Side | None = None
    payload: Any = None
    defect: str | None = None


class Submission(ABC):
    """The files in which predictions on a dataset are handed in: one folder.

    Written image by image, so that a run that was stopped can go on: `add` for each image, and
    `finish` with what it returned. Several runs may fill one folder, each with its own tasks.
    """

    @abstractmethod
    def add(self, record: Record, task: TaskSpec, result: Any, size: tuple[int, int]) -> Entry:
        """Writes the files of one image's own (a mask, say), each whole or not at all, and returns
        what is to be listed of the image.

        Args:
            result: as the task's type documents it.
            size: (H, W) of the image.
        """

    @abstractmethod
    def is_complete(self, record: Record, entry: Entry) -> bool:
        """Whether the files that `add` wrote for an entry are there still, whole, and where those
        of the record belong."""

    @abstractmethod
    def finish(self, entries: Sequence[Entry]) -> None:
        """Writes the files that list images, from the entries of all tasks in their order."""

    @abstractmethod
    def check(self, tasks: Collection[str] | None = None) -> list[Defect]:
        """What is wrong with the folder as it is on the disk: form, completeness, sizes.

        Args:
            tasks: those that it must be complete for; None: all of the dataset's.
        """


Entry = Mapping[str, Any]
"""What a submission lists of one image: plain values that JSON has."""


class DatasetOptions(BaseModel):
    """Base of a dataset's options; unknown options are errors."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


class RootOptions(DatasetOptions):
    """Options of a dataset that lives in one folder: `--data NAME=ROOT`."""

    root: Path = Field(description="the folder that the dataset's files are in")


class DatasetLayout(BaseModel):
    """Base of what a task spec may say under `layout`, for its dataset alone: where this task's
    files are, which column holds its label. Unknown keys are errors, told with their place."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class DatasetCard:
    """What people want to know of a dataset before they use it.

    Attributes:
        title: its name for people, in one line.
        organ: what its images show.
        images: how many there are, as published.
        home: the page where it is to be had.
        licence: under which it is given away; `not stated` where its authors say nothing.
        citation: the paper that it asks to be cited by.
        obtain: how to get it, and what to unpack where.
        sources: what is known of patients or videos, and so what the split keeps together.
        splits: its official split, if it has one.
        files: the layout that is read, as a tree or in words.
    """

    title: str = ""
    organ: str = ""
    images: int | None = None
    home: str = ""
    licence: str = ""
    citation: str = ""
    obtain: str = ""
    sources: str = ""
    splits: str = ""
    files: str = ""


def root_folder(dataset: str, root: Path, *needed: str, expected: str) -> Path:
    """The root of a dataset, for its constructor.

    Args:
        dataset: its name.
        needed: files or folders that must be there, relative to the root.
        expected: the layout, in words, for the error.

    Raises:
        DataError: it is no folder, or something that is needed is missing.
    """
    hint = f"expected {expected}; see: usmt datasets show {dataset}"
    if not root.is_dir():
        raise DataError(f"{dataset}: there is no folder '{root}'", hint=hint)
    for name in needed:
        if not (root / name).exists():
            raise DataError(f"{dataset}: '{root}' has no '{name}'", hint=hint)
    return root


def fingerprint_files(label: object, *paths: Path) -> str | None:
    """For `Dataset.fingerprint`: SHA-256 over the files' bytes and what else the label is read
    from (plain values with a stable `repr`); None if a file cannot be read."""
    digest = hashlib.sha256(repr(label).encode())
    try:
        for path in paths:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    except OSError:
        return None
    return digest.hexdigest()


class Dataset(ABC):
    """Turns a root folder, or a generator, into records.

    A dataset reads strictly. What it cannot read it reports, as `Record.defect` for a row, as
    `DataError` for a file; it never substitutes another image, an empty mask or a made-up point.
    Reading must give the same result each time, in any process.
    """

    name: ClassVar[str]
    Options: ClassVar[type[DatasetOptions]] = RootOptions
    Layout: ClassVar[type[DatasetLayout]] = DatasetLayout
    """What a task spec may say under `layout`; the text of it is in `TaskSpec.layout`."""
    card: ClassVar[DatasetCard] = DatasetCard()
    synthetic: ClassVar[bool] = False
    """True for a dataset that makes images for any task, and needs no data. It is the default when
    no `--data` is given; the user is told that the images are not real."""

    def __init__(self, options: DatasetOptions) -> None:
        """Checks what can be checked at once (the root exists). Raises `DataError`."""
        self.options = options

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        """Why a task's spec cannot be served, whatever the files hold: a type that there are no
        labels for, a column that `layout` must name. Told with the place of the spec; one of the
        form `KEY: reason` with the place of that key of the layout."""
        return []

    @abstractmethod
    def records(self, task: TaskSpec) -> list[Record]:
        """All records of one task, rows with defects included, in an order that is the same on
        every machine (sort what a folder lists). Reads no image."""

    def all_records(self, tasks: Sequence[TaskSpec]) -> list[Record]:
        """Every record that the dataset holds: the split is drawn over all of them, so that it
        does not depend on which tasks are trained. `tasks` are all known tasks of this dataset;
        those that the root cannot serve (`records` raises `DataError`) are left out.

        Override it where the root holds records of tasks that have no spec.
        """
        records = []
        for task in tasks:
            with suppress(DataError):
                records += self.records(task)
        return records

    def unlabelled(self, task: TaskSpec) -> list[Record]:
        """The images of one task that are to be predicted: `read_image` works on them, and their
        labels are neither needed nor looked at. Empty where the dataset holds none of the task.
        """
        try:
            return self.records(task)
        except DataError:
            return []

    def submission(self, folder: Path) -> Submission | None:
        """How predictions are handed in to `folder`; None: in usmt's own form."""
        return None

    def remarks(self) -> list[Defect]:
        """What is wrong or odd about the dataset's files, beyond single records: encodings, files
        that nothing names, tasks without a spec. For `usmt data check`."""
        return []

    def fingerprint(self, record: Record) -> str | None:
        """Changes whenever the record's image or label would be read otherwise: a hash of the
        files' bytes, say. Prepared images are kept under it; None: they are not kept."""
        return None

    def pixel_size(self, record: Record) -> tuple[float, float] | None:
        """Width and height of a pixel of the record's image in mm, where the dataset tells it.
        Measurements of predictions are then given in mm too. Raises `DataError`."""
        return None

    @abstractmethod
    def read_image(self, record: Record) -> np.ndarray:
        """The image, uint8, (H, W) grey or (H, W, 3) RGB. Raises `DataError`; with the record's
        own defect where that is why."""

    @abstractmethod
    def read_label(self, record: Record, task: TaskSpec) -> Any:
        """The label in original pixels, in the form that the task's type documents (those of the
        built-in types: docs/reference/task_types.md). Raises `DataError`.
        """
