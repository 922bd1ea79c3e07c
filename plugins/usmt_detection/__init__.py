"""Detection: one box for each image."""

from __future__ import annotations

from usmt import TaskType, hookimpl
from usmt_detection.task_type import Detection, DetectionSpec, DetectionTaskType

__all__ = ["Detection", "DetectionSpec", "DetectionTaskType"]


@hookimpl
def usmt_task_types() -> list[type[TaskType]]:
    return [DetectionTaskType]
