"""`check_dataset`: what holds for every dataset, whatever its files look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from usmt.dataset import Dataset, DatasetOptions, Record
from usmt.errors import DataError, Defect
from usmt.plugins import load_plugins
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType
from usmt.testing.broken_rule import BrokenRuleError, described, keeping, told_alone
from usmt.testing.damaged_copy import check_damage
from usmt.testing.discovery import check_imports_nothing_slow
from usmt.testing.equality import same
from usmt.testing.other_process import Reading, read_elsewhere
from usmt.testing.record_rules import check_defect, check_reading, check_records, spread

CARD = ("title", "organ", "licence", "obtain", "sources", "files")
"""What a card must tell of a dataset that people have to get."""
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".dcm", ".nii", ".mha")


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
    """Checks that a dataset keeps its contract on real files, which are only read.

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
    given = dataset if isinstance(dataset, Dataset) else _made(dataset, options)
    cls = type(given)
    check_imports_nothing_slow(cls)
    _check_card(cls)
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
    _check_whole(given, tasks, found)
    _check_elsewhere(given, tasks, chosen, readings)
    _check_root(cls, given.options)
    check_damage(given, tasks, readings)


def _made(cls: type[Dataset], options: Any) -> Dataset:
    with keeping(
        f"{cls.__name__}: its options and files must be sound ones",
        given=described(options),
        do="check the call of check_dataset",
    ):
        if isinstance(options, str | Path):
            options = {"root": options}
        if not isinstance(options, DatasetOptions):
            options = cls.Options.model_validate(options or {})
        return cls(options)


def _check_card(cls: type[Dataset]) -> None:
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
    for task in (*tasks, *unfit):
        with keeping(f"{cls.__name__}.misfits must never raise", given=f"the task {task.id}"):
            misfits = cls.misfits(task)
        if not isinstance(misfits, list) or not all(isinstance(each, str) for each in misfits):
            raise BrokenRuleError(
                f"{cls.__name__}.misfits must return a list of texts",
                given=f"the task {task.id}",
                found=described(misfits),
            )
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


def _check_whole(
    dataset: Dataset, tasks: Sequence[TaskSpec], found: Mapping[str, Sequence[Record]]
) -> None:
    """What is asked of the dataset as a whole."""
    name = type(dataset).__name__
    with keeping(f"{name}: all_records, unlabelled and remarks must work"):
        everything = {(record.task, record.key) for record in dataset.all_records(tasks)}
        remarks = dataset.remarks()
        for task in tasks:
            for record in spread(dataset.unlabelled(task), 2):
                if record.defect is None:
                    dataset.read_image(record)
    if not all(isinstance(remark, Defect) for remark in remarks):
        raise BrokenRuleError(
            f"{name}.remarks must return a list of Defect", found=described(remarks)
        )
    for task in tasks:
        missing = [r.key for r in found[task.id] if (task.id, r.key) not in everything]
        if missing:
            raise BrokenRuleError(
                f"{name}.all_records must hold what `records` gives: the split is drawn over it",
                given=f"task {task.id}",
                found=f"{len(missing)} records are missing, e.g. {missing[0]!r}",
            )


def _check_elsewhere(
    dataset: Dataset,
    tasks: Sequence[TaskSpec],
    chosen: Mapping[str, Sequence[Record]],
    readings: Sequence[Reading],
) -> None:
    """Another process, with another hash seed, finds and reads the same."""
    name = type(dataset).__name__
    keys = {task: [record.key for record in records[:3]] for task, records in chosen.items()}
    there = read_elsewhere(dataset, tasks, keys)
    here = {(each.task, each.key): each for each in readings}
    for each in there.readings:
        if not same(each, here[each.task, each.key]):
            raise BrokenRuleError(
                f"{name}: another process must read the same",
                given=f"task {each.task}, record {each.key!r}",
                found="another image, label or fingerprint",
                do="do not depend on hash(), on the order of a set or folder, or on time",
            )
    if opened := [p for p in there.opened_by_records if Path(p).suffix.lower() in IMAGES]:
        raise BrokenRuleError(
            f"{name}.records must read no image, for it runs over all of them",
            found=f"it opened {opened[0]}",
            do="leave it to read_image and read_label; what is wrong there is a DataError",
        )


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
