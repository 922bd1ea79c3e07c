"""What a dataset is asked in the middle of a command, and whether its answer keeps the contract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager

import numpy as np

from usmt.dataset import Dataset, Record
from usmt.errors import PluginError
from usmt.plugin_faults import blamed, fault
from usmt.task_spec import TaskSpec


def asking(
    dataset: Dataset | type[Dataset], method: str, about: str
) -> AbstractContextManager[None]:
    """While a method of a dataset is called: what it raises becomes a `PluginError`, see `blamed`.

    Args:
        about: what it is asked about: `task cervix`, the place of a record.
    """
    what = f"dataset {dataset.name}: {method}() for {about}"
    return blamed(what, dataset, getattr(dataset, method))


def misfits(dataset: type[Dataset], task: TaskSpec) -> list[str]:
    """See `Dataset.misfits`. Raises PluginError for what are no texts."""
    with asking(dataset, "misfits", f"the task {task.id}"):
        found = dataset.misfits(task)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        said = f"for the task {task.id} gave {found!r}, expected a list of texts"
        raise _broken(dataset, "misfits", said)
    return found


def records(dataset: Dataset, task: TaskSpec) -> list[Record]:
    """See `Dataset.records`. Raises PluginError for what are no records of the task."""
    with asking(dataset, "records", f"the task {task.id}"):
        return _of_task(dataset, "records", task, dataset.records(task))


def all_records(dataset: Dataset, tasks: Sequence[TaskSpec]) -> list[Record]:
    """See `Dataset.all_records`. Raises PluginError for what are no records."""
    with asking(dataset, "all_records", "all its tasks"):
        return _records(dataset, "all_records", dataset.all_records(tasks))


def unlabelled(dataset: Dataset, task: TaskSpec) -> list[Record]:
    """See `Dataset.unlabelled`. Raises PluginError for what are no records of the task."""
    with asking(dataset, "unlabelled", f"the task {task.id}"):
        return _of_task(dataset, "unlabelled", task, dataset.unlabelled(task))


def image(dataset: Dataset, record: Record) -> np.ndarray:
    """See `Dataset.read_image`. Raises DataError for a file, PluginError for a mistake."""
    with asking(dataset, "read_image", record.place):
        image = dataset.read_image(record)
    if not isinstance(image, np.ndarray):
        said = f"gave a {type(image).__name__} for {record.place}, expected an array, uint8 (H, W) "
        raise _broken(dataset, "read_image", f"{said}or (H, W, 3)")
    return image


def _records(dataset: Dataset, method: str, answer: Iterable[Record]) -> list[Record]:
    found = list(answer)
    for each in found:
        if not isinstance(each, Record):
            said = f"gave a {type(each).__name__} among its records, expected a usmt.Record"
            raise _broken(dataset, method, said)
    return found


def _of_task(
    dataset: Dataset, method: str, task: TaskSpec, answer: Iterable[Record]
) -> list[Record]:
    found = _records(dataset, method, answer)
    for each in found:
        if each.task != task.id:
            said = f"was asked for the task '{task.id}' and gave a record of the task "
            raise _broken(dataset, method, f"{said}'{each.task}' ({each.place})")
    return found


def _broken(dataset: Dataset | type[Dataset], method: str, said: str) -> PluginError:
    return fault(f"dataset {dataset.name}: {method}() {said}", getattr(dataset, method))
