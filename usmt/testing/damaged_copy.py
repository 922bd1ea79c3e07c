"""What a dataset makes of a damaged file. The files of the user are not touched: a copy of the root
is read, or where that would be too large a folder of links, and one file of it after another is
replaced by a damaged one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from usmt.dataset import Dataset, Record
from usmt.errors import DataError
from usmt.task_spec import TaskSpec
from usmt.testing.broken_rule import BrokenRuleError, keeping
from usmt.testing.equality import same
from usmt.testing.other_process import Reading, read_elsewhere

COPIED = 64 * 2**20
"""Bytes up to which a root is copied."""


def check_damage(dataset: Dataset, tasks: Sequence[TaskSpec], readings: Sequence[Reading]) -> None:
    """A file that was emptied is told, and a file that reads otherwise changes the fingerprint.

    Looks at one record of each task, and at the files that Python opens to read it.
    """
    root = getattr(dataset.options, "root", None)
    if not isinstance(root, Path) or not root.is_dir():
        return
    first = {reading.task: reading for reading in reversed(readings)}
    with TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / root.name
        _copy(root.resolve(), copy)
        copied = type(dataset)(dataset.options.model_copy(update={"root": copy}))
        # A dataset that does not follow links out of its root reads nothing there.
        readable = [
            task
            for task in tasks
            if task.id in first and _reads_the_same(copied, task, first[task.id])
        ]
        keys = {task.id: [first[task.id].key] for task in readable}
        opened = read_elsewhere(copied, readable, keys).opened if readable else {}
        for task in readable:
            reading = first[task.id]
            for path in map(Path, opened[task.id, reading.key]):
                if path.is_relative_to(copy) and path.is_file():
                    _check_file(copied, task, reading, path, copy)


def _reads_the_same(dataset: Dataset, task: TaskSpec, reading: Reading) -> bool:
    found = _read(dataset, task, reading.key)
    return found is not None and same((found.image, found.label), (reading.image, reading.label))


def _check_file(dataset: Dataset, task: TaskSpec, reading: Reading, path: Path, root: Path) -> None:
    content = path.read_bytes()
    name, place = type(dataset).__name__, path.relative_to(root)
    for how, changed in (("emptied", b""), ("cut in half", content[: len(content) // 2])):
        path.unlink()
        path.write_bytes(changed)
        with keeping(
            f"{name}: a damaged file must be a DataError or a defect that names it",
            given=f"task {task.id}, record {reading.key!r}, {place} {how}",
            do="turn what the library raises into a DataError; usmt.read_image does",
        ):
            found = _read(dataset, task, reading.key)
        path.unlink()
        path.write_bytes(content)
        if found is None:
            continue
        if how == "emptied":
            raise BrokenRuleError(
                f"{name}: a damaged file must be a DataError or a defect that names it",
                given=f"task {task.id}, record {reading.key!r}, {place} {how}",
                expected="a DataError",
                found="it was read as if nothing were wrong",
                do="never put anything in the place of what cannot be read",
            )
        differs = not same((found.image, found.label), (reading.image, reading.label))
        if differs and found.fingerprint is not None and found.fingerprint == reading.fingerprint:
            raise BrokenRuleError(
                f"{name}.fingerprint must change when image or label would be read otherwise",
                given=f"task {task.id}, record {reading.key!r}, {place} {how}",
                expected="another text, or None",
                found="the same as before",
                do="usmt.fingerprint_files hashes the files and what else the label comes from",
            )


def _read(dataset: Dataset, task: TaskSpec, key: str) -> Reading | None:
    """The record as a fresh dataset reads it; None where that is refused, as it should be."""
    try:
        fresh = type(dataset)(dataset.options)
        record: Record | None = next((r for r in fresh.records(task) if r.key == key), None)
        if record is None or record.defect is not None:
            return None
        image, label = fresh.read_image(record), fresh.read_label(record, task)
        return Reading(task.id, key, image, label, fresh.fingerprint(record))
    except DataError:
        return None


def _copy(root: Path, copy: Path) -> None:
    files = [Path(folder) / name for folder, _, names in os.walk(root) for name in names]
    small = sum(file.stat().st_size for file in files) <= COPIED
    for folder, _, _ in os.walk(root):
        (copy / Path(folder).relative_to(root)).mkdir(parents=True)
    for file in files:
        target = copy / file.relative_to(root)
        if small:
            shutil.copy2(file, target)
        else:
            target.symlink_to(file)
