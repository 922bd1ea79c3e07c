"""Findings: which of several an image shows, any number of them. And a dataset of such reports."""

from __future__ import annotations

from pathlib import Path

from usmt import Dataset, TaskType, hookimpl
from usmt_findings.dataset import LungReports
from usmt_findings.task_type import Findings, FindingsSpec, FindingsTaskType

USMT_API = 1

__all__ = ["Findings", "FindingsSpec", "FindingsTaskType", "LungReports"]


@hookimpl
def usmt_task_types() -> list[type[TaskType]]:
    return [FindingsTaskType]


@hookimpl
def usmt_datasets() -> list[type[Dataset]]:
    return [LungReports]


@hookimpl
def usmt_spec_dirs() -> list[Path]:
    return [Path(__file__).parent / "specs"]
