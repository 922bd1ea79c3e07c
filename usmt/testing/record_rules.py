"""Rules for a dataset's records, and for what reading them gives."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from usmt.data.repeated_keys import repeated_keys
from usmt.dataset import Dataset, Record
from usmt.errors import DataError
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.equality import same
from usmt.testing.other_process import Reading


def check_records(dataset: Dataset, task: TaskSpec) -> list[Record]:
    name = type(dataset).__name__
    with keeping(f"{name}.records must work for a task that it serves", given=f"task {task.id}"):
        records = dataset.records(task)
        again = dataset.records(task)
    for each in (records, again):
        if not isinstance(each, list) or not all(isinstance(one, Record) for one in each):
            raise BrokenRuleError(
                f"{name}.records must return a list of Record",
                given=f"task {task.id}",
                found=described(each),
            )
    if not records:
        raise BrokenRuleError(
            f"{name}.records must find the images of a task",
            given=f"task {task.id}",
            found="no records",
            do="check the files that the test makes, and how they are looked for",
        )
    if list(map(told, records)) != list(map(told, again)):
        raise BrokenRuleError(f"{name}.records must be the same each time", given=f"task {task.id}")
    for record in records:
        _check_record(name, task, record)
    for twice in repeated_keys(dataset.name, records):
        raise BrokenRuleError(
            f"{name}.records must give each record of a task a key of its own",
            given=f"task {task.id}, the record at {twice.place}",
            found=twice.reason,
            do="put what tells them apart into the key, or give all but the first a defect that "
            "says so",
        )
    sides: dict[str, Record] = {}
    for record in records:
        if record.defect is not None:
            continue
        other = sides.setdefault(record.source_id, record)
        if other.split != record.split:
            raise BrokenRuleError(
                f"{name}.records must keep the images of one source on one side of the split",
                given=f"task {task.id}, source {record.source_id}",
                found=f"{other.split} at {other.place}, {record.split} at {record.place}",
                do="correct source_id, or give such records a defect",
            )
    return records


def _check_record(name: str, task: TaskSpec, record: Record) -> None:
    rules: list[tuple[str, Any, Callable[[Any], bool], str]] = [
        ("task", record.task, lambda v: v == task.id, f"'{task.id}'"),
        ("key", record.key, _is_text, "a text, the same on every machine"),
        ("source_id", record.source_id, _is_text, "the patient or video, or the key"),
        ("place", record.place, _is_text, "where a person finds it, e.g. labels.csv:12"),
        ("stratum", record.stratum, lambda v: isinstance(v, str), "a text"),
        ("split", record.split, lambda v: v in (None, "train", "val", "test"), "train, val, test"),
        ("defect", record.defect, lambda v: v is None or _is_text(v), "a reason, or None"),
    ]
    for field, value, sound, expected in rules:
        if not sound(value):
            raise BrokenRuleError(
                f"{name}.records: {field} of a record must be what it says",
                given=f"task {task.id}, record {record.key!r} at {record.place!r}",
                expected=expected,
                found=described(value),
            )
    with keeping(
        f"{name}.records: a record must be picklable, for other processes read it",
        given=f"record {record.key!r}, payload {described(record.payload)}",
        do="keep plain values, paths and named classes in `payload`, no open files or lambdas",
    ):
        pickle.loads(pickle.dumps(record))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def told(record: Record) -> tuple[Any, ...]:
    """What a record tells, but for what its dataset alone understands."""
    return tuple(getattr(record, f.name) for f in fields(Record) if f.name != "payload")


def check_reading(dataset: Dataset, record: Record, task: TaskSpec, of: TaskType) -> Reading:
    """A good record: an image, a label that may be trained on, the same each time."""
    name, given = type(dataset).__name__, f"task {task.id}, {record.place}"
    rule = f"{name}: what `records` gives without a defect must be readable"
    with keeping(rule, given=given, do="give the record a defect, or read it"):
        try:
            image, label = dataset.read_image(record), dataset.read_label(record, task)
        except DataError as error:
            raise BrokenRuleError(
                f"{name}: the files that the check is given must be good",
                given=f"{given}, a record without a defect",
                expected="an image and a label",
                found=f"DataError: {error.message}",
                do="mend the file, or leave it out of the test's root: a broken image is a "
                "DataError when it is read, and not a defect, for `records` reads no image. Where "
                "`records` can tell, by a row or a file that is missing, give the record a defect",
            ) from error
        again = dataset.read_image(record), dataset.read_label(record, task)
        fingerprints = [dataset.fingerprint(record) for _ in range(2)]
        pixel = dataset.pixel_size(record)
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or image.ndim not in (2, 3)
        or image.shape[2:] not in ((), (3,))
        or not image.size
    ):
        raise BrokenRuleError(
            f"{name}.read_image must give uint8, (H, W) grey or (H, W, 3) RGB",
            given=given,
            found=described(image),
            do="usmt.read_image reads image files so",
        )
    if not same((image, label), again):
        raise BrokenRuleError(
            f"{name}: reading a record must give the same each time",
            given=given,
            do="leave out what is random; augmentation is usmt's",
        )
    if fingerprints[0] != fingerprints[1] or not isinstance(fingerprints[0], str | None):
        raise BrokenRuleError(
            f"{name}.fingerprint must be a text, the same while the files are, or None",
            given=given,
            found=str(fingerprints),
        )
    if pixel is not None and not (
        len(pixel) == 2 and all(0 < float(side) < 1000 for side in pixel)
    ):
        raise BrokenRuleError(
            f"{name}.pixel_size must give width and height of a pixel in mm, or None",
            given=given,
            expected="two numbers above 0",
            found=described(pixel),
            do="None where the files do not tell it",
        )
    if problems := of.problems(task, label, (image.shape[0], image.shape[1])):
        raise BrokenRuleError(
            f"{name}.read_label must give what the type '{task.type}' documents",
            given=f"{given}, {described(label)}",
            expected="no problems",
            found="; ".join(problems),
            do="give a record with such a label a defect, or read it in the form of the type",
        )
    return Reading(task.id, record.key, image, label, fingerprints[0])


def check_defect(dataset: Dataset, record: Record, task: TaskSpec) -> None:
    """What cannot be used is read if it can be, else it is a DataError, and nothing else."""
    for read in (
        lambda: dataset.read_image(record),
        lambda: dataset.read_label(record, task),
    ):
        with keeping(
            f"{type(dataset).__name__}: what cannot be read must be a DataError",
            given=f"task {task.id}, {record.place}, whose defect is: {record.defect}",
            do="raise DataError(record.defect)",
        ):
            try:
                read()
            except DataError:
                continue


def spread(records: Sequence[Record], most: int) -> list[Record]:
    """Evenly, the first among them."""
    return list(records[:: max(1, -(-len(records) // most))])
