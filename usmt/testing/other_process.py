"""A dataset as another process reads it, and the files that it opens.

Run as `python -m usmt.testing.other_process QUESTION ANSWER`, both of them pickles.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from usmt.dataset import Dataset
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
        opened_by_records: files that `records` opened.
        opened: by (task, key), the files that reading the record opened.
    """

    readings: Sequence[Reading]
    opened_by_records: Sequence[str]
    opened: Mapping[tuple[str, str], Sequence[str]]


def read_elsewhere(
    dataset: Dataset, tasks: Sequence[TaskSpec], keys: Mapping[str, Sequence[str]]
) -> Elsewhere:
    """Reads some records, by task, in a process of its own with another hash seed."""
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
        if done.returncode:
            raise BrokenRuleError(
                f"{name}: another process must read the same",
                given="a fresh process that knows the class, the options and the task",
                found=(done.stderr.strip().splitlines() or ["it ended without a word"])[-1],
                do="do not depend on what the test has set up in its own process",
            )
        elsewhere: Elsewhere = pickle.loads(answer.read_bytes())
        return elsewhere


def _answer(
    cls: type[Dataset], options: Any, tasks: Sequence[TaskSpec], keys: Mapping[str, Sequence[str]]
) -> Elsewhere:
    opened: list[str] = []
    listening = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event == "open" and isinstance(arguments[0], str | bytes):
            opened.append(os.fsdecode(arguments[0]))

    dataset = cls(options)
    sys.addaudithook(hook)  # there is no way to take it out again, hence a process of its own
    readings, by_records, by_record = [], [], {}
    for task in tasks:
        listening, opened[:] = True, []
        records = {record.key: record for record in dataset.records(task)}
        listening = False
        by_records += opened
        for key in keys[task.id]:
            record = records[key]
            listening, opened[:] = True, []
            image, label = dataset.read_image(record), dataset.read_label(record, task)
            listening = False
            by_record[task.id, key] = list(dict.fromkeys(opened))
            fingerprint = dataset.fingerprint(record)
            readings.append(Reading(task.id, key, image, label, fingerprint))
    return Elsewhere(readings, by_records, by_record)


if __name__ == "__main__":
    # By its full name, so that both processes know the answer's classes by the same one.
    from usmt.testing import other_process

    asked, answer = map(Path, sys.argv[1:])
    answer.write_bytes(pickle.dumps(other_process._answer(*pickle.loads(asked.read_bytes()))))
