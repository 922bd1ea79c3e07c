"""All that a dataset holds: its records, and how those of each task are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from usmt.data.collection import make_task_type, open_datasets
from usmt.data.examine import Check
from usmt.dataset import Dataset, Record
from usmt.errors import DataError
from usmt.plugins import Plugins
from usmt.specs import Catalogue
from usmt.task_spec import TaskSpec


@dataclass(frozen=True, slots=True)
class Inventory:
    """What one dataset holds of all its tasks, or of some.

    Attributes:
        name: of the dataset.
        records: rows with defects included.
        checks: type and spec by task, where there is a spec.
        whole: whether no task was chosen.
        absent: tasks of the dataset that it holds nothing of.
        why_empty: if it holds nothing at all.
    """

    name: str
    dataset: Dataset
    records: Sequence[Record]
    checks: Mapping[str, Check]
    whole: bool
    absent: Sequence[str] = ()
    why_empty: str = ""

    def require_records(self) -> None:
        """Raises `DataError` if there are none."""
        if not self.records:
            raise DataError(self.why_empty, hint="See: usmt data check")

    @property
    def tasks(self) -> list[str]:
        """The ids of the tasks that have records."""
        return sorted({record.task for record in self.records})


def take_inventory(
    binding: Mapping[str, Mapping[str, Any]],
    plugins: Plugins,
    catalogue: Catalogue,
    only: Sequence[str] = (),
) -> Inventory:
    """Opens one dataset and lists its records. Reads no image.

    Args:
        binding: the dataset's options by its name.
        only: ids of tasks; empty for all.

    Raises:
        DataError: if the root is not what it should be, or does not hold a task of `only`.
    """
    ((name, dataset),) = open_datasets(plugins, binding).items()
    if only:
        specs = [_served(catalogue.task(task), name, dataset) for task in dict.fromkeys(only)]
        records = [record for spec in specs for record in dataset.records(spec)]
    else:
        known = catalogue.tasks.values()
        specs = [spec for spec in known if dataset.synthetic or spec.dataset == name]
        records = dataset.all_records(specs)
    held = {record.task for record in records}
    types = {spec.type: make_task_type(plugins, spec.type, {}) for spec in specs}
    checks = {spec.id: (types[spec.type], spec) for spec in specs if spec.id in held}
    absent = [spec.id for spec in specs if spec.id not in held]
    why_empty = "" if records else _why_empty(dataset, specs)
    return Inventory(name, dataset, records, checks, not only, absent, why_empty)


def _why_empty(dataset: Dataset, specs: Sequence[TaskSpec]) -> str:
    """Why a dataset has no records, if it can say that of a task."""
    try:
        for spec in specs[:1]:
            dataset.records(spec)
    except DataError as error:
        return error.message.splitlines()[0]
    return f"{dataset.name} holds no record of a known task"


def _served(spec: TaskSpec, name: str, dataset: Dataset) -> TaskSpec:
    if not dataset.synthetic and spec.dataset != name:
        raise DataError(
            f"task '{spec.id}' reads the dataset '{spec.dataset}', not '{name}'",
            hint=f"give {spec.dataset}=ROOT, or leave the task out",
        )
    return spec
