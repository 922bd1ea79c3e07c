"""A dataset as another process finds it, and the files that it opens.

Run as `python -m usmt.testing.other_process QUESTION ANSWER`, both of them pickles.
"""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from usmt.dataset import Dataset, Record
from usmt.task_spec import TaskSpec
from usmt.testing.broken_rule import BrokenRuleError


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One record, read."""

    task: str
    key: str
    image: np.ndarray
    label: Any
    fingerprint: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Elsewhere:
    """What another process found.

    Attributes:
        records: by task, all that `records` gave, in its order.
        everything: all that `all_records` gave.
        readings: of the records that were asked for.
        opened_by_records: files that `records` opened.
        opened: by (task, key), the files that reading the record opened.
    """

    records: Mapping[str, Sequence[Record]]
    everything: Sequence[Record]
    readings: Sequence[Reading]
    opened_by_records: Sequence[str]
    opened: Mapping[tuple[str, str], Sequence[str]]


def read_elsewhere(
    dataset: Dataset, tasks: Sequence[TaskSpec], keys: Mapping[str, Sequence[str]]
) -> Elsewhere:
    """Reads some records, by task, in a process of its own: with another hash seed, folders that
    list their files the other way round, and the records in another order."""
    name = type(dataset).__name__
    with TemporaryDirectory() as folder:
        question, answer = Path(folder) / "question", Path(folder) / "answer"
        # A process that starts afresh knows the dataset by its class and options alone.
        question.write_bytes(pickle.dumps((type(dataset), dataset.options, list(tasks), keys)))
        done = subprocess.run(
            [sys.executable, "-m", "usmt.testing.other_process", str(question), str(answer)],
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "PYTHONHASHSEED": "7",
                "PYTHONWARNINGS": "ignore",
            },
        )
        if done.returncode or not answer.exists():
            raise BrokenRuleError(
                f"{name}: another process must find the same",
                given="a fresh process that knows the class, the options and the tasks",
                found=last_words(done.stderr),
                do="do not depend on what the test has set up in its own process",
            )
        elsewhere: Elsewhere = pickle.loads(answer.read_bytes())
        return elsewhere


def last_words(stderr: str) -> str:
    """The error that ended a process, with its place."""
    lines = stderr.strip().splitlines() or ["it ended without a word"]
    places = re.findall(r'File "([^"]+)", line (\d+)', stderr)
    return lines[-1] + (f" ({':'.join(places[-1])})" if places else "")


class _ListedBackwards:
    """`os.scandir`, the other way round."""

    def __init__(self, path: Any = ".") -> None:
        with _SCANDIR(path) as entries:
            self._entries = iter(list(entries)[::-1])

    def __iter__(self) -> Iterator[os.DirEntry[Any]]:
        return self

    def __next__(self) -> os.DirEntry[Any]:
        return next(self._entries)

    def __enter__(self) -> _ListedBackwards:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter([])


_SCANDIR, _LISTDIR = os.scandir, os.listdir


def _list_backwards() -> None:
    """The order in which a folder lists its files is another on another machine."""
    backwards: Callable[..., Any] = lambda path=".": _LISTDIR(path)[::-1]  # noqa: E731
    os.listdir = backwards
    os.scandir = _ListedBackwards  # type: ignore[assignment]


def _answer(
    cls: type[Dataset], options: Any, tasks: Sequence[TaskSpec], keys: Mapping[str, Sequence[str]]
) -> Elsewhere:
    opened: list[str] = []
    listening = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event == "open" and isinstance(arguments[0], str | bytes):
            opened.append(os.fsdecode(arguments[0]))

    sys.addaudithook(hook)  # there is no way to take it out again, hence a process of its own
    _list_backwards()
    dataset = cls(options)
    found: dict[str, list[Record]] = {}
    readings, by_records, by_record = [], [], {}
    for task in tasks:
        listening, opened[:] = True, []
        found[task.id] = dataset.records(task)
        listening = False
        by_records += opened
    for task in tasks[::-1]:
        # Of those that share a key, the first, as in the process that asks.
        records = {record.key: record for record in found[task.id][::-1]}
        for key in keys[task.id][::-1]:
            if key not in records:
                continue  # which the records tell
            listening, opened[:] = True, []
            image, label = dataset.read_image(records[key]), dataset.read_label(records[key], task)
            listening = False
            by_record[task.id, key] = list(dict.fromkeys(opened))
            fingerprint = dataset.fingerprint(records[key])
            readings.append(Reading(task.id, key, image, label, fingerprint))
    return Elsewhere(found, dataset.all_records(tasks), readings, by_records, by_record)


if __name__ == "__main__":
    # By its full name, so that both processes know the answer's classes by the same one.
    from usmt.testing import other_process

    asked, answer = map(Path, sys.argv[1:])
    answer.write_bytes(pickle.dumps(other_process._answer(*pickle.loads(asked.read_bytes()))))
