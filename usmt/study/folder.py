"""The files of a study, in one place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from usmt.data.split import Split
from usmt.errors import CheckpointError, ConfigError
from usmt.study.journal import Journal
from usmt.study.load_study import load_study
from usmt.study.spec import StudySpec
from usmt.task_spec import TaskSpec
from usmt.train.checkpoint import sha256
from usmt.train.config import RunSettings
from usmt.train.run_folder import RunFolder, own_files, read_json, write_yaml
from usmt.whole_file import check_folder, write_text
from usmt.yaml_file import read_yaml, validate

PATIENCE = 2.0
"""Seconds to wait for the study's lock, which `usmt study status` takes for a moment."""

_OWN = re.compile(r"\.lock|jobs|runs|logs|split-\w+\.csv|data\.json|sealed\.json|\..*\.new")
"""What a call may leave behind that was killed before the study was begun."""

TEST = "-test"
"""Ends the id of a job that scores a run on the test side."""


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """A study's folder: study.yaml, sealed.json, data.json, the frozen splits, journal.jsonl,
    jobs/, runs/, logs/, report/."""

    path: Path

    @property
    def study(self) -> Path:
        return self.path / "study.yaml"

    @property
    def data(self) -> Path:
        """data.json: fingerprint and split of each dataset, in numbers."""
        return self.path / "data.json"

    @property
    def sealed(self) -> Path:
        """sealed.json: what must stay as it was: the study, its splits, networks and specs."""
        return self.path / "sealed.json"

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

    def check_free(self) -> None:
        """Raises ConfigError for a folder that holds anything else than the start of a study."""
        check_folder(self.path)
        if self.path.is_dir():
            strange = [e.name for e in self.path.iterdir() if not _OWN.fullmatch(e.name)]
        else:
            strange = [self.path.name] if self.path.exists() else []
        if strange:
            raise ConfigError(
                f"{self.path}: exists, is not empty and is not a study",
                hint="Choose another --out.",
            )

    def begin(
        self,
        study: StudySpec,
        units: Mapping[str, Sequence[str]],
        specs: Sequence[TaskSpec],
        splits: Mapping[str, Split],
        data: Mapping[str, Any],
    ) -> None:
        """Writes all that is fixed for the study's whole life, study.yaml last: with it the study
        is begun. What a call before this one wrote that was killed is written again.

        Args:
            units: tasks of each network, by its name.
        """
        for name in ("jobs", "runs", "logs"):
            (self.path / name).mkdir(exist_ok=True)
        for name, split in splits.items():
            split.write(self.split(name))
        write_text(self.data, json.dumps(data, indent=1) + "\n")
        values = study.as_values()
        sealed = {
            "usmt": version("usmt"),
            "study": values,
            "splits": {name: sha256(self.split(name)) for name in splits},
            "units": {name: list(tasks) for name, tasks in units.items()},
            "specs": spec_values(specs),
        }
        write_text(self.sealed, json.dumps(sealed, indent=1) + "\n")
        write_yaml(self.study, values)

    def read_study(self) -> StudySpec:
        """Raises CheckpointError."""
        if not self.begun:
            raise CheckpointError(
                f"{self.path}: not a study that was begun, it has no study.yaml",
                hint="Begin it: usmt study run. If --out gave it another folder, name that",
            )
        with own_files():
            return load_study(self.study, {}, [])

    def check_sealed(
        self, specs: Sequence[TaskSpec], units: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Raises CheckpointError if anything is not as the study began: else its runs would not
        be comparable."""
        begun = read_json(self.sealed)
        changed = []
        if json.loads(json.dumps(self.read_study().as_values())) != begun.get("study"):
            changed.append(str(self.study))
        for name, hashed in begun.get("splits", {}).items():
            if not self.split(name).is_file() or sha256(self.split(name)) != hashed:
                changed.append(str(self.split(name)))
        now, then = spec_values(specs), begun.get("specs", {})
        changed += [f"the spec of {task}" for task in now if then.get(task) != now[task]]
        if units is not None and {n: list(t) for n, t in units.items()} != begun.get("units"):
            changed.append("the list of tasks of a group")
        if changed:
            raise CheckpointError(
                f"{self.path}: changed since the study began: {', '.join(changed)}",
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
        """Held by the one process that begins and runs the study; makes its folder. Raises
        ConfigError if there is another process, or if the folder is something else."""
        if not self.begun:
            self.check_free()
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            raise ConfigError(
                f"{self.path}: another process is running this study",
                hint=f"Look at it: usmt study status {self.path}",
            ) from None
        except NotImplementedError:
            raise ConfigError(
                f"{self.path}: files cannot be locked there", hint="Choose another --out."
            ) from None
        try:
            yield
        finally:
            lock.release()
            if not self.begun:  # nothing came of it: the folder goes, if there is nothing in it
                with suppress(OSError):
                    (self.path / ".lock").unlink()
                    self.path.rmdir()

    def is_at_work(self) -> bool:
        """Whether a process is running the study, as far as one can see from here."""
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except (OSError, NotImplementedError):  # somebody else's folder, or one without locks
            return False
        lock.release()
        return False

    def held(self, id: str) -> FileLock:
        """Held by the process that does a job: what a killed study left running must end first."""
        return FileLock(self.path / "jobs" / f".{id}.lock")


def spec_values(specs: Sequence[TaskSpec]) -> dict[str, Any]:
    return {spec.id: spec.model_dump(mode="json") for spec in specs}
