"""What a dataset makes of damaged files. The files of the user are not touched: a copy of the root
is read, or where that would be too large a folder of links, and files of it are replaced by damaged
ones.

Python tells which files it opens, libraries that are not written in it do not. Theirs are found by
what changes when they are emptied.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from usmt.dataset import Dataset, Record
from usmt.errors import DataError
from usmt.task_spec import TaskSpec
from usmt.testing.broken_rule import BrokenRuleError, keeping
from usmt.testing.equality import same
from usmt.testing.other_process import Reading, read_elsewhere
from usmt.testing.record_rules import told

STILLS = (".png", ".jpg", ".jpeg", ".bmp")
"""Files of one image each. What may hold many (.gif, .dcm, .nii) is opened to count them."""
COPIED = 64 * 2**20
"""Bytes up to which a root is copied."""
MOST_IMAGES = 2000
"""Images of a root up to which `records` is tried without them."""
MOST_TRIED = 200
"""Files of which it is tried which matter to a record; of more, those that its key names."""
MOST_RECORDS = 6
"""Records of all tasks whose files are damaged, two of each task at most."""
MOST_DAMAGED = 8
"""Files of one record."""


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


def _chosen(
    copied: Dataset, tasks: Sequence[TaskSpec], readings: Sequence[Reading]
) -> Iterator[tuple[TaskSpec, Reading]]:
    """The first record of each task and then the last, of those that the copy has."""
    of_task = {task.id: [each for each in readings if each.task == task.id] for task in tasks}
    firsts = [(task, each) for task in tasks for each in of_task[task.id][:1]]
    lasts = [(task, each) for task in tasks for each in of_task[task.id][1:][-1:]]
    for task, reading in (firsts + lasts)[:MOST_RECORDS]:
        if _as_before(_read(copied, task, reading.key), reading):
            yield task, reading


class Copy:
    """A copy of a root, or of its folders with links to its files."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self._aside = folder / "copy" / root.name, folder / "aside"
        self._aside.mkdir()
        files = [Path(of) / name for of, _, names in os.walk(root) for name in names]
        small = sum(file.stat().st_size for file in files if file.exists()) <= COPIED
        for of, _, _ in os.walk(root):
            (self.root / Path(of).relative_to(root)).mkdir(parents=True)
        self.files = sorted(self.root / file.relative_to(root) for file in files if file.is_file())
        for file in files:
            target = self.root / file.relative_to(root)
            if small and file.is_file():
                shutil.copy2(file, target)
            else:
                target.symlink_to(file)
        self.binary = [path for path in self.files if _is_binary(path)]

    @contextmanager
    def damaged(
        self, files: Sequence[Path], damage: Callable[[Path, Path], None]
    ) -> Iterator[None]:
        """While this lasts the files are damaged ones; `damage` writes one, given the whole."""
        kept = [(path, self._aside / str(number)) for number, path in enumerate(files)]
        for path, whole in kept:
            path.rename(whole)
            damage(whole, path)
        try:
            yield
        finally:
            for path, whole in kept:
                path.unlink()
                whole.rename(path)


def _emptied(_whole: Path, path: Path) -> None:
    path.touch()


def _halved(whole: Path, path: Path) -> None:
    content = whole.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _zeroed(whole: Path, path: Path) -> None:
    path.touch()
    os.truncate(path, whole.stat().st_size)


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
) -> list[Path]:
    """The files without which the record is not read as it was, by halves."""
    if not files:
        return []
    with copy.damaged(files, _emptied):
        try:
            if _as_before(_read(copied, task, reading.key), reading):
                return []
        except Exception:  # told when it is known which file it is
            pass
    if len(files) == 1:
        return list(files)
    half = len(files) // 2
    halves = (files[:half], files[half:])
    return [path for each in halves for path in _that_matter(copied, task, reading, each, copy)]


def _check_file(copied: Dataset, task: TaskSpec, reading: Reading, path: Path, copy: Copy) -> None:
    binary = _is_binary(path)
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
        if found.fingerprint is not None and found.fingerprint == reading.fingerprint:
            raise BrokenRuleError(
                f"{name}.fingerprint must change when image or label would be read otherwise",
                given=given,
                expected="another text, or None",
                found="the same as before",
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


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" in file.read(4096)


def _as_before(found: Reading | None, reading: Reading) -> bool:
    return found is not None and same((found.image, found.label), (reading.image, reading.label))
