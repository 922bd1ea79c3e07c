"""Regression: landmarks, as positions of named points."""

from __future__ import annotations

from usmt import TaskType, hookimpl
from usmt_regression.task_type import Landmarks, RegressionSpec, RegressionTaskType

__all__ = ["Landmarks", "RegressionSpec", "RegressionTaskType"]


@hookimpl
def usmt_task_types() -> list[type[TaskType]]:
    return [RegressionTaskType]
