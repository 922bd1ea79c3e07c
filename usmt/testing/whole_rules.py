"""Rules for a dataset as a whole: everything that it holds, here and in another process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from usmt.dataset import Dataset, Record
from usmt.errors import Defect
from usmt.task_spec import TaskSpec
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.changed_files import STILLS
from usmt.testing.equality import same
from usmt.testing.other_process import Reading, read_elsewhere
from usmt.testing.record_rules import spread, told


def check_whole(
    dataset: Dataset, tasks: Sequence[TaskSpec], found: Mapping[str, Sequence[Record]]
) -> None:
    """`all_records` holds what `records` gives, once; what is not labelled can be read."""
    name = type(dataset).__name__
    with keeping(f"{name}: all_records, unlabelled and remarks must work"):
        everything = list(dataset.all_records(tasks))
        remarks = dataset.remarks()
        for task in tasks:
            for record in spread(dataset.unlabelled(task), 2):
                if record.defect is None:
                    dataset.read_image(record)
    for what, given, kind in (
        ("all_records must return a list of Record", everything, Record),
        ("remarks must return a list of Defect", remarks, Defect),
    ):
        if not isinstance(given, list) or not all(isinstance(each, kind) for each in given):
            raise BrokenRuleError(f"{name}.{what}", found=described(given))
    rule = f"{name}.all_records must hold what `records` gives: the split is drawn over it"
    counts = Counter((record.task, record.key) for record in everything)
    # Of those that share a key the first counts: the others have a defect.
    of_split = {(each.task, each.key): (each.source_id, each.split) for each in everything[::-1]}
    for task in tasks:
        missing = [r.key for r in found[task.id] if (task.id, r.key) not in counts]
        if missing:
            raise BrokenRuleError(
                rule,
                given=f"task {task.id}",
                found=f"{len(missing)} records are missing, e.g. {missing[0]!r}",
            )
        of_task = Counter(record.key for record in found[task.id])
        for record in found[task.id]:
            if counts[task.id, record.key] != of_task[record.key]:
                raise BrokenRuleError(
                    rule,
                    given=f"task {task.id}, the key {record.key!r}",
                    expected=f"{of_task[record.key]} times, as in `records`",
                    found=f"{counts[task.id, record.key]} times",
                )
            sides = record.source_id, record.split
            if record.defect is None and of_split[task.id, record.key] != sides:
                raise BrokenRuleError(
                    rule,
                    given=f"task {task.id}, record {record.key!r}",
                    expected=f"source_id {record.source_id!r}, split {record.split!r}",
                    found="{!r}, {!r}".format(*of_split[task.id, record.key]),
                )


def check_elsewhere(
    dataset: Dataset,
    tasks: Sequence[TaskSpec],
    found: Mapping[str, Sequence[Record]],
    readings: Sequence[Reading],
) -> None:
    """Another process finds and reads the same."""
    name = type(dataset).__name__
    keys = {task.id: [each.key for each in readings if each.task == task.id] for task in tasks}
    there = read_elsewhere(dataset, tasks, keys)
    for task in tasks:
        _check_records(name, "records", f"task {task.id}", found[task.id], there.records[task.id])
    _check_records(name, "all_records", "all tasks", dataset.all_records(tasks), there.everything)
    here = {(each.task, each.key): each for each in readings}
    for each in there.readings:
        if not same(each, here[each.task, each.key]):
            raise BrokenRuleError(
                f"{name}: another process must read the same",
                given=f"task {each.task}, record {each.key!r}",
                found="another image, label or fingerprint",
                do="do not depend on hash(), on the order of a set or folder, or on time",
            )
    if opened := [p for p in there.opened_by_records if Path(p).suffix.lower() in STILLS]:
        raise BrokenRuleError(
            f"{name}.records must read no image, for it runs over all of them",
            found=f"it opened {opened[0]}",
            do="leave it to read_image and read_label; what is wrong there is a DataError",
        )


def _check_records(
    name: str, method: str, given: str, here: Sequence[Record], there: Sequence[Record]
) -> None:
    ours, theirs = list(map(told, here)), list(map(told, there))
    if ours == theirs:
        return
    rule = f"{name}.{method} must give the same in every process, on every machine"
    given = f"{given}, another hash seed, and folders that list their files the other way round"
    if sorted(map(repr, ours)) == sorted(map(repr, theirs)):
        at = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
        raise BrokenRuleError(
            rule,
            given=given,
            expected=f"record {at + 1} is {here[at].key!r}, as here",
            found=f"{there[at].key!r}: the same records in another order",
            do="sort what a folder lists, and never go through a set",
        )
    odd = [each for each in theirs if each not in ours]
    raise BrokenRuleError(
        rule,
        given=given,
        expected=f"{len(ours)} records, as here",
        found=f"{len(theirs)}" + (f", one of them {odd[0]}" if odd else ""),
        do="keys and sources come from the files, never from hash() or id(); sort what a folder "
        "lists",
    )
