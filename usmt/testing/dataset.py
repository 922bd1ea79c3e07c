"""`check_dataset`: what holds for every dataset, whatever its files look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from usmt.dataset import Dataset, DatasetCard, DatasetLayout, DatasetOptions
from usmt.errors import DataError
from usmt.plugins import load_plugins
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType
from usmt.testing.broken_rule import BrokenRuleError, described, keeping, told_alone
from usmt.testing.damaged_copy import check_damage
from usmt.testing.discovery import check_imports_nothing_slow
from usmt.testing.plugin_class import check_class
from usmt.testing.plugin_line import placed
from usmt.testing.record_rules import check_defect, check_reading, check_records, spread
from usmt.testing.whole_rules import check_elsewhere, check_whole

ANY_TYPE = "look at task.type first; [] for a task that is served, else one or more reasons"
CARD = ("title", "organ", "licence", "obtain", "sources", "files")
"""What a card must tell of a dataset that people have to get."""


@told_alone
def check_dataset(
    dataset: type[Dataset] | Dataset,
    options: DatasetOptions | Mapping[str, Any] | Path | None = None,
    *,
    tasks: Sequence[TaskSpec],
    task_types: Sequence[type[TaskType]] = (),
    unfit: Sequence[TaskSpec] = (),
    defects: int | None = None,
    images: int = 10,
) -> None:
    """Checks that a dataset keeps its contract on real files, which are only read: another process
    must find and read the same, and files of a copy are damaged and changed. They must be good
    files: an image or label that cannot be read belongs to a record with a defect, or nowhere.

    Args:
        dataset: the class, or an instance.
        options: of the class, as an object or a mapping; a path stands for `root`. None for an
            instance, or where all options have defaults.
        tasks: specs of the tasks that the files serve.
        task_types: those of the tasks that no installed plugin gives.
        unfit: specs that the dataset cannot serve, which `misfits` must say.
        defects: how many records of all tasks have a defect, where the files of the test are known
            to have some. None: any number.
        images: how many records of each task are read; of more, some that are evenly spread.

    Raises:
        BrokenRuleError: for the first rule that does not hold.
    """
    cls = _class_of(dataset, tasks, unfit, images)
    with placed(cls):
        check_imports_nothing_slow(cls)
        _check_class(cls)
        given = dataset if isinstance(dataset, Dataset) else _made(cls, options)
        _check(given, tasks, task_types, unfit, defects, images)


def _check(
    given: Dataset,
    tasks: Sequence[TaskSpec],
    task_types: Sequence[type[TaskType]],
    unfit: Sequence[TaskSpec],
    defects: int | None,
    images: int,
) -> None:
    cls = type(given)
    _check_fit(cls, tasks, unfit)
    types = _task_types(tasks, task_types)
    found = {task.id: check_records(given, task) for task in tasks}
    told = sum(record.defect is not None for records in found.values() for record in records)
    if defects is not None and told != defects:
        raise BrokenRuleError(
            f"{cls.__name__}.records must keep a row that cannot be used, and say why in `defect`",
            expected=f"{defects} records with a defect",
            found=f"{told}",
            do="return the record with `defect` set instead of leaving it out or mending it",
        )
    chosen = {task: spread([r for r in of if not r.defect], images) for task, of in found.items()}
    readings = []
    for task in tasks:
        for record in chosen[task.id]:
            readings.append(check_reading(given, record, task, types[task.type]))
        for record in spread([r for r in found[task.id] if r.defect], images):
            check_defect(given, record, task)
    check_whole(given, tasks, found)
    check_elsewhere(given, tasks, found, readings)
    _check_root(cls, given.options)
    check_damage(given, tasks, readings)


def _class_of(
    dataset: Any, tasks: Sequence[TaskSpec], unfit: Sequence[TaskSpec], images: int
) -> type[Dataset]:
    """Of a call that makes sense."""
    cls = dataset if isinstance(dataset, type) else type(dataset)
    mistakes = {
        "a dataset: a class that extends usmt.Dataset, or an object of it": (
            None if issubclass(cls, Dataset) else described(dataset)
        ),
        "tasks, one or more specs that the files serve": (
            None if tasks and _are_specs(tasks) else described(tasks)
        ),
        "`unfit`, specs that the dataset cannot serve": (
            None if _are_specs(unfit) else described(unfit)
        ),
        "`images`, a number of 1 or more": None if images >= 1 else str(images),
    }
    for needed, found in mistakes.items():
        if found is not None:
            raise BrokenRuleError(f"check_dataset needs {needed}", found=found)
    return cls


def _are_specs(given: Any) -> bool:
    return isinstance(given, Sequence) and all(isinstance(each, TaskSpec) for each in given)


def _made(cls: type[Dataset], options: Any) -> Dataset:
    rule = f"{cls.__name__}: its options and files must be sound ones"
    do = "check the call of check_dataset"
    if isinstance(options, DatasetOptions) and not isinstance(options, cls.Options):
        raise BrokenRuleError(
            rule,
            expected=f"an object of {cls.__name__}.Options, a mapping, or the root folder",
            found=f"an object of {type(options).__name__}",
            do=do,
        )
    with keeping(rule, given=described(options), do=do):
        if isinstance(options, str | Path):
            options = {"root": options}
        if not isinstance(options, DatasetOptions):
            options = cls.Options.model_validate({} if options is None else options)
        return cls(options)


def _check_class(cls: type[Dataset]) -> None:
    check_class(cls, Dataset)
    parts = {"Options": DatasetOptions, "Layout": DatasetLayout}
    for part, base in parts.items():
        given = getattr(cls, part)
        if not isinstance(given, type) or not issubclass(given, base):
            raise BrokenRuleError(
                f"{cls.__name__}.{part} must be a class that extends usmt.{base.__name__}",
                found=described(given),
            )
    if not isinstance(cls.card, DatasetCard):
        raise BrokenRuleError(
            f"{cls.__name__}.card must be a usmt.DatasetCard",
            found=described(cls.card),
            do="set card = DatasetCard(...) in the class",
        )
    needed = ("title",) if cls.synthetic else CARD
    empty = [name for name in needed if not getattr(cls.card, name)]
    if empty:
        raise BrokenRuleError(
            f"{cls.__name__}.card must tell people what they need to know before they use it",
            expected=f"a text for each of {', '.join(needed)}",
            found=f"nothing for {', '.join(empty)}",
            do="set card = DatasetCard(...) in the class; what is not known can be said, too",
        )


def _check_fit(cls: type[Dataset], tasks: Sequence[TaskSpec], unfit: Sequence[TaskSpec]) -> None:
    _misfits(cls, _of_another_type(tasks[0]))
    for task in (*tasks, *unfit):
        misfits = _misfits(cls, task)
        if any(task is each for each in unfit):
            if not misfits:
                raise BrokenRuleError(
                    f"{cls.__name__}.misfits must say why a task cannot be served",
                    given=f"the task {task.id} ({task.type}), layout {task.layout}",
                    expected="one or more reasons",
                    found="[]",
                )
            continue
        if misfits:
            raise BrokenRuleError(
                f"{cls.__name__}.misfits must be empty for a task that it serves",
                given=f"the task {task.id}",
                found=str(misfits),
            )
        with keeping(
            f"{cls.__name__}.Layout must take what its tasks say under `layout`",
            given=f"the task {task.id}, layout {task.layout}",
        ):
            cls.Layout.model_validate(task.layout)


def _misfits(cls: type[Dataset], task: TaskSpec) -> list[str]:
    given = f"the task {task.id} ({task.type})"
    with keeping(f"{cls.__name__}.misfits must never raise", given=given, do=ANY_TYPE):
        misfits = cls.misfits(task)
    if not isinstance(misfits, list) or not all(isinstance(each, str) for each in misfits):
        raise BrokenRuleError(
            f"{cls.__name__}.misfits must return a list of texts",
            given=given,
            found=described(misfits),
            do=ANY_TYPE,
        )
    return misfits


def _of_another_type(task: TaskSpec) -> TaskSpec:
    """A spec with the same layout and none of the fields of its type, as any user may write."""
    fields = {name: getattr(task, name) for name in TaskSpec.model_fields}
    return TaskSpec.model_construct(**fields | {"type": "another_type"})


def _task_types(tasks: Sequence[TaskSpec], given: Sequence[type[TaskType]]) -> dict[str, TaskType]:
    known = {**load_plugins().task_types, **{cls.name: cls for cls in given}}
    if missing := sorted({task.type for task in tasks} - known.keys()):
        raise BrokenRuleError(
            "check_dataset needs the task type of each task, to look at labels",
            expected=f"one of {', '.join(sorted(known))}",
            found=", ".join(missing),
            do="give the class in `task_types`",
        )
    return {name: known[name](known[name].Options()) for name in {task.type for task in tasks}}


def _check_root(cls: type[Dataset], options: DatasetOptions) -> None:
    """A folder that is not there is told at once."""
    if not isinstance(getattr(options, "root", None), Path):
        return
    with TemporaryDirectory() as folder:
        for root in (Path(folder) / "nowhere", Path(folder)):
            rule = f"{cls.__name__} must raise a DataError for a root that is not its own"
            words = "an empty folder" if root.exists() else "a folder that does not exist"
            with keeping(rule, given=words, do="usmt.root_folder checks it, in the constructor"):
                try:
                    cls(options.model_copy(update={"root": root}))
                except DataError as error:
                    if str(root) not in str(error):
                        raise BrokenRuleError(
                            rule, expected=f"a message that names {root}", found=str(error)
                        ) from None
                    continue
            if not root.exists():
                raise BrokenRuleError(
                    rule,
                    given=words,
                    expected="a DataError",
                    found="no error",
                    do="usmt.root_folder checks it, in the constructor",
                )
