"""The files of a study, in one place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from usmt.data.split import Split
from usmt.errors import CheckpointError, ConfigError
from usmt.study.journal import Journal
from usmt.study.load_study import load_study
from usmt.study.spec import StudySpec
from usmt.task_spec import TaskSpec
from usmt.train.config import RunSettings
from usmt.train.run_folder import RunFolder, own_files, read_json, write_yaml
from usmt.whole_file import write_text
from usmt.yaml_file import read_yaml, validate

TEST = "-test"
"""Ends the id of a job that scores a run on the test side."""


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """A study's folder: study.yaml, specs.json, data.json, the frozen split, journal.jsonl, jobs/,
    runs/, logs/, report/."""

    path: Path

    @property
    def study(self) -> Path:
        return self.path / "study.yaml"

    @property
    def data(self) -> Path:
        """data.json: fingerprint and split of each dataset, and the tasks' training images."""
        return self.path / "data.json"

    @property
    def specs(self) -> Path:
        return self.path / "specs.json"

    @property
    def report(self) -> Path:
        return self.path / "report"

    @property
    def journal(self) -> Journal:
        return Journal(self.path / "journal.jsonl")

    @property
    def begun(self) -> bool:
        return self.study.is_file()

    def split(self, dataset: str) -> Path:
        return self.path / f"split-{dataset}.csv"

    def run(self, id: str) -> RunFolder:
        return RunFolder(self.path / "runs" / id)

    def job(self, id: str) -> Path:
        """The settings that a run is started with."""
        return self.path / "jobs" / f"{id}.yaml"

    def log(self, id: str) -> Path:
        """What a job's process printed."""
        return self.path / "logs" / f"{id}.log"

    # -- what the study is

    def begin(
        self,
        study: StudySpec,
        specs: Sequence[TaskSpec],
        splits: Mapping[str, Split],
        data: Mapping[str, Any],
    ) -> None:
        """Makes the folder with all that is fixed for the study's whole life. It appears whole."""
        fresh = StudyFolder(self.path.with_name(f".{self.path.name}.new"))
        shutil.rmtree(fresh.path, ignore_errors=True)
        for name in ("jobs", "runs", "logs"):
            (fresh.path / name).mkdir(parents=True)
        for name, split in splits.items():
            split.write(fresh.split(name))
        write_text(fresh.specs, json.dumps(spec_values(specs), indent=1) + "\n")
        write_text(fresh.data, json.dumps(data, indent=1) + "\n")
        write_yaml(fresh.study, study.as_values())
        if self.path.is_dir():
            self.path.rmdir()  # an empty one
        fresh.path.rename(self.path)

    def read_study(self) -> StudySpec:
        """Raises CheckpointError."""
        if not self.begun:
            raise CheckpointError(
                f"{self.path}: not a study that was begun, it has no study.yaml",
                hint="Begin it: usmt study run",
            )
        with own_files():
            return load_study(self.study, {}, [])

    def check_specs(self, specs: Sequence[TaskSpec]) -> None:
        """Raises CheckpointError if the tasks are not those that the study began with."""
        begun, now = read_json(self.specs), spec_values(specs)
        changed = [task for task in now if begun.get(task) != now[task]]
        if changed:
            raise CheckpointError(
                f"{self.path}: the spec of {', '.join(changed)} has changed since the study began",
                hint="Restore it, or begin another study: its runs would not be comparable.",
            )

    def job_settings(self, id: str) -> RunSettings:
        """Raises CheckpointError."""
        if not self.job(id).is_file():
            raise CheckpointError(
                f"{self.job(id)}: there is no such file",
                hint="A job is run by `usmt study run`, which writes its settings first.",
            )
        with own_files():
            return validate(RunSettings, read_yaml(self.job(id)))

    # -- who is at work

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Held by the one process that runs the study. Raises ConfigError if there is another."""
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ConfigError(
                f"{self.path}: another process is running this study",
                hint=f"Look at it: usmt study status {self.path}",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def is_at_work(self) -> bool:
        """Whether a process is running the study."""
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False

    def held(self, id: str) -> FileLock:
        """Held by the process that does a job: what a killed study left running must end first."""
        return FileLock(self.path / "jobs" / f".{id}.lock")


def spec_values(specs: Sequence[TaskSpec]) -> dict[str, Any]:
    return {spec.id: spec.model_dump(mode="json") for spec in specs}
