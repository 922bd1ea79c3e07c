"""What a dataset makes of damaged files, and of others that are sound, in a copy of its root.

Python tells which files it opens, libraries that are not written in it do not. Theirs are found by
what changes when they are emptied.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from usmt.dataset import Dataset, Record
from usmt.errors import DataError
from usmt.task_spec import TaskSpec
from usmt.testing.broken_rule import BrokenRuleError, keeping
from usmt.testing.changed_files import STILLS, changes
from usmt.testing.copied_root import Copy, is_binary
from usmt.testing.equality import same
from usmt.testing.other_process import Reading, read_elsewhere
from usmt.testing.record_rules import told

MOST_IMAGES = 2000
"""Images of a root up to which `records` is tried without them."""
MOST_TRIED = 200
"""Files of which it is tried which matter to a record; of more, those that its key names."""
MOST_RECORDS = 6
"""Records of all tasks whose files are damaged, two of each task at most."""
MOST_DAMAGED = 8
"""Files of one record."""
MOST_TEXTS = 4
"""Files of one record that `records` reads."""


def check_damage(dataset: Dataset, tasks: Sequence[TaskSpec], readings: Sequence[Reading]) -> None:
    """A file that was emptied is told, a file that reads otherwise changes the fingerprint, and
    `records` gives the same whatever is in an image."""
    root = getattr(dataset.options, "root", None)
    if not isinstance(root, Path) or not root.is_dir():
        return
    name = type(dataset).__name__
    with TemporaryDirectory() as folder:
        copy = Copy(root.resolve(), Path(folder).resolve())
        with keeping(f"{name} must read a copy of its folder as it reads the folder"):
            try:
                copied = type(dataset)(dataset.options.model_copy(update={"root": copy.root}))
                records = {task.id: list(map(told, copied.records(task))) for task in tasks}
                chosen = list(_chosen(copied, tasks, readings))
            except DataError:
                return  # it names files by where they really are, or does not follow links
        _check_records_read_no_image(copied, tasks, records, copy)
        keys = {task.id: [each.key for of, each in chosen if of is task] for task in tasks}
        opened = read_elsewhere(copied, tasks, keys).opened if chosen else {}
        done: set[tuple[str, Path]] = set()
        for task, reading in chosen:
            rest_of = [each.key for each in readings if each.task == task.id]
            other = next((key for key in rest_of if key != reading.key), None)
            by_python = {Path(os.path.normpath(each)) for each in opened[task.id, reading.key]}
            known = [path for path in copy.files if path in by_python]
            rest = [path for path in copy.binary if path not in by_python]
            if len(rest) > MOST_TRIED:
                rest = [path for path in rest if path.stem in reading.key][:MOST_TRIED]
            known += _that_matter(copied, task, reading, rest, copy)
            for path in known[:MOST_DAMAGED]:
                if (task.id, path) not in done:
                    done.add((task.id, path))
                    _check_file(copied, task, reading, path, copy)
                    _check_changes(copied, task, reading, path, copy, other)
            if reading.fingerprint is None:
                continue
            # What a label comes from is often read by `records`, for all of them.
            texts = copy.texts_near(reading.key, by_python)
            for path in islice(_that_matter(copied, task, reading, texts, copy), MOST_TEXTS):
                if (task.id, path) not in done:
                    done.add((task.id, path))
                    _check_changes(copied, task, reading, path, copy, other)


def _chosen(
    copied: Dataset, tasks: Sequence[TaskSpec], readings: Sequence[Reading]
) -> Iterator[tuple[TaskSpec, Reading]]:
    """The first record of each task and then the last, of those that the copy has, as it has them:
    a fingerprint may depend on where the files are."""
    of_task = {task.id: [each for each in readings if each.task == task.id] for task in tasks}
    firsts = [(task, each) for task in tasks for each in of_task[task.id][:1]]
    lasts = [(task, each) for task in tasks for each in of_task[task.id][1:][-1:]]
    for task, reading in (firsts + lasts)[:MOST_RECORDS]:
        there = _read(copied, task, reading.key)
        if there is not None and _as_before(there, reading):
            yield task, there


def _emptied(_whole: Path, path: Path) -> None:
    path.touch()


def _halved(whole: Path, path: Path) -> None:
    content = whole.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _zeroed(whole: Path, path: Path) -> None:
    path.touch()
    os.truncate(path, whole.stat().st_size)


def _filled(content: bytes, _whole: Path, path: Path) -> None:
    path.write_bytes(content)


def _check_records_read_no_image(
    copied: Dataset,
    tasks: Sequence[TaskSpec],
    before: Mapping[str, Sequence[object]],
    copy: Copy,
) -> None:
    images = [path for path in copy.files if path.suffix.lower() in STILLS]
    if len(images) > MOST_IMAGES:
        return
    rule = f"{type(copied).__name__}.records must read no image, for it runs over all of them"
    given = "a folder whose images are zeros, as many bytes as before"
    do = "leave it to read_image and read_label; what is wrong there is a DataError"
    with copy.damaged(images, _zeroed), keeping(rule, given=given, do=do):
        fresh = type(copied)(copied.options)
        for task in tasks:
            after = list(map(told, fresh.records(task)))
            odd = [each for each in after if each not in before[task.id]]
            if after != before[task.id]:
                raise BrokenRuleError(
                    rule,
                    given=f"{given}, task {task.id}",
                    expected=f"the {len(before[task.id])} records as before",
                    found=f"{len(after)} records" + (f", one of them {odd[0]}" if odd else ""),
                    do=do,
                )


def _that_matter(
    copied: Dataset, task: TaskSpec, reading: Reading, files: Sequence[Path], copy: Copy
) -> Iterator[Path]:
    """The files without which the record is not read as it was, by halves."""
    if not files:
        return
    with copy.damaged(files, _emptied):
        try:
            if _as_before(_read(copied, task, reading.key), reading):
                return
        except Exception:  # told when it is known which file it is
            pass
    if len(files) == 1:
        yield files[0]
        return
    half = len(files) // 2
    for each in (files[:half], files[half:]):
        yield from _that_matter(copied, task, reading, each, copy)


def _check_file(copied: Dataset, task: TaskSpec, reading: Reading, path: Path, copy: Copy) -> None:
    binary = is_binary(path)
    name, place = type(copied).__name__, path.relative_to(copy.root)
    for how, damage in (("emptied", _emptied), ("cut in half", _halved)):
        given = f"task {task.id}, record {reading.key!r}, {place} {how}"
        rule = f"{name}: a damaged file must be a DataError or a defect that names it"
        do = "turn what the library raises into a DataError; usmt.read_image does"
        with copy.damaged([path], damage), keeping(rule, given=given, do=do):
            found = _read(copied, task, reading.key)
        if found is None or _as_before(found, reading):
            continue
        # An empty text may say that there is nothing; an empty image says nothing.
        if how == "emptied" and binary:
            raise BrokenRuleError(
                rule,
                given=given,
                expected="a DataError",
                found="it was read as if nothing were wrong",
                do="never put anything in the place of what cannot be read",
            )
        _check_fingerprint(name, given, found, reading)


def _check_changes(
    copied: Dataset,
    task: TaskSpec,
    reading: Reading,
    path: Path,
    copy: Copy,
    other: str | None,
) -> None:
    """A file that is sound and reads otherwise is read anew."""
    if reading.fingerprint is None:
        return
    name, place = type(copied).__name__, path.relative_to(copy.root)
    rule = f"{name}: what cannot be read must be a DataError or a defect that names it"
    for how, content in changes(path, copy.files, reading.key, other):
        given = f"task {task.id}, record {reading.key!r}, {place} {how}"
        with copy.damaged([path], partial(_filled, content)), keeping(rule, given=given):
            found = _read(copied, task, reading.key)
        if found is not None and not _as_before(found, reading):
            _check_fingerprint(name, given, found, reading)


def _check_fingerprint(name: str, given: str, found: Reading, reading: Reading) -> None:
    if found.fingerprint is not None and found.fingerprint == reading.fingerprint:
        raise BrokenRuleError(
            f"{name}.fingerprint must change when image or label would be read otherwise",
            given=given,
            expected="another text, or None",
            found="the same as before, so that training would go on with what is in the cache",
            do="usmt.fingerprint_files hashes the files and what else the label comes from",
        )


def _read(copied: Dataset, task: TaskSpec, key: str) -> Reading | None:
    """The record as a fresh dataset reads it; None where that is refused, as it should be."""
    try:
        fresh = type(copied)(copied.options)
        record: Record | None = next((r for r in fresh.records(task) if r.key == key), None)
        if record is None or record.defect is not None:
            return None
        image, label = fresh.read_image(record), fresh.read_label(record, task)
        return Reading(task.id, key, image, label, fresh.fingerprint(record))
    except DataError:
        return None


def _as_before(found: Reading | None, reading: Reading) -> bool:
    return found is not None and same((found.image, found.label), (reading.image, reading.label))
