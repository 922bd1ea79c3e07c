"""The tasks of a run with their data: which dataset serves which task, scanned and split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from usmt.data.split import Split, draw_split
from usmt.dataset import Dataset, Record, Side
from usmt.errors import ConfigError, DataError, Defect, near
from usmt.output import Output
from usmt.plugins import Plugins
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType
from usmt.yaml_file import explain

ScanProgress = Callable[[str, int], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class TaskData:
    """One task of a run: its spec, its type, and its records by side of the split."""

    spec: TaskSpec
    type: TaskType
    dataset: Dataset
    records: Mapping[Side, Sequence[Record]]


@dataclass(frozen=True, slots=True)
class Collection:
    """All tasks of a run with their data.

    Attributes:
        tasks: in the order of the run's task list.
        splits: the frozen split of each dataset, by dataset name.
        skipped: records left out with --skip-bad.
        images_seen: records of the datasets' other tasks that could not be read; they are in no
            task of this run, and only reported.
    """

    tasks: Sequence[TaskData]
    splits: Mapping[str, Split]
    skipped: Sequence[Defect] = ()
    other_defects: Sequence[Defect] = ()
    synthetic: bool = field(default=False)


def open_datasets(
    plugins: Plugins, bindings: Mapping[str, Mapping[str, Any]]
) -> dict[str, Dataset]:
    """The datasets that the user named, each with its options; without any, the synthetic one.

    Raises ConfigError for an unknown option, DataError if a root is not what it should be.
    """
    if not bindings:
        makers = [name for name, dataset in plugins.datasets.items() if dataset.synthetic]
        if len(makers) != 1:
            raise ConfigError(
                "no data were given",
                hint=f"give --data NAME=ROOT; datasets: {', '.join(sorted(plugins.datasets))}",
            )
        bindings = {makers[0]: {}}
    return {name: _open(plugins, name, options) for name, options in bindings.items()}


def _open(plugins: Plugins, name: str, options: Mapping[str, Any]) -> Dataset:
    dataset = plugins.dataset(name)
    try:
        return dataset(dataset.Options.model_validate(dict(options)))
    except ValidationError as error:
        lines = [f"data.{name}.{key}: {text}" for key, text in explain(error, dataset.Options)]
        raise ConfigError(
            "\n".join(lines), hint=f"Give the folder as --data {name}=ROOT, options in data.{name}"
        ) from None


def dataset_of(spec: TaskSpec, datasets: Mapping[str, Dataset]) -> Dataset:
    """The dataset that serves a task: the one its spec names, else a synthetic one."""
    if spec.dataset in datasets:
        return datasets[spec.dataset]
    for dataset in datasets.values():
        if dataset.synthetic:
            return dataset
    raise DataError(
        f"task '{spec.id}' reads the dataset '{spec.dataset}', but the data given are: "
        f"{', '.join(datasets)}{near(spec.dataset, datasets)}",
        hint=f"add --data {spec.dataset}=ROOT",
    )


def make_task_type(plugins: Plugins, name: str, options: Mapping[str, Any]) -> TaskType:
    """One task type with its options. Raises ConfigError for an unknown option."""
    kind = plugins.task_type(name)
    try:
        return kind(kind.Options.model_validate(dict(options)))
    except ValidationError as error:
        lines = [f"task_types.{name}.{key}: {text}" for key, text in explain(error, kind.Options)]
        raise ConfigError("\n".join(lines), hint="See docs/task_types.md") from None


def collect(
    specs: Sequence[TaskSpec],
    types: Mapping[str, TaskType],
    datasets: Mapping[str, Dataset],
    all_specs: Sequence[TaskSpec],
    *,
    seed: int,
    val: float,
    test: float,
    skip_bad: bool,
    output: Output,
    frozen: Mapping[str, Split] | None = None,
) -> Collection:
    """Lists, scans and splits the data of the tasks `specs`.

    Args:
        types: task type instances by name.
        all_specs: every known task: the split is drawn over a dataset's whole, not over `specs`.
        frozen: splits to keep, by dataset name (a resumed run); the data must still fit them.

    Raises:
        DataError: with every defect of every record of `specs`, unless `skip_bad`.
    """
    serves = {spec.id: dataset_of(spec, datasets) for spec in specs}
    records: dict[str, list[Record]] = {}
    splits: dict[str, Split] = {}
    defects: list[Defect] = []
    others: list[Defect] = []
    for name, dataset in datasets.items():
        mine = [spec for spec in specs if serves[spec.id] is dataset]
        if not mine:
            continue
        for spec in mine:
            records[spec.id] = dataset.records(spec)
        found = _scan(dataset, mine, records, types, all_specs, output)
        defects += found.defects
        others += found.others
        bad = {(defect.task, defect.place) for defect in found.defects}
        for spec in mine:
            records[spec.id] = [r for r in records[spec.id] if (r.task, r.place) not in bad]
        drawn = draw_split(found.images, found.records, seed=seed, val=val, test=test)
        if frozen is not None and name in frozen:
            _check_unchanged(name, drawn, frozen[name])
            drawn = frozen[name]
        splits[name] = drawn
    if defects and not skip_bad:
        raise DataError.of(defects)
    tasks = [
        TaskData(
            spec,
            types[spec.type],
            serves[spec.id],
            _by_side(records[spec.id], splits[serves[spec.id].name]),
        )
        for spec in specs
    ]
    _check_enough(tasks)
    synthetic = any(task.dataset.synthetic for task in tasks)
    return Collection(tasks, splits, defects, others, synthetic)
