"""Reads every record of a dataset once: what is wrong with it, and what it looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from usmt.data.duplicates import content_hash, thumbnail
from usmt.data.examine import Check, examine, in_threads
from usmt.data.repeated_keys import repeated_keys
from usmt.dataset import Dataset, Record
from usmt.errors import Defect, kind_of
from usmt.task_type import Size


@dataclass(frozen=True, slots=True, eq=False)
class ScannedImage:
    """What the split needs to know of an image.

    Attributes:
        size: (height, width) in pixels.
        content: hash of the decoded pixels.
        thumbnail: uint8 (64, 64).
    """

    size: Size
    content: str
    thumbnail: np.ndarray


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found.

    Attributes:
        images: by (task, key), every image that could be read.
        defects: of the tasks that were to be checked; they stop a training.
        others: of the dataset's other tasks, whose labels were not read.
    """

    images: dict[tuple[str, str], ScannedImage]
    defects: list[Defect]
    others: list[Defect]


def scan(
    dataset: Dataset,
    records: Sequence[Record],
    checks: Mapping[str, Check],
    progress: Callable[[int], object] = lambda done: None,
    workers: int | None = None,
) -> Scan:
    """Reads the image of every record, and the label where its task is in `checks`; tells records
    of one task with the same key.

    The image of a record with a defect counts as well, if it can be read: which images there are
    must not depend on which tasks are checked.

    Args:
        checks: by task id.
        progress: told how many more records are done.
        workers: threads; by default one a processor.
    """
    images: dict[tuple[str, str], ScannedImage] = {}
    defects: list[Defect] = []
    read = partial(_read, dataset, checks)
    for record, (image, defect) in in_threads(read, records, progress, workers):
        if image is not None:
            images[record.task, record.key] = image
        if defect is not None:
            defects.append(defect)
    defects += repeated_keys(dataset.name, records)
    return Scan(
        images,
        defects=[defect for defect in defects if defect.task in checks],
        others=[defect for defect in defects if defect.task not in checks],
    )


def look(image: np.ndarray) -> ScannedImage:
    """What the split needs to know of an image, uint8 (H, W) or (H, W, 3)."""
    return ScannedImage((image.shape[0], image.shape[1]), content_hash(image), thumbnail(image))


def _read(
    dataset: Dataset, checks: Mapping[str, Check], record: Record
) -> tuple[ScannedImage | None, Defect | None]:
    found = examine(dataset, record, checks.get(record.task))
    image = None if found.image is None else look(found.image)
    if not found.faults:
        return image, None
    part = found.faults[0][0]
    reasons = [fault for its, fault in found.faults if its == part]
    kind = kind_of(reasons[0], part)
    return image, Defect(record.task, record.place, "; ".join(reasons), kind)
