"""What is fixed for a study's whole life: its settings, the specs of its tasks, and one frozen
split that all arms share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from usmt.data.collection import Collection, default_data, open_datasets
from usmt.errors import ConfigError
from usmt.output import Output
from usmt.plugins import Plugins
from usmt.specs import Catalogue
from usmt.study.folder import StudyFolder
from usmt.study.plan import Plan
from usmt.study.spec import StudySpec
from usmt.task_spec import TaskSpec
from usmt.train.report import say_data
from usmt.train.setup import make_collection, make_types


def with_data(study: StudySpec, plugins: Plugins) -> StudySpec:
    """With data to train on: the synthetic ones where none are given; folders as absolute paths,
    since jobs may be run from anywhere."""
    data = study.settings.data or default_data(plugins)
    opened = open_datasets(plugins, data)
    placed: dict[str, Mapping[str, Any]] = {
        name: {
            key: str(given.resolve()) if isinstance(given, Path) else value
            for key, value in options.items()
            for given in (getattr(opened[name].options, key),)
        }
        for name, options in data.items()
    }
    settings = study.settings.model_copy(update={"data": placed})
    return study.model_copy(update={"settings": settings})


def all_specs(plan: Plan, catalogue: Catalogue) -> list[TaskSpec]:
    """The specs of all tasks that any run trains, the compared ones first."""
    names = dict.fromkeys([*plan.tasks, *(task for unit in plan.units for task in unit.tasks)])
    return [catalogue.task(name) for name in names]


def collect_data(
    study: StudySpec, plan: Plan, catalogue: Catalogue, plugins: Plugins, output: Output
) -> Collection:
    """The data of all tasks, scanned, checked and split. Raises DataError with every defect."""
    specs = all_specs(plan, catalogue)
    types = make_types(specs, plugins, study.settings.task_types)
    collection = make_collection(study.settings, specs, types, catalogue, plugins, output)
    say_data(collection, output)
    return collection


def begin(
    folder: StudyFolder,
    study: StudySpec,
    plan: Plan,
    catalogue: Catalogue,
    plugins: Plugins,
    output: Output,
) -> StudySpec:
    """Begins the study in its folder, or finds it begun in the same way; returns the study as it
    is there. Called by the one process that is at work on it.

    Raises:
        ConfigError: the study was begun with other settings.
        CheckpointError: something of it was changed since.
    """
    if folder.begun:
        check_unchanged(folder, plan, catalogue)
        _check_same(folder, study)
        return folder.read_study()
    collection = collect_data(study, plan, catalogue, plugins, output)
    for name in study.settings.data:
        if name not in collection.splits:
            output.warning(f"no task of this study reads the data of {name}")
    data = {
        "datasets": {name: split.summary() for name, split in collection.splits.items()},
        "synthetic": collection.synthetic,
    }
    specs, units = all_specs(plan, catalogue), _units(plan)
    folder.begin(study, units, specs, collection.splits, data)
    return folder.read_study()


def check_unchanged(folder: StudyFolder, plan: Plan, catalogue: Catalogue) -> None:
    """Raises CheckpointError if anything of a study is not as it was begun."""
    folder.check_sealed(all_specs(plan, catalogue), _units(plan))


def _units(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {unit.name: unit.tasks for unit in plan.units}


def _check_same(folder: StudyFolder, study: StudySpec) -> None:
    """Raises ConfigError with what differs: a study is one comparison, and its test data are
    looked at once."""
    begun, asked = folder.read_study().as_values(), study.as_values()
    changes = list(_changes(begun, asked))
    if changes:
        lines = [f"  {key}: {old!r} there, {new!r} asked for" for key, old, new in changes[:12]]
        raise ConfigError(
            "\n".join([f"{folder.path}: the study was begun with other settings", *lines]),
            hint="A study stays as it was begun. Choose another --out for another one.",
        )


def _changes(old: Any, new: Any, path: str = "") -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _changes(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        yield path, old, new
