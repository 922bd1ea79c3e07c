"""The tasks of a run with their data: which dataset serves which task, scanned and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from usmt import dataset_calls
from usmt.data.draw_split import draw_split
from usmt.data.given_split import GivenSplit
from usmt.data.grouping import Name
from usmt.data.scan import Scan, scan
from usmt.data.split import Split
from usmt.data.training_subset import training_groups
from usmt.dataset import Dataset, Record, Side
from usmt.errors import ConfigError, DataError, Defect, near
from usmt.output import Output
from usmt.plugin_faults import blamed
from usmt.plugins import Plugins
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType
from usmt.yaml_file import explain


@dataclass(frozen=True, slots=True)
class TaskData:
    """One task of a run.

    Attributes:
        records: by side of the split; of train those that are trained on.
        unused: how many records of the train side are left out, as only a share is trained on.
    """

    spec: TaskSpec
    type: TaskType
    dataset: Dataset
    records: Mapping[Side, Sequence[Record]]
    unused: int = 0


@dataclass(frozen=True, slots=True)
class Collection:
    """All tasks of a run with their data.

    Attributes:
        tasks: in the order of the run's task list.
        splits: the frozen split of each dataset, by dataset name.
        skipped: records left out with --skip-bad.
        other_defects: records of the datasets' other tasks that could not be read; they are in
            no task of this run, and only reported. With a split that was given, of those that it
            lacks: the others are not read.
        synthetic: whether any images are made, not measured.
    """

    tasks: Sequence[TaskData]
    splits: Mapping[str, Split]
    skipped: Sequence[Defect] = ()
    other_defects: Sequence[Defect] = ()
    synthetic: bool = False


def default_data(plugins: Plugins) -> dict[str, dict[str, Any]]:
    """What to train on when the user gives no data: the synthetic dataset.

    Raises ConfigError if there is none, or no single one.
    """
    makers = [name for name, dataset in plugins.datasets.items() if dataset.synthetic]
    if len(makers) != 1:
        raise ConfigError(
            "no data were given",
            hint=f"give --data NAME=ROOT; datasets: {', '.join(sorted(plugins.datasets))}",
        )
    return {makers[0]: {}}


def open_datasets(
    plugins: Plugins, bindings: Mapping[str, Mapping[str, Any]]
) -> dict[str, Dataset]:
    """The datasets that the user named, each with its options.

    Raises ConfigError for an unknown option, DataError if a root is not what it should be.
    """
    return {name: _open(plugins, name, options) for name, options in bindings.items()}


def _open(plugins: Plugins, name: str, options: Mapping[str, Any]) -> Dataset:
    dataset = plugins.dataset(name)
    try:
        chosen = dataset.Options.model_validate(dict(options))
    except ValidationError as error:
        lines = [f"data.{name}.{key}: {text}" for key, text in explain(error, dataset.Options)]
        raise ConfigError(
            "\n".join(lines), hint=f"Give the folder as --data {name}=ROOT, options in data.{name}"
        ) from None
    with blamed(f"dataset {name}: opening it", dataset):
        return dataset(chosen)


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
        chosen = kind.Options.model_validate(dict(options))
    except ValidationError as error:
        lines = [f"task_types.{name}.{key}: {text}" for key, text in explain(error, kind.Options)]
        raise ConfigError("\n".join(lines), hint="See docs/reference/task_types.md") from None
    with blamed(f"the task type {name}", kind):
        return kind(chosen)


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
    other_data: bool = False,
    split_files: Mapping[str, Path] | None = None,
    fraction: float = 1.0,
) -> Collection:
    """Lists, scans and splits the data of the tasks `specs`.

    Args:
        types: task type instances by name.
        all_specs: every known task: the split is drawn over a dataset's whole, not over `specs`.
        frozen: splits to keep, by dataset name; the data must still be those they were drawn on,
            unless `other_data`: then see `Split.extended`.
        split_files: files of splits to use in place of a drawn one, by dataset name. They must fit
            the data, but for images that cannot be read any more. With these and `frozen` only the
            images of `specs` are read; see `GivenSplit`.
        fraction: share of the training records that is trained on; see `training_groups`.

    Raises:
        DataError: with every defect of every record of `specs`, unless `skip_bad`.
    """
    serves = {spec.id: dataset_of(spec, datasets) for spec in specs}
    kept = frozen or {}
    given = {} if other_data else {name: GivenSplit(split) for name, split in kept.items()}
    given |= {name: GivenSplit(Split.read(p), p) for name, p in (split_files or {}).items()}
    splits: dict[str, Split] = {}
    used: dict[str, frozenset[str]] = {}
    usable: dict[str, list[Record]] = {}
    defects: list[Defect] = []
    others: list[Defect] = []
    for name, dataset in datasets.items():
        mine = {spec.id: spec for spec in specs if serves[spec.id] is dataset}
        if not mine:
            continue
        records = _list_records(dataset, mine, all_specs)
        checks = {task: (types[spec.type], spec) for task, spec in mine.items()}
        to_read = given[name].unsure(records, mine) if name in given else records
        found = _scan(dataset, to_read, checks, output)
        defects += found.defects
        others += found.others
        bad = {(defect.task, defect.place) for defect in found.defects}
        for task in mine:
            usable[task] = [r for r in records if r.task == task and (task, r.place) not in bad]
        if name in given:
            contents = _contents(dataset, to_read, found)
            splits[name] = given[name].fitting(dataset, records, mine, contents)
        else:
            drawn = draw_split(found.images, records, seed=seed, val=val, test=test)
            splits[name] = kept.get(name, Split({})).extended(drawn) if other_data else drawn
        used[name] = training_groups(splits[name], records, fraction=fraction, seed=seed)
    if defects and not skip_bad:
        raise DataError.of(defects)
    tasks = []
    for spec in specs:
        dataset = serves[spec.id]
        split = splits[dataset.name]
        sides = _by_side(usable[spec.id], split)
        whole = len(sides["train"])
        sides["train"] = [
            record
            for record in sides["train"]
            if split.places[record.task, record.key].group in used[dataset.name]
        ]
        if not other_data:
            _check_enough(spec, dataset, sides)
        unused = whole - len(sides["train"])
        tasks.append(TaskData(spec, types[spec.type], dataset, sides, unused))
    synthetic = any(task.dataset.synthetic for task in tasks)
    return Collection(tasks, splits, defects, others, synthetic)


def _list_records(
    dataset: Dataset, mine: Mapping[str, TaskSpec], all_specs: Sequence[TaskSpec]
) -> list[Record]:
    """Every record of the dataset; those of the run's tasks as checked against their specs.

    A synthetic dataset makes each record for itself, so that no record of another task can be
    related to those of the run.
    """
    checked = [each for spec in mine.values() for each in dataset_calls.records(dataset, spec)]
    if dataset.synthetic:
        return checked
    known = [spec for spec in all_specs if spec.dataset == dataset.name and spec.id not in mine]
    rest = dataset_calls.all_records(dataset, [*mine.values(), *known])
    return checked + [record for record in rest if record.task not in mine]


def _scan(
    dataset: Dataset,
    records: Sequence[Record],
    checks: Mapping[str, tuple[TaskType, TaskSpec]],
    output: Output,
) -> Scan:
    """Reads every record once; a synthetic dataset has nothing to be checked for."""
    if dataset.synthetic:
        return Scan(images={}, defects=[], others=[])
    with output.progress(f"reading {dataset.name}", len(records)) as bar:
        return scan(dataset, records, checks, progress=bar.advance)


def _contents(dataset: Dataset, records: Sequence[Record], found: Scan) -> dict[Name, str]:
    """The hash of each record's pixels, as a split has it."""
    if dataset.synthetic:
        return {(record.task, record.key): "" for record in records}
    return {name: image.content for name, image in found.images.items()}


def _by_side(records: Sequence[Record], split: Split) -> dict[Side, list[Record]]:
    sides: dict[Side, list[Record]] = {"train": [], "val": [], "test": []}
    for record in sorted(records, key=lambda record: record.key):
        sides[split.side(record.task, record.key)].append(record)
    return sides


def _check_enough(spec: TaskSpec, dataset: Dataset, sides: Mapping[Side, Sequence[Record]]) -> None:
    for side, use in (("train", "to train on"), ("val", "to choose the best weights by")):
        if not sides[side]:  # type: ignore[index]
            total = sum(map(len, sides.values()))
            why = "which may be of too few patients to be split"
            if not total:
                why = f"as {dataset.name} gives no record of it that can be used"
            raise DataError(
                f"task '{spec.id}' has no image {use}: {total} images in all, {why}",
                hint="Add data of other patients, leave the task out, or lower split.test",
            )
