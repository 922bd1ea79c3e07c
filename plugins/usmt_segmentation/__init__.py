"""Segmentation: a class for each pixel."""

from __future__ import annotations

from usmt import TaskType, hookimpl
from usmt_segmentation.task_type import (
    Segmentation,
    SegmentationOptions,
    SegmentationSpec,
    SegmentationTaskType,
)

__all__ = ["Segmentation", "SegmentationOptions", "SegmentationSpec", "SegmentationTaskType"]


@hookimpl
def usmt_task_types() -> list[type[TaskType]]:
    return [SegmentationTaskType]
