"""All that a dataset holds: its records, and how those of each task are checked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from usmt import dataset_calls
from usmt.data.collection import make_task_type, open_datasets
from usmt.data.examine import Check
from usmt.dataset import Dataset, Record
from usmt.errors import DataError, Defect
from usmt.plugins import Plugins
from usmt.specs import USER, Catalogue
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
        left_out: why a task of the dataset is not looked at, by id: the user's own that it holds
            nothing of, and those whose task type is missing.
    """

    name: str
    dataset: Dataset
    records: Sequence[Record]
    checks: Mapping[str, Check]
    whole: bool
    absent: Sequence[str] = ()
    why_empty: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)

    def require_records(self) -> None:
        """Raises `DataError` if there are none."""
        if not self.records:
            raise DataError(self.why_empty, hint="See: usmt data check")

    @property
    def tasks(self) -> list[str]:
        """The ids of the tasks that have records."""
        return sorted({record.task for record in self.records})

    @property
    def classes(self) -> dict[str, list[str]]:
        """Names of the classes that labels can hold, by task that has a spec."""
        return {task: task_type.classes(spec) for task, (task_type, spec) in self.checks.items()}

    def tasks_left_out(self) -> list[Defect]:
        """A warning for each reason for which tasks are not looked at, with their names."""
        tasks: dict[str, list[str]] = defaultdict(list)
        for task, reason in self.left_out.items():
            tasks[reason].append(task)
        return [
            Defect(
                its[0] if len(its) == 1 else "",
                f"task{'s' * (len(its) > 1)} {', '.join(its)}",
                f"not looked at: {reason}",
                "task left out",
                "warning",
            )
            for reason, its in tasks.items()
        ]


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
        records = [record for spec in specs for record in dataset_calls.records(dataset, spec)]
    else:
        known = catalogue.tasks.values()
        specs = [spec for spec in known if dataset.synthetic or spec.dataset == name]
        records = dataset_calls.all_records(dataset, specs)
    held = {record.task for record in records}
    types = {spec.type: make_task_type(plugins, spec.type, {}) for spec in specs}
    checks = {spec.id: (types[spec.type], spec) for spec in specs if spec.id in held}
    absent = [spec for spec in specs if spec.id not in held]
    own = {
        spec.id: _why_absent(dataset, spec)
        for spec in absent
        if catalogue.givers.get(spec.id) == USER and not dataset.synthetic
    }
    why_empty = "" if records else next(iter(own.values()), "") or _why_empty(dataset, specs)
    others = {task: reason for task, reason in own.items() if reason != why_empty}
    left_out = {} if only else {**others, **_without_type(catalogue, name)}
    names = [spec.id for spec in absent]
    return Inventory(name, dataset, records, checks, not only, names, why_empty, left_out)


def _why_empty(dataset: Dataset, specs: Sequence[TaskSpec]) -> str:
    if not specs:
        return f"{dataset.name} holds no record of a known task"
    return _why_absent(dataset, specs[0])


def _why_absent(dataset: Dataset, spec: TaskSpec) -> str:
    """Why a dataset has no records of a task, if it can say that, and what to do."""
    try:
        dataset_calls.records(dataset, spec)
    except DataError as error:
        reason = error.message.splitlines()[0]
        return f"{reason} ({error.hint.rstrip('.')})" if error.hint else reason
    return f"{dataset.name} holds no record of a known task"


def _without_type(catalogue: Catalogue, dataset: str) -> dict[str, str]:
    return {
        task: "; ".join(reason.splitlines())
        for task, reason in catalogue.unavailable.items()
        if catalogue.unavailable_datasets[task] == dataset
    }


def _served(spec: TaskSpec, name: str, dataset: Dataset) -> TaskSpec:
    if not dataset.synthetic and spec.dataset != name:
        raise DataError(
            f"task '{spec.id}' reads the dataset '{spec.dataset}', not '{name}'",
            hint=f"give {spec.dataset}=ROOT, or leave the task out",
        )
    return spec
