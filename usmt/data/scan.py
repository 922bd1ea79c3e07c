"""Reads every record of a dataset once: what is wrong with it, and what it looks like."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from usmt.data.duplicates import content_hash, thumbnail
from usmt.dataset import Dataset, Record
from usmt.errors import DataError, Defect
from usmt.task_spec import TaskSpec
from usmt.task_type import Size, TaskType

Check = tuple[TaskType, TaskSpec]


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
    """Reads the image of every record, and the label where its task is in `checks`.

    The image of a record with a defect counts as well, if it can be read: which images there are
    must not depend on which tasks are checked.

    Args:
        checks: by task id.
        progress: told how many more records are done.
        workers: threads; decoders let go of the interpreter's lock. By default one a processor.
    """
    found = Scan({}, [], [])
    threads = workers or min(os.cpu_count() or 1, 16)
    pool = ThreadPoolExecutor(threads)
    try:
        results = pool.map(partial(_examine, dataset, checks), records)
        for record, (image, defect) in zip(records, results, strict=True):
            if image is not None:
                found.images[record.task, record.key] = image
            if defect is not None:
                (found.defects if record.task in checks else found.others).append(defect)
            progress(1)
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt must not wait for the rest
    return found


def _examine(
    dataset: Dataset, checks: Mapping[str, Check], record: Record
) -> tuple[ScannedImage | None, Defect | None]:
    defect = None if record.defect is None else _defect(record, "row", record.defect)
    try:
        image = _look(dataset.read_image(record))
        if defect is None and record.task in checks:
            defect = _label_defect(dataset, record, checks[record.task], image.size)
    except DataError as error:
        return None, defect or _defect(record, "image", error.message)
    except Exception as error:  # a mistake in a plugin: say where, and let it through
        error.add_note(f"while reading {record.place}")
        raise
    return image, defect


def _look(image: np.ndarray) -> ScannedImage:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise DataError(f"image is {image.dtype} {image.shape}, expected uint8 (H, W) or (H, W, 3)")
    if image.size == 0:
        raise DataError("image has no pixels")
    size = (image.shape[0], image.shape[1])
    return ScannedImage(size, content_hash(image), thumbnail(image))


def _label_defect(dataset: Dataset, record: Record, check: Check, size: Size) -> Defect | None:
    task_type, spec = check
    try:
        problems = task_type.problems(spec, dataset.read_label(record, spec), size)
    except DataError as error:
        problems = [error.message]
    return _defect(record, "label", "; ".join(problems)) if problems else None


def _defect(record: Record, kind: str, reason: str) -> Defect:
    return Defect(record.task, record.place, reason, kind)
