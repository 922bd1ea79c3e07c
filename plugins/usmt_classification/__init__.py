"""Classification: one class for each image."""

from __future__ import annotations

from usmt import TaskType, hookimpl
from usmt_classification.task_type import (
    Classification,
    ClassificationSpec,
    ClassificationTaskType,
)

__all__ = ["Classification", "ClassificationSpec", "ClassificationTaskType"]


@hookimpl
def usmt_task_types() -> list[type[TaskType]]:
    return [ClassificationTaskType]
