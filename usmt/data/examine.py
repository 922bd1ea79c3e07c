"""Reads one record and says what is wrong with it: the same for training and for `data check`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from usmt import dataset_calls, task_type_calls
from usmt.dataset import Dataset, Record
from usmt.errors import DataError, Defect, each_of, kind_of
from usmt.task_spec import TaskSpec
from usmt.task_type import Size, TaskType

T = TypeVar("T")

Check = tuple[TaskType, TaskSpec]

Part = Literal["row", "image", "label"]

_TWO_SIZES: tuple[Size, Size] = ((1, 1), (8191, 8192))
"""What is wrong with a label at both is wrong whatever the image's size."""


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """A record as it was read.

    Attributes:
        image: uint8 (H, W) or (H, W, 3); None where it cannot be read.
        label: None where it was not read, or has a fault.
        faults: all that is wrong, with the part of the record that it is about.
    """

    image: np.ndarray | None
    label: Any
    faults: Sequence[tuple[Part, str]]

    @property
    def size(self) -> Size | None:
        return None if self.image is None else (self.image.shape[0], self.image.shape[1])


def examine(
    dataset: Dataset, record: Record, check: Check | None, *, thorough: bool = False
) -> Examined:
    """Reads a record's image, and its label if there is a `check` for it.

    Args:
        thorough: goes on where something is wrong, to find all of it. Else the label is read of a
            record that is sound so far.
    """
    faults: list[tuple[Part, str]] = []
    if record.defect is not None:
        faults += [("row", fault) for fault in each_of(record.defect)]
    image, label = None, None
    try:
        try:
            image = _checked(dataset_calls.image(dataset, record))
        except DataError as error:
            faults += _new("image", error, record)
        if check is not None and (thorough or not faults):
            size = None if image is None else (image.shape[0], image.shape[1])
            try:
                with dataset_calls.asking(dataset, "read_label", record.place):
                    label = dataset.read_label(record, check[1])
            except DataError as error:
                faults += _new("label", error, record)
            else:
                problems = _problems(check, label, size, record.place)
                faults += [("label", problem) for problem in problems]
                label = None if problems or size is None else label
    except Exception as error:  # nobody foresaw it: say where, and let it through
        error.add_note(f"while reading {record.place}")
        raise
    return Examined(image, label, faults)


def defects_of(record: Record, faults: Sequence[tuple[Part, str]]) -> list[Defect]:
    """One defect for each fault."""
    return [
        Defect(record.task, record.place, str(fault), kind_of(fault, part))
        for part, fault in faults
    ]


def _new(part: Part, error: DataError, record: Record) -> list[tuple[Part, str]]:
    """The faults of an error, unless the dataset only repeats what it said of the record."""
    if error.message == record.defect:
        return []
    return [(part, fault) for fault in each_of(error.message)]


def _checked(image: np.ndarray) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise DataError(f"image is {image.dtype} {image.shape}, expected uint8 (H, W) or (H, W, 3)")
    if image.size == 0:
        raise DataError("image has no pixels")
    return image


def _problems(check: Check, label: Any, size: Size | None, place: str) -> list[str]:
    if size is not None:
        return task_type_calls.problems(*check, label, size, place)
    one, other = (task_type_calls.problems(*check, label, size, place) for size in _TWO_SIZES)
    return [problem for problem in one if problem in other]


def in_threads(
    read: Callable[[Record], T],
    records: Sequence[Record],
    progress: Callable[[int], object] = lambda done: None,
    workers: int | None = None,
) -> Iterator[tuple[Record, T]]:
    """Each record with what `read` gives for it, in the order of the records.

    Args:
        progress: told how many more records are done.
        workers: threads; decoders let go of the interpreter's lock. By default one a processor.
    """
    pool = ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 16))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn of odd files without their names
            for record, result in zip(records, pool.map(read, records), strict=True):
                yield record, result
                progress(1)
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt must not wait for the rest
