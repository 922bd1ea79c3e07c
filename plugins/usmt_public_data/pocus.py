"""The COVID-19 lung ultrasound dataset of Born et al.: images and videos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import Field

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    DatasetLayout,
    DatasetOptions,
    Defect,
    Fault,
    Record,
    RootOptions,
    TaskSpec,
    entries_of,
    fingerprint_files,
    path_below,
    root_folder,
)
from usmt_public_data.files import misfits_of, unpacked_folder
from usmt_public_data.pocus_metadata import CLASSES, TABLE, Metadata, class_of, remarks_on

Probe = Literal["convex", "linear"]
Medium = Literal["images", "videos"]
PROBES: tuple[Probe, ...] = get_args(Probe)
SUFFIXES: dict[Medium, tuple[str, ...]] = {
    "images": (".png", ".jpg", ".jpeg"),
    "videos": (".mp4", ".avi", ".gif", ".mov", ".mpeg", ".m4v"),
}


class PocusLayout(DatasetLayout):
    """Which of the files are the task's."""

    probes: tuple[Probe, ...] = Field(
        default=PROBES, min_length=1, description="convex, linear, or both"
    )
    media: tuple[Medium, ...] = Field(
        default=("images", "videos"), min_length=1, description="images, videos, or both"
    )


class PocusOptions(RootOptions):
    """The defaults are those of the authors' script."""

    frame_rate: float = Field(
        default=3.0, gt=0, le=1000, description="frames that are read of a second of video"
    )
    max_frames: int = Field(default=30, ge=1, description="frames that are read of one video")


@dataclass(frozen=True, slots=True)
class Still:
    """What a record is read from. `frame` is one of the sampled `frames` of a video."""

    path: Path
    label: int | None = None
    frame: int | None = None
    frames: tuple[int, ...] = ()


class Pocus(Dataset):
    """`ROOT/data/pocus_images` and `ROOT/data/pocus_videos`, each with `convex` and `linear`; the
    class is in the file's name, the patient in `ROOT/data/dataset_metadata.csv`."""

    name = "pocus"
    Options: ClassVar[type[DatasetOptions]] = PocusOptions
    Layout = PocusLayout
    card: ClassVar[DatasetCard] = DatasetCard(
        title="COVID-19 lung ultrasound (POCUS): 59 images and 182 videos in October 2020",
        organ="lung",
        home="https://github.com/jannisborn/covid19_ultrasound",
        licence="that of each file's source, column License of the metadata: most CC BY-NC 4.0 or "
        "other Creative Commons licences, for many none is stated",
        citation="Born et al., Accelerating Detection of Lung Pathologies with Explainable "
        "Ultrasound Image Analysis, Applied Sciences 11, 672 (2021), doi:10.3390/app11020672",
        obtain="git clone https://github.com/jannisborn/covid19_ultrasound; ROOT is the clone. "
        "Videos of other sources that its data/README.md names are not in it.",
        sources="patients, column 'Patient ID / Name' of the metadata; else its source and "
        "URL, else the video or image; all of a source where a row's cells are shifted",
        splits="none; the authors ask to split by video or patient",
        files="data/pocus_images/{convex,linear}/*.{png,jpg,jpeg}, "
        "data/pocus_videos/{convex,linear}/*.{mp4,avi,gif,mov,mpeg}, named Cov..., Pneu..., "
        "Reg... or Vir...; data/dataset_metadata.csv",
    )
    options: PocusOptions

    def __init__(self, options: PocusOptions) -> None:
        super().__init__(options)
        needed = ("data/pocus_images", "data/pocus_videos", TABLE)
        expected = "a clone of the repository covid19_ultrasound"
        folder = unpacked_folder(self.name, options.root, *needed)
        self._root = root_folder(self.name, folder, *needed, expected=expected)
        self._sampled: dict[Path, tuple[int, ...] | str] = {}

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        return misfits_of(task, {"classification": CLASSES})

    def records(self, task: TaskSpec) -> list[Record]:
        """One for each image and each sampled frame of the task's classes; one with a defect for
        each video that cannot be decoded and each file whose class cannot be told."""
        layout = PocusLayout.model_validate(task.layout)
        classes: list[str] = list(getattr(task, "classes", ()))
        records = []
        for medium in layout.media:
            for path in self._certain(medium, layout.probes):
                label = class_of(path)
                if label is None:
                    text = "the name begins with none of Cov, Pneu, Reg, Vir, which say the class"
                    records.append(self._record(task, Still(path), defect=Fault(text, "class")))
                elif label in classes:
                    stills = self._stills(medium, path, classes.index(label))
                    records += [self._record(task, still, label, fault) for still, fault in stills]
        return records

    def remarks(self) -> list[Defect]:
        found = [path for medium in SUFFIXES for path in self._certain(medium, PROBES)]
        return remarks_on(self._root, found, self._metadata)

    def fingerprint(self, record: Record) -> str | None:
        still: Still = record.payload
        return fingerprint_files((still.label, still.frame), still.path)

    def read_image(self, record: Record) -> np.ndarray:
        from usmt import read_image
        from usmt_public_data.video import read_frame

        still: Still = record.payload
        if still.frame is not None:
            return read_frame(still.path, still.frame, still.frames)
        if still.path.suffix.lower() in SUFFIXES["videos"]:
            raise DataError(record.defect or "no frame")
        return read_image(still.path)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        still: Still = record.payload
        if record.defect is not None or still.label is None:
            raise DataError(record.defect or "no class")
        return still.label

    def _files(self, medium: Medium, probes: tuple[Probe, ...]) -> list[Path]:
        folders = [self._root / f"data/pocus_{medium}" / probe for probe in probes]
        return [
            path
            for folder in folders
            if folder.is_dir()
            for path in entries_of(folder)
            if path.suffix.lower() in SUFFIXES[medium]
        ]

    def _certain(self, medium: Medium, probes: tuple[Probe, ...]) -> list[Path]:
        """Those of whose class the authors are sure."""
        files = self._files(medium, probes)
        return [path for path in files if not self._metadata.is_uncertain(path)]

    def _stills(self, medium: Medium, path: Path, label: int) -> Iterator[tuple[Still, str | None]]:
        """What is to be read from a file, each with its defect."""
        if medium == "images":
            yield Still(path, label), None
            return
        if path not in self._sampled:
            self._sampled[path] = self._sample(path)
        match self._sampled[path]:
            case str() as defect:
                yield Still(path, label), defect
            case frames:
                for frame in frames:
                    yield Still(path, label, frame, frames), None

    def _sample(self, path: Path) -> tuple[int, ...] | str:
        """The frames of a video, or why it cannot be read."""
        from usmt_public_data.video import sampled_frames

        try:
            return sampled_frames(path, self.options.frame_rate, self.options.max_frames)
        except DataError as error:
            return error.message

    def _record(
        self, task: TaskSpec, still: Still, label: str = "", defect: str | None = None
    ) -> Record:
        name = path_below(self._root, still.path)
        key = name if still.frame is None else f"{name}#{still.frame}"
        return Record(
            task=task.id,
            key=key,
            source_id=self._metadata.source(still.path) or name,
            place=key,
            stratum=label,
            payload=still,
            defect=defect,
        )

    @cached_property
    def _metadata(self) -> Metadata:
        files = [path for medium in SUFFIXES for path in self._files(medium, PROBES)]
        return Metadata(self._root, files)
