"""The contract of an executor: what a plugin gives so that a study can run its jobs somewhere.

Import this from `usmt`, not from here. This module imports no torch.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Job:
    """One process of a study.

    It may be started again wherever it was cut short, on any machine that sees the study's folder:
    it goes on with what is there, and does nothing where all is done.

    Attributes:
        id: names it within the study.
        command: the program and its arguments.
        log: file that its output is appended to.
        environment: variables to set, beside those that there are.
    """

    id: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that ran to its end.

    Attributes:
        code: exit status of its process; negative for a signal; None where it is not known.
        reason: what the executor knows of why it failed, for people; empty for its own end.
    """

    id: str
    code: int | None
    reason: str = ""


class ExecutorOptions(BaseModel):
    """Base of an executor's options, set as `--executor-set KEY=VALUE`; unknown ones are errors."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


def usable_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Executor(ABC):
    """Runs jobs, each in a process of its own, several at a time. Used as a context manager."""

    name: ClassVar[str]
    Options: ClassVar[type[ExecutorOptions]] = ExecutorOptions

    def __init__(self, options: ExecutorOptions, jobs: int) -> None:
        """Makes ready for `jobs` jobs at a time. Raises `UsmtError` where that cannot be had: a
        library that is missing, a cluster that does not answer."""
        self.options = options
        self.jobs = jobs

    @abstractmethod
    def start(self, job: Job) -> None:
        """Hands a job over and returns at once. At most `jobs` are held at a time."""

    @abstractmethod
    def ended(self) -> list[Ended]:
        """The jobs that have ended since this was last asked, stopped ones among them. Never
        waits. A job whose machine was lost is started again elsewhere and not told of here."""

    @abstractmethod
    def stop(self, id: str) -> None:
        """Ends a job's process, if it still runs; `ended` tells of it."""

    @abstractmethod
    def close(self) -> None:
        """Ends whatever still runs. May be called twice."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
